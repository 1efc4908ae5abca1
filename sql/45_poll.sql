-- The poller: what it asks, and what its answers mean. Contract: worker/control/README.md.

CREATE FUNCTION _sluice.poll_lock(arg jsonb) RETURNS _sluice.source_state
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x _sluice.source_state;
BEGIN
	SELECT * INTO x FROM _sluice.source_state y WHERE y.source_id = (arg ->> 'source_id')::bigint FOR UPDATE;
	IF x.lease_worker IS DISTINCT FROM (arg ->> 'worker_id')::bigint OR x.generation IS DISTINCT FROM (arg ->> 'generation')::bigint THEN
		PERFORM _sluice.fail('SL001', format('the poll lease of source %s is lost', coalesce(arg ->> 'source_id', '?')), 'Another poller has it.');
	END IF;
	RETURN x;
END
$$;
COMMENT ON FUNCTION _sluice.poll_lock(jsonb) IS 'Locks a source for the poller that holds its lease, or SL001';

CREATE FUNCTION _sluice.poll_ms(s _sluice.source) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce($1.options ->> 'poll_ms', _sluice.setting('poll_interval_ms'))::integer $$;
COMMENT ON FUNCTION _sluice.poll_ms(_sluice.source) IS 'Milliseconds from the beginning of a poll to that of the next';

CREATE FUNCTION _sluice.ask_instances(source_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', t.table_id, 'instance', t.instance, 'newest', greatest(t.newest, t.position)) ORDER BY t.table_id), '[]')
	FROM _sluice.tab t
	WHERE t.source_id = $1 AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND coalesce(t.trouble, 'error') = 'error'
$$;
COMMENT ON FUNCTION _sluice.ask_instances(bigint) IS 'The followed tables, and the newest change known of each';

CREATE FUNCTION _sluice.ask_splits(source_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH r AS (
		SELECT greatest(coalesce(sum(w.runners), 0), 1) AS runners FROM _sluice.worker w
		WHERE w.stopped_at IS NULL AND w.beat_at > clock_timestamp() - _sluice.seconds('worker_dead_seconds')
	)
	SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', t.table_id, 'job_id', t.job_id, 'range', t.load_range, 'schema', t.schema_name,
		'table', t.table_name, 'keys', v.key, 'from', coalesce(t.load_from, 'null'),
		'rows', (((SELECT _sluice.options_full('table', '{}')) || t.options) ->> 'load_range_rows')::bigint) ORDER BY t.table_id), '[]')
	FROM _sluice.tab t JOIN _sluice.schema_version v USING (table_id, version), r
	WHERE t.source_id = $1 AND t.wanted = 'run' AND t.phase = 'loading' AND t.load_open AND t.trouble IS NULL
		AND (SELECT count(*) FROM _sluice.batch b WHERE b.table_id = t.table_id AND b.work = 'load' AND b.lease_worker IS NULL) < 2 * r.runners
$$;
COMMENT ON FUNCTION _sluice.ask_splits(bigint) IS 'Load ranges whose upper bound is wanted: at most two unclaimed ones a runner ahead';

