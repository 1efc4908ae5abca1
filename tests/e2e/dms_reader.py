"""A reader that knows of a folder only what AWS documents of AWS DMS with Amazon S3 as a target (User Guide, CHAP_Target.S3).

`{schema}/{table}/LOAD*.csv` hold the full load, `{schema}/{table}/20*.csv` the changes, both in the order of their names; Op is I, U or D,
a file without it holds inserts; the timestamp and the sequence are columns whose names the settings say.
"""
import collections
import fnmatch

from decoding import csv_records, expand, parquet_rows


class DmsTable:
    def __init__(self, store, folder, columns, key, extension="csv", defaults=None):
        """defaults: {column: what rows have in files that lack it}: it came later."""
        self.store = store
        self.defaults = defaults or {}
        self.columns = [c.name for c in columns]
        self.key = key
        names = [name for name in store.keys() if name.rpartition("/")[0] == folder]
        self.load = sorted(name for name in names if fnmatch.fnmatch(name, f"*/LOAD*.{extension}"))
        self.changes = sorted(name for name in names if fnmatch.fnmatch(name, f"*/20*.{extension}"))
        self.strange = sorted(set(names) - set(self.load) - set(self.changes))
        self._rows = {}

    def rows(self, name):
        """The rows of one file as dicts, in their order; values are decoding.py's."""
        if name not in self._rows:
            data, problems = self.store.read(name), []
            if name.endswith(".parquet"):
                self._rows[name] = [row for _, row in parquet_rows(name, data, problems)]
            else:
                names, *records = csv_records(expand(name, data).decode())
                self._rows[name] = [dict(zip(map(str, names), record, strict=True)) for record in records]
            assert not problems, problems
        return self._rows[name]

    def all(self):
        return [row for name in self.load + self.changes for row in self.rows(name)]

    def fold(self, order=None):
        """{key values: row of the table's columns}: the load, then the changes, in the order of names and rows; or all rows by a column."""
        state = {}
        for row in sorted(self.all(), key=lambda row: row[order]) if order else self.all():
            values = tuple(row[name] for name in self.key)
            if row.get("Op", "I") == "D":
                state.pop(values, None)
            else:
                state[values] = {name: row[name] if name in row else self.defaults[name] for name in self.columns}
        return state

    def problems(self, sequence, told):
        """Order and uniqueness by the sequence column; told: [(name, rows)] of the ledger."""
        found = [f"unknown object {name}" for name in self.strange]
        last = ""
        for name in self.changes:
            for row in self.rows(name):
                found += [f"{name}: {row[sequence]} comes after {last}"] if row[sequence] <= last else []
                last = row[sequence]
        counts = collections.Counter((tuple(row[name] for name in self.key), row[sequence]) for row in self.all())
        found += [f"{count} times {what}" for what, count in counts.items() if count > 1]
        widths = {len(text) for _, text in counts}
        found += [f"sequences of {widths} digits"] if len(widths) > 1 else []
        there = {(name, len(self.rows(name))) for name in self.load + self.changes}
        return found + ([f"ledger and bucket differ: {there ^ set(told)}"] if there != set(told) else [])
