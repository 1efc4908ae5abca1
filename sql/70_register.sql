-- People register sources, targets and tables.

CREATE FUNCTION sluice.version() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '0.1.0' $$;
COMMENT ON FUNCTION sluice.version() IS 'The version of sluice';

CREATE FUNCTION _sluice.instance_claim() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM _sluice.instance) AND NOT EXISTS (SELECT FROM _sluice.source) THEN
		INSERT INTO _sluice.instance (database_oid, database_name, made_by, system_identifier, timeline)
		SELECT d.oid, d.datname, _sluice.caller(), i.system_identifier, i.timeline FROM pg_database d, _sluice.server_identity() i WHERE d.datname = current_database()
		ON CONFLICT DO NOTHING;
	ELSIF NOT _sluice.is_here() THEN
		PERFORM _sluice.fail('55000', 'this registry was made for another database: it was restored or copied, and plans nothing',
			'SELECT sluice.take_over(); once the other one is gone for good.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.instance_claim() IS 'The first source makes this database the registry''s own';

CREATE FUNCTION sluice.add_source(name text, kind text, host text DEFAULT NULL, port integer DEFAULT NULL, database text DEFAULT NULL, "user" text DEFAULT NULL,
	password_env text DEFAULT NULL, password_file text DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS TABLE (source text, state text, hint text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given jsonb := jsonb_strip_nulls(jsonb_build_object('host', $3, 'port', $4, 'database', $5, 'user', $6, 'password_env', $7, 'password_file', $8));
	s _sluice.source;
BEGIN
	PERFORM _sluice.name_check('source', $1);
	IF coalesce($2, '') NOT IN ('sqlserver', 'mysql', 'mariadb') THEN
		PERFORM _sluice.fail('22023', format('%L is not a kind of source', left($2, 40)), 'This version captures from: sqlserver, mysql, mariadb.');
	ELSIF $2 <> 'sqlserver' AND $5 IS NOT NULL THEN
		PERFORM _sluice.fail('22023', format('a source of kind %s is a whole server: it has no option database', $2), 'Leave it out: tables are named source.database.table.');
	END IF;
	IF jsonb_typeof($9) = 'object' THEN
		given := $9 || given;
	ELSE
		given := $9;
	END IF;
	given := _sluice.options_check('source/' || $2, given);
	PERFORM _sluice.login_check($2, given);
	PERFORM _sluice.instance_claim();
	IF EXISTS (SELECT FROM _sluice.source x WHERE x.name = $1 AND x.wanted <> 'dropped') THEN
		PERFORM _sluice.fail('42710', format('source %s exists already', $1), format('SELECT sluice.alter_source(%L, options => ...); changes it.', $1));
	END IF;
	INSERT INTO _sluice.source (name, path_part, kind, options, added_by) VALUES ($1, _sluice.path_part($1), $2, given, _sluice.caller()) RETURNING * INTO s;
	INSERT INTO _sluice.source_state (source_id, check_asked_at, discover_asked_at) VALUES (s.source_id, clock_timestamp(), clock_timestamp());
	PERFORM _sluice.event_add('info', 'source', s.source_id, NULL, NULL, format('source %s added by %s', $1, s.added_by));
	PERFORM _sluice.wake();
	RETURN QUERY SELECT s.name, 'new'::text, format('CALL sluice.refresh(%L); then SELECT * FROM sluice.check_source(%1$L);', s.name);
END
$$;
COMMENT ON FUNCTION sluice.add_source(text, text, text, integer, text, text, text, text, jsonb) IS
'Registers a database, or a MySQL or MariaDB server, to capture from. add_source(''erp'', ''sqlserver'', host => ''sql1'', database => ''ERP'', "user" => ''sluice'', password_env => ''ERP_PASSWORD''), or add_source(''shop'', ''mariadb'', host => ''db1'', "user" => ''sluice'', password_env => ''SHOP_PASSWORD''): a whole server. The password itself is never stored: password_env names an environment variable of the worker, password_file a file of mode 0600. Further options (SELECT * FROM sluice.option) go into options.';

CREATE FUNCTION _sluice.login_check(kind text, options jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF options ? 'vault' AND (options ? 'password_env' OR options ? 'password_file' OR coalesce((options ->> 'kerberos')::boolean, false)) THEN
		PERFORM _sluice.fail('22023', 'option vault stands beside another way to log in', 'The entry of the vault holds the password: leave password_env, password_file and kerberos out.');
	ELSIF options ? 'user' AND coalesce((options ->> 'kerberos')::boolean, false) THEN
		PERFORM _sluice.fail('22023', 'options user and kerberos exclude each other', 'With kerberos the worker''s ticket logs in.');
	ELSIF NOT options ? 'user' AND NOT options ? 'vault' AND NOT coalesce((options ->> 'kerberos')::boolean, false) THEN
		PERFORM _sluice.fail('22023', 'option user is missing', 'Give "user" and password_env or password_file, or options => ''{"vault": "entry"}'''
			|| CASE kind WHEN 'sqlserver' THEN ' or ''{"kerberos": true}''.' ELSE '.' END);
	ELSIF options ? 'user' AND NOT options ? 'vault' AND num_nonnulls(options ->> 'password_env', options ->> 'password_file') <> 1 THEN
		PERFORM _sluice.fail('22023', 'exactly one of password_env and password_file is needed', 'password_env names an environment variable of the worker, password_file a file of mode 0600.');
	ELSIF coalesce((options ->> 'check_hostname')::boolean, false) AND NOT options ? 'ca_file' THEN
		PERFORM _sluice.fail('22023', 'check_hostname needs a ca_file: without one nothing is checked', 'Set ca_file, or "system" for the machine''s own list.');
	ELSIF options ? 'ca_file' AND options ->> 'encryption' = 'off' THEN
		PERFORM _sluice.fail('22023', 'a ca_file and encryption off contradict each other', 'Use "encryption": "require".');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.login_check(text, jsonb) IS 'Options of a source that only make sense together';

CREATE FUNCTION _sluice.target_check(kind text, options jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF kind = 'file' AND (options ->> 'path' !~ '^/' OR options ->> 'path' ~ '(^|/)\.\.(/|$)') THEN
		PERFORM _sluice.fail('22023', 'option path must be an absolute folder without ..', 'For example path => ''/var/lib/sluice''; it is on the machine where the worker runs.');
	ELSIF kind = 's3' AND options ->> 'bucket' !~ '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' THEN
		PERFORM _sluice.fail('22023', 'option bucket is not the name of a bucket', 'Lower-case letters, digits, - and dots, 3 to 63 characters.');
	ELSIF kind = 's3' AND options ->> 'endpoint' !~ '^https?://[A-Za-z0-9.:\[\]-]+/?$' THEN
		PERFORM _sluice.fail('22023', 'option endpoint must be http(s)://host:port', 'Leave it out for AWS.');
	ELSIF kind = 's3' AND options ? 'vault' AND options ?| '{access_key_env,access_key_file,secret_key_env,secret_key_file,session_token_env,session_token_file}' THEN
		PERFORM _sluice.fail('22023', 'option vault stands beside keys from elsewhere', 'The entry of the vault holds access_key and secret_key: leave the others out, with alter_target set them to null.');
	ELSIF kind = 's3' AND num_nonnulls(options ->> 'access_key_env', options ->> 'access_key_file') <> num_nonnulls(options ->> 'secret_key_env', options ->> 'secret_key_file') THEN
		PERFORM _sluice.fail('22023', 'access key and secret key go together', 'Give access_key_env and secret_key_env (or _file), or neither: then the worker''s own credentials are used.');
	ELSIF options ->> 'prefix' !~ '^[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*$' OR options ->> 'prefix' ~ '(^|/)\.\.?(/|$)' THEN
		PERFORM _sluice.fail('22023', 'option prefix holds characters that a key cannot', 'Use letters, digits, . _ = - and / between parts.');
	END IF;
	IF kind = 's3' THEN
		PERFORM _sluice.s3_check(options);
	END IF;
	RETURN options;
END
$$;
COMMENT ON FUNCTION _sluice.target_check(text, jsonb) IS 'Options of a target that reach into paths and URLs';

CREATE FUNCTION sluice.add_target(name text, kind text, path text DEFAULT NULL, bucket text DEFAULT NULL, prefix text DEFAULT NULL, options jsonb DEFAULT '{}')
RETURNS TABLE (target text, hint text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given jsonb := jsonb_strip_nulls(jsonb_build_object('path', $3, 'bucket', $4, 'prefix', trim(BOTH '/' FROM $5)));
	t _sluice.target;
BEGIN
	PERFORM _sluice.name_check('target', $1);
	IF coalesce($2, '') NOT IN ('file', 's3') THEN
		PERFORM _sluice.fail('22023', format('%L is not a kind of target', left($2, 40)), 'This version lands in: file (a folder), s3.');
	END IF;
	given := CASE WHEN jsonb_typeof($6) = 'object' THEN $6 || given ELSE $6 END;
	given := _sluice.target_check($2, _sluice.options_check('target/' || $2, given));
	IF EXISTS (SELECT FROM _sluice.target x WHERE x.name = $1 AND x.wanted <> 'dropped') THEN
		PERFORM _sluice.fail('42710', format('target %s exists already', $1), format('SELECT sluice.alter_target(%L, options => ...); changes it.', $1));
	END IF;
	INSERT INTO _sluice.target (name, kind, options, added_by) VALUES ($1, $2, given, _sluice.caller()) RETURNING * INTO t;
	INSERT INTO _sluice.target_state (target_id) VALUES (t.target_id);
	PERFORM _sluice.target_ask(t.target_id);
	PERFORM _sluice.event_add('info', 'target', NULL, t.target_id, NULL, format('target %s added by %s', $1, t.added_by));
	RETURN QUERY SELECT t.name, format('SELECT * FROM sluice.check_target(%L); tells whether the worker can write there.', t.name);
END
$$;
COMMENT ON FUNCTION sluice.add_target(text, text, text, text, text, jsonb) IS
'Registers where objects land. add_target(''lake'', ''file'', path => ''/var/lib/sluice''), or add_target(''lake'', ''s3'', bucket => ''b'', prefix => ''p'', options => ''{"region": "eu-central-1", "access_key_env": "K", "secret_key_env": "S"}''). Credentials only by reference; without any the worker''s own are used.';

CREATE FUNCTION _sluice.target_ask(target_id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.target_state x SET check_asked_at = clock_timestamp() WHERE x.target_id = $1;
	INSERT INTO _sluice.batch (work, target_id, oldest_at) VALUES ('check', $1, clock_timestamp()) ON CONFLICT DO NOTHING;
	UPDATE _sluice.batch b SET retry_at = NULL WHERE b.work = 'check' AND b.target_id = $1 AND b.retry_at IS NOT NULL;
	SELECT _sluice.wake()
$$;
COMMENT ON FUNCTION _sluice.target_ask(bigint) IS 'Asks the worker to check a target';

CREATE FUNCTION _sluice.target_default(name text) RETURNS _sluice.target
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.target;
BEGIN
	IF $1 IS NOT NULL THEN
		RETURN _sluice.target_find($1);
	END IF;
	SELECT * INTO t FROM _sluice.target x WHERE x.wanted <> 'dropped' ORDER BY x.target_id LIMIT 1;
	IF NOT FOUND THEN
		PERFORM _sluice.fail('42704', 'there is no target yet', 'SELECT * FROM sluice.add_target(''lake'', ''file'', path => ''/var/lib/sluice''); adds a folder.');
	ELSIF (SELECT count(*) FROM _sluice.target x WHERE x.wanted <> 'dropped') > 1 THEN
		PERFORM _sluice.fail('22023', 'there are several targets', format('Name one of them: target => %L, for example. SELECT target FROM sluice.target_status; lists them.', t.name));
	END IF;
	RETURN t;
END
$$;
COMMENT ON FUNCTION _sluice.target_default(text) IS 'The target named, or the only one there is';

CREATE FUNCTION _sluice.table_known(s _sluice.source, parts text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	f _sluice.source_table;
	nearest text;
BEGIN
	IF NOT EXISTS (SELECT FROM _sluice.source_state x WHERE x.source_id = s.source_id AND x.discovered_at IS NOT NULL) THEN
		RETURN;
	END IF;
	SELECT * INTO f FROM _sluice.source_table x WHERE x.source_id = s.source_id AND x.schema_name = parts[2] AND x.table_name = parts[3];
	IF NOT FOUND THEN
		SELECT _sluice.table_canonical(ARRAY[s.name, x.schema_name, x.table_name]) INTO nearest FROM _sluice.source_table x
		WHERE x.source_id = s.source_id ORDER BY _sluice.distance(left(lower(x.schema_name || '.' || x.table_name), 60), left(lower(parts[2] || '.' || parts[3]), 60)), 1 LIMIT 1;
		PERFORM _sluice.fail('42P01', format('source %s has no table %s.%s, or the login may not see it', s.name, parts[2], parts[3]),
			coalesce(format('Did you mean %s? ', nearest), '') || format('CALL sluice.refresh(%L); looks again.', s.name));
	ELSIF (_sluice.instance_newest(s.source_id, f.object_id)).instance IS NULL THEN
		PERFORM _sluice.fail('55000', format('table %s.%s is not enabled for CDC at the source', parts[2], parts[3]),
			format('Run there: %s Then CALL sluice.refresh(%L);', _sluice.cdc_enable(parts[2], parts[3], NULL), s.name));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.table_known(_sluice.source, text[]) IS 'Refuses a table that discovery knows to be absent or without CDC';

CREATE FUNCTION _sluice.kind_check(s _sluice.source, options jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF s.kind <> 'sqlserver' AND options ->> 'profile' = 'debezium' THEN
		PERFORM _sluice.fail('0A000', format('profile debezium is not written for a source of kind %s in this version', s.kind), 'Use profile sluice or dms.');
	ELSIF s.kind = 'sqlserver' AND (options ? 'zero_dates' OR options ? 'cascade') THEN
		PERFORM _sluice.fail('22023', format('option %s belongs to sources of kind mysql and mariadb, and %s is of kind sqlserver', CASE WHEN options ? 'cascade' THEN 'cascade' ELSE 'zero_dates' END, s.name),
			'Leave it out.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.kind_check(_sluice.source, jsonb) IS 'Options of a table that its kind of source does not know';

CREATE FUNCTION _sluice.table_add(s _sluice.source, g _sluice.target, parts text[], options jsonb, who text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	full_name text := _sluice.table_canonical(parts);
	given jsonb := _sluice.options_check('table', options);
	t _sluice.tab;
BEGIN
	PERFORM _sluice.kind_check(s, given);
	IF EXISTS (SELECT FROM _sluice.tab x WHERE x.name = full_name AND x.wanted <> 'dropped') THEN
		PERFORM _sluice.fail('42710', format('table %s is captured already', full_name), format('SELECT sluice.alter_table(%L, options => ...); changes how.', full_name));
	END IF;
	PERFORM _sluice.table_known(s, parts);
	INSERT INTO _sluice.pair (source_id, target_id) VALUES (s.source_id, g.target_id) ON CONFLICT DO NOTHING;
	INSERT INTO _sluice.tab (source_id, target_id, schema_name, table_name, name, path_part, options, added_by, notice, notice_hint)
	VALUES (s.source_id, g.target_id, parts[2], parts[3], full_name, _sluice.table_folder(parts[2], parts[3]), given, who,
		'the source has not been looked at yet', format('SELECT * FROM sluice.source_status WHERE source = %L;', s.name))
	RETURNING * INTO t;
	PERFORM _sluice.dms_folder_check(t);
	PERFORM _sluice.table_settle(t.table_id);
	RETURN t.table_id;
END
$$;
COMMENT ON FUNCTION _sluice.table_add(_sluice.source, _sluice.target, text[], jsonb, text) IS 'Registers one table, whoever asks: a person, a pattern or a rule';

CREATE FUNCTION sluice.add_table("table" text, target text DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS TABLE (table_name text, state text, hint text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parts text[] := _sluice.name_parse($1);
	added bigint;
BEGIN
	PERFORM _sluice.instance_claim();
	added := _sluice.table_add(_sluice.source_find(parts[1]), _sluice.target_default($2), parts, $3, _sluice.caller());
	RETURN QUERY SELECT x.name, coalesce(x.trouble, x.phase), coalesce(x.hint, x.notice_hint, format('SELECT * FROM sluice.status WHERE table_name = %L;', x.name))
		FROM _sluice.tab x WHERE x.table_id = added;
END
$$;
COMMENT ON FUNCTION sluice.add_table(text, text, jsonb) IS 'Captures a table: loads it, then streams its changes. add_table(''erp.dbo.orders'', options => ''{"max_file_age": 5}''); target may be left out where there is only one';

CREATE FUNCTION _sluice.table_settle(table_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab;
BEGIN
	SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = $1;
	-- Locks the row: a discovery that is being stored now either sees the table or is seen by what follows.
	-- Of one log only what follows a discovery is scanned for a new table, so the discovery is a fresh one.
	UPDATE _sluice.source_state x SET next_poll_at = NULL, discover_asked_at = CASE WHEN _sluice.is_log(x.source_id) THEN clock_timestamp() ELSE x.discover_asked_at END
	WHERE x.source_id = t.source_id;
	IF EXISTS (SELECT FROM _sluice.source_state x WHERE x.source_id = t.source_id AND x.discovered_at IS NOT NULL) THEN
		PERFORM _sluice.table_resolve(t);
	END IF;
	SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = $1;
	IF t.trouble = 'error' AND t.code IN ('0A000', '42701', '42703', '42804', '42830') THEN
		-- Said at once, while somebody listens.
		PERFORM _sluice.fail(t.code, t.message, CASE t.code WHEN '0A000' THEN 'Leave them out: options => ''{"exclude": ["..."]}''.'
			WHEN '42701' THEN 'Choose another name (timestamp_column_name, change_seq_column), or leave the column out: options => ''{"exclude": ["..."]}''.'
			WHEN '42804' THEN 'Take it out of bloom_columns.'
			WHEN '42830' THEN 'options => ''{"cascade": "accept"}'' lands it inexact; or let the application change the child''s rows itself.'
			ELSE (SELECT u.hint FROM _sluice.source_table s, _sluice.column_unknown(s.source_id, s.object_id, t.options) u
				WHERE s.source_id = t.source_id AND s.schema_name = t.schema_name AND s.table_name = t.table_name) END);
	END IF;
	PERFORM _sluice.recover_plan() WHERE EXISTS (SELECT FROM _sluice.worker w WHERE w.stopped_at IS NULL);
	PERFORM _sluice.event_add('info', 'table', t.source_id, t.target_id, t.table_id, format('table %s added by %s', t.name, t.added_by));
	PERFORM _sluice.wake();
END
$$;
COMMENT ON FUNCTION _sluice.table_settle(bigint) IS 'A new table is looked up among the facts and the worker is woken';
