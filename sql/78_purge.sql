-- Deleting what no longer counts. A walk (77_verify) epoch by epoch: each key is noted as purged before its object goes.

CREATE FUNCTION _sluice.epoch_place(t _sluice.tab, epoch bigint, OUT prefix text, OUT mark text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT _sluice.table_path($1) || CASE WHEN d THEN '/' ELSE format('/sluice_epoch=%s/', $2) END, CASE WHEN d THEN '-' || lpad(to_hex($2), 8, '0') || '-' END
	FROM _sluice.lands_as_dms($1) d
$$;
COMMENT ON FUNCTION _sluice.epoch_place(_sluice.tab, bigint) IS 'Where an epoch''s objects are: below prefix, and with mark in their names where other epochs are there too';

CREATE FUNCTION _sluice.is_of_epoch(t _sluice.tab, epoch bigint, key text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT starts_with($3, p.prefix) AND (p.mark IS NULL OR coalesce((_sluice.dms_key($3)).epoch = $2, false)) FROM _sluice.epoch_place($1, $2) p
$$;
COMMENT ON FUNCTION _sluice.is_of_epoch(_sluice.tab, bigint, text) IS 'Is this the key of an object of that epoch of the table?';

CREATE FUNCTION _sluice.purge_next(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.walk := _sluice.walk_take(arg);
	t _sluice.tab;
	number bigint;
BEGIN
	SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = w.table_id FOR NO KEY UPDATE;
	IF (arg ->> 'emptied')::bigint = w.epoch AND w.page_at IS NOT NULL THEN
		UPDATE _sluice.file f SET state = 'purged' WHERE f.table_id = w.table_id AND f.epoch = w.epoch AND f.state <> 'purged';
		UPDATE _sluice.epoch e SET purged_at = clock_timestamp() WHERE e.table_id = w.table_id AND e.epoch = w.epoch;
		w.page_at := NULL;
	END IF;
	-- An epoch that was begun and not said to be empty is walked again.
	SELECT min(e.epoch) INTO number FROM _sluice.epoch e
	WHERE e.table_id = w.table_id AND e.epoch < _sluice.purge_below(t, w) AND CASE WHEN w.page_at IS NULL THEN e.epoch > w.epoch ELSE e.epoch >= w.epoch END;
	IF number IS NULL THEN
		PERFORM _sluice.walk_end(w, format('%s objects, %s bytes deleted', w.objects, w.bytes));
		PERFORM _sluice.event_add('info', 'purge', t.source_id, t.target_id, t.table_id, format('%s: %s objects of gone epochs deleted, %s bytes', t.name, w.objects, w.bytes), jsonb_build_object('job', w.job_id));
		RETURN jsonb_build_object('epoch', NULL);
	END IF;
	UPDATE _sluice.walk x SET epoch = number, page_at = clock_timestamp() WHERE x.job_id = w.job_id;
	RETURN jsonb_build_object('epoch', number, 'prefix', (_sluice.epoch_place(t, number)).prefix);
END
$$;
COMMENT ON FUNCTION _sluice.purge_next(jsonb) IS 'Runner, purge: the next epoch to empty, once the one before is; none: the job is done';

CREATE FUNCTION _sluice.purge_below(t _sluice.tab, w _sluice.walk) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- Epochs only grow, so what was gone when it was asked for is gone for ever. Of a dropped table all of its own are.
	SELECT CASE WHEN $1.wanted = 'dropped' THEN $1.epoch + 1 ELSE least($2.epoch_below,
		(SELECT max(e.epoch) FROM _sluice.epoch e WHERE e.table_id = $1.table_id AND e.fence IS NOT NULL)) END
$$;
COMMENT ON FUNCTION _sluice.purge_below(_sluice.tab, _sluice.walk) IS 'Epochs below this one are gone: a whole one stands above them';

CREATE FUNCTION _sluice.purge_mark(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.walk := _sluice.walk_take(arg);
	t _sluice.tab;
	keys text[];
BEGIN
	SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = w.table_id FOR NO KEY UPDATE;
	IF w.epoch IS DISTINCT FROM (arg ->> 'epoch')::bigint OR coalesce(w.epoch >= _sluice.purge_below(t, w), true)
		OR EXISTS (SELECT FROM jsonb_array_elements(arg -> 'entries') e WHERE NOT starts_with(e ->> 'key', (_sluice.epoch_place(t, w.epoch)).prefix)) THEN
		PERFORM _sluice.fail('SL001', format('objects of epoch %s of %s are not to be deleted', arg ->> 'epoch', t.name), 'Drop the work.');
	END IF;
	SELECT coalesce(array_agg(DISTINCT e ->> 'key'), '{}') INTO keys FROM jsonb_array_elements(arg -> 'entries') e WHERE _sluice.is_of_epoch(t, w.epoch, e ->> 'key');
	WITH e AS (SELECT DISTINCT ON (x.key) x.key, coalesce(_sluice.key_day(x.key), '2000-01-01') AS day, x.bytes FROM jsonb_to_recordset(arg -> 'entries') x(key text, bytes bigint) WHERE x.key = ANY (keys) ORDER BY x.key),
	gone AS (
		-- What nobody knew (orphans, days that left the ledger) is noted too.
		INSERT INTO _sluice.file AS f (day, target_id, key, source_id, table_id, work, epoch, bytes, state)
		SELECT e.day, t.target_id, e.key, t.source_id, t.table_id, 'unknown', w.epoch, e.bytes, 'purged' FROM e
		ON CONFLICT (day, target_id, key) DO UPDATE SET state = 'purged' WHERE f.state <> 'purged'
		RETURNING bytes
	)
	UPDATE _sluice.walk x SET objects = x.objects + g.n, bytes = x.bytes + g.bytes, after = coalesce((SELECT max(e.key) FROM e), x.after)
	FROM (SELECT count(*) AS n, coalesce(sum(bytes), 0)::bigint AS bytes FROM gone) g WHERE x.job_id = w.job_id;
	RETURN jsonb_build_object('yield', _sluice.walk_yield(), 'keys', to_jsonb(keys));
END
$$;
COMMENT ON FUNCTION _sluice.purge_mark(jsonb) IS 'Runner, purge: of these objects those that it answers go now; SL001 where their epoch still counts. Noted before, so that a crash leaves nothing that the ledger holds for landed';

CREATE FUNCTION sluice.purge_files("table" text, dry_run boolean DEFAULT true) RETURNS TABLE (epoch bigint, objects bigint, bytes bigint, rows bigint, job bigint, state text, message text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	j _sluice.job;
BEGIN
	IF t.phase <> 'streaming' THEN
		PERFORM _sluice.fail('55000', format('epoch %s of %s is not whole yet: files of the one before still count', greatest(t.epoch, 1), t.name),
			format('Ask again when it streams: SELECT state, epoch, message, hint FROM sluice.table_status WHERE table_name = %L;', t.name));
	END IF;
	IF coalesce($2, true) THEN
		RETURN QUERY SELECT e.epoch, count(f.key), coalesce(sum(f.bytes), 0)::bigint, coalesce(sum(f.rows), 0)::bigint, NULL::bigint, 'dry run',
			(SELECT format('below %s%s, and what stands there besides', p.prefix, ' with ' || p.mark || ' in the name') FROM _sluice.epoch_place(t, e.epoch) p)
		FROM _sluice.epoch e LEFT JOIN _sluice.file f ON f.table_id = e.table_id AND f.epoch = e.epoch AND f.state <> 'purged'
		WHERE e.table_id = t.table_id AND e.epoch < t.epoch GROUP BY e.epoch, e.purged_at HAVING e.purged_at IS NULL OR count(f.key) > 0 ORDER BY e.epoch;
		RETURN;
	END IF;
	j := _sluice.walk_open('purge', t, 'gone');
	UPDATE _sluice.walk w SET epoch_below = coalesce(w.epoch_below, t.epoch) WHERE w.job_id = j.job_id;
	RETURN QUERY SELECT nullif(w.epoch, 0), w.objects, w.bytes, NULL::bigint, j.job_id, j.state, coalesce(j.message, format('%s objects deleted so far. CALL sluice.refresh(%L); waits for it. The ledger and the manifests stay', w.objects, t.name))
	FROM _sluice.walk w WHERE w.job_id = j.job_id;
END
$$;
COMMENT ON FUNCTION sluice.purge_files(text, boolean) IS
'Deletes the objects of epochs that are gone, orphans among them; the ledger keeps their rows as purged, the manifests stay. dry_run: only says what it would do. A job, begun where it stood after a crash; asking again returns the same job';
