#!/usr/bin/env python3
"""Records what Debezium's SQL Server connector says for sample/tables.sql and sample/changes.sql.

usage: record.py [NAME ..]      the recordings of RECORDINGS to make anew; without one, all

Needs Maven, a JDK of 17 or later, the simulator (`make simulator`) and the Python packages of tests/requirements*.txt. Starts a
PostgreSQL cluster and for each recording a simulator of its own, so that the LSNs are alike; leaves nothing running. Writes
sample/NAME.jsonl, complete or not at all.
"""
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "harness"))

from cluster import BUILD, Cluster  # noqa: E402
from simulator import Simulator  # noqa: E402

SAMPLE = HERE / "sample"
LIBRARIES = BUILD / "debezium"
DATABASE = "sample"
RECORD_TIMEOUT_S = 120      # without a record

# name: (properties of the connector, only the first record of each table)
RECORDINGS = {
    "default": ({}, False),
    "schemas": ({"key.schemas": "true", "value.schemas": "true"}, True),
    "string_connect_base64": ({"decimal.handling.mode": "string", "time.precision.mode": "connect", "binary.handling.mode": "base64"}, False),
    "double_micro_hex": ({"decimal.handling.mode": "double", "time.precision.mode": "adaptive_time_microseconds",
                          "binary.handling.mode": "hex"}, False),
    "string_isostring": ({"decimal.handling.mode": "string", "time.precision.mode": "isostring", "binary.handling.mode": "base64-url-safe"}, False),
    "microseconds": ({"time.precision.mode": "microseconds"}, False),
    "nanoseconds": ({"time.precision.mode": "nanoseconds"}, False),
}


def fetch_libraries():
    subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={LIBRARIES}"],
                   check=True, timeout=900)


def table_names(simulator):
    rows = simulator.query("SELECT s.name, t.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id "
                           "WHERE s.name = N'dbo' ORDER BY t.name", database=DATABASE)
    return [f"{schema}.{table}" for schema, table in rows]


def make_source(simulator):
    simulator.exec_sql(f"CREATE DATABASE {DATABASE}")
    simulator.exec_sql(f"ALTER DATABASE {DATABASE} SET ALLOW_SNAPSHOT_ISOLATION ON")
    simulator.exec_sql("EXEC sys.sp_cdc_enable_db", database=DATABASE)
    simulator.exec_sql("CREATE TABLE dbo.the_end (id int NOT NULL PRIMARY KEY)", database=DATABASE)
    simulator.exec_script(SAMPLE / "tables.sql", database=DATABASE)
    for name in table_names(simulator):
        schema, table = name.split(".", 1)
        simulator.exec_sql(f"EXEC sys.sp_cdc_enable_table @source_schema = N'{schema}', @source_name = N'{table}', @role_name = NULL",
                           database=DATABASE)
    simulator.exec_sql("INSERT dbo.the_end VALUES (1)", database=DATABASE)


def run_connector(simulator, properties, log):
    argv = ["java", "-Xmx512m", "-cp", f"{LIBRARIES}/*", HERE / "Sample.java", simulator.host, simulator.port, DATABASE, simulator.login,
            ",".join(re.escape(name) for name in table_names(simulator)), *(f"{name}={value}" for name, value in properties.items())]
    return subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
                            env={**os.environ, "SAMPLE_PASSWORD": simulator.password})


def row_count(simulator):
    return sum(simulator.query("SELECT COUNT(*) FROM [%s].[%s]" % tuple(name.split(".", 1)), database=DATABASE)[0][0]
               for name in table_names(simulator))


def records(lines):
    """The connector's records as (line, parsed); an error where it ended by itself or says nothing for long."""
    while True:
        line = lines.get(timeout=RECORD_TIMEOUT_S)
        if line is None:
            raise RuntimeError("the connector ended")
        yield line, json.loads(line)


def observe(simulator, lines):
    """Waits for the snapshot, makes the changes, and gives the lines of all records but those of the_end."""
    left, seen = row_count(simulator), []
    for line, record in records(lines):
        marker = record["topic"].endswith(".the_end")
        if not marker:
            seen.append(line)
        if record["value"] and record["value"].get("payload", record["value"])["op"] == "r":
            left -= 1
            if left == 0:
                simulator.exec_script(SAMPLE / "changes.sql", database=DATABASE)
                simulator.exec_sql("INSERT dbo.the_end VALUES (2)", database=DATABASE)
        elif marker:
            return seen


def first_of_each_table(lines):
    first = {}
    for line in lines:
        first.setdefault(json.loads(line)["topic"], line)
    return list(first.values())


def record(simulator, name, folder):
    properties, only_first = RECORDINGS[name]
    make_source(simulator)
    log_file = folder / f"{name}.log"
    with log_file.open("w") as log:
        process = run_connector(simulator, properties, log)
    lines = queue.Queue()
    threading.Thread(target=lambda: ([lines.put(line) for line in process.stdout], lines.put(None)), daemon=True).start()
    try:
        seen = observe(simulator, lines)
    except Exception:
        sys.stderr.write(log_file.read_text(errors="replace")[-6000:])
        raise
    finally:
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    text = "".join(first_of_each_table(seen) if only_first else seen)
    new = SAMPLE / f".{name}.new"
    new.write_text(text, encoding="utf-8")
    new.rename(SAMPLE / f"{name}.jsonl")
    print(f"{name}: {text.count(chr(10))} records")


def main():
    names = sys.argv[1:] or list(RECORDINGS)
    unknown = [name for name in names if name not in RECORDINGS]
    if unknown:
        raise SystemExit(f"no such recording: {', '.join(unknown)}; there are {', '.join(RECORDINGS)}")
    fetch_libraries()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-debezium-"))
    folder.chmod(0o755)
    try:
        with Cluster(folder / "pg", preload=False, settings={"synchronous_commit": "off"}) as cluster:
            for name in names:
                with Simulator(cluster, dir=folder / name, database=f"sim_{name}", options={"capture_interval_ms": 50}) as simulator:
                    record(simulator, name, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
