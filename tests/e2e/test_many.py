"""Many tables: one's trouble is its own. Resync, schema change, two workers, idle tables."""
import json

import pytest

from values import MIXED_KEY, columns_of, differences, source_rows
from workload import Workload

TABLES = 20
BAD = "dbo.t07"


def small_tables(stack, count=TABLES, bad=None, bad_columns="id int NOT NULL PRIMARY KEY, v nvarchar(40) NULL"):
    tables = [f"dbo.t{n:02}" for n in range(count)]
    script = []
    for table in tables:
        columns = bad_columns if table == bad else "id int NOT NULL PRIMARY KEY, v nvarchar(40) NULL"
        script += [f"CREATE TABLE {table} ({columns})",
                   f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{table.split('.')[1]}', @role_name = NULL",
                   f"INSERT INTO {table} (id, v) VALUES " + ", ".join(f"({n}, N'{table} {n}')" for n in range(20))]
    stack.tsql("\nGO\n".join(script))
    return tables


def change(stack, tables, n):
    stack.tsql("\nGO\n".join(
        f"BEGIN TRANSACTION; INSERT INTO {table} (id, v) VALUES ({100 + n}, N'new'); UPDATE {table} SET v = N'changed {n}' WHERE id = {n}; "
        f"DELETE FROM {table} WHERE id = {19 - n}; COMMIT" for table in tables))


def assert_equal(stack, tables, landed=None):
    landed = landed or stack.check({table: ["id"] for table in tables})
    for table in tables:
        columns, key = columns_of(stack.simulator, stack.name, table)
        found = differences(columns, key, landed.fold(table, key), source_rows(stack.simulator, stack.name, table, columns))
        assert not found, f"{table}\n" + "\n".join(found)
    return landed


def register_all(stack, tables, **source_options):
    stack.register(**source_options)
    for table in tables:
        stack.add_table(table)


def deny(stack):
    """A login that may read everything but one table."""
    stack.simulator.exec_sql("CREATE LOGIN reader_" + stack.name + " WITH PASSWORD = 'Reader-pass-1'")
    stack.tsql(f"CREATE USER reader_{stack.name} FOR LOGIN reader_{stack.name}")
    stack.tsql(f"ALTER ROLE db_datareader ADD MEMBER reader_{stack.name}")
    stack.tsql(f"DENY SELECT ON OBJECT::{BAD} TO reader_{stack.name}")
    stack.environment["SLUICE_READER_PASSWORD"] = "Reader-pass-1"
    return {"user": f"reader_{stack.name}", "password_env": "SLUICE_READER_PASSWORD"}


def bad_row(stack, *states):
    return stack.wait(lambda: (row := stack.status(BAD)) and row["state"] in states and row, f"{BAD} is {states}")


def test_denied_table_says_so_and_the_others_go_on(stack):
    tables = small_tables(stack)
    others = [t for t in tables if t != BAD]
    register_all(stack, tables, **deny(stack))
    stack.start()
    for table in others:
        stack.wait_state(table)
    change(stack, others, 1)
    stack.wait_uploaded(*others)
    row = bad_row(stack, "error")
    assert "permission" in row["message"].lower() or "denied" in row["message"].lower()
    assert "check_source" in row["hint"] or "GRANT SELECT" in row["hint"], row["hint"]
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    fixes = [fix for (fix,) in stack.sql("SELECT fix_sql FROM sluice.check_source(%s) WHERE NOT ok UNION ALL SELECT fix_sql FROM sluice.check_cdc(%s) WHERE NOT ok",
                                         stack.name, stack.name)]
    assert any("GRANT SELECT" in (fix or "") for fix in fixes), fixes
    assert_equal(stack, others)
    stack.tsql(f"REVOKE SELECT ON OBJECT::{BAD} TO reader_{stack.name}")
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name(BAD))
    stack.wait_state(BAD)
    stack.wait_uploaded(*tables)
    assert_equal(stack, tables)
    stack.stop()


