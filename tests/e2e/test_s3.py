"""An S3 target seen from outside: the rights its policy text grants are those that are used, the doctor names a missing one, keys come from the worker's profile."""
import fnmatch
import json

from faultproxy import Fault
from keyserver import instance, keys
from values import MIXED_KEY
from workload import WideWorkload, Workload

OPTIONS = {"storage_class": "STANDARD", "tags": ["team=data"], "requester_pays": True, "sse": "AES256"}
# What IAM asks for an action of the S3 API: Service Authorization Reference, "Actions defined by Amazon S3".
RIGHTS = {"PutObject": ["PutObject", "PutObjectTagging"], "CreateMultipartUpload": ["PutObject", "PutObjectTagging"], "UploadPart": ["PutObject"],
          "CompleteMultipartUpload": ["PutObject"], "AbortMultipartUpload": ["AbortMultipartUpload"], "GetObject": ["GetObject"],
          "HeadObject": ["GetObject", "ListBucket"], "ListObjectsV2": ["ListBucket"], "ListMultipartUploads": ["ListBucketMultipartUploads"],
          "DeleteObject": ["DeleteObject"]}
ON_BUCKET = {"ListBucket", "ListBucketMultipartUploads"}


def listed(value):
    return value if isinstance(value, list) else [value]


def met(statement, prefix):
    """Conditions, of the one kind there is: a request that names no prefix meets StringLikeIfExists, and no StringLike."""
    for kind, wanted in statement.get("Condition", {}).items():
        for name, patterns in wanted.items():
            assert name == "s3:prefix" and kind in ("StringLike", "StringLikeIfExists")
            if not (kind == "StringLikeIfExists" if prefix is None else any(fnmatch.fnmatchcase(prefix, p) for p in listed(patterns))):
                return False
    return True


def granting(policy, right, resource, prefix=None):
    """The Sid of a statement that allows it, or None: nothing else counts in a policy without Deny."""
    for statement in policy["Statement"]:
        if (statement["Effect"] == "Allow" and f"s3:{right}" in listed(statement["Action"]) and met(statement, prefix)
                and any(fnmatch.fnmatchcase(resource, p) for p in listed(statement["Resource"]))):
            return statement["Sid"]
    return None


def refused(policy, request):
    """Rights of a request that the policy does not grant."""
    bucket = f"arn:aws:s3:::{request.bucket}"
    found = []
    for right in RIGHTS[request.action]:
        prefix = request.query.get("prefix") if right == "ListBucket" else None
        prefix = prefix[0] if isinstance(prefix, list) else prefix
        if not granting(policy, right, bucket if right in ON_BUCKET else f"{bucket}/{request.key}", prefix):
            found.append((right, request.key, prefix))
    return found


def work_of_all_kinds(stack):
    """The doctor, small files and uploads, load and changes, and a second worker that finds what the first left."""
    works = [Workload(stack).fill(200), WideWorkload(stack).fill(9)]
    stack.add_source()
    stack.add_target(**OPTIONS)
    stack.start()
    for work in works:
        stack.add_table(work.table)
    for work in works:
        stack.wait_state(work.table)
        work.transaction()
    stack.wait_uploaded(*(work.table for work in works))
    stack.stop(9)
    stack.start()
    for work in works:
        work.transaction()
    stack.wait_uploaded(*(work.table for work in works))
    stack.check({work.table: MIXED_KEY for work in works})


def test_policy_text_grants_what_the_worker_does_and_no_more(make_stack, make_bucket, fault_proxy):
    stack = make_stack(target=make_bucket(fault_proxy))
    work_of_all_kinds(stack)
    policy = json.loads(stack.one("SELECT sluice.iam_policy('lake')"))
    requests = fault_proxy.record()
    assert {r.action for r in requests} >= {"PutObject", "CreateMultipartUpload", "ListObjectsV2", "ListMultipartUploads", "HeadObject", "AbortMultipartUpload", "DeleteObject"}
    assert not [r for request in requests for r in refused(policy, request)], "every request is granted"
    used = {right for request in requests for right in RIGHTS[request.action]}
    granted = {action.removeprefix("s3:") for statement in policy["Statement"] for action in listed(statement["Action"])}
    assert granted == used, "no right is granted that is not used"
    elsewhere = [r for r in requests if r.action == "PutObject"][0]
    elsewhere.key = "other/object"
    assert refused(policy, elsewhere), "nothing is granted outside the prefix"
    removed = [r for r in requests if r.action == "DeleteObject"][0]
    removed.key = f"{stack.prefix}/file"
    assert refused(policy, removed) and not refused(json.loads(stack.one("SELECT sluice.iam_policy('lake', purge => true)")), removed), "landed objects are deleted by purging only"


