"""Every crash point of the worker's source, by target and by what was under way: nothing is lost, nothing lands twice, nothing stays open.

A point is a CRASH_POINT("name") before or after a durable act. The process that comes there first dies by kill -9; what it leaves is
taken up by the others of its worker. `make check` goes through every point once, and with S3 through those where the bucket's answer
decides; SLUICE_TEST_ALL=1 through all of POINTS x {file, S3} x {load, stream} x formats.
"""
import os
import re

import pytest

from cluster import ROOT
from values import MIXED_KEY, differences, source_rows
from workload import WideWorkload, Workload

WALKS = {"verify_page", "purge_marked", "purge_removed"}                           # asked for by a person: test_ledger.py dies there
POINTS = sorted({name for path in (ROOT / "worker").rglob("*.c")
                 for name in re.findall(r'CRASH_POINT\("([^"]+)"\)', path.read_text())} - WALKS)
ALL = bool(os.environ.get("SLUICE_TEST_ALL"))
SETTINGS = {"lease_seconds": 2, "worker_dead_seconds": 2}

FILE_ONLY = {"file_synced", "link_after", "link_synced"}
UPLOADS = {"upload_after", "part_after", "complete_before", "complete_after"}      # an object of several parts
LOAD_ONLY = {"epoch_before", "epoch_after", "epoch_stored", "facts_after", "range_before", "range_after", "control_before", "control_after",
             "announce_before", "announce_after"}
RECOVER = {"adopt_before", "adopt_after", "recover_before", "recover_after"}       # while the bucket is read by a ledger that may be older
AGAIN = {"abort_after"}                                                            # while another's crash is taken up
BUCKET_DECIDES = {"seal_after", "object_after", "objects_before", "objects_after", "manifest_after", "epoch_after"}


def phases(point):
    return ("recover",) if point in RECOVER else ("again",) if point in AGAIN else ("load",) if point in LOAD_ONLY else ("load", "stream")


def targets(point):
    return ("file",) if point in FILE_ONLY else ("s3",) if point in UPLOADS else ("file", "s3")


MATRIX = [(point, target, phase) for point in POINTS for target in targets(point) for phase in phases(point)]
SHORT = [(point, target, phase) for point, target, phase in MATRIX
         if (phase != "stream" and (target == "file" or point in BUCKET_DECIDES)) or (point in UPLOADS and (phase == "load") == point.endswith("_after"))
         or (phase == "stream" and point == "object_after")]


def test_crash_points_are_found():
    known = FILE_ONLY | UPLOADS | LOAD_ONLY | RECOVER | AGAIN | BUCKET_DECIDES
    assert known <= set(POINTS) and len(POINTS) >= 30
    assert {point for point, _, _ in SHORT} == set(POINTS), "each once in the short form too"


@pytest.mark.parametrize("point, target, phase", MATRIX if ALL else SHORT)
def test_crash_at_a_point_loses_and_doubles_nothing(make_stack, make_bucket, tmp_path, point, target, phase):
    stack = make_stack(target=make_bucket() if target == "s3" else None)
    Crash(stack, tmp_path, point).run(phase)


# A format's end (footer, last frame) is written when the file is full: where a crash comes between files or in an upload.
FORMATS_SHORT = [("seal_after", "file", "load", "csv"), ("objects_after", "s3", "stream", "csv"), ("object_after", "s3", "load", "parquet"),
                 ("group_seal_after", "file", "stream", "parquet"), ("complete_after", "s3", "stream", "parquet")]


@pytest.mark.parametrize("point, target, phase, format", [(*case, format) for case in MATRIX if case[2] in ("load", "stream")
                                                          for format in ("csv", "parquet")] if ALL else FORMATS_SHORT)
def test_crash_at_a_point_spoils_no_file_of_another_format(make_stack, make_bucket, tmp_path, point, target, phase, format):
    stack = make_stack(target=make_bucket() if target == "s3" else None)
    Crash(stack, tmp_path, point, {"format": format}).run(phase)


class Crash:
    def __init__(self, stack, tmp_path, point, options=None):
        tmp_path.chmod(0o777)
        self.stack = stack
        self.point = point
        self.folder = tmp_path
        self.once = tmp_path / "once"
        self.wide = point in UPLOADS
        for name, value in SETTINGS.items():
            stack.set(name, value)
        self.work = WideWorkload(stack).fill(12) if self.wide else Workload(stack).fill(600)
        # Small files and ranges, so that every kind of act happens.
        self.options = {"compression": "none", **({"target_file_bytes": 9000000} if self.wide else
                                                  {"target_file_bytes": 20000, "load_range_rows": 200}), **(options or {})}
        stack.register()

    def armed(self, point=None, once=None):
        """once "": whoever comes there dies."""
        once = self.once if once is None else once
        return {"SLUICE_CRASH_AT": point or self.point, **({"SLUICE_CRASH_ONCE": str(once)} if once else {})}

    def run(self, phase):
        getattr(self, phase)()
        self.stack.wait(self.once.exists, f"crash point {self.point} is reached")
        self.stack.wait_state(self.work.table)
        self.work.transaction()
        self.assert_exact()
        self.stack.stop()

    def add_table(self):
        self.stack.add_table(self.work.table, **self.options)

    def checked(self):
        """The target has been checked, so that the doctor's own uploads are over."""
        self.stack.start()
        self.stack.wait(lambda: self.stack.one("SELECT checked_at FROM _sluice.target_state"), "the target is checked")
        self.stack.stop()

    def load(self):
        if self.wide:
            self.checked()
        self.add_table()
        self.stack.start(**self.armed())
        self.stack.wait(lambda: self.once.exists() or self.streaming(), f"crash point {self.point} or the end of the load")
        for _ in range(1 if self.wide else 5):
            self.work.transaction()

    def stream(self, point=None, once=None):
        self.add_table()
        self.stack.start()
        self.stack.wait_state(self.work.table)
        self.stack.wait_uploaded(self.work.table)
        self.stack.stop()
        for _ in range(1 if self.wide else 20):
            self.work.transaction()
        self.stack.start(**self.armed(point, once))

    def again(self):
        """All have died behind a seal; whoever takes it up dies too."""
        self.stream("seal_after", "")
        self.stack.wait(lambda: "signal 9" in self.stack.log(), "a crash")
        self.stack.stop()
        self.stack.start(**self.armed())

    def recover(self):
        """All have died between manifest and ledger, and the PostgreSQL that is there then is another one than was seen last."""
        self.stream("commit_before", "")
        self.stack.wait(lambda: "signal 9" in self.stack.log(), "a crash")
        self.stack.stop()
        self.stack.sql("UPDATE _sluice.instance SET timeline = 'other'")
        self.stack.start(**self.armed())

    def streaming(self):
        row = self.stack.status(self.work.table)
        return row and row["state"] == "streaming"

    def assert_exact(self):
        self.stack.wait_uploaded(self.work.table)
        landed = self.stack.check({self.work.table: MIXED_KEY}, killed=True)
        found = differences(self.work.columns, MIXED_KEY, landed.fold(self.work.table, MIXED_KEY),
                            source_rows(self.stack.simulator, self.stack.name, self.work.table, self.work.columns))
        assert not found, "\n".join(text[:300] for text in found)
        return landed
