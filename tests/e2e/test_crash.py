"""Killed at any instruction, nothing is lost and nothing lands twice: every party at random, every fault of the source."""
import os
import signal
import time

import pytest

from cluster import children_of, wait_until
from torture import FAULTS, Torture
from values import MIXED_KEY, differences, source_rows
from workload import Workload

SETTINGS = {"lease_seconds": 2, "worker_dead_seconds": 2}
SECONDS = int(os.environ.get("SLUICE_TEST_TORTURE_SECONDS", "20"))


def started(stack, rows=600, **options):
    """A filled table, registered with small files and ranges, so that every kind of act happens."""
    for name, value in SETTINGS.items():
        stack.set(name, value)
    work = Workload(stack).fill(rows)
    stack.register()
    stack.add_table(work.table, load_range_rows=max(200, rows // 3), target_file_bytes=20000, compression="none", **options)
    return work


def assert_exact(stack, work):
    stack.wait_uploaded(work.table, timeout_s=60)
    landed = stack.check({work.table: MIXED_KEY}, killed=True)
    found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY),
                        source_rows(stack.simulator, stack.name, work.table, work.columns))
    assert not found, "\n".join(found)
    return landed


def streaming(stack, work):
    row = stack.status(work.table)
    return row and row["state"] == "streaming"


def test_random_kills_of_every_party(workdir, backing, simulator, s3):
    """kill -9 of runner, poller, worker, postmaster while writers write, the simulator and the bucket fail; the long form is make torture."""
    with Torture(workdir / "torture", backing=backing, simulator=simulator, rows=2000, seed=1, s3=s3) as torture:
        torture.run(SECONDS)
        result = torture.result()
    assert (result.lost, result.twice) == (0, 0), result.details
    assert result.kills >= SECONDS // 5 and result.faults >= 1


# ---- the source misbehaves --------------------------------------------------------
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_on_the_wire_loses_and_doubles_nothing(stack, fault):
    work = started(stack)
    stack.start()
    stack.wait_state(work.table)
    for statement in ("[cdc].[dbo_mixed_CT] AS c", "[dbo].[mixed]"):
        stack.simulator.fault(fault.format(match=statement))
        for _ in range(5):
            work.transaction()
        stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
        stack.wait(lambda: (row := stack.status(work.table)) and row["state"] in ("loading", "registered"), "resync begins")
        stack.wait_state(work.table, timeout_s=90)
        stack.simulator.fault("")
        assert_exact(stack, work)
    stack.stop()


def test_silent_server_is_left_after_the_query_timeout(stack):
    for name, value in SETTINGS.items():
        stack.set(name, value)
    work = Workload(stack).fill(300)
    stack.register(query_timeout=2)
    stack.add_table(work.table)
    stack.start()
    stack.wait_state(work.table)
    stack.simulator.fault("match [cdc].[dbo_mixed_CT] AS c\nstall_after_bytes 100\ncount 1")
    for _ in range(3):
        work.transaction()
    assert_exact(stack, work)
    stack.simulator.fault("")
    stack.stop()


def test_dead_capture_job_is_told_and_nothing_is_lost(stack):
    work = started(stack)
    stack.start()
    stack.wait_state(work.table)
    stack.wait_uploaded(work.table)
    stack.tsql("EXEC sys.sp_cdc_stop_job @job_type = N'capture'")
    work.transaction()
    stack.simulator.exec_sql("EXEC sluice_sim.set_option 'agent_running', 0")
    try:
        stack.wait(lambda: stack.one("SELECT capture_age_s FROM sluice.source_status") > 2, "the age of what is captured grows")
        stack.sql("CALL sluice.refresh(%s)", stack.name)
        told = stack.sql('SELECT "check", found, fix_sql FROM sluice.check_source(%s) WHERE NOT ok', stack.name)
        assert any(check == "agent" and fix for check, _, fix in told), told
    finally:
        stack.simulator.exec_sql("EXEC sluice_sim.set_option 'agent_running', 1")
    stack.tsql("EXEC sys.sp_cdc_start_job @job_type = N'capture'")
    assert_exact(stack, work)
    stack.stop()


def test_cleanup_below_the_saved_position_is_lost_until_resync(stack):
    work = started(stack)
    stack.start()
    stack.wait_state(work.table)
    stack.wait_uploaded(work.table)
    stack.stop()
    for _ in range(5):
        work.transaction()
    captured(stack)
    stack.tsql("DECLARE @lsn binary(10) = sys.fn_cdc_get_max_lsn(); "
               "EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_mixed', @low_water_mark = @lsn, @threshold = 5000")
    stack.start()
    row = stack.wait_state(work.table, "lost")
    assert "resync" in row["hint"], row
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
    stack.wait_state(work.table)
    assert_exact(stack, work)
    stack.stop()


