"""The rows of a landed file, whatever its format; shares no code with sluice.

    for line, row in rows("…-0000.csv.zst", data, problems): ...

`line` is bytes that decode(line) turns into the row again. A row is {column: value}; values are what the format knows them as: JSON
lines have JSON's types and Decimal, Parquet (read by pyarrow) Python's, CSV a Field for each text. values.py compares all of them.
What is wrong with the file is added to `problems`.
"""
import decimal
import gzip
import io
import json
import pickle
import re

import zstandard

FORMATS = re.compile(r"\.(jsonl|csv|parquet)(\.zst|\.gz)?$")
ROWS_A_TIME = 1000
FIELD = re.compile(r'"([^"]*(?:""[^"]*)*)"|([^",\n]*)')


class Field(str):
    """The text of a CSV field, of whatever type its column is."""
    __slots__ = ()


def expand(key, data):
    """The text of an object; raises where a compressed one does not end."""
    if key.endswith(".zst"):
        reader = zstandard.ZstdDecompressor().decompressobj(read_across_frames=False)
        text = reader.decompress(data)
        if not reader.eof or reader.unused_data:
            raise ValueError("the zstd frame is cut short or followed by something")
        return text
    return gzip.decompress(data) if key.endswith(".gz") else data


def distinct(pairs):
    """A row whose names are all different."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one row")
    return found


DECODER = json.JSONDecoder(parse_float=decimal.Decimal, object_pairs_hook=distinct)


def decode(line):
    """Line by line: one character beyond 16 bits would make a whole file's text four times as large."""
    if line[:1] == b"\x80":
        return pickle.loads(line)
    return DECODER.decode(line.decode("utf-8", errors="surrogatepass"))


def rows(key, data, problems):
    try:
        text = expand(key, data)
        kind = FORMATS.search(key)[1]
        yield from {"jsonl": jsonl_rows, "csv": csv_rows, "parquet": parquet_rows}[kind](key, text, problems)
    except (ValueError, OSError, EOFError, zstandard.ZstdError) as error:    # pyarrow's are ValueError and OSError
        problems.append(f"{key}: {error}")


def jsonl_rows(key, text, problems):
    if text and not text.endswith(b"\n"):
        problems.append(f"{key}: the last line has no end")
    for n, line in enumerate(text.split(b"\n")[:-1], 1):
        try:
            row = decode(line)
        except (ValueError, TypeError) as error:
            problems.append(f"{key} line {n}: {type(error).__name__} {error}")
            continue
        yield line, row


# ---- CSV --------------------------------------------------------------------------
def csv_records(text):
    """Lists of Field or None. Not the csv module: it cannot tell NULL (nothing) from an empty string (two quotes)."""
    at, record = 0, []
    while at < len(text):
        match = FIELD.match(text, at)
        record.append(Field(match[1].replace('""', '"')) if match[1] is not None else Field(match[2]) if match[2] else None)
        at = match.end()
        if at == len(text) or text[at] not in ",\n":
            raise ValueError(f"no comma and no line end behind character {at}")
        if text[at] == "\n":
            yield record
            record = []
        at += 1
    if record:
        raise ValueError("the last line has no end")


def csv_rows(key, text, problems):
    records = csv_records(text.decode("utf-8"))
    names = next(records, None)
    if not names:
        problems.append(f"{key}: no header")
        return
    for record in records:
        if len(record) != len(names):
            raise ValueError(f"a record of {len(record)} fields under {len(names)} names")
        row = distinct(list(zip(map(str, names), record)))
        row["_sluice_epoch"] = int(row["_sluice_epoch"])
        yield pickle.dumps(row), row


# ---- Parquet ----------------------------------------------------------------------
def parquet_rows(key, text, problems):
    from pyarrow import parquet
    file = parquet.ParquetFile(io.BytesIO(text))
    names = file.schema_arrow.names
    for batch in file.iter_batches(ROWS_A_TIME):
        for values in zip(*[column.to_pylist() for column in batch.columns]):
            row = distinct(list(zip(names, values)))
            yield pickle.dumps(row), row
