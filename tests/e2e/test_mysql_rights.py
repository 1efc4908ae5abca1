"""The rights that docs/mysql.md tells a DBA to grant are enough, and it is they that are told."""
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "mysql.md"


def statements(kind, user, password, database):
    """Those of the docs for this kind of server, for another user and database."""
    title = {"mariadb": "MariaDB", "mysql": "MySQL"}[kind]
    text = re.search(rf"^{title}:\n```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[1]
    text = re.sub(r"--.*", "", text).replace("'sluice'@'10.0.0.5'", f"'{user}'@'%'").replace("'...'", f"'{password}'").replace("shop.*", f"{database}.*")
    return text.replace(" REQUIRE SSL", "")


def test_rights_that_the_docs_grant_are_enough_to_load_and_follow(mysql_stack):
    stack = mysql_stack
    table, hidden = f"{stack.name}.item", f"{stack.name}_hidden.item"
    user = f"u_{stack.name}"
    stack.write(f"CREATE TABLE {table} (id INT PRIMARY KEY, name VARCHAR(20)); INSERT INTO {table} VALUES (1, 'loaded')")
    stack.write(f"CREATE DATABASE {stack.name}_hidden; CREATE TABLE {hidden} (id INT PRIMARY KEY)")
    stack.write(statements(stack.kind, user, stack.server.password, stack.name))
    stack.register(user=user)
    stack.add_table(table)
    stack.start()
    stack.wait_state(table)
    stack.write(f"INSERT INTO {hidden} VALUES (1); INSERT INTO {table} VALUES (2, 'streamed'); ALTER TABLE {table} ADD n INT DEFAULT 3; UPDATE {table} SET n = 4 WHERE id = 2")
    stack.wait_uploaded(table)
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    wrong = stack.sql('SELECT "check", object, found, fix_sql FROM sluice.check_source(%s) WHERE NOT ok AND severity = \'error\'', stack.name)
    assert not wrong, wrong
    assert stack.sql("SELECT table_name FROM sluice.source_table WHERE schema_name = %s", stack.name + "_hidden") == []
    stack.stop()
    landed = stack.check({table: ["id"]}).fold(table, ["id"])
    assert {key: (row["name"], row.get("n")) for key, row in landed.items()} == {(1,): ("loaded", None), (2,): ("streamed", 4)}
    stack.write(f"DROP DATABASE {stack.name}_hidden; DROP USER '{user}'@'%'")


def test_rows_that_a_foreign_key_changes_are_refused_with_the_rights_of_the_docs(mysql_stack):
    stack = mysql_stack
    user = f"u_{stack.name}"
    stack.write(f"CREATE TABLE {stack.name}.par (id INT PRIMARY KEY); CREATE TABLE {stack.name}.kid (id INT PRIMARY KEY, par INT, "
                f"CONSTRAINT kid_par FOREIGN KEY (par) REFERENCES par (id) ON DELETE CASCADE)")
    stack.write(statements(stack.kind, user, stack.server.password, stack.name))
    stack.register(user=user)
    stack.start()
    stack.sql("CALL sluice.refresh(%s)", stack.name)
    logged = stack.one("SELECT (server ->> 'logs_cascades')::boolean FROM _sluice.source_state")
    call = f"SELECT * FROM sluice.add_table('{stack.name}.{stack.name}.kid')"
    if logged:      # MySQL 9.6 and later
        assert stack.sql(call)
    else:
        state, message, hint = stack.error(call)
        assert state == "42830" and "kid_par" in message and "accept" in hint, (state, message, hint)
        stack.add_table(f"{stack.name}.kid", cascade="accept")
        assert "inexact" in stack.wait_state(f"{stack.name}.kid")["message"]
    stack.stop()
    stack.write(f"DROP USER '{user}'@'%'")
