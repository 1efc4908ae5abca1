-- Schemas and roles. The same files install as an extension (CREATE EXTENSION sluice) and with plain psql:
--   cat sql/*.sql | psql -1 -v ON_ERROR_STOP=1
-- Everything is named in full, so the search_path of whoever installs decides nothing.

DO $$
BEGIN
	IF pg_catalog.to_regnamespace('sluice') IS NULL THEN
		CREATE SCHEMA sluice;
	ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'sluice') THEN
		RAISE EXCEPTION 'a schema named sluice is here already'
			USING ERRCODE = 'duplicate_schema', HINT = 'SELECT sluice.version(); tells whether it is ours. DROP SCHEMA sluice, _sluice CASCADE removes an earlier install with its registry.';
	END IF;
END
$$;
CREATE SCHEMA _sluice;
COMMENT ON SCHEMA _sluice IS 'sluice: tables and the functions the worker calls; nothing here is for people';
DO $$
BEGIN
	COMMENT ON SCHEMA sluice IS 'sluice: change data capture to files and object stores; everything here is for people';
EXCEPTION WHEN insufficient_privilege THEN
	NULL;  -- the control file's own comment on the extension says as much
END
$$;

DO $$
DECLARE
	wanted record;
BEGIN
	FOR wanted IN
		SELECT * FROM (VALUES ('sluice_owner', 'NOLOGIN'), ('sluice_admin', 'NOLOGIN'), ('sluice_operator', 'NOLOGIN'),
			('sluice_reader', 'NOLOGIN'), ('sluice_federation', 'NOLOGIN'), ('sluice_worker', 'LOGIN')) v(role, login)
	LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.role) THEN
			BEGIN
				EXECUTE pg_catalog.format('CREATE ROLE %I %s', wanted.role, wanted.login);
			EXCEPTION WHEN insufficient_privilege THEN
				RAISE NOTICE 'role % is missing and may not be created by %', wanted.role, current_user
					USING HINT = 'SELECT * FROM sluice.check_install() WHERE NOT ok; lists the statements for an administrator.';
			END;
		END IF;
	END LOOP;
END
$$;
