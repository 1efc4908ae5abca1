-- Texts for those who read what lands: a table over the files, and the fold of its rows to the current ones.
-- Dialects: duckdb, spark (open source, s3a://), databricks (s3://). docs/consume.md shows their use.

CREATE FUNCTION _sluice.dialect_check(dialect text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF dialect IS NULL OR dialect NOT IN ('duckdb', 'spark', 'databricks') THEN
		PERFORM _sluice.fail('22023', format('%L is no dialect', left(dialect, 40)), 'There are duckdb, spark and databricks.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.dialect_check(text) IS 'Refuses an unknown dialect';

CREATE FUNCTION _sluice.quote_in(dialect text, name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE $1 WHEN 'duckdb' THEN '"' || replace($2, '"', '""') || '"' ELSE '`' || replace($2, '`', '``') || '`' END $$;
COMMENT ON FUNCTION _sluice.quote_in(text, text) IS 'A quoted name of a dialect';

CREATE FUNCTION _sluice.text_in(dialect text, value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- Spark reads backslashes in its strings as escapes, DuckDB does not.
	SELECT CASE $1 WHEN 'duckdb' THEN '''' || replace($2, '''', '''''') || '''' ELSE '''' || replace(replace($2, '\', '\\'), '''', '\''') || '''' END
$$;
COMMENT ON FUNCTION _sluice.text_in(text, text) IS 'A string literal of a dialect';

CREATE FUNCTION _sluice.file_type(c jsonb, o jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- What lands as text: docs/formats.md. A time finer than microseconds has no type that readers share.
	SELECT CASE
		WHEN $1 ->> 'type' = 'timestamptz' AND $1 ->> 'utc' = 'true' AND $2 ->> 'format' = 'parquet' THEN 'instant'
		WHEN $1 ->> 'type' IN ('uuid', 'time') THEN 'string'
		WHEN $1 ->> 'type' = 'timestamptz' THEN CASE WHEN m.micros THEN 'instant' ELSE 'string' END
		WHEN $1 ->> 'type' = 'timestamp' AND ($1 ->> 'precision')::integer > 6 AND NOT m.micros THEN 'string'
		WHEN $1 ->> 'type' = 'binary' AND $2 ->> 'format' <> 'parquet' THEN 'base64'
		ELSE $1 ->> 'type' END
	FROM (SELECT $2 ->> 'format' = 'parquet' AND coalesce($2 ->> 'timestamp_precision', '') = 'micros' AS micros) m
$$;
COMMENT ON FUNCTION _sluice.file_type(jsonb, jsonb) IS 'How a column stands in a file: its type, string where only text holds it exactly, base64';

CREATE FUNCTION _sluice.type_in(dialect text, type text, c jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE $2
		WHEN 'boolean' THEN 'BOOLEAN' WHEN 'int16' THEN 'SMALLINT' WHEN 'int32' THEN CASE $1 WHEN 'duckdb' THEN 'INTEGER' ELSE 'INT' END WHEN 'int64' THEN 'BIGINT'
		WHEN 'uint64' THEN CASE $1 WHEN 'duckdb' THEN 'UBIGINT' ELSE 'DECIMAL(20,0)' END
		WHEN 'float32' THEN 'FLOAT' WHEN 'float64' THEN 'DOUBLE'
		WHEN 'decimal' THEN format('DECIMAL(%s,%s)', $3 ->> 'precision', $3 ->> 'scale')
		WHEN 'date' THEN 'DATE' WHEN 'timestamp' THEN CASE $1 WHEN 'duckdb' THEN 'TIMESTAMP' ELSE 'TIMESTAMP_NTZ' END
		WHEN 'instant' THEN CASE $1 WHEN 'duckdb' THEN 'TIMESTAMPTZ' ELSE 'TIMESTAMP' END
		WHEN 'binary' THEN CASE $1 WHEN 'duckdb' THEN 'BLOB' ELSE 'BINARY' END
		ELSE CASE $1 WHEN 'duckdb' THEN 'VARCHAR' ELSE 'STRING' END END
$$;
COMMENT ON FUNCTION _sluice.type_in(text, text, jsonb) IS 'The name of a type in a dialect';

CREATE FUNCTION _sluice.landed_columns(t _sluice.tab) RETURNS TABLE (n bigint, c jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT e.n, e.c FROM _sluice.schema_version v, jsonb_array_elements(v.columns) WITH ORDINALITY e(c, n) WHERE v.table_id = $1.table_id AND v.version = $1.version
$$;
COMMENT ON FUNCTION _sluice.landed_columns(_sluice.tab) IS 'The columns of a table''s current schema version';

CREATE FUNCTION _sluice.added_columns() RETURNS TABLE (n bigint, c jsonb)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT x.n, jsonb_build_object('name', x.name, 'type', x.type, 'precision', 6) FROM (VALUES (10001::bigint, '_sluice_op', 'string'), (10002, '_sluice_seq', 'string'),
		(10003, '_sluice_commit_ts', 'instant'), (10004, '_sluice_epoch', 'int64'), (10005, '_sluice_unchanged', 'string'), (10006, '_sluice_hash', 'int64')) x(n, name, type)
$$;
COMMENT ON FUNCTION _sluice.added_columns() IS 'The columns that the profile sluice adds';

CREATE FUNCTION _sluice.target_url(t _sluice.tab, dialect text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN g.kind = 's3' THEN CASE $2 WHEN 'spark' THEN 's3a://' ELSE 's3://' END || (g.options ->> 'bucket') || '/'
		ELSE rtrim(g.options ->> 'path', '/') || '/' END
	FROM _sluice.target g WHERE g.target_id = $1.target_id
$$;
COMMENT ON FUNCTION _sluice.target_url(_sluice.tab, text) IS 'Where keys of a table''s target begin, as a dialect writes it';

CREATE FUNCTION _sluice.files_name(parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT string_agg(lower(regexp_replace(p, '[^A-Za-z0-9_]', '_', 'g')), '_') || '_files' FROM unnest($1) p $$;
COMMENT ON FUNCTION _sluice.files_name(text[]) IS 'The name under which generated texts know a table''s files: erp_dbo_orders_files';

CREATE FUNCTION _sluice.files_of_one_shape(t _sluice.tab, o jsonb, dialect text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	extensions text[];
BEGIN
	IF o ->> 'profile' <> 'sluice' THEN
		PERFORM _sluice.fail('0A000', format('table %s lands in profile %s', t.name, o ->> 'profile'), 'These texts are for profile sluice; docs/formats.md describes the others.');
	ELSIF t.epoch = 0 OR NOT EXISTS (SELECT FROM _sluice.tab x WHERE x.source_id = t.source_id AND x.target_id = t.target_id AND (x.phase = 'streaming' OR x.epoch > 1)) THEN
		PERFORM _sluice.fail('55000', (SELECT format('nothing of source %s has been loaded to its end on target %s yet', s.name, g.name) FROM _sluice.source s, _sluice.target g
			WHERE s.source_id = t.source_id AND g.target_id = t.target_id),
			format('SELECT * FROM sluice.wait_for(%L); then ask again.', t.name));
	END IF;
	SELECT array_agg(DISTINCT substring(f.key FROM '\.(jsonl|csv|parquet)(?:\.[a-z]+)?$')) INTO extensions
	FROM _sluice.file f WHERE f.table_id = t.table_id AND f.epoch >= t.epoch AND f.state = 'landed';
	IF extensions && array_remove(ARRAY['jsonl', 'csv', 'parquet'], o ->> 'format') THEN
		PERFORM _sluice.fail('55000', format('the files of %s are of several formats: %s', t.name, array_to_string(array_remove(extensions, NULL), ', ')),
			format('%s lands all of it in %s.', _sluice.resync_hint(t.name), o ->> 'format'));
	ELSIF o ->> 'format' = 'csv' AND dialect <> 'duckdb' AND (SELECT count(DISTINCT (SELECT jsonb_agg(c -> 'name') FROM jsonb_array_elements(v.columns) c)) FROM _sluice.file f JOIN _sluice.schema_version v USING (table_id, version)
			WHERE f.table_id = t.table_id AND f.epoch >= t.epoch) > 1 THEN
		PERFORM _sluice.fail('55000', format('the CSV files of %s have different columns, and Spark reads CSV by position', t.name),
			format('%s lands all of it with the same columns; or let the table land in parquet.', _sluice.resync_hint(t.name)));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.files_of_one_shape(_sluice.tab, jsonb, text) IS 'Refuses a table whose files one reader cannot read together';

CREATE FUNCTION _sluice.duckdb_column(c jsonb, o jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- DuckDB reads a JSON number through a double: the digits of a decimal are taken from the line itself. In a string the name's quotes are escaped.
	SELECT CASE WHEN $2 ->> 'format' = 'parquet' THEN x.name
		WHEN $1 ->> 'type' = 'decimal' AND $2 ->> 'format' = 'jsonl' THEN format('CAST(nullif(regexp_extract(CAST(json AS VARCHAR), %s, 1), '''') AS %s) AS %s',
			_sluice.text_in('duckdb', '[{,]' || regexp_replace(to_json($1 ->> 'name')::text, '([^A-Za-z0-9_" ])', '\\\1', 'g') || ':(-?[0-9.]+)'), x.type, x.name)
		WHEN _sluice.file_type($1, $2) = 'base64' THEN format('from_base64(%s) AS %s', x.raw, x.name)
		ELSE format('CAST(%s AS %s) AS %s', x.raw, x.type, x.name) END
	FROM (SELECT n.name, CASE $2 ->> 'format' WHEN 'jsonl' THEN format('(json ->> %s)', _sluice.text_in('duckdb', '/' || replace(replace($1 ->> 'name', '~', '~0'), '/', '~1'))) ELSE n.name END AS raw,
		_sluice.type_in('duckdb', _sluice.file_type($1, $2), $1) AS type
		FROM (SELECT _sluice.quote_in('duckdb', $1 ->> 'name') AS name) n) x
$$;
COMMENT ON FUNCTION _sluice.duckdb_column(jsonb, jsonb) IS 'A column of a file as DuckDB selects it, with its exact type';

CREATE FUNCTION _sluice.duckdb_files(t _sluice.tab, o jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'SELECT %s\nFROM %s', string_agg(_sluice.duckdb_column(x.c, $2), E',\n\t' ORDER BY x.n),
		format(CASE $2 ->> 'format' WHEN 'parquet' THEN 'read_parquet(%s, union_by_name = true, hive_partitioning = false)'
			WHEN 'csv' THEN 'read_csv(%s, union_by_name = true, hive_partitioning = false, all_varchar = true, header = true, delim = '','', quote = ''"'', escape = ''"'', nullstr = '''', allow_quoted_nulls = false)'
			ELSE 'read_json_objects(%s, format = ''newline_delimited'', hive_partitioning = false)' END,
			_sluice.text_in('duckdb', format('%s%s/**/*.%s*', _sluice.target_url($1, 'duckdb'), _sluice.table_path($1), $2 ->> 'format'))))
	FROM (SELECT * FROM _sluice.landed_columns($1) UNION ALL SELECT * FROM _sluice.added_columns()) x
$$;
COMMENT ON FUNCTION _sluice.duckdb_files(_sluice.tab, jsonb) IS 'DuckDB: every row of a table''s files';

CREATE FUNCTION _sluice.spark_table(name text, format text, columns text, location text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- A nullValue that no text is keeps NULL, nothing between two commas, and "", the empty string, apart.
	-- Dropping an external table leaves its files. recursiveFileLookup: new folders are seen without adding partitions.
	SELECT format(E'DROP TABLE IF EXISTS `%1$s`;\nCREATE TABLE `%1$s` (\n\t%2$s\n) USING %3$s OPTIONS (recursiveFileLookup ''true'', pathGlobFilter ''*.%4$s*''%5$s)\nLOCATION %6$s;', $1, $3,
		CASE $2 WHEN 'jsonl' THEN 'json' ELSE $2 END, $2,
		CASE $2 WHEN 'csv' THEN ', header ''true'', multiLine ''true'', quote ''"'', escape ''"'', nullValue ''' || chr(57344) || 'null''' ELSE '' END, _sluice.text_in('spark', $4))
$$;
COMMENT ON FUNCTION _sluice.spark_table(text, text, text, text) IS 'Spark: an external table over a folder';

CREATE FUNCTION _sluice.control_name(t _sluice.tab) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- Of source and target: an engine that reads a source's tables from two targets must not take the epochs of one for those of the other.
	SELECT _sluice.files_name(ARRAY[s.name, g.name, 'control']) FROM _sluice.source s, _sluice.target g WHERE s.source_id = $1.source_id AND g.target_id = $1.target_id
$$;
COMMENT ON FUNCTION _sluice.control_name(_sluice.tab) IS 'The name under which generated texts know the control rows of a source on a target: erp_lake_control_files';

CREATE FUNCTION _sluice.control_sql(t _sluice.tab, dialect text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE $2 WHEN 'duckdb' THEN format(E'CREATE OR REPLACE VIEW %s AS\nSELECT * FROM read_json(%s, format = ''newline_delimited'', hive_partitioning = false,\n\tcolumns = {"table": ''VARCHAR'', epoch: ''BIGINT'', kind: ''VARCHAR'', position: ''VARCHAR'', commit_ts: ''TIMESTAMPTZ''});',
			_sluice.quote_in($2, _sluice.control_name($1)), _sluice.text_in($2, p.folder || '/**/*.jsonl'))
		ELSE _sluice.spark_table(_sluice.control_name($1), 'jsonl', '`table` STRING, `epoch` BIGINT, `kind` STRING, `position` STRING, `commit_ts` TIMESTAMP', p.folder) END
	FROM _sluice.source s, _sluice.target g, LATERAL (SELECT format('%s%s%s/sluice.control', _sluice.target_url($1, $2), _sluice.prefix(g.options), s.path_part) AS folder) p
	WHERE s.source_id = $1.source_id AND g.target_id = $1.target_id
$$;
COMMENT ON FUNCTION _sluice.control_sql(_sluice.tab, text) IS 'The landed control rows of a table''s source as a table of a dialect';

CREATE FUNCTION sluice.external_table_sql("table" text, dialect text DEFAULT 'databricks') RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	o jsonb := _sluice.options_full('table', t.options);
	name text := _sluice.files_name(_sluice.name_parse(t.name));
	columns text;
BEGIN
	PERFORM _sluice.dialect_check(dialect);
	PERFORM _sluice.files_of_one_shape(t, o, dialect);
	IF dialect = 'duckdb' THEN
		RETURN format(E'CREATE OR REPLACE VIEW %s AS\n%s;\n%s\n', _sluice.quote_in(dialect, name), _sluice.duckdb_files(t, o), _sluice.control_sql(t, dialect));
	END IF;
	SELECT string_agg(format('%s %s', _sluice.quote_in(dialect, x.c ->> 'name'), _sluice.type_in(dialect, _sluice.file_type(x.c, o), x.c)), E',\n\t' ORDER BY x.n) INTO columns
	FROM (SELECT * FROM _sluice.landed_columns(t) UNION ALL SELECT * FROM _sluice.added_columns()) x;
	RETURN format(E'%s\n%s\n', _sluice.spark_table(name, o ->> 'format', columns, _sluice.target_url(t, dialect) || _sluice.table_path(t)), _sluice.control_sql(t, dialect));
END
$$;
COMMENT ON FUNCTION sluice.external_table_sql(text, text) IS 'Statements that make every landed row of a table a table or view of the dialect (duckdb, spark, databricks), and its source''s control rows another; binary columns of text formats stay base64 in Spark. To be run anew when the columns change';

CREATE FUNCTION _sluice.row_column(t _sluice.tab, c jsonb, o jsonb, dialect text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- A column that was added within the epoch: rows up to there say nothing of it and hold its default. No hex digit is above f.
	SELECT CASE WHEN $2 ->> 'since' IS NULL THEN x.name
		ELSE format('CASE WHEN _sluice_seq < %s THEN %s ELSE %s END', _sluice.text_in($4, _sluice.seq_head($1.epoch, $1.incarnation) || ($2 ->> 'since') || 'g'),
			CASE WHEN $2 ->> 'default' IS NULL THEN 'NULL' ELSE format('CAST(%s AS %s)', _sluice.text_in($4, $2 ->> 'default'), _sluice.type_in($4, _sluice.file_type($2, $3), $2)) END, x.name) END
	FROM (SELECT _sluice.quote_in($4, $2 ->> 'name') AS name) x
$$;
COMMENT ON FUNCTION _sluice.row_column(_sluice.tab, jsonb, jsonb, text) IS 'What a row of the files holds in a column: rows older than the column hold its default';

CREATE FUNCTION _sluice.current_column(c jsonb, o jsonb, dialect text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN $3 <> 'duckdb' AND _sluice.file_type($1, $2) = 'base64' THEN format('unbase64(%1$s) AS %1$s', x.name) ELSE x.name END
	FROM (SELECT _sluice.quote_in($3, $1 ->> 'name') AS name) x
$$;
COMMENT ON FUNCTION _sluice.current_column(jsonb, jsonb, text) IS 'A column of the current rows, from the table over the files';

CREATE FUNCTION _sluice.known_column(c jsonb, value text, keys text, dialect text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- The newest version that the source logged. In a JSON array of names, ["x" or ,"x" can only be the element x.
	SELECT format(E'first_value(%s) OVER (PARTITION BY %s ORDER BY CASE WHEN contains(_sluice_unchanged, %s) OR contains(_sluice_unchanged, %s) THEN 1 ELSE 0 END, _sluice_seq DESC) AS %5$s',
		$2, $3, _sluice.text_in($4, '[' || x.name), _sluice.text_in($4, ',' || x.name), _sluice.quote_in($4, $1 ->> 'name'))
	FROM (SELECT to_json($1 ->> 'name')::text AS name) x
$$;
COMMENT ON FUNCTION _sluice.known_column(jsonb, text, text, text) IS 'A large column: what the newest row says that has it';

CREATE FUNCTION _sluice.live_rows(t _sluice.tab, dialect text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'FROM %s\n\tWHERE _sluice_epoch >= (SELECT coalesce(max(epoch), 0) FROM %s WHERE kind = ''epochs_gone'' AND %s = %s)',
		_sluice.quote_in($2, _sluice.files_name(_sluice.name_parse($1.name))), _sluice.quote_in($2, _sluice.control_name($1)),
		_sluice.quote_in($2, 'table'), _sluice.text_in($2, $1.name))
$$;
COMMENT ON FUNCTION _sluice.live_rows(_sluice.tab, text) IS 'Rows of epochs that still count; a resync needs no new text';

CREATE FUNCTION _sluice.multiset_rows(t _sluice.tab, o jsonb, dialect text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN bool_or(x.c ->> 'since' IS NOT NULL) THEN format(E'FROM (SELECT %s, _sluice_op %s) f', string_agg(CASE WHEN x.c ->> 'since' IS NOT NULL
			THEN format('%s AS %s', _sluice.row_column($1, x.c, $2, $3), _sluice.quote_in($3, x.c ->> 'name')) ELSE _sluice.quote_in($3, x.c ->> 'name') END, ', ' ORDER BY x.n), _sluice.live_rows($1, $3))
		ELSE _sluice.live_rows($1, $3) END
	FROM _sluice.landed_columns($1) x
$$;
COMMENT ON FUNCTION _sluice.multiset_rows(_sluice.tab, jsonb, text) IS 'The rows that a table without key is counted from';

CREATE FUNCTION sluice.current_rows_sql("table" text, dialect text DEFAULT 'databricks') RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	o jsonb := _sluice.options_full('table', t.options);
	names text;
	shown text;
	keys text;
	inner_columns text;
BEGIN
	PERFORM _sluice.dialect_check(dialect);
	PERFORM _sluice.files_of_one_shape(t, o, dialect);
	SELECT string_agg(_sluice.quote_in(dialect, c ->> 'name'), ', ' ORDER BY n), string_agg(_sluice.current_column(c, o, dialect), ', ' ORDER BY n),
		string_agg(_sluice.quote_in(dialect, c ->> 'name'), ', ' ORDER BY (c ->> 'key_ordinal')::integer) FILTER (WHERE (c ->> 'key_ordinal')::integer > 0)
	INTO names, shown, keys FROM _sluice.landed_columns(t);
	IF keys IS NULL THEN
		-- No key: the table is a multiset, loaded and inserted rows less the deleted ones.
		RETURN format(E'SELECT %1$s FROM (\n\tSELECT %2$s, %3$s AS _sluice_copy FROM (\n\tSELECT %2$s, CAST(sum(CASE _sluice_op WHEN ''D'' THEN -1 ELSE 1 END) AS %4$s) AS _sluice_count\n\t%5$s\n\tGROUP BY %2$s) c WHERE _sluice_count > 0) r',
			shown, names, CASE dialect WHEN 'duckdb' THEN 'unnest(range(_sluice_count))' ELSE 'explode(sequence(1, _sluice_count))' END,
			CASE dialect WHEN 'duckdb' THEN 'BIGINT' ELSE 'INT' END, _sluice.multiset_rows(t, o, dialect));
	END IF;
	SELECT string_agg(CASE WHEN (c ->> 'large')::boolean AND (c ->> 'key_ordinal')::integer = 0 THEN _sluice.known_column(c, _sluice.row_column(t, c, o, dialect), keys, dialect)
		WHEN c ->> 'since' IS NOT NULL THEN format('%s AS %s', _sluice.row_column(t, c, o, dialect), _sluice.quote_in(dialect, c ->> 'name')) ELSE _sluice.quote_in(dialect, c ->> 'name') END, E',\n\t\t' ORDER BY n) INTO inner_columns FROM _sluice.landed_columns(t);
	RETURN format(E'SELECT %s FROM (\n\tSELECT %s,\n\t\t_sluice_op, row_number() OVER (PARTITION BY %s ORDER BY _sluice_seq DESC) AS _sluice_version\n\t%s\n) r WHERE _sluice_version = 1 AND _sluice_op <> ''D''',
		shown, inner_columns, keys, _sluice.live_rows(t, dialect));
END
$$;
COMMENT ON FUNCTION sluice.current_rows_sql(text, text) IS 'One SELECT over the tables of external_table_sql: the rows the source has now, each key once, deleted ones gone, unlogged large values taken from the version before; a table without key as the multiset it is';
