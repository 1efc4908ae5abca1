"""One large object to a local S3 server (versitygw), by http and https, with the payload's hash signed and not; paired with boto3.

Prints a table and the lines `BENCH upload_{http,tls}_{signed,unsigned} <MB per CPU-second> MB/s` (of our process alone, the server's work
is not in it) and `RATIO upload_... boto3 <ours / boto3's>`, each run after the other against the same server. boto3 signs the
body's SHA-256 over http and nothing of it over https; its CRC is switched off, since versitygw does not read it from its uploads. Environment: SLUICE_BENCH_MIB (512), SLUICE_BENCH_RUNS (3; the median counts).
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "harness"))

from cluster import BUILD  # noqa: E402
from s3server import S3Server  # noqa: E402

MIB = int(os.environ.get("SLUICE_BENCH_MIB", "512"))
RUNS = int(os.environ.get("SLUICE_BENCH_RUNS", "3"))
BUCKET = "bench"
PEER = """
import io, os, resource, sys
import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
endpoint, bucket, key, mib, ca = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", verify=ca or None, config=Config(request_checksum_calculation="when_required"))
body = io.BytesIO(os.urandom(1 << 20) * int(mib))
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
begin = used()
client.upload_fileobj(body, bucket, key, Config=TransferConfig(multipart_chunksize=8 << 20, max_concurrency=4))
print(int(mib) << 20, used() - begin)
"""


def rate(argv, server):
    """MB per CPU-second of one process."""
    env = {**os.environ, "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key, "AWS_REGION": server.region}
    result = subprocess.run([str(a) for a in argv], env=env, capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {result.stderr[-2000:]}")
    size, cpu = result.stdout.split()
    return int(size) / 1e6 / float(cpu)


def measure(server, hashes):
    """{hash: ([ours], [boto3's])}, one run after the other, each object removed at once."""
    found = {name: ([], []) for name in hashes}
    ca = [server.ca_file] if server.tls else []
    for run in range(RUNS):
        for name in hashes:
            for peer, argv in enumerate(([BUILD / "bench" / "upload", server.endpoint, BUCKET, f"o{run}", MIB, name, *ca],
                                         [sys.executable, "-c", PEER, server.endpoint, BUCKET, f"b{run}", MIB, *(ca or [""])])):
                found[name][peer].append(rate(argv, server))
            for key in (f"o{run}", f"b{run}"):
                server.client().delete_object(Bucket=BUCKET, Key=key)
    return found


def main():
    lines = []
    print(f"{MIB} MiB in parts of 8 MiB, 4 at once, median of {RUNS}\n {'':16} sluice MB/CPU s   boto3 MB/CPU s   ratio")
    for tls in (False, True):
        with tempfile.TemporaryDirectory() as folder, S3Server(folder, tls=tls) as server:
            server.create_bucket(BUCKET)
            for name, (ours, peers) in measure(server, ("signed", "unsigned") if tls else ("signed",)).items():
                label = f"upload_{'tls' if tls else 'http'}_{name}"
                ratio = statistics.median(o / p for o, p in zip(ours, peers))
                print(f" {label[7:]:16} {statistics.median(ours):15.0f} {statistics.median(peers):16.0f} {ratio:7.2f}", flush=True)
                lines += [f"BENCH {label} {statistics.median(ours):.0f} MB/s", f"RATIO {label} boto3 {ratio:.2f}"]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
