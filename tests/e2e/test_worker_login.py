"""The worker at PostgreSQL's door: a refused login names what lets it in, a superuser is refused, a missing extension is told."""
import os
import subprocess

from cluster import default_worker

REFUSED, ABSENT = 3, 4


def run(conninfo):
    """(exit code, log) of a worker that is not to stay."""
    result = subprocess.run([default_worker(), "run"], env={**os.environ, "SLUICE_CONNINFO": conninfo}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
    return result.returncode, result.stdout.decode(errors="replace")


def test_refused_password_names_the_line_that_lets_the_role_in(stack):
    secret = "wrong-password-3141"
    code, log = run(f"host=127.0.0.1 port={stack.cluster.port} dbname={stack.database} user=sluice_worker password={secret}")
    assert code == REFUSED, log
    assert "pg_hba.conf" in log and f"host {stack.database} sluice_worker" in log and "pg_reload_conf" in log
    assert secret not in log


def test_refused_peer_names_the_ident_line(stack):
    stack.sql("ALTER ROLE sluice_worker NOLOGIN")
    try:
        code, log = run(stack.cluster.conninfo(stack.database, "sluice_worker"))
    finally:
        stack.sql("ALTER ROLE sluice_worker LOGIN")
    assert code == REFUSED, log
    assert "pg_hba.conf" in log and "pg_ident.conf" in log


def test_superuser_is_refused(stack):
    code, log = run(stack.cluster.conninfo(stack.database, "postgres"))
    assert code == REFUSED, log
    assert "superuser" in log and "HINT" in log


def test_database_without_sluice_is_told_by_the_exit_code(stack):
    code, log = run(stack.cluster.conninfo("template1", "sluice_worker"))
    assert code == ABSENT, log


def test_no_conninfo_says_where_it_may_come_from():
    environment = {name: value for name, value in os.environ.items() if name != "SLUICE_CONNINFO"}
    result = subprocess.run([default_worker(), "run"], env=environment, capture_output=True, timeout=30, check=False)
    assert result.returncode == REFUSED
    assert b"SLUICE_CONNINFO" in result.stderr and b"--conninfo-file" in result.stderr
