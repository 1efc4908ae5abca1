"""What an S3 store may do wrong costs nothing: no row lost, none twice, no upload left open, no object that the ledger does not know.

The store is versitygw behind tests/peers/s3/faultproxy.py (https). A fault comes during the load and again while changes stream, of a
table whose files are one PutObject each and of one whose files are uploads of several parts.
"""
import contextlib
import dataclasses
import json
import os
import signal

import pytest

from cluster import children_of
from faultproxy import Fault
from s3faults import DATA, FAULTS
from values import MIXED_KEY, differences, source_rows
from workload import WideWorkload, Workload

ALL = bool(os.environ.get("SLUICE_TEST_ALL"))
FAULTS = {**FAULTS, "wrong_clock": []}
FAULTS["all_at_once"] = [dataclasses.replace(fault, count=1, probability=1.0) for faults in FAULTS.values() for fault in faults]
SHORT = ["lost_replies_to_every_try", "lost_reply_to_begin", "wrong_clock", "all_at_once"]


@pytest.fixture
def bucket(make_bucket, fault_proxy):
    return make_bucket(fault_proxy)


class Tables:
    """A table of small files and one of uploads, both on a store that fails."""

    def __init__(self, stack, proxy, wide=9, small=300, **target_options):
        self.stack, self.proxy = stack, proxy
        stack.set("lease_seconds", 2)
        stack.set("worker_dead_seconds", 2)
        self.works = [Workload(stack).fill(small), WideWorkload(stack).fill(wide)]
        stack.add_source()
        stack.add_target(**target_options)

    def checked(self):
        """The doctor has been: what fails from now on is the work."""
        self.stack.start()
        self.stack.wait(lambda: self.stack.one("SELECT checked_at FROM _sluice.target_state"), "the target is checked")
        return self

    def add(self):
        for work in self.works:
            self.stack.add_table(work.table, compression="none", target_file_bytes=20000000 if work.table == "dbo.wide" else 60000)

    def change(self):
        for work in self.works:
            work.transaction()

    def streaming(self):
        for work in self.works:
            self.stack.wait_state(work.table, timeout_s=120)

    def assert_exact(self, killed=False):
        self.stack.wait_uploaded(*[work.table for work in self.works], timeout_s=120)
        return self.assert_landed(killed)

    def assert_landed(self, killed=False):
        landed = self.stack.check({work.table: MIXED_KEY for work in self.works}, killed=killed)
        for work in self.works:
            found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY),
                                source_rows(self.stack.simulator, self.stack.name, work.table, work.columns))
            assert not found, "\n".join(text[:300] for text in found)
        return landed


def strike(proxy, name, again):
    """The fault, for the second time perhaps; the store's clock cannot be known before: it is another one each time."""
    faults = [dataclasses.replace(fault, struck=0) for fault in FAULTS[name]]
    if name == "wrong_clock":
        proxy.clock_offset_s = -7200 if again else 3600
    else:
        proxy.inject(*faults)
    return faults


def assert_struck(proxy, name, faults):
    if name == "wrong_clock":
        assert any(request.fault == "clock" for request in proxy.record()), "the store's clock was another one"
    assert all(fault.struck for fault in faults), faults


@pytest.mark.parametrize("name", FAULTS if ALL else SHORT)
def test_fault_of_the_store_loses_and_doubles_nothing(make_stack, bucket, fault_proxy, name):
    stack = make_stack(target=bucket)
    tables = Tables(stack, fault_proxy, **({"tries": 2} if name == "lost_replies_to_every_try" else {})).checked()
    faults = strike(fault_proxy, name, False)
    tables.add()
    tables.streaming()
    assert_struck(fault_proxy, name, faults)
    fault_proxy.clear()
    fault_proxy.forget()
    faults = strike(fault_proxy, name, True)
    tables.change()
    tables.assert_exact()
    assert_struck(fault_proxy, name, faults)
    tables.change()
    tables.assert_exact()
    assert not fault_proxy.open_uploads()
    stack.stop()


def test_store_that_ignores_conditions_is_refused_unless_unfenced(make_stack, bucket, fault_proxy):
    stack = make_stack(target=bucket)
    fault_proxy.inject(Fault("unfenced", count=None))
    tables = Tables(stack, fault_proxy).checked()
    tables.add()
    told = {check: (ok, severity, found) for check, _, ok, severity, found, *_ in stack.sql("SELECT * FROM sluice.check_target('lake')")}
    assert not told["conditional put"][0] and "If-None-Match" in told["conditional put"][2], told
    assert not told["conditional complete"][0] and told["refused"][:2] == (False, "error"), told
    stack.wait(lambda: "overwrite" in (stack.status("dbo.mixed")["message"] or ""), "the table says why it does not begin")
    assert not [key for key in stack.store().keys() if DATA in key], "nothing was written"
    stack.sql("SELECT sluice.alter_target('lake', %s::jsonb)", json.dumps({"unfenced": True}))
    tables.streaming()
    tables.change()
    tables.assert_exact()
    told = {check: (ok, severity) for check, _, ok, severity, *_ in stack.sql("SELECT * FROM sluice.check_target('lake')")}
    assert told["unfenced"] == (False, "warning") and "refused" not in told, told
    stack.stop()


