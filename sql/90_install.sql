-- Who may do what, in one list: the install grants from it, check_install() compares with it.

CREATE FUNCTION _sluice.worker_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY['worker_start', 'worker_beat', 'worker_stop', 'worker_config', 'child_gone', 'api_version', 'poll_begin', 'cut_store', 'range_store', 'facts_store',
		'check_store', 'source_fail', 'batch_claim', 'epoch_store', 'batch_seal', 'batch_commit', 'batch_fail', 'batch_release', 'manifest_adopt', 'objects_check', 'recover_done',
		'verify_manifests', 'verify_store', 'purge_next', 'purge_mark', 'sweep_done']
$$;
COMMENT ON FUNCTION _sluice.worker_functions() IS 'The contract: what the worker may call, and nothing else';

CREATE FUNCTION _sluice.grants_wanted() RETURNS TABLE (role text, privilege text, kind text, object text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH fn AS (
		SELECT n.nspname, p.proname, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind, format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)) AS object
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('sluice', '_sluice')
	), reading(role) AS (VALUES ('sluice_admin'), ('sluice_operator'), ('sluice_reader'), ('sluice_federation'))
	SELECT r.role, 'USAGE', 'SCHEMA', 'sluice' FROM reading r
	UNION ALL
	SELECT v.role, 'USAGE', 'SCHEMA', '_sluice' FROM (VALUES ('sluice_admin'), ('sluice_operator'), ('sluice_worker')) v(role)
	UNION ALL
	SELECT r.role, 'SELECT', 'TABLE', format('sluice.%I', c.relname) FROM reading r, pg_class c WHERE c.relnamespace = to_regnamespace('sluice') AND c.relkind = 'v'
	UNION ALL
	-- Functions that views call are called by whoever reads the view.
	SELECT r.role, 'EXECUTE', fn.kind, fn.object FROM reading r, fn WHERE fn.nspname = '_sluice'
		AND fn.proname IN ('may_see', 'caller', 'worker_missing', 'here_shown', 'late_seconds', 'option_default', 'capture_runs', 'seq_head')
	UNION ALL
	SELECT 'sluice_worker', 'EXECUTE', fn.kind, fn.object FROM fn WHERE fn.nspname = '_sluice' AND fn.proname = ANY (_sluice.worker_functions())
	UNION ALL
	SELECT v.role, 'EXECUTE', fn.kind, fn.object FROM (VALUES ('sluice_admin'), ('sluice_operator')) v(role), fn
	WHERE fn.nspname = '_sluice' AND fn.proname IN ('wait_refuse', 'refresh_ask', 'job_ended', 'job_failure', 'refresh_late', 'fail')
	UNION ALL
	SELECT 'sluice_reader', 'EXECUTE', fn.kind, fn.object FROM fn WHERE fn.nspname = 'sluice'
		AND (fn.proname LIKE 'check\_%' OR fn.proname IN ('version', 'wait_for', 'tail', 'cdc_script', 'iam_policy', 'reader_policy', 'external_location_sql', 'external_table_sql', 'current_rows_sql'))
	UNION ALL
	SELECT 'sluice_operator', 'EXECUTE', fn.kind, fn.object FROM fn WHERE fn.nspname = 'sluice'
		AND (fn.proname LIKE 'check\_%' OR fn.proname IN ('version', 'wait_for', 'tail', 'cdc_script', 'iam_policy', 'reader_policy', 'external_location_sql', 'external_table_sql', 'current_rows_sql', 'pause_table', 'resume_table', 'resync_table', 'resync_source', 'cancel_job', 'refresh', 'acknowledge', 'verify_files', 'purge_files'))
	UNION ALL
	SELECT 'sluice_federation', 'EXECUTE', fn.kind, fn.object FROM fn WHERE fn.nspname = 'sluice' AND fn.proname = 'acknowledge'
	UNION ALL
	SELECT 'sluice_admin', 'EXECUTE', fn.kind, fn.object FROM fn WHERE fn.nspname = 'sluice' OR fn.proname IN ('config_export', 'config_import')
$$;
COMMENT ON FUNCTION _sluice.grants_wanted() IS 'Every grant there should be';

