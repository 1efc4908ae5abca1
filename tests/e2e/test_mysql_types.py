"""Every type of MySQL and MariaDB: the same values loaded and streamed land alike, and as SELECT gives them."""
import pytest

from mysqlvalues import differences, source_rows
from values import Column

FORMATS = ["jsonl", "csv", "parquet"]
ROUND = "'a', '', ' b ', 'x,\"y\"\\n\\'z\\\\'"          # texts that a format could mistake
ALL = "'grün 😀', " + ROUND


def integers(name, bits):
    low, high = -2 ** (bits - 1), 2 ** (bits - 1) - 1
    return [(name, "int", f"{low}, {high}, 0, -1"), (f"{name} unsigned", "int", f"0, {2 * high + 1}, 1, {high + 1}")]


# (type, how values.py compares it, values from one end of its range to the other)
BOTH = [
    *integers("tinyint", 8), *integers("smallint", 16), *integers("mediumint", 24), *integers("int", 32), *integers("bigint", 64), ("bool", "int", "0, 1"),
    ("int(5) zerofill", "int", "7, 4294967295"),
    ("decimal(1,0)", "decimal:0", "-9, 0, 9"), ("decimal(10,2)", "decimal:2", "-99999999.99, -0.01, 0, 99999999.99"), ("decimal(9,9)", "decimal:9", "-0.999999999, 0.000000001"),
    ("decimal(19,10)", "decimal:10", "-999999999.9999999999, 0.0000000001"), ("decimal(38,0)", "decimal:0", f"-{'9' * 38}, {'9' * 38}, -1"),
    ("decimal(38,19)", "decimal:19", f"-{'9' * 19}.{'9' * 19}, -0.{'0' * 18}1"), ("decimal(65,0)", "digits", f"-{'9' * 65}, {'9' * 65}, 0, -1"),
    ("decimal(65,30)", "digits", f"-{'9' * 35}.{'9' * 30}, {'9' * 35}.{'9' * 30}, -0.{'0' * 29}1"), ("decimal(39,1) unsigned", "digits", f"0, {'9' * 38}.9"),
    ("float", "real", "-3.4028234e38, 3.4028234e38, 1.1754944e-38, -0.15625, 0, 0.1"), ("double", "float", "-1.7976931348623157e308, 2.2250738585072014e-308, 0.1, -0e0, 1e22"),
    ("bit(1)", "flag", "b'0', b'1'"), ("bit(9)", "bits", "0, 511, 257"), ("bit(64)", "bits", "0, 18446744073709551615, 9223372036854775809"),
    ("year", "int", "1901, 2155, 0"),
    ("date", "day", "'0001-01-01', '1000-01-01', '9999-12-31', '2024-02-29'"),
    ("time", "span", "'-838:59:59', '838:59:59', '00:00:00', '-00:00:01', '24:00:00'"), ("time(1)", "span", "'-838:59:58.9', '-00:00:00.1', '12:34:56.7'"),
    ("time(6)", "span", "'-838:59:58.999999', '838:59:58.999999', '-00:00:00.000001', '-01:02:03.500000', '00:00:00'"),
    ("datetime", "stamp:0", "'1000-01-01 00:00:00', '9999-12-31 23:59:59', '0001-01-01 00:00:00'"), ("datetime(3)", "stamp:3", "'1969-12-31 23:59:59.999', '2026-11-20 12:34:56.001'"),
    ("datetime(6)", "stamp:6", "'1000-01-01 00:00:00', '9999-12-31 23:59:59.999999', '2026-11-20 12:34:56.000001'"),
    # Written by a session in +05:30, read by one in UTC.
    ("timestamp NULL", "instant:0", "'1970-01-01 05:30:01', '2038-01-19 08:44:07', '2026-03-29 02:30:00'"),
    ("timestamp(6) NULL", "instant:6", "'1970-01-01 05:30:01.000001', '2038-01-19 08:44:07.999999', '2026-11-20 00:00:00'"),
    ("char(20)", "varchar", "'grün 😀', 'a', '', 'ends  '"), ("varchar(300)", "varchar", ALL + ", REPEAT('ä', 300)"), ("tinytext", "varchar", ALL), ("text", "varchar", ALL + ", REPEAT('t', 10000)"),
    ("mediumtext", "varchar", ALL), ("longtext", "varchar", ALL + ", REPEAT('l', 70000)"),
    ("varchar(20) CHARACTER SET latin1", "varchar", "'Äß€', ''"), ("char(9) CHARACTER SET utf16", "varchar", "'ö😀', ''"), ("varchar(20) CHARACTER SET ucs2", "varchar", "'ñ'"),
    ("varchar(20) CHARACTER SET utf32", "varchar", "'😀a'"), ("varchar(20) CHARACTER SET utf8mb3", "varchar", "'ñ€'"), ("text CHARACTER SET cp1251", "varchar", "'Жук'"),
    ("varchar(20) CHARACTER SET koi8r", "varchar", "'Жук'"), ("varchar(20) CHARACTER SET greek", "varchar", "'Ωλ'"), ("varchar(20) CHARACTER SET latin2", "varchar", "'Łódź'"),
    ("varchar(20) CHARACTER SET cp850", "varchar", "'é'"), ("varchar(20) CHARACTER SET ascii", "varchar", "'plain'"),
    ("varchar(20) CHARACTER SET sjis", "varchar", "'カナ漢'"), ("text CHARACTER SET gbk", "varchar", "'汉字'"), ("varchar(20) CHARACTER SET big5", "varchar", "'漢字'"),
    ("varchar(20) CHARACTER SET euckr", "varchar", "'한글'"), ("varchar(20) CHARACTER SET ujis", "varchar", "'漢字'"),
    ("enum('red','grün','a,b','')", "varchar", "'red', 'grün', 'a,b', ''"), ("enum('ja','Äö') CHARACTER SET latin1", "varchar", "'Äö', 'ja'"),
    ("set('x','y','zß')", "varchar", "'', 'x', 'x,y,zß', 'y,zß'"),
    ("binary(4)", "binary", "0x00000000, 0xff, 0x61620000"), ("varbinary(300)", "binary", "'', 0x00ff, REPEAT(0xfe, 300)"), ("tinyblob", "binary", "0x00, ''"),
    ("blob", "binary", "0xdeadbeef, REPEAT(0x00, 10000)"), ("mediumblob", "binary", "0x01"), ("longblob", "binary", "0x02, REPEAT(0x0a, 70000)"),
    ("json", "varchar", """'{"b": [1, -2.5, null, true], "a": {"k": "ü😀"}}', '[]', '"text"', '18446744073709551615', 'null'"""),
    ("geometry", "binary", "ST_GeomFromText('LINESTRING(0 0,1.5 -2)'), ST_GeomFromText('POINT(1 2)', 4326)"), ("point", "binary", "ST_GeomFromText('POINT(-1 0.5)')"),
    ("polygon", "binary", "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')"), ("geometrycollection", "binary", "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1))')"),
]
OWN = {
    "mariadb": [("uuid", "uuid", "'00112233-4455-6677-8899-aabbccddeeff', 'ffffffff-ffff-1fff-bfff-ffffffffffff'"), ("inet4", "varchar", "'192.168.1.20', '0.0.0.0'"),
                ("inet6", "varchar", "'2001:db8::1', '::', '::ffff:1.2.3.4'"), ("varchar(2000) COMPRESSED", "varchar", "REPEAT('compress ', 100), 'short', ''"),
                ("mediumblob COMPRESSED", "binary", "REPEAT(0x00ff, 500), 0x01")],
    "mysql": [("json", "varchar", """JSON_ARRAY(CAST('2026-02-28' AS DATE), CAST('-12:34:56.789012' AS TIME(6)), CAST('2026-02-28 12:34:56.5' AS DATETIME(6))),
               JSON_ARRAY(CAST(123456789.0123456789 AS DECIMAL(30,10)), 3.14, 1e100, -1e-300, 0.1), JSON_ARRAY(CAST(X'00ff10' AS BINARY)),
               CONCAT('["', REPEAT('y', 128), '","', REPEAT('z', 70000), '"]')""")],
}


