"""Runs the groups of tests, counts each test, ends with `N passed, N failed`. Started by tests/harness/check."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback
import xml.etree.ElementTree as xml

from cluster import BUILD, ROOT, Cluster, pg_config
from simulator import Simulator

TAP = re.compile(r"^(not ok|ok)\b(.*)$", re.MULTILINE)
UNIT_TIMEOUT_S = 300
FUZZ_SECONDS = 10


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def add(self, name, ok, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}", detail and "\n" + detail.rstrip(), flush=True)


def run(argv, timeout_s=UNIT_TIMEOUT_S, **kwargs):
    """(exit code, output); a program that does not end in time is killed and has failed."""
    try:
        result = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=timeout_s, **kwargs)
        return result.returncode, result.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace") + f"\nno end after {timeout_s} s"


def folder_new(name):
    """Open for the servers' OS user; the caller of check.py removes the folder around it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))
    path.chmod(0o755)
    return path


def tap(count, name, argv, **kwargs):
    """One program that prints TAP lines; dying or saying nothing is a failure of its own."""
    code, output = run(argv, **kwargs)
    lines = TAP.findall(output)
    for word, text in lines:
        count.add(f"{name}:{text}", word == "ok")
    bad = any(word != "ok" for word, _ in lines)
    if not lines or (code != 0 and not bad):
        count.add(name, False, f"exit code {code}\n{output[-4000:]}")
    elif bad:
        print(output[-4000:])


def unit(count):
    """C unit tests, plain and under ASan and UBSan, and the tests of the source tree."""
    for folder in (BUILD / "unit", BUILD / "asan" / "unit"):
        for program in sorted(folder.glob("*_test")):
            # This one asks a real S3 server, by http and by https.
            server = [sys.executable, ROOT / "tests" / "harness" / "s3server.py", "test"] if program.name == "sink_s3_test" else []
            tap(count, f"{folder.relative_to(BUILD)}/{program.name}", [*server, program], cwd=ROOT)
    for program in sorted((ROOT / "tests" / "unit").glob("*_test.py")):
        tap(count, program.name, [sys.executable, program], cwd=ROOT)


def peers(count):
    """The peers' own tests. The simulator: types without a server, the wire, malformed requests; the S3 proxy: that it fails as it is told."""
    folder = ROOT / "tests" / "peers" / "mssql"
    if (BUILD / "mssql" / "type_test").exists():
        tap(count, "mssql/type_test", [BUILD / "mssql" / "type_test"], cwd=folder)
    tap(count, "s3/faultproxy_test.py", [sys.executable, ROOT / "tests" / "peers" / "s3" / "faultproxy_test.py"])
    out = folder_new("peers")
    with Cluster(out / "pg", preload=False) as cluster:
        if (folder / "wire_test.py").exists():
            cluster.psql("CREATE DATABASE wire")
            tap(count, "mssql/wire_test.py", [sys.executable, folder / "wire_test.py", BUILD / "mssql-sim",
                                              cluster.conninfo("wire")], cwd=folder)
        with Simulator(cluster) as simulator:
            for name in ("driver_test.py", "malformed_test.py"):
                tap(count, f"mssql/{name}", [sys.executable, folder / name, simulator.port, simulator.password], cwd=folder)


def regress(count):
    """pg_regress and isolationtester, each in a throwaway cluster with the staged extension."""
    regress_with(count, "regress", "sql", "regress/pg_regress")
    regress_with(count, "isolation", "spec*", "isolation/pg_isolation_regress")
    code, output = run([sys.executable, ROOT / "tests" / "harness" / "sqldoc.py", "--check"], 120)
    count.add("docs/sql-reference.md", code == 0, output)


