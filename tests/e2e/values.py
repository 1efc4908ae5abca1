"""Values of SQL Server types: made up from a seed, written as T-SQL, and compared with what landed.

A table is described once, as a list of Column(name, type, kind); from that come its CREATE TABLE, rows that depend only on
(key, version), the SELECT that fetches every value without loss, and the comparison. What pymssql would round (100 ns, offsets,
sql_variant, CLR types) is fetched as text or bytes made by the server.
"""
import base64
import dataclasses
import datetime
import decimal
import math
import random
import struct
import uuid

from decoding import Field

LETTERS = "abcdefghijklmnopqrstuvwxyzäöüßéñ€ 'ABC\"\\/\t"
WIDE = LETTERS + "日本語Ωж😀𝄞"


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    type: str
    kind: str
    null: bool = True
    lob: bool = False
    size: int = 0           # characters of each value, where they are to be many


MIXED = [
    Column("id", "bigint", "int", null=False), Column("part", "smallint", "int", null=False), Column("c_tiny", "tinyint", "int"),
    Column("c_bit", "bit", "bool"), Column("c_int", "int", "int"), Column("c_decimal", "decimal(38,10)", "decimal:10"),
    Column("c_money", "money", "decimal:4"), Column("c_float", "float", "float"), Column("c_real", "real", "real"),
    Column("c_date", "date", "date"), Column("c_time", "time(7)", "time:7"), Column("c_datetime", "datetime", "datetime"),
    Column("c_datetime2", "datetime2(7)", "datetime2:7"), Column("c_offset", "datetimeoffset(7)", "datetimeoffset:7"),
    Column("c_nchar", "nchar(6)", "nvarchar"), Column("c_varchar", "varchar(60)", "varchar"), Column("c_nvarchar", "nvarchar(80)", "nvarchar"),
    Column("c_max", "nvarchar(max)", "nvarchar", lob=True), Column("c_binary", "varbinary(40)", "binary"), Column("c_uuid", "uniqueidentifier", "uuid"),
]
MIXED_KEY = ["id", "part"]
BEGIN, COMMIT = "BEGIN TRANSACTION", "COMMIT TRANSACTION"
# Ten rows of it are more than one part of an upload.
LONG = [Column("id", "bigint", "int", null=False), Column("part", "smallint", "int", null=False),
        Column("c_long", "varchar(max)", "varchar", null=False, size=1000000)]


def create_table(table, columns, key):
    lines = [f"{c.name} {c.type} {'NULL' if c.null else 'NOT NULL'}" for c in columns]
    if key:
        lines.append(f"CONSTRAINT pk_{table.split('.')[-1]} PRIMARY KEY CLUSTERED ({', '.join(key)})")
    return f"CREATE TABLE {table} ({', '.join(lines)})"


# ---- made-up values, as T-SQL literals --------------------------------------------
def quote(text, wide=True):
    return ("N'" if wide else "'") + text.replace("'", "''") + "'"


def text_of(rng, most, letters):
    return "".join(rng.choices(letters, k=rng.randint(0, most)))


def day_of(rng, first=datetime.date(1, 1, 1), last=datetime.date(9999, 12, 31)):
    return datetime.date.fromordinal(rng.randint(first.toordinal(), last.toordinal())).isoformat()


def clock_of(rng, digits):
    text = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    return text + (f".{rng.randrange(10 ** digits):0{digits}}" if digits else "")


def float_of(rng):
    return rng.choice([0.0, 1.5, -2.25, rng.uniform(-1e6, 1e6), rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300)])


MAKERS = {
    "bool": lambda r: str(r.randint(0, 1)),
    "decimal:10": lambda r: f"{'-' if r.random() < .5 else ''}{r.randrange(10 ** r.randint(1, 28))}.{r.randrange(10 ** 10):010}",
    "decimal:4": lambda r: f"{r.randint(-922337203685476, 922337203685476)}.{r.randrange(5000):04}",
    "float": lambda r: f"{float_of(r):.17e}",
    "real": lambda r: f"{struct.unpack('f', struct.pack('f', r.uniform(-1, 1) * 10.0 ** r.randint(-30, 37)))[0]:.9e}",
    "date": lambda r: quote(day_of(r), False),
    "time:7": lambda r: quote(clock_of(r, 7), False),
    "datetime": lambda r: quote(day_of(r, datetime.date(1753, 1, 1)) + "T" + clock_of(r, 3), False),
    "datetime2:7": lambda r: quote(day_of(r) + "T" + clock_of(r, 7), False),
    "datetimeoffset:7": lambda r: quote(f"{day_of(r, datetime.date(2, 1, 1), datetime.date(9998, 12, 31))} {clock_of(r, 7)} "
                                        f"{r.choice('+-')}{r.randint(0, 13):02}:{r.choice((0, 15, 30, 45)):02}", False),
    "varchar": lambda r: quote(text_of(r, 40, LETTERS.replace("\t", "")), False),
    "nvarchar": lambda r: quote(text_of(r, 38, WIDE)),
    "binary": lambda r: "0x" + r.randbytes(r.randint(0, 40)).hex(),
    "uuid": lambda r: quote(str(uuid.UUID(int=r.getrandbits(128))), False),
}
INTEGERS = {"tinyint": (0, 255), "smallint": (-2 ** 15, 2 ** 15 - 1), "int": (-2 ** 31, 2 ** 31 - 1), "bigint": (-2 ** 63, 2 ** 63 - 1)}


