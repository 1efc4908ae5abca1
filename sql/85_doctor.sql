-- The doctor: each check one row with what was found, what is wanted and the statement that mends it.

CREATE FUNCTION _sluice.agent_start() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 'EXEC xp_servicecontrol N''START'', N''SQLServerAGENT'';' $$;
COMMENT ON FUNCTION _sluice.agent_start() IS 'T-SQL that starts SQL Server Agent';

CREATE FUNCTION _sluice.steps(source_id bigint, target_id bigint) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.step ->> 'check', s.step ->> 'object', CASE WHEN coalesce((s.step ->> 'skipped')::boolean, false) THEN NULL ELSE (s.step ->> 'ok')::boolean END,
		CASE WHEN coalesce((s.step ->> 'skipped')::boolean, false) THEN 'skipped' ELSE coalesce(s.step ->> 'severity', CASE WHEN (s.step ->> 'ok')::boolean THEN 'info' ELSE 'error' END) END,
		concat_ws(' ', s.step ->> 'found', CASE WHEN s.step ->> 'ms' IS NOT NULL THEN format('(%s ms)', s.step ->> 'ms') END),
		-- What only a person can do is no SQL.
		concat_ws('; ', s.step ->> 'wanted', CASE WHEN s.step ->> 'fix_sql' LIKE '--%' THEN ltrim(s.step ->> 'fix_sql', '- ') END),
		CASE WHEN s.step ->> 'fix_sql' NOT LIKE '--%' THEN s.step ->> 'fix_sql' WHEN s.step ->> 'check' = 'agent' AND s.step ->> 'fix_sql' IS NOT NULL THEN _sluice.agent_start()
			WHEN s.step ->> 'right' <> '' THEN (SELECT format('SELECT sluice.iam_policy(%L);', g.name) FROM _sluice.target g WHERE g.target_id = s.target_id) END
	FROM _sluice.check_step s WHERE s.source_id = $1 OR s.target_id = $2 ORDER BY s.n
$$;
COMMENT ON FUNCTION _sluice.steps(bigint, bigint) IS 'What the worker found, as rows of a check';

CREATE FUNCTION _sluice.age_row(what text, name text, at timestamptz) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'age', $2, $3 IS NOT NULL, CASE WHEN $3 IS NULL THEN 'warning' ELSE 'info' END,
		CASE WHEN $3 IS NULL THEN format('never %s', $1) ELSE format('%s %s ago', $1, date_trunc('second', clock_timestamp() - $3)) END, 'what follows is as old as this',
		format('CALL sluice.refresh(%L);', $2)
$$;
COMMENT ON FUNCTION _sluice.age_row(text, text, timestamptz) IS 'First row of a check: how old its answer is';

CREATE FUNCTION _sluice.cascade_steps(s _sluice.source) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'cascade', f.schema_name || '.' || f.table_name, false, CASE a.accepted WHEN true THEN 'warning' ELSE 'error' END, r.refused,
		'a table whose changes are all in the log: without foreign keys that change it, or accepted as inexact',
		CASE WHEN NOT a.accepted THEN format('SELECT * FROM sluice.alter_table(%L, ''{"cascade": "accept"}'');', t.name) END
	FROM _sluice.tab t JOIN _sluice.source_table f ON f.source_id = t.source_id AND f.schema_name = t.schema_name AND f.table_name = t.table_name
	CROSS JOIN LATERAL _sluice.cascade_refused(t, f) r(refused) CROSS JOIN LATERAL (SELECT coalesce(t.options ->> 'cascade' = 'accept', false)) a(accepted)
	WHERE t.source_id = $1.source_id AND t.wanted <> 'dropped' AND r.refused IS NOT NULL ORDER BY 2
$$;
COMMENT ON FUNCTION _sluice.cascade_steps(_sluice.source) IS 'Captured tables that foreign keys change without a word in the log';

CREATE FUNCTION sluice.check_source(source text) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source := _sluice.source_find($1);
	x _sluice.source_state;
BEGIN
	SELECT * INTO x FROM _sluice.source_state y WHERE y.source_id = s.source_id;
	RETURN QUERY SELECT * FROM _sluice.age_row('checked', s.name, x.checked_at);
	RETURN QUERY SELECT * FROM _sluice.steps(s.source_id, NULL);
	RETURN QUERY SELECT * FROM _sluice.cascade_steps(s);
	RETURN QUERY SELECT 'poll', s.name, x.state IN ('ok', 'new'), CASE WHEN x.state IN ('ok', 'new') THEN 'info' ELSE 'error' END, concat_ws(': ', x.state, x.message), concat_ws('; ', 'ok', x.hint),
		substring(x.hint FROM '^(?:SELECT|CALL|EXEC|GRANT|ALTER) [^;]*;');
