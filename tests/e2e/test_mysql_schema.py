"""A table that changes while it is captured: what each statement does to what lands, and that landed files stay as they are."""
import hashlib

import pytest

from test_consumer import duck_current

COLUMNS = "id INT PRIMARY KEY, city VARCHAR(40), size INT, small TINYINT, share DECIMAL(6,2), kind ENUM('a','b')"
VERSION, EPOCH = "a new version at most", "a new epoch"
# What of table: (its statement, what becomes of it)
ALTERS = {
    "added": ("ADD country VARCHAR(3) DEFAULT 'US'", VERSION),
    "added_null": ("ADD note VARCHAR(20)", VERSION),
    "added_number": ("ADD rating DECIMAL(4,2) NOT NULL DEFAULT 1.50", VERSION),
    "added_date": ("ADD since DATE DEFAULT '2020-02-29'", VERSION),
    "added_first": ("ADD region CHAR(2) DEFAULT 'EU' FIRST, ADD n INT DEFAULT -7 AFTER city", VERSION),
    "added_moment": ("ADD made DATETIME DEFAULT CURRENT_TIMESTAMP", EPOCH),
    "added_implicit": ("ADD sold INT NOT NULL", VERSION),
    "dropped": ("DROP COLUMN city", VERSION),
    "renamed": ("CHANGE city town VARCHAR(40)", EPOCH),
    "wider_text": ("MODIFY city VARCHAR(400)", VERSION),
    "narrower_text": ("MODIFY city VARCHAR(12)", VERSION),
    "same_number": ("MODIFY small SMALLINT", VERSION),
    "wider_number": ("MODIFY size BIGINT", EPOCH),
    "unsigned": ("MODIFY size INT UNSIGNED", EPOCH),
    "wider_decimal": ("MODIFY share DECIMAL(9,2)", EPOCH),
    "exchanged": ("DROP COLUMN small, ADD tiny TINYINT", EPOCH),
    "rekeyed": ("MODIFY size INT NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (size, id)", EPOCH),
    "reordered": ("MODIFY share DECIMAL(6,2) FIRST", VERSION),
    "more_members": ("MODIFY kind ENUM('a','b','c')", VERSION),
    "converted": ("CONVERT TO CHARACTER SET latin1", VERSION),
    "indexed": ("ADD INDEX (city), COMMENT 'nothing that lands'", VERSION),
}


@pytest.fixture(params=["FULL", "MINIMAL"])
def metadata(request, mysql_server):
    """binlog_row_metadata of the server."""
    mysql_server.exec_sql(f"SET GLOBAL binlog_row_metadata = '{request.param}'")
    yield request.param
    if not mysql_server.pid():
        mysql_server.start()
    mysql_server.exec_sql("SET GLOBAL binlog_row_metadata = 'FULL'")


def stand(stack, tables, rows=2, columns=COLUMNS, **options):
    """Tables with rows, loaded and followed, each with a change behind its load; at rest."""
    for table in tables:
        stack.write(f"CREATE TABLE {table} ({columns}) CHARACTER SET utf8mb4")
        stack.write(f"INSERT INTO {table} VALUES " + ", ".join(f"({n}, 'Köln {n}', {n * 10}, {n}, {n}.25, 'a')" for n in range(1, rows + 1)))
    stack.register()
    for table in tables:
        stack.add_table(table, **options)
    stack.start()
    for table in tables:
        stack.wait_state(table)
        stack.write(f"INSERT INTO {table} VALUES (100, 'Ulm', 100, 100, 100.5, 'b')")
        stack.write(f"UPDATE {table} SET size = size + 1 WHERE id = 1")
    stack.wait_uploaded(*tables)


def objects(stack):
    """{key: digest} of every data file that stands there."""
    landed = stack.landed()
    return {file.key: hashlib.sha256(landed.store.read(file.key)).hexdigest() for file in landed.files}


