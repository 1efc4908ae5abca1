"""Whatever a real MariaDB or MySQL keeps in a table lands from its log as the server itself gives it: random tables of all types and character sets,
random rows, changes of them, columns added and dropped in place; our decoder (mysql_rows_driver) against SELECT through another client.

A machine without MySQL runs the MariaDB half and says so. SEED=n repeats a run, TABLES=n makes it longer."""
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(ROOT / "tests" / "harness"))

from mysqlserver import MariaDB, MySQL  # noqa: E402

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
TABLES = int(os.environ.get("TABLES", "12"))
COLUMNS, ROWS = 14, 14
ALPHABETS = ["abcXYZ 09_'\"\\", "äöüßéÅ€ñ", "Жукшщя", "αβγΩ", "汉字国学", "カナ漢かな", "한국어", "עברית", "العربية", "ไทย", "😀𝄞", "\t\n\r\x00\x1a%;", "ŁłČžőş", "Հայ", "ქარ"]
CHARSETS = {}  # server kind: names


def text(rng, limit):
    alphabet = rng.choice(ALPHABETS) + rng.choice(ALPHABETS)
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 2, min(limit, 5), rng.randint(0, limit), limit])))


def hexed(data):
    return "x'" + data.hex() + "'"


def day(rng):
    return rng.choice(["0000-00-00", "2024-02-00", "2024-00-10", "0001-01-01", "1000-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "2023-02-31", "9999-12-31",
                       f"{rng.randint(1, 9999):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"])


