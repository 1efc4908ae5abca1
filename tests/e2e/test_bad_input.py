"""Wrong input is answered with what is wrong and what to do next; after mending nothing is lost."""
import json
import os
import subprocess

import pytest

from cluster import default_worker, free_port
from reader import BucketStore, Landed
from simulator import Simulator
from stack import PASSWORD_ENV
from values import Column, columns_of, create_table, differences, source_rows

NASTY = ["x'; DROP SCHEMA sluice CASCADE; --", 'a"; SELECT 1; --', "$1", "{}", "..", "a.b", "%s", "né", "", " ", "a\nb", "x" * 300, "\\", "/etc/passwd", "a'||'b"]


def item_table(stack, rows=10):
    stack.tsql("CREATE TABLE dbo.item (id int NOT NULL PRIMARY KEY, v nvarchar(40) NULL)")
    stack.enable_cdc("dbo.item")
    stack.tsql("INSERT INTO dbo.item (id, v) VALUES " + ", ".join(f"({n}, N'{n}')" for n in range(rows)))
    return "dbo.item"


def assert_whole(stack, table="dbo.item"):
    stack.wait_state(table)
    stack.tsql(f"UPDATE {table} SET v = N'mended' WHERE id = 1")
    stack.wait_uploaded(table)
    landed = stack.check({table: ["id"]}, killed=True)
    columns, key = columns_of(stack.simulator, stack.name, table)
    found = differences(columns, key, landed.fold(table, key), source_rows(stack.simulator, stack.name, table, columns))
    assert not found, "\n".join(found)
    stack.stop()


def source_trouble(stack):
    """The source's row once it tells of trouble, as one text."""
    rows = stack.wait(lambda: [row for row in stack.sql("SELECT state, message, hint FROM sluice.source_status")
                               if row[0] not in ("new", "ok", "unknown") and row[1]], "source_status tells of trouble")
    return rows[0]


def check_config(stack, **environment):
    env = {**os.environ, "SLUICE_CONNINFO": stack.cluster.conninfo(stack.database, "sluice_worker"),
           PASSWORD_ENV: stack.simulator.password, **stack.environment, **environment}
    return subprocess.run([default_worker(), "--check-config"], env=env, capture_output=True, text=True, timeout=60, cwd="/")


# ---- the source cannot be reached -------------------------------------------------
WRONG = {
    "host": ({"host": "no-such-host.invalid"}, "dns", "host"),
    "port": (None, "tcp", "port"),
    "password": ({"password_env": "SLUICE_WRONG_PASSWORD"}, "login", "password"),
    "database": ({"database": "no_such_database"}, "database", "database"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_connection_names_the_step_and_is_mended_by_alter_source(stack, what):
    options, step, word = WRONG[what]
    stack.environment["SLUICE_WRONG_PASSWORD"] = "not-it"
    options = options or {"port": free_port()}
    table = item_table(stack)
    stack.register(login_timeout=5, **options)
    stack.add_table(table)
    stack.start()
    state, message, hint = source_trouble(stack)
    assert hint, (state, message)
    assert "not-it" not in message + hint + stack.log() and stack.simulator.password not in stack.log()
    result = check_config(stack)
    assert result.returncode == 1 and "FAILED" in result.stdout
    failed = next(line for line in result.stdout.splitlines() if line.startswith("FAILED"))
    assert step in failed.lower(), result.stdout
    assert [line for line in result.stdout.splitlines() if line.startswith("skipped")], "later steps are skipped"
    right = {name: stack.source_options()[name] for name in options}
    stack.sql("SELECT sluice.alter_source(%s, options => %s::jsonb)", stack.name, json.dumps(right))
    assert_whole(stack, table)


@pytest.fixture(scope="module")
def certificate(workdir):
    folder = workdir / "tls"
    folder.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other", "-keyout",
                    folder / "other-key.pem", "-out", folder / "other.pem"], check=True, capture_output=True)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def test_untrusted_certificate_is_refused_and_the_right_ca_is_accepted(make_stack, backing, workdir, certificate):
    options = {"encrypt": "on", "tls_cert": certificate / "cert.pem", "tls_key": certificate / "key.pem"}
    with Simulator(backing, dir=workdir / "mssql-tls", database="mssql_tls", options=options) as simulator:
        from conftest import quicken
        quicken(simulator)
        stack = make_stack(simulator=simulator)
        table = item_table(stack)
        stack.register(host="localhost", encryption="require", ca_file=str(certificate / "other.pem"), login_timeout=5)
        stack.add_table(table)
        stack.start()
        state, message, hint = source_trouble(stack)
        assert hint and ("certificate" in (message + hint).lower() or "tls" in (message + hint).lower()), (message, hint)
        stack.sql("SELECT sluice.alter_source(%s, options => %s::jsonb)", stack.name, json.dumps({"ca_file": str(certificate / "cert.pem")}))
        assert_whole(stack, table)


