-- Actions: every one is a job; asking twice for the same thing returns the same job.

CREATE FUNCTION _sluice.job_open(t _sluice.tab) RETURNS _sluice.job
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	j _sluice.job;
BEGIN
	IF t.trouble IS NOT NULL THEN
		-- What ran when the table stopped does not go on.
		UPDATE _sluice.job x SET state = 'failed', ended_at = clock_timestamp(), message = t.message
		WHERE x.table_id = t.table_id AND x.ended_at IS NULL AND x.state = 'running' AND x.kind IN ('load', 'resync');
	END IF;
	SELECT * INTO j FROM _sluice.job x WHERE x.table_id = t.table_id AND x.ended_at IS NULL AND x.kind IN ('load', 'resync') ORDER BY x.job_id DESC LIMIT 1;
	RETURN j;
END
$$;
COMMENT ON FUNCTION _sluice.job_open(_sluice.tab) IS 'The load or resync of a table that is asked for or running';

CREATE FUNCTION _sluice.resync_refuse(t _sluice.tab, mode text, keys jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	soon timestamptz;
BEGIN
	IF mode IN ('range', 'keys') THEN
		PERFORM _sluice.fail('0A000', format('resync mode %s is not in this version', mode), _sluice.resync_hint(t.name) || ' reads the whole table again.');
	ELSIF mode IS DISTINCT FROM 'full' THEN
		PERFORM _sluice.fail('22023', format('%L is not a mode of resync', left(mode, 40)), 'This version knows: full.');
	ELSIF keys IS NOT NULL THEN
		PERFORM _sluice.fail('22023', 'keys belong to the modes keys and range, which are not in this version', _sluice.resync_hint(t.name));
	ELSIF t.trouble = 'rewound' OR EXISTS (SELECT FROM _sluice.source_state x WHERE x.source_id = t.source_id AND x.state = 'rewound') THEN
		PERFORM _sluice.fail('55000', format('the source of %s went back in time: all of its tables need a new epoch', t.name),
			format('SELECT * FROM sluice.resync_source(%L);', split_part(t.name, '.', 1)));
	END IF;
	SELECT max(j.asked_at) + _sluice.seconds('resync_min_interval_seconds') INTO soon FROM _sluice.job j WHERE j.table_id = t.table_id AND j.kind = 'resync' AND j.who <> 'sluice' AND j.state <> 'canceled';
	IF soon > clock_timestamp() AND t.trouble IS NULL THEN
		PERFORM _sluice.fail('55000', format('%s was resynced a moment ago', t.name), 'SELECT sluice.alter_setting(''resync_min_interval_seconds'', ''0''); lifts the limit.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.resync_refuse(_sluice.tab, text, jsonb) IS 'Why a resync cannot be asked for';

CREATE FUNCTION sluice.resync_table("table" text, mode text DEFAULT 'full', reason text DEFAULT NULL, request_key text DEFAULT NULL, keys jsonb DEFAULT NULL)
RETURNS TABLE (job bigint, state text, message text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	j _sluice.job;
BEGIN
	SELECT * INTO j FROM _sluice.job x WHERE x.table_id = t.table_id AND x.request_key = $4;
	IF j.job_id IS NULL THEN
		-- The source first, as a poll that is being stored has it.
		PERFORM FROM _sluice.source_state x WHERE x.source_id = t.source_id FOR NO KEY UPDATE;
		SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = t.table_id FOR UPDATE;
		j := _sluice.job_open(t);
	END IF;
	IF j.job_id IS NULL THEN
		PERFORM _sluice.resync_refuse(t, $2, $5);
		INSERT INTO _sluice.job (kind, source_id, target_id, table_id, mode, reason, request_key, who)
		VALUES ('resync', t.source_id, t.target_id, t.table_id, $2, left($3, 1000), left($4, 200), _sluice.caller()) RETURNING * INTO j;
		PERFORM _sluice.event_add('info', 'resync', t.source_id, t.target_id, t.table_id, format('resync of %s asked for by %s', t.name, j.who), jsonb_build_object('job', j.job_id, 'reason', $3));
		UPDATE _sluice.source_state x SET next_poll_at = NULL WHERE x.source_id = t.source_id;
		PERFORM _sluice.wake();
	ELSE
		PERFORM _sluice.resync_refuse(t, $2, $5) WHERE $2 IS DISTINCT FROM 'full' OR $5 IS NOT NULL;
	END IF;
	RETURN QUERY SELECT j.job_id, j.state, coalesce(j.message, CASE WHEN t.wanted = 'paused' THEN format('begins when SELECT sluice.resume_table(%L); lets the table run', t.name)
		WHEN j.state = 'running' THEN format('the %s in hand is the same thing', j.kind) ELSE 'begins between two batches' END);
END
$$;
COMMENT ON FUNCTION sluice.resync_table(text, text, text, text, jsonb) IS 'Reads a table again in a new epoch while its old files stay valid until the new ones are complete; the same request again returns the same job';

CREATE FUNCTION sluice.resync_source(source text, reason text DEFAULT NULL) RETURNS TABLE (table_name text, job bigint, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source := _sluice.source_find($1);
	t _sluice.tab;
BEGIN
	-- A table that is not read again, since it is refused below, has lost what stands between.
	PERFORM _sluice.log_lost(x, format('the log was taken up behind what stopped it: %s', x.message)) FROM _sluice.source_state x
	WHERE x.source_id = s.source_id AND x.state = 'error' AND _sluice.is_log(x.source_id);
	UPDATE _sluice.source_state x SET state = 'new', code = NULL, message = NULL, hint = NULL, position = NULL, mark = NULL, low = NULL, identity = NULL, ddl_after = NULL, instances_md5 = NULL,
		discover_asked_at = clock_timestamp(), next_poll_at = NULL, generation = x.generation + 1
	-- A log that cannot be read on from the cut (its history diverged, a statement stands in it) is taken up at its end.
	WHERE x.source_id = s.source_id AND (x.state = 'rewound' OR (x.state = 'error' AND _sluice.is_log(x.source_id)));
	IF FOUND THEN
		-- Another log stands behind the positions: rows of this one sort above all of the old one.
		UPDATE _sluice.source x SET incarnation = x.incarnation + 1 WHERE x.source_id = s.source_id;
		UPDATE _sluice.capture_instance c SET start = NULL, start_before = NULL, ahead = false WHERE c.source_id = s.source_id;
		DELETE FROM _sluice.log_mark m WHERE m.source_id = s.source_id;
		UPDATE _sluice.tab x SET trouble = 'error', hint = _sluice.resync_hint(x.name) WHERE x.source_id = s.source_id AND x.trouble = 'rewound';
	END IF;
	FOR t IN SELECT * FROM _sluice.tab x WHERE x.source_id = s.source_id AND x.wanted <> 'dropped' ORDER BY x.name LOOP
		BEGIN
			RETURN QUERY SELECT t.name, r.job, r.state FROM sluice.resync_table(t.name, 'full', coalesce($2, 'resync of the source')) r;
		EXCEPTION WHEN object_not_in_prerequisite_state THEN
			RETURN QUERY SELECT t.name, NULL::bigint, 'refused: ' || sqlerrm;
		END;
	END LOOP;
	PERFORM _sluice.wake();
END
$$;
COMMENT ON FUNCTION sluice.resync_source(text, text) IS 'Reads all tables of a source again; after a restore or failover (state rewound), or where a shared log cannot be read on (state error), under a new incarnation';

CREATE FUNCTION sluice.cancel_job(job_id bigint) RETURNS TABLE (job bigint, state text, message text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	j _sluice.job;
BEGIN
	SELECT * INTO j FROM _sluice.job x WHERE x.job_id = $1 AND _sluice.may_see(x.table_id) FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM _sluice.fail('42704', format('there is no job %s', $1), 'SELECT * FROM sluice.job; lists them.');
	ELSIF j.kind IN ('verify', 'purge') AND j.ended_at IS NULL THEN
		-- Whoever walks is fenced by it.
		DELETE FROM _sluice.batch b WHERE b.job_id = $1 AND b.work = j.kind;
		UPDATE _sluice.job x SET state = 'canceled', ended_at = clock_timestamp(), message = format('canceled by %s', _sluice.caller()) WHERE x.job_id = $1 RETURNING * INTO j;
	ELSIF j.state = 'running' THEN
		PERFORM _sluice.fail('55000', format('job %s is running', $1), format('SELECT sluice.pause_table(%L); stops the table between two batches.', (SELECT t.name FROM _sluice.tab t WHERE t.table_id = j.table_id)));
	ELSIF j.state = 'asked' THEN
		UPDATE _sluice.job x SET state = 'canceled', ended_at = clock_timestamp(), message = format('canceled by %s', _sluice.caller()) WHERE x.job_id = $1 RETURNING * INTO j;
	END IF;
	RETURN QUERY SELECT j.job_id, j.state, j.message;
END
$$;
COMMENT ON FUNCTION sluice.cancel_job(bigint) IS 'Takes back a job that has not begun; a verify or purge also midway';

CREATE FUNCTION sluice.take_over() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab;
BEGIN
	IF NOT _sluice.may_see(NULL) THEN
		PERFORM _sluice.fail('42501', 'permission denied', 'Ask a member of sluice_admin.');
	END IF;
	DELETE FROM _sluice.instance;
	INSERT INTO _sluice.instance (database_oid, database_name, made_by, system_identifier, timeline)
	SELECT d.oid, d.datname, _sluice.caller(), i.system_identifier, i.timeline FROM pg_database d, _sluice.server_identity() i WHERE d.datname = current_database();
	UPDATE _sluice.worker x SET stopped_at = clock_timestamp() WHERE x.stopped_at IS NULL;
	UPDATE _sluice.batch b SET lease_worker = NULL, lease_pid = NULL, lease_until = NULL, generation = b.generation + 1;
	INSERT INTO _sluice.source_state (source_id) SELECT s.source_id FROM _sluice.source s ON CONFLICT DO NOTHING;
	INSERT INTO _sluice.target_state (target_id) SELECT x.target_id FROM _sluice.target x ON CONFLICT DO NOTHING;
	UPDATE _sluice.source_state x SET lease_worker = NULL, lease_until = NULL, generation = x.generation + 1, discovered_at = NULL, next_poll_at = NULL;
	-- A dump holds no ledger: there the bucket's manifests are read from the first one, however often that takes a new begin.
	UPDATE _sluice.pair p SET recover = true, manifest_after = coalesce(p.manifest_after,
		CASE WHEN NOT EXISTS (SELECT FROM _sluice.file f WHERE f.source_id = p.source_id AND f.target_id = p.target_id) THEN 0 END);
	-- Nor is work on jobs: a verify or purge that was under way is planned again.
	PERFORM _sluice.walk_open(j.kind, x, j.mode) FROM _sluice.job j JOIN _sluice.tab x USING (table_id) WHERE j.kind IN ('verify', 'purge') AND j.ended_at IS NULL;
	FOR t IN SELECT * FROM _sluice.tab x WHERE x.wanted <> 'dropped' AND x.phase = 'loading'
		AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = x.table_id) AND (x.load_done_at IS NULL OR x.fence_position IS NULL)
	LOOP
		-- Open load ranges are not dumped: the load begins anew.
		PERFORM _sluice.epoch_ask(t, 'the registry was taken over during its load');
	END LOOP;
	PERFORM _sluice.event_add('warning', 'take_over', NULL, NULL, NULL, format('database %s taken over by %s', current_database(), _sluice.caller()));
	PERFORM _sluice.wake();
	RETURN format('database %s plans from now on, after it has recovered what the buckets hold', current_database());
END
$$;
COMMENT ON FUNCTION sluice.take_over() IS 'Makes this database the one that captures: after a restore, a copy or a rename, when the other one is gone for good';
