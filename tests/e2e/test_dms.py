"""Profile dms: whoever reads the folders of AWS DMS finds the source's rows, each change once and in order, whatever died meanwhile."""
import json
import re

import pytest

from dms_reader import DmsTable
from reader import MANIFEST_KEY
from test_ledger import purged, put, refreshed, remove, resynced
from test_crash_points import ALL, MATRIX, Crash
from values import MIXED_KEY, differences, source_rows
from workload import Workload

OPTIONS = {"profile": "dms", "include_op_for_full_load": True, "timestamp_column_name": "dmsTimestamp", "change_seq_column": "AR_H_CHANGE_SEQ"}
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$")


def dms_table(stack, work, format="csv"):
    return DmsTable(stack.store(), work.table.replace(".", "/"), work.columns, work.key, format)


def ledger(stack, work):
    """[(name below the prefix, rows)] of what landed."""
    return [(key.removeprefix(stack.prefix + "/"), rows) for key, rows in stack.sql(
        "SELECT key, rows FROM sluice.file WHERE table_name = %s AND state = 'landed'", stack.table_name(work.table))]


def equal_to_source(stack, work, folded, what):
    found = differences(work.columns, work.key, folded, source_rows(stack.simulator, stack.name, work.table, work.columns))
    assert not found, f"{what}:\n" + "\n".join(found)


def assert_exact(stack, work, format="csv"):
    """The folder, the ledger and the manifests tell of the same files, and they fold to the source's rows in the order of names and by sequence."""
    table, told = dms_table(stack, work, format), ledger(stack, work)
    problems = table.problems("AR_H_CHANGE_SEQ", told)
    named = [file["key"].removeprefix(stack.prefix + "/") for key in stack.store().keys() if MANIFEST_KEY.match(key)
             for batch in json.loads(stack.store().read(key))["batches"] for file in batch["files"]]
    assert not problems, "\n".join(problems[:10])
    assert sorted(named) == sorted(key for key, _ in told), "manifests name each file once"
    equal_to_source(stack, work, table.fold(), "by name")
    equal_to_source(stack, work, table.fold("AR_H_CHANGE_SEQ"), "by sequence")
    return table


@pytest.mark.parametrize("format, target", [("csv", "file"), ("parquet", "s3")])
def test_folder_as_aws_dms_has_it_folds_to_the_sources_rows(make_stack, make_bucket, format, target):
    stack = make_stack(target=make_bucket() if target == "s3" else None)
    work = Workload(stack).fill(300)
    stack.register()
    stack.add_table(work.table, **OPTIONS, format=format, load_range_rows=100, target_file_bytes=20000)
    with work:
        stack.start()
        stack.wait_state(work.table)
        stack.wait(lambda: work.failure or work.transactions > 30, "the writer goes on while it streams")
    stack.wait_uploaded(work.table)
    stack.stop()
    for _ in range(10):
        work.transaction()
    stack.start()
    stack.wait_uploaded(work.table)
    table = assert_exact(stack, work, format)
    assert len(table.load) >= 3 and len(table.changes) > 1
    rows = table.all()
    assert {row["Op"] for row in rows} == {"I", "U", "D"} and all(STAMP.match(row["dmsTimestamp"]) for row in rows)
    assert list(rows[0])[0] == "Op" and list(rows[0])[-2:] == ["dmsTimestamp", "AR_H_CHANGE_SEQ"]


def test_resync_begins_above_all_that_was_and_what_was_can_be_purged(stack):
    work = Workload(stack).fill(50)
    stack.register()
    stack.add_table(work.table, **OPTIONS)
    stack.start()
    stack.wait_state(work.table)
    for _ in range(10):
        work.transaction()
    stack.wait_uploaded(work.table)
    resynced(stack, work.table)
    for _ in range(10):
        work.transaction()
    stack.wait_uploaded(work.table)
    table = dms_table(stack, work)
    assert not table.problems("AR_H_CHANGE_SEQ", ledger(stack, work))
    assert sum("-00000001-" in name for name in table.load + table.changes) >= 2, "the epoch before is still there"
    strangers = ["dbo/mixed/20141029-1134010000.csv", "dbo/mixed/20141029-00000001-list.txt"]
    for key in strangers:
        put(stack, key, b"written by AWS DMS itself, or by somebody")
    purged(stack, work.table)
    assert set(strangers) <= set(stack.store().keys()), "what is not ours stays"
    totals, found = refreshed(stack, work.table)
    assert list(found.values()) == ["foreign", "foreign"] and totals["missing"] == 0, found
    for key in strangers:
        remove(stack, key)
    table = dms_table(stack, work)
    assert table.load and all("-00000002-" in name for name in table.load + table.changes)
    equal_to_source(stack, work, table.fold(), "by name")


def test_names_stand_in_order_even_where_the_sources_clock_went_back(stack):
    work = Workload(stack).fill(20)
    stack.register()
    stack.add_table(work.table, **OPTIONS)
    stack.start()
    stack.wait_state(work.table)
    work.transaction()
    stack.wait_uploaded(work.table)
    stack.sql("UPDATE _sluice.tab SET name_stamp = '20991231-235959999'")
    for _ in range(2):
        work.transaction()
        stack.wait_uploaded(work.table)
    table = assert_exact(stack, work)
    assert [name for name in table.changes if name.startswith("dbo/mixed/20991231-235959999-")] == table.changes[-2:]


