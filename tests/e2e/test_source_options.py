"""What options of a source and a table promise: read-only intent on the wire, a limit on values, a secret that stays one."""
import pathlib
import re


def table_with_text(stack, name, text_bytes):
    stack.tsql(f"CREATE TABLE dbo.{name} (id int NOT NULL PRIMARY KEY, doc varchar(max) NULL)")
    stack.enable_cdc(f"dbo.{name}")
    stack.tsql(f"INSERT INTO dbo.{name} VALUES (1, 'short'), (42, '{'x' * text_bytes}')")
    return f"dbo.{name}"


def logins(simulator):
    return [line for line in simulator.log_file.read_text(errors="replace").splitlines() if re.search(r"\brefused=", line)]


def test_read_only_intent_is_seen_on_the_wire(stack):
    table = table_with_text(stack, "t0", 10)
    before = len(logins(stack.simulator))
    stack.register(application_intent="readonly")
    stack.add_table(table)
    stack.start()
    stack.wait_state(table)
    stack.stop()
    ours = [line for line in logins(stack.simulator)[before:] if "sluice" in line and stack.name in line]
    assert ours and all("read_only=1" in line for line in ours), ours


def test_value_beyond_the_limit_stops_its_table_naming_key_and_column(stack):
    small, large = table_with_text(stack, "small", 10), table_with_text(stack, "large", 3000)
    stack.register()
    stack.add_table(small)
    stack.add_table(large, max_value_bytes=2048)
    stack.start()
    row = stack.wait_state(large, "error")
    assert "doc" in row["message"] and "id=42" in row["message"] and "2048" in row["message"], row["message"]
    assert "max_value_bytes" in row["hint"]
    stack.wait_state(small)
    stack.sql("SELECT * FROM sluice.alter_table(%s, %s::jsonb)", stack.table_name(large), '{"max_value_bytes": 4096}')
    stack.sql("SELECT sluice.resume_table(%s)", stack.table_name(large))
    stack.wait_state(large)
    stack.wait_uploaded(large)
    assert stack.check({large: ["id"]}).fold(large, ["id"])[(42,)]["doc"] == "x" * 3000
    stack.stop()


def test_password_stands_in_no_log_table_title_or_landed_file(stack):
    secret = stack.simulator.password
    table = table_with_text(stack, "t0", 10)
    stack.register()
    stack.add_table(table)
    worker = stack.start()
    stack.wait_state(table)
    for pid in [worker.pid, *(pid for pid, _ in stack.children())]:
        assert secret.encode() not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    stack.stop()
    assert secret not in stack.log()
    for (schema, name) in stack.sql("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = '_sluice'"):
        rows = stack.sql(f'SELECT row_to_json(x)::text FROM "{schema}"."{name}" x')
        assert not any(secret in text for (text,) in rows), name
    assert not any(secret.encode() in path.read_bytes() for path in stack.target_folder.rglob("*") if path.is_file())
