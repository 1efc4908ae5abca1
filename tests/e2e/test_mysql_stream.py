"""The stream of changes of MySQL and MariaDB: nothing is lost and nothing lands twice, whatever becomes of runner, log and server, and however
transactions end. Judged by reader.py against what the server itself says.
"""
import os
import pathlib
import random
import re
import signal
import threading
import time

SETTINGS = {"lease_seconds": 2, "worker_dead_seconds": 2}
SMALL = {"compression": "none"}
MEMORY_MIB = 128
LARGE_ROWS = 500_000
KILLED_ROWS = 60_000
ALL = bool(os.environ.get("SLUICE_TEST_ALL"))


def create(stack, *names, engine="InnoDB"):
    stack.write(";".join(f"CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, t VARCHAR(60)) ENGINE = {engine}" for name in names))
    return [f"{stack.schema}.{name}" for name in names]


def streaming(stack, tables, start=True, **options):
    """Registers the tables and starts a worker; all of them stream."""
    for name, value in SETTINGS.items():
        stack.set(name, value)
    stack.register()
    for table in tables:
        stack.add_table(table, **{**SMALL, **options})
    if start:
        stack.start()
        for table in tables:
            stack.wait_state(table)


def source_rows(stack, table):
    return {row[0]: row[1:] for row in stack.server.query(f"SELECT id, n, t FROM {table}")}


def assert_equal(stack, *tables, killed=False, timeout_s=60):
    stack.wait_uploaded(*tables, timeout_s=timeout_s)
    landed = stack.check({table: ["id"] for table in tables}, killed=killed)
    for table in tables:
        found = {values[0]: (row["n"], row["t"]) for values, row in landed.fold(table, ["id"]).items()}
        source = source_rows(stack, table)
        assert found == source, f"{table}: {len(found)} landed, {len(source)} at the source, {sorted(set(found.items()) ^ set(source.items()))[:5]}"
    return landed


def changes(landed, table):
    """Rows of a table's change files in the order of the log."""
    return [row for file in landed.of(table) if file.kind == "cdc" for row in file.rows]


def insert(stack, table, first, count, connection=None):
    rows = ",".join(f"({n}, {n % 1000}, 'row {n}')" for n in range(first, first + count))
    stack.write(f"INSERT INTO {table} VALUES {rows}", connection)


def runners(stack):
    return [pid for pid, kind in stack.children() if kind == "runner"]


# ---- one stream -------------------------------------------------------------------
def dump_threads(stack):
    return [row for row in stack.server.query("SHOW FULL PROCESSLIST") if "Dump" in str(row[4])]


def test_a_stream_stays_open_from_one_range_to_the_next(mysql_stack):
    stack = mysql_stack
    table, = create(stack, "one")
    stack.set("runners", 1)
    streaming(stack, [table])
    seen = []
    for n in range(4):
        insert(stack, "one", 1 + 10 * n, 5)
        stack.wait_uploaded(table)
        seen.append({row[0] for row in dump_threads(stack)})
    # One that was closed may be listed until the server's next heartbeat finds it so; none may be new.
    assert all(later <= sooner for sooner, later in zip(seen, seen[1:])) and len(seen[0]) >= 2, f"{seen}: a stream was opened again"


# ---- whoever dies -----------------------------------------------------------------
def test_a_runner_killed_amid_transactions_and_groups_loses_and_doubles_nothing(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "big", *[f"small{n}" for n in range(8)])
    streaming(stack, tables, target_file_bytes=50000)
    chance = random.Random(1)
    stopped = threading.Event()
    failures = []

    def write():
        try:
            connection, first = stack.server.connect(stack.name), 1
            while not stopped.is_set() and (ALL or first < KILLED_ROWS):
                stack.write("START TRANSACTION", connection)
                insert(stack, "big", first, 3000, connection)
                stack.write(f"UPDATE big SET n = n + 1 WHERE id % 7 = {first % 7} AND id > {first - 6000}; DELETE FROM big WHERE id % 11 = 3 AND id < {first}", connection)
                for n in range(8):
                    insert(stack, f"small{n}", first, 5, connection)
                stack.write("COMMIT", connection)
                first += 3000
                stopped.wait(0 if ALL else 0.2)
            connection.close()
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    kills = 0
    end = time.monotonic() + (60 if ALL else 8)
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.05, 0.5))
        for pid in runners(stack):
            if chance.random() < 0.7:
                os.kill(pid, signal.SIGKILL)
                kills += 1
    stopped.set()
    writer.join(60)
    assert not failures and kills > 5
    assert_equal(stack, *tables, killed=True, timeout_s=120)