def test_settings_of_the_endpoint_leave_out_what_they_do_at_aws(stack):
    """CdcInsertsAndUpdates, CdcInsertsOnly and IncludeOpForFullLoad: the two tables of `Indicating source DB operations`."""
    for name, options in {"both": {"cdc_inserts_and_updates": True}, "inserts": {"cdc_inserts_only": True},
                          "annotated": {"cdc_inserts_only": True, "include_op_for_full_load": True}}.items():
        stack.tsql(f"CREATE TABLE dbo.{name} (id int NOT NULL PRIMARY KEY, v nvarchar(20))")
        stack.enable_cdc(f"dbo.{name}")
        stack.tsql(f"INSERT INTO dbo.{name} VALUES (1, N'one')")
    stack.register()
    for name, options in {"both": {"cdc_inserts_and_updates": True}, "inserts": {"cdc_inserts_only": True},
                          "annotated": {"cdc_inserts_only": True, "include_op_for_full_load": True}}.items():
        stack.add_table(f"dbo.{name}", profile="dms", **options)
    stack.start()
    landed = {}
    for name in ("both", "inserts", "annotated"):
        stack.wait_state(f"dbo.{name}")
        stack.tsql(f"INSERT INTO dbo.{name} VALUES (2, N'two'); UPDATE dbo.{name} SET v = N'zwei' WHERE id = 2; DELETE FROM dbo.{name} WHERE id = 1")
        stack.wait_uploaded(f"dbo.{name}")
        stack.tsql(f"DELETE FROM dbo.{name} WHERE id = 2")        # nothing of it lands, and nothing waits for it
        stack.wait_uploaded(f"dbo.{name}")
        table = DmsTable(stack.store(), f"dbo/{name}", [], ["id"])
        landed[name] = [[list(row.values()) for file in files for row in table.rows(file)] for files in (table.load, table.changes)]
        assert all(rows for _, rows in stack.sql("SELECT key, rows FROM sluice.file WHERE table_name = %s", stack.table_name(f"dbo.{name}")))
    assert landed["both"] == [[["1", "one"]], [["I", "2", "two"], ["U", "2", "zwei"]]]
    assert landed["inserts"] == [[["1", "one"]], [["2", "two"]]]
    assert landed["annotated"] == [[["I", "1", "one"]], [["I", "2", "two"]]]


def test_format_of_a_table_changes_between_two_batches(stack):
    work = Workload(stack).fill(20)
    stack.register()
    stack.add_table(work.table, **OPTIONS)
    stack.start()
    stack.wait_state(work.table)
    work.transaction()
    stack.wait_uploaded(work.table)
    stack.sql("SELECT sluice.alter_table(%s, %s)", stack.table_name(work.table), json.dumps({"compression": "gzip", "timestamp_column_name": "moved_at"}))
    before = set(stack.store().keys())
    work.transaction()
    stack.wait_uploaded(work.table)
    new = [key for key in set(stack.store().keys()) - before if key.startswith("dbo/")]
    assert new and all(key.endswith(".csv.gz") for key in new)


class DmsCrash(Crash):
    def assert_exact(self):
        self.stack.wait_uploaded(self.work.table)
        assert_exact(self.stack, self.work)


# Where what stands under a name decides; the others with SLUICE_TEST_ALL=1.
CRASHES = [("object_after", "load"), ("objects_after", "stream"), ("adopt_after", "recover")]


@pytest.mark.parametrize("point, phase", [(point, phase) for point, target, phase in MATRIX if target == "file"] if ALL else CRASHES)
def test_crash_at_a_point_costs_no_row_of_a_dms_folder(make_stack, tmp_path, point, phase):
    DmsCrash(make_stack(), tmp_path, point, OPTIONS).run(phase)


def test_a_dlt_pipeline_on_dms_files_keeps_silver_equal_to_the_source(make_stack, spark):
    """The notebook of the DMS example for Delta Live Tables (bronze by Auto Loader from {data}/{table}, Op added where a file has none, APPLY CHANGES
    by dmsTimestamp, deletes where Op is D), its steps as open Spark has them, over files of that example's endpoint settings."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f
    stack = make_stack(prefix="data")
    stack.tsql("CREATE TABLE dbo.stores (store_id int NOT NULL PRIMARY KEY, name nvarchar(40), city nvarchar(40))")
    stack.enable_cdc("dbo.stores")
    stack.tsql("INSERT INTO dbo.stores VALUES " + ", ".join(f"({n}, N'Lädchen \"{n}\"', N'Aue, Böhlen')" for n in range(100)))
    stack.register()
    stack.add_table("dbo.stores", profile="dms", format="csv", csv_header=True, timestamp_column_name="dmsTimestamp")
    stack.start()
    stack.wait_state("dbo.stores")
    for change in ("UPDATE dbo.stores SET city = N'' WHERE store_id % 3 = 0", "DELETE FROM dbo.stores WHERE store_id % 7 = 0",
                   "INSERT INTO dbo.stores VALUES (7, N'back' + CHAR(10) + N'again', NULL)", "UPDATE dbo.stores SET store_id = 500 WHERE store_id = 1"):
        stack.tsql(change)
        stack.wait_uploaded("dbo.stores")
    path = stack.target_folder / "data" / "dbo" / "stores"

    def read(glob):
        return spark.read.csv(f"{path}/{glob}", header=True, multiLine=True, escape='"', nullValue="\ue000null")
    bronze = read("LOAD*.csv").unionByName(read("20*.csv"), allowMissingColumns=True)
    newest = bronze.withColumn("n", f.row_number().over(Window.partitionBy("store_id").orderBy(f.col("dmsTimestamp").desc())))
    silver = newest.filter("n = 1 AND (Op IS NULL OR Op <> 'D')").select(f.col("store_id").cast("int"), "name", "city")
    assert sorted(map(tuple, silver.collect())) == sorted(stack.simulator.query("SELECT store_id, name, city FROM dbo.stores", database=stack.name))
