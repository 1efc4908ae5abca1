-- The worker: who is there, and its leases. Contract: worker/control/README.md.

CREATE FUNCTION _sluice.api_version() RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 1 $$;
COMMENT ON FUNCTION _sluice.api_version() IS 'Version of the contract between worker and SQL';

CREATE FUNCTION _sluice.server_identity() RETURNS TABLE (system_identifier bigint, timeline text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	BEGIN
		SELECT c.system_identifier INTO system_identifier FROM pg_control_system() c;
	EXCEPTION WHEN insufficient_privilege THEN
		system_identifier := NULL;  -- a managed server may hide it; the timeline remains
	END;
	-- The insert position's timeline is the current one at once after promotion; the control file's follows later.
	timeline := CASE WHEN pg_is_in_recovery() THEN NULL ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION _sluice.server_identity() IS 'System identifier and timeline of this server';

CREATE FUNCTION _sluice.recover_plan() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.batch (work, source_id, target_id, oldest_at)
	SELECT 'recover', p.source_id, p.target_id, clock_timestamp()
	FROM _sluice.pair p JOIN _sluice.source s USING (source_id) JOIN _sluice.target t USING (target_id)
	WHERE p.recover AND s.wanted = 'run' AND t.wanted = 'run'
		AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.work = 'recover' AND b.source_id = p.source_id AND b.target_id = p.target_id)
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION _sluice.recover_plan() IS 'Plans recovery for every source and target that needs it';

CREATE FUNCTION _sluice.identity_note() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	seen record;
BEGIN
	SELECT * INTO seen FROM _sluice.server_identity();
	UPDATE _sluice.instance i SET system_identifier = seen.system_identifier, timeline = seen.timeline
	WHERE (i.system_identifier, i.timeline) IS DISTINCT FROM (seen.system_identifier, seen.timeline);
	IF FOUND THEN
		UPDATE _sluice.pair SET recover = true;
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.identity_note() IS 'Another server or timeline than last seen: everything is recovered before it is planned';

CREATE FUNCTION _sluice.workers_bury() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	gone bigint;
BEGIN
	-- The connection that registered a worker ends with it, at once on the same machine. Where it lingers, the leases run out.
	FOR gone IN
		SELECT w.worker_id FROM _sluice.worker w WHERE w.stopped_at IS NULL
			AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = w.backend)
		ORDER BY w.worker_id FOR UPDATE SKIP LOCKED
	LOOP
		PERFORM _sluice.worker_end(gone);
		PERFORM _sluice.event_add('warning', 'worker', NULL, NULL, NULL, format('worker %s is gone: its work is taken over', gone));
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.workers_bury() IS 'Ends workers whose connection is gone, so that nobody waits for their leases';

CREATE FUNCTION _sluice.worker_start(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.worker;
BEGIN
	IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user) THEN
		PERFORM _sluice.fail('42501', format('the worker must not log in as the superuser %s', session_user), 'Let it log in as sluice_worker: GRANT nothing else to it.');
	ELSIF (arg ->> 'api')::integer IS DISTINCT FROM _sluice.api_version() THEN
		PERFORM _sluice.fail('SL002', format('the worker speaks api %s, this database %s', coalesce(arg ->> 'api', 'none'), _sluice.api_version()),
			'Install worker and extension of one version, then ALTER EXTENSION sluice UPDATE.');
	END IF;
	PERFORM _sluice.upkeep();
	PERFORM _sluice.workers_bury();
	INSERT INTO _sluice.worker (host, pid, version, runners)
	VALUES (arg ->> 'host', (arg ->> 'pid')::integer, arg ->> 'version',
		coalesce(_sluice.setting('runners')::integer, (arg ->> 'runners')::integer, 2))
	RETURNING * INTO w;
	IF _sluice.is_here() THEN
		PERFORM _sluice.identity_note();
		PERFORM _sluice.recover_plan();
	END IF;
	RETURN jsonb_build_object('worker_id', w.worker_id, 'runners', w.runners, 'memory_mib', _sluice.memory_mib());
