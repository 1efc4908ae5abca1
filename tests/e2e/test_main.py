"""The main job: what is in SQL Server lands, every value equal, on a folder and on S3, while an application writes."""
import json
import os
import pathlib

import pytest

from cluster import ROOT
from values import MIXED_KEY, Column, columns_of, create_table, differences, source_rows
from workload import Workload

ROWS = int(os.environ.get("SLUICE_TEST_ROWS", "100000"))
INVENTORY = ROOT / "tests" / "peers" / "mssql" / "samples" / "inventory.sql"

# The families MIXED has no room for, with values at their limits.
REST = [
    Column("id", "int", "int", null=False), Column("c_small", "smallmoney", "decimal:4"), Column("c_minute", "smalldatetime", "smalldatetime"),
    Column("c_text", "text", "varchar", lob=True), Column("c_ntext", "ntext", "nvarchar", lob=True), Column("c_image", "image", "binary", lob=True),
    Column("c_vmax", "varchar(max)", "varchar", lob=True), Column("c_bmax", "varbinary(max)", "binary", lob=True),
    Column("c_fixed", "binary(4)", "binary"), Column("c_char", "char(5)", "varchar"), Column("c_xml", "xml", "nvarchar", lob=True),
    Column("c_numeric", "numeric(38,0)", "decimal:0"), Column("c_variant", "sql_variant", "variant"), Column("c_version", "rowversion", "rowversion"),
]
REST_ROWS = [
    "(1, 214748.3647, '2079-06-06T23:59:00', 'a', N'ü😀', 0x00ff, 'x', 0x, 0x01020304, 'ab', N'<a b=\"1\">t</a>', "
    "99999999999999999999999999999999999999, N'v')",
    "(2, -214748.3648, '1900-01-01T00:00:00', '', N'', 0x, '', 0x00, 0x00000000, '', N'<a/>', -99999999999999999999999999999999999999, N'')",
    "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    f"(4, 0, '2000-02-29T12:34:00', '{'l' * 9000}', N'{'ö' * 5000}', 0x{'ab' * 9000}, '{'m' * 20000}', 0x{'cd' * 20000}, 0x7fffffff, 'abcde', "
    f"N'<r>{'y' * 9000}</r>', 0, N'w')",
]


def equal_to_source(stack, landed, table, columns, key):
    found = differences(columns, key, landed.fold(table, key), source_rows(stack.simulator, stack.name, table, columns))
    assert not found, "\n".join(found)


def run_mixed(stack, rows):
    """Load while it writes, then stop, then fold."""
    work = Workload(stack).fill(rows * 9 // 10)
    stack.register()
    with work:
        stack.add_table(work.table, load_range_rows=max(1000, rows // 8))
        stack.start()
        stack.wait_state(work.table, timeout_s=180)
        stack.wait_uploaded(work.table, timeout_s=60)
        written = work.transactions
        stack.wait(lambda: work.failure or work.transactions > written + 20, "the writer goes on while it streams")
    stack.wait_uploaded(work.table, timeout_s=120)
    landed = stack.check({work.table: MIXED_KEY})
    source = source_rows(stack.simulator, stack.name, work.table, work.columns)
    assert {row[:2] for row in source} == set(work.live), "the source holds what was written"
    found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY), source)
    assert not found, "\n".join(found)
    kinds = {row["_sluice_op"] for file in landed.files for row in file.rows}
    assert kinds == {"R", "I", "U", "D"}, "loaded and streamed"
    stack.stop()


def test_mixed_table_loads_and_streams_to_a_folder_under_write(stack):
    run_mixed(stack, ROWS)


def test_mixed_table_loads_and_streams_to_s3_under_write(make_stack, make_bucket):
    run_mixed(make_stack(target=make_bucket()), max(1000, ROWS // 5))


@pytest.mark.parametrize("format, compression, ending", [
    ("jsonl", "none", ".jsonl"), ("jsonl", "gzip", ".jsonl.gz"), ("csv", "zstd", ".csv.zst"), ("parquet", "zstd", ".parquet"), ("parquet", "snappy", ".parquet")])
def test_other_formats_and_compressions_land_the_same(make_stack, format, compression, ending):
    stack = make_stack()
    work = Workload(stack).fill(500)
    stack.register()
    stack.add_table(work.table, format=format, compression=compression)
    stack.start()
    stack.wait_state(work.table)
    work.transaction()
    stack.wait_uploaded(work.table)
    landed = stack.check({work.table: MIXED_KEY})
    assert all(f.key.endswith(ending) for f in landed.files)
    equal_to_source(stack, landed, work.table, work.columns, MIXED_KEY)


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_every_other_type_lands_exactly(stack, format):
    names = ", ".join(c.name for c in REST if c.kind != "rowversion")
    stack.tsql(create_table("dbo.rest", REST, ["id"]))
    stack.enable_cdc("dbo.rest")
    for row in REST_ROWS:
        stack.tsql(f"INSERT INTO dbo.rest ({names}) VALUES {row}")
    stack.register()
    stack.add_table("dbo.rest", format=format)
    stack.start()
    stack.wait_state("dbo.rest")
    equal_to_source(stack, stack.landed(), "dbo.rest", REST, ["id"])
    stack.tsql("UPDATE dbo.rest SET c_char = 'x' WHERE id = 4")            # its LOBs are not logged
    stack.tsql("UPDATE dbo.rest SET c_text = NULL, c_vmax = 'y', c_variant = 5 WHERE id = 1")
    for row in REST_ROWS:
        stack.tsql(f"INSERT INTO dbo.rest ({names}) VALUES ({int(row[1]) + 10}{row[2:]}")
    stack.tsql("DELETE FROM dbo.rest WHERE id = 2")
    stack.wait_uploaded("dbo.rest")
    landed = stack.check({"dbo.rest": ["id"]})
    equal_to_source(stack, landed, "dbo.rest", REST, ["id"])
    marked = [row for file in landed.of("dbo.rest") for row in file.rows if row["_sluice_op"] == "U" and int(row["id"]) == 4]
    assert {"c_text", "c_vmax", "c_xml"} <= set(json.loads(marked[0]["_sluice_unchanged"])), "unchanged LOBs are named"


def test_inventory_sample_lands_and_follows(make_stack, simulator):
    stack = make_stack(name="inventory", create=False)
    simulator.exec_script(INVENTORY)
    tables = [f"{schema}.{name}" for schema, name in simulator.query(
        "SELECT s.name, t.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE t.is_tracked_by_cdc = 1",
        database="inventory")]
    assert tables
    stack.register()
    for table in tables:
        stack.add_table(table)
    stack.start()
    for table in tables:
        stack.wait_state(table)
    stack.wait_uploaded(*tables)
    landed = stack.check()
    for table in tables:
        columns, key = columns_of(simulator, stack.name, table)
        assert key, f"{table} has a primary key"
        equal_to_source(stack, landed, table, columns, key)
