"""Spark, which nobody here wrote, reads every column of what the formats write."""
import datetime
import decimal
import itertools
import math
import pathlib
import sys

import rowcases
import rowfile
from spark import rows_scanned

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "unit"))
import parquet_index  # noqa: E402
import property_text  # noqa: E402

DAY_ZERO = 719_163      # proleptic ordinal of 1970-01-01
SPARK = {"boolean": "boolean", "int16": "smallint", "int32": "int", "int64": "bigint", "uint64": "decimal(20,0)", "float64": "double", "date": "date",
         "string": "string"}
numbers = itertools.count(1)


def equal(found, wanted):
    if isinstance(wanted, float) and math.isnan(wanted):
        return isinstance(found, float) and math.isnan(found)
    return type(found) is type(wanted) and found == wanted and (not isinstance(wanted, float) or math.copysign(1, found) == math.copysign(1, wanted))


def plain(field, found):
    """What Spark gives, as rowfile.py says it."""
    if isinstance(found, decimal.Decimal):
        return int(decimal.Context(prec=60).scaleb(found, field.scale))
    if field.type == "date" and found is not None:
        return found.toordinal() - DAY_ZERO
    if isinstance(found, datetime.datetime):
        return (found - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1) * 10
    if isinstance(found, str) and field.type != "string":
        return property_text.decode(field, found)
    return found.encode() if isinstance(found, str) else bytes(found) if isinstance(found, bytearray) else found


def test_json_lines_read_back_equal_in_spark(spark, workdir):
    for seed in (101, 102):
        rng = rowcases.random.Random(seed)
        fields = [rowfile.Field(f"c_{kind}", kind) for kind in SPARK]
        fields += [rowfile.Field(f"c_dec{p}_{s}", "decimal", precision=p, scale=s) for p, s in ((5, 5), (18, 2), (38, 10), (38, 0))]
        rows = rowcases.random_rows(rng, fields, 500)
        path = workdir / f"spark{next(numbers)}.json.gz"
        rowfile.land(path, {"format": "jsonl", "compression": "gzip"}, fields, rows)
        schema = ", ".join(f"{f.name} {SPARK.get(f.type) or f'decimal({f.precision},{f.scale})'}" for f in fields)
        read = spark.read.schema(schema).json(str(path)).collect()
        assert len(read) == len(rows)
        for i, field in enumerate(fields):
            bad = [(r[i], w.values[i]) for r, w in zip(read, rows) if not equal(plain(field, r[i]), w.values[i])]
            assert not bad, f"seed {seed}, {field}: {len(bad)} differ, first {bad[0]}"


def test_csv_keeps_null_and_empty_apart_in_spark(spark, workdir):
    rng = rowcases.random.Random(103)
    fields = [rowfile.Field("id", "int64", nullable=False), rowfile.Field("text", "string"), rowfile.Field("few", "string"),
              rowfile.Field("amount", "decimal", precision=38, scale=10), rowfile.Field("day", "date")]
    texts = [t.encode() for t in rowcases.TEXTS] + [None]
    rows = [rowfile.Row("R", [n, rng.choice(texts), rng.choice((b"", b"x", None)), rowcases.value(rng, fields[3], "extreme", n),
                              rowcases.value(rng, fields[4], "extreme", n)]) for n in range(300)]
    path = workdir / "spark.csv"
    rowfile.land(path, {"format": "csv", "compression": "none"}, fields, rows)
    schema = ("id bigint, text string, few string, amount decimal(38,10), day date, _sluice_op string, _sluice_seq string, _sluice_commit_ts string,"
              "_sluice_epoch bigint, _sluice_unchanged string, _sluice_hash bigint")
    read = spark.read.schema(schema).csv(str(path), header=True, multiLine=True, escape='"', nullValue="\ue000null", mode="FAILFAST").collect()
    assert [r[5] for r in read] == ["R"] * len(rows)
    for i, field in enumerate(fields):
        bad = [(r[i], w.values[i]) for r, w in zip(read, rows) if not equal(plain(field, r[i]), w.values[i])]
        assert not bad, f"{field}: {len(bad)} differ, first {bad[0]}"


