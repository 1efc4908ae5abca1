"""kill -9 of runner, poller, worker and postmaster at random, crash points and wire faults, under a writer, for a while.

    python torture.py SECONDS          (make torture SECONDS=n)

prints `TORTURE kills=<n> faults=<n> lost=<n> twice=<n>` and ends with 0 only if nothing was lost and nothing landed twice. Rows: the
environment's SLUICE_TORTURE_ROWS (1000000 where more than ten minutes are given); SLUICE_TORTURE_SEED repeats a run's choices. How far
it has come is told on standard error.
"""
import dataclasses
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cluster import ROOT, Cluster  # noqa: E402
from simulator import Simulator  # noqa: E402
from stack import QUICK_SIMULATOR, Bucket, Stack  # noqa: E402
from values import MIXED_KEY, differences, stream_rows  # noqa: E402
from workload import Workload  # noqa: E402

FAULTS = [
    "match {match}\ndrop_after_bytes 3000\ncount 2",
    "match {match}\ndrop_after_bytes 200\nreset 1\ncount 2",
    "match {match}\nerror_after_rows 7\ncount 2",
]
PARTIES = ["runner"] * 5 + ["poller"] * 2 + ["worker"] * 2 + ["postmaster"]
SETTLE_S = 180
SETTLE_ROWS_A_SECOND = 2000     # a load that began anew at the end may still have all its rows to do
FILL_ROWS = 20000
TELL_S = 10


class Progress:
    """Phase, rows (or what else it counts) and seconds on standard error: at a phase's begin and end and every TELL_S between."""

    def __init__(self):
        self.begun = self.phase_begun = self.told = time.monotonic()
        self.phase, self.count, self.unit = None, 0, "rows"

    def __call__(self, phase, count=0, unit="rows"):
        now = time.monotonic()
        if phase != self.phase:
            self.end()
            self.phase, self.count, self.unit, self.phase_begun, self.told = phase, count, unit, now, now
            self._tell(f"{phase} begins")
            return
        self.count += count
        if now - self.told >= TELL_S:
            self.told = now
            self._tell(f"{phase}: {self.count} {self.unit}")

    def end(self):
        if self.phase:
            self._tell(f"{self.phase} took {time.monotonic() - self.phase_begun:.1f} s" + (f", {self.count} {self.unit}" if self.count else ""))
        self.phase = None

    def _tell(self, text):
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024      # Linux counts it in KiB
        print(f"torture {time.monotonic() - self.begun:6.1f} s  {text} (peak {peak_mb} MB)", file=sys.stderr, flush=True)

    def each(self, phase, rows):
        """The rows, counted as they pass."""
        for row in rows:
            self(phase, 1)
            yield row


@dataclasses.dataclass
class Result:
    kills: int
    faults: int
    lost: int
    twice: int
    details: str

    def line(self):
        return f"TORTURE kills={self.kills} faults={self.faults} lost={self.lost} twice={self.twice}"


