"""From a commit at the source to the object that holds it: one hot table among many idle ones, `max_file_age` 1 s, a folder.

A writer commits at SLUICE_BENCH_CHANGES (5000) changes a second for SLUICE_BENCH_SECONDS (30); each row carries the time just before its
commit was asked for. The object's time is that of the link that made it visible. The simulator's capture job looks every 50 ms, where SQL
Server's looks every 5 s by default: that delay is a setting of the source and comes on top. SLUICE_BENCH_TABLES (1000) tables in all.
Prints `BENCH commit_to_object_p50 <s> s`, `_p99`, and the CPU seconds of all the worker's processes a second of load.
"""
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "harness"))
sys.path.insert(0, str(TESTS / "e2e"))
sys.path.insert(0, str(TESTS / "bench"))

from cluster import BUILD, Cluster, children_of  # noqa: E402
from simulator import Simulator  # noqa: E402
from stack import QUICK_SIMULATOR, Stack  # noqa: E402
from tds_jsonl import process_cpu  # noqa: E402

TABLES = int(os.environ.get("SLUICE_BENCH_TABLES", "1000"))
CHANGES = int(os.environ.get("SLUICE_BENCH_CHANGES", "5000"))
SECONDS = int(os.environ.get("SLUICE_BENCH_SECONDS", "30"))
STATEMENTS_A_SECOND = 25
HOT = "dbo.hot"


def make_tables(stack):
    connection = stack.simulator.connect(stack.name)
    for n in range(TABLES - 1):
        stack.tsql(f"CREATE TABLE dbo.idle{n} (id int NOT NULL PRIMARY KEY, v nvarchar(20))", connection)
        stack.tsql(f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'idle{n}', @role_name = NULL", connection)
    connection.close()
    stack.tsql(f"CREATE TABLE {HOT} (id bigint NOT NULL PRIMARY KEY, sent_us bigint NOT NULL, v nvarchar(40))")
    stack.enable_cdc(HOT)


def write(stack):
    """The hot table's load; returns the rows it committed."""
    connection = stack.simulator.connect(stack.name)
    rows = CHANGES // STATEMENTS_A_SECOND
    began = time.time()
    for n in range(SECONDS * STATEMENTS_A_SECOND):
        time.sleep(max(0.0, began + n / STATEMENTS_A_SECOND - time.time()))
        sent = time.time_ns() // 1000
        stack.tsql(f"INSERT INTO {HOT} (id, sent_us, v) VALUES " + ", ".join(f"({n * rows + i}, {sent}, N'value {i} of {n}')" for i in range(rows)), connection)
    connection.close()
    print(f"wrote {SECONDS * STATEMENTS_A_SECOND * rows} rows in {time.time() - began:.1f} s", flush=True)
    return SECONDS * STATEMENTS_A_SECOND * rows


def latencies(stack):
    """Seconds, one a landed row, in order of size."""
    found = []
    for file in stack.landed().of(HOT):
        if file.kind == "cdc":
            visible = (stack.target_folder / stack.prefix / file.key).stat().st_ctime
            found += [visible - row["sent_us"] / 1e6 for row in file.rows]
    return sorted(found)


def run(folder):
    with Cluster(folder / "backing", preload=False) as backing, Simulator(backing) as simulator, Cluster(folder / "sluice") as cluster:
        for name, value in QUICK_SIMULATOR.items():
            simulator.exec_sql(f"EXEC sluice_sim.set_option '{name}', {value}")
        stack = Stack(cluster, simulator, folder, "bench")
        stack.set("poll_interval_ms", 500)
        make_tables(stack)
        stack.register()
        stack.start()
        stack.wait(lambda: stack.one("SELECT discovered_at FROM sluice.source_status"), "the tables are known", 300)
        stack.sql("SELECT count(*) FROM sluice.add_tables('bench', 'dbo.%', 'lake', options => '{\"max_file_age\": 1}')")
        stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.status WHERE state = 'streaming'") == TABLES, "all tables stream", 900)
        pids = [worker.pid for worker in stack.workers] + [pid for worker in stack.workers for pid in children_of(worker.pid)]
        before, began = sum(map(process_cpu, pids)), time.time()
        rows = write(stack)
        stack.wait_uploaded(HOT, timeout_s=120)
        cpu = (sum(map(process_cpu, pids)) - before) / (time.time() - began)
        found = latencies(stack)
        assert len(found) == rows, f"{len(found)} of {rows} rows landed"
        stack.stop()
    return found, cpu


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))      # so that servers are stopped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    folder.chmod(0o755)
    os.environ.setdefault("SLUICE_WORKER", str(BUILD / "sluice-worker"))    # the build that ships, without crash points
    try:
        found, cpu = run(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    p50, p99 = statistics.median(found), found[int(len(found) * 0.99)]
    print(f"{TABLES} tables, {CHANGES} changes/s: p50 {p50:.2f} s, p99 {p99:.2f} s, longest {found[-1]:.2f} s; worker {cpu:.2f} CPU s a second")
    print(f"BENCH commit_to_object_p50 {p50:.2f} s\nBENCH commit_to_object_p99 {p99:.2f} s\nBENCH commit_to_object_cpu {cpu:.3f} cpu_s/s")


if __name__ == "__main__":
    main()
