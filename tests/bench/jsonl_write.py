"""JSON lines, profile sluice, one core, paired with DuckDB writing the same 16 columns (10 of the table, 6 added) of the same rows.

Prints a table and `BENCH jsonl_write <rows per CPU-second> rows/cpu_s`, `RATIO jsonl_write duckdb <value>`, `RATIO jsonl_write_bytes duckdb
<value>` for zstd, and the same as jsonl_write_none without compression. Environment: SLUICE_BENCH_FORMAT_ROWS (5000000), SLUICE_BENCH_RUNS (3).
"""
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))

import benchrows  # noqa: E402
import duckdb  # noqa: E402
from benchrows import ROWS, RUNS  # noqa: E402


def main():
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder, duckdb.connect() as db:
        db.execute("SET threads = 1")
        rows = benchrows.with_added(benchrows.table())
        db.execute("CREATE TABLE rows AS SELECT * FROM rows")
        del rows
        print(f"{ROWS} rows of 16 columns\n {'writer':16} {'rows/CPU s':>12} {'bytes/row':>10} {'peak MiB':>9}")
        for name, compression in (("jsonl_write", "zstd"), ("jsonl_write_none", "none")):
            rates, peers = [], []
            for _ in range(RUNS):
                size, cpu, rss = benchrows.ours(f"{folder}/ours", "jsonl", compression)
                word = "" if compression == "none" else ", COMPRESSION zstd"
                peer_size, peer_cpu = benchrows.peer(f"{folder}/peer", lambda path: db.execute(f"COPY rows TO '{path}' (FORMAT json{word})"))
                rates.append(ROWS / cpu)
                peers.append(ROWS / peer_cpu)
                print(f" sluice {compression:9} {rates[-1]:12.0f} {size / ROWS:10.1f} {rss:9.1f}\n DuckDB {compression:9} {peers[-1]:12.0f} {peer_size / ROWS:10.1f}",
                      flush=True)
            print(f"BENCH {name} {statistics.median(rates):.0f} rows/cpu_s")
            print(f"RATIO {name} duckdb {statistics.median(o / p for o, p in zip(rates, peers)):.2f}")
            print(f"RATIO {name}_bytes duckdb {peer_size / size:.3f}")


if __name__ == "__main__":
    main()
