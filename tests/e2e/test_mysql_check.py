"""What the doctor says of a MySQL or MariaDB server whose settings or rights are not what capture needs: which step
fails, and the statement that mends it. What only a configuration file mends is told in words, once, with MariaDB."""
import itertools

import pytest

from mysqlserver import MariaDB, MySQL

names = itertools.count(1)
SERVERS = [pytest.param(kind, id=kind.kind) for kind in (MariaDB, MySQL)]


@pytest.fixture(scope="module", params=SERVERS)
def server(request, workdir):
    """A server of this module's own, since its settings are changed."""
    if request.param.missing():
        pytest.skip(f"{request.param.kind} is not available on this machine ({request.param.missing()})")
    with request.param(workdir / f"check-{request.param.kind}") as made:
        made.exec_sql("CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY)")
        yield made


def told(stack):
    names = ("check", "object", "ok", "severity", "found", "wanted", "fix_sql")
    return [dict(zip(names, row)) for row in
            stack.sql('SELECT "check", object, ok, severity, found, wanted, fix_sql FROM sluice.check_source(%s)', stack.name)]


@pytest.fixture
def doctor(cluster, server, workdir):
    """doctor() -> the failed steps of a fresh check, {(check, object): row}."""
    from stack import MySQLStack
    stack = MySQLStack(cluster, server, workdir, f"check{next(names)}")
    stack.register()
    stack.start()

    def steps():
        stack.sql("CALL sluice.refresh(%s)", stack.name)
        rows = told(stack)
        bare = [row for row in rows if row["ok"] is False and not row["fix_sql"] and not row["wanted"]]
        assert not bare, bare
        return {(row["check"], row["object"]): row for row in rows}

    yield steps
    stack.close()
    stack.forget()


def failed(steps, check):
    return [row for (name, _), row in steps.items() if name == check and row["ok"] is False]


def mended(server, steps, check):
    """The fix of a failed step, run as it stands by an administrator."""
    for row in failed(steps, check):
        server.exec_sql(row["fix_sql"].split(" -- ")[0])


SETTINGS = {"binlog_format": ("STATEMENT", "error"), "binlog_row_image": ("MINIMAL", "error"), "binlog_row_metadata": ("MINIMAL", "warning")}


def test_each_wrong_setting_is_told_with_the_statement_that_mends_it(server, doctor):
    steps = doctor()
    assert not [row for row in steps.values() if row["ok"] is False], steps
    seconds = server.query("SHOW GLOBAL VARIABLES LIKE 'binlog_expire_logs_seconds'")
    try:
        for name, (value, severity) in SETTINGS.items():
            server.exec_sql(f"SET GLOBAL {name} = '{value}'")
        server.exec_sql("SET GLOBAL binlog_expire_logs_seconds = 7200")
        if server.kind == "mysql":
            server.exec_sql("SET GLOBAL binlog_row_value_options = 'PARTIAL_JSON'")
        steps = doctor()
        for name, (value, severity) in SETTINGS.items():
            (row,) = failed(steps, name)
            assert row["found"].startswith(value) and row["severity"] == severity, row
            mended(server, steps, name)
        (row,) = failed(steps, "retention")
        assert row["found"].startswith("2 hours"), row
        mended(server, steps, "retention")
        assert bool(failed(steps, "binlog_row_value_options")) == (server.kind == "mysql")
        mended(server, steps, "binlog_row_value_options")
        steps = doctor()
        assert not [row for row in steps.values() if row["ok"] is False], steps
    finally:
        for name in SETTINGS:
            server.exec_sql(f"SET GLOBAL {name} = '{'ROW' if name == 'binlog_format' else 'FULL'}'")
        server.exec_sql(f"SET GLOBAL binlog_expire_logs_seconds = {seconds[0][1]}")


def test_each_missing_right_is_told_with_its_grant(server, doctor):
    monitor = "BINLOG MONITOR" if server.kind == "mariadb" else "REPLICATION CLIENT"
    (account,) = [row[0] for row in server.query("SELECT CONCAT('''', User, '''@''', Host, '''') FROM mysql.user WHERE User = %s", server.login)]
    for right in (monitor, "REPLICATION SLAVE", "SELECT"):
        server.exec_sql(f"REVOKE {right} ON *.* FROM {account}")
        try:
            steps = doctor()
            (row,) = [row for row in failed(steps, "rights") if row["object"] == right]
            assert right in row["fix_sql"] and account in row["fix_sql"], row
            mended(server, steps, "rights")
            assert not failed(doctor(), "rights")
        finally:
            server.exec_sql(f"GRANT {right} ON *.* TO {account}")


@pytest.mark.parametrize("server", SERVERS[:1], indirect=True)
def test_a_filter_of_the_log_is_an_error(server, doctor):
    server.restart(binlog_ignore_db="other")
    try:
        (row,) = failed(doctor(), "binlog_filter")
        assert "other" in row["found"] and row["severity"] == "error" and "binlog_ignore_db" in row["wanted"]
    finally:
        server.options.pop("binlog_ignore_db", None)
        server.restart()


@pytest.mark.parametrize("server", SERVERS[:1], indirect=True)
def test_a_server_without_a_log_is_told_and_nothing_behind_it_is_asked(server, doctor):
    log = server.options.get("log_bin", "binlog")
    server.restart(log_bin=None)
    try:
        steps = doctor()
        assert failed(steps, "log_bin")
        assert all(row["ok"] is None for (name, _), row in steps.items() if name in ("binlog_format", "gtid", "retention", "rights")), steps
    finally:
        server.restart(log_bin=log)


def test_a_server_of_the_other_kind_is_told(server, cluster, workdir):
    from stack import MySQLStack

    class Other(MySQLStack):
        def create_source(self):
            """It has none: nothing gets as far as a table."""

    stack = Other(cluster, server, workdir, f"check{next(names)}")
    stack.kind = "mysql" if server.kind == "mariadb" else "mariadb"
    try:
        stack.register()
        stack.start()
        stack.sql("CALL sluice.refresh(%s)", stack.name)
        rows = told(stack)
        (row,) = [row for row in rows if row["check"] == "kind"]
        assert row["ok"] is False and f"'{server.kind}'" in row["found"], rows
    finally:
        stack.close()
