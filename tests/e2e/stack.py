"""One sluice under test: a database with the extension, a source database in the simulator, a target, a worker process.

    stack = Stack(cluster, simulator, folder, "erp")          # or target=bucket (a Bucket)
    stack.tsql("CREATE TABLE dbo.item (...)"); stack.enable_cdc("dbo.item")
    stack.register(); stack.add_table("dbo.item"); stack.start()
    stack.wait_state("dbo.item"); stack.wait_uploaded("dbo.item")
    stack.check(); rows = stack.landed().fold("dbo.item", ["id"])

The worker is started here and not by the supervisor, so that a test can give it an environment (crash points) and kill it.
Every wait is for a state, with a limit; nothing waits for a clock. stop() leaves no process.
"""
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import psycopg

import mysqlvalues
import values
from cluster import children_of, default_worker, pid_alive, wait_until
from reader import FolderStore, BucketStore, Landed

# Everything that would make a test wait is short here; what each means: _sluice.option.
QUICK = {"poll_interval_ms": 100, "idle_ms": 100, "retry_base_seconds": 0.1, "retry_cap_seconds": 1}
QUICK_SIMULATOR = {"capture_interval_ms": 50, "idle_interval_ms": 200}
QUICK_TABLE = {"max_file_age": 0.5}
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|: runtime error: ")    # of a worker built with them (SLUICE_WORKER)
FORGET_TRIES = 5
TROUBLE_S = 5           # what was just asked to be mended may still say what it was
TROUBLE = ("error", "lost", "rewound", "gone")
PASSWORD_ENV = "SLUICE_TEST_PASSWORD"


class Bucket:
    """A bucket of a local S3 server: endpoint, names and keys."""

    def __init__(self, client, endpoint, name, access_key, secret_key, region="us-east-1", ca_file=None):
        self.client = client
        self.endpoint = endpoint
        self.name = name
        self.access_key = access_key
        self.secret_key = secret_key
        self.region = region
        self.ca_file = ca_file

    def options(self):
        return {"bucket": self.name, "endpoint": self.endpoint, "region": self.region, "path_style": True,
                "access_key_env": "SLUICE_TEST_ACCESS_KEY", "secret_key_env": "SLUICE_TEST_SECRET_KEY",
                **({"ca_file": str(self.ca_file)} if self.ca_file else {})}

    def environment(self):
        return {"SLUICE_TEST_ACCESS_KEY": self.access_key, "SLUICE_TEST_SECRET_KEY": self.secret_key}


