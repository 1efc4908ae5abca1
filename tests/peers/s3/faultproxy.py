"""An S3 that fails on command: stands in front of a real S3 server, passes requests on unchanged and keeps a record of them.

    with FaultProxy(server) as proxy:                    # server: harness/s3server.py; tls=True, dir=folder: https, proxy.ca_file
        proxy.inject(Fault("status", action="UploadPart", code="SlowDown", status=503, count=3))
        ...                                              # requests go to proxy.endpoint
        proxy.clear()
        proxy.actions()                                  # {"PutObject", "ListObjectsV2", ...}: what was used
        proxy.open_uploads()                             # {(key, upload id)}: begun and neither completed nor aborted

Faults, by kind
    status      an error answer, nothing passed on. close_first: before the body has been read
    reset       the connection is reset in the middle of the request's body; the server behind sees half of it
    lost        the request is passed on and done; the answer is not given, the connection is reset
    error_body  200 with an <Error> inside; done=True: the request was passed on and done all the same
    unfenced    If-None-Match is taken away (and the request signed anew): a store that overwrites
    slow        the request is passed on and done, the answer comes `seconds` late
    late        the request is passed on `seconds` late
    truncated   the answer's body breaks off half way

A fault strikes requests whose action and key match, `count` times (None: until clear()), each time with `probability`.
`clock_offset_s` is the store's clock: another time than the requests' by more than 15 minutes is RequestTimeTooSkewed, and every
answer's Date tells it. What is signed stays as it is, except where said: then the server's own keys sign.

Written after the S3 API reference (actions, error codes) and "Signature Version 4 signing process"; the Python standard library only.
"""
import collections
import dataclasses
import datetime
import email.utils
import hashlib
import hmac
import http.client
import http.server
import random
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse
import xml.etree.ElementTree as xml
from xml.sax.saxutils import escape

CHUNK = 64 * 1024
SKEW_S = 15 * 60
TIMEOUT_S = 60
RECORD_MAX = 50000
HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}
STATUS = {"SlowDown": 503, "ServiceUnavailable": 503, "InternalError": 500, "ConditionalRequestConflict": 409, "PreconditionFailed": 412,
          "ExpiredToken": 400, "RequestTimeTooSkewed": 403, "AccessDenied": 403, "NoSuchUpload": 404, "RequestTimeout": 400}


@dataclasses.dataclass
class Fault:
    kind: str
    action: str = ""            # a regular expression, of the whole name; "" is every one
    key: str = ""               # a regular expression, found anywhere
    count: int | None = 1
    probability: float = 1.0
    code: str = "InternalError"
    status: int | None = None   # by the code where not given
    done: bool = False          # error_body: is the request done all the same?
    close_first: bool = False
    seconds: float = 0.0
    struck: int = 0

    def matches(self, request):
        return (not self.action or re.fullmatch(self.action, request.action) is not None) and (not self.key or re.search(self.key, request.key))


@dataclasses.dataclass
class Request:
    """One request as it came; status None: no answer was given. answered: what the server behind said, where it was asked."""
    action: str
    method: str
    bucket: str
    key: str
    query: dict
    conditional: bool
    fault: str = ""
    status: int | None = None
    answered: int | None = None
    upload: str = ""
    bytes: int = 0
    at: float = 0.0
    noted: bool = False


def action_of(method, key, query, headers):
    """The action's name in the S3 API."""
    if not key:
        if method == "GET":
            return ("ListMultipartUploads" if "uploads" in query else "GetBucketLocation" if "location" in query else
                    "ListObjectsV2" if "list-type" in query else "ListObjects")
        return {"HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket", "POST": "DeleteObjects"}.get(method, method)
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload" if "uploadId" in query else "PostObject"
    if "uploadId" in query:
        return {"PUT": "UploadPartCopy" if "x-amz-copy-source" in headers else "UploadPart", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}.get(method, method)
    if "tagging" in query:
        return {"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"}.get(method, method)
    return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "CopyObject" if "x-amz-copy-source" in headers else "PutObject",
            "DELETE": "DeleteObject"}.get(method, method)


