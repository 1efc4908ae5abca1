r"""The SQL Server simulator for tests and the demo: a process of build/mssql-sim on a free port.

    with Simulator(cluster) as s:                       # backed by database mssql_sim of that cluster
        s.exec_script("tests/peers/mssql/samples/inventory.sql")
        s.exec_sql("UPDATE dbo.item SET quantity = 3 WHERE id = 1", database="inventory")
        rows = s.query("SELECT id FROM dbo.item", database="inventory")
        s.fault("match FROM dbo.item\ndrop_after_bytes 4000")    # tests/peers/mssql/fault.h; s.fault("") ends it
        s.setting(idle_interval_ms=200)                 # table mssql.setting: intervals, retention, capture job on or off
        for line in s.statements(): ...                  # the log: what was asked on the wire

`conninfo` of the backing PostgreSQL is a superuser's on the cluster's socket. Login is `sa` / `password`. `options` are
more command line options without their dashes: {"encrypt": "on", "tls_cert": path, "capture_interval_ms": 50}.
stop() is SIGTERM, kill() is SIGKILL of the whole process group; both return when no process is left; start() again keeps port and data.
"""
import os
import pathlib
import re
import signal
import subprocess

from cluster import BUILD, free_port, wait_until

GO = re.compile(r"^\s*GO\s*;?\s*$", re.IGNORECASE | re.MULTILINE)


def split_batches(text):
    """A script's batches: the texts between lines that hold only GO."""
    return [batch.strip() for batch in GO.split(text) if batch.strip()]


class Simulator:
    host = "127.0.0.1"
    login = "sa"

    def __init__(self, cluster, dir=None, port=0, database="mssql_sim", password="Sim-pass-1", options=None):
        self.cluster = cluster
        self.dir = pathlib.Path(dir or cluster.dir / "mssql").resolve()
        self.port = port or free_port()
        self.database = database
        self.password = password
        self.options = dict(options or {})
        self.fault_file = self.dir / "fault"
        self.log_file = self.dir / "statements.log"
        self.ready_file = self.dir / "ready"
        self.output = self.dir / "output.log"
        self.process = None

    # ---- life -----------------------------------------------------------------
    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def start(self, timeout_s=30):
        self.dir.mkdir(parents=True, exist_ok=True)
        if self.cluster.psql(f"SELECT 1 FROM pg_database WHERE datname = '{self.database}'", database="postgres") == "":
            self.cluster.psql(f'CREATE DATABASE "{self.database}"', database="postgres")
        self.ready_file.unlink(missing_ok=True)
        argv = [BUILD / "mssql-sim", "--conninfo", self.cluster.conninfo(self.database), "--port", self.port,
                "--login", self.login, "--ready-file", self.ready_file, "--fault-file", self.fault_file,
                "--log", self.log_file]
        for name, value in self.options.items():
            argv += ["--" + name.replace("_", "-"), value]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env={**os.environ, "MSSQL_SIM_PASSWORD": self.password}, cwd=self.dir,
                                            start_new_session=True)
        wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None, timeout_s, "simulator is ready")
        if self.process.poll() is not None:
            raise RuntimeError(f"mssql-sim did not start:\n{self.output.read_text(errors='replace')[-3000:]}")
        return self

    def stop(self, number=signal.SIGTERM, timeout_s=10):
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)
            self.process.wait(timeout_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(timeout_s)
        self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    # ---- use ------------------------------------------------------------------
    def connect(self, database="master", user=None, password=None, **kwargs):
        import pymssql
        kwargs.setdefault("autocommit", True)
        kwargs.setdefault("login_timeout", 10)
        kwargs.setdefault("timeout", 120)
        return pymssql.connect(server=self.host, port=str(self.port), user=user or self.login,
                               password=password or self.password, database=database, tds_version="7.4", **kwargs)

    def exec_sql(self, text, database="master", connection=None):
        """Runs a script, batch by batch (lines GO part them); raises on the first error. Returns the last row count."""
        own = connection is None
        connection = connection or self.connect(database)
        try:
            count = -1
            for batch in split_batches(text):
                with connection.cursor() as cursor:
                    cursor.execute(batch)
                    while cursor.nextset():
                        pass
                    count = cursor.rowcount
            return count
        finally:
            if own:
                connection.close()

    def exec_script(self, path, database="master"):
        return self.exec_sql(pathlib.Path(path).read_text(encoding="utf-8"), database)

    def query(self, sql, database="master", connection=None):
        own = connection is None
        connection = connection or self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        finally:
            if own:
                connection.close()

    def fault(self, text):
        """Sets the fault of tests/peers/mssql/fault.h (lines `name value`); "" takes it away. Read before each statement."""
        new = self.fault_file.with_suffix(".new")
        new.write_text(text + "\n" if text else "")
        new.rename(self.fault_file)

    def setting(self, **values):
        """Settings of the engine that take effect while it runs: idle_interval_ms=200, retention_seconds=5, capture_running=0."""
        for name, value in values.items():
            found = self.cluster.psql(f"UPDATE mssql.setting SET value = '{value}' WHERE name = '{name}' RETURNING name",
                                      database=self.database)
            assert found == name, f"mssql-sim has no setting {name}"

    def statements(self):
        return self.log_file.read_text(errors="replace").splitlines() if self.log_file.exists() else []
