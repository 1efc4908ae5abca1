"""Parquet is read back equal by pyarrow and DuckDB, its footer and page index say the truth, and filters skip row groups. Prints TAP lines."""
import dataclasses
import decimal
import math
import struct

import duckdb
import parquet_index
import property
import property_text
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet
import rowcases
import rowfile
from property import EPOCH, INCARNATION

MANY = 10 if property.ALL else 1
CODECS = ("zstd", "snappy", "gzip", "none")
WIDE = decimal.Context(prec=80)
ADDED = ("_sluice_op", "_sluice_seq", "_sluice_commit_ts", "_sluice_epoch", "_sluice_unchanged", "_sluice_hash")
UNIT = {"s": 10_000_000, "ms": 10_000, "us": 10}


def land(seed, folder, case=None, compression=None, **options):
    rng, fields, rows = case or rowcases.random_case(seed, rows=3000 if seed % 2 else None)
    path = folder / "out.parquet"
    spec = {"format": "parquet", "compression": compression or CODECS[seed % len(CODECS)], "profile": "sluice", "epoch": EPOCH,
            "incarnation": INCARNATION, "options": options}
    landed = rowfile.land(path, spec, fields, list(property.with_images(rows)) if seed % 4 == 0 else rows, property.driver(seed), **property.sizes(rng))
    assert landed.bytes == path.stat().st_size
    return path, fields, rows


# ---- how types land: exact, or as text ---------------------------------------------
def is_text(field):
    return field.type in ("time", "uuid", "timestamptz") or (field.type == "timestamp" and field.precision == 7)


