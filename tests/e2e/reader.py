"""An independent reader of what sluice lands: it shares no code with sluice and reads only objects.

    landed = Landed(FolderStore("/data/lake"), source="erp")         # or BucketStore(client, "bucket", "prefix")
    problems = landed.problems()                                     # [] = the promises below hold
    rows = landed.fold("dbo.item", key=["id"])                       # {(1,): {"id": 1, ...}, ...}
    bag = landed.bag("dbo.weather")                                  # a table without key: Counter of rows

The promises that problems() looks at
- every object below the source's prefix has one of the known names; nothing temporary or half stands outside `_sluice/`;
- every line of every file parses, carries the five columns of sluice, and its epoch is the path's;
- no row stands twice per (key, sequence) or, where the sequence names one row, per sequence;
- within a change file and from one change file of a table to the next, sequences ascend;
- manifests name exactly the objects that are there, each once, with their rows and bytes.

How rows fold: of one key the highest `_sluice_seq` wins, D removes; a column named by `_sluice_unchanged` keeps the value of the
version before. Rows of epochs that `sluice.control` declares gone do not count. A table without key is a multiset of one epoch.
"""
import collections
import decimal
import gzip
import json
import pathlib
import re

import zstandard

DATA_KEY = re.compile(
    r"^(?P<source>[^/]+)/(?P<table>[^/]+)/sluice_epoch=(?P<epoch>\d+)/sluice_kind=(?P<kind>load|cdc)/"
    r"sluice_day=(?P<day>\d{4}-\d\d-\d\d)/sluice_hour=(?P<hour>\d\d)/(?P<stem>[0-9a-f-]+)-(?P<number>\d{4,})\.jsonl(\.zst|\.gz)?$")
CONTROL_KEY = re.compile(r"^(?P<source>[^/]+)/sluice\.control/.+\.jsonl$")
MANIFEST_KEY = re.compile(r"^_sluice/(?P<source>[^/]+)/(?P<number>\d{12})\.json$")
EPOCH_KEY = re.compile(r"^_sluice/(?P<source>[^/]+)/(?P<table>[^/]+)/epoch-(?P<epoch>\d{8})\.json$")
INNER = "_sluice/"
SEQUENCE = re.compile(r"^[0-9a-f]{62}$")
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


def expand(key, data):
    """The text of an object; raises where a compressed one does not end."""
    if key.endswith(".zst"):
        reader = zstandard.ZstdDecompressor().decompressobj(read_across_frames=False)
        text = reader.decompress(data)
        if not reader.eof or reader.unused_data:
            raise ValueError("the zstd frame is cut short or followed by something")
        return text
    return gzip.decompress(data) if key.endswith(".gz") else data


class File:
    """One data file: where it stands and what it holds."""

    def __init__(self, key, match, data):
        self.key = key
        self.table = match["table"]
        self.epoch = int(match["epoch"])
        self.kind = match["kind"]
        self.stem = match["stem"]
        self.number = int(match["number"])
        self.bytes = len(data)
        self.rows = []
        self.problems = []
        self._parse(data)

    def _parse(self, data):
        try:
            text = expand(self.key, data).decode("utf-8", errors="surrogatepass")
        except (ValueError, OSError, EOFError, zstandard.ZstdError) as error:
            self.problems.append(f"{self.key}: {error}")
            return
        if text and not text.endswith("\n"):
            self.problems.append(f"{self.key}: the last line has no end")
        for n, line in enumerate(text.split("\n")[:-1], 1):
            try:
                row = json.loads(line, parse_float=decimal.Decimal, object_pairs_hook=distinct)
                self._check(row, n)
                self.rows.append(row)
            except (ValueError, KeyError, TypeError) as error:
                self.problems.append(f"{self.key} line {n}: {type(error).__name__} {error}")
        if not self.rows:
            self.problems.append(f"{self.key}: no rows")

    def _check(self, row, n):
        if row["_sluice_op"] not in ("R", "I", "U", "D"):
            raise ValueError(f"operation {row['_sluice_op']}")
        if not SEQUENCE.match(row["_sluice_seq"]):
            raise ValueError(f"sequence {row['_sluice_seq']}")
        if row["_sluice_epoch"] != self.epoch or int(row["_sluice_seq"][:8], 16) != self.epoch:
            raise ValueError(f"epoch {row['_sluice_epoch']} in a file of epoch {self.epoch}")
        row["_sluice_commit_ts"], row["_sluice_unchanged"]
        if self.kind == "load" and row["_sluice_op"] not in ("R", "D"):
            raise ValueError(f"{row['_sluice_op']} in a load file")
        if self.kind == "cdc" and self.rows and row["_sluice_seq"] <= self.rows[-1]["_sluice_seq"]:
            raise ValueError(f"sequence does not ascend: {self.rows[-1]['_sluice_seq']} then {row['_sluice_seq']}")


def distinct(pairs):
    """A JSON object whose names are all different."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one row")
    return found


def freeze(row, without=()):
    """A row's values as something that can be counted; numbers keep their type."""
    return tuple(sorted((name, type(value).__name__, str(value)) for name, value in row.items()
                        if not name.startswith("_sluice_") and name not in without))