def later_type(stack):
    """Turns a column into one of a type that a later SQL Server has: the simulator's catalogue is told so behind its back."""
    stack.simulator.cluster.psql("INSERT INTO mssql.type VALUES ('vector', 255, 255, -1, 0, 0, 0) ON CONFLICT DO NOTHING; "
                                 "UPDATE mssql.column SET user_type_id = 255, system_type_id = 255 WHERE name = 'k_vector'",
                                 database=stack.simulator.database)


def test_refused_type_names_the_column_and_the_others_go_on(stack):
    tables = small_tables(stack, bad=BAD, bad_columns="id int NOT NULL PRIMARY KEY, v nvarchar(40) NULL, k_vector varbinary(max) NULL")
    later_type(stack)
    others = [t for t in tables if t != BAD]
    register_all(stack, tables)
    stack.start()
    for table in others:
        stack.wait_state(table)
    change(stack, others, 1)
    stack.wait_uploaded(*others)
    row = bad_row(stack, "error")
    assert "k_vector" in row["message"] and "vector" in row["message"], row
    assert "exclude" in row["hint"], row
    assert_equal(stack, others)
    stack.sql("SELECT sluice.alter_table(%s, options => %s::jsonb)", stack.table_name(BAD), json.dumps({"exclude": ["k_vector"]}))
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name(BAD))
    stack.wait_state(BAD)
    stack.stop()


def test_cdc_disabled_in_mid_stream_is_gone_and_the_others_go_on(stack):
    tables = small_tables(stack)
    others = [t for t in tables if t != BAD]
    register_all(stack, tables)
    stack.start()
    for table in tables:
        stack.wait_state(table)
    name = BAD.split(".")[1]
    stack.tsql(f"EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = N'{name}', @capture_instance = N'all'")
    for n in range(1, 4):
        change(stack, others, n)
    stack.wait_uploaded(*others)
    row = bad_row(stack, "gone", "error", "lost")
    assert row["hint"] and "cdc_script" in row["hint"], row
    assert_equal(stack, others)
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    stack.tsql(stack.one("SELECT sluice.cdc_script(%s, %s)", stack.name, BAD))
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(BAD))
    stack.wait_state(BAD)
    change(stack, tables, 5)
    stack.wait_uploaded(*tables)
    assert_equal(stack, tables)
    stack.stop()


def test_resync_of_one_table_under_load_leaves_the_others_alone(stack):
    work = Workload(stack).fill(3000)
    tables = small_tables(stack, 5)
    register_all(stack, [work.table, *tables])
    stack.start()
    for table in (work.table, *tables):
        stack.wait_state(table)
    with work:
        before = {table: stack.status(table)["epoch"] for table in (work.table, *tables)}
        first = stack.sql("SELECT job, state FROM sluice.resync_table(%s, request_key => 'k1')", stack.table_name(work.table))
        again = stack.sql("SELECT job, state FROM sluice.resync_table(%s, request_key => 'k1')", stack.table_name(work.table))
        assert first[0][0] == again[0][0], "asking twice is the same job"
        change(stack, tables, 2)
        stack.wait_uploaded(*tables)
        stack.wait(lambda: stack.status(work.table)["epoch"] > before[work.table] and stack.status(work.table)["state"] == "streaming",
                   "the resync is through")
    stack.wait_uploaded(work.table, *tables)
    assert {table: stack.status(table)["epoch"] for table in tables} == {table: before[table] for table in tables}
    landed = assert_equal(stack, tables, stack.check({work.table: MIXED_KEY}))
    found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY),
                        source_rows(stack.simulator, stack.name, work.table, work.columns))
    assert not found, "\n".join(found)
    stack.wait(lambda: stack.landed().live_epoch(work.table) == stack.status(work.table)["epoch"], "older epochs are declared gone")
    stack.stop()


def test_rolled_back_resync_leaves_nothing(stack):
    tables = small_tables(stack, 1)
    register_all(stack, tables)
    stack.start()
    stack.wait_state(tables[0])
    jobs = stack.one("SELECT count(*) FROM sluice.job")
    stack.sql(f"BEGIN; SELECT sluice.resync_table('{stack.table_name(tables[0])}'); SELECT sluice.pause_table('{stack.table_name(tables[0])}'); ROLLBACK")
    assert stack.one("SELECT count(*) FROM sluice.job") == jobs
    change(stack, tables, 1)
    stack.wait_uploaded(*tables)
    assert stack.status(tables[0])["epoch"] == 1
    assert_equal(stack, tables)
    stack.stop()


