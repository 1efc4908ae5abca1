"""The corners of the protocol where rows could be lost or land twice, and trouble of one party that must not stop the others."""
import concurrent.futures
import contextlib
import json
import os
import pwd

import psycopg
import pytest

from cluster import default_worker, server_user
from test_crash import captured
from values import columns_of, differences, source_rows


def make_table(stack, table, rows=3):
    stack.tsql(f"CREATE TABLE {table} (id int NOT NULL PRIMARY KEY, v int NULL)")
    stack.enable_cdc(table)
    for first in range(1, rows + 1, 900):
        stack.tsql(f"INSERT INTO {table} (id, v) VALUES " + ", ".join(f"({n}, {n})" for n in range(first, min(first + 900, rows + 1))))


def stream(stack, *tables, **options):
    """The tables exist, are registered and stream; the worker runs."""
    for table in tables:
        make_table(stack, table)
    stack.register()
    for table in tables:
        stack.add_table(table, **options)
    stack.start()
    for table in tables:
        stack.wait_state(table)
    stack.wait_uploaded(*tables)


def assert_equal(stack, *tables, killed=False):
    """All that the source holds has landed, once."""
    stack.wait_uploaded(*tables)
    landed = stack.check({table: ["id"] for table in tables}, killed=killed)
    for table in tables:
        columns, key = columns_of(stack.simulator, stack.name, table)
        rows = {name: {**dict.fromkeys((c.name for c in columns)), **row} for name, row in landed.fold(table, key).items()}    # a later column is null
        found = differences(columns, key, rows, source_rows(stack.simulator, stack.name, table, columns))
        assert not found, "\n".join(found)
    return landed


@contextlib.contextmanager
def held(stack, statement):
    """What the statement locks stays locked meanwhile."""
    with psycopg.connect(stack.cluster.conninfo(stack.database)) as connection:
        connection.execute(statement)
        yield connection


def claims_held(stack):
    """No runner takes work meanwhile, so that the poller plans ahead of them."""
    return held(stack, "SELECT FROM _sluice.turn FOR UPDATE")


def planned(stack, table, work="cdc"):
    return stack.one("SELECT b.batch_id FROM _sluice.batch b JOIN _sluice.tab t USING (table_id) WHERE t.name = %s AND b.work = %s",
                     stack.table_name(table), work)


def add_later(stack, table, **options):
    """A table that came after the worker's first look at the source."""
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    stack.add_table(table, **options)


# ---- a second capture instance ----------------------------------------------------
def second_instance(stack, table):
    """A column comes, with a capture instance that has it; the first one, without, stays."""
    name = table.replace(".", "_")
    stack.tsql(f"ALTER TABLE {table} ADD extra int NULL")
    stack.enable_cdc(table, capture_instance=f"{name}_2")
    captured(stack)


def forget_changes(stack, change_table, column, value):
    """Rows of a change table go, below the simulator: nobody may delete there by T-SQL."""
    [(database, number)] = stack.simulator.query(f"SELECT DB_ID(), OBJECT_ID('{change_table}')", database=stack.name)
    stack.simulator.cluster.psql(f"DELETE FROM db{database}.o{number} WHERE \"{column}\" = '{value}'", database=stack.simulator.database)


def moved(stack, table):
    """It is read from the second instance now, and was not begun anew for it."""
    name = table.replace(".", "_")
    stack.wait(lambda: stack.one("SELECT instance = %s FROM _sluice.tab WHERE name = %s", f"{name}_2", stack.table_name(table)),
               f"{table} is read from its second instance")
    assert stack.status(table)["epoch"] == 1