# ---- signing anew -----------------------------------------------------------------
def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def sign(method, target, headers, access_key, secret_key, region):
    """The Authorization header for the headers named in the old one that are still there."""
    path, _, query = target.partition("?")
    signed = re.search(r"SignedHeaders=([^,\s]+)", headers["authorization"])[1].split(";")
    names = [name for name in signed if name in headers]
    pairs = sorted((part.split("=", 1) + [""])[:2] for part in query.split("&") if part)
    day = headers["x-amz-date"][:8]
    scope = f"{day}/{region}/s3/aws4_request"
    canonical = "\n".join([method, path, "&".join(f"{name}={value}" for name, value in pairs),
                           *[f"{name}:{' '.join(headers[name].split())}" for name in names], "", ";".join(names), headers["x-amz-content-sha256"]])
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = digest(digest(digest(digest(b"AWS4" + secret_key.encode(), day), region), "s3"), "aws4_request")
    return (f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, "
            f"Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}")


def amazon_time(text):
    return datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


# ---- the proxy --------------------------------------------------------------------
class Gone(Exception):
    """This connection is reset."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = TIMEOUT_S

    def setup(self):
        if self.server.tls:
            self.request.settimeout(TIMEOUT_S)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def log_message(self, *arguments):
        pass

    def version_string(self):
        return "fault"

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + self.server.proxy.clock_offset_s, usegmt=True)

    def handle_expect_100(self):
        return True     # told once we want the body

    def any(self):
        proxy = self.server.proxy
        request = self.parse()
        fault = proxy.strike(request)
        request.fault = fault.kind if fault else ""
        try:
            self.answer(proxy, request, fault)
        except (Gone, OSError, http.client.HTTPException):
            self.reset()
        finally:
            proxy.note(request)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = any

    def parse(self):
        path, _, query = self.path.partition("?")
        parts = urllib.parse.unquote(path).lstrip("/").split("/", 1)
        names = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        key = parts[1] if len(parts) > 1 else ""
        return Request(action_of(self.command, key, names, self.headers), self.command, parts[0], key, names, "if-none-match" in self.headers,
                       upload=names.get("uploadId", ""), bytes=int(self.headers.get("content-length") or 0), at=time.monotonic())

    def answer(self, proxy, request, fault):
        kind = fault.kind if fault else ""
        skewed = abs(proxy.skew(self.headers)) > SKEW_S
        if skewed:
            request.fault = "clock"
        if skewed or kind == "status" or (kind == "error_body" and not fault.done):
            if not (fault and fault.close_first):
                self.body_read()
            code = "RequestTimeTooSkewed" if skewed else fault.code
            status = 403 if skewed else 200 if kind == "error_body" else fault.status or STATUS.get(code, 500)
            self.close_connection = self.close_connection or bool(fault and fault.close_first)
            return self.error(request, status, code)
        if kind == "late":
            time.sleep(fault.seconds)
        status, headers, body = self.forward(proxy, request, kind)
        if kind == "slow":
            time.sleep(fault.seconds)
        if request.action == "CreateMultipartUpload" and status == 200:
            request.upload = upload_id(body)
        if kind == "lost":
            raise Gone
        if kind == "error_body":
            return self.error(request, 200, fault.code)
        self.reply(request, status, headers, body, cut=kind == "truncated")

    # ---- to the server behind ---------------------------------------------------
    def body_chunks(self):
        if self.headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        left = int(self.headers.get("content-length") or 0)
        while left:
            data = self.rfile.read(min(CHUNK, left))
            if not data:
                raise Gone
            left -= len(data)
            yield data

    def body_read(self):
        for _ in self.body_chunks():
            pass

    def forward(self, proxy, request, kind):
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in HOP}
        if kind == "unfenced":
            headers.pop("if-none-match", None)
        if proxy.clock_offset_s and "x-amz-date" in headers:
            headers["x-amz-date"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        if (kind == "unfenced" or proxy.clock_offset_s) and "authorization" in headers:
            headers["authorization"] = sign(self.command, self.path, headers, proxy.server.access_key, proxy.server.secret_key, proxy.server.region)
        connection = proxy.connect()
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            self.body_send(connection, request, kind)
            answer = connection.getresponse()
            body = answer.read()
            request.answered = answer.status
            return answer.status, answer.getheaders(), body
        finally:
            connection.close()

    def body_send(self, connection, request, kind):
        sent, half = 0, request.bytes // 2
        for data in self.body_chunks():
            if kind == "reset" and sent + len(data) > half:
                connection.send(data[:max(half - sent, 0)])
                raise Gone
            connection.send(data)
            sent += len(data)
        if kind == "reset":
            raise Gone

    # ---- to the client ------------------------------------------------------------
    def reply(self, request, status, headers, body, cut=False):
        request.status = status
        self.server.proxy.note(request)
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        length = None
        for name, value in headers:
            if name.lower() == "content-length":
                length = value
            elif name.lower() not in HOP and name.lower() != "date":
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", length if self.command == "HEAD" and length else len(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:len(body) // 2] if cut else body)
        if cut:
            raise Gone

    def error(self, request, status, code):
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>injected</Message>'
                f"<Resource>{escape(request.key)}</Resource><RequestId>0</RequestId></Error>").encode()
        self.reply(request, status, [("Content-Type", "application/xml")] + ([("Connection", "close")] if self.close_connection else []), body)

    def reset(self):
        """RST instead of an orderly end, so that nobody takes what came for all."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass


def upload_id(body):
    try:
        return next((node.text or "" for node in xml.fromstring(body).iter() if node.tag.rpartition("}")[2] == "UploadId"), "")
    except xml.ParseError:
        return ""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def shutdown_request(self, request):
        """An orderly shutdown would send a FIN before the reset that reset() asked for."""
        self.close_request(request)

    def handle_error(self, request, client_address):
        pass    # a client that left, a handshake that failed: the client tells


class FaultProxy:
    def __init__(self, server, dir=None, tls=False, port=0, seed=1):
        """server: an S3Server. dir: where certificates are made, for tls."""
        self.server = server
        self.tls = tls
        self.dir = dir
        self.port = port
        self.random = random.Random(seed)
        self.clock_offset_s = 0
        self.requests = collections.deque(maxlen=RECORD_MAX)
        self._faults = []
        self._lock = threading.Lock()
        self._http = None
        upstream = urllib.parse.urlsplit(server.endpoint)
        self._upstream = upstream.hostname, upstream.port
        self._trust = ssl.create_default_context(cafile=str(server.ca_file)) if server.tls else None
        self.ca_file = None

    # ---- life -----------------------------------------------------------------
    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    @property
    def endpoint(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self):
        self._http = Server(("127.0.0.1", self.port), Handler)
        self._http.proxy = self
        self._http.tls = None
        self.port = self._http.server_address[1]
        if self.tls:
            from s3server import certify
            self.ca_file = certify(self.dir)
            self._http.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._http.tls.load_cert_chain(self.ca_file.parent / "server.pem", self.ca_file.parent / "server.key")
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def connect(self):
        host, port = self._upstream
        if self._trust:
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._trust)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    # ---- faults ---------------------------------------------------------------
    def inject(self, *faults):
        """More faults; of several that match the first strikes. Returns the last, whose `struck` counts."""
        with self._lock:
            self._faults += faults
        return faults[-1]

    def clear(self):
        """No faults, a right clock."""
        with self._lock:
            self._faults = []
        self.clock_offset_s = 0

    def strike(self, request):
        with self._lock:
            for fault in self._faults:
                if (fault.count is None or fault.struck < fault.count) and fault.matches(request) and self.random.random() < fault.probability:
                    fault.struck += 1
                    return fault
        return None

    def skew(self, headers):
        """Seconds between the request's clock and the store's."""
        if not self.clock_offset_s or "x-amz-date" not in headers:
            return 0
        return amazon_time(headers["x-amz-date"]) - (time.time() + self.clock_offset_s)

    # ---- the record -----------------------------------------------------------
    def note(self, request):
        """Before its answer goes out: who has the answer finds the request in the record."""
        with self._lock:
            if not request.noted:
                request.noted = True
                self.requests.append(request)

    def forget(self):
        with self._lock:
            self.requests.clear()

    def record(self, action="", key=""):
        with self._lock:
            return [r for r in self.requests if (not action or re.fullmatch(action, r.action)) and (not key or re.search(key, r.key))]

    def actions(self):
        return {request.action for request in self.record()}

    def open_uploads(self):
        """What the server behind has been asked to begin and not to end, whoever has seen its answers."""
        records = self.record()
        ended = {r.upload for r in records if r.action in ("CompleteMultipartUpload", "AbortMultipartUpload") and (r.answered or 500) < 300}
        return {(r.key, r.upload) for r in records if r.action == "CreateMultipartUpload" and r.answered == 200 and r.upload not in ended}
