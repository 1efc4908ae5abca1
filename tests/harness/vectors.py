"""AWS's published vectors of Signature Version 4, as the crate aws-sigv4 carries them (Apache-2.0).

    python vectors.py install        # fetches them by cargo unless they are there, prints their folder

They end up in $SLUICE_TOOLS (default $SLUICE_BUILD/tools)/sigv4-vectors, a folder a vector; tests/unit/sink_s3_sign_test.c reads them.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from s3server import tools

CRATE = "=1.6.4"
SUITE = "aws-signing-test-suite/v4"
FETCH_TIMEOUT_S = 300
MANIFEST = f"""[package]
name = "vectors"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
aws-sigv4 = {{ version = "{CRATE}", default-features = false }}
"""


def install():
    found = tools() / "sigv4-vectors"
    if found.exists():
        return found
    tools().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools()) as name:
        folder = pathlib.Path(name)
        (folder / "Cargo.toml").write_text(MANIFEST)
        (folder / "lib.rs").touch()
        result = subprocess.run(["cargo", "fetch"], cwd=folder, env=dict(os.environ, CARGO_HOME=str(folder / "home")), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FETCH_TIMEOUT_S)
        suites = [*folder.glob(f"home/registry/src/*/aws-sigv4-*/{SUITE}")]
        if result.returncode or not suites:
            raise RuntimeError("cargo fetch of aws-sigv4 failed:\n" + result.stdout.decode(errors="replace")[-4000:])
        shutil.copytree(suites[0], folder / "vectors")
        os.rename(folder / "vectors", found)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["install"]:
        print(install())
    else:
        sys.exit(__doc__)
