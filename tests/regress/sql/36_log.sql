-- A source with one log for all tables: registered, discovered, loaded, fenced, followed; what a poll asks; marks; shapes.
CREATE DATABASE r_log TEMPLATE sluice_installed;
\c r_log
SELECT * FROM sluice.add_source('shop', 'mariadb', host => 'db1', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SELECT c, t.err(format('SELECT * FROM sluice.add_source(%s)', c)) FROM unnest(ARRAY[
	$$'x', 'mysql', host => 'h', database => 'd', "user" => 'u', password_env => 'P'$$,
	$$'x', 'mysql', host => 'h'$$,
	$$'x', 'mysql', host => 'h', "user" => 'u', password_env => 'P', options => '{"kerberos": true}'$$,
	$$'x', 'mariadb', host => 'h', "user" => 'u', password_env => 'P', options => '{"load_lock": true}'$$,
	$$'x', 'mysql', host => 'h', "user" => 'u', password_env => 'P', options => '{"max_connections": 3}'$$]) c;
SELECT option, source FROM (SELECT o.name AS option, string_agg(replace(o.scope, 'source/', ''), ' ' ORDER BY o.scope) AS source FROM sluice.option o WHERE o.scope LIKE 'source/m%' GROUP BY 1) x ORDER BY 1;
SELECT (_sluice.source_doc(s)) FROM _sluice.source s;
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);

-- Before discovery nothing is known; then every table of the server is, with its columns from the position read before.
SELECT table_name, state, hint FROM sluice.add_table('shop.shop.t1', options => '{"max_file_age": 10}');
SELECT t.lfacts(32, t.ltab(1, 't1', jsonb_build_array(t.col('id'), t.col('v', 'string'))), t.ltab(2, 't2', jsonb_build_array(t.col('id'), t.col('v', 'string'))),
	t.ltab(3, 't3', jsonb_build_array(t.col('id'), t.col('at', 'timestamptz'), t.col('v', 'string'))));
SELECT instance, ltrim(start, '0') AS start, mark, ahead FROM _sluice.capture_instance ORDER BY 1;
SELECT schema_name, table_name, captured_as, cdc, key FROM sluice.source_table ORDER BY 2;
-- The shape is there, the cut is not yet: no epoch begins before it.
SELECT * FROM t.run();
SELECT t.lask() -> 'ask';
SELECT t.lpoll(32);
SELECT * FROM t.run(32, 1);
SELECT * FROM t.lshow();
-- Followed now: asked with its columns and, since the last poll did not look for it, from where it stands.
SELECT t.lpoll(48);
SELECT * FROM t.lshow();
INSERT INTO t.v VALUES ('ask', t.lask() -> 'ask');
SELECT jsonb_pretty(v) FROM t.v WHERE name = 'ask';
SELECT (t.lask(v ->> 'known') -> 'ask') ->> 'tables' AS known, jsonb_array_length((t.lask('other') -> 'ask') -> 'tables') AS not_known FROM t.v WHERE name = 'ask';
-- The load has ended: the log's end is the clock, and the fence is where the cut has passed it.
SELECT t.lpoll(64);
SELECT * FROM t.run();
SELECT t.lpoll(80);
SELECT * FROM t.run();
SELECT * FROM t.lshow();
-- Changes wait for max_file_age, then land; the batch says where to take up reading and what the log's columns are.
SELECT t.lpoll(96, t.changed(1, 90), '2026-01-01T00:01:00Z');
SELECT t.lpoll(112, '{}', '2026-01-01T00:01:09Z');
SELECT t.lpoll(128, '{}', '2026-01-01T00:01:10Z');
INSERT INTO t.v VALUES ('claim', t.claim());
SELECT s.* FROM t.v, t.show(v) s WHERE name = 'claim';
SELECT jsonb_pretty((v #> '{batches,0}') #- '{schema,announce}') FROM t.v WHERE name = 'claim';
INSERT INTO t.v SELECT 'seals', t.seals(v) FROM t.v WHERE name = 'claim';
INSERT INTO t.v SELECT 'number', _sluice.batch_seal(v) FROM t.v WHERE name = 'seals';
SELECT _sluice.batch_commit(jsonb_set(t.done(s.v, n.v -> 'commit'), '{batches,0,nulled}', '3')) FROM t.v s, t.v n WHERE s.name = 'seals' AND n.name = 'number';
SELECT * FROM t.lshow();
SELECT message, detail ->> 'hint' AS hint FROM sluice.event WHERE kind = 'nulled';
\c postgres
DROP DATABASE r_log;
