"""Full load of the 29-column `trips` table, MariaDB -> Parquet with zstd, as `sluice-worker run --once` does it through the registry, paired with ConnectorX +
pyarrow and dlt over the same rows in the same run (harness/trips.py).

Prints a table and the lines `BENCH trips_full_load <rows per CPU-second> rows/s`, `BENCH trips_full_load_rss <MiB> MiB` and for each peer
`RATIO trips_full_load <peer> <value>`, `RATIO trips_full_load_rss <peer> <value>` (above 1 = ours better).
CPU is user and system time of all of the worker's processes from their start to their end: logins, discovery, the fence and the commit are in it, while a peer's
begins behind its imports. Memory is the sum of the peaks of the worker's processes. `BENCH trips_full_load_runner` is the runner's share alone, from its start on.
Environment: SLUICE_BENCH_TRIPS_ROWS (2000000), SLUICE_BENCH_RUNS (3, the median counts).
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

import trips  # noqa: E402
from cluster import BUILD, Cluster  # noqa: E402
from mysqlserver import MariaDB  # noqa: E402
from stack import MySQLStack  # noqa: E402
from tds_jsonl import process_cpu, process_peak_mib  # noqa: E402

ROWS = int(os.environ.get("SLUICE_BENCH_TRIPS_ROWS", "2000000"))
RUNS = int(os.environ.get("SLUICE_BENCH_RUNS", "3"))
LOAD_TIMEOUT_S = 600
NAME = f"{trips.DATABASE}.{trips.TABLE}"


def sample(stack, peaks, cpu):
    """What is known of the worker's processes until they are gone."""
    for pid, kind in [(stack.workers[-1].pid, "main"), *stack.children()]:
        try:
            peaks[pid] = process_peak_mib(pid)
            cpu[pid] = (kind, process_cpu(pid))
        except (OSError, AttributeError):
            pass


def load(stack):
    """The cost of one full load, and the CPU seconds of its runners."""
    if stack.status(NAME):
        stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(NAME))
    else:
        stack.add_table(NAME, format="parquet", compression="zstd", max_file_age=60)
    began, peaks, cpu = time.monotonic(), {}, {}
    worker = stack.start("--once")
    while True:
        pid, status, usage = os.wait4(worker.pid, os.WNOHANG)
        if pid:
            break
        sample(stack, peaks, cpu)
        if time.monotonic() - began > LOAD_TIMEOUT_S:
            raise RuntimeError(f"the load did not end\n{stack.why()}\n{stack.log_tail()}")
        time.sleep(0.05)
    worker.returncode = os.waitstatus_to_exitcode(status)
    stack.workers.clear()
    if worker.returncode:
        raise RuntimeError(f"the worker ended with {worker.returncode}\n{stack.why()}\n{stack.log_tail()}")
    cost = trips.Cost(ROWS, usage.ru_utime + usage.ru_stime, time.monotonic() - began, sum(peaks.values()))
    return cost, sum(seconds for kind, seconds in cpu.values() if kind == "runner")


def verify(stack, server):
    epoch = stack.one("SELECT max(epoch) FROM sluice.file WHERE kind = 'load'")
    keys = stack.sql("SELECT key FROM sluice.file WHERE kind = 'load' AND epoch = %s", epoch)
    found = trips.totals_of([stack.target_folder / key for (key,) in keys])
    assert found == trips.totals(server), f"landed {found}, the table has {trips.totals(server)}"


def measure(stack, server, folder):
    """{who: [Cost ..]}, all of one run after the other, and the runners' rates."""
    costs, runner_rates = {"sluice": [], "connectorx": [], "dlt": []}, []
    print(f"{ROWS} rows of {len(trips.columns())} columns\n run {'':12} CPU s    rows/CPU s   peak MiB   wall s")
    for run in range(RUNS):
        ours, runner_cpu = load(stack)
        verify(stack, server)
        runner_rates.append(ROWS / runner_cpu)
        for who, job in (("sluice", lambda: ours), ("connectorx", lambda: trips.connectorx(server, folder)), ("dlt", lambda: trips.dlt(server, folder))):
            if cost := job():
                costs[who].append(cost)
                print(f"{run + 1:4} {who:12} {cost.cpu_s:5.2f} {cost.rate:13.0f} {cost.peak_mib:10.1f} {cost.wall_s:8.1f}", flush=True)
    return costs, runner_rates


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))      # so that servers are stopped
    if MariaDB.missing():
        sys.exit(MariaDB.missing())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    folder.chmod(0o755)
    os.environ.setdefault("SLUICE_WORKER", str(BUILD / "sluice-worker"))    # the build that ships, without crash points
    try:
        with MariaDB(folder / "mariadb", options={"innodb_buffer_pool_size": "512M"}) as server, Cluster(folder / "sluice") as cluster:
            stack = MySQLStack(cluster, server, folder, trips.DATABASE)
            trips.create(server)
            trips.fill(server, 1, ROWS, logged=False)
            stack.register()
            costs, runner_rates = measure(stack, server, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ours = costs.pop("sluice")
    print(f"BENCH trips_full_load {statistics.median(c.rate for c in ours):.0f} rows/s")
    print(f"BENCH trips_full_load_runner {statistics.median(runner_rates):.0f} rows/s")
    print(f"BENCH trips_full_load_rss {statistics.median(c.peak_mib for c in ours):.1f} MiB")
    for peer, theirs in costs.items():
        if theirs:
            print(f"RATIO trips_full_load {peer} {statistics.median(o.rate / t.rate for o, t in zip(ours, theirs)):.2f}")
            print(f"RATIO trips_full_load_rss {peer} {statistics.median(t.peak_mib / o.peak_mib for o, t in zip(ours, theirs)):.2f}")


if __name__ == "__main__":
    main()
