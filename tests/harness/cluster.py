"""A throwaway PostgreSQL cluster for tests and the demo.

    with Cluster(dir, preload=True, settings={"sluice.database": "app"}, database="app") as c:
        c.psql("CREATE EXTENSION sluice")           # text out, like psql -qAtX
        with c.connect(user="app") as conn: ...     # psycopg 3
        c.restart(); c.kill9(); c.start()

What it promises
- The machine's own PostgreSQL is never touched: binaries from `pg_config --bindir`, our extension from the
  staged install `$SLUICE_BUILD/stage` (made by `make stage`), data in `dir`.
- Unix socket in `dir/s` (or a short private folder where that path would be too long), trust for whoever can open
  the folder (0700, and root); TCP on 127.0.0.1 only, scram-sha-256. `port=0` takes a free one.
- As root every server program runs as the OS user `postgres` (or `nobody`), by runuser, and `dir` is given to it.
  Everything else that needs the same user can use `Cluster.command([...])`.
- The superuser is the role `postgres`. `database` (if not postgres) and each of `roles` (LOGIN, password = its
  name) are created by the first start().
- `preload`: adds shared_preload_libraries = 'sluice'. The supervisor is off unless settings say
  {"sluice.supervise": "on"}; then sluice.worker_path is `$SLUICE_WORKER`, else the build with crash points, else the plain
  one, unless settings name another.
- kill9() kills postmaster and lets the kernel and the postmaster-death watch take the others, as a crash does.
- stop() is fast shutdown and leaves nothing running. close() stops at once and removes `dir`.
"""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD") or ROOT / "build").resolve()
START_TIMEOUT_S = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pg_config(option):
    return subprocess.run([os.environ.get("PG_CONFIG") or "pg_config", option], check=True,
                          capture_output=True, text=True).stdout.strip()