# ---- tables -----------------------------------------------------------------------
def test_table_that_does_not_exist_is_refused_or_told(stack):
    table = item_table(stack)
    stack.register()
    stack.start()
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    state, message, hint = stack.error("SELECT sluice.add_table(%s, 'lake')", f"{stack.name}.dbo.itme")
    assert state in ("42P01", "42704") and "itme" in message and hint, (state, message, hint)
    assert "item" in hint, "the nearest name is offered"
    stack.add_table(table)
    assert_whole(stack, table)


def test_table_without_cdc_hints_the_fix_of_check_cdc(stack):
    stack.tsql("CREATE TABLE dbo.item (id int NOT NULL PRIMARY KEY, v nvarchar(40) NULL)")
    stack.tsql("INSERT INTO dbo.item (id, v) VALUES (1, N'a'), (2, N'b')")
    stack.register()
    stack.start()
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    fix = stack.one('SELECT fix_sql FROM sluice.check_cdc(%s) WHERE NOT ok AND object LIKE %s', stack.name, "%item%")
    assert "sp_cdc_enable_table" in fix
    try:
        stack.add_table("dbo.item")
        row = stack.wait(lambda: (r := stack.status("dbo.item")) and r["hint"] and r, "the table says why")
        hint = row["hint"]
    except Exception as error:  # refused at once is as good
        hint = error.diag.message_hint
    assert "sp_cdc_enable_table" in hint, hint
    stack.tsql(fix)
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    if stack.status("dbo.item") is None:
        stack.add_table("dbo.item")
    elif stack.status("dbo.item")["state"] == "error":
        stack.sql("SELECT sluice.resume_table(%s)", stack.table_name("dbo.item"))
    assert_whole(stack)


