"""JSON lines are read back equal by Python's json and by DuckDB, over random schemas and extreme values. Prints TAP lines."""
import decimal
import gzip
import json

import duckdb
import property
import property_text
import rowcases
import rowfile
import zstandard
from property import EPOCH, INCARNATION

MANY = 10 if property.ALL else 1
SPECIAL = ("NaN", "Infinity", "-Infinity")
OPEN = {"none": open, "gzip": gzip.open, "zstd": zstandard.open}
DUCK = {"boolean": "BOOLEAN", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT", "uint64": "UBIGINT", "float64": "DOUBLE", "date": "VARCHAR",
        "time": "VARCHAR", "timestamp": "VARCHAR", "timestamptz": "VARCHAR", "string": "VARCHAR", "binary": "VARCHAR", "uuid": "UUID"}


class Number(str):
    """A JSON number as it was written."""


def land(seed, folder, compression, case=None):
    rng, fields, rows = case or rowcases.random_case(seed)
    path = folder / "out.jsonl"
    spec = {"format": "jsonl", "compression": compression, "profile": "sluice", "epoch": EPOCH, "incarnation": INCARNATION}
    landed = rowfile.land(path, spec, fields, list(property.with_images(rows)) if seed % 4 == 0 else rows, property.driver(seed), **property.sizes(rng))
    assert landed.bytes == path.stat().st_size
    return path, fields, rows


def decode(field, found):
    """A value of json.loads; numbers come as their text, a number where there must be a text differs."""
    if found is None or isinstance(found, bool):
        return found
    number = field.type in ("int16", "int32", "int64", "uint64", "decimal") or field.type.startswith("float") and found not in SPECIAL
    return property_text.decode(field, found) if number == isinstance(found, Number) else found


def compare(fields, rows, objects):
    problems = [p for i, f in enumerate(fields) for p in property.differences(f, [decode(f, o[f.name]) for o in objects], [r.values[i] for r in rows], "json")]
    names = [f.name for f in fields]
    for row, found in zip(rows, objects):
        commit = found["_sluice_commit_ts"]
        told = (found["_sluice_op"], found["_sluice_seq"], None if commit is None else property_text.stamp(commit.removesuffix("Z")) // 10, int(found["_sluice_epoch"]),
                property.unchanged(found["_sluice_unchanged"]))
        if told != property.added(fields, row) or list(found)[:len(names)] != names:
            problems.append(f"added columns: found {told}, wanted {property.added(fields, row)}")
    return problems


# ---- the promises ---------------------------------------------------------------
def every_value(seed, folder):
    compression = ("none", "gzip", "zstd")[seed % 3]
    path, fields, rows = land(seed, folder, compression)
    with OPEN[compression](path, "rb") as file:
        lines = file.read().split(b"\n")
    assert lines.pop() == b"", "the last line ends"
    return compare(fields, rows, [json.loads(line, parse_int=Number, parse_float=Number) for line in lines])


def huge_text(seed, folder):
    """1 MB values, and lone surrogates as \\ud800 in valid UTF-8."""
    rng = rowcases.random.Random(seed)
    fields = [rowfile.Field("id", "int32", nullable=False), rowfile.Field("text", "string"), rowfile.Field("bytes", "binary")]
    texts = [b"", b"\xed\xa0\x80", b"a\xed\xbf\xbfz", "é𝄞\"\\\n".encode() * 120_000, b"x" * (1 << 20), None, b"\xed\xb0\x80-\xed\xa0\x80\xed\xa0\x80-" * 120_000]
    rows = [rowfile.Row("I", [n, t, rng.randbytes(1 << 20) if n % 3 == 0 else b""]) for n, t in enumerate(texts)]
    path, fields, rows = land(seed, folder, "none", (rng, fields, rows))
    found = [json.loads(line, parse_int=Number, parse_float=Number) for line in path.read_bytes().decode().splitlines() if line]
    return compare(fields, rows, found)


def duck_type(field):
    return f"DECIMAL({field.precision},{field.scale})" if field.type == "decimal" else DUCK[field.type]


def duck_value(field, found):
    """What DuckDB gives for a column declared as duck_type."""
    if found is None or field.type in ("boolean", "int16", "int32", "int64", "uint64", "float64"):
        return found
    if field.type == "decimal":
        return int(decimal.Context(prec=60).scaleb(found, field.scale))
    if field.type == "uuid":
        return found.bytes
    return decode(field, found)


def duckdb_reads(seed, folder):
    """Decimals above 15 digits are left out: DuckDB reads JSON numbers as doubles."""
    rng, fields, rows = rowcases.random_case(seed, columns=16)
    keep = [i for i, f in enumerate(fields) if f.type != "float32" and (f.type != "decimal" or f.precision <= 15)]
    fields, rows = [fields[i] for i in keep], [rowfile.Row(r.op, [r.values[i] for i in keep], r.commit_us, r.position) for r in rows]
    path, fields, rows = land(seed, folder, "zstd", (rng, fields, rows))
    path = path.rename(folder / "out.jsonl.zst")
    columns = {f.name: duck_type(f) for f in fields}
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        table = db.execute("SELECT * FROM read_json($1, columns = $2, format = 'newline_delimited')", [str(path), columns]).fetchall()
    return [p for i, f in enumerate(fields) for p in property.differences(f, [duck_value(f, r[i]) for r in table], [r.values[i] for r in rows], "DuckDB")]


if __name__ == "__main__":
    property.run({
        "jsonl: every value of every type comes back equal by Python's json": (every_value, range(1, 1 + 20 * MANY)),
        "jsonl: values of 1 MB and lone surrogates come back equal": (huge_text, range(1, 2)),
        "jsonl: DuckDB's read_json gives the same values": (duckdb_reads, range(1, 1 + 4 * MANY)),
    })
