"""From the text of a value, as the text formats write it, to what was put in (harness/rowfile.py)."""
import base64
import datetime
import re
import struct
import uuid

import rowcases

EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
FLOATS = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e-?\d+)?|NaN|-?Infinity")


def ticks(found):
    """100 ns units of `hh:mm:ss[.f]`."""
    hours, minutes, seconds = found.split(":")
    whole, _, fraction = seconds.partition(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 10_000_000 + int(fraction.ljust(7, "0"))


def stamp(found):
    date, clock = found.split("T")
    return (datetime.date.fromisoformat(date).toordinal() - EPOCH_DAY) * rowcases.DAY + ticks(clock)


def instant(found):
    local, sign, hours, minutes = re.fullmatch(r"(.+)([+-])(\d\d):(\d\d)", found).groups()
    offset = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
    return stamp(local) - offset * 600_000_000, offset


def floating(found, kind):
    assert FLOATS.fullmatch(found), found
    value = float(found)
    if kind == "float32" and value - value == 0:
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    return value


def exact(found, scale):
    assert re.fullmatch(r"-?(0|[1-9]\d*)" + (rf"\.\d{{{scale}}}" if scale else ""), found), found
    return int(found.replace(".", ""))


def digits(found, precision):
    fraction = re.search(r"\d\d:\d\d:\d\d(?:\.(\d+))?", found).group(1) or ""
    assert len(fraction) == precision, found
    return found


def decode(field, found):
    """`found` is text with T between date and time; boolean as true or false."""
    kind = field.type
    if kind in ("int16", "int32", "int64", "uint64"):
        return exact(found, 0)
    if kind in ("float32", "float64"):
        return floating(found, kind)
    if kind == "decimal":
        return exact(found, field.scale)
    if kind == "boolean":
        return {"true": True, "false": False}[found]
    if kind == "date":
        return datetime.date.fromisoformat(found).toordinal() - EPOCH_DAY
    if kind in ("time", "timestamp", "timestamptz"):
        return {"time": ticks, "timestamp": stamp, "timestamptz": instant}[kind](digits(found, field.precision))
    if kind == "string":
        return found.encode("utf-8", "surrogatepass")
    if kind == "binary":
        return base64.b64decode(found, validate=True)
    assert found == found.lower()
    return uuid.UUID(found).bytes
