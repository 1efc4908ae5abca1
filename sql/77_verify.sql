-- Ledger against bucket. A walk over a table's folder is a job; its worker lists page by page and tells, SQL compares whole pages.

CREATE TABLE _sluice.walk (
	job_id      bigint PRIMARY KEY REFERENCES _sluice.job ON DELETE CASCADE,
	table_id    bigint NOT NULL REFERENCES _sluice.tab,
	manifest_no bigint,
	manifest_last bigint,
	old_before  date,
	epoch       bigint NOT NULL DEFAULT 0,
	epoch_below bigint,
	after       text COLLATE "C" NOT NULL DEFAULT '',
	page_at     timestamptz,
	objects     bigint NOT NULL DEFAULT 0,
	bytes       bigint NOT NULL DEFAULT 0,
	rows        bigint NOT NULL DEFAULT 0,
	missing     bigint NOT NULL DEFAULT 0,
	expired     bigint NOT NULL DEFAULT 0,
	"foreign"   bigint NOT NULL DEFAULT 0,
	changed     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE _sluice.walk IS 'How far a verify or purge job is and what it has counted. manifest_no: manifests read so far, up to manifest_last, for days before old_before; after: last key compared; epoch: last one emptied, below epoch_below';

CREATE TABLE _sluice.finding (
	job_id  bigint NOT NULL REFERENCES _sluice.job ON DELETE CASCADE,
	key     text COLLATE "C" NOT NULL,
	finding text NOT NULL CHECK (finding IN ('missing', 'expired', 'foreign', 'changed')),
	bytes   bigint,
	rows    bigint,
	detail  text NOT NULL,
	PRIMARY KEY (job_id, key)
);
COMMENT ON TABLE _sluice.finding IS 'What the last verify of a table found, at most 1000 of a kind; the walk counts all';

CREATE TABLE _sluice.verify_known (
	job_id      bigint NOT NULL REFERENCES _sluice.job ON DELETE CASCADE,
	key         text COLLATE "C" NOT NULL,
	work        text NOT NULL,
	epoch       bigint NOT NULL,
	incarnation integer NOT NULL,
	last        text,
	rows        bigint,
	bytes       bigint,
	etag        text,
	attempt     text,
	PRIMARY KEY (job_id, key)
);
COMMENT ON TABLE _sluice.verify_known IS 'Files of days that have left the ledger, told by the manifests for as long as a verify needs them';

CREATE FUNCTION _sluice.walk_open(kind text, t _sluice.tab, mode text) RETURNS _sluice.job
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	j _sluice.job;
BEGIN
	PERFORM FROM _sluice.tab x WHERE x.table_id = t.table_id FOR NO KEY UPDATE;
	SELECT * INTO j FROM _sluice.job x WHERE x.table_id = t.table_id AND x.kind = $1 AND x.ended_at IS NULL;
	IF j.job_id IS NULL THEN
		INSERT INTO _sluice.job (kind, source_id, target_id, table_id, mode, who) VALUES ($1, t.source_id, t.target_id, t.table_id, $3, _sluice.caller()) RETURNING * INTO j;
		INSERT INTO _sluice.walk (job_id, table_id) VALUES (j.job_id, t.table_id);
		PERFORM _sluice.event_add('info', $1, t.source_id, t.target_id, t.table_id, format('%s of %s asked for by %s', $1, t.name, j.who), jsonb_build_object('job', j.job_id));
	END IF;
	-- Open work is not dumped: asked again after a restore it goes on.
	INSERT INTO _sluice.walk (job_id, table_id) VALUES (j.job_id, t.table_id) ON CONFLICT DO NOTHING;
	INSERT INTO _sluice.batch (work, source_id, target_id, job_id, oldest_at) VALUES ($1, t.source_id, t.target_id, j.job_id, clock_timestamp()) ON CONFLICT DO NOTHING;
	PERFORM _sluice.wake();
	RETURN j;
END
$$;
COMMENT ON FUNCTION _sluice.walk_open(text, _sluice.tab, text) IS 'The open verify or purge of a table, asked for where there is none';

CREATE FUNCTION _sluice.walk_ask(t _sluice.tab) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	asked bigint := (SELECT min(j.job_id) FROM _sluice.job j WHERE j.table_id = t.table_id AND j.kind IN ('verify', 'purge') AND j.ended_at IS NULL);
BEGIN
	RETURN coalesce(asked, (_sluice.walk_open('verify', t, NULL)).job_id);
END
$$;
COMMENT ON FUNCTION _sluice.walk_ask(_sluice.tab) IS 'The verify or purge of a table that is open, else a new verify';

CREATE FUNCTION _sluice.walk_take(arg jsonb) RETURNS _sluice.walk
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[] := _sluice.batches_lock(arg, jsonb_build_array(arg));
	w _sluice.walk;
BEGIN
	SELECT x.* INTO w FROM _sluice.walk x JOIN _sluice.batch b USING (job_id) WHERE b.batch_id = ids[1] FOR UPDATE OF x;
	IF NOT FOUND THEN
		PERFORM _sluice.fail('SL001', format('batch %s walks through no table', arg ->> 'batch_id'), 'Drop the work.');
	END IF;
	RETURN w;
END
$$;
COMMENT ON FUNCTION _sluice.walk_take(jsonb) IS 'The walk of a claimed batch, locked, or SL001';

CREATE FUNCTION _sluice.walk_yield() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM _sluice.claimable c WHERE c.work NOT IN ('verify', 'purge', 'sweep')) $$;
COMMENT ON FUNCTION _sluice.walk_yield() IS 'Does other work wait? A walk then gives its runner back after a page and goes on later';

