#!/usr/bin/env python3
"""What the simulator promises on the wire, seen by a client that knows every byte it sends.

usage: wire_test.py MSSQL_SIM CONNINFO

CONNINFO names an empty PostgreSQL database. Starts and ends the simulator itself. Prints `ok` / `not ok` lines.
"""
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from tds_client import ATTENTION, BATCH, LOGIN, RPC, TRANSACTION, Client, batch, call, int_parameter, packet, text_parameter

PASSWORD = "Secret1!"
MORE, ERROR, COUNT, STOPPED = 1, 2, 0x10, 0x20
ROWS = 20000


class Test:
    def __init__(self, binary, conninfo, folder):
        self.binary, self.conninfo, self.folder = binary, conninfo, folder
        self.number = self.failed = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def check(self, good, what, found=""):
        self.number += 1
        self.failed += not good
        print("%s %d - %s%s" % ("ok" if good else "not ok", self.number, what, "" if good else "  # " + repr(found)))

    def start(self, *options):
        if os.path.exists(self.path("ready")):
            os.unlink(self.path("ready"))
        self.process = subprocess.Popen(
            [self.binary, "--conninfo", self.conninfo, "--port", "0", "--log", self.path("log"), "--fault-file",
             self.path("fault"), "--ready-file", self.path("ready"), *options],
            env=dict(os.environ, MSSQL_SIM_PASSWORD=PASSWORD), stdout=subprocess.DEVNULL)
        for _ in range(300):
            if os.path.exists(self.path("ready")):
                self.port = int(open(self.path("ready")).read())
                return
            time.sleep(0.1)
        raise SystemExit("the simulator did not start")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def client(self, **options):
        client = Client(self.port)
        client.login(PASSWORD, **options)
        return client

    def fault(self, *lines):
        with open(self.path("fault.new"), "w") as file:
            file.write("\n".join(lines) + "\n")
        os.rename(self.path("fault.new"), self.path("fault"))

    def log(self):
        return open(self.path("log")).read().splitlines()

    def logins(self):
        client = Client(self.port)
        answer = client.login(PASSWORD, size=32767, read_only=True)
        self.check(0xAD in answer.tokens and not answer.errors, "the right password is let in", answer.errors)
        self.check(answer.changes.get(4) == "32767", "the packet size asked for is granted", answer.changes)
        self.check(answer.changes.get(1) == "master", "a login without database lands in master", answer.changes)
        self.check(" read_only=1 refused=0" in self.log()[-1], "the log tells the read-only intent", self.log()[-1])
        client.send(packet(BATCH, batch("SELECT id, t FROM wire.dbo.big")))
        payload, largest = client.message()
        self.check(largest == 32767, "answers come in packets of that size", largest)
        client.close()
        refusals = [("a wrong password", 18456, dict(password="Secret2!")), ("an unknown login", 18456, dict(user="nobody")),
                    ("an unknown database", 4060, dict(database="nowhere")), ("integrated security", 18452,
                    dict(integrated=True)), ("TDS 7.1", 17835, dict(version=0x71000001))]
        for what, number, options in refusals:
            client = Client(self.port)
            answer = client.login(options.pop("password", PASSWORD), **options)
            self.check(number in answer.errors and 0xAD not in answer.tokens, "%s gets %d" % (what, number), answer.errors)
            client.close()

    def batches(self):
        client = self.client()
        answer = client.sql("SELECT 7 AS a, N'h\u00e9\U0001F600' AS b")
        self.check(answer.values == [[7, "h\u00e9\U0001F600"]], "values come back", answer.values)
        self.check([name for name, _ in answer.columns] == ["a", "b"], "columns have their names", answer.columns)
        self.check(answer.done == [(0xFD, COUNT, 1)], "one statement, one DONE with its count", answer.done)
        answer = client.sql("SELECT 1 AS a; SELECT 2 AS a")
        self.check([d[1] for d in answer.done] == [COUNT | MORE, COUNT], "only the last DONE is without more", answer.done)
        answer = client.sql("SELECT * FROM dbo.no_such_table")
        self.check(answer.errors == [208] and answer.done[-1][1] == ERROR, "an error marks its DONE", answer.done)
        answer = client.sql("FROBNICATE the database")
        self.check(answer.errors and answer.done[-1][1] & ERROR, "an unknown statement is an error", answer.tokens)
        answer = client.sql("SELECT N'" + "x" * 30000 + "' AS a WHERE 1 = 0")
        self.check(not answer.errors and answer.rows == 0, "a request of several packets is put together", answer.errors)
        client.close()

    def calls(self):
        client = self.client()
        answer = client.ask(RPC, call(10, text_parameter("SELECT @a AS a, @b AS b"),
                                      text_parameter("@a int, @b nvarchar(20)"), int_parameter(5, "@a"),
                                      text_parameter("z", "@b")))
        self.check(answer.values == [[5, "z"]], "sp_executesql has its parameters", (answer.errors, answer.values))
        self.check(answer.done == [(0xFF, COUNT | MORE, 1), (0xFE, 0, 0)] and answer.status == 0,
                   "DONEINPROC, RETURNSTATUS, DONEPROC", answer.done)
        answer = client.ask(RPC, call(10, text_parameter("SELECT @a AS a"), text_parameter("@a int"),
                                      int_parameter(None)))
        self.check(answer.values == [[None]], "NULL, and a name taken from the declaration", (answer.errors, answer.values))
        answer = client.ask(RPC, call(13, int_parameter(None, output=True), text_parameter("@a int"),
                                      text_parameter("SELECT @a + 1 AS a"), int_parameter(1)))
        handle = answer.returned
        self.check(answer.values == [[2]] and handle, "sp_prepexec runs and gives a handle", (answer.errors, answer.values))
        answer = client.ask(RPC, call(12, int_parameter(handle), int_parameter(41)))
        self.check(answer.values == [[42]], "sp_execute runs it again", (answer.errors, answer.values))
        client.ask(RPC, call(15, int_parameter(handle)))
        answer = client.ask(RPC, call(12, int_parameter(handle), int_parameter(41)))
        self.check(answer.errors == [8179], "sp_unprepare forgets it", answer.errors)
        answer = client.ask(RPC, call(2))
        self.check(answer.errors == [2812], "a procedure that is not there is an error", answer.errors)
        self.check(" kind=rpc " in self.log()[-1] and " parameters=" in self.log()[-1], "calls stand in the log", self.log()[-1])
        client.close()

    def transactions(self):
        client = self.client(database="wire")
        begin = client.ask(TRANSACTION, batch("")[:22] + b"\x05\x00\x00\x00")
        client.sql("INSERT INTO dbo.big (id, t) VALUES (-1, N'x')")
        back = client.ask(TRANSACTION, batch("")[:22] + b"\x08\x00\x00\x00")
        answer = client.sql("SELECT id FROM dbo.big WHERE id = -1")
        self.check(8 in begin.changes and 10 in back.changes and answer.rows == 0, "transaction requests begin and roll back",
                   (begin.errors, back.errors, answer.values))
        client.close()

    def attentions(self):
        client = self.client()
        answer = client.ask(ATTENTION, b"")
        self.check(answer.done == [(0xFD, STOPPED, 0)], "an attention without a statement is answered", answer.done)
        client.send(packet(BATCH, batch("SELECT a.id, b.t FROM wire.dbo.big a, wire.dbo.big b WHERE a.id < 1000")))
        head = client.bytes(8)
        size = int.from_bytes(head[2:4], "big")
        client.bytes(size - 8)
        client.send(packet(ATTENTION, b""))
        payload = client.message()[0]
        self.check(payload[-13:-10] == b"\xfd\x20\x00", "an attention stops a statement", payload[-13:])
        answer = client.sql("SELECT 1 AS a")
        self.check(answer.values == [[1]], "and the connection goes on", answer.values)
        client.close()

    def faults(self):
        sql = "SELECT id, t FROM wire.dbo.big"
        whole = len(self.client().sql(sql).data)
        for lines in (["drop_after_bytes 5000"], ["drop_after_bytes 5000", "reset 1"]):
            self.fault("match dbo.big", *lines)
            client = self.client()
            untouched = client.sql("SELECT 1 AS a").rows
            try:
                client.sql(sql)
                self.check(False, "the cut comes", client.received)
            except OSError:
                good = untouched == 1 and (client.received == 5000 or (len(lines) > 1 and client.received <= 5000))
                self.check(good, "%s cuts there and only where it matches" % " ".join(lines), client.received)
            client.close()
        answer = self.client().sql(sql)
        self.check(len(answer.data) == whole, "a fault fires once", len(answer.data))
        self.fault("error_after_rows 500", "count 2")
        results = [self.client().sql(sql) for _ in range(3)]
        self.check([(r.rows, r.errors) for r in results] == [(500, [8134]), (500, [8134]), (ROWS, [])],
                   "error_after_rows: so many rows, then the error; count 2 fires twice", [r.rows for r in results])
        self.check(results[0].done[-1][1] == ERROR, "DONE has its error bit", results[0].done)
        self.fault("error_after_rows 10")
        client = self.client(database="wire")
        answers = [client.sql("SELECT id FROM dbo.big"), client.sql("SELECT id FROM dbo.big")]
        self.check([(a.rows, a.errors) for a in answers] == [(10, [8134]), (ROWS, [])],
                   "a connection that had an error in its rows goes on", [(a.rows, a.errors) for a in answers])
        client.close()
        self.fault("stall_after_bytes 5000")
        threading.Timer(1.0, os.unlink, [self.path("fault")]).start()
        started = time.monotonic()
        answer = self.client().sql(sql)
        self.check(answer.rows == ROWS and time.monotonic() - started > 0.8, "a stall lasts until the file changes", answer.rows)

    def encryption(self):
        certificate, key = self.path("cert.pem"), self.path("key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "2", "-subj", "/CN=localhost"], check=True, stderr=subprocess.DEVNULL)
        wanted = {("login", 2): 2, ("login", 0): 0, ("login", 1): 1, ("on", 2): 3, ("on", 0): 1, ("on", 1): 1}
        for mode in ("login", "on"):
            self.start("--encrypt", mode, "--tls-cert", certificate, "--tls-key", key)
            for asked in (2, 0, 1):
                client = self.client(encryption=asked)
                answer = client.sql("SELECT id, t FROM wire.dbo.big")
                shown = client.sql("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID").values
                whole = "FALSE" if wanted[mode, asked] in (0, 2) else "TRUE"
                self.check(shown == [[whole]], "and sys.dm_exec_connections says so", shown)
                self.check(client.encryption == wanted[mode, asked] and answer.rows == ROWS,
                           "--encrypt %s, client asks %d: server answers %d" % (mode, asked, wanted[mode, asked]),
                           (client.encryption, answer.rows))
                client.close()
            self.check(self.stop() == 0, "it ends cleanly")

    def run(self):
        self.start()
        client = self.client()
        client.sql("CREATE DATABASE wire")
        client.sql("USE wire")
        client.sql("CREATE TABLE dbo.big (id int NOT NULL PRIMARY KEY, t nvarchar(50) NULL)")
        for first in range(0, ROWS, 1000):
            values = ",".join("(%d, N'row %d')" % (i, i) for i in range(first, first + 1000))
            client.sql("INSERT INTO dbo.big (id, t) VALUES " + values)
        self.logins()
        self.batches()
        self.calls()
        self.transactions()
        self.attentions()
        self.faults()
        self.check(self.stop() == 0, "SIGTERM ends it with a connection open")
        client.close()
        self.encryption()
        return 1 if self.failed else 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        test = Test(sys.argv[1], sys.argv[2], folder)
        try:
            return test.run()
        finally:
            if test.process.poll() is None:
                test.process.kill()


if __name__ == "__main__":
    sys.exit(main())
