"""A small shop chain in MySQL or MariaDB: four tables, made, filled and changed, and a column that comes later.

The story of a well-known sample for AWS DMS: 25 products, 100 customers, 20 stores and 1000 transactions that refer to them; then
rounds of updates of customers and stores, and after the fourth `ALTER TABLE stores ADD country`. What lands is in the layout of AWS DMS,
and consume() is a reader that knows only that layout.
"""
import random
import time

DATABASE = "retail"
COUNTS = {"products": 25, "customers": 100, "stores": 20, "transactions": 1000}
ALTER_AFTER = 4
ALTER = "ALTER TABLE stores ADD country VARCHAR(3) DEFAULT 'US'"
SEQUENCE = "AR_H_CHANGE_SEQ"
OPTIONS = {"profile": "dms", "include_op_for_full_load": True, "timestamp_column_name": "dmsTimestamp", "change_seq_column": SEQUENCE}
# What rows have in files that lack a column: its table's schema version says so.
DEFAULTS = """SELECT coalesce(jsonb_object_agg(c ->> 'name', c ->> 'default'), '{}') FROM sluice.schema_version, jsonb_array_elements(definition) c
    WHERE current AND c ? 'since' AND table_name = %s"""

# Referring without ON DELETE CASCADE: what the server does by itself in a child table is in no log.
SCHEMA = """
CREATE TABLE products (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, category ENUM('tools','garden','kitchen','café') NOT NULL,
    price DECIMAL(10,2) NOT NULL, weight_kg FLOAT, discontinued BOOLEAN NOT NULL DEFAULT FALSE) CHARACTER SET utf8mb4;
CREATE TABLE customers (id INT PRIMARY KEY, first_name VARCHAR(40) NOT NULL, last_name VARCHAR(40) NOT NULL, email VARCHAR(120) NOT NULL,
    city VARCHAR(60), born DATE, points INT UNSIGNED NOT NULL DEFAULT 0, joined TIMESTAMP(3) NULL) CHARACTER SET utf8mb4;
CREATE TABLE stores (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, city VARCHAR(60) NOT NULL, manager VARCHAR(80), opened YEAR,
    opens_at TIME, rating DECIMAL(3,1)) CHARACTER SET utf8mb4;
CREATE TABLE transactions (id BIGINT UNSIGNED PRIMARY KEY, customer_id INT NOT NULL, store_id INT NOT NULL, product_id INT NOT NULL,
    quantity SMALLINT UNSIGNED NOT NULL, amount DECIMAL(12,2) NOT NULL, happened_at DATETIME(6) NOT NULL, note VARCHAR(200),
    FOREIGN KEY (customer_id) REFERENCES customers (id), FOREIGN KEY (store_id) REFERENCES stores (id),
    FOREIGN KEY (product_id) REFERENCES products (id)) CHARACTER SET utf8mb4;
"""
FIRST = ("Ana", "Björn", "Chloé", "Dmitri", "Eve", "Faisal", "Grace", "Hana", "Iván", "Jürgen")
LAST = ("Abe", "Brown", "Costa", "Díaz", "Evans", "Fischer", "Gómez", "Haddad", "Ito", "Jansen")
CITIES = ("Austin", "Boston", "Chicago", "Denver", "El Paso", "Fresno", "Málaga Cove", "O'Fallon")


