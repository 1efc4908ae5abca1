"""Values of MySQL and MariaDB types, as values.py has SQL Server's: made up from a seed, written as SQL, fetched without loss, compared.

`Workload` speaks through this module as it does through values.py; the comparison itself is values.differences(). What PyMySQL would
round or refuse (floats, times, zero dates) is fetched as the server's own text.
"""
import json

import values
from values import LETTERS, Column, clock_of, day_of, differences, float_of, text_of  # noqa: F401 - differences: as of values.py

BEGIN, COMMIT = "START TRANSACTION", "COMMIT"
WIDE = values.WIDE + "%_\r\n"
LATIN = "abc ÄöÜß€'\"\\"            # what latin1 of MySQL (cp1252) holds

MIXED = [
    Column("id", "bigint", "int", null=False), Column("part", "smallint", "int", null=False), Column("c_tiny", "tinyint", "int"),
    Column("c_medium", "mediumint unsigned", "int"), Column("c_int", "int", "int"), Column("c_big", "bigint unsigned", "int"),
    Column("c_bit", "bit(1)", "flag"), Column("c_bits", "bit(64)", "bits"), Column("c_decimal", "decimal(30,10)", "decimal:10"),
    Column("c_wide", "decimal(65,30)", "digits"), Column("c_float", "float", "real"), Column("c_double", "double", "float"),
    Column("c_date", "date", "day"), Column("c_time", "time(6)", "span"), Column("c_year", "year", "int"),
    Column("c_datetime", "datetime(6)", "stamp:6"), Column("c_second", "datetime", "stamp:0"), Column("c_timestamp", "timestamp(6)", "instant:6"),
    Column("c_char", "char(6)", "varchar"), Column("c_varchar", "varchar(80)", "varchar"), Column("c_latin", "varchar(40) CHARACTER SET latin1", "varchar"),
    Column("c_text", "mediumtext", "varchar"), Column("c_enum", "enum('red','grün','a,b','')", "varchar"), Column("c_set", "set('x','y','zß')", "varchar"),
    Column("c_json", "json", "varchar"), Column("c_binary", "varbinary(40)", "binary"), Column("c_blob", "blob", "binary"),
]
MIXED_KEY = ["id", "part"]


def create_table(table, columns, key):
    lines = [f"`{c.name}` {c.type} {'NULL' if c.null else 'NOT NULL'}" for c in columns]
    if key:
        lines.append(f"PRIMARY KEY ({', '.join(key)})")
    return f"CREATE TABLE {table} ({', '.join(lines)}) CHARACTER SET utf8mb4"


# ---- made-up values, as literals --------------------------------------------------
def quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def json_of(r):
    return json.dumps(r.choice([{"b": text_of(r, 10, WIDE), "a": [1, -2.5, None, True]}, [], "text", r.randint(-2 ** 63, 2 ** 63 - 1), {"k" * 40: {"n": [{}] * 3}}]),
                      ensure_ascii=False)


def digits_of(r, whole, scale):
    return f"{'-' if r.random() < .5 else ''}{r.randrange(10 ** r.randint(1, whole))}.{r.randrange(10 ** scale):0{scale}}"


MAKERS = {
    "flag": lambda r: str(r.randint(0, 1)),
    "bits": lambda r: str(r.choice((0, 2 ** 64 - 1, r.getrandbits(64)))),
    "decimal:10": lambda r: digits_of(r, 20, 10),
    "digits": lambda r: digits_of(r, 35, 30),
    "float": lambda r: f"{float_of(r):.17e}",
    "real": values.MAKERS["real"],
    "day": lambda r: quote(day_of(r, values.datetime.date(1000, 1, 1))),
    "span": lambda r: quote(f"{r.choice(('', '-'))}{r.randint(0, 837)}:{r.randint(0, 59):02}:{r.randint(0, 59):02}.{r.randrange(10 ** 6):06}"),
    "stamp:6": lambda r: quote(day_of(r, values.datetime.date(1000, 1, 1)) + " " + clock_of(r, 6)),
    "stamp:0": lambda r: quote(day_of(r, values.datetime.date(1000, 1, 1)) + " " + clock_of(r, 0)),
    "instant:6": lambda r: quote(day_of(r, values.datetime.date(1970, 1, 2), values.datetime.date(2038, 1, 18)) + " " + clock_of(r, 6)),
    "binary": lambda r: f"x'{r.randbytes(r.randint(0, 40)).hex()}'",
}
CHOICES = {"enum": ("red", "grün", "a,b", ""), "set": ("", "x", "y", "x,zß", "x,y,zß")}
INTEGERS = {"tinyint": (-128, 127), "smallint": (-2 ** 15, 2 ** 15 - 1), "mediumint unsigned": (0, 2 ** 24 - 1), "int": (-2 ** 31, 2 ** 31 - 1),
            "bigint": (-2 ** 63, 2 ** 63 - 1), "bigint unsigned": (0, 2 ** 64 - 1), "year": (1901, 2155)}


