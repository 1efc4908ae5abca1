"""Credentials from an encrypted file: source and target open with its entries, a changed file is taken up, and no secret is found anywhere else."""
import json
import os
import pathlib
import subprocess

import pytest

from cluster import children_of, default_worker
from workload import Workload

KEY = "the key of the vault: 7f2c"


def write_vault(stack, entries, key=KEY):
    """The file, encrypted by our own program; what ansible-vault makes of it is tests/unit/vault_test.py's."""
    lines = [f"{name}: {{{', '.join(f'{k}: {chr(34)}{v}{chr(34)}' for k, v in values.items())}}}" for name, values in entries.items()]
    path = stack.folder / "credentials.yml"
    path.write_text("\n".join(lines) + "\n")
    subprocess.run([default_worker(), "vault", "encrypt", str(path)], env={"PATH": os.environ["PATH"], "SLUICE_VAULT_KEY": key}, check=True, timeout=30)
    return path


def source_entry(stack, **more):
    return {"host": stack.simulator.host, "port": stack.simulator.port, "database": stack.name, "user": stack.simulator.login,
            "password": stack.simulator.password, **more}


@pytest.fixture
def vaulted(make_stack, make_bucket):
    stack = make_stack(target=make_bucket())
    entries = {"db": source_entry(stack), "store": {"access_key": stack.bucket.access_key, "secret_key": stack.bucket.secret_key}}
    stack.environment = {"SLUICE_VAULT": str(write_vault(stack, entries)), "SLUICE_VAULT_KEY": KEY, "SLUICE_TEST_PASSWORD": "", "SLUICE_TEST_ACCESS_KEY": "",
                         "SLUICE_TEST_SECRET_KEY": ""}
    stack.sql("SELECT sluice.add_source(%s, 'sqlserver', options => '{\"vault\": \"db\"}')", stack.name)
    options = {name: value for name, value in stack.target_options().items() if not name.endswith("_env")}
    stack.sql("SELECT sluice.add_target('lake', 's3', options => %s::jsonb)", json.dumps({**options, "vault": "store"}))
    return stack


def seen(stack, pids):
    """Where a secret could show: the database's files, the server's and the worker's log, command lines of all our processes."""
    for path in pathlib.Path(stack.cluster.data).rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    for path in (stack.cluster.logfile, stack.log_file):
        yield str(path), pathlib.Path(path).read_bytes()
    for pid in pids:
        for name in ("cmdline", "comm"):
            yield f"/proc/{pid}/{name}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes()


def test_entries_of_the_vault_open_source_and_target_and_no_secret_is_seen(vaulted):
    stack = vaulted
    work = Workload(stack).fill(50)
    worker = stack.start()
    stack.add_table(work.table)
    stack.wait_state(work.table)
    work.fill(20)
    stack.wait_uploaded(work.table)
    stack.check()
    pids = [worker.pid, *children_of(worker.pid)]
    stack.sql("CHECKPOINT")
    secrets = [stack.simulator.password, stack.bucket.secret_key, KEY]
    for place, content in seen(stack, pids):
        for secret in secrets:
            assert secret.encode() not in content, f"a secret stands in {place}"
    for pid in pids:
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert [line for line in limits.splitlines() if line.startswith("Max core file size")][0].split()[4:6] == ["0", "0"]


def test_a_missing_entry_and_a_wrong_key_are_told_and_mended_without_restart(vaulted):
    stack = vaulted
    path = write_vault(stack, {"other": {"password": "x"}})
    work = Workload(stack).fill(5)
    stack.start()
    stack.wait(lambda: "vault has no entry db" in (stack.one("SELECT message FROM sluice.source_status") or ""), "the missing entry is told")
    entries = {"db": source_entry(stack), "store": {"access_key": stack.bucket.access_key, "secret_key": stack.bucket.secret_key}}
    write_vault(stack, entries, key="another key")
    stack.wait(lambda: "key does not open the vault" in (stack.one("SELECT message FROM sluice.source_status") or ""), "the wrong key is told")
    assert str(path) in stack.one("SELECT message FROM sluice.source_status")
    write_vault(stack, entries)
    stack.add_table(work.table)
    stack.wait_state(work.table)
    stack.check()
