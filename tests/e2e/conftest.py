"""What all end-to-end tests share: the harness on the path, a folder that servers may use, the servers themselves.

The simulator has a PostgreSQL of its own, so that a test may kill sluice's. `cluster` is shared: each test has its own databases.
"""
import itertools
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

for room in ("harness", "peers/s3"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / room))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cluster import Cluster  # noqa: E402
from mysqlserver import MariaDB, MySQL  # noqa: E402
from simulator import Simulator  # noqa: E402
from stack import QUICK_SIMULATOR, MySQLStack, Stack  # noqa: E402

names = itertools.count(1)


def pytest_sessionstart():
    """A run that is told to end takes its servers with it."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated"))


def make_folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-e2e-"))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def workdir():
    """A folder of this test module under TMPDIR, open for the servers' OS user; removed at the end."""
    path = make_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def session_folder():
    path = make_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def spark(session_folder):
    """The one Spark session (harness/spark.py); its folder goes with the tests'."""
    import spark
    yield spark.session(session_folder / "spark")
    spark.stop()


@pytest.fixture(scope="session")
def backing(session_folder):
    """The PostgreSQL behind simulators."""
    with Cluster(session_folder / "backing", preload=False, settings={"synchronous_commit": "off"}) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def simulator(backing):
    with Simulator(backing) as made:
        quicken(made)
        yield made


def quicken(simulator):
    for name, value in QUICK_SIMULATOR.items():
        simulator.exec_sql(f"EXEC sluice_sim.set_option '{name}', {value}")


@pytest.fixture(scope="session")
def cluster(session_folder):
    """sluice's PostgreSQL, without supervisor: tests start their workers."""
    with Cluster(session_folder / "sluice") as made:
        yield made


@pytest.fixture(scope="session", params=[MariaDB, MySQL], ids=lambda server: server.kind)
def mysql_server(request, session_folder):
    """MariaDB, then MySQL: a test that asks for it runs once on each. Shared: a test has its own database there, and its stack."""
    if request.param.missing():
        pytest.skip(f"{request.param.kind} is not available on this machine ({request.param.missing()})")
    with request.param(session_folder / request.param.kind, tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def s3(session_folder):
    from s3server import S3Server
    with S3Server(session_folder / "s3") as server:
        yield server


@pytest.fixture(scope="session")
def session_proxy(s3, session_folder):
    from faultproxy import FaultProxy
    with FaultProxy(s3, dir=session_folder / "proxy", tls=True) as proxy:
        yield proxy


@pytest.fixture
def fault_proxy(session_proxy):
    """The S3 server by https and through a proxy that fails on command; faultless at begin and end."""
    session_proxy.clear()
    session_proxy.forget()
    yield session_proxy
    session_proxy.clear()


@pytest.fixture
def make_stack(cluster, simulator, workdir):
    """make_stack(**more of Stack) -> Stack; no worker and no source of it is left at the end of the test."""
    made = []

    def build(name=None, cluster=cluster, simulator=simulator, **more):
        simulator.fault("")
        stack = Stack(cluster, simulator, workdir, name or f"src{next(names)}", **more)
        made.append(stack)
        return stack

    yield build
    simulator.fault("")
    for stack in made:
        stack.close()
        stack.forget()


@pytest.fixture
def stack(make_stack):
    return make_stack()


@pytest.fixture
def make_mysql_stack(cluster, mysql_server, workdir):
    """make_mysql_stack(**more of Stack) -> MySQLStack, on both servers in turn. A server that a test has stopped or broken runs again for the next."""
    made = []

    def build(name=None, cluster=cluster, server=mysql_server, **more):
        made.append(MySQLStack(cluster, server, workdir, name or f"my{next(names)}", **more))
        return made[-1]

    yield build
    for stack in made:
        stack.close()
    if not mysql_server.pid():
        mysql_server.start()
    for stack in made:
        stack.forget()


@pytest.fixture
def mysql_stack(make_mysql_stack):
    return make_mysql_stack()


@pytest.fixture
def make_bucket(s3):
    """make_bucket(door=None) -> Bucket of its own; door: a FaultProxy through which it is reached by the worker."""
    from stack import Bucket

    def build(door=None):
        client = s3.client()
        name = f"bucket-{next(names)}"
        client.create_bucket(Bucket=name)
        door = door or s3
        return Bucket(client, door.endpoint, name, s3.access_key, s3.secret_key, s3.region, door.ca_file)

    return build
