"""A reader that knows of a folder only what AWS documents of AWS DMS with Amazon S3 as a target (User Guide, CHAP_Target.S3).

`{schema}/{table}/LOAD*.csv` hold the full load, `{schema}/{table}/20*.csv` the changes, both in the order of their names; Op is I, U or D,
a file without it holds inserts; a timestamp column and AR_H_CHANGE_SEQ are what their settings say. CSV is read by DuckDB, Parquet by pyarrow.
"""
import collections
import decimal
import fnmatch
import io
import pathlib
import tempfile

import duckdb
import pyarrow.parquet

from values import Column

WORDS = ("NaN", "Infinity", "-Infinity")


def parsed(column, text):
    """A CSV field in the form in which values.py compares: that of a JSON line."""
    kind, _, digits = column.kind.partition(":")
    if text is None:
        return None
    if kind == "int" or (kind == "decimal" and digits == "0"):
        return int(text)
    if kind in ("decimal", "float", "real"):
        return text if text in WORDS else decimal.Decimal(text)
    if kind == "bool":
        return {"true": True, "false": False}[text]
    return text.replace(" ", "T", 1) if kind in ("datetime", "datetime2", "datetimeoffset", "smalldatetime") else text


class DmsTable:
    def __init__(self, store, folder, columns, key, extension="csv"):
        self.store = store
        self.columns = {c.name: c for c in columns}
        self.key = key
        self.extension = extension
        names = [name for name in store.keys() if name.rpartition("/")[0] == folder]
        self.load = sorted(name for name in names if fnmatch.fnmatch(name, f"*/LOAD*.{extension}"))
        self.changes = sorted(name for name in names if fnmatch.fnmatch(name, f"*/20*.{extension}"))
        self.strange = sorted(set(names) - set(self.load) - set(self.changes))
        self._rows = {}

    def rows(self, name):
        """The rows of one file as dicts of their values, in their order."""
        if name not in self._rows:
            names, rows = self._parquet(name) if self.extension == "parquet" else self._csv(name)
            self._rows[name] = [{n: parsed(self.columns.get(n, Column(n, "", "nvarchar")), v) if self.extension == "csv" else v
                                 for n, v in zip(names, row)} for row in rows]
        return self._rows[name]

    def _csv(self, name):
        with tempfile.TemporaryDirectory(prefix="sluice-dms-") as folder:
            path = pathlib.Path(folder) / "file.csv"
            path.write_bytes(self.store.read(name))
            cursor = duckdb.connect().execute("SELECT * FROM read_csv(?, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', "
                                              "nullstr = '', allow_quoted_nulls = false, strict_mode = true)", [str(path)])
            return [d[0] for d in cursor.description], cursor.fetchall()

    def _parquet(self, name):
        table = pyarrow.parquet.read_table(io.BytesIO(self.store.read(name)))
        return table.column_names, list(zip(*(column.to_pylist() for column in table.columns)))

    def fold(self, order=None):
        """{key values: row of the table's columns}: the load, then the changes, in the order of names and rows; or all rows by a column."""
        rows = [row for name in self.load + self.changes for row in self.rows(name)]
        if order:
            rows.sort(key=lambda row: row[order])
        state = {}
        for row in rows:
            values = tuple(row[name] for name in self.key)
            if row.get("Op", "I") == "D":
                state.pop(values, None)
            else:
                state[values] = {name: row[name] for name in self.columns}
        return state

    def problems(self, sequence, told):
        """Order and uniqueness by the sequence column; told: [(key, rows)] of the ledger without the prefix."""
        found = [f"unknown object {name}" for name in self.strange]
        last = ""
        for name in self.changes:
            for row in self.rows(name):
                if row[sequence] <= last:
                    found.append(f"{name}: {row[sequence]} comes after {last}")
                last = row[sequence]
        counts = collections.Counter((tuple(row[name] for name in self.key), row[sequence]) for name in self.load + self.changes for row in self.rows(name))
        found += [f"{count} times {what}" for what, count in counts.items() if count > 1]
        widths = {len(sequence) for _, sequence in counts}
        found += [f"sequences of {widths} digits"] if len(widths) > 1 else []
        there = {name: len(self.rows(name)) for name in self.load + self.changes}
        return found + ([f"ledger and bucket differ: {set(there.items()) ^ set(told)}"] if set(there.items()) != set(told) else [])