def split(values):
    """The SQL expressions of a list, parted at its commas outside of quotes and brackets."""
    found, depth, quoted, start, n = [], 0, False, 0, 0
    while n < len(values):
        if quoted and values[n] == "\\":
            n += 1
        elif values[n] == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(values[n], 0)
            if values[n] == "," and depth == 0:
                found.append(values[start:n].strip())
                start = n + 1
        n += 1
    return [*found, values[start:].strip()]


def columns_and_rows(kind):
    """A table of every type: its columns, and rows of literals, the last one of NULLs."""
    types = BOTH + OWN[kind]
    columns = [Column("id", "int", "int", null=False)] + [Column(f"c{n:02}", type, same) for n, (type, same, _) in enumerate(types)]
    values = [split(text) for _, _, text in types]
    count = max(map(len, values))
    rows = [[str(n + 1)] + [each[n % len(each)] for each in values] for n in range(count)]
    return columns, rows + [[str(count + 1)] + ["NULL"] * len(types)]


def create(stack, table, columns, more=""):
    stack.write(f"CREATE TABLE {table} ({', '.join(f'{c.name} {c.type}' for c in columns)}, PRIMARY KEY (id)) CHARACTER SET utf8mb4{more}")


def insert(stack, table, rows):
    """By a session whose time zone and modes are not those that sluice reads in."""
    connection = stack.server.connect(stack.name)
    stack.write("SET time_zone = '+05:30', sql_mode = 'ALLOW_INVALID_DATES'", connection)
    for row in rows:
        stack.write(f"INSERT INTO {table} VALUES ({', '.join(row)})", connection)
    connection.close()


