"""Loads of MySQL and MariaDB: each row once whatever its key, however often the worker dies, and L below what the snapshot does not show."""
import collections
import datetime
import random
import re
import threading
import uuid

import pytest

from mysqlserver import MySQL
from test_consumer import duck_current
from mysqlvalues import differences, source_rows
from workload import Workload

ROWS = 40
RANGE_ROWS = 6
FILES_ROWS = 8000
BIG_ROWS = 20000
ALTERED_ROWS = 3000


def letters(n):
    """Distinct by its number in any collation; what stands before it sorts otherwise as text than as bytes."""
    return random.Random(n).choice(["a", "A", "ä", "Ä", "z", "Z", "é", "_", "-", "'", "\\", "%", "ß", "ss"]) + str(n)


def moment(n, digits=6):
    return f"{datetime.datetime(1999, 12, 31, 23, 59, 58) + datetime.timedelta(microseconds=n * 300001):%Y-%m-%d %H:%M:%S.%f}"[:19 + (digits and digits + 1)]


# name: (type of the key, value number n of it)
KEYS = {
    "k_tiny": ("tinyint", lambda n: n - 20), "k_unsigned": ("bigint unsigned", lambda n: 2 ** 63 - 20 + n), "k_decimal": ("decimal(30,4)", lambda n: f"{(n - 20) * 1000000000000}.{n:04}"),
    "k_digits": ("decimal(60,5)", lambda n: f"{n - 20}{'7' * 40}.00001"),
    "k_float": ("float", lambda n: (n - 20) / 10), "k_double": ("double", lambda n: (n - 20) / 10 * 1e10), "k_bit": ("bit(10)", lambda n: n * 25), "k_year": ("year", lambda n: 1901 + n * 6),
    "k_date": ("date", lambda n: f"{1000 + n * 200}-02-28"), "k_datetime": ("datetime(6)", moment), "k_timestamp": ("timestamp(6)", moment), "k_second": ("datetime", lambda n: f"2026-01-01 00:00:{n:02}"),
    "k_time": ("time(3)", lambda n: f"{'-' if n < 20 else ''}{abs(n - 20) * 40:02}:59:59.{n:03}"),
    "k_ci": ("varchar(20) COLLATE utf8mb4_general_ci", letters), "k_unicode": ("varchar(20) COLLATE utf8mb4_unicode_ci", letters), "k_bin": ("varchar(20) COLLATE utf8mb4_bin", letters),
    "k_latin": ("varchar(20) CHARACTER SET latin1", letters), "k_german": ("varchar(20) CHARACTER SET latin1 COLLATE latin1_german2_ci", letters),
    "k_utf16": ("varchar(20) CHARACTER SET utf16", letters), "k_char": ("char(20)", letters),
    "k_binary": ("binary(4)", lambda n: (n * 7 % ROWS * 5).to_bytes(2, "big") + b"\0" * (n % 3)), "k_varbinary": ("varbinary(60)", lambda n: b"\0" * n),
    "k_enum": ("enum(" + ", ".join(f"'{chr(122 - n % 26)}{n}'" for n in range(ROWS)) + ")", lambda n: n + 1), "k_set": ("set('c','b','a','z','y','x')", lambda n: n),
}
OWN = {"mariadb": {"k_uuid": ("uuid", lambda n: str(uuid.UUID(int=random.Random(n).getrandbits(128), version=1 if n % 2 else 4))), "k_inet6": ("inet6", lambda n: f"2001:db8:{n * 1000:x}::{ROWS - n:x}"),
                   "k_uca": ("varchar(20) COLLATE utf8mb4_uca1400_ai_ci", letters)},
       "mysql": {"k_0900": ("varchar(20) COLLATE utf8mb4_0900_ai_ci", letters), "k_0900_bin": ("varchar(20) COLLATE utf8mb4_0900_bin", letters)}}


def each_once(stack, table, numbers, landed=None):
    """Every row's number stands once among the loaded rows of the live epoch."""
    landed = landed or stack.landed()
    epoch = max(file.epoch for file in landed.of(table))
    found = collections.Counter(int(row["n"]) for file in landed.of(table, epoch) for row in file.rows if row["_sluice_op"] == "R")
    wanted = collections.Counter(numbers)
    assert found == wanted, f"{table}: lost {sorted(wanted - found)[:20]}, twice or foreign {sorted(found - wanted)[:20]}"


def fill(stack, table, rows):
    connection = stack.server.connect(stack.name)
    with connection.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)
    connection.close()