# ---- targets ----------------------------------------------------------------------
def target_trouble(stack, word, table="dbo.item"):
    """The table's message and hint once they name `word`."""
    row = stack.wait(lambda: (r := stack.status(table)) and word in f"{r['message']} {r['hint']}" and r, f"the table's status names {word}")
    assert row["hint"] and row["message"] and row["health"] in ("ok", "stuck", "error"), row
    return row["message"] + " " + row["hint"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_is_not_writable_is_named(stack):
    table = item_table(stack)
    stack.target_folder.chmod(0o555)
    stack.register()
    stack.add_table(table)
    stack.start()
    target_trouble(stack, str(stack.target_folder))
    assert check_config(stack).returncode == 1
    stack.target_folder.chmod(0o755)
    mend_table(stack, table)
    assert_whole(stack, table)


def mend_table(stack, table):
    """A table that stopped for good is resumed; one that retries goes on by itself."""
    if stack.status(table)["state"] == "error":
        stack.sql("SELECT sluice.resume_table(%s)", stack.table_name(table))


def test_folder_that_does_not_exist_is_named(stack):
    table = item_table(stack)
    gone = stack.folder / "gone"
    stack.add_source()
    stack.add_target(path=str(gone))
    stack.target_folder = gone
    stack.add_table(table)
    stack.start()
    target_trouble(stack, str(gone))
    gone.mkdir()
    mend_table(stack, table)
    assert_whole(stack, table)


@pytest.fixture
def small_disk(stack):
    """(file_limit of the worker, mend): a full file system where we may mount one, else a limit that gives the same short write."""
    folder = stack.target_folder
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", folder], capture_output=True).returncode == 0
    if mounted:
        yield None, lambda: subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
    else:
        yield 60000, lambda: None
    stack.close()
    if mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_stops_in_order_and_goes_on_when_there_is_room(stack, small_disk):
    table = item_table(stack)
    stack.tsql("INSERT INTO dbo.item (id, v) VALUES " + ", ".join(f"({n}, N'{n:040}')" for n in range(1000, 2000)))
    stack.register()
    stack.add_table(table, compression="none")
    limit, mend = small_disk
    stack.start(file_limit=limit)
    target_trouble(stack, str(stack.target_folder))
    assert not [f for f in stack.landed().files if f.problems], "no half object"
    mend()
    if limit:
        stack.stop()
        stack.start()
    mend_table(stack, table)
    assert_whole(stack, table)


def test_bucket_that_does_not_exist_or_is_forbidden_is_named(make_stack, make_bucket):
    bucket = make_bucket()
    stack = make_stack(target=bucket)
    table = item_table(stack)
    stack.add_source()
    stack.add_target(bucket="no-such-bucket")
    stack.add_table(table)
    stack.start()
    target_trouble(stack, "no-such-bucket")
    stack.sql("SELECT sluice.alter_target('lake', options => %s::jsonb)", json.dumps({"bucket": bucket.name, "secret_key_env": "SLUICE_WRONG_SECRET"}))
    stack.stop()
    stack.start(SLUICE_WRONG_SECRET="not-the-key")
    text = stack.wait(lambda: (r := stack.status(table)) and r["message"] and "secret key" in f"{r['message']} {r['hint']}" and
                      r["message"] + " " + r["hint"], "the wrong key is told")
    assert "not-the-key" not in text + stack.log(), text
    stack.sql("SELECT sluice.alter_target('lake', options => %s::jsonb)", json.dumps({"secret_key_env": "SLUICE_TEST_SECRET_KEY"}))
    mend_table(stack, table)
    assert_whole(stack, table)


# ---- values -----------------------------------------------------------------------
def test_value_that_the_format_cannot_hold_stops_its_table_alone(stack):
    """Seven fractional digits are no TIMESTAMP of microseconds: the table says which column, and lands whole once it may be text."""
    columns = [Column("id", "int", "int", null=False), Column("at", "datetime2(7)", "datetime2:7")]
    for name in ("dbo.odd", "dbo.fine"):
        stack.tsql(create_table(name, columns, ["id"]))
        stack.enable_cdc(name)
        stack.tsql(f"INSERT INTO {name} VALUES (1, '2026-11-20T12:34:56.1234567'), (2, NULL)")
    stack.register()
    stack.add_table("dbo.odd", format="parquet", timestamp_precision="micros")
    stack.add_table("dbo.fine", format="parquet")
    stack.start()
    row = stack.wait_state("dbo.odd", "error")
    assert '"at"' in row["message"] and "resume_table" in row["hint"], row
    stack.wait_state("dbo.fine")
    for name in ("dbo.odd", "dbo.fine"):
        stack.tsql(f"INSERT INTO {name} VALUES (3, '0001-01-01T00:00:00.0000001')")
    stack.wait_uploaded("dbo.fine")
    stack.sql("SELECT sluice.alter_table(%s, '{\"timestamp_precision\": null}')", stack.table_name("dbo.odd"))
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name("dbo.odd"))
    stack.wait_state("dbo.odd")
    stack.wait_uploaded("dbo.odd")
    landed = stack.check({"dbo.odd": ["id"], "dbo.fine": ["id"]})
    for name in ("dbo.odd", "dbo.fine"):
        found = differences(columns, ["id"], landed.fold(name, ["id"]), source_rows(stack.simulator, stack.name, name, columns))
        assert not found, found
    stack.stop()


@pytest.mark.parametrize("wrong", ["bucket", "key"])
def test_a_target_that_refuses_stops_its_own_tables_and_no_other(make_stack, make_bucket, wrong):
    """One table lands in a folder, the other in a bucket that is not there or does not let us in."""
    bucket = make_bucket()
    stack = make_stack()
    table, other = item_table(stack), "dbo.other"
    stack.tsql("CREATE TABLE dbo.other (id int NOT NULL PRIMARY KEY, v nvarchar(40) NULL)")
    stack.enable_cdc(other)
    stack.tsql("INSERT INTO dbo.other (id, v) VALUES (1, N'a'), (2, N'b')")
    stack.register()
    stack.environment.update(bucket.environment(), SLUICE_WRONG_SECRET="not-the-key")
    given = {**bucket.options(), **({"bucket": "no-such-bucket"} if wrong == "bucket" else {"secret_key_env": "SLUICE_WRONG_SECRET"})}
    stack.sql("SELECT sluice.add_target('refusing', 's3', options => %s::jsonb)", json.dumps(given))
    stack.add_table(other, "refusing")
    stack.add_table(table)
    stack.start()
    text = target_trouble(stack, "no-such-bucket" if wrong == "bucket" else "secret key", other)
    assert "not-the-key" not in text + stack.log()
    stack.wait_state(table)
    stack.tsql("UPDATE dbo.item SET v = N'on' WHERE id = 2; UPDATE dbo.other SET v = N'later' WHERE id = 2")
    stack.wait_uploaded(table)
    assert stack.landed().fold(table, ["id"])[(2,)]["v"] == "on"
    stack.sql("SELECT sluice.alter_target('refusing', options => %s::jsonb)",
              json.dumps({"bucket": bucket.name} if wrong == "bucket" else {"secret_key_env": bucket.options()["secret_key_env"]}))
    mend_table(stack, other)
    stack.wait_state(other)
    stack.wait_uploaded(other)
    assert dict(Landed(BucketStore(bucket.client, bucket.name), stack.name).fold(other, ["id"])) == {(1,): {"id": 1, "v": "a"}, (2,): {"id": 2, "v": "later"}}
    stack.stop()


