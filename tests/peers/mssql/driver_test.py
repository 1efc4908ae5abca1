#!/usr/bin/env python3
"""What drivers and connectors ask beside an application's own SQL: metadata procedures, table variables, INSERT .. EXEC,
implicit transactions, functions of time zones.

usage: driver_test.py PORT PASSWORD

The simulator is running (login sa). Prints `ok` / `not ok` lines.
"""
import datetime
import sys

import pymssql

ONE = [(1,)]


class Test:
    def __init__(self, port, password):
        self.number = self.failed = 0
        self.options = dict(server="127.0.0.1", port=port, user="sa", password=password, tds_version="7.4", autocommit=True)
        self.connection = pymssql.connect(**self.options)
        self.rows("CREATE DATABASE driver")
        self.rows("USE driver")

    def rows(self, sql, connection=None):
        """The rows of the last result set of a batch; the number where it fails."""
        with (connection or self.connection).cursor() as cursor:
            try:
                cursor.execute(sql)
                found = []
                while True:
                    if cursor.description:
                        found = cursor.fetchall()
                    if not cursor.nextset():
                        return found
            except pymssql.Error as error:
                return error.args[0]

    def check(self, good, what, found=""):
        self.number += 1
        self.failed += not good
        print("%s %d - %s%s" % ("ok" if good else "not ok", self.number, what, "" if good else "  # " + repr(found)))

    def same(self, sql, wanted, what):
        found = self.rows(sql)
        self.check(found == wanted, what, found)

    def metadata(self):
        self.rows("CREATE SCHEMA s")
        self.rows("CREATE TABLE dbo.a_b (id int IDENTITY NOT NULL, k nvarchar(20) NOT NULL, d decimal(9,2) NULL DEFAULT -1.5, t datetime2(3) NULL, "
                  "m varchar(max) NULL DEFAULT ('x'), g geometry NULL, CONSTRAINT a_b_key PRIMARY KEY (k, id))")
        self.rows("CREATE UNIQUE INDEX u ON dbo.a_b (d DESC)")
        self.rows("CREATE TABLE s.axb (id int NOT NULL)")
        self.same("EXEC sp_tables", [("driver", "dbo", "a_b", "TABLE", None), ("driver", "s", "axb", "TABLE", None)],
                  "sp_tables lists all tables in order")
        self.same("EXEC sp_tables @table_name = N'a[_]b', @table_type = N'''TABLE'',''VIEW'''", [("driver", "dbo", "a_b", "TABLE", None)],
                  "sp_tables takes a pattern and a list of kinds")
        self.same("EXEC sp_tables @table_type = N'''VIEW'''", [], "sp_tables without TABLE among the kinds has none")
        self.same("EXEC sp_tables N'a_b', N'%', N'elsewhere'", 15250, "a qualifier is the current database")
        found = self.rows("EXEC sp_columns_100 N'a[_]b', N'dbo', N'driver', N'%', 2, 3")
        self.check([row[3:9] + row[10:11] + row[12:13] for row in found] == [
            ("id", 4, "int identity", 10, 4, 0, 0, None), ("k", -9, "nvarchar", 20, 40, None, 0, None), ("d", 3, "decimal", 9, 11, 2, 1, "((-1.5))"),
            ("t", 93, "datetime2", 23, 16, 3, 1, None), ("m", 12, "varchar", 0, 0, None, 1, "('x')"), ("g", -151, "geometry", 0, 0, None, 1, None)],
            "sp_columns_100: ODBC 3 types, sizes, nullability, defaults", found)
        self.check(len(found[0]) == 29 and [row[16] for row in found] == [1, 2, 3, 4, 5, 6], "its 29 columns, ordinals from 1", found)
        self.same("EXEC sp_pkeys N'a_b', N'dbo', N'driver'",
                  [("driver", "dbo", "a_b", "k", 1, "a_b_key"), ("driver", "dbo", "a_b", "id", 2, "a_b_key")], "sp_pkeys gives the key in its order")
        found = self.rows("EXEC sp_statistics_100 N'a_b', N'dbo', N'driver', N'%', N'Y', N'Q'")
        self.check([(row[3],) + row[5:10] for row in found] == [(None, None, 0, None, None, None), (0, "a_b_key", 1, 1, "k", "A"),
                   (0, "a_b_key", 1, 2, "id", "A"), (0, "u", 3, 1, "d", "D")], "sp_statistics_100: the table, then its unique indexes", found)

    def table_variables(self):
        self.same("DECLARE @t TABLE (a int, b nvarchar(10) DEFAULT N'd'); INSERT INTO @t (a) VALUES (1), (NULL); INSERT @t SELECT a + 1, N'e' FROM @t; "
                  "SELECT a, b FROM @t AS t ORDER BY b, t.a", [(None, "d"), (1, "d"), (None, "e"), (2, "e")], "a table variable holds rows")
        self.same("SELECT * FROM @t", 1087, "it ends with its batch")
        self.same("DECLARE @t TABLE (a int); DECLARE @t TABLE (a int)", 134, "it is declared once")
        self.same("DECLARE @t TABLE (n sysname, o smallint); INSERT INTO @t (n, o) EXEC ('SELECT name, database_id FROM sys.databases WHERE database_id < 3'); "
                  "SELECT n, o FROM @t ORDER BY o", [("master", 1), ("tempdb", 2)], "INSERT .. EXEC takes the rows of the procedure")
        self.same("DECLARE @t TABLE (n sysname); INSERT INTO @t EXEC sp_tables", 213, "and wants as many columns")
        self.same("SELECT 1 AS a", ONE, "after that error rows go to the client again")

    def transactions(self):
        other = pymssql.connect(**self.options, database="driver")
        self.same("SET IMPLICIT_TRANSACTIONS ON; SELECT @@TRANCOUNT", [(0,)], "implicit transactions: a SELECT without a table begins none")
        self.rows("INSERT s.axb VALUES (1)")
        self.same("SELECT @@TRANCOUNT", ONE, "a change begins one")
        self.rows("IF @@TRANCOUNT > 0 ROLLBACK TRAN")
        self.same("SELECT COUNT(*) FROM s.axb", [(0,)], "which can be rolled back")
        self.same("SELECT @@TRANCOUNT", ONE, "a SELECT from a table begins one too")
        self.rows("IF @@TRANCOUNT > 0 COMMIT TRAN")
        self.rows("BEGIN TRAN")
        self.same("SELECT @@TRANCOUNT", [(2,)], "BEGIN TRANSACTION then opens two levels")
        self.rows("ROLLBACK")
        self.rows("INSERT s.axb VALUES (5); SAVE TRAN one; INSERT s.axb VALUES (6); SAVE TRANSACTION two; INSERT s.axb VALUES (7)")
        self.same("ROLLBACK TRAN one; SELECT id FROM s.axb", [(5,)], "a savepoint keeps what was before it")
        self.same("ROLLBACK TRAN one; SELECT @@TRANCOUNT", ONE, "stays, and does not end the transaction")
        self.same("ROLLBACK TRAN; SELECT COUNT(*) FROM s.axb", [(0,)], "which rolls back as a whole")
        self.rows("ROLLBACK; SET IMPLICIT_TRANSACTIONS OFF")
        self.same("SAVE TRAN one", 628, "outside of a transaction there is nothing to save")
        self.rows("INSERT s.axb VALUES (2)")
        self.check(self.rows("SELECT id FROM s.axb", other) == [(2,)], "without them a statement commits itself", self.rows("SELECT id FROM s.axb", other))
        other.close()

    def functions(self):
        self.same("SELECT DATEPART(TZOFFSET, TODATETIMEOFFSET('2020-01-02 03:04:05.678', '-05:30')), DATEPART(tz, SYSDATETIMEOFFSET())", [(-330, 0)],
                  "TODATETIMEOFFSET gives the offset that DATEPART(TZOFFSET) reads")
        self.same("SELECT DATEPART(year, '2020-01-02 03:04:05.678'), DATEPART(dw, '2020-01-02'), DATEPART(ns, '2020-01-02 03:04:05.678')",
                  [(2020, 5, 678000000)], "DATEPART of a year, a weekday, nanoseconds")
        self.same("SELECT PARSE(N'2020-01-02' AS date)", [(datetime.date(2020, 1, 2),)], "PARSE reads a date")
        self.same("DECLARE @n int = 1; SELECT COUNT(*) FROM (SELECT TOP (@n + 1) name FROM sys.databases ORDER BY name) AS x", [(2,)], "TOP of an expression")
        self.same("SELECT TOP (N'x') name FROM sys.databases", 1060, "but of an integer one")
        self.same("SELECT [driver].sys.fn_cdc_get_max_lsn()", [(None,)], "a function may be named with its database")
        self.same("SELECT [master].sys.fn_cdc_get_max_lsn()", 50000, "but only with the current one")

    def run(self):
        self.metadata()
        self.table_variables()
        self.transactions()
        self.functions()
        return 1 if self.failed else 0


if __name__ == "__main__":
    sys.exit(Test(sys.argv[1], sys.argv[2]).run())
