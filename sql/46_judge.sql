-- What a poll's answer means for each table: lost, gone, moved to another capture instance, fenced, exact or not.

CREATE FUNCTION _sluice.instance_move(t _sluice.tab, version integer, at _sluice.pos) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.tab x SET version = v.version, instance = v.instance, instance_object_id = v.instance_object_id, next_version = NULL,
		-- What was probed until now is the other instance, which logs no update of a column it lacks; one log has all of them.
		position = greatest(x.position, $3)::_sluice.pos, probed_since = CASE WHEN _sluice.is_log(x.source_id) THEN x.probed_since ELSE clock_timestamp() END
	FROM _sluice.schema_version v WHERE x.table_id = $1.table_id AND v.table_id = $1.table_id AND v.version = $2;
	SELECT _sluice.event_add('info', 'instance', $1.source_id, $1.target_id, $1.table_id,
		format('%s is read from %s as of schema version %s', $1.name, v.instance, v.version))
	FROM _sluice.schema_version v WHERE v.table_id = $1.table_id AND v.version = $2;
$$;
COMMENT ON FUNCTION _sluice.instance_move(_sluice.tab, integer, _sluice.pos) IS 'From now on a table is read from another capture instance';

CREATE FUNCTION _sluice.instance_missing(t _sluice.tab, from_pos _sluice.pos) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c _sluice.capture_instance;
BEGIN
	SELECT * INTO c FROM _sluice.capture_instance x WHERE x.source_id = t.source_id AND x.source_object_id = t.source_object_id
		AND x.start_before <= from_pos ORDER BY x.start DESC LIMIT 1;
	IF FOUND AND c.columns IS NULL THEN
		RETURN;  -- discovery was asked for and comes first
	ELSIF FOUND AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id) THEN
		PERFORM _sluice.instance_move(t, _sluice.version_make(t, c, from_pos, (_sluice.version_now(t)).columns), c.start_before);
	ELSIF FOUND THEN
		UPDATE _sluice.source_state x SET instances_md5 = NULL WHERE x.source_id = t.source_id;  -- after the batch in hand: judge again
	ELSE
		PERFORM _sluice.trouble_set(t.table_id, 'gone', 'SL012', format('capture instance %s of %s is gone', t.instance, t.name),
			CASE WHEN _sluice.is_log(t.source_id) THEN _sluice.resync_hint(t.name) ELSE format('SELECT sluice.cdc_script(%L, %L); enables it again, then %s', split_part(t.name, '.', 1),
				t.schema_name || '.' || t.table_name, _sluice.resync_hint(t.name)) END);
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.instance_missing(_sluice.tab, _sluice.pos) IS 'A table''s capture instance vanished: another one that reaches back far enough takes over, else the table is gone';

CREATE FUNCTION _sluice.instances_judge(x _sluice.source_state) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	bad record;
BEGIN
	FOR bad IN
		SELECT t AS tab, w.low, c.start_before, c.object_id IS NOT DISTINCT FROM t.instance_object_id AS there
		FROM _sluice.tab t LEFT JOIN _sluice.capture_instance c ON c.source_id = t.source_id AND c.instance = t.instance
		CROSS JOIN LATERAL (SELECT _sluice.table_low(t, $1.position, $1.cut_began_at) AS low) w
		WHERE t.source_id = $1.source_id AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND coalesce(t.trouble, 'error') = 'error'
			AND (c.object_id IS DISTINCT FROM t.instance_object_id OR c.start_before > w.low)
	LOOP
		IF bad.there THEN
			PERFORM _sluice.trouble_set((bad.tab).table_id, 'lost', 'SL011', format('changes of %s above %s were cleaned up before they were read (the source keeps them from %s)',
				(bad.tab).name, bad.low, bad.start_before), _sluice.resync_hint((bad.tab).name));
		ELSE
			PERFORM _sluice.instance_missing(bad.tab, bad.low);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.instances_judge(_sluice.source_state) IS 'Finds tables that retention overtook or whose capture instance vanished';

