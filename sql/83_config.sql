-- Configuration as code: the registry as one document, without secrets, and a document applied to the registry in one transaction.

CREATE FUNCTION _sluice.config_tables(source_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(_sluice.table_canonical(ARRAY[t.schema_name, t.table_name]), jsonb_strip_nulls(jsonb_build_object('target', g.name, 'options', nullif(t.options, '{}'),
		'paused', CASE t.wanted WHEN 'paused' THEN true END))), '{}')
	FROM _sluice.tab t JOIN _sluice.target g USING (target_id) WHERE t.source_id = $1 AND t.wanted <> 'dropped' AND _sluice.may_see(t.table_id)
$$;
COMMENT ON FUNCTION _sluice.config_tables(bigint) IS 'Tables of a source in the configuration document';

CREATE FUNCTION _sluice.config_rules(source_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('like', array_to_string(r.patterns, ', '), 'except_like', nullif(array_to_string(r.excluded, ', '), ''), 'target', g.name,
		'options', nullif(r.options, '{}'), 'options_by', nullif(r.options_by, '[]'), 'new_tables', r.new_tables)) ORDER BY r.rule_id), '[]')
	FROM _sluice.rule r JOIN _sluice.target g USING (target_id) WHERE r.source_id = $1
$$;
COMMENT ON FUNCTION _sluice.config_rules(bigint) IS 'Rules of a source in the configuration document';

CREATE FUNCTION sluice.export_config() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('version', 1,
		'settings', (SELECT coalesce(jsonb_object_agg(s.name, CASE WHEN o.type IN ('integer', 'number', 'boolean') THEN s.value::jsonb ELSE to_jsonb(s.value) END), '{}')
			FROM _sluice.setting s LEFT JOIN _sluice.option o ON o.scope = 'setting' AND o.name = s.name),
		'targets', (SELECT coalesce(jsonb_object_agg(g.name, jsonb_build_object('kind', g.kind, 'options', g.options)), '{}') FROM _sluice.target g WHERE g.wanted <> 'dropped'),
		'sources', (SELECT coalesce(jsonb_object_agg(s.name, jsonb_build_object('kind', s.kind, 'options', s.options,
			'tables', _sluice.config_tables(s.source_id), 'rules', _sluice.config_rules(s.source_id))), '{}') FROM _sluice.source s WHERE s.wanted <> 'dropped'))
	WHERE _sluice.may_see(NULL)
$$;
COMMENT ON FUNCTION sluice.export_config() IS 'The registry as one document: settings that are set, targets, sources with their tables and rules. The same registry gives the same text; no secret is in it, since none is stored. sluice-worker config export prints it as YAML';