def test_pause_and_resume_lose_nothing(stack):
    tables = small_tables(stack, 2)
    register_all(stack, tables)
    stack.start()
    for table in tables:
        stack.wait_state(table)
    stack.sql("SELECT sluice.pause_table(%s)", stack.table_name(tables[0]))
    change(stack, tables, 1)
    stack.wait_uploaded(tables[1])
    assert stack.status(tables[0])["wanted"] == "paused"
    change(stack, tables, 2)
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name(tables[0]))
    stack.wait_uploaded(*tables)
    assert_equal(stack, tables)
    stack.stop()


def test_added_column_comes_with_the_second_instance_and_nothing_is_lost(stack):
    table = small_tables(stack, 1)[0]
    register_all(stack, [table])
    stack.start()
    stack.wait_state(table)
    change(stack, [table], 1)
    stack.tsql(f"ALTER TABLE {table} ADD extra int NULL")
    stack.tsql(f"UPDATE {table} SET extra = 7 WHERE id = 2")
    told = stack.wait(lambda: (row := stack.status(table)) and "extra" in str(row) and row, "the missing column is announced")
    assert "sp_cdc_enable_table" in str(told), "with the script for a second instance"
    stack.enable_cdc(table, capture_instance="dbo_t00_v2")
    stack.tsql(f"UPDATE {table} SET extra = id")
    change(stack, [table], 3)
    stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.schema_version") >= 2, "a new schema version")
    stack.wait_uploaded(table)
    assert stack.status(table)["epoch"] == 1, "no new load"
    landed = stack.check({table: ["id"]})
    folded = landed.fold(table, ["id"])
    source = stack.simulator.query(f"SELECT id, v, extra FROM {table}", database=stack.name)
    assert {key[0]: (row["v"], row.get("extra")) for key, row in folded.items()} == {id: (v, extra) for id, v, extra in source}
    stack.stop()


def test_second_instance_that_appears_during_a_load_gives_every_value(stack):
    table = small_tables(stack, 1)[0]
    stack.register()
    stack.add_table(table, load_range_rows=1)
    stack.start()
    stack.wait(lambda: (row := stack.status(table)) and row["rows_loaded"] and row, "some rows are loaded")
    stack.sql("SELECT sluice.pause_table(%s)", stack.table_name(table))
    assert stack.status(table)["state"] == "loading", "the load is open"
    stack.tsql(f"ALTER TABLE {table} ADD extra int NULL")
    stack.enable_cdc(table, capture_instance="dbo_t00_v2")
    stack.tsql(f"UPDATE {table} SET extra = id")
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name(table))
    stack.wait(lambda: (row := stack.status(table)) and row["state"] == "streaming"
               and stack.one("SELECT max(version) FROM sluice.schema_version") >= 2 and row, "streaming with the new column")
    stack.tsql(f"UPDATE {table} SET extra = extra + 1 WHERE id = 5")
    stack.wait_uploaded(table)
    folded = stack.check({table: ["id"]}).fold(table, ["id"])
    source = stack.simulator.query(f"SELECT id, extra FROM {table}", database=stack.name)
    assert {key[0]: row.get("extra") for key, row in folded.items()} == dict(source)
    stack.stop()


def test_dropped_column_is_a_new_epoch(stack):
    table = small_tables(stack, 1)[0]
    register_all(stack, [table])
    stack.start()
    stack.wait_state(table)
    stack.tsql(f"ALTER TABLE {table} DROP COLUMN v")
    stack.enable_cdc(table, capture_instance="dbo_t00_v2")
    stack.tsql(f"INSERT INTO {table} (id) VALUES (500)")
    stack.wait(lambda: stack.status(table)["epoch"] == 2 and stack.status(table)["state"] == "streaming", "a new epoch")
    stack.wait_uploaded(table)
    assert_equal(stack, [table])
    stack.stop()


