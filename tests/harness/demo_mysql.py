"""make demo-mysql: a real MariaDB, the retail sample (dataset_retail.py) in AWS DMS's layout, and a consumer that knows only that layout."""
import json

import dataset_retail as retail
from cluster import wait_until
from demo import SOURCE, WAIT_S, farewell, run, say, secret, show_query, sql_of
from mysqlserver import MariaDB

PREFIX = "data"
PAUSE_S = 2.0
OPTIONS = {**retail.OPTIONS, "max_file_age": 2}


def start(demo, cluster):
    server = MariaDB(demo.dir / "mariadb").start()
    demo.save(server=server.pid())
    say(f"MariaDB {server.version()} runs on 127.0.0.1:{server.port}")
    retail.create(server)
    retail.populate(server)
    say(f"database {retail.DATABASE}: " + ", ".join(f"{count} {table}" for table, count in retail.COUNTS.items()) + "; transactions refer to the others")
    register(demo, cluster, server)
    wait_until(lambda: all_stream(cluster), WAIT_S, "the tables stream", 0.2)
    say("all four tables are loaded and follow the log")
    retail.modify(server, pause_s=PAUSE_S, say=say)
    for table in retail.COUNTS:
        cluster.psql(f"SELECT sluice.wait_for('{SOURCE}.{retail.DATABASE}.{table}', 'uploaded', clock_timestamp(), '60 s')")
    show_query(cluster, "SELECT * FROM sluice.status;")
    consume(demo, cluster, server)
    farewell(demo, cluster, f"MariaDB: mariadb -S {server.socket} -u {server.admin} -p{server.password} {retail.DATABASE}")


def register(demo, cluster, server):
    lake = demo.dir / "lake"
    lake.mkdir(exist_ok=True)
    password = secret(demo.dir / "mariadb.password", server.password)
    run(cluster, [
        f"SELECT * FROM sluice.add_source('{SOURCE}', 'mariadb', host => '{server.host}', port => {server.port}, \"user\" => '{server.login}', "
        f"password_file => {sql_of(password)})",
        f"SELECT * FROM sluice.add_target('lake', 'file', path => {sql_of(lake)}, prefix => '{PREFIX}')",
        f"CALL sluice.refresh('{SOURCE}')",
    ])
    show_query(cluster, f"SELECT \"check\", ok, found FROM sluice.check_source('{SOURCE}');")
    run(cluster, [f"SELECT * FROM sluice.add_tables('{SOURCE}', '{retail.DATABASE}.%', 'lake', '{json.dumps(OPTIONS)}')"])


def all_stream(cluster):
    return cluster.psql("SELECT count(*) FROM sluice.table_status WHERE state = 'streaming'") == str(len(retail.COUNTS))


def consume(demo, cluster, server):
    from reader import FolderStore
    store = FolderStore(demo.dir / "lake", PREFIX)
    print(f"What landed in {store}, folded by Op in the order of {retail.SEQUENCE}, by a reader that knows only AWS DMS's layout:")
    for table in retail.COUNTS:
        landed, folded, problems = retail.consume(server, store, table, defaults(cluster, table))
        assert not problems, problems[:10]
        print(f"  {table}: {len(landed.load)} + {len(landed.changes)} files, {len(landed.all())} rows -> {len(folded)} rows, every value as in MariaDB")
        if table == "customers":
            updates = [row["dmsTimestamp"] for row in landed.all() if row["id"] == "1" and row["Op"] == "U"]
            print(f"    customer 1: {len(updates)} updates in {len(set(updates))} different seconds, in the order in which they were made")
        if table == "stores":
            show_stores(landed, folded)
    print(flush=True)


def defaults(cluster, table):
    """{column: what rows have in files from before it was added}, as the table's schema version carries it."""
    return json.loads(cluster.psql(retail.DEFAULTS.replace("%s", f"'{SOURCE}.{retail.DATABASE}.{table}'")))


def show_stores(landed, folded):
    for name in (landed.load[0], landed.changes[-1]):
        print(f"    {name}\n      " + "\n      ".join(landed.store.read(name).decode().splitlines()[:2]))
    countries = [str(row["country"]) for row in folded.values()]
    print(f"    country: {', '.join(f'{countries.count(c)} x {c}' for c in sorted(set(countries)))}; rows from before the column have its default")
