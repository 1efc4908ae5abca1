"""Those who give keys to a worker: an instance's metadata service (IMDSv2), and a small server for whatever else answers by path.

    with instance() as server:                     # AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url
        ...
        server.requests                            # the handlers of all requests that came
"""
import http.server
import json
import threading
import time

SECRET = "secret-of-the-agent"
ROLE_PATH = "/latest/meta-data/iam/security-credentials/"


class Server(http.server.ThreadingHTTPServer):
    """Answers by path: {path: function(handler) -> (status, text)}; remembers the requests."""
    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(self)
        status, text = self.server.answers.get(self.path, lambda _: (404, ""))(self)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *_):
        pass


def iso(after_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + after_s))


def keys(name, after_s=3600, secret=SECRET, token=None):
    """What container and instance answer."""
    return json.dumps({"Code": "Success", "AccessKeyId": name, "SecretAccessKey": secret, "Token": "token-of-" + name if token is None else token, "Expiration": iso(after_s)})


def instance(answers=None, given=lambda: keys("INSTANCE")):
    """given: makes the keys for each time that they are asked for."""
    def known(handler):
        return handler.headers.get("X-aws-ec2-metadata-token") == "imds-token"

    def token(handler):
        return (200, "imds-token") if handler.command == "PUT" and handler.headers.get("X-aws-ec2-metadata-token-ttl-seconds") else (405, "")

    return Server({"/latest/api/token": token, ROLE_PATH: lambda h: (200, "lake-role\n") if known(h) else (401, ""),
                   ROLE_PATH + "lake-role": lambda h: (200, given()) if known(h) else (401, ""), **(answers or {})})
