"""The demo's inventory: tests/peers/mssql/samples/inventory.sql, and a small shop that keeps writing to it."""
import random
import re
import time

from cluster import ROOT

SAMPLE = ROOT / "tests" / "peers" / "mssql" / "samples" / "inventory.sql"
DATABASE = re.search(r"CREATE DATABASE \[?(\w+)", SAMPLE.read_text(), re.IGNORECASE).group(1)
TABLES = 4
PAUSE_S = 0.2


def create(simulator, say):
    simulator.exec_script(SAMPLE)
    count = len(simulator.query("SELECT name FROM sys.tables WHERE is_tracked_by_cdc = 1", DATABASE))
    say(f"SQL Server's simulator listens on port {simulator.port}; database {DATABASE} has {count} captured tables")


def enough(tables):
    """{name: (state, rows loaded, rows changed)}: every table streams and changes of the workload have landed."""
    return all(state == "streaming" for state, _, _ in tables.values()) and sum(t[2] for t in tables.values()) > 0


def steps(connection, rng):
    """One turn of the shop: an order comes in, stock goes down, now and then someone moves or an order is cancelled."""
    def one(sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    customers = [row[0] for row in one("SELECT id FROM dbo.customers")]
    products = [row[0] for row in one("SELECT product_id FROM dbo.products_on_hand")]
    while True:
        product, customer, quantity = rng.choice(products), rng.choice(customers), rng.randint(1, 5)
        one("BEGIN TRANSACTION")
        one("INSERT INTO dbo.orders (order_date, purchaser, quantity, product_id) "
            f"VALUES ('{time.strftime('%Y-%m-%d')}', {customer}, {quantity}, {product})")
        one(f"UPDATE dbo.products_on_hand SET quantity = {rng.randint(0, 500)} WHERE product_id = {product}")
        one("COMMIT")
        if rng.random() < 0.1:
            one(f"UPDATE dbo.customers SET email = 'c{customer}.{rng.randint(1, 9999)}@example.com' WHERE id = {customer}")
        if rng.random() < 0.1:
            orders = [row[0] for row in one("SELECT id FROM dbo.orders")]
            if len(orders) > 50:
                one(f"DELETE FROM dbo.orders WHERE id = {orders[0]}")
        yield


def workload(simulator):
    """Until it is killed; a lost connection is opened again."""
    rng = random.Random(7)
    while True:
        try:
            with simulator.connect(DATABASE) as connection:
                for _ in steps(connection, rng):
                    time.sleep(PAUSE_S)
        except Exception as error:  # whatever it was is in the log, and the shop stays open
            print(repr(error), flush=True)
            time.sleep(2)