def test_second_instance_behind_an_unread_change_is_read_from_its_start(stack):
    stream(stack, "dbo.t")
    stack.sql("SELECT sluice.alter_table(%s, options => '{\"max_file_age\": 3600}')", stack.table_name("dbo.t"))
    stack.tsql("UPDATE dbo.t SET v = 20 WHERE id = 2")
    stack.wait(lambda: stack.one("SELECT pending_since IS NOT NULL FROM _sluice.tab"), "the change is noted and not read")
    stack.stop()
    second_instance(stack, "dbo.t")
    stack.tsql("INSERT INTO dbo.t (id, v, extra) VALUES (5, 5, 50)")
    stack.tsql("UPDATE dbo.t SET v = 30, extra = 30 WHERE id = 3")
    captured(stack)
    stack.sql("SELECT sluice.alter_table(%s, options => '{\"max_file_age\": 0}')", stack.table_name("dbo.t"))
    stack.start()
    moved(stack, "dbo.t")
    landed = assert_equal(stack, "dbo.t")
    assert landed.fold("dbo.t", ["id"])[(5,)]["extra"] == 50
    stack.stop()


def test_table_that_was_idle_moves_to_the_second_instance_at_its_start(stack):
    stream(stack, "dbo.t")
    stack.stop()
    second_instance(stack, "dbo.t")
    stack.tsql("UPDATE dbo.t SET extra = id * 10")
    captured(stack)
    # SQL Server logs nothing for an update that touches no captured column; the simulator logs it with an empty mask.
    forget_changes(stack, "cdc.dbo_t_CT", "__$update_mask", "\\x00")
    [(old,)] = stack.simulator.query("SELECT count(*) FROM cdc.dbo_t_CT WHERE __$operation IN (3, 4)", database=stack.name)
    assert old == 0, "the first instance knows nothing of the update"
    stack.start()
    moved(stack, "dbo.t")
    stack.tsql("INSERT INTO dbo.t (id, v, extra) VALUES (4, 4, 40)")
    assert_equal(stack, "dbo.t")
    stack.stop()


# ---- registration -----------------------------------------------------------------
def test_table_added_while_a_discovery_is_stored_is_looked_up(stack):
    """Neither saw the other: the table would wait for the next discovery, a quarter of an hour."""
    stack.register()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with held(stack, "SELECT FROM _sluice.source_state FOR UPDATE") as storing:
            adding = pool.submit(stack.add_table, "dbo.absent")
            stack.wait(lambda: stack.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"),
                       "add_table waits for the discovery")
            storing.execute("UPDATE _sluice.source_state SET discovered_at = clock_timestamp()")
        adding.result(30)
    assert stack.one("SELECT notice FROM _sluice.tab") != "the source has not been looked at yet"


# ---- commits ----------------------------------------------------------------------
def test_manifest_of_another_registry_under_our_number_is_not_taken_for_ours(stack):
    stream(stack, "dbo.t", max_file_age=0)
    number = stack.one("SELECT next_commit FROM _sluice.pair")
    folder = stack.target_folder / stack.prefix / "_sluice" / stack.name
    manifest = json.loads((folder / f"{number - 1:012}.json").read_text())
    foreign = folder / f"{number:012}.json"
    with claims_held(stack):
        stack.tsql("UPDATE dbo.t SET v = 7 WHERE id = 1")
        batch = stack.wait(lambda: planned(stack, "dbo.t"), "the change is planned")
        end = stack.one("SELECT to_pos FROM _sluice.batch WHERE batch_id = %s", batch)
        # Two registries count their batches alike; that of the epoch is what they cannot share.
        entry = {**manifest["batches"][0], "batch_id": batch, "epoch": 2, "work": "cdc", "files": [
            {"file_no": 0, "key": f"{stack.prefix}/{stack.name}/dbo.t/sluice_epoch=2/sluice_kind=cdc/sluice_day=2026-01-01/sluice_hour=00/theirs-0000.jsonl",
             "attempt": "7" * 32, "first": "00", "last": "ff", "rows": 1, "bytes": 10}]}
        foreign.write_text(json.dumps({**manifest, "commit": number, "control": None, "batches": [entry]}))
    row = stack.wait_state("dbo.t", "error")
    assert foreign.name[:12].lstrip("0") in row["message"] and "prefix" in row["hint"], row
    assert stack.one("SELECT position < %s FROM _sluice.tab", end), "the stream did not move"
    assert stack.one("SELECT count(*) FROM sluice.file WHERE key LIKE '%%theirs%%' OR commit_no = %s", number) == 0
    foreign.unlink()
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name("dbo.t"))
    stack.wait_state("dbo.t")
    assert_equal(stack, "dbo.t")
    stack.stop()


