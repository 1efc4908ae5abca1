r"""Real MariaDB and MySQL servers for tests and the demo, each in a folder of its own.

    with MariaDB(dir) as server:                       # or MySQL; options={"binlog_row_metadata": "MINIMAL"}; tls=True: server.ca_file
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

MariaDB is Debian's package of this release, installed. MySQL is in no stable release of Debian: `python mysqlserver.py install` unpacks
unstable's mysql-server-core with all its libraries, loader included, into $SLUICE_TOOLS/mysql, and prints its version; it asks the
machine's own mirror and touches nothing of the machine's apt. Where it is not there, MySQL.missing() says so.
"""
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from cluster import free_port, server_user, wait_until
from s3server import certify, tools

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"     # of Debian's own package, on every Debian
INSTALL_TIMEOUT_S = 600
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
        try:
            self._wait_up(fresh)
            if fresh:
                self._create_users()
        except BaseException:
            self.kill9()
            if fresh:
                shutil.rmtree(self.data, ignore_errors=True)
            raise
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
        return {**os.environ, "TMPDIR": str(self.dir / "tmp")}      # ours may be closed to the server's user

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
        wait_until(is_up, START_TIMEOUT_S, f"{self.kind} takes connections")

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

    @staticmethod
    def missing():
        """Why there is no such server here, or None."""
        return None if pathlib.Path("/usr/sbin/mariadbd").exists() else "mariadb-server-core is not installed"


class MySQL(MySQLServer):
    """MySQL of install(); run by the loader and with the libraries that came with it."""
    kind = "mysql"
    end_of_log = "SHOW BINARY LOG STATUS"
    capture_rights = "SELECT, SHOW VIEW, REPLICATION SLAVE, REPLICATION CLIENT"

    def program(self):
        root = mysql_root()
        loader = next(iter(sorted(root.glob("usr/lib*/ld-linux*"))))
        libraries = ":".join(str(path) for path in sorted(root.glob("usr/lib/*-linux-gnu")))
        return [loader, "--library-path", libraries, root / "usr/sbin/mysqld"]

    def extra(self):
        share = mysql_root() / "usr/share/mysql"
        return {"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "basedir": mysql_root() / "usr", "lc_messages_dir": share,
                "character_sets_dir": share / "charsets", "mysqlx": "OFF", "innodb_redo_log_capacity": "64M", "innodb_doublewrite": "OFF",
                "innodb_flush_method": "O_DIRECT_NO_FSYNC", "performance_schema": "OFF", "secure_file_priv": ""}

    def make_data(self):
        settings = self._settings()
        wanted = ("datadir", "basedir", "lc_messages_dir", "character_sets_dir", "innodb_redo_log_capacity", "innodb_doublewrite", "user")
        return [*self.program(), "--no-defaults", "--initialize-insecure", "--skip-log-bin",
                *self._arguments({name: settings[name] for name in wanted if name in settings})]

    def reset_logs(self):
        self.exec_sql("RESET BINARY LOGS AND GTIDS")

    @staticmethod
    def missing():
        return None if (mysql_root() / "usr/sbin/mysqld").exists() else "not unpacked: tests/harness/mysqlserver.py install"


# ---- MySQL's binary ---------------------------------------------------------------
def mysql_root():
    return tools() / "mysql"


def run(argv, **more):
    result = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=INSTALL_TIMEOUT_S, **more)
    if result.returncode:
        raise RuntimeError(f"{argv[0]} {argv[-1]}: {' '.join(result.stdout.split())[-300:] or f'exit code {result.returncode}'}")
    return result.stdout


def unstable_source():
    """A line of sources.list for Debian unstable: the machine's own source of its release, with another suite."""
    release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Identifier: Packages"])
    for line in listed.splitlines():
        uri, suite, component = line.split("|")
        if release.get("ID") == "debian" and suite == codename and component == "main":
            return f"deb [signed-by={KEYRING}] {uri} unstable main\n"
    raise RuntimeError("the machine's apt has no source of a Debian release")


def unpack_mysql(folder):
    """Debian unstable's mysql-server-core and what it needs, into folder/root; apt's state is folder/apt."""
    state, root, packages = folder / "apt", folder / "root", folder / "packages"
    for path in (state / "lists/partial", state / "archives/partial", root, packages):
        path.mkdir(parents=True)
    (state / "sources.list").write_text(unstable_source())
    options = {"Dir::Etc::sourcelist": state / "sources.list", "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferences": "/dev/null",
               "Dir::Etc::preferencesparts": "/dev/null", "Dir::State": state, "Dir::State::status": "/dev/null", "Dir::Cache": state,
               "APT::Sandbox::User": "", "Acquire::Languages": "none", "Acquire::Retries": 3,
               "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false", "APT::Architecture": run(["dpkg", "--print-architecture"]).strip()}
    apt = ["apt-get", "-q", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]
    run([*apt, "update"])
    planned = run([*apt, "-s", "--no-install-recommends", "install", "mysql-server-core"])
    names = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    run([*apt, "download", *(name for name in names if "perl" not in name)], cwd=packages)     # only its scripts are Perl
    for package in packages.iterdir():
        run(["dpkg", "-x", package, root])
    for path in [root / "usr/bin", *root.glob("usr/share/*")]:      # half of its size
        if path.name != "mysql":
            shutil.rmtree(path)
    return root


def install():
    """Unpacks MySQL's server if it is not there yet; RuntimeError says why it cannot be had."""
    if MySQL.missing():
        tools().mkdir(parents=True, exist_ok=True)
        with open(tools() / "mysql.lock", "w") as lock, tempfile.TemporaryDirectory(dir=tools()) as folder:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if MySQL.missing():
                root = unpack_mysql(pathlib.Path(folder))
                root.chmod(0o755)
                os.replace(root, mysql_root())
    return run([*MySQL("/nonexistent").program(), "--no-defaults", "--version"]).strip()


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit(__doc__)
    try:
        print(install())
    except (RuntimeError, OSError, subprocess.SubprocessError) as reason:
        print(f"MySQL: not available on this machine ({reason}), its tests are skipped")