def server_user():
    """The OS user that runs servers: None for ourselves, else a name (only root needs one)."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            pass
    raise RuntimeError("root cannot run PostgreSQL and there is no user postgres or nobody")


def default_worker():
    if os.environ.get("SLUICE_WORKER"):
        return pathlib.Path(os.environ["SLUICE_WORKER"])
    crash_points = BUILD / "test" / "sluice-worker"
    return crash_points if crash_points.exists() else BUILD / "sluice-worker"


def pid_alive(pid):
    """True while the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, timeout_s=20, what="condition", every_s=0.05):
    """Calls condition() until it is true and returns its value; AssertionError after timeout_s."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {timeout_s} s: {what}")
        time.sleep(every_s)


class Cluster:
    def __init__(self, dir, port=0, preload=True, settings=None, database="postgres", roles=(), socket_dir=None):
        self.dir = pathlib.Path(dir).resolve()
        self.data = self.dir / "data"
        self.logfile = self.dir / "server.log"
        self.port = port or free_port()
        self.preload = preload
        self.settings = dict(settings or {})
        self.database = database
        self.roles = tuple(roles)
        self.user = server_user()
        self.bindir = pathlib.Path(pg_config("--bindir"))
        self.socket_dir = pathlib.Path(socket_dir) if socket_dir else self._socket_dir()

    # ---- life -----------------------------------------------------------------
    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.close()

    def start(self):
        """Starts the server and waits until it takes connections; makes the cluster the first time."""
        fresh = not (self.data / "PG_VERSION").exists()
        if fresh:
            self._initdb()
        self.write_settings()
        result = self.command([self.bindir / "pg_ctl", "-D", self.data, "-l", self.logfile, "-w", "-s",
                               "-t", str(START_TIMEOUT_S), "start"])
        if result.returncode != 0:
            raise RuntimeError(f"PostgreSQL did not start:\n{result.stderr}\n{self.log()[-3000:]}")
        if fresh and not self.in_recovery():
            self._create_roles()
        return self

    def stop(self, mode="fast", timeout_s=30):
        if self.pid():
            self.command([self.bindir / "pg_ctl", "-D", self.data, "-m", mode, "-w", "-s", "-t", str(timeout_s), "stop"])

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        self.write_settings()
        os.kill(self.pid(), signal.SIGHUP)

    def kill9(self):
        """kill -9 of the postmaster; returns when no server process of this cluster is left."""
        pid = self.pid()
        members = self.processes()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(pid_alive(p) for p in [pid, *members]), 20, "server processes gone after kill -9")
        # A zombie that init has not reaped yet still answers kill(pid, 0) and would forbid the next start.
        for lock in [self.data / "postmaster.pid", *self.socket_dir.glob(".s.PGSQL.*")]:
            lock.unlink(missing_ok=True)

    def promote(self):
        self.command([self.bindir / "pg_ctl", "-D", self.data, "-w", "-s", "promote"], check=True)

    def close(self):
        self.stop("immediate")
        shutil.rmtree(self.dir, ignore_errors=True)
        if self.socket_dir.parent != self.dir:
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def standby(self, dir, **kwargs):
        """A streaming standby of this cluster, not started yet; same arguments as Cluster()."""
        return self.backup(dir, "-R", **kwargs)

    def backup(self, dir, *more, **kwargs):
        """A base backup of this cluster as a cluster, not started yet: started, it is what this one was."""
        other = Cluster(dir, preload=self.preload, database=self.database, **kwargs)
        other._own_dir()
        self.command([self.bindir / "pg_basebackup", "-D", other.data, *more, "-X", "stream", "-c", "fast",
                      "-h", self.socket_dir, "-p", str(self.port), "-U", "postgres"], check=True)
        return other

    # ---- use ------------------------------------------------------------------
    def psql(self, sql, database=None, user="postgres", check=True):
        """Runs sql (one text, may hold several statements) and returns standard output, unaligned, no header."""
        result = self.psql_result(sql, database, user)
        if check and result.returncode != 0:
            raise RuntimeError(f"psql failed: {result.stderr.strip()}\n{sql}")
        return result.stdout.rstrip("\n")

    def psql_result(self, sql, database=None, user="postgres"):
        return subprocess.run([self.bindir / "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d",
                               self.conninfo(database, user)], input=sql, capture_output=True, text=True)

    def connect(self, database=None, user="postgres", **kwargs):
        import psycopg
        kwargs.setdefault("autocommit", True)
        return psycopg.connect(self.conninfo(database, user), **kwargs)

    def conninfo(self, database=None, user="postgres"):
        return f"host={self.socket_dir} port={self.port} dbname={database or self.database} user={user}"

    def in_recovery(self):
        return self.psql("SELECT pg_is_in_recovery()", database="postgres") == "t"

    def log(self):
        return self.logfile.read_text(errors="replace") if self.logfile.exists() else ""

    def pid(self):
        """The postmaster's pid, or 0."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        except (FileNotFoundError, ValueError):
            return 0
        return pid if pid_alive(pid) else 0

    def processes(self):
        """Pids of the postmaster's children (the worker is a grandchild: see children_of)."""
        return children_of(self.pid())

    def supervisor_pid(self):
        for pid in self.processes():
            try:
                if "sluice supervisor" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                    return pid
            except OSError:
                pass
        return 0

    def worker_pid(self):
        """The sluice-worker that the supervisor runs, or 0."""
        supervisor = self.supervisor_pid()
        return next(iter(children_of(supervisor)), 0) if supervisor else 0

    def command(self, argv, check=False, **kwargs):
        """Runs a program as the server's OS user and waits for it."""
        argv = [str(a) for a in argv]
        if self.user:
            argv = ["runuser", "-u", self.user, "--", *argv]
        with tempfile.TemporaryFile() as err:   # not a pipe: pg_ctl's server would keep it open
            result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
                                    cwd="/", **kwargs)
            err.seek(0)
            result.stderr = err.read().decode(errors="replace")
        if check and result.returncode != 0:
            raise RuntimeError(f"{argv} failed: {result.stderr}")
        return result

    # ---- making ---------------------------------------------------------------
    def _socket_dir(self):
        inside = self.dir / "s"
        if len(str(inside)) < 80:
            return inside
        return pathlib.Path(tempfile.mkdtemp(prefix="sluice-"))

    def _own_dir(self):
        for path in (self.dir, self.socket_dir):
            path.mkdir(parents=True, exist_ok=True)
            if self.user:
                shutil.chown(path, self.user)
            path.chmod(0o700 if path == self.socket_dir else 0o711)

    def _initdb(self):
        self._own_dir()
        self.command([self.bindir / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                      "--locale=C.UTF-8", "--no-sync"], check=True)
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")

    def write_settings(self):
        """Writes dir/data/sluice-test.conf anew; start() and reload() call it."""
        settings = {"port": self.port, "unix_socket_directories": self.socket_dir, "listen_addresses": "127.0.0.1",
                    "fsync": "off", "max_connections": 60, "shared_buffers": "32MB", "log_min_messages": "info",
                    "log_line_prefix": "%m [%p] %b ", "max_wal_size": "512MB", "timezone": "UTC", "log_timezone": "UTC"}
        if self.preload:
            stage = BUILD / "stage"
            settings.update({"shared_preload_libraries": "sluice", "extension_destdir": stage,
                             "dynamic_library_path": f"{stage}{pg_config('--pkglibdir')}:$libdir",
                             "sluice.supervise": "off", "sluice.database": self.database,
                             "sluice.worker_path": default_worker()})
        settings.update(self.settings)
        conf = self.data / "sluice-test.conf"
        conf.write_text("".join("{} = '{}'\n".format(k, str(v).replace("'", "''")) for k, v in settings.items()))
        main = self.data / "postgresql.conf"
        if "sluice-test.conf" not in main.read_text():
            with main.open("a") as f:
                f.write("include 'sluice-test.conf'\n")
        if self.user:
            shutil.chown(conf, self.user)

    def _create_roles(self):
        for role in self.roles:
            self.psql(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{role}'", database="postgres")
        if self.database != "postgres":
            self.psql(f'CREATE DATABASE "{self.database}"', database="postgres")


def children_of(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
