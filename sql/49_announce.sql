-- Schema files: what a table's files of an epoch hold, said in the bucket before the first of them lands, also for a table without rows.

CREATE FUNCTION _sluice.key_day(key text) RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- A 31st of February, which only a stranger's key can name, is some day of March and no error.
	SELECT coalesce((SELECT make_date(d[1]::integer, d[2]::integer, 1) + d[3]::integer - 1
		FROM regexp_match($1, '/sluice_day=([12]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])/') d), (SELECT k.day FROM _sluice.dms_key($1) k))
$$;
COMMENT ON FUNCTION _sluice.key_day(text) IS 'The day in an object''s key';

CREATE FUNCTION _sluice.announce_tag(b _sluice.batch) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT concat_ws(' ', $1.version, $1.format ->> 'format', $1.format ->> 'compression', $1.format ->> 'profile') $$;
COMMENT ON FUNCTION _sluice.announce_tag(_sluice.batch) IS 'What a schema file is made of: another format has a file of its own';

CREATE FUNCTION _sluice.announce_doc(t _sluice.tab, v _sluice.schema_version, b _sluice.batch) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object(
		'document_key', format('%s_sluice/%s/%s/schema-%s-%s.json', _sluice.prefix(g.options), s.path_part, $1.path_part, lpad(e.epoch::text, 8, '0'), lpad($2.version::text, 8, '0')),
		'document', jsonb_build_object('table', $1.name, 'epoch', e.epoch, 'version', $2.version, 'valid_from', $2.valid_from, 'format', $3.format -> 'format',
			'profile', $3.format -> 'profile', 'key', (SELECT coalesce(jsonb_agg(c -> 'name' ORDER BY (c ->> 'key_ordinal')::integer), '[]') FROM jsonb_array_elements($2.columns) c
				WHERE (c ->> 'key_ordinal')::integer > 0),
			'columns', (SELECT jsonb_agg(jsonb_build_object('name', c -> 'name', 'source_name', c -> 'source_name', 'type', c -> 'type', 'source_type', c -> 'source_type', 'precision', c -> 'precision',
				'scale', c -> 'scale', 'nullable', c -> 'nullable', 'key_ordinal', c -> 'key_ordinal')
				|| CASE WHEN c ? 'since' THEN jsonb_build_object('since', c -> 'since', 'default', c -> 'default') ELSE '{}' END ORDER BY n) FROM jsonb_array_elements($2.columns) WITH ORDINALITY x(c, n))),
		-- Where rows look like those of another tool there is no file of that tool that would say the same.
		'file_stem', CASE WHEN $3.format ->> 'profile' = 'sluice' THEN format('%s/sluice_epoch=%s/sluice_kind=schema/sluice_day=%s/sluice_hour=%s/schema-%s', _sluice.table_path($1),
			e.epoch, to_char(e.begun_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), to_char(e.begun_at AT TIME ZONE 'UTC', 'HH24'), lpad($2.version::text, 8, '0')) END)
	FROM _sluice.epoch e, _sluice.source s, _sluice.target g
	WHERE $3.work IN ('load', 'cdc') AND $1.announced IS DISTINCT FROM _sluice.announce_tag($3) AND e.table_id = $3.table_id AND e.epoch = $3.epoch
		AND s.source_id = $3.source_id AND g.target_id = $3.target_id
$$;
COMMENT ON FUNCTION _sluice.announce_doc(_sluice.tab, _sluice.schema_version, _sluice.batch) IS 'The schema files that a batch has to put first; NULL once they stand. Keys are the same at every try: day and hour are the epoch''s begin';

CREATE FUNCTION _sluice.is_schema_key(key text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT $1 ~ '/sluice_epoch=\d+/sluice_kind=schema/sluice_day=\d{4}-\d\d-\d\d/sluice_hour=\d\d/schema-\d{8}\.[a-z0-9.]+$' $$;
COMMENT ON FUNCTION _sluice.is_schema_key(text) IS 'Is this the key of a schema file? Such an object says nothing of rows and is ours wherever the epoch is';

CREATE FUNCTION _sluice.schema_adopt(t _sluice.tab, keys text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.file (day, target_id, key, source_id, table_id, work, epoch, incarnation, version, rows)
	SELECT _sluice.key_day(k), $1.target_id, k, $1.source_id, $1.table_id, 'schema', e.epoch, e.incarnation, substring(k FROM '/schema-(\d{8})')::integer, 0
	FROM unnest($2) k JOIN _sluice.epoch e ON e.table_id = $1.table_id AND e.epoch = substring(k FROM '/sluice_epoch=(\d{1,10})/')::bigint
	WHERE _sluice.is_schema_key(k)
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION _sluice.schema_adopt(_sluice.tab, text[]) IS 'Schema files that stand without a commit (it was lost, or never came) become ledger: what they hold follows from their key';

CREATE FUNCTION _sluice.announced_store(ids bigint[], done jsonb, commit_no bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.file AS f (day, target_id, key, source_id, table_id, work, epoch, incarnation, version, commit_no, attempt, rows, bytes, etag)
	SELECT _sluice.key_day(a.file ->> 'key'), b.target_id, a.file ->> 'key', b.source_id, b.table_id, 'schema', b.epoch, b.incarnation, b.version, $3, a.file ->> 'attempt', 0,
		(a.file ->> 'bytes')::bigint, nullif(a.file ->> 'etag', '')
	FROM jsonb_array_elements($2) d JOIN _sluice.batch b ON b.batch_id = (d ->> 'batch_id')::bigint
	CROSS JOIN LATERAL (SELECT nullif(d #> '{announced,file}', 'null') AS file) a
	WHERE b.batch_id = ANY ($1) AND a.file IS NOT NULL
	ON CONFLICT (day, target_id, key) DO UPDATE SET attempt = excluded.attempt, bytes = excluded.bytes, etag = excluded.etag WHERE f.attempt IS NULL;
	UPDATE _sluice.tab t SET announced = _sluice.announce_tag(b)
	FROM jsonb_array_elements($2) d JOIN _sluice.batch b ON b.batch_id = (d ->> 'batch_id')::bigint
	WHERE b.batch_id = ANY ($1) AND nullif(d -> 'announced', 'null') IS NOT NULL AND t.table_id = b.table_id AND t.epoch = b.epoch;
$$;
COMMENT ON FUNCTION _sluice.announced_store(bigint[], jsonb, bigint) IS 'Schema files that a commit''s batches put become ledger, and are not put again in this epoch';
