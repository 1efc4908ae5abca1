"""What real servers wrote lands as they themselves print it: the recorded logs of tests/peers/binlog/sample, on any machine; JSON of MySQL in its binary form above all."""
import json
import subprocess
import sys

from mysql_rows_property_test import BUILD, ROOT, calendar, same

SAMPLE = ROOT / "tests" / "peers" / "binlog" / "sample"
# Its rows are of two shapes, and some come in events that our driver passes over; binlog_test has them.
LEFT_OUT = {"changed", "squeezed"}
TEMPORAL = ("date", "datetime", "timestamp")


def compressed(table, id):
    return table == "documents" and id in ("100", "101")


def differences(kind, as_text):
    told = json.loads((SAMPLE / f"{kind}.json").read_text())
    tables = {name: columns for name, columns in told["columns"].items() if name not in LEFT_OUT}
    word = {name: [column["column_type"].split("(")[0].split(" ")[0] for column in columns] for name, columns in tables.items()}
    input = {"mariadb": kind == "mariadb", "tables": {
        f"sample.{name}": {"facts": [{**column, "ordinal": i + 1} for i, column in enumerate(columns)], "key": ["id"],
                           "text": [column["name"] for column, w in zip(columns, word[name]) if as_text and w in TEMPORAL]} for name, columns in tables.items()}}
    result = subprocess.run([BUILD / "asan" / "unit" / "mysql_rows_driver", SAMPLE / f"{kind}.binlog"], input=json.dumps(input).encode(), capture_output=True, timeout=120)
    if result.returncode:
        return [result.stderr.decode()]
    rows = {name: {} for name in tables}
    nulled = 0
    for line in (json.loads(text) for text in result.stdout.decode().split("\n") if text):
        if isinstance(line, list):
            rows[line[0].split(".")[1]][line[3]] = line[3:]
        nulled += line.get("nulled", 0) if isinstance(line, dict) else 0
    wrong, null = [], 0
    for name, columns in tables.items():
        for wanted in told["rows"][name]:
            if compressed(name, wanted[0]):
                continue
            if wanted[0] not in rows[name]:
                wrong.append(f"{name}: row {wanted[0]} is missing")
                continue
            for column, w, found, value in zip(columns, word[name], rows[name][wanted[0]], wanted):
                if w in TEMPORAL and not as_text and value is not None and not calendar(value):
                    value, null = None, null + 1
                if w in ("bit", "year") and value is not None:
                    value = str(int(value, 16 if w == "bit" else 10))
                if w == "uuid" and value is not None:
                    value = "0x" + value.replace("-", "")
                if w == "float" and value is not None and abs(float(found) - float(value)) <= 1e-5 * abs(float(value)):
                    continue  # printed by the server with six digits
                if not same(column["column_type"], found, value, None):
                    wrong.append(f"{name}.{column['name']} row {wanted[0]}: {found!r:.150}, wanted {value!r:.150}")
    if nulled != null:
        wrong.append(f"{nulled} values are counted as null, wanted {null}")
    return wrong


def main():
    failed = False
    for kind in ("mariadb", "mysql"):
        for as_text in (False, True):
            wrong = differences(kind, as_text)
            failed = failed or bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} - the recorded log of {kind} lands as the server prints its rows{', dates as text' if as_text else ''}")
            print("".join(f"# {line}\n" for line in wrong[:10]), end="")
    return failed


if __name__ == "__main__":
    sys.exit(main())
