-- Owner, grants, and what pg_dump keeps. Last, so that nothing is missed.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sluice, _sluice FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA sluice, _sluice FROM PUBLIC;

CREATE FUNCTION _sluice.own_objects() RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	command text;
	changed integer := 0;
BEGIN
	FOR command IN
		-- Schemas first: whoever owns a table must be able to create in its schema.
		SELECT format('ALTER SCHEMA %I OWNER TO sluice_owner', n.nspname) FROM pg_namespace n WHERE n.nspname IN ('sluice', '_sluice') AND n.nspowner <> 'sluice_owner'::regrole
		UNION ALL
		SELECT format('ALTER %s %I.%I OWNER TO sluice_owner', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('sluice', '_sluice') AND c.relkind IN ('r', 'p', 'v', 'S') AND c.relowner <> 'sluice_owner'::regrole
			-- A sequence of an identity column goes with its table.
			AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('i', 'a') AND d.refclassid = 'pg_class'::regclass))
		UNION ALL
		SELECT format('ALTER ROUTINE %I.%I(%s) OWNER TO sluice_owner', n.nspname, p.proname, oidvectortypes(p.proargtypes))
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('sluice', '_sluice') AND p.proowner <> 'sluice_owner'::regrole
			AND NOT (p.proname = 'partition_member' AND EXISTS (SELECT FROM pg_extension WHERE extname = 'sluice'))
		UNION ALL
		SELECT format('ALTER DOMAIN _sluice.%I OWNER TO sluice_owner', t.typname) FROM pg_type t
		WHERE t.typnamespace = to_regnamespace('_sluice') AND t.typtype = 'd' AND t.typowner <> 'sluice_owner'::regrole
	LOOP
		EXECUTE command;
		changed := changed + 1;
	END LOOP;
	RETURN changed;
END
$$;
COMMENT ON FUNCTION _sluice.own_objects() IS 'Gives every object to sluice_owner; whoever calls it must own them and be a member of sluice_owner';
REVOKE ALL ON FUNCTION _sluice.own_objects() FROM PUBLIC;

DO $$
BEGIN
	IF pg_catalog.to_regrole('sluice_owner') IS NULL THEN
		RETURN;
	END IF;
	IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
		EXECUTE pg_catalog.format('GRANT sluice_owner TO %I', current_user);
		EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO sluice_owner', pg_catalog.current_database());
	END IF;
	PERFORM _sluice.own_objects();
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
	FOREACH kept IN ARRAY ARRAY['setting', 'source', 'source_state', 'target', 'target_state', 'pair', 'tab', 'epoch', 'schema_version', 'consumer', 'job', 'rule', 'log_mark'] LOOP
		PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('_sluice.%I', kept)::pg_catalog.regclass, '');
	END LOOP;
	-- Shapes of one log are no facts that the next discovery would find again: what a table landed was read with them.
	PERFORM pg_catalog.pg_extension_config_dump('_sluice.capture_instance', 'WHERE mark IS NOT NULL');
	FOR kept IN SELECT pg_catalog.pg_get_serial_sequence('_sluice.' || v.t, v.c) FROM (VALUES ('source', 'source_id'), ('target', 'target_id'), ('tab', 'table_id'), ('job', 'job_id'), ('rule', 'rule_id'), ('batch', 'batch_id')) v(t, c) LOOP
		PERFORM pg_catalog.pg_extension_config_dump(kept::pg_catalog.regclass, '');
	END LOOP;
END
$$;