def regress_with(count, room, pattern, program):
    folder = ROOT / "tests" / room
    tests = sorted(p.stem for p in folder.glob(f"{pattern}/*") if p.suffix in (".sql", ".spec"))
    if not tests:
        return
    out = folder_new(room)
    program = pathlib.Path(pg_config("--pgxs")).parents[1] / "test" / program
    with Cluster(out / "pg", settings={"max_connections": 100}) as cluster:
        code, output = run([program, f"--bindir={pg_config('--bindir')}", f"--inputdir={folder}", f"--outputdir={out}",
                            f"--host={cluster.socket_dir}", f"--port={cluster.port}", "--user=postgres",
                            "--dbname=regression", *tests], 900, cwd=out)
    seen = re.findall(r"^test (\S+)\s+\.\.\. (ok|FAILED)", output, re.MULTILINE)
    for name, word in seen:
        count.add(f"{room}/{name}", word == "ok")
    for name in set(tests) - {name for name, _ in seen}:
        count.add(f"{room}/{name}", False, "it did not run")
    if any(word != "ok" for _, word in seen) or len(seen) < len(tests):
        diffs = out / "regression.diffs"
        print(output[-3000:], diffs.read_text(errors="replace")[:8000] if diffs.exists() else "")


def e2e(count):
    """pytest of tests/e2e, three files at a time since tests mostly wait; PYTEST holds more arguments (-k name, -n 0)."""
    pytest(count, "", ["-n", "3", "--dist", "loadfile", *os.environ.get("PYTEST", "").split(), "tests/e2e"])


def sanitized(count):
    """Some of tests/e2e with the worker built for ASan and UBSan; any report of theirs fails the test."""
    tests = [f"tests/e2e/test_{name}" for name in (
        "main.py::test_every_other_type_lands_exactly", "main.py::test_inventory_sample_lands_and_follows",
        "main.py::test_other_formats_and_compressions_land_the_same", "many.py::test_denied_table_says_so_and_the_others_go_on",
        "many.py::test_keyless_table_folds_as_a_multiset_under_change", "bad_input.py::test_wrong_connection_names_the_step_and_is_mended_by_alter_source",
        "bad_input.py::test_bucket_that_does_not_exist_or_is_forbidden_is_named")]
    pytest(count, "sanitized ", tests, SLUICE_WORKER=str(BUILD / "asan" / "sluice-worker"))


def fuzz(count):
    """The binlog's decoder under libFuzzer, ASan and UBSan: what the corpus holds, then a few seconds of what no server would write (`make fuzz SECONDS=n` for longer)."""
    found = folder_new("fuzz")
    code, output = run([BUILD / "fuzz" / "binlog_fuzz", f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=1024", f"-artifact_prefix={found}/", found,
                        ROOT / "tests" / "fuzz" / "corpus"], cwd=found)
    runs = re.search(r"^Done (\d+) runs", output, re.MULTILINE)
    count.add("fuzz/binlog_fuzz", code == 0 and runs and int(runs[1]) > 1000, output[-4000:])


def pytest(count, label, arguments, **environment):
    report = folder_new("pytest") / "report.xml"
    result = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--durations=5",
                             f"--junitxml={report}", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
    if not report.exists():
        count.add(f"{label}tests/e2e", False, f"pytest ended with exit code {result.returncode}")
        return
    for case in xml.parse(report).getroot().iter("testcase"):
        words = {child.tag for child in case}
        if "skipped" not in words:
            count.add(f"{label}{case.get('classname')}.{case.get('name')}", not words & {"failure", "error"})
    if result.returncode not in (0, 1):
        count.add(f"{label}tests/e2e", False, f"pytest ended with exit code {result.returncode}")


GROUPS = {"unit": unit, "fuzz": fuzz, "peers": peers, "regress": regress, "e2e": e2e, "sanitized": sanitized}


def main():
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    count = Count()
    if os.environ.get("LINT", "skip") != "skip":
        count.add("lint", os.environ["LINT"] == "ok")
    for name, group in GROUPS.items():
        if not only or name in only:
            before = count.passed + count.failed
            print(f"== {name}: {group.__doc__}", flush=True)
            try:
                group(count)
            except Exception:
                count.add(name, False, traceback.format_exc())
            print(f"== {name}: {count.passed + count.failed - before} tests", flush=True)
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
