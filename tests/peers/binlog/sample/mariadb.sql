-- MariaDB alone: its own types, compressed columns, compressed events.
CREATE TABLE own (id INT PRIMARY KEY, c_uuid UUID, c_inet4 INET4, c_inet6 INET6, c_json JSON, c_compressed VARCHAR(2000) COMPRESSED, c_blob MEDIUMBLOB COMPRESSED)
  CHARACTER SET utf8mb4;
INSERT INTO own VALUES (1, '00112233-4455-6677-8899-aabbccddeeff', '192.168.1.20', '2001:db8::1', '{"b": 1,  "a":[1,2.50]}', REPEAT('compress ', 100), REPEAT(0x00ff, 500)),
  (2, 'ffffffff-ffff-1fff-bfff-ffffffffffff', '0.0.0.0', '::', '[]', 'short', 0x01), (3, NULL, NULL, NULL, NULL, NULL, NULL);
SET GLOBAL log_bin_compress = ON;
INSERT INTO changed VALUES (9, 9, REPEAT('c', 20), NULL), (10, 10, NULL, 10);
UPDATE changed SET a = 90, b = REPEAT('d', 20) WHERE id = 9;
DELETE FROM changed WHERE id = 10;
CREATE TABLE squeezed (id INT PRIMARY KEY, a VARCHAR(2000)) CHARACTER SET utf8mb4 COMMENT 'a statement long enough that the log keeps it compressed, as it does with every event above its limit';
INSERT INTO squeezed VALUES (1, REPEAT('squeeze ', 200));
SET GLOBAL log_bin_compress = OFF;
