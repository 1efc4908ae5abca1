"""Change events of profile debezium say what was put in: any row, in every mode, by another implementation of Debezium's rules. Prints TAP lines."""
import base64
import datetime
import json
import math
import struct
import uuid

import property
import rowcases
import rowfile
from rowfile import UNCHANGED

MANY = 10 if property.ALL else 1
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
DECIMALS = ("precise", "double", "string")
TIMES = ("adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds")
BINARIES = ("bytes", "base64", "base64-url-safe", "hex")
PLACEHOLDER = "__debezium_unavailable_value"
SECOND = 10_000_000


class Number(str):
    """A JSON number as it was written."""


def clock(ticks):
    text = f"{ticks // (3600 * SECOND):02}:{ticks // (60 * SECOND) % 60:02}:{ticks // SECOND % 60:02}"
    return text + f".{ticks % SECOND:07}".rstrip("0").rstrip(".")


def day(days):
    return datetime.date.fromordinal(days + datetime.date(1970, 1, 1).toordinal()).isoformat()


def moment(ticks):
    return f"{day(ticks // rowcases.DAY)}T{clock(ticks % rowcases.DAY)}"


def unit(ticks, digits, mode, of_day):
    mode = {"microseconds": 6, "nanoseconds": 7, "connect": 3}.get(mode, 6 if of_day and mode == "adaptive_time_microseconds" else digits)
    return str(ticks // 10_000 if mode <= 3 else ticks // 10 if mode <= 6 else ticks * 100)


def binary(value, mode):
    if mode == "hex":
        return value.hex()
    return (base64.urlsafe_b64encode if mode == "base64-url-safe" else base64.b64encode)(value).decode()


def decimal_value(field, value, mode):
    if mode == "precise":
        return base64.b64encode(value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)).decode()
    text = f"{'-' if value < 0 else ''}{abs(value):0{field.scale + 1}}"
    text = f"{text[:-field.scale]}.{text[-field.scale:]}" if field.scale else text
    return text if mode == "string" else float(text)


def offset_text(minutes):
    return "Z" if minutes == 0 else f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def wanted(field, value, modes):
    """What the event must say: a text for a string, Number, float, bool or None."""
    kind = field.type
    if value is None:
        return None
    if value is UNCHANGED:
        return PLACEHOLDER if kind == "string" else binary(PLACEHOLDER.encode(), modes["binary_handling_mode"])
    if kind == "decimal":
        return decimal_value(field, value, modes["decimal_handling_mode"])
    if kind == "date":
        return day(value) + "Z" if modes["time_precision_mode"] == "isostring" else Number(value)
    if kind in ("time", "timestamp"):
        if modes["time_precision_mode"] == "isostring":
            return (clock if kind == "time" else moment)(value) + "Z"
        return Number(unit(value, field.precision, modes["time_precision_mode"], kind == "time"))
    if kind == "timestamptz":
        return moment(value[0] + value[1] * 60 * SECOND) + offset_text(value[1])
    if kind == "binary":
        return binary(value, modes["binary_handling_mode"])
    if kind == "string":
        return value.decode("utf-8", "surrogatepass")
    if kind == "uuid":
        return str(uuid.UUID(bytes=value)).upper()
    return value if isinstance(value, (bool, float)) else Number(value)


def same(found, want, kind):
    if isinstance(want, float):
        number = SPECIAL.get(found, float(found)) if not isinstance(found, Number) else float(found)
        if kind == "float32" and math.isfinite(number):
            number = struct.unpack("<f", struct.pack("<f", number))[0]
        return math.isnan(number) and math.isnan(want) or struct.pack("<d", number) == struct.pack("<d", want)
    return type(found) is type(want) and found == want


def image(fields, row, modes, found):
    if list(found or {}) != [f.name for f in fields]:
        return [f"columns {list(found or {})}"]
    return [f"{f}: found {found[f.name]!r:.120}, wanted {v!r:.120}" for f, v in zip(fields, row.values)
            if not same(found[f.name], wanted(f, v, modes), f.type)]


def lsn(data):
    return f"{data[:4].hex()}:{data[4:8].hex()}:{data[8:10].hex()}"


def event(fields, before, row, modes, found):
    problems = []
    for name, want in (("before", row if row.op == "D" else before), ("after", None if row.op == "D" else row)):
        problems += image(fields, want, modes, found[name]) if want else [name] if found[name] is not None else []
    source, read = found["source"], row.position[10] >= 0xf0
    told = (found["op"], source["snapshot"], source["commit_lsn"], source["change_lsn"], source["event_serial_no"] is None)
    want = ({"R": "r", "I": "c", "U": "u", "D": "d"}[row.op], "true" if row.op == "R" else "false", lsn(row.position[:10]),
            None if read else lsn(row.position[14:24]), read)
    if row.commit_us != property.COMMIT_UNKNOWN and source["ts_us"] != str(row.commit_us):
        problems.append(f"ts_us {source['ts_us']}")
    return problems + ([f"found {told}, wanted {want}"] if told != want else [])


def position(rng, op):
    operation = {"D": 1, "I": 2, "U": 4, "R": 0}[op]
    return rng.randbytes(10) + (b"\xf0" + rng.randbytes(14) if op == "R" else b"\0" + rng.randbytes(13) + bytes([operation]))


def land(seed, folder):
    rng, fields, rows = rowcases.random_case(seed)
    modes = {"decimal_handling_mode": DECIMALS[seed % 3], "time_precision_mode": TIMES[seed % 6], "binary_handling_mode": BINARIES[seed % 4]}
    rows = list(property.with_images([rowfile.Row(r.op, r.values, r.commit_us, position(rng, r.op)) for r in rows]))
    path = folder / "out.jsonl"
    spec = {"format": "jsonl", "compression": "none", "profile": "debezium", "options": {**modes, "schemas_enable": seed % 5 == 0}, "source_kind": "sqlserver",
            "source": "erp", "database": "ERP", "schema": "dbo", "table": "t"}
    rowfile.land(path, spec, fields, rows, property.driver(seed), **property.sizes(rng))
    return path, fields, rows, modes


def every_event(seed, folder):
    path, fields, rows, modes = land(seed, folder)
    lines = [json.loads(line, parse_int=Number, parse_float=Number) for line in path.read_bytes().decode().split("\n")[:-1]]
    problems, before, at = [], None, 0
    for row in rows:
        if row.op == "B":
            before = row
            continue
        if at == len(lines):
            return problems + [f"{at} lines are too few"]
        problems += event(fields, before, row, modes, lines[at].get("payload", lines[at]))
        before, at = None, at + 1
    return problems + ([f"{len(lines) - at} lines too many"] if at != len(lines) else [])


property.run({"debezium: every event says the rows before and after in every mode": (every_event, range(1, 1 + 24 * MANY))})
