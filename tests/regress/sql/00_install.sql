-- The extension installs, belongs to sluice_owner, and every object in it is documented and closed to PUBLIC.
CREATE DATABASE sluice_installed;
\c sluice_installed
SET client_min_messages = warning;
CREATE EXTENSION sluice;
SELECT "check", object, ok FROM sluice.check_install() WHERE "check" NOT IN ('worker', 'supervisor', 'database') ORDER BY 1, 2;
SELECT sluice.version() = extversion AS same_version FROM pg_extension WHERE extname = 'sluice';
-- Each of these must be empty: no comment, no fixed search_path, open to everybody, too long, not owned by sluice_owner.
SELECT p.oid::regprocedure AS no_comment FROM pg_proc p WHERE p.pronamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.oid::regclass AS no_comment FROM pg_class c WHERE c.relnamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace) AND c.relkind IN ('r', 'p', 'v')
	AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT p.oid::regprocedure AS no_search_path FROM pg_proc p WHERE p.pronamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace)
	AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false) ORDER BY 1::text;
SELECT p.oid::regprocedure AS open_to_public FROM pg_proc p WHERE p.pronamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace)
	AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0);
SELECT p.oid::regprocedure AS too_long FROM pg_proc p WHERE p.pronamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace)
	AND array_length(string_to_array(p.prosrc, E'\n'), 1) > 60;
SELECT p.oid::regprocedure AS other_owner FROM pg_proc p WHERE p.pronamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace) AND p.proowner <> 'sluice_owner'::regrole;
SELECT c.oid::regclass AS other_owner FROM pg_class c WHERE c.relnamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'S') AND c.relowner <> 'sluice_owner'::regrole;
SELECT c.relname AS no_barrier FROM pg_class c WHERE c.relnamespace = 'sluice'::regnamespace AND c.relkind = 'v' AND NOT coalesce('security_barrier=true' = ANY (c.reloptions), false);
-- Views use types that federation maps cleanly; definitions and options are the stated exceptions.
SELECT c.relname, a.attname, a.atttypid::regtype FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'sluice'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
	AND a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'double precision'::regtype, 'boolean'::regtype, 'timestamptz'::regtype, 'jsonb'::regtype, 'date'::regtype, 'numeric'::regtype) ORDER BY 1, 2;
-- An empty registry says what is missing.
SELECT table_name, state, message FROM sluice.status;

