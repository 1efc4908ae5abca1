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
SELECT table_name, nulled FROM sluice.table_status;
-- Options that a kind of source does not know, and what its log leaves out.
SELECT c, t.err(format('SELECT * FROM sluice.add_table(%s)', c)) FROM unnest(ARRAY[
	$$'shop.shop.t2', options => '{"profile": "debezium"}'$$,
	$$'shop.shop.t2', options => '{"zero_dates": "epoch"}'$$,
	$$'shop.shop.t2', options => '{"cascade": "maybe"}'$$,
	$$'shop.shop.t9'$$]) c;
SELECT t.err($$SELECT sluice.alter_table('shop.shop.t1', options => '{"profile": "debezium"}')$$);
SELECT t.err($$SELECT * FROM sluice.check_cdc('shop')$$), t.err($$SELECT sluice.cdc_script('shop')$$);
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P');
SELECT t.err($$SELECT * FROM sluice.add_table('erp.dbo.a', options => '{"zero_dates": "text"}')$$), t.err($$SELECT * FROM sluice.add_table('erp.dbo.a', options => '{"cascade": "accept"}')$$);
SELECT t.lfacts(160, t.ltab(1, 't1', jsonb_build_array(t.col('id'), t.col('v', 'string')), '{"cascades": [{"name": "t1_parent"}]}'), t.ltab(2, 't2', jsonb_build_array(t.col('id'), t.col('v', 'string')), '{"cascades": [{"name": "t2_parent"}, {"name": "t2_other"}]}'),
	t.ltab(3, 't3', jsonb_build_array(t.col('id'), t.col('at', 'timestamptz'), t.col('day', 'date'), t.col('v', 'string'))), t.ltab(4, 't4', jsonb_build_array(t.col('v', 'string')), '{"key": [], "primary_key": []}'));
SELECT name, trouble, code, message, hint FROM _sluice.tab;
SELECT t.err($$SELECT * FROM sluice.add_table('shop.shop.t2')$$);
SELECT action, reason, hint FROM sluice.add_tables('shop', 'shop.t2');
SELECT state, hint FROM sluice.add_table('shop.shop.t2', options => '{"cascade": "accept"}');
SELECT "check", object, severity, found, fix_sql FROM sluice.check_source('shop') WHERE "check" = 'cascade';
SELECT * FROM sluice.alter_table('shop.shop.t1', options => '{"cascade": "accept"}');
SELECT sluice.resume_table('shop.shop.t1');
-- Dates as text; a timestamp is an instant without offset.
SELECT state FROM sluice.add_table('shop.shop.t3', options => '{"zero_dates": "text"}');
SELECT c ->> 'name' AS name, c ->> 'type' AS type, c ->> 'utc' AS utc FROM _sluice.capture_instance i, _sluice.tab t, jsonb_array_elements(_sluice.columns_build(t, i)) c WHERE i.source_object_id = 3 AND t.table_name = 't3';
SELECT c ->> 'name' AS name, c ->> 'type' AS type, c ->> 'utc' AS utc FROM _sluice.capture_instance i, _sluice.tab t, jsonb_array_elements(_sluice.columns_build(t, i)) c WHERE i.source_object_id = 3 AND t.table_name = 't1';
-- No key: one scan, exact when the log says that nothing changed meanwhile; else it is made again.
SELECT sluice.drop_table('shop.shop.t2'), sluice.drop_table('shop.shop.t3');
SELECT state FROM sluice.add_table('shop.shop.t4', options => '{"max_file_age": 0}');
CREATE FUNCTION t.facts4(at int) RETURNS void LANGUAGE sql AS $$ SELECT t.lfacts(at, t.ltab(1, 't1', jsonb_build_array(t.col('id'), t.col('v', 'string'))), t.ltab(4, 't4', jsonb_build_array(t.col('v', 'string')), '{"key": [], "primary_key": []}')) $$;
SELECT t.facts4(200), t.lpoll(200);
SELECT * FROM t.run(200);
INSERT INTO t.v SELECT 'keyless', to_jsonb(table_id) FROM _sluice.tab WHERE table_name = 't4' AND wanted = 'run';
-- Its changes do not land during the scan; the log's end after it is where the scan is proved.
SELECT t.lpoll(210, t.changed(v::int, 205)), t.lpoll(220) FROM t.v WHERE name = 'keyless';
SELECT work, table_name FROM sluice.batch WHERE state IN ('planned', 'sealing', 'sealed');
SELECT t.lask() #> '{ask,quiet}' AS quiet;
SELECT t.lpoll(230, jsonb_build_object('quiet', jsonb_build_array(jsonb_build_object('table_id', v, 'quiet', false)))) FROM t.v WHERE name = 'keyless';
SELECT t.facts4(240), t.lpoll(240);
SELECT * FROM t.run(240);
SELECT t.lpoll(250), t.lpoll(260);
SELECT t.lpoll(270, jsonb_build_object('quiet', jsonb_build_array(jsonb_build_object('table_id', v, 'quiet', true)))) FROM t.v WHERE name = 'keyless';
SELECT * FROM t.run();
SELECT * FROM t.lshow();
-- A restored dump keeps shapes and marks: what the catalogue says now is not what the log was read with.
SELECT c::regclass, w FROM pg_extension, unnest(extconfig, extcondition) u(c, w) WHERE extname = 'sluice' AND c::regclass::text ~ 'log_mark|capture_instance';
DELETE FROM _sluice.batch; DELETE FROM _sluice.commit; DELETE FROM _sluice.file; DELETE FROM _sluice.batch_log; DELETE FROM _sluice.source_table;
DELETE FROM _sluice.capture_instance WHERE mark IS NULL;
SELECT sluice.take_over() LIKE '%recovered%' AS taken_over;
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 2, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id' AS worker_id;
RESET SESSION AUTHORIZATION;
SELECT t.beat() -> 'pollers' AS pollers;
SELECT * FROM t.run();
SELECT t.lfacts(300, t.ltab(1, 't1', jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('later', 'string', '{"default": "x"}'))));
SELECT t.lpoll(300, t.changed(1, 290) || t.lshape(1, 280, jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('later', 'string', '{"default": "x"}'))), '2026-01-01T00:05:00Z');
SELECT * FROM t.lshow();
INSERT INTO t.v VALUES ('restored', t.claim());
SELECT ltrim(v #>> '{batches,0,from}', '0') AS low, ltrim(v #>> '{batches,0,to}', '0') AS high, v #> '{batches,0,mark,offset}' AS mark, jsonb_array_length(v #> '{batches,0,schema,log_columns}') AS columns FROM t.v WHERE name = 'restored';
\c postgres
DROP DATABASE r_log;