def literal(column, rng):
    if column.size:
        return quote(rng.randbytes(column.size // 2).hex(), False)
    if column.null and rng.random() < 0.12:
        return "NULL"
    if column.kind == "int":
        low, high = INTEGERS[column.type]
        return str(rng.choice((low, high, 0, rng.randint(low, high), rng.randint(low, high))))
    if column.type.startswith("nchar"):
        return quote(text_of(rng, 6, LETTERS.replace("\t", "")))
    if column.lob:
        return quote(text_of(rng, 300 if rng.random() < 0.02 else 40, WIDE))
    return MAKERS[column.kind](rng)


def row_literals(columns, key, values, version):
    """T-SQL literals of a row; `values` are the key's, the rest depends on them and the version."""
    rng = random.Random(f"{values} {version}")
    given = dict(zip(key, values))
    return [str(given[c.name]) if c.name in given else literal(c, rng) for c in columns]


def insert_statement(table, columns, key, rows):
    """One INSERT of rows [(key values, version)]."""
    body = ",\n".join("(" + ", ".join(row_literals(columns, key, values, version)) + ")" for values, version in rows)
    return f"INSERT INTO {table} ({', '.join(c.name for c in columns)}) VALUES {body}"


# ---- from the source, without loss ------------------------------------------------
TEXTS = ("time", "datetime2", "datetimeoffset", "variant")
BYTES = ("clr", "rowversion")
KINDS = {"tinyint": "int", "smallint": "int", "int": "int", "bigint": "int", "bit": "bool", "money": "decimal:4", "smallmoney": "decimal:4",
         "char": "varchar", "nchar": "nvarchar", "text": "varchar", "ntext": "nvarchar", "xml": "nvarchar", "varbinary": "binary", "image": "binary",
         "uniqueidentifier": "uuid", "timestamp": "rowversion", "sql_variant": "variant", "hierarchyid": "clr", "geometry": "clr", "geography": "clr"}


def columns_of(simulator, database, table):
    """(columns, primary key) as the source's catalogue describes them."""
    rows = simulator.query(
        "SELECT c.name, t.name, c.scale, c.is_nullable FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id "
        f"WHERE c.object_id = OBJECT_ID('{table}') ORDER BY c.column_id", database=database)
    columns = [Column(name, type, f"{type}:{scale}" if type in ("time", "datetime2", "datetimeoffset") else
                      f"decimal:{scale}" if type in ("decimal", "numeric") else KINDS.get(type, type), bool(null))
               for name, type, scale, null in rows]
    key = simulator.query(
        "SELECT c.name FROM sys.indexes i JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id "
        "JOIN sys.columns c ON c.object_id = ic.object_id AND c.column_id = ic.column_id "
        f"WHERE i.is_primary_key = 1 AND i.object_id = OBJECT_ID('{table}') ORDER BY ic.key_ordinal", database=database)
    return columns, [name for (name,) in key]


def select_item(column):
    if column.kind.split(":")[0] in TEXTS:
        return f"CAST([{column.name}] AS nvarchar(400)) AS [{column.name}]"
    if column.kind in BYTES:
        return f"CAST([{column.name}] AS varbinary(8000)) AS [{column.name}]"
    return f"[{column.name}]"


def stream_rows(simulator, database, table, columns):
    """The table's rows as they arrive, none kept."""
    connection = simulator.connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(select_item(c) for c in columns)} FROM {table}")
            yield from cursor
    finally:
        connection.close()


def source_rows(simulator, database, table, columns):
    return list(stream_rows(simulator, database, table, columns))


# ---- comparison -------------------------------------------------------------------
def same_decimal(landed, source, scale):
    if scale == 0:
        return type(landed) is int and landed == source
    return isinstance(landed, decimal.Decimal) and format(landed, "f") == f"{source:.{scale}f}"


def same_float(code):
    def same(landed, source, _):
        if isinstance(landed, str):
            return not math.isfinite(source) and landed == ("NaN" if math.isnan(source) else "-Infinity" if source < 0 else "Infinity")
        return isinstance(landed, decimal.Decimal) and struct.pack(code, float(landed)) == struct.pack(code, source)
    return same


def iso_time(text, digits):
    """'12:34:56.1' with exactly `digits` fractional digits."""
    whole, _, fraction = text.partition(".")
    return whole + ("." + fraction.ljust(digits, "0") if digits else "")


def iso_stamp(text, digits):
    day, _, clock = text.partition(" ")
    return f"{day}T{iso_time(clock, digits)}"


def iso_offset(text, digits):
    stamp, _, offset = text.rpartition(" ")
    return iso_stamp(stamp, digits) + offset


def stamp_text(value, digits):
    return value.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + (f".{value.microsecond:06}"[:1 + digits] if digits else "")


def same_text(landed, source, _):
    return type(landed) is str and landed == source


def same_bytes(landed, source, _):
    return type(landed) is str and base64.b64decode(landed, validate=True) == source


COMPARE = {
    "int": lambda l, s, _: type(l) is int and l == s,
    "bool": lambda l, s, _: type(l) is bool and l == bool(s),
    "decimal": same_decimal,
    "float": same_float("<d"),
    "real": same_float("<f"),
    "date": lambda l, s, _: l == s.isoformat(),
    "time": lambda l, s, digits: l == iso_time(s, digits),
    "datetime": lambda l, s, _: l == stamp_text(s, 3),
    "smalldatetime": lambda l, s, _: l == stamp_text(s, 0),
    "datetime2": lambda l, s, digits: l == iso_stamp(s, digits),
    "datetimeoffset": lambda l, s, digits: l == iso_offset(s, digits),
    "varchar": same_text, "nvarchar": same_text, "variant": same_text,
    "binary": same_bytes, "rowversion": same_bytes, "clr": same_bytes,
    "uuid": lambda l, s, _: type(l) is str and l.lower() == str(s).lower(),
}


# ---- values of other formats, as JSON lines have them -----------------------------
DIGITS = {"datetime": 3, "smalldatetime": 0}
STAMPS = ("datetime", "smalldatetime", "datetime2", "datetimeoffset", "stamp", "instant")


def number_form(text, scale=None):
    return int(text) if scale == 0 else decimal.Decimal(text)


def field_form(kind, digits, text):
    """Of the text of a CSV field."""
    if kind in ("int", "bits", "bool", "flag"):
        return int(text) if kind in ("int", "bits") else {"true": True, "false": False}[text]
    if kind == "decimal":
        return number_form(text, digits)
    if kind in ("float", "real"):
        return str(text) if text.endswith(("NaN", "Infinity")) else decimal.Decimal(text)
    return str(text).replace(" ", "T", 1) if kind in STAMPS else str(text)


def python_form(kind, digits, value):
    """Of what pyarrow makes of a Parquet value."""
    if type(value) is float:
        return decimal.Decimal(repr(value)) if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value) is bytes:
        return base64.b64encode(value).decode()
    if type(value) is datetime.datetime:
        digits = DIGITS.get(kind, digits)
        assert value.microsecond % 10 ** (6 - digits) == 0, f"{value} has more than {digits} fractional digits"
        return stamp_text(value, digits)
    if type(value) is decimal.Decimal:
        # An unsigned 64 bit number is a decimal in Parquet (docs/formats.md).
        return int(value) if kind in ("int", "bits") else number_form(value, digits) if kind == "decimal" and digits == 0 else value
    return value.isoformat() if type(value) is datetime.date else value