class Landed:
    def __init__(self, store, source):
        self.store = store
        self.source = source
        self.files = []
        self.control = []
        self.manifests = {}
        self.strange = []
        self.inner = []
        self._controls = {}
        for key in store.keys():
            self._take(key)
        self.files.sort(key=lambda f: (f.table, f.epoch, f.kind, f.stem, f.number))

    def _take(self, key):
        match = DATA_KEY.match(key)
        if match and match["source"] == self.source:
            self.files.append(File(key, match, self.store.read(key)))
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
    def problems(self, keys=None, at_rest=True, orphans=(), killed=False):
        """keys: {table: [key column..]} lets duplicates be seen per key; at_rest: no work may be half way; orphans: object
        keys that the ledger knows to be nobody's; killed: a process was, so what it had not finished may stand in `_sluice/`."""
        found = [f"unknown object {key}" for key in self.strange]
        if at_rest and not killed:
            found += [f"temporary object {key}" for key in self.inner if key.startswith(INNER + "tmp/")]
            if isinstance(self.store, BucketStore):
                found += [f"unfinished upload of {key}" for key in self.store.uploads()]
        for file in self.files:
            found += file.problems
        found += self._order_problems()
        for table in self.tables():
            found += self._twice_problems(table, (keys or {}).get(table))
        found += self._manifest_problems(set(orphans)) if at_rest else []
        return found

    def tables(self):
        return sorted({file.table for file in self.files})

    def _order_problems(self):
        found = []
        last = {}
        for file in self.files:
            if file.kind != "cdc" or not file.rows:
                continue
            before = last.get((file.table, file.epoch))
            if before and file.rows[0]["_sluice_seq"] <= before.rows[-1]["_sluice_seq"]:
                found.append(f"out of order: {file.key} begins before {before.key} ends")
            last[(file.table, file.epoch)] = file
        return found

    def _twice_problems(self, table, key):
        seen = collections.Counter()
        for file in self.of(table):
            for row in file.rows:
                if key:
                    seen[(tuple(str(row.get(name)) for name in key), row["_sluice_seq"])] += 1
                elif file.kind == "cdc":
                    seen[row["_sluice_seq"]] += 1
        return [f"{table}: {count} times {what}" for what, count in seen.items() if count > 1][:20]

    def _manifest_problems(self, orphans):
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
        found += [f"manifest {named[key][0]} names {key}, which is not there" for key in set(named) - set(there)]
        for key in set(there) & set(named):
            file, told = there[key], named[key][1]
            if (told["rows"], told["bytes"]) != (len(file.rows), file.bytes):
                found.append(f"{key}: {len(file.rows)} rows, {file.bytes} bytes; its manifest says {told['rows']}, {told['bytes']}")
            elif file.rows and not (file.rows[0]["_sluice_seq"].endswith(told["first"]) and file.rows[-1]["_sluice_seq"].endswith(told["last"])):
                found.append(f"{key}: first or last position is not the manifest's")
        return found

    def _prefixed(self, by_key):
        """Manifests and ledger write keys with the target's prefix."""
        return {self.store.prefix + key: value for key, value in by_key.items()}

    def ledger_problems(self, told):
        """told: [(key, rows, bytes)] of the file view; must be the objects that are there."""
        there = self._prefixed({file.key: (len(file.rows), file.bytes) for file in self.files})
        told = {key: (rows, size) for key, rows, size in told if "/sluice.control/" not in key}
        found = [f"sluice.file lacks {key}" for key in set(there) - set(told)]
        found += [f"sluice.file lists {key}, which is not there" for key in set(told) - set(there)]
        found += [f"{key}: there {there[key]}, told {told[key]}" for key in set(there) & set(told) if there[key] != told[key]]
        return found

    # ---- folding --------------------------------------------------------------
    def of(self, table, epoch=None):
        return [file for file in self.files if file.table == table and (epoch is None or file.epoch == epoch)]

    def live_epoch(self, table):
        """The smallest epoch that still counts, from sluice.control."""
        gone = [int(row["epoch"]) for row in self.control
                if row["kind"] == "epochs_gone" and row["table"].split(".", 1)[1] == table]
        return max(gone, default=0)

    def history(self, table, key):
        """{key values: [row..]} in the order of sequences, live epochs only."""
        live = self.live_epoch(table)
        found = collections.defaultdict(list)
        for file in self.of(table):
            if file.epoch >= live:
                for row in file.rows:
                    found[tuple(row[name] for name in key)].append(row)
        for rows in found.values():
            rows.sort(key=lambda row: row["_sluice_seq"])
        return found

    def fold(self, table, key):
        folded = {}
        for values, rows in self.history(table, key).items():
            row = self._fold_one(rows)
            if row is not None:
                folded[values] = row
        return folded

    @staticmethod
    def _fold_one(rows):
        state = None
        for row in rows:
            if row["_sluice_op"] == "D":
                state = None
                continue
            new = {name: value for name, value in row.items() if not name.startswith("_sluice_")}
            for name in json.loads(row["_sluice_unchanged"] or "[]"):
                # Only a version before can tell it; without one the value is missing, which no source row equals.
                new[name] = state.get(name, MISSING) if state is not None else MISSING
            state = new
        return state

    def bag(self, table):
        """Rows of a table without key: what was loaded and inserted less what was deleted, of the newest epoch."""
        epoch = max([self.live_epoch(table), *[file.epoch for file in self.of(table)]])
        counts = collections.Counter()
        for file in self.of(table, epoch):
            for row in file.rows:
                if row["_sluice_op"] == "U":
                    raise ValueError(f"{file.key}: an update in a table without key")
                counts[freeze(row)] += -1 if row["_sluice_op"] == "D" else 1
        return +counts if min(counts.values(), default=0) >= 0 else counts