CREATE FUNCTION _sluice.config_fail(place text, message text, hint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- The place stands in DETAIL, from which sluice-worker config finds the line of the file.
	RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('%s: %s', place, message), DETAIL = place, HINT = coalesce(hint, 'SELECT sluice.export_config(); shows the form.');
END
$$;
COMMENT ON FUNCTION _sluice.config_fail(text, text, text) IS 'Refuses a configuration document, naming the place in it';

CREATE FUNCTION _sluice.config_member(place text, given jsonb, known text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	odd text;
BEGIN
	IF jsonb_typeof(given) IS DISTINCT FROM 'object' THEN
		PERFORM _sluice.config_fail(coalesce(nullif(place, ''), 'the document'), 'a mapping is wanted here', format('Its members: %s.', array_to_string(known, ', ')));
	END IF;
	SELECT k INTO odd FROM jsonb_object_keys(given) k WHERE NOT k = ANY (known) ORDER BY k LIMIT 1;
	IF FOUND THEN
		PERFORM _sluice.config_fail(ltrim(place || '.' || odd, '.'), 'there is no such member', format('Known here: %s.', array_to_string(known, ', ')));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.config_member(text, jsonb, text[]) IS 'A mapping of a configuration document with no members but the known ones';

CREATE FUNCTION _sluice.config_delta(had jsonb, given jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- What alter_* must be given to get from one to the other; null takes an option away. 5 and "5" are the same option.
	SELECT coalesce(jsonb_object_agg(k, coalesce($2 -> k, 'null')), '{}') FROM (SELECT jsonb_object_keys($1) UNION SELECT jsonb_object_keys($2)) e(k)
	WHERE ($1 ->> k) IS DISTINCT FROM ($2 ->> k)
$$;
COMMENT ON FUNCTION _sluice.config_delta(jsonb, jsonb) IS 'Options that differ';

CREATE FUNCTION _sluice.config_object(place text, given jsonb, what text, OUT kind text, OUT options jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	kind := given ->> 'kind';
	options := coalesce(nullif(given -> 'options', 'null'), '{}');
	IF kind IS NULL AND what <> 'table' THEN
		PERFORM _sluice.config_fail(place, 'its kind is missing', format('For example kind: %s.', CASE what WHEN 'source' THEN 'sqlserver' ELSE 's3' END));
	ELSIF jsonb_typeof(options) <> 'object' THEN
		PERFORM _sluice.config_fail(place || '.options', 'a mapping is wanted here', format('SELECT * FROM sluice.option WHERE scope LIKE ''%s%%''; lists its members.', what));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.config_object(text, jsonb, text) IS 'Kind and options of a source, target or table in the document';

CREATE FUNCTION _sluice.config_endpoint(what text, name text, given jsonb) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place text := format('%ss.%s', what, name);
	o record;
	x record;
	delta jsonb;
BEGIN
	PERFORM _sluice.config_member(place, given, CASE what WHEN 'source' THEN '{kind,options,tables,rules}'::text[] ELSE '{kind,options}' END);
	o := _sluice.config_object(place, given, what);
	SELECT e.kind, e.options INTO x FROM (SELECT 'source' AS what, s.name, s.kind, s.options FROM _sluice.source s WHERE s.wanted <> 'dropped'
		UNION ALL SELECT 'target', g.name, g.kind, g.options FROM _sluice.target g WHERE g.wanted <> 'dropped') e WHERE (e.what, e.name) = ($1, $2);
	IF NOT FOUND THEN
		PERFORM sluice.add_source(name, o.kind, options => o.options) WHERE what = 'source';
		PERFORM sluice.add_target(name, o.kind, options => o.options) WHERE what = 'target';
		RETURN QUERY SELECT place, 'add'::text, NULL::text, NULL::text, NULL::text;
	ELSIF x.kind <> o.kind THEN
		PERFORM _sluice.config_fail(place || '.kind', format('%s is of kind %s', name, x.kind), format('A kind never changes: give the %s another name.', what));
	ELSE
		delta := _sluice.config_delta(x.options, o.options);
		PERFORM sluice.alter_source(name, delta) WHERE what = 'source' AND delta <> '{}';
		PERFORM sluice.alter_target(name, delta) WHERE what = 'target' AND delta <> '{}';
		RETURN QUERY SELECT place, 'alter'::text, 'options.' || d.key, x.options ->> d.key, d.value #>> '{}' FROM jsonb_each(delta) d;
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.config_endpoint(text, text, jsonb) IS 'One source or target of the document applied, without a source''s tables and rules';

CREATE FUNCTION _sluice.config_table(source text, name text, given jsonb) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place text := format('sources.%s.tables.%s', source, name);
	full_name text := _sluice.table_canonical(_sluice.name_parse(source || '.' || name));
	o record;
	t record;
	delta jsonb;
	paused boolean := coalesce((given ->> 'paused')::boolean, false);
BEGIN
	PERFORM _sluice.config_member(place, given, '{target,options,paused}');
	o := _sluice.config_object(place, given, 'table');
	SELECT x.*, g.name AS target INTO t FROM _sluice.tab x JOIN _sluice.target g USING (target_id) WHERE x.name = full_name AND x.wanted <> 'dropped';
	IF NOT FOUND THEN
		PERFORM sluice.add_table(full_name, given ->> 'target', o.options);
		PERFORM sluice.pause_table(full_name) WHERE paused;
		RETURN QUERY SELECT place, 'add'::text, NULL::text, NULL::text, NULL::text;
		RETURN;
	ELSIF t.target <> given ->> 'target' THEN
		PERFORM _sluice.config_fail(place || '.target', format('%s lands on %s', full_name, t.target), format('SELECT sluice.drop_table(%L); and import again.', full_name));
	END IF;
	delta := _sluice.config_delta(t.options, o.options);
	PERFORM sluice.alter_table(full_name, delta) WHERE delta <> '{}';
	RETURN QUERY SELECT place, 'alter'::text, 'options.' || d.key, t.options ->> d.key, d.value #>> '{}' FROM jsonb_each(delta) d;
	IF paused <> (t.wanted = 'paused') THEN
		PERFORM sluice.pause_table(full_name) WHERE paused;
		PERFORM sluice.resume_table(full_name) WHERE NOT paused;
		RETURN QUERY SELECT place, 'alter'::text, 'paused'::text, (t.wanted = 'paused')::text, paused::text;
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.config_table(text, text, jsonb) IS 'One table of the document applied';

CREATE FUNCTION _sluice.config_rule_set(source text, given jsonb) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place text := format('sources.%s.rules', source);
	s _sluice.source := _sluice.source_find(source);
	had_rules jsonb := _sluice.config_rules(s.source_id);
	now_rules jsonb;
	known text[];
	r record;
BEGIN
	IF jsonb_typeof(given) <> 'array' THEN
		PERFORM _sluice.config_fail(place, 'a list is wanted here', 'Each entry is a mapping with like, except_like, target, options, options_by, new_tables.');
	END IF;
	FOR r IN SELECT e.entry, e.n - 1 AS n FROM jsonb_array_elements(given) WITH ORDINALITY e(entry, n) LOOP
		PERFORM _sluice.config_member(format('%s.%s', place, r.n), r.entry, '{like,except_like,target,options,options_by,new_tables}');
	END LOOP;
	-- A rule has no name: where the list differs it is made anew. Tables told of before are not told again.
	SELECT coalesce(array_agg(DISTINCT u.name), '{}') INTO known FROM _sluice.rule x, unnest(x.told) u(name) WHERE x.source_id = s.source_id;
	DELETE FROM _sluice.rule x WHERE x.source_id = s.source_id;
	FOR r IN SELECT e.entry, e.n - 1 AS n FROM jsonb_array_elements(given) WITH ORDINALITY e(entry, n) LOOP
		INSERT INTO _sluice.rule (source_id, target_id, patterns, excluded, options, options_by, new_tables, added_by, told)
		SELECT s.source_id, (_sluice.target_default(r.entry ->> 'target')).target_id, _sluice.patterns(r.entry ->> 'like'), _sluice.patterns(r.entry ->> 'except_like'),
			_sluice.options_check('table', coalesce(r.entry -> 'options', '{}')), _sluice.options_by_check(coalesce(r.entry -> 'options_by', '[]')),
			coalesce(r.entry ->> 'new_tables', 'add'), _sluice.caller(), known;
	END LOOP;
	now_rules := _sluice.config_rules(s.source_id);
	RETURN QUERY SELECT place, 'alter'::text, NULL::text, had_rules::text, now_rules::text WHERE had_rules <> now_rules;
END
$$;
COMMENT ON FUNCTION _sluice.config_rule_set(text, jsonb) IS 'The rules of a source in the document applied';

CREATE FUNCTION _sluice.config_setting(name text, value jsonb) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	had_value text := (SELECT s.value FROM _sluice.setting s WHERE s.name = $1);
BEGIN
	PERFORM sluice.alter_setting($1, $2 #>> '{}') WHERE had_value IS DISTINCT FROM $2 #>> '{}';
	RETURN QUERY SELECT 'settings.' || $1, CASE WHEN had_value IS NULL THEN 'add' ELSE 'alter' END, NULL::text, had_value, $2 #>> '{}' WHERE had_value IS DISTINCT FROM $2 #>> '{}';
END
$$;
COMMENT ON FUNCTION _sluice.config_setting(text, jsonb) IS 'One setting of the document applied';

CREATE FUNCTION _sluice.config_apply(what text, source text, name text, given jsonb) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place text := CASE what WHEN 'table' THEN format('sources.%s.tables.%s', source, name) WHEN 'rules' THEN format('sources.%s.rules', name) ELSE format('%ss.%s', what, name) END;
	said text;
	detail text;
	hint text;
BEGIN
	CASE what
		WHEN 'setting' THEN RETURN QUERY SELECT * FROM _sluice.config_setting(name, given);
		WHEN 'target', 'source' THEN RETURN QUERY SELECT * FROM _sluice.config_endpoint(what, name, given);
		WHEN 'table' THEN RETURN QUERY SELECT * FROM _sluice.config_table(source, name, given);
		WHEN 'rules' THEN RETURN QUERY SELECT * FROM _sluice.config_rule_set(name, given);
	END CASE;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	IF detail LIKE place || '%' THEN
		RAISE;
	ELSIF sqlstate !~ '^(22|42|0A|55)' THEN
		RAISE;  -- no fault of the document
	END IF;
	PERFORM _sluice.config_fail(place || coalesce(CASE WHEN what <> 'setting' THEN '.options.' END || substring(said FROM '^(?:there is no )?option ''?([a-z_0-9]+)'), ''), said, hint);
END
$$;
COMMENT ON FUNCTION _sluice.config_apply(text, text, text, jsonb) IS 'One part of the document applied; what refuses it is told with its place';

CREATE FUNCTION _sluice.config_extra(config jsonb, prune boolean) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x record;
BEGIN
	FOR x IN
		SELECT 1 AS step, format('sources.%s.tables.%s', s.name, k) AS place, _sluice.table_canonical(ARRAY[s.name]) || '.' || k AS name
		FROM _sluice.source s, jsonb_object_keys(_sluice.config_tables(s.source_id)) k
		WHERE s.wanted <> 'dropped' AND NOT coalesce(config #> ARRAY['sources', s.name, 'tables'] ? k, false)
		UNION ALL SELECT 2, 'sources.' || s.name, s.name FROM _sluice.source s WHERE s.wanted <> 'dropped' AND NOT coalesce(config -> 'sources' ? s.name, false)
		UNION ALL SELECT 3, 'targets.' || g.name, g.name FROM _sluice.target g WHERE g.wanted <> 'dropped' AND NOT coalesce(config -> 'targets' ? g.name, false)
		UNION ALL SELECT 4, 'settings.' || e.name, e.name FROM _sluice.setting e WHERE NOT coalesce(config -> 'settings' ? e.name, false)
		ORDER BY 1, 2
	LOOP
		IF prune THEN
			PERFORM sluice.drop_table(x.name) WHERE x.step = 1;
			PERFORM sluice.drop_source(x.name) WHERE x.step = 2;
			PERFORM sluice.drop_target(x.name) WHERE x.step = 3;
			PERFORM sluice.alter_setting(x.name, NULL) WHERE x.step = 4;
		END IF;
		RETURN QUERY SELECT x.place, CASE WHEN prune THEN 'drop' ELSE 'extra' END, NULL::text, NULL::text, NULL::text;
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.config_extra(jsonb, boolean) IS 'What the registry has and the document has not: named, or dropped';

CREATE FUNCTION _sluice.config_all(config jsonb, prune boolean) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x record;
BEGIN
	PERFORM _sluice.config_member('', config, '{version,settings,targets,sources}');
	IF config -> 'version' IS DISTINCT FROM '1' THEN
		PERFORM _sluice.config_fail('version', 'this release reads version 1', 'The document needs the member version: 1.');
	END IF;
	FOR x IN
		SELECT 1 AS step, 'setting' AS what, NULL AS source, e.key, e.value FROM jsonb_each(coalesce(nullif(config -> 'settings', 'null'), '{}')) e
		UNION ALL SELECT 2, 'target', NULL, e.key, e.value FROM jsonb_each(coalesce(nullif(config -> 'targets', 'null'), '{}')) e
		UNION ALL SELECT 3, 'source', NULL, e.key, e.value FROM jsonb_each(coalesce(nullif(config -> 'sources', 'null'), '{}')) e
		UNION ALL SELECT 4, 'table', e.key, t.key, t.value FROM jsonb_each(coalesce(nullif(config -> 'sources', 'null'), '{}')) e,
			jsonb_each(coalesce(nullif(e.value -> 'tables', 'null'), '{}')) t
		UNION ALL SELECT 5, 'rules', NULL, e.key, coalesce(nullif(e.value -> 'rules', 'null'), '[]') FROM jsonb_each(coalesce(nullif(config -> 'sources', 'null'), '{}')) e
		ORDER BY 1, 3, 4
	LOOP
		RETURN QUERY SELECT * FROM _sluice.config_apply(x.what, x.source, x.key, x.value);
	END LOOP;
	RETURN QUERY SELECT * FROM _sluice.config_extra(config, prune);
END
$$;
COMMENT ON FUNCTION _sluice.config_all(jsonb, boolean) IS 'A whole document applied: settings, targets, sources, tables, rules, then what is extra';

CREATE FUNCTION sluice.import_config(config jsonb, dry_run boolean DEFAULT false, prune boolean DEFAULT false)
RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	done jsonb;
BEGIN
	BEGIN
		SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') INTO done FROM _sluice.config_all(config, coalesce(prune, false)) a;
		IF dry_run THEN
			RAISE EXCEPTION USING ERRCODE = 'SLDRY', MESSAGE = 'as asked';
		END IF;
	EXCEPTION WHEN SQLSTATE 'SLDRY' THEN
		NULL;  -- rolled back; what was found stays in `done`
	END;
	RETURN QUERY SELECT r.* FROM jsonb_to_recordset(done) r(object text, action text, field text, had text, wanted text);
END
$$;
COMMENT ON FUNCTION sluice.import_config(jsonb, boolean, boolean) IS
'Brings the registry to what a document of export_config() says, all of it or nothing, and tells each difference: add, alter (field, had, wanted), extra (in the registry only: left alone, or dropped with prune => true; files stay). dry_run => true changes nothing. An error names the place in the document. sluice-worker config import reads YAML, with overlays';

CREATE FUNCTION sluice.diff_config(config jsonb) RETURNS TABLE (object text, action text, field text, had text, wanted text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM sluice.import_config($1, dry_run => true) $$;
COMMENT ON FUNCTION sluice.diff_config(jsonb) IS 'What import_config() would change; no rows: the registry is as the document says';

CREATE FUNCTION _sluice.config_export() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT sluice.export_config() $$;
COMMENT ON FUNCTION _sluice.config_export() IS 'sluice-worker config export, of an admin';

CREATE FUNCTION _sluice.config_import(arg jsonb) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM sluice.import_config($1 -> 'config', ($1 ->> 'dry_run')::boolean, ($1 ->> 'prune')::boolean) r
$$;
COMMENT ON FUNCTION _sluice.config_import(jsonb) IS 'sluice-worker config diff and import, of an admin: {config, dry_run, prune}';