def comparer(column):
    """same(landed, source) of a column."""
    kind, _, digits = column.kind.partition(":")
    same, digits = COMPARE[kind], int(digits or 0)

    def compare(landed, source):
        if landed is None or source is None:
            return landed is source
        if type(landed) is Field:
            landed = field_form(kind, digits, landed)
        elif type(landed) not in (str, int, bool):
            landed = python_form(kind, digits, landed)
        return same(landed, source, digits)
    return compare


def value_equal(column, landed, source):
    return comparer(column)(landed, source)


def key_value(column, source):
    """A key's value as it lands, for the types that keys are made of."""
    kind, _, digits = column.kind.partition(":")
    convert = {"datetime2": iso_stamp, "datetimeoffset": iso_offset, "time": iso_time}.get(kind)
    if convert:
        return convert(source, int(digits))
    return source.isoformat() if kind == "date" else str(source) if kind == "uuid" else source


def differences(columns, key, folded, rows, most=10):
    """What a fold and the source's rows disagree in, as texts; [] = every value equal. folded: {key values: row}; rows may be a stream."""
    names = [c.name for c in columns]
    at = [names.index(name) for name in key]
    sames = list(zip(names, map(comparer, columns)))
    fields = any(type(value) is Field for value in next(iter(folded), ()))      # a key of CSV is text
    expected = set(names)
    found = []
    seen = set()
    for row in rows:
        values = tuple(str(value) if fields else value for value in (key_value(columns[i], row[i]) for i in at))
        seen.add(values)
        landed = folded.get(values)
        if landed is None:
            found.append(f"{values} is missing")
        elif landed.keys() != expected:
            found.append(f"{values}: columns {sorted(set(landed) ^ expected)} on one side only")
        else:
            found += [f"{values} {name}: landed {landed[name]!r}, source {value!r}"
                      for (name, same), value in zip(sames, row) if not same(landed[name], value)]
        if len(found) >= most:
            return found
    return found + [f"{values} landed and is not in the source" for values in set(folded) - seen][:most]
