"""docs/sql-reference.md: every view, function and procedure of schema sluice, from the COMMENTs of an installed extension.

    python tests/harness/sqldoc.py [--check]      writes the page; --check: exit code 1 where it is not what the extension says
"""
import pathlib
import sys
import tempfile

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cluster import Cluster  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "sql-reference.md"
ROLES = ("sluice_admin", "sluice_operator", "sluice_reader", "sluice_federation")
HEAD = """# SQL reference

Everything in schema `sluice`, as the extension describes itself (`make docs` writes this page from the COMMENTs; a test compares it). *May call* names the roles that are granted it; sluice_admin may call
everything. `SELECT * FROM sluice.option;` and `SELECT * FROM sluice.setting;` list options and settings with their defaults: they are at the end.
"""
VIEWS = """
    SELECT c.relname, obj_description(c.oid, 'pg_class'), string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relnamespace = 'sluice'::regnamespace AND c.relkind = 'v' GROUP BY c.oid, c.relname ORDER BY 1"""
FUNCTIONS = """
    SELECT p.proname, pg_get_function_arguments(p.oid), CASE p.prokind WHEN 'p' THEN NULL ELSE pg_get_function_result(p.oid) END, obj_description(p.oid, 'pg_proc'),
        ARRAY(SELECT r FROM unnest(%s::text[]) WITH ORDINALITY u(r, n) WHERE has_function_privilege(r, p.oid, 'EXECUTE') ORDER BY n)
    FROM pg_proc p WHERE p.pronamespace = 'sluice'::regnamespace ORDER BY 1, 2"""
OPTIONS = """
    SELECT scope, name, type || coalesce(' (' || array_to_string(choices, ', ') || ')', '') || CASE WHEN required THEN ', required' ELSE '' END, default_value, doc
    FROM _sluice.option ORDER BY scope = 'setting', scope, name"""


def cell(text):
    return str(text if text is not None else "").replace("|", "\\|").replace("\n", " ")


def page(connection):
    lines = [HEAD, "\n## Views\n| view | what it shows | columns |\n|---|---|---|\n"]
    for name, comment, columns in connection.execute(VIEWS):
        lines.append(f"| `{name}` | {cell(comment)} | {cell(columns)} |\n")
    lines.append("\n## Functions\n")
    for name, arguments, result, comment, roles in connection.execute(FUNCTIONS, (list(ROLES),)):
        call = f"CALL sluice.{name}({arguments})" if result is None else f"sluice.{name}({arguments})\n    RETURNS {result}"
        others = [role for role in roles if role != "sluice_admin"]
        lines.append(f"### {name}\n```\n{call}\n```\n{comment}\n\n*May call:* sluice_admin{''.join(', ' + role for role in others)}.\n\n")
    lines.append("## Options and settings\n| of | name | type | default | meaning |\n|---|---|---|---|---|\n")
    for row in connection.execute(OPTIONS):
        lines.append("| " + " | ".join(cell(value) for value in row) + " |\n")
    return "".join(lines)


def generate():
    with tempfile.TemporaryDirectory(prefix="sluice-doc-") as folder:
        pathlib.Path(folder).chmod(0o755)
        with Cluster(pathlib.Path(folder) / "pg") as cluster:
            cluster.psql("CREATE DATABASE doc", database="postgres")
            with psycopg.connect(cluster.conninfo("doc", "postgres"), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION sluice")
                return page(connection)


def main():
    text = generate()
    if "--check" in sys.argv:
        same = PAGE.exists() and PAGE.read_text() == text
        print("docs/sql-reference.md is what the extension says" if same else "docs/sql-reference.md is not what the extension says: make docs")
        return 0 if same else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
