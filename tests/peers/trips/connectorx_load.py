"""ConnectorX and pyarrow: a table to one Parquet file with zstd.  usage: HOST PORT USER DATABASE TABLE FOLDER (with lake/), password in PEER_PASSWORD"""
import os
import sys
import urllib.parse

import connectorx
import pyarrow.parquet

from cost import measure

HOST, PORT, USER, DATABASE, TABLE, FOLDER = sys.argv[1:]


def load():
    url = f"mysql://{USER}:{urllib.parse.quote(os.environ['PEER_PASSWORD'])}@{HOST}:{PORT}/{DATABASE}"
    rows = connectorx.read_sql(url, f"SELECT * FROM {TABLE}", return_type="arrow", protocol="binary")
    pyarrow.parquet.write_table(rows, f"{FOLDER}/lake/{TABLE}.parquet", compression="zstd", compression_level=1)
    return rows.num_rows


measure(load)
