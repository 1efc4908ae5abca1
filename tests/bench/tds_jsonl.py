"""Full load through the worker, TDS -> JSON lines zstd, 10 columns, paired with a bare DB-Library loop over the same rows.

Prints a table and the lines `BENCH tds_jsonl <rows per CPU-second> rows/s`, `RATIO tds_jsonl bare_dblib <value>` (ours / the loop's, so
0.25 is the goal's floor of four times its CPU) and `BENCH tds_jsonl_rss <MiB> MiB`. CPU is user and system time of the one
runner process, peak memory its VmHWM. Environment: SLUICE_BENCH_ROWS (500000), SLUICE_BENCH_RUNS (3).
"""
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "harness"))
sys.path.insert(0, str(TESTS / "e2e"))

from cluster import BUILD, Cluster  # noqa: E402
from simulator import Simulator  # noqa: E402
from stack import QUICK_SIMULATOR, Stack  # noqa: E402
from values import Column, create_table  # noqa: E402

ROWS = int(os.environ.get("SLUICE_BENCH_ROWS", "500000"))
RUNS = int(os.environ.get("SLUICE_BENCH_RUNS", "3"))
TABLE = "dbo.bench"
COLUMNS = [
    Column("id", "bigint", "int", null=False), Column("c_int", "int", "int", null=False), Column("c_varchar", "varchar(40)", "varchar", null=False),
    Column("c_decimal", "decimal(18,4)", "decimal:4", null=False), Column("c_null", "int", "int"), Column("c_nvarchar", "nvarchar(40)", "nvarchar"),
    Column("c_made", "datetime2(7)", "datetime2:7", null=False), Column("c_seen", "datetime2(3)", "datetime2:3", null=False),
    Column("c_bit", "bit", "bool", null=False), Column("c_binary", "varbinary(16)", "binary", null=False),
]
TICKS = os.sysconf("SC_CLK_TCK")


def literals(n):
    """Plain, quickly made values of about 120 bytes a row."""
    return (f"({n}, {n * 7919 % 2147483647}, 'customer {n * 31 % 1000003:07} of the shop', {n % 1000000}.{n % 10000:04}, "
            f"{'NULL' if n % 5 == 0 else n}, {'NULL' if n % 3 == 0 else f'''N'Straße {n % 9973} Köln' '''}, "
            f"'2026-{n % 12 + 1:02}-{n % 28 + 1:02} {n % 24:02}:{n % 60:02}:{n // 60 % 60:02}.{n % 10000000:07}', "
            f"'2025-{n % 12 + 1:02}-{n % 28 + 1:02} {n % 24:02}:{n % 60:02}:{n // 60 % 60:02}.{n % 1000:03}', {n % 2}, 0x{n * 2654435761 % (1 << 128):032x})")


def fill(stack, rows):
    stack.tsql(create_table(TABLE, COLUMNS, ["id"]))
    connection = stack.simulator.connect(stack.name)
    names = ", ".join(c.name for c in COLUMNS)
    for start in range(0, rows, 1000):
        stack.tsql(f"INSERT INTO {TABLE} ({names}) VALUES " + ",\n".join(literals(n) for n in range(start, min(rows, start + 1000))), connection)
    connection.close()
    stack.enable_cdc(TABLE)


def loop(stack):
    """(rows, CPU seconds) of the bare loop; the login's share is in both figures."""
    query = f"SELECT {', '.join(c.name for c in COLUMNS)} FROM {TABLE} ORDER BY id"
    result = subprocess.run([BUILD / "bench" / "tds_loop", str(stack.simulator.port), stack.simulator.login, stack.name, query],
                            env={**os.environ, "MSSQL_SIM_PASSWORD": stack.simulator.password}, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"tds_loop: {result.stderr}")
    rows, _, cpu = result.stdout.split()
    return int(rows), float(cpu)


def process_cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def process_peak_mib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def runners(stack):
    return [pid for pid, kind in stack.children() if kind == "runner"]


def load(stack):
    """(CPU seconds, peak MiB, wall seconds) of the runners during one full load."""
    stack.wait(lambda: len(runners(stack)) == 1, "one runner")
    [pid] = runners(stack)
    before, began = process_cpu(pid), time.monotonic()
    landed = "SELECT coalesce(sum(rows), 0) FROM sluice.file WHERE kind = 'load'"
    rows = stack.one(landed)
    if stack.status(TABLE):
        stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(TABLE))
    else:
        stack.add_table(TABLE, load_range_rows=1000000000)
    stack.wait(lambda: stack.one(landed) == rows + ROWS, "the load", 600)
    cpu, wall = process_cpu(pid) - before, time.monotonic() - began
    assert runners(stack) == [pid], "the same runner all the while"
    stack.wait_state(TABLE)
    return cpu, process_peak_mib(pid), wall


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))      # so that servers are stopped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    folder.chmod(0o755)
    os.environ.setdefault("SLUICE_WORKER", str(BUILD / "sluice-worker"))    # the build that ships, without crash points
    ours, peers, peaks = [], [], []
    try:
        with Cluster(folder / "backing", preload=False) as backing, Simulator(backing) as simulator, Cluster(folder / "sluice") as cluster:
            for name, value in QUICK_SIMULATOR.items():
                simulator.exec_sql(f"EXEC sluice_sim.set_option '{name}', {value}")
            stack = Stack(cluster, simulator, folder, "bench")
            stack.set("runners", 1)
            stack.set("poll_interval_ms", 500)
            fill(stack, ROWS)
            stack.register()
            stack.start()
            print(f"{ROWS} rows of {len(COLUMNS)} columns\n run   sluice CPU s    rows/CPU s   loop CPU s    rows/CPU s   ratio   peak MiB   wall s")
            for run in range(RUNS):
                rows, loop_cpu = loop(stack)
                cpu, peak, wall = load(stack)
                assert rows == ROWS
                ours.append(ROWS / cpu)
                peers.append(ROWS / loop_cpu)
                peaks.append(peak)
                print(f"{run + 1:4} {cpu:14.2f} {ours[-1]:13.0f} {loop_cpu:12.2f} {peers[-1]:13.0f} {ours[-1] / peers[-1]:7.2f} {peak:10.1f} {wall:8.1f}", flush=True)
            stack.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"BENCH tds_jsonl {statistics.median(ours):.0f} rows/s")
    print(f"RATIO tds_jsonl bare_dblib {statistics.median(o / p for o, p in zip(ours, peers)):.3f}")
    print(f"BENCH tds_jsonl_rss {statistics.median(peaks):.1f} MiB")


if __name__ == "__main__":
    main()