# ---- arguments --------------------------------------------------------------------
@pytest.mark.parametrize("options, word", [
    ('[]', "object"), ('"text"', "object"), ('{"prot": 1433}', "port"), ('{"port": 0}', "port"), ('{"port": "many"}', "port"),
    ('{"password": "secret-1"}', "password_env"), ('{"host": "sqlserver://sa:secret-1@db"}', "password_env"), ('{"encryption": "perhaps"}', "require"),
    ('{"host": null}', "host"), ('{"query_timeout": -1}', "query_timeout"), ('{"host": ""}', "host"), ('{"host": "a\\u0007b"}', "host"),
])
def test_malformed_source_options_are_refused_with_a_hint(stack, options, word):
    given = json.loads(options)
    if isinstance(given, dict):
        given = {**stack.source_options(), **given}
    state, message, hint = stack.error("SELECT sluice.add_source('erp', 'sqlserver', options => %s::jsonb)", json.dumps(given))
    assert state == "22023" and hint and word in message + " " + hint, (state, message, hint)
    assert "secret-1" not in message + hint
    assert stack.one("SELECT count(*) FROM sluice.source_status") == 0


@pytest.mark.parametrize("kind, options, word", [
    ("s3", '{"bukket": "b"}', "bucket"), ("s3", '{}', "bucket"), ("s3", '{"bucket": "b", "endpoint": "https://me:secret-1@store:9000"}', "password"),
    ("s3", '{"bucket": "b", "secret_key": "secret-1"}', "secret_key_env"), ("s3", '{"bucket": "b", "access_key": "AKIA"}', "access_key_env"),
    ("s3", '{"bucket": "b", "tries": 0}', "tries"), ("s3", '{"bucket": "b", "path_style": "perhaps"}', "path_style"), ("s3", '{"bucket": ["b"]}', "bucket"),
    ("file", '{"path": "relative"}', "path"), ("file", '{}', "path"), ("file", '{"path": "/tmp", "prefix": "a/../b"}', "prefix"), ("file", '[]', "object"),
])
def test_malformed_target_options_are_refused_with_a_hint(stack, kind, options, word):
    state, message, hint = stack.error("SELECT sluice.add_target('lake', %s, options => %s::jsonb)", kind, options)
    assert state == "22023" and hint and word in message + " " + hint, (state, message, hint)
    assert "secret-1" not in message + hint and "AKIA" not in message + hint
    assert stack.one("SELECT count(*) FROM sluice.target_status") == 0


@pytest.mark.parametrize("size", ["0", "65535", "5368709121", "1e30", "-1", '"64KB"', '"64 KiB"', "65536.5", "null1"])
def test_an_impossible_size_is_refused_with_its_limits(stack, size):
    stack.register()
    options = '{"target_file_bytes": %s}' % size.replace("null1", '"null"')
    stack.sql("UPDATE _sluice.option SET low = 65536 WHERE name = 'target_file_bytes'")
    state, message, hint = stack.error("SELECT sluice.add_table(%s, 'lake', options => %s::jsonb)", f"{stack.name}.dbo.item", options)
    assert state == "22023" and "target_file_bytes" in message and hint, (state, message, hint)


