"""The `trips` table of two benchmarks, and the peers that read it: 29 columns as a taxi trip has them (1 BIGINT key, 10 INT, 1 TINYINT,
2 DATETIME, 15 DECIMAL(10,2)), 160 bytes a row, NULLs in four columns. A row depends on its number alone.

    trips.create(server); trips.fill(server, 1, 2_000_000)      # server: harness/mysqlserver.py, a MariaDB (seq_1_to_n)
    cost = trips.connectorx(server, folder)                     # .cpu_s .wall_s .peak_mib .rows; None where it cannot be had
    cost = trips.dlt(server, folder)
    if trips.Debezium.available():
        with trips.Debezium(server, folder) as debezium:        # its place in the log is behind what was written before
            trips.fill(server, 2_000_001, 500_000)              # one transaction
            cost = debezium.drain(500_000)
    assert trips.totals(server) == trips.totals_of(parquet_files)

Peers are programs of tests/peers/trips and tests/peers/debezium, one process each. CPU is user and system time of that process and
its children from behind its imports (Debezium: the start of the virtual machine) to the end of the job, peak memory that of its life.
"""
import json
import os
import pathlib
import shutil
import subprocess
import time
from dataclasses import dataclass

from cluster import BUILD, ROOT

DATABASE = "bench"
TABLE = "trips"
PYTHON = BUILD / "venv-bench" / "bin" / "python"        # tests/requirements-bench.txt; made by `make bench`
LIBRARIES = BUILD / "debezium-mariadb"                  # tests/peers/debezium/pom.xml; likewise
HEAP = "1g"
PEER_TIMEOUT_S = 1200

MONEY = {"fare_amount": 7919, "extra": 3, "mta_tax": 2, "tip_amount": 1511, "tolls_amount": 613, "ehail_fee": 7, "improvement_surcharge": 11,
         "congestion_surcharge": 13, "airport_fee": 17, "total_amount": 9973, "trip_distance": 4001}
PLACES = {"pickup_longitude": (-7425, 50), "pickup_latitude": (4050, 40), "dropoff_longitude": (-7425, 50), "dropoff_latitude": (4050, 40)}
CODES = {"cab_type_id": 3, "vendor_id": 4, "rate_code_id": 6, "passenger_count": 7, "payment_type": 5, "trip_type": 2,
         "pickup_location_id": 265, "dropoff_location_id": 263, "pickup_tract_id": 2168, "dropoff_tract_id": 2167}
NULLED = {"passenger_count": 10, "trip_type": 3, "ehail_fee": 2, "airport_fee": 5}     # every n-th row


def columns():
    """[(name, type, expression over the row's number n)]"""
    found = [("id", "BIGINT NOT NULL PRIMARY KEY", "n"), ("store_and_forward", "TINYINT", "n MOD 2"),
             ("pickup_at", "DATETIME", "'2015-01-01' + INTERVAL n * 7 SECOND"),
             ("dropoff_at", "DATETIME", "'2015-01-01' + INTERVAL n * 7 + 60 + n * 37 MOD 3600 SECOND")]
    found += [(name, "INT", f"1 + n * 31 MOD {most}") for name, most in CODES.items()]
    found += [(name, "DECIMAL(10,2)", f"n * {factor} MOD 10007 / 100") for name, factor in MONEY.items()]
    found += [(name, "DECIMAL(10,2)", f"({low} + n * 17 MOD {width}) / 100") for name, (low, width) in PLACES.items()]
    return [(name, type, f"IF(n MOD {NULLED[name]} = 0, NULL, {value})" if name in NULLED else value) for name, type, value in found]


def create(server):
    server.exec_sql(f"CREATE DATABASE IF NOT EXISTS {DATABASE}; DROP TABLE IF EXISTS {DATABASE}.{TABLE}; "
                    f"CREATE TABLE {DATABASE}.{TABLE} ({', '.join(f'{name} {type}' for name, type, _ in columns())}) ENGINE = InnoDB")


def fill(server, first, count, logged=True):
    """Rows number first to first + count - 1, in one transaction; logged false: they do not stand in the log."""
    values = ", ".join(value for _, _, value in columns())
    server.exec_sql(f"{'' if logged else 'SET sql_log_bin = 0; '}"
                    f"INSERT INTO {TABLE} SELECT {values} FROM (SELECT CAST(seq AS SIGNED) + {first - 1} AS n FROM seq_1_to_{count}) numbers", database=DATABASE)