def test_only_the_actions_that_the_policy_allows_are_used(make_stack, bucket, fault_proxy):
    stack = make_stack(target=bucket)
    tables = Tables(stack, fault_proxy)
    fault_proxy.forget()
    tables.checked().add()
    tables.streaming()
    tables.change()
    tables.assert_exact()
    work = {request.action for request in fault_proxy.record() if "_sluice/check/" not in request.key}
    assert {"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"} <= work
    assert work <= {"PutObject", "HeadObject", "GetObject", "ListObjectsV2", "ListMultipartUploads", "CreateMultipartUpload", "UploadPart",
                    "CompleteMultipartUpload", "AbortMultipartUpload"}, "nothing of the work deletes an object"
    assert all(r.conditional for r in fault_proxy.record("PutObject|CompleteMultipartUpload") if "_sluice/check/" not in r.key)
    stack.stop()


# ---- a worker that wakes up too late ----------------------------------------------
FROZEN = {
    "in_a_part": Fault("slow", action="UploadPart", key=DATA, seconds=4),
    "before_complete_arrives": Fault("late", action="CompleteMultipartUpload", key=DATA, seconds=5),
    "behind_complete": Fault("slow", action="CompleteMultipartUpload", key=DATA, seconds=4),
    "before_put_arrives": Fault("late", action="PutObject", key=DATA, seconds=5),
}


def frozen(worker):
    """The worker and its children stand still; returns what wakes them."""
    pids = [worker.pid, *children_of(worker.pid)]

    def send(number):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    send(signal.SIGSTOP)
    return lambda: send(signal.SIGCONT)


@pytest.mark.parametrize("name", FROZEN if ALL else ["in_a_part", "before_complete_arrives"])
def test_worker_frozen_in_an_upload_beyond_its_lease_writes_nothing_twice(make_stack, bucket, fault_proxy, name):
    stack = make_stack(target=bucket)
    tables = Tables(stack, fault_proxy).checked()
    tables.add()
    tables.streaming()
    fault = fault_proxy.inject(dataclasses.replace(FROZEN[name]))
    tables.change()
    stack.wait(lambda: fault.struck, "the upload is under way")
    wake = frozen(stack.workers[0])
    try:
        stack.start()
        tables.change()
        stack.wait_uploaded(*[work.table for work in tables.works])
    finally:
        wake()
    tables.change()
    tables.assert_exact()
    stack.stop()
    assert not fault_proxy.open_uploads()
    tables.assert_landed()


def test_retention_that_passes_the_reader_in_an_upload_leaves_no_object(make_stack, bucket, fault_proxy):
    """What was read may have been cut off while it was read: nothing of it may be seen."""
    stack = make_stack(target=bucket)
    tables = Tables(stack, fault_proxy).checked()
    tables.add()
    tables.streaming()
    stack.wait_uploaded("dbo.wide", "dbo.mixed")
    keys = stack.store().keys()
    fault = fault_proxy.inject(Fault("slow", action="UploadPart", key="dbo.wide", seconds=4))
    wide = tables.works[1]
    wide.transaction()
    stack.wait(lambda: fault.struck, "the upload is under way")
    stack.tsql("DECLARE @lsn binary(10) = sys.fn_cdc_get_max_lsn(); "
               "EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_wide', @low_water_mark = @lsn, @threshold = 5000")
    row = stack.wait_state("dbo.wide", "lost")
    assert "resync" in row["hint"], row
    stack.wait(lambda: not fault_proxy.open_uploads() and not stack.store().uploads(), "the upload is aborted")
    assert [key for key in stack.store().keys() if "dbo.wide" in key] == [key for key in keys if "dbo.wide" in key], "no object of it"
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name("dbo.wide"))
    tables.streaming()
    tables.change()
    tables.assert_exact()
    stack.stop()


def test_sweep_that_the_store_refuses_is_left_for_tomorrow(make_stack, bucket, fault_proxy):
    """Who may not list uploads pays for them; no work is kept waiting by it."""
    stack = make_stack(target=bucket)
    tables = Tables(stack, fault_proxy, wide=1, small=10).checked()
    tables.add()
    tables.streaming()
    fault = fault_proxy.inject(Fault("status", action="ListMultipartUploads", code="AccessDenied", count=None))
    stack.sql("UPDATE _sluice.pair SET swept_at = now() - interval '2 days'")
    stack.sql("UPDATE _sluice.turn SET upkeep_at = NULL")
    stack.wait(lambda: fault.struck, "the store refuses the list")
    stack.wait(lambda: stack.one("SELECT swept_at > now() - interval '1 day' FROM _sluice.pair"), "the sweep is over for today")
    assert not stack.one("SELECT count(*) FROM _sluice.batch WHERE work = 'sweep'")
    stack.stop()
