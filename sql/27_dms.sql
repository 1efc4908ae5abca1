-- Profile dms: folders and names as AWS DMS gives them (User Guide, "Using Amazon S3 as a target"), unique at every try:
--   {prefix}/{schema}/{table}/LOAD{range, 8 hex}-{day}-{epoch, 8 hex}-{job, 12 digits}-{file}.csv
--   {prefix}/{schema}/{table}/{day}-{time}-{epoch, 8 hex}-{incarnation}{first position}-{file}.csv

CREATE FUNCTION _sluice.lands_as_dms(t _sluice.tab) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce($1.options ->> 'profile' = 'dms', false) $$;
COMMENT ON FUNCTION _sluice.lands_as_dms(_sluice.tab) IS 'Has the table the folder and the file names of AWS DMS?';

CREATE FUNCTION _sluice.dms_folder(schema_name text, table_name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT _sluice.path_part($1) || '/' || _sluice.path_part($2) $$;
COMMENT ON FUNCTION _sluice.dms_folder(text, text) IS 'A table''s folder below the target''s prefix, as AWS DMS has it: the source is not in it';

CREATE FUNCTION _sluice.dms_key(key text, OUT day date, OUT stamp text, OUT epoch bigint)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT make_date(d[2]::integer, d[3]::integer, 1) + d[4]::integer - 1, CASE WHEN length(d[1]) = 18 THEN d[1] END, ('x' || lpad(d[5], 16, '0'))::bit(64)::bigint
	FROM regexp_match($1, '/(?:LOAD[0-9A-F]{8}-)?(([12]\d{3})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:-\d{9})?)-([0-9a-f]{8})-[0-9a-f]+-\d{4,}\.[a-z]+(?:\.[a-z]+)?$') d
$$;
COMMENT ON FUNCTION _sluice.dms_key(text) IS 'What stands in a name of profile dms: day, the time of a change file, epoch; NULL for any other key';

CREATE FUNCTION _sluice.dms_stem(b _sluice.batch) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE $1.work WHEN 'load' THEN format('LOAD%s-%s-%s-%s', upper(lpad(to_hex($1.range_no + 1), 8, '0')), to_char($1.day::timestamp, 'YYYYMMDD'),
			lpad(to_hex($1.epoch), 8, '0'), lpad($1.job_id::text, 12, '0'))
		ELSE lpad(to_hex($1.epoch), 8, '0') || '-' || $1.stem END
$$;
COMMENT ON FUNCTION _sluice.dms_stem(_sluice.batch) IS 'The part of a batch''s file names that this registry knows when it hands the batch out; the worker puts the time before it and the number behind';

CREATE FUNCTION _sluice.place_is(a _sluice.target, b _sluice.target) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ($1.kind, $1.options ->> 'path', $1.options ->> 'bucket', $1.options ->> 'endpoint', _sluice.prefix($1.options))
		IS NOT DISTINCT FROM ($2.kind, $2.options ->> 'path', $2.options ->> 'bucket', $2.options ->> 'endpoint', _sluice.prefix($2.options))
$$;
COMMENT ON FUNCTION _sluice.place_is(_sluice.target, _sluice.target) IS 'Are two targets the same place?';

CREATE FUNCTION _sluice.dms_folder_check(t _sluice.tab) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	other text;
BEGIN
	IF NOT _sluice.lands_as_dms(t) THEN
		RETURN;
	END IF;
	SELECT x.name INTO other FROM _sluice.tab x JOIN _sluice.target g ON g.target_id = x.target_id JOIN _sluice.target h ON h.target_id = t.target_id
	WHERE x.table_id <> t.table_id AND _sluice.lands_as_dms(x) AND _sluice.place_is(g, h) AND (x.wanted <> 'dropped' OR x.epoch > 0)
		AND x.source_id <> t.source_id AND _sluice.dms_folder(x.schema_name, x.table_name) = _sluice.dms_folder(t.schema_name, t.table_name) LIMIT 1;
	IF other IS NOT NULL THEN
		PERFORM _sluice.fail('42710', format('table %s lands in folder %s already: profile dms has no source in it', other, _sluice.dms_folder(t.schema_name, t.table_name)),
			'Give each source a target with a prefix of its own.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.dms_folder_check(_sluice.tab) IS 'Refuses a second source''s table in a folder of profile dms, a dropped one''s with files too';

CREATE FUNCTION _sluice.dms_columns(options jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_remove(ARRAY['Op', $1 ->> 'timestamp_column_name', $1 ->> 'change_seq_column'], NULL)
	WHERE $1 ->> 'profile' = 'dms'
$$;
COMMENT ON FUNCTION _sluice.dms_columns(jsonb) IS 'Names of the columns that profile dms adds, or may add; NULL for another profile';
