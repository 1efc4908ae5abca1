"""The ledger and the bucket agree: schema files for every table, a lost, strange or changed object is named, gone epochs are purged."""
import hashlib
import json

import duckdb
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


def test_engines_see_every_column_of_a_table_without_rows(stack):
    """DuckDB globs the folder of an empty table, as a consumer's view does."""
    formats = {"jsonl": "zstd", "csv": "none", "parquet": "zstd"}
    for name in formats:
        item_table(stack, f"as_{name}", rows=0)
    stack.register()
    for name, compression in formats.items():
        stack.add_table(f"dbo.as_{name}", format=name, compression=compression)
    stack.start()
    for name in formats:
        stack.wait_state(f"dbo.as_{name}")
    landed = stack.check()
    assert len(landed.schemas) == 3
    [jsonl] = [stack.store().read(key) for key in landed.schemas if key.endswith(".jsonl.zst")]
    assert jsonl, "an empty file that is a whole zstd frame"
    folder = stack.target_folder / stack.prefix / stack.name
    for name, reader in (("csv", "read_csv('{}', hive_partitioning = true, header = true)"), ("parquet", "read_parquet('{}', hive_partitioning = true)")):
        answer = duckdb.sql("SELECT * FROM " + reader.format(f"{folder}/dbo.as_{name}/**/*.{name}"))
        assert answer.fetchall() == [] and {"id", "v", "_sluice_op", "_sluice_seq", "_sluice_epoch", "sluice_kind", "sluice_day"} <= set(answer.columns), answer.columns
    stack.tsql("INSERT INTO dbo.as_parquet (id, v) VALUES (1, N'a')")
    stack.wait_uploaded("dbo.as_parquet")
    assert duckdb.sql(f"SELECT id, v FROM read_parquet('{folder}/dbo.as_parquet/**/*.parquet', hive_partitioning = true)").fetchall() == [(1, "a")]
    stack.stop()


@pytest.mark.parametrize("format, compression", [("jsonl", "none"), ("jsonl", "zstd"), ("parquet", "zstd")])
def test_files_of_a_large_load_have_the_size_asked_for(stack, format, compression):
    """Within 5 %, but for the last of each range. A column batch (256 KiB of values) must be small against the file."""
    rows, size = (45000, 3000000) if compression == "none" else (80000, 1000000)
    stack.tsql("CREATE TABLE dbo.big (id int NOT NULL PRIMARY KEY, a varchar(80) NOT NULL)")
    for start in range(0, rows, 1000):
        stack.tsql("INSERT INTO dbo.big (id, a) VALUES " + ", ".join(f"({n}, '{hashlib.sha256(str(n).encode()).hexdigest()}')" for n in range(start, start + 1000)))
    stack.enable_cdc("dbo.big")
    stack.register()
    stack.add_table("dbo.big", format=format, compression=compression, target_file_bytes=size)
    stack.start()
    stack.wait_state("dbo.big", timeout_s=90)
    files = [size for (size,) in stack.sql("SELECT bytes FROM sluice.file WHERE kind = 'load' ORDER BY file_no")]
    assert len(files) >= 3 and all(abs(found - size) <= size * 0.05 for found in files[:-1]), files
    assert stack.one("SELECT sum(rows) FROM sluice.file WHERE kind = 'load'") == rows
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
    assert sorted(landed.schemas.values()) == [(table, 1, 1), (table, 1, 2), (table, 2, 3)]     # of an epoch whose rows all have it, the column is not one that came later
    assert [d["version"] for _, d in sorted(schema_documents(stack, table).items())] == [1, 2, 3]
    stack.stop()


# ---- verify -----------------------------------------------------------------------
def refreshed(stack, table):
    """verify_files once a verify that began after the call has ended: ({finding: objects}, {key: finding})."""
    began = stack.one("SELECT clock_timestamp()")

    def verified():
        stack.sql("CALL sluice.refresh(%s)", stack.table_name(table))
        return stack.one("SELECT max(started_at) > %s FROM sluice.job WHERE kind = 'verify' AND state = 'done'", began)
    stack.wait(verified, "the verify is done")
    rows = stack.sql("SELECT key, finding, objects, rows, detail FROM sluice.verify_files(%s)", stack.table_name(table))
    assert rows[0][1] == "age" and "verified 00:00:0" in rows[0][4], rows[0]
    return ({finding: objects for key, finding, objects, _, _ in rows[1:] if key is None}, {key: finding for key, finding, *_ in rows[1:] if key is not None})


def streaming_item(stack, **options):
    table = item_table(stack)
    stack.register()
    stack.add_table(table, **options)
    stack.start()
    stack.wait_state(table)
    stack.tsql("UPDATE dbo.item SET v = N'changed' WHERE id < 5")
    stack.wait_uploaded(table)
    return table


def remove(stack, key):
    if stack.bucket:
        stack.bucket.client.delete_object(Bucket=stack.bucket.name, Key=f"{stack.prefix}/{key}")
    else:
        (stack.target_folder / stack.prefix / key).unlink()


