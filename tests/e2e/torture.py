"""kill -9 of runner, poller, worker and postmaster at random, crash points, faults of the source and of S3, under writers, for a while.

    python torture.py SECONDS          (make torture SECONDS=n)

Tables of every format land in a folder and, through tests/peers/s3/faultproxy.py, in a bucket; one is of rows so wide that its files are
uploads of several parts. Prints `TORTURE kills=<n> faults=<n> lost=<n> twice=<n>` and ends with 0 only if nothing was lost and nothing landed twice. Rows: the
environment's SLUICE_TORTURE_ROWS (1000000 where more than ten minutes are given); SLUICE_TORTURE_SEED repeats a run's choices. How far
it has come is told on standard error.
"""
import contextlib
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

for room in ("harness", "peers/s3", "e2e"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / room))

import s3faults  # noqa: E402
from cluster import ROOT, Cluster  # noqa: E402
from faultproxy import FaultProxy  # noqa: E402
from reader import FolderStore, Landed  # noqa: E402
from s3server import S3Server  # noqa: E402
from simulator import Simulator  # noqa: E402
from stack import QUICK_SIMULATOR, Bucket, Stack  # noqa: E402
from values import MIXED_KEY, differences, stream_rows  # noqa: E402
from workload import WideWorkload, Workload  # noqa: E402