def read(landed, table):
    """{id: row} of a table in any format."""
    return {int(key): row for (key,), row in landed.fold(table, ["id"]).items()}


def test_every_type_loaded_and_streamed_lands_as_select_gives_it(mysql_stack):
    stack = mysql_stack
    columns, rows = columns_and_rows(stack.kind)
    loaded, streamed = ([f"{stack.name}.{how}_{format}" for format in FORMATS] for how in ("loaded", "streamed"))
    for table in loaded + streamed:
        create(stack, table, columns)
    for table in loaded:
        insert(stack, table, rows)
    stack.register()
    for table in loaded + streamed:
        stack.add_table(table, format=table.rsplit("_", 1)[1])
    stack.start()
    for table in loaded + streamed:
        stack.wait_state(table)
    for table in streamed:
        insert(stack, table, rows)
        stack.write(f"INSERT INTO {table} SELECT * FROM (SELECT * FROM {table} WHERE id = 1) one ON DUPLICATE KEY UPDATE c00 = 5")
    for table in loaded:
        stack.write(f"UPDATE {table} SET c00 = 5 WHERE id = 1")
    stack.wait_uploaded(*loaded, *streamed)
    landed = stack.check({table: ["id"] for table in loaded + streamed})
    for by_load, by_stream in zip(loaded, streamed):
        found = differences(columns, ["id"], landed.fold(by_load, ["id"]), source_rows(stack.server, stack.name, by_load, columns), most=20)
        assert not found, f"{by_load}:\n" + "\n".join(f"{text} ({next((c.type for c in columns if f' {c.name}:' in text), '')})"[:400] for text in found)
        assert len(landed.fold(by_load, ["id"])) == len(rows)
        first, second = read(landed, by_load), read(landed, by_stream)
        assert first.keys() == second.keys()
        for key, row in first.items():
            assert not {name: (value, second[key][name]) for name, value in row.items() if repr(value) != repr(second[key][name])}, f"{by_stream} row {key}"


ZERO_COLUMNS = [Column("id", "int", "int", null=False), Column("d", "date", "day"), Column("t", "datetime(3)", "stamp:3"), Column("s", "timestamp(6) NULL", "instant:6")]
ZERO_ROWS = [["1", "'0000-00-00'", "'0000-00-00 00:00:00'", "'0000-00-00 00:00:00'"], ["2", "'2026-02-00'", "'2026-00-10 01:02:03.004'", "NULL"],
             ["3", "'2026-02-30'", "'2026-02-30 00:00:00'", "NULL"], ["4", "'2026-02-28'", "'2026-02-28 12:34:56.789'", "'2026-11-20 05:30:00'"]]
