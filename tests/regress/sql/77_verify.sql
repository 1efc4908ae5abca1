-- Ledger against bucket, as the worker tells it: what is missing, expired, foreign, changed; what may be purged and what never.
CREATE DATABASE r_verify TEMPLATE sluice_installed;
\c r_verify
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
SELECT t.err($$SELECT * FROM sluice.purge_files('erp.dbo.t1')$$);
SELECT t.fence(1, 40, 1);
SELECT count(*) FROM t.run();
SELECT t.poll(1, 64, t.changed(1, 50));
SELECT count(*) FROM t.run();
UPDATE _sluice.file SET last = t.pos(50) || repeat('0', 30), committed_at = '2026-01-01';
-- Asked for; asked again it is the same job.
CREATE VIEW t.result AS SELECT key, finding, objects, bytes, rows, regexp_replace(detail, 'verified .* ago', 'verified a while ago') AS detail, job FROM sluice.verify_files('erp.dbo.t1');
SELECT * FROM t.result;
SELECT * FROM t.result;
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
INSERT INTO t.v VALUES ('verify', t.claim());
SELECT v -> 'work' AS work, v #> '{batches,0}' FROM t.v WHERE name = 'verify';
SELECT kind, state FROM sluice.job WHERE kind = 'verify';
CREATE FUNCTION t.there() RETURNS TABLE (key text, bytes bigint, etag text, attempt text) LANGUAGE sql AS $$ SELECT f.key, f.bytes, NULL, f.attempt FROM _sluice.file f WHERE f.work IN ('load', 'cdc') AND f.epoch = (SELECT min(x.epoch) FROM _sluice.file x) ORDER BY f.key COLLATE "C" $$;
CREATE FUNCTION t.page(last text, list jsonb, worker int DEFAULT 1) RETURNS jsonb LANGUAGE sql AS $$
	SELECT _sluice.verify_store((v #> '{batches,0}') || jsonb_build_object('worker_id', worker, 'entries', list, 'upto', last, 'end', last IS NULL)) FROM t.v WHERE name = 'verify' $$;
-- Page by page: the first key as it landed, a stranger, one with other bytes, one that is gone; what another worker says does not count.
SELECT t.err($$SELECT t.page(NULL, '[]', 7)$$);
SELECT t.page((SELECT min(key COLLATE "C") FROM t.there()), (SELECT jsonb_agg(x) FROM (SELECT * FROM t.there() LIMIT 1) x));
SELECT key, finding, objects, detail FROM t.result;
SELECT t.page(NULL, (SELECT jsonb_agg(to_jsonb(x) || '{"bytes": 99}') FROM (SELECT * FROM t.there() OFFSET 1 LIMIT 1) x)
	|| '[{"key": "erp/dbo.t1/sluice_epoch=1/sluice_kind=load/sluice_day=2026-02-31/sluice_hour=00/no-day.jsonl", "bytes": 7, "etag": ""}, {"key": "erp/dbo.t1/notes.txt", "bytes": 1, "etag": "e"}]');
SELECT key, finding, objects, bytes, rows, detail FROM t.result;
SELECT kind, state, message FROM sluice.job WHERE kind = 'verify';
SELECT severity, message FROM sluice.event WHERE kind = 'verify';
-- The answer is young: looking again asks for nothing.
SELECT count(*) FROM sluice.job WHERE kind = 'verify';
SELECT t.claim() IS NULL AS idle;
-- What the consumer has acknowledged may be gone.
UPDATE _sluice.job SET ended_at = ended_at - interval '2 minutes' WHERE kind = 'verify';
SELECT state FROM sluice.acknowledge('silver', 'erp.dbo.t1', '000000010001' || t.pos(50) || repeat('0', 30));
SELECT finding, detail FROM t.result WHERE finding = 'age';
UPDATE t.v SET v = t.claim() WHERE name = 'verify';
SELECT t.page(NULL, '[]');
SELECT finding, objects FROM t.result WHERE key IS NULL ORDER BY 1;
SELECT t.err('SELECT t.page(NULL, ''[]'')');
-- A resync leaves a verify in hand alone, and canceling fences whoever does it.
UPDATE _sluice.job SET ended_at = ended_at - interval '2 minutes' WHERE kind = 'verify';
SELECT count(*) FROM t.result;
UPDATE t.v SET v = t.claim() WHERE name = 'verify';
SELECT state FROM sluice.resync_table('erp.dbo.t1');
SELECT t.poll(1, 80);
SELECT state FROM sluice.job WHERE kind = 'verify' ORDER BY job DESC LIMIT 1;
SELECT state FROM sluice.cancel_job((SELECT max(job) FROM sluice.job WHERE kind = 'verify'));
SELECT t.err('SELECT t.page(NULL, ''[]'')');
-- Purge: nothing while the new epoch loads, then the lower one and only that.
SELECT count(*) FROM t.run(81);
SELECT t.err($$SELECT * FROM sluice.purge_files('erp.dbo.t1', false)$$);
SELECT t.fence(1, 90, 1);
SELECT count(*) FROM t.run();
SELECT epoch, objects, state, message FROM sluice.purge_files('erp.dbo.t1');
SELECT epoch, objects, state, message FROM sluice.purge_files('erp.dbo.t1', false);
SELECT (SELECT job FROM sluice.purge_files('erp.dbo.t1', false)) = (SELECT max(job) FROM sluice.job) AS same;
INSERT INTO t.v VALUES ('purge', t.claim());
CREATE FUNCTION t.purge(call text, more jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	EXECUTE format('SELECT _sluice.%I($1)', call) INTO r USING (SELECT (v #> '{batches,0}') || more || '{"worker_id": 1}' FROM t.v WHERE name = 'purge');
	RETURN r;
END $$;
SELECT t.purge('purge_next', '{}');
SELECT t.err($$SELECT t.purge('purge_mark', '{"epoch": 2, "entries": []}')$$);
SELECT t.err($$SELECT t.purge('purge_mark', '{"epoch": 1, "entries": [{"key": "erp/dbo.t1/sluice_epoch=2/a.jsonl", "bytes": 1}]}')$$);
SELECT t.err($$SELECT t.purge('purge_mark', '{"epoch": 1, "entries": [{"key": "erp/dbo.t1/sluice_epoch=10/a.jsonl", "bytes": 1}]}')$$);
SELECT t.purge('purge_mark', jsonb_build_object('epoch', 1, 'entries', (SELECT jsonb_agg(x) FROM (SELECT key, bytes FROM t.there() LIMIT 2) x) || '[{"key": "erp/dbo.t1/sluice_epoch=1/orphan.jsonl", "bytes": 5}]'));
-- Killed and taken up again: the same epoch, and nothing counts twice.
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT t.err($$SELECT t.purge('purge_next', '{}')$$);
UPDATE t.v SET v = t.claim() WHERE name = 'purge';
SELECT t.purge('purge_next', '{}');
SELECT t.purge('purge_mark', jsonb_build_object('epoch', 1, 'entries', (SELECT jsonb_agg(x) FROM (SELECT key, bytes FROM t.there()) x)));
SELECT t.purge('purge_next', '{"emptied": 1}');
SELECT state, message FROM sluice.job WHERE kind = 'purge';
SELECT epoch, state, count(*), sum(rows) AS rows FROM sluice.file WHERE table_name IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM sluice.purge_files('erp.dbo.t1');
-- A dropped table's files: all of its epochs, once what was under way has ended; its target waits for that.
SELECT t.poll(1, 112, t.changed(1, 100));
UPDATE t.v SET v = t.claim() WHERE name = 'verify';
SELECT sluice.drop_table('erp.dbo.t1', keep_files => false);
SELECT t.err($$SELECT sluice.drop_target('lake')$$), t.err($$SELECT sluice.drop_source('erp')$$);
SELECT t.claim(64, 11) IS NULL AS waits;
SELECT _sluice.batch_commit(t.done(t.seals(v), _sluice.batch_seal(t.seals(v)) -> 'commit')) FROM t.v WHERE name = 'verify';
UPDATE t.v SET v = t.claim(64, 11) WHERE name = 'purge';
SELECT t.purge('purge_next', '{}');
SELECT t.purge('purge_next', '{"emptied": 1}');
SELECT t.purge('purge_next', '{"emptied": 2}');
SELECT DISTINCT state FROM sluice.file WHERE table_name IS NOT NULL;
SELECT sluice.drop_source('erp'), sluice.drop_target('lake');
-- Sweeping: daily, for each source and target.
SELECT count(*) FROM _sluice.batch;
\c postgres
DROP DATABASE r_verify;