CREATE FUNCTION _sluice.ask(x _sluice.source_state, known text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN _sluice.is_log($1.source_id) THEN _sluice.ask_log($1, $2)
			ELSE jsonb_build_object('position', $1.position, 'ddl_after', $1.ddl_after, 'instances', _sluice.ask_instances($1.source_id)) END
		|| jsonb_build_object('fences', (SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', t.table_id, 'clock', t.fence_clock, 'after', t.fence_after) ORDER BY t.table_id), '[]')
			FROM _sluice.tab t WHERE t.source_id = $1.source_id AND t.phase = 'loading' AND t.wanted = 'run' AND t.fence_clock IS NOT NULL AND t.fence_position IS NULL),
		'splits', _sluice.ask_splits($1.source_id),
		'quiet', (SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', t.table_id, 'instance', t.instance, 'from', t.load_low, 'to', t.load_high) ORDER BY t.table_id), '[]')
			FROM _sluice.tab t WHERE t.source_id = $1.source_id AND t.phase = 'loading' AND t.wanted = 'run' AND NOT t.load_exact
				AND t.load_high IS NOT NULL AND t.load_high <= $1.position))
$$;
COMMENT ON FUNCTION _sluice.ask(_sluice.source_state, text) IS 'What a poll asks the source';

CREATE FUNCTION _sluice.poll_begin(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x _sluice.source_state;
	s _sluice.source;
	rest boolean;
BEGIN
	SELECT * INTO x FROM _sluice.source_state y WHERE y.source_id = (arg ->> 'source_id')::bigint FOR UPDATE;
	SELECT * INTO s FROM _sluice.source y WHERE y.source_id = x.source_id;
	IF s.source_id IS NULL OR s.wanted <> 'run' OR x.lease_worker IS DISTINCT FROM (arg ->> 'worker_id')::bigint
		OR x.lease_until < clock_timestamp() OR NOT _sluice.is_here() THEN
		RETURN NULL;
	END IF;
	-- Further ahead than any pause can be, the time was written before our clock was set back.
	rest := coalesce(x.next_poll_at > clock_timestamp() AND x.next_poll_at <= clock_timestamp()
		+ greatest(_sluice.seconds('retry_cap_seconds'), make_interval(secs => _sluice.poll_ms(s) / 1000.0)), false);
	IF NOT rest THEN
		-- Each poll has a generation of its own: an older poller of the same worker can store nothing.
		UPDATE _sluice.source_state y SET generation = y.generation + 1, poll_began_at = clock_timestamp()
		WHERE y.source_id = x.source_id RETURNING * INTO x;
	END IF;
	RETURN jsonb_build_object('source', _sluice.source_doc(s), 'generation', x.generation, 'rest', rest,
		'poll_ms', CASE WHEN rest THEN least(_sluice.poll_ms(s), ceil(extract(epoch FROM x.next_poll_at - clock_timestamp()) * 1000)::integer) ELSE _sluice.poll_ms(s) END,
		-- Of one log the first cut comes first: its mark knows of the XA transactions that are open, a discovery's does not.
		'discover', NOT rest AND NOT (x.position IS NULL AND _sluice.is_log(x.source_id)) AND (x.discovered_at IS NULL OR x.discover_asked_at > x.discovered_at
			OR x.discovered_at < clock_timestamp() - _sluice.seconds('discover_seconds')),
		'check', NOT rest AND coalesce(x.check_asked_at > coalesce(x.checked_at, '-infinity'), false),
		'ask', CASE WHEN NOT rest THEN _sluice.ask(x, arg ->> 'known') ELSE 'null' END);
END
$$;
COMMENT ON FUNCTION _sluice.poll_begin(jsonb) IS 'Poller: what to ask now; NULL when the source is not this worker''s';

CREATE FUNCTION _sluice.cut_rewound(x _sluice.source_state, answer jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN $2 ->> 'rewound' IS NOT NULL THEN left($2 ->> 'rewound', 2000)
		WHEN ($2 ->> 'position')::_sluice.pos < $1.position THEN format('the source''s log went back from %s to %s', $1.position, $2 ->> 'position')
		ELSE (SELECT format('%s of the %s changed', string_agg(o.key, ', ' ORDER BY o.key), CASE WHEN _sluice.is_log($1.source_id) THEN 'server' ELSE 'database' END)
			FROM jsonb_each_text($1.identity) o JOIN jsonb_each_text($2 -> 'identity') n USING (key) WHERE o.value <> n.value HAVING count(*) > 0)
		END
	WHERE jsonb_typeof($2 -> 'identity') = 'object' OR $2 ->> 'position' IS NOT NULL OR $2 ->> 'rewound' IS NOT NULL
$$;
COMMENT ON FUNCTION _sluice.cut_rewound(_sluice.source_state, jsonb) IS 'Why another log stands behind the positions (restore, forced failover), or NULL';

CREATE FUNCTION _sluice.source_rewound(x _sluice.source_state, reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name text := (SELECT s.name FROM _sluice.source s WHERE s.source_id = x.source_id);
	todo text := format('SELECT * FROM sluice.resync_source(%L); reads all its tables again, in new epochs.', name);
BEGIN
	UPDATE _sluice.source_state y SET state = 'rewound', code = 'SL010', message = reason, hint = todo WHERE y.source_id = x.source_id;
	PERFORM _sluice.event_add('error', 'rewound', x.source_id, NULL, NULL, format('source %s: %s', name, reason), jsonb_build_object('hint', todo));
	PERFORM _sluice.trouble_set(t.table_id, 'rewound', 'SL010', reason, todo)
	FROM _sluice.tab t WHERE t.source_id = x.source_id AND t.wanted <> 'dropped' AND t.phase <> 'registered';
END
$$;
COMMENT ON FUNCTION _sluice.source_rewound(_sluice.source_state, text) IS 'A restored or failed-over source: all of its tables stop until resync_source()';

CREATE FUNCTION _sluice.cut_save(x _sluice.source_state, answer jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.source_state y SET state = CASE WHEN y.state = 'rewound' THEN y.state ELSE 'ok' END,
		code = CASE WHEN y.state = 'rewound' THEN y.code END, message = CASE WHEN y.state = 'rewound' THEN y.message END,
		hint = CASE WHEN y.state = 'rewound' THEN y.hint END, fail_count = 0, polled_at = clock_timestamp(),
		next_poll_at = y.poll_began_at + make_interval(secs => _sluice.poll_ms(s) / 1000.0),
		position = CASE WHEN y.state = 'rewound' THEN y.position ELSE coalesce(($2 ->> 'position')::_sluice.pos, y.position) END,
		mark = CASE WHEN y.state = 'rewound' THEN y.mark ELSE coalesce(nullif($2 -> 'mark', 'null'), y.mark) END,
		tran_end_time = coalesce(($2 ->> 'tran_end_time')::timestamptz, y.tran_end_time),
		source_time = coalesce(($2 ->> 'source_time')::timestamptz, clock_timestamp()), clock = $2 ->> 'clock',
		utc_offset_minutes = coalesce(($2 ->> 'utc_offset_minutes')::integer, y.utc_offset_minutes),
		cut_began_at = y.poll_began_at,
		identity = CASE WHEN y.state = 'rewound' THEN y.identity
			ELSE coalesce(y.identity, '{}') || coalesce(jsonb_strip_nulls(nullif($2 -> 'identity', 'null')), '{}') END,
		read_only = ($2 ->> 'read_only')::boolean, capture = nullif($2 -> 'capture', 'null')
	FROM _sluice.source s WHERE y.source_id = $1.source_id AND s.source_id = $1.source_id
$$;
COMMENT ON FUNCTION _sluice.cut_save(_sluice.source_state, jsonb) IS 'Stores the cut: one small row a source';

CREATE FUNCTION _sluice.instances_store(source_id bigint, instances jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Among hundreds of instances nearly every poll finds nothing new: told by a digest.
	UPDATE _sluice.source_state x SET instances_md5 = md5(instances::text) WHERE x.source_id = $1 AND x.instances_md5 IS DISTINCT FROM md5(instances::text);
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	DELETE FROM _sluice.capture_instance c WHERE c.source_id = $1
		AND (c.instance, c.object_id) NOT IN (SELECT f ->> 'instance', (f ->> 'object_id')::bigint FROM jsonb_array_elements(instances) f);
	UPDATE _sluice.capture_instance c SET start = f.start, start_before = f.start_before, source_object_id = f.source_object_id, create_date = f.create_date
	FROM jsonb_to_recordset(instances) f(instance text, object_id bigint, source_object_id bigint, start text, start_before text, create_date text)
	WHERE c.source_id = $1 AND c.instance = f.instance
		AND (c.start, c.start_before, c.source_object_id, c.create_date) IS DISTINCT FROM (f.start::_sluice.pos, f.start_before::_sluice.pos, f.source_object_id, f.create_date);
	INSERT INTO _sluice.capture_instance (source_id, instance, object_id, source_object_id, start, start_before, create_date)
	SELECT $1, f.instance, f.object_id, f.source_object_id, f.start, f.start_before, f.create_date
	FROM jsonb_to_recordset(instances) f(instance text, object_id bigint, source_object_id bigint, start text, start_before text, create_date text)
	ON CONFLICT DO NOTHING;
	IF FOUND THEN
		-- Their columns are not known yet.
		UPDATE _sluice.source_state x SET discover_asked_at = clock_timestamp() WHERE x.source_id = $1;
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION _sluice.instances_store(bigint, jsonb) IS 'Low-water marks of all capture instances; a new instance asks for discovery. False: nothing moved since the last poll or discovery';

-- A table without pending change is at the cut, if the poll that took the cut had asked this table too: one that began to be
-- followed meanwhile, or could not be asked, may have changes below it. Bound when created and without SET, so that it is inlined.
CREATE FUNCTION _sluice.table_low(t _sluice.tab, cut _sluice.pos, cut_began_at timestamptz) RETURNS _sluice.pos
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN (t).pending_since IS NULL AND (t).probed_since OPERATOR(pg_catalog.<) cut_began_at THEN GREATEST((t).position, cut) ELSE (t).position END;
COMMENT ON FUNCTION _sluice.table_low(_sluice.tab, _sluice.pos, timestamptz) IS 'Up to where a table is known to be landed, given a cut and when its poll began';

CREATE FUNCTION _sluice.instance_limit(t _sluice.tab) RETURNS _sluice.pos
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT least((SELECT min(a.start) FROM _sluice.capture_instance a WHERE a.source_id = $1.source_id AND a.source_object_id = $1.source_object_id AND a.ahead),
		min(CASE WHEN n.columns IS NULL THEN n.start_before ELSE v.valid_from END))::_sluice.pos
	FROM _sluice.capture_instance c JOIN _sluice.source_state x USING (source_id)
	JOIN _sluice.capture_instance n ON n.source_id = c.source_id AND n.source_object_id = c.source_object_id AND n.start > c.start
	LEFT JOIN _sluice.schema_version v ON v.table_id = $1.table_id AND v.version = $1.next_version AND v.instance = n.instance
	WHERE c.source_id = $1.source_id AND c.instance = $1.instance
		AND (v.version IS NOT NULL OR (n.columns IS NULL AND x.discover_asked_at > coalesce(x.discovered_at, '-infinity')))
$$;
COMMENT ON FUNCTION _sluice.instance_limit(_sluice.tab) IS 'Where a newer capture instance begins that takes over, or may when discovery has told its columns, or the next shape: nothing behind it is read as before';

CREATE FUNCTION _sluice.pending_note(x _sluice.source_state, newest jsonb, source_time timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.tab t SET newest = n.position,
		position = greatest(t.position, least(_sluice.table_low(t, $1.position, $1.cut_began_at), _sluice.instance_limit(t)))::_sluice.pos,
		pending_since = coalesce(t.pending_since, CASE WHEN n.position::_sluice.pos > t.position THEN $3 END)
	FROM jsonb_to_recordset($2) n(table_id bigint, position text)
	WHERE t.source_id = $1.source_id AND t.table_id = n.table_id AND t.phase <> 'registered' AND (t.newest IS NULL OR n.position::_sluice.pos > t.newest)
$$;
COMMENT ON FUNCTION _sluice.pending_note(_sluice.source_state, jsonb, timestamptz) IS 'Notes unread changes: where they begin is fixed when the first is seen';

CREATE FUNCTION _sluice.probes_note(x _sluice.source_state, failed jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.tab t SET position = greatest(t.position, least(_sluice.table_low(t, $1.position, $1.cut_began_at), _sluice.instance_limit(t)))::_sluice.pos,
		probed_since = 'infinity'
	FROM jsonb_to_recordset($2) f(table_id bigint)
	WHERE t.source_id = $1.source_id AND t.table_id = f.table_id AND t.probed_since <> 'infinity';
	SELECT _sluice.trouble_set(t.table_id, 'error', f.code, f.message, coalesce(nullif(f.hint, ''), format('Mend it, then SELECT sluice.resume_table(%L);', t.name)))
	FROM jsonb_to_recordset($2) f(table_id bigint, kind text, code text, message text, hint text) JOIN _sluice.tab t USING (table_id)
	WHERE t.source_id = $1.source_id AND t.trouble IS NULL AND f.kind = 'permanent';
	SELECT _sluice.trouble_set(t.table_id, 'lost', 'SL011', f.message, _sluice.resync_hint(t.name)) FROM jsonb_to_recordset($2) f(table_id bigint, kind text, message text) JOIN _sluice.tab t USING (table_id)
	WHERE t.source_id = $1.source_id AND t.trouble IS NULL AND f.kind = 'lost' AND _sluice.is_log(t.source_id);
	-- Asked again without failure: later cuts speak for it once more.
	UPDATE _sluice.tab t SET probed_since = clock_timestamp()
	WHERE t.source_id = $1.source_id AND t.probed_since = 'infinity' AND t.phase <> 'registered' AND coalesce(t.trouble, 'error') = 'error'
		AND (t.trouble IS NULL OR NOT _sluice.is_log(t.source_id)) -- a table that stopped is not scanned for (ask_log)
		AND NOT EXISTS (SELECT FROM jsonb_to_recordset($2) f(table_id bigint) WHERE f.table_id = t.table_id);
$$;
COMMENT ON FUNCTION _sluice.probes_note(_sluice.source_state, jsonb) IS 'Tables whose change log could not be asked: cuts do not speak for them until it can';
