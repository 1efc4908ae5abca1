-- A runner takes work. Contract: worker/control/README.md. Claims queue up on _sluice.turn, so what they count is exact.

CREATE VIEW _sluice.target_refused AS
	SELECT g.target_id, format('target %s does not refuse to overwrite objects: nothing is written there', g.name) AS message,
		format('SELECT * FROM sluice.check_target(%L); tells what failed. Use a store with conditional writes or, with one worker only, SELECT * FROM sluice.alter_target(%1$L, ''{"unfenced": true}'');', g.name) AS hint
	FROM _sluice.target g JOIN _sluice.target_state x USING (target_id)
	WHERE x.overwrites AND NOT coalesce((g.options ->> 'unfenced')::boolean, false);
COMMENT ON VIEW _sluice.target_refused IS 'Targets that failed the conditional steps of their check and are not accepted as unfenced: they get no work but checks';

CREATE VIEW _sluice.claimable AS
	SELECT b.batch_id, b.work, b.source_id, b.target_id, b.table_id, b.commit_no, b.oldest_at, b.keyless, b.from_pos,
		CASE WHEN b.work IN ('check', 'recover') THEN 0 WHEN b.commit_no IS NOT NULL THEN 1 WHEN b.work = 'epoch' THEN 2 ELSE 3 END AS rank
	FROM _sluice.batch b
	LEFT JOIN _sluice.tab t ON t.table_id = b.table_id
	LEFT JOIN _sluice.pair p ON p.source_id = b.source_id AND p.target_id = b.target_id
	-- A claim on its way when its worker stopped is nobody's: the children are gone before a worker says that it stops.
	WHERE (b.lease_until IS NULL OR b.lease_until < clock_timestamp() OR EXISTS (SELECT FROM _sluice.worker w WHERE w.worker_id = b.lease_worker AND w.stopped_at IS NOT NULL))
		AND (b.retry_at IS NULL OR b.retry_at <= clock_timestamp())
		-- What is sealed is finished even for a paused table; a commit number that was drawn even for one in trouble.
		AND (b.commit_no IS NOT NULL OR b.table_id IS NULL OR (t.trouble IS NULL AND (t.wanted = 'run' OR b.state <> 'planned')))
		AND (b.work IN ('check', 'recover') OR NOT p.recover)
		-- The files of a dropped table go when the last of them has come.
		AND (b.work <> 'purge' OR NOT EXISTS (SELECT FROM _sluice.job j JOIN _sluice.batch o ON o.table_id = j.table_id WHERE j.job_id = b.job_id AND j.mode = 'dropped'))
		AND (b.work = 'check' OR NOT EXISTS (SELECT FROM _sluice.target_refused r WHERE r.target_id = b.target_id))
		-- Of a new target nothing is known before its first check has ended.
		AND (b.work = 'check' OR NOT EXISTS (SELECT FROM _sluice.target_state x JOIN _sluice.batch o ON o.target_id = x.target_id AND o.work = 'check'
			WHERE x.target_id = b.target_id AND x.checked_at IS NULL))
		-- One commit is one piece of work: while one of its batches is held or waits, so do the others.
		AND (b.commit_no IS NULL OR NOT EXISTS (SELECT FROM _sluice.batch o WHERE o.source_id = b.source_id AND o.target_id = b.target_id AND o.commit_no = b.commit_no
			AND (o.lease_until >= clock_timestamp() OR o.retry_at > clock_timestamp())))
		-- A table that is to be read again finishes what is sealed and begins nothing.
		AND (b.state <> 'planned' OR b.table_id IS NULL OR NOT EXISTS (SELECT FROM _sluice.job j
			WHERE j.kind = 'resync' AND j.table_id = b.table_id AND j.ended_at IS NULL AND j.state = 'asked'));
COMMENT ON VIEW _sluice.claimable IS 'Batches that a runner may take now';

CREATE FUNCTION _sluice.runners_alive() RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT greatest(coalesce(sum(w.runners), 0), 1)::integer FROM _sluice.worker w
	WHERE w.stopped_at IS NULL AND w.beat_at > clock_timestamp() - _sluice.seconds('worker_dead_seconds')
$$;
COMMENT ON FUNCTION _sluice.runners_alive() IS 'Runners of all workers that are there';

