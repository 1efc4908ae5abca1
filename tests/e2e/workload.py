"""A table of mixed columns under change: fills it, then a writer inserts, updates (keys too) and deletes until told to stop.

The writer knows what it has committed (`self.live`), so a test can also ask whether the source itself holds what was written.
"""
import random
import threading

from values import LONG

ROWS_A_STATEMENT = 500
WIDE_A_STATEMENT = 4


class Workload:
    rows_a_statement = ROWS_A_STATEMENT
    pause_s = 0.005

    def __init__(self, stack, table=None, columns=None, key=None, seed=1, cdc=True, first_id=1):
        self.stack = stack
        self.dialect = stack.dialect
        self.table = table or f"{stack.schema}.mixed"
        self.columns = columns or self.dialect.MIXED
        self.key = key or self.dialect.MIXED_KEY
        self.random = random.Random(seed)
        self.live = {}      # key values -> version
        self.next_id = first_id
        self.transactions = 0
        self.failure = None
        self._stop = threading.Event()
        self._thread = None
        if first_id == 1:
            stack.write(self.dialect.create_table(self.table, self.columns, self.key))
            if cdc:
                stack.enable_cdc(self.table)

    # ---- filling --------------------------------------------------------------
    def fill(self, rows):
        connection = self.stack.simulator.connect(self.stack.name)
        try:
            while rows > 0:
                new = self._new(min(rows, self.rows_a_statement))
                self.stack.write(self.dialect.insert_statement(self.table, self.columns, self.key, new), connection)
                self.live.update(new)
                rows -= len(new)
        finally:
            connection.close()
        return self

    def _new(self, count):
        made = [((self.next_id + n, (self.next_id + n) % 7), 0) for n in range(count)]
        self.next_id += count
        return made

    # ---- writing --------------------------------------------------------------
    def start(self):
        self._stop.clear()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        self._thread.join(60)
        if self.failure:
            raise self.failure
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def _write(self):
        try:
            connection = self.stack.simulator.connect(self.stack.name)
            while not self._stop.is_set():
                self.transaction(connection)
                self._stop.wait(self.pause_s)
            connection.close()
        except Exception as error:  # noqa: BLE001 - told by stop()
            self.failure = error

    def transaction(self, connection=None):
        """A few statements, committed together; `live` follows."""
        statements = [self.dialect.BEGIN]
        changed, gone = {}, []
        for _ in range(self.random.randint(1, 4)):
            kind = self.random.choice(("insert", "update", "update", "key", "delete"))
            if kind == "insert" or not self.live:
                new = self._new(self.random.randint(1, 20))
                statements.append(self.dialect.insert_statement(self.table, self.columns, self.key, new))
                changed.update(new)
                continue
            values = self.random.choice(self._keys())
            if values in gone or values in changed:
                continue
            if kind == "delete":
                statements.append(f"DELETE FROM {self.table} WHERE {self._where(values)}")
                gone.append(values)
            elif kind == "key":
                moved = (values[0], values[1] + 1000)
                if moved in self.live or moved in changed or moved[1] > 30000:
                    continue
                statements.append(f"UPDATE {self.table} SET {self.key[1]} = {moved[1]} WHERE {self._where(values)}")
                gone.append(values)
                changed[moved] = 1
            else:
                statements.append(f"UPDATE {self.table} SET {self._assignments()} WHERE {self._where(values)}")
                changed[values] = 1
        statements.append(self.dialect.COMMIT)
        self.stack.write("\n;".join(statements), connection)
        for values in gone:
            self.live.pop(values, None)
        self.live.update(changed)
        self.transactions += 1

    def _keys(self):
        if self.transactions % 50 == 0 or not getattr(self, "_sample", None):
            self._sample = self.random.sample(list(self.live), min(500, len(self.live)))
        return [values for values in self._sample if values in self.live] or list(self.live)

    def _assignments(self):
        """Some columns only, so that LOBs are often not logged."""
        chosen = self.random.sample([c for c in self.columns if c.name not in self.key], self.random.randint(1, 4))
        return ", ".join(f"{c.name} = {self.dialect.literal(c, self.random)}" for c in chosen)

    def _where(self, values):
        return " AND ".join(f"{name} = {value}" for name, value in zip(self.key, values))


class WideWorkload(Workload):
    """Few rows of a megabyte each, so that a file has several parts."""
    rows_a_statement = WIDE_A_STATEMENT

    def __init__(self, stack, table="dbo.wide", **more):
        super().__init__(stack, table, LONG, **more)

    def transaction(self, connection=None):
        """A row comes, one goes and ten others are new."""
        keys = sorted(self.live)
        changed = dict.fromkeys(keys[1:11], 1)
        statements = [self.dialect.BEGIN, self.dialect.insert_statement(self.table, self.columns, self.key, self._new(1)),
                      f"DELETE FROM {self.table} WHERE {self._where(keys[0])}",
                      *[f"UPDATE {self.table} SET c_long = {self.dialect.literal(self.columns[2], self.random)} WHERE {self._where(key)}" for key in changed],
                      self.dialect.COMMIT]
        self.stack.write("\n;".join(statements), connection)
        del self.live[keys[0]]
        self.live.update({(self.next_id - 1, (self.next_id - 1) % 7): 0, **changed})
        self.transactions += 1
