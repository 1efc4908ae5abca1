#!/usr/bin/env python3
"""Records the binary logs of real servers for sample/*.sql, and what the servers themselves say of the values: for tests of the
decoder on machines without these servers.

usage: record.py [mysql | mariadb ..]       without one, both

For each server: sample/SERVER.binlog, one whole log file as the server wrote it (binlog_row_metadata FULL, CRC32), and
sample/SERVER.json:
    {"version": "9.7.4", "events": {"TABLE_MAP_EVENT": 12, ..},      as SHOW BINLOG EVENTS names and counts them
     "columns": {table: [{"name", "column_type", "character_set"} ..]}, "rows": {table: [[text or null ..] ..]}}
`rows` are those of `SELECT * .. ORDER BY 1` at the end, each value as the server prints it: texts in UTF-8, binary columns in
hex with 0x. A table that is named in no DELETE or UPDATE of the script has them all in its inserts.

And sample/SERVER.packets.json, the same rows as a load gets them, in packets of the binary protocol:
    {table: {"wire": [[type, decimals, character set, unsigned] ..], "rows": [hex ..]}}
"""
import collections
import json
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "harness"))

from mysqlserver import MariaDB, MySQL  # noqa: E402

SAMPLE = HERE / "sample"
DATABASE = "sample"
BINARY = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "geometry", "point", "linestring", "polygon", "vector")
OPTIONS = {"mysql": {"binlog_transaction_compression": "OFF"}, "mariadb": {"log_bin_compress": "OFF", "log_bin_compress_min_len": 10}}


def item(name, data_type):
    return f"CONCAT('0x', LOWER(HEX(`{name}`)))" if data_type in BINARY else f"CONVERT(CAST(`{name}` AS CHAR) USING utf8mb4)"


def describe(server):
    """(columns, rows) of every table, as the module's text says."""
    columns, rows = {}, {}
    connection = server.connect(DATABASE)
    server.exec_sql("SET time_zone = '+00:00'", connection=connection)
    for (table,) in server.query("SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY 1", DATABASE, connection=connection):
        found = server.query("SELECT column_name, column_type, data_type, character_set_name FROM information_schema.columns "
                             "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position", DATABASE, table, connection=connection)
        columns[table] = [{"name": name, "column_type": type, "character_set": charset} for name, type, _, charset in found]
        rows[table] = server.query(f"SELECT {', '.join(item(name, data_type) for name, _, data_type, _ in found)} FROM `{table}` ORDER BY `{found[0][0]}`",
                                   connection=connection)
    connection.close()
    return columns, rows


def packets(connection, table, order):
    """A statement prepared and executed without libraries of ours, its definitions and rows as they come."""
    from pymysql.constants import COMMAND
    from pymysql.protocol import FieldDescriptorPacket

    def packet(**more):
        return connection._read_packet(**more)
    connection._execute_command(COMMAND.COM_STMT_PREPARE, f"SELECT * FROM `{table}` ORDER BY `{order}`")
    answer = packet()
    statement, count = answer.get_all_data()[1:5], int.from_bytes(answer.get_all_data()[5:7], "little")
    for _ in range(count + 1):
        packet()
    connection._execute_command(COMMAND.COM_STMT_EXECUTE, statement + b"\0\1\0\0\0")
    packet()
    fields = [packet(packet_type=FieldDescriptorPacket) for _ in range(count)]
    packet()
    rows = []
    while not (answer := packet()).is_eof_packet():
        rows.append(answer.get_all_data().hex())
    return {"wire": [[f.type_code, f.scale, f.charsetnr, bool(f.flags & 32)] for f in fields], "rows": rows}


def loaded(server, columns):
    connection = server.connect(DATABASE)
    server.exec_sql("SET time_zone = '+00:00'", connection=connection)
    found = {table: packets(connection, table, of[0]["name"]) for table, of in columns.items()}
    connection.close()
    return found


def record(kind, folder):
    with kind(folder, options=OPTIONS[kind.kind]) as server:
        server.flush_logs()
        name, _ = server.log_end()
        server.exec_sql(f"CREATE DATABASE {DATABASE}")
        script = (SAMPLE / "both.sql").read_text() + (SAMPLE / f"{kind.kind}.sql").read_text()
        connection = server.connect(DATABASE)
        server.exec_sql(script, connection=connection)
        connection.close()
        events = collections.Counter(row[2] for row in server.query(f"SHOW BINLOG EVENTS IN '{name}'"))
        columns, rows = describe(server)
        rows_loaded = loaded(server, columns)
        version = server.version()
        server.stop()
        shutil.copy(server.data / name, SAMPLE / f"{kind.kind}.binlog")
    (SAMPLE / f"{kind.kind}.binlog").chmod(0o644)
    text = json.dumps({"version": version, "events": dict(sorted(events.items())), "columns": columns, "rows": rows}, ensure_ascii=False, indent=1)
    (SAMPLE / f"{kind.kind}.json").write_text(text + "\n", encoding="utf-8")
    (SAMPLE / f"{kind.kind}.packets.json").write_text(json.dumps(rows_loaded, indent=1) + "\n")
    print(f"{kind.kind} {version}: {sum(events.values())} events, {(SAMPLE / (kind.kind + '.binlog')).stat().st_size} bytes")


def main():
    kinds = {kind.kind: kind for kind in (MySQL, MariaDB)}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-binlog-"))
    folder.chmod(0o755)
    try:
        for name in sys.argv[1:] or kinds:
            record(kinds[name], folder / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