def captured(stack):
    """The capture job has seen all that is committed: the log holds something later than the source's clock now."""
    connection = stack.simulator.connect(stack.name)
    try:
        [(clock,)] = stack.simulator.query("SELECT GETDATE()", connection=connection)
        later = f"SELECT COUNT(*) FROM cdc.lsn_time_mapping WHERE tran_end_time > '{clock.isoformat(timespec='milliseconds')}'"
        wait_until(lambda: stack.simulator.query(later, connection=connection)[0][0] > 0, 20, "capture has passed the clock")
    finally:
        connection.close()


def test_restore_to_an_older_position_is_rewound_until_resync(stack):
    work = started(stack)
    stack.start()
    stack.wait_state(work.table)
    stack.wait_uploaded(work.table)
    mark = stack.simulator.query("SELECT CONVERT(varchar(30), sys.fn_cdc_get_max_lsn(), 2)", database=stack.name)[0][0]
    for _ in range(5):
        work.transaction()
    stack.wait_uploaded(work.table)
    stack.tsql(f"EXEC sluice_sim.restore_to '{mark}'")
    row = stack.wait_state(work.table, "rewound")
    assert "resync" in row["hint"], row
    stack.sql("SELECT sluice.resync_source(%s)", stack.name)
    stack.wait_state(work.table)
    for _ in range(3):
        work.transaction()
    assert_exact(stack, work)
    stack.stop()


def test_change_table_without_command_id_is_read(stack):
    stack.simulator.exec_sql("EXEC sluice_sim.set_option 'command_id_column', 0")
    try:
        work = started(stack)
    finally:
        stack.simulator.exec_sql("EXEC sluice_sim.set_option 'command_id_column', 1")
    stack.start()
    stack.wait_state(work.table)
    for _ in range(10):
        work.transaction()
    landed = assert_exact(stack, work)
    changes = [row["_sluice_seq"] for file in landed.files if file.kind == "cdc" for row in file.rows]
    assert changes and all(seq[32:40] == "00000000" for seq in changes), "command_id is 0 where absent"
    stack.stop()


def test_sequence_values_that_jump_are_ordered_by_command(stack):
    stack.simulator.exec_sql("EXEC sluice_sim.set_option 'seqval_shuffle', 1")
    try:
        work = started(stack)
        stack.start()
        stack.wait_state(work.table)
        for _ in range(30):
            work.transaction()
        assert_exact(stack, work)
    finally:
        stack.simulator.exec_sql("EXEC sluice_sim.set_option 'seqval_shuffle', 0")
    stack.stop()


def test_worker_frozen_beyond_its_lease_is_fenced(stack):
    """A second worker takes over; what the first goes on with when it wakes up must not count."""
    work = started(stack, rows=4000)
    first = stack.start()
    stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.file") > 1, "the load is under way")
    frozen = [first.pid, *children_of(first.pid)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        stack.start()
        for _ in range(3):
            work.transaction()
        stack.wait_state(work.table)
        stack.wait_uploaded(work.table)
    finally:
        for pid in frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    for _ in range(5):
        work.transaction()
    assert_exact(stack, work)
    stack.stop()


def test_stop_in_mid_load_is_quick_and_loses_nothing(stack):
    work = started(stack, rows=6000)
    stack.start()
    stack.wait(lambda: stack.one("SELECT count(*) FROM sluice.file") > 1, "the load is under way")
    began = time.monotonic()
    stack.stop()
    assert time.monotonic() - began < 8, "5 s and what a busy machine adds"
    work.transaction()
    stack.start()
    stack.wait_state(work.table)
    assert_exact(stack, work)
    stack.stop()


def test_once_ends_when_all_is_in_step(stack):
    work = started(stack)
    stack.start("--once").wait(60)
    assert stack.workers[-1].returncode == 0
    assert streaming(stack, work)
    for _ in range(3):
        work.transaction()
    captured(stack)
    stack.start("--once").wait(60)
    landed = stack.check({work.table: MIXED_KEY}, killed=True)
    assert [f for f in landed.files if f.kind == "cdc"], "the changes landed"
    found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY),
                        source_rows(stack.simulator, stack.name, work.table, work.columns))
    assert not found, "\n".join(found)
    stack.stop()