# What every copy of the rows must agree with: a sum and a count over key, integer, decimal, time and a column with NULLs.
def totals(server):
    """(rows, sum of id, of total_amount, of dropoff_location_id, of epoch seconds of dropoff_at, values of ehail_fee)"""
    return tuple(int(value) for value in server.query(
        "SELECT COUNT(*), SUM(id), SUM(total_amount) * 100, SUM(dropoff_location_id), SUM(TIMESTAMPDIFF(SECOND, '1970-01-01', dropoff_at)), "
        f"COUNT(ehail_fee) FROM {TABLE}", database=DATABASE)[0])


def totals_of(files):
    """The same of Parquet files, whatever type their writer gave the columns."""
    import duckdb
    with duckdb.connect() as db:
        return tuple(int(value) for value in db.execute(
            "SELECT COUNT(*), SUM(id), round(SUM(total_amount) * 100), SUM(dropoff_location_id), SUM(epoch(dropoff_at))::bigint, COUNT(ehail_fee) "
            "FROM read_parquet(?)", [[str(file) for file in files]]).fetchone())


@dataclass
class Cost:
    rows: int
    cpu_s: float
    wall_s: float
    peak_mib: float

    @property
    def rate(self):
        """Rows per CPU-second."""
        return self.rows / self.cpu_s


def run(argv, server, log):
    """The cost that a peer's program prints as its last line; its password comes by the environment."""
    with pathlib.Path(log).open("ab") as errors:
        done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                              timeout=PEER_TIMEOUT_S, env={**os.environ, "PEER_PASSWORD": server.password})
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}:\n{pathlib.Path(log).read_text(errors='replace')[-3000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def python_peer(name, server, folder):
    """A program of tests/peers/trips that leaves Parquet files in folder/name/lake, compared with the table; None where its packages are
    not installed."""
    if not PYTHON.exists():
        print(f"without {name}: the packages of tests/requirements-bench.txt are not installed")
        return None
    place = pathlib.Path(folder) / name
    shutil.rmtree(place, ignore_errors=True)
    (place / "lake").mkdir(parents=True)
    cost = run([PYTHON, ROOT / "tests" / "peers" / "trips" / f"{name}_load.py", server.host, server.port, server.admin, DATABASE, TABLE, place],
               server, place / "log")
    wrote = totals_of((place / "lake").rglob("*.parquet"))
    assert wrote == totals(server), f"{name} wrote {wrote}, the table has {totals(server)}"
    shutil.rmtree(place)
    return cost


def connectorx(server, folder):
    return python_peer("connectorx", server, folder)


def dlt(server, folder):
    return python_peer("dlt", server, folder)


class Debezium:
    """Debezium's MariaDB connector, embedded, at the end of the log; drain() reads what has come since and writes it as JSON lines."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = pathlib.Path(folder) / "debezium"
        self.file = self.folder / "changes.jsonl"

    @staticmethod
    def available():
        return LIBRARIES.is_dir() and any(LIBRARIES.iterdir()) and shutil.which("java") is not None

    def __enter__(self):
        """Its snapshot of the schema and its place in the log: it reads one row of a table of its own and stops."""
        self.folder.mkdir(parents=True)
        self.server.exec_sql(f"CREATE TABLE {DATABASE}.debezium_mark (id INT AUTO_INCREMENT PRIMARY KEY)")
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self._argv("debezium_mark", 1), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={**os.environ, "PEER_PASSWORD": self.server.password})
        end = time.monotonic() + PEER_TIMEOUT_S
        try:
            while process.poll() is None and time.monotonic() < end:
                self.server.exec_sql(f"INSERT {DATABASE}.debezium_mark VALUES ()")
                time.sleep(0.5)
            if process.poll() != 0:
                raise RuntimeError(f"Debezium did not start:\n{(self.folder / 'log').read_text(errors='replace')[-3000:]}")
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.folder, ignore_errors=True)

    def drain(self, count):
        return run(self._argv(TABLE, count, self.file), self.server, self.folder / "log")

    def _argv(self, table, count, *file):
        program = ROOT / "tests" / "peers" / "debezium" / "Drain.java"
        return [str(word) for word in ("java", f"-Xmx{HEAP}", "-cp", f"{LIBRARIES}/*", program, self.server.host, self.server.port, self.server.admin,
                                       DATABASE, table, count, self.folder, *file)]