CREATE FUNCTION _sluice.sources_full() RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(array_agg(b.source_id), '{}') FROM (
		SELECT x.source_id FROM _sluice.batch x JOIN _sluice.source s USING (source_id)
		WHERE x.lease_until >= clock_timestamp() AND x.work IN ('load', 'cdc')
		GROUP BY x.source_id, s.kind, s.options
		-- The poller has one connection and each runner; where one log is streamed, each has a second one for it.
		HAVING count(DISTINCT (x.lease_worker, x.lease_pid)) >= (_sluice.options_full('source/' || s.kind, s.options) ->> 'max_connections')::integer
			/ CASE WHEN _sluice.is_log(x.source_id) THEN 2 ELSE 1 END - 1) b
$$;
COMMENT ON FUNCTION _sluice.sources_full() IS 'Sources with as many connections as they may have, the poller''s among them';

CREATE FUNCTION _sluice.batch_pick(last_work text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	runners integer := _sluice.runners_alive();
	loads integer := (SELECT count(*) FROM _sluice.batch b WHERE b.work IN ('load', 'verify', 'purge', 'sweep') AND b.lease_until >= clock_timestamp());
	allowed boolean := loads < greatest(runners / 2, 1);
	filled bigint[] := _sluice.sources_full();
	picked bigint;
BEGIN
	-- A lone runner takes turns between loads and changes.
	SELECT c.batch_id INTO picked FROM _sluice.claimable c
	WHERE (c.work NOT IN ('load', 'verify', 'purge', 'sweep') OR allowed OR c.commit_no IS NOT NULL) AND (c.work NOT IN ('load', 'cdc') OR NOT c.source_id = ANY (filled))
	ORDER BY c.rank, CASE WHEN runners = 1 AND c.work = last_work AND c.work IN ('load', 'cdc') THEN 1 ELSE 0 END, c.oldest_at, c.batch_id
	LIMIT 1;
	-- Claims come one after another, so only somebody who drops or resets the table can hold it: then there is other work.
	PERFORM FROM _sluice.batch b WHERE b.batch_id = picked FOR UPDATE SKIP LOCKED;
	RETURN CASE WHEN FOUND THEN picked END;
END
$$;
COMMENT ON FUNCTION _sluice.batch_pick(text) IS 'The batch whose turn it is: recovery first, then kept commits, then the oldest unread change; loads and walks through buckets on at most half of the runners';

CREATE FUNCTION _sluice.log_file(at _sluice.pos) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT ('x' || lpad(left($1, 8), 16, '0'))::bit(64)::bigint $$;
COMMENT ON FUNCTION _sluice.log_file(_sluice.pos) IS 'The number of the log file in a position of MySQL or MariaDB';

CREATE FUNCTION _sluice.batch_group(picked _sluice.batch, most integer) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[];
	members integer;
	log boolean := _sluice.is_log(picked.source_id);
BEGIN
	IF picked.commit_no IS NOT NULL THEN
		SELECT array_agg(g.batch_id) INTO ids FROM (SELECT b.batch_id FROM _sluice.batch b
			WHERE b.source_id = picked.source_id AND b.target_id = picked.target_id AND b.commit_no = picked.commit_no
			ORDER BY b.batch_id FOR UPDATE SKIP LOCKED) g JOIN _sluice.claimable c USING (batch_id);
		SELECT count(*) INTO members FROM _sluice.batch b
		WHERE b.source_id = picked.source_id AND b.target_id = picked.target_id AND b.commit_no = picked.commit_no;
		-- One commit is one piece of work: all of its batches or none.
		RETURN CASE WHEN cardinality(ids) = members THEN ids END;
	ELSIF picked.work NOT IN ('cdc', 'epoch') THEN
		RETURN ARRAY[picked.batch_id];
	END IF;
	SELECT array_agg(c.batch_id) INTO ids FROM (SELECT x.batch_id, sum(w.columns) OVER (ORDER BY x.batch_id <> picked.batch_id, x.oldest_at, x.batch_id) AS columns
		FROM _sluice.claimable x
		-- A worker holds what it is told of each column, some kilobytes, as long as the claim lasts.
		LEFT JOIN LATERAL (SELECT jsonb_array_length(v.columns) AS columns FROM _sluice.batch b JOIN _sluice.schema_version v ON v.table_id = b.table_id AND v.version = b.version
			WHERE b.batch_id = x.batch_id AND log AND b.work = 'cdc') w ON true
		WHERE x.source_id = picked.source_id AND x.target_id = picked.target_id AND x.work = picked.work AND x.commit_no IS NULL
		AND (picked.work = 'epoch' OR NOT log OR abs(_sluice.log_file(x.from_pos) - _sluice.log_file(picked.from_pos)) <= 1)
		ORDER BY x.batch_id <> picked.batch_id, x.oldest_at, x.batch_id LIMIT least(greatest(most, 1), CASE WHEN log THEN 1024 ELSE 64 END)) c
	WHERE c.batch_id = picked.batch_id OR coalesce(c.columns, 0) <= 6000;
	SELECT array_agg(g.batch_id) INTO ids FROM (SELECT b.batch_id FROM _sluice.batch b WHERE b.batch_id = ANY (ids) ORDER BY b.batch_id FOR UPDATE SKIP LOCKED) g;
	RETURN ids;
END
$$;
COMMENT ON FUNCTION _sluice.batch_group(_sluice.batch, integer) IS 'The batches claimed together with one; of one log those that begin in the same file or the next, so that nobody waits for one that lags far behind, with 6000 columns in all';

CREATE FUNCTION _sluice.seals_doc(batch_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('file_no', s.file_no, 'attempt', s.attempt, 'key', s.key, 'first', s.first, 'last', s.last, 'rows', s.rows,
		'bytes', s.bytes, 'last_file', s.last_file, 'position', s.position, 'position_after', s.position_after, 'last_key', s.last_key)
		ORDER BY s.file_no, s.sealed_at), '[]')
	FROM _sluice.seal s WHERE s.batch_id = $1