@pytest.mark.parametrize("options", ['{"format": "exotic"}', '{"max_file_age": -1}', '{"target_file_bytes": 1}', '{"compression": 3}', '{"colour": 1}', '[]'])
def test_malformed_table_options_are_refused_with_a_hint(stack, options):
    stack.register()
    state, message, hint = stack.error("SELECT sluice.add_table(%s, 'lake', options => %s::jsonb)", f"{stack.name}.dbo.item", options)
    assert state == "22023" and hint, (state, message, hint)


CALLS = [
    "SELECT sluice.add_source(%s, 'sqlserver', options => '{\"host\": \"h\", \"database\": \"d\", \"user\": \"u\"}')",
    "SELECT sluice.add_source('fine', %s, options => '{\"host\": \"h\", \"database\": \"d\", \"user\": \"u\"}')",
    "SELECT sluice.add_target(%s, 'file', path => '/tmp')",
    "SELECT sluice.add_table(%s, 'lake')",
    "SELECT sluice.add_table('erp.dbo.item', %s)",
    "SELECT sluice.add_tables(%s, '%%', 'lake')",
    "SELECT sluice.drop_table(%s)", "SELECT sluice.drop_source(%s)", "SELECT sluice.drop_target(%s)",
    "SELECT sluice.pause_table(%s)", "SELECT sluice.resume_table(%s)", "SELECT sluice.resync_table(%s)", "SELECT sluice.resync_source(%s)",
    "SELECT * FROM sluice.check_source(%s)", "SELECT * FROM sluice.check_cdc(%s)",
    "SELECT * FROM sluice.tail(%s)", "SELECT sluice.wait_for(%s, 'uploaded')", "SELECT sluice.wait_for('erp.dbo.item', %s)", "CALL sluice.refresh(%s)",
]


@pytest.fixture(scope="module")
def registry(cluster):
    """One database for all calls: nothing may change in it."""
    cluster.psql("CREATE DATABASE nasty", database="postgres")
    cluster.psql("CREATE EXTENSION sluice", database="nasty")
    return cluster


@pytest.mark.parametrize("call", CALLS)
def test_no_name_is_taken_for_sql(registry, call):
    import psycopg
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace)"
    before = registry.psql(tables, database="nasty")
    with psycopg.connect(registry.conninfo("nasty"), autocommit=True) as connection:
        for name in NASTY:
            try:
                connection.execute(call, (name,))
                raise AssertionError(f"{name!r} was accepted by {call}")
            except psycopg.Error as error:
                assert error.sqlstate not in ("42601", "XX000", "P0001") and error.sqlstate[:2] != "XX", (name, error)
                assert error.diag.message_hint, (name, str(error))
    assert registry.psql(tables, database="nasty") == before
    assert registry.psql("SELECT count(*) FROM _sluice.source, _sluice.target", database="nasty") == "0"


def test_names_that_need_quoting_at_the_source_are_captured(stack):
    """Brackets, quotes, dots and spaces in names are data, not syntax."""
    table = "dbo.[it'em]].x; DROP TABLE dbo.item --]"
    stack.tsql("CREATE TABLE dbo.item (id int NOT NULL PRIMARY KEY)")
    stack.tsql(f"CREATE TABLE {table} ([i'd] int NOT NULL PRIMARY KEY, [a]]b \"c] nvarchar(20) NULL)")
    name = "it'em].x; DROP TABLE dbo.item --"
    stack.tsql("EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'" + name.replace("'", "''") +
               "', @role_name = NULL, @capture_instance = N'odd'")
    stack.tsql(f"INSERT INTO {table} ([i'd], [a]]b \"c]) VALUES (1, N'x'), (2, N'y')")
    stack.register()
    full = f'{stack.name}.dbo."{name}"'
    stack.sql("SELECT sluice.add_table(%s, 'lake', options => %s::jsonb)", full, json.dumps({"max_file_age": 0.5}))
    stack.start()
    stack.wait(lambda: [s for (s,) in stack.sql("SELECT state FROM sluice.table_status") if s == "streaming"], "it streams")
    stack.tsql(f"DELETE FROM {table} WHERE [i'd] = 2")
    stack.sql("SELECT sluice.wait_for(%s, 'uploaded', timeout => '30 s')", full)
    landed = stack.check()
    [landed_table] = landed.tables()
    assert list(landed.fold(landed_table, ["i'd"]).values()) == [{"i'd": 1, 'a]b "c': "x"}]
    assert stack.simulator.query("SELECT COUNT(*) FROM dbo.item", database=stack.name) == [(0,)]
    stack.stop()
