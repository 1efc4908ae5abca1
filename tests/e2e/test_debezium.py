"""Profile debezium: files of change events as Debezium's SQL Server connector writes them, with the row before each change."""
import base64
import collections
import datetime
import decimal
import json

import pytest

from reader import expand
from values import Column, create_table

UNAVAILABLE = "__debezium_unavailable_value"


def events_of(stack, table):
    """All events of a table's files: loaded rows first, then changes in the order of the files."""
    keys = sorted((file.key for file in stack.landed().of(table)), key=lambda key: ("/sluice_kind=load/" not in key, key))
    return [json.loads(line) for key in keys for line in file_lines(stack, key)]


def file_lines(stack, key):
    return expand(key, stack.store().read(key)).decode().splitlines()


def fold(events, key):
    """The rows that an event-by-event consumer holds at the end, every `before` compared with what it holds."""
    held = {}
    wrong = []
    for event in events:
        name = tuple((event["after"] or event["before"])[column] for column in key)
        if event["op"] in "ud" and event["before"] is not None and held.get(name) != event["before"]:
            wrong.append((held.get(name), event["before"]))
        if event["op"] == "d":
            held.pop(name, None)
        else:
            held[name] = event["after"]
    return held, wrong


def unscaled(text, scale):
    return decimal.Decimal(int.from_bytes(base64.b64decode(text), "big", signed=True)).scaleb(-scale)


def test_events_tell_each_change_with_the_row_before(stack):
    stack.tsql("CREATE TABLE dbo.customers (id int NOT NULL PRIMARY KEY, name nvarchar(40), price decimal(10,2), note nvarchar(max), at datetime2(3))")
    stack.enable_cdc("dbo.customers")
    stack.tsql("INSERT INTO dbo.customers VALUES (1, N'Sally', 1.50, N'first', '2026-11-20T12:34:56.789'), (2, N'Öle', -0.01, NULL, NULL)")
    stack.register()
    stack.add_table("dbo.customers", profile="debezium")
    stack.start()
    stack.wait_state("dbo.customers")
    stack.tsql("INSERT INTO dbo.customers VALUES (3, N'new', 2, N'long', NULL)")
    stack.tsql("UPDATE dbo.customers SET price = price * 2 WHERE id IN (1, 2)")
    stack.tsql("UPDATE dbo.customers SET id = 30 WHERE id = 3")
    stack.wait_uploaded("dbo.customers")
    stack.tsql("DELETE FROM dbo.customers WHERE id = 2")
    stack.wait_uploaded("dbo.customers")
    events = events_of(stack, "dbo.customers")
    assert [e["op"] for e in events] == ["r", "r", "c", "u", "u", "d", "c", "d"]
    first = events[0]
    moment = datetime.datetime(2026, 11, 20, 12, 34, 56, 789000, tzinfo=datetime.timezone.utc)
    assert first["before"] is None and first["after"] == {
        "id": 1, "name": "Sally", "price": "AJY=", "note": "first", "at": int(moment.timestamp() * 1000)}
    source = first["source"]
    assert (source["connector"], source["name"], source["db"], source["schema"], source["table"], source["snapshot"]) == (
        "sqlserver", stack.name, stack.name, "dbo", "customers", "true")
    assert source["change_lsn"] is None and source["event_serial_no"] is None
    assert list(first) == ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"]
    update = events[3]
    assert update["source"]["snapshot"] == "false" and update["source"]["event_serial_no"] == 2
    assert [unscaled(update[image]["price"], 2) for image in ("before", "after")] == [decimal.Decimal("1.50"), decimal.Decimal("3.00")]
    assert update["before"]["note"] == update["after"]["note"] == "first", "a LOB that was left alone is read by its key, for both images"
    assert (events[5]["before"]["id"], events[6]["after"]["id"]) == (3, 30), "another key is a delete and a create"
    assert events[5]["source"]["commit_lsn"] == events[6]["source"]["commit_lsn"]
    held, wrong = fold(events, ["id"])
    assert not wrong and set(held) == {(1,), (30,)}
    rows = stack.one("SELECT sum(rows) FROM sluice.file WHERE table_name = %s", stack.table_name("dbo.customers"))
    assert rows == len(events), "the row before is no row of its own in the ledger"
    assert abs(update["source"]["ts_ms"] / 1000 - update["ts_ms"] / 1000) < 120


