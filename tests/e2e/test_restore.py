"""PostgreSQL comes back older than the bucket: a promoted standby that lost its last commits, a restored backup, a restored dump.

What the bucket tells is taken in before anything is planned: nothing is lost, nothing lands twice, and where the manifests explain all
that stands there, no table is loaded again.
"""
import os
import subprocess

import pytest

from cluster import Cluster, wait_until
from values import MIXED_KEY, differences, source_rows
from workload import Workload

ALL = bool(os.environ.get("SLUICE_TEST_ALL"))
TARGETS = ["file", "s3"]


@pytest.fixture
def primary(workdir):
    """A PostgreSQL of the test's own, with all that a standby needs."""
    with Cluster(workdir / "primary") as made:
        yield made


@pytest.fixture
def captured(make_stack, make_bucket, primary):
    """captured(target) -> (stack, writer): a table that streams."""
    def build(target="file", **options):
        stack = make_stack(cluster=primary, target=make_bucket() if target == "s3" else None)
        stack.set("lease_seconds", 2)
        stack.set("worker_dead_seconds", 2)
        work = Workload(stack).fill(400)
        stack.register()
        stack.add_table(work.table, load_range_rows=150, target_file_bytes=65536, **options)
        stack.start()
        stack.wait_state(work.table)
        change(stack, work)
        return stack, work
    return build


def change(stack, work, transactions=5):
    """Changes that have landed, in several commits."""
    for _ in range(2):
        for _ in range(transactions):
            work.transaction()
        stack.wait_uploaded(work.table)


def assert_exact(stack, work):
    stack.wait_state(work.table)
    stack.wait_uploaded(work.table)
    landed = stack.check({work.table: MIXED_KEY}, killed=True)
    found = differences(work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY),
                        source_rows(stack.simulator, stack.name, work.table, work.columns))
    assert not found, "\n".join(found)
    return landed


def standby_of(primary, folder):
    """A standby that has all of the primary until now and gets nothing more."""
    standby = primary.standby(folder).start()
    here = primary.psql("SELECT pg_current_wal_lsn()")
    wait_until(lambda: standby.psql(f"SELECT pg_last_wal_replay_lsn() >= '{here}'") == "t", 30, "the standby has caught up")
    standby.psql("ALTER SYSTEM SET primary_conninfo = ''")
    standby.psql("SELECT pg_reload_conf()")
    wait_until(lambda: standby.psql("SELECT count(*) FROM pg_stat_wal_receiver") == "0", 30, "nothing is received any more")
    return standby


def fail_over(stack, primary, standby):
    stack.close()
    primary.kill9()
    standby.promote()
    stack.cluster = standby


@pytest.mark.parametrize("target", TARGETS)
def test_promoted_standby_takes_in_the_commits_that_it_lost(captured, primary, workdir, target):
    stack, work = captured(target)
    standby = standby_of(primary, workdir / f"standby-{target}")
    try:
        change(stack, work)
        ahead = stack.one("SELECT next_commit FROM _sluice.pair")
        fail_over(stack, primary, standby)
        behind = stack.one("SELECT next_commit FROM _sluice.pair")
        assert behind < ahead, "commits were lost"
        for _ in range(3):
            work.transaction()
        stack.start()
        assert_exact(stack, work)
        assert "adopting manifest" in stack.log()
        assert stack.status(work.table)["epoch"] == 1, "nothing was loaded again"
        stack.stop()
    finally:
        standby.close()


@pytest.mark.parametrize("target", TARGETS if ALL else ["s3"])
def test_object_whose_seal_the_standby_lost_is_an_orphan_in_an_epoch_that_is_gone(captured, primary, workdir, target):
    stack, work = captured(target)
    standby = standby_of(primary, workdir / f"standby-{target}")
    try:
        stack.stop()
        keys = set(stack.store().keys())
        stack.start(SLUICE_CRASH_AT="objects_after")        # whoever comes there dies: no manifest
        for _ in range(5):
            work.transaction()
        stack.wait(lambda: {key for key in set(stack.store().keys()) - keys if "sluice_kind=cdc" in key}, "an object without a manifest")
        fail_over(stack, primary, standby)
        stack.start()
        stack.wait(lambda: (row := stack.status(work.table)) and row["epoch"] == 2, "a new epoch")
        landed = assert_exact(stack, work)
        orphans = stack.sql("SELECT key, epoch FROM sluice.file WHERE state = 'orphan'")
        assert orphans and all(epoch < landed.live_epoch(work.table) for _, epoch in orphans), orphans
        stack.stop()
    finally:
        standby.close()


@pytest.mark.parametrize("target", TARGETS if ALL else ["file"])
def test_restored_backup_takes_in_what_landed_since(captured, primary, workdir, target):
    """The server's identity is the same as before: the one who restores says take_over()."""
    stack, work = captured(target)
    restored = primary.backup(workdir / f"restored-{target}")
    try:
        change(stack, work)
        stack.sql("SELECT sluice.resync_table(%s)", stack.table_name(work.table))
        stack.wait(lambda: stack.status(work.table)["epoch"] == 2, "an epoch that the backup does not know")
        stack.wait_state(work.table)
        change(stack, work)
        stack.close()
        primary.kill9()
        stack.cluster = restored.start()
        stack.sql("SELECT sluice.take_over()")
        for _ in range(3):
            work.transaction()
        stack.start()
        stack.wait(lambda: stack.status(work.table)["epoch"] > 2, "an epoch above all that stand in the bucket")
        assert_exact(stack, work)
        stack.stop()
    finally:
        restored.close()


@pytest.mark.parametrize("target", TARGETS if ALL else ["file"])
def test_restored_dump_takes_in_what_landed_since(captured, primary, target):
    stack, work = captured(target)
    dump = subprocess.run([primary.bindir / "pg_dump", "-d", primary.conninfo(stack.database)], check=True, capture_output=True, text=True).stdout
    change(stack, work)
    stack.stop()
    lost, stack.database = stack.database, f"{stack.database}_restored"
    primary.psql(f'DROP DATABASE "{lost}"', database="postgres")
    primary.psql(f'CREATE DATABASE "{stack.database}"', database="postgres")
    primary.psql(dump, database=stack.database)
    keys = stack.store().keys()
    for _ in range(3):
        work.transaction()
    stack.start()
    stack.wait(lambda: stack.one("SELECT count(*) FROM _sluice.worker WHERE stopped_at IS NULL"), "the worker is there")
    assert any("take_over" in str(row) for row in stack.sql("SELECT * FROM sluice.check_install() WHERE NOT ok")), "who restored it is told what to do"
    assert stack.store().keys() == keys, "and nothing is written before"
    stack.sql("SELECT sluice.take_over()")
    stack.stop()
    stack.start()
    assert_exact(stack, work)
    assert stack.status(work.table)["epoch"] == 1, "nothing was loaded again"
    stack.stop()
