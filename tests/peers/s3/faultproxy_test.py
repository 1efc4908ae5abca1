"""The proxy changes nothing unless asked to, and does what it is asked to. Prints TAP; needs boto3 and versitygw."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "harness"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402

from faultproxy import Fault, FaultProxy  # noqa: E402
from s3server import S3Server  # noqa: E402

BUCKET = "proxied"
PART = b"0123456789abcdef" * (5 * 65536)


def client_of(proxy):
    config = botocore.config.Config(retries={"total_max_attempts": 1}, request_checksum_calculation="when_required",
                                    s3={"payload_signing_enabled": True})
    return boto3.client("s3", endpoint_url=proxy.endpoint, region_name=proxy.server.region, aws_access_key_id=proxy.server.access_key,
                        aws_secret_access_key=proxy.server.secret_key, verify=str(proxy.ca_file) if proxy.tls else None, config=config)


def failure(call, **arguments):
    """The error's code, or the exception's name where no answer came, or None."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    except botocore.exceptions.BotoCoreError as error:
        return type(error).__name__
    return None


def upload(s3, key, parts=(PART, b"end")):
    made = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    tags = [{"PartNumber": n, "ETag": s3.upload_part(Bucket=BUCKET, Key=key, UploadId=made, PartNumber=n, Body=body)["ETag"]}
            for n, body in enumerate(parts, 1)]
    return {"Bucket": BUCKET, "Key": key, "UploadId": made, "MultipartUpload": {"Parts": tags}}


def there(s3, key):
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents", ())
    return [entry["Size"] for entry in found if entry["Key"] == key]


def passes_on(proxy, s3):
    key = "a b/ä+%/~x=1"
    s3.put_object(Bucket=BUCKET, Key=key, Body=PART)
    yield "an odd key and a body of 5 MiB pass", s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == PART
    done = upload(s3, "multi")
    yield "an upload under way is known as open", len(proxy.open_uploads()) == 1
    s3.complete_multipart_upload(**done)
    yield "an upload of two parts passes and is no longer open", there(s3, "multi") == [len(PART) + 3] and not proxy.open_uploads()
    yield "a conditional put is refused", failure(s3.put_object, Bucket=BUCKET, Key="multi", Body=b"x", IfNoneMatch="*") == "PreconditionFailed"
    yield "what was used is known", {"PutObject", "GetObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload",
                                     "ListObjectsV2"} <= proxy.actions()


def refuses(proxy, s3):
    fault = proxy.inject(Fault("status", action="PutObject", key="^slow", code="SlowDown", count=2))
    told = [failure(s3.put_object, Bucket=BUCKET, Key="slow", Body=b"x") for _ in range(3)]
    yield "SlowDown comes as often as asked", told == ["SlowDown", "SlowDown", None] and fault.struck == 2
    proxy.inject(Fault("status", action="PutObject", code="InternalError", probability=0.0))
    yield "a probability of nothing strikes nothing", failure(s3.put_object, Bucket=BUCKET, Key="p", Body=b"x") is None


def loses(proxy, s3):
    s3.delete_object(Bucket=BUCKET, Key="e")
    proxy.inject(Fault("lost", action="PutObject"))
    yield "a lost answer is no answer", failure(s3.put_object, Bucket=BUCKET, Key="lost", Body=b"x") == "ConnectionClosedError"
    yield "and the object is there", there(s3, "lost") == [1]
    proxy.inject(Fault("reset", action="PutObject"))
    told = failure(s3.put_object, Bucket=BUCKET, Key="half", Body=PART)
    yield f"a reset in the body: {told}", told in ("ConnectionClosedError", "SSLError", "EndpointConnectionError")
    yield "a body cut off leaves no object", there(s3, "half") == []
    proxy.inject(Fault("error_body", action="CompleteMultipartUpload"))
    done = upload(s3, "e")
    told = failure(s3.complete_multipart_upload, **done)
    yield f"200 with an error inside: {told}", told == "InternalError" and there(s3, "e") == []
    proxy.inject(Fault("error_body", action="CompleteMultipartUpload", done=True))
    yield "200 with an error inside and all the same done", failure(s3.complete_multipart_upload, **done) == "InternalError" and there(s3, "e") != []


def ignores(proxy, s3):
    s3.put_object(Bucket=BUCKET, Key="over", Body=b"1")
    proxy.inject(Fault("unfenced", count=None))
    yield "a store that ignores If-None-Match overwrites", failure(s3.put_object, Bucket=BUCKET, Key="over", Body=b"12", IfNoneMatch="*") is None
    yield "as one sees", there(s3, "over") == [2]


def errs(proxy, s3):
    proxy.clock_offset_s = -3600
    told = failure(s3.put_object, Bucket=BUCKET, Key="clock", Body=b"x")
    yield "another clock is told", told in (None, "RequestTimeTooSkewed") and any(r.fault == "clock" for r in proxy.record("PutObject", "clock"))


def main():
    number = failed = 0
    with tempfile.TemporaryDirectory() as folder, S3Server(f"{folder}/s3") as server:
        server.create_bucket(BUCKET)
        for tls in (False, True):
            with FaultProxy(server, dir=f"{folder}/proxy", tls=tls) as proxy:
                for test in (passes_on, refuses, loses, ignores, errs):
                    proxy.clear()
                    proxy.forget()
                    s3 = client_of(proxy)
                    for name, ok in test(proxy, s3):
                        number += 1
                        failed += not ok
                        print(f"{'ok' if ok else 'not ok'} {number} - {name}{' (https)' if tls else ''}", flush=True)
    print(f"1..{number}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
