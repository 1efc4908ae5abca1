"""The rows of tests/bench/format_loop.c as an Arrow table, made by the same arithmetic in another language, and the writers compared."""
import decimal
import os
import pathlib
import subprocess
import time

import pyarrow as pa
import pyarrow.compute as pc

from cluster import BUILD

ROWS = int(os.environ.get("SLUICE_BENCH_FORMAT_ROWS", "5000000"))
RUNS = int(os.environ.get("SLUICE_BENCH_RUNS", "3"))
STEP = 250_000
COMMIT_US = 1_760_000_000_000_000


def u64(value):
    return pa.scalar(value, pa.uint64())


def xor_shift(n, bits):
    return pc.bit_wise_xor(n, pc.shift_right(n, u64(bits)))


def mix(n):
    """splitmix64; Arrow's unchecked arithmetic wraps as C's does."""
    n = pc.add(n, u64(0x9E3779B97F4A7C15))
    n = pc.multiply(xor_shift(n, 30), u64(0xBF58476D1CE4E5B9))
    return xor_shift(pc.multiply(xor_shift(n, 27), u64(0x94D049BB133111EB)), 31)


def modulo(n, divisor):
    return pc.subtract(n, pc.multiply(pc.divide(n, u64(divisor)), u64(divisor)))


def draws(first, count):
    row = pa.array(range(first, first + count), pa.uint64())
    return row, lambda column: mix(pc.add(pc.multiply(row, u64(16)), u64(column)))


def batch(first, count):
    row, draw = draws(first, count)
    names = {"customer": pa.array([f"customer {n:05}" for n in range(50000)]), "city": pa.array([f"city of the north {n:03}" for n in range(300)]),
             "hex": pa.array([f"{n:03x}" for n in range(4096)])}
    token = draw(8)
    parts = [names["hex"].take(pc.bit_wise_and(pc.shift_right(token, u64(shift)), u64(0xFFF))) for shift in (36, 24, 12, 0)]
    cents = modulo(draw(2), 10_000_000).cast(pa.int64()).cast(pa.decimal128(19, 0))
    paid = draw(9)
    return pa.table({
        "id": row.cast(pa.int64()),
        "quantity": modulo(draw(1), 100000).cast(pa.int32()),
        "price": pc.multiply(cents, pa.scalar(decimal.Decimal("0.01"), pa.decimal128(3, 2))).cast(pa.decimal128(18, 2)),
        "weight": pc.divide(modulo(draw(3), 1_000_000).cast(pa.float64()), 128.0),
        "made": pc.add(pc.add(pc.multiply(row, u64(1000)), modulo(draw(4), 1000)), u64(COMMIT_US)).cast(pa.int64()).cast(pa.timestamp("us")),
        "day": pc.add(pc.divide(row, u64(20000)), u64(20000)).cast(pa.int32()).cast(pa.date32()),
        "customer": names["customer"].take(modulo(draw(6), 50000)),
        "city": names["city"].take(modulo(draw(7), 300)),
        "token": pc.binary_join_element_wise(*parts, ""),
        "paid": pc.if_else(pc.equal(modulo(paid, 10), u64(0)), None, pc.equal(pc.bit_wise_and(paid, u64(1)), u64(1))),
    })


def table(rows=ROWS):
    return pa.concat_tables([batch(first, min(STEP, rows - first)) for first in range(0, rows, STEP)]).combine_chunks()


def with_added(made):
    """The columns that profile sluice adds, as format_loop's rows have them."""
    count = made.num_rows
    added = {"_sluice_op": pa.array(["R"] * count), "_sluice_seq": pa.array([f"000000010001{n:016x}" for n in range(count)]),
             "_sluice_commit_ts": pa.array([COMMIT_US], pa.timestamp("us", "UTC")).take(pa.array([0] * count, pa.int8())),
             "_sluice_epoch": pa.array([1], pa.int64()).take(pa.array([0] * count, pa.int8())), "_sluice_unchanged": pa.nulls(count, pa.string()),
             "_sluice_hash": pa.nulls(count, pa.int64())}
    for name, values in added.items():
        made = made.append_column(name, values)
    return made


def ours(path, format, compression, profile="sluice", options="{}", rows=ROWS):
    """(bytes, CPU seconds, peak MiB) of format_loop."""
    result = subprocess.run([BUILD / "bench" / "format_loop", str(rows), format, compression, profile, path, options], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr)
    size, cpu, rss = result.stdout.split()
    return int(size), float(cpu), int(rss) / 1024


def peer(path, write):
    """(bytes, CPU seconds of this process) of write(path)."""
    began = time.process_time()
    write(str(path))
    return pathlib.Path(path).stat().st_size, time.process_time() - began
