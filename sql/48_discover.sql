-- Discovery: what the source has, which of it our tables are, and what moved since a table's schema version was made.

CREATE FUNCTION _sluice.facts_tables(source_id bigint, tables jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM _sluice.source_table s WHERE s.source_id = $1;
	INSERT INTO _sluice.source_table (source_id, object_id, schema_name, table_name, rows, cdc, memory_optimized, temporal, key, primary_key, engine, cascades)
	SELECT $1, (t ->> 'object_id')::bigint, t ->> 'schema', t ->> 'table', (t ->> 'rows')::bigint, coalesce((t ->> 'cdc')::boolean, _sluice.is_log($1)),
		(t ->> 'memory_optimized')::boolean, t ->> 'temporal', coalesce(nullif(t -> 'key', 'null'), '[]'), coalesce(nullif(t -> 'primary_key', 'null'), '[]'),
		t ->> 'engine', coalesce(nullif(t -> 'cascades', 'null'), '[]')
	FROM jsonb_array_elements($2) t;
	INSERT INTO _sluice.source_column (source_id, object_id, ordinal, name, facts)
	SELECT $1, (t ->> 'object_id')::bigint, c.n, c.f ->> 'name', c.f
	FROM jsonb_array_elements($2) t, jsonb_array_elements(t -> 'columns') WITH ORDINALITY c(f, n);
	INSERT INTO _sluice.capture_instance AS c (source_id, instance, object_id, source_object_id, start, start_before, create_date, command_id, readable, columns, key)
	SELECT $1, i ->> 'instance', (i ->> 'object_id')::bigint, (t ->> 'object_id')::bigint, i ->> 'start', i ->> 'start_before', i ->> 'create_date',
		coalesce((i ->> 'command_id')::boolean, true), coalesce((i ->> 'readable')::boolean, true), i -> 'columns', coalesce(nullif(i -> 'key', 'null'), '[]')
	FROM jsonb_array_elements($2) t, jsonb_array_elements(coalesce(t -> 'instances', '[]')) i
	ON CONFLICT (source_id, instance) DO UPDATE SET object_id = excluded.object_id, source_object_id = excluded.source_object_id,
		start = greatest(CASE WHEN c.object_id = excluded.object_id THEN c.start END, excluded.start)::_sluice.pos,
		start_before = greatest(CASE WHEN c.object_id = excluded.object_id THEN c.start_before END, excluded.start_before)::_sluice.pos,
		create_date = excluded.create_date, command_id = excluded.command_id, readable = excluded.readable, columns = excluded.columns, key = excluded.key;
$$;
COMMENT ON FUNCTION _sluice.facts_tables(bigint, jsonb) IS 'Replaces what is known of a source''s tables, columns and capture instances';

CREATE FUNCTION _sluice.cdc_enable(schema_name text, table_name text, instance text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('EXEC sys.sp_cdc_enable_table @source_schema = N''%s'', @source_name = N''%s'', @role_name = NULL, @supports_net_changes = 0%s;',
		replace($1, '''', ''''''), replace($2, '''', ''''''), CASE WHEN $3 IS NOT NULL THEN format(', @capture_instance = N''%s''', replace($3, '''', '''''')) ELSE '' END)
$$;
COMMENT ON FUNCTION _sluice.cdc_enable(text, text, text) IS 'T-SQL that enables capture of a table (net changes off: their index slows the capture job)';

CREATE FUNCTION _sluice.capture_missing(source_id bigint, schema_name text, table_name text, OUT message text, OUT fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN l.log THEN format('the log of the server holds nothing of %s.%s: it is off', $2, $3) ELSE format('%s.%s is not enabled for CDC', $2, $3) END,
		CASE WHEN l.log THEN format('SELECT * FROM sluice.check_source(%L) WHERE NOT ok;', (SELECT s.name FROM _sluice.source s WHERE s.source_id = $1)) ELSE _sluice.cdc_enable($2, $3, NULL) END
	FROM (SELECT _sluice.is_log($1) AS log) l
$$;
COMMENT ON FUNCTION _sluice.capture_missing(bigint, text, text) IS 'Why a table that is there cannot be captured, and the statement that mends it';

CREATE FUNCTION _sluice.table_notice(t _sluice.tab, message text, hint text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.tab x SET notice = $2, notice_hint = $3 WHERE x.table_id = $1.table_id AND (x.notice, x.notice_hint) IS DISTINCT FROM ($2, $3)
$$;
COMMENT ON FUNCTION _sluice.table_notice(_sluice.tab, text, text) IS 'What a person should know of a table that goes on nevertheless; NULL clears it';

CREATE FUNCTION _sluice.cascade_refused(t _sluice.tab, s _sluice.source_table) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('%s is a child of ON DELETE or ON UPDATE CASCADE or SET NULL, and the server does not log what that changes: %s', $1.name,
		(SELECT string_agg(coalesce(c ->> 'name', c #>> '{}'), ', ' ORDER BY n) FROM jsonb_array_elements($2.cascades) WITH ORDINALITY e(c, n)))
	FROM _sluice.source_state x
	WHERE x.source_id = $1.source_id AND $2.cascades <> '[]' AND NOT coalesce((x.server ->> 'logs_cascades')::boolean, false)
$$;
COMMENT ON FUNCTION _sluice.cascade_refused(_sluice.tab, _sluice.source_table) IS 'Why the log lacks changes of a table that foreign keys make; NULL where it has them all';

CREATE FUNCTION _sluice.cascade_judge(t _sluice.tab, s _sluice.source_table) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	refused text := _sluice.cascade_refused(t, s);
BEGIN
	IF refused IS NULL THEN
		PERFORM _sluice.table_notice(t, NULL, NULL);
	ELSIF t.options ->> 'cascade' = 'accept' THEN
		PERFORM _sluice.table_notice(t, 'inexact: ' || refused, 'Let the application change the child''s rows itself, or read the table again from time to time: ' || _sluice.resync_hint(t.name));
	ELSE
		PERFORM _sluice.trouble_set(t.table_id, 'error', '42830', refused, format('SELECT sluice.alter_table(%L, options => ''{"cascade": "accept"}''); lands it inexact, then SELECT sluice.resume_table(%1$L);', t.name));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.cascade_judge(_sluice.tab, _sluice.source_table) IS 'A table whose log lacks what foreign keys change stops, or lands and says that it is inexact';

CREATE FUNCTION _sluice.table_resolve(t _sluice.tab) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source_table;
	c _sluice.capture_instance;
	source text := (SELECT x.name FROM _sluice.source x WHERE x.source_id = t.source_id);
	refused text;
	unknown record;
BEGIN
	SELECT * INTO s FROM _sluice.source_table x WHERE x.source_id = t.source_id AND x.schema_name = t.schema_name AND x.table_name = t.table_name;
	IF NOT FOUND THEN
		PERFORM _sluice.table_notice(t, format('there is no table %s.%s at the source, or it may not be seen', t.schema_name, t.table_name),
			format('SELECT * FROM sluice.source_table WHERE source = %L; lists what there is. CALL sluice.refresh(%1$L); looks again.', source));
		RETURN;
	END IF;
	c := _sluice.instance_newest(t.source_id, s.object_id);
	IF c.instance IS NULL THEN
		PERFORM _sluice.table_notice(t, m.message || CASE WHEN _sluice.is_log(t.source_id) THEN '' ELSE ', or its change table may not be read' END, m.fix_sql)
		FROM _sluice.capture_missing(t.source_id, t.schema_name, t.table_name) m;
		RETURN;
	END IF;
	UPDATE _sluice.tab x SET source_object_id = s.object_id WHERE x.table_id = t.table_id AND x.source_object_id IS DISTINCT FROM s.object_id;
	SELECT * INTO unknown FROM _sluice.column_unknown(t.source_id, s.object_id, t.options);
	IF unknown.message IS NOT NULL THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', '42703', unknown.message,
			format('%s SELECT sluice.alter_table(%L, options => ...); then SELECT sluice.resume_table(%2$L);', unknown.hint, t.name));
		RETURN;
	END IF;
	refused := _sluice.columns_refused(t, c);
	IF refused IS NOT NULL THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', '0A000', format('columns of %s cannot be captured exactly: %s', t.name, refused),
			format('SELECT sluice.alter_table(%L, options => ''{"exclude": ["..."]}''); leaves them out, then SELECT sluice.resume_table(%1$L);', t.name));
		RETURN;
	END IF;
	refused := _sluice.bloom_refused(t, c);
	IF refused IS NOT NULL THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', '42804', refused,
			format('SELECT sluice.alter_table(%L, options => ''{"bloom_columns": [...]}''); names others or, with null, none, then SELECT sluice.resume_table(%1$L);', t.name));
		RETURN;
	END IF;
	refused := _sluice.column_clash(t, c);
	IF refused IS NOT NULL THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', '42701', refused,
			format('SELECT sluice.alter_table(%L, options => ...); chooses another name or leaves the column out (exclude), then SELECT sluice.resume_table(%1$L);', t.name));
		RETURN;
	END IF;
	PERFORM _sluice.cascade_judge(t, s);
END
$$;
COMMENT ON FUNCTION _sluice.table_resolve(_sluice.tab) IS 'Finds a registered table among the facts, or says what is in the way';

CREATE FUNCTION _sluice.table_drift(t _sluice.tab) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	had jsonb := (SELECT _sluice.columns_type(v.columns, t) FROM _sluice.schema_version v WHERE v.table_id = t.table_id AND v.version = t.version);
	has jsonb;
	c _sluice.capture_instance;
	changed text;
	missing text;
BEGIN
	SELECT * INTO c FROM _sluice.capture_instance x WHERE x.source_id = t.source_id AND x.instance = t.instance AND x.object_id = t.instance_object_id;
	IF c.columns IS NULL OR NOT EXISTS (SELECT FROM _sluice.source_table x WHERE x.source_id = t.source_id AND x.object_id = t.source_object_id) THEN
		RETURN;  -- the poll judges instances; a table that discovery cannot see says nothing about its columns
	END IF;
	has := _sluice.columns_type(_sluice.columns_build(t, c));
	SELECT string_agg(h.key, ', ' ORDER BY h.key) INTO changed FROM jsonb_each(had) h WHERE has -> h.key IS DISTINCT FROM h.value;
	IF changed IS NOT NULL AND coalesce(t.options ->> 'on_incompatible', 'epoch') = 'epoch' THEN
		PERFORM _sluice.epoch_ask(t, format('columns dropped, renamed or retyped at the source: %s', changed));
		RETURN;
	ELSIF changed IS NOT NULL THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', 'SL014', format('columns of %s were dropped, renamed or retyped at the source: %s', t.name, changed), _sluice.resync_hint(t.name));
		RETURN;
	END IF;
	SELECT string_agg(s.name, ', ' ORDER BY s.ordinal) INTO missing FROM _sluice.source_column s
	WHERE s.source_id = t.source_id AND s.object_id = t.source_object_id AND coalesce(s.facts -> 'computed', 'null') = 'null'
		AND NOT coalesce(t.options -> 'exclude', '[]') ? s.name
		AND NOT EXISTS (SELECT FROM _sluice.capture_instance x, jsonb_array_elements(x.columns) i
			WHERE x.source_id = t.source_id AND x.source_object_id = t.source_object_id AND i ->> 'name' = s.name);
	PERFORM _sluice.table_notice(t, format('the capture instance lacks columns of the source: %s', missing),
		_sluice.cdc_enable(t.schema_name, t.table_name, left(format('%s_%s_%s', t.schema_name, t.table_name, t.version + 1), 100))) WHERE missing IS NOT NULL;
	PERFORM _sluice.table_notice(t, NULL, NULL) WHERE missing IS NULL AND t.load_exact AND coalesce(t.notice, '') NOT LIKE 'inexact%';
END
$$;
COMMENT ON FUNCTION _sluice.table_drift(_sluice.tab) IS 'Compares a table with the source as discovered: incompatible changes by on_incompatible, missing columns announced';

CREATE FUNCTION _sluice.log_drift(t _sluice.tab) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source_table;
	had jsonb := (SELECT coalesce(jsonb_agg(c -> 'source_name' ORDER BY (c ->> 'key_ordinal')::integer), '[]') FROM jsonb_array_elements((_sluice.version_now(t)).columns) c
		WHERE (c ->> 'key_ordinal')::integer > 0);
	has jsonb;
BEGIN
	SELECT * INTO s FROM _sluice.source_table x WHERE x.source_id = t.source_id AND x.object_id = t.source_object_id;
	IF NOT FOUND THEN
		RETURN;  -- the log tells when a table is gone
	END IF;
	-- Of a key column that does not land the fold knows nothing.
	SELECT coalesce(jsonb_agg(k.name ORDER BY k.n), '[]') INTO has FROM jsonb_array_elements(_sluice.key_names(t, t.source_object_id, '[]')) WITH ORDINALITY k(name, n)
	WHERE EXISTS (SELECT FROM jsonb_array_elements((_sluice.version_now(t)).columns) c WHERE c -> 'source_name' = k.name);
	IF had <> has AND coalesce(t.options ->> 'on_incompatible', 'epoch') = 'epoch' THEN
		PERFORM _sluice.epoch_ask(t, format('the key changed at the source from %s to %s', had, has));
	ELSIF had <> has THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', 'SL014', format('the key of %s changed at the source from %s to %s', t.name, had, has), _sluice.resync_hint(t.name));
	ELSIF t.load_exact AND coalesce(t.notice, '') NOT LIKE 'inexact: rows%' THEN
		PERFORM _sluice.cascade_judge(t, s);
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.log_drift(_sluice.tab) IS 'What the log does not tell of a followed table: its key, and foreign keys that change it unlogged';

CREATE FUNCTION _sluice.facts_store(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x _sluice.source_state := _sluice.poll_lock(arg);
	facts jsonb := arg -> 'facts';
	log boolean := _sluice.is_log(x.source_id);
BEGIN
	PERFORM _sluice.facts_tables(x.source_id, coalesce(facts -> 'tables', '[]'));
	PERFORM _sluice.facts_shapes(x.source_id, facts) WHERE log;
	UPDATE _sluice.source_state y SET server = facts -> 'server', database = facts -> 'database', jobs = nullif(facts -> 'jobs', 'null'),
		discovered_at = x.poll_began_at, instances_md5 = NULL
	WHERE y.source_id = x.source_id;
	PERFORM _sluice.table_resolve(t) FROM _sluice.tab t
	WHERE t.source_id = x.source_id AND t.wanted <> 'dropped' AND t.phase = 'registered' AND t.trouble IS NULL;
	PERFORM CASE WHEN log THEN _sluice.log_drift(t) ELSE _sluice.table_drift(t) END FROM _sluice.tab t
	WHERE t.source_id = x.source_id AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND t.trouble IS NULL;
	PERFORM _sluice.rule_apply(s, r) FROM _sluice.source s JOIN _sluice.rule r USING (source_id) JOIN _sluice.target g USING (target_id)
	WHERE s.source_id = x.source_id AND s.wanted = 'run' AND g.wanted = 'run';
	UPDATE _sluice.job j SET state = 'done', ended_at = clock_timestamp() FROM _sluice.source_state y
	WHERE j.kind = 'refresh' AND j.ended_at IS NULL AND j.source_id = x.source_id AND y.source_id = x.source_id
		AND j.asked_at <= y.discovered_at AND (y.check_asked_at IS NULL OR y.checked_at >= y.check_asked_at);
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.facts_store(jsonb) IS 'Poller: what discovery found';