def test_a_range_over_rotations_and_a_restart_of_the_server(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "one", "two")
    streaming(stack, tables)
    insert(stack, "one", 1, 10)
    assert_equal(stack, *tables)
    stack.stop()
    for step in range(4):           # all of it is one range
        insert(stack, "one", 100 + 100 * step, 50)
        if step == 2:
            stack.server.restart()
        else:
            stack.server.flush_logs()
        insert(stack, "two", 100 + 100 * step, 50)
    stack.start()
    assert_equal(stack, *tables)
    insert(stack, "two", 1, 10)     # and in the middle of the stream
    stack.server.restart()
    insert(stack, "one", 1000, 10)
    assert_equal(stack, *tables)


# ---- how transactions end ---------------------------------------------------------
def xa(stack, name, statement, end="PREPARE"):
    connection = stack.server.connect(stack.name)
    try:
        stack.write(f"XA START '{name}'", connection)
        stack.write(statement, connection)
        stack.write(f"XA END '{name}'", connection)
        stack.write(f"XA {end} '{name}'" if end != "ONE PHASE" else f"XA COMMIT '{name}' ONE PHASE", connection)
    finally:
        connection.close()


def test_rows_of_an_xa_transaction_land_when_it_commits(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "one", "two")
    streaming(stack, tables)
    insert(stack, "one", 1, 5)
    xa(stack, "kept", "INSERT INTO one VALUES (10, 1, 'kept'), (11, 1, 'kept'); UPDATE one SET n = 77 WHERE id = 1; INSERT INTO two VALUES (10, 1, 'kept')")
    xa(stack, "late", "INSERT INTO one VALUES (20, 1, 'late')")
    xa(stack, "undone", "INSERT INTO one VALUES (30, 1, 'undone'); INSERT INTO two VALUES (30, 1, 'undone')")
    xa(stack, "whole", "INSERT INTO one VALUES (40, 1, 'whole')", "ONE PHASE")
    insert(stack, "two", 1, 5)
    try:
        landed = assert_equal(stack, *tables)       # what is prepared is not in the source's answer either
        assert not any(row["t"] in ("kept", "late", "undone") for table in tables for row in changes(landed, table))
        stack.write("XA COMMIT 'kept'; XA ROLLBACK 'undone'")
        insert(stack, "two", 50, 5)
        landed = assert_equal(stack, *tables)
        assert [row["id"] for row in changes(landed, tables[0]) if row["t"] == "kept"] == [10, 11]
        stack.stop()
        stack.write("XA COMMIT 'late'")             # another worker knows of it by the mark
        insert(stack, "one", 60, 2)
        stack.start()
        landed = assert_equal(stack, *tables)
        ids = [row["id"] for row in changes(landed, tables[0])]
        assert ids.index(10) < ids.index(20) < ids.index(60) and ids.count(20) == 1
    finally:        # what stays prepared holds its tables for ever
        for _, _, _, name in stack.server.query("XA RECOVER"):
            stack.write(f"XA ROLLBACK '{name}'")


def test_a_table_added_while_xa_transactions_are_open_streams_on_when_they_end(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "one", "two", "three")
    streaming(stack, tables[:1])
    stack.stop()                                    # so that one poll finds the table and scans what was prepared
    try:
        xa(stack, "open", "INSERT INTO one VALUES (10, 1, 'open'); INSERT INTO two VALUES (10, 1, 'open')")
        insert(stack, "three", 1, 2)
        stack.add_table(tables[1], **SMALL)
        stack.start()
        stack.wait_state(tables[1])
        stack.write("XA COMMIT 'open'")
        insert(stack, "two", 20, 2)
        assert_equal(stack, *tables[:2])
    finally:
        for _, _, _, name in stack.server.query("XA RECOVER"):
            stack.write(f"XA ROLLBACK '{name}'")


