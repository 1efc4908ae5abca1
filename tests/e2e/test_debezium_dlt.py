"""A lakehouse built for Debezium's topics goes on with our files: the notebook of the Delta Live Tables CDC example (bronze by Auto Loader, a clean
view with expectations, APPLY CHANGES), its steps as open Spark has them, the envelope read by from_json, over files of profile debezium."""
import pytest

COLUMNS = "id, firstname, lastname, email, address"
ROW = "STRUCT<id: INT, firstname: STRING, lastname: STRING, email: STRING, address: STRING>"
ENVELOPE = (f"before {ROW}, after {ROW}, op STRING, ts_ms BIGINT, "
            "source STRUCT<table: STRING, snapshot: STRING, ts_ms: BIGINT, commit_lsn: STRING, change_lsn: STRING, event_serial_no: BIGINT>")


def customer_bronze(spark, path, checkpoint):
    """Messages as they come: a stream over the table's folder that ends when it has read what is there."""
    query = spark.readStream.text(str(path)).writeStream.format("parquet").option("checkpointLocation", str(checkpoint / "state")).option(
        "path", str(checkpoint / "bronze")).trigger(availableNow=True).start()
    assert query.awaitTermination(120), "the stream ends"
    return spark.read.parquet(str(checkpoint / "bronze"))


def customer_bronze_clean(bronze):
    """The view between bronze and silver, with its expectations: nothing is dropped for want of a key or an operation."""
    from pyspark.sql import functions as f
    events = bronze.select(f.from_json("value", ENVELOPE).alias("event")).select("event.*")
    row = f.coalesce("after", "before")
    clean = events.select(*[row[column].alias(column) for column in COLUMNS.split(", ")],
                          f.when(f.col("op") == "d", "DELETE").otherwise("UPSERT").alias("operation"),
                          f.struct("source.commit_lsn", "source.change_lsn", "source.event_serial_no").alias("operation_order"))
    kept = clean.filter("id IS NOT NULL AND operation IS NOT NULL AND operation_order.commit_lsn IS NOT NULL")
    assert kept.count() == bronze.count()
    return kept


def apply_changes(clean):
    """dlt.apply_changes(keys = ["id"], sequence_by = ..., apply_as_deletes = "operation = 'DELETE'")"""
    from pyspark.sql import Window
    from pyspark.sql import functions as f
    newest = clean.withColumn("n", f.row_number().over(Window.partitionBy("id").orderBy(f.col("operation_order").desc())))
    return newest.filter("n = 1 AND operation <> 'DELETE'").select(*COLUMNS.split(", "))


@pytest.fixture
def customers(stack):
    stack.tsql("CREATE TABLE dbo.customers (id int NOT NULL PRIMARY KEY, firstname nvarchar(40), lastname nvarchar(40), email varchar(80), address nvarchar(200))")
    stack.enable_cdc("dbo.customers")
    stack.tsql("INSERT INTO dbo.customers VALUES " + ", ".join(f"({n}, N'first {n}', N'lást {n}', 'c{n}@example.org', NULL)" for n in range(200)))
    stack.register()
    stack.add_table("dbo.customers", profile="debezium", compression="gzip")
    stack.start()
    stack.wait_state("dbo.customers")
    return stack


def test_a_dlt_pipeline_on_debezium_events_keeps_silver_equal_to_the_source(customers, spark, workdir):
    stack = customers
    path = stack.target_folder / stack.prefix / stack.name / "dbo.customers"
    for change in ("SELECT 1",
                   "UPDATE dbo.customers SET address = N'Straße ' + firstname WHERE id % 3 = 0; DELETE FROM dbo.customers WHERE id % 7 = 0; "
                   "INSERT INTO dbo.customers VALUES (1000, N'new', N'one', NULL, N'here'); UPDATE dbo.customers SET id = 2000 WHERE id = 5; "
                   "UPDATE dbo.customers SET email = 'x' WHERE id = 1; UPDATE dbo.customers SET email = 'y' WHERE id = 1",
                   "INSERT INTO dbo.customers VALUES (7, N'back', N'again', NULL, NULL); DELETE FROM dbo.customers WHERE id = 1000"):
        stack.tsql(change)
        stack.wait_uploaded("dbo.customers")
        bronze = customer_bronze(spark, path, workdir / "dlt")
        silver = apply_changes(customer_bronze_clean(bronze))
        found = sorted(tuple(row) for row in silver.collect())
        assert found == sorted(tuple(row) for row in stack.simulator.query(f"SELECT {COLUMNS} FROM dbo.customers", database=stack.name))