$$;
COMMENT ON FUNCTION _sluice.seals_doc(bigint) IS 'All sealed attempts of a batch, oldest first';

CREATE FUNCTION _sluice.epoch_claim_doc(t _sluice.tab, s _sluice.source, g _sluice.target) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- A folder of profile dms does not name its source, so its epochs are claimed without it: whoever shares it never shares an epoch.
	SELECT jsonb_build_object('epoch_prefix', format('%s_sluice/%s/%s/epoch-', _sluice.prefix($3.options), CASE WHEN _sluice.lands_as_dms($1) THEN '-dms' ELSE $2.path_part END, $1.path_part),
		-- Above those that a table of this name had before it was dropped, in another folder too.
		'at_least', 1 + max(x.epoch)) FROM _sluice.tab x WHERE x.source_id = $1.source_id AND x.target_id = $1.target_id AND x.name = $1.name
$$;
COMMENT ON FUNCTION _sluice.epoch_claim_doc(_sluice.tab, _sluice.source, _sluice.target) IS 'Where a table''s next epoch is claimed in the bucket, and its least number';

CREATE FUNCTION _sluice.log_doc(b _sluice.batch) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('mark', _sluice.mark_at($1.source_id, $1.incarnation, coalesce($1.from_pos, x.position)))
		|| CASE WHEN $1.work = 'load' THEN jsonb_build_object('cut', jsonb_build_object('position', x.position, 'mark', x.mark)) ELSE '{}' END
	FROM _sluice.source_state x WHERE x.source_id = $1.source_id
$$;
COMMENT ON FUNCTION _sluice.log_doc(_sluice.batch) IS 'Where a batch of a source with one log takes up reading; of a load the last cut, its L where the server names none';

