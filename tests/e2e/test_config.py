"""Configuration as code from the command line: YAML with overlays goes in, comes out the same, and what is wrong is told with its line."""
import itertools
import os
import subprocess

import pytest
import yaml

from cluster import default_worker

numbers = itertools.count(1)

BASE = """version: 1
settings: {runners: 3}
targets:
  lake:
    kind: file
    options: {path: /tmp/lake}
sources:
  erp:
    kind: sqlserver
    options:
      host: dev-sql
      database: ERP
      user: sluice
      password_env: ERP_PASSWORD
    tables:
      dbo.orders:
        target: lake
        options: {format: csv, max_file_age: 10}
      dbo."odd.name":
        target: lake
        paused: true
    rules:
    - {like: 'dbo.new%', target: lake, new_tables: announce}
"""
PROD = """# what differs in production
sources:
  erp:
    options: {host: prod-sql, port: 1434}
    tables:
      dbo.orders:
        options: {max_file_age: null}
"""


@pytest.fixture
def config(cluster, tmp_path):
    """config(*arguments) -> (exit code, stdout, stderr) of `sluice-worker config` in a fresh registry."""
    database = f"config_{next(numbers)}"
    cluster.psql(f'CREATE DATABASE "{database}"', database="postgres")
    cluster.psql("CREATE EXTENSION sluice", database=database)

    def run(*arguments, user="postgres", **files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        done = subprocess.run([default_worker(), "config", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], "SLUICE_CONNINFO": cluster.conninfo(database, user)})
        return done.returncode, done.stdout, done.stderr
    return run


def test_what_was_imported_is_exported_and_differs_no_more(config):
    status, said, error = config("import", "base.yaml", base=BASE)
    assert status == 0 and "add    sources.erp.tables.dbo.orders" in said and said.endswith("6 changed\n"), (said, error)
    status, text, error = config("export")
    assert status == 0, error
    assert yaml.safe_load(text) == yaml.safe_load(BASE)
    assert config("export")[1] == text
    assert config("diff", "out.yaml", out=text)[:2] == (0, "0 to change\n")


def test_an_overlay_changes_what_it_names_and_diff_only_tells(config):
    config("import", "base.yaml", base=BASE)
    status, said, error = config("diff", "base.yaml", "prod.yaml", prod=PROD)
    assert status == 5, error
    assert sorted(said.splitlines()) == ["3 to change", "alter  sources.erp options.host: dev-sql -> prod-sql", "alter  sources.erp options.port: (not set) -> 1434",
                                         "alter  sources.erp.tables.dbo.orders options.max_file_age: 10 -> (not set)"]
    assert config("diff", "base.yaml")[0] == 0, "diff changed something"
    assert config("import", "base.yaml", "prod.yaml")[0] == 0
    assert config("diff", "base.yaml", "prod.yaml")[0] == 0
    assert yaml.safe_load(config("export")[1])["sources"]["erp"]["options"]["host"] == "prod-sql"


def test_what_only_the_registry_has_stays_unless_it_is_pruned(config):
    config("import", "base.yaml", base=BASE)
    less = BASE.replace("""      dbo."odd.name":
        target: lake
        paused: true
""", "")
    status, said, _ = config("import", "less.yaml", less=less)
    assert status == 0 and 'extra  sources.erp.tables.dbo."odd.name"' in said and said.endswith("0 changed\n")
    status, said, _ = config("import", "less.yaml", "--prune")
    assert status == 0 and 'drop   sources.erp.tables.dbo."odd.name"' in said
    assert config("diff", "less.yaml")[:2] == (0, "0 to change\n")


@pytest.mark.parametrize("was, now, line, said", [
    ("format: csv", "format: exotic", 18, "option format must be one of"),
    ("password_env: ERP_PASSWORD", "password: hunter2", 14, "would store a secret"),
    ("    kind: file", "    kind: folder", 5, "is not a kind of target"),
    ("runners: 3", "runers: 3", 2, "there is no option 'runers'"),
    ("paused: true", "pausd: true", 21, "there is no such member"),
    ("like: 'dbo.new%'", "like: dbo", 23, "is not a pattern"),
    ("user: sluice", "user: [a", 14, "did not find"),
    ("      database: ERP\n", "      database: ERP\n      database: ERP2\n", 13, "twice"),
])
def test_a_wrong_value_is_told_with_its_line_and_nothing_changes(config, was, now, line, said):
    status, _, error = config("import", "wrong.yaml", wrong=BASE.replace(was, now, 1))
    assert status == 1 and f"wrong.yaml:{line}" in error.splitlines()[0] and said in error, error
    assert "hunter2" not in error
    assert yaml.safe_load(config("export")[1]) == {"version": 1, "settings": {}, "targets": {}, "sources": {}}


def test_who_is_no_admin_is_told_who_may(config):
    status, said, error = config("export", user="sluice_worker")
    assert status == 1 and not said and "sluice_admin" in error
    assert config("import")[0] == 2 and config("explode")[0] == 2
