-- What another tool was told to do, told to sluice: a Debezium connector's JSON here, a DMS task's in 73_import_dms.
-- Each answers item by item: set (becomes an option), same (done here without being told), unneeded, none (no counterpart),
-- add, exists, skip, later. Values of secrets are neither stored nor repeated.

CREATE FUNCTION _sluice.import_secret(property text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT $1 ~* '(password|passwd|pwd|secret|token|credential|private.?key|jaas|access.?key|[.]salt[.])' $$;
COMMENT ON FUNCTION _sluice.import_secret(text) IS 'Is this the name of a property that holds a secret?';

CREATE FUNCTION _sluice.import_shown(property text, value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN _sluice.import_secret($1) AND $1 !~ '[.]salt[.]' THEN '(secret)'
		WHEN $2 ~ '://[^/@[:space:]]*:[^/@[:space:]]*@' OR $2 ~* '(password|pwd)\s*=' THEN '(secret)' ELSE left($2, 500) END
$$;
COMMENT ON FUNCTION _sluice.import_shown(text, text) IS 'A property''s value as it may be shown';

CREATE FUNCTION _sluice.import_regexes(property text, list text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	patterns text[];
	p text;
BEGIN
	-- Separated by commas; one inside a pattern is escaped.
	SELECT array_agg(replace(btrim(e.p), '\,', ',') ORDER BY e.n) INTO patterns
	FROM regexp_split_to_table($2, '(?<!\\),') WITH ORDINALITY e(p, n) WHERE btrim(e.p) <> '';
	FOREACH p IN ARRAY coalesce(patterns, '{}') LOOP
		-- What Java's expressions have and PostgreSQL's have not, or have with another meaning.
		IF p ~ '\\[QEpPbBGzZhHvVRXNk]|\(\?[>a-zA-Z]|\(\?<[a-zA-Z]|[*+?}]\+|&&' THEN
			PERFORM _sluice.fail('0A000', format('%s holds the expression %L, which only Java understands', $1, left(p, 200)),
				'Write it without \Q, \b, \p, possessive quantifiers, flags and named groups, or name the tables one by one.');
		END IF;
		BEGIN
			PERFORM '' ~ p;
		EXCEPTION WHEN invalid_regular_expression THEN
			PERFORM _sluice.fail('2201B', format('%s holds the expression %L: %s', $1, left(p, 200), sqlerrm), 'Mend it in the document.');
		END;
	END LOOP;
	RETURN patterns;
END
$$;
COMMENT ON FUNCTION _sluice.import_regexes(text, text) IS 'A property''s list of regular expressions, NULL where it is empty; refused where they mean something else here';

CREATE FUNCTION _sluice.import_matches(name text, patterns text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM unnest($2) p WHERE $1 ~* ('^(?:' || p || ')$')) $$;
COMMENT ON FUNCTION _sluice.import_matches(text, text[]) IS 'Does one of the expressions match the whole name? As Debezium matches: anchored, case ignored';

CREATE FUNCTION _sluice.import_add(s _sluice.source, target text, schema_name text, table_name text, options jsonb, dry_run boolean, OUT effect text, OUT note text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	full_name text := _sluice.table_canonical(ARRAY[s.name, $3, $4]);
	f _sluice.source_table;
BEGIN
	SELECT * INTO f FROM _sluice.source_table x WHERE x.source_id = s.source_id AND x.schema_name = $3 AND x.table_name = $4;
	IF EXISTS (SELECT FROM _sluice.tab t WHERE t.name = full_name AND t.wanted <> 'dropped') THEN
		effect := 'exists';
		note := 'captured already; its options stay as they are';
	ELSIF (_sluice.instance_newest(s.source_id, f.object_id)).instance IS NULL THEN
		effect := 'skip';
		note := 'not enabled for CDC: ' || _sluice.cdc_enable($3, $4, NULL);
	ELSE
		effect := 'add';
		BEGIN
			PERFORM sluice.add_table(full_name, $2, $5);
			-- A dry run does it too and takes it back, so that it cannot promise what would fail.
			PERFORM _sluice.fail('SL090', 'dry run', 'It is taken back.') WHERE $6;
		EXCEPTION WHEN SQLSTATE 'SL090' THEN
			NULL;
		WHEN feature_not_supported OR undefined_column OR invalid_parameter_value OR duplicate_object THEN
			effect := 'skip';
			note := sqlerrm;
		END;
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.import_add(_sluice.source, text, text, text, jsonb, boolean) IS 'Adds one table of an imported document, or says why not';

CREATE FUNCTION _sluice.import_later(source_name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT format('which tables there are is not known yet: CALL sluice.refresh(%L); then import again', $1) $$;
COMMENT ON FUNCTION _sluice.import_later(text) IS 'What an import says before discovery';

-- Debezium -------------------------------------------------------------------

CREATE FUNCTION _sluice.debezium_rules() RETURNS TABLE (n integer, pattern text, effect text, note text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- The first that matches a property's whole name says what becomes of it.
	VALUES (1, 'connector\.class', 'same', 'a sqlserver source'), (2, 'database\.hostname', 'set', 'source option host'), (3, 'database\.port', 'set', 'source option port'),
	(4, 'database\.user', 'set', 'source option user'), (5, 'database\.password', 'none', 'never stored: the source names the environment variable of the worker that holds it (password_env)'),
	(6, 'database\.names', 'set', 'source option database'), (7, 'database\.instance', 'set', 'source option instance'),
	(8, '(database|driver)\.applicationIntent', 'set', 'source option application_intent'), (9, '(database|driver)\.encrypt', 'set', 'source option encryption'),
	(10, '(database|driver)\.trustServerCertificate', 'none', 'give the source ca_file: the certificate is checked where one is named'),
	(11, '(database|driver)\..*(trust|key)[sS]tore.*', 'none', 'give the source ca_file, in PEM'),
	(12, 'topic\.prefix', 'set', 'table option topic_prefix: the events'' source.name'),
	(13, '(table|schema)\.(include|exclude)\.list', 'set', 'the tables below'), (14, 'column\.(include|exclude)\.list', 'set', 'table option exclude'),
	(15, 'message\.key\.columns', 'set', 'table option key'), (16, 'decimal\.handling\.mode', 'set', 'table option decimal_handling_mode'),
	(17, 'time\.precision\.mode', 'set', 'table option time_precision_mode'), (18, 'binary\.handling\.mode', 'set', 'table option binary_handling_mode'),
	(19, 'value\.converter\.schemas\.enable', 'set', 'table option schemas_enable'), (20, 'poll\.interval\.ms', 'set', 'source option poll_ms'),
	(21, 'column\.mask\..*', 'none', 'the columns it matches are left out, since nothing here masks them'),
	(22, 'column\.truncate\..*', 'none', 'whole values land; leave a column out by the table option exclude'),
	(23, 'column\.propagate\..*|datatype\.propagate\..*', 'none', 'sluice.source_column tells source types'),
	(24, 'snapshot\.mode', 'same', 'a table is loaded, then its changes follow'), (25, 'snapshot\.isolation\.mode|snapshot\.locking\.mode', 'unneeded', 'a load takes no locks and needs no snapshot isolation where the table has a key'),
	(26, 'snapshot\.select\.statement\.overrides.*|snapshot\.query\.mode', 'none', 'all rows of a table are loaded'),
	(27, 'snapshot\.include\.collection\.list', 'none', 'every table is loaded'), (28, 'snapshot\..*', 'unneeded', 'a load is cut into ranges that runners share; see load_range_rows'),
	(29, 'skipped\.operations', 'none', 'inserts, updates and deletes all land'), (30, 'tombstones\.on\.delete', 'unneeded', 'a file has no tombstones: the event d is the delete'),
	(31, 'provide\.transaction\.metadata', 'none', 'transaction is null; events of one transaction share source.commit_lsn'),
	(32, 'skip\.messages\.without\.change', 'none', 'every update lands'), (33, 'value\.converter', 'same', 'files are JSON lines, as JsonConverter writes values'),
	(34, '(key|header)\.converter.*', 'none', 'files hold values; the key''s columns are in them'), (35, 'value\.converter\..*', 'none', 'files are JSON lines'),
	(36, 'transforms.*|predicates.*', 'none', 'events land untransformed; profile sluice has flat rows, where ExtractNewRecordState was wanted'),
	(37, 'schema\.history\..*|database\.history\..*|include\.schema\.(changes|comments)', 'unneeded', 'schema versions are kept in PostgreSQL: SELECT * FROM sluice.schema_version'),
	(38, 'heartbeat\..*|topic\.heartbeat\..*', 'unneeded', 'an idle table is at its source''s cut without them'),
	(39, 'signal\..*|incremental\..*|read\.only|notification\..*', 'none', 'sluice.resync_table() asks for what a signal asked for'),
	(40, 'topic\..*', 'none', 'each table has a folder of its own; sluice.table_status tells it'),
	(41, 'tasks\.max', 'unneeded', 'the worker''s runners share all tables (setting runners)'),
	(42, '(max|query|streaming|min)\..*|.*\.fetch\.size|lsn\..*|data\.query\.mode|internal\..*|database\.query\.timeout\.ms|streaming\.delay\.ms', 'unneeded', 'memory and statements are bounded by themselves'),
	(43, 'errors\..*|retriable\..*|event\.processing\.failure\.handling\.mode|exactly\.once\..*|offset\..*|transaction\.boundary.*', 'unneeded', 'what fails is tried again, what cannot be read stops its table with a hint; files land exactly once'),
	(44, 'schema\.name\.adjustment\.mode|field\.name\.adjustment\.mode|sanitize\..*', 'none', 'names land as they are at the source'),
	(45, 'converters|.*', 'none', 'not known to this version of sluice')
$$;
COMMENT ON FUNCTION _sluice.debezium_rules() IS 'What becomes of each property of Debezium''s SQL Server connector';

CREATE FUNCTION _sluice.debezium_config(document jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	config jsonb := CASE WHEN jsonb_typeof(document -> 'config') = 'object' THEN document -> 'config' ELSE document END;
	class text := config ->> 'connector.class';
	nested text;
BEGIN
	IF jsonb_typeof(config) IS DISTINCT FROM 'object' OR NOT config ? 'connector.class' THEN
		PERFORM _sluice.fail('22023', 'the document is no Debezium connector', 'It is {"name": ..., "config": {...}} as registered with Kafka Connect, or the config alone, with connector.class.');
	ELSIF class NOT LIKE '%.SqlServerConnector' THEN
		PERFORM _sluice.fail('0A000', format('connector.class is %s', left(class, 100)), 'This version captures from: sqlserver (io.debezium.connector.sqlserver.SqlServerConnector).');
	END IF;
	SELECT min(e.key) INTO nested FROM jsonb_each(config) e WHERE jsonb_typeof(e.value) IN ('object', 'array');
	IF nested IS NOT NULL THEN
		PERFORM _sluice.fail('22023', format('property %s is no text', left(nested, 100)), 'A connector''s properties are texts, numbers or booleans.');
	ELSIF config ->> 'database.names' ~ ',' THEN
		PERFORM _sluice.fail('0A000', format('the connector captures several databases: %s', left(config ->> 'database.names', 200)),
			'A source is one database: import once for each, with its name alone in database.names and a source of its own.');
	END IF;
	RETURN config;
END
$$;
COMMENT ON FUNCTION _sluice.debezium_config(jsonb) IS 'A connector''s properties, with or without its name around them';

CREATE FUNCTION _sluice.debezium_report(config jsonb) RETURNS TABLE (item text, value text, effect text, note text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT regexp_replace(e.key, '([.]salt[.]).*', '\1(secret)'), _sluice.import_shown(e.key, e.value),
		CASE WHEN e.key = 'snapshot.mode' AND e.value <> 'initial' THEN 'none'
			WHEN e.key = 'value.converter' AND e.value NOT LIKE '%.JsonConverter' THEN 'none' ELSE r.effect END,
		CASE WHEN e.key = 'snapshot.mode' AND e.value <> 'initial' THEN 'a table is always loaded first, then its changes follow'
			WHEN e.key = 'value.converter' AND e.value NOT LIKE '%.JsonConverter' THEN 'events land as JSON lines' ELSE r.note END
	FROM jsonb_each_text($1) e CROSS JOIN LATERAL (SELECT x.effect, x.note FROM _sluice.debezium_rules() x WHERE e.key ~ ('^(?:' || x.pattern || ')$') ORDER BY x.n LIMIT 1) r
	ORDER BY e.key
$$;
COMMENT ON FUNCTION _sluice.debezium_report(jsonb) IS 'Property by property: what becomes of it';

CREATE FUNCTION _sluice.debezium_source(config jsonb, name text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object('host', $1 ->> 'database.hostname', 'port', $1 ->> 'database.port', 'database', coalesce($1 ->> 'database.names', $1 ->> 'database.dbname'),
		'user', $1 ->> 'database.user', 'password_env', regexp_replace(upper($2), '[^A-Z0-9]', '_', 'g') || '_PASSWORD', 'instance', $1 ->> 'database.instance',
		'application_intent', lower(coalesce($1 ->> 'database.applicationIntent', $1 ->> 'driver.applicationIntent')),
		'encryption', CASE lower(coalesce($1 ->> 'database.encrypt', $1 ->> 'driver.encrypt')) WHEN 'true' THEN 'require' WHEN 'strict' THEN 'require' WHEN 'false' THEN 'off' END,
		'poll_ms', $1 ->> 'poll.interval.ms'))
$$;
COMMENT ON FUNCTION _sluice.debezium_source(jsonb, text) IS 'Options of the source that a connector reads from; the password is named, not given';

CREATE FUNCTION _sluice.debezium_options(config jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT _sluice.options_check('table', jsonb_strip_nulls(jsonb_build_object('profile', 'debezium', 'topic_prefix', $1 ->> 'topic.prefix',
		'decimal_handling_mode', lower($1 ->> 'decimal.handling.mode'), 'time_precision_mode', lower($1 ->> 'time.precision.mode'),
		'binary_handling_mode', lower($1 ->> 'binary.handling.mode'), 'schemas_enable', lower($1 ->> 'value.converter.schemas.enable'))))
$$;
COMMENT ON FUNCTION _sluice.debezium_options(jsonb) IS 'Options of every table that a connector''s properties set';

CREATE FUNCTION _sluice.debezium_key(config jsonb, schema_name text, table_name text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- "schema.table:column,column;..." where the part before the colon is an expression too.
	SELECT to_jsonb(regexp_split_to_array(btrim(m.part[2]), '\s*,\s*'))
	FROM regexp_split_to_table($1 ->> 'message.key.columns', ';') WITH ORDINALITY e(p, n) CROSS JOIN LATERAL (SELECT regexp_match(e.p, '^\s*(.*):([^:]+)$') AS part) m
	WHERE _sluice.import_matches($2 || '.' || $3, _sluice.import_regexes('message.key.columns', m.part[1])) ORDER BY e.n LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.debezium_key(jsonb, text, text) IS 'The key that message.key.columns gives a table';

CREATE FUNCTION _sluice.debezium_columns(config jsonb, f _sluice.source_table, key jsonb, OUT exclude jsonb, OUT note text, OUT masked_key text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH list AS (SELECT _sluice.import_regexes('column.include.list', $1 ->> 'column.include.list') AS include, _sluice.import_regexes('column.exclude.list', $1 ->> 'column.exclude.list') AS exclude,
		(SELECT array_agg(p) FROM jsonb_each_text($1) e, unnest(_sluice.import_regexes(regexp_replace(e.key, '([.]salt[.]).*', '\1(secret)'), e.value)) p WHERE e.key LIKE 'column.mask.%') AS mask
	), col AS (SELECT c.name, c.ordinal, coalesce($3, $2.primary_key) ? c.name AS in_key, _sluice.import_matches(x.full_name, l.mask) AS masked,
			_sluice.import_matches(x.full_name, l.exclude) OR (l.include IS NOT NULL AND NOT _sluice.import_matches(x.full_name, l.include)) AS left_out
		FROM list l, _sluice.source_column c CROSS JOIN LATERAL (SELECT concat_ws('.', $2.schema_name, $2.table_name, c.name) AS full_name) x
		WHERE c.source_id = $2.source_id AND c.object_id = $2.object_id)
	SELECT jsonb_agg(col.name ORDER BY col.ordinal) FILTER (WHERE (col.left_out OR col.masked) AND NOT col.in_key),
		'key columns land though they are left out: ' || string_agg(col.name, ', ' ORDER BY col.ordinal) FILTER (WHERE col.left_out AND col.in_key AND NOT col.masked),
		string_agg(col.name, ', ' ORDER BY col.ordinal) FILTER (WHERE col.masked AND col.in_key)
	FROM col
$$;
COMMENT ON FUNCTION _sluice.debezium_columns(jsonb, _sluice.source_table, jsonb) IS 'Columns of a table that a connector leaves out or masks; those of the key cannot be left out';

CREATE FUNCTION _sluice.debezium_tables(config jsonb, s _sluice.source, target text, dry_run boolean) RETURNS TABLE (item text, value text, effect text, note text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	common jsonb := _sluice.debezium_options(config);
	wanted text[] := _sluice.import_regexes('table.include.list', config ->> 'table.include.list');
	unwanted text[] := _sluice.import_regexes('table.exclude.list', config ->> 'table.exclude.list');
	schemas text[] := _sluice.import_regexes('schema.include.list', config ->> 'schema.include.list');
	not_schemas text[] := _sluice.import_regexes('schema.exclude.list', config ->> 'schema.exclude.list');
	f _sluice.source_table;
	key jsonb;
	col record;
BEGIN
	FOR f IN SELECT x.* FROM _sluice.source_table x WHERE x.source_id = s.source_id ORDER BY x.schema_name, x.table_name LOOP
		item := 'table ' || _sluice.table_canonical(ARRAY[s.name, f.schema_name, f.table_name]);
		value := NULL;
		IF NOT ((schemas IS NULL OR _sluice.import_matches(f.schema_name, schemas)) AND NOT coalesce(_sluice.import_matches(f.schema_name, not_schemas), false)
			AND (wanted IS NULL OR _sluice.import_matches(f.schema_name || '.' || f.table_name, wanted)) AND NOT coalesce(_sluice.import_matches(f.schema_name || '.' || f.table_name, unwanted), false)) THEN
			effect := 'skip';
			note := 'not among the connector''s tables';
		ELSE
			key := _sluice.debezium_key(config, f.schema_name, f.table_name);
			SELECT * INTO col FROM _sluice.debezium_columns(config, f, key);
			IF col.masked_key IS NOT NULL THEN
				effect := 'skip';
				note := format('its key is masked, which nothing here does: %s', col.masked_key);
			ELSE
				value := common || jsonb_strip_nulls(jsonb_build_object('key', key, 'exclude', col.exclude));
				SELECT a.effect, coalesce(a.note, col.note) INTO effect, note FROM _sluice.import_add(s, $3, f.schema_name, f.table_name, value::jsonb, $4) a;
			END IF;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.debezium_tables(jsonb, _sluice.source, text, boolean) IS 'Table by table: added as the connector has it, or why not';

CREATE FUNCTION sluice.import_debezium(document jsonb, source text, target text, dry_run boolean DEFAULT true) RETURNS TABLE (item text, value text, effect text, note text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	config jsonb := _sluice.debezium_config($1);
	given jsonb := _sluice.options_check('source/sqlserver', _sluice.debezium_source(config, $2));
	g _sluice.target := _sluice.target_find($3);
	s _sluice.source;
BEGIN
	PERFORM _sluice.name_check('source', $2), _sluice.login_check('sqlserver', given), _sluice.debezium_options(config);
	RETURN QUERY SELECT r.item, r.value, r.effect, r.note FROM _sluice.debezium_report(config) r;
	SELECT * INTO s FROM _sluice.source x WHERE x.name = $2 AND x.wanted <> 'dropped';
	item := 'source ' || $2;
	value := given;
	IF s.source_id IS NULL THEN
		effect := 'add';
		note := format('the worker finds the password in its environment: %s', given ->> 'password_env');
		IF NOT $4 THEN
			PERFORM sluice.add_source($2, 'sqlserver', options => given);
		END IF;
	ELSIF s.options ->> 'database' IS DISTINCT FROM given ->> 'database' THEN
		PERFORM _sluice.fail('22023', format('source %s is the database %s, and the connector captures %s', s.name, s.options ->> 'database', given ->> 'database'), 'Import it under a source of its own.');
	ELSE
		effect := 'exists';
		value := s.options;
		note := 'stays as it is';
	END IF;
	RETURN NEXT;
	item := 'target ' || g.name;
	value := NULL;
	effect := 'exists';
	note := NULL;
	RETURN NEXT;
	IF s.source_id IS NULL OR NOT EXISTS (SELECT FROM _sluice.source_state x WHERE x.source_id = s.source_id AND x.discovered_at IS NOT NULL) THEN
		item := 'tables';
		value := coalesce(config ->> 'table.include.list', 'all');
		effect := 'later';
		note := _sluice.import_later($2);
		RETURN NEXT;
	ELSE
		RETURN QUERY SELECT t.item, t.value, t.effect, t.note FROM _sluice.debezium_tables(config, s, g.name, $4) t;
	END IF;
END
$$;
COMMENT ON FUNCTION sluice.import_debezium(jsonb, text, text, boolean) IS
'Captures what a Debezium SQL Server connector captures: its JSON as registered with Kafka Connect, a name for the source (added where there is none), a target. Says item by item what it does, or with dry_run would do: set, same, unneeded, none (no counterpart), add, exists, skip, later. import_debezium(pg_read_file(''connector.json'')::jsonb, ''erp'', ''lake''). Passwords are neither stored nor repeated.';
