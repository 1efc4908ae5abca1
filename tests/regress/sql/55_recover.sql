-- Recovery: manifests are adopted once, unknown objects put their table into a new epoch, a zombie is fenced.
CREATE DATABASE r_recover TEMPLATE sluice_installed;
\c r_recover
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 3) i));
SELECT count(*) FROM sluice.add_tables('erp', '%', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
SELECT t.fence(1, 40, 1, 2, 3);
SELECT count(*) FROM t.run();
SELECT t.poll(1, 64, t.changed(1, 50, 2, 51));
-- Two batches are sealed and their manifest is put; then the server is restored to before the commit: take_over.
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
INSERT INTO t.v VALUES ('claim', t.claim());
INSERT INTO t.v SELECT 'seals', t.seals(v) FROM t.v WHERE name = 'claim';
SELECT _sluice.batch_seal(v) ->> 'commit' AS commit FROM t.v WHERE name = 'seals';
INSERT INTO t.v SELECT 'manifest', jsonb_build_object('version', 1, 'source', 'erp', 'target', 'lake', 'commit', 5, 'control', NULL, 'batches', (
	SELECT jsonb_agg(b || jsonb_build_object('schema_version', 1, 'files', jsonb_build_array(s))) FROM jsonb_array_elements(c.v -> 'batches') b
	JOIN jsonb_array_elements(q.v -> 'seals') s ON s -> 'batch_id' = b -> 'batch_id')) FROM t.v c, t.v q WHERE c.name = 'claim' AND q.name = 'seals';
SELECT sluice.take_over();
SELECT t.beat() IS NULL OR (t.beat() ->> 'run')::boolean AS old_worker_runs;
SELECT t.err(format('SELECT _sluice.batch_commit(%L)', t.done(v, '5'))) FROM t.v WHERE name = 'seals';
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 2, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id' AS worker_id;
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'pollers' AS pollers;
INSERT INTO t.v VALUES ('recover', t.claim());
SELECT jsonb_pretty(v - 'source' - 'target') FROM t.v WHERE name = 'recover';
-- Nothing else of the pair is handed out meanwhile.
SELECT t.claim(64, 11);
CREATE FUNCTION t.adopt(commit int, manifest jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT _sluice.manifest_adopt(jsonb_build_object('worker_id', 2, 'commit', commit, 'manifest', manifest) || (v #> '{batches,0}')) FROM t.v WHERE name = 'recover' $$;
SELECT t.adopt(5, v) FROM t.v WHERE name = 'manifest';
SELECT t.adopt(5, v) FROM t.v WHERE name = 'manifest';
SELECT table_name, ltrim(position, '0') AS position, rows_changed, files FROM sluice.table_status ORDER BY 1;
SELECT table_name, work, state, commit_no, files, rows FROM sluice.batch WHERE commit_no = 5 ORDER BY 1;
-- A manifest of a later life than this ledger: the stream moves on without ever having planned the batch.
SELECT t.adopt(7, jsonb_build_object('commit', 7, 'batches', jsonb_build_array(b || jsonb_build_object('batch_id', 900, 'from', t.pos(64), 'to', t.pos(70), 'schema_version', 1,
	'files', jsonb_build_array(jsonb_build_object('file_no', 0, 'key', 'erp/dbo.t1/sluice_epoch=1/sluice_kind=cdc/sluice_day=2026-01-02/sluice_hour=00/later-0000.jsonl', 'attempt', repeat('7', 32), 'rows', 4, 'bytes', 5))))))
	FROM t.v, jsonb_array_elements(v -> 'batches') b WHERE name = 'manifest' AND b ->> 'table' = 'erp.dbo.t1';
SELECT ltrim(position, '0') AS position FROM _sluice.tab WHERE name = 'erp.dbo.t1';
-- One that tells of an epoch nobody here knows: that table alone begins anew.
SELECT t.adopt(8, jsonb_build_object('commit', 8, 'batches', jsonb_build_array(jsonb_build_object('batch_id', 901, 'table_id', 2, 'table', 'erp.dbo.t2', 'epoch', 2, 'incarnation', 1, 'work', 'load', 'job_id', 77, 'range', 0, 'schema_version', 1, 'files', '[]'::jsonb))));
-- One of a table of another registry is passed over.
SELECT t.adopt(9, jsonb_build_object('commit', 9, 'batches', jsonb_build_array(jsonb_build_object('batch_id', 902, 'table_id', 1, 'table', 'erp.dbo.other', 'epoch', 9, 'incarnation', 1, 'work', 'cdc', 'from', t.pos(1), 'to', t.pos(999), 'files', '[]'::jsonb))));
SELECT next_commit FROM _sluice.pair;
CREATE FUNCTION t.objects(tab int, VARIADIC keys text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT _sluice.objects_check(jsonb_build_object('worker_id', 2, 'table_id', tab, 'keys', to_jsonb(keys)) || (v #> '{batches,0}') || jsonb_build_object('table_id', tab)) FROM t.v WHERE name = 'recover' $$;
SELECT t.objects(1, VARIADIC (SELECT array_agg(key ORDER BY key) FROM sluice.file WHERE table_name = 'erp.dbo.t1'));
SELECT t.objects(3, format('erp/dbo.t3/sluice_epoch=1/sluice_kind=cdc/sluice_day=%s/sluice_hour=00/who-0000.jsonl', (now() AT TIME ZONE 'UTC')::date)) -> 'orphans' -> 0 IS NOT NULL AS orphan;
SELECT table_name, state, rows FROM sluice.file WHERE state = 'orphan';
SELECT table_name, kind, state FROM sluice.job WHERE state = 'asked' ORDER BY 1;
SELECT _sluice.recover_done(jsonb_build_object('worker_id', 2) || (v #> '{batches,0}')) FROM t.v WHERE name = 'recover';
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 3) i));
SELECT t.poll(1, 80);
SELECT * FROM t.run(81);
SELECT t.fence(1, 90, 2, 3);
SELECT * FROM t.run();
SELECT table_name, state, epoch, files FROM sluice.table_status ORDER BY 1;
SELECT count(*) - count(DISTINCT key) AS twice FROM sluice.file;
-- The same server and timeline again: nothing to recover.
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 3, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id' AS worker_id;
RESET SESSION AUTHORIZATION;
SELECT count(*) FROM _sluice.batch WHERE work = 'recover';
-- After a promotion the timeline is another one.
UPDATE _sluice.instance SET timeline = '00000000';
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 4, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id' AS worker_id;
RESET SESSION AUTHORIZATION;
SELECT count(*) FROM _sluice.batch WHERE work = 'recover';
\c postgres
DROP DATABASE r_recover;
-- A kept commit loses a member: what it would have said in sluice.control goes with it, the other's stays.
CREATE DATABASE r_member TEMPLATE sluice_installed;
\c r_member
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 3) i));
SELECT table_name FROM sluice.add_table('erp.dbo.t1') UNION ALL SELECT table_name FROM sluice.add_table('erp.dbo.t2');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
SELECT t.fence(1, 40, 1, 2);
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
INSERT INTO t.v VALUES ('claim', t.claim());
SELECT r ->> 'commit' AS commit, c ->> 'kind' AS kind, c ->> 'table' AS "table" FROM t.v, _sluice.batch_seal(t.seals(v)) r, jsonb_array_elements(r -> 'control') c WHERE name = 'claim' ORDER BY 3;
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
INSERT INTO t.v VALUES ('again', t.claim(64, 11));
SELECT _sluice.batch_fail(jsonb_build_object('worker_id', 1, 'batches', jsonb_build_array(v #> '{batches,0}'), 'kind', 'lost', 'code', 'SL011', 'message', 'cleanup has passed', 'hint', NULL)) FROM t.v WHERE name = 'again';
INSERT INTO t.v SELECT 'rest', t.seals(v) #- '{seals,0}' FROM t.v WHERE name = 'again';
SELECT r ->> 'commit' AS commit, c ->> 'kind' AS kind, c ->> 'table' AS "table" FROM t.v, _sluice.batch_seal(v) r, jsonb_array_elements(r -> 'control') c WHERE name = 'rest' ORDER BY 3;
SELECT _sluice.batch_commit(t.done(v, '3')) FROM t.v WHERE name = 'rest';
SELECT table_name, state, epoch FROM sluice.table_status ORDER BY 1;
SELECT count(*) FROM _sluice.commit;
-- The only member leaves: nothing of the commit is kept, and its rows are drawn anew with the next number.
SELECT table_name FROM sluice.add_table('erp.dbo.t3');
SELECT t.poll(1, 48);
SELECT count(*) FROM t.run(49);
SELECT t.fence(1, 56, 3);
UPDATE t.v SET v = t.claim() WHERE name = 'claim';
SELECT _sluice.batch_seal(t.seals(v)) ->> 'commit' AS commit FROM t.v WHERE name = 'claim';
SELECT _sluice.batch_fail(jsonb_build_object('worker_id', 1, 'batches', v -> 'batches', 'kind', 'permanent', 'code', 'SL020', 'message', 'somebody''s object', 'hint', NULL)) FROM t.v WHERE name = 'claim';
SELECT count(*) FROM _sluice.commit;
SELECT sluice.resume_table('erp.dbo.t3');
SELECT * FROM t.run();
-- An epoch is claimed while the source turns out to be another log: it must not stream from the cut of the old one.
SELECT sluice.resync_table('erp.dbo.t2') IS NOT NULL AS asked;
SELECT t.poll(1, 1000);
UPDATE t.v SET v = t.claim() WHERE name = 'claim';
SELECT t.show(v) FROM t.v WHERE name = 'claim';
SELECT t.poll(1, 300);
SELECT state, message FROM sluice.source_status;
SELECT _sluice.epoch_store((v #> '{batches,0}') || jsonb_build_object('worker_id', 1, 'epoch', v #> '{batches,0,at_least}')) FROM t.v WHERE name = 'claim';
SELECT phase, epoch FROM _sluice.tab WHERE table_name = 't2';
SELECT count(*) FROM sluice.resync_source('erp');
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 3) i));
SELECT t.poll(1, 304);
SELECT * FROM t.run(305);
SELECT table_name, phase, epoch, ltrim(position, '0') AS position FROM _sluice.tab ORDER BY 1;
\c postgres
DROP DATABASE r_member;
