"""Parquet, zstd level 1, one core, paired with pyarrow and DuckDB on the same rows of 10 columns, all with statistics.

Prints a table and `BENCH parquet_write <rows per CPU-second> rows/cpu_s`, `RATIO parquet_write <peer> <value>`, `RATIO parquet_write_bytes <peer>
<value>`. Peers: `pyarrow` (its defaults and the page index that ours always has), `pyarrow_delta` (the same with the delta encodings that
ours has), `duckdb`. The file is read back by pyarrow and compared with the rows. Ours is written as profile sluice writes it, 16 columns,
when SLUICE_BENCH_PROFILE=sluice; the peers write the same 16 then. Environment: SLUICE_BENCH_FORMAT_ROWS (5000000), SLUICE_BENCH_RUNS (3).
"""
import os
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))

import benchrows  # noqa: E402
import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as parquet  # noqa: E402
from benchrows import ROWS, RUNS  # noqa: E402

PROFILE = os.environ.get("SLUICE_BENCH_PROFILE", "dms")
DELTA = {"id": "DELTA_BINARY_PACKED", "quantity": "DELTA_BINARY_PACKED", "made": "DELTA_BINARY_PACKED", "day": "DELTA_BINARY_PACKED",
         "token": "DELTA_LENGTH_BYTE_ARRAY"}


def by_pyarrow(rows, path, **more):
    parquet.write_table(rows, path, compression="zstd", compression_level=1, write_page_index=True, **more)


def writers(rows, db):
    names = rows.column_names
    yield "pyarrow", lambda path: by_pyarrow(rows, path)
    yield "pyarrow_delta", lambda path: by_pyarrow(rows, path, use_dictionary=[n for n in names if n not in DELTA], column_encoding=DELTA)
    yield "duckdb", lambda path: db.execute(f"COPY rows TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")


def verify(path, rows):
    """Both in pieces, so that two tables of 600 MB are never in memory."""
    file = parquet.ParquetFile(path)
    first = 0
    for piece in file.iter_batches(100_000):
        wanted = rows.slice(first, piece.num_rows)
        assert pa.Table.from_batches([piece]).cast(wanted.schema).equals(wanted), f"rows from {first} on differ"
        first += piece.num_rows
    assert first == rows.num_rows, f"{first} rows"


def main():
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder, duckdb.connect() as db:
        db.execute("SET threads = 1")
        rows = benchrows.table() if PROFILE == "dms" else benchrows.with_added(benchrows.table())
        db.execute("CREATE TABLE rows AS SELECT * FROM rows")
        rates, peers, sizes = [], {}, {}
        print(f"{ROWS} rows of {rows.num_columns} columns\n {'writer':16} {'rows/CPU s':>12} {'bytes/row':>10} {'peak MiB':>9}")
        for run in range(RUNS):
            ours, cpu, rss = benchrows.ours(f"{folder}/ours", "parquet", "zstd", PROFILE)
            rates.append(ROWS / cpu)
            print(f" {'sluice':16} {rates[-1]:12.0f} {ours / ROWS:10.2f} {rss:9.1f}", flush=True)
            if run == 0:
                verify(f"{folder}/ours", rows)
            for name, write in writers(rows, db):
                sizes[name], cpu = benchrows.peer(f"{folder}/peer", write)
                peers.setdefault(name, []).append(ROWS / cpu)
                print(f" {name:16} {ROWS / cpu:12.0f} {sizes[name] / ROWS:10.2f}", flush=True)
    print(f"BENCH parquet_write {statistics.median(rates):.0f} rows/cpu_s")
    for name, found in peers.items():
        print(f"RATIO parquet_write {name} {statistics.median(o / p for o, p in zip(rates, found)):.2f}")
        print(f"RATIO parquet_write_bytes {name} {sizes[name] / ours:.3f}")


if __name__ == "__main__":
    main()