END
$$;
COMMENT ON FUNCTION sluice.check_source(text) IS 'Can the worker reach the source, and does its log hold what is needed? DNS, TCP, TLS, login, rights, CDC or the settings of the binary log, each timed; as old as its first row says';

CREATE FUNCTION sluice.check_target(target text) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.target := _sluice.target_find($1);
BEGIN
	RETURN QUERY SELECT a.* FROM _sluice.target_state y, _sluice.age_row('checked', t.name, y.checked_at) a WHERE y.target_id = t.target_id;
	RETURN QUERY SELECT * FROM _sluice.steps(NULL, t.target_id);
	RETURN QUERY SELECT 'refused', t.name, false, 'error', r.message, 'a store that refuses to overwrite, or unfenced with one worker only',
		format('SELECT * FROM sluice.alter_target(%L, ''{"unfenced": true}'');', t.name) FROM _sluice.target_refused r WHERE r.target_id = t.target_id;
	RETURN QUERY SELECT 'unfenced', t.name, false, 'warning', 'accepted without conditional writes: a worker that has lost its lease can overwrite what another wrote',
		'one worker only, or a store that refuses to overwrite', format('SELECT * FROM sluice.alter_target(%L, ''{"unfenced": null}'');', t.name)
	WHERE (t.options ->> 'unfenced')::boolean;
END
$$;
COMMENT ON FUNCTION sluice.check_target(text) IS 'Can the worker write to the target, and does the target refuse to overwrite? As old as its first row says';

CREATE FUNCTION _sluice.cdc_tables(s _sluice.source) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'table', f.schema_name || '.' || f.table_name, i.readable > 0,
		CASE WHEN i.readable > 0 THEN 'info' WHEN t.table_id IS NOT NULL THEN 'error' ELSE 'info' END,
		CASE WHEN i.names IS NULL THEN 'not enabled for CDC' WHEN i.readable = 0 THEN format('capture instance %s cannot be read', i.names) ELSE 'capture instance ' || i.names END,
		'a readable capture instance',
		CASE WHEN i.names IS NULL THEN _sluice.cdc_enable(f.schema_name, f.table_name, NULL)
			WHEN i.readable = 0 THEN format('GRANT SELECT ON SCHEMA::cdc TO [%s];', replace(coalesce($1.options ->> 'user', 'login'), ']', ']]')) END
	FROM _sluice.source_table f
	LEFT JOIN _sluice.tab t ON t.source_id = f.source_id AND t.schema_name = f.schema_name AND t.table_name = f.table_name AND t.wanted <> 'dropped'
	CROSS JOIN LATERAL (SELECT string_agg(c.instance, ', ' ORDER BY c.instance) AS names, count(*) FILTER (WHERE coalesce(c.readable, true)) AS readable
		FROM _sluice.capture_instance c WHERE c.source_id = f.source_id AND c.source_object_id = f.object_id) i
	WHERE f.source_id = $1.source_id
	UNION ALL
	SELECT 'table', t.schema_name || '.' || t.table_name, false, 'error', 'not found at the source', 'a table that the login may see',
		format('GRANT SELECT ON [%s].[%s] TO [%s];', replace(t.schema_name, ']', ']]'), replace(t.table_name, ']', ']]'), replace(coalesce($1.options ->> 'user', 'login'), ']', ']]'))
	FROM _sluice.tab t WHERE t.source_id = $1.source_id AND t.wanted <> 'dropped'
		AND NOT EXISTS (SELECT FROM _sluice.source_table f WHERE f.source_id = t.source_id AND f.schema_name = t.schema_name AND f.table_name = t.table_name)
	ORDER BY 3, 2
$$;
COMMENT ON FUNCTION _sluice.cdc_tables(_sluice.source) IS 'CDC state of each table of a source';