def test_kept_commit_that_loses_a_member_fences_the_others_only(stack, tmp_path):
    """The runner dies between seal and commit of two fences; meanwhile retention takes what one of them has to read."""
    once = tmp_path / "once"
    tmp_path.chmod(0o777)
    tables = ["dbo.a", "dbo.b"]
    for table in tables:
        make_table(stack, table)
    captured(stack)
    stack.tsql("EXEC sys.sp_cdc_stop_job @job_type = N'capture'")           # no fence without it
    stack.register()
    for table in tables:
        stack.add_table(table)
    stack.start()
    stack.wait(lambda: stack.one("SELECT count(*) = 2 AND bool_and(fence_clock IS NOT NULL) FROM _sluice.tab"), "both are loaded")
    stack.stop()
    stack.start(SLUICE_CRASH_AT="group_seal_after", SLUICE_CRASH_ONCE=str(once))
    with claims_held(stack) as claims:
        stack.tsql("EXEC sys.sp_cdc_start_job @job_type = N'capture'")
        stack.wait(lambda: all(planned(stack, table) for table in tables), "both fences are planned")
        with held(stack, "LOCK TABLE _sluice.seal IN SHARE MODE"):
            claims.commit()
            stack.wait(lambda: stack.one("SELECT count(lease_pid) = 2 FROM _sluice.batch"), "both are claimed together")
            claims.execute("SELECT FROM _sluice.turn FOR UPDATE")
        stack.wait(lambda: once.exists() and stack.one("SELECT count(*) = 2 AND count(lease_pid) = 0 FROM _sluice.batch WHERE commit_no IS NOT NULL"),
                   "the runner has died and left a commit")
        stack.tsql("DECLARE @lsn binary(10) = sys.fn_cdc_get_max_lsn(); "
                   "EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_b', @low_water_mark = @lsn, @threshold = 5000")
    stack.wait_state("dbo.a")
    stack.wait_state("dbo.b", "lost")
    fenced = [row["table"] for row in stack.landed().control if row["kind"] == "fence"]
    assert fenced == [stack.table_name("dbo.a")], fenced
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name("dbo.b"))
    stack.wait_state("dbo.b")
    landed = assert_equal(stack, *tables, killed=True)
    assert landed.live_epoch("dbo.b") == 2
    stack.stop()


# ---- loads ------------------------------------------------------------------------
def test_scan_of_a_table_without_key_does_not_give_way_to_changes(stack):
    stack.set("runners", 1)
    stream(stack, "dbo.small", max_file_age=0)
    stack.tsql("CREATE TABLE dbo.bag (a int NULL, b nvarchar(200) NULL)")
    # Before capture begins: a row captured after the scan's L would make the scan inexact, which is another promise.
    stack.tsql("INSERT INTO dbo.bag (a, b) VALUES " + ", ".join(f"({n}, N'{'x' * 190}')" for n in range(900)))
    stack.enable_cdc("dbo.bag")
    # The scan stands half way while a change of the other table comes up for the only runner.
    stack.simulator.fault("match [dbo].[bag]\nstall_after_bytes 2000\ncount 1")
    add_later(stack, "dbo.bag", target_file_bytes=65536, compression="none")
    stack.wait(lambda: stack.one("SELECT lease_pid IS NOT NULL FROM _sluice.batch WHERE keyless IS NOT NULL"), "the scan has begun")
    stack.tsql("UPDATE dbo.small SET v = 7 WHERE id = 1")
    stack.wait(lambda: planned(stack, "dbo.small"), "a change waits")
    assert planned(stack, "dbo.bag", "load"), "the scan goes on"
    stack.simulator.fault("")
    stack.wait_state("dbo.bag")
    assert stack.status("dbo.bag")["epoch"] == 1 and not stack.sql("SELECT message FROM _sluice.event WHERE kind = 'scan'")
    assert_equal(stack, "dbo.small")
    landed = stack.landed()
    assert {file.epoch for file in landed.of("dbo.bag")} == {1}, "it did not begin anew"
    assert sorted(row["a"] for file in landed.of("dbo.bag") for row in file.rows) == list(range(900))
    stack.stop()


