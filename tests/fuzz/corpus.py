#!/usr/bin/env python3
"""Makes corpus/ anew from logs of real servers: one input a rows event (binlog_fuzz.c has its form), those of tests/peers/binlog/sample, and any other log whose path is given.

usage: corpus.py [LOG TABLES ..]      TABLES: JSON {"schema.table": [[name, column_type, character_set] ..]}"""
import hashlib
import json
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE = HERE.parent / "peers" / "binlog" / "sample"
ITEM_MAX, TOTAL_MAX = 3000, 250_000
MAP, ROWS = 19, (23, 24, 25, 30, 31, 32)


def item(letter, data):
    return letter.encode() + struct.pack("<H", len(data)) + data


def events(log):
    at = 4
    while at + 19 <= len(log):
        code, size = log[at + 4], struct.unpack_from("<I", log, at + 9)[0]
        yield code, log[at + 19:at + size - 4]
        at += size


def table_name(body):
    schema, rest = body[9:9 + body[8]], body[10 + body[8]:]
    return f"{schema.decode()}.{rest[1:1 + rest[0]].decode()}"


def inputs(log, tables):
    table_map, facts = None, b""
    for code, body in events(log):
        if code == MAP:
            table_map = body
            facts = b"".join(item("F", "\0".join([name, column_type, charset or "", ""]).encode()) for name, column_type, charset in tables.get(table_name(body), []))
        elif code in ROWS and table_map and len(body) < ITEM_MAX:
            for flags in (b"\0", b"\7") if code in (24, 31) else (b"\4",):
                yield flags + facts + item("M", table_map) + item("R", bytes([code]) + body)


def main(arguments):
    corpus = HERE / "corpus"
    for old in corpus.glob("*"):
        old.unlink()
    sources = []
    for kind in ("mariadb", "mysql"):
        told = json.loads((SAMPLE / f"{kind}.json").read_text())
        sources.append((SAMPLE / f"{kind}.binlog", {f"sample.{table}": [[c["name"], c["column_type"], c["character_set"]] for c in columns]
                                                    for table, columns in told["columns"].items()}))
    sources += [(pathlib.Path(log), json.loads(pathlib.Path(tables).read_text())) for log, tables in zip(arguments[::2], arguments[1::2])]
    total = 0
    for log, tables in sources:
        for data in inputs(log.read_bytes(), tables):
            if total + len(data) <= TOTAL_MAX:
                (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
                total += len(data)
    print(f"{len(list(corpus.glob('*')))} inputs, {total} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
