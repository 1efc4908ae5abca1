-- Calls that wait. They see what other sessions commit, so they refuse a transaction that has written.

CREATE FUNCTION _sluice.wait_refuse(what text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
		PERFORM _sluice.fail('25001', format('%s waits for the worker, which sees what this transaction wrote only after COMMIT', what), format('COMMIT first, then call %s by itself.', what));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.wait_refuse(text) IS 'Refuses to wait in a transaction that has written';

CREATE FUNCTION _sluice.refresh_ask(name text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s _sluice.source;
	t _sluice.target;
	asked bigint;
BEGIN
	SELECT * INTO s FROM _sluice.source x WHERE x.name = $1 AND x.wanted <> 'dropped' AND _sluice.may_see(NULL);
	IF NOT FOUND THEN
		SELECT * INTO t FROM _sluice.target x WHERE x.name = $1 AND x.wanted <> 'dropped' AND _sluice.may_see(NULL);
		IF NOT FOUND AND $1 LIKE '%.%' THEN
			RETURN _sluice.walk_ask(_sluice.table_find($1));
		ELSIF NOT FOUND THEN
			s := _sluice.source_find($1);
		END IF;
	END IF;
	SELECT j.job_id INTO asked FROM _sluice.job j WHERE j.kind = 'refresh' AND j.ended_at IS NULL
		AND (j.source_id = s.source_id OR j.target_id = t.target_id) ORDER BY j.job_id LIMIT 1;
	IF asked IS NULL THEN
		INSERT INTO _sluice.job (kind, source_id, target_id, who, state, started_at)
		VALUES ('refresh', s.source_id, t.target_id, _sluice.caller(), 'running', clock_timestamp()) RETURNING job_id INTO asked;
	END IF;
	UPDATE _sluice.source_state x SET discover_asked_at = clock_timestamp(), check_asked_at = clock_timestamp(), next_poll_at = NULL WHERE x.source_id = s.source_id;
	PERFORM _sluice.target_ask(t.target_id) WHERE t.target_id IS NOT NULL;
	PERFORM _sluice.wake();
	RETURN asked;
END
$$;
COMMENT ON FUNCTION _sluice.refresh_ask(text) IS 'Asks the worker for new facts about a source or target, or whether a table''s files stand';

CREATE FUNCTION _sluice.job_ended(job_id bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce((SELECT j.ended_at IS NOT NULL FROM _sluice.job j WHERE j.job_id = $1 AND _sluice.may_see(j.table_id)), true) $$;
COMMENT ON FUNCTION _sluice.job_ended(bigint) IS 'Has a job ended?';

CREATE FUNCTION _sluice.job_failure(job_id bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT j.message || coalesce(' HINT: ' || coalesce(
		(SELECT x.hint FROM _sluice.source_state x WHERE x.source_id = j.source_id),
		(SELECT format('SELECT * FROM sluice.check_target(%L);', g.name) FROM _sluice.target g WHERE g.target_id = j.target_id)), '')
	FROM _sluice.job j WHERE j.job_id = $1 AND j.state = 'failed' AND _sluice.may_see(j.table_id)
$$;
COMMENT ON FUNCTION _sluice.job_failure(bigint) IS 'Why a refresh failed and what to do about it; NULL where it did not';

CREATE FUNCTION _sluice.refresh_late(name text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(
		(SELECT 'no worker is there. HINT: start sluice-worker; SELECT * FROM sluice.check_install();' WHERE NOT EXISTS (
			SELECT FROM _sluice.worker w WHERE w.stopped_at IS NULL AND w.beat_at > clock_timestamp() - _sluice.seconds('worker_dead_seconds'))),
		(SELECT format('%s HINT: %s', x.message, x.hint) FROM _sluice.source s JOIN _sluice.source_state x USING (source_id)
			WHERE s.name = $1 AND s.wanted = 'run' AND x.message IS NOT NULL AND _sluice.may_see(NULL)),
		'the worker has not answered yet')
$$;
COMMENT ON FUNCTION _sluice.refresh_late(text) IS 'Why a refresh takes long';

-- A procedure that commits can have neither SET nor SECURITY DEFINER; it names everything in full and calls functions that have both.
CREATE PROCEDURE sluice.refresh(name text, timeout_s double precision DEFAULT 60)
LANGUAGE plpgsql
AS $$
DECLARE
	ended boolean;
	failure text;
	job bigint;
	until timestamptz := pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => LEAST(GREATEST(timeout_s, 0), 60));
BEGIN
	PERFORM _sluice.wait_refuse('sluice.refresh');
	job := _sluice.refresh_ask(name);
	COMMIT;  -- fails (2D000) inside a transaction block, where the worker could not see the question
	LOOP
		ended := _sluice.job_ended(job);
		EXIT WHEN ended OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) until;
		COMMIT;
		PERFORM pg_catalog.pg_sleep(0.05);
	END LOOP;
	failure := CASE WHEN ended THEN _sluice.job_failure(job) ELSE _sluice.refresh_late(name) END;
	IF failure IS NOT NULL THEN
		RAISE WARNING '%', failure;
	END IF;
END
$$;
COMMENT ON PROCEDURE sluice.refresh(text, double precision) IS 'Asks for new facts about a source or target (tables, CDC state, rights), or for a verify of a table (one asked for, or its purge, first), and waits for them, at most 60 s a call';

CREATE FUNCTION _sluice.wait_target(t _sluice.tab, as_of timestamptz) RETURNS _sluice.pos
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- The end of one log for all tables was read in the poll itself; an idle log proves the time as a busy one does.
	SELECT x.position FROM _sluice.source_state x WHERE x.source_id = $1.source_id
		AND CASE WHEN _sluice.is_log($1.source_id) THEN x.cut_began_at >= $2 AND x.position >= x.clock ELSE x.tran_end_time >= $2 END
$$;
COMMENT ON FUNCTION _sluice.wait_target(_sluice.tab, timestamptz) IS 'A position that has every commit up to a time, once capture has passed it';

CREATE FUNCTION _sluice.table_at(t _sluice.tab) RETURNS _sluice.pos
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN $1.phase <> 'streaming' OR $1.trouble IS NOT NULL THEN NULL ELSE _sluice.table_low($1, x.position, x.cut_began_at) END
	FROM _sluice.source_state x WHERE x.source_id = $1.source_id
$$;
COMMENT ON FUNCTION _sluice.table_at(_sluice.tab) IS 'How far a streaming table is landed: its position, or the cut where nothing is pending';

CREATE FUNCTION sluice.wait_for("table" text, stage text DEFAULT 'uploaded', as_of timestamptz DEFAULT clock_timestamp(), timeout interval DEFAULT '60 seconds') RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	until timestamptz := clock_timestamp() + least(greatest($4, '0'), '60 seconds');
	reached boolean := false;
	goal _sluice.pos;
BEGIN
	PERFORM _sluice.wait_refuse('sluice.wait_for');
	IF $2 = 'consumed' THEN
		PERFORM _sluice.fail('0A000', 'stage consumed is not in this version', 'Stages: captured, uploaded.');
	ELSIF coalesce($2, '') NOT IN ('captured', 'uploaded') THEN
		PERFORM _sluice.fail('22023', format('%L is not a stage', left($2, 40)), 'Stages: captured, uploaded.');
	ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		PERFORM _sluice.fail('25001', 'sluice.wait_for needs READ COMMITTED: this transaction would never see the change', 'Call it by itself.');
	END IF;
	LOOP
		SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = t.table_id;
		IF t.trouble IS NOT NULL THEN
			PERFORM _sluice.fail('55000', format('%s is %s: %s', t.name, t.trouble, t.message), t.hint);
		ELSIF t.wanted <> 'run' THEN
			PERFORM _sluice.fail('55000', format('%s is %s', t.name, t.wanted), format('SELECT sluice.resume_table(%L);', t.name));
		END IF;
		goal := coalesce(goal, _sluice.wait_target(t, $3));
		reached := coalesce(goal IS NOT NULL AND ($2 = 'captured' OR _sluice.table_at(t) >= goal), false);
		EXIT WHEN reached OR clock_timestamp() >= until;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RETURN reached;
END
$$;
COMMENT ON FUNCTION sluice.wait_for(text, text, timestamptz, interval) IS
'Waits (at most 60 s a call) until every commit of the source up to as_of is captured by the source''s own CDC, or uploaded by sluice; false: not yet. An idle SQL Server proves the passing of time only every 5 minutes or so, MySQL and MariaDB with every poll';
