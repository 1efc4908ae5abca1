"""Changes of MariaDB's log to Parquet: 500,000 inserts of the `trips` table (harness/trips.py) in one transaction, a backlog that a worker
takes up as it starts, paired with Debezium's MariaDB connector, embedded, which writes JSON lines.

Prints a table and the lines `BENCH trips_binlog <changes per CPU-second> rows/s`, `BENCH trips_binlog_rss <MiB> MiB`, `BENCH trips_binlog_runner
<changes per CPU-second of the runner alone> rows/s`, `RATIO trips_binlog debezium <value>` and `RATIO trips_binlog_rss debezium <value>`. CPU is
user and system time of all processes of the worker (supervising, poller, runner) from their start to the commit, memory the runner's VmHWM.
What landed is compared with the table. Environment: SLUICE_BENCH_ROWS (500000), SLUICE_BENCH_RUNS (3).
"""
import contextlib
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

import trips  # noqa: E402
from cluster import BUILD, Cluster  # noqa: E402
from mysqlserver import MariaDB  # noqa: E402
from stack import MySQLStack  # noqa: E402
from tds_jsonl import process_cpu, process_peak_mib, runners  # noqa: E402

ROWS = int(os.environ.get("SLUICE_BENCH_ROWS", "500000"))
RUNS = int(os.environ.get("SLUICE_BENCH_RUNS", "3"))
TABLE = f"{trips.DATABASE}.{trips.TABLE}"
LANDED = "SELECT coalesce(sum(rows), 0) FROM sluice.file WHERE kind = 'cdc'"


def drain(stack):
    """(CPU seconds of all processes, of the runner, its peak MiB, wall seconds) of a worker that lands what has come since the last one ended."""
    before = stack.one(LANDED)
    began = time.monotonic()
    worker = stack.start()
    stack.wait(lambda: stack.one(LANDED) >= before + ROWS, "the changes", 600)
    wall = time.monotonic() - began
    children = stack.children()
    cpu = process_cpu(worker.pid) + sum(process_cpu(pid) for pid, _ in children)
    [runner] = runners(stack)
    figures = cpu, process_cpu(runner), process_peak_mib(runner), wall
    assert stack.one(LANDED) == before + ROWS
    stack.stop()
    return figures


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))      # so that servers are stopped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    folder.chmod(0o755)
    os.environ.setdefault("SLUICE_WORKER", str(BUILD / "sluice-worker"))    # the build that ships, without crash points
    ours, alone, peaks, peers, peer_peaks = [], [], [], [], []
    with_peer = trips.Debezium.available()
    if not with_peer:
        print("without Debezium: its connector or a Java is not there")
    try:
        with MariaDB(folder / "mariadb", options={"innodb_buffer_pool_size": "256M"}) as server, Cluster(folder / "sluice") as cluster:
            stack = MySQLStack(cluster, server, folder, trips.DATABASE)
            trips.create(server)
            stack.set("runners", 1)
            stack.set("poll_interval_ms", 500)
            stack.register()
            stack.add_table(TABLE, format="parquet")
            stack.start()
            stack.wait_state(TABLE)
            stack.stop()
            print(f"{ROWS} inserts of {len(trips.columns())} columns\n run   sluice CPU s    rows/CPU s   runner's   peak MiB   wall s   Debezium CPU s    rows/CPU s   peak MiB   ratio")
            with contextlib.ExitStack() as open_peer:
                peer = open_peer.enter_context(trips.Debezium(server, folder)) if with_peer else None
                for run in range(RUNS):
                    trips.fill(server, 1 + run * ROWS, ROWS)
                    cpu, runner, peak, wall = drain(stack)
                    ours.append(ROWS / cpu)
                    alone.append(ROWS / runner)
                    peaks.append(peak)
                    line = f"{run + 1:4} {cpu:14.2f} {ours[-1]:13.0f} {alone[-1]:10.0f} {peak:10.1f} {wall:8.1f}"
                    if peer:
                        cost = peer.drain(ROWS)
                        peers.append(cost.rate)
                        peer_peaks.append(cost.peak_mib)
                        line += f" {cost.cpu_s:16.2f} {cost.rate:13.0f} {cost.peak_mib:10.1f} {ours[-1] / cost.rate:7.2f}"
                    print(line, flush=True)
            wrote = trips.totals_of(file for file in stack.target_folder.rglob("*.parquet") if "sluice_kind=cdc" in str(file))
            assert wrote == trips.totals(server), f"landed {wrote}, the table has {trips.totals(server)}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"BENCH trips_binlog {statistics.median(ours):.0f} rows/s")
    print(f"BENCH trips_binlog_runner {statistics.median(alone):.0f} rows/s")
    print(f"BENCH trips_binlog_rss {statistics.median(peaks):.1f} MiB")
    if peers:
        print(f"RATIO trips_binlog debezium {statistics.median(o / p for o, p in zip(ours, peers)):.2f}")
        print(f"RATIO trips_binlog_rss debezium {statistics.median(p / o for o, p in zip(peaks, peer_peaks)):.2f}")


if __name__ == "__main__":
    main()
