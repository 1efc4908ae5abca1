"""What the property tests of the formats share: seeds, TAP lines, and what every file must say of a row."""
import dataclasses
import json
import math
import os
import pathlib
import struct
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))

from cluster import BUILD  # noqa: E402
from rowfile import UNCHANGED  # noqa: E402

ALL = os.environ.get("SLUICE_TEST_ALL") == "1"
EPOCH, INCARNATION = 7, 3
COMMIT_UNKNOWN = -(1 << 63)


def sizes(rng):
    """Batches of random sizes, written in one piece or in random ones."""
    return {"sizes": lambda: rng.choice((1, 7, 500, 1024, 1024)), "step": lambda count: rng.choice((count, count, rng.randint(1, count)))}


def driver(seed):
    """Every third case goes through the driver built for ASan and UBSan, where there is one."""
    sanitized = BUILD / "asan" / "unit" / "format_driver"
    return sanitized if seed % 3 == 0 and sanitized.exists() else BUILD / "unit" / "format_driver"


def with_images(rows):
    """Before each update the row before it, as a source gives it when asked; profile sluice leaves them out."""
    for before, row in zip([rows[0], *rows] if rows else [], rows):
        if row.op == "U":
            yield dataclasses.replace(before, op="B", commit_us=row.commit_us, position=row.position)
        yield row


def added(fields, row):
    """The columns that profile sluice adds: op, seq, commit time in UTC microseconds, epoch, unchanged."""
    names = [f.name for f, v in zip(fields, row.values) if v is UNCHANGED]
    return (row.op, f"{EPOCH:08x}{INCARNATION:04x}{row.position.hex()}", None if row.commit_us == COMMIT_UNKNOWN else row.commit_us, EPOCH,
            names or None)


def unchanged(text):
    return None if text is None else json.loads(text)


def expected(value):
    return None if value is UNCHANGED else value


def same(found, wanted):
    """Equal bit for bit; every NaN is one."""
    if isinstance(wanted, float) and isinstance(found, float):
        return (math.isnan(found) and math.isnan(wanted)) or struct.pack("<d", found) == struct.pack("<d", wanted)
    return type(found) is type(wanted) and found == wanted


def differences(field, found, wanted, reader):
    """The first few rows in which a column differs."""
    if len(found) != len(wanted):
        return [f"{reader}: column {field.name}: {len(found)} rows, wanted {len(wanted)}"]
    bad = [i for i, (f, w) in enumerate(zip(found, wanted)) if not same(f, expected(w))]
    return [f"{reader}: column {field}: row {i}: found {found[i]!r:.120}, wanted {wanted[i]!r:.120}" for i in bad[:3]]


def run(tests):
    """tests: {name: (function(seed, folder) -> problems, seeds)}; arguments `name [seed]` choose."""
    failed = 0
    for name, (test, seeds) in tests.items():
        if sys.argv[1:2] and sys.argv[1] != name:
            continue
        bad = []
        seeds = [int(sys.argv[2])] if sys.argv[2:] else seeds
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    problems = test(seed, pathlib.Path(folder))
                except Exception:
                    problems = [traceback.format_exc()]
            if problems:
                bad.append(seed)
                print("\n".join("# " + line for problem in problems[:5] for line in str(problem).splitlines()[-15:]) if len(bad) < 4 else "# ...")
                print(f"# run it again: python {pathlib.Path(sys.argv[0]).name} '{name}' {seed}", flush=True)
        failed += bool(bad)
        print(f"{'not ok' if bad else 'ok'} - {name} ({'seeds ' + ', '.join(map(str, bad)) if bad else f'seeds {seeds[0]}..{seeds[-1]}'})", flush=True)
    sys.exit(1 if failed else 0)
