"""How the worker gets into a MySQL or MariaDB server: TLS and whom it trusts, rights that are missing, a password that stays one."""
import pathlib

import pytest

from s3server import certify


def filled(stack):
    stack.write("CREATE TABLE item (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO item VALUES (1, 'one')")
    return f"{stack.name}.item"


def lands(stack, table, **source_options):
    stack.register(**source_options)
    stack.add_table(table)
    stack.start()
    stack.wait_state(table)
    stack.write("INSERT INTO item VALUES (2, 'two')")
    stack.wait_uploaded(table)
    assert {row["v"] for row in stack.check({table: ["id"]}).fold(table, ["id"]).values()} == {"one", "two"}
    stack.stop()


@pytest.fixture
def login(mysql_server):
    """login(text): changes the capture user; it is as before at the end."""
    name = f"'{mysql_server.login}'@'%'"
    yield lambda text: mysql_server.exec_sql(text.format(name))
    mysql_server.exec_sql(f"SET sql_log_bin = 0; ALTER USER {name} REQUIRE NONE; GRANT {mysql_server.capture_rights} ON *.* TO {name}; FLUSH PRIVILEGES")


def test_tls_is_verified_against_the_authority_and_the_name(mysql_stack, login):
    login("ALTER USER {} REQUIRE SSL")
    lands(mysql_stack, filled(mysql_stack), encryption="require", ca_file=str(mysql_stack.server.ca_file), check_hostname=True)


def test_server_of_another_authority_is_refused(mysql_stack, workdir):
    stack = mysql_stack
    stack.register(encryption="require", ca_file=str(certify(workdir / f"other-{stack.name}")))
    stack.start()
    message = stack.wait(lambda: stack.one("SELECT message FROM sluice.source_status WHERE last_state = 'error'"), "the source says why")
    assert "certificate" in message.lower() or "tls" in message.lower(), message
    stack.stop()


def test_password_is_told_to_a_server_without_tls_only_as_its_plugin_demands(mysql_stack):
    lands(mysql_stack, filled(mysql_stack), encryption="off")
    secret = mysql_stack.server.password
    assert secret not in mysql_stack.log()
    for (schema, name) in mysql_stack.sql("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = '_sluice'"):
        assert not any(secret in text for (text,) in mysql_stack.sql(f'SELECT row_to_json(x)::text FROM "{schema}"."{name}" x')), name
    assert not any(secret.encode() in path.read_bytes() for path in mysql_stack.target_folder.rglob("*") if pathlib.Path(path).is_file())


def test_missing_right_is_named_with_the_statement_that_grants_it(mysql_stack, login):
    stack = mysql_stack
    table = filled(stack)
    login("REVOKE REPLICATION SLAVE ON *.* FROM {}")
    stack.register()
    stack.start()
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    told = stack.sql("SELECT found, fix_sql FROM sluice.check_source(%s) WHERE NOT ok", stack.name)
    assert any("GRANT REPLICATION SLAVE" in (fix or "") for _, fix in told), told
    login(f"GRANT {stack.server.capture_rights} ON *.* TO {{}}")
    stack.add_table(table)
    stack.wait_state(table)
    stack.stop()