def test_a_lob_that_is_gone_is_the_placeholder(stack):
    stack.tsql("CREATE TABLE dbo.note (id int NOT NULL PRIMARY KEY, n int, body nvarchar(max), raw varbinary(max), old text)")
    stack.enable_cdc("dbo.note")
    stack.register()
    stack.add_table("dbo.note", profile="debezium")
    stack.start()
    stack.wait_state("dbo.note")
    stack.tsql("BEGIN TRAN; INSERT INTO dbo.note VALUES (1, 1, N'b', 0x01, 't'); UPDATE dbo.note SET n = 2; DELETE FROM dbo.note; COMMIT")
    stack.wait_uploaded("dbo.note")
    create, update, delete = events_of(stack, "dbo.note")
    raw = base64.b64encode(UNAVAILABLE.encode()).decode()
    assert create["after"] == {"id": 1, "n": 1, "body": "b", "raw": "AQ==", "old": "t"}
    assert update["after"] == {"id": 1, "n": 2, "body": UNAVAILABLE, "raw": raw, "old": UNAVAILABLE}
    assert update["before"] == {**update["after"], "n": 1}
    assert delete["before"] == {"id": 1, "n": 2, "body": "b", "raw": "AQ==", "old": UNAVAILABLE}


def test_updates_of_a_table_without_key_show_both_rows(stack):
    stack.tsql("CREATE TABLE dbo.heap (a int, b nvarchar(20))")
    stack.enable_cdc("dbo.heap")
    stack.tsql("INSERT INTO dbo.heap VALUES (1, N'x'), (1, N'x'), (2, N'y')")
    stack.register()
    stack.add_table("dbo.heap", profile="debezium")
    stack.start()
    stack.wait_state("dbo.heap")
    stack.tsql("UPDATE dbo.heap SET a = 5 WHERE a = 1")
    stack.wait_uploaded("dbo.heap")
    bag = collections.Counter()
    for event in events_of(stack, "dbo.heap"):
        bag.subtract([json.dumps(event["before"])] if event["before"] else [])
        bag.update([json.dumps(event["after"])] if event["after"] else [])
    assert +bag == {'{"a": 5, "b": "x"}': 2, '{"a": 2, "b": "y"}': 1} and not -bag


def test_another_key_than_the_tables_own_moves_by_delete_and_create(stack):
    stack.tsql("CREATE TABLE dbo.moved (id int NOT NULL PRIMARY KEY, code int NOT NULL, n int)")
    stack.enable_cdc("dbo.moved")
    stack.register()
    stack.add_table("dbo.moved", profile="debezium", key=["code"])
    stack.start()
    stack.wait_state("dbo.moved")
    stack.tsql("INSERT INTO dbo.moved VALUES (1, 10, 0)")
    stack.tsql("UPDATE dbo.moved SET n = 1")
    stack.tsql("UPDATE dbo.moved SET code = 11")
    stack.wait_uploaded("dbo.moved")
    events = events_of(stack, "dbo.moved")
    assert [(e["op"], e["before"] and e["before"]["code"], e["after"] and e["after"]["code"]) for e in events] == [
        ("c", None, 10), ("u", 10, 10), ("d", 10, None), ("c", None, 11)]


@pytest.mark.parametrize("crash", ["object_after:3", "seal_after:4"])
def test_every_before_is_what_was_held_across_files_batches_and_crashes(stack, tmp_path, crash):
    """Small files and many rows: an update's two rows never part, whatever a batch or a file holds and wherever reading goes on."""
    columns = [Column("id", "int", "int", null=False), Column("n", "int", "int"), Column("pad", "varchar(200)", "varchar")]
    stack.tsql(create_table("dbo.many", columns, ["id"]))
    stack.enable_cdc("dbo.many")
    for start in range(0, 1500, 500):
        stack.tsql("INSERT INTO dbo.many VALUES " + ", ".join(f"({start + n}, 0, '{'x' * 150}')" for n in range(500)))
    for setting in ("lease_seconds", "worker_dead_seconds"):
        stack.set(setting, 2)
    stack.register()
    stack.add_table("dbo.many", profile="debezium", target_file_bytes=65536, compression="none")
    stack.start()
    stack.wait_state("dbo.many")
    stack.stop()
    # One odd row first: a statement that gives an even number of rows then ends between the two of an update.
    stack.tsql("INSERT INTO dbo.many VALUES (9999, 0, 'x')")
    for _ in range(2):
        stack.tsql("UPDATE dbo.many SET n = n + 1")
    tmp_path.chmod(0o777)
    stack.start(SLUICE_CRASH_AT=crash, SLUICE_CRASH_ONCE=str(tmp_path / "once"))
    stack.wait_uploaded("dbo.many")
    assert (tmp_path / "once").exists(), "the worker died on the way"
    events = events_of(stack, "dbo.many")
    assert collections.Counter(e["op"] for e in events) == {"r": 1500, "c": 1, "u": 3002}
    held, wrong = fold(events, ["id"])
    assert not wrong and {row["n"] for row in held.values()} == {2}
    figures = dict(stack.sql("SELECT key, rows FROM sluice.file WHERE table_name = %s", stack.table_name("dbo.many")))
    assert len(figures) >= 6 and figures == {f"{stack.prefix}/{file.key}": len(file_lines(stack, file.key)) for file in stack.landed().of("dbo.many")}