-- What the other tests share: they work in copies of this database.
CREATE SCHEMA t;
GRANT USAGE ON SCHEMA t TO PUBLIC;
CREATE FUNCTION t.err(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE h text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS h = PG_EXCEPTION_HINT;
	RETURN sqlstate || ': ' || replace(sqlerrm, 'superuser ' || session_user, 'superuser NAME') || ' HINT: ' || coalesce(nullif(h, ''), 'none');
END $$;
CREATE FUNCTION t.pos(n int) RETURNS text LANGUAGE sql AS $$ SELECT lpad(to_hex(n), 20, '0') $$;
CREATE FUNCTION t.instance(id int, name text, start int, cols text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('instance', name, 'object_id', 1000 + id, 'source_object_id', id % 100, 'start', t.pos(start), 'start_before', t.pos(start - 1), 'create_date', to_char(start, 'FM0000'),
		'command_id', true, 'readable', true, 'key', '[]'::jsonb, 'columns', (SELECT jsonb_agg(jsonb_build_object('name', c, 'source_type', 'int', 'type', 'int32') ORDER BY n) FROM unnest(string_to_array(cols, ',')) WITH ORDINALITY u(c, n)))
$$;
CREATE FUNCTION t.tab(id int, name text, rows int, cols text, key text, instances jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('object_id', id, 'schema', 'dbo', 'table', name, 'rows', rows, 'cdc', instances <> '[]', 'instances', instances,
		'columns', (SELECT jsonb_agg(jsonb_build_object('name', split_part(c, ':', 1), 'source_type', 'int', 'type', coalesce(nullif(split_part(c, ':', 2), ''), 'int32'), 'nullable', true,
			'refused', CASE WHEN split_part(c, ':', 2) = 'variant' THEN 'no exact form' END) ORDER BY n) FROM unnest(string_to_array(cols, ',')) WITH ORDINALITY u(c, n)),
		'key', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', k, 'descending', false)), '[]') FROM unnest(string_to_array(key, ',')) k),
		'primary_key', (SELECT coalesce(jsonb_agg(k), '[]') FROM unnest(string_to_array(key, ',')) k))
$$;
CREATE TABLE t.answer (source_id int PRIMARY KEY, tables jsonb);
CREATE FUNCTION t.beat() RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS $$
	SELECT _sluice.worker_beat(jsonb_build_object('worker_id', max(worker_id), 'children', '[10, 11]'::jsonb)) FROM _sluice.worker $$;
CREATE FUNCTION t.start(source int) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	UPDATE _sluice.source_state SET next_poll_at = NULL WHERE source_id = source;
	RETURN _sluice.poll_begin(jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker), 'source_id', source));
END $$;
-- A poll that finds the log at `cut`; `newest` and the rest of the answer as given.
CREATE FUNCTION t.poll(source int, cut int, more jsonb DEFAULT '{}', at timestamptz DEFAULT '2026-01-01T00:00:00Z') RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE b jsonb := t.start(source); r jsonb;
BEGIN
	r := _sluice.cut_store(jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker), 'source_id', source, 'generation', b -> 'generation', 'answer',
		jsonb_build_object('position', t.pos(cut), 'tran_end_time', at, 'source_time', at, 'clock', 'clock ' || cut, 'newest', '[]'::jsonb, 'fences', '[]'::jsonb, 'ddl', '[]'::jsonb,
			'instances', (SELECT coalesce(jsonb_agg(i - 'columns'), '[]') FROM t.answer a, jsonb_array_elements(a.tables) x, jsonb_array_elements(x -> 'instances') i WHERE a.source_id = source)) || more));
	RETURN r ->> 'planned';
END $$;
CREATE FUNCTION t.facts(source int, VARIADIC tables jsonb[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE b jsonb := t.start(source);
BEGIN
	INSERT INTO t.answer VALUES (source, to_jsonb(tables)) ON CONFLICT (source_id) DO UPDATE SET tables = excluded.tables;
	PERFORM _sluice.facts_store(jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker), 'source_id', source, 'generation', b -> 'generation', 'facts',
		jsonb_build_object('server', '{"version": "16.0", "agent": true}'::jsonb, 'database', '{"name": "ERP", "cdc": true}'::jsonb, 'jobs', '{"retention_minutes": 4320}'::jsonb, 'tables', to_jsonb(tables))));
END $$;
CREATE FUNCTION t.changed(VARIADIC pairs int[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('newest', jsonb_agg(jsonb_build_object('table_id', pairs[i], 'position', t.pos(pairs[i + 1])))) FROM generate_series(1, cardinality(pairs), 2) i $$;
CREATE FUNCTION t.claim(most int DEFAULT 64, pid int DEFAULT 10) RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS $$
	SELECT _sluice.batch_claim(jsonb_build_object('worker_id', max(worker_id), 'pid', $2, 'max', $1)) FROM _sluice.worker $$;
CREATE FUNCTION t.show(claim jsonb) RETURNS TABLE (work text, "table" text, epoch int, low text, high text, range int, commit int, seals int) LANGUAGE sql AS $$
	SELECT claim ->> 'work', b ->> 'table', (b ->> 'epoch')::int, ltrim(b ->> 'from', '0'), ltrim(b ->> 'to', '0'), (b ->> 'range')::int, (b ->> 'commit')::int, jsonb_array_length(b -> 'seals')
	FROM jsonb_array_elements(claim -> 'batches') b ORDER BY (b ->> 'batch_id')::int $$;
-- The seals a runner would send: one file a batch.
CREATE FUNCTION t.seals(claim jsonb, l int DEFAULT 0, attempt int DEFAULT 1) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker), 'source_id', claim #> '{source,id}', 'target_id', claim #> '{target,id}', 'seals', jsonb_agg(jsonb_build_object(
		'batch_id', b -> 'batch_id', 'generation', b -> 'generation', 'file_no', 0, 'attempt', lpad(attempt::text, 32, '0'), 'last_file', true, 'rows', 3, 'bytes', 100,
		'key', format('%s/sluice_day=2026-01-01/sluice_hour=00/%s-0000.jsonl', b ->> 'path', b ->> 'stem'), 'day', '2026-01-01', 'hour', '00', 'first', 'a', 'last', 'b')
		|| CASE WHEN claim ->> 'work' = 'load' THEN jsonb_build_object('position', t.pos(l)) ELSE '{}' END)) FROM jsonb_array_elements(claim -> 'batches') b $$;
