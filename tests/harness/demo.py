"""The demo: from nothing to landed rows, and what to do next. Started by tests/harness/demo.

    demo.py start DIR DATASET PORT | psql DIR | stop DIR | workload DIR

DIR/demo.json holds what the other commands need; DIR/lake is the target.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from cluster import ROOT, Cluster, pid_alive, wait_until  # noqa: E402

SOURCE = "shop"
WAIT_S = 120


class Demo:
    def __init__(self, dir):
        self.dir = pathlib.Path(dir)
        self.file = self.dir / "demo.json"
        self.state = json.loads(self.file.read_text()) if self.file.exists() else {}

    def save(self, **more):
        self.state.update(more)
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.state, indent=1) + "\n")
        new.rename(self.file)

    def cluster(self):
        settings = {"sluice.supervise": "on", "sluice.worker_path": self.dir / "build" / "sluice-worker"}
        return Cluster(self.dir / "pg", port=self.state["port"], database="demo", settings=settings,
                       socket_dir=self.state.get("socket"))


# ---- start -------------------------------------------------------------------
def say(text):
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {text}", flush=True)


def sql_of(text):
    return "'" + str(text).replace("'", "''") + "'"


def start(dir, dataset, port):
    demo = Demo(dir)
    demo.state["port"] = int(port)
    cluster = demo.cluster()
    demo.save(port=cluster.port, dataset=dataset, socket=str(cluster.socket_dir))
    cluster.start()
    cluster.psql("CREATE EXTENSION sluice")
    say(f"PostgreSQL runs on port {cluster.port} with the extension sluice and its supervisor")
    if dataset == "retail":
        import demo_mysql
        demo_mysql.start(demo, cluster)
    else:
        start_simulator(demo, cluster, dataset)


def start_simulator(demo, cluster, dataset):
    from simulator import Simulator
    simulator = Simulator(cluster, demo.dir / "mssql").start()
    simulator.setting(idle_interval_ms=2000)     # SQL Server's own is about 5 minutes: the load's fence waits for it
    demo.save(simulator=simulator.process.pid, simulator_port=simulator.port)
    data = __import__("dataset_flights" if dataset == "flights" else "dataset_inventory")
    data.create(simulator, say)
    if hasattr(data, "workload"):
        with (demo.dir / "workload.log").open("wb") as log:
            workload = subprocess.Popen([sys.executable, __file__, "workload", demo.dir], stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, start_new_session=True)
        demo.save(workload=workload.pid)
        say("a small workload writes to it")

    register(demo, cluster, simulator, data)
    if hasattr(data, "after"):
        data.after(simulator, say)
    wait_landed(demo, cluster, data)
    lake = landed(demo)
    show(demo, cluster, lake)
    if hasattr(data, "compare"):
        data.compare(lake, say)
    farewell(demo, cluster, f"The simulator listens on 127.0.0.1:{simulator.port}, login sa, password {simulator.password}.")


def register(demo, cluster, simulator, data):
    lake = demo.dir / "lake"
    lake.mkdir(exist_ok=True)
    password = secret(demo.dir / "sa.password", simulator.password)
    run(cluster, [
        f"SELECT * FROM sluice.add_source('{SOURCE}', 'sqlserver', host => '{simulator.host}', port => {simulator.port}, "
        f"database => '{data.DATABASE}', \"user\" => '{simulator.login}', password_file => {sql_of(password)})",
        f"SELECT * FROM sluice.add_target('lake', 'file', path => {sql_of(lake)})",
        f"CALL sluice.refresh('{SOURCE}')",
        f"SELECT * FROM sluice.add_tables('{SOURCE}', '%', 'lake', '{{\"max_file_age\": 1}}')",
    ])


def secret(file, text):
    file.touch(mode=0o600)
    file.write_text(text + "\n")
    return file


def run(cluster, steps):
    for step in steps:
        say(step)
        cluster.psql(step)


def wait_landed(demo, cluster, data):
    def ready():
        rows = cluster.psql("SELECT table_name, state, rows_loaded, rows_changed FROM sluice.table_status").splitlines()
        tables = {name: (state, int(loaded), int(changed)) for name, state, loaded, changed in (r.split("|") for r in rows)}
        return len(tables) >= data.TABLES and data.enough(tables)
    try:
        wait_until(ready, getattr(data, "WAIT_S", WAIT_S), "rows have landed", 0.5)
    except AssertionError:
        print(cluster.psql("SELECT * FROM sluice.status"))
        print(cluster.log()[-3000:])
        raise
    say(f"rows have landed in {demo.dir / 'lake'}")


def landed(demo):
    from reader import FolderStore, Landed
    return Landed(FolderStore(demo.dir / "lake"), SOURCE)


def show_query(cluster, text):
    print(f"\n=# {text}", flush=True)
    subprocess.run([cluster.bindir / "psql", "-X", "-P", "pager=off", "-d", cluster.conninfo(), "-c", text], check=True)


def show(demo, cluster, lake):
    show_query(cluster, "SELECT * FROM sluice.status;")
    print("What landed, read by Python from the files alone:")
    for table in lake.tables():
        files = lake.of(table)
        rows = sum(len(file.rows) for file in files)
        print(f"  {table}: {rows} rows in {len(files)} files, {sum(file.bytes for file in files)} bytes")
    for file in [f for f in lake.files if f.kind == "cdc"][:1] or lake.files[:1]:
        print(f"\n{file.key}")
        for row in file.rows[:3]:
            print("  " + json.dumps(row, default=str, ensure_ascii=False)[:400])
    print(flush=True)


def farewell(demo, cluster, source):
    again = f" DEMO_DIR={demo.dir}"
    say("done")
    print(f"""
  make demo-psql{again}     psql on the demo (or: psql "{cluster.conninfo()}")
  make demo-stop{again}     stops everything and removes {demo.dir}

  {source}""", flush=True)


# ---- the other commands ------------------------------------------------------
def workload(dir):
    """Writes until it is killed or the simulator is gone."""
    from simulator import Simulator
    demo = Demo(dir)
    simulator = Simulator(demo.cluster(), demo.dir / "mssql", port=demo.state["simulator_port"])
    data = __import__("dataset_inventory")
    data.workload(simulator)


def psql(dir):
    cluster = Demo(dir).cluster()
    os.execv(cluster.bindir / "psql", ["psql", "-X", "-P", "pager=off", "-v", "SHOW_CONTEXT=never", "-d", cluster.conninfo()])


def stop(dir):
    demo = Demo(dir)
    for name in ("workload", "simulator", "server"):
        pid = demo.state.get(name)
        if pid and pid_alive(pid) and str(demo.dir) in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
            os.killpg(pid, signal.SIGTERM)
            wait_until(lambda: not pid_alive(pid), 15, f"{name} has ended")
    demo.cluster().close()
    shutil.rmtree(demo.dir)
    print(f"stopped; {demo.dir} is gone")


BEGAN = time.monotonic()
if __name__ == "__main__":
    from demo import psql, start, stop, workload   # one module, also for demo_mysql
    {"start": start, "workload": workload, "psql": psql, "stop": stop}[sys.argv[1]](*sys.argv[2:])
