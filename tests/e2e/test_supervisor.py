"""What the supervisor promises, seen from outside: each party is killed and the others are watched.

The worker is a real child process, a shell script under sluice.worker_path whose behaviour a test sets.
"""
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from cluster import Cluster, children_of, default_worker, pid_alive, wait_until

STAND_IN = """#!/bin/bash
here="${0%/*}"
echo "$$ $PPID $# $1 $SLUICE_CONNINFO" >> "$here/starts"
echo "$BASHPID" > "$here/pid"
if [ -e "$here/behaviour" ]; then . "$here/behaviour"; fi
exec sleep 1000
"""
QUICK = {"sluice.supervise": "on", "sluice.restart_delay": "50ms"}


class Worker:
    """The stand-in of one cluster."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        self.path = folder / "worker"
        self.path.write_text(STAND_IN)
        self.path.chmod(0o755)

    def behave(self, script):
        new = self.folder / "behaviour.new"
        new.write_text(script + "\n")
        new.chmod(0o644)
        new.rename(self.folder / "behaviour")

    def starts(self):
        try:
            return (self.folder / "starts").read_text().splitlines()
        except FileNotFoundError:
            return []

    def pid(self):
        """Of the run that is alive, or 0."""
        lines = self.starts()
        pid = int(lines[-1].split()[0]) if lines else 0
        return pid if pid and pid_alive(pid) else 0

    def wait_running(self, other_than=0, timeout_s=15):
        return wait_until(lambda: self.pid() if self.pid() != other_than else 0, timeout_s, "worker runs")

    def wait_gone(self, pid, timeout_s=15):
        wait_until(lambda: not pid_alive(pid), timeout_s, f"worker {pid} gone")


@pytest.fixture
def make(workdir, request):
    """make(name='a', **settings) -> (cluster, worker); closed at the end of the test."""
    made = []

    def build(name="a", roles=("sluice_worker",), **settings):
        folder = workdir / f"{request.node.name}-{name}"[:40]
        worker = Worker(workdir / (folder.name + "-w"))
        cluster = Cluster(folder, roles=roles, settings={**QUICK, "sluice.worker_path": worker.path, **settings})
        made.append(cluster)
        return cluster, worker

    yield build
    for cluster in reversed(made):
        cluster.close()


def log_lines(cluster, text):
    return [line for line in cluster.log().splitlines() if text in line]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_killed_worker_is_restarted_and_sessions_live(make, number):
    cluster, worker = make()
    cluster.start()
    first = worker.wait_running()
    bystander = subprocess.Popen([cluster.bindir / "psql", "-qAtX", "-d", cluster.conninfo()], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
    bystander.stdin.write("SELECT pg_backend_pid();\n")
    bystander.stdin.flush()
    backend = int(bystander.stdout.readline())
    supervisor = cluster.supervisor_pid()
    os.kill(first, number)
    second = worker.wait_running(other_than=first)
    assert second != first
    out, _ = bystander.communicate("SELECT pg_backend_pid();\n")
    assert int(out) == backend, "the session survived"
    assert cluster.supervisor_pid() == supervisor
    assert log_lines(cluster, f"sluice-worker (PID {first}) was terminated by signal {int(number)}")


def test_worker_gets_its_settings_by_environment_only(make):
    cluster, worker = make()
    cluster.start()
    worker.wait_running()
    pid, parent, count, argument, conninfo = worker.starts()[-1].split(" ", 4)
    assert int(parent) == cluster.supervisor_pid()
    assert (count, argument) == ("1", "run")
    assert "user=sluice_worker" in conninfo and f"host='{cluster.socket_dir}'" in conninfo
    assert subprocess.run([cluster.bindir / "psql", "-qAtX", "-c", "SELECT current_user", conninfo],
                          capture_output=True, text=True).stdout.strip() == "sluice_worker"


def test_memory_is_the_servers_unless_the_registry_says_otherwise(make):
    cluster, worker = make(**{"sluice.memory": "300MB"})
    cluster.start()
    cluster.psql("CREATE EXTENSION IF NOT EXISTS sluice")
    assert cluster.psql("SELECT _sluice.memory_mib()") == "300"
    cluster.psql("SELECT sluice.alter_setting('memory_mib', '200')")
    assert cluster.psql("SELECT _sluice.memory_mib()") == "200"


def test_worker_inherits_no_descriptor_signal_mask_or_handler(make):
    cluster, worker = make()
    cluster.start()
    pid = worker.wait_running()
    wait_until(lambda: pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "sleep", 5, "exec of sleep")
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
    masks = dict(re.findall(r"^(Sig(?:Blk|Ign)):\s+([0-9a-f]+)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
    # 32 and 33 are the C library's own: no program can set them, whoever started us may have left them ignored.
    assert {name: int(mask, 16) & ~(0b11 << 31) for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}
    assert pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "0"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_worker_dies_with_its_supervisor(make, number):
    cluster, worker = make()
    worker.behave("trap '' TERM")
    cluster.start()
    first = worker.wait_running()
    os.kill(cluster.supervisor_pid(), number)
    worker.wait_gone(first)
    worker.wait_running(other_than=first, timeout_s=30)


def test_worker_dies_with_the_postmaster(make):
    cluster, worker = make()
    worker.behave("trap '' TERM")
    cluster.start()
    pid = worker.wait_running()
    cluster.kill9()
    worker.wait_gone(pid)
    cluster.start()
    worker.wait_running(other_than=pid)


def test_immediate_shutdown_leaves_no_worker(make):
    cluster, worker = make()
    cluster.start()
    pid = worker.wait_running()
    cluster.stop("immediate")
    worker.wait_gone(pid)


def test_log_lines_keep_their_level_and_are_bounded(make):
    cluster, worker = make()
    worker.behave(r"""printf 'DEBUG\tquiet\nINFO\tsource=erp hello\nWARNING\tcareful\nERROR\tbroken\nFATAL\tover\n' >&2