def test_parquet_reads_back_equal_in_spark(spark, workdir):
    for seed, compression in ((104, "zstd"), (105, "snappy"), (106, "gzip")):
        rng, fields, rows = rowcases.random_case(seed, rows=1500, columns=20)
        path = workdir / f"spark{next(numbers)}.parquet"
        rowfile.land(path, {"format": "parquet", "compression": compression, "options": {"row_group_bytes": 32768}}, fields, rows)
        read = spark.read.parquet(str(path)).collect()
        assert len(read) == len(rows) and list(read[0].__fields__)[:len(fields)] == [f.name for f in fields]
        for i, field in enumerate(fields):
            wanted = [None if r.values[i] is rowfile.UNCHANGED else r.values[i] for r in rows]
            bad = [(r[i], w) for r, w in zip(read, wanted) if not equal(plain(field, r[i]), w)]
            assert not bad, f"seed {seed}, {field}: {len(bad)} differ, first {bad[0]}"


def test_spark_skips_what_statistics_page_index_and_bloom_filter_exclude(spark, workdir):
    """A filter at the end of sorted rows: far fewer rows leave the scan than the file has, and none that it asks for is missing.
    (Spark 4.3 uses no statistics for a timestamp without zone: _sluice_commit_ts is an instant.)"""
    fields = [rowfile.Field("id", "int64", nullable=False), rowfile.Field("price", "decimal", precision=30, scale=2), rowfile.Field("day", "date"),
              rowfile.Field("code", "string"), rowfile.Field("token", "string")]
    count, wanted = 40_000, 39_000
    rows = [rowfile.Row("R", [n, n * 10 ** 15, n // 10, f"{n:08}".encode(), b"%016x" % (n * 0x9E3779B97F4A7C15 % (1 << 64))], n * 1_000_000) for n in range(count)]
    path = workdir / "pruned.parquet"
    rowfile.land(path, {"format": "parquet", "compression": "zstd", "options": {"row_group_bytes": 65536, "bloom_columns": ["token"]}}, fields, rows)
    frame = spark.read.parquet(str(path))
    for condition in (f"id >= {wanted}", f"price >= {wanted * 10 ** 13}", f"day >= date_add(DATE'1970-01-01', {wanted // 10})",
                      f"_sluice_commit_ts >= timestamp_seconds({wanted})", f"code >= '{wanted:08}'"):
        found, scanned = rows_scanned(frame.filter(condition).select("id"))
        assert [r.id for r in found] == list(range(wanted, count)), condition
        assert scanned < count / 5, f"{condition}: {scanned} rows left the scan"
    token = rows[777].values[4].decode()
    found, scanned = rows_scanned(frame.filter(f"token = '{token}'").select("id"))
    assert [r.id for r in found] == [777] and scanned < count / 5, f"bloom filter: {scanned} rows left the scan"


def test_spark_skips_pages_by_the_page_index(spark, workdir):
    """Within one row group: the statistics of the chunk exclude nothing here."""
    fields = [rowfile.Field("id", "int64", nullable=False), rowfile.Field("code", "string")]
    count, wanted = 100_000, 95_000
    rows = [rowfile.Row("R", [n, f"{n:08}".encode()]) for n in range(count)]
    path = workdir / "pages.parquet"
    rowfile.land(path, {"format": "parquet", "compression": "zstd", "options": {"row_group_bytes": 4 << 20}}, fields, rows)
    assert len(parquet_index.read(path).groups) == 1
    for condition in (f"id >= {wanted}", f"code >= '{wanted:08}'"):
        found, scanned = rows_scanned(spark.read.parquet(str(path)).filter(condition).select("id"))
        assert [r.id for r in found] == list(range(wanted, count)) and scanned < count / 2, f"{condition}: {scanned} rows left the scan"
