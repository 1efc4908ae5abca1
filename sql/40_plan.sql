-- Planning: from what is wanted and what a poll found to batches. Small steps, each over all tables of a source at once.

CREATE FUNCTION _sluice.batch_end(ids bigint[], state text, commit_no bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.batch_log (day, batch_id, work, source_id, target_id, table_id, epoch, incarnation, version, from_pos, to_pos, fence,
		job_id, range_no, state, commit_no, files, rows, bytes, planned_at)
	SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date, b.batch_id, b.work, b.source_id, b.target_id, b.table_id, b.epoch, b.incarnation, b.version,
		b.from_pos, b.to_pos, b.fence, b.job_id, b.range_no, $2, $3, coalesce(f.files, 0), coalesce(f.rows, 0), coalesce(f.bytes, 0), b.planned_at
	FROM _sluice.batch b
	LEFT JOIN LATERAL (SELECT count(*)::integer AS files, sum(x.rows)::bigint AS rows, sum(x.bytes)::bigint AS bytes
		FROM _sluice.file x WHERE $2 <> 'abandoned' AND b.day IS NOT NULL AND x.day = b.day AND x.table_id = b.table_id AND x.batch_id = b.batch_id) f ON true
	WHERE b.batch_id = ANY ($1) AND b.source_id IS NOT NULL;
	DELETE FROM _sluice.batch b WHERE b.batch_id = ANY ($1);
$$;
COMMENT ON FUNCTION _sluice.batch_end(bigint[], text, bigint) IS 'Moves ended batches into the ledger';

CREATE FUNCTION _sluice.batch_abandon(ids bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	-- Objects may stand under a sealed key: they are kept in the ledger as orphans, never forgotten.
	INSERT INTO _sluice.file (day, target_id, key, source_id, table_id, batch_id, work, epoch, incarnation, version, file_no, attempt, first, last, rows, bytes, state)
	SELECT DISTINCT ON (s.key) b.day, b.target_id, s.key, b.source_id, b.table_id, b.batch_id, b.work, b.epoch, b.incarnation, b.version, s.file_no, s.attempt,
		s.first, s.last, s.rows, s.bytes, 'orphan'
	FROM _sluice.batch b JOIN _sluice.seal s USING (batch_id)
	WHERE b.batch_id = ANY ($1) ORDER BY s.key, s.sealed_at DESC
	ON CONFLICT DO NOTHING;
	SELECT _sluice.batch_end($1, 'abandoned', NULL);
$$;
COMMENT ON FUNCTION _sluice.batch_abandon(bigint[]) IS 'Ends batches that will never be committed';

CREATE FUNCTION _sluice.dropped_abandon() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	-- What is sealed is still finished, unless its table stopped: nobody can let a dropped one go on.
	SELECT _sluice.batch_abandon(array_agg(d.batch_id)) FROM (
		SELECT b.batch_id FROM _sluice.batch b JOIN _sluice.tab t USING (table_id)
		WHERE t.wanted = 'dropped' AND b.lease_worker IS NULL AND b.commit_no IS NULL AND (b.state = 'planned' OR t.trouble IS NOT NULL)
		ORDER BY b.batch_id FOR UPDATE OF b SKIP LOCKED) d
	HAVING count(*) > 0
$$;
COMMENT ON FUNCTION _sluice.dropped_abandon() IS 'Ends the batches of dropped tables that nobody will take: a purge of their files waits for it';

CREATE FUNCTION _sluice.table_reset(t _sluice.tab, job bigint, scan integer DEFAULT 0) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- What a runner holds, or what stands sealed in the bucket, is finished first; a table in trouble gives it up.
	IF EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id AND (b.commit_no IS NOT NULL
			OR b.lease_until >= clock_timestamp() OR (b.state <> 'planned' AND t.trouble IS NULL AND scan = 0))) THEN
		RETURN false;
	END IF;
	PERFORM _sluice.batch_abandon(array_agg(b.batch_id)) FROM _sluice.batch b WHERE b.table_id = t.table_id HAVING count(*) > 0;
	UPDATE _sluice.tab x SET phase = 'registered', reset_at = clock_timestamp(), trouble = NULL, code = NULL, message = NULL, hint = NULL, retry_at = NULL, fail_count = 0,
		job_id = job, newest = NULL, pending_since = NULL, next_version = NULL, load_range = 0, load_from = NULL, load_open = false,
		load_low = NULL, load_high = NULL, load_exact = true, load_done_at = NULL, fence_clock = NULL, fence_after = NULL, fence_position = NULL, scans = scan
	WHERE x.table_id = t.table_id;
	-- The table may have been made again at the source, under another object id.
	UPDATE _sluice.source_state x SET discover_asked_at = clock_timestamp() WHERE x.source_id = t.source_id;
	RETURN true;
END
$$;
COMMENT ON FUNCTION _sluice.table_reset(_sluice.tab, bigint, integer) IS 'Back to registered, for a new epoch; false while something must be finished first';

CREATE FUNCTION _sluice.epoch_ask(t _sluice.tab, reason text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job bigint;
BEGIN
	INSERT INTO _sluice.job (kind, source_id, target_id, table_id, mode, reason, who)
	VALUES ('resync', t.source_id, t.target_id, t.table_id, 'full', reason, 'sluice')
	ON CONFLICT DO NOTHING RETURNING job_id INTO job;
	IF job IS NOT NULL THEN
		PERFORM _sluice.event_add('warning', 'epoch', t.source_id, t.target_id, t.table_id, format('%s goes into a new epoch: %s', t.name, reason));
	END IF;
	RETURN job;
END
$$;
COMMENT ON FUNCTION _sluice.epoch_ask(_sluice.tab, text) IS 'sluice itself asks for a new epoch of a table';

CREATE FUNCTION _sluice.plan_resync(source_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	j _sluice.job;
	t _sluice.tab;
BEGIN
	FOR j IN SELECT * FROM _sluice.job x WHERE x.source_id = $1 AND x.kind = 'resync' AND x.state = 'asked' ORDER BY x.job_id LOOP
		SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = j.table_id FOR UPDATE;
		CONTINUE WHEN t.wanted <> 'run';
		-- The job whose load this one replaces ends here.
		IF _sluice.table_reset(t, j.job_id) THEN
			UPDATE _sluice.job x SET state = 'canceled', ended_at = clock_timestamp(), message = format('replaced by job %s', j.job_id)
			WHERE x.table_id = j.table_id AND x.ended_at IS NULL AND x.job_id <> j.job_id AND x.kind IN ('load', 'resync');
			UPDATE _sluice.job x SET state = 'running', started_at = clock_timestamp() WHERE x.job_id = j.job_id;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.plan_resync(bigint) IS 'Resyncs that were asked for begin, between batches';

CREATE FUNCTION _sluice.shape_fresh(t _sluice.tab, c _sluice.capture_instance) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- The stream begins where the shape does, so the shape is as young as the table's last reset; a load's L is the cut or later.
	SELECT $2.mark IS NULL OR coalesce(x.discovered_at >= $1.reset_at AND $2.start <= x.position AND $2.start_before = $2.start, false)
	FROM _sluice.source_state x WHERE x.source_id = $1.source_id
$$;
COMMENT ON FUNCTION _sluice.shape_fresh(_sluice.tab, _sluice.capture_instance) IS 'May an epoch begin with this shape? A capture instance always may';

CREATE FUNCTION _sluice.plan_epoch(source_id bigint) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab;
	c _sluice.capture_instance;
	job bigint;
	planned integer := 0;
BEGIN
	FOR t IN
		SELECT * FROM _sluice.tab x WHERE x.source_id = $1 AND x.wanted = 'run' AND x.phase = 'registered' AND x.trouble IS NULL
			AND x.source_object_id IS NOT NULL AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = x.table_id)
		ORDER BY x.table_id FOR UPDATE
	LOOP
		c := _sluice.instance_newest(t.source_id, t.source_object_id);
		CONTINUE WHEN c.instance IS NULL OR NOT _sluice.shape_fresh(t, c);
		job := t.job_id;
		IF NOT EXISTS (SELECT FROM _sluice.job j WHERE j.job_id = job AND j.ended_at IS NULL) THEN
			INSERT INTO _sluice.job (kind, source_id, target_id, table_id, mode, who, state, started_at)
			VALUES ('load', t.source_id, t.target_id, t.table_id, 'full', t.added_by, 'running', clock_timestamp()) RETURNING job_id INTO job;
		END IF;
		UPDATE _sluice.tab x SET job_id = job, instance = c.instance, instance_object_id = c.object_id, version = _sluice.version_make(t, c, c.start_before)
		WHERE x.table_id = t.table_id;
		INSERT INTO _sluice.batch (work, source_id, target_id, table_id, epoch, incarnation, version, job_id, oldest_at)
		SELECT 'epoch', x.source_id, x.target_id, x.table_id, x.epoch, s.incarnation, x.version, x.job_id, x.added_at
		FROM _sluice.tab x JOIN _sluice.source s USING (source_id) WHERE x.table_id = t.table_id;
		planned := planned + 1;
	END LOOP;
	RETURN planned;
END
$$;
COMMENT ON FUNCTION _sluice.plan_epoch(bigint) IS 'Tables without epoch get a batch that claims one in the bucket';

CREATE FUNCTION _sluice.table_path(t _sluice.tab) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT _sluice.prefix(g.options) || CASE WHEN _sluice.lands_as_dms($1) THEN _sluice.dms_folder($1.schema_name, $1.table_name) ELSE s.path_part || '/' || $1.path_part END
	FROM _sluice.source s, _sluice.target g WHERE s.source_id = $1.source_id AND g.target_id = $1.target_id
$$;
COMMENT ON FUNCTION _sluice.table_path(_sluice.tab) IS 'The folder of a table';

CREATE FUNCTION _sluice.batch_format(options jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('format', $1 -> 'format', 'compression', $1 -> 'compression', 'level', $1 -> 'compression_level', 'profile', $1 -> 'profile',
		'options', (SELECT coalesce(jsonb_object_agg(o.name, $1 -> o.name), '{}') FROM _sluice.option o
			WHERE o.scope = 'table' AND o.only_for && ARRAY[$1 ->> 'format', $1 ->> 'profile'] AND $1 ? o.name))
$$;
COMMENT ON FUNCTION _sluice.batch_format(jsonb) IS 'The format a batch copies from its table''s options';

CREATE FUNCTION _sluice.range_add(t _sluice.tab, range_no integer, low jsonb, high jsonb, keyless text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.batch (work, source_id, target_id, table_id, epoch, incarnation, version, job_id, range_no, keys, keyless, stem, day, hour,
		format, target_file_bytes, max_value_bytes, lob, retention, oldest_at)
	SELECT 'load', $1.source_id, $1.target_id, $1.table_id, $1.epoch, $1.incarnation, $1.version, $1.job_id, $2,
		CASE WHEN v.key <> '[]' THEN jsonb_build_object('columns', v.key, 'from', coalesce($3, 'null'), 'to', coalesce($4, 'null')) END, $5,
		lpad($1.job_id::text, 12, '0') || '-' || lpad($2::text, 8, '0'), (now.utc)::date, extract(hour FROM now.utc)::integer,
		_sluice.batch_format(o.full), (o.full ->> 'target_file_bytes')::bigint, (o.full ->> 'max_value_bytes')::bigint, o.full ->> 'lob', $1.position,
		clock_timestamp()
	FROM _sluice.schema_version v, (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS utc) now, (SELECT _sluice.options_full('table', $1.options) AS full) o
	WHERE v.table_id = $1.table_id AND v.version = $1.version
$$;
COMMENT ON FUNCTION _sluice.range_add(_sluice.tab, integer, jsonb, jsonb, text) IS 'Plans one load range';

CREATE FUNCTION _sluice.load_plan(t _sluice.tab) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	many boolean;
	scan text;
BEGIN
	SELECT s.rows > (_sluice.options_full('table', t.options) ->> 'load_range_rows')::bigint AND v.key <> '[]' INTO many
	FROM _sluice.schema_version v LEFT JOIN _sluice.source_table s ON s.source_id = t.source_id AND s.object_id = v.source_object_id
	WHERE v.table_id = t.table_id AND v.version = t.version;
	IF coalesce(many, false) THEN
		-- The poller asks the source where the first ranges end.
		UPDATE _sluice.tab x SET load_open = true, load_range = 0, load_from = NULL WHERE x.table_id = t.table_id;
		RETURN;
	END IF;
	IF _sluice.keyless(t) THEN
		scan := CASE WHEN t.scans >= _sluice.setting('keyless_tries')::integer AND t.options ->> 'keyless' = 'lock' THEN 'lock' ELSE 'scan' END;
	END IF;
	PERFORM _sluice.range_add(t, 0, NULL, NULL, scan);
	UPDATE _sluice.tab x SET load_range = 1, load_open = false WHERE x.table_id = t.table_id;
END
$$;
COMMENT ON FUNCTION _sluice.load_plan(_sluice.tab) IS 'Plans a load: one range, or ranges as the poller finds their ends';

CREATE FUNCTION _sluice.plan_fence(source_id bigint) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	planned integer;
BEGIN
	-- While a load is open, a value the log leaves out may have no earlier version that holds it: it is read again by key.
	INSERT INTO _sluice.batch (work, source_id, target_id, table_id, epoch, incarnation, version, from_pos, to_pos, fence, stem,
		format, target_file_bytes, max_value_bytes, lob, retention, oldest_at, cut_time)
	SELECT 'cdc', t.source_id, t.target_id, t.table_id, t.epoch, t.incarnation, t.version, w.low, t.fence_position, true,
		lpad(to_hex(t.incarnation), 4, '0') || w.low, _sluice.batch_format(o.full), (o.full ->> 'target_file_bytes')::bigint,
		(o.full ->> 'max_value_bytes')::bigint, 'reread', c.start_before, t.load_done_at, s.source_time
	FROM _sluice.tab t JOIN _sluice.source_state s USING (source_id)
	JOIN _sluice.capture_instance c ON c.source_id = t.source_id AND c.instance = t.instance
	CROSS JOIN LATERAL (SELECT (SELECT _sluice.options_full('table', '{}')) || _sluice.profile_default(t.options) || t.options AS full OFFSET 0) o
	-- position began at the cut and at the instance's start, and grew by what was streamed while it loaded.
	CROSS JOIN LATERAL (SELECT greatest(t.position, t.load_low)::_sluice.pos AS low) w
	WHERE t.source_id = $1 AND t.wanted = 'run' AND t.phase = 'loading' AND t.trouble IS NULL AND t.fence_position IS NOT NULL
		AND t.load_exact -- a scan without key: proved exact first, or made again
		-- A shape that came meanwhile ends this epoch: its load is made again.
		AND NOT EXISTS (SELECT FROM _sluice.capture_instance a WHERE a.source_id = t.source_id AND a.source_object_id = t.source_object_id AND a.ahead)
		AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id)
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS planned = ROW_COUNT;
	RETURN planned;
END
$$;
COMMENT ON FUNCTION _sluice.plan_fence(bigint) IS 'Loaded tables whose fence is known get the batch that ends their load';

CREATE FUNCTION _sluice.cdc_ready(source_id bigint) RETURNS TABLE (table_id bigint, high _sluice.pos, o jsonb, due boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY WITH ready AS (
		SELECT t.table_id, t.pending_since, s.source_time, l.log, w.high, o.full, n.valid_from <= s.position OR (l.log AND w.high < s.position) AS ends
		FROM _sluice.tab t JOIN _sluice.source_state s USING (source_id)
		LEFT JOIN _sluice.schema_version n ON n.table_id = t.table_id AND n.version = t.next_version
		CROSS JOIN (SELECT _sluice.is_log($1) AS log) l
		CROSS JOIN LATERAL (SELECT (SELECT _sluice.options_full('table', '{}')) || _sluice.profile_default(t.options) || t.options AS full OFFSET 0) o
		CROSS JOIN LATERAL (SELECT least(s.position, n.valid_from, _sluice.instance_limit(t))::_sluice.pos AS high) w
		WHERE t.source_id = $1 AND t.wanted = 'run' AND t.trouble IS NULL AND t.pending_since IS NOT NULL AND t.position < w.high
			-- A change log a table keeps what it has until the load is over; one log for all is not read twice, its changes land during the load.
			AND (t.phase = 'streaming' OR (t.phase = 'loading' AND t.fence_position IS NULL AND NOT _sluice.keyless(t)
				AND (l.log OR s.source_time - t.epoch_at > make_interval(mins => coalesce((s.jobs ->> 'retention_minutes')::integer, 4320)) / 2)))
			AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id AND b.work <> 'load')
	)
	SELECT r.table_id, r.high, r.full, coalesce(r.ends, false) OR r.source_time - CASE WHEN r.log THEN min(r.pending_since) OVER (PARTITION BY r.full ->> 'max_file_age') ELSE r.pending_since END
		>= make_interval(secs => (r.full ->> 'max_file_age')::double precision)
	FROM ready r;
END
$$;
COMMENT ON FUNCTION _sluice.cdc_ready(bigint) IS 'Tables with unread changes that may get a batch, up to where, and whether it is due. Tables of one log that wait equally long are due together: it is read once for them';

CREATE FUNCTION _sluice.plan_cdc(source_id bigint) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	planned integer;
BEGIN
	INSERT INTO _sluice.batch (work, source_id, target_id, table_id, epoch, incarnation, version, from_pos, to_pos, stem,
		format, target_file_bytes, max_value_bytes, lob, retention, oldest_at, cut_time)
	SELECT 'cdc', t.source_id, t.target_id, t.table_id, t.epoch, t.incarnation, t.version, t.position, r.high,
		lpad(to_hex(t.incarnation), 4, '0') || t.position, _sluice.batch_format(r.o), (r.o ->> 'target_file_bytes')::bigint,
		(r.o ->> 'max_value_bytes')::bigint, CASE t.phase WHEN 'loading' THEN 'reread' ELSE r.o ->> 'lob' END, c.start_before, t.pending_since, s.source_time
	FROM _sluice.cdc_ready($1) r JOIN _sluice.tab t USING (table_id) JOIN _sluice.source_state s USING (source_id)
	JOIN _sluice.capture_instance c ON c.source_id = t.source_id AND c.instance = t.instance
	WHERE r.due
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS planned = ROW_COUNT;
	RETURN planned;
END
$$;
COMMENT ON FUNCTION _sluice.plan_cdc(bigint) IS 'Tables whose oldest unread change is old enough get a batch up to the cut';

CREATE FUNCTION _sluice.plan(source_id bigint) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	planned integer;
BEGIN
	IF NOT _sluice.is_here() THEN
		RETURN 0;
	END IF;
	PERFORM _sluice.dropped_abandon();
	PERFORM _sluice.plan_resync($1);
	planned := _sluice.plan_epoch($1) + _sluice.plan_fence($1) + _sluice.plan_cdc($1);
	IF planned > 0 THEN
		PERFORM _sluice.wake();
	END IF;
	RETURN planned;
END
$$;
COMMENT ON FUNCTION _sluice.plan(bigint) IS 'All planning for a source; nothing in a database the registry does not belong to';