def clock(rng, digits):
    value = rng.choice(["00:00:00", "23:59:59", f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"])
    return value + ("." + f"{rng.choice([0, 1, 10 ** digits - 1, rng.randrange(10 ** digits)]):0{digits}}" if digits else "")


def integer(bits):
    def make(rng):
        is_unsigned = rng.random() < 0.5
        low, high = (0, 2 ** bits - 1) if is_unsigned else (-2 ** (bits - 1), 2 ** (bits - 1) - 1)
        word = {8: "tinyint", 16: "smallint", 24: "mediumint", 32: "int", 64: "bigint"}[bits]
        extra = rng.choice([" unsigned", " unsigned zerofill", "(5) unsigned"]) if is_unsigned else rng.choice(["", "(3)"])
        return word + extra, lambda: str(rng.choice([low, high, 0, 1, rng.randint(low, high)]))
    return make


def decimal(rng):
    precision = rng.choice([1, 5, 9, 10, 18, 19, 27, 38, 39, 65, rng.randint(1, 65)])
    scale = rng.randint(0, min(precision, 30))

    def value():
        digits = str(rng.choice([0, 1, 10 ** precision - 1, rng.randrange(10 ** precision), rng.randrange(10 ** rng.randint(1, precision))])).zfill(scale + 1)
        return rng.choice(["", "-"]) + digits[:len(digits) - scale] + ("." + digits[len(digits) - scale:] if scale else "")
    return f"decimal({precision},{scale})", value


def floating(word):
    def make(rng):
        limit = 3.4e38 if word == "float" else 1.7e308
        return word, lambda: repr(rng.choice([0.0, -0.0, 1.5, limit, -limit, 1e-30, rng.uniform(-1, 1), rng.uniform(-1, 1) * 10 ** rng.randint(-30, 30)]))
    return make


def bit(rng):
    width = rng.choice([1, 1, 2, 7, 8, 9, 33, 63, 64])
    return f"bit({width})", lambda: str(rng.choice([0, 1, 2 ** width - 1, rng.randrange(2 ** width)]))


def temporal(word):
    def make(rng):
        digits = rng.choice([0, 0, 1, 2, 3, 4, 5, 6]) if word != "date" else 0

        def value():
            if word == "date":
                return f"'{day(rng)}'"
            if word == "datetime":
                return f"'{day(rng)} {clock(rng, digits)}'"
            if word == "timestamp":
                return f"'{rng.choice(['0000-00-00 00:00:00', '1970-01-01 00:00:01', '2038-01-19 03:14:07', f'{rng.randint(1971, 2037)}-06-15 ' + clock(rng, digits)])}'"
            sign, hours = rng.choice(["", "-"]), rng.choice([0, 1, 23, 24, 99, 100, 837, rng.randint(0, 837)])
            return f"'{sign}{hours}:{clock(rng, digits)[3:]}'"
        return f"{word}({digits}){' null' if word == 'timestamp' else ''}" if digits else word + (" null" if word == "timestamp" else ""), value
    return make


def characters(rng, kind):
    charset = rng.choice(CHARSETS[kind])
    length = rng.choice([1, 5, 20, 60, 63, 64, 85, 86, 255])
    word = rng.choice([f"char({length})", f"varchar({length})", f"varchar({length + 200})", "tinytext", "text", "mediumtext", "longtext"])
    limit = {"tinytext": 60}.get(word, 400 if "text" in word else length)

    def value():
        data = text(rng, limit)
        if word == "tinytext" or word.startswith("char"):
            data = data.rstrip(" ")
        return f"CONVERT(CONVERT({hexed(data.encode())} USING utf8mb4) USING {charset})"
    packed = " compressed" if kind == "mariadb" and rng.random() < 0.3 and not word.startswith("char") else ""
    return f"{word}{packed} character set {charset}", value


def binary(rng, kind):
    length = rng.choice([1, 4, 16, 200, 255])
    word = rng.choice([f"binary({length})", f"varbinary({length})", f"varbinary({length + 300})", "tinyblob", "blob", "mediumblob", "longblob"])
    limit = 255 if word == "tinyblob" else 2000 if word.endswith("blob") else length
    packed = " compressed" if kind == "mariadb" and rng.random() < 0.3 and not word.startswith("binary") else ""
    return word + packed, lambda: hexed(rng.choice([b"", b"\0", b"\0\0\xff\0", rng.randbytes(rng.randint(0, limit)), b"a" * limit])[:limit])


def members(word):
    def make(rng, kind):
        charset = rng.choice(CHARSETS[kind])
        names = list(dict.fromkeys(["a", "it''s", "x y", "b\\\\c", "", *(f"m{i}" for i in range(rng.choice([0, 3, 50, 300]) if word == "enum" else rng.randint(0, 58)))]))
        if word == "set":
            names = [name for name in names if name]
        rng.shuffle(names)
        top = len(names) if word == "enum" else 2 ** len(names) - 1
        return f"{word}({', '.join(chr(39) + name + chr(39) for name in names)}) character set {charset}", lambda: str(rng.choice([1, top, rng.randint(1, top)]))
    return make


def document(rng):
    def value(depth=0):
        pick = rng.randrange(9 if depth < 3 else 6)
        if pick >= 6:
            many = rng.choice([0, 1, 3, 20])
            return [value(depth + 1) for _ in range(many)] if pick == 6 else {text(rng, 12): value(depth + 1) for _ in range(many)}
        return [None, rng.choice([True, False]), rng.choice([0, -1, 2 ** 15, -2 ** 31, 2 ** 32, 2 ** 63, -2 ** 63, 2 ** 64 - 1, rng.randint(-10 ** 18, 10 ** 18)]),
                rng.choice([0.0, 1.0, -1.5, 1e100, 5e-324, rng.uniform(-1, 1) * 10.0 ** rng.randint(-25, 25)]), text(rng, 40), "long " * rng.choice([1, 30, 4000])][pick]
    return "json", lambda: f"CONVERT({hexed(json.dumps(value(), ensure_ascii=False).encode())} USING utf8mb4)"


def geometry(rng):
    number = lambda: repr(round(rng.uniform(-90, 90), rng.randint(0, 9)))  # noqa: E731
    return rng.choice(["geometry", "point"]), lambda: f"ST_GeomFromText('POINT({number()} {number()})', {rng.choice([0, 4326])})"


def uuid(rng):
    return "uuid", lambda: "'" + str(__import__("uuid").UUID(bytes=rng.choice([rng.randbytes(16), bytes(16), b"\xff" * 16, rng.randbytes(12) + bytes(4)]))) + "'"


def inet(rng):
    word = rng.choice(["inet4", "inet6"])
    four = lambda: ".".join(str(rng.choice([0, 1, 255, rng.randrange(256)])) for _ in range(4))  # noqa: E731
    six = lambda: rng.choice(["::", "::1", "::ffff:" + four(), "::" + four(), "fe80::1:0:0:0", "1:0:0:2::3", "2001:db8:0:0:1:0:0:1",  # noqa: E731
                              ":".join(f"{rng.choice([0, 0, rng.randrange(65536)]):x}" for _ in range(8))])
    return word, lambda: "'" + (four() if word == "inet4" else six()) + "'"


PLAIN = [integer(8), integer(16), integer(24), integer(32), integer(64), decimal, decimal, floating("float"), floating("double"), bit,
         lambda rng: ("year", lambda: rng.choice(["0", "1901", "2155", "2024"])), temporal("date"), temporal("time"), temporal("datetime"), temporal("timestamp"), geometry,
         document]
KNOWING = [characters, characters, characters, binary, members("enum"), members("set")]
OWN = {"mariadb": [uuid, inet], "mysql": [document, document]}


TIMES = "t0 TIME, t1 TIME(1), t6 TIME(6), d0 DATETIME, d1 DATETIME(1), d6 DATETIME(6), s0 TIMESTAMP NULL, s1 TIMESTAMP(1) NULL, s6 TIMESTAMP(6) NULL, da DATE"
# Tables whose log has more, or other, columns than one sees: name, how it is made, what then changes.
SPECIAL = {
    "both": [
        ("made", "CREATE TABLE made (id INT PRIMARY KEY, a INT, b INT GENERATED ALWAYS AS (a * 2) VIRTUAL, c INT GENERATED ALWAYS AS (a * 3) STORED, d VARCHAR(20) GENERATED ALWAYS AS (CONCAT('x', a)), "
                 "INDEX (d))", "INSERT INTO made (id, a) VALUES (1, 1), (2, 2), (3, NULL); UPDATE made SET a = 10 WHERE id = 1; DELETE FROM made WHERE id = 3"),
        ("unseen", "CREATE TABLE unseen (id INT PRIMARY KEY, a INT INVISIBLE DEFAULT 5, b VARCHAR(10))", "INSERT INTO unseen (id, b) VALUES (1, 'x'), (2, 'y'); UPDATE unseen SET b = 'z'"),
        ("wide", "CREATE TABLE wide (id INT PRIMARY KEY, " + ", ".join(f"c{i} INT" for i in range(900)) + ")", "INSERT INTO wide (id, c0, c899) VALUES (1, 2, 3); UPDATE wide SET c450 = 7"),
        ("parted", "CREATE TABLE parted (id INT PRIMARY KEY, a INT) PARTITION BY HASH (id) PARTITIONS 3", "INSERT INTO parted VALUES (1, 1), (2, 2); UPDATE parted SET id = id + 10"),
    ],
    "mariadb": [
        ("versioned", "CREATE TABLE versioned (id INT PRIMARY KEY, a TEXT, UNIQUE (a)) WITH SYSTEM VERSIONING",
         "INSERT INTO versioned VALUES (1, 'a'), (2, 'b'); UPDATE versioned SET a = 'x' WHERE id = 1; DELETE FROM versioned WHERE id = 2; INSERT INTO versioned VALUES (3, 'c'); "
         "UPDATE versioned SET id = 33 WHERE id = 3"),
        ("period", "CREATE TABLE period (id INT PRIMARY KEY, a VARCHAR(10), f TIMESTAMP(6) GENERATED ALWAYS AS ROW START, u TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (f, u)) "
                   "WITH SYSTEM VERSIONING", "INSERT INTO period (id, a) VALUES (1, 'a'), (2, 'b'); UPDATE period SET a = 'x' WHERE id = 1; DELETE FROM period WHERE id = 2"),
        ("hashed", "CREATE TABLE hashed (id INT PRIMARY KEY, a TEXT, UNIQUE (a)); ALTER TABLE hashed ADD COLUMN z INT DEFAULT 5", "INSERT INTO hashed VALUES (2, 'b', 6); UPDATE hashed SET a = 'q'"),
        ("old", f"SET GLOBAL mysql56_temporal_format = OFF; CREATE TABLE old (id INT PRIMARY KEY, {TIMES}); SET GLOBAL mysql56_temporal_format = ON", "INSERT INTO old VALUES (1, '838:59:59', '-838:59:59.9', '-10:11:12.123456', '2024-02-29 23:59:59', '2024-02-29 23:59:59.9', "
                "'2024-02-29 23:59:59.123456', '2024-01-01', '2024-01-01 00:00:00.9', '2024-01-01 00:00:00.123456', '2024-05-06'), (2, '-00:00:01', '00:00:00.1', '00:00:00.000001', "
                "'0000-00-00', '2024-00-10 10:00:00.5', '9999-12-31 23:59:59.999999', '0000-00-00', '2038-01-19 03:14:07.9', '2038-01-19 03:14:07.999999', '0000-00-00')"),
    ],
    "mysql": [
        ("functional", "CREATE TABLE functional (id INT PRIMARY KEY, a INT, j JSON, INDEX ((a + 1)), INDEX ((CAST(j -> '$.a' AS UNSIGNED ARRAY))))",
         "INSERT INTO functional VALUES (1, 1, '{\"a\": [1, 2]}'), (2, 2, NULL); UPDATE functional SET a = 5, j = '{\"a\": [3]}' WHERE id = 1"),
        ("vectors", "CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3))", "INSERT INTO vectors VALUES (1, TO_VECTOR('[1,2,3]')), (2, NULL)"),
    ],
}


def column_make(rng, kind):
    plain = PLAIN + OWN[kind]
    pick = rng.randrange(len(plain) + len(KNOWING))
    return plain[pick](rng) if pick < len(plain) else KNOWING[pick - len(plain)](rng, kind)


def read_back(name, column_type):
    word = column_type.split("(")[0].split(" ")[0]
    if word in ("bit", "year"):
        return f"CAST(`{name}` + 0 AS CHAR)"
    if word in ("float", "double"):
        return f"`{name}` + 0e0"  # CAST(.. AS CHAR) of MySQL drops the last digit of some
    if word in ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point", "vector"):
        return f"CONCAT('0x', LOWER(HEX(`{name}`)))"
    if word == "uuid":
        return f"CONCAT('0x', REPLACE(CAST(`{name}` AS CHAR), '-', ''))"
    return f"CONVERT(CAST(`{name}` AS CHAR) USING utf8mb4)"


class Run:
    def __init__(self, server, kind, rng):
        self.server, self.kind, self.rng = server, kind, rng
        self.connection = server.connect()
        self.exec("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'")
        self.exec("CREATE DATABASE p; USE p")
        self.tables = {}

    def exec(self, statement):
        return self.server.exec_sql(statement, connection=self.connection)

    def query(self, statement, *parameters):
        return self.server.query(statement, *parameters, connection=self.connection)

    def table_make(self, name):
        """A table; columns are added and dropped in place, which leaves rows of several forms in it."""
        rng = self.rng
        while True:
            columns = {f"c{i}": column_make(rng, self.kind) for i in range(rng.randint(3, COLUMNS))}
            try:
                self.exec(f"CREATE TABLE {name} (id INT PRIMARY KEY, " + ", ".join(f"`{c}` {t}" for c, (t, _) in columns.items()) + ") CHARACTER SET utf8mb4")
                break
            except Exception as refused:
                if "Row size too large" not in str(refused):
                    raise
        self.tables[name] = columns
        self.rows_insert(name, range(1, 3))
        if rng.random() < 0.4:
            self.exec(f"ALTER TABLE {name} DROP COLUMN c1")
            del columns["c1"]
        if rng.random() < 0.4:
            order = list(columns)
            self.exec(f"ALTER TABLE {name} ADD COLUMN later INT UNSIGNED DEFAULT 7 AFTER `{order[0]}`")
            self.tables[name] = columns = {order[0]: columns[order[0]], "later": ("int unsigned", lambda: "8"), **{c: columns[c] for c in order[1:]}}
        if rng.random() < 0.3:
            self.exec(f"ALTER TABLE {name} ADD COLUMN made INT GENERATED ALWAYS AS (id * 2) {rng.choice(['VIRTUAL', 'STORED'])}")

    def special_make(self):
        for _, creation, _ in SPECIAL["both"] + SPECIAL[self.kind]:
            self.exec(creation)

    def rows_insert(self, name, ids):
        columns = self.tables[name]
        for id in ids:
            values = [str(id)] + ["NULL" if self.rng.random() < 0.1 else value() for _, value in columns.values()]
            self.exec(f"INSERT INTO {name} (id, {', '.join(f'`{c}`' for c in columns)}) VALUES ({', '.join(values)})")

    def changes_make(self, name):
        rng, columns = self.rng, self.tables[name]
        self.rows_insert(name, range(10, 10 + ROWS))
        for id in rng.sample(range(10, 10 + ROWS), 6):
            column, (_, value) = rng.choice(list(columns.items()))
            self.exec(f"UPDATE {name} SET `{column}` = {value()} WHERE id = {id}")
        self.exec(f"UPDATE {name} SET id = id + 1000 WHERE id IN (11, 13)")
        self.exec(f"DELETE FROM {name} WHERE id IN (12, 1)")

    def described(self, name):
        found = self.query("SELECT column_name, column_type, character_set_name, collation_name, is_nullable, column_default, extra, generation_expression, ordinal_position "
                           "FROM information_schema.columns WHERE table_schema = 'p' AND table_name = %s ORDER BY ordinal_position", name)
        names = ("name", "column_type", "character_set", "collation", "is_nullable", "column_default", "extra", "generation_expression", "ordinal")
        plain = [[item.decode() if isinstance(item, bytes) else item for item in row] for row in found]
        return [dict(zip(names, row)) for row in plain]

    def driver(self, log, input):
        result = subprocess.run([BUILD / "asan" / "unit" / "mysql_rows_driver", log], input=json.dumps(input).encode(), capture_output=True, timeout=120)
        lines = [json.loads(line) for line in result.stdout.decode().split("\n") if line]
        return lines, result.stderr.decode() if result.returncode else ""


def same(column_type, found, wanted, schema_type):
    if found is None or wanted is None:
        return found is wanted
    word = column_type.split("(")[0].split(" ")[0]
    if word == "float":
        return struct.pack("f", float(found)) == struct.pack("f", float(wanted))
    if word == "double":
        return struct.pack("d", float(found)) == struct.pack("d", float(wanted)) or (float(found) == 0 == float(wanted))
    if "zerofill" in column_type:
        return int(found) == int(wanted)
    return found == wanted


def calendar(value):
    """What a column of a temporal type cannot hold lands as null."""
    if value is None or len(value) < 10:
        return False
    year, month, date = int(value[:4]), int(value[5:7]), int(value[8:10])
    days = [31, 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return year >= 1 and 1 <= month <= 12 and 1 <= date <= days[month - 1]


def compare(run, tables, lines, as_text):
    """What the log's changes make of each table against the table; the first differences in words."""
    rows, nulled, wrong = {name: {} for name in tables}, 0, []
    for line in lines:
        if not isinstance(line, list):
            continue
        name, op, _, *values = line
        table = rows[name.split(".")[1]]
        table.pop(values[0], None) if op == "D" else table.__setitem__(values[0], values)
    for name, facts in tables.items():
        wanted = {row[0]: row for row in run.query(f"SELECT {', '.join(read_back(f['name'], f['column_type']) for f in facts)} FROM p.{name} ORDER BY id")}
        for id, row in wanted.items():
            if id == "2" and id not in rows[name]:
                continue  # older than the log
            if id not in rows[name]:
                wrong.append(f"{name}: row {id} is not in the log")
                continue
            for fact, found, value in zip(facts, rows[name][id], row):
                word = fact["column_type"].split("(")[0].split(" ")[0]
                if not as_text and word in ("date", "datetime", "timestamp") and value is not None and not calendar(value):
                    value, nulled = None, nulled + 1
                if not same(fact["column_type"], found, value, None):
                    wrong.append(f"{name}.{fact['name']} {fact['column_type']} {fact['character_set']}: row {id} is {found!r:.200}, wanted {value!r:.200}")
        for id in rows[name].keys() - wanted.keys():
            wrong.append(f"{name}: row {id} is in the log alone")
    return wrong


def shapes_wrong(lines):
    """Where a full table map tells another type than information_schema; uuid, inet, lengths of vectors, kinds of geometry and the digits of MariaDB's old times it cannot tell."""
    wrong = []
    for line in lines:
        if isinstance(line, dict) and line.get("map"):
            for known, told in zip(line["columns"], line["map"]):
                if known["source_type"] in ("uuid", "inet4", "inet6", "point", "vector(3)") or line["table"] == "p.old":
                    continue
                wrong += [f"{line['table']}.{known['name']} {known['source_type']}: {member} is {told.get(member)!r:.100} in the map, {known.get(member)!r:.100} in the catalogue"
                          for member in ("name", "type", "source_type", "precision", "scale", "character_set", "values", "large") if known.get(member) != told.get(member)]
    return wrong


def run_on(server, kind, rng, result):
    run = Run(server, kind, rng)
    CHARSETS[kind] = [name for name, in run.query("SELECT character_set_name FROM information_schema.character_sets ORDER BY 1") if name != "binary"]
    for metadata in ("FULL", "MINIMAL"):
        run.tables = {}
        run.exec(f"SET GLOBAL binlog_row_metadata = {metadata}")
        for i in range(math.ceil(TABLES / 2)):
            run.table_make(f"{metadata.lower()}{i}")
        run.special_make()
        server.flush_logs()
        for name in run.tables:
            run.changes_make(name)
        for name, _, changes in SPECIAL["both"] + SPECIAL[kind]:
            run.exec(changes)
            run.tables[name] = {}
        log = server.data / run.query("SHOW BINARY LOGS")[-1][0]
        facts = {name: run.described(name) for name in run.tables}
        for as_text in (False, True):
            temporal = lambda fact: fact["column_type"].startswith(("date", "datetime", "timestamp"))  # noqa: E731
            input = {"mariadb": kind == "mariadb", "tables": {f"p.{name}": {"facts": columns, "key": ["id"], "text": [c["name"] for c in columns if as_text and temporal(c)]}
                                                               for name, columns in facts.items()}, "before": True}
            lines, refused = run.driver(log, input)
            wrong = [refused] if refused else compare(run, facts, lines, as_text)
            result(f"{kind}: rows logged with {metadata} metadata land as SELECT gives them{', dates as text' if as_text else ''}", wrong)
            if metadata == "FULL" and not as_text:
                result(f"{kind}: full table maps tell the shapes that information_schema tells", shapes_wrong(lines))
        for name, _, _ in SPECIAL["both"] + SPECIAL[kind]:
            run.exec(f"DROP TABLE {name}")
    run.connection.close()


def main():
    failed = False

    def result(name, wrong):
        nonlocal failed
        print(f"{'not ok' if wrong else 'ok'} - {name}")
        if wrong:
            failed = True
            print("\n".join(f"# {line}" for line in [f"SEED={SEED}", *wrong[:12]]))

    for server_class, kind in ((MariaDB, "mariadb"), (MySQL, "mysql")):
        missing = getattr(server_class, "missing", lambda: None)()
        if missing:
            print(f"ok - {kind} is not here: {missing}")
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="rows-"))
        folder.chmod(0o755)
        try:
            with server_class(folder / kind) as server:
                run_on(server, kind, random.Random(SEED), result)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
