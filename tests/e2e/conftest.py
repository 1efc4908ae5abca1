"""What all end-to-end tests share: the harness on the path, and a folder that servers may use."""
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))


@pytest.fixture(scope="module")
def workdir():
    """A folder of this test module under TMPDIR, open for the servers' OS user; removed at the end."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-e2e-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
