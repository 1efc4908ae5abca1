-- What people and dashboards read. Plain types, no cost under WHERE false, may_see in every one.

CREATE FUNCTION _sluice.worker_missing() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT NOT EXISTS (SELECT FROM _sluice.worker w WHERE w.stopped_at IS NULL AND w.beat_at > clock_timestamp() - _sluice.seconds('worker_dead_seconds'))
$$;
COMMENT ON FUNCTION _sluice.worker_missing() IS 'Is no worker there?';

CREATE FUNCTION _sluice.option_default(scope text, name text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT o.default_value FROM _sluice.option o WHERE o.scope = $1 AND o.name = $2 $$;
COMMENT ON FUNCTION _sluice.option_default(text, text) IS 'Default of an option';

CREATE FUNCTION _sluice.here_shown() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT _sluice.is_here() OR NOT EXISTS (SELECT FROM _sluice.source) $$;
COMMENT ON FUNCTION _sluice.here_shown() IS 'is_here() for views; an empty registry belongs to whoever fills it';

CREATE FUNCTION _sluice.late_seconds() RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT _sluice.setting('late_seconds')::double precision $$;
COMMENT ON FUNCTION _sluice.late_seconds() IS 'The setting late_seconds, for views';

-- A scan session without end is one at work; an idle capture job ends one every polling interval, and marks the passing of time every 5 minutes or so.
CREATE FUNCTION _sluice.capture_runs(capture jsonb, jobs jsonb, source_time timestamptz, tran_end_time timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN $1 ->> 'running' IS NOT NULL THEN ($1 ->> 'running')::boolean
		WHEN $1 ->> 'errors' IS NULL THEN NULL
		ELSE $1 ->> 'scan_end' IS NULL OR greatest(($1 ->> 'scan_end')::timestamptz, $4) > $3 - make_interval(secs => 600 + coalesce(($2 ->> 'polling_s')::double precision, 5)) END
$$;
COMMENT ON FUNCTION _sluice.capture_runs(jsonb, jsonb, timestamptz, timestamptz) IS 'Does the capture job run? Judged by its last log scan and what that captured: ten minutes and a polling interval ago at most; NULL: nothing is known of any scan';

CREATE VIEW sluice.table_status WITH (security_barrier) AS
	SELECT t.name AS table_name, s.name AS source, g.name AS target, t.wanted, coalesce(t.trouble, t.phase) AS state,
		CASE WHEN t.trouble IS NOT NULL THEN t.trouble
			WHEN t.wanted <> 'run' THEN 'ok'
			WHEN w.missing OR NOT w.here THEN 'unknown'
			WHEN x.state = 'error' OR t.fail_count >= 3 OR f.message IS NOT NULL OR (t.phase = 'registered' AND t.notice NOT LIKE 'inexact%' AND x.discovered_at IS NOT NULL) THEN 'stuck'
			WHEN l.behind_s > coalesce((x.jobs ->> 'retention_minutes')::double precision, 4320) * 30 THEN 'at_risk'
			WHEN l.behind_s > w.late_s + coalesce((t.options ->> 'max_file_age')::double precision, w.age_s) THEN 'late'
			ELSE 'ok' END AS health,
		t.phase, t.epoch, t.incarnation::bigint AS incarnation, t.version::bigint AS schema_version, t.instance AS capture_instance,
		CASE WHEN t.phase = 'streaming' AND t.pending_since IS NULL AND t.probed_since < x.cut_began_at THEN greatest(t.position, x.position) ELSE t.position END::text AS position,
		t.pending_since, l.behind_s, t.rows_loaded, t.rows_changed, t.nulled, t.files, t.bytes, t.committed_at,
		t.load_range::bigint AS load_ranges_planned,
		(SELECT count(*) FROM _sluice.batch b WHERE b.table_id = t.table_id AND b.work = 'load') AS load_ranges_open,
		t.job_id AS job, t.code, CASE WHEN t.trouble IS NOT NULL THEN t.message
			ELSE coalesce(f.message, t.message, CASE WHEN x.state IN ('error', 'retrying') THEN format('source %s: %s', s.name, x.message) END, t.notice) END AS message,
		CASE WHEN t.trouble IS NOT NULL OR (f.message IS NULL AND t.message IS NOT NULL) THEN t.hint
			ELSE coalesce(f.hint, CASE WHEN x.state IN ('error', 'retrying') THEN x.hint END, t.notice_hint) END AS hint,
		t.options, t.added_at, t.added_by, t.table_id
	FROM _sluice.tab t JOIN _sluice.source s USING (source_id) JOIN _sluice.target g USING (target_id) LEFT JOIN _sluice.source_state x USING (source_id)
	LEFT JOIN _sluice.target_refused f ON f.target_id = t.target_id
	CROSS JOIN (SELECT _sluice.worker_missing() AS missing, _sluice.here_shown() AS here, _sluice.late_seconds() AS late_s,
		_sluice.option_default('table', 'max_file_age')::double precision AS age_s OFFSET 0) w
	CROSS JOIN LATERAL (SELECT round(extract(epoch FROM greatest(x.source_time + (clock_timestamp() - x.polled_at), x.source_time) - t.pending_since)::numeric, 1)::double precision AS behind_s) l
	WHERE (t.wanted <> 'dropped' OR EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id)) AND _sluice.may_see(t.table_id);
COMMENT ON VIEW sluice.table_status IS 'Everything about a captured table: wanted, state, health, where it stands, what it counts (nulled: zero dates that landed as NULL), what to do next';

CREATE VIEW sluice.status WITH (security_barrier) AS
	SELECT '(worker)'::text AS table_name, 'run'::text AS wanted, 'missing'::text AS state, 'unknown'::text AS health, NULL::bigint AS epoch, NULL::bigint AS rows_loaded,
		NULL::bigint AS rows_changed, NULL::bigint AS files, NULL::double precision AS behind_s, 'no worker is there: nothing moves'::text AS message,
		'Start sluice-worker; SELECT * FROM sluice.check_install() WHERE NOT ok; tells what it needs.'::text AS hint
	WHERE _sluice.worker_missing() AND _sluice.may_see(NULL)
	UNION ALL
	SELECT '(database)', 'run', 'foreign', 'unknown', NULL, NULL, NULL, NULL, NULL, 'this registry was made for another database and plans nothing',
		'SELECT sluice.take_over(); once the other one is gone for good.'
	WHERE NOT _sluice.here_shown() AND _sluice.may_see(NULL)
	UNION ALL
	SELECT t.table_name, t.wanted, t.state, t.health, t.epoch, t.rows_loaded, t.rows_changed, t.files, t.behind_s, t.message, t.hint FROM sluice.table_status t;
COMMENT ON VIEW sluice.status IS 'One row a table, and one that says so where no worker is there';

CREATE VIEW sluice.source_status WITH (security_barrier) AS
	SELECT s.name AS source, s.kind, CASE WHEN _sluice.worker_missing() THEN 'unknown' ELSE x.state END AS state, x.state AS last_state, s.incarnation::bigint AS incarnation,
		x.position::text AS position, x.mark ->> 'file' AS log_file, x.mark ->> 'gtid' AS log_gtid, x.low::text AS log_low, x.tran_end_time, x.source_time, x.polled_at,
		extract(epoch FROM clock_timestamp() - x.polled_at)::double precision AS poll_age_s,
		extract(epoch FROM x.source_time - x.tran_end_time)::double precision AS capture_age_s,
		r.runs AS capture_running, (x.capture ->> 'latency_s')::double precision AS capture_latency_s,
		x.read_only, (x.jobs ->> 'retention_minutes')::bigint AS retention_minutes, x.server ->> 'version' AS server_version, x.server ->> 'edition' AS server_edition,
		(SELECT count(*) FROM _sluice.tab t WHERE t.source_id = s.source_id AND t.wanted <> 'dropped') AS tables,
		x.discovered_at, x.checked_at, x.fail_count::bigint AS fail_count, x.code,
		coalesce(x.message, CASE WHEN _sluice.worker_missing() THEN 'no worker is there' WHEN NOT coalesce(r.runs, true) THEN 'the capture job does not run' END) AS message,
		coalesce(x.hint, CASE WHEN _sluice.worker_missing() THEN 'Start sluice-worker.' WHEN NOT coalesce(r.runs, true)
			THEN format('SELECT * FROM sluice.check_cdc(%L) WHERE NOT ok;', s.name) END) AS hint,
		s.options, s.source_id
	FROM _sluice.source s LEFT JOIN _sluice.source_state x USING (source_id)
	CROSS JOIN LATERAL _sluice.capture_runs(x.capture, x.jobs, x.source_time, x.tran_end_time) r(runs)
	WHERE s.wanted <> 'dropped' AND _sluice.may_see(NULL);
COMMENT ON VIEW sluice.source_status IS 'One row a source: how far its log is known (MySQL, MariaDB: in which file, with which GTIDs, and where the log begins), when it was last asked, what troubles it. Options hold no secret';

CREATE VIEW sluice.target_status WITH (security_barrier) AS
	SELECT g.name AS target, g.kind, x.checked_at,
		(SELECT bool_and(coalesce((c.step ->> 'ok')::boolean OR c.step ->> 'severity' = 'warning', true)) FROM _sluice.check_step c WHERE c.target_id = g.target_id) AS ok,
		(SELECT count(*) FROM _sluice.tab t WHERE t.target_id = g.target_id AND t.wanted <> 'dropped') AS tables, g.options, g.target_id
	FROM _sluice.target g LEFT JOIN _sluice.target_state x USING (target_id) WHERE g.wanted <> 'dropped' AND _sluice.may_see(NULL);
COMMENT ON VIEW sluice.target_status IS 'One row a target; ok is the outcome of its last check';

CREATE VIEW sluice.batch WITH (security_barrier) AS
	SELECT b.batch_id, t.name AS table_name, b.work, b.state, b.epoch, b.from_pos::text AS from_position, b.to_pos::text AS to_position, b.fence, b.job_id AS job,
		b.range_no::bigint AS range, b.commit_no, (SELECT count(*) FROM _sluice.seal s WHERE s.batch_id = b.batch_id) AS files,
		(SELECT sum(s.rows)::bigint FROM _sluice.seal s WHERE s.batch_id = b.batch_id) AS rows, NULL::bigint AS bytes,
		b.lease_worker AS worker, b.lease_until, b.fail_count::bigint AS fail_count, b.retry_at, b.planned_at, NULL::timestamptz AS ended_at
	FROM _sluice.batch b LEFT JOIN _sluice.tab t USING (table_id) WHERE _sluice.may_see(b.table_id)
	UNION ALL
	SELECT l.batch_id, t.name, l.work, l.state, l.epoch, l.from_pos, l.to_pos, l.fence, l.job_id, l.range_no, l.commit_no, l.files, l.rows, l.bytes,
		NULL, NULL, NULL, NULL, l.planned_at, l.ended_at
	FROM _sluice.batch_log l LEFT JOIN _sluice.tab t USING (table_id) WHERE _sluice.may_see(l.table_id);
COMMENT ON VIEW sluice.batch IS 'Batches, open and ended';

CREATE VIEW sluice.file WITH (security_barrier) AS
	SELECT t.name AS table_name, g.name AS target, f.key, f.state, f.work AS kind, f.epoch, f.version::bigint AS schema_version, f.rows, f.bytes, f.first AS first_position,
		f.last AS last_position, f.commit_no, f.batch_id, f.file_no::bigint AS file_no, f.attempt, f.etag, f.day, f.committed_at,
		_sluice.seq_head(f.epoch, f.incarnation) || f.last AS last_seq
	FROM _sluice.file f JOIN _sluice.target g USING (target_id) LEFT JOIN _sluice.tab t USING (table_id) WHERE _sluice.may_see(f.table_id);
COMMENT ON VIEW sluice.file IS 'Objects that landed, once each; orphan: it stands in the bucket, or may, and belongs to no commit; purged: deleted by purge_files. last_seq: the _sluice_seq of its last row';

CREATE VIEW sluice.job WITH (security_barrier) AS
	SELECT j.job_id AS job, j.kind, t.name AS table_name, s.name AS source, j.mode, j.state, j.message, j.reason, j.request_key, j.who, j.asked_at, j.started_at, j.ended_at
	FROM _sluice.job j LEFT JOIN _sluice.tab t USING (table_id) LEFT JOIN _sluice.source s ON s.source_id = j.source_id WHERE _sluice.may_see(j.table_id);
COMMENT ON VIEW sluice.job IS 'Who asked for what, when, and what became of it';

CREATE VIEW sluice.event WITH (security_barrier) AS
	SELECT e.event_id, e.at, e.severity, e.kind, s.name AS source, g.name AS target, t.name AS table_name, e.message, e.detail
	FROM _sluice.event e LEFT JOIN _sluice.source s ON s.source_id = e.source_id LEFT JOIN _sluice.target g ON g.target_id = e.target_id
	LEFT JOIN _sluice.tab t ON t.table_id = e.table_id WHERE _sluice.may_see(e.table_id);
COMMENT ON VIEW sluice.event IS 'What happened, oldest kept for ledger_keep_days';

CREATE VIEW sluice.source_table WITH (security_barrier) AS
	SELECT s.name AS source, f.schema_name, f.table_name,
		(SELECT t.name FROM _sluice.tab t WHERE t.source_id = f.source_id AND t.schema_name = f.schema_name AND t.table_name = f.table_name AND t.wanted <> 'dropped') AS captured_as,
		f.cdc, (SELECT string_agg(c.instance, ', ' ORDER BY c.instance) FROM _sluice.capture_instance c WHERE c.source_id = f.source_id AND c.source_object_id = f.object_id) AS capture_instances,
		f.rows, (SELECT string_agg(k ->> 'name', ', ' ORDER BY n) FROM jsonb_array_elements(f.key) WITH ORDINALITY e(k, n)) AS key, f.memory_optimized, f.temporal,
		x.discovered_at, f.object_id
	FROM _sluice.source_table f JOIN _sluice.source s USING (source_id) JOIN _sluice.source_state x USING (source_id) WHERE s.wanted <> 'dropped' AND _sluice.may_see(NULL);
COMMENT ON VIEW sluice.source_table IS 'Tables of the sources as last discovered; key: what loads are cut by';

CREATE VIEW sluice.source_column WITH (security_barrier) AS
	SELECT s.name AS source, f.schema_name, f.table_name, c.ordinal::bigint AS ordinal, c.name AS column_name, c.facts ->> 'source_type' AS source_type, c.facts ->> 'type' AS type,
		(c.facts ->> 'nullable')::boolean AS nullable, c.facts ->> 'collation' AS collation, c.facts ->> 'computed' AS computed, c.facts ->> 'refused' AS refused,
		EXISTS (SELECT FROM _sluice.capture_instance i, jsonb_array_elements(i.columns) k WHERE i.source_id = c.source_id AND i.source_object_id = c.object_id AND k ->> 'name' = c.name) AS captured
	FROM _sluice.source_column c JOIN _sluice.source_table f USING (source_id, object_id) JOIN _sluice.source s USING (source_id) WHERE s.wanted <> 'dropped' AND _sluice.may_see(NULL);
COMMENT ON VIEW sluice.source_column IS 'Columns of the sources'' tables; refused: why a column cannot be captured exactly';

CREATE VIEW sluice.schema_version WITH (security_barrier) AS
	SELECT t.name AS table_name, v.version::bigint AS version, v.version = t.version AS current, v.instance AS capture_instance, v.valid_from::text AS valid_from, v.made_at,
		jsonb_array_length(v.columns)::bigint AS columns, (SELECT string_agg(c ->> 'name', ', ' ORDER BY n) FROM jsonb_array_elements(v.columns) WITH ORDINALITY e(c, n)) AS column_names,
		v.columns AS definition
	FROM _sluice.schema_version v JOIN _sluice.tab t USING (table_id) WHERE _sluice.may_see(t.table_id);
COMMENT ON VIEW sluice.schema_version IS 'What a table''s files hold, version by version';

CREATE VIEW sluice.option WITH (security_barrier) AS
	SELECT o.scope, o.name, o.type, o.low, o.high, array_to_string(o.choices, ', ') AS choices, o.default_value, o.required,
		array_to_string(o.only_for, ', ') AS only_for, o.doc FROM _sluice.option o
	WHERE o.scope <> 'setting' AND _sluice.may_see(NULL);
COMMENT ON VIEW sluice.option IS 'Options of sources, targets and tables';

CREATE VIEW sluice.setting WITH (security_barrier) AS
	SELECT o.name, coalesce(s.value, o.default_value) AS value, o.default_value, o.type, o.low, o.high, o.doc FROM _sluice.option o LEFT JOIN _sluice.setting s USING (name)
	WHERE o.scope = 'setting' AND _sluice.may_see(NULL);
COMMENT ON VIEW sluice.setting IS 'Settings; sluice.alter_setting() changes them';
