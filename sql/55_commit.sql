-- A runner seals, commits, fails. Contract: worker/control/README.md; protocol: docs/architecture.md.

CREATE FUNCTION _sluice.control_rows(ids bigint[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('table', t.name, 'epoch', b.epoch, 'kind', k.kind, 'position', b.to_pos,
		'commit_ts', to_char(x.tran_end_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY b.batch_id, k.n), '[]')
	FROM _sluice.batch b JOIN _sluice.tab t USING (table_id) JOIN _sluice.source_state x ON x.source_id = b.source_id
	CROSS JOIN (VALUES (1, 'fence'), (2, 'epochs_gone')) k(n, kind)
	WHERE b.batch_id = ANY ($1) AND b.fence AND (k.kind = 'fence' OR b.epoch > 1)
$$;
COMMENT ON FUNCTION _sluice.control_rows(bigint[]) IS 'Rows of sluice.control that a commit makes true: the fence is reached, lower epochs are gone';

CREATE FUNCTION _sluice.control_key(source_id bigint, target_id bigint, commit_no bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('%s%s/sluice.control/sluice_epoch=1/sluice_kind=cdc/sluice_day=%s/sluice_hour=%s/%s.jsonl', _sluice.prefix(g.options), s.path_part,
		to_char(now.utc, 'YYYY-MM-DD'), to_char(now.utc, 'HH24'), lpad($3::text, 12, '0'))
	FROM _sluice.source s, _sluice.target g, (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS utc) now WHERE s.source_id = $1 AND g.target_id = $2
$$;
COMMENT ON FUNCTION _sluice.control_key(bigint, bigint, bigint) IS 'Key of a commit''s control rows: the same depth and partitions as every other object';

CREATE FUNCTION _sluice.commit_draw(arg jsonb, ids bigint[]) RETURNS _sluice.commit
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c _sluice.commit;
	kept bigint[] := (SELECT array_agg(DISTINCT b.commit_no) FROM _sluice.batch b WHERE b.batch_id = ANY (ids));
	rows jsonb;
BEGIN
	IF cardinality(kept) > 1 THEN
		PERFORM _sluice.fail('55000', 'these batches belong to different commits', 'Batches of a kept commit number are claimed and sealed together.');
	ELSIF kept[1] IS NOT NULL THEN
		SELECT * INTO c FROM _sluice.commit x WHERE x.source_id = (arg ->> 'source_id')::bigint AND x.target_id = (arg ->> 'target_id')::bigint AND x.commit_no = kept[1];
		RETURN c;
	END IF;
	rows := _sluice.control_rows(ids);
	IF rows = '[]' AND NOT EXISTS (SELECT FROM _sluice.seal s WHERE s.batch_id = ANY (ids)) THEN
		RETURN c;
	END IF;
	UPDATE _sluice.pair p SET next_commit = p.next_commit + 1
	WHERE p.source_id = (arg ->> 'source_id')::bigint AND p.target_id = (arg ->> 'target_id')::bigint
	RETURNING p.source_id, p.target_id, p.next_commit - 1 INTO c.source_id, c.target_id, c.commit_no;
	INSERT INTO _sluice.commit (source_id, target_id, commit_no, control, control_key)
	VALUES (c.source_id, c.target_id, c.commit_no, rows, CASE WHEN rows <> '[]' THEN _sluice.control_key(c.source_id, c.target_id, c.commit_no) END)
	RETURNING * INTO c;
	UPDATE _sluice.batch b SET commit_no = c.commit_no WHERE b.batch_id = ANY (ids);
	RETURN c;
END
$$;
COMMENT ON FUNCTION _sluice.commit_draw(jsonb, bigint[]) IS 'The commit of a sealed group: drawn once and kept; none where nothing lands';

CREATE FUNCTION _sluice.seals_note(seals jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.seal (batch_id, file_no, attempt, key, first, last, rows, bytes, last_file, position, position_after, last_key)
	SELECT r.batch_id, r.file_no, r.attempt, r.key, r.first, r.last, r.rows, r.bytes, coalesce(r.last_file, false), r.position, r.position_after, nullif(r.last_key, 'null')
	FROM jsonb_to_recordset($1) r(batch_id bigint, file_no integer, attempt text, key text, first text, last text, rows bigint, bytes bigint,
		last_file boolean, position text, position_after text, last_key jsonb)
	WHERE r.attempt IS NOT NULL
	ON CONFLICT DO NOTHING;
	UPDATE _sluice.batch b SET day = coalesce(b.day, r.day), hour = coalesce(b.hour, r.hour), stamp = coalesce(b.stamp, r.stamp),
		-- Read more than once, the lowest L holds for all rows of a range; a scan ends where its last reading did.
		position = least(b.position, r.position)::_sluice.pos, position_after = greatest(b.position_after, r.after)::_sluice.pos,
		state = CASE WHEN b.commit_no IS NOT NULL OR r.last THEN 'sealed' ELSE 'sealing' END, fail_count = 0
	FROM (SELECT (e ->> 'batch_id')::bigint AS batch_id, min((e ->> 'day')::date) AS day, min((e ->> 'hour')::integer) AS hour, min(e ->> 'stamp') AS stamp,
			min(nullif(e ->> 'position', '')) AS position, max(nullif(e ->> 'position_after', '')) AS after, bool_or(coalesce((e ->> 'last_file')::boolean, false)) AS last
		FROM jsonb_array_elements($1) e GROUP BY 1) r
	WHERE b.batch_id = r.batch_id;
$$;
COMMENT ON FUNCTION _sluice.seals_note(jsonb) IS 'Notes attempts before their objects can be seen';

CREATE FUNCTION _sluice.batch_seal(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[] := _sluice.batches_lock(arg, arg -> 'seals');
	c _sluice.commit;
	yield boolean := false;
BEGIN
	PERFORM _sluice.seals_note(arg -> 'seals');
	IF ids <> '{}' AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND b.state <> 'sealed') THEN
		c := _sluice.commit_draw(arg, ids);
	ELSIF EXISTS (SELECT FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND b.work = 'load' AND b.keyless IS NULL) THEN
		-- A scan without key does not give way: interrupted, it would begin anew.
		yield := EXISTS (SELECT FROM _sluice.claimable x WHERE x.work = 'cdc');
	END IF;
	RETURN jsonb_build_object('commit', c.commit_no, 'control', coalesce(c.control, '[]'), 'control_key', c.control_key, 'yield', yield);
END
$$;
COMMENT ON FUNCTION _sluice.batch_seal(jsonb) IS 'Runner: notes attempts; draws the commit number when all batches of the call have their last file';

CREATE FUNCTION _sluice.files_store(ids bigint[], done jsonb, commit_no bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	WITH stored AS (
		INSERT INTO _sluice.file (day, target_id, key, source_id, table_id, batch_id, work, epoch, incarnation, version, commit_no, file_no, attempt, first, last, rows, bytes, etag)
		SELECT _sluice.key_day(f.key), b.target_id, f.key, b.source_id, b.table_id, b.batch_id, b.work, b.epoch, b.incarnation, b.version, $3, f.file_no, f.attempt, f.first, f.last,
			f.rows, f.bytes, f.etag
		FROM jsonb_array_elements($2) d JOIN _sluice.batch b ON b.batch_id = (d ->> 'batch_id')::bigint
		CROSS JOIN jsonb_to_recordset(coalesce(nullif(d -> 'files', 'null'), '[]')) f(file_no integer, key text, attempt text, first text, last text, rows bigint, bytes bigint, etag text)
		WHERE b.batch_id = ANY ($1)
		ON CONFLICT DO NOTHING
		RETURNING table_id, work, rows, bytes, key
	)
	UPDATE _sluice.tab t SET name_stamp = greatest(t.name_stamp, n.stamp), files = t.files + n.files, bytes = t.bytes + n.bytes, rows_loaded = t.rows_loaded + n.loaded, rows_changed = t.rows_changed + n.changed
	FROM (SELECT s.table_id, count(*) AS files, coalesce(sum(s.bytes), 0)::bigint AS bytes, coalesce(sum(s.rows) FILTER (WHERE s.work = 'load'), 0)::bigint AS loaded,
			coalesce(sum(s.rows) FILTER (WHERE s.work = 'cdc'), 0)::bigint AS changed,
			max(k.stamp) AS stamp FROM stored s LEFT JOIN LATERAL _sluice.dms_key(s.key) k ON s.work = 'cdc' GROUP BY s.table_id) n
	WHERE t.table_id = n.table_id
$$;
COMMENT ON FUNCTION _sluice.files_store(bigint[], jsonb, bigint) IS 'Files of batches become ledger, once per object key, and count';

CREATE FUNCTION _sluice.offsets_move(ids bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.tab t SET position = greatest(t.position, b.to_pos)::_sluice.pos,
		-- A change noted after this batch was planned is the oldest unread one now.
		pending_since = CASE WHEN t.newest > b.to_pos THEN coalesce(b.cut_time, clock_timestamp()) END,
		-- What landed during a load has deletes to come, though the load saw neither: streaming goes on here, not at the load's L.
		load_low = CASE WHEN b.fence THEN t.load_low ELSE least(t.load_low, b.from_pos) END::_sluice.pos,
		phase = CASE WHEN b.fence THEN 'streaming' ELSE t.phase END, committed_at = clock_timestamp(), fail_count = 0, retry_at = NULL,
		code = CASE WHEN t.trouble IS NOT NULL THEN t.code END, message = CASE WHEN t.trouble IS NOT NULL THEN t.message END,
		hint = CASE WHEN t.trouble IS NOT NULL THEN t.hint END
	FROM _sluice.batch b
	WHERE b.batch_id = ANY ($1) AND b.work = 'cdc' AND t.table_id = b.table_id AND t.epoch = b.epoch;
	UPDATE _sluice.epoch e SET fence = b.to_pos FROM _sluice.batch b WHERE b.batch_id = ANY ($1) AND b.fence AND e.table_id = b.table_id AND e.epoch = b.epoch;
	UPDATE _sluice.job j SET state = 'done', ended_at = clock_timestamp(), message = format('epoch %s streams as of %s', b.epoch, b.to_pos)
	FROM _sluice.batch b JOIN _sluice.tab t USING (table_id)
	WHERE b.batch_id = ANY ($1) AND b.fence AND t.epoch = b.epoch AND j.job_id = t.job_id AND j.ended_at IS NULL;
	-- A capture instance that appeared during the load can be followed from now on.
	UPDATE _sluice.source_state x SET instances_md5 = NULL WHERE x.source_id IN (SELECT b.source_id FROM _sluice.batch b WHERE b.batch_id = ANY ($1) AND b.fence);
$$;
COMMENT ON FUNCTION _sluice.offsets_move(bigint[]) IS 'Tables stand where their change batches ended; at the fence they stream';

CREATE FUNCTION _sluice.loads_count(ids bigint[], done jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.tab t SET load_low = least(t.load_low, n.low)::_sluice.pos, load_high = greatest(t.load_high, n.high)::_sluice.pos,
		load_exact = t.load_exact AND NOT n.scan, committed_at = clock_timestamp(), fail_count = 0, retry_at = NULL,
		code = CASE WHEN t.trouble IS NOT NULL THEN t.code END, message = CASE WHEN t.trouble IS NOT NULL THEN t.message END,
		hint = CASE WHEN t.trouble IS NOT NULL THEN t.hint END
	FROM (SELECT b.table_id, b.epoch, min(coalesce(nullif(d ->> 'position', ''), b.position, b.retention)) AS low,
			max(coalesce(nullif(d ->> 'position_after', ''), b.position_after)) AS high, bool_or(b.keyless IS NOT NULL) AS scan
		FROM _sluice.batch b LEFT JOIN jsonb_array_elements($2) d ON (d ->> 'batch_id')::bigint = b.batch_id
		WHERE b.batch_id = ANY ($1) AND b.work = 'load' GROUP BY b.table_id, b.epoch) n
	WHERE t.table_id = n.table_id AND t.epoch = n.epoch AND t.phase = 'loading'
$$;
COMMENT ON FUNCTION _sluice.loads_count(bigint[], jsonb) IS 'A load keeps the lowest L of its ranges';

CREATE FUNCTION _sluice.nulled_note(ids bigint[], done jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	WITH counted AS (
		UPDATE _sluice.tab t SET nulled = t.nulled + n.nulled
		FROM (SELECT b.table_id, sum((d ->> 'nulled')::bigint)::bigint AS nulled FROM jsonb_array_elements($2) d JOIN _sluice.batch b ON b.batch_id = (d ->> 'batch_id')::bigint
			WHERE b.batch_id = ANY ($1) AND (d ->> 'nulled')::bigint > 0 GROUP BY b.table_id) n
		WHERE t.table_id = n.table_id RETURNING t.source_id, t.target_id, t.table_id, t.name, n.nulled
	)
	SELECT _sluice.event_add('warning', 'nulled', c.source_id, c.target_id, c.table_id, format('%s values of %s landed as NULL: no date type holds them', c.nulled, c.name),
		jsonb_build_object('hint', format('SELECT * FROM sluice.alter_table(%L, ''{"zero_dates": "text"}''); and %s keep them as text.', c.name, _sluice.resync_hint(c.name)))) FROM counted c
$$;
COMMENT ON FUNCTION _sluice.nulled_note(bigint[], jsonb) IS 'Values that landed as NULL because no type holds them are counted and told, once a commit and table';

CREATE FUNCTION _sluice.batch_apply(ids bigint[], done jsonb, commit_no bigint, state text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	loading bigint[] := (SELECT array_agg(DISTINCT b.table_id) FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND b.work = 'load');
BEGIN
	PERFORM _sluice.files_store(ids, done, commit_no);
	PERFORM _sluice.announced_store(ids, done, commit_no);
	PERFORM _sluice.nulled_note(ids, done);
	PERFORM _sluice.offsets_move(ids);
	PERFORM _sluice.loads_count(ids, done) WHERE loading IS NOT NULL;
	PERFORM _sluice.batch_end(ids, state, commit_no);
	-- The row lock taken above makes the last of several ranges see that the others are gone.
	UPDATE _sluice.tab t SET load_done_at = clock_timestamp()
	WHERE t.table_id = ANY (loading) AND t.phase = 'loading' AND NOT t.load_open AND t.load_done_at IS NULL
		AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id AND b.work = 'load');
END
$$;
COMMENT ON FUNCTION _sluice.batch_apply(bigint[], jsonb, bigint, text) IS 'What committed batches change: files, offsets, counters, states';

CREATE FUNCTION _sluice.control_store(source_id bigint, target_id bigint, commit_no bigint, control jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.file (day, target_id, key, source_id, work, commit_no, rows, bytes)
	SELECT coalesce(_sluice.key_day($4 ->> 'key'), '2000-01-01'), $2, $4 ->> 'key', $1, 'control', $3, ($4 ->> 'rows')::bigint, ($4 ->> 'bytes')::bigint
	WHERE $4 ->> 'key' IS NOT NULL
	ON CONFLICT DO NOTHING;
	DELETE FROM _sluice.commit c WHERE c.source_id = $1 AND c.target_id = $2 AND c.commit_no = $3
		AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.source_id = $1 AND b.target_id = $2 AND b.commit_no = $3);
$$;
COMMENT ON FUNCTION _sluice.control_store(bigint, bigint, bigint, jsonb) IS 'The control object of a commit becomes ledger and the commit is closed';

CREATE FUNCTION _sluice.batch_commit(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	number bigint := (arg ->> 'commit')::bigint;
	source bigint := (arg ->> 'source_id')::bigint;
	target bigint := (arg ->> 'target_id')::bigint;
	ids bigint[];
BEGIN
	IF number IS NOT NULL AND NOT EXISTS (SELECT FROM _sluice.commit c WHERE (c.source_id, c.target_id, c.commit_no) = (source, target, number))
		AND number < (SELECT p.next_commit FROM _sluice.pair p WHERE p.source_id = source AND p.target_id = target) THEN
		RETURN jsonb_build_object('already', true);
	END IF;
	PERFORM _sluice.poll_wait(arg -> 'batches');
	ids := _sluice.batches_lock(arg, arg -> 'batches');
	IF EXISTS (SELECT FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND (b.state <> 'sealed' OR b.commit_no IS DISTINCT FROM number))
		OR EXISTS (SELECT FROM _sluice.batch b WHERE (b.source_id, b.target_id, b.commit_no) = (source, target, number) AND NOT b.batch_id = ANY (ids)) THEN
		PERFORM _sluice.fail('55000', format('commit %s does not consist of these batches', coalesce(number::text, 'without number')), 'Seal the last file of every batch first.');
	END IF;
	PERFORM _sluice.batch_apply(ids, arg -> 'batches', number, 'committed');
	PERFORM _sluice.control_store(source, target, number, arg -> 'control') WHERE number IS NOT NULL;
	RETURN jsonb_build_object('already', false);
END
$$;
COMMENT ON FUNCTION _sluice.batch_commit(jsonb) IS 'Runner: everything of a commit stands; ledger, offsets and states follow in one transaction';

CREATE FUNCTION _sluice.check_failed(target_id bigint, message text, hint text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM _sluice.check_step c WHERE c.target_id = $1;
	INSERT INTO _sluice.check_step (target_id, n, step, checked_at)
	VALUES ($1, 1, jsonb_build_object('check', 'check', 'object', 'target', 'ok', false, 'severity', 'error', 'found', $2, 'wanted', concat_ws('; ', 'a check that ends', $3), 'fix_sql', NULL), clock_timestamp());
	UPDATE _sluice.target_state x SET checked_at = clock_timestamp() WHERE x.target_id = $1;
	UPDATE _sluice.job j SET state = 'failed', ended_at = clock_timestamp(), message = $2 WHERE j.kind = 'refresh' AND j.target_id = $1 AND j.ended_at IS NULL;
$$;
COMMENT ON FUNCTION _sluice.check_failed(bigint, text, text) IS 'A target that could not even be checked: said to whoever asked';

CREATE FUNCTION _sluice.batch_fail(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[];
	stop text := CASE arg ->> 'kind' WHEN 'permanent' THEN 'error' WHEN 'lost' THEN 'lost' WHEN 'rewound' THEN 'rewound' WHEN 'gone' THEN 'gone' END;
	text_shown text := coalesce(left(arg ->> 'message', 2000), 'failed');
	kept bigint[];
BEGIN
	PERFORM _sluice.poll_wait(arg -> 'batches');
	ids := _sluice.batches_lock(arg, arg -> 'batches');
	kept := (SELECT array_agg(DISTINCT b.commit_no) FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND b.commit_no IS NOT NULL);
	UPDATE _sluice.batch b SET fail_count = b.fail_count + 1, retry_at = CASE WHEN stop IS NULL OR b.table_id IS NULL THEN clock_timestamp() + _sluice.pause_after(b.fail_count) END,
		commit_no = CASE WHEN stop IS NULL THEN b.commit_no END, state = CASE WHEN stop IS NOT NULL AND b.commit_no IS NOT NULL THEN 'sealing' ELSE b.state END
	WHERE b.batch_id = ANY (ids);
	-- The rows of sluice.control drawn for the commit must not speak of the batch that leaves it.
	UPDATE _sluice.commit c SET control = r.rows, control_key = CASE WHEN r.rows <> '[]' THEN c.control_key END
	FROM (SELECT o.source_id, o.target_id, o.commit_no, _sluice.control_rows(array_agg(o.batch_id)) AS rows FROM _sluice.batch o
		WHERE o.commit_no = ANY (kept) GROUP BY 1, 2, 3) r
	WHERE stop IS NOT NULL AND (c.source_id, c.target_id, c.commit_no) = (r.source_id, r.target_id, r.commit_no)
		AND EXISTS (SELECT FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND (b.source_id, b.target_id) = (r.source_id, r.target_id));
	DELETE FROM _sluice.commit c USING _sluice.batch b WHERE stop IS NOT NULL AND b.batch_id = ANY (ids) AND c.source_id = b.source_id AND c.target_id = b.target_id
		AND c.commit_no = ANY (kept) AND NOT EXISTS (SELECT FROM _sluice.batch o WHERE o.source_id = c.source_id AND o.target_id = c.target_id AND o.commit_no = c.commit_no);
	PERFORM _sluice.trouble_set(t.table_id, stop, arg ->> 'code', text_shown, CASE stop
		WHEN 'error' THEN concat_ws(' ', coalesce(nullif(left(arg ->> 'hint', 2000), ''), 'Mend it.'), format('Then SELECT sluice.resume_table(%L);', t.name))
		WHEN 'rewound' THEN format('SELECT * FROM sluice.resync_source(%L);', split_part(t.name, '.', 1)) ELSE _sluice.resync_hint(t.name) END)
	FROM _sluice.tab t WHERE stop IS NOT NULL AND t.table_id IN (SELECT b.table_id FROM _sluice.batch b WHERE b.batch_id = ANY (ids));
	UPDATE _sluice.tab t SET fail_count = t.fail_count + 1, code = arg ->> 'code', message = text_shown, hint = left(arg ->> 'hint', 2000)
	WHERE t.trouble IS NULL AND EXISTS (SELECT FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND (b.table_id = t.table_id AND stop IS NULL
		-- No table of a source moves on a target that cannot be recovered: each of them says why.
		OR b.work = 'recover' AND b.source_id = t.source_id AND b.target_id = t.target_id));
	UPDATE _sluice.job j SET message = text_shown FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND b.work IN ('verify', 'purge') AND j.job_id = b.job_id;
	PERFORM _sluice.check_failed(b.target_id, text_shown, arg ->> 'hint') FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND b.work = 'check';
	PERFORM _sluice.event_add('warning', b.work, b.source_id, b.target_id, NULL, text_shown, arg - 'worker_id' - 'batches' - 'message')
	FROM _sluice.batch b WHERE b.batch_id = ANY (ids) AND b.table_id IS NULL AND b.fail_count = 1;
	PERFORM _sluice.lease_end(ids);
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.batch_fail(jsonb) IS 'Runner: transient failures are tried again after a growing pause, others stop the table and leave their commit';