END
$$;
COMMENT ON FUNCTION _sluice.worker_start(jsonb) IS 'Worker: a worker begins; refuses a superuser and another api';

CREATE FUNCTION _sluice.worker_alive(arg jsonb) RETURNS _sluice.worker
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.worker;
BEGIN
	SELECT * INTO w FROM _sluice.worker x WHERE x.worker_id = (arg ->> 'worker_id')::bigint AND x.stopped_at IS NULL;
	IF NOT FOUND THEN
		PERFORM _sluice.fail('SL001', format('worker %s is not registered any more', coalesce(arg ->> 'worker_id', '?')), 'It starts again by itself.');
	END IF;
	RETURN w;
END
$$;
COMMENT ON FUNCTION _sluice.worker_alive(jsonb) IS 'The worker that calls, or SL001';

CREATE FUNCTION _sluice.settled(w _sluice.worker) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT NOT EXISTS (SELECT FROM _sluice.batch b LEFT JOIN _sluice.tab t USING (table_id)
			WHERE b.commit_no IS NOT NULL OR t.table_id IS NULL OR (t.wanted = 'run' AND t.trouble IS NULL))
		AND NOT EXISTS (SELECT FROM _sluice.source s JOIN _sluice.source_state x USING (source_id)
			WHERE s.wanted = 'run' AND x.state NOT IN ('error', 'rewound')
				AND (x.polled_at IS NULL OR x.poll_began_at IS NULL OR x.poll_began_at <= $1.started_at OR x.polled_at < x.poll_began_at))
		AND NOT EXISTS (SELECT FROM _sluice.tab t JOIN _sluice.source_state x USING (source_id)
			WHERE t.wanted = 'run' AND t.trouble IS NULL AND x.state NOT IN ('error', 'rewound')
				AND (t.phase = 'loading' OR (t.phase = 'streaming' AND t.pending_since IS NOT NULL)
					-- The log was not scanned for it yet.
					OR (t.phase = 'streaming' AND _sluice.is_log(t.source_id) AND NOT coalesce(t.probed_since < x.cut_began_at, false)) OR (t.phase = 'registered' AND t.instance IS NOT NULL)))
		AND NOT EXISTS (SELECT FROM _sluice.job j JOIN _sluice.tab t USING (table_id) WHERE j.kind = 'resync' AND j.state = 'asked' AND t.wanted = 'run')
$$;
COMMENT ON FUNCTION _sluice.settled(_sluice.worker) IS 'Nothing planned or pending and every source polled since this worker began';

CREATE FUNCTION _sluice.polls_take(w _sluice.worker) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT _sluice.is_here() THEN
		RETURN '[]';
	END IF;
	UPDATE _sluice.source_state x SET lease_until = clock_timestamp() + _sluice.seconds('lease_seconds')
	FROM (SELECT y.source_id FROM _sluice.source_state y WHERE y.lease_worker = w.worker_id FOR UPDATE SKIP LOCKED) free
	WHERE x.source_id = free.source_id;
	UPDATE _sluice.source_state x SET lease_worker = w.worker_id, generation = x.generation + 1,
		lease_until = clock_timestamp() + _sluice.seconds('lease_seconds')
	FROM (SELECT y.source_id FROM _sluice.source_state y JOIN _sluice.source s USING (source_id)
		WHERE s.wanted = 'run' AND (y.lease_worker IS NULL OR y.lease_until < clock_timestamp())
		ORDER BY y.source_id FOR UPDATE OF y SKIP LOCKED) free
	WHERE x.source_id = free.source_id;
	RETURN (SELECT coalesce(jsonb_agg(x.source_id ORDER BY x.source_id), '[]') FROM _sluice.source_state x JOIN _sluice.source s USING (source_id)
		WHERE x.lease_worker = w.worker_id AND s.wanted = 'run');
END
$$;
COMMENT ON FUNCTION _sluice.polls_take(_sluice.worker) IS 'Renews a worker''s poll leases and takes those that nobody holds';

