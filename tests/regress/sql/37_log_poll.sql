-- One log for all tables: what was not scanned is scanned again, tables that are due share a range, marks are kept as long as needed.
CREATE DATABASE r_log_poll TEMPLATE sluice_installed;
\c r_log_poll
SELECT source FROM sluice.add_source('shop', 'mysql', host => 'db1', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
CREATE FUNCTION t.behind(ask jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('table %s above %s, read from offset %s', b ->> 'table_id', ltrim(b ->> 'from', '0'), b #>> '{mark,offset}'), ', ' ORDER BY b ->> 'table_id') FROM jsonb_array_elements(ask #> '{ask,behind}') b $$;
CREATE FUNCTION t.facts3(at int) RETURNS void LANGUAGE sql AS $$
	SELECT t.lfacts(at, VARIADIC (SELECT array_agg(t.ltab(i, 't' || i, jsonb_build_array(t.col('id'), t.col('v', 'string')))) FROM generate_series(1, 3) i)) $$;
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
SELECT t.facts3(256);
SELECT table_name, state FROM sluice.add_table('shop.shop.t1', options => '{"max_file_age": 10}');
-- A table is found by a discovery that follows its registration: an older one would not have its columns as of now.
SELECT t.lpoll(256);
SELECT t.facts3(272);
SELECT t.lpoll(288);
-- A poll is under way when the table begins to be followed: it scans up to 320 and does not look for it.
INSERT INTO t.v VALUES ('under way', t.lask());
SELECT jsonb_array_length(v #> '{ask,tables}') AS followed FROM t.v WHERE name = 'under way';
SELECT * FROM t.run(290);
SELECT t.lstore(v, 320) FROM t.v WHERE name = 'under way';
-- So the next one scans for it from where it stands; a change at 300 is found though the cut was beyond.
INSERT INTO t.v VALUES ('next', t.lask());
SELECT t.behind(v), jsonb_array_length(v #> '{ask,tables}') AS followed FROM t.v WHERE name = 'next';
SELECT t.lstore(v, 336, t.changed(1, 300)) FROM t.v WHERE name = 'next';
SELECT * FROM t.lshow();
SELECT t.behind(t.lask());
SELECT t.lpoll(352), t.lpoll(352);
SELECT * FROM t.run();
SELECT * FROM t.lshow();
-- One that cannot be scanned for: its place stays, and once it can be again it is scanned for from there, also what lies below the cut.
SELECT t.lpoll(400, '{"failed": [{"table_id": 1, "kind": "transient", "code": "X", "message": "the table map does not fit", "hint": ""}]}');
SELECT t.behind(t.lask());
SELECT t.lpoll(416);
SELECT t.behind(t.lask());
SELECT t.lpoll(432, t.changed(1, 380), '2026-01-01T00:00:30Z');
SELECT t.behind(t.lask());
SELECT * FROM t.run();
SELECT * FROM t.lshow();
-- One that stopped is not scanned for with every poll, but when it is resumed.
SELECT t.lpoll(448, '{"failed": [{"table_id": 1, "kind": "permanent", "code": "X", "message": "the table map does not fit", "hint": "Set binlog_row_metadata to FULL."}]}');
SELECT t.behind(t.lask());
SELECT t.lpoll(464);
SELECT t.behind(t.lask());
INSERT INTO t.v VALUES ('as it is resumed', t.lask());
SELECT sluice.resume_table('shop.shop.t1');
SELECT t.lstore(v, 480) FROM t.v WHERE name = 'as it is resumed';
SELECT t.behind(t.lask());
SELECT t.lpoll(496, t.changed(1, 470), '2026-01-01T00:00:50Z');
SELECT t.behind(t.lask());
SELECT * FROM t.run();
SELECT * FROM t.lshow();
-- Three tables: those that wait equally long are due together, one that waits longer is not.
SELECT table_name FROM sluice.add_table('shop.shop.t2', options => '{"max_file_age": 10}');
SELECT table_name FROM sluice.add_table('shop.shop.t3', options => '{"max_file_age": 60}');
SELECT t.facts3(512);
SELECT t.lpoll(512);
SELECT * FROM t.run(512);
SELECT t.lpoll(528), t.lpoll(528);
SELECT * FROM t.run();
SELECT t.lpoll(528, '{}', '2026-01-01T00:01:00Z');
SELECT t.lpoll(544, t.changed(1, 530), '2026-01-01T00:01:00Z'), t.lpoll(560, t.changed(2, 550, 3, 551), '2026-01-01T00:01:05Z'), t.lpoll(576, '{}', '2026-01-01T00:01:10Z');
SELECT t.show(t.claim());
SELECT t.lpoll(592, '{}', '2026-01-01T00:02:10Z');
SELECT t.show(t.claim(64, 11));
-- Given back: a runner takes what begins in the same log file or the next together, as many as it asks for.
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}'), _sluice.child_gone('{"worker_id": 1, "pid": 11}');
SELECT t.show(t.claim(2));
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
UPDATE _sluice.batch SET from_pos = '00000003000000000000' WHERE table_id = 3;
SELECT t.show(t.claim());
SELECT t.show(t.claim(64, 11));
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}'), _sluice.child_gone('{"worker_id": 1, "pid": 11}');
UPDATE _sluice.batch SET from_pos = '00000001000000000000' WHERE table_id = 3;
SELECT count(*) FROM t.show(t.claim(1024));
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
UPDATE _sluice.batch SET from_pos = t.pos(560) WHERE table_id = 3;
-- Marks: what may still be read has one; of what is behind everybody only the last is kept.
SELECT count(t.lpoll(592 + i)) FROM generate_series(1, 100) i;
SELECT ltrim(min(position), '0') AS low, count(*) > 64 AS many FROM _sluice.log_mark;
SELECT * FROM t.run();
SELECT t.lpoll(700, '{}', '2026-01-01T00:02:10Z');
SELECT ltrim(position, '0') AS position, mark ->> 'offset' AS mark FROM _sluice.log_mark ORDER BY 1;
-- The log's low end passes a table that still has to read; one that has nothing to read is not troubled.
SELECT t.lpoll(720, t.changed(1, 710), '2026-01-01T00:02:20Z');
SELECT t.lpoll(740, jsonb_build_object('low', t.pos(730)), '2026-01-01T00:02:21Z');
SELECT * FROM t.lshow();
SELECT name, hint FROM _sluice.tab t WHERE trouble IS NOT NULL;
SELECT source, state, ltrim(position, '0') AS position, log_file, log_gtid, ltrim(log_low, '0') AS log_low FROM sluice.source_status;
-- The server says that its log does not reach back to the cut: everything that is followed lost changes, and goes on from the end.
SELECT _sluice.source_fail(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', t.lask() -> 'generation', 'kind', 'lost', 'code', '1236', 'message', 'Could not find first log file name', 'hint', ''));
SELECT name, trouble, code, message FROM _sluice.tab ORDER BY 1;
SELECT t.lask() #> '{ask,position}' AS position;
SELECT * FROM sluice.resync_table('shop.shop.t2');
SELECT t.lpoll(800);
SELECT t.facts3(800);
SELECT t.lpoll(800);
SELECT * FROM t.run(800);
-- Rewound: all of them stop until the source is read again, under a new incarnation, with no mark of the old log.
SELECT _sluice.source_fail(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', t.lask() -> 'generation', 'kind', 'rewound', 'code', '1236', 'message', 'the slave has diverged', 'hint', ''));
SELECT source, last_state, message, hint FROM sluice.source_status;
SELECT table_name, state FROM sluice.resync_source('shop');
SELECT incarnation, (SELECT count(*) FROM _sluice.log_mark) AS marks FROM _sluice.source;
SELECT t.facts3(16);
SELECT t.lpoll(32);
SELECT t.facts3(48);
SELECT t.lpoll(48);
SELECT * FROM t.run(48);
SELECT t.lpoll(64), t.lpoll(80);
SELECT * FROM t.run();
SELECT * FROM t.lshow();
SELECT incarnation, ltrim(position, '0') AS position FROM _sluice.log_mark ORDER BY 1, 2;
-- The poll finds it itself: the log went back, the server is another, the poller says so.
SELECT t.lpoll(70);
SELECT source, last_state, message FROM sluice.source_status;
SELECT count(*) FROM sluice.resync_source('shop');
SELECT t.lpoll(16);
SELECT t.lpoll(32, '{"identity": {"server_id": "2"}}');
SELECT message FROM sluice.source_status;
SELECT count(*) FROM sluice.resync_source('shop');
SELECT t.lpoll(16);
SELECT t.lpoll(32, '{"rewound": "the server does not know our GTID set"}');
SELECT message FROM sluice.source_status;
SELECT count(*) FROM sluice.resync_source('shop');
-- The history diverged, or a statement stands in the log: the source stops; read again, it is taken up at the log's end.
SELECT t.lpoll(48);
SELECT _sluice.source_fail(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', t.lask() -> 'generation', 'kind', 'permanent', 'code', '1236', 'message', 'the slave has diverged', 'hint', 'sluice.resync_source loads anew.'));
SELECT last_state, message, hint FROM sluice.source_status;
SELECT t.lask() #>> '{ask,position}' AS position;
SELECT count(*) FROM sluice.resync_source('shop');
SELECT t.lask() #>> '{ask,position}' AS position, t.lask() #>> '{ask,mark}' AS mark;
SELECT incarnation FROM _sluice.source;
SELECT t.lpoll(64), t.facts3(64), t.lpoll(64);
SELECT * FROM t.run(64);
SELECT t.lpoll(65), t.lpoll(66);
SELECT count(*) FROM t.run();
SELECT * FROM t.lshow();
-- What it would be scanned from is gone: lost, not asked for with every poll.
SELECT t.lpoll(70, jsonb_build_object('failed', jsonb_build_array(jsonb_build_object('table_id', 1, 'kind', 'lost', 'code', '1236', 'message', 'the log above 40 was removed', 'hint', ''))));
SELECT name, state, message FROM t.lshow() WHERE state IS NOT NULL;
-- The log is cleaned up while an epoch waits for a runner: it begins with what a new discovery finds.
SELECT count(*) FROM sluice.resync_table('shop.shop.t1');
SELECT t.lpoll(80), t.facts3(80), t.lpoll(80);
SELECT t.lpoll(100, jsonb_build_object('low', t.pos(90)));
SELECT * FROM t.run(100);
SELECT t.lask() -> 'discover' AS discover;
SELECT t.facts3(110), t.lpoll(110, jsonb_build_object('low', t.pos(90)));
SELECT * FROM t.run(110);
SELECT * FROM t.lshow() WHERE name = 'shop.shop.t1';
\c postgres
DROP DATABASE r_log_poll;