def untouched(stack, before):
    after = objects(stack)
    assert {key: after.get(key) for key in before} == before, "what has landed stays"


def at_source(stack, table):
    """{id: row} as the server has it now."""
    names = [row[0] for row in stack.server.query("SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
                                                  *table.split("."))]
    rows = stack.server.query(f"SELECT {', '.join(f'`{name}`' for name in names)} FROM {table}")
    return {row[names.index("id")]: dict(zip(names, row)) for row in rows}


def as_current(stack, table):
    """{id: row} as current_rows_sql gives it in DuckDB."""
    names, rows = duck_current(stack, table)
    found = {row[names.index("id")]: dict(zip(names, row)) for row in rows}
    assert len(found) == len(rows), "each key once"
    return found


def equal(stack, *tables):
    for table in tables:
        assert as_current(stack, table) == at_source(stack, table), table


def epoch(stack, table):
    return stack.status(table)["epoch"]


def name_of(stack, table):
    return f"{stack.name}.{table}"


def test_each_alteration_lands_as_a_version_or_an_epoch_and_old_rows_are_read_with_the_default(mysql_stack, metadata):
    stack = mysql_stack
    tables = {name_of(stack, what): (statement, outcome) for what, (statement, outcome) in ALTERS.items()}
    stand(stack, tables, format="parquet" if metadata == "FULL" else "jsonl")
    before, epochs = objects(stack), {table: epoch(stack, table) for table in tables}
    for table, (statement, _) in tables.items():
        stack.write(f"UPDATE {table} SET size = size + 1 WHERE id = 2; ALTER TABLE {table} {statement}")
        stack.write(f"INSERT IGNORE INTO {table} (id, size, share) VALUES (200, 200, 2.5); UPDATE {table} SET share = 9 WHERE id = 100")
    for table in tables:
        stack.wait_state(table)
    stack.wait_uploaded(*tables)
    for table in tables:
        stack.wait_state(table)
    untouched(stack, before)
    stack.check()
    for table, (statement, outcome) in tables.items():
        assert (epoch(stack, table) > epochs[table]) == (outcome == EPOCH), f"{statement}: epoch {epoch(stack, table)}, expected {outcome}: {stack.sql('SELECT reason FROM sluice.job WHERE table_name = %s', stack.table_name(table))}"
    equal(stack, *tables)


def test_added_column_with_a_default_leaves_one_more_version_and_one_more_file(mysql_stack):
    """The demonstration of the requirements: stores gets a country."""
    stack = mysql_stack
    table = name_of(stack, "stores")
    stand(stack, [table], rows=20)
    before = objects(stack)
    stack.write(f"ALTER TABLE {table} ADD country VARCHAR(3) DEFAULT 'US'")
    stack.write(f"INSERT INTO {table} (id, city, country) VALUES (201, 'Wien', 'AT'), (202, 'Reno', DEFAULT); UPDATE {table} SET country = 'DE' WHERE id = 1")
    stack.wait_uploaded(table)
    stack.stop()
    untouched(stack, before)
    equal(stack, table)
    countries = {n: row["country"] for n, row in as_current(stack, table).items()}
    assert countries == {**{n: "US" for n in (*range(1, 21), 100, 202)}, 1: "DE", 201: "AT"}
    versions = stack.sql("SELECT version FROM sluice.schema_version WHERE table_name = %s ORDER BY 1", stack.table_name(table))
    assert len(versions) == 2, versions
    landed = stack.check({table: ["id"]})
    assert {"country" in row for file in landed.files if file.key in before for row in file.rows} == {False}
    assert {"country" in row for file in landed.files if file.key not in before for row in file.rows} == {True}


