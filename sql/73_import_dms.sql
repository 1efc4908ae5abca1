-- An AWS DMS task's table mapping, and the settings of its S3 endpoint, told to sluice. Words of the answer: 71_import.

CREATE FUNCTION _sluice.dms_pattern(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- % any characters, _ one, [ab], [a-d] and [_] sets; all else stands for itself.
	SELECT coalesce(string_agg(CASE WHEN p.part[1] = '%' THEN '.*' WHEN p.part[1] = '_' THEN '.' WHEN length(p.part[1]) > 1 THEN p.part[1]
		ELSE regexp_replace(p.part[1], '([^A-Za-z0-9])', '\\\1') END, '' ORDER BY p.n), '')
	FROM regexp_matches($1, '\[[^\]\[]+\]|.', 'g') WITH ORDINALITY p(part, n)
$$;
COMMENT ON FUNCTION _sluice.dms_pattern(text) IS 'A name of a selection rule, with its wildcards, as a regular expression';

CREATE FUNCTION _sluice.dms_matches(rule jsonb, schema_name text, table_name text, folds boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN $1 ->> 'rule-action' = 'explicit' THEN CASE WHEN $4 THEN (lower(l ->> 'schema-name'), lower(l ->> 'table-name')) = (lower($2), lower($3))
			ELSE (l ->> 'schema-name', l ->> 'table-name') = ($2, $3) END
		WHEN $4 THEN $2 ~* ('^(?:' || _sluice.dms_pattern(l ->> 'schema-name') || ')$') AND $3 ~* ('^(?:' || _sluice.dms_pattern(l ->> 'table-name') || ')$')
		ELSE $2 ~ ('^(?:' || _sluice.dms_pattern(l ->> 'schema-name') || ')$') AND $3 ~ ('^(?:' || _sluice.dms_pattern(l ->> 'table-name') || ')$') END
	FROM (SELECT $1 -> 'object-locator' AS l) x
$$;
COMMENT ON FUNCTION _sluice.dms_matches(jsonb, text, text, boolean) IS 'Does a rule name this table? Case counts only where the source''s collation tells it apart, as DMS does it';

CREATE FUNCTION _sluice.dms_rules(mappings jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rules jsonb := mappings -> 'rules';
	r jsonb;
	action text;
BEGIN
	IF jsonb_typeof(rules) IS DISTINCT FROM 'array' THEN
		PERFORM _sluice.fail('22023', 'the document is no table mapping of a DMS task', 'It is {"rules": [{"rule-type": "selection", ...}]}.');
	END IF;
	FOR r IN SELECT e FROM jsonb_array_elements(rules) e LOOP
		action := r ->> 'rule-action';
		IF r ->> 'rule-type' = 'selection' AND (coalesce(action, '') NOT IN ('include', 'exclude', 'explicit')
			OR jsonb_typeof(r #> '{object-locator,schema-name}') IS DISTINCT FROM 'string' OR jsonb_typeof(r #> '{object-locator,table-name}') IS DISTINCT FROM 'string') THEN
			PERFORM _sluice.fail('22023', format('selection rule %s is incomplete', coalesce(r ->> 'rule-id', r ->> 'rule-name', '?')),
				'It needs rule-action (include, exclude, explicit) and an object-locator with schema-name and table-name.');
		END IF;
	END LOOP;
	IF NOT EXISTS (SELECT FROM jsonb_array_elements(rules) e WHERE e ->> 'rule-type' = 'selection' AND e ->> 'rule-action' <> 'exclude') THEN
		PERFORM _sluice.fail('22023', 'no rule includes a table', 'A table mapping has at least one selection rule with the action include or explicit.');
	END IF;
	RETURN rules;
END
$$;
COMMENT ON FUNCTION _sluice.dms_rules(jsonb) IS 'The rules of a table mapping, checked';

CREATE FUNCTION _sluice.dms_header(rule jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- A column added from the change's header; other expressions are SQLite's, and nothing here evaluates them.
	SELECT CASE WHEN ($1 ->> 'rule-type', $1 ->> 'rule-action') = ('transformation', 'add-column') AND $1 ->> 'value' <> '' THEN
		CASE upper(btrim($1 ->> 'expression')) WHEN '$AR_H_CHANGE_SEQ' THEN 'change_seq_column' WHEN '$AR_H_COMMIT_TIMESTAMP' THEN 'timestamp_column_name'
			WHEN '$AR_H_TIMESTAMP' THEN 'timestamp_column_name' END END
$$;
COMMENT ON FUNCTION _sluice.dms_header(jsonb) IS 'The option that adds the column which a transformation rule takes from the change''s header; NULL for other rules';

CREATE FUNCTION _sluice.dms_rules_report(rules jsonb) RETURNS TABLE (item text, value text, effect text, note text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(' ', e.r ->> 'rule-type', 'rule', coalesce(e.r ->> 'rule-id', e.r ->> 'rule-name', e.n::text)),
		concat_ws(' ', e.r ->> 'rule-action', concat_ws('.', l ->> 'schema-name', l ->> 'table-name', l ->> 'column-name')),
		CASE WHEN v.views OR NOT v.known THEN 'none' ELSE 'set' END,
		CASE WHEN v.views THEN 'views are not captured' WHEN e.r ->> 'rule-type' = 'selection' THEN 'the tables below'
			WHEN v.known THEN 'table option ' || coalesce(_sluice.dms_header(e.r), 'exclude') ELSE format('nothing here does what a rule of the type %s, action %s, does', e.r ->> 'rule-type', coalesce(e.r ->> 'rule-action', 'none')) END
			|| CASE WHEN e.r ? 'load-order' THEN '; load-order: tables load side by side' ELSE '' END
	FROM jsonb_array_elements($1) WITH ORDINALITY e(r, n) CROSS JOIN LATERAL (SELECT e.r -> 'object-locator' AS l) o
	CROSS JOIN LATERAL (SELECT e.r ->> 'rule-type' = 'selection' AND coalesce(l ->> 'table-type', 'table') = 'view' AS views,
		e.r ->> 'rule-type' = 'selection' OR (e.r ->> 'rule-type', e.r ->> 'rule-action') = ('transformation', 'remove-column')
			OR _sluice.dms_header(e.r) IS NOT NULL AS known) v
	ORDER BY e.n
$$;
COMMENT ON FUNCTION _sluice.dms_rules_report(jsonb) IS 'Rule by rule: what becomes of it';

CREATE FUNCTION _sluice.dms_settings(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	inner_settings jsonb := coalesce(settings #> '{Endpoint,S3Settings}', settings -> 'S3Settings', settings -> 's3_settings', settings);
BEGIN
	IF jsonb_typeof(inner_settings) = 'array' THEN
		inner_settings := inner_settings -> 0;
	END IF;
	IF settings IS NOT NULL AND settings <> 'null' AND jsonb_typeof(inner_settings) IS DISTINCT FROM 'object' THEN
		PERFORM _sluice.fail('22023', 'the settings are none of an S3 endpoint', 'They are {"BucketName": ..., "BucketFolder": ..., ...}, alone or below S3Settings (or s3_settings, in Terraform''s spelling).');
	END IF;
	-- CdcMaxBatchInterval, cdcMaxBatchInterval and cdc_max_batch_interval are one name.
	RETURN (SELECT coalesce(jsonb_object_agg(lower(replace(e.key, '_', '')), jsonb_build_object('name', e.key, 'value', e.value #>> '{}')), '{}')
		FROM jsonb_each(CASE WHEN settings = 'null' THEN NULL ELSE inner_settings END) e WHERE e.value <> 'null');
END
$$;
COMMENT ON FUNCTION _sluice.dms_settings(jsonb) IS 'Settings of an S3 endpoint by their names in lower case';

CREATE FUNCTION _sluice.dms_setting_rules() RETURNS TABLE (n integer, pattern text, option text, effect text, note text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- A setting with an option is set where a table knows the option; else what the note says.
	VALUES (1, 'dataformat', 'format', NULL, NULL), (2, 'compressiontype', 'compression', NULL, NULL), (3, 'addcolumnname', 'csv_header', NULL, NULL),
	(4, 'timestampcolumnname', 'timestamp_column_name', NULL, NULL), (5, 'includeopforfullload', 'include_op_for_full_load', NULL, NULL),
	(6, 'cdcmaxbatchinterval', 'max_file_age', NULL, NULL), (7, 'maxfilesize', 'target_file_bytes', NULL, NULL),
	(8, 'bucketname', NULL, 'same', 'the target''s bucket'), (9, 'bucketfolder', NULL, 'same', 'the target''s prefix'),
	(10, 'rfc4180', NULL, 'same', 'CSV is always quoted as RFC 4180 has it'), (11, 'csvdelimiter', NULL, 'none', 'fields end with a comma'),
	(12, 'csvrowdelimiter', NULL, 'none', 'lines end as docs/formats.md says'), (13, 'csvnullvalue|csvnosupvalue|usecsvnosupvalue', NULL, 'none', 'NULL is written as docs/formats.md says'),
	(14, 'cdcinsertsonly', 'cdc_inserts_only', NULL, NULL), (24, 'cdcinsertsandupdates', 'cdc_inserts_and_updates', NULL, NULL),
	(15, 'cdcminfilesize', NULL, 'none', 'a file closes by age or by size, whichever comes first'),
	(16, 'serviceaccessrolearn', NULL, 'unneeded', 'the target''s keys or the worker''s own role: docs/s3.md'),
	(17, 'encryptionmode|serversideencryptionkmskeyid|cannedaclforobjects|expectedbucketowner', NULL, 'none', 'an option of the target: SELECT * FROM sluice.option WHERE scope = ''target/s3'''),
	(18, 'parquetversion|enablestatistics|encodingtype|dictpagesizelimit|datapagesize|rowgrouplength', NULL, 'unneeded', 'chosen by the writer'),
	(19, 'parquettimestampinmillisecond', NULL, 'none', 'timestamps keep their precision'), (20, 'preservetransactions|cdcpath', NULL, 'none', 'each table has files of its own; transactions are told by the position'),
	(21, 'datepartition.*', NULL, 'none', 'folders are named as docs/formats.md says'), (22, 'externaltabledefinition|gluecataloggeneration', NULL, 'none', 'sluice.external_table_sql() tells a table over the files'),
	(99, '.*', NULL, 'none', 'not known to this version of sluice')
$$;
COMMENT ON FUNCTION _sluice.dms_setting_rules() IS 'What becomes of each setting of a DMS S3 endpoint';

CREATE FUNCTION _sluice.dms_options(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result jsonb := jsonb_build_object('profile', 'dms', 'format', 'csv', 'compression', 'none'); -- as DMS does unless told otherwise
	r record;
	given text;
BEGIN
	FOR r IN SELECT x.pattern, o.name, o.type FROM _sluice.dms_setting_rules() x JOIN _sluice.option o ON o.scope = 'table' AND o.name = x.option WHERE settings ? x.pattern ORDER BY x.n LOOP
		given := settings #>> ARRAY[r.pattern, 'value'];
		IF r.type = 'boolean' THEN
			given := CASE lower(given) WHEN 'y' THEN 'true' WHEN 'n' THEN 'false' ELSE lower(given) END;
		ELSIF r.name = 'target_file_bytes' THEN
			IF given !~ '^[0-9]{1,12}$' THEN
				PERFORM _sluice.fail('22023', format('%s must be a number of KB', settings #>> ARRAY[r.pattern, 'name']), 'For example 1048576, which is 1 GB.');
			END IF;
			given := greatest(given::bigint * 1024, (SELECT o.low FROM _sluice.option o WHERE o.scope = 'table' AND o.name = r.name))::bigint::text;
		ELSIF r.name IN ('format', 'compression') THEN
			given := lower(given);
		END IF;
		result := result || jsonb_build_object(r.name, given);
	END LOOP;
	-- A header belongs to CSV, and DMS writes none unless it is asked to.
	IF result ->> 'format' = 'csv' THEN
		result := '{"csv_header": false}' || result;
	ELSE
		result := result - 'csv_header';
	END IF;
	RETURN _sluice.options_check('table', result);
END
$$;
COMMENT ON FUNCTION _sluice.dms_options(jsonb) IS 'Options of every table that an endpoint''s settings set';

CREATE FUNCTION _sluice.dms_settings_report(settings jsonb, g _sluice.target) RETURNS TABLE (item text, value text, effect text, note text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT e.value ->> 'name', _sluice.import_shown(e.value ->> 'name', e.value ->> 'value'),
		CASE WHEN o.name IS NOT NULL THEN 'set' WHEN x.own IS NOT NULL AND x.own IS DISTINCT FROM e.value ->> 'value' THEN 'none'
			WHEN (e.key, e.value ->> 'value') IN (('csvdelimiter', ','), ('csvrowdelimiter', '\n'), ('csvrowdelimiter', E'\n')) THEN 'same' ELSE coalesce(r.effect, 'none') END,
		CASE WHEN o.name IS NOT NULL THEN 'table option ' || o.name
			WHEN x.own IS NOT NULL AND x.own IS DISTINCT FROM e.value ->> 'value' THEN format('target %s has %s', $2.name, coalesce(nullif(x.own, ''), 'none'))
			ELSE coalesce(r.note, format('there is no option %s', r.option)) END
	FROM jsonb_each($1) e
	CROSS JOIN LATERAL (SELECT y.* FROM _sluice.dms_setting_rules() y WHERE e.key ~ ('^(?:' || y.pattern || ')$') ORDER BY y.n LIMIT 1) r
	LEFT JOIN _sluice.option o ON o.scope = 'table' AND o.name = r.option
	CROSS JOIN LATERAL (SELECT CASE e.key WHEN 'bucketname' THEN coalesce($2.options ->> 'bucket', '') WHEN 'bucketfolder' THEN rtrim(_sluice.prefix($2.options), '/') END AS own) x
	ORDER BY e.value ->> 'name'
$$;
COMMENT ON FUNCTION _sluice.dms_settings_report(jsonb, _sluice.target) IS 'Setting by setting: what becomes of it';

CREATE FUNCTION _sluice.dms_removed(rules jsonb, f _sluice.source_table, folds boolean, OUT exclude jsonb, OUT note text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_agg(c.name ORDER BY c.ordinal) FILTER (WHERE NOT $2.primary_key ? c.name),
		'key columns land though a rule removes them: ' || string_agg(c.name, ', ' ORDER BY c.ordinal) FILTER (WHERE $2.primary_key ? c.name)
	FROM _sluice.source_column c
	WHERE c.source_id = $2.source_id AND c.object_id = $2.object_id AND EXISTS (SELECT FROM jsonb_array_elements($1) r
			CROSS JOIN LATERAL (SELECT '^(?:' || _sluice.dms_pattern(r #>> '{object-locator,column-name}') || ')$' AS p) x
		WHERE (r ->> 'rule-type', r ->> 'rule-action') = ('transformation', 'remove-column') AND _sluice.dms_matches(r, $2.schema_name, $2.table_name, $3)
			AND CASE WHEN $3 THEN c.name ~* x.p ELSE c.name ~ x.p END)
$$;
COMMENT ON FUNCTION _sluice.dms_removed(jsonb, _sluice.source_table, boolean) IS 'Columns that rules remove from a table; those of the key cannot be left out';

CREATE FUNCTION _sluice.dms_added(rules jsonb, f _sluice.source_table, folds boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(_sluice.dms_header(r), r ->> 'value'), '{}') FROM jsonb_array_elements($1) r
	WHERE _sluice.dms_header(r) IS NOT NULL AND _sluice.dms_matches(r, $2.schema_name, $2.table_name, $3)
$$;
COMMENT ON FUNCTION _sluice.dms_added(jsonb, _sluice.source_table, boolean) IS 'Options that rules set by adding columns to a table';

CREATE FUNCTION _sluice.dms_tables(rules jsonb, common jsonb, s _sluice.source, target text, dry_run boolean) RETURNS TABLE (item text, value text, effect text, note text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	folds boolean := (SELECT coalesce(x.database ->> 'collation', '') !~ '_(CS|BIN2?)(_|$)' FROM _sluice.source_state x WHERE x.source_id = s.source_id);
	f _sluice.source_table;
	col record;
	hits jsonb;
BEGIN
	FOR f IN SELECT x.* FROM _sluice.source_table x WHERE x.source_id = s.source_id ORDER BY x.schema_name, x.table_name LOOP
		item := 'table ' || _sluice.table_canonical(ARRAY[s.name, f.schema_name, f.table_name]);
		value := NULL;
		effect := 'skip';
		SELECT coalesce(jsonb_agg(r), '[]') INTO hits FROM jsonb_array_elements(rules) r
		WHERE r ->> 'rule-type' = 'selection' AND coalesce(r #>> '{object-locator,table-type}', 'table') <> 'view' AND _sluice.dms_matches(r, f.schema_name, f.table_name, folds);
		IF NOT EXISTS (SELECT FROM jsonb_array_elements(hits) h WHERE h ->> 'rule-action' <> 'exclude') THEN
			note := 'no rule includes it';
		ELSIF EXISTS (SELECT FROM jsonb_array_elements(hits) h WHERE h ->> 'rule-action' = 'exclude') THEN
			note := 'a rule excludes it';
		ELSIF EXISTS (SELECT FROM jsonb_array_elements(hits) h WHERE coalesce(h -> 'filters', '[]') <> '[]') THEN
			note := 'a rule''s filters leave rows out, which nothing here does: add it with sluice.add_table where all rows may land';
		ELSE
			SELECT * INTO col FROM _sluice.dms_removed(rules, f, folds);
			value := common || jsonb_strip_nulls(jsonb_build_object('exclude', col.exclude)) || _sluice.dms_added(rules, f, folds);
			SELECT a.effect, coalesce(a.note, col.note) INTO effect, note FROM _sluice.import_add(s, $4, f.schema_name, f.table_name, value::jsonb, $5) a;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.dms_tables(jsonb, jsonb, _sluice.source, text, boolean) IS 'Table by table: added as the task has it, or why not';

CREATE FUNCTION sluice.import_dms(table_mappings jsonb, source text, target text, settings jsonb DEFAULT NULL, dry_run boolean DEFAULT true)
RETURNS TABLE (item text, value text, effect text, note text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rules jsonb := _sluice.dms_rules($1);
	s _sluice.source := _sluice.source_find($2);
	g _sluice.target := _sluice.target_find($3);
	given jsonb := _sluice.dms_settings($4);
	common jsonb := _sluice.dms_options(given);
BEGIN
	RETURN QUERY SELECT r.item, r.value, r.effect, r.note FROM _sluice.dms_rules_report(rules) r;
	RETURN QUERY SELECT r.item, r.value, r.effect, r.note FROM _sluice.dms_settings_report(given, g) r;
	IF EXISTS (SELECT FROM _sluice.source_state x WHERE x.source_id = s.source_id AND x.discovered_at IS NOT NULL) THEN
		RETURN QUERY SELECT t.item, t.value, t.effect, t.note FROM _sluice.dms_tables(rules, common, s, g.name, $5) t;
	ELSE
		RETURN QUERY SELECT 'tables'::text, NULL::text, 'later'::text, _sluice.import_later(s.name);
	END IF;
END
$$;
COMMENT ON FUNCTION sluice.import_dms(jsonb, text, text, jsonb, boolean) IS
'Captures the tables of an AWS DMS task: its table mapping, a source, a target and, if wanted, the settings of its S3 endpoint. Says item by item what it does, or with dry_run would do: set, same, unneeded, none (no counterpart), add, exists, skip, later. import_dms(''{"rules": [...]}'', ''erp'', ''lake'', ''{"DataFormat": "parquet"}'').';
