"""One Parquet object of 64 MiB, 256 MiB and 1 GiB through format and sink, to a folder and to a local S3 server: memory must not follow size.

Prints a table and `BENCH file_1gib_rss <MiB> MiB` (peak of the whole program, S3, 1 GiB), the same for 64 MiB and 256 MiB as
file_64mib_rss and file_256mib_rss, and `BENCH file_1gib_size <value> ratio` (bytes / bytes asked for).
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))

import duckdb  # noqa: E402
from cluster import BUILD  # noqa: E402
from s3server import S3Server  # noqa: E402

SIZES = {"64mib": 64 << 20, "256mib": 256 << 20, "1gib": 1 << 30}
FORMAT = os.environ.get("SLUICE_BENCH_FORMAT", "parquet")


def write(kind, target, key, size, environment):
    """(rows, bytes, CPU seconds, peak MiB)"""
    result = subprocess.run([BUILD / "bench" / "object_loop", FORMAT, "zstd", str(size), kind, json.dumps(target), key], capture_output=True, text=True,
                            env={**os.environ, **environment})
    if result.returncode:
        raise RuntimeError(result.stderr)
    rows, size, cpu, peak = result.stdout.split()
    return int(rows), int(size), float(cpu), int(peak) / 1024


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    peaks, ratios = {}, {}
    try:
        with S3Server(folder / "s3") as s3:
            s3.create_bucket("bench")
            targets = {"file": {"path": str(folder / "files")},
                       "s3": {"bucket": "bench", "endpoint": s3.endpoint, "region": s3.region, "path_style": True}}
            (folder / "files").mkdir()
            environment = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
            print(f" {'target':7}{'asked MiB':>10}{'MiB':>9}{'rows':>12}{'CPU s':>8}{'peak MiB':>10}")
            for kind, target in targets.items():
                for name, size in SIZES.items():
                    key = f"{name}.{FORMAT}"
                    rows, got, cpu, peaks[kind, name] = write(kind, target, key, size, environment)
                    ratios[kind, name] = got / size
                    print(f" {kind:7}{size >> 20:10}{got / (1 << 20):9.1f}{rows:12}{cpu:8.1f}{peaks[kind, name]:10.1f}", flush=True)
                    path = folder / "files" / key if kind == "file" else s3.data / "bench" / key
                    assert FORMAT != "parquet" or duckdb.sql(f"SELECT count(*), sum(id) FROM '{path}'").fetchall() == [(rows, rows * (rows - 1) // 2)]
                    path.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name in SIZES:
        print(f"BENCH file_{name}_rss {peaks['s3', name]:.1f} MiB")
    print(f"BENCH file_1gib_size {ratios['s3', '1gib']:.4f} ratio")


if __name__ == "__main__":
    main()