def test_incompatible_change_stops_a_table_that_asks_for_it_and_no_other(mysql_stack):
    stack = mysql_stack
    table, other = name_of(stack, "stores"), name_of(stack, "other")
    stand(stack, [table, other], on_incompatible="stop")
    stack.write(f"INSERT INTO {table} (id) VALUES (150); ALTER TABLE {table} MODIFY size BIGINT; INSERT INTO {table} (id, size) VALUES (200, 99999999999)")
    row = stack.wait_state(table, "error")
    assert "size" in row["message"] and "resync_table" in row["hint"], row
    stack.write(f"INSERT INTO {other} (id) VALUES (200)")
    stack.wait_uploaded(other)
    equal(stack, other)
    kept = {int(row["id"]) for file in stack.landed().of(table) for row in file.rows}
    assert 150 in kept and 200 not in kept, "what was before the change has landed"
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(table))
    stack.wait_state(table)
    stack.wait_uploaded(table)
    equal(stack, table)


LIVES = {
    "truncated": ["TRUNCATE TABLE {t}"],
    "made_again": ["DROP TABLE {t}", f"CREATE TABLE {{t}} ({COLUMNS}) CHARACTER SET utf8mb4"],
    "made_otherwise": ["DROP TABLE {t}", "CREATE TABLE {t} (id BIGINT PRIMARY KEY, size DOUBLE, share DECIMAL(30,4), more TEXT)"],
    "renamed_over": ["CREATE TABLE _{n}_gho LIKE {t}", "ALTER TABLE _{n}_gho ADD ghost INT DEFAULT 3", "INSERT INTO _{n}_gho (id, city, size) SELECT id, city, size FROM {t}",
                     "RENAME TABLE {t} TO _{n}_del, _{n}_gho TO {t}"],
    "swapped": ["CREATE TABLE {n}_new LIKE {t}", "INSERT INTO {n}_new SELECT * FROM {t} WHERE id = 1", "RENAME TABLE {t} TO {n}_tmp, {n}_new TO {t}, {n}_tmp TO {n}_new"],
}


def test_table_with_another_life_begins_a_new_epoch_behind_its_last_changes(mysql_stack, metadata):
    stack = mysql_stack
    tables = {name_of(stack, what): statements for what, statements in LIVES.items()}
    stand(stack, tables)
    before, epochs = objects(stack), {table: epoch(stack, table) for table in tables}
    for table, statements in tables.items():
        stack.write(f"INSERT INTO {table} (id, size) VALUES (150, 1)")
        for statement in statements:
            stack.write(statement.format(t=table, n=table.split(".")[1]))
        stack.write(f"INSERT INTO {table} (id, size) VALUES (200, 200), (201, 1); UPDATE {table} SET share = 1.5 WHERE id = 201")
    for table in tables:
        stack.wait(lambda: epoch(stack, table) > epochs[table], f"{table} has a new epoch")
        stack.wait_state(table)
    stack.wait_uploaded(*tables)
    stack.stop()
    untouched(stack, before)
    landed = stack.check({table: ["id"] for table in tables})
    for table in tables:
        last = {int(row["id"]) for file in landed.of(table, epochs[table]) for row in file.rows}
        assert 150 in last and 200 not in last, f"{table}: the old epoch ends where the old life did"
    equal(stack, *tables)


def test_dropped_table_is_gone_and_comes_back_by_itself(mysql_stack):
    stack = mysql_stack
    table, other = name_of(stack, "stores"), name_of(stack, "other")
    stand(stack, [table, other])
    first = epoch(stack, table)
    stack.write(f"INSERT INTO {table} (id) VALUES (150); DROP TABLE {table}")
    row = stack.wait_state(table, "gone")
    assert "dropped" in row["message"], row
    assert 150 in {int(row["id"]) for file in stack.landed().of(table) for row in file.rows}
    stack.write(f"INSERT INTO {other} (id) VALUES (200)")
    stack.wait_uploaded(other)
    stack.write(f"CREATE TABLE {table} (id INT PRIMARY KEY, other VARCHAR(10)); INSERT INTO {table} VALUES (1, 'back')")
    stack.wait(lambda: epoch(stack, table) > first, "a new epoch")
    stack.wait_state(table)
    stack.write(f"INSERT INTO {table} VALUES (2, 'again')")
    stack.wait_uploaded(table)
    equal(stack, table, other)
    stack.stop()