CREATE FUNCTION _sluice.batch_docs(ids bigint[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_agg(jsonb_build_object('batch_id', b.batch_id, 'generation', b.generation, 'table_id', b.table_id, 'table', t.name, 'work', b.work,
		'epoch', b.epoch, 'incarnation', b.incarnation, 'from', b.from_pos, 'to', b.to_pos, 'job_id', b.job_id, 'range', b.range_no, 'keys', b.keys)
		|| jsonb_build_object('keyless', b.keyless, 'path', CASE WHEN n.dms THEN _sluice.table_path(t)
			ELSE format('%s/sluice_epoch=%s/sluice_kind=%s', _sluice.table_path(t), b.epoch, b.work) END, 'stem', CASE WHEN n.dms THEN _sluice.dms_stem(b) ELSE b.stem END,
		'naming', CASE WHEN n.dms THEN 'dms' END, 'stamp', b.stamp, 'stamp_after', t.name_stamp, 'load_us', (extract(epoch FROM n.source_time) * 1000000)::bigint,
		'day', to_char(b.day::timestamp, 'YYYY-MM-DD'), 'hour', lpad(b.hour::text, 2, '0'), 'format', b.format, 'target_file_bytes', b.target_file_bytes,
		'max_value_bytes', b.max_value_bytes, 'lob', b.lob, 'utc_offset_minutes', n.utc_offset_minutes, 'retention', b.retention, 'commit', b.commit_no, 'seals', _sluice.seals_doc(b.batch_id))
		|| jsonb_build_object('schema', jsonb_build_object('id', v.table_id, 'version', v.version, 'source_schema', t.schema_name, 'source_table', t.table_name,
		'instance', v.instance, 'instance_object_id', v.instance_object_id, 'source_object_id', v.source_object_id, 'command_id', v.command_id,
		-- Where the source's own key is not the fold's, an update must name the row it takes away.
		'before', t.options ? 'key' OR _sluice.keyless(t), 'images', b.format ->> 'profile' = 'debezium', 'columns', v.columns, 'announce', _sluice.announce_doc(t, v, b))
		|| CASE WHEN _sluice.is_log(b.source_id) THEN (SELECT jsonb_build_object('log_columns', c.columns) FROM _sluice.capture_instance c WHERE c.source_id = b.source_id AND c.instance = v.instance) ELSE '{}' END)
		|| CASE WHEN _sluice.is_log(b.source_id) THEN _sluice.log_doc(b) ELSE '{}' END
		|| CASE WHEN b.work = 'epoch' THEN _sluice.epoch_claim_doc(t, s, g) ELSE '{}' END
		ORDER BY b.oldest_at, b.batch_id)
	FROM _sluice.batch b JOIN _sluice.tab t USING (table_id) JOIN _sluice.source s ON s.source_id = b.source_id JOIN _sluice.target g ON g.target_id = b.target_id
	JOIN _sluice.schema_version v ON v.table_id = b.table_id AND v.version = b.version
	LEFT JOIN LATERAL (SELECT x.source_time, x.utc_offset_minutes, b.format ->> 'profile' = 'dms' AS dms FROM _sluice.source_state x WHERE x.source_id = b.source_id) n ON true
	WHERE b.batch_id = ANY ($1)
$$;
COMMENT ON FUNCTION _sluice.batch_docs(bigint[]) IS 'Batches of tables as a runner gets them';

CREATE FUNCTION _sluice.pair_doc(b _sluice.batch) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_array(jsonb_build_object('batch_id', $1.batch_id, 'generation', $1.generation, 'work', $1.work)
		|| CASE WHEN $1.work = 'recover' THEN jsonb_build_object(
			'manifest_prefix', (SELECT format('%s_sluice/%s/', _sluice.prefix(g.options), s.path_part) FROM _sluice.source s, _sluice.target g
				WHERE s.source_id = $1.source_id AND g.target_id = $1.target_id),
			-- A number drawn and not committed may have its manifest already: it is looked at again.
			'after', (SELECT coalesce(p.manifest_after, coalesce((SELECT min(c.commit_no) FROM _sluice.commit c WHERE c.source_id = p.source_id AND c.target_id = p.target_id), p.next_commit) - 1)
				FROM _sluice.pair p WHERE p.source_id = $1.source_id AND p.target_id = $1.target_id),
			'orphans', (SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', t.table_id, 'path', CASE WHEN _sluice.lands_as_dms(t) THEN _sluice.table_path(t) || '/'
				ELSE format('%s/sluice_epoch=%s/', _sluice.table_path(t), t.epoch) END) ORDER BY t.table_id), '[]')
				FROM _sluice.tab t WHERE t.source_id = $1.source_id AND t.target_id = $1.target_id AND t.wanted <> 'dropped' AND t.epoch > 0))
		ELSE '{}' END || CASE WHEN $1.work IN ('recover', 'sweep') THEN jsonb_build_object('sweep',
			(SELECT jsonb_build_array(format('%s%s/', _sluice.prefix(g.options), s.path_part), format('%s_sluice/%s/', _sluice.prefix(g.options), s.path_part))
				|| (SELECT coalesce(jsonb_agg(DISTINCT _sluice.table_path(t) || '/'), '[]') FROM _sluice.tab t
					WHERE t.source_id = $1.source_id AND t.target_id = $1.target_id AND _sluice.lands_as_dms(t))
				FROM _sluice.source s, _sluice.target g WHERE s.source_id = $1.source_id AND g.target_id = $1.target_id)) ELSE '{}' END)
$$;
COMMENT ON FUNCTION _sluice.pair_doc(_sluice.batch) IS 'Check, recover or sweep work as a runner gets it';

