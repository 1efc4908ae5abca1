"""The main job on a real MariaDB and a real MySQL: what is in a table lands once, whatever its log goes through."""
import os

import pytest

from mysqlvalues import MIXED_KEY, differences, source_rows
from workload import Workload

ROWS = int(os.environ.get("SLUICE_TEST_ROWS", "100000")) // 5
WRITERS = 4
IDS_A_WRITER = 10 ** 7


class Writers:
    """Several workloads on one table, each with rows of its own."""

    def __init__(self, stack, rows, writers=1):
        self.works = [Workload(stack, seed=n, first_id=n * IDS_A_WRITER + 1).fill(rows // writers) for n in range(writers)]
        self.table = self.works[0].table
        self.columns = self.works[0].columns

    def __enter__(self):
        for work in self.works:
            work.start()
        return self

    def __exit__(self, *exc):
        for work in self.works:
            work.stop()

    def write(self, transactions=5):
        for work in self.works:
            for _ in range(transactions):
                work.transaction()

    @property
    def live(self):
        return set().union(*(work.live for work in self.works))

    def count(self):
        """Transactions of the slowest; a writer that has failed says why at the end."""
        return min(work.transactions if not work.failure else 10 ** 9 for work in self.works)


def streaming(stack, rows=300, writers=1, **options):
    """A filled table that streams, and its writers."""
    work = Writers(stack, rows, writers)
    stack.register()
    stack.add_table(work.table, **options)
    stack.start()
    stack.wait_state(work.table)
    return work


def assert_exact(stack, work, killed=False):
    """Landed, each change once; the fold is the source, every value; returns what landed."""
    stack.wait_state(work.table)
    stack.wait_uploaded(work.table)
    landed = stack.check({work.table: MIXED_KEY}, killed=killed)
    source = source_rows(stack.server, stack.name, work.table, work.columns)
    assert {row[:2] for row in source} == work.live, "the source holds what was written"
    found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY), source)
    assert not found, "\n".join(found)
    return landed