class Torture:
    """backing and simulator may be given; sluice's own cluster is always made here, since its postmaster is killed."""

    def __init__(self, folder, backing=None, simulator=None, rows=2000, seed=None, bucket=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.given = simulator
        self.backing = backing
        self.rows = rows
        self.seed = seed if seed is not None else random.randrange(1 << 30)
        self.random = random.Random(self.seed)
        self.bucket = bucket
        self.kills = 0
        self.faults = 0
        self.crashes = 0
        self.tell = Progress()
        self.points = sorted({name for path in (ROOT / "worker").rglob("*.c")
                              for name in re.findall(r'CRASH_POINT\("([^"]+)"\)', path.read_text())})

    def __enter__(self):
        self.cluster = Cluster(self.folder / "sluice").start()
        self.simulator = self.given
        if not self.given:
            self.backing = Cluster(self.folder / "backing", preload=False, settings={"synchronous_commit": "off"}).start()
            self.simulator = Simulator(self.backing).start()
            for name, value in QUICK_SIMULATOR.items():
                self.simulator.exec_sql(f"EXEC sluice_sim.set_option '{name}', {value}")
        self.stack = Stack(self.cluster, self.simulator, self.folder, "torture", target=self.bucket)
        for name, value in {"lease_seconds": 2, "worker_dead_seconds": 2}.items():
            self.stack.set(name, value)
        return self

    def __exit__(self, *exc):
        self.simulator.fault("")
        self.stack.close()
        self.cluster.close()
        if not self.given:
            self.simulator.stop()
            self.backing.close()

    # ---- the run --------------------------------------------------------------
    def run(self, seconds):
        self.work = Workload(self.stack, seed=self.seed)
        for left in range(self.rows, 0, -FILL_ROWS):
            self.tell("fill", min(left, FILL_ROWS))
            self.work.fill(min(left, FILL_ROWS))
        self.tell("kill", unit="hurts")
        self.stack.register(query_timeout=5)
        self.stack.add_table(self.work.table, load_range_rows=max(500, self.rows // 10), target_file_bytes=max(30000, self.rows * 20))
        self._start()
        end = time.monotonic() + seconds
        with self.work:
            while time.monotonic() < end:
                time.sleep(self.random.uniform(0.05, 1.5))
                self._hurt()
                self.tell("kill", 1, "hurts")
        self.simulator.fault("")

    def _start(self):
        """Every second worker carries a crash point, at its nth arrival."""
        environment = {}
        if self.random.random() < 0.5:
            self.crashes += 1
            environment = {"SLUICE_CRASH_AT": f"{self.random.choice(self.points)}:{self.random.randint(1, 3)}",
                           "SLUICE_CRASH_ONCE": str(self.folder / f"once-{self.crashes}")}
        self.stack.workers = [w for w in self.stack.workers if w.poll() is None]
        self.stack.start(**environment)

    def _hurt(self):
        if not any(worker.poll() is None for worker in self.stack.workers):
            self._start()
        if self.random.random() < 0.25:
            match = self.random.choice(("cdc.dbo_mixed_CT", self.work.table))
            self.simulator.fault(self.random.choice(FAULTS).format(match=match))
            self.faults += 1
        elif self.random.random() < 0.05:
            self.stack.sql("SELECT sluice.resync_table(%s)", self.stack.table_name(self.work.table))
        else:
            self._kill(self.random.choice(PARTIES))

    def _kill(self, party):
        if party == "postmaster":
            self.cluster.kill9()
            self.cluster.start()
        elif party == "worker":
            self.stack.workers[-1].kill()
            self.stack.workers[-1].wait(10)
            self._start()
        else:
            pids = [pid for pid, kind in self.stack.children() if kind == party]
            if not pids:
                return
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                return
        self.kills += 1

    # ---- the verdict ----------------------------------------------------------
    def result(self):
        self.tell("settle")
        self.stack.stop()
        self.stack.start()
        self.kills += len(list(self.folder.glob("once-*")))
        if self.stack.status(self.work.table)["state"] in ("error", "lost", "rewound", "gone"):
            return Result(self.kills, self.faults, 1, 0, f"the table has stopped: {self.stack.why()}")
        settle_s = SETTLE_S + self.rows // SETTLE_ROWS_A_SECOND
        self.stack.wait_state(self.work.table, timeout_s=settle_s)
        self.stack.wait_uploaded(self.work.table, timeout_s=settle_s)
        result = self.verdict()
        self.stack.stop()
        result.details += f"\n{self.stack.log_tail(6000)}"
        return result

    def verdict(self):
        """What has landed against its promises and the source; call at rest."""
        landed = self.stack.landed()
        landed.tell = self.tell
        problems = self.stack.problems(landed, {self.work.table: MIXED_KEY}, killed=True)
        source = stream_rows(self.simulator, self.stack.name, self.work.table, self.work.columns)
        wrong = differences(self.work.columns, MIXED_KEY, landed.fold(self.work.table, MIXED_KEY),
                            self.tell.each("compare", source), most=1000)
        self.tell.end()
        twice = [p for p in problems if " times " in p]
        return Result(self.kills, self.faults, len(wrong) + len(problems) - len(twice), len(twice),
                      f"seed {self.seed}\n" + "\n".join((problems + wrong)[:30]))


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    rows = int(os.environ.get("SLUICE_TORTURE_ROWS", "1000000" if seconds > 600 else "20000"))
    seed = os.environ.get("SLUICE_TORTURE_SEED")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))      # so that servers are stopped
    folder = tempfile.mkdtemp(prefix="sluice-torture-")
    os.chmod(folder, 0o755)
    try:
        with Torture(folder, rows=rows, seed=int(seed) if seed else None) as torture:
            torture.run(seconds)
            result = torture.result()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = result.lost or result.twice
    if failed:
        print(result.details)
    print(result.line())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
