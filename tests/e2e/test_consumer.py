"""The texts sluice gives to those who read what lands: run by DuckDB, their rows are the source's."""
import base64
import datetime
import decimal
import math

import duckdb
import pytest

from test_main import REST, REST_ROWS
from values import MIXED_KEY, create_table, differences, source_rows, stamp_text
from workload import Workload


def landed_value(column, value):
    """A reader's value in the form in which values.py compares: that of a JSON line."""
    kind, _, digits = column.kind.partition(":")
    if isinstance(value, str) and kind in ("datetime2", "datetimeoffset"):
        return value.replace(" ", "T", 1)                      # CSV parts date and time by a blank
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, float):
        return decimal.Decimal(repr(value)) if math.isfinite(value) else "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, decimal.Decimal):
        return int(value) if kind == "decimal" and digits == "0" else value
    if isinstance(value, datetime.datetime):
        return stamp_text(value, {"datetime": 3, "smalldatetime": 0}.get(kind, int(digits or 0)))
    return value.isoformat() if isinstance(value, datetime.date) else value


def by_key(columns, key, names, rows):
    """{key values: row} of a reader's rows."""
    by_name = {c.name: c for c in columns}
    made = [{name: landed_value(by_name[name], value) for name, value in zip(names, row)} for row in rows]
    folded = {tuple(row[name] for name in key): row for row in made}
    assert len(folded) == len(made), "each key once"
    return folded


def duck(stack, table):
    """A connection that has run external_table_sql of the table."""
    connection = duckdb.connect()
    for statement in stack.one("SELECT sluice.external_table_sql(%s, 'duckdb')", stack.table_name(table)).split(";\n"):
        if statement.strip():
            connection.execute(statement)
    return connection


def duck_current(stack, table):
    """(column names, rows) of current_rows_sql."""
    cursor = duck(stack, table).execute(stack.one("SELECT sluice.current_rows_sql(%s, 'duckdb')", stack.table_name(table)))
    return [d[0] for d in cursor.description], cursor.fetchall()


def equal_in_duckdb(stack, table, columns, key):
    names, rows = duck_current(stack, table)
    found = differences(columns, key, by_key(columns, key, names, rows), source_rows(stack.simulator, stack.name, table, columns))
    assert not found, "\n".join(found)


def equal_in_spark(session, stack, table, columns, key):
    session.catalog.clearCache()
    for statement in stack.one("SELECT sluice.external_table_sql(%s, 'spark')", stack.table_name(table)).split(";\n"):
        if statement.strip():
            session.sql(statement)
    frame = session.sql(stack.one("SELECT sluice.current_rows_sql(%s, 'spark')", stack.table_name(table)))
    found = differences(columns, key, by_key(columns, key, frame.columns, frame.collect()), source_rows(stack.simulator, stack.name, table, columns))
    assert not found, "\n".join(found)


FORMATS = ["jsonl", "csv", "parquet"]


def mixed_and_rest(stack, **options):
    """Two tables of every type, loaded and changed, at rest; (table, columns, key) of each."""
    work = Workload(stack).fill(300)
    stack.tsql(create_table("dbo.rest", REST, ["id"]))
    stack.enable_cdc("dbo.rest")
    names = ", ".join(c.name for c in REST if c.kind != "rowversion")
    for row in REST_ROWS:
        stack.tsql(f"INSERT INTO dbo.rest ({names}) VALUES {row}")
    stack.register()
    stack.add_table(work.table, **options)
    stack.add_table("dbo.rest", **options)
    stack.start()
    stack.wait_state(work.table)
    stack.wait_state("dbo.rest")
    for _ in range(30):
        work.transaction()
    stack.tsql("UPDATE dbo.rest SET c_char = 'x' WHERE id = 4")            # its LOBs are not logged
    stack.tsql("UPDATE dbo.rest SET c_char = 'y', c_text = 'new' WHERE id = 4")
    stack.tsql("DELETE FROM dbo.rest WHERE id = 2")
    stack.wait_uploaded(work.table, "dbo.rest")
    return [(work.table, work.columns, MIXED_KEY), ("dbo.rest", REST, ["id"])]


@pytest.mark.parametrize("format", FORMATS)
def test_current_rows_in_duckdb_and_spark_are_the_sources(stack, spark, format):
    # Spark as it comes from PyPI has no zstd for text files.
    for table, columns, key in mixed_and_rest(stack, format=format, compression="zstd" if format == "parquet" else "gzip"):
        equal_in_duckdb(stack, table, columns, key)
        equal_in_spark(spark, stack, table, columns, key)


def test_current_rows_of_a_resynced_table_need_no_new_text(stack):
    stack.tsql("CREATE TABLE dbo.item (id int NOT NULL PRIMARY KEY, name nvarchar(20))")
    stack.enable_cdc("dbo.item")
    stack.tsql("INSERT INTO dbo.item VALUES (1, N'one'), (2, N'two')")
    stack.register()
    stack.add_table("dbo.item")
    stack.start()
    stack.wait_state("dbo.item")
    stack.wait_uploaded("dbo.item")
    connection = duck(stack, "dbo.item")
    text = stack.one("SELECT sluice.current_rows_sql(%s, 'duckdb')", stack.table_name("dbo.item"))
    assert sorted(connection.execute(text).fetchall()) == [(1, "one"), (2, "two")]
    job = stack.one("SELECT job FROM sluice.resync_table(%s)", stack.table_name("dbo.item"))
    stack.wait(lambda: stack.one("SELECT state FROM sluice.job WHERE job = %s", job) == "done", "the resync is done")
    stack.tsql("DELETE FROM dbo.item WHERE id = 1")
    stack.wait_uploaded("dbo.item")
    assert connection.execute(text).fetchall() == [(2, "two")]


def test_current_rows_of_a_keyless_table_are_a_multiset(stack):
    stack.tsql("CREATE TABLE dbo.bag (a int, b nvarchar(20))")
    stack.enable_cdc("dbo.bag")
    stack.tsql("INSERT INTO dbo.bag VALUES (1, N'x'), (1, N'x'), (NULL, NULL)")
    stack.register()
    stack.add_table("dbo.bag")
    stack.start()
    stack.wait_state("dbo.bag")
    stack.tsql("INSERT INTO dbo.bag VALUES (1, N'x'), (2, N'y')")
    stack.tsql("DELETE FROM dbo.bag WHERE a = 2")
    stack.wait_uploaded("dbo.bag")
    assert sorted(duck_current(stack, "dbo.bag")[1], key=str) == [(1, "x"), (1, "x"), (1, "x"), (None, None)]


def test_texts_are_refused_where_they_would_not_read_every_row(stack):
    stack.tsql("CREATE TABLE dbo.item (id int NOT NULL PRIMARY KEY)")
    stack.enable_cdc("dbo.item")
    stack.register()
    stack.add_table("dbo.item")
    state, message, hint = stack.error(f"SELECT sluice.current_rows_sql('{stack.table_name('dbo.item')}', 'duckdb')")
    assert state == "55000" and "wait_for" in hint, message
    state, message, hint = stack.error(f"SELECT sluice.current_rows_sql('{stack.table_name('dbo.item')}', 'oracle')")
    assert state == "22023" and "duckdb" in hint
