"""Rows in a neutral binary form, and tests/unit/format_driver.c, which writes them in one of the worker's formats.

    fields = [Field("id", "int64", nullable=False), Field("price", "decimal", precision=18, scale=2)]
    rows = [Row("I", [1, 1250]), Row("D", [1, None])]
    result = land("out.parquet", {"format": "parquet", "compression": "zstd"}, fields, rows)     # Refused where the format says no

A value is what the file must say, without any library's idea of it:
boolean: bool; int*, uint64: int; float32, float64: float; decimal: the unscaled int; date: days since 1970-01-01; time: 100 ns units since
midnight; timestamp: 100 ns units since 1970-01-01; timestamptz: (100 ns units since 1970-01-01 UTC, offset in minutes); string: bytes,
UTF-8 or WTF-8; binary: bytes; uuid: 16 bytes; None: NULL; UNCHANGED: not logged by the source (large fields only).
"""
import dataclasses
import json
import os
import struct
import subprocess
import tempfile

from cluster import BUILD

BATCH_ROWS_MAX = 1024
BATCH_BYTES = 256 * 1024
PACK = {"boolean": "?", "int16": "h", "int32": "i", "int64": "q", "uint64": "Q", "float32": "f", "float64": "d", "date": "i", "time": "q",
        "timestamp": "q"}
WIDTH = {**{name: struct.calcsize(code) for name, code in PACK.items()}, "decimal": 16, "timestamptz": 16, "uuid": 16, "string": 0, "binary": 0}


class Unchanged:
    def __repr__(self):
        return "UNCHANGED"


UNCHANGED = Unchanged()


class Refused(Exception):
    """The format said no: .kind, .message, .hint."""

    def __init__(self, text):
        first, _, self.hint = text.partition("\n")
        self.kind, _, self.message = first.partition(": ")
        super().__init__(text)


@dataclasses.dataclass
class Field:
    name: str
    type: str
    precision: int = 0
    scale: int = 0
    nullable: bool = True
    large: bool = False
    utc: bool = False       # timestamptz: the offset is always 0
    key_ordinal: int = 0
    source_type: str = ""


@dataclasses.dataclass
class Row:
    op: str
    values: list
    commit_us: int = 1_700_000_000_000_000
    position: bytes = b"\0" * 10


@dataclasses.dataclass
class Landed:
    rows: int       # given, before images too
    bytes: int
    estimate: int   # format_size before the end


def pack(field, values):
    """The fixed values of one column; a NULL is zeros."""
    if field.type in PACK:
        return struct.pack(f"<{len(values)}{PACK[field.type]}", *[v if isinstance(v, (int, float)) else 0 for v in values])
    if field.type == "decimal":
        return b"".join((v if isinstance(v, int) else 0).to_bytes(16, "little", signed=True) for v in values)
    if field.type == "timestamptz":
        return b"".join(struct.pack("<qh6x", *(v if isinstance(v, tuple) else (0, 0))) for v in values)
    return b"".join(v if isinstance(v, bytes) else b"\0" * 16 for v in values)


def pack_bytes(values):
    parts = [v if isinstance(v, bytes) else b"" for v in values]
    offsets = [0]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{len(offsets)}I", *offsets) + b"".join(parts)


def batches(rows, sizes):
    """Rows as lists of at most `sizes()` rows, ending too where the bytes of a batch are reached, as the sources do it."""
    most = BATCH_ROWS_MAX - any(row.op == "B" for row in rows)      # a before image stays with its update
    batch, left, held = [], min(sizes(), most), 0
    for row in rows:
        batch.append(row)
        held += sum(len(v) for v in row.values if isinstance(v, bytes))
        left -= 1
        if (left <= 0 or held >= BATCH_BYTES) and row.op != "B":
            yield batch
            batch, left, held = [], min(sizes(), most), 0
    if batch:
        yield batch


def write(path, spec, fields, rows, sizes=lambda: BATCH_ROWS_MAX, step=lambda count: count):
    """sizes(): rows of the next batch; step(count): how many of its rows a format_write gets."""
    position_length = len(rows[0].position) if rows else 0
    head = json.dumps({"spec": spec, "position_length": position_length, "fields": [dataclasses.asdict(f) for f in fields]}).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<I", len(head)) + head)
        for batch in batches(rows, sizes):
            images = any(row.op == "B" for row in batch)
            out.write(struct.pack("<II", len(batch), len(batch) if images else step(len(batch))))
            out.write("".join(row.op for row in batch).encode())
            out.write(struct.pack(f"<{len(batch)}q", *[row.commit_us for row in batch]))
            out.write(b"".join(row.position for row in batch))
            for index, field in enumerate(fields):
                values = [row.values[index] for row in batch]
                out.write(bytes(v is not None and v is not UNCHANGED for v in values))
                if field.large:
                    out.write(bytes(v is UNCHANGED for v in values))
                out.write(pack(field, values) if WIDTH[field.type] else pack_bytes(values))
        out.write(struct.pack("<I", 0))


def land(path, spec, fields, rows, program=None, timeout_s=120, **how):
    """Writes the file `path` through the driver (the plain build unless `program` names another)."""
    program = program or BUILD / "unit" / "format_driver"
    with tempfile.NamedTemporaryFile(suffix=".rows") as rowfile:
        write(rowfile.name, spec, fields, rows, **how)
        result = subprocess.run([program, rowfile.name, path], capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL,
                                env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"})
    text = result.stderr.decode(errors="replace")
    if result.returncode == 1 and text.split(":")[0] in ("permanent", "transient", "internal"):
        raise Refused(text)
    if result.returncode:
        raise RuntimeError(f"format_driver ended with {result.returncode}: {text[-3000:]}")
    return Landed(*map(int, result.stdout.split()))
