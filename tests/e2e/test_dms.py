"""Profile dms: whoever reads the folders of AWS DMS finds the source's rows, each change once and in order, whatever died meanwhile."""
import json
import re

import pytest

from dms_reader import DmsTable
from reader import MANIFEST_KEY
from test_crash_points import ALL, MATRIX, Crash
from values import MIXED_KEY, differences, source_rows
from workload import Workload

FORMATS = ["csv"]
OPTIONS = {"profile": "dms", "include_op_for_full_load": True, "timestamp_column_name": "dmsTimestamp", "change_seq_column": "AR_H_CHANGE_SEQ"}
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$")


def dms_table(stack, work, format="csv"):
    schema, name = work.table.split(".")
    return DmsTable(stack.store(), f"{schema}/{name}", work.columns, work.key, format)


def ledger(stack, work):
    prefix = stack.prefix + "/"
    return [(key.removeprefix(prefix), rows) for key, rows in stack.sql(
        "SELECT key, rows FROM sluice.file WHERE table_name = %s AND state = 'landed'", stack.table_name(work.table))]


def assert_exact(stack, work, format="csv", orders=(None, "AR_H_CHANGE_SEQ")):
    table = dms_table(stack, work, format)
    problems = table.problems("AR_H_CHANGE_SEQ", ledger(stack, work))
    named = [file["key"] for key in stack.store().keys() if MANIFEST_KEY.match(key)
             for batch in json.loads(stack.store().read(key))["batches"] for file in batch["files"]]
    assert sorted(named) == sorted(key for key, _ in ledger_keys(stack, work)), "manifests name each file once"
    assert not problems, "\n".join(problems[:10])
    source = source_rows(stack.simulator, stack.name, work.table, work.columns)
    for order in orders:
        found = differences(work.columns, work.key, table.fold(order), source)
        assert not found, f"by {order or 'name'}:\n" + "\n".join(found)
    return table


def ledger_keys(stack, work):
    return stack.sql("SELECT key, rows FROM sluice.file WHERE table_name = %s AND state = 'landed'", stack.table_name(work.table))


@pytest.mark.parametrize("format", FORMATS)
def test_folder_as_aws_dms_has_it_folds_to_the_sources_rows(stack, format):
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
    assert len(table.load) > 3 and len(table.changes) > 1
    rows = [row for name in table.load + table.changes for row in table.rows(name)]
    assert {row["Op"] for row in rows} == {"I", "U", "D"} and all(STAMP.match(row["dmsTimestamp"]) for row in rows)
    assert list(rows[0])[0] == "Op" and list(rows[0])[-2:] == ["dmsTimestamp", "AR_H_CHANGE_SEQ"]


def test_resync_begins_above_all_that_was(stack):
    work = Workload(stack).fill(50)
    stack.register()
    stack.add_table(work.table, **OPTIONS)
    stack.start()
    stack.wait_state(work.table)
    for _ in range(10):
        work.transaction()
    stack.wait_uploaded(work.table)
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
    stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.job WHERE state = 'done' AND kind = 'resync'"), "the resync is done")
    for _ in range(10):
        work.transaction()
    stack.wait_uploaded(work.table)
    table = dms_table(stack, work)
    assert not table.problems("AR_H_CHANGE_SEQ", ledger(stack, work))
    assert table.changes == sorted(table.changes, key=lambda name: min(row["AR_H_CHANGE_SEQ"] for row in table.rows(name))), "names sort as changes do"
    # The rows of the new epoch, which its name tells, are all that is needed.
    newest = DmsTable(stack.store(), "dbo/mixed", work.columns, work.key)
    newest.load = [name for name in newest.load if "-00000002-" in name]
    newest.changes = [name for name in newest.changes if "-00000002-" in name]
    assert newest.load
    found = differences(work.columns, work.key, newest.fold(), source_rows(stack.simulator, stack.name, work.table, work.columns))
    assert not found, "\n".join(found)


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
