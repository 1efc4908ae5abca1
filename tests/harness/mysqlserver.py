r"""A real MariaDB server for tests and the demo, in a folder of its own.

    with MariaDB(dir) as server:                       # options={"binlog_row_metadata": "MINIMAL"}; tls=True: server.ca_file
        server.exec_sql("CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY)")
        server.query("SELECT id FROM item", database="shop")
        server.host, server.port, server.login, server.password         # who captures: the rights it needs, no more
        server.restart(); server.kill9(); server.start()
        server.flush_logs(); server.purge_logs(); server.reset_logs()   # rotate, drop what is not the newest, start anew
        server.backup("monday"); ...; server.restore("monday")          # the data folder of then

What it promises
- The machine's own servers are never touched: no service, data in `dir`, a private socket and a port on 127.0.0.1.
- As root the server runs as the OS user of cluster.server_user(), and `dir` is given to it.
- The binlog is as a source needs it (LOG below) unless `options` say otherwise; nothing is synced to disk, so a killed
  machine may lose data, a killed server not.
- `admin` has every right and is for tests only. The capture user is `login`/`password`.
- stop() is a clean shutdown, kill9() a crash; both return when the process is gone. close() ends it and removes `dir`.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from cluster import free_port, server_user, wait_until

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
LOG = {"log_bin": "binlog", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL", "binlog_checksum": "CRC32"}
FAST = {"innodb_flush_log_at_trx_commit": 2, "sync_binlog": 0, "innodb_buffer_pool_size": "64M", "innodb_log_buffer_size": "4M",
        "max_connections": 100, "skip_name_resolve": "ON", "default_time_zone": "+00:00"}


class MySQLServer:
    """What both have in common. A product says how its program is found, its folder made, and how it speaks."""
    host = "127.0.0.1"
    login = "sluice_capture"
    admin = "sluice_admin"
    kind = None
    end_of_log = None

    def __init__(self, dir, port=0, options=None, tls=False, server_id=1, password="My-pass-1"):
        self.dir = pathlib.Path(dir).resolve()
        self.data = self.dir / "data"
        self.logfile = self.dir / "server.log"
        self.port = port or free_port()
        self.options = dict(options or {})
        self.tls = tls
        self.ca_file = self.dir / "tls" / "ca.pem" if tls else None
        self.server_id = server_id
        self.password = password
        self.user = server_user()
        self.process = None
        inside = self.dir / "s"
        self.socket_dir = inside if len(str(inside)) < 80 else pathlib.Path(tempfile.mkdtemp(prefix="sluice-"))
        self.socket = self.socket_dir / "server.sock"

    # ---- life -----------------------------------------------------------------
    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.close()

    def start(self):
        """Starts the server and waits until it takes connections; makes its data the first time."""
        fresh = not self.data.exists()
        if fresh:
            self._make()
        argv = [*self.program(), "--no-defaults", *self._arguments(self._settings())]
        with self.logfile.open("ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir, env=self.environment(),
                                            start_new_session=True)
        self._wait_up(fresh)
        if fresh:
            self._create_users()
        return self

    def stop(self):
        self._end(signal.SIGTERM)

    def kill9(self):
        self._end(signal.SIGKILL)

    def restart(self, **options):
        """A clean shutdown and a start, with changed options if there are."""
        self.stop()
        self.options.update(options)
        return self.start()

    def close(self):
        self.kill9()
        shutil.rmtree(self.dir, ignore_errors=True)
        if self.socket_dir.parent != self.dir:
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def backup(self, name="backup"):
        """A copy of the data as it is now, made with the server stopped; it runs again afterwards."""
        self._stopped(lambda: shutil.copytree(self.data, self.dir / name, dirs_exist_ok=False))

    def restore(self, name="backup"):
        """The data as they were at backup(name), log and positions too."""
        def back():
            shutil.rmtree(self.data)
            shutil.copytree(self.dir / name, self.data)
            self._give(self.data)
        self._stopped(back)

    # ---- use ------------------------------------------------------------------
    def connect(self, database=None, user=None, password=None, **more):
        import pymysql
        if user is None:
            user, password = self.admin, self.password
        more.setdefault("autocommit", True)
        more.setdefault("charset", "utf8mb4")
        return pymysql.connect(unix_socket=str(self.socket), user=user, password=password or self.password, database=database,
                               connect_timeout=10, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS, **more)

    def exec_sql(self, text, database=None, connection=None):
        """Runs one or more statements as the admin; raises on the first error. Returns the last row count."""
        own = connection is None
        connection = connection or self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text)
                while cursor.nextset():
                    pass
                return cursor.rowcount
        finally:
            if own:
                connection.close()

    def query(self, text, *parameters, database=None, connection=None):
        own = connection is None
        connection = connection or self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, parameters or None)
                return list(cursor.fetchall())
        finally:
            if own:
                connection.close()

    def version(self):
        return self.query("SELECT version()")[0][0]

    def log_end(self):
        """(file, offset) of the log's end."""
        return tuple(self.query(self.end_of_log)[0][:2])

    def logs(self):
        return [row[0] for row in self.query("SHOW BINARY LOGS")]

    def flush_logs(self):
        self.exec_sql("FLUSH BINARY LOGS")

    def purge_logs(self):
        """Only the newest file of the log is left. No reader may be in an older one: the server keeps what is being read."""
        self.flush_logs()

        def is_purged():
            self.exec_sql(f"PURGE BINARY LOGS TO '{self.log_end()[0]}'")    # not at once: InnoDB may still need a file for its recovery
            return len(self.logs()) == 1
        wait_until(is_purged, STOP_TIMEOUT_S, "older files of the log are gone")

    def log(self):
        return self.logfile.read_text(errors="replace") if self.logfile.exists() else ""

    def pid(self):
        return self.process.pid if self.process and self.process.poll() is None else 0

    # ---- making ---------------------------------------------------------------
    def environment(self):
        return dict(os.environ)

    def _settings(self):
        """Every option of the server; a later one of the same name wins."""
        settings = {"datadir": self.data, "socket": self.socket, "pid_file": self.dir / "server.pid", "port": self.port,
                    "bind_address": self.host, "tmpdir": self.dir / "tmp", "server_id": self.server_id, **LOG, **FAST, **self.extra()}
        if self.tls:
            tls = self.dir / "tls"
            settings.update({"ssl_ca": tls / "ca.pem", "ssl_cert": tls / "server.pem", "ssl_key": tls / "server.key"})
        if self.user:
            settings["user"] = self.user
        return {**settings, **self.options}

    @staticmethod
    def _arguments(settings):
        return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items() if value is not None]

    def _make(self):
        for path in (self.dir, self.socket_dir, self.dir / "tmp"):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700 if path == self.socket_dir else 0o711)
            self._give(path)
        if self.tls:
            from s3server import certify
            certify(self.dir / "tls")
            self._give(self.dir / "tls")
        result = subprocess.run(self.make_data(), stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/",
                                env=self.environment(), timeout=120)
        if result.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise RuntimeError(f"no data folder for {self.kind}:\n{(result.stdout + result.stderr)[-3000:]}")

    def _give(self, path):
        if self.user:
            for each in [path, *(path.rglob("*") if path.is_dir() else [])]:
                shutil.chown(each, self.user)

    def _wait_up(self, fresh):
        def is_up():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.kind} did not start:\n{self.log()[-3000:]}")
            try:
                self._root().close() if fresh else self.connect().close()
                return True
            except OSError:
                return False
            except Exception as error:  # noqa: BLE001 - the client's own classes
                if error.args and error.args[0] in (2003, 2013, 1040):
                    return False
                raise
        try:
            wait_until(is_up, START_TIMEOUT_S, f"{self.kind} takes connections")
        except BaseException:
            self.kill9()
            raise

    def _root(self):
        import pymysql
        return pymysql.connect(unix_socket=str(self.socket), user="root", autocommit=True,
                               client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)

    def _create_users(self):
        """Not in the log: it begins with what the test does."""
        connection = self._root()
        try:
            self.exec_sql("SET sql_log_bin = 0", connection=connection)
            for user, rights in ((self.admin, "ALL PRIVILEGES"), (self.login, self.capture_rights)):
                more = " WITH GRANT OPTION" if user == self.admin else ""
                self.exec_sql(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{self.password}'; GRANT {rights} ON *.* TO '{user}'@'%'{more}",
                              connection=connection)
        finally:
            connection.close()

    def _stopped(self, action):
        running = self.pid() != 0
        self.stop()
        action()
        if running:
            self.start()

    def _end(self, number):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process = None


class MariaDB(MySQLServer):
    """MariaDB of Debian's mariadb-server-core."""
    kind = "mariadb"
    end_of_log = "SHOW MASTER STATUS"
    capture_rights = "SELECT, SHOW VIEW, REPLICATION SLAVE, BINLOG MONITOR"

    def program(self):
        return ["/usr/sbin/mariadbd"]

    def extra(self):
        return {"innodb_flush_method": "O_DIRECT_NO_FSYNC", "gtid_strict_mode": "OFF", "aria_pagecache_buffer_size": "8M",
                "innodb_log_file_size": "32M", "feedback": "OFF"}

    def make_data(self):
        argv = ["/usr/bin/mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal",
                "--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=16M"]
        return argv + ([f"--user={self.user}"] if self.user else [])

    def reset_logs(self):
        self.exec_sql("RESET MASTER")