FAULTS = [
    "match {match}\ndrop_after_bytes 3000\ncount 2",
    "match {match}\ndrop_after_bytes 200\nreset 1\ncount 2",
    "match {match}\nerror_after_rows 7\ncount 2",
]
# table, target, format, part of the rows
TABLES = [("dbo.mixed", "lake", "jsonl", 1), ("dbo.second", "folder", "parquet", 8), ("dbo.third", "lake", "csv", 8)]
WIDE = "dbo.wide"
WIDE_ROWS = 9
OTHERS_PAUSE_S = 0.1
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
    """backing, simulator and S3 server may be given; sluice's own cluster is always made here, since its postmaster is killed."""

    def __init__(self, folder, backing=None, simulator=None, rows=2000, seed=None, s3=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.given = simulator
        self.backing = backing
        self.rows = rows
        self.seed = seed if seed is not None else random.randrange(1 << 30)
        self.random = random.Random(self.seed)
        self.s3 = s3
        self.stack = None
        self.kills = 0
        self.faults = 0
        self.crashes = 0
        self.tell = Progress()
        self.points = sorted({name for path in (ROOT / "worker").rglob("*.c")
                              for name in re.findall(r'CRASH_POINT\("([^"]+)"\)', path.read_text())})

    def __enter__(self):
        with contextlib.ExitStack() as made:
            self.cluster = made.enter_context(Cluster(self.folder / "sluice"))
            self.simulator = self.given or self._simulator(made)
            server = self.s3 or made.enter_context(S3Server(self.folder / "s3"))
            self.proxy = made.enter_context(FaultProxy(server, dir=self.folder / "proxy", tls=True, seed=self.seed))
            bucket = server.create_bucket("torture")
            self.stack = Stack(self.cluster, self.simulator, self.folder, "torture", target=Bucket(
                server.client(), self.proxy.endpoint, bucket, server.access_key, server.secret_key, server.region, self.proxy.ca_file))
            for name, value in {"lease_seconds": 2, "worker_dead_seconds": 2}.items():
                self.stack.set(name, value)
            made.callback(self.stack.close)
            made.callback(self.simulator.fault, "")
            self._made = made.pop_all()
        return self

    def __exit__(self, *exc):
        self._made.close()

    def _simulator(self, made):
        self.backing = made.enter_context(Cluster(self.folder / "backing", preload=False, settings={"synchronous_commit": "off"}))
        simulator = made.enter_context(Simulator(self.backing))
        for name, value in QUICK_SIMULATOR.items():
            simulator.exec_sql(f"EXEC sluice_sim.set_option '{name}', {value}")
        return simulator

    # ---- the run --------------------------------------------------------------
    def run(self, seconds):
        self._fill()
        self.tell("kill", unit="hurts")
        self.stack.register(query_timeout=5)
        self.stack.sql("SELECT sluice.add_target('folder', 'file', options => jsonb_build_object('path', %s::text, 'prefix', 'lake'))",
                       str(self.stack.target_folder))
        for work, (table, target, format, _) in zip(self.works, TABLES):
            self.stack.add_table(table, target, format=format, load_range_rows=max(500, self.rows // 10), target_file_bytes=max(65536, self.rows * 20))
        self.stack.add_table(WIDE, compression="none")
        self._start()
        end = time.monotonic() + seconds
        with contextlib.ExitStack() as writing:
            for work in self.works[:-1]:
                writing.enter_context(work)
            while time.monotonic() < end:
                time.sleep(self.random.uniform(0.02, 0.6))
                self._hurt()
                self.tell("kill", 1, "hurts")
        self.simulator.fault("")
        self.proxy.clear()

    def _fill(self):
        self.works = [Workload(self.stack, table, seed=self.seed + n) for n, (table, *_) in enumerate(TABLES)]
        for work, (_, _, _, part) in zip(self.works, TABLES):
            for left in range(self.rows // part, 0, -FILL_ROWS):
                self.tell("fill", min(left, FILL_ROWS))
                work.fill(min(left, FILL_ROWS))
        for work in self.works[1:]:
            work.pause_s = OTHERS_PAUSE_S
        self.works.append(WideWorkload(self.stack, WIDE, seed=self.seed).fill(WIDE_ROWS))

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
        chance = self.random.random()
        if chance < 0.15:
            table = self.random.choice(self.works).table
            match = self.random.choice((f"cdc.{table.replace('.', '_')}_CT", table))
            self.simulator.fault(self.random.choice(FAULTS).format(match=match))
            self.faults += 1
        elif chance < 0.3:
            self._hurt_s3()
            self.faults += 1
        elif chance < 0.33:
            self.stack.sql("SELECT sluice.resync_table(%s)", self.stack.table_name(self.random.choice(self.works).table))
        elif chance < 0.36:
            self.works[-1].transaction()
        else:
            self._kill(self.random.choice(PARTIES))

    def _hurt_s3(self):
        """One trouble at a time; the last one's end comes with it."""
        self.proxy.clear()
        name = self.random.choice([*s3faults.FAULTS, "wrong_clock"])
        if name == "wrong_clock":
            self.proxy.clock_offset_s = self.random.choice((-5000, 5000))
        else:
            self.proxy.inject(*[dataclasses.replace(fault) for fault in s3faults.FAULTS[name]])

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
        settle_s = SETTLE_S + self.rows // SETTLE_ROWS_A_SECOND
        for work in self.works:
            if self.stack.status(work.table)["state"] in ("error", "lost", "rewound", "gone"):
                return Result(self.kills, self.faults, 1, 0, f"{work.table} has stopped: {self.stack.why()}")
            self.stack.wait_state(work.table, timeout_s=settle_s)
        self.stack.wait_uploaded(*[work.table for work in self.works], timeout_s=settle_s)
        result = self.verdict()
        self.stack.stop()
        result.details += f"\n{self.stack.log_tail(6000)}"
        return result

    def verdict(self):
        """What has landed against its promises and the source; call at rest."""
        problems, wrong = [], []
        for target, store in (("lake", self.stack.store()), ("folder", FolderStore(self.stack.target_folder, self.stack.prefix))):
            landed = Landed(store, self.stack.name)
            landed.tell = self.tell
            works = [work for work in self.works if self._target(work) == target]
            problems += self.stack.problems(landed, {work.table: MIXED_KEY for work in works}, killed=True, target=target)
            for work in works:
                source = stream_rows(self.simulator, self.stack.name, work.table, work.columns)
                wrong += [f"{work.table}: {text[:300]}" for text in differences(
                    work.columns, MIXED_KEY, landed.fold(work.table, MIXED_KEY), self.tell.each("compare", source), most=1000)]
        self.tell.end()
        twice = [p for p in problems if " times " in p]
        return Result(self.kills, self.faults, len(wrong) + len(problems) - len(twice), len(twice),
                      f"seed {self.seed}\n" + "\n".join((problems + wrong)[:30]))

    @staticmethod
    def _target(work):
        return next((target for table, target, *_ in TABLES if table == work.table), "lake")


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
