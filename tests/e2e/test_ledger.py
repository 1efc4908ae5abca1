"""The ledger and the bucket agree: schema files for every table, a lost, strange or changed object is named, gone epochs are purged."""
import json

import pytest

from values import MIXED_KEY
from workload import Workload


@pytest.fixture(params=["folder", "s3"])
def any_stack(request, make_stack):
    return make_stack(target=request.getfixturevalue("make_bucket")() if request.param == "s3" else None)


def item_table(stack, name="item", rows=10):
    stack.tsql(f"CREATE TABLE dbo.{name} (id int NOT NULL PRIMARY KEY, v nvarchar(40) NULL)")
    stack.enable_cdc(f"dbo.{name}")
    if rows:
        stack.tsql(f"INSERT INTO dbo.{name} (id, v) VALUES " + ", ".join(f"({n}, N'{n}')" for n in range(rows)))
    return f"dbo.{name}"


def schema_documents(stack, table):
    store, prefix = stack.store(), f"_sluice/{stack.name}/{table}/schema-"
    return {key: json.loads(store.read(key)) for key in store.keys() if key.startswith(prefix)}


def test_a_table_without_rows_lands_its_schema_where_its_files_would_be(any_stack):
    stack = any_stack
    table = item_table(stack, rows=0)
    stack.register()
    stack.add_table(table)
    stack.start()
    stack.wait_state(table)
    landed = stack.check({table: ["id"]})
    assert not landed.of(table) and list(landed.schemas.values()) == [(table, 1, 1)], landed.schemas
    assert [(kind, rows) for kind, rows in stack.sql("SELECT kind, rows FROM sluice.file WHERE table_name = %s", stack.table_name(table))] == [("schema", 0)]
    [(key, document)] = schema_documents(stack, table).items()
    assert key.endswith("/schema-00000001-00000001.json") and document["key"] == ["id"]
    assert [(c["name"], c["source_type"], c["nullable"]) for c in document["columns"]] == [("id", "int", False), ("v", "nvarchar(40)", True)], document
    stack.stop()


def test_each_epoch_and_schema_version_is_announced_once(stack):
    table = item_table(stack)
    stack.register()
    stack.add_table(table)
    stack.start()
    stack.wait_state(table)
    stack.tsql("ALTER TABLE dbo.item ADD w int NULL")
    stack.enable_cdc(table, capture_instance="dbo_item_2")
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    stack.tsql("INSERT INTO dbo.item (id, v, w) VALUES (100, N'x', 1)")
    stack.wait(lambda: stack.status(table)["schema_version"] == 2, "the second version is followed")
    stack.tsql("INSERT INTO dbo.item (id, v, w) VALUES (101, N'y', 2)")
    stack.wait_uploaded(table)
    stack.sql("SELECT * FROM sluice.resync_table(%s)", stack.table_name(table))
    stack.wait(lambda: (r := stack.status(table))["epoch"] == 2 and r["state"] == "streaming", "the second epoch streams")
    landed = stack.check({table: ["id"]})
    assert sorted(landed.schemas.values()) == [(table, 1, 1), (table, 1, 2), (table, 2, 2)]
    assert [d["version"] for _, d in sorted(schema_documents(stack, table).items())] == [1, 2, 2]
    stack.stop()
