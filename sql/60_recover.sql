-- Recovery: manifests newer than the ledger are adopted, objects that nobody knows put their table into a new epoch.

CREATE FUNCTION _sluice.adopt_open(entry jsonb, source_id bigint, target_id bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT b.batch_id FROM _sluice.batch b JOIN _sluice.tab t USING (table_id)
	WHERE b.source_id = $2 AND b.target_id = $3 AND b.table_id = ($1 ->> 'table_id')::bigint AND t.name = $1 ->> 'table'
		AND b.epoch = ($1 ->> 'epoch')::bigint AND b.work = $1 ->> 'work'
		AND CASE b.work WHEN 'cdc' THEN (b.from_pos, b.to_pos) = ($1 ->> 'from', $1 ->> 'to')
			ELSE (b.job_id, b.range_no) = (($1 ->> 'job_id')::bigint, ($1 ->> 'range')::integer) END
	LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.adopt_open(jsonb, bigint, bigint) IS 'The open batch that a manifest''s entry speaks of';

CREATE FUNCTION _sluice.adopt_files(entry jsonb, t _sluice.tab, number bigint, counted boolean) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	WITH stored AS (
		INSERT INTO _sluice.file (day, target_id, key, source_id, table_id, batch_id, work, epoch, incarnation, version, commit_no, file_no, attempt, first, last, rows, bytes, etag)
		SELECT _sluice.key_day(f.key), $2.target_id, f.key, $2.source_id, $2.table_id, ($1 ->> 'batch_id')::bigint, $1 ->> 'work', ($1 ->> 'epoch')::bigint, ($1 ->> 'incarnation')::integer,
			($1 ->> 'schema_version')::integer, $3, f.file_no, f.attempt, f.first, f.last, f.rows, f.bytes, f.etag
		FROM jsonb_to_recordset(coalesce(nullif($1 -> 'files', 'null'), '[]')) f(file_no integer, key text, attempt text, first text, last text, rows bigint, bytes bigint, etag text)
		ON CONFLICT DO NOTHING
		RETURNING work, rows, bytes, key
	)
	UPDATE _sluice.tab x SET name_stamp = greatest(x.name_stamp, n.stamp), files = x.files + n.files, bytes = x.bytes + n.bytes, rows_loaded = x.rows_loaded + n.loaded, rows_changed = x.rows_changed + n.changed
	FROM (SELECT count(*) AS files, coalesce(sum(s.bytes), 0)::bigint AS bytes, coalesce(sum(s.rows) FILTER (WHERE s.work = 'load'), 0)::bigint AS loaded,
		coalesce(sum(s.rows) FILTER (WHERE s.work = 'cdc'), 0)::bigint AS changed, max(k.stamp) AS stamp
		FROM stored s LEFT JOIN LATERAL _sluice.dms_key(s.key) k ON s.work = 'cdc') n
	WHERE x.table_id = $2.table_id AND n.files > 0 AND NOT $4
$$;
COMMENT ON FUNCTION _sluice.adopt_files(jsonb, _sluice.tab, bigint, boolean) IS 'Files of a manifest''s entry become ledger; counted: the table''s figures hold them already';

CREATE FUNCTION _sluice.adopt_ahead(entry jsonb, t _sluice.tab, number bigint, known boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	high _sluice.pos := entry ->> 'to';
BEGIN
	IF EXISTS (SELECT FROM _sluice.batch_log l WHERE l.table_id = t.table_id AND l.batch_id = (entry ->> 'batch_id')::bigint AND l.commit_no = number) THEN
		RETURN;
	END IF;
	PERFORM _sluice.adopt_files(entry, t, number, known);
	IF entry ->> 'work' = 'cdc' AND t.phase = 'streaming' AND t.epoch = (entry ->> 'epoch')::bigint AND t.incarnation = (entry ->> 'incarnation')::integer THEN
		-- The ledger is older than the bucket: what it planned instead of this batch is void.
		PERFORM _sluice.batch_abandon(array_agg(b.batch_id)) FROM _sluice.batch b WHERE b.table_id = t.table_id AND b.from_pos < high HAVING count(*) > 0;
		UPDATE _sluice.tab x SET position = greatest(x.position, high)::_sluice.pos, newest = greatest(x.newest, high)::_sluice.pos,
			pending_since = CASE WHEN x.newest > high THEN x.pending_since END WHERE x.table_id = t.table_id;
	-- A number that was drawn may not have been committed when the dump was made: changes of a load that go beyond where it stood.
	ELSIF t.epoch <= (entry ->> 'epoch')::bigint AND (NOT known OR (t.phase = 'loading' AND entry ->> 'work' = 'cdc' AND high > t.position)) THEN
		INSERT INTO _sluice.epoch (table_id, epoch, incarnation) VALUES (t.table_id, (entry ->> 'epoch')::bigint, (entry ->> 'incarnation')::integer) ON CONFLICT DO NOTHING;
		PERFORM _sluice.epoch_ask(t, format('manifest %s tells of epoch %s, which this ledger does not know', number, entry ->> 'epoch'));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.adopt_ahead(jsonb, _sluice.tab, bigint, boolean) IS 'A manifest''s entry whose batch this ledger never planned: the stream moves on, a load begins anew. known: its number was drawn here, so a load is part of what the table has';

CREATE FUNCTION _sluice.manifest_adopt(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[] := _sluice.batches_lock(arg, jsonb_build_array(arg));
	r _sluice.batch;
	number bigint := (arg ->> 'commit')::bigint;
	known boolean;
	entry jsonb;
	open_id bigint;
	t _sluice.tab;
BEGIN
	SELECT * INTO r FROM _sluice.batch b WHERE b.batch_id = ids[1];
	known := number < (SELECT p.next_commit FROM _sluice.pair p WHERE p.source_id = r.source_id AND p.target_id = r.target_id);
	UPDATE _sluice.pair p SET next_commit = greatest(p.next_commit, number + 1) WHERE p.source_id = r.source_id AND p.target_id = r.target_id;
	FOR entry IN SELECT e FROM jsonb_array_elements(coalesce(arg #> '{manifest,batches}', '[]')) e LOOP
		SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = (entry ->> 'table_id')::bigint AND x.source_id = r.source_id AND x.target_id = r.target_id
			AND x.name = entry ->> 'table' AND x.epoch > 0 FOR UPDATE;
		IF NOT FOUND THEN
			-- Of an earlier life of this prefix: its epochs are below every one to come. Or of a later one: the table was dropped and added
			-- again after this ledger was saved, and what would go on landing in the epoch it knows would count no more.
			PERFORM _sluice.epoch_ask(x, format('manifest %s tells of epoch %s, which this ledger does not know', number, entry ->> 'epoch')) FROM _sluice.tab x
			WHERE x.source_id = r.source_id AND x.target_id = r.target_id AND x.name = entry ->> 'table' AND x.wanted <> 'dropped' AND x.epoch BETWEEN 1 AND (entry ->> 'epoch')::bigint - 1;
			CONTINUE;
		END IF;
		open_id := _sluice.adopt_open(entry, r.source_id, r.target_id);
		IF open_id IS NOT NULL THEN
			PERFORM _sluice.batch_apply(ARRAY[open_id], jsonb_build_array(entry || jsonb_build_object('batch_id', open_id)), number, 'adopted');
		ELSE
			PERFORM _sluice.adopt_ahead(entry, t, number, known);
		END IF;
	END LOOP;
	UPDATE _sluice.batch b SET commit_no = NULL, state = 'sealing' WHERE b.source_id = r.source_id AND b.target_id = r.target_id AND b.commit_no = number;
	PERFORM _sluice.control_store(r.source_id, r.target_id, number, arg #> '{manifest,control}');
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.manifest_adopt(jsonb) IS 'Runner, recovery: what a manifest says becomes ledger; again is harmless';

CREATE FUNCTION _sluice.objects_check(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[] := _sluice.batches_lock(arg, jsonb_build_array(arg));
	kept date := (clock_timestamp() AT TIME ZONE 'UTC')::date - _sluice.setting('ledger_keep_days')::integer;
	t _sluice.tab;
	orphans text[];
BEGIN
	SELECT x.* INTO t FROM _sluice.tab x JOIN _sluice.batch b ON b.batch_id = ids[1] AND b.source_id = x.source_id AND b.target_id = x.target_id
	WHERE x.table_id = (arg ->> 'table_id')::bigint;
	PERFORM _sluice.schema_adopt(t, ARRAY(SELECT jsonb_array_elements_text(coalesce(arg -> 'keys', '[]')))) WHERE t.table_id IS NOT NULL;
	-- Older days have left the ledger.
	SELECT array_agg(k ORDER BY k) INTO orphans FROM jsonb_array_elements_text(coalesce(arg -> 'keys', '[]')) k
	WHERE t.table_id IS NOT NULL AND coalesce(_sluice.key_day(k), 'infinity') > kept
		-- A folder of profile dms holds all epochs, and may hold what AWS DMS itself once wrote there.
		AND (NOT _sluice.lands_as_dms(t) OR (_sluice.dms_key(k)).epoch = t.epoch)
		AND NOT _sluice.is_schema_key(k)
		AND NOT EXISTS (SELECT FROM _sluice.file f WHERE f.day = _sluice.key_day(k) AND f.target_id = t.target_id AND f.key = k)
		AND NOT EXISTS (SELECT FROM _sluice.seal s WHERE s.key = k);
	IF orphans IS NOT NULL THEN
		INSERT INTO _sluice.file (day, target_id, key, source_id, table_id, work, epoch, state)
		SELECT coalesce(_sluice.key_day(k), '2000-01-01'), t.target_id, k, t.source_id, t.table_id, 'unknown', t.epoch, 'orphan' FROM unnest(orphans) k
		ON CONFLICT DO NOTHING;
		PERFORM _sluice.epoch_ask(t, format('%s objects in the bucket have neither seal nor manifest, the first is %s', cardinality(orphans), orphans[1]))
		WHERE t.wanted <> 'dropped';
	END IF;
	RETURN jsonb_build_object('orphans', coalesce(to_jsonb(orphans), '[]'));
END
$$;
COMMENT ON FUNCTION _sluice.objects_check(jsonb) IS 'Runner, recovery: objects with neither seal nor manifest put their table, alone, into a new epoch';

CREATE FUNCTION _sluice.recover_done(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[] := _sluice.batches_lock(arg, jsonb_build_array(arg));
BEGIN
	UPDATE _sluice.pair p SET recover = false, manifest_after = NULL, swept_at = clock_timestamp() FROM _sluice.batch b
	WHERE b.batch_id = ids[1] AND b.work = 'recover' AND p.source_id = b.source_id AND p.target_id = b.target_id;
	UPDATE _sluice.tab t SET fail_count = 0, code = NULL, message = NULL, hint = NULL FROM _sluice.batch b
	WHERE b.batch_id = ids[1] AND b.fail_count > 0 AND t.source_id = b.source_id AND t.target_id = b.target_id AND t.trouble IS NULL;
	PERFORM _sluice.batch_end(ids, 'committed', NULL);
	PERFORM _sluice.wake();
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.recover_done(jsonb) IS 'Runner: recovery of a source on a target is complete; its batches may be claimed';

CREATE FUNCTION _sluice.sweep_done(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[] := _sluice.batches_lock(arg, jsonb_build_array(arg));
	b _sluice.batch;
BEGIN
	SELECT * INTO b FROM _sluice.batch x WHERE x.batch_id = ids[1] AND x.work = 'sweep';
	UPDATE _sluice.pair p SET swept_at = clock_timestamp() WHERE p.source_id = b.source_id AND p.target_id = b.target_id;
	PERFORM _sluice.event_add('info', 'sweep', b.source_id, b.target_id, NULL, format('%s unfinished uploads of more than 7 days ended', arg ->> 'ended')) WHERE (arg ->> 'ended')::bigint > 0;
	PERFORM _sluice.batch_end(ids, 'committed', NULL);
	RETURN '{}';
END
$$;
COMMENT ON FUNCTION _sluice.sweep_done(jsonb) IS 'Runner: uploads that nobody finished in a week are ended; again in a day';
