-- Names, paths, who is asking, and small helpers that everything else uses.

CREATE FUNCTION _sluice.caller() RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN current_setting('role') = 'none' THEN session_user ELSE current_setting('role')::name END $$;
COMMENT ON FUNCTION _sluice.caller() IS 'Whoever asks, seen through SECURITY DEFINER: the role set by SET ROLE, else the session''s';

CREATE FUNCTION _sluice.may_see(table_id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN ('sluice_reader', 'sluice_operator', 'sluice_admin', 'sluice_federation', 'sluice_owner')
		AND pg_has_role(_sluice.caller(), r.oid, 'USAGE'))
		OR (SELECT pg_has_role(_sluice.caller(), n.nspowner, 'USAGE') FROM pg_namespace n WHERE n.nspname = '_sluice')
$$;
COMMENT ON FUNCTION _sluice.may_see(bigint) IS 'Who sees a table (NULL: what belongs to no table). In every view and first in every function';

CREATE FUNCTION _sluice.is_here() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM _sluice.instance i JOIN pg_database d ON d.oid = i.database_oid AND d.datname = i.database_name
		WHERE d.datname = current_database())
$$;
COMMENT ON FUNCTION _sluice.is_here() IS 'Is this the database the registry plans for? Not after a restore or a copy, until take_over()';

CREATE FUNCTION _sluice.wake() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_notify('sluice', '') $$;
COMMENT ON FUNCTION _sluice.wake() IS 'Wakes the worker at commit, once a transaction';