def test_doctor_names_the_right_that_is_missing(make_stack, make_bucket, fault_proxy):
    stack = make_stack(target=make_bucket(fault_proxy))
    for action in ("ListMultipartUploads", "DeleteObject"):
        fault_proxy.inject(Fault("status", action=action, code="AccessDenied", count=None))
    stack.add_source()
    stack.add_target()
    stack.start()
    stack.wait(lambda: stack.one("SELECT checked_at FROM _sluice.target_state"), "the target is checked")
    rows = stack.sql('SELECT "check", severity, wanted, fix_sql FROM sluice.check_target(%s) WHERE NOT ok', "lake")
    found = {row[0]: row[1:] for row in rows}
    assert set(found) == {"abort", "delete"}, found
    assert "s3:ListBucketMultipartUploads" in found["abort"][1] and found["abort"][0] == "error"
    assert "s3:DeleteObject" in found["delete"][1] and found["delete"][0] == "warning"
    assert all(row[2] == "SELECT sluice.iam_policy('lake');" for row in found.values()), found


def test_keys_come_from_the_profile_of_the_workers_environment(make_stack, make_bucket):
    bucket = make_bucket()
    stack = make_stack(target=bucket)
    table = Workload(stack).fill(50).table
    keys = stack.folder / "credentials"
    keys.write_text("[night]\naws_access_key_id = nobody\naws_secret_access_key = wrong\n")
    stack.add_source()
    stack.add_target(access_key_env=None, secret_key_env=None)
    stack.add_table(table)
    stack.start(AWS_SHARED_CREDENTIALS_FILE=str(keys), AWS_PROFILE="night", AWS_CONFIG_FILE="/nowhere")
    stack.wait(lambda: stack.one("""SELECT count(*) FROM sluice.check_target('lake') WHERE "check" = 'list' AND NOT ok"""), "the wrong key is refused")
    assert "from profile" in stack.one("""SELECT found FROM sluice.check_target('lake') WHERE "check" = 'credentials'""")
    keys.write_text(f"[night]\naws_access_key_id = {bucket.access_key}\naws_secret_access_key = {bucket.secret_key}\n")
    stack.sql("SELECT sluice.alter_target('lake', '{}')")
    stack.wait_state(table)
    stack.check({table: MIXED_KEY})
    assert bucket.secret_key not in stack.log()


def test_keys_of_an_instance_serve_all_requests_of_a_process(make_stack, make_bucket, fault_proxy):
    bucket = make_bucket(fault_proxy)
    stack = make_stack(target=bucket)
    work = Workload(stack).fill(100)
    # Without a session token: the S3 server knows of none that it has not given out itself.
    with instance(given=lambda: keys(bucket.access_key, secret=bucket.secret_key, token="")) as server:
        stack.add_source()
        stack.add_target(access_key_env=None, secret_key_env=None)
        stack.start(AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url, AWS_SHARED_CREDENTIALS_FILE="/nowhere", AWS_CONFIG_FILE="/nowhere", AWS_EC2_METADATA_DISABLED="false")
        stack.add_table(work.table)
        stack.wait_state(work.table)
        work.transaction()
        stack.wait_uploaded(work.table)
        stack.check({work.table: MIXED_KEY})
        asked = len([r for r in server.requests if r.path.endswith("lake-role")])
    assert stack.one("""SELECT found FROM sluice.check_target('lake') WHERE "check" = 'credentials'""").startswith("from instance metadata, for ")
    assert 1 <= asked <= 8 < len(fault_proxy.record()), "asked once for each time the target is opened"
    assert bucket.secret_key not in stack.log()