def literal(column, rng):
    if column.null and rng.random() < 0.12:
        return "NULL"
    if column.kind == "int":
        low, high = INTEGERS[column.type]
        return str(rng.choice((low, high, max(0, low), rng.randint(low, high), rng.randint(low, high))))
    kind = column.type.split("(")[0]
    if kind in CHOICES:
        return quote(rng.choice(CHOICES[kind]))
    if kind == "json":
        return quote(json_of(rng))
    if column.kind == "varchar":
        most = 6 if kind == "char" else 3000 if kind == "mediumtext" and rng.random() < 0.02 else 38
        return quote(text_of(rng, most, LATIN if "latin1" in column.type else WIDE))
    return MAKERS[column.kind](rng)


def insert_statement(table, columns, key, rows):
    """One INSERT of rows [(key values, version)]; a row depends on its key and version only."""
    def body(given, version):
        rng, given = values.random.Random(f"{given} {version}"), dict(zip(key, given))
        return "(" + ", ".join(str(given[c.name]) if c.name in given else literal(c, rng) for c in columns) + ")"
    return f"INSERT INTO {table} ({', '.join(c.name for c in columns)}) VALUES " + ",\n".join(body(*row) for row in rows)


# ---- from the source, without loss ------------------------------------------------
KINDS = {"tinyint": "int", "smallint": "int", "mediumint": "int", "int": "int", "bigint": "int", "year": "int", "float": "real", "double": "float", "date": "day",
         "time": "span", "binary": "binary", "varbinary": "binary", "tinyblob": "binary", "blob": "binary",
         "mediumblob": "binary", "longblob": "binary"}


def columns_of(server, database, table):
    """(columns, primary key) as the server's catalogue describes them."""
    schema, name = table.split(".")
    rows = server.query("SELECT column_name, column_type, data_type, numeric_precision, numeric_scale, datetime_precision, is_nullable, column_key FROM information_schema.columns "
                        "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position", schema, name, database=database)

    def kind(type, data_type, precision, scale, digits):
        if data_type == "decimal":
            return f"decimal:{scale}" if precision <= 38 else "digits"
        if data_type in ("datetime", "timestamp"):
            return f"{'stamp' if data_type == 'datetime' else 'instant'}:{digits or 0}"
        return ("flag" if type == "bit(1)" else "bits") if data_type == "bit" else KINDS.get(data_type, "varchar")
    columns = [Column(name, type, kind(type, data_type, precision, scale, digits), null == "YES") for name, type, data_type, precision, scale, digits, null, _ in rows]
    return columns, [row[0] for row in rows if row[7] == "PRI"]


def select_item(column):
    if column.kind == "real":           # the text of a FLOAT has six digits
        return f"CAST(`{column.name}` AS double)"
    return f"`{column.name}`"


def conversions():
    from pymysql import converters
    from pymysql.constants import FIELD_TYPE
    kept = dict(converters.conversions)
    for code in (FIELD_TYPE.DATE, FIELD_TYPE.TIME, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP):
        kept.pop(code, None)
    return kept


def source_rows(server, database, table, columns):
    connection = server.connect(database, conv=conversions())
    try:
        return server.query(f"SELECT {', '.join(select_item(c) for c in columns)} FROM {table}", connection=connection)
    finally:
        connection.close()


# ---- comparison: kinds that values.py does not have ---------------------------------
def same_stamp(landed, source, _):
    return type(landed) is str and landed == source.replace(" ", "T")


def same_instant(landed, source, _):
    return type(landed) is str and landed.removesuffix("Z").removesuffix("+00:00") == source.replace(" ", "T")


def bits(source):
    return int.from_bytes(source, "big")


values.COMPARE.update({
    "flag": lambda landed, source, _: type(landed) is bool and landed == bool(bits(source)),
    "bits": lambda landed, source, _: type(landed) is int and landed == bits(source),
    "digits": lambda landed, source, _: type(landed) is str and landed == format(source, "f"),
    "day": lambda landed, source, _: landed == source, "span": values.same_text, "stamp": same_stamp, "instant": same_instant,
})
