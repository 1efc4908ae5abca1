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
-- Positions here: the log's files are 16 apart, so that 16 is the begin of file 1 in the tests' own numbers.
CREATE FUNCTION t.col(name text, type text DEFAULT 'int32', more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('name', name, 'source_type', CASE type WHEN 'string' THEN 'varchar(20)' WHEN 'timestamptz' THEN 'timestamp' ELSE 'int' END, 'type', type, 'precision', 0, 'scale', 0, 'nullable', name <> 'id') || more $$;
CREATE FUNCTION t.ltab(id int, name text, columns jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('object_id', id, 'schema', 'shop', 'table', name, 'rows', 10, 'columns', columns, 'key', '[{"name": "id", "descending": false}]'::jsonb, 'primary_key', '["id"]'::jsonb, 'engine', 'InnoDB') || more $$;
CREATE FUNCTION t.mark(n int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('file', 'bin.000001', 'offset', n, 'gtid', NULL) $$;
CREATE FUNCTION t.lfacts(at int, VARIADIC tables jsonb[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE b jsonb := t.start(1);
BEGIN
	PERFORM _sluice.facts_store(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', b -> 'generation', 'facts', jsonb_build_object('server', '{"version": "10.11", "flavor": "mariadb"}'::jsonb,
		'position', t.pos(at), 'mark', t.mark(at), 'tables', to_jsonb(tables))));
END $$;
-- What the poller is asked; then a poll that finds the log's end at `cut`.
CREATE FUNCTION t.lask(known text DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	UPDATE _sluice.source_state SET next_poll_at = NULL WHERE source_id = 1;
	RETURN _sluice.poll_begin(jsonb_build_object('worker_id', 1, 'source_id', 1, 'known', known));
END $$;
CREATE FUNCTION t.lstore(b jsonb, cut int, more jsonb DEFAULT '{}', at timestamptz DEFAULT '2026-01-01T00:00:00Z') RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
	SELECT _sluice.cut_store(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', b -> 'generation', 'answer',
		jsonb_build_object('position', t.pos(cut), 'mark', t.mark(cut), 'clock', t.pos(cut), 'low', t.pos(4), 'source_time', at, 'tran_end_time', at, 'known', b #> '{ask,known}',
			'fences', (SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', f -> 'table_id', 'position', f -> 'clock')), '[]') FROM jsonb_array_elements(b #> '{ask,fences}') f WHERE f ->> 'clock' <= t.pos(cut)),
			'identity', '{"server_id": "1"}'::jsonb) || more)) ->> 'planned' $$;
CREATE FUNCTION t.lpoll(cut int, more jsonb DEFAULT '{}', at timestamptz DEFAULT '2026-01-01T00:00:00Z') RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT t.lstore(t.lask(), cut, more, at) $$;
CREATE FUNCTION t.lshape(id int, at int, columns jsonb, change text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('shapes', jsonb_build_array(jsonb_build_object('table_id', id, 'instance', format('shop.t%s@%s', id, t.pos(at)), 'start', t.pos(at), 'mark', t.mark(at), 'columns', columns, 'change', change))) $$;
CREATE FUNCTION t.lshow() RETURNS TABLE (name text, state text, phase text, epoch bigint, version int, at text, pending boolean, instance text, message text) LANGUAGE sql SECURITY DEFINER AS $$
	SELECT t.name, t.trouble, t.phase, t.epoch, t.version, ltrim(t.position, '0'), t.pending_since IS NOT NULL, regexp_replace(t.instance, '@0*', '@'), t.message FROM _sluice.tab t WHERE t.wanted <> 'dropped' ORDER BY 1 $$;
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