CREATE FUNCTION t.done(seals jsonb, commit jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT seals - 'seals' || jsonb_build_object('commit', commit, 'control', NULL, 'batches', (SELECT jsonb_agg(jsonb_build_object('batch_id', s -> 'batch_id', 'generation', s -> 'generation', 'position', s -> 'position',
		'position_after', s -> 'position_after', 'files', jsonb_build_array(s - 'batch_id' - 'generation'))) FROM jsonb_array_elements(seals -> 'seals') s)) $$;
-- Everything there is to do, done as a good worker does it; says what it did.
CREATE FUNCTION t.run(l int DEFAULT 0, most int DEFAULT 64) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
	c jsonb; b jsonb; s jsonb; r jsonb;
	w jsonb := jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker));
BEGIN
	LOOP
		c := t.claim(most);
		EXIT WHEN c IS NULL;
		IF c ->> 'work' = 'check' THEN
			PERFORM _sluice.check_store(w || jsonb_build_object('target_id', c #> '{target,id}', 'steps', '[{"check": "put", "object": "folder", "ok": true, "found": "written"}]'::jsonb, 'batches', c -> 'batches'));
			RETURN NEXT 'check';
		ELSIF c ->> 'work' = 'recover' THEN
			PERFORM _sluice.recover_done(w || (c #> '{batches,0}'));
			RETURN NEXT 'recover';
		ELSIF c ->> 'work' = 'epoch' THEN
			FOR b IN SELECT * FROM jsonb_array_elements(c -> 'batches') LOOP
				PERFORM _sluice.epoch_store(w || b || jsonb_build_object('epoch', b -> 'at_least'));
				RETURN NEXT format('epoch %s of %s', b ->> 'at_least', b ->> 'table');
			END LOOP;
		ELSE
			s := t.seals(c, l);
			r := _sluice.batch_seal(s);
			PERFORM _sluice.batch_commit(t.done(s, r -> 'commit'));
			RETURN QUERY SELECT format('%s %s epoch %s commit %s: %s', c ->> 'work', x ->> 'table', x ->> 'epoch', r ->> 'commit',
				coalesce('range ' || (x ->> 'range'), format('(%s, %s]', ltrim(x ->> 'from', '0'), ltrim(x ->> 'to', '0')))) FROM jsonb_array_elements(c -> 'batches') x ORDER BY 1;
			RETURN QUERY SELECT 'control ' || (x ->> 'kind') || ' ' || (x ->> 'table') || ' epoch ' || (x ->> 'epoch') FROM jsonb_array_elements(r -> 'control') x;
		END IF;
	END LOOP;
END $$;
-- A load that is committed up to its fence.
CREATE FUNCTION t.fence(source int, cut int, VARIADIC tables int[]) RETURNS text LANGUAGE sql AS $$
	SELECT t.poll(source, cut) || ' ' || t.poll(source, cut + 2, jsonb_build_object('fences', (SELECT jsonb_agg(jsonb_build_object('table_id', x, 'position', t.pos(cut + 1))) FROM unnest(tables) x))) $$;
-- A source with one log for all tables (MySQL, MariaDB): columns and tables of its facts, polls and what they answer.
CREATE FUNCTION t.col(name text, type text DEFAULT 'int32', more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('name', name, 'source_type', CASE type WHEN 'string' THEN 'varchar(20)' WHEN 'timestamptz' THEN 'timestamp' ELSE 'int' END, 'type', type, 'precision', 0, 'scale', 0, 'nullable', name <> 'id') || more $$;
CREATE FUNCTION t.ltab(id int, name text, columns jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('object_id', id, 'schema', 'shop', 'table', name, 'rows', 10, 'columns', columns, 'key', '[{"name": "id", "descending": false}]'::jsonb, 'primary_key', '["id"]'::jsonb, 'engine', 'InnoDB') || more $$;
CREATE FUNCTION t.mark(n int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('file', 'bin.000001', 'offset', n, 'gtid', NULL) $$;
CREATE FUNCTION t.lfacts(at int, VARIADIC tables jsonb[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE b jsonb := t.start(1);
BEGIN
	PERFORM _sluice.facts_store(jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker), 'source_id', 1, 'generation', b -> 'generation', 'facts', jsonb_build_object('server', '{"version": "10.11", "flavor": "mariadb"}'::jsonb,
		'position', t.pos(at), 'mark', t.mark(at), 'tables', to_jsonb(tables))));
END $$;
-- What the poller is asked; then a poll that finds the log's end at `cut`.
CREATE FUNCTION t.lask(known text DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	UPDATE _sluice.source_state SET next_poll_at = NULL WHERE source_id = 1;
	RETURN _sluice.poll_begin(jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker), 'source_id', 1, 'known', known));
END $$;
CREATE FUNCTION t.lstore(b jsonb, cut int, more jsonb DEFAULT '{}', at timestamptz DEFAULT '2026-01-01T00:00:00Z') RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
	SELECT _sluice.cut_store(jsonb_build_object('worker_id', (SELECT max(worker_id) FROM _sluice.worker), 'source_id', 1, 'generation', b -> 'generation', 'answer',
		jsonb_build_object('position', t.pos(cut), 'mark', t.mark(cut), 'clock', t.pos(cut), 'low', t.pos(4), 'source_time', at, 'tran_end_time', at, 'known', b #> '{ask,known}',
			'fences', (SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', f -> 'table_id', 'position', f -> 'clock')), '[]') FROM jsonb_array_elements(b #> '{ask,fences}') f WHERE f ->> 'clock' <= t.pos(cut)),
			'identity', '{"server_id": "1"}'::jsonb) || more)) ->> 'planned' $$;
CREATE FUNCTION t.lpoll(cut int, more jsonb DEFAULT '{}', at timestamptz DEFAULT '2026-01-01T00:00:00Z') RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT t.lstore(t.lask(), cut, more, at) $$;
CREATE FUNCTION t.lshape(id int, at int, columns jsonb, change text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('shapes', jsonb_build_array(jsonb_build_object('table_id', id, 'instance', format('shop.t%s@%s', id, t.pos(at)), 'start', t.pos(at), 'mark', t.mark(at), 'columns', columns, 'change', change))) $$;
CREATE FUNCTION t.lshow() RETURNS TABLE (name text, state text, phase text, epoch bigint, version int, at text, pending boolean, instance text, message text) LANGUAGE sql SECURITY DEFINER AS $$
	SELECT t.name, t.trouble, t.phase, t.epoch, t.version, ltrim(t.position, '0'), t.pending_since IS NOT NULL, regexp_replace(t.instance, '@0*', '@'), t.message FROM _sluice.tab t WHERE t.wanted <> 'dropped' ORDER BY 1 $$;
\c postgres
