-- Sealing and committing: fencing, kept commit numbers, failures, idempotence.
CREATE DATABASE r_commit TEMPLATE sluice_installed;
\c r_commit
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, VARIADIC (SELECT array_agg(t.tab(i, 't' || i, 10, 'id,v', 'id', jsonb_build_array(t.instance(i, 'dbo_t' || i, 16, 'id,v')))) FROM generate_series(1, 3) i));
SELECT * FROM sluice.add_tables('erp', '%', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
SELECT t.fence(1, 40, 1, 2, 3);
SELECT * FROM t.run();
SELECT t.poll(1, 64, t.changed(1, 50, 2, 51, 3, 52));
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
INSERT INTO t.v VALUES ('claim', t.claim());
SELECT t.show(v) FROM t.v WHERE name = 'claim';
SELECT jsonb_pretty(v #> '{batches,0}' #- '{schema,columns}' #- '{schema,announce}') FROM t.v WHERE name = 'claim';
INSERT INTO t.v SELECT 'seals', t.seals(v) FROM t.v WHERE name = 'claim';
-- One file that is not the last draws no number.
SELECT _sluice.batch_seal(jsonb_set(v, '{seals}', jsonb_build_array((v #> '{seals,0}') || '{"last_file": false, "last_key": ["7"]}'))) FROM t.v WHERE name = 'seals';
SELECT t.err(format('SELECT _sluice.batch_commit(%L)', t.done(v, NULL))) FROM t.v WHERE name = 'seals';
-- All last files: one number, drawn once.
SELECT _sluice.batch_seal(v) FROM t.v WHERE name = 'seals';
SELECT _sluice.batch_seal(v) FROM t.v WHERE name = 'seals';
-- The runner dies. Its lease is over, it is fenced, and the three come back as one commit.
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT t.err(format('SELECT _sluice.batch_seal(%L)', v)) FROM t.v WHERE name = 'seals';
SELECT t.err(format('SELECT _sluice.batch_commit(%L)', t.done(v, '5'))) FROM t.v WHERE name = 'seals';
SELECT t.err(format('SELECT _sluice.batch_fail(%L)', v || '{"batches": [{"batch_id": 14, "generation": 1}], "kind": "transient"}')) FROM t.v WHERE name = 'seals';
SELECT table_name, work, state, commit_no, files, rows FROM sluice.batch WHERE state IN ('planned', 'sealing', 'sealed') ORDER BY batch_id;
-- Even a paused table's sealed file is finished, and all of a commit together, whatever max says.
SELECT sluice.pause_table('erp.dbo.t2');
INSERT INTO t.v VALUES ('again', t.claim(1, 11));
SELECT t.show(v) FROM t.v WHERE name = 'again';
SELECT s -> 'file_no' AS file_no, s -> 'attempt' AS attempt, s -> 'last_file' AS last_file, s -> 'last_key' AS last_key FROM t.v, jsonb_array_elements(v #> '{batches,0,seals}') s WHERE name = 'again';
-- An older attempt was adopted: sealed again without a file, the same number answers.
SELECT _sluice.batch_seal(jsonb_set(t.seals(v, 0, 2), '{seals,1}', (v #> '{batches,1}') || '{"last_file": true, "rows": 0, "attempt": null}')) FROM t.v WHERE name = 'again';
-- One batch of the commit fails for good: it leaves, the others go on under the same number.
SELECT _sluice.batch_fail(jsonb_build_object('worker_id', 1, 'batches', jsonb_build_array(v #> '{batches,2}'), 'kind', 'permanent', 'code', 'X', 'message', 'an object nobody sealed stands at key k', 'hint', NULL)) FROM t.v WHERE name = 'again';
SELECT t.err(format('SELECT _sluice.batch_commit(%L)', t.done(jsonb_set(t.seals(v), '{seals}', jsonb_build_array(t.seals(v) #> '{seals,0}')), '5'))) FROM t.v WHERE name = 'again';
INSERT INTO t.v SELECT 'done', t.done(t.seals(v) #- '{seals,2}', '5') FROM t.v WHERE name = 'again';
SELECT _sluice.batch_commit(v) FROM t.v WHERE name = 'done';
SELECT _sluice.batch_commit(v) FROM t.v WHERE name = 'done';
SELECT table_name, state, ltrim(position, '0') AS position, rows_changed, files, message, hint FROM sluice.table_status ORDER BY 1;
SELECT table_name, kind, epoch, commit_no, rows, key FROM sluice.file WHERE commit_no = 5 ORDER BY key;
-- The one that failed goes on where it stood once it is mended.
SELECT t.claim();
SELECT sluice.resume_table('erp.dbo.t2'), sluice.resume_table('erp.dbo.t3');
SELECT * FROM t.run();
-- A transient failure waits, and is shown; nothing else is touched.
SELECT t.poll(1, 80, t.changed(1, 70));
INSERT INTO t.v VALUES ('third', t.claim());
SELECT _sluice.batch_fail(jsonb_build_object('worker_id', 1, 'batches', v -> 'batches', 'kind', 'transient', 'code', '08001', 'message', 'connection refused', 'hint', 'Is it up?')) FROM t.v WHERE name = 'third';
SELECT t.claim();
SELECT table_name, state, health, message, hint FROM sluice.status WHERE message IS NOT NULL;
SELECT sluice.alter_setting('retry_base_seconds', '0');
UPDATE _sluice.batch SET retry_at = NULL;
INSERT INTO t.v VALUES ('fourth', t.claim());
SELECT _sluice.batch_fail(jsonb_build_object('worker_id', 1, 'batches', v -> 'batches', 'kind', 'transient', 'message', 'connection refused')) FROM t.v WHERE name = 'fourth';
-- Given back untouched.
INSERT INTO t.v VALUES ('fifth', t.claim());
SELECT _sluice.batch_release(jsonb_build_object('worker_id', 1, 'batches', v -> 'batches')) FROM t.v WHERE name = 'fifth';
-- A batch without rows lands nothing and still moves on.
INSERT INTO t.v VALUES ('sixth', t.claim());
INSERT INTO t.v SELECT 'empty', jsonb_build_object('worker_id', 1, 'source_id', 1, 'target_id', 1, 'seals', jsonb_build_array((v #> '{batches,0}') || '{"last_file": true, "rows": 0}')) FROM t.v WHERE name = 'sixth';
SELECT _sluice.batch_seal(v) FROM t.v WHERE name = 'empty';
SELECT _sluice.batch_commit((v - 'seals') || jsonb_build_object('batches', jsonb_build_array((v #> '{seals,0}') || '{"files": []}'))) FROM t.v WHERE name = 'empty';
SELECT table_name, state, message, ltrim(position, '0') AS position FROM sluice.table_status WHERE table_name = 'erp.dbo.t1';
-- A worker that does not beat loses its leases by time.
SELECT t.poll(1, 96, t.changed(1, 90));
SELECT t.show(t.claim());
UPDATE _sluice.batch SET lease_until = clock_timestamp() - interval '1 second';
SELECT t.show(t.claim(64, 11));
-- A claim that was on its way when its worker stopped is free for the next one at once.
SELECT _sluice.worker_stop('{"worker_id": 1}');
UPDATE _sluice.batch SET lease_worker = 1, lease_pid = 11, lease_until = clock_timestamp() + interval '1 hour';
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 2, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.show(t.claim(64, 12));
-- Everything that may be said of the ledger in one look.
SELECT count(*), count(DISTINCT key) FROM sluice.file;
SELECT next_commit, recover FROM _sluice.pair;
SELECT count(*) FROM _sluice.commit;
\c postgres
DROP DATABASE r_commit;
