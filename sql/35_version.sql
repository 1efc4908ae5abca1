-- Schema versions: which columns a table's files hold, and the capture instance they are read from.

CREATE FUNCTION _sluice.key_names(t _sluice.tab, source_object_id bigint, instance_key jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(nullif($1.options -> 'key', 'null'),
		(SELECT CASE WHEN jsonb_array_length(s.primary_key) > 0 THEN s.primary_key
				WHEN jsonb_array_length(s.key) > 0 THEN (SELECT jsonb_agg(k -> 'name' ORDER BY n) FROM jsonb_array_elements(s.key) WITH ORDINALITY e(k, n)) END
			FROM _sluice.source_table s WHERE s.source_id = $1.source_id AND s.object_id = $2),
		$3, '[]')
$$;
COMMENT ON FUNCTION _sluice.key_names(_sluice.tab, bigint, jsonb) IS 'Names of the key columns: as asked, else primary key, else the key loads use, else the capture instance''s index';

CREATE FUNCTION _sluice.instance_columns(c _sluice.capture_instance) RETURNS TABLE (n bigint, name text, facts jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A shape says all of its columns itself; a capture instance has the types, the rest is as last discovered.
	IF _sluice.is_log(c.source_id) THEN
		RETURN QUERY SELECT e.n, e.f ->> 'name', e.f FROM jsonb_array_elements(c.columns) WITH ORDINALITY e(f, n);
	ELSE
		RETURN QUERY SELECT e.n, s.name, s.facts || (SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM jsonb_each(e.f) p WHERE p.key IN ('source_type', 'type', 'precision', 'scale'))
		FROM jsonb_array_elements(c.columns) WITH ORDINALITY e(f, n)
		JOIN _sluice.source_column s ON s.source_id = c.source_id AND s.object_id = c.source_object_id AND s.name = e.f ->> 'name';
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.instance_columns(_sluice.capture_instance) IS 'The columns of a capture instance or shape with what is known of each';

CREATE FUNCTION _sluice.landed_type(facts jsonb, options jsonb, log boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN $2 ->> 'zero_dates' = 'text' AND $1 ->> 'type' IN ('date', 'timestamp', 'timestamptz') THEN '{"type": "string"}'
		-- The log of MySQL has instants without an offset.
		WHEN $3 AND $1 ->> 'type' = 'timestamptz' THEN '{"type": "timestamptz", "utc": true}'
		ELSE jsonb_build_object('type', $1 -> 'type') END
$$;
COMMENT ON FUNCTION _sluice.landed_type(jsonb, jsonb, boolean) IS 'The type in which a column lands: text where dates that are none are to be kept';

CREATE FUNCTION _sluice.columns_build(t _sluice.tab, c _sluice.capture_instance) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (WITH k AS (
		SELECT e.name, e.n FROM jsonb_array_elements_text(_sluice.key_names($1, $2.source_object_id, $2.key)) WITH ORDINALITY e(name, n)
	), col AS (
		SELECT i.name, i.n, i.facts, row_number() OVER (PARTITION BY lower(i.name) ORDER BY i.n) AS twin
		FROM _sluice.instance_columns($2) i
		WHERE coalesce(i.facts -> 'computed', 'null') = 'null' AND NOT coalesce($1.options -> 'exclude', '[]') ? i.name
	)
	SELECT coalesce(jsonb_agg(jsonb_build_object(
		-- Spark and DuckDB see two columns that differ in case, or one named like a partition, as one.
		'name', CASE WHEN col.twin > 1 OR lower(col.name) ~ '^_sluice_|^sluice_(epoch|kind|day|hour)$' THEN col.name || '_' || col.n ELSE col.name END,
		'source_name', col.name,
		'source_type', col.facts -> 'source_type',
		'precision', col.facts -> 'precision',
		'scale', col.facts -> 'scale',
		'nullable', coalesce(col.facts -> 'nullable', 'true'),
		'large', coalesce(col.facts -> 'large', 'false'),
		'key_ordinal', coalesce(k.n, 0),
		'collation', col.facts -> 'collation') || _sluice.landed_type(col.facts, $1.options, l.log) ORDER BY col.n), '[]')
	FROM (SELECT _sluice.is_log($2.source_id) AS log) l CROSS JOIN col LEFT JOIN k ON k.name = col.name);
END
$$;
COMMENT ON FUNCTION _sluice.columns_build(_sluice.tab, _sluice.capture_instance) IS 'The columns that a table lands from a capture instance, computed and excluded ones left out';

CREATE FUNCTION _sluice.column_unknown(source_id bigint, object_id bigint, options jsonb, OUT message text, OUT hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('option %s names the column %s, which %s.%s does not have', o.option, left(o.name, 128), s.schema_name, s.table_name),
		format('Did you mean %s? Names are compared exactly.', (SELECT c.name FROM _sluice.source_column c WHERE c.source_id = $1 AND c.object_id = $2
			ORDER BY _sluice.distance(left(lower(c.name), 60), left(lower(o.name), 60)), c.ordinal LIMIT 1))
	FROM _sluice.source_table s
	CROSS JOIN (SELECT v.option, e.name, e.n FROM (VALUES ('key'), ('exclude'), ('bloom_columns')) v(option)
		CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(nullif($3 -> v.option, 'null'), '[]')) WITH ORDINALITY e(name, n)) o
	WHERE s.source_id = $1 AND s.object_id = $2 AND EXISTS (SELECT FROM _sluice.source_column c WHERE c.source_id = $1 AND c.object_id = $2)
		AND NOT EXISTS (SELECT FROM _sluice.source_column c WHERE c.source_id = $1 AND c.object_id = $2 AND c.name = o.name)
	ORDER BY o.option DESC, o.n LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.column_unknown(bigint, bigint, jsonb) IS 'The first column that key, exclude or bloom_columns name and the table lacks, with the nearest there is; NULL where all are there';

CREATE FUNCTION _sluice.columns_refused(t _sluice.tab, c _sluice.capture_instance) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(format('%s (%s)', s.name, s.facts ->> 'refused'), ', ' ORDER BY s.n)
	FROM _sluice.instance_columns($2) s WHERE s.facts ->> 'refused' IS NOT NULL AND NOT coalesce($1.options -> 'exclude', '[]') ? s.name
$$;
COMMENT ON FUNCTION _sluice.columns_refused(_sluice.tab, _sluice.capture_instance) IS 'Columns that cannot be captured exactly and are not excluded, with the reason';

CREATE FUNCTION _sluice.column_clash(t _sluice.tab, c _sluice.capture_instance) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('table %s has a column %s, and profile %s adds one of that name', $1.name, e ->> 'name', $1.options ->> 'profile')
	FROM unnest(_sluice.dms_columns($1.options)) added, jsonb_array_elements(_sluice.columns_build($1, $2)) e
	WHERE lower(e ->> 'name') = lower(added) LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.column_clash(_sluice.tab, _sluice.capture_instance) IS 'A column of the table that is named as one that its profile adds, readers compare without regard to case; NULL where there is none';

CREATE FUNCTION _sluice.bloom_refused(t _sluice.tab, c _sluice.capture_instance) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN col.e IS NULL THEN format('option bloom_columns names the column %s, which does not land', b.name)
		ELSE format('option bloom_columns names the column %s, which is boolean and takes no Bloom filter', b.name) END
	FROM jsonb_array_elements_text(coalesce(nullif($1.options -> 'bloom_columns', 'null'), '[]')) WITH ORDINALITY b(name, n)
	LEFT JOIN jsonb_array_elements(_sluice.columns_build($1, $2)) col(e) ON col.e ->> 'source_name' = b.name
	WHERE col.e IS NULL OR col.e ->> 'type' = 'boolean' ORDER BY b.n LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.bloom_refused(_sluice.tab, _sluice.capture_instance) IS 'A column that cannot have the Bloom filter asked for, with the reason; NULL where there is none';

CREATE FUNCTION _sluice.instance_newest(source_id bigint, source_object_id bigint) RETURNS _sluice.capture_instance
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c FROM _sluice.capture_instance c
	WHERE c.source_id = $1 AND c.source_object_id = $2 AND c.columns IS NOT NULL AND coalesce(c.readable, true)
	ORDER BY c.start DESC NULLS LAST, c.create_date DESC, c.instance DESC LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.instance_newest(bigint, bigint) IS 'The newest readable capture instance of a table';

CREATE FUNCTION _sluice.default_landed(facts jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- SQL Server tells T-SQL, which in rows that stood before counts only where NULL is refused; the others the constant itself.
	SELECT CASE WHEN $1 ->> 'default_expression' IS NOT NULL THEN NULL
		WHEN d.tsql AND ($1 ->> 'nullable')::boolean THEN NULL
		WHEN CASE $1 ->> 'type' WHEN 'boolean' THEN d.value IN ('0', '1', 'true', 'false') WHEN 'date' THEN d.value ~ '^[1-9]\d{3}-\d\d-\d\d$'
			WHEN 'timestamp' THEN d.value ~ '^[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$'
			WHEN 'string' THEN $1 ->> 'source_type' ~* '^(n?(var)?char|n?text|tinytext|mediumtext|longtext|enum|set)\M'
			ELSE $1 ->> 'type' ~ '^(u?int\d+|float\d+|decimal)$' AND d.value ~ '^-?\d+(\.\d+)?$' END THEN d.value END
	FROM (SELECT e.tsql, CASE WHEN e.tsql THEN coalesce(replace(substring(e.given FROM '^\(+N?''((?:[^'']|'''')*)''\)+$'), '''''', ''''), substring(e.given FROM '^\(+(-?[0-9.]+)\)+$'))
			ELSE e.given END AS value
		FROM (SELECT $1 ->> 'default' AS given, $1 ->> 'default' ~ '^\(.*\)$' AND NOT $1 ? 'character_set' AS tsql) e) d
$$;
COMMENT ON FUNCTION _sluice.default_landed(jsonb) IS 'The constant that rows which stood before hold in a column that was added; NULL where there is none, or none that a text could name';

CREATE FUNCTION _sluice.columns_since(columns jsonb, before jsonb, c _sluice.capture_instance, since _sluice.pos) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(e.c || CASE WHEN h.c IS NULL THEN jsonb_build_object('since', $4, 'default', _sluice.default_landed(i.facts))
		WHEN h.c ? 'since' THEN jsonb_build_object('since', h.c -> 'since', 'default', h.c -> 'default') ELSE '{}' END ORDER BY e.n), '[]')
	FROM jsonb_array_elements($1) WITH ORDINALITY e(c, n)
	LEFT JOIN jsonb_array_elements($2) h(c) ON h.c ->> 'source_name' = e.c ->> 'source_name'
	LEFT JOIN _sluice.instance_columns($3) i ON i.name = e.c ->> 'source_name'
$$;
COMMENT ON FUNCTION _sluice.columns_since(jsonb, jsonb, _sluice.capture_instance, _sluice.pos) IS 'Columns of a version within an epoch: those that the version before lacks say since when there are values, and what older rows hold';

CREATE FUNCTION _sluice.version_make(t _sluice.tab, c _sluice.capture_instance, since _sluice.pos, before jsonb DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cols jsonb := _sluice.columns_build(t, c);
	keys jsonb;
	made integer;
BEGIN
	IF before IS NOT NULL THEN
		cols := _sluice.columns_since(cols, before, c, since);
	END IF;
	SELECT coalesce(jsonb_agg(s.facts || k.value ORDER BY k.ordinality), '[]') INTO keys
	FROM _sluice.source_table st, jsonb_array_elements(st.key) WITH ORDINALITY k
	JOIN _sluice.source_column s ON s.source_id = t.source_id AND s.object_id = c.source_object_id AND s.name = k.value ->> 'name'
	WHERE st.source_id = t.source_id AND st.object_id = c.source_object_id;
	SELECT v.version INTO made FROM _sluice.schema_version v
	WHERE v.table_id = t.table_id AND v.version = (SELECT max(x.version) FROM _sluice.schema_version x WHERE x.table_id = t.table_id)
		AND (v.instance, v.instance_object_id, v.columns, v.key) = (c.instance, c.object_id, cols, keys);
	IF FOUND THEN
		RETURN made;
	END IF;
	INSERT INTO _sluice.schema_version (table_id, version, instance, instance_object_id, source_object_id, command_id, columns, key, valid_from)
	SELECT t.table_id, coalesce(max(x.version), 0) + 1, c.instance, c.object_id, c.source_object_id, coalesce(c.command_id, true), cols, keys, since
	FROM _sluice.schema_version x WHERE x.table_id = t.table_id
	RETURNING version INTO made;
	PERFORM _sluice.event_add('info', 'schema', t.source_id, t.target_id, t.table_id,
		format('schema version %s of %s: %s columns from capture instance %s', made, t.name, jsonb_array_length(cols), c.instance));
	RETURN made;
END
$$;
COMMENT ON FUNCTION _sluice.version_make(_sluice.tab, _sluice.capture_instance, _sluice.pos, jsonb) IS 'A table''s schema version for a capture instance, made where the newest differs; before: the columns of the version that it follows within an epoch';

CREATE FUNCTION _sluice.version_now(t _sluice.tab) RETURNS _sluice.schema_version
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT v FROM _sluice.schema_version v WHERE v.table_id = $1.table_id AND v.version = $1.version $$;
COMMENT ON FUNCTION _sluice.version_now(_sluice.tab) IS 'A table''s current schema version';

CREATE FUNCTION _sluice.keyless(t _sluice.tab) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT NOT EXISTS (SELECT FROM _sluice.schema_version v, jsonb_array_elements(v.columns) c
		WHERE v.table_id = $1.table_id AND v.version = $1.version AND (c ->> 'key_ordinal')::integer > 0)
$$;
COMMENT ON FUNCTION _sluice.keyless(_sluice.tab) IS 'Has the table no key to fold by?';

CREATE FUNCTION _sluice.columns_type(columns jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(c ->> 'source_name', jsonb_build_array(c -> 'type', c -> 'precision', c -> 'scale')), '{}') FROM jsonb_array_elements($1) c
$$;
COMMENT ON FUNCTION _sluice.columns_type(jsonb) IS 'Column names with their types, to compare two versions';

CREATE FUNCTION _sluice.columns_type(columns jsonb, t _sluice.tab) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT _sluice.columns_type($1) - ARRAY(SELECT jsonb_array_elements_text(coalesce(nullif($2.options -> 'exclude', 'null'), '[]')))
$$;
COMMENT ON FUNCTION _sluice.columns_type(jsonb, _sluice.tab) IS 'The same without the columns that the table excludes now: a column excluded since a version was made is no change at the source';
