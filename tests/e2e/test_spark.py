"""Spark, which nobody here wrote, reads every column of what the formats write."""
import decimal
import itertools
import math

import rowcases
import rowfile

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
    return found.encode() if isinstance(found, str) else found


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