def create(server):
    server.exec_sql(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
    server.exec_sql(SCHEMA, database=DATABASE)


def populate(server, seed=2022):
    r = random.Random(seed)
    rows = {
        "products": [(n, f'item "{n}", {r.choice(LAST)}', r.choice(("tools", "garden", "kitchen", "café")), r.randint(99, 99999) / 100,
                      r.choice((None, r.uniform(0.01, 40))), r.random() < 0.1) for n in range(1, COUNTS["products"] + 1)],
        "customers": [(n, r.choice(FIRST), r.choice(LAST), f"c{n}@example.com", r.choice((None, *CITIES)), f"{r.randint(1940, 2005)}-{r.randint(1, 12):02}-17", 0,
                       f"2022-{r.randint(1, 12):02}-{r.randint(1, 28):02} 08:{r.randint(0, 59):02}:00.{r.randrange(1000):03}") for n in range(1, COUNTS["customers"] + 1)],
        "stores": [(n, f"store {n}", r.choice(CITIES), None, r.randint(1960, 2022), f"0{r.randint(6, 9)}:30:00", r.randint(10, 50) / 10)
                   for n in range(1, COUNTS["stores"] + 1)],
        "transactions": [transaction(n, r) for n in range(1, COUNTS["transactions"] + 1)],
    }
    with server.connect(DATABASE) as connection, connection.cursor() as cursor:
        for table, values in rows.items():
            cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(values[0]))})", values)


def transaction(n, r):
    return (n, r.randint(1, COUNTS["customers"]), r.randint(1, COUNTS["stores"]), r.randint(1, COUNTS["products"]), r.randint(1, 9), r.randint(99, 999999) / 100,
            f"2022-09-{r.randint(1, 30):02} {r.randint(8, 20):02}:{r.randint(0, 59):02}:07.{r.randrange(10 ** 6):06}", r.choice((None, "", 'said "later",\nthen paid')))


def modify(server, rounds=8, pause_s=2.0, say=lambda text: None, seed=7):
    """Each statement is a transaction. Customer 1 gets two points a round, one by one in the same second: `points` counts its updates."""
    r = random.Random(seed)
    with server.connect(DATABASE) as connection, connection.cursor() as cursor:
        for n in range(1, rounds + 1):
            for _ in range(2):
                cursor.execute("UPDATE customers SET points = points + 1 WHERE id = 1")
            for customer in r.sample(range(2, COUNTS["customers"] + 1), 10):
                cursor.execute("UPDATE customers SET email = %s, city = %s WHERE id = %s", (f"c{customer}.{n}@example.com", r.choice(CITIES), customer))
            for store in r.sample(range(1, COUNTS["stores"] + 1), 3):
                cursor.execute("UPDATE stores SET manager = %s, rating = %s WHERE id = %s", (r.choice(FIRST), r.randint(10, 50) / 10, store))
            cursor.execute(f"INSERT INTO transactions VALUES ({', '.join(['%s'] * 8)})", transaction(COUNTS["transactions"] + n, r))
            cursor.execute("DELETE FROM transactions WHERE id = %s", (n,))
            if n > ALTER_AFTER:
                cursor.execute("UPDATE stores SET country = 'CA' WHERE id = %s", (n,))
                cursor.execute("INSERT INTO stores (id, name, city) VALUES (%s, %s, 'Austin')", (COUNTS["stores"] + n, f"store {COUNTS['stores'] + n}"))
            say(f"round {n}: customers, stores and transactions change")
            if n == ALTER_AFTER:
                cursor.execute(ALTER)
                say(ALTER)
            time.sleep(pause_s)


def consume(server, store, table, defaults):
    """(DmsTable, its fold, problems): the files of a table, folded by Op in the order of the sequence, against the server's rows, every value."""
    from dms_reader import DmsTable
    from mysqlvalues import columns_of, differences, source_rows
    columns, key = columns_of(server, DATABASE, f"{DATABASE}.{table}")
    landed = DmsTable(store, f"{DATABASE}/{table}", columns, key, defaults=defaults)
    folded = landed.fold(SEQUENCE)
    found = differences(columns, key, folded, source_rows(server, DATABASE, table, columns))
    if table == "customers":
        points = [int(row["points"]) for row in sorted(landed.all(), key=lambda row: row[SEQUENCE]) if row["id"] == "1"]
        found += [f"customer 1 had points in the order {points}"] if points != list(range(len(points))) else []
    return landed, folded, found
