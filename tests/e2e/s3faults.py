"""What an S3 store may do wrong: {name: faults for tests/peers/s3/faultproxy.py}. A wrong clock is none of them: proxy.clock_offset_s."""
from faultproxy import Fault

DATA = r"sluice_kind="       # in the keys of data files
WRITES = "UploadPart|PutObject|CompleteMultipartUpload|CreateMultipartUpload"
FAULTS = {
    "slow_down": [Fault("status", code="SlowDown", count=8)],
    "slow_down_often": [Fault("status", code="SlowDown", count=40, probability=0.4)],
    "internal_error": [Fault("status", action=WRITES, code="InternalError", count=4)],
    "refused_before_the_body": [Fault("status", action="UploadPart|PutObject", code="ServiceUnavailable", close_first=True, count=3)],
    "reset_in_a_part": [Fault("reset", action="UploadPart", count=3)],
    "reset_in_a_put": [Fault("reset", action="PutObject", count=3)],
    "lost_reply_to_put": [Fault("lost", action="PutObject", key=DATA), Fault("lost", action="PutObject", key="_sluice/")],
    "lost_replies_to_every_try": [Fault("lost", action="PutObject|CompleteMultipartUpload", key=DATA, count=6)],
    "lost_reply_to_begin": [Fault("lost", action="CreateMultipartUpload")],
    "lost_reply_to_part": [Fault("lost", action="UploadPart", count=2)],
    "lost_reply_to_complete": [Fault("lost", action="CompleteMultipartUpload", count=2)],
    "broken_reply_to_complete": [Fault("truncated", action="CompleteMultipartUpload", count=2)],
    "error_in_200_not_done": [Fault("error_body", action="CompleteMultipartUpload", count=2)],
    "error_in_200_done": [Fault("error_body", action="CompleteMultipartUpload", count=2, done=True)],
    "conflict": [Fault("status", action="CompleteMultipartUpload|PutObject", code="ConditionalRequestConflict", count=3)],
    "conflict_though_done": [Fault("error_body", action="PutObject", code="ConditionalRequestConflict", done=True, count=2)],
    "expired_token": [Fault("status", code="ExpiredToken", count=5)],
    "slow_answers": [Fault("slow", seconds=1.5, count=8)],
}