@pytest.mark.parametrize("format, rows", [("parquet", ROWS), ("jsonl", ROWS // 5), ("csv", 500)])
def test_table_lands_once_while_four_writers_change_it(make_mysql_stack, format, rows):
    stack = make_mysql_stack()
    work = Writers(stack, rows, WRITERS)
    stack.register()
    with work:
        stack.add_table(work.table, format=format, load_range_rows=max(1000, rows // 8))
        stack.start()
        stack.wait_state(work.table, timeout_s=120)
        written = work.count()
        stack.wait(lambda: work.count() > written + 20, "the writers go on while it streams")
    landed = assert_exact(stack, work)
    kinds = {row["_sluice_op"] for file in landed.files for row in file.rows}
    assert kinds == {"R", "I", "U", "D"}, "loaded and streamed"
    stack.stop()


def test_killed_worker_goes_on_where_it_was(make_mysql_stack):
    stack = make_mysql_stack()
    work = Writers(stack, 6000, 2)
    stack.set("lease_seconds", 2)
    stack.set("worker_dead_seconds", 2)
    stack.register()
    with work:
        stack.add_table(work.table, load_range_rows=1000, target_file_bytes=65536)
        for files in (2, 6, 12, 18):
            stack.start()
            stack.wait(lambda files=files: stack.one("SELECT count(*) FROM sluice.file") >= files, f"{files} files are there")
            stack.close()
        stack.start()
        stack.wait_state(work.table)
    stack.close()
    work.write()
    stack.start()
    assert_exact(stack, work, killed=True)
    stack.stop()


def test_log_may_rotate_and_the_server_end_or_die(mysql_stack):
    stack = mysql_stack
    work = streaming(stack)
    for event in (stack.server.flush_logs, stack.server.restart, stack.server.kill9):
        work.write()
        event()
        if not stack.server.pid():
            stack.server.start()
        work.write()
        assert_exact(stack, work)
    assert stack.status(work.table)["epoch"] == 1, "nothing was loaded again"
    stack.stop()


def test_log_purged_before_it_was_read_is_lost_until_resync(mysql_stack):
    stack = mysql_stack
    work = streaming(stack)
    work.write()
    assert_exact(stack, work)
    stack.stop()
    work.write()
    stack.server.flush_logs()
    work.write()
    stack.server.purge_logs()
    stack.start()
    row = stack.wait_state(work.table, "lost")
    assert "resync" in row["hint"], row
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
    assert_exact(stack, work)
    stack.stop()


def test_log_that_was_read_may_be_purged(mysql_stack):
    stack = mysql_stack
    work = streaming(stack)
    work.write()
    assert_exact(stack, work)
    stack.stop()
    stack.server.purge_logs()
    work.write()
    stack.start()
    assert_exact(stack, work)
    assert stack.status(work.table)["epoch"] == 1, "nothing was loaded again"
    stack.stop()


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_reset_of_the_log_is_rewound_until_resync(mysql_stack, running):
    stack = mysql_stack
    work = streaming(stack)
    work.write()
    assert_exact(stack, work)
    if not running:
        stack.stop()
    stack.server.reset_logs()
    work.write()
    if not running:
        stack.start()
    row = stack.wait_state(work.table, "rewound")
    assert "resync" in row["hint"], row
    stack.sql("SELECT sluice.resync_source(%s)", stack.name)
    work.write()
    assert_exact(stack, work)
    stack.stop()


def test_a_log_that_was_off_for_a_while_loses_every_table(mysql_stack):
    stack = mysql_stack
    if stack.kind != "mariadb":
        pytest.skip("MySQL writes a log unless it is told not to")
    work = streaming(stack)
    work.write()
    assert_exact(stack, work)
    log = stack.server.options.get("log_bin", "binlog")
    stack.server.restart(log_bin=None)
    try:
        work.write()
        row = stack.wait_state(work.table, "lost")
        assert "no binary log" in row["message"] and "resync" in row["hint"], row
        assert "no binary log" in stack.wait(lambda: stack.one("SELECT message FROM sluice.source_status WHERE state = 'error'"), "the source says why")
    finally:
        stack.server.restart(log_bin=log)
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
    work.write()
    assert_exact(stack, work)
    stack.stop()


def test_restore_of_an_older_backup_is_rewound_until_resync(mysql_stack):
    stack = mysql_stack
    work = Writers(stack, 300)
    stack.server.backup(stack.name)
    before = dict(work.works[0].live)
    stack.register()
    stack.add_table(work.table)
    stack.start()
    stack.wait_state(work.table)
    work.write()
    stack.server.flush_logs()
    work.write()
    assert_exact(stack, work)
    stack.server.restore(stack.name)
    work.works[0].live = before
    row = stack.wait_state(work.table, "rewound")
    assert "resync" in row["hint"], row
    stack.sql("SELECT sluice.resync_source(%s)", stack.name)
    work.write()
    assert_exact(stack, work)
    stack.stop()


def test_rows_without_all_columns_are_refused_with_the_statement_that_mends_it(mysql_stack):
    stack = mysql_stack
    work = streaming(stack)
    stack.server.exec_sql("SET GLOBAL binlog_row_image = MINIMAL")
    try:
        stack.sql("CALL sluice.refresh(%s)", stack.name)
        told = stack.sql("SELECT found, fix_sql FROM sluice.check_source(%s) WHERE NOT ok", stack.name)
        assert any("MINIMAL" in found and "binlog_row_image" in fix for found, fix in told), told
        work.write()
        row = stack.wait_state(work.table, "error")
        assert "binlog_row_image" in row["hint"], row
    finally:
        stack.server.exec_sql("SET GLOBAL binlog_row_image = FULL")
    stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
    work.write()
    assert_exact(stack, work)
    stack.stop()


def test_change_in_statement_form_stops_the_source(mysql_stack):
    stack = mysql_stack
    work = streaming(stack)
    connection = stack.server.connect(stack.name)
    stack.write("SET SESSION binlog_format = STATEMENT", connection)
    stack.write(f"UPDATE {work.table} SET c_int = 7", connection)
    connection.close()
    error = stack.wait(lambda: stack.one("SELECT message FROM sluice.source_status WHERE state = 'error'"), "the source is stopped")
    assert "statement" in error.lower(), error
    stack.sql("SELECT sluice.resync_source(%s)", stack.name)
    work.write()
    assert_exact(stack, work)
    stack.stop()