CREATE FUNCTION _sluice.batch_claim(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.worker := _sluice.worker_alive(arg);
	turn _sluice.turn;
	picked bigint;
	b _sluice.batch;
	ids bigint[];
BEGIN
	IF NOT _sluice.is_here() THEN
		RETURN NULL;
	END IF;
	SELECT * INTO turn FROM _sluice.turn FOR UPDATE;
	picked := _sluice.batch_pick(turn.last_work);
	SELECT * INTO b FROM _sluice.batch x WHERE x.batch_id = picked;
	IF b.batch_id IS NULL THEN
		RETURN NULL;
	END IF;
	ids := _sluice.batch_group(b, (arg ->> 'max')::integer);
	IF ids IS NULL OR _sluice.scan_interrupted(b) THEN
		RETURN NULL;
	END IF;
	UPDATE _sluice.batch x SET generation = x.generation + 1, lease_worker = w.worker_id, lease_pid = (arg ->> 'pid')::integer,
		lease_until = clock_timestamp() + _sluice.seconds('lease_seconds')
	WHERE x.batch_id = ANY (ids);
	UPDATE _sluice.turn SET last_work = b.work WHERE last_work IS DISTINCT FROM b.work;
	b.generation := b.generation + 1;
	RETURN jsonb_build_object('work', b.work,
		'memory_mib', _sluice.memory_mib() / greatest(coalesce(_sluice.setting('runners')::integer, w.runners), 1),
		'source', (SELECT _sluice.source_doc(s) FROM _sluice.source s WHERE s.source_id = b.source_id),
		'target', (SELECT _sluice.target_doc(t) FROM _sluice.target t WHERE t.target_id = b.target_id),
		'manifest_prefix', (SELECT format('%s_sluice/%s/', _sluice.prefix(t.options), s.path_part) FROM _sluice.source s, _sluice.target t
			WHERE s.source_id = b.source_id AND t.target_id = b.target_id),
		'batches', CASE WHEN b.work IN ('verify', 'purge') THEN _sluice.walk_doc(b) WHEN b.table_id IS NULL THEN _sluice.pair_doc(b) ELSE _sluice.batch_docs(ids) END);
END
$$;
COMMENT ON FUNCTION _sluice.batch_claim(jsonb) IS 'Runner: takes work under a lease; NULL when there is none';

CREATE FUNCTION _sluice.scan_interrupted(b _sluice.batch) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.tab;
BEGIN
	IF b.keyless IS NULL OR b.commit_no IS NOT NULL OR NOT EXISTS (SELECT FROM _sluice.seal s WHERE s.batch_id = b.batch_id) THEN
		RETURN false;
	END IF;
	-- Rows of a table without key cannot be told apart, so a scan that stopped half way begins anew, in a new epoch.
	SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = b.table_id FOR UPDATE;
	PERFORM _sluice.table_reset(t, t.job_id, greatest(t.scans, 1));
	PERFORM _sluice.event_add('info', 'scan', t.source_id, t.target_id, t.table_id, format('the scan of %s was interrupted and begins anew', t.name));
	RETURN true;
END
$$;
COMMENT ON FUNCTION _sluice.scan_interrupted(_sluice.batch) IS 'An interrupted scan of a table without key starts a new epoch';

CREATE FUNCTION _sluice.batches_lock(arg jsonb, list jsonb) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[];
	asked integer;
BEGIN
	SELECT count(DISTINCT e ->> 'batch_id') INTO asked FROM jsonb_array_elements(list) e;
	SELECT array_agg(g.batch_id) INTO ids FROM (SELECT b.batch_id FROM _sluice.batch b
		JOIN (SELECT DISTINCT (e ->> 'batch_id')::bigint AS batch_id, (e ->> 'generation')::bigint AS generation FROM jsonb_array_elements(list) e) d
			ON d.batch_id = b.batch_id AND d.generation = b.generation
		WHERE b.lease_worker = (arg ->> 'worker_id')::bigint ORDER BY b.batch_id FOR UPDATE OF b) g;
	IF coalesce(cardinality(ids), 0) <> asked THEN
		PERFORM _sluice.fail('SL001', format('%s of %s batches are leased to somebody else', asked - coalesce(cardinality(ids), 0), asked), 'Drop the work.');
	END IF;
	RETURN coalesce(ids, '{}');
END
$$;
COMMENT ON FUNCTION _sluice.batches_lock(jsonb, jsonb) IS 'Locks the batches of a call whose generation is the current one, or SL001 for all of them';

CREATE FUNCTION _sluice.poll_wait(list jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A poll touches many tables of its source in an order of its own: it and a commit of many tables take turns, or they deadlock.
	PERFORM FROM _sluice.source_state x WHERE x.source_id IN (SELECT b.source_id FROM _sluice.batch b
		WHERE b.batch_id IN (SELECT (e ->> 'batch_id')::bigint FROM jsonb_array_elements(list) e)) ORDER BY x.source_id FOR KEY SHARE;
END
$$;
COMMENT ON FUNCTION _sluice.poll_wait(jsonb) IS 'Waits for a poll that is being stored, and keeps the next one off until the transaction ends';

CREATE FUNCTION _sluice.lease_end(ids bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.batch b SET lease_worker = NULL, lease_pid = NULL, lease_until = NULL WHERE b.batch_id = ANY ($1);
	SELECT _sluice.wake()
$$;
COMMENT ON FUNCTION _sluice.lease_end(bigint[]) IS 'Gives batches back';

CREATE FUNCTION _sluice.batch_release(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[] := _sluice.batches_lock(arg, arg -> 'batches');
BEGIN
	-- A load or a walk that gave way to changes queues up again behind them.
	UPDATE _sluice.batch b SET oldest_at = clock_timestamp() WHERE b.batch_id = ANY (ids) AND (b.work = 'load' AND b.state <> 'planned' OR b.work IN ('verify', 'purge'));
	PERFORM _sluice.lease_end(ids);
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.batch_release(jsonb) IS 'Runner: batches given back untouched';

CREATE FUNCTION _sluice.epoch_store(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[];
	t _sluice.tab;
	b _sluice.batch;
BEGIN
	PERFORM _sluice.poll_wait(jsonb_build_array(arg));
	ids := _sluice.batches_lock(arg, jsonb_build_array(arg));
	SELECT * INTO b FROM _sluice.batch x WHERE x.batch_id = ids[1];
	IF b.work <> 'epoch' OR (arg ->> 'epoch')::bigint <= b.epoch THEN
		PERFORM _sluice.fail('22023', format('epoch %s was not asked for', arg ->> 'epoch'), 'The number must be above the table''s last one.');
	END IF;
	-- Streaming begins at the cut, which is at or before every L of the load, and where the capture instance begins. One log is
	-- scanned for the table from where its shape begins, so that no change of its columns is missed.
	UPDATE _sluice.tab x SET phase = 'loading', epoch = (arg ->> 'epoch')::bigint, incarnation = b.incarnation, epoch_at = clock_timestamp(),
		position = CASE WHEN c.mark IS NOT NULL THEN c.start ELSE coalesce(greatest(s.position, c.start_before), repeat('0', 20)) END, announced = NULL, newest = NULL, pending_since = NULL, probed_since = clock_timestamp(), load_range = 0, load_exact = true, fail_count = 0
	FROM _sluice.source_state s, _sluice.capture_instance c
	-- A cut of a log that is gone must not begin a stream of the one that stands there now.
	WHERE x.table_id = b.table_id AND s.source_id = b.source_id AND s.state <> 'rewound' AND c.source_id = b.source_id AND c.instance = x.instance
		-- Nor may it begin where the log was cleaned up meanwhile.
		AND (c.mark IS NULL OR c.start_before = c.start)
	RETURNING x.* INTO t;
	IF NOT FOUND THEN
		PERFORM _sluice.batch_abandon(ids);  -- the capture instance or the log went meanwhile; planned again once it is known what there is
		UPDATE _sluice.source_state x SET discover_asked_at = clock_timestamp() WHERE x.source_id = b.source_id AND _sluice.is_log(x.source_id);
		RETURN '{}';
	END IF;
	INSERT INTO _sluice.epoch (table_id, epoch, incarnation, begun_at) VALUES (t.table_id, t.epoch, t.incarnation, t.epoch_at)
	ON CONFLICT ON CONSTRAINT epoch_pkey DO UPDATE SET incarnation = excluded.incarnation, begun_at = excluded.begun_at, fence = NULL;
	UPDATE _sluice.batch x SET epoch = t.epoch WHERE x.batch_id = b.batch_id;
	PERFORM _sluice.batch_end(ids, 'committed', NULL);
	PERFORM _sluice.load_plan(t) WHERE t.wanted <> 'dropped';
	PERFORM _sluice.event_add('info', 'epoch', t.source_id, t.target_id, t.table_id, format('epoch %s of %s begins', t.epoch, t.name));
	PERFORM _sluice.wake();
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.epoch_store(jsonb) IS 'Runner: the epoch it claimed in the bucket; plans the load';
