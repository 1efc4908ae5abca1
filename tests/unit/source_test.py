"""What the source tree promises about itself: rooms, limits, banned functions, one version. Prints TAP lines."""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD") or ROOT / "build")

# worker/: who may include whom (a file of worker/ itself may include all).
ROOMS = {
    "base": {"base"},
    "secret": {"secret", "base"},
    "control": {"control", "secret", "base"},
    "source": {"source", "secret", "base"},
    "format": {"format", "base"},
    "sink": {"sink", "secret", "base"},
    "pipeline": {"pipeline", "source", "format", "sink", "control", "secret", "base"},
}
# Foreign headers and the only rooms that may see them.
FOREIGN = {"libpq-fe.h": {"control"}, "curl/": {"sink", "secret"}, "sybdb.h": {"source"}, "sybfront.h": {"source"}, "mariadb/": {"source"}}
BANNED = re.compile(r"\b(strcpy|strcat|strncat|sprintf|vsprintf|strtok|gets|atoi|atol|alloca|tmpnam|mktemp)\s*\(")
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
EXTENSION_LINES_MAX = 500
README_LINES_MAX = 200

failed = 0


def check(name, problems):
    global failed
    problems = list(problems)
    for problem in problems:
        print(f"# {problem}")
    failed += bool(problems)
    print(("not ok - " if problems else "ok - ") + name)


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            if "build" not in path.relative_to(ROOT).parts:
                yield path


def code(path):
    """The text without comments, lines kept."""
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), path.read_text(), flags=re.DOTALL)


def includes(path):
    for number, line in enumerate(code(path).splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(1) == '"', found.group(2)


def room_problems():
    for path in sources("worker"):
        parts = path.relative_to(ROOT / "worker").parts
        room = parts[0] if len(parts) > 1 else None
        for number, own, name in includes(path):
            where = f"{path.relative_to(ROOT)}:{number} includes {name}"
            if own and room:
                beside = (path.parent / name).exists() and not (ROOT / "worker" / name).exists()
                target = room if beside and ".." not in name else name.split("/")[0]
                if target not in ROOMS.get(room, {room}):
                    yield where
            if room:
                for prefix, rooms in FOREIGN.items():
                    if name.startswith(prefix) and room not in rooms:
                        yield where


def extension_problems():
    for path in sources("extension"):
        for number, own, name in includes(path):
            if ".." in name or name.startswith(("worker/", "base/")) or (ROOT / "worker" / name).exists() and own \
                    and not (ROOT / "extension" / name).exists():
                yield f"{path.relative_to(ROOT)}:{number} includes {name}"
    for path in sources("worker"):
        for number, own, name in includes(path):
            if "extension/" in name or name == "postgres.h":
                yield f"{path.relative_to(ROOT)}:{number} includes {name}"


def banned_problems():
    for path in sources("worker", "extension"):
        for number, line in enumerate(code(path).splitlines(), 1):
            found = BANNED.search(re.sub(r'"(\\.|[^"\\])*"', '""', line))
            if found:
                yield f"{path.relative_to(ROOT)}:{number} calls {found.group(1)}"


def file_problems():
    for path in sources("worker", "extension", "tests"):
        lines = path.read_text().count("\n")
        if lines > FILE_LINES_MAX:
            yield f"{path.relative_to(ROOT)} has {lines} lines, more than {FILE_LINES_MAX}"
    for path in sorted(ROOT.rglob("README.md")):
        lines = path.read_text().count("\n")
        if lines > README_LINES_MAX:
            yield f"{path.relative_to(ROOT)} has {lines} lines, more than {README_LINES_MAX}"


def function_problems():
    for path in sources("worker", "extension"):
        start = 0
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("{"):
                start = number
            elif line.startswith("}") and start:
                if number - start - 1 > FUNCTION_LINES_MAX:
                    yield f"{path.relative_to(ROOT)}:{start} has {number - start - 1} lines, more than {FUNCTION_LINES_MAX}"
                start = 0


def extension_size_problems():
    lines = sum(1 for path in sources("extension") for line in code(path).splitlines() if line.strip())
    if lines > EXTENSION_LINES_MAX:
        yield f"extension/ has {lines} lines of C, more than {EXTENSION_LINES_MAX}"


def version_problems():
    control = re.search(r"default_version = '(.*)'", (ROOT / "extension" / "sluice.control").read_text()).group(1)
    meta = json.loads((ROOT / "META.json").read_text())
    seen = {"META.json": meta["version"], "META.json provides": meta["provides"]["sluice"]["version"],
            "CHANGELOG.md": re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE).group(1)}
    sql = "".join(path.read_text() for path in sorted((ROOT / "sql").glob("*.sql")))
    found = re.search(r"FUNCTION sluice\.version\(\).*?SELECT '([^']+)'", sql, re.DOTALL)
    if found:
        seen["sluice.version()"] = found.group(1)
    worker = BUILD / "sluice-worker"
    if worker.exists():
        output = subprocess.run([worker, "--version"], capture_output=True, text=True, timeout=30).stdout
        seen["sluice-worker --version"] = output.split()[-1] if output.split() else "nothing"
    for name, version in seen.items():
        if version != control:
            yield f"{name} says {version}, sluice.control says {control}"


def leftover_problems():
    words = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|X" + "XX)\\b")
    for folder in ("worker", "extension", "sql", "tests", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".sql", ".py", ".md", ".sh") and "build" not in path.parts[:-1]:
                for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                    if words.search(line):
                        yield f"{path.relative_to(ROOT)}:{number} {line.strip()}"


check("a room of worker/ includes only the rooms it may know", room_problems())
check("extension/ and worker/ share no line", extension_problems())
check("no banned function is called", banned_problems())
check("a file holds one noun and a README is short", file_problems())
check("a function fits a screen", function_problems())
check("the extension stays small", extension_size_problems())
check("one version everywhere", version_problems())
check("nothing is left to be done later", leftover_problems())
sys.exit(1 if failed else 0)