CREATE FUNCTION _sluice.walk_end(w _sluice.walk, message text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE _sluice.job j SET state = 'done', ended_at = clock_timestamp(), message = $2 WHERE j.job_id = $1.job_id;
	DELETE FROM _sluice.verify_known k WHERE k.job_id = $1.job_id;
	-- Of each table the last result is kept.
	DELETE FROM _sluice.finding f USING _sluice.job j WHERE f.job_id = j.job_id AND j.table_id = $1.table_id AND j.job_id < $1.job_id;
	SELECT _sluice.batch_end(ARRAY(SELECT b.batch_id FROM _sluice.batch b WHERE b.job_id = $1.job_id AND b.work IN ('verify', 'purge')), 'committed', NULL);
$$;
COMMENT ON FUNCTION _sluice.walk_end(_sluice.walk, text) IS 'A walk has seen everything';

CREATE FUNCTION _sluice.walk_doc(b _sluice.batch) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.walk;
	t _sluice.tab;
	kept date := (clock_timestamp() AT TIME ZONE 'UTC')::date - _sluice.setting('ledger_keep_days')::integer;
BEGIN
	UPDATE _sluice.job j SET state = 'running', started_at = coalesce(j.started_at, clock_timestamp()), message = NULL WHERE j.job_id = b.job_id AND j.ended_at IS NULL;
	SELECT x.* INTO t FROM _sluice.tab x JOIN _sluice.walk y USING (table_id) WHERE y.job_id = b.job_id;
	UPDATE _sluice.walk x SET page_at = clock_timestamp(),
		-- A table that is older than the ledger has files that only manifests tell of.
		old_before = coalesce(x.old_before, CASE WHEN (SELECT min(e.begun_at) FROM _sluice.epoch e WHERE e.table_id = t.table_id)::date < kept THEN kept END),
		manifest_no = coalesce(x.manifest_no, 0),
		manifest_last = coalesce(x.manifest_last, (SELECT p.next_commit - 1 FROM _sluice.pair p WHERE p.source_id = t.source_id AND p.target_id = t.target_id), 0)
	WHERE x.job_id = b.job_id RETURNING * INTO w;
	RETURN jsonb_build_array(jsonb_build_object('batch_id', b.batch_id, 'generation', b.generation, 'work', b.work, 'table_id', t.table_id, 'table', t.name,
		'path', _sluice.table_path(t) || '/', 'after', w.after, 'manifests', CASE WHEN b.work = 'verify' AND w.old_before IS NOT NULL AND w.manifest_no < w.manifest_last
			THEN jsonb_build_object('after', w.manifest_no, 'last', w.manifest_last) END));
END
$$;
COMMENT ON FUNCTION _sluice.walk_doc(_sluice.batch) IS 'Verify or purge work as a runner gets it';

CREATE FUNCTION _sluice.verify_manifests(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.walk := _sluice.walk_take(arg);
BEGIN
	INSERT INTO _sluice.verify_known (job_id, key, work, epoch, incarnation, last, rows, bytes, etag, attempt)
	SELECT w.job_id, f.key, e ->> 'work', (e ->> 'epoch')::bigint, (e ->> 'incarnation')::integer, f.last, f.rows, f.bytes, f.etag, f.attempt
	FROM jsonb_array_elements(arg -> 'batches') e
	CROSS JOIN jsonb_to_recordset(coalesce(nullif(e -> 'files', 'null'), '[]')) f(key text, attempt text, last text, rows bigint, bytes bigint, etag text)
	WHERE _sluice.key_day(f.key) < w.old_before
		AND NOT EXISTS (SELECT FROM _sluice.file x JOIN _sluice.tab t ON t.table_id = w.table_id WHERE x.day = _sluice.key_day(f.key) AND x.target_id = t.target_id AND x.key = f.key)
	ON CONFLICT DO NOTHING;
	UPDATE _sluice.walk x SET manifest_no = greatest(x.manifest_no, (arg ->> 'commit')::bigint), page_at = clock_timestamp() WHERE x.job_id = w.job_id;
	RETURN jsonb_build_object('yield', _sluice.walk_yield());
END
$$;
COMMENT ON FUNCTION _sluice.verify_manifests(jsonb) IS 'Runner, verify: what manifests tell of days that have left the ledger, up to a commit';

CREATE FUNCTION _sluice.page_days(low text, high text) RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- Keys sort by epoch, kind, day: between two of one epoch and kind lie only the days between theirs.
	SELECT day::date FROM (SELECT CASE WHEN $1 LIKE '%/sluice_day=%' AND split_part($1, '/sluice_day=', 1) = split_part($2, '/sluice_day=', 1) THEN _sluice.key_day($1) END AS low, _sluice.key_day($2) AS high) k
	CROSS JOIN LATERAL (SELECT coalesce(k.low, (SELECT min(f.day) FROM _sluice.file f WHERE f.day > '2000-01-01')) AS low,
		CASE WHEN k.low IS NOT NULL AND k.high IS NOT NULL THEN k.high ELSE (SELECT max(f.day) FROM _sluice.file f) END AS high) span
	CROSS JOIN LATERAL generate_series(span.low::timestamp, span.high::timestamp, '1 day') day
	UNION ALL SELECT '2000-01-01'
$$;
COMMENT ON FUNCTION _sluice.page_days(text, text) IS 'The days that keys between two may have; those without one lie in that of 2000-01-01';

CREATE FUNCTION _sluice.page_known(w _sluice.walk, t _sluice.tab, upto text)
RETURNS TABLE (key text, work text, epoch bigint, incarnation integer, last text, rows bigint, bytes bigint, etag text, attempt text, state text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	one date;
BEGIN
	-- Day by day, since the days are partitions whose keys are sorted: as one join all of them would be read for each page.
	FOR one IN SELECT d FROM _sluice.page_days(w.after, upto) d LOOP
		RETURN QUERY SELECT f.key, f.work, f.epoch, f.incarnation, f.last, f.rows, f.bytes, nullif(f.etag, ''), f.attempt, f.state
		FROM _sluice.file f
		WHERE f.day = one AND f.target_id = t.target_id AND f.key > w.after AND f.key <= upto
			-- What was committed since the page was asked for may stand behind it.
			AND (f.committed_at < w.page_at OR f.state <> 'landed');
	END LOOP;
	RETURN QUERY SELECT k.key, k.work, k.epoch, k.incarnation, k.last, k.rows, k.bytes, nullif(k.etag, ''), k.attempt, 'landed'
	FROM _sluice.verify_known k WHERE k.job_id = w.job_id AND k.key > w.after AND k.key <= upto;
END
$$;
COMMENT ON FUNCTION _sluice.page_known(_sluice.walk, _sluice.tab, text) IS 'What the ledger, and for older days the manifests, know of a page''s keys';

CREATE FUNCTION _sluice.page_judge(w _sluice.walk, t _sluice.tab, entries jsonb, upto text) RETURNS TABLE (key text, finding text, bytes bigint, rows bigint, detail text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH there AS (
		SELECT DISTINCT ON (e.key) e.key COLLATE "C" AS key, e.bytes, nullif(e.etag, '') AS etag, e.attempt
		FROM jsonb_to_recordset($3) e(key text, bytes bigint, etag text, attempt text) ORDER BY e.key
	)
	SELECT coalesce(o.key, k.key), CASE
			WHEN k.key IS NULL THEN CASE WHEN EXISTS (SELECT FROM _sluice.seal s WHERE s.key = o.key)
				OR EXISTS (SELECT FROM _sluice.file f WHERE f.day = _sluice.key_day(o.key) AND f.target_id = $2.target_id AND f.key = o.key) THEN 'open' ELSE 'foreign' END
			WHEN o.key IS NULL THEN CASE WHEN k.state <> 'landed' THEN 'open'
				WHEN k.epoch < l.live OR _sluice.acknowledged(k.work, k.epoch, k.incarnation, k.last, a) THEN 'expired' ELSE 'missing' END
			WHEN k.state = 'purged' THEN CASE WHEN l.purging THEN 'open' ELSE 'foreign' END
			WHEN k.state = 'orphan' THEN 'open'
			WHEN o.bytes <> k.bytes OR o.etag <> k.etag OR o.attempt <> k.attempt THEN 'changed'
			ELSE 'agreed' END,
		coalesce(k.bytes, o.bytes), k.rows,
		CASE WHEN k.key IS NULL THEN format('%s bytes that this registry has not written', o.bytes)
			WHEN o.key IS NULL THEN format('landed with %s rows; %s', k.rows, CASE WHEN k.epoch < l.live THEN format('epoch %s is gone', k.epoch)
				WHEN _sluice.acknowledged(k.work, k.epoch, k.incarnation, k.last, a) THEN 'every consumer has acknowledged it'
				WHEN a.consumer IS NOT NULL THEN format('consumer %s has not acknowledged it', a.consumer) ELSE 'no consumer has acknowledged it' END)
			WHEN k.state = 'purged' THEN 'deleted by purge_files, and there again'
			WHEN o.bytes <> k.bytes THEN format('%s bytes, landed with %s', o.bytes, k.bytes)
			WHEN o.etag <> k.etag THEN format('ETag %s, landed with %s', o.etag, k.etag)
			WHEN o.attempt <> k.attempt THEN format('attempt "%s", landed with %s', o.attempt, k.attempt) ELSE '' END
	FROM there o FULL JOIN _sluice.page_known($1, $2, $4) k ON k.key = o.key
	LEFT JOIN _sluice.ack_line a ON a.table_id = $2.table_id
	CROSS JOIN (SELECT (SELECT max(e.epoch) FROM _sluice.epoch e WHERE e.table_id = $2.table_id AND e.fence IS NOT NULL) AS live,
		EXISTS (SELECT FROM _sluice.job j WHERE j.table_id = $2.table_id AND j.kind = 'purge' AND j.ended_at IS NULL) AS purging) l
$$;
COMMENT ON FUNCTION _sluice.page_judge(_sluice.walk, _sluice.tab, jsonb, text) IS 'Each key of a page, listed or known, with what is to be said of it; open: nothing, it is under way or given up';

CREATE FUNCTION _sluice.page_store(w _sluice.walk, t _sluice.tab, entries jsonb, upto text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	WITH judged AS MATERIALIZED (
		SELECT p.*, row_number() OVER (PARTITION BY p.finding ORDER BY p.key) AS n FROM _sluice.page_judge($1, $2, $3, $4) p
	), kept AS (
		INSERT INTO _sluice.finding (job_id, key, finding, bytes, rows, detail)
		SELECT $1.job_id, p.key, p.finding, p.bytes, p.rows, p.detail FROM judged p
		WHERE p.finding NOT IN ('agreed', 'open')
			AND p.n + CASE p.finding WHEN 'missing' THEN $1.missing WHEN 'expired' THEN $1.expired WHEN 'foreign' THEN $1.foreign ELSE $1.changed END <= 1000
		ON CONFLICT DO NOTHING
	)
	UPDATE _sluice.walk x SET after = $4, page_at = clock_timestamp(), objects = x.objects + c.objects, bytes = x.bytes + c.bytes, rows = x.rows + c.rows,
		missing = x.missing + c.missing, expired = x.expired + c.expired, "foreign" = x.foreign + c.strange, changed = x.changed + c.changed
	FROM (SELECT count(*) FILTER (WHERE p.finding = 'agreed') AS objects, coalesce(sum(p.bytes) FILTER (WHERE p.finding = 'agreed'), 0)::bigint AS bytes,
			coalesce(sum(p.rows) FILTER (WHERE p.finding = 'agreed'), 0)::bigint AS rows, count(*) FILTER (WHERE p.finding = 'missing') AS missing,
			count(*) FILTER (WHERE p.finding = 'expired') AS expired, count(*) FILTER (WHERE p.finding = 'foreign') AS strange,
			count(*) FILTER (WHERE p.finding = 'changed') AS changed FROM judged p) c
	WHERE x.job_id = $1.job_id
$$;
COMMENT ON FUNCTION _sluice.page_store(_sluice.walk, _sluice.tab, jsonb, text) IS 'Judges a page, keeps what is to be said of it and counts';

CREATE FUNCTION _sluice.verify_store(arg jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w _sluice.walk := _sluice.walk_take(arg);
	t _sluice.tab;
	final boolean := coalesce((arg ->> 'end')::boolean, false);
	-- Everything below a folder sorts before its name with the character that follows "/".
	upto text;
BEGIN
	SELECT * INTO t FROM _sluice.tab x WHERE x.table_id = w.table_id;
	w.after := greatest(w.after, _sluice.table_path(t) || '/');
	upto := CASE WHEN final THEN _sluice.table_path(t) || '0' ELSE arg ->> 'upto' END;
	PERFORM _sluice.schema_adopt(t, ARRAY(SELECT e ->> 'key' FROM jsonb_array_elements(arg -> 'entries') e));
	PERFORM _sluice.page_store(w, t, arg -> 'entries', upto);
	IF NOT final THEN
		RETURN jsonb_build_object('yield', _sluice.walk_yield());
	END IF;
	SELECT * INTO w FROM _sluice.walk x WHERE x.job_id = w.job_id;
	PERFORM _sluice.walk_end(w, format('%s objects, %s bytes, %s rows agree', w.objects, w.bytes, w.rows)
		|| CASE WHEN w.missing + w.expired + w.foreign + w.changed > 0 THEN format('; %s missing, %s expired, %s foreign, %s changed', w.missing, w.expired, w.foreign, w.changed) ELSE '' END);
	PERFORM _sluice.event_add('warning', 'verify', t.source_id, t.target_id, t.table_id, format('%s: %s objects are missing, %s foreign, %s changed', t.name, w.missing, w.foreign, w.changed),
		jsonb_build_object('job', w.job_id)) WHERE w.missing + w.foreign + w.changed > 0;
	RETURN jsonb_build_object('yield', false);
END
$$;
COMMENT ON FUNCTION _sluice.verify_store(jsonb) IS 'Runner, verify: one page of the listing, compared with the ledger';

CREATE FUNCTION sluice.verify_files("table" text)
RETURNS TABLE (key text, finding text, objects bigint, bytes bigint, rows bigint, detail text, job bigint, verified_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	t _sluice.tab := _sluice.table_find($1);
	last _sluice.job;
	asked _sluice.job;
	w _sluice.walk;
BEGIN
	SELECT * INTO last FROM _sluice.job j WHERE j.table_id = t.table_id AND j.kind = 'verify' AND j.state = 'done' ORDER BY j.job_id DESC LIMIT 1;
	-- Whoever looks twice for an answer does not ask twice.
	IF last.job_id IS NULL OR last.ended_at < clock_timestamp() - interval '1 minute' THEN
		asked := _sluice.walk_open('verify', t, NULL);
	END IF;
	RETURN QUERY SELECT NULL::text, 'age', y.objects, y.bytes, y.rows, concat_ws('; ', CASE WHEN last.job_id IS NULL THEN 'never verified'
			ELSE format('verified %s ago', date_trunc('second', clock_timestamp() - last.ended_at)) END,
			CASE WHEN asked.job_id IS NOT NULL THEN concat_ws(': ', format('job %s is %s, %s objects so far', asked.job_id, asked.state, y.objects), asked.message)
				|| format('. CALL sluice.refresh(%L); waits for it', t.name) END),
		coalesce(asked.job_id, last.job_id), last.ended_at
	FROM (SELECT 1) one LEFT JOIN _sluice.walk y ON y.job_id = asked.job_id;
	SELECT * INTO w FROM _sluice.walk y WHERE y.job_id = last.job_id;
	RETURN QUERY SELECT NULL::text, v.finding, v.n, v.bytes, v.rows, v.detail, last.job_id, last.ended_at
	FROM (VALUES ('agreed', w.objects, w.bytes, w.rows, 'stand as they landed'), ('missing', w.missing, NULL, NULL, 'landed, and not there'),
		('expired', w.expired, NULL, NULL, 'not there, and acknowledged by every consumer or of an epoch that is gone'), ('foreign', w.foreign, NULL, NULL, 'there, and not of this registry'),
		('changed', w.changed, NULL, NULL, 'there, and not as they landed')) v(finding, n, bytes, rows, detail) WHERE w.job_id IS NOT NULL;
	RETURN QUERY SELECT f.key, f.finding, 1::bigint, f.bytes, f.rows, f.detail, last.job_id, last.ended_at FROM _sluice.finding f WHERE f.job_id = last.job_id ORDER BY f.finding, f.key;
END
$$;
COMMENT ON FUNCTION sluice.verify_files(text) IS
'Does the bucket hold what the ledger says? Asks the worker and answers at once with the last result, as old as its first row says: totals without key, then each object that is missing, expired, foreign or changed';