def put(stack, key, data):
    if stack.bucket:
        stack.bucket.client.put_object(Bucket=stack.bucket.name, Key=f"{stack.prefix}/{key}", Body=data)
    else:
        path = stack.target_folder / stack.prefix / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)


def test_verify_names_what_is_missing_foreign_and_changed(any_stack):
    stack = any_stack
    table = streaming_item(stack)
    name = stack.table_name(table)
    first = stack.sql("SELECT finding, detail FROM sluice.verify_files(%s)", name)
    assert len(first) == 1 and first[0][0] == "age" and first[0][1].startswith("never verified; job "), first
    totals, found = refreshed(stack, table)
    objects = stack.sql("SELECT key, kind FROM sluice.file WHERE table_name = %s", name)
    assert totals == {"agreed": len(objects), "missing": 0, "expired": 0, "foreign": 0, "changed": 0} and not found and len(objects) >= 3
    load, change = ([key.removeprefix("lake/") for key, kind in objects if kind == wanted][0] for wanted in ("load", "cdc"))
    strange = load.rsplit("/", 1)[0] + "/stranger.jsonl.zst"
    data = stack.store().read(change)
    remove(stack, load)
    put(stack, strange, b"not ours")
    put(stack, change, data[:-1] + bytes([data[-1] ^ 1]))
    totals, found = refreshed(stack, table)
    assert found == {"lake/" + load: "missing", "lake/" + strange: "foreign", "lake/" + change: "changed"}, found
    assert totals == {"agreed": len(objects) - 2, "missing": 1, "expired": 0, "foreign": 1, "changed": 1}
    stack.tsql("UPDATE dbo.item SET v = N'more' WHERE id = 9")
    stack.wait_uploaded(table)
    last = stack.one("SELECT max(last_seq) FROM sluice.file WHERE table_name = %s", name)
    assert stack.sql("SELECT state FROM sluice.acknowledge('silver', %s, %s)", name, last) == [("moved",)]
    totals, found = refreshed(stack, table)
    assert found["lake/" + load] == "expired" and (totals["missing"], totals["expired"]) == (0, 1), found
    stack.stop()


def test_days_that_left_the_ledger_are_judged_by_the_manifests(stack):
    table = streaming_item(stack)
    # What happened today was long ago for the ledger: its day goes, the objects stay.
    stack.stop()
    stack.sql("DELETE FROM _sluice.file")
    stack.sql("UPDATE _sluice.epoch SET begun_at = begun_at - interval '100 days'")
    stack.sql("SELECT sluice.alter_setting('ledger_keep_days', '1')")
    stack.sql("CREATE FUNCTION public.shift() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.old_before IS NOT NULL THEN new.old_before := '2100-01-01'; END IF; RETURN new; END $$;"
              "CREATE TRIGGER shift BEFORE UPDATE ON _sluice.walk FOR EACH ROW EXECUTE FUNCTION public.shift()")
    gone = sorted(key for key in stack.store().keys() if "sluice_kind=cdc" in key and "control" not in key)[0]
    remove(stack, gone)
    stack.start()
    totals, found = refreshed(stack, table)
    assert found == {"lake/" + gone: "missing"} and totals["agreed"] == 1, (totals, found)
    assert stack.one("SELECT count(*) FROM _sluice.verify_known") == 0, "the ledger is kept small"
    stack.stop()


# ---- purge ------------------------------------------------------------------------
def resynced(stack, table, times=1):
    for _ in range(times):
        epoch = stack.status(table)["epoch"]
        stack.sql("SELECT * FROM sluice.resync_table(%s)", stack.table_name(table))
        stack.wait(lambda: (r := stack.status(table))["epoch"] == epoch + 1 and r["state"] == "streaming", "the new epoch streams")


def purged(stack, table):
    [(job, state)] = stack.sql("SELECT job, state FROM sluice.purge_files(%s, false)", stack.table_name(table))
    stack.wait(lambda: stack.one("SELECT state = 'done' FROM sluice.job WHERE job = %s", job), "the purge is done")
    return job


def epochs_there(stack, table):
    return {int(key.split("sluice_epoch=")[1].split("/")[0]) for key in stack.store().keys() if key.startswith(f"{stack.name}/{table}/")}