CREATE FUNCTION _sluice.cdc_capture(s _sluice.source, x _sluice.source_state) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH c AS (
		SELECT j.runs, coalesce(($2.capture ->> 'errors')::bigint, 0) AS errors, jsonb_typeof($2.capture) = 'object' AS seen, $2.capture ->> 'message' AS message
		FROM _sluice.capture_runs($2.capture, $2.jobs, $2.source_time, $2.tran_end_time) j(runs)
	)
	SELECT 'capture job', $1.options ->> 'database', c.runs AND c.errors = 0, CASE WHEN c.runs AND c.errors = 0 THEN 'info' WHEN c.runs IS NULL OR c.runs THEN 'warning' ELSE 'error' END,
		CASE WHEN c.seen IS NOT TRUE THEN 'may not be seen by this login' WHEN c.runs IS NULL THEN 'no log scan is known since the server started'
			WHEN NOT c.runs AND $2.capture ->> 'scan_end' IS NOT NULL THEN concat_ws('; last error: ', format('does not run: its last log scan ended %s', $2.capture ->> 'scan_end'), c.message)
			WHEN NOT c.runs THEN coalesce(c.message, 'does not run')
			WHEN c.errors > 0 THEN concat_ws(': ', format('runs, with %s errors in its last log scan', c.errors), c.message) ELSE 'runs' END,
		CASE WHEN c.seen IS NOT TRUE THEN 'runs; the right to see it is optional' ELSE 'runs' END,
		CASE WHEN c.seen IS NOT TRUE AND $1.options ? 'user' THEN format('GRANT VIEW DATABASE STATE TO [%s];', replace($1.options ->> 'user', ']', ']]'))
			WHEN c.seen AND c.runs IS NOT TRUE THEN 'EXEC sys.sp_cdc_start_job @job_type = N''capture'';' END
	FROM c
$$;
COMMENT ON FUNCTION _sluice.cdc_capture(_sluice.source, _sluice.source_state) IS 'State of the capture job, as its last log scans tell it';

CREATE FUNCTION _sluice.cdc_refuse(s _sluice.source) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF _sluice.is_log(s.source_id) THEN
		PERFORM _sluice.fail('22023', format('source %s is of kind %s, which needs no CDC enabled: its log has all tables', s.name, s.kind), format('SELECT * FROM sluice.check_source(%L);', s.name));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.cdc_refuse(_sluice.source) IS 'Refuses what only SQL Server has';

CREATE FUNCTION sluice.check_cdc(source text) RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source := _sluice.source_find($1);
	x _sluice.source_state;
	enabled boolean;
	agent boolean;
BEGIN
	PERFORM _sluice.cdc_refuse(s);
	SELECT * INTO x FROM _sluice.source_state y WHERE y.source_id = s.source_id;
	RETURN QUERY SELECT * FROM _sluice.age_row('discovered', s.name, x.discovered_at);
	IF x.discovered_at IS NULL THEN
		RETURN;
	END IF;
	enabled := coalesce((x.database ->> 'cdc')::boolean, false);
	RETURN QUERY SELECT 'database', s.options ->> 'database', enabled, CASE WHEN enabled THEN 'info' ELSE 'error' END,
		CASE WHEN enabled THEN 'enabled for CDC' ELSE 'not enabled for CDC' END, 'enabled for CDC', CASE WHEN NOT enabled THEN 'EXEC sys.sp_cdc_enable_db;' END;
	agent := (x.server ->> 'agent')::boolean;
	RETURN QUERY SELECT 'agent', coalesce(x.server ->> 'name', s.name), agent, CASE WHEN agent IS NULL THEN 'warning' WHEN agent THEN 'info' ELSE 'error' END,
		CASE WHEN agent IS NULL THEN 'may not be seen by this login' WHEN agent THEN 'SQL Server Agent runs' ELSE 'SQL Server Agent does not run' END,
		'SQL Server Agent runs: it is what captures', CASE WHEN agent THEN NULL WHEN agent IS NULL THEN format('GRANT VIEW SERVER STATE TO [%s];', replace(s.options ->> 'user', ']', ']]')) ELSE _sluice.agent_start() END;
	RETURN QUERY SELECT * FROM _sluice.cdc_capture(s, x);
	RETURN QUERY SELECT 'retention', s.options ->> 'database', coalesce((x.jobs ->> 'retention_minutes')::bigint >= 1440, true),
		CASE WHEN (x.jobs ->> 'retention_minutes')::bigint < 1440 THEN 'warning' ELSE 'info' END, coalesce((x.jobs ->> 'retention_minutes') || ' minutes', 'may not be seen by this login'),
		'a day or more: so long may sluice be down without losing changes',
		CASE WHEN (x.jobs ->> 'retention_minutes')::bigint < 1440 THEN 'EXEC sys.sp_cdc_change_job @job_type = N''cleanup'', @retention = 4320;' END;
	RETURN QUERY SELECT * FROM _sluice.cdc_tables(s);
