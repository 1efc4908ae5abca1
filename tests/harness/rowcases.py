"""Random schemas and rows for the tests of file formats. One seed gives the same case everywhere; nothing here knows a format."""
import random
import struct

from rowfile import UNCHANGED, Field, Row

DAY = 864_000_000_000                                   # 100 ns units
DATE_MIN, DATE_MAX = -719_162, 2_932_896                # 0001-01-01, 9999-12-31
TYPES = ("boolean", "int16", "int32", "int64", "uint64", "float32", "float64", "decimal", "date", "time", "timestamp", "timestamptz", "string",
         "binary", "uuid")
BITS = {"int16": 15, "int32": 31, "int64": 63}
STYLES = ("random", "extreme", "few", "sorted", "constant")
TEXTS = ["", " ", "a", "ä€𝄞", 'say "no", he said', "back\\slash", "line\nbreak\r\n", "tab\tnul\0", "null", "NULL", "\\N", "0", "-", "=1+1", "'", ",", ";", "é" * 40,
         "p" * 100 + "a", "p" * 100 + "b", "\U0010ffff" * 30, "\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff", "z" * 5000]
FLOATS = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1.0, -1.5, 0.1, 1e300, -1e-300, 5e-324, 1.7976931348623157e308, 123456789.125]


def as_float32(value):
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def spread(rng, low, high):
    """Between low and high, small ones as likely as large ones."""
    width = rng.randint(1, max(1, (high - low).bit_length()))
    return min(high, max(low, rng.choice((low, high, 0, rng.randint(low, high))) + rng.randint(-(1 << width), 1 << width)))


def value_range(field):
    """(least, greatest, unit) of the types that are whole numbers in the end."""
    if field.type in BITS:
        return -(1 << BITS[field.type]), (1 << BITS[field.type]) - 1, 1
    if field.type == "uint64":
        return 0, (1 << 64) - 1, 1
    if field.type == "decimal":
        return 1 - 10 ** field.precision, 10 ** field.precision - 1, 1
    if field.type == "date":
        return DATE_MIN, DATE_MAX, 1
    unit = 10 ** (7 - field.precision)
    if field.type == "time":
        return 0, DAY - unit, unit
    return DATE_MIN * DAY, (DATE_MAX + 1) * DAY - unit, unit


def whole(rng, field, style, index):
    low, high, unit = value_range(field)
    if style == "extreme":
        value = rng.choice((low, high, 0, unit, -unit, low + unit, high - unit))
    elif style == "few":
        value = rng.randint(0, 9) * 97 * unit
    elif style == "sorted":
        value = (index * 3 + rng.randint(0, 2)) * unit
    else:
        value = spread(rng, low, high)
    value = min(high, max(low, value))
    return value - value % unit


def text(rng, style, index):
    if style == "extreme":
        return rng.choice(TEXTS)
    if style == "few":
        return f"city {rng.randint(0, 20)}"
    if style == "sorted":
        return f"{index:08}-{rng.randint(0, 9)}"
    return "".join(rng.choice("abcdefghij äöü€𝄞\"\n,") for _ in range(rng.randint(0, 30)))


def value(rng, field, style, index):
    kind = field.type
    if kind == "boolean":
        return rng.random() < 0.5
    if kind in ("float32", "float64"):
        made = rng.choice(FLOATS) if style == "extreme" else float(index) if style == "sorted" else rng.randint(0, 9) / 4 if style == "few" else \
            struct.unpack("<d", rng.randbytes(8))[0] if rng.random() < 0.3 else rng.gauss(0, 1e6)
        return as_float32(made) if kind == "float32" else made
    if kind == "string":
        return text(rng, style, index).encode()
    if kind == "binary":
        return rng.choice((b"", b"\0", b"\xff" * 80, b"\xff" * 10 + b"\0")) if style == "extreme" else rng.randbytes(rng.randint(0, 40))
    if kind == "uuid":
        return rng.choice((b"\0" * 16, b"\xff" * 16)) if style == "extreme" else rng.randbytes(16)
    if kind == "timestamptz":
        offset = rng.choice((0, 120, -300, 840, -840, 345))
        low, high, unit = value_range(field)
        utc = min(high - 840 * 600_000_000, max(low + 840 * 600_000_000, whole(rng, field, style, index)))
        return utc - utc % unit, offset
    return whole(rng, field, style, index)


def random_field(rng, index):
    kind = TYPES[index] if index < len(TYPES) else rng.choice(TYPES)
    field = Field(f"c{index}_{kind}" if rng.random() < 0.9 else f"Spalte {index} ä,\"x\"", kind, nullable=rng.random() < 0.8)
    if kind == "decimal":
        field.precision = rng.choice((1, 9, 10, 18, 19, 38, 38, rng.randint(1, 38)))
        field.scale = rng.randint(0, field.precision)
    elif kind in ("time", "timestamp", "timestamptz"):
        field.precision = rng.choice((7, 6, 3, 0, rng.randint(0, 7)))
    elif kind in ("string", "binary"):
        field.large = field.nullable and rng.random() < 0.3
    return field


def column(rng, field, count):
    style = rng.choice(STYLES)
    if field.nullable and rng.random() < 0.1:
        return [None] * count
    nulls = rng.choice((0, 0.02, 0.5, 0.98)) if field.nullable else 0
    constant = value(rng, field, "random", 0)
    values = [None if rng.random() < nulls else constant if style == "constant" else value(rng, field, style, i) for i in range(count)]
    if field.large:
        values = [UNCHANGED if rng.random() < 0.1 else v for v in values]
    return values


def random_rows(rng, fields, count):
    columns = [column(rng, field, count) for field in fields]
    first = rng.randint(0, 1 << 60)
    return [Row(rng.choice("RIUD"), list(values), rng.choice((-(1 << 63), 1_700_000_000_000_000 + n)), (first + n).to_bytes(10, "big"))
            for n, values in enumerate(zip(*columns))]


def random_case(seed, rows=None, columns=None):
    """(rng to go on with, fields, rows). The first columns are one of each type, as many as are asked for."""
    rng = random.Random(seed)
    fields = [random_field(rng, i) for i in range(columns if columns is not None else rng.choice((3, len(TYPES), 22, 22)))]
    rng.shuffle(fields)
    return rng, fields, random_rows(rng, fields, rng.choice((0, 1, 900, 1025, 3000, 3000)) if rows is None else rows)
