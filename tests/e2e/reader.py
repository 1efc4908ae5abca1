"""An independent reader of what sluice lands: it shares no code with sluice and reads only objects.

    landed = Landed(FolderStore("/data/lake"), source="erp")         # or BucketStore(client, "bucket", "prefix")
    problems = landed.problems()                                     # [] = the promises below hold
    rows = landed.fold("dbo.item", key=["id"])                       # {(1,): {"id": 1, ...}, ...}
    bag = landed.bag("dbo.weather")                                  # a table without key: Counter of rows

The promises that problems() looks at
- every object below the source's prefix has one of the known names; nothing temporary or half stands outside `_sluice/`;
- every row of every file (JSON lines, CSV, Parquet) parses, carries the five columns of sluice, and its epoch is the path's;
- no row stands twice per (key, sequence) or, where the sequence names one row, per sequence;
- within a change file and from one change file of a table to the next, sequences ascend;
- manifests name exactly the objects that are there, each once, with their rows and bytes.

How rows fold: of one key the highest `_sluice_seq` wins, D removes; a column named by `_sluice_unchanged` keeps the value of the
version before. Rows of epochs that `sluice.control` declares gone do not count. A table without key is a multiset of one epoch.

Millions of rows fit: files are read one after the other, as often as they are asked for, and no file's rows are kept; a fold keeps the
lines that still count. `landed.tell = f` has f(phase, rows of one more file) called as files are read.
"""
import array
import collections
import collections.abc
import json
import pathlib
import re

from decoding import decode, expand, rows

DATA_KEY = re.compile(
    r"^(?P<source>[^/]+)/(?P<table>[^/]+)/sluice_epoch=(?P<epoch>\d+)/sluice_kind=(?P<kind>load|cdc)/"
    r"sluice_day=(?P<day>\d{4}-\d\d-\d\d)/sluice_hour=(?P<hour>\d\d)/(?P<stem>[0-9a-f-]+)-(?P<number>\d{4,})\.((jsonl|csv)(\.zst|\.gz)?|parquet)$")
SCHEMA_KEY = re.compile(
    r"^(?P<source>[^/]+)/(?P<table>[^/]+)/sluice_epoch=(?P<epoch>\d+)/sluice_kind=schema/"
    r"sluice_day=\d{4}-\d\d-\d\d/sluice_hour=\d\d/schema-(?P<version>\d{8})\.[a-z0-9.]+$")
CONTROL_KEY = re.compile(r"^(?P<source>[^/]+)/sluice\.control/.+\.jsonl$")
MANIFEST_KEY = re.compile(r"^_sluice/(?P<source>[^/]+)/(?P<number>\d{12})\.json$")
EPOCH_KEY = re.compile(r"^_sluice/(?P<source>[^/]+)/(?P<table>[^/]+)/epoch-(?P<epoch>\d{8})\.json$")
INNER = "_sluice/"
SEQUENCE = re.compile(r"^[0-9a-f]{62}$")
SEQUENCE_BYTES = 31
WHOLE, PARTIAL, GONE = b"w", b"p", b"g"     # versions of a key: every value, some of the version before, none
MISSING = object()


class FolderStore:
    """A local folder. Hidden `.attempt` files belong to the objects beside them."""

    def __init__(self, path, prefix=""):
        self.root = pathlib.Path(path) / prefix
        self.prefix = prefix.rstrip("/") + "/" if prefix else ""

    def keys(self):
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*")
                      if p.is_file() and not (p.name.startswith(".") and p.name.endswith(".attempt")))

    def read(self, key):
        return (self.root / key).read_bytes()

    def __str__(self):
        return str(self.root)