def arrow_type(field):
    return {"boolean": pa.bool_(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(), "uint64": pa.decimal128(20, 0), "float32": pa.float32(),
            "float64": pa.float64(), "date": pa.date32(), "timestamp": pa.timestamp("us"), "string": pa.string(), "binary": pa.binary(),
            }[field.type] if not is_text(field) and field.type != "decimal" else pa.string() if is_text(field) else pa.decimal128(field.precision, field.scale)


def from_reader(field, found):
    """What Arrow or DuckDB gives, as rowfile.py says it."""
    if found is None:
        return None
    if is_text(field):
        return property_text.decode(field, found)
    if isinstance(found, decimal.Decimal):
        return int(WIDE.scaleb(found, field.scale if field.type == "decimal" else 0))
    return found.encode() if isinstance(found, str) else found


def raw(field, column):
    """A column of an Arrow table as plain values; days and microseconds stay numbers, since Python's dates hold less."""
    column = column.combine_chunks()
    if field.type == "date":
        return [v if v is None else v for v in column.cast(pa.int32()).to_pylist()]
    if field.type == "timestamp" and not is_text(field):
        return [v if v is None else v * 10 for v in column.cast(pa.int64()).to_pylist()]
    return [from_reader(field, v) for v in column.to_pylist()]


def physical(field, value):
    """A value as the file's bounds sort it; None for NULL and for what is not logged."""
    if value is None or value is rowfile.UNCHANGED:
        return None
    if field.type == "timestamp" and not is_text(field):
        return value // 10
    return value


# ---- the promises ---------------------------------------------------------------
def pyarrow_reads(seed, folder):
    path, fields, rows = land(seed, folder, row_group_bytes=16384 << seed % 4)
    made = pyarrow.parquet.read_table(path, use_threads=False)
    names = [f.name for f in fields] + list(ADDED)
    if made.column_names != names or made.num_rows != len(rows):
        return [f"{made.num_rows} rows of {made.column_names}, wanted {len(rows)} of {names}"]
    problems = [f"{f}: type {made.schema.field(f.name).type}" for f in fields if made.schema.field(f.name).type != arrow_type(f)]
    for i, field in enumerate(fields):
        problems += property.differences(field, raw(field, made.column(field.name)), [r.values[i] for r in rows], "pyarrow")
    told = zip(*[made.column(n).to_pylist() for n in ADDED[:2]], made.column(ADDED[2]).cast(pa.int64()).to_pylist(), made.column(ADDED[3]).to_pylist(),
               map(property.unchanged, made.column(ADDED[4]).to_pylist()))
    problems += [f"added columns: found {t}, wanted {property.added(fields, r)}" for t, r in zip(told, rows) if t != property.added(fields, r)]
    return problems


def duck_columns(fields):
    """Expressions that Python takes without loss: days and microseconds as numbers."""
    for field in fields:
        name = '"' + field.name.replace('"', '""') + '"'
        yield (f"{name} - DATE '1970-01-01'" if field.type == "date" else
               f"epoch_us({name}) * 10" if field.type == "timestamp" and not is_text(field) else name)


def duckdb_reads(seed, folder):
    path, fields, rows = land(seed, folder, row_group_bytes=16384 << seed % 4)
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        table = db.execute(f"SELECT {', '.join(duck_columns(fields))} FROM read_parquet($1)", [str(path)]).fetchall()
    return [p for i, f in enumerate(fields) for p in property.differences(f, [from_reader(f, r[i]) for r in table], [r.values[i] for r in rows], "DuckDB")]


def index_problems(path, fields, rows):
    """The text forms are left to the readers."""
    problems, first = [], 0
    for group in parquet_index.read(path).groups:
        here = rows[first:first + group.rows]
        first += group.rows
        for i, field in enumerate(fields):
            if not is_text(field):
                problems += parquet_index.chunk_problems(group.chunks[i], [physical(field, r.values[i]) for r in here])
    return problems + ([] if first == len(rows) else [f"{first} rows in row groups, wanted {len(rows)}"])


def indexes_true(seed, folder):
    return index_problems(*land(seed, folder, row_group_bytes=16384 << seed % 4))


def extreme_case(seed):
    """Every type at its limits, half of the rows NULL in one column, all of them in another."""
    rng = rowcases.random.Random(seed)
    fields = [rowfile.Field(f"{kind}{n}", kind, precision=38 if kind == "decimal" else 6, scale=9 if kind == "decimal" else 0)
              for kind in rowcases.TYPES for n in range(3)]
    rows = []
    for n in range(2000):
        values = [None if f.name[-1] == "2" or f.name[-1] == "1" and rng.random() < 0.5 else rowcases.value(rng, f, "extreme", n) for f in fields]
        rows.append(rowfile.Row("I", values))
    return rng, fields, rows


def extremes(seed, folder):
    path, fields, rows = land(seed, folder, extreme_case(seed), row_group_bytes=100_000)
    made = pyarrow.parquet.read_table(path, use_threads=False)
    return index_problems(path, fields, rows) + [p for i, f in enumerate(fields) for p in property.differences(f, raw(f, made.column(f.name)), [r.values[i] for r in rows], "pyarrow")]


def floats(seed, folder):
    """NaN in no bound, zeros with their signs, chunks of NaN alone."""
    nan, inf = math.nan, math.inf
    sets = [[nan], [0.0], [-0.0], [nan, 1.5, None], [inf, -inf], [0.0, -0.0], [nan, 0.0, 5.0], [-5.0, -0.0, nan]]
    fields = [rowfile.Field(f"{kind}_{n}", kind) for n in range(len(sets)) for kind in ("float32", "float64")]
    rows = [rowfile.Row("R", [sets[i // 2][n % len(sets[i // 2])] for i in range(len(fields))]) for n in range(600)]
    path, fields, rows = land(seed, folder, (rowcases.random.Random(seed), fields, rows))
    made = pyarrow.parquet.read_table(path)
    return index_problems(path, fields, rows) + [p for i, f in enumerate(fields) for p in property.differences(f, raw(f, made.column(f.name)), [r.values[i] for r in rows], "pyarrow")]


def huge_text(seed, folder):
    rng = rowcases.random.Random(seed)
    fields = [rowfile.Field("id", "int32", nullable=False), rowfile.Field("text", "string"), rowfile.Field("bytes", "binary")]
    texts = [b"", "é𝄞\"\\\n,".encode() * 120_000, b"x" * (1 << 20), None, b'"' * (1 << 20), "\U0010ffff".encode() * 200_000]
    rows = [rowfile.Row("I", [n, texts[n % 6], rng.randbytes(1 << 20) if n % 3 == 0 else b"\xff" * 1000]) for n in range(24)]
    path, fields, rows = land(seed, folder, (rng, fields, rows), "zstd", row_group_bytes=4 << 20)
    made = pyarrow.parquet.read_table(path)
    return index_problems(path, fields, rows) + [p for i, f in enumerate(fields) for p in property.differences(f, raw(f, made.column(i)), [r.values[i] for r in rows], "pyarrow")]


def refusals(seed, folder):
    fields = [rowfile.Field("id", "int32", nullable=False), rowfile.Field("note", "string")]
    problems = []
    for bad in (b"ab\xed\xa0\x80", b"ab\xed\xbf\xbfc", b"ab\xff", b"ab\xc0\x80", b"ab\xf4\x90\x80\x80"):
        try:
            land(seed, folder, (rowcases.random.Random(1), fields, [rowfile.Row("I", [1, bad])]))
            problems.append(f"{bad} was taken")
        except rowfile.Refused as no:
            if no.kind != "permanent" or "note" not in no.message:
                problems.append(f"{bad}: {no}")
    return problems


def micros(seed, folder):
    """timestamp_precision micros: timestamps as Parquet's own, an instant for what has an offset; a seventh digit is refused, never rounded."""
    rng = rowcases.random.Random(seed)
    fields = [rowfile.Field(f"{kind}{p}", kind, precision=p) for kind in ("timestamp", "timestamptz") for p in (0, 3, 6, 7)]
    rows = [rowfile.Row("R", [rowcases.value(rng, dataclasses.replace(f, precision=min(6, f.precision)), ("extreme", "random")[n % 2], n) for f in fields])
            for n in range(500)]
    path, fields, rows = land(seed, folder, (rng, fields, rows), timestamp_precision="micros")
    made = pyarrow.parquet.read_table(path)
    problems = []
    for i, field in enumerate(fields):
        wanted = [r.values[i][0] if field.type == "timestamptz" else r.values[i] for r in rows]
        kind = {"timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC")}[field.type]
        if made.schema.field(field.name).type != kind:
            problems.append(f"{field.name}: type {made.schema.field(field.name).type}")
        problems += property.differences(field, [v * 10 for v in made.column(i).cast(pa.int64()).to_pylist()], wanted, "pyarrow")
    for index in (3, 7):
        one = [v + 1 if n == index and index < 7 else (v[0] + 1, v[1]) if n == index else v for n, v in enumerate(rows[1].values)]
        try:
            land(seed, folder, (rng, fields, [rowfile.Row("R", one)]), timestamp_precision="micros")
            problems.append(f"{fields[index].name}: a seventh digit was taken")
        except rowfile.Refused as no:
            if no.kind != "permanent" or fields[index].name not in no.message:
                problems.append(str(no))
    return problems


def wide(seed, folder):
    """1000 columns, nearly as many NULLs as values."""
    rng = rowcases.random.Random(seed)
    fields = [rowfile.Field(f"c{n}", ("int32", "string", "decimal", "float64")[n % 4], precision=20, scale=3) for n in range(1000)]
    rows = [rowfile.Row("I", [None if rng.random() < 0.5 else rowcases.value(rng, f, "few", n) for f in fields]) for n in range(60)]
    path, fields, rows = land(seed, folder, (rng, fields, rows), row_group_bytes=1 << 20)
    made = pyarrow.parquet.read_table(path, use_threads=False)
    return [p for i, f in enumerate(fields) for p in property.differences(f, raw(f, made.column(i)), [r.values[i] for r in rows], "pyarrow")]


# ---- pruning ------------------------------------------------------------------------
def pruning_case(seed, count=60_000):
    rng = rowcases.random.Random(seed)
    fields = [rowfile.Field("id", "int64", nullable=False), rowfile.Field("price", "decimal", precision=38, scale=2), rowfile.Field("day", "date"),
              rowfile.Field("made", "timestamp", precision=6), rowfile.Field("code", "string"), rowfile.Field("key", "string"), rowfile.Field("ratio", "float64")]
    rows = []
    for n in range(count):
        key = struct.pack(">Q", n * 0x9E3779B97F4A7C15 & (1 << 64) - 1).hex().encode()
        rows.append(rowfile.Row("R", [n, (n - count // 2) * 10 ** 20, n // 100, (n - count // 2) * 10 ** 9 * 60, f"{n:08}".encode(), key,
                                      math.nan if n % 7 == 0 else n / 8]))
    return rng, fields, rows


CUT = 0.873     # filters ask for what lies behind this part of the rows


def filters(rows):
    """(column, SQL literal, Arrow scalar) of a value near the end."""
    values = rows[int(len(rows) * CUT)].values
    price = WIDE.scaleb(decimal.Decimal(values[1]), -2)
    return [("id", str(values[0]), pa.scalar(values[0])), ("price", str(price), pa.scalar(price, pa.decimal128(38, 2))),
            ("day", f"DATE '1970-01-01' + {values[2]}", pa.scalar(values[2], pa.int32()).cast(pa.date32())),
            ("made", f"make_timestamp({values[3] // 10})", pa.scalar(values[3] // 10, pa.timestamp("us"))),
            ("code", f"'{values[4].decode()}'", pa.scalar(values[4].decode()))]


def groups_after(path, column, rows):
    """Row groups that hold a row from the cut on."""
    first, held = 0, 0
    for group in parquet_index.read(path).groups:
        first += group.rows
        held += first > int(len(rows) * CUT)
    return held


def duckdb_skips(seed, folder):
    path, fields, rows = land(seed, folder, pruning_case(seed), row_group_bytes=131072)
    problems = []
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        for column, literal, _ in filters(rows):
            query = f"FROM read_parquet('{path}') WHERE {column} >= {literal}"
            ids = [r[0] for r in db.execute(f"SELECT id {query}").fetchall()]
            at = [f.name for f in fields].index(column)
            wanted = [r.values[0] for r in rows if r.values[at] >= rows[int(len(rows) * CUT)].values[at]]
            if ids != wanted:
                problems.append(f"{column}: {len(ids)} rows, wanted {len(wanted)}")
            problems += scanned(db, query, column, groups_after(path, column, rows))
    return problems


def profile(db, query):
    """(row groups read, row groups there) of a query, as DuckDB's profiler counts them."""
    import json
    plan = json.loads(db.execute(f"EXPLAIN (ANALYZE, FORMAT json) SELECT sum(id), max(key) {query}").fetchall()[0][1])
    return plan["query"]["total_row_groups_scanned"], plan["query"]["total_row_groups_to_scan"]


def scanned(db, query, column, wanted):
    read, there = profile(db, query)
    return [] if read <= wanted < there else [f"{column}: {read} of {there} row groups read, wanted {wanted}"]


def pyarrow_skips(seed, folder):
    path, fields, rows = land(seed, folder, pruning_case(seed), row_group_bytes=131072)
    [fragment] = pyarrow.dataset.dataset(path).get_fragments()
    problems = []
    for column, _, scalar in filters(rows):
        chosen = fragment.split_by_row_group(pc.field(column) >= scalar)
        wanted = groups_after(path, column, rows)
        if len(chosen) != wanted or wanted >= fragment.num_row_groups:
            problems.append(f"{column}: {len(chosen)} of {fragment.num_row_groups} row groups chosen, wanted {wanted}")
    return problems


def bloom(seed, folder):
    """A value that is there is never excluded; one that is not mostly is, in every row group."""
    path, fields, rows = land(seed, folder, pruning_case(seed, 20_000), row_group_bytes=131072, bloom_columns=["key", "id", "day"])
    problems = []
    with duckdb.connect() as db:
        for column, there, absent in (("key", [f"'{rows[i].values[5].decode()}'" for i in range(0, 20_000, 997)], [f"'{n:016x}'" for n in range(40)]),
                                      ("id", [f"{i}::BIGINT" for i in range(0, 20_000, 997)], [f"{10 ** 9 + n}::BIGINT" for n in range(40)])):
            probe = "SELECT bloom_filter_excludes FROM parquet_bloom_probe($path, $column, {})"
            kept = [db.execute(probe.format(v), {"path": str(path), "column": column}).fetchall() for v in there]
            if any(all(excluded for [excluded] in groups) for groups in kept):
                problems.append(f"{column}: a value that is there is excluded")
            tries = [excluded for v in absent for [excluded] in db.execute(probe.format(v), {"path": str(path), "column": column}).fetchall()]
            if sum(tries) < 0.9 * len(tries):
                problems.append(f"{column}: {sum(tries)} of {len(tries)} absent values excluded")
        read, groups = profile(db, f"FROM read_parquet('{path}') WHERE key = '{rows[777].values[5].decode()}'")
        if read * 2 > groups:
            problems.append(f"a point look-up reads {read} of {groups} row groups")
    return problems


def empty(seed, folder):
    path, fields, rows = land(seed, folder, (rowcases.random.Random(seed), [rowfile.Field(f"c_{k}", k, precision=5) for k in rowcases.TYPES], []))
    made = pyarrow.parquet.read_table(path)
    with duckdb.connect() as db:
        duck = db.execute("SELECT count(*) FROM read_parquet($1)", [str(path)]).fetchall()
    return [] if made.num_rows == 0 and duck == [(0,)] and made.num_columns == len(fields) + len(ADDED) else [f"{made.num_rows} rows, {made.schema}"]


if __name__ == "__main__":
    property.run({
        "parquet: every value of every type comes back equal by pyarrow": (pyarrow_reads, range(1, 1 + 24 * MANY)),
        "parquet: every value of every type comes back equal by DuckDB": (duckdb_reads, range(101, 101 + 12 * MANY)),
        "parquet: statistics and page index hold what the pages hold": (indexes_true, range(201, 201 + 12 * MANY)),
        "parquet: extreme values of every type come back equal, within true bounds": (extremes, range(1, 1 + 4 * MANY)),
        "parquet: NaN is in no bound and zeros keep their signs": (floats, range(1, 2)),
        "parquet: values of 1 MB come back equal, their bounds are short": (huge_text, range(1, 2)),
        "parquet: in microseconds timestamps are Parquet's own, finer ones are refused": (micros, range(1, 2)),
        "parquet: a table of 1000 columns comes back equal": (wide, range(1, 2)),
        "parquet: text that UTF-8 cannot hold is refused by column": (refusals, range(1, 2)),
        "parquet: a file without rows is read by its schema": (empty, range(1, 2)),
        "parquet: DuckDB skips row groups by statistics of every ordered type": (duckdb_skips, range(1, 2)),
        "parquet: pyarrow skips row groups by statistics of every ordered type": (pyarrow_skips, range(1, 2)),
        "parquet: bloom filters keep what is there and exclude what is not": (bloom, range(1, 2)),
    })