def test_an_xa_transaction_open_when_the_source_is_first_read_lands_when_it_commits(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "one", "two")
    try:
        xa(stack, "early", "INSERT INTO one VALUES (10, 1, 'early')")
        xa(stack, "undone", "INSERT INTO two VALUES (30, 1, 'undone')")
        insert(stack, "two", 1, 2)
        streaming(stack, tables)
        stack.write("XA COMMIT 'early'; XA ROLLBACK 'undone'")
        insert(stack, "one", 20, 2)
        landed = assert_equal(stack, *tables)
        assert [row["id"] for row in changes(landed, tables[0])] == [10, 20, 21]
    finally:
        for _, _, _, name in stack.server.query("XA RECOVER"):
            stack.write(f"XA ROLLBACK '{name}'")


def test_updates_of_one_key_in_one_second_keep_their_order(mysql_stack):
    stack = mysql_stack
    table, = create(stack, "one")
    streaming(stack, [table])
    insert(stack, "one", 1, 2)
    connection = stack.server.connect(stack.name)
    for n in range(1000, 1040):
        stack.write(f"UPDATE one SET n = {n} WHERE id = 1", connection)
    stack.write("START TRANSACTION", connection)
    for n in range(1040, 1060):
        stack.write(f"UPDATE one SET n = {n} WHERE id = 1", connection)
    stack.write("COMMIT; DELETE FROM one WHERE id = 2; INSERT INTO one VALUES (2, 5, 'again')", connection)
    connection.close()
    landed = assert_equal(stack, table)
    assert [row["n"] for row in changes(landed, table) if row["id"] == 1 and row["n"] >= 1000] == list(range(1000, 1060))
    assert [row["_sluice_op"] for row in changes(landed, table) if row["id"] == 2][-2:] == ["D", "I"]


def test_savepoints_and_rollbacks_leave_what_the_server_has(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "one", "two") + create(stack, "plain", engine="MyISAM")
    streaming(stack, tables)
    statements = ["START TRANSACTION; INSERT INTO one VALUES (1, 1, 'kept'); SAVEPOINT a; INSERT INTO one VALUES (2, 2, 'undone'); UPDATE one SET n = 9 WHERE id = 1;"
                  "ROLLBACK TO SAVEPOINT a; INSERT INTO two VALUES (3, 3, 'kept'); COMMIT",
                  "START TRANSACTION; INSERT INTO one VALUES (4, 4, 'undone'); ROLLBACK"]
    if stack.kind == "mariadb":     # MySQL with GTIDs refuses a transaction that changes both kinds of tables
        statements += ["START TRANSACTION; INSERT INTO one VALUES (5, 5, 'kept'); INSERT INTO plain VALUES (5, 5, 'stays'); COMMIT",
                       "START TRANSACTION; INSERT INTO plain VALUES (6, 6, 'stays'); INSERT INTO one VALUES (6, 6, 'undone'); ROLLBACK"]
    for statement in statements:
        stack.write(statement)
    landed = assert_equal(stack, *tables)
    assert not any(row["t"] == "undone" for table in tables for row in changes(landed, table))


def test_tables_without_transactions(mysql_stack):
    stack = mysql_stack
    engines = ["MyISAM"] + (["Aria"] if stack.kind == "mariadb" else [])
    tables = [create(stack, engine.lower(), engine=engine)[0] for engine in engines]
    streaming(stack, tables)
    for table in tables:
        name = table.split(".")[1]
        insert(stack, name, 1, 500)
        stack.write(f"UPDATE {name} SET n = n + 1 WHERE id < 100; DELETE FROM {name} WHERE id > 450; UPDATE {name} SET id = id + 1000 WHERE id = 7")
    assert_equal(stack, *tables)


def test_a_compressed_log_reads_as_another(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "one", "two")
    streaming(stack, tables)
    name = "log_bin_compress" if stack.kind == "mariadb" else "binlog_transaction_compression"
    stack.server.exec_sql(f"SET GLOBAL {name} = ON")
    try:
        connection = stack.server.connect(stack.name)
        insert(stack, "one", 1, 2000, connection)
        stack.write("START TRANSACTION; UPDATE one SET t = REPEAT('compressed ', 5), n = n + 1; INSERT INTO two SELECT * FROM one WHERE id < 500; "
                    "DELETE FROM one WHERE id % 3 = 0; COMMIT", connection)
        connection.close()
        landed = assert_equal(stack, *tables)
        assert len({row["_sluice_seq"] for row in changes(landed, tables[0])}) == len(changes(landed, tables[0]))
    finally:
        stack.server.exec_sql(f"SET GLOBAL {name} = OFF")


