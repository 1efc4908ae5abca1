-- MySQL alone: JSON in its binary form, compressed transactions, tagged GTIDs.
CREATE TABLE documents (id INT PRIMARY KEY, doc JSON);
INSERT INTO documents VALUES (1, NULL), (2, 'null'), (3, 'true'), (4, 'false'), (5, '0'), (6, '-32768'), (7, '65535'), (8, '-2147483648'), (9, '4294967295'),
  (10, '-9223372036854775808'), (11, '18446744073709551615'), (12, '1.5'), (13, '-1e-300'), (14, '1e100'), (15, '""'), (16, '"text \\"quoted\\" \\\\ \\n\\u0001 ü😀"'),
  (17, '[]'), (18, '{}'), (19, '[1, "two", null, true, [3.25, {}], {"k": [false]}]'), (20, '{"b": 1, "a": {"long key with ü": [{"x": null}]}, "": ""}'),
  (21, CONCAT('["', REPEAT('x', 127), '","', REPEAT('y', 128), '","', REPEAT('z', 16384), '"]')),
  (22, CONCAT('{"', REPEAT('k', 300), '": 1}')),
  (23, (SELECT JSON_ARRAYAGG(n) FROM (WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 300) SELECT n FROM s) r)),
  (24, JSON_ARRAY(REPEAT('w', 70000), 1, -1, 65536, -32769, JSON_OBJECT('deep', JSON_ARRAY()))),
  (25, JSON_ARRAY(CAST('2026-02-28' AS DATE), CAST('-12:34:56.789012' AS TIME(6)), CAST('2026-02-28 12:34:56.5' AS DATETIME(6)), CAST('838:59:59' AS TIME))),
  (26, JSON_ARRAY(CAST(123456789.0123456789 AS DECIMAL(30,10)), CAST(-0.5 AS DECIMAL(10,2)), 3.14)),
  (27, JSON_ARRAY(CAST(X'00ff10' AS BINARY), CAST(_utf8mb4'x' AS CHAR))), (28, JSON_OBJECT('year', CAST(2026 AS YEAR), 'bit', b'101'));
SET SESSION binlog_transaction_compression = ON;
START TRANSACTION;
INSERT INTO documents VALUES (100, '{"compressed": true}');
INSERT INTO changed VALUES (9, 9, REPEAT('c', 20), NULL), (10, 10, NULL, 10);
UPDATE changed SET a = 90 WHERE id = 9;
DELETE FROM changed WHERE id = 10;
COMMIT;
INSERT INTO documents VALUES (101, JSON_ARRAY(REPEAT('payload ', 1000)));
SET SESSION binlog_transaction_compression = OFF;
SET gtid_next = 'AUTOMATIC:tagged';
INSERT INTO documents VALUES (200, '"of a tagged transaction"');
SET gtid_next = 'AUTOMATIC';
SET SESSION binlog_row_value_options = '';
CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3));
INSERT INTO vectors VALUES (1, TO_VECTOR('[1,-2.5,3e10]')), (2, NULL);