CREATE FUNCTION _sluice.path_part(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN part = $1 AND part <> '' THEN part
		ELSE part || '-' || left(encode(sha256(convert_to($1, 'UTF8')), 'hex'), 6) END
	FROM (SELECT regexp_replace(regexp_replace($1, '[^A-Za-z0-9_-]', '-', 'g'), '^_|_$', '-', 'g') AS part) p
$$;
COMMENT ON FUNCTION _sluice.path_part(text) IS 'A name as part of a path: [A-Za-z0-9-] and inner _ stay, others become - and 6 hex digits of the name''s SHA-256 follow';

CREATE FUNCTION _sluice.table_folder(schema_name text, table_name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- sluice.control is the landed table of control rows; a source's table of that name steps aside.
	SELECT _sluice.path_part($1) || '.' || _sluice.path_part($2)
		|| CASE WHEN ($1, $2) = ('sluice', 'control') THEN '-' || left(encode(sha256(convert_to($2, 'UTF8')), 'hex'), 6) ELSE '' END
$$;
COMMENT ON FUNCTION _sluice.table_folder(text, text) IS 'A table''s folder below its source''s';

CREATE FUNCTION _sluice.name_quote(part text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN $1 ~ '[."]' THEN '"' || replace($1, '"', '""') || '"' ELSE $1 END $$;
COMMENT ON FUNCTION _sluice.name_quote(text) IS 'A part of a table''s name, double-quoted where it holds a dot or a quote';

CREATE FUNCTION _sluice.name_parse(name text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rest text := name;
	part text;
	parts text[] := '{}';
BEGIN
	LOOP
		part := substring(rest FROM '^("(?:[^"]|"")+"|[^."]+)(?=\.|$)');
		EXIT WHEN part IS NULL;
		rest := substr(rest, length(part) + 1);
		parts := parts || CASE WHEN left(part, 1) = '"' THEN replace(substr(part, 2, length(part) - 2), '""', '"') ELSE part END;
		EXIT WHEN rest = '';
		rest := substr(rest, 2);
	END LOOP;
	IF coalesce(rest, 'x') <> '' OR cardinality(parts) <> 3 OR name ~ '[[:cntrl:]]' THEN
		PERFORM _sluice.fail('42602', format('%L is not the name of a table', left(name, 100)),
			'Tables are named source.schema.table, for example erp.dbo.orders; a part that holds a dot is double-quoted: erp.dbo."a.b".');
	ELSIF EXISTS (SELECT FROM unnest(parts) p WHERE length(p) > 128) THEN
		PERFORM _sluice.fail('42602', 'a part of the table''s name is longer than 128 characters', 'SELECT * FROM sluice.source_table lists the tables a source has.');
	END IF;
	RETURN parts;
END
$$;
COMMENT ON FUNCTION _sluice.name_parse(text) IS 'source.schema.table in parts; a part may be double-quoted';

CREATE FUNCTION _sluice.name_check(what text, name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name IS NULL OR name !~ '^[A-Za-z][A-Za-z0-9_-]{0,62}$' THEN
		PERFORM _sluice.fail('42602', format('%L cannot be the name of a %s', left(name, 100), what),
			'Use a letter followed by at most 62 letters, digits, _ or -: it becomes part of every path.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.name_check(text, text) IS 'Refuses names that cannot stand in a path';

CREATE FUNCTION _sluice.source_find(name text) RETURNS _sluice.source
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source;
BEGIN
	SELECT * INTO s FROM _sluice.source x WHERE x.name = $1 AND x.wanted <> 'dropped' AND _sluice.may_see(NULL);
	IF NOT FOUND THEN
		PERFORM _sluice.fail('42704', format('there is no source %L', left($1, 100)), 'SELECT source FROM sluice.source_status; lists them, sluice.add_source() adds one.');
	END IF;
	RETURN s;
END
$$;
COMMENT ON FUNCTION _sluice.source_find(text) IS 'A source by name, or an error';

CREATE FUNCTION _sluice.target_find(name text) RETURNS _sluice.target
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.target;
BEGIN
	SELECT * INTO t FROM _sluice.target x WHERE x.name = $1 AND x.wanted <> 'dropped' AND _sluice.may_see(NULL);
	IF NOT FOUND THEN
		PERFORM _sluice.fail('42704', format('there is no target %L', left($1, 100)), 'SELECT target FROM sluice.target_status; lists them, sluice.add_target() adds one.');
	END IF;
	RETURN t;
END
$$;
COMMENT ON FUNCTION _sluice.target_find(text) IS 'A target by name, or an error';

CREATE FUNCTION _sluice.table_canonical(parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT string_agg(_sluice.name_quote(p), '.' ORDER BY n) FROM unnest($1) WITH ORDINALITY u(p, n) $$;
COMMENT ON FUNCTION _sluice.table_canonical(text[]) IS 'A table''s name as it is stored and shown';

CREATE FUNCTION _sluice.table_find(name text) RETURNS _sluice.tab
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab;
BEGIN
	SELECT * INTO t FROM _sluice.tab x WHERE x.name = _sluice.table_canonical(_sluice.name_parse($1)) AND x.wanted <> 'dropped' AND _sluice.may_see(x.table_id);
	IF NOT FOUND THEN
		PERFORM _sluice.fail('42P01', format('table %s is not captured', left($1, 300)), 'SELECT table_name FROM sluice.status; lists the captured tables, sluice.add_table() adds one.');
	END IF;
	RETURN t;
END
$$;
COMMENT ON FUNCTION _sluice.table_find(text) IS 'A captured table by name, or an error';

CREATE FUNCTION _sluice.trouble_set(table_id bigint, trouble text, code text, message text, hint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab;
BEGIN
	UPDATE _sluice.tab x SET trouble = $2, code = $3, message = $4, hint = $5, retry_at = NULL
	WHERE x.table_id = $1 AND (x.trouble, x.message) IS DISTINCT FROM ($2, $4)
	RETURNING * INTO t;
	IF FOUND THEN
		PERFORM _sluice.event_add('error', $2, t.source_id, t.target_id, t.table_id, $4, jsonb_build_object('code', $3, 'hint', $5));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.trouble_set(bigint, text, text, text, text) IS 'Stops one table with a reason and the next command; an event the first time';

CREATE FUNCTION _sluice.resync_hint(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT format('SELECT * FROM sluice.resync_table(%L);', $1) $$;
COMMENT ON FUNCTION _sluice.resync_hint(text) IS 'The command that reads a table again';

CREATE FUNCTION _sluice.prefix(options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(nullif(trim(BOTH '/' FROM $1 ->> 'prefix'), '') || '/', '') $$;
COMMENT ON FUNCTION _sluice.prefix(jsonb) IS 'A target''s prefix with its slash, or nothing';

CREATE FUNCTION _sluice.source_doc(s _sluice.source) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT jsonb_build_object('id', $1.source_id, 'name', $1.name, 'kind', $1.kind, 'options', _sluice.options_full('source/' || $1.kind, $1.options)) $$;
COMMENT ON FUNCTION _sluice.source_doc(_sluice.source) IS 'A source as the worker gets it';

CREATE FUNCTION _sluice.target_doc(t _sluice.target) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('id', $1.target_id, 'name', $1.name, 'kind', $1.kind, 'options', _sluice.options_full('target/' || $1.kind, $1.options),
		'prefix', rtrim(_sluice.prefix($1.options), '/'), 'unfenced', coalesce(($1.options ->> 'unfenced')::boolean, false))
$$;
COMMENT ON FUNCTION _sluice.target_doc(_sluice.target) IS 'A target as the worker gets it';