def test_purge_deletes_gone_epochs_and_nothing_else(any_stack):
    stack = any_stack
    table = streaming_item(stack)
    other = item_table(stack, "other")
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    stack.add_table(other)
    stack.wait_state(other)
    name = stack.table_name(table)
    assert stack.sql("SELECT * FROM sluice.purge_files(%s)", name) == []
    resynced(stack, table, 2)
    put(stack, f"{stack.name}/{table}/sluice_epoch=1/sluice_kind=cdc/sluice_day=2020-01-01/sluice_hour=00/stranger.jsonl", b"orphan")
    put(stack, f"{stack.name}/{table}/sluice_epoch=17/sluice_kind=cdc/sluice_day=2020-01-01/sluice_hour=00/theirs.jsonl", b"another registry's")
    dry = stack.sql("SELECT epoch, objects, state FROM sluice.purge_files(%s)", name)
    assert [row[0] for row in dry] == [1, 2] and all(objects >= 2 for _, objects, _ in dry), dry
    live = {key for key in stack.store().keys() if f"{table}/sluice_epoch=" not in key or "sluice_epoch=3/" in key or "sluice_epoch=17/" in key}
    purged(stack, table)
    assert set(stack.store().keys()) == live
    assert stack.one("SELECT message FROM sluice.job WHERE kind = 'purge'").startswith(f"{sum(row[1] for row in dry) + 1} objects, ")
    assert stack.sql("SELECT DISTINCT epoch, state FROM sluice.file WHERE table_name = %s ORDER BY 1", name) == [(1, "purged"), (2, "purged"), (3, "landed")]
    assert stack.sql("SELECT * FROM sluice.purge_files(%s)", name) == []
    remove(stack, f"{stack.name}/{table}/sluice_epoch=17/sluice_kind=cdc/sluice_day=2020-01-01/sluice_hour=00/theirs.jsonl")
    totals, found = refreshed(stack, table)
    assert not found and totals["missing"] == 0, found
    landed = stack.check({table: ["id"], other: ["id"]})
    assert len(landed.fold(table, ["id"])) == 10 and len(landed.fold(other, ["id"])) == 10
    stack.stop()


def test_verify_goes_on_after_a_kill_in_its_midst(stack, tmp_path):
    table = streaming_item(stack)
    stack.stop()
    tmp_path.chmod(0o777)
    once = tmp_path / "once"
    stack.start(SLUICE_CRASH_AT="verify_page", SLUICE_CRASH_ONCE=str(once))
    totals, found = refreshed(stack, table)
    assert once.exists() and totals["agreed"] >= 3 and not found
    stack.stop()


@pytest.mark.parametrize("point, target", [("purge_marked", "folder"), ("purge_removed", "s3")])
def test_purge_goes_on_after_a_kill_in_its_midst(make_stack, make_bucket, tmp_path, point, target):
    stack = make_stack(target=make_bucket() if target == "s3" else None)
    table = streaming_item(stack)
    resynced(stack, table)
    stack.stop()
    tmp_path.chmod(0o777)
    once = tmp_path / "once"
    stack.start(SLUICE_CRASH_AT=point, SLUICE_CRASH_ONCE=str(once))
    purged(stack, table)
    assert once.exists() and epochs_there(stack, table) == {2}
    totals, found = refreshed(stack, table)
    assert not found, found
    assert stack.one("SELECT count(*) FROM sluice.file WHERE epoch = 1 AND state <> 'purged'") == 0
    stack.stop()


def test_purge_waits_for_the_new_epoch_to_be_whole(stack):
    table = streaming_item(stack)
    stack.stop()
    stack.sql("UPDATE _sluice.tab SET phase = 'registered'")
    state, message, hint = stack.error("SELECT * FROM sluice.purge_files(%s, false)", stack.table_name(table))
    assert state == "55000" and "not whole" in message and "table_status" in hint


def test_drop_table_can_take_its_files_along(any_stack):
    stack = any_stack
    table = streaming_item(stack)
    resynced(stack, table)
    message = stack.one("SELECT sluice.drop_table(%s, keep_files => false)", stack.table_name(table))
    job = int(message.split("job ")[1].split(" ")[0])
    stack.wait(lambda: stack.one("SELECT state = 'done' FROM sluice.job WHERE job = %s", job), "the files are deleted")
    assert epochs_there(stack, table) == set()
    assert schema_documents(stack, table), "what proves and explains stays"
    stack.add_table(table)
    stack.wait_state(table)
    assert stack.status(table)["epoch"] == 3 and len(stack.landed().fold(table, ["id"])) == 10
    stack.stop()


def test_unfinished_uploads_are_swept_once_a_day(make_stack, make_bucket):
    """What is old is the sink's to say; here: that each source and target is asked, a day after the last time."""
    stack = make_stack(target=make_bucket())
    table = item_table(stack)
    stack.register()
    stack.add_table(table)
    stack.start()
    stack.wait_state(table)
    assert stack.one("SELECT count(*) FROM sluice.batch WHERE work = 'sweep'") == 0, "recovery has just done it"
    stack.stop()
    stack.sql("UPDATE _sluice.pair SET swept_at = swept_at - interval '25 hours'; UPDATE _sluice.turn SET upkeep_at = NULL")
    stack.start()
    stack.wait(lambda: stack.one("SELECT bool_and(swept_at > clock_timestamp() - interval '1 hour') FROM _sluice.pair"), "it is swept")
    assert stack.sql("SELECT work, state FROM sluice.batch WHERE work = 'sweep'") == [("sweep", "committed")]
    stack.check({table: ["id"]})
    stack.stop()
