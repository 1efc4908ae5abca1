-- Actions are jobs: asking twice gives the same one; waiting refuses a transaction that has written.
CREATE DATABASE r_action TEMPLATE sluice_installed;
\c r_action
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 1}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 3) i));
SELECT count(*) FROM sluice.add_tables('erp', '%', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
SELECT t.fence(1, 40, 1, 2, 3);
SELECT count(*) FROM t.run();
SELECT t.poll(1, 50, t.changed(1, 45));
-- A resync waits for the batch in hand; then the table goes into a new epoch while the others stream.
SELECT t.show(t.claim());
SELECT * FROM sluice.resync_table('erp.dbo.t1', reason => 'looks odd', request_key => 'k1');
SELECT * FROM sluice.resync_table('erp.dbo.t1');
SELECT * FROM sluice.resync_table('erp.dbo.t1', request_key => 'k1');
SELECT t.poll(1, 60, t.changed(2, 55));
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT t.poll(1, 61);
SELECT * FROM t.run(61);
SELECT * FROM sluice.resync_table('erp.dbo.t1', request_key => 'k1');
SELECT state, epoch, files FROM sluice.status WHERE table_name = 'erp.dbo.t1';
SELECT t.err($$SELECT sluice.cancel_job(4)$$), t.err($$SELECT sluice.cancel_job(99)$$);
SELECT t.fence(1, 64, 1);
SELECT * FROM t.run();
SELECT job, kind, table_name, state, message, reason, request_key, who = current_user AS mine FROM sluice.job WHERE table_name = 'erp.dbo.t1' ORDER BY 1;
-- The next one of the same key is still the first; a new one is a new job and can be canceled.
SELECT state FROM sluice.resync_table('erp.dbo.t1', request_key => 'k1');
SELECT job, state FROM sluice.resync_table('erp.dbo.t2');
SELECT job, state, replace(message, current_user, 'NAME') AS message FROM sluice.cancel_job(5);
SELECT job, state, replace(message, current_user, 'NAME') AS message FROM sluice.cancel_job(5);
SELECT sluice.alter_setting('resync_min_interval_seconds', '3600');
SELECT t.err($$SELECT sluice.resync_table('erp.dbo.t1')$$);
SELECT m, t.err(format('SELECT sluice.resync_table(%L, %L)', 'erp.dbo.t3', m)) FROM unnest(ARRAY['keys', 'range', 'half', NULL]) m;
SELECT t.err($$SELECT sluice.resync_table('erp.dbo.t3', keys => '[]')$$), t.err($$SELECT sluice.resync_table('erp.dbo.zzz')$$), t.err($$SELECT sluice.resync_source('nope')$$);
SELECT table_name, state FROM sluice.resync_source('erp', 'because') ORDER BY 1;
-- Rolled back, it was never asked for.
BEGIN;
SELECT sluice.drop_table('erp.dbo.t3');
ROLLBACK;
SELECT wanted FROM sluice.status WHERE table_name = 'erp.dbo.t3';
SELECT state FROM sluice.job WHERE table_name = 'erp.dbo.t3' ORDER BY job;
-- Waiting. tail shows what landed.
SELECT t.poll(1, 70, '{}', '2026-02-01T00:00:00Z');
SELECT count(*) FROM t.run(70);
SELECT t.fence(1, 72, 1, 2, 3), t.poll(1, 80, t.changed(1, 79), '2026-02-01T00:00:10Z');
SELECT sluice.wait_for('erp.dbo.t1', 'captured', '2026-02-01T00:00:05Z', '0 s'), sluice.wait_for('erp.dbo.t1', 'captured', '2026-02-01T00:00:11Z', '0 s'),
	sluice.wait_for('erp.dbo.t1', 'uploaded', '2026-02-01T00:00:05Z', '0 s');
SELECT count(*) > 0 AS worked FROM t.run(70);
SELECT t.poll(1, 81, '{}', '2026-02-01T00:00:11Z');
SELECT count(*) FROM t.run();
SELECT t.poll(1, 82, '{}', '2026-02-01T00:00:12Z');
SELECT sluice.wait_for('erp.dbo.t1', as_of => '2026-02-01T00:00:05Z', timeout => '0 s'), sluice.wait_for('erp.dbo.t2', as_of => '2026-02-01T00:00:05Z', timeout => '0 s');
SELECT kind, epoch, rows, bytes FROM sluice.tail('erp.dbo.t1', 3);
SELECT t.err($$SELECT sluice.tail('erp.dbo.t1', 0)$$), t.err($$SELECT sluice.wait_for('erp.dbo.t1', 'consumed')$$), t.err($$SELECT sluice.wait_for('erp.dbo.t1', 'sent')$$);
SELECT sluice.pause_table('erp.dbo.t2');
SELECT t.err($$SELECT sluice.wait_for('erp.dbo.t2')$$);
BEGIN;
SELECT sluice.resume_table('erp.dbo.t2');
SELECT t.err($$SELECT sluice.wait_for('erp.dbo.t1')$$);
\set VERBOSITY terse
CALL sluice.refresh('erp');
ROLLBACK;
BEGIN;
CALL sluice.refresh('erp');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT t.err($$SELECT sluice.wait_for('erp.dbo.t1')$$);
ROLLBACK;
CALL sluice.refresh('nope');
CALL sluice.refresh('erp', 0);
CALL sluice.refresh('erp', 0);
SELECT count(*) FROM sluice.job WHERE kind = 'refresh' AND state = 'running';
SELECT b ->> 'discover' AS discover, b ->> 'check' AS check FROM t.start(1) b;
SELECT _sluice.check_store('{"worker_id": 1, "source_id": 1, "steps": [{"check": "dns", "object": "h", "ok": true, "found": "127.0.0.1"}]}');
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 3) i));
SELECT state FROM sluice.job WHERE kind = 'refresh';
CALL sluice.refresh('lake', 0);
SELECT count(*) FROM t.run() r WHERE r = 'check';
SELECT source, kind, state FROM sluice.job WHERE kind = 'refresh' ORDER BY job;
-- With one runner loads and changes take turns.
SELECT sluice.alter_setting('resync_min_interval_seconds', NULL);
SELECT state FROM sluice.resync_table('erp.dbo.t1'), sluice.resume_table('erp.dbo.t2');
SELECT t.poll(1, 90, t.changed(2, 85, 3, 86), '2026-02-01T00:01:00Z');
SELECT * FROM t.run(90, 1);
-- Upkeep: partitions of the next days are there, old ones go, and what is open keeps its day.
SELECT count(*) FROM pg_inherits WHERE inhparent = '_sluice.file'::regclass;
CREATE TABLE _sluice.file_20200101 PARTITION OF _sluice.file FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
CREATE TABLE _sluice.file_20200102 PARTITION OF _sluice.file FOR VALUES FROM ('2020-01-02') TO ('2020-01-03');
INSERT INTO _sluice.batch (work, target_id, source_id, oldest_at, day) VALUES ('recover', 1, 1, now(), '2020-01-02');
SELECT sluice.alter_setting('maintenance_seconds', '0');
SELECT t.beat() ->> 'run' AS run;
SELECT relname FROM pg_class WHERE relname LIKE 'file_2020%';
\c postgres
DROP DATABASE r_action;