NO_DATES = 7            # of ZERO_ROWS


@pytest.mark.parametrize("format", FORMATS)
def test_dates_that_are_none_land_as_null_and_are_counted_or_as_text(mysql_stack, format):
    stack = mysql_stack
    tables = {(how, policy): f"{stack.name}.{how}_{policy}" for how in ("loaded", "streamed") for policy in ("null", "text")}
    connection = stack.server.connect(stack.name)
    stack.write("SET time_zone = '+05:30', sql_mode = 'ALLOW_INVALID_DATES'", connection)
    for (how, _), table in tables.items():
        stack.write(f"CREATE TABLE {table} (id int PRIMARY KEY, d date, t datetime(3), s timestamp(6) NULL)", connection)
        if how == "loaded":
            stack.write(f"INSERT INTO {table} VALUES {', '.join('(' + ', '.join(row) + ')' for row in ZERO_ROWS)}", connection)
    stack.register()
    for (_, policy), table in tables.items():
        stack.add_table(table, format=format, **({"zero_dates": "text"} if policy == "text" else {}))
    stack.start()
    for (how, _), table in tables.items():
        stack.wait_state(table)
        if how == "streamed":
            stack.write(f"INSERT INTO {table} VALUES {', '.join('(' + ', '.join(row) + ')' for row in ZERO_ROWS)}", connection)
    connection.close()
    stack.wait_uploaded(*tables.values())
    landed = stack.check({table: ["id"] for table in tables.values()})
    for (how, policy), table in tables.items():
        rows = read(landed, table)
        if policy == "text":
            texts = {n: tuple(None if row[name] is None else str(row[name]) for name in "dts") for n, row in rows.items()}
            assert texts == {1: ("0000-00-00", "0000-00-00 00:00:00.000", "0000-00-00 00:00:00.000000"), 2: ("2026-02-00", "2026-00-10 01:02:03.004", None),
                             3: ("2026-02-30", "2026-02-30 00:00:00.000", None), 4: ("2026-02-28", "2026-02-28 12:34:56.789", "2026-11-20 00:00:00.000000")}, how
        else:
            assert sum(value is None for row in rows.values() for value in row.values()) == NO_DATES + 2, how
            assert not differences(ZERO_COLUMNS, ["id"], {key: row for key, row in landed.fold(table, ["id"]).items() if str(key[0]) == "4"},
                                   [row for row in source_rows(stack.server, stack.name, table, ZERO_COLUMNS) if str(row[0]) == "4"])
            assert stack.one("SELECT nulled FROM _sluice.tab WHERE name = %s", stack.table_name(table)) == NO_DATES, how


@pytest.mark.parametrize("how", ["loaded", "streamed"])
def test_larger_value_than_allowed_stops_its_table_naming_key_and_column(mysql_stack, how):
    stack = mysql_stack
    small, large = f"{stack.name}.small", f"{stack.name}.large"
    for table in (small, large):
        stack.write(f"CREATE TABLE {table} (id int PRIMARY KEY, doc longtext, bytes longblob)")
    text = f"INSERT INTO {large} VALUES (1, 'short', 0x01), (42, REPEAT('x', 3000), NULL)"
    if how == "loaded":
        stack.write(text)
    stack.register()
    stack.add_table(small)
    stack.add_table(large, max_value_bytes=2048)
    stack.start()
    stack.wait_state(small)
    if how == "streamed":
        stack.wait_state(large)
        stack.write(text)
    row = stack.wait_state(large, "error")
    assert "doc" in row["message"] and "42" in row["message"] and "2048" in row["message"], row["message"]
    assert "max_value_bytes" in row["hint"]
    stack.sql("SELECT * FROM sluice.alter_table(%s, %s::jsonb)", stack.table_name(large), '{"max_value_bytes": 4096}')
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name(large))
    stack.write(f"INSERT INTO {small} VALUES (1, NULL, NULL)")
    stack.wait_state(large)
    stack.wait_uploaded(small, large)
    assert stack.check({large: ["id"]}).fold(large, ["id"])[(42,)]["doc"] == "x" * 3000
    stack.stop()
