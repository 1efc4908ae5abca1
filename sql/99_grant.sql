-- Owner, grants, and what pg_dump keeps. Last, so that nothing is missed.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sluice, _sluice FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA sluice, _sluice FROM PUBLIC;

CREATE FUNCTION _sluice.worker_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY['worker_start', 'worker_beat', 'worker_stop', 'worker_config', 'child_gone', 'api_version', 'poll_begin', 'cut_store', 'range_store', 'facts_store',
		'check_store', 'source_fail', 'batch_claim', 'epoch_store', 'batch_seal', 'batch_commit', 'batch_fail', 'batch_release', 'manifest_adopt', 'objects_check', 'recover_done']
$$;
COMMENT ON FUNCTION _sluice.worker_functions() IS 'The contract: what the worker may call, and nothing else';
REVOKE ALL ON FUNCTION _sluice.worker_functions() FROM PUBLIC;

DO $$
DECLARE
	fn record;
BEGIN
	IF pg_catalog.to_regrole('sluice_worker') IS NOT NULL THEN
		GRANT USAGE ON SCHEMA _sluice TO sluice_worker;
		FOR fn IN SELECT p.oid::pg_catalog.regprocedure AS name FROM pg_catalog.pg_proc p
			WHERE p.pronamespace = '_sluice'::pg_catalog.regnamespace AND p.proname = ANY (_sluice.worker_functions())
		LOOP
			EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO sluice_worker', fn.name);
		END LOOP;
	END IF;
END
$$;
