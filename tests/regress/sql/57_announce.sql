-- Schema files: asked for until a commit says that they stand, once an epoch and version; known again where the commit was lost.
CREATE DATABASE r_announce TEMPLATE sluice_installed;
\c r_announce
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake', prefix => 'p');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v'))));
SELECT table_name FROM sluice.add_table('erp.dbo.t1', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
-- The clock of the epoch stands in the key: here it is always the same.
CREATE FUNCTION t.early() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.begun_at := '2026-01-01T23:30:00Z'; RETURN new; END $$;
CREATE TRIGGER early BEFORE INSERT OR UPDATE ON _sluice.epoch FOR EACH ROW EXECUTE FUNCTION t.early();
SELECT t.claim() ->> 'work' AS work;
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
INSERT INTO t.v VALUES ('check', t.claim());
SELECT _sluice.check_store(jsonb_build_object('worker_id', 1, 'target_id', 1, 'steps', '[]'::jsonb, 'batches', v -> 'batches')) FROM t.v WHERE name = 'check';
INSERT INTO t.v VALUES ('recover', t.claim());
SELECT v ->> 'work' FROM t.v WHERE name = 'recover';
SELECT _sluice.recover_done(jsonb_build_object('worker_id', 1) || (v #> '{batches,0}')) FROM t.v WHERE name = 'recover';
INSERT INTO t.v VALUES ('epoch', t.claim());
SELECT _sluice.epoch_store((v #> '{batches,0}') || jsonb_build_object('worker_id', 1, 'epoch', 3)) FROM t.v WHERE name = 'epoch';
INSERT INTO t.v VALUES ('load', t.claim());
SELECT jsonb_pretty(v #> '{batches,0,schema,announce}') FROM t.v WHERE name = 'load';
-- An empty table: no file, no manifest, and still the schema file is ledger.
INSERT INTO t.v SELECT 'done', jsonb_build_object('worker_id', 1, 'source_id', 1, 'target_id', 1, 'commit', NULL, 'batches', jsonb_build_array((v #> '{batches,0}') || jsonb_build_object('files', '[]'::jsonb, 'announced',
	jsonb_build_object('file', jsonb_build_object('key', (v #>> '{batches,0,schema,announce,file_stem}') || '.jsonl', 'attempt', repeat('a', 32), 'bytes', 0, 'etag', ''))))) FROM t.v WHERE name = 'load';
SELECT _sluice.batch_seal(jsonb_build_object('worker_id', 1, 'source_id', 1, 'target_id', 1, 'seals', jsonb_build_array((v #> '{batches,0}') || '{"last_file": true, "rows": 0, "position": "00000000000000000020"}'))) FROM t.v WHERE name = 'load';
SELECT _sluice.batch_commit(v) FROM t.v WHERE name = 'done';
SELECT kind, epoch, schema_version, rows, bytes, etag, key FROM sluice.file;
SELECT files, rows_loaded FROM sluice.table_status;
SELECT t.fence(1, 40, 1);
UPDATE t.v SET v = t.claim() WHERE name = 'load';
SELECT v #> '{batches,0,work}' AS work, v #> '{batches,0,schema,announce}' AS announce FROM t.v WHERE name = 'load';
-- Another format has files of its own; the key has the same begin.
SELECT table_name FROM sluice.alter_table('erp.dbo.t1', '{"compression": "none"}');
SELECT _sluice.batch_seal(t.seals(v)) ->> 'commit' AS commit FROM t.v WHERE name = 'load';
SELECT _sluice.batch_commit(t.done(t.seals(v), '1')) FROM t.v WHERE name = 'load';
SELECT t.poll(1, 64, t.changed(1, 50));
UPDATE t.v SET v = t.claim() WHERE name = 'load';
SELECT v #> '{batches,0,schema,announce,file_stem}' AS file_stem FROM t.v WHERE name = 'load';
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
-- Its commit was lost with the server: found again by recovery it is no orphan, and the table stays in its epoch.
DELETE FROM _sluice.file;
UPDATE _sluice.pair SET recover = true;
SELECT _sluice.recover_plan();
UPDATE t.v SET v = t.claim() WHERE name = 'recover';
SELECT _sluice.objects_check(jsonb_build_object('worker_id', 1, 'table_id', 1, 'keys', jsonb_build_array('p/erp/dbo.t1/sluice_epoch=3/sluice_kind=schema/sluice_day=2026-01-01/sluice_hour=23/schema-00000001.jsonl')) || (v #> '{batches,0}')) FROM t.v WHERE name = 'recover';
SELECT kind, state, epoch, schema_version, rows FROM sluice.file;
SELECT count(*) FROM sluice.job WHERE kind = 'resync';
\c postgres
DROP DATABASE r_announce;