END
$$;
COMMENT ON FUNCTION sluice.check_cdc(text) IS 'Is CDC enabled and alive: database, agent, capture job, retention, each table; read from the last discovery, whose age stands in the first row';

CREATE FUNCTION sluice.cdc_script(source text, "like" text DEFAULT '%') RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source := _sluice.source_find($1);
	x _sluice.source_state;
	lines text;
	others text;
BEGIN
	PERFORM _sluice.cdc_refuse(s);
	SELECT * INTO x FROM _sluice.source_state y WHERE y.source_id = s.source_id;
	IF x.discovered_at IS NULL THEN
		PERFORM _sluice.fail('55000', format('the tables of source %s are not known yet', s.name), format('CALL sluice.refresh(%L);', s.name));
	END IF;
	IF NOT EXISTS (SELECT FROM _sluice.source_table f WHERE f.source_id = s.source_id AND f.schema_name || '.' || f.table_name LIKE coalesce($2, '%')) THEN
		SELECT string_agg(n.name, ', ' ORDER BY n.name) INTO others FROM (SELECT f.schema_name || '.' || f.table_name AS name FROM _sluice.source_table f
			WHERE f.source_id = s.source_id ORDER BY _sluice.distance(left(lower(f.schema_name || '.' || f.table_name), 60), left(lower($2), 60)), 1 LIMIT 20) n;
		-- One line: a name may hold the end of one.
		RETURN regexp_replace(format('-- no table of source %s is LIKE %L; %s', s.name, $2, coalesce('there are: ' || others, 'the login sees none')), '[\r\n]', ' ', 'g');
	END IF;
	SELECT string_agg(_sluice.cdc_enable(f.schema_name, f.table_name,
			CASE WHEN i.n > 0 THEN left(format('%s_%s_%s', f.schema_name, f.table_name, i.n + 1), 100) END), E'\n' ORDER BY f.schema_name, f.table_name) INTO lines
	FROM _sluice.source_table f
	CROSS JOIN LATERAL (SELECT count(*) AS n FROM _sluice.capture_instance c WHERE c.source_id = f.source_id AND c.source_object_id = f.object_id) i
	WHERE f.source_id = s.source_id AND f.schema_name || '.' || f.table_name LIKE coalesce($2, '%')
		-- A table without capture instance, or one whose instance lacks a column and that has room for a second.
		AND (i.n = 0 OR (i.n = 1 AND EXISTS (SELECT FROM _sluice.source_column k WHERE k.source_id = f.source_id AND k.object_id = f.object_id
			AND coalesce(k.facts -> 'computed', 'null') = 'null' AND NOT EXISTS (SELECT FROM _sluice.capture_instance c, jsonb_array_elements(c.columns) e
				WHERE c.source_id = f.source_id AND c.source_object_id = f.object_id AND e ->> 'name' = k.name))));
	RETURN concat_ws(E'\n', format('USE [%s];', replace(s.options ->> 'database', ']', ']]')),
		CASE WHEN NOT coalesce((x.database ->> 'cdc')::boolean, false) THEN 'EXEC sys.sp_cdc_enable_db;' END, coalesce(lines, '-- every table that matches is captured'));
END
$$;
COMMENT ON FUNCTION sluice.cdc_script(text, text) IS 'T-SQL for the source''s administrator: enables CDC for tables whose schema.table is LIKE the pattern, or a second capture instance where the first lacks a column';

CREATE FUNCTION sluice.tail("table" text, n integer DEFAULT 10) RETURNS TABLE (committed_at timestamptz, kind text, epoch bigint, rows bigint, bytes bigint, first_position text, last_position text, key text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
BEGIN
	IF coalesce($2, 0) NOT BETWEEN 1 AND 10000 THEN
		PERFORM _sluice.fail('22023', 'n must lie between 1 and 10000', format('SELECT * FROM sluice.tail(%L, 10);', t.name));
	END IF;
	RETURN QUERY SELECT f.committed_at, f.work, f.epoch, f.rows, f.bytes, f.first, f.last, f.key FROM _sluice.file f
		WHERE f.table_id = t.table_id AND f.state = 'landed' AND f.work <> 'schema' ORDER BY f.batch_id DESC, f.file_no DESC LIMIT $2;
END
$$;
COMMENT ON FUNCTION sluice.tail(text, integer) IS 'The last files that landed of a table, newest first';