CREATE FUNCTION _sluice.grants_missing() RETURNS TABLE (role text, fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT g.role, format('GRANT %s ON %s %s TO %I;', g.privilege, g.kind, g.object, g.role)
	FROM _sluice.grants_wanted() g JOIN pg_roles r ON r.rolname = g.role
	WHERE NOT CASE g.kind WHEN 'SCHEMA' THEN has_schema_privilege(r.oid, g.object, g.privilege) WHEN 'TABLE' THEN has_table_privilege(r.oid, g.object, g.privilege)
		ELSE has_function_privilege(r.oid, g.object, g.privilege) END
$$;
COMMENT ON FUNCTION _sluice.grants_missing() IS 'Grants that should be there and are not, with the statements that give them';

CREATE FUNCTION _sluice.check_roles() RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'role', v.name, r.oid IS NOT NULL AND r.rolcanlogin >= v.login AND NOT (v.name = 'sluice_worker' AND r.rolsuper), 'error',
		CASE WHEN r.oid IS NULL THEN 'missing' WHEN r.rolsuper THEN 'superuser' WHEN r.rolcanlogin THEN 'may log in' ELSE 'exists' END,
		CASE WHEN v.login THEN 'may log in, no superuser' ELSE 'exists' END,
		CASE WHEN r.oid IS NULL THEN format('CREATE ROLE %I %s;', v.name, CASE WHEN v.login THEN 'LOGIN' ELSE 'NOLOGIN' END)
			WHEN v.name = 'sluice_worker' THEN 'ALTER ROLE sluice_worker LOGIN NOSUPERUSER;' END
	FROM (VALUES ('sluice_owner', false), ('sluice_admin', false), ('sluice_operator', false), ('sluice_reader', false), ('sluice_federation', false), ('sluice_worker', true)) v(name, login)
	LEFT JOIN pg_roles r ON r.rolname = v.name
	UNION ALL
	SELECT 'owner', 'schema ' || n.nspname, o.rolname = 'sluice_owner', 'error', o.rolname, 'sluice_owner',
		format('GRANT sluice_owner TO %I; GRANT CREATE ON DATABASE %I TO sluice_owner; SET ROLE %1$I; SELECT _sluice.own_objects();', o.rolname, current_database())
	FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner WHERE n.nspname IN ('sluice', '_sluice')
	UNION ALL
	SELECT 'grant', m.role, false, 'error', format('%s missing', count(*)), 'all of _sluice.grants_wanted()', string_agg(m.fix_sql, ' ') FROM _sluice.grants_missing() m GROUP BY m.role
$$;
COMMENT ON FUNCTION _sluice.check_roles() IS 'Roles, owner and grants';

CREATE FUNCTION sluice.check_install() RETURNS TABLE ("check" text, object text, ok boolean, severity text, found text, wanted text, fix_sql text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wanted_db text := current_setting('sluice.database', true);
	here boolean := _sluice.is_here() OR NOT EXISTS (SELECT FROM _sluice.source);
BEGIN
	RETURN QUERY SELECT c."check", c.object, c.ok, CASE WHEN c.ok THEN 'info' ELSE c.severity END, c.found, c.wanted, CASE WHEN NOT c.ok THEN c.fix_sql END FROM _sluice.check_roles() c;
	RETURN QUERY SELECT 'database', current_database()::text, here, CASE WHEN here THEN 'info' ELSE 'error' END,
		CASE WHEN here THEN 'the registry belongs here' ELSE 'the registry was made for another database: nothing is planned' END, 'the registry belongs here',
		CASE WHEN NOT here THEN 'SELECT sluice.take_over();' END;
	RETURN QUERY SELECT 'supervisor', 'sluice.database', wanted_db = current_database(), CASE WHEN wanted_db = current_database() THEN 'info' ELSE 'warning' END, coalesce(wanted_db, 'not loaded'),
		'this database, where the server is to start the worker: set it and restart the server, or run sluice-worker by itself', CASE
			-- A supervisor that serves another database is not taken from it. Which libraries are loaded may not be read here.
			WHEN coalesce(wanted_db, '') = '' THEN format('ALTER SYSTEM SET shared_preload_libraries = ''sluice'' /* behind what SHOW shared_preload_libraries; tells */; ALTER SYSTEM SET sluice.database = %L;',
				current_database()) END;
	RETURN QUERY SELECT 'worker', coalesce(max(w.host || ':' || w.pid), 'none'), count(*) > 0, CASE WHEN count(*) > 0 THEN 'info' ELSE 'error' END, format('%s running', count(*)),
		format('at least one, started by the server or by SLUICE_CONNINFO=''dbname=%s user=sluice_worker'' sluice-worker run', current_database()), NULL::text
		FROM _sluice.worker w WHERE w.stopped_at IS NULL AND w.beat_at > clock_timestamp() - _sluice.seconds('worker_dead_seconds');
END
$$;
COMMENT ON FUNCTION sluice.check_install() IS 'Roles, owner, grants, database, supervisor, worker: what is missing, and the statement that mends it';
