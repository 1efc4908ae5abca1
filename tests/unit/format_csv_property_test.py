"""CSV is read back equal, NULL and the empty string apart, by a reader written from RFC 4180, by DuckDB and by pyarrow. Prints TAP lines."""
import gzip

import duckdb
import property
import property_text
import pyarrow.csv
import rowcases
import rowfile
import zstandard
from property import EPOCH, INCARNATION

MANY = 10 if property.ALL else 1
ADDED = ("_sluice_op", "_sluice_seq", "_sluice_commit_ts", "_sluice_epoch", "_sluice_unchanged", "_sluice_hash")
OPEN = {"none": open, "gzip": gzip.open, "zstd": zstandard.open}
COMMIT = rowfile.Field("_sluice_commit_ts", "timestamptz", precision=6)


def land(seed, folder, compression, case=None, **options):
    rng, fields, rows = case or rowcases.random_case(seed)
    path = folder / "out.csv"
    spec = {"format": "csv", "compression": compression, "profile": "sluice", "epoch": EPOCH, "incarnation": INCARNATION, "options": options}
    landed = rowfile.land(path, spec, fields, list(property.with_images(rows)) if seed % 4 == 0 else rows, property.driver(seed), **property.sizes(rng))
    assert landed.bytes == path.stat().st_size
    return path, fields, rows


def parse(text):
    """RFC 4180 with LF: records of fields; None where nothing stands between two commas, unlike \"\"."""
    record, at = [], 0
    while at < len(text):
        if text[at] == '"':
            parts = []
            while True:
                end = text.index('"', at + 1)
                parts.append(text[at + 1:end])
                at = end + 1
                if text[at] != '"':
                    break
            record.append('"'.join(parts))
        else:
            end = min(i for i in (text.find(",", at), text.find("\n", at)) if i >= 0)
            assert '"' not in text[at:end], "a quote in a field without quotes"
            record.append(text[at:end] or None)
            at = end
        assert text[at] in ",\n", f"{text[at]!r} behind a field"
        if text[at] == "\n":
            yield record
            record = []
        elif text[at + 1] == "\n":
            record.append(None)
            at += 1
            yield record
            record = []
        at += 1
    assert not record, "the last line ends"


def decode(field, found):
    if found is None:
        return None
    if field.type in ("timestamp", "timestamptz"):
        assert found[10] == " ", found
        found = found.replace(" ", "T", 1)
    return property_text.decode(field, found)


def compare(fields, rows, records, reader):
    """records: of texts and None, in the order of the columns."""
    if len(records) != len(rows):
        return [f"{reader}: {len(records)} rows, wanted {len(rows)}"]
    problems = [p for i, f in enumerate(fields) for p in property.differences(f, [decode(f, r[i]) for r in records], [r.values[i] for r in rows], reader)]
    for row, record in zip(rows, records):
        op, seq, commit, epoch, unchanged, _ = record[len(fields):]
        commit = decode(COMMIT, commit)
        told = (op, seq, commit and commit[0] // 10, int(epoch), property.unchanged(unchanged))
        if told != property.added(fields, row) or commit and commit[1]:
            problems.append(f"{reader}: added columns: found {told}, wanted {property.added(fields, row)}")
    return problems


# ---- the promises ---------------------------------------------------------------
def every_value(seed, folder):
    compression = ("none", "gzip", "zstd")[seed % 3]
    path, fields, rows = land(seed, folder, compression)
    with OPEN[compression](path, "rb") as file:
        records = list(parse(file.read().decode()))
    names = [f.name for f in fields] + list(ADDED)
    return compare(fields, rows, records[1:], "RFC 4180") + ([] if records[0] == names else [f"header {records[0]}, wanted {names}"])


def huge_text(seed, folder):
    rng = rowcases.random.Random(seed)
    fields = [rowfile.Field("id", "int32", nullable=False), rowfile.Field("text", "string"), rowfile.Field("bytes", "binary")]
    texts = [b"", 'é𝄞"\\\n,'.encode() * 120_000, b"x" * (1 << 20), None, b'"' * (1 << 20)]
    rows = [rowfile.Row("I", [n, t, rng.randbytes(1 << 20) if n % 3 == 0 else b""]) for n, t in enumerate(texts)]
    path, fields, rows = land(seed, folder, "none", (rng, fields, rows), csv_header=False)
    return compare(fields, rows, list(parse(path.read_bytes().decode())), "RFC 4180")


def refusals(seed, folder):
    """What the format cannot hold is an error that names column and position, never another value."""
    text = rowfile.Field("note", "string")
    number = rowfile.Field("id", "int32", nullable=False)
    problems = []
    for bad in (b"ab\xed\xa0\x80", b"ab\xed\xbf\xbfc", b"ab\xff", b"ab\xc0\x80", b"ab\xf4\x90\x80\x80"):
        try:
            land(seed, folder, "none", (rowcases.random.Random(1), [number, text], [rowfile.Row("I", [1, bad])]))
            problems.append(f"{bad} was taken")
        except rowfile.Refused as no:
            if no.kind != "permanent" or "note" not in no.message or "3" not in no.message:
                problems.append(f"{bad}: {no}")
    return problems


def duckdb_reads(seed, folder):
    path, fields, rows = land(seed, folder, "none", rowcases.random_case(seed, columns=16))
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        records = db.execute("SELECT * FROM read_csv($1, header = true, all_varchar = true, nullstr = '', allow_quoted_nulls = false, delim = ',', quote = '\"',"
                             " escape = '\"', auto_detect = false, columns = $2, max_line_size = 10000000)",
                             [str(path), dict.fromkeys([f.name for f in fields] + list(ADDED), "VARCHAR")]).fetchall()
    return compare(fields, rows, records, "DuckDB")


def pyarrow_reads(seed, folder):
    path, fields, rows = land(seed, folder, "none", rowcases.random_case(seed, columns=16))
    names = [f.name for f in fields] + list(ADDED)
    made = pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 24), pyarrow.csv.ParseOptions(newlines_in_values=True),
                                pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), null_values=[""], strings_can_be_null=True,
                                                           quoted_strings_can_be_null=False))
    return compare(fields, rows, list(zip(*[made.column(i).to_pylist() for i in range(len(names))])), "pyarrow")


if __name__ == "__main__":
    property.run({
        "csv: every value of every type comes back equal, NULL and empty apart": (every_value, range(1, 1 + 20 * MANY)),
        "csv: values of 1 MB come back equal": (huge_text, range(1, 2)),
        "csv: text that UTF-8 cannot hold is refused by column and position": (refusals, range(1, 2)),
        "csv: DuckDB's read_csv gives the same values": (duckdb_reads, range(1, 1 + 4 * MANY)),
        "csv: pyarrow's reader gives the same values": (pyarrow_reads, range(1, 1 + 4 * MANY)),
    })
