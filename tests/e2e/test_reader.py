"""The judge is judged: a landed folder made by hand is read right, and each promise broken in it is seen."""
import json

import pytest
import zstandard

from reader import FolderStore, Landed, MISSING

PATH = "lake/erp/dbo.item/sluice_epoch={epoch}/sluice_kind={kind}/sluice_day=2026-11-20/sluice_hour=09/{name}"


def sequence(epoch, lsn, rest=0, operation=2):
    return f"{epoch:08x}0001{lsn:020x}{0:08x}{rest:020x}{operation:02x}"


def row(op, seq, id, unchanged=None, **values):
    return {"id": id, "name": None, **values, "_sluice_op": op, "_sluice_seq": seq, "_sluice_commit_ts": None,
            "_sluice_epoch": int(seq[:8], 16), "_sluice_unchanged": json.dumps(unchanged) if unchanged else None, "_sluice_hash": None}


class Lake:
    def __init__(self, folder):
        self.folder = folder
        self.commit = 0

    def put(self, kind, name, rows, epoch=1, cut=0, manifest=True):
        text = "".join(json.dumps(r) + "\n" for r in rows).encode()
        data = zstandard.ZstdCompressor().compress(text) if name.endswith(".zst") else text
        key = PATH.format(epoch=epoch, kind=kind, name=name)
        self.write(key, data[:len(data) - cut])
        if manifest:
            self.commit += 1
            file = {"key": key, "rows": len(rows), "bytes": len(data) - cut, "first": rows[0]["_sluice_seq"][12:],
                    "last": rows[-1]["_sluice_seq"][12:]}
            self.write(f"lake/_sluice/erp/{self.commit:012}.json",
                       json.dumps({"commit": self.commit, "batches": [{"files": [file]}], "control": None}).encode())
        return key

    def write(self, key, data):
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def landed(self):
        return Landed(FolderStore(self.folder, "lake"), "erp")


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path)
    made.put("load", "0000000000001-00000000-0000.jsonl.zst", [row("R", sequence(1, 5), n, name=f"n{n}") for n in range(4)])
    made.put("cdc", "0001" + "5" * 20 + "-0000.jsonl", [row("U", sequence(1, 6), 1, name="one"), row("D", sequence(1, 7), 2)])
    made.put("cdc", "0001" + "7" * 20 + "-0000.jsonl", [row("U", sequence(1, 8), 3, unchanged=["name"])])
    return made


def problems(lake):
    return lake.landed().problems({"dbo.item": ["id"]})


def test_sound_folder_has_no_problems_and_folds(lake):
    assert problems(lake) == []
    assert lake.landed().fold("dbo.item", ["id"]) == {
        (0,): {"id": 0, "name": "n0"}, (1,): {"id": 1, "name": "one"}, (3,): {"id": 3, "name": "n3"}}


def test_unchanged_value_without_a_version_before_is_not_invented(lake):
    lake.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("U", sequence(1, 9), 9, unchanged=["name"])])
    assert lake.landed().fold("dbo.item", ["id"])[(9,)]["name"] is MISSING


def test_rows_of_gone_epochs_do_not_count(lake):
    lake.put("load", "0000000000002-00000000-0000.jsonl", [row("R", sequence(2, 9), 7)], epoch=2)
    assert len(lake.landed().fold("dbo.item", ["id"])) == 4
    lake.write("lake/erp/sluice.control/000000000004.jsonl", json.dumps(
        {"table": "erp.dbo.item", "epoch": 2, "kind": "epochs_gone", "position": "a", "commit_ts": None}).encode() + b"\n")
    assert list(lake.landed().fold("dbo.item", ["id"])) == [(7,)]


def test_bag_counts_rows_without_key(lake):
    lake.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("I", sequence(2, 9, n), 7) for n in (1, 2)] + [row("D", sequence(2, 10), 7)], epoch=2)
    assert sum(lake.landed().bag("dbo.item").values()) == 1


@pytest.mark.parametrize("break_it, word", [
    (lambda l: l.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("U", sequence(1, 8), 3)]), "out of order"),
    (lambda l: l.put("load", "0000000000001-00000001-0000.jsonl", [row("R", sequence(1, 5), 0)]), "2 times"),
    (lambda l: l.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("I", sequence(1, 9), 5)], manifest=False), "no manifest"),
    (lambda l: l.put("cdc", "0001" + "8" * 20 + "-0000.jsonl.zst", [row("I", sequence(1, 9), 5)], cut=3), "cut short"),
    (lambda l: l.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("I", sequence(1, 9), 5)], cut=1), "no end"),
    (lambda l: l.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("I", sequence(2, 9), 5)]), "epoch"),
    (lambda l: l.write("lake/erp/dbo.item/x.tmp", b""), "unknown object"),
    (lambda l: l.write("lake/_sluice/tmp/x", b""), "temporary"),
    (lambda l: l.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("I", sequence(1, 11), 5), row("I", sequence(1, 10), 6)]), "ascend"),
])
def test_each_broken_promise_is_seen(lake, break_it, word):
    break_it(lake)
    assert any(word in problem for problem in problems(lake)), problems(lake)


def test_missing_object_is_seen(lake):
    key = lake.put("cdc", "0001" + "8" * 20 + "-0000.jsonl", [row("I", sequence(1, 9), 5)])
    (lake.folder / key).unlink()
    assert any("is not there" in problem for problem in problems(lake))


def test_file_view_must_list_exactly_the_objects(lake):
    landed = lake.landed()
    told = [("lake/" + f.key, len(f.rows), f.bytes) for f in landed.files]
    assert landed.ledger_problems(told) == []
    assert landed.ledger_problems(told[1:]) and landed.ledger_problems(told + [("lake/x", 1, 1)])