CREATE FUNCTION _sluice.instances_follow(source_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found record;
BEGIN
	FOR found IN
		SELECT t AS tab, n AS instance, v.columns FROM _sluice.tab t
		JOIN _sluice.capture_instance c ON c.source_id = t.source_id AND c.instance = t.instance
		JOIN _sluice.capture_instance n ON n.source_id = t.source_id AND n.source_object_id = t.source_object_id AND n.start > c.start
		JOIN _sluice.schema_version v ON v.table_id = t.table_id AND v.version = t.version
		WHERE t.source_id = $1 AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND t.next_version IS NULL AND t.trouble IS NULL
			AND n.columns IS NOT NULL AND coalesce(n.readable, true)
			AND _sluice.columns_type(_sluice.columns_build(t, n)) <> _sluice.columns_type(v.columns, t)
	LOOP
		-- Rows already read from behind its start lack its columns: only reading the table again can give them.
		IF (found.tab).phase = 'loading' OR (found.tab).position > (found.instance).start_before THEN
			PERFORM _sluice.epoch_ask(found.tab, format('capture instance %s has other columns and began before what was read so far', (found.instance).instance));
			CONTINUE;
		END IF;
		UPDATE _sluice.tab x SET next_version = _sluice.version_make(found.tab, found.instance, (found.instance).start_before, found.columns), notice = NULL, notice_hint = NULL
		WHERE x.table_id = (found.tab).table_id;
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.instances_follow(bigint) IS 'A newer capture instance with other columns becomes a table''s next schema version, or a new epoch where rows behind its start were read without them';

CREATE FUNCTION _sluice.instances_switch(source_id bigint, cut _sluice.pos, cut_began_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found record;
BEGIN
	FOR found IN
		SELECT t AS tab, v.version, v.valid_from AS at
		FROM _sluice.tab t JOIN _sluice.schema_version v ON v.table_id = t.table_id AND v.version = t.next_version
		WHERE t.source_id = $1 AND t.phase = 'streaming' AND t.trouble IS NULL
			AND _sluice.table_low(t, $2, $3) >= v.valid_from
			AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id)
	LOOP
		PERFORM _sluice.instance_move(found.tab, found.version, found.at);
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.instances_switch(bigint, _sluice.pos, timestamptz) IS 'Tables move to their next capture instance exactly at its start';

CREATE FUNCTION _sluice.fence_note(source_id bigint, answer jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	scan record;
BEGIN
	UPDATE _sluice.tab x SET fence_position = f.position, load_high = CASE WHEN x.load_exact THEN x.load_high ELSE coalesce(x.load_high, f.position::_sluice.pos) END
	FROM jsonb_to_recordset(coalesce(answer -> 'fences', '[]')) f(table_id bigint, position text)
	WHERE x.source_id = $1 AND x.table_id = f.table_id AND x.phase = 'loading' AND x.fence_clock IS NOT NULL AND x.fence_position IS NULL AND f.position IS NOT NULL;
	-- The clock counts only if it was read after the last chunk: in a poll that began after its commit.
	UPDATE _sluice.tab x SET fence_clock = s.clock, fence_after = s.position FROM _sluice.source_state s
	WHERE x.source_id = $1 AND s.source_id = $1 AND x.phase = 'loading' AND x.fence_clock IS NULL AND x.load_done_at < s.poll_began_at AND s.clock IS NOT NULL;
	FOR scan IN
		SELECT x AS tab, (q ->> 'quiet')::boolean AS quiet FROM jsonb_array_elements(coalesce(answer -> 'quiet', '[]')) q JOIN _sluice.tab x ON x.table_id = (q ->> 'table_id')::bigint
		WHERE x.source_id = $1 AND x.phase = 'loading' AND NOT x.load_exact AND q ->> 'quiet' IS NOT NULL
	LOOP
		PERFORM _sluice.scan_judge(scan.tab, scan.quiet);
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.fence_note(bigint, jsonb) IS 'Loaded tables: the source''s clock after the load, the position behind it, and whether a scan without key is exact';

CREATE FUNCTION _sluice.scan_judge(t _sluice.tab, quiet boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	policy text := coalesce(t.options ->> 'keyless', 'error');
	-- A lock keeps the table still during the scan, not between L1 and the lock: its scans are judged like the others.
	tries integer := _sluice.setting('keyless_tries')::integer * CASE policy WHEN 'lock' THEN 2 ELSE 1 END;
BEGIN
	IF quiet THEN
		UPDATE _sluice.tab x SET load_exact = true, load_low = greatest(x.load_low, x.load_high)::_sluice.pos WHERE x.table_id = t.table_id;
	ELSIF t.scans + 1 < tries THEN
		PERFORM _sluice.table_reset(t, t.job_id, t.scans + 1);
	ELSIF policy = 'append' THEN
		UPDATE _sluice.tab x SET load_exact = true, notice = 'inexact: rows that changed during the scan may stand twice',
			notice_hint = 'Give the table a key, or keyless => lock, then resync it.' WHERE x.table_id = t.table_id;
	ELSE
		PERFORM _sluice.trouble_set(t.table_id, 'error', 'SL013', format('%s has no key and changed during each of %s scans', t.name, t.scans + 1),
			format('SELECT sluice.alter_table(%L, options => ''{"keyless": "lock"}''); takes a short shared lock, "append" lands it inexact; then %s', t.name, _sluice.resync_hint(t.name)));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.scan_judge(_sluice.tab, boolean) IS 'A scan without key is exact when nothing changed meanwhile; else it is made again, then the keyless policy decides';

CREATE FUNCTION _sluice.ddl_note(source_id bigint, ddl jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	d record;
BEGIN
	FOR d IN
		SELECT r.*, t.table_id, t.target_id, t.name FROM jsonb_to_recordset(ddl) r(source_object_id bigint, lsn text, "time" text, command text)
		LEFT JOIN _sluice.tab t ON t.source_id = $1 AND t.source_object_id = r.source_object_id AND t.wanted <> 'dropped'
		ORDER BY r.lsn
	LOOP
		IF d.table_id IS NOT NULL THEN
			PERFORM _sluice.event_add('warning', 'ddl', $1, d.target_id, d.table_id, format('%s was altered: %s', d.name, left(d.command, 500)),
				jsonb_build_object('lsn', d.lsn, 'time', d."time"));
		END IF;
		UPDATE _sluice.source_state x SET ddl_after = greatest(x.ddl_after, d.lsn::_sluice.pos)::_sluice.pos, discover_asked_at = clock_timestamp() WHERE x.source_id = $1;
	END LOOP;
END
$$;
COMMENT ON FUNCTION _sluice.ddl_note(bigint, jsonb) IS 'Schema changes at the source become events, and ask for discovery';

CREATE FUNCTION _sluice.cut_store(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x _sluice.source_state := _sluice.poll_lock(arg);
	answer jsonb := arg -> 'answer';
	log boolean := _sluice.is_log(x.source_id);
	reason text;
	moved boolean;
BEGIN
	reason := CASE WHEN x.state <> 'rewound' THEN _sluice.cut_rewound(x, answer) END;
	IF reason IS NOT NULL THEN
		PERFORM _sluice.source_rewound(x, reason);
	END IF;
	PERFORM _sluice.cut_save(x, answer);
	IF reason IS NOT NULL OR x.state = 'rewound' THEN
		RETURN jsonb_build_object('planned', 0);
	END IF;
	-- Followed before changes are noted: a table's position never passes the start of its next instance or shape.
	IF log THEN
		moved := _sluice.log_store(x, answer);
	ELSE
		moved := _sluice.instances_store(x.source_id, coalesce(answer -> 'instances', '[]'));
		PERFORM _sluice.instances_follow(x.source_id) WHERE moved;
	END IF;
	PERFORM _sluice.pending_note(x, coalesce(answer -> 'newest', '[]'),
		coalesce((answer ->> 'source_time')::timestamptz, clock_timestamp()));
	PERFORM _sluice.probes_note(x, coalesce(answer -> 'failed', '[]'));
	IF moved THEN
		-- Only a low-water mark that moves can overtake a table, only a new instance can be followed.
		-- One log is scanned without a gap up to the new cut, whatever was purged behind the scan, unless the answer says that there is one.
		PERFORM _sluice.instances_judge(CASE WHEN log AND NOT coalesce((answer ->> 'lost')::boolean, false) THEN y ELSE x END) FROM _sluice.source_state y WHERE y.source_id = x.source_id;
	END IF;
	PERFORM _sluice.instances_switch(x.source_id, coalesce((answer ->> 'position')::_sluice.pos, x.position), x.poll_began_at) WHERE NOT log;
	PERFORM _sluice.shapes_follow(x.source_id) WHERE log;
	PERFORM _sluice.fence_note(x.source_id, answer);
	PERFORM CASE WHEN log THEN _sluice.log_ddl(x.source_id, coalesce(answer -> 'ddl', '[]')) ELSE _sluice.ddl_note(x.source_id, coalesce(answer -> 'ddl', '[]')) END;
	RETURN jsonb_build_object('planned', _sluice.plan(x.source_id));
END
$$;
COMMENT ON FUNCTION _sluice.cut_store(jsonb) IS 'Poller: stores what a poll found and plans';

CREATE FUNCTION _sluice.range_store(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x _sluice.source_state := _sluice.poll_lock(arg);
	t _sluice.tab;
	high jsonb := nullif(arg -> 'to', 'null');
BEGIN
	SELECT * INTO t FROM _sluice.tab y WHERE y.table_id = (arg ->> 'table_id')::bigint AND y.source_id = x.source_id FOR UPDATE;
	IF NOT FOUND OR t.phase <> 'loading' OR NOT t.load_open OR t.job_id <> (arg ->> 'job_id')::bigint OR t.load_range <> (arg ->> 'range')::integer THEN
		RETURN jsonb_build_object('planned', 0);  -- asked before the table was paused, dropped or began anew
	END IF;
	PERFORM _sluice.range_add(t, t.load_range, t.load_from, high, NULL);
	UPDATE _sluice.tab y SET load_range = y.load_range + 1, load_from = high, load_open = high IS NOT NULL WHERE y.table_id = t.table_id;
	PERFORM _sluice.wake();
	RETURN jsonb_build_object('planned', 1);
END
$$;
COMMENT ON FUNCTION _sluice.range_store(jsonb) IS 'Poller: a load range ends here; null: it is the last one';

CREATE FUNCTION _sluice.pause_after(fails integer) RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT least(_sluice.seconds('retry_base_seconds') * (2 ^ least($1, 20)), _sluice.seconds('retry_cap_seconds')) $$;
COMMENT ON FUNCTION _sluice.pause_after(integer) IS 'How long to wait after so many failures in a row';

CREATE FUNCTION _sluice.source_fail(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x _sluice.source_state := _sluice.poll_lock(arg);
	now_state text := CASE WHEN arg ->> 'kind' = 'permanent' THEN 'error' ELSE 'retrying' END;
BEGIN
	IF _sluice.is_log(x.source_id) AND x.state <> 'rewound' AND arg ->> 'kind' IN ('rewound', 'lost') THEN
		-- The server itself says that its log does not go on from our cut.
		PERFORM CASE arg ->> 'kind' WHEN 'rewound' THEN _sluice.source_rewound(x, left(arg ->> 'message', 2000)) ELSE _sluice.log_lost(x, left(arg ->> 'message', 1000)) END;
	ELSIF x.state <> 'rewound' THEN
		UPDATE _sluice.source_state y SET state = now_state, code = arg ->> 'code', message = left(arg ->> 'message', 2000),
			hint = coalesce(left(arg ->> 'hint', 2000), 'SELECT * FROM sluice.check_source(''' || s.name || ''');')
		FROM _sluice.source s WHERE y.source_id = x.source_id AND s.source_id = x.source_id;
	END IF;
	-- Who asked or altered the source while this poll ran gets a poll of their own at once.
	UPDATE _sluice.source_state y SET fail_count = y.fail_count + 1,
		next_poll_at = CASE WHEN greatest(y.check_asked_at, y.discover_asked_at) > y.poll_began_at THEN NULL ELSE clock_timestamp() + _sluice.pause_after(y.fail_count) END
	WHERE y.source_id = x.source_id;
	UPDATE _sluice.job j SET state = 'failed', ended_at = clock_timestamp(), message = coalesce(left(arg ->> 'message', 2000), 'failed')
	WHERE now_state = 'error' AND j.kind = 'refresh' AND j.source_id = x.source_id AND j.ended_at IS NULL AND j.asked_at <= x.poll_began_at;
	IF (x.state, x.message) IS DISTINCT FROM (now_state, arg ->> 'message') THEN
		PERFORM _sluice.event_add(CASE now_state WHEN 'error' THEN 'error' ELSE 'warning' END, 'source', x.source_id, NULL, NULL,
			coalesce(left(arg ->> 'message', 2000), 'failed'), arg - 'worker_id' - 'generation' - 'source_id' - 'message');
	END IF;
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.source_fail(jsonb) IS 'Poller: the source could not be asked; tried again after a growing pause, and where waiting does not help whoever waits is told';

CREATE FUNCTION _sluice.target_judge(target_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	g _sluice.target;
	seen boolean;
BEGIN
	-- A step that was skipped proves nothing: then the last judgement stays.
	SELECT bool_or(NOT (c.step ->> 'ok')::boolean) INTO seen FROM _sluice.check_step c
	WHERE c.target_id = $1 AND c.step ->> 'check' IN ('conditional put', 'conditional complete') AND NOT coalesce((c.step ->> 'skipped')::boolean, false);
	SELECT * INTO g FROM _sluice.target x WHERE x.target_id = $1 AND x.wanted <> 'dropped';
	UPDATE _sluice.target_state x SET overwrites = seen WHERE x.target_id = $1 AND x.overwrites <> seen;
	IF FOUND AND g.target_id IS NOT NULL THEN
		PERFORM _sluice.event_add(CASE WHEN seen THEN 'error' ELSE 'info' END, 'target', NULL, $1, NULL,
			format(CASE WHEN seen THEN 'target %s does not refuse to overwrite objects' ELSE 'target %s refuses to overwrite objects again' END, g.name));
		PERFORM _sluice.wake();
	END IF;
	IF EXISTS (SELECT FROM _sluice.target_refused r WHERE r.target_id = $1) AND g.target_id IS NOT NULL THEN
		-- The step may have failed for a reason that passes: it is looked at again until it holds.
		INSERT INTO _sluice.batch (work, target_id, oldest_at, retry_at)
		VALUES ('check', $1, clock_timestamp(), clock_timestamp() + _sluice.seconds('retry_cap_seconds')) ON CONFLICT DO NOTHING;
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.target_judge(bigint) IS 'What the last check tells of conditional writes is kept; a target without them is checked again later';

CREATE FUNCTION _sluice.check_store(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.worker := _sluice.worker_alive(arg);
	source bigint := (arg ->> 'source_id')::bigint;
	target bigint := CASE WHEN arg ->> 'source_id' IS NULL THEN (arg ->> 'target_id')::bigint END;
BEGIN
	DELETE FROM _sluice.check_step c WHERE c.source_id = source OR c.target_id = target;
	INSERT INTO _sluice.check_step (source_id, target_id, n, step, checked_at)
	SELECT source, target, e.ordinality, e.value, clock_timestamp() FROM jsonb_array_elements(coalesce(arg -> 'steps', '[]')) WITH ORDINALITY e;
	UPDATE _sluice.source_state x SET checked_at = clock_timestamp() WHERE x.source_id = source;
	UPDATE _sluice.target_state x SET checked_at = clock_timestamp() WHERE x.target_id = target;
	DELETE FROM _sluice.batch b WHERE b.work = 'check' AND b.target_id = target AND b.lease_worker = w.worker_id;
	PERFORM _sluice.target_judge(target) WHERE target IS NOT NULL;
	UPDATE _sluice.job j SET state = 'done', ended_at = clock_timestamp()
	WHERE j.kind = 'refresh' AND j.ended_at IS NULL AND (j.target_id = target OR (j.source_id = source
		AND EXISTS (SELECT FROM _sluice.source_state x WHERE x.source_id = source AND x.discovered_at >= j.asked_at)));
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.check_store(jsonb) IS 'Worker: what the doctor found, step by step';