PARTITIONS = " PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (2), PARTITION mid VALUES LESS THAN (100), PARTITION high VALUES LESS THAN MAXVALUE)"


def test_partition_that_goes_begins_a_new_epoch(mysql_stack):
    stack = mysql_stack
    what = {"dropped": "DROP PARTITION low", "truncated": "TRUNCATE PARTITION mid", "exchanged": "EXCHANGE PARTITION low WITH TABLE {t}_side"}
    tables = {name_of(stack, name): statement for name, statement in what.items()}
    for table in tables:
        stack.write(f"CREATE TABLE {table} ({COLUMNS}){PARTITIONS}; INSERT INTO {table} VALUES (1, 'a', 1, 1, 1, 'a'), (2, 'b', 2, 2, 2, 'b'), (100, 'c', 3, 3, 3, 'a')")
    stack.write(f"CREATE TABLE {name_of(stack, 'exchanged')}_side ({COLUMNS}); INSERT INTO {name_of(stack, 'exchanged')}_side VALUES (0, 'side', 0, 0, 0, 'b')")
    stack.register()
    for table in tables:
        stack.add_table(table)
    stack.start()
    for table in tables:
        stack.wait_state(table)
    epochs = {table: epoch(stack, table) for table in tables}
    for table, statement in tables.items():
        stack.write(f"ALTER TABLE {table} {statement.format(t=table)}; INSERT INTO {table} (id) VALUES (200)")
    for table in tables:
        stack.wait(lambda: epoch(stack, table) > epochs[table], f"{table} has a new epoch")
        stack.wait_state(table)
    stack.wait_uploaded(*tables)
    equal(stack, *tables)
    stack.stop()


def test_rows_between_two_changes_need_the_full_metadata_others_land_as_they_were_written(mysql_stack, metadata):
    """While nobody looks one table changes once, another twice: rows between two changes are described by the log itself, or by nothing that is left."""
    stack = mysql_stack
    once, twice = name_of(stack, "once"), name_of(stack, "twice")
    stand(stack, [once, twice])
    first = epoch(stack, once)
    stack.stop()
    stack.write(f"INSERT INTO {once} VALUES (150, 'before', 1, 1, 1, 'a'); ALTER TABLE {once} ADD country VARCHAR(3) DEFAULT 'US' AFTER id; "
                f"INSERT INTO {once} VALUES (200, 'AT', 'after', 1, 1, 1, 'a'); UPDATE {once} SET country = 'DE' WHERE id = 150")
    stack.write(f"ALTER TABLE {twice} ADD a INT DEFAULT 1; INSERT INTO {twice} (id, a) VALUES (150, 5); ALTER TABLE {twice} ADD b VARCHAR(9) DEFAULT 'b' AFTER id; "
                f"INSERT INTO {twice} (id, a, b) VALUES (200, 6, 'x')")
    stack.start()
    if metadata == "MINIMAL":
        row = stack.wait_state(twice, "error")
        assert "binlog_row_metadata" in row["hint"], row
        assert 150 not in {int(row["id"]) for file in stack.landed().of(twice) for row in file.rows}
        stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(twice))
        stack.wait_state(twice)
    stack.wait_uploaded(once, twice)
    stack.stop()
    assert epoch(stack, once) == first and (epoch(stack, twice) == first) == (metadata == "FULL")
    landed = stack.check({once: ["id"], twice: ["id"]})
    rows = {int(row["id"]): row for file in landed.of(once) for row in file.rows if row["_sluice_op"] == "I"}
    assert "country" not in rows[150] and rows[150]["city"] == "before" and rows[200]["country"] == "AT"
    equal(stack, once, twice)
