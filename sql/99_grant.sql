-- Owner, grants, and what pg_dump keeps. Last, so that nothing is missed.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sluice, _sluice FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA sluice, _sluice FROM PUBLIC;

DO $$
DECLARE
	item record;
BEGIN
	IF pg_catalog.to_regrole('sluice_owner') IS NULL THEN
		RETURN;
	END IF;
	IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
		EXECUTE pg_catalog.format('GRANT sluice_owner TO %I', current_user);
		EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO sluice_owner', pg_catalog.current_database());
	END IF;
	FOR item IN
		SELECT pg_catalog.format('ALTER %s %I.%I OWNER TO sluice_owner', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname) AS command
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('sluice', '_sluice') AND c.relkind IN ('r', 'p', 'v', 'S')
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('i', 'a')
				AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind = 'S')
		UNION ALL
		SELECT pg_catalog.format('ALTER ROUTINE %I.%I(%s) OWNER TO sluice_owner', n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes))
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('sluice', '_sluice')
			AND NOT (p.proname = 'partition_member' AND EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'sluice'))
		UNION ALL
		SELECT 'ALTER DOMAIN _sluice.pos OWNER TO sluice_owner'
		UNION ALL
		SELECT pg_catalog.format('ALTER SCHEMA %I OWNER TO sluice_owner', s) FROM pg_catalog.unnest(ARRAY['_sluice', 'sluice']) s
	LOOP
		EXECUTE item.command;
	END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE NOTICE 'objects stay with %: %', current_user, sqlerrm USING HINT = 'SELECT * FROM sluice.check_install() WHERE NOT ok; lists what an administrator has to do.';
END
$$;

DO $$
DECLARE
	missing record;
BEGIN
	IF pg_catalog.to_regrole('sluice_owner') IS NOT NULL THEN
		GRANT EXECUTE ON FUNCTION _sluice.partition_member(text, boolean) TO sluice_owner;
	END IF;
	FOR missing IN SELECT m.fix_sql FROM _sluice.grants_missing() m LOOP
		EXECUTE missing.fix_sql;
	END LOOP;
END
$$;

-- In the extension, pg_dump keeps the registry, offsets and epochs; the ledger stands in the buckets' manifests.
DO $$
DECLARE
	kept text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'sluice') THEN
		RETURN;
	END IF;
	FOREACH kept IN ARRAY ARRAY['setting', 'source', 'source_state', 'target', 'target_state', 'pair', 'tab', 'schema_version', 'job'] LOOP
		PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('_sluice.%I', kept)::pg_catalog.regclass, '');
	END LOOP;
	FOR kept IN SELECT pg_catalog.pg_get_serial_sequence('_sluice.' || v.t, v.c) FROM (VALUES ('source', 'source_id'), ('target', 'target_id'), ('tab', 'table_id'), ('job', 'job_id'), ('batch', 'batch_id')) v(t, c) LOOP
		PERFORM pg_catalog.pg_extension_config_dump(kept::pg_catalog.regclass, '');
	END LOOP;
END
$$;