def test_ranges_of_every_kind_of_key_meet_and_do_not_overlap(mysql_stack):
    stack = mysql_stack
    keys = {**KEYS, **OWN[stack.kind]}
    for name, (type, value) in keys.items():
        stack.write(f"CREATE TABLE {name} (k {type} NOT NULL, n int NOT NULL, PRIMARY KEY (k)) CHARACTER SET utf8mb4")
        fill(stack, name, [(value(n), n) for n in range(ROWS)])
    stack.write("CREATE TABLE k_parts (a int NOT NULL, b varchar(10) COLLATE utf8mb4_general_ci NOT NULL, c date NOT NULL, d enum('z','y','x') NOT NULL, n int, "
                "PRIMARY KEY (a, b DESC, c, d)) CHARACTER SET utf8mb4")
    fill(stack, "k_parts", [(n // 12 - 1, "aÖzB"[n // 6 % 4], f"2026-01-0{n // 3 % 2 + 1}", n % 3 + 1, n) for n in range(ROWS)])
    stack.write("CREATE TABLE k_unique (u varchar(10) NOT NULL, v int NOT NULL, n int, UNIQUE KEY other (v, u)) CHARACTER SET utf8mb4")
    fill(stack, "k_unique", [(letters(n), n % 3, n) for n in range(ROWS)])
    tables = [f"{stack.name}.{name}" for name in (*keys, "k_parts", "k_unique")]
    stack.register()
    for table in tables:
        stack.add_table(table, load_range_rows=RANGE_ROWS)
    stack.start()
    for table in tables:
        stack.wait_state(table)
    landed = stack.check()
    for table in tables:
        each_once(stack, table, range(ROWS), landed)
        [(ranges,)] = stack.sql("SELECT count(*) FROM sluice.batch WHERE table_name = %s AND work = 'load'", stack.table_name(table))
        assert ranges >= ROWS // RANGE_ROWS, f"{table} was loaded in {ranges} ranges"
    stack.stop()


def test_killed_in_the_middle_of_a_load_it_goes_on_behind_what_has_landed(mysql_stack, tmp_path):
    """A kill -9 before a file is sealed, behind its seal, behind its object: the load goes on by the key of the last row that stands."""
    stack = mysql_stack
    table = f"{stack.name}.many"
    stack.set("lease_seconds", 1)
    stack.set("worker_dead_seconds", 1)
    stack.write("CREATE TABLE many (a int NOT NULL, b varchar(20) NOT NULL, n int NOT NULL, PRIMARY KEY (b, a)) CHARACTER SET utf8mb4")
    fill(stack, "many", [(n, letters(n % 1000), n) for n in range(FILES_ROWS)])
    stack.register()
    stack.add_table(table, compression="none", target_file_bytes=65536)
    for number, point in enumerate(("seal_before:3", "seal_after:3", "object_after:3")):
        once = tmp_path / str(number)
        stack.start(SLUICE_CRASH_AT=point, SLUICE_CRASH_ONCE=str(once))
        stack.wait(once.exists, f"a crash at {point}")
        stack.workers[-1].kill()
        stack.workers[-1].wait()
        assert stack.status(table)["state"] == "loading"
    stack.start()
    stack.wait_state(table)
    landed = stack.check(killed=True)
    assert len(landed.of(table)) > 5, "many files"
    each_once(stack, table, range(FILES_ROWS), landed)
    stack.stop()


def test_load_gives_way_to_changes_in_the_middle_of_its_rows(mysql_stack):
    """The reader is left with rows on their way: its connection serves the changes, then the rest of the load."""
    stack = mysql_stack
    big, other = f"{stack.name}.big", f"{stack.name}.other"
    stack.set("runners", 1)
    stack.write("CREATE TABLE big (n int PRIMARY KEY, v varchar(200)); CREATE TABLE other (id int AUTO_INCREMENT PRIMARY KEY)")
    fill(stack, "big", [(n, "v" * 200) for n in range(BIG_ROWS)])
    stack.register()
    stack.add_table(other, max_file_age=0)
    stack.start()
    stack.wait_state(other)
    stop = threading.Event()

    def write():
        connection = stack.server.connect(stack.name)
        while not stop.wait(0.005):
            stack.write("INSERT INTO other VALUES ()", connection)
        connection.close()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        stack.add_table(big, compression="none", target_file_bytes=65536)
        stack.wait_state(big, timeout_s=120)
    finally:
        stop.set()
        writer.join()
    between = stack.one("SELECT count(*) FROM sluice.batch l JOIN sluice.batch c ON c.work = 'cdc' AND c.planned_at > l.planned_at AND c.ended_at < l.ended_at "
                        "WHERE l.work = 'load' AND l.table_name = %s", stack.table_name(big))
    assert between > 2, "the one runner has turned from the load to changes"
    stack.wait_uploaded(other)
    landed = stack.check({other: ["id"]})
    each_once(stack, big, range(BIG_ROWS), landed)
    stack.stop()


ALTERED = {"dropped": "DROP COLUMN v", "widened": "MODIFY v bigint", "added": "ADD w int DEFAULT 7", "renamed": "CHANGE v x int"}


def test_tables_altered_in_the_middle_of_their_loads_are_loaded_to_the_end(mysql_stack):
    stack = mysql_stack
    for name in ALTERED:
        stack.write(f"CREATE TABLE {name} (n int PRIMARY KEY, v int)")
        fill(stack, name, [(n, n) for n in range(ALTERED_ROWS)])
    stack.register()
    for name in ALTERED:
        stack.add_table(f"{stack.name}.{name}", load_range_rows=200)
    stack.start()
    for name, change in ALTERED.items():
        stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.file WHERE kind = 'load' AND table_name = %s", stack.table_name(f"{stack.name}.{name}")) > 0, "a part of the load")
        stack.write(f"ALTER TABLE {name} {change}; INSERT INTO {name} (n) VALUES ({ALTERED_ROWS})")
    for name in ALTERED:
        stack.wait_state(f"{stack.name}.{name}")
    stack.wait_uploaded(*(f"{stack.name}.{name}" for name in ALTERED))
    for name in ALTERED:
        names, rows = duck_current(stack, f"{stack.name}.{name}")
        assert sorted(rows) == stack.server.query(f"SELECT {', '.join(names)} FROM {stack.name}.{name} ORDER BY n"), name
    stack.stop()


def assert_equal(stack, work):
    stack.wait_uploaded(work.table, timeout_s=120)
    landed = stack.check({work.table: work.key})
    found = differences(work.columns, work.key, landed.fold(work.table, work.key), source_rows(stack.server, stack.name, work.table, work.columns))
    assert not found, "\n".join(found)


def test_rows_written_during_many_ranges_are_neither_lost_nor_twice(mysql_stack):
    stack = mysql_stack
    work = Workload(stack).fill(1500)
    stack.register()
    stack.add_table(work.table, load_range_rows=100)
    stack.start()
    with work:
        stack.wait_state(work.table)
    assert work.transactions > 10
    assert_equal(stack, work)
    stack.stop()


# ---- MySQL: the log tells of transactions before the engine shows them ------------
@pytest.mark.parametrize("mysql_server", [MySQL], indirect=True, ids=["mysql"])
def test_load_waits_for_transactions_between_log_and_engine(mysql_stack):
    """Commits that stand in the log for a while before they can be seen: a load that took the log's end as its position would lose them."""
    stack = mysql_stack
    table = f"{stack.name}.slow"
    stack.write("CREATE TABLE slow (id int PRIMARY KEY, n int NOT NULL)")
    stack.write("INSERT INTO slow VALUES (0, 0)")
    stack.register()
    stop, written = threading.Event(), [0]

    def write():
        connection = stack.server.connect(stack.name)
        while not stop.is_set():
            stack.write(f"INSERT INTO slow VALUES ({len(written)}, {len(written)})", connection)
            written.append(len(written))
        connection.close()
    writer = threading.Thread(target=write)
    stack.write("SET GLOBAL binlog_group_commit_sync_delay = 700000")
    try:
        writer.start()
        stack.add_table(table)
        stack.start()
        stack.wait_state(table)
        for epoch in range(2, 5):
            stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(table))
            stack.wait(lambda: stack.status(table)["epoch"] == epoch and stack.status(table)["state"] == "streaming", "loaded again")
        # One server numbers its transactions in the order of its log: a set with a hole lacks one that was on its way, and no load would wait for it.
        for (gtid,) in stack.sql("SELECT mark ->> 'gtid' FROM _sluice.log_mark UNION ALL SELECT mark ->> 'gtid' FROM _sluice.source_state"):
            assert re.fullmatch(r"[-0-9a-f]+:1-\d+", gtid), gtid
    finally:
        stop.set()
        writer.join()
        stack.write("SET GLOBAL binlog_group_commit_sync_delay = 0")
    stack.wait_uploaded(table)
    landed = stack.check({table: ["id"]})
    assert sorted(int(key[0]) for key in landed.fold(table, ["id"]).keys()) == written
    assert len(written) > 5
    stack.stop()


@pytest.fixture
def plain_mysql(workdir):
    """A MySQL without GTIDs."""
    if MySQL.missing():
        pytest.skip(f"mysql is not available on this machine ({MySQL.missing()})")
    with MySQL(workdir / "plain", options={"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"}) as server:
        yield server


@pytest.mark.parametrize("mysql_server", [MySQL], indirect=True, ids=["mysql"])
def test_without_gtids_a_load_is_refused_or_takes_a_lock_for_a_moment(make_mysql_stack, plain_mysql):
    stack = make_mysql_stack(server=plain_mysql)
    work = Workload(stack).fill(300)
    stack.register()
    stack.add_table(work.table, load_range_rows=50)
    stack.start()
    row = stack.wait_state(work.table, "error")
    assert "GTID" in row["message"] and "load_lock" in row["hint"], row
    plain_mysql.exec_sql(f"GRANT RELOAD ON *.* TO '{plain_mysql.login}'@'%'")
    stack.sql("SELECT sluice.alter_source(%s, options => '{\"load_lock\": true}')", stack.name)
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
    with work:
        stack.wait_state(work.table)
    assert_equal(stack, work)
    stack.stop()


def test_value_above_the_limit_stops_its_table_by_column_and_key_and_no_other(mysql_stack):
    stack = mysql_stack
    types = {"t_text": "longtext", "t_small": "text", "t_blob": "mediumblob", "t_wide": "varchar(3000)", "t_latin": "mediumtext CHARACTER SET latin1"}
    for name, type in types.items():
        stack.write(f"CREATE TABLE {name} (a int, b varchar(9), v {type}, PRIMARY KEY (a, b)) CHARACTER SET utf8mb4")
        stack.write(f"INSERT INTO {name} VALUES (1, 'x', REPEAT('v', 2048)), (2, 'y', REPEAT('{'ä' if name == 't_latin' else 'v'}', {2048 if name == 't_latin' else 2049}))")
    stack.write("CREATE TABLE fits (a int PRIMARY KEY, v longtext); INSERT INTO fits VALUES (1, REPEAT('v', 2048)), (2, NULL), (3, '')")
    stack.register()
    for name in (*types, "fits"):
        stack.add_table(f"{stack.name}.{name}", max_value_bytes=2048)
    stack.start()
    stack.wait_state(f"{stack.name}.fits")
    for name in types:
        row = stack.wait_state(f"{stack.name}.{name}", "error")
        assert '"v"' in row["message"] and "(2, y)" in row["message"] and "2048" in row["message"] and "max_value_bytes" in row["hint"], row
    assert {row["a"]: row["v"] and len(row["v"]) for row in stack.landed().of(f"{stack.name}.fits")[0].rows} in ({1: 2048, 2: None, 3: ""}, {"1": 2048, "2": None, "3": ""})
    stack.stop()


# ---- tables without a key ----------------------------------------------------------
def bag_of(stack, table):
    return {tuple(value for _, _, value in row): count for row, count in stack.landed().bag(table).items()}


def test_table_without_key_is_read_in_one_scan_and_folds_as_a_multiset(mysql_stack):
    stack = mysql_stack
    table = f"{stack.name}.bag"
    stack.write("CREATE TABLE bag (a int NULL, b varchar(20) NULL)")
    stack.write("INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (2, NULL), (NULL, '')")
    stack.register()
    stack.add_table(table)
    stack.start()
    stack.wait_state(table)
    stack.write("INSERT INTO bag VALUES (1, 'x'), (3, 'y'); UPDATE bag SET b = 'z' WHERE a = 2; DELETE FROM bag WHERE a = 3")
    stack.wait_uploaded(table)
    stack.check()
    assert bag_of(stack, table) == {("1", "x"): 3, ("2", "z"): 1, ("None", ""): 1}
    stack.stop()


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_table_without_key_that_never_holds_still_is_read_under_a_lock(mysql_stack, engine):
    """On MariaDB a snapshot is exact without one, where the engine has snapshots."""
    stack = mysql_stack
    table = f"{stack.name}.bag"
    stack.server.exec_sql(f"GRANT LOCK TABLES ON *.* TO '{stack.server.login}'@'%'")
    stack.set("keyless_tries", 1)
    stack.write(f"CREATE TABLE bag (a int NOT NULL, b varchar(200)) ENGINE = {engine}")
    fill(stack, "bag", [(n % 500, "b" * 100) for n in range(5000)])
    stack.register()
    stack.add_table(table, keyless="lock", compression="none")
    stop = threading.Event()

    def write():
        connection, n = stack.server.connect(stack.name), 0
        while not stop.is_set():
            n += 1
            stack.write(f"INSERT INTO bag VALUES ({1000 + n}, 'new'); DELETE FROM bag WHERE a = {n % 500} LIMIT 1", connection)
        connection.close()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        stack.start()
        stack.wait_state(table)
    finally:
        stop.set()
        writer.join()
    stack.wait_uploaded(table)
    stack.check()
    wanted = collections.Counter((str(a), b) for a, b in stack.server.query(f"SELECT a, b FROM {table}"))
    assert bag_of(stack, table) == dict(wanted)
    stack.stop()
