-- Trouble: lost, gone, rewound, schema changes, tables without key. One table's trouble stops no other.
CREATE DATABASE r_trouble TEMPLATE sluice_installed;
\c r_trouble
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
CREATE FUNCTION t.all(t1 jsonb DEFAULT t.instance(1, 'dbo_t1', 16, 'id,v'), t2 jsonb DEFAULT t.instance(2, 'dbo_t2', 16, 'id,v'), more jsonb DEFAULT '[]', cols text DEFAULT 'id,v') RETURNS void LANGUAGE sql AS $$
	SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v', 'id', jsonb_build_array(t1)), t.tab(2, 't2', 10, cols, 'id', CASE WHEN t2 IS NULL THEN '[]' ELSE jsonb_build_array(t2) || more END),
		t.tab(3, 't3', 10, 'a,b', '', jsonb_build_array(t.instance(3, 'dbo_t3', 16, 'a,b')))) $$;
SELECT t.all();
SELECT count(*) FROM sluice.add_tables('erp', 'dbo.t%', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
SELECT * FROM t.run(33);
-- A scan without key is exact when nothing changed meanwhile: L1 and L2 are compared with the change log.
UPDATE _sluice.tab SET load_high = t.pos(36) WHERE table_id = 3;
SELECT t.poll(1, 40) , t.start(1) #> '{ask,quiet}' AS quiet;
SELECT t.poll(1, 41, '{"quiet": [{"table_id": 3, "quiet": false}], "fences": [{"table_id": 1, "position": "00000000000000000029"}, {"table_id": 2, "position": "00000000000000000029"}]}');
SELECT * FROM t.run(41);
SELECT sluice.alter_setting('keyless_tries', '2');
UPDATE _sluice.tab SET load_high = t.pos(42) WHERE table_id = 3;
SELECT t.poll(1, 44);
SELECT t.poll(1, 45, '{"quiet": [{"table_id": 3, "quiet": false}]}');
SELECT table_name, state, code, message, hint FROM sluice.table_status WHERE table_name = 'erp.dbo.t3';
SELECT hint FROM sluice.alter_table('erp.dbo.t3', '{"keyless": "lock"}');
SELECT job, state FROM sluice.resync_table('erp.dbo.t3');
SELECT t.poll(1, 46);
SELECT * FROM t.run(46);
UPDATE _sluice.tab SET load_high = t.pos(47) WHERE table_id = 3;
SELECT t.poll(1, 48);
SELECT t.poll(1, 49, '{"quiet": [{"table_id": 3, "quiet": true}], "fences": [{"table_id": 3, "position": "00000000000000000031"}]}');
SELECT * FROM t.run();
SELECT table_name, state, epoch FROM sluice.status ORDER BY 1;
-- After so many tries the lock is taken; a locked scan is judged like the others.
SELECT sluice.alter_setting('keyless_tries', '1');
SELECT job FROM sluice.resync_table('erp.dbo.t3');
SELECT t.poll(1, 49);
SELECT * FROM t.run(49);
UPDATE _sluice.tab SET load_high = t.pos(49) WHERE table_id = 3;
SELECT t.poll(1, 49), t.poll(1, 49, '{"quiet": [{"table_id": 3, "quiet": false}]}');
SELECT count(*) FROM t.claim() c, jsonb_array_elements(c -> 'batches') b, _sluice.epoch_store(b || jsonb_build_object('worker_id', 1, 'epoch', b -> 'at_least'));
SELECT t.claim() #>> '{batches,0,keyless}' AS keyless;
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT * FROM t.run(49);
UPDATE _sluice.tab SET load_high = t.pos(49) WHERE table_id = 3;
SELECT t.poll(1, 49), t.poll(1, 49, '{"quiet": [{"table_id": 3, "quiet": true}], "fences": [{"table_id": 3, "position": "00000000000000000031"}]}');
SELECT * FROM t.run();
SELECT state, epoch FROM sluice.status WHERE table_name = 'erp.dbo.t3';
-- Lost: the low-water mark passed what was not read. An idle table at the last cut has lost nothing.
SELECT t.poll(1, 50, t.changed(1, 50));
SELECT sluice.pause_table('erp.dbo.t1');
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), t.instance(2, 'dbo_t2', 48, 'id,v'));
SELECT t.poll(1, 70);
SELECT table_name, wanted, state, message, hint FROM sluice.status ORDER BY 1;
SELECT t.err($$SELECT sluice.resume_table('erp.dbo.t1')$$);
SELECT state, message FROM sluice.resync_table('erp.dbo.t1');
SELECT sluice.resume_table('erp.dbo.t1');
SELECT t.poll(1, 71);
SELECT * FROM t.run(71);
SELECT t.fence(1, 72, 1);
SELECT * FROM t.run();
-- A new capture instance with one column more: the old one is read to its start, then the new one.
SELECT t.poll(1, 80, t.changed(2, 76), '2026-01-01T01:00:00Z');
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), t.instance(2, 'dbo_t2', 48, 'id,v'), '[]', 'id,v,w');
SELECT table_name, message, hint FROM sluice.table_status WHERE table_name = 'erp.dbo.t2';
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), t.instance(2, 'dbo_t2', 48, 'id,v'), jsonb_build_array(t.instance(102, 'dbo_t2_2', 90, 'id,v,w')), 'id,v,w');
SELECT * FROM t.run();
SELECT t.poll(1, 96, t.changed(2, 95), '2026-01-01T01:00:01Z');
SELECT t.show(t.claim());
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT * FROM t.run();
SELECT t.poll(1, 97, '{}', '2026-01-01T01:00:02Z');
SELECT t.show(c), c #>> '{batches,0,schema,instance}' AS instance, c #>> '{batches,0,schema,version}' AS version FROM t.claim() c;
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT * FROM t.run();
SELECT table_name, version, current, capture_instance, ltrim(valid_from, '0') AS valid_from, column_names FROM sluice.schema_version WHERE table_name = 'erp.dbo.t2' ORDER BY 2;
SELECT message FROM sluice.table_status WHERE table_name = 'erp.dbo.t2';
-- The old instance is dropped: nothing happens. The last one is dropped: gone.
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), t.instance(102, 'dbo_t2_2', 90, 'id,v,w'), '[]', 'id,v,w');
SELECT t.poll(1, 98);
SELECT state, capture_instance FROM sluice.table_status WHERE table_name = 'erp.dbo.t2';
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), NULL, '[]', 'id,v,w');
SELECT t.poll(1, 99, t.changed(1, 99));
SELECT table_name, state, message, hint FROM sluice.status ORDER BY 1;
SELECT * FROM t.run();
-- Enabled again and resynced.
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), t.instance(202, 'dbo_t2', 100, 'id,v,w'), '[]', 'id,v,w');
SELECT state FROM sluice.resync_table('erp.dbo.t2');
SELECT t.poll(1, 104);
SELECT * FROM t.run(104);
SELECT t.fence(1, 105, 2);
SELECT * FROM t.run();
-- Dropped column: a new epoch by itself, or a stop where that was asked for.
SELECT hint FROM sluice.alter_table('erp.dbo.t2', '{"on_incompatible": "stop"}');
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), t.instance(202, 'dbo_t2', 100, 'id,v,w'), '[]', 'id,v');
SELECT state, message, hint FROM sluice.status WHERE table_name = 'erp.dbo.t2';
SELECT hint FROM sluice.alter_table('erp.dbo.t2', '{"on_incompatible": "epoch"}');
SELECT sluice.resume_table('erp.dbo.t2');
SELECT t.all(t.instance(1, 'dbo_t1', 60, 'id,v'), t.instance(202, 'dbo_t2', 100, 'id,v,w'), '[]', 'id,v');
SELECT table_name, kind, state, reason, who FROM sluice.job WHERE state = 'asked';
SELECT t.poll(1, 110);
SELECT * FROM t.run(110);
SELECT t.fence(1, 112, 2);
SELECT * FROM t.run();
-- A change log that may not be read any more stops its table alone.
SELECT t.poll(1, 116, '{"failed": [{"table_id": 1, "kind": "permanent", "code": "229", "message": "SELECT denied on cdc.dbo_t1_CT", "hint": "GRANT it."}]}');
SELECT table_name, state, message, hint FROM sluice.status ORDER BY 1;
SELECT sluice.resume_table('erp.dbo.t1');
-- Rewound: the log went back. Everything of the source stops until resync_source, which begins a new incarnation.
SELECT t.poll(1, 90);
SELECT source, state, message, hint FROM sluice.source_status;
SELECT table_name, state, hint FROM sluice.status ORDER BY 1;
SELECT t.poll(1, 200, t.changed(1, 200));
SELECT t.err($$SELECT sluice.resync_table('erp.dbo.t1')$$);
SELECT * FROM sluice.resync_source('erp');
SELECT * FROM sluice.resync_source('erp');
SELECT t.all(t.instance(1, 'dbo_t1', 16, 'id,v'), t.instance(202, 'dbo_t2', 16, 'id,v'));
SELECT t.poll(1, 90);
SELECT * FROM t.run(91);
SELECT table_name, state, epoch, incarnation FROM sluice.table_status ORDER BY 1;
SELECT source, state, incarnation FROM sluice.source_status;
SELECT severity, kind, message FROM sluice.event WHERE severity <> 'info' ORDER BY event_id;
\c postgres
DROP DATABASE r_trouble;
