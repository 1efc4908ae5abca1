"""Profile dms, CSV and Parquet, with any of its settings: the columns and rows that AWS DMS's settings ask for, every value equal. Prints TAP lines."""
import datetime

import format_csv_property_test as csv
import format_parquet_property_test as parquet
import property
import pyarrow.parquet
import rowcases
import rowfile
from property import COMMIT_UNKNOWN, EPOCH, INCARNATION

MANY = 10 if property.ALL else 1
LOAD_US = 1_690_000_000_123_456
OPTIONS = {"include_op_for_full_load": (None, True, False), "cdc_inserts_only": (None, None, True), "cdc_inserts_and_updates": (None, None, True),
           "timestamp_column_name": (None, "stamp"), "change_seq_column": (None, "AR_H_CHANGE_SEQ")}


def settings(rng):
    chosen = {name: rng.choice(values) for name, values in OPTIONS.items()}
    if chosen["cdc_inserts_only"]:
        chosen["cdc_inserts_and_updates"] = None
    return {name: value for name, value in chosen.items() if value is not None}


def stamp(commit_us, load):
    us = LOAD_US if commit_us == COMMIT_UNKNOWN and load else commit_us
    return None if us == COMMIT_UNKNOWN else (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)).isoformat(" ", "microseconds")


def wanted_rows(rows, options, load):
    left_out = "" if load else "UD" if options.get("cdc_inserts_only") else "D" if options.get("cdc_inserts_and_updates") else ""
    return [row for row in rows if row.op not in left_out]


def wanted_columns(fields, options, load):
    op = options.get("include_op_for_full_load") or not load and not options.get("cdc_inserts_only")
    return [*["Op"] * bool(op), *[f.name for f in fields], *[options[n] for n in ("timestamp_column_name", "change_seq_column") if n in options]]


def case(seed, folder, format):
    rng = rowcases.random.Random(seed)
    options, load = settings(rng), rng.random() < 0.3
    fields = [rowcases.random_field(rng, i) for i in range(len(rowcases.TYPES))]
    rows = rowcases.random_rows(rng, fields, rng.choice((0, 1, 700, 2000)))
    for row in rows:
        row.op = "R" if load else row.op
    spec = {"format": format, "compression": "none", "profile": "dms", "epoch": EPOCH, "incarnation": INCARNATION, "options": options, "load": load,
            "load_us": LOAD_US}
    path = folder / f"out.{format}"
    rowfile.land(path, spec, fields, list(property.with_images(rows)), property.driver(seed), **property.sizes(rng))
    return path, fields, wanted_rows(rows, options, load), wanted_columns(fields, options, load), load


def added(columns, rows, load):
    """{name: values} of what is added, but for the change sequence, which only has to sort."""
    return {name: values for name, values in (("Op", ["I" if r.op == "R" else r.op for r in rows]), ("stamp", [stamp(r.commit_us, load) for r in rows]))
            if name in columns}


def compare(reader, columns, wanted, found, fields, rows, load):
    """found: {name: values}, the table's already as rowfile.py says them."""
    problems = [] if columns == wanted else [f"{reader}: columns {columns}, wanted {wanted}"]
    for i, field in enumerate(fields):
        problems += property.differences(field, found[field.name], [r.values[i] for r in rows], reader)
    for name, values in added(wanted, rows, load).items():
        problems += [f"{reader}: {name}: {found[name][:3]}, wanted {values[:3]}"] * (found[name] != values)
    sequence = found.get("AR_H_CHANGE_SEQ", [])
    return problems + [f"{reader}: AR_H_CHANGE_SEQ does not sort: {sequence[:3]}"] * (sequence != sorted(set(sequence)) or any(len(s) > 35 + 40 or not s.isdigit() for s in sequence))


def by_csv(seed, folder):
    path, fields, rows, wanted, load = case(seed, folder, "csv")
    header, *records = csv.parse(path.read_bytes().decode())
    found = {name: [record[i] for record in records] for i, name in enumerate(header)}
    for field in fields:
        found[field.name] = [csv.decode(field, v) for v in found.get(field.name, [])]
    return compare("RFC 4180", header, wanted, found, fields, rows, load)


def by_parquet(seed, folder):
    path, fields, rows, wanted, load = case(seed, folder, "parquet")
    made = pyarrow.parquet.read_table(path, use_threads=False)
    known = {f.name: f for f in fields}
    found = {n: parquet.raw(known[n], made.column(n)) if n in known else made.column(n).to_pylist() for n in made.column_names}
    return compare("pyarrow", made.column_names, wanted, found, fields, rows, load)


if __name__ == "__main__":
    property.run({
        "dms: CSV has the columns and rows that the settings ask for": (by_csv, range(1, 1 + 16 * MANY)),
        "dms: Parquet has the columns and rows that the settings ask for": (by_parquet, range(101, 101 + 16 * MANY)),
    })
