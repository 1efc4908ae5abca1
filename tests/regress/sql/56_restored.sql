-- A restored dump: the ledger is taken from the manifests, from the first one at every try; what was under way when it was made does not land twice.
CREATE DATABASE r_restored TEMPLATE sluice_installed;
\c r_restored
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 2) i));
SELECT count(*) FROM sluice.add_tables('erp', '%', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
-- t2 streams; the commit that ends the load of t1 has been drawn when the dump is made.
SELECT t.fence(1, 40, 2);
SELECT count(*) FROM t.run();
SELECT t.poll(1, 64, '{"fences": [{"table_id": 1, "position": "00000000000000000041"}]}');
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
INSERT INTO t.v VALUES ('claim', t.claim());
SELECT v #> '{batches,0,table}' AS table, v #> '{batches,0,to}' AS to FROM t.v;
SELECT _sluice.batch_seal(t.seals(v)) -> 'commit' AS commit FROM t.v;
SELECT next_commit FROM _sluice.pair;
-- What a dump does not hold.
DELETE FROM _sluice.batch; DELETE FROM _sluice.commit; DELETE FROM _sluice.file; DELETE FROM _sluice.batch_log;
SELECT sluice.take_over() LIKE '%recovered%' AS taken_over;
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 2, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id' AS worker_id;
RESET SESSION AUTHORIZATION;
INSERT INTO t.v VALUES ('recover', t.claim());
SELECT v -> 'work' AS work, v #> '{batches,0,after}' AS after FROM t.v WHERE name = 'recover';
CREATE FUNCTION t.adopt(commit int, tab int, low int, high int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT _sluice.manifest_adopt((v #> '{batches,0}') || jsonb_build_object('worker_id', 2, 'commit', commit, 'manifest', jsonb_build_object('commit', commit, 'batches', jsonb_build_array(jsonb_build_object('batch_id', 800 + commit, 'table_id', tab,
		'table', 'erp.dbo.t' || tab, 'epoch', 1, 'incarnation', 1, 'work', 'cdc', 'from', t.pos(low), 'to', t.pos(high), 'schema_version', 1, 'files', jsonb_build_array(jsonb_build_object('file_no', 0, 'rows', 1, 'bytes', 1, 'attempt', repeat('a', 32),
		'key', format('erp/dbo.t%s/sluice_epoch=1/sluice_kind=cdc/sluice_day=2026-01-01/sluice_hour=00/%s-0000.jsonl', tab, commit))))))))
	FROM t.v WHERE name = 'recover' $$;
SELECT t.adopt(3, 2, 33, 41);
-- Whoever read the first of them is gone: they are read from the beginning again, the drawn one among them.
SELECT _sluice.child_gone('{"worker_id": 2, "pid": 10}');
UPDATE t.v SET v = t.claim() WHERE name = 'recover';
SELECT v -> 'work' AS work, v #> '{batches,0,after}' AS after FROM t.v WHERE name = 'recover';
SELECT t.adopt(3, 2, 33, 41), t.adopt(4, 1, 33, 65);
SELECT table_name, kind, reason FROM sluice.job WHERE kind = 'resync';
SELECT _sluice.recover_done(jsonb_build_object('worker_id', 2) || (v #> '{batches,0}')) FROM t.v WHERE name = 'recover';
SELECT recover, manifest_after FROM _sluice.pair;
\c postgres
DROP DATABASE r_restored;