def test_a_connectors_json_captures_the_tables_it_captured(stack):
    for table in ("customers", "orders", "audit"):
        stack.tsql(f"CREATE TABLE dbo.{table} (id int NOT NULL PRIMARY KEY, name nvarchar(20), secret nvarchar(20))")
        stack.enable_cdc(f"dbo.{table}")
        stack.tsql(f"INSERT INTO dbo.{table} VALUES (1, N'{table}', N'hidden')")
    document = json.dumps({"name": "shop-connector", "config": {
        "connector.class": "io.debezium.connector.sqlserver.SqlServerConnector", "tasks.max": "1", "topic.prefix": "server1",
        "database.hostname": stack.simulator.host, "database.port": str(stack.simulator.port), "database.user": stack.simulator.login,
        "database.password": stack.simulator.password, "database.names": stack.name, "database.encrypt": "false", "poll.interval.ms": "100",
        "table.include.list": "dbo\\.(customers|orders)", "column.mask.with.5.chars": ".*\\.secret", "decimal.handling.mode": "string"}})
    stack.add_target()
    stack.environment[f"{stack.name.upper()}_PASSWORD"] = stack.simulator.password
    stack.start()
    ask = "SELECT item, effect FROM sluice.import_debezium(%s, %s, 'lake', dry_run => %s) WHERE effect IN ('add', 'later', 'exists')"
    assert ("tables", "later") in stack.sql(ask, document, stack.name, False)
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    wanted = {(f"table {stack.name}.dbo.{table}", "add") for table in ("customers", "orders")}
    for dry_run in (True, False):
        assert {row for row in stack.sql(ask, document, stack.name, dry_run) if row[0].startswith("table ")} == wanted
    for table in ("customers", "orders"):
        stack.wait_state(f"dbo.{table}")
        stack.wait_uploaded(f"dbo.{table}")
        event, = events_of(stack, f"dbo.{table}")
        assert event["after"] == {"id": 1, "name": table} and event["source"]["name"] == "server1", "and the masked column stays away"
    assert stack.one("SELECT count(*) FROM sluice.table_status") == 2


def test_long_values_are_told_with_the_row_before_whatever_they_sum_up_to(stack):
    """Values that an update leaves alone are read again, and a row before takes as much room as the row itself."""
    stack.tsql("CREATE TABLE dbo.docs (id int NOT NULL PRIMARY KEY, flag int, doc varchar(max))")
    stack.enable_cdc("dbo.docs")
    for i in range(60):
        stack.tsql(f"INSERT INTO dbo.docs VALUES ({i}, 0, '{chr(97 + i % 26) * 60000}')")
    stack.register()
    stack.add_table("dbo.docs", profile="debezium", max_value_bytes=65536)
    stack.start()
    stack.wait_state("dbo.docs")
    stack.tsql("UPDATE dbo.docs SET flag = 1")
    stack.wait_uploaded("dbo.docs")
    stack.tsql(f"UPDATE dbo.docs SET doc = '{'x' * 65000}'")
    stack.wait_uploaded("dbo.docs")
    events = events_of(stack, "dbo.docs")
    assert collections.Counter(event["op"] for event in events) == {"r": 60, "u": 120}
    held, wrong = fold(events, ["id"])
    assert not wrong, f"{len(wrong)} rows before are not what was held"
    assert {row["doc"] for row in held.values()} == {"x" * 65000} and {row["flag"] for row in held.values()} == {1}
    stack.stop()
