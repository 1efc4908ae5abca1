"""`make demo-mysql`, shortened: the retail sample in AWS DMS's layout, on both servers, and the order of what happened in one second."""
import dataset_retail as retail


def test_retail_sample_is_what_a_reader_of_dms_folders_gets(make_mysql_stack):
    stack = make_mysql_stack(create=False)
    stack.server.exec_sql(f"DROP DATABASE IF EXISTS {retail.DATABASE}")
    retail.create(stack.server)
    retail.populate(stack.server)
    assert {table: stack.server.query(f"SELECT count(*) FROM {table}", database=retail.DATABASE)[0][0] for table in retail.COUNTS} == retail.COUNTS
    stack.register()
    tables = {table: f"{retail.DATABASE}.{table}" for table in retail.COUNTS}
    for table in tables.values():
        stack.add_table(table, **retail.OPTIONS)
    stack.start()
    for table in tables.values():
        stack.wait_state(table)
    retail.modify(stack.server, rounds=6, pause_s=0.3)
    stack.wait_uploaded(*tables.values())
    for table, name in tables.items():
        landed, folded, problems = retail.consume(stack.server, stack.store(), table, stack.one(retail.DEFAULTS, stack.table_name(name)))
        assert not problems, "\n".join(problems[:10])
        assert landed.load and (landed.changes or table == "products")
        told = [(key.removeprefix(stack.prefix + "/"), rows) for key, rows in stack.sql(
            "SELECT key, rows FROM sluice.file WHERE table_name = %s AND state = 'landed'", stack.table_name(name))]
        problems = landed.problems(retail.SEQUENCE, told)
        assert not problems, "\n".join(problems[:10])
        assert stack.status(name)["epoch"] == 1, "a column that is added needs no second load"
    assert stack.one("SELECT count(*) FROM sluice.schema_version WHERE table_name = %s", stack.table_name(tables["stores"])) == 2
    stack.stop()