def test_table_that_cannot_be_split_or_is_dropped_meanwhile_holds_up_no_other(stack):
    stream(stack, "dbo.small", max_file_age=0)
    make_table(stack, "dbo.big", rows=900)
    stack.simulator.fault("match OFFSET 49 ROWS\ndrop_after_bytes 0\ncount 0")
    add_later(stack, "dbo.big", load_range_rows=50)
    stack.wait(lambda: stack.one("SELECT load_open FROM _sluice.tab WHERE table_name = 'big'"), "the ranges of the large table are asked for")
    stack.tsql("UPDATE dbo.small SET v = 7 WHERE id = 1")
    assert_equal(stack, "dbo.small")
    assert stack.one("SELECT load_open AND load_range = 0 FROM _sluice.tab WHERE table_name = 'big'"), "it was not split meanwhile"
    stack.tsql("EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = N'big', @capture_instance = N'all'")
    stack.tsql("DROP TABLE dbo.big")
    stack.simulator.fault("")
    row = stack.wait_state("dbo.big", "gone")
    assert row["hint"], row
    stack.tsql("UPDATE dbo.small SET v = 8 WHERE id = 1")
    assert_equal(stack, "dbo.small")
    assert stack.status("dbo.small")["state"] == "streaming"
    stack.stop()


# ---- what is to be mended elsewhere -----------------------------------------------
def troubles(stack):
    """(table, message, hint) of the tables that say why they do not go on; none may have stopped for good."""
    rows = stack.sql("SELECT name, trouble, message, hint FROM _sluice.tab")
    assert not [row for row in rows if row[1]], rows
    return [(name, message, hint) for name, _, message, hint in rows if message]


def test_wrong_password_for_a_while_stops_no_table(stack):
    tables = [f"dbo.t{n}" for n in range(3)]
    stack.environment["SLUICE_WRONG_PASSWORD"] = "not-it"
    stream(stack, *tables, max_file_age=0)
    with claims_held(stack):
        for table in tables:
            stack.tsql(f"UPDATE {table} SET v = 7 WHERE id = 1")
        stack.wait(lambda: all(planned(stack, table) for table in tables), "all changes are planned")
        stack.sql("SELECT sluice.alter_source(%s, options => '{\"password_env\": \"SLUICE_WRONG_PASSWORD\"}')", stack.name)
    told = stack.wait(lambda: len(found := troubles(stack)) == 3 and found, "the tables say why they wait")
    assert all("login" in f"{message} {hint}".lower() and hint for _, message, hint in told), told
    stack.sql("SELECT sluice.alter_source(%s, options => %s::jsonb)", stack.name, json.dumps({"password_env": stack.source_options()["password_env"]}))
    for table in tables:
        stack.wait_state(table)
    assert_equal(stack, *tables)
    assert not troubles(stack)
    stack.stop()