CREATE FUNCTION _sluice.worker_beat(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.worker;
	pids integer[];
	polls jsonb;
BEGIN
	SELECT coalesce(array_agg(e::integer), '{}') INTO pids FROM jsonb_array_elements_text(coalesce(arg -> 'children', '[]')) e;
	UPDATE _sluice.worker x SET beat_at = clock_timestamp(), children = pids
	WHERE x.worker_id = (arg ->> 'worker_id')::bigint AND x.stopped_at IS NULL RETURNING * INTO w;
	IF NOT FOUND THEN
		RETURN jsonb_build_object('run', false, 'runners', 0, 'pollers', '[]'::jsonb, 'idle_ms', 1000, 'settled', false);
	END IF;
	-- A row that its runner has locked at the moment is renewed by the next beat: the main process never waits for a child.
	UPDATE _sluice.batch b SET lease_until = clock_timestamp() + _sluice.seconds('lease_seconds')
	FROM (SELECT x.batch_id FROM _sluice.batch x WHERE x.lease_worker = w.worker_id AND x.lease_pid = ANY (pids) FOR UPDATE SKIP LOCKED) free
	WHERE b.batch_id = free.batch_id;
	IF _sluice.is_here() THEN
		PERFORM _sluice.recover_plan();
		PERFORM _sluice.dropped_abandon(); -- of a source that cannot be reached too, for which nobody plans
	END IF;
	PERFORM _sluice.workers_bury();
	polls := _sluice.polls_take(w);
	PERFORM _sluice.upkeep();
	RETURN jsonb_build_object('run', true, 'runners', coalesce(_sluice.setting('runners')::integer, w.runners), 'pollers', polls,
		'idle_ms', _sluice.setting('idle_ms')::integer, 'settled', _sluice.settled(w));
END
$$;
COMMENT ON FUNCTION _sluice.worker_beat(jsonb) IS 'Worker: still there; renews leases and says which sources to poll';

CREATE FUNCTION _sluice.lease_drop(worker_id bigint, pid integer) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.batch b SET lease_worker = NULL, lease_pid = NULL, lease_until = NULL, generation = b.generation + 1
	WHERE b.lease_worker = $1 AND ($2 IS NULL OR b.lease_pid = $2)
$$;
COMMENT ON FUNCTION _sluice.lease_drop(bigint, integer) IS 'Gives back the batches of a worker or of one child, and fences it';

CREATE FUNCTION _sluice.worker_end(worker_id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.worker x SET stopped_at = clock_timestamp() WHERE x.worker_id = $1 AND x.stopped_at IS NULL;
	SELECT _sluice.lease_drop($1, NULL);
	UPDATE _sluice.source_state x SET lease_worker = NULL, lease_until = NULL, generation = x.generation + 1 WHERE x.lease_worker = $1;
	SELECT _sluice.wake()
$$;
COMMENT ON FUNCTION _sluice.worker_end(bigint) IS 'A worker is gone: every lease of it is free, and what it still sends is fenced';

CREATE FUNCTION _sluice.worker_stop(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM _sluice.worker_end((arg ->> 'worker_id')::bigint);
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.worker_stop(jsonb) IS 'Worker: ends; releases every lease';

CREATE FUNCTION _sluice.child_gone(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM _sluice.lease_drop((arg ->> 'worker_id')::bigint, (arg ->> 'pid')::integer);
	PERFORM _sluice.wake();
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.child_gone(jsonb) IS 'Worker: a child ended; its batches are free at once';

CREATE FUNCTION _sluice.worker_config() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object(
		'sources', (SELECT coalesce(jsonb_agg(_sluice.source_doc(s) ORDER BY s.name), '[]') FROM _sluice.source s WHERE s.wanted = 'run'),
		'targets', (SELECT coalesce(jsonb_agg(_sluice.target_doc(t) ORDER BY t.name), '[]') FROM _sluice.target t WHERE t.wanted = 'run'))
$$;
COMMENT ON FUNCTION _sluice.worker_config() IS 'Worker: all sources and targets, for --check-config';
