-- Changing and dropping what is registered. Everything takes effect between batches; what is sealed is always finished.

CREATE FUNCTION _sluice.options_merge(scope text, had jsonb, given jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(given) IS DISTINCT FROM 'object' THEN
		PERFORM _sluice.fail('22023', 'options must be a JSON object', 'For example: options => ''{"port": 1434}''; null takes an option back to its default.');
	END IF;
	-- Checked alone first, so that a secret or a misspelt name is not hidden by what was there.
	PERFORM _sluice.secret_refuse(e.key, e.value) FROM jsonb_each(given) e;
	RETURN _sluice.options_check(scope, jsonb_strip_nulls(had || given));
END
$$;
COMMENT ON FUNCTION _sluice.options_merge(text, jsonb, jsonb) IS 'Options with changes applied and checked; null takes one back to its default';

CREATE FUNCTION sluice.alter_source(name text, options jsonb) RETURNS TABLE (source text, state text, hint text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source := _sluice.source_find($1);
	given jsonb := _sluice.options_merge('source/' || s.kind, s.options, $2);
BEGIN
	PERFORM _sluice.login_check(s.kind, given);
	UPDATE _sluice.source x SET options = given WHERE x.source_id = s.source_id;
	UPDATE _sluice.source_state x SET check_asked_at = clock_timestamp(), discover_asked_at = clock_timestamp(), next_poll_at = NULL, fail_count = 0 WHERE x.source_id = s.source_id;
	PERFORM _sluice.event_add('info', 'source', s.source_id, NULL, NULL, format('source %s altered by %s', s.name, _sluice.caller()));
	PERFORM _sluice.wake();
	RETURN QUERY SELECT s.name, x.state, format('SELECT * FROM sluice.check_source(%L);', s.name) FROM _sluice.source_state x WHERE x.source_id = s.source_id;
END
$$;
COMMENT ON FUNCTION sluice.alter_source(text, jsonb) IS 'Changes options of a source: alter_source(''erp'', options => ''{"port": 1434, "ca_file": null}''); null takes one back to its default';

CREATE FUNCTION sluice.alter_target(name text, options jsonb) RETURNS TABLE (target text, hint text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.target := _sluice.target_find($1);
	given jsonb := _sluice.target_check(t.kind, _sluice.options_merge('target/' || t.kind, t.options, $2));
	place text[] := ARRAY['path', 'bucket', 'prefix'];
BEGIN
	IF EXISTS (SELECT FROM unnest(place) p WHERE given ->> p IS DISTINCT FROM t.options ->> p)
		AND EXISTS (SELECT FROM _sluice.tab x WHERE x.target_id = t.target_id AND x.wanted <> 'dropped' AND x.epoch > 0) THEN
		PERFORM _sluice.fail('55006', format('target %s holds files of tables: its place cannot change', t.name), 'Add another target, drop the tables and add them there.');
	END IF;
	UPDATE _sluice.target x SET options = given WHERE x.target_id = t.target_id;
	PERFORM _sluice.target_ask(t.target_id);
	PERFORM _sluice.event_add('info', 'target', NULL, t.target_id, NULL, format('target %s altered by %s', t.name, _sluice.caller()));
	RETURN QUERY SELECT t.name, format('SELECT * FROM sluice.check_target(%L);', t.name);
END
$$;
COMMENT ON FUNCTION sluice.alter_target(text, jsonb) IS 'Changes options of a target; null takes one back to its default. Its place is fixed once files are there';

CREATE FUNCTION sluice.drop_source(name text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source := _sluice.source_find($1);
	used text := (SELECT min(t.name) FROM _sluice.tab t WHERE t.source_id = s.source_id AND t.wanted <> 'dropped');
BEGIN
	IF used IS NOT NULL THEN
		PERFORM _sluice.fail('55006', format('tables of source %s are still captured, %s for one', s.name, used), format('SELECT sluice.drop_table(%L); first.', used));
	ELSIF EXISTS (SELECT FROM _sluice.job j WHERE j.source_id = s.source_id AND j.kind = 'purge' AND j.ended_at IS NULL) THEN
		PERFORM _sluice.fail('55006', format('files of source %s are still being deleted', s.name), 'SELECT * FROM sluice.job WHERE kind = ''purge'' AND ended_at IS NULL; shows the job, sluice.cancel_job() ends it.');
	END IF;
	UPDATE _sluice.source x SET wanted = 'dropped' WHERE x.source_id = s.source_id;
	UPDATE _sluice.source_state x SET generation = x.generation + 1, lease_worker = NULL, lease_until = NULL WHERE x.source_id = s.source_id;
	DELETE FROM _sluice.batch b WHERE b.source_id = s.source_id AND b.work IN ('recover', 'sweep');
	DELETE FROM _sluice.log_mark m WHERE m.source_id = s.source_id;
	PERFORM _sluice.event_add('info', 'source', s.source_id, NULL, NULL, format('source %s dropped by %s', s.name, _sluice.caller()));
	PERFORM _sluice.wake();
	RETURN format('source %s dropped; its files stay', s.name);
END
$$;
COMMENT ON FUNCTION sluice.drop_source(text) IS 'Forgets a source that no table uses';

CREATE FUNCTION sluice.drop_target(name text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	g _sluice.target := _sluice.target_find($1);
	used text := (SELECT min(t.name) FROM _sluice.tab t WHERE t.target_id = g.target_id AND t.wanted <> 'dropped');
BEGIN
	IF used IS NOT NULL THEN
		PERFORM _sluice.fail('55006', format('tables still land on target %s, %s for one', g.name, used), format('SELECT sluice.drop_table(%L); first.', used));
	ELSIF EXISTS (SELECT FROM _sluice.job j WHERE j.target_id = g.target_id AND j.kind = 'purge' AND j.ended_at IS NULL) THEN
		PERFORM _sluice.fail('55006', format('files on target %s are still being deleted', g.name), 'SELECT * FROM sluice.job WHERE kind = ''purge'' AND ended_at IS NULL; shows the job, sluice.cancel_job() ends it.');
	END IF;
	UPDATE _sluice.target x SET wanted = 'dropped' WHERE x.target_id = g.target_id;
	DELETE FROM _sluice.batch b WHERE b.target_id = g.target_id AND b.work IN ('check', 'recover', 'sweep');
	PERFORM _sluice.event_add('info', 'target', NULL, g.target_id, NULL, format('target %s dropped by %s', g.name, _sluice.caller()));
	RETURN format('target %s dropped; its files stay', g.name);
END
$$;
COMMENT ON FUNCTION sluice.drop_target(text) IS 'Forgets a target that no table uses; its files stay';

CREATE FUNCTION sluice.alter_table("table" text, options jsonb) RETURNS TABLE (table_name text, state text, hint text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	given jsonb := _sluice.options_merge('table', t.options, $2);
	shape boolean := (given -> 'exclude', given -> 'key', given -> 'zero_dates') IS DISTINCT FROM (t.options -> 'exclude', t.options -> 'key', t.options -> 'zero_dates');
	mixed boolean := (given -> 'format', given -> 'timestamp_precision') IS DISTINCT FROM (t.options -> 'format', t.options -> 'timestamp_precision');
	unknown record;
BEGIN
	-- Only what is given now: a column that was excluded may have been dropped at the source since.
	SELECT u.* INTO unknown FROM _sluice.source_table s, _sluice.column_unknown(s.source_id, s.object_id, $2) u
	WHERE s.source_id = t.source_id AND s.schema_name = t.schema_name AND s.table_name = t.table_name;
	PERFORM _sluice.fail('42703', unknown.message, unknown.hint) WHERE unknown.message IS NOT NULL;
	IF t.epoch > 0 AND coalesce(given ->> 'profile', 'sluice') <> coalesce(t.options ->> 'profile', 'sluice') THEN
		PERFORM _sluice.fail('55006', format('table %s has files in profile %s: its readers would find another layout beside them', t.name, coalesce(t.options ->> 'profile', 'sluice')),
			format('SELECT sluice.drop_table(%L); and add it again with the other profile.', t.name));
	END IF;
	PERFORM _sluice.kind_check(s, given) FROM _sluice.source s WHERE s.source_id = t.source_id;
	t.options := given;
	PERFORM _sluice.fail('42701', _sluice.column_clash(t, c), 'Choose another name, or leave the column out (exclude).')
	FROM _sluice.capture_instance c WHERE c = _sluice.instance_newest(t.source_id, t.source_object_id) AND _sluice.column_clash(t, c) IS NOT NULL;
	PERFORM _sluice.fail('42804', _sluice.bloom_refused(t, c), 'Take it out of bloom_columns.')
	FROM _sluice.capture_instance c WHERE c = _sluice.instance_newest(t.source_id, t.source_object_id) AND _sluice.bloom_refused(t, c) IS NOT NULL;
	PERFORM _sluice.dms_folder_check(t);
	UPDATE _sluice.tab x SET options = given WHERE x.table_id = t.table_id;
	-- The layout of what is planned stands; a limit that stopped it must not.
	UPDATE _sluice.batch b SET max_value_bytes = (_sluice.options_full('table', given) ->> 'max_value_bytes')::bigint
	WHERE b.table_id = t.table_id AND b.work IN ('load', 'cdc');
	-- Where a value stopped the table that the format cannot hold, what has not begun to land takes the new one.
	UPDATE _sluice.batch b SET format = _sluice.batch_format(_sluice.options_full('table', given))
	WHERE b.table_id = t.table_id AND b.work IN ('load', 'cdc') AND t.trouble = 'error' AND b.state = 'planned' AND b.lease_worker IS NULL;
	PERFORM _sluice.event_add('info', 'table', t.source_id, t.target_id, t.table_id, format('table %s altered by %s', t.name, _sluice.caller()));
	PERFORM _sluice.wake();
	RETURN QUERY SELECT t.name, coalesce(t.trouble, t.phase), CASE
		WHEN t.trouble = 'error' THEN format('SELECT sluice.resume_table(%L); goes on.', t.name)
		WHEN mixed AND t.epoch > 0 THEN 'Takes effect with the next batch; until the table is read again its files are of both kinds: ' || _sluice.resync_hint(t.name)
		WHEN shape AND t.epoch > 0 THEN 'The columns and the key stay as they are until the table is read again, in a new epoch: ' || _sluice.resync_hint(t.name)
		ELSE 'Takes effect with the next batch.' END;
END
$$;
COMMENT ON FUNCTION sluice.alter_table(text, jsonb) IS 'Changes options of a table; null takes one back to its default. Takes effect between batches';

CREATE FUNCTION sluice.drop_table("table" text, keep_files boolean DEFAULT true) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	purge _sluice.job;
BEGIN
	UPDATE _sluice.tab x SET wanted = 'dropped' WHERE x.table_id = t.table_id;
	PERFORM _sluice.dropped_abandon();
	UPDATE _sluice.job j SET state = 'canceled', ended_at = clock_timestamp(), message = 'the table was dropped' WHERE j.table_id = t.table_id AND j.ended_at IS NULL;
	DELETE FROM _sluice.batch b USING _sluice.job o WHERE b.work IN ('verify', 'purge') AND o.job_id = b.job_id AND o.table_id = t.table_id;
	PERFORM _sluice.event_add('info', 'table', t.source_id, t.target_id, t.table_id, format('table %s dropped by %s', t.name, _sluice.caller()));
	PERFORM _sluice.wake();
	IF coalesce(keep_files, true) THEN
		RETURN format('table %s dropped; its files below %s stay', t.name, _sluice.table_path(t));
	END IF;
	purge := _sluice.walk_open('purge', t, 'dropped');
	RETURN format('table %s dropped; job %s deletes its files below %s: SELECT * FROM sluice.job WHERE job = %2$s;', t.name, purge.job_id, _sluice.table_path(t));
END
$$;
COMMENT ON FUNCTION sluice.drop_table(text, boolean) IS 'Ends the capture of a table; its files stay, or a job deletes them once what was under way has ended';

CREATE FUNCTION sluice.pause_table("table" text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
BEGIN
	IF t.wanted = 'paused' THEN
		RETURN format('table %s is paused already', t.name);
	END IF;
	UPDATE _sluice.tab x SET wanted = 'paused' WHERE x.table_id = t.table_id;
	PERFORM _sluice.event_add('info', 'table', t.source_id, t.target_id, t.table_id, format('table %s paused by %s', t.name, _sluice.caller()));
	PERFORM _sluice.wake();
	RETURN format('table %s pauses after the batch in hand; the source keeps its changes only as long as its retention', t.name);
END
$$;
COMMENT ON FUNCTION sluice.pause_table(text) IS 'Stops a table between batches until resume_table()';

CREATE FUNCTION sluice.resume_table("table" text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
BEGIN
	IF t.trouble IS NOT NULL AND t.wanted = 'paused' AND EXISTS (SELECT FROM _sluice.job j WHERE j.table_id = t.table_id AND j.kind = 'resync' AND j.state = 'asked') THEN
		UPDATE _sluice.tab x SET wanted = 'run' WHERE x.table_id = t.table_id;
		PERFORM _sluice.wake();
		RETURN format('table %s runs; its resync begins', t.name);
	ELSIF t.trouble IN ('lost', 'rewound', 'gone') THEN
		PERFORM _sluice.fail('55000', format('table %s is %s and cannot simply go on: %s', t.name, t.trouble, t.message), t.hint);
	ELSIF t.wanted = 'run' AND t.trouble IS NULL AND t.fail_count = 0 THEN
		RETURN format('table %s runs already', t.name);
	END IF;
	-- The source first, as a poll that is being stored has it.
	UPDATE _sluice.source_state x SET next_poll_at = NULL, discover_asked_at = CASE WHEN t.phase = 'registered' THEN clock_timestamp() ELSE x.discover_asked_at END
	WHERE x.source_id = t.source_id;
	UPDATE _sluice.tab x SET wanted = 'run', trouble = NULL, code = NULL, message = NULL, hint = NULL, fail_count = 0, retry_at = NULL WHERE x.table_id = t.table_id
	RETURNING * INTO t;
	UPDATE _sluice.batch b SET retry_at = NULL, fail_count = 0 WHERE b.table_id = t.table_id;
	PERFORM _sluice.event_add('info', 'table', t.source_id, t.target_id, t.table_id, format('table %s resumed by %s', t.name, _sluice.caller()));
	PERFORM _sluice.wake();
	RETURN format('table %s runs', t.name);
END
$$;
COMMENT ON FUNCTION sluice.resume_table(text) IS 'Lets a paused table, or one whose error is mended, go on where it stood';

CREATE FUNCTION sluice.alter_setting(name text, value text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	checked jsonb;
BEGIN
	IF $2 IS NULL THEN
		PERFORM _sluice.options_check('setting', jsonb_build_object($1, '1')) WHERE NOT EXISTS (SELECT FROM _sluice.option o WHERE o.scope = 'setting' AND o.name = $1);
		DELETE FROM _sluice.setting s WHERE s.name = $1;
	ELSE
		checked := _sluice.options_check('setting', jsonb_build_object($1, $2));
		INSERT INTO _sluice.setting AS s (name, value) VALUES ($1, checked ->> $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
	END IF;
	PERFORM _sluice.wake();
	RETURN format('%s is %s', $1, coalesce(_sluice.setting($1), 'not set'));
END
$$;
COMMENT ON FUNCTION sluice.alter_setting(text, text) IS 'Changes a setting (SELECT * FROM sluice.setting); NULL takes it back to its default';