class BucketStore:
    """A bucket; client is boto3's s3 client. Unfinished uploads are listed as keys that end in `#upload`."""

    def __init__(self, client, bucket, prefix=""):
        self.client = client
        self.bucket = bucket
        self.prefix = prefix.rstrip("/") + "/" if prefix else ""

    def keys(self):
        found = []
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            found += [entry["Key"][len(self.prefix):] for entry in page.get("Contents", ())]
        return sorted(found)

    def uploads(self):
        answer = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.prefix)
        return [entry["Key"][len(self.prefix):] for entry in answer.get("Uploads", ())]

    def read(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()

    def __str__(self):
        return f"s3://{self.bucket}/{self.prefix}"


Facts = collections.namedtuple("Facts", "bytes count first last problems")


class File:
    """One data file: where it stands. What it holds is read from the store at each use; only its Facts are kept."""

    def __init__(self, store, key, match):
        self.store = store
        self.key = key
        self.table = match["table"]
        self.epoch = int(match["epoch"])
        self.kind = match["kind"]
        self.stem = match["stem"]
        self.number = int(match["number"])
        self._facts = None

    def scan(self):
        """(line's bytes, row) of every sound line in turn; once it has ended the facts are known."""
        data = self.store.read(self.key)
        problems, count, first, last = [], 0, None, None
        for line, row in rows(self.key, data, problems):
            try:
                self._check(row, last)
            except (ValueError, KeyError, TypeError) as error:
                problems.append(f"{self.key} behind row {count}: {type(error).__name__} {error}")
                continue
            last = row["_sluice_seq"]
            first = first or last
            count += 1
            yield line, row
        if not count:
            problems.append(f"{self.key}: no rows")
        self._facts = Facts(len(data), count, first, last, problems)

    def _check(self, row, before):
        if row["_sluice_op"] not in ("R", "I", "U", "D"):
            raise ValueError(f"operation {row['_sluice_op']}")
        if not SEQUENCE.match(row["_sluice_seq"]):
            raise ValueError(f"sequence {row['_sluice_seq']}")
        if row["_sluice_epoch"] != self.epoch or int(row["_sluice_seq"][:8], 16) != self.epoch:
            raise ValueError(f"epoch {row['_sluice_epoch']} in a file of epoch {self.epoch}")
        row["_sluice_commit_ts"], row["_sluice_unchanged"]
        if self.kind == "load" and row["_sluice_op"] not in ("R", "D"):
            raise ValueError(f"{row['_sluice_op']} in a load file")
        if self.kind == "cdc" and before and row["_sluice_seq"] <= before:
            raise ValueError(f"sequence does not ascend: {before} then {row['_sluice_seq']}")

    @property
    def rows(self):
        return [row for _, row in self.scan()]

    @property
    def facts(self):
        if self._facts is None:
            collections.deque(self.scan(), maxlen=0)
        return self._facts

    @property
    def bytes(self):
        return self.facts.bytes


def freeze(row, without=()):
    """A row's values as something that can be counted; numbers keep their type."""
    return tuple(sorted((name, type(value).__name__, str(value)) for name, value in row.items()
                        if not name.startswith("_sluice_") and name not in without))


def identity(row, key):
    """What may land once: a row's (key, sequence), without key its sequence."""
    return (tuple(str(row.get(name)) for name in key), row["_sluice_seq"]) if key else row["_sluice_seq"]


def repeated(numbers):
    """The numbers that stand more than once."""
    ordered = sorted(numbers)
    return {one for one, next_one in zip(ordered, ordered[1:]) if one == next_one}


class Folded(collections.abc.Mapping):
    """{key values: row}, held as lines and decoded at each use.

    versions: {key values: version or list of versions in the order of sequences}; a version is its sequence's bytes, one of WHOLE,
    PARTIAL and GONE, and its line. Keys whose last version is GONE are left out; the dict is the mapping's own from then on.
    """

    def __init__(self, versions):
        gone = [values for values, held in versions.items()
                if (held[-1] if type(held) is list else held)[SEQUENCE_BYTES:SEQUENCE_BYTES + 1] == GONE]
        for values in gone:
            del versions[values]
        self._versions = versions

    @staticmethod
    def version(line, row):
        head = bytes.fromhex(row["_sluice_seq"])
        if row["_sluice_op"] == "D":
            return head + GONE
        return head + (PARTIAL if row["_sluice_unchanged"] else WHOLE) + line

    @staticmethod
    def later(held, version):
        """What must be held once version has come too, in whatever order they come: nothing older than what has every value."""
        versions = sorted([*(held if type(held) is list else [held]), version], key=lambda v: v[:SEQUENCE_BYTES])
        first = max((n for n, v in enumerate(versions) if v[SEQUENCE_BYTES:SEQUENCE_BYTES + 1] != PARTIAL), default=0)
        return versions[first:] if first < len(versions) - 1 else versions[first]

    def __getitem__(self, values):
        held = self._versions[values]
        state = None
        for version in held if type(held) is list else [held]:
            line = version[SEQUENCE_BYTES + 1:]
            state = self._follow(state, decode(line)) if line else None
        return state

    @staticmethod
    def _follow(state, row):
        new = {name: value for name, value in row.items() if not name.startswith("_sluice_")}
        for name in json.loads(row["_sluice_unchanged"] or "[]"):
            # Only a version before can tell it; without one the value is missing, which no source row equals.
            new[name] = state.get(name, MISSING) if state is not None else MISSING
        return new

    def __contains__(self, values):
        return values in self._versions

    def __iter__(self):
        return iter(self._versions)

    def __len__(self):
        return len(self._versions)

    def __repr__(self):
        return repr(dict(self))


class Landed:
    def __init__(self, store, source):
        self.store = store
        self.source = source
        self.tell = lambda phase, rows: None
        self.files = []
        self.control = []
        self.manifests = {}
        self.strange = []
        self.inner = []
        self.schemas = {}                       # key: (table, epoch, version)
        self._controls = {}
        for key in store.keys():
            self._take(key)
        self.files.sort(key=lambda f: (f.table, f.epoch, f.kind, f.stem, f.number))

    def _take(self, key):
        match = DATA_KEY.match(key)
        if match and match["source"] == self.source:
            self.files.append(File(self.store, key, match))
        elif (match := SCHEMA_KEY.match(key)) and match["source"] == self.source:
            self.schemas[key] = (match["table"], int(match["epoch"]), int(match["version"]))
        elif (match := CONTROL_KEY.match(key)) and match["source"] == self.source:
            rows = [json.loads(line) for line in self.store.read(key).decode().splitlines()]
            self._controls[key] = rows
            self.control += rows
        elif (match := MANIFEST_KEY.match(key)) and match["source"] == self.source:
            self.manifests[int(match["number"])] = json.loads(self.store.read(key))
        elif key.startswith(INNER):
            self.inner.append(key)
        elif key.split("/")[0] == self.source:
            self.strange.append(key)

    # ---- the promises ---------------------------------------------------------
    def problems(self, keys=None, at_rest=True, orphans=(), killed=False, purged=()):
        """keys: {table: [key column..]} lets duplicates be seen per key; at_rest: no work may be half way; orphans: object
        keys that the ledger knows to be nobody's; killed: a process was, so what it had not finished may stand in `_sluice/`
        (the doctor's upload too) and, on S3, an upload of an epoch that is gone."""
        found = [f"unknown object {key}" for key in self.strange]
        found += [f"{key}: a schema file with rows" for key in self.schemas if expand(key, self.store.read(key)).strip() and ".jsonl" in key]
        if at_rest and not killed:
            found += [f"temporary object {key}" for key in self.inner if key.startswith(INNER + "tmp/")]
        if at_rest and isinstance(self.store, BucketStore):
            found += [f"unfinished upload of {key}" for key in self.store.uploads() if not (killed and self._excused(key))]
        hashes = {table: array.array("q") for table in self.tables()}
        for file in self.files:
            key = (keys or {}).get(file.table)
            if key or file.kind == "cdc":
                hashes[file.table].extend(hash(identity(row, key)) for _, row in file.scan())
            found += file.facts.problems
            self.tell("check", file.facts.count)
        found += self._order_problems()
        for table in self.tables():
            found += self._twice_problems(table, (keys or {}).get(table), repeated(hashes.pop(table)))
        found += self._manifest_problems(set(orphans), set(purged)) if at_rest else []
        return found

    def _excused(self, key):
        """An upload whose batch nobody takes up again."""
        match = DATA_KEY.match(key)
        return key.startswith(INNER) or (match and int(match["epoch"]) < self.live_epoch(match["table"]))

    def tables(self):
        return sorted({file.table for file in self.files})

    def _order_problems(self):
        found = []
        last = {}
        for file in self.files:
            if file.kind != "cdc" or not file.facts.count:
                continue
            before = last.get((file.table, file.epoch))
            if before and file.facts.first <= before.facts.last:
                found.append(f"out of order: {file.key} begins before {before.key} ends")
            last[(file.table, file.epoch)] = file
        return found

    def _twice_problems(self, table, key, suspects):
        """suspects: the hashes that came more than once; only rows that have one are looked at whole."""
        seen = collections.Counter()
        for file in self.of(table) if suspects else ():
            if key or file.kind == "cdc":
                seen.update(what for _, row in file.scan() if hash(what := identity(row, key)) in suspects)
                self.tell("doubles", file.facts.count)
        return [f"{table}: {count} times {what}" for what, count in seen.items() if count > 1][:20]

    def _manifest_problems(self, orphans, purged):
        found = []
        named = {}
        for number, manifest in self.manifests.items():
            if manifest["commit"] != number:
                found.append(f"manifest {number} says commit {manifest['commit']}")
            for batch in manifest["batches"]:
                for file in batch["files"]:
                    if file["key"] in named:
                        found.append(f"{file['key']} is in manifests {named[file['key']][0]} and {number}")
                    named[file["key"]] = (number, file)
            if manifest.get("control"):
                if manifest["control"]["key"] not in self._prefixed(self._controls):
                    found.append(f"manifest {number}: control object {manifest['control']['key']} is missing")
        there = self._prefixed({file.key: file for file in self.files})
        found += [f"no manifest names {key}" for key in set(there) - set(named) - orphans]
        found += [f"manifest {named[key][0]} names {key}, which is not there" for key in set(named) - set(there) - purged]
        found += [f"{key} is purged and there" for key in set(there) & purged]
        for key in set(there) & set(named):
            facts, told = there[key].facts, named[key][1]
            if (told["rows"], told["bytes"]) != (facts.count, facts.bytes):
                found.append(f"{key}: {facts.count} rows, {facts.bytes} bytes; its manifest says {told['rows']}, {told['bytes']}")
            elif facts.count and not (facts.first.endswith(told["first"]) and facts.last.endswith(told["last"])):
                found.append(f"{key}: first or last position is not the manifest's")
        return found

    def _prefixed(self, by_key):
        """Manifests and ledger write keys with the target's prefix."""
        return {self.store.prefix + key: value for key, value in by_key.items()}

    def ledger_problems(self, told, orphans=()):
        """told: [(key, rows, bytes)] of the file view; must be the objects that are there, but for those known to be nobody's."""
        there = self._prefixed({file.key: (file.facts.count, file.facts.bytes) for file in self.files})
        schemas = {self.store.prefix + key for key in self.schemas}
        held = {key for key, rows, _ in told if "/sluice_kind=schema/" in key and rows == 0}
        found_schemas = [f"sluice.file lists {key}, which is not there" for key in held - schemas]
        told = {key: (rows, size) for key, rows, size in told if "/sluice.control/" not in key and key not in held}
        found = [f"sluice.file lacks {key}" for key in set(there) - set(told) - set(orphans)]
        found += [f"sluice.file lists {key}, which is not there" for key in set(told) - set(there)]
        found += [f"{key}: there {there[key]}, told {told[key]}" for key in set(there) & set(told) if there[key] != told[key]]
        return found + found_schemas

    # ---- folding --------------------------------------------------------------
    def of(self, table, epoch=None):
        return [file for file in self.files if file.table == table and (epoch is None or file.epoch == epoch)]

    def live_epoch(self, table):
        """The smallest epoch that still counts, from sluice.control."""
        gone = [int(row["epoch"]) for row in self.control
                if row["kind"] == "epochs_gone" and row["table"].split(".", 1)[1] == table]
        return max(gone, default=0)

    def fold(self, table, key):
        live = self.live_epoch(table)
        versions = {}
        for file in self.of(table):
            if file.epoch < live:
                continue
            for line, row in file.scan():
                values = tuple(row[name] for name in key)
                held = versions.get(values)
                new = Folded.version(line, row)
                versions[values] = new if held is None else Folded.later(held, new)
            self.tell("fold", file.facts.count)
        return Folded(versions)

    def bag(self, table):
        """Rows of a table without key: what was loaded and inserted less what was deleted, of the newest epoch."""
        epoch = max([self.live_epoch(table), *[file.epoch for file in self.of(table)]])
        counts = collections.Counter()
        for file in self.of(table, epoch):
            for _, row in file.scan():
                if row["_sluice_op"] == "U":
                    raise ValueError(f"{file.key}: an update in a table without key")
                counts[freeze(row)] += -1 if row["_sluice_op"] == "D" else 1
        return +counts if min(counts.values(), default=0) >= 0 else counts