# ---- many and large ---------------------------------------------------------------
def peak_mib(pid):
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024
    except (OSError, AttributeError):
        return 0


class Peak(threading.Thread):
    """The highest VmHWM of the stack's runners while it is watched."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack = stack
        self.mib = 0
        self._stop_it = threading.Event()

    def run(self):
        while not self._stop_it.is_set():
            self.mib = max([self.mib, *[peak_mib(pid) for pid in runners(self.stack)]])
            self._stop_it.wait(0.05)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self._stop_it.set()
        self.join(10)


def test_a_transaction_of_half_a_million_rows_among_others(mysql_stack):
    stack = mysql_stack
    tables = create(stack, "huge", *[f"small{n}" for n in range(12)])
    stack.write("ALTER TABLE huge MODIFY t VARCHAR(250)")       # with 200 bytes a row the stage cannot hold it
    streaming(stack, tables)
    stack.stop()
    connection = stack.server.connect(stack.name)
    for n in range(12):
        insert(stack, f"small{n}", 1, 200, connection)
    numbers = (f"SELECT seq AS n FROM seq_1_to_{LARGE_ROWS}" if stack.kind == "mariadb" else
               "WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s" % LARGE_ROWS)
    if stack.kind == "mysql":
        stack.write(f"SET SESSION cte_max_recursion_depth = {LARGE_ROWS}", connection)
    stack.write(f"START TRANSACTION; INSERT INTO small0 VALUES (1000, 1, 'before'); INSERT INTO huge SELECT n, n, CONCAT('a row among half a million, number ', n, REPEAT(' and more', 18)) FROM ({numbers}) x;"
                "INSERT INTO small1 VALUES (1000, 1, 'behind'); COMMIT", connection)
    for n in range(12):
        insert(stack, f"small{n}", 2000, 200, connection)
    connection.close()
    stack.start()
    with Peak(stack) as peak:
        stack.wait_uploaded(*tables, timeout_s=240)
    assert peak.mib
    if "asan" not in os.environ.get("SLUICE_WORKER", ""):
        assert peak.mib <= MEMORY_MIB, f"{peak.mib:.0f} MiB"
    print(f"a runner's peak: {peak.mib:.0f} MiB")
    landed = stack.check({tables[0]: ["id"]})
    seen = bytearray(LARGE_ROWS + 1)
    for file in landed.of(tables[0]):
        for row in file.rows:
            assert row["n"] == row["id"] and not seen[row["id"]], f"{row['id']} twice"
            seen[row["id"]] = 1
    assert sum(seen) == LARGE_ROWS
    assert_equal(stack, *tables[1:])


def test_two_hundred_tables_share_one_stream(mysql_stack):
    stack = mysql_stack
    names = [f"t{n:03}" for n in range(200)]
    tables = create(stack, *names)
    stack.set("runners", 1)
    stack.register()
    stack.start()
    stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.source_table") >= 200, "the tables are known")
    stack.sql("SELECT sluice.add_tables(%s, %s, 'lake', options => %s)", stack.name, f"{stack.schema}.t%", '{"max_file_age": 0.5, "compression": "none"}')
    stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.table_status WHERE state = 'streaming'") == 200, "all tables stream", 240)
    connection = stack.server.connect(stack.name)
    for first in range(1, 4):
        stack.write(";".join(f"INSERT INTO {name} VALUES ({first}, {first}, '{name}')" for name in names), connection)
    connection.close()
    stack.wait(lambda: stack.one("SELECT sum(rows) FROM sluice.file WHERE kind = 'cdc'") == 600, "all changes landed", 120)
    # A closed one is listed until the server's next heartbeat finds it so.
    stack.wait(lambda: len(dump_threads(stack)) == 2, "two connections stream the log: one of the poller, one of the runner")
    landed = stack.check({table: ["id"] for table in tables})
    assert {table: set(landed.fold(table, ["id"])) for table in tables} == {table: {(1,), (2,), (3,)} for table in tables}