printf 'plain text\n' >&2
printf 'INFO\tbell \a and \r return\n' >&2
printf 'INFO\t%09000d\n' 7 >&2
printf 'INFO\tno newline at the end' >&2
exit 0""")
    cluster.start()
    wait_until(lambda: log_lines(cluster, "no newline at the end"), 10, "last line")
    log = cluster.log()
    assert "LOG:  sluice-worker: source=erp hello\n" in log
    assert "WARNING:  sluice-worker: careful\n" in log
    assert "WARNING:  sluice-worker: error: broken\n" in log
    assert "WARNING:  sluice-worker: fatal: over\n" in log
    assert "LOG:  sluice-worker: plain text\n" in log
    assert "bell   and   return\n" in log
    assert "quiet" not in log
    cut = log_lines(cluster, "[cut]")
    assert cut and max(len(line) for line in log.splitlines()) < 2300


def test_back_off_doubles_to_its_cap_and_a_reload_ends_it(make):
    cluster, worker = make(**{"sluice.restart_delay": "20ms"})
    worker.behave("exit 1")
    cluster.start()
    wait_until(lambda: len(log_lines(cluster, "exited with code 1")) >= 7, 20, "seven failures")
    delays = [float(re.search(r"in ([\d.]+) s", line).group(1)) for line in log_lines(cluster, "exited with code 1")]
    assert delays[:5] == [0.0, 0.0, 0.1, 0.2, 0.3] and max(delays) <= 1.2
    wait_until(lambda: "in 1.2 s" in cluster.log(), 10, "the cap")
    worker.behave("")
    cluster.settings["sluice.restart_delay"] = "60s"
    cluster.reload()
    worker.wait_running(timeout_s=3)


def test_refusal_waits_at_the_cap_with_a_hint(make):
    cluster, worker = make(**{"sluice.restart_delay": "2s"})
    worker.behave("exit 3")
    cluster.start()
    wait_until(lambda: log_lines(cluster, "exited with code 3"), 10, "refusal")
    assert "started again in 120.0 s" in cluster.log()
    assert "SELECT pg_reload_conf()" in cluster.log()
    time.sleep(1.5)
    assert len(worker.starts()) == 1
    worker.behave("")
    cluster.psql("SELECT pg_reload_conf()")
    worker.wait_running(timeout_s=3)


def test_program_that_is_missing_is_named(make):
    cluster, worker = make()
    worker.path.unlink()
    cluster.start()
    wait_until(lambda: log_lines(cluster, f"could not execute sluice.worker_path {worker.path}"), 10, "message")


def test_worker_starts_when_its_role_appears(make):
    cluster, worker = make(roles=())
    cluster.start()
    time.sleep(1.5)
    assert not worker.starts() and "does not exist" not in cluster.log()
    cluster.psql("CREATE ROLE sluice_worker LOGIN")
    worker.wait_running(timeout_s=3)


def test_extension_comes_and_goes_under_the_real_worker(make):
    cluster, _ = make(roles=(), **{"sluice.worker_path": default_worker(), "sluice.restart_delay": "100ms"})
    cluster.start()
    for round in (1, 2):
        cluster.psql("CREATE EXTENSION sluice")
        wait_until(lambda: len(re.findall(r"worker \d+ of version \S+ has started", cluster.log())) >= round, 15, "it works")
        worker = cluster.worker_pid()
        before = time.monotonic()
        cluster.psql("DROP EXTENSION sluice")
        assert time.monotonic() - before < 3
        wait_until(lambda: not pid_alive(worker), 15, "the worker has left")
        wait_until(lambda: len(log_lines(cluster, "has no extension sluice")) >= round, 15, "and says why")


def test_no_extension_is_asked_for_without_noise(make):
    cluster, worker = make()
    worker.behave("exit 4")
    cluster.start()
    wait_until(lambda: len(worker.starts()) >= 4, 15, "asked again")
    assert len(log_lines(cluster, "has no extension sluice")) == 1
    worker.behave("")
    worker.wait_running(timeout_s=3)


def test_missing_database_is_waited_for_without_noise(make):
    cluster, worker = make(**{"sluice.database": "later"})
    cluster.start()
    time.sleep(1.5)
    assert not worker.starts() and "later" not in cluster.log()
    cluster.psql("CREATE DATABASE later")
    worker.wait_running(timeout_s=3)


def test_no_drop_database_is_delayed(make):
    cluster, worker = make(**{"sluice.database": "mine"})
    cluster.start()
    cluster.psql("CREATE DATABASE other")
    cluster.psql("CREATE DATABASE mine")
    pid = worker.wait_running()
    for name in ("other", "mine"):
        before = time.monotonic()
        cluster.psql(f"DROP DATABASE {name}")
        assert time.monotonic() - before < 1.5, f"DROP DATABASE {name}"
    worker.wait_gone(pid, 3)
    assert len(worker.starts()) == 1, "and it is not started for a database that is gone"


def test_shutdown_kills_a_worker_that_ignores_sigterm_after_8_s(make):
    cluster, worker = make()
    worker.behave("trap '' TERM; touch $here/deaf; while :; do sleep 0.1; done")
    cluster.start()
    pid = worker.wait_running()
    wait_until(lambda: (worker.folder / "deaf").exists(), 5, "trap set")
    before = time.monotonic()
    cluster.stop()
    took = time.monotonic() - before
    assert 7 < took < 12, took
    assert not pid_alive(pid) and not cluster.pid()
    assert log_lines(cluster, "has not stopped within 8 s and is killed")


def test_shutdown_waits_for_a_worker_that_stops_by_itself(make):
    cluster, worker = make()
    worker.behave("trap 'sleep 0.5; touch $here/clean; exit 0' TERM; while :; do sleep 0.1; done")
    cluster.start()
    worker.wait_running()
    time.sleep(0.3)
    cluster.stop()
    assert (worker.folder / "clean").exists()


def test_supervise_off_and_on_by_reload(make):
    cluster, worker = make()
    cluster.start()
    pid = worker.wait_running()
    cluster.settings["sluice.supervise"] = "off"
    cluster.reload()
    worker.wait_gone(pid, 3)
    time.sleep(0.5)
    assert worker.pid() == 0
    cluster.settings["sluice.supervise"] = "on"
    cluster.reload()
    worker.wait_running(other_than=pid, timeout_s=3)


def test_changed_settings_restart_the_worker(make):
    cluster, worker = make()
    cluster.start()
    pid = worker.wait_running()
    cluster.reload()
    time.sleep(0.5)
    assert worker.pid() == pid, "a reload that changes nothing of ours leaves it alone"
    cluster.settings["sluice.worker_conninfo"] = "host=/elsewhere user=x"
    cluster.reload()
    worker.wait_running(other_than=pid, timeout_s=3)
    assert worker.starts()[-1].endswith("host=/elsewhere user=x")


def test_standby_starts_it_at_promotion(make, workdir):
    primary, worker = make("p", roles=("sluice_worker",))
    primary.start()
    worker.wait_running()
    other = Worker(workdir / "standby-w")
    standby = primary.standby(workdir / "standby", settings={**QUICK, "sluice.worker_path": other.path})
    try:
        standby.start()
        time.sleep(1)
        assert standby.in_recovery() and not other.starts()
        standby.promote()
        other.wait_running()
        assert worker.pid(), "the old primary's worker is its own"
    finally:
        standby.close()


def test_settings_are_checked_and_hidden(make):
    cluster, worker = make(roles=("sluice_worker", "someone"))
    cluster.start()
    result = cluster.psql_result("ALTER SYSTEM SET sluice.worker_path = 'relative/path'")
    assert "must be an absolute path" in result.stderr
    for name in ("sluice.worker_path", "sluice.worker_conninfo"):
        assert "must be superuser" in cluster.psql_result(f"SHOW {name}", user="someone").stderr
    assert cluster.psql_result("SET sluice.no_such = 1").returncode != 0
    assert cluster.psql("SHOW sluice.memory", user="someone") == "512MB"


def test_terminated_supervisor_comes_back(make):
    cluster, worker = make()
    cluster.start()
    pid = worker.wait_running()
    cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sluice supervisor'")
    worker.wait_gone(pid)
    worker.wait_running(other_than=pid)
    assert children_of(cluster.supervisor_pid()) == [worker.pid()]


def test_extension_without_preload_changes_nothing(make):
    cluster, worker = make()
    cluster.settings["shared_preload_libraries"] = ""
    cluster.start()
    cluster.psql("LOAD 'sluice'")
    time.sleep(0.5)
    assert not worker.starts() and cluster.supervisor_pid() == 0
