"""One Spark session for all tests that need Spark: local, one core, no network beyond 127.0.0.1, no user interface.

    spark = session(folder)          # the same one at every call; `folder` takes what Spark writes
    spark.read.parquet(str(path)).filter("id > 5").collect()
    rows_scanned(frame)              # runs it; rows that left the file scan, so that skipped row groups show
    stop()

pyspark brings Spark's jars; it runs on Java 17 (Debian: openjdk-17-jre-headless), whatever `java` else is on the path.
Starting takes about 5 CPU-seconds, a first query 3 more.
"""
import glob
import os
import pathlib

JAVA_HOMES = "/usr/lib/jvm/java-17-openjdk-*"


def java_home():
    found = sorted(glob.glob(JAVA_HOMES))
    return found[0] if found else os.environ.get("JAVA_HOME", "")


def settings(folder):
    """What Spark writes stays in `folder`; nothing listens but on 127.0.0.1."""
    return {
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false", "spark.driver.memory": "1g", "spark.local.dir": folder / "local",
        "spark.sql.warehouse.dir": folder / "warehouse", "spark.sql.catalogImplementation": "in-memory", "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1", "spark.sql.session.timeZone": "UTC", "spark.sql.timeType.enabled": "true",
        "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Djava.io.tmpdir={folder} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }


def session(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(JAVA_HOME=java_home(), SPARK_LOCAL_IP="127.0.0.1", SPARK_LOCAL_HOSTNAME="localhost")
    os.environ.pop("SPARK_HOME", None)      # another Spark of this machine is not meant
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master("local[1]").appName("sluice-tests")
    for name, value in settings(folder).items():
        builder = builder.config(name, str(value))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def plan_nodes(plan):
    """The executed plan's nodes, with what adaptive execution and its stages hold."""
    yield plan
    name = plan.getClass().getSimpleName()
    inner = [plan.executedPlan()] if name == "AdaptiveSparkPlanExec" else [plan.plan()] if name.endswith("QueryStageExec") else []
    children = plan.children()
    for child in inner + [children.apply(i) for i in range(children.size())]:
        yield from plan_nodes(child)


def rows_scanned(frame):
    """Runs the query; (its rows, rows that left the scan of files before Spark's own filter)."""
    rows = frame.collect()
    execution = frame._jdf.queryExecution().executedPlan()
    scans = [node for node in plan_nodes(execution) if node.getClass().getSimpleName() == "FileSourceScanExec"]
    return rows, sum(scan.metrics().apply("numOutputRows").value() for scan in scans)


def stop():
    from pyspark.sql import SparkSession
    active = SparkSession.getActiveSession()
    if active:
        active.stop()
