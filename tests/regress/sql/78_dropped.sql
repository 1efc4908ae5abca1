-- A dropped table: its files go whatever state it stopped in, and those of the table that took its name stay.
CREATE DATABASE r_dropped TEMPLATE sluice_installed;
\c r_dropped
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v'))));
SELECT table_name FROM sluice.add_table('erp.dbo.t1', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
SELECT t.fence(1, 40, 1);
SELECT count(*) FROM t.run();
SELECT t.poll(1, 64, t.changed(1, 50));
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
INSERT INTO t.v VALUES ('claim', t.claim());
-- A first file is sealed, then the table stops for good: nobody will take the batch again.
SELECT _sluice.batch_seal(jsonb_set(t.seals(v), '{seals,0,last_file}', 'false')) ->> 'commit' AS commit FROM t.v WHERE name = 'claim';
SELECT _sluice.batch_fail(jsonb_build_object('worker_id', 1, 'kind', 'permanent', 'code', 'X', 'message', 'stopped', 'batches', v -> 'batches')) FROM t.v WHERE name = 'claim';
SELECT count(*) FROM _sluice.batch;
SELECT sluice.drop_table('erp.dbo.t1', keep_files => false) LIKE '%deletes its files%' AS purged;
SELECT work, state FROM _sluice.batch;
SELECT state, count(*) FROM _sluice.file WHERE table_id = 1 GROUP BY 1 ORDER BY 1;
UPDATE t.v SET v = t.claim();
SELECT v ->> 'work' AS work FROM t.v;
-- The same table again, while the old one's files go: its epoch is above theirs.
SELECT table_name FROM sluice.add_table('erp.dbo.t1', options => '{"max_file_age": 0}');
SELECT _sluice.purge_next((v #> '{batches,0}') || '{"worker_id": 1}') FROM t.v;
SELECT t.err(format('SELECT _sluice.purge_mark(%L)', (v #> '{batches,0}') || jsonb_build_object('worker_id', 1, 'epoch', e, 'entries', jsonb_build_array(jsonb_build_object('bytes', 1,
	'key', format('erp/dbo.t1/sluice_epoch=%s/sluice_kind=load/sluice_day=2026-01-01/sluice_hour=00/x.jsonl', e)))))) FROM t.v, generate_series(1, 2) e;
SELECT _sluice.purge_next((v #> '{batches,0}') || '{"worker_id": 1, "emptied": 1}') FROM t.v;
SELECT kind, state FROM sluice.job WHERE kind = 'purge';
-- Its epoch is above theirs, whatever the bucket tells of them; in a folder of profile dms it is claimed without the source.
SELECT t.poll(1, 70);
UPDATE t.v SET v = t.claim();
SELECT v -> 'work' AS work, v #> '{batches,0,epoch_prefix}' AS epoch_prefix, v #> '{batches,0,at_least}' AS at_least FROM t.v;
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT table_name FROM sluice.alter_table('erp.dbo.t1', '{"profile": "dms"}');
UPDATE t.v SET v = t.claim();
SELECT v -> 'work' AS work, v #> '{batches,0,epoch_prefix}' AS epoch_prefix, v #> '{batches,0,at_least}' AS at_least FROM t.v;
SELECT _sluice.epoch_store((v #> '{batches,0}') || '{"worker_id": 1, "epoch": 2}') FROM t.v;
-- A ledger of before that: a manifest of the table that took the name speaks of an epoch above the one it knows.
UPDATE _sluice.pair SET recover = true;
SELECT _sluice.recover_plan();
UPDATE t.v SET v = t.claim();
SELECT v -> 'work' AS work, v #> '{batches,0,sweep}' AS sweep FROM t.v;
SELECT _sluice.manifest_adopt((v #> '{batches,0}') || jsonb_build_object('worker_id', 1, 'commit', e, 'manifest', jsonb_build_object('commit', e, 'batches', jsonb_build_array(jsonb_build_object('batch_id', 900, 'table_id', 77,
	'table', 'erp.dbo.t1', 'epoch', e, 'incarnation', 1, 'work', 'load', 'job_id', 77, 'range', 0, 'schema_version', 1, 'files', '[]'::jsonb))))) FROM t.v, unnest('{1, 2, 9}'::int[]) e;
SELECT table_name, kind, state, reason FROM sluice.job WHERE kind = 'resync';
\c postgres
DROP DATABASE r_dropped;