class Stack:
    kind = "sqlserver"
    schema = "dbo"
    dialect = values        # how a Workload speaks

    def __init__(self, cluster, simulator, folder, name, target=None, prefix="lake", database=None, create=True):
        self.cluster = cluster
        self.simulator = simulator
        self.name = name
        self.prefix = prefix
        self.database = database or f"sluice_{name}"
        self.bucket = target
        self.created = create
        self.folder = pathlib.Path(folder) / self.database
        self.folder.mkdir(parents=True)
        self.target_folder = self.folder / "target"
        self.target_folder.mkdir()
        self.log_file = self.folder / "worker.log"
        self.environment = {}
        self.settings = dict(QUICK)
        self.workers = []
        cluster.psql(f'CREATE DATABASE "{self.database}"', database="postgres")
        self.sql("CREATE EXTENSION sluice")
        # Files smaller than anybody may ask for, so that a small table has many.
        self.sql("UPDATE _sluice.option SET low = 1024 WHERE name = 'target_file_bytes'")
        for setting, value in self.settings.items():
            self.set(setting, value)
        if create:
            self.create_source()

    # ---- the source -----------------------------------------------------------
    def create_source(self):
        self.simulator.exec_sql(f"CREATE DATABASE {self.name}")
        self.simulator.exec_sql("EXEC sys.sp_cdc_enable_db", database=self.name)

    def write(self, text, connection=None):
        """Statements at the source, in its language."""
        return self.simulator.exec_sql(text, database=self.name, connection=connection)

    tsql = write

    def enable_cdc(self, table, **more):
        schema, name = table.split(".")
        extra = "".join(f", @{key} = {value if isinstance(value, int) else repr(value)}" for key, value in more.items())
        self.tsql(f"EXEC sys.sp_cdc_enable_table @source_schema = N'{schema}', @source_name = N'{name}', @role_name = NULL{extra}")

    # ---- the registry ---------------------------------------------------------
    def sql(self, text, *parameters, user="postgres"):
        """Runs one statement (or several without parameters); rows of the last one, [] where it gives none."""
        with psycopg.connect(self.cluster.conninfo(self.database, user), autocommit=True) as connection:
            cursor = connection.execute(text, parameters or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def one(self, text, *parameters):
        rows = self.sql(text, *parameters)
        return rows[0][0] if rows else None

    def error(self, text, *parameters, user="postgres"):
        """(SQLSTATE, message, hint) of a statement that must fail."""
        try:
            self.sql(text, *parameters, user=user)
        except psycopg.Error as error:
            return error.sqlstate, error.diag.message_primary, error.diag.message_hint
        raise AssertionError(f"no error from: {text}")

    def set(self, name, value):
        self.sql("INSERT INTO _sluice.setting VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, str(value))

    def source_options(self, **more):
        return {"host": self.simulator.host, "port": self.simulator.port, "database": self.name, "user": self.simulator.login,
                "password_env": PASSWORD_ENV, **more}

    def add_source(self, name=None, **more):
        self.sql("SELECT sluice.add_source(%s, %s, options => %s::jsonb)", name or self.name, self.kind, json.dumps(self.source_options(**more)))

    def target_options(self):
        if self.bucket:
            return {**self.bucket.options(), "prefix": self.prefix}
        return {"path": str(self.target_folder), "prefix": self.prefix}

    def add_target(self, name="lake", **more):
        self.sql("SELECT sluice.add_target(%s, %s, options => %s::jsonb)", name, "s3" if self.bucket else "file",
                 json.dumps({**self.target_options(), **more}))

    def register(self, **source_options):
        self.add_source(**source_options)
        self.add_target()

    def table_name(self, table):
        return f"{self.name}.{table}"

    def add_table(self, table, target="lake", **options):
        self.sql("SELECT sluice.add_table(%s, %s, options => %s::jsonb)", self.table_name(table), target, json.dumps({**QUICK_TABLE, **options}))

    # ---- the worker -----------------------------------------------------------
    def start(self, *arguments, file_limit=None, **environment):
        """One more worker, `sluice-worker run` and the arguments; environment: SLUICE_CRASH_AT and the like. Its pid is self.workers[-1].pid."""
        env = {**os.environ, "SLUICE_CONNINFO": self.cluster.conninfo(self.database, "sluice_worker"),
               PASSWORD_ENV: self.simulator.password, **self.environment, **environment}
        if self.bucket:
            env = {**self.bucket.environment(), **env}

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))

        with self.log_file.open("ab") as log:
            worker = subprocess.Popen([default_worker(), "run", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd="/",
                                      preexec_fn=limit if file_limit is not None else None, restore_signals=False)
        self.workers.append(worker)
        return worker

    def stop(self, number=signal.SIGTERM, timeout_s=20):
        """Every worker ends; children too."""
        for worker in self.workers:
            children = children_of(worker.pid)
            if worker.poll() is None:
                worker.send_signal(number)
            try:
                worker.wait(timeout_s)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait(5)
                raise AssertionError(f"the worker did not stop within {timeout_s} s\n{self.log_tail()}") from None
            wait_until(lambda: not any(pid_alive(pid) for pid in children), 10, "children of the worker are gone")
        self.workers = []
        assert not SANITIZER.search(self.log()), self.log_tail(10000)

    def close(self):
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait(5)
        self.workers = []

    def forget(self):
        """The source database goes: the simulator's capture job would follow it for ever. One that is in use may stay."""
        tries = FORGET_TRIES if self.created and self.simulator.process else 0
        while tries:
            try:
                self.simulator.exec_sql(f"DROP DATABASE {self.name}")
                tries = 0
            except Exception:  # noqa: BLE001 - pymssql's, and only tidiness is at stake
                tries -= 1
                time.sleep(0.2)

    def children(self):
        """[(pid, 'poller'|'runner')] of all workers."""
        found = []
        for worker in self.workers:
            for pid in children_of(worker.pid):
                try:
                    arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    found.append((pid, arguments[1].decode()))
                except (OSError, IndexError):
                    pass
        return found

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_tail(self, most=3000):
        return self.log()[-most:]

    # ---- waiting --------------------------------------------------------------
    def status(self, table):
        """The table's row of table_status as a dict."""
        with psycopg.connect(self.cluster.conninfo(self.database), autocommit=True) as connection:
            cursor = connection.execute('SELECT * FROM sluice.table_status WHERE table_name = %s', (self.table_name(table),))
            row = cursor.fetchone()
            return dict(zip([c.name for c in cursor.description], row)) if row else None

    def wait(self, condition, what, timeout_s=60):
        """condition() with the worker's log in the failure; an unreachable PostgreSQL counts as not yet."""
        def reached():
            try:
                return condition()
            except psycopg.OperationalError:
                return None
        try:
            return wait_until(reached, timeout_s, what, 0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.why()}\n--- worker\n{self.log_tail()}") from None

    def why(self):
        try:
            return "\n".join(f"{row}" for row in self.sql(
                "SELECT * FROM sluice.table_status UNION ALL SELECT * FROM sluice.table_status WHERE false") +
                self.sql("SELECT * FROM sluice.source_status") + self.sql("SELECT * FROM sluice.batch ORDER BY 1 DESC LIMIT 10"))
        except psycopg.Error as error:
            return str(error)

    def wait_state(self, table, state="streaming", timeout_s=60):
        """The table's row once it is in that state; a table that stays in trouble will not get there by itself."""
        sound = time.monotonic()

        def reached():
            nonlocal sound
            row = self.status(table)
            if not row or row["state"] == state or row["state"] not in TROUBLE or state in TROUBLE:
                sound = time.monotonic()
            elif time.monotonic() - sound > TROUBLE_S:
                raise AssertionError(f"{table} is {row['state']}, not {state}: {row['message']} HINT: {row['hint']}")
            return row and row["state"] == state and row
        return self.wait(reached, f"{table} is {state}", timeout_s)

    def wait_uploaded(self, *tables, timeout_s=60):
        """All that was committed at the source before the call has landed."""
        end = time.monotonic() + timeout_s
        as_of = self.one("SELECT clock_timestamp()")
        for table in tables:
            reached = None
            while not reached:
                try:
                    reached = self.one("SELECT sluice.wait_for(%s, 'uploaded', %s, '5 s')", self.table_name(table), as_of)
                except psycopg.Error as error:
                    reached = error
                if reached is not True and (time.monotonic() > end or isinstance(reached, psycopg.Error)
                                            and not isinstance(reached, psycopg.OperationalError)):
                    raise AssertionError(f"{table} is not uploaded: {reached}\n{self.why()}\n--- worker\n{self.log_tail()}")
                reached = reached is True

    # ---- what landed ----------------------------------------------------------
    def store(self):
        if self.bucket:
            return BucketStore(self.bucket.client, self.bucket.name, self.prefix)
        return FolderStore(self.target_folder, self.prefix)

    def landed(self):
        return Landed(self.store(), self.name)

    def problems(self, landed=None, keys=None, at_rest=True, killed=False, target="lake"):
        landed = landed or self.landed()
        files = self.sql("SELECT key, rows, bytes, state FROM sluice.file WHERE target = %s", target)
        orphans = {key for key, _, _, state in files if state == "orphan"}
        purged = {key for key, _, _, state in files if state == "purged"}
        return (landed.problems(keys, at_rest, orphans, killed, purged) +
                (landed.ledger_problems([(key, rows, size) for key, rows, size, state in files if state == "landed"], orphans) if at_rest else []))

    def check(self, keys=None, killed=False):
        """The promises of reader.py and the ledger's agreement with them; returns what landed. Call at rest."""
        landed = self.landed()
        problems = self.problems(landed, keys, killed=killed)
        assert not problems, "\n".join(problems[:20])
        return landed


class MySQLStack(Stack):
    """The same with a MySQL or MariaDB server (harness/mysqlserver.py) in the place of the simulator; its tables are those of one database."""
    dialect = mysqlvalues

    def __init__(self, cluster, server, folder, name, **more):
        self.kind = server.kind
        self.schema = name
        self.server = server
        super().__init__(cluster, server, folder, name, **more)

    def create_source(self):
        self.simulator.exec_sql(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")

    def enable_cdc(self, table, **more):
        """Every table is in the log."""

    def source_options(self, **more):
        return {"host": self.server.host, "port": self.server.port, "user": self.server.login, "password_env": PASSWORD_ENV, **more}