@pytest.fixture
def refused_worker(monkeypatch, tmp_path):
    """Workers run as a user whom a folder can refuse: root is refused nothing. Returns what gives a folder to that user."""
    user = server_user()
    if user is None:
        return lambda folder: None
    account = pwd.getpwnam(user)
    wrapper = tmp_path / "worker"
    wrapper.write_text(f'#!/bin/sh\nexec setpriv --reuid={account.pw_uid} --regid={account.pw_gid} --clear-groups {default_worker()} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("SLUICE_WORKER", str(wrapper))
    return lambda folder: os.chown(folder, account.pw_uid, account.pw_gid)


@pytest.mark.parametrize("part", ["everything", "manifests"])
def test_target_that_refuses_for_a_while_stops_no_table(stack, refused_worker, part):
    refused_worker(stack.target_folder)
    folder = stack.target_folder / ("" if part == "everything" else f"{stack.prefix}/_sluice/{stack.name}")
    stream(stack, "dbo.t", "dbo.u", max_file_age=0)
    make_table(stack, "dbo.late")
    folder.chmod(0)
    add_later(stack, "dbo.late")
    for table in ("dbo.t", "dbo.u"):
        stack.tsql(f"UPDATE {table} SET v = 7 WHERE id = 1")
    told = stack.wait(lambda: len(found := troubles(stack)) == 3 and found, "the tables say why they wait")
    assert all(str(folder) in message and hint for _, message, hint in told), told
    again = stack.one("SELECT max(fail_count) FROM _sluice.batch")
    stack.wait(lambda: stack.one("SELECT min(fail_count) FROM _sluice.batch") > again, "it is tried again and again")
    troubles(stack)
    folder.chmod(0o755)
    for table in ("dbo.t", "dbo.u", "dbo.late"):
        stack.wait_state(table)
    assert_equal(stack, "dbo.t", "dbo.u", "dbo.late")
    assert not troubles(stack)
    stack.stop()


THEIRS = "7" * 32       # an attempt that this registry has not sealed


def put_foreign(stack, table, hours):
    """An object of another writer at the key that the planned batch of the table will want; its folders, one an hour."""
    path, stem = stack.sql("SELECT _sluice.table_path(t), b.stem FROM _sluice.batch b JOIN _sluice.tab t USING (table_id) WHERE t.name = %s",
                           stack.table_name(table))[0]
    made = []
    for hour in hours:
        file = stack.target_folder / path / f"sluice_epoch=1/sluice_kind=cdc/sluice_day={hour:%Y-%m-%d}/sluice_hour={hour:%H}" / f"{stem}-0000.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"theirs": 1}\n')
        with contextlib.suppress(OSError):          # a file system without them: then it carries none
            os.setxattr(file, "user.sluice.attempt", THEIRS.encode())
        made.append(file)
    return made


def source_hour(stack):
    return stack.simulator.query("SELECT GETUTCDATE()")[0][0].replace(minute=0, second=0, microsecond=0)


def test_foreign_object_stops_its_table_and_no_other_of_the_group(stack):
    tables = [f"dbo.t{n}" for n in range(4)]
    stream(stack, *tables, max_file_age=0, compression="none")
    with claims_held(stack):
        hours = {source_hour(stack)}
        for table in tables:
            stack.tsql(f"UPDATE {table} SET v = 7 WHERE id = 1")
        hours.add(source_hour(stack))
        stack.wait(lambda: all(planned(stack, table) for table in tables), "all changes are planned")
        foreign = put_foreign(stack, "dbo.t2", hours)
    row = stack.wait_state("dbo.t2", "error")
    assert foreign[0].name in row["message"] and "attempt" in row["message"] and "prefix" in row["hint"], row
    assert THEIRS in row["message"] or "attempt \"\"" in row["message"], row
    others = [table for table in tables if table != "dbo.t2"]
    for table in others:
        stack.tsql(f"UPDATE {table} SET v = 8 WHERE id = 1")
    stack.wait_uploaded(*others)
    assert [stack.status(table)["state"] for table in others] == ["streaming"] * 3
    for file in foreign:
        file.unlink()
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name("dbo.t2"))
    stack.wait_state("dbo.t2")
    assert_equal(stack, *tables)
    stack.stop()
