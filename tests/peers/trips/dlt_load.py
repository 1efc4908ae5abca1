"""dlt with its pyarrow backend: a table to Parquet files.  usage: HOST PORT USER DATABASE TABLE FOLDER, password in PEER_PASSWORD"""
import os
import pathlib
import sys

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"       # before dlt is imported: it reports each run otherwise

import dlt  # noqa: E402
import pyarrow.parquet  # noqa: E402
import sqlalchemy  # noqa: E402
from dlt.sources.sql_database import sql_table  # noqa: E402

from cost import measure  # noqa: E402

HOST, PORT, USER, DATABASE, TABLE, FOLDER = sys.argv[1:]
CHUNK_ROWS = 100_000


def load():
    url = sqlalchemy.URL.create("mysql+pymysql", USER, os.environ["PEER_PASSWORD"], HOST, int(PORT), DATABASE)
    pipeline = dlt.pipeline("trips", destination=dlt.destinations.filesystem(bucket_url=f"file://{FOLDER}/lake"), dataset_name="bench",
                            pipelines_dir=f"{FOLDER}/state")
    rows = sql_table(sqlalchemy.create_engine(url), table=TABLE, backend="pyarrow", chunk_size=CHUNK_ROWS, reflection_level="full_with_precision")
    pipeline.run(rows, loader_file_format="parquet").raise_on_failed_jobs()
    files = pathlib.Path(FOLDER, "lake", "bench", TABLE).glob("*.parquet")
    return sum(pyarrow.parquet.ParquetFile(file).metadata.num_rows for file in files)


measure(load)