def test_truncate_of_a_captured_table_is_refused_by_the_source(stack):
    table = small_tables(stack, 1)[0]
    with pytest.raises(Exception, match="(?i)truncate"):
        stack.tsql(f"TRUNCATE TABLE {table}")


def test_two_workers_share_one_registry(stack):
    work = Workload(stack).fill(5000)
    tables = small_tables(stack, 6)
    register_all(stack, tables)
    stack.add_table(work.table, load_range_rows=500)
    stack.start()
    stack.start()
    with work:
        for n in range(3):
            change(stack, tables, n)
        for table in (work.table, *tables):
            stack.wait_state(table)
    stack.wait_uploaded(work.table, *tables)
    landed = assert_equal(stack, tables, stack.check({work.table: MIXED_KEY, **{t: ["id"] for t in tables}}))
    found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY),
                        source_rows(stack.simulator, stack.name, work.table, work.columns))
    assert not found, "\n".join(found)
    stack.stop()


def test_idle_tables_write_nothing(stack):
    tables = small_tables(stack, 5)
    register_all(stack, tables)
    stack.start()
    for table in tables:
        stack.wait_state(table)
    stack.wait_uploaded(*tables)

    def figures():
        return (sorted(stack.store().keys()), stack.sql("SELECT table_id, xmin::text FROM _sluice.tab ORDER BY 1"),
                stack.one("SELECT count(*) FROM sluice.batch"), stack.one("SELECT count(*) FROM sluice.event"))
    before = figures()
    polled = stack.one("SELECT polled_at FROM sluice.source_status")
    cuts = stack.one("SELECT position FROM _sluice.source_state")
    stack.wait(lambda: stack.one("SELECT polled_at FROM sluice.source_status") > polled and
               stack.one("SELECT position FROM _sluice.source_state") > cuts, "the cut moves on")
    assert figures() == before
    stack.stop()


def test_keyless_table_folds_as_a_multiset_under_change(stack):
    stack.tsql("CREATE TABLE dbo.bag (a int NULL, b nvarchar(20) NULL)")
    stack.enable_cdc("dbo.bag")
    stack.tsql("INSERT INTO dbo.bag (a, b) VALUES (1, N'x'), (1, N'x'), (2, NULL), (NULL, N'')")
    register_all(stack, ["dbo.bag"])
    stack.start()
    stack.wait_state("dbo.bag")
    stack.tsql("INSERT INTO dbo.bag (a, b) VALUES (1, N'x'), (3, N'y')")
    stack.tsql("UPDATE dbo.bag SET b = N'z' WHERE a = 2")
    stack.tsql("DELETE FROM dbo.bag WHERE a = 3")
    stack.wait_uploaded("dbo.bag")
    stack.check()
    bag = {tuple(value for _, _, value in row): count for row, count in stack.landed().bag("dbo.bag").items()}
    assert bag == {("1", "x"): 3, ("2", "z"): 1, ("None", ""): 1}
    stack.stop()


def test_keyless_scan_with_slow_capture_is_made_again_not_doubled(stack):
    """Rows that were there before the scan and are captured only after it must not count twice."""
    stack.simulator.exec_sql("EXEC sluice_sim.set_option 'capture_interval_ms', 1500")
    try:
        stack.tsql("CREATE TABLE dbo.bag (a int NULL, b nvarchar(20) NULL)")
        stack.enable_cdc("dbo.bag")
        stack.tsql("INSERT INTO dbo.bag (a, b) VALUES (1, N'x'), (1, N'x'), (2, NULL)")
        register_all(stack, ["dbo.bag"])
        stack.start()
        stack.wait_state("dbo.bag")
        stack.tsql("DELETE FROM dbo.bag WHERE a = 2")
        stack.wait_uploaded("dbo.bag")
    finally:
        stack.simulator.exec_sql("EXEC sluice_sim.set_option 'capture_interval_ms', 50")
    stack.check()
    assert list(stack.landed().bag("dbo.bag").values()) == [2]
    stack.stop()
