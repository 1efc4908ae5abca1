-- The ledger: what is being moved (batch, seal, commit), what has been moved (batch_log, file), what happened (event).
-- Open batches lie in a small table of their own; ended ones, files and events in day partitions.

CREATE TABLE _sluice.worker (
	worker_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	host       text,
	pid        integer,
	version    text,
	runners    integer NOT NULL,
	children   integer[] NOT NULL DEFAULT '{}',
	backend    integer NOT NULL DEFAULT pg_backend_pid(),
	started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	beat_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	stopped_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE _sluice.worker IS 'Worker processes and their last beat';

CREATE TABLE _sluice.turn (
	one       boolean PRIMARY KEY DEFAULT true CHECK (one),
	last_work text,
	upkeep_at timestamptz
) WITH (fillfactor = 20);
INSERT INTO _sluice.turn VALUES (true, NULL, NULL);
COMMENT ON TABLE _sluice.turn IS 'Claims queue up on this row: what was handed out last, when upkeep ran last';

CREATE TABLE _sluice.batch (
	batch_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	work        text NOT NULL CHECK (work IN ('check', 'recover', 'epoch', 'load', 'cdc', 'verify', 'purge', 'sweep')),
	source_id   bigint REFERENCES _sluice.source ON DELETE CASCADE,
	target_id   bigint NOT NULL REFERENCES _sluice.target ON DELETE CASCADE,
	table_id    bigint REFERENCES _sluice.tab,
	epoch       bigint,
	incarnation integer,
	version     integer,
	from_pos    _sluice.pos,
	to_pos      _sluice.pos,
	fence       boolean NOT NULL DEFAULT false,
	job_id      bigint,
	range_no    integer,
	keys        jsonb,
	keyless     text CHECK (keyless IN ('scan', 'lock')),
	stem        text,
	day         date,
	hour        integer CHECK (hour BETWEEN 0 AND 23),
	stamp       text,
	format      jsonb,
	target_file_bytes bigint,
	max_value_bytes bigint,
	lob         text,
	retention   _sluice.pos,
	oldest_at   timestamptz NOT NULL,
	cut_time    timestamptz,
	state       text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'sealing', 'sealed')),
	position    _sluice.pos,
	position_after _sluice.pos,
	commit_no   bigint,
	generation  bigint NOT NULL DEFAULT 0,
	lease_worker bigint,
	lease_pid   integer,
	lease_until timestamptz,
	fail_count  integer NOT NULL DEFAULT 0,
	retry_at    timestamptz,
	planned_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	CHECK ((work IN ('epoch', 'load', 'cdc')) = (table_id IS NOT NULL)),
	CHECK (work <> 'load' OR (job_id IS NOT NULL AND range_no IS NOT NULL)),
	CHECK (work <> 'cdc' OR (from_pos IS NOT NULL AND to_pos IS NOT NULL)),
	CHECK (commit_no IS NULL OR state = 'sealed'),
	CHECK ((lease_worker IS NULL) = (lease_until IS NULL))
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX batch_one_cdc ON _sluice.batch (table_id) WHERE work IN ('cdc', 'epoch');
CREATE UNIQUE INDEX batch_one_range ON _sluice.batch (table_id, job_id, range_no) WHERE work = 'load';
CREATE UNIQUE INDEX batch_one_pair ON _sluice.batch (work, source_id, target_id) WHERE work IN ('recover', 'sweep');
CREATE UNIQUE INDEX batch_one_walk ON _sluice.batch (job_id) WHERE work IN ('verify', 'purge');
CREATE UNIQUE INDEX batch_one_check ON _sluice.batch (target_id) WHERE work = 'check';
CREATE INDEX batch_table ON _sluice.batch (table_id);
CREATE INDEX batch_commit ON _sluice.batch (source_id, target_id, commit_no) WHERE commit_no IS NOT NULL;
CREATE INDEX batch_lease ON _sluice.batch (lease_worker, lease_pid) WHERE lease_worker IS NOT NULL;
COMMENT ON TABLE _sluice.batch IS 'Open batches: planned, sealing (a file is sealed), sealed (all are). generation fences a runner that lost its lease';

CREATE TABLE _sluice.seal (
	batch_id  bigint NOT NULL REFERENCES _sluice.batch ON DELETE CASCADE,
	file_no   integer NOT NULL,
	attempt   text NOT NULL CHECK (attempt ~ '^[0-9a-f]{32}$'),
	key       text NOT NULL,
	first     text NOT NULL,
	last      text NOT NULL,
	rows      bigint NOT NULL,
	bytes     bigint,
	last_file boolean NOT NULL,
	position  text,
	position_after text,
	last_key  jsonb,
	sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (batch_id, file_no, attempt)
);
CREATE INDEX seal_key ON _sluice.seal (key);
COMMENT ON TABLE _sluice.seal IS 'Attempts at the objects of open batches, noted before the object can be seen; kept until the batch is committed';

CREATE TABLE _sluice.commit (
	source_id   bigint NOT NULL,
	target_id   bigint NOT NULL,
	commit_no   bigint NOT NULL,
	control     jsonb NOT NULL,
	control_key text,
	drawn_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (source_id, target_id, commit_no),
	FOREIGN KEY (source_id, target_id) REFERENCES _sluice.pair ON DELETE CASCADE
);
COMMENT ON TABLE _sluice.commit IS 'Commit numbers drawn and not yet committed, with the control rows drawn for them';

CREATE TABLE _sluice.batch_log (
	day         date NOT NULL,
	batch_id    bigint NOT NULL,
	work        text NOT NULL,
	source_id   bigint NOT NULL,
	target_id   bigint NOT NULL,
	table_id    bigint,
	epoch       bigint,
	incarnation integer,
	version     integer,
	from_pos    _sluice.pos,
	to_pos      _sluice.pos,
	fence       boolean NOT NULL,
	job_id      bigint,
	range_no    integer,
	state       text NOT NULL CHECK (state IN ('committed', 'adopted', 'abandoned')),
	commit_no   bigint,
	files       integer NOT NULL,
	rows        bigint NOT NULL,
	bytes       bigint NOT NULL,
	planned_at  timestamptz,
	ended_at    timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (day);
CREATE INDEX batch_log_table ON _sluice.batch_log (table_id, batch_id);
CREATE TABLE _sluice.batch_log_default PARTITION OF _sluice.batch_log DEFAULT;
COMMENT ON TABLE _sluice.batch_log IS 'Ended batches, by day';
COMMENT ON TABLE _sluice.batch_log_default IS 'Ended batches of days that have no partition';

CREATE TABLE _sluice.file (
	day         date NOT NULL,
	target_id   bigint NOT NULL,
	key         text COLLATE "C" NOT NULL,
	source_id   bigint NOT NULL,
	table_id    bigint,
	batch_id    bigint,
	work        text NOT NULL,
	epoch       bigint,
	incarnation integer,
	version     integer,
	commit_no   bigint,
	file_no     integer,
	attempt     text,
	first       text,
	last        text,
	rows        bigint,
	bytes       bigint,
	etag        text,
	state       text NOT NULL DEFAULT 'landed' CHECK (state IN ('landed', 'orphan', 'purged')),
	committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (day, target_id, key)
) PARTITION BY RANGE (day);
CREATE INDEX file_table ON _sluice.file (table_id, batch_id);
CREATE TABLE _sluice.file_default PARTITION OF _sluice.file DEFAULT;
COMMENT ON TABLE _sluice.file IS 'Objects that landed, once each, by the day that stands in their key. orphan: of no commit; purged: deleted by purge_files';
COMMENT ON TABLE _sluice.file_default IS 'Objects of days that have no partition';

CREATE SEQUENCE _sluice.event_id;
COMMENT ON SEQUENCE _sluice.event_id IS 'Numbers events';
CREATE TABLE _sluice.event (
	day       date NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')::date,
	event_id  bigint NOT NULL DEFAULT nextval('_sluice.event_id'),
	at        timestamptz NOT NULL DEFAULT clock_timestamp(),
	severity  text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
	kind      text NOT NULL,
	source_id bigint,
	target_id bigint,
	table_id  bigint,
	message   text NOT NULL,
	detail    jsonb
) PARTITION BY RANGE (day);
CREATE INDEX event_table ON _sluice.event (table_id, event_id);
CREATE TABLE _sluice.event_default PARTITION OF _sluice.event DEFAULT;
COMMENT ON TABLE _sluice.event IS 'What happened, by day';
COMMENT ON TABLE _sluice.event_default IS 'Events of days that have no partition';

CREATE FUNCTION _sluice.partition_name(parent text, day date) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT format('%s_%s', $1, to_char($2::timestamp, 'YYYYMMDD')) $$;
COMMENT ON FUNCTION _sluice.partition_name(text, date) IS 'Name of a day''s partition';

CREATE FUNCTION _sluice.partition_member(part text, wanted boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A partition outside the extension would be dumped, and such a dump cannot be restored over the extension's own parent.
	-- Only the extension's owner may add to it: in an extension install this one function stays with whoever installed it.
	IF part !~ '^(batch_log|file|event)_[0-9]{8}$' OR NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'sluice') THEN
		RETURN;
	END IF;
	IF wanted <> EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('_sluice.' || part) AND d.deptype = 'e') THEN
		EXECUTE format('ALTER EXTENSION sluice %s TABLE _sluice.%I', CASE WHEN wanted THEN 'ADD' ELSE 'DROP' END, part);
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.partition_member(text, boolean) IS 'Makes a partition part of the extension, or takes it out';

CREATE FUNCTION _sluice.partition_make(parent text, day date) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
	part text := _sluice.partition_name(parent, day);
	taken boolean;
BEGIN
	IF to_regclass(format('_sluice.%I', part)) IS NOT NULL THEN
		RETURN false;
	END IF;
	-- A day whose first rows lie in the default partition stays there: attaching would be refused.
	EXECUTE format('SELECT EXISTS (SELECT FROM _sluice.%I WHERE day = $1)', parent || '_default') INTO taken USING day;
	IF taken THEN
		RETURN false;
	END IF;
	EXECUTE format('CREATE TABLE _sluice.%I PARTITION OF _sluice.%I FOR VALUES FROM (%L) TO (%L)', part, parent, day, day + 1);
	EXECUTE format('COMMENT ON TABLE _sluice.%I IS %L', part, format('One day of _sluice.%s', parent));
	PERFORM _sluice.partition_member(part, true);
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END
$$;
COMMENT ON FUNCTION _sluice.partition_make(text, date) IS 'Makes a day''s partition; false where it exists or cannot be had now';

CREATE FUNCTION _sluice.partition_drop(parent text, before date) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
	part record;
	dropped integer := 0;
	held date[] := CASE WHEN parent IN ('file', 'batch_log') THEN _sluice.days_held(before) ELSE '{}' END;
BEGIN
	FOR part IN
		SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = to_regclass(format('_sluice.%I', parent)) AND c.relname ~ '_[0-9]{8}$'
			AND right(c.relname, 8) < to_char(before::timestamp, 'YYYYMMDD')
			-- A day whose objects an open batch still writes is kept: its keys must stay unique.
			AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE to_char(b.day::timestamp, 'YYYYMMDD') = right(c.relname, 8))
			AND NOT to_date(right(c.relname, 8), 'YYYYMMDD') = ANY (held)
	LOOP
		PERFORM _sluice.partition_member(part.relname, false);
		EXECUTE format('DROP TABLE _sluice.%I', part.relname);
		dropped := dropped + 1;
	END LOOP;
	EXECUTE format('DELETE FROM _sluice.%I WHERE day < $1 AND NOT day = ANY ($2) AND day NOT IN (SELECT b.day FROM _sluice.batch b WHERE b.day IS NOT NULL)',
		parent || '_default') USING before, held;
	RETURN dropped;
EXCEPTION WHEN lock_not_available THEN
	RETURN dropped;
END
$$;
COMMENT ON FUNCTION _sluice.partition_drop(text, date) IS 'Drops the partitions of days before a date in which nothing is open and nothing waits for a known consumer';

CREATE FUNCTION _sluice.upkeep() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
	parent text;
BEGIN
	UPDATE _sluice.turn SET upkeep_at = clock_timestamp()
	WHERE upkeep_at IS NULL OR upkeep_at <= clock_timestamp() - _sluice.seconds('maintenance_seconds');
	IF NOT FOUND THEN
		RETURN;
	END IF;
	FOREACH parent IN ARRAY ARRAY['batch_log', 'file', 'event'] LOOP
		FOR i IN 0 .. _sluice.setting('partitions_ahead_days')::integer LOOP
			PERFORM _sluice.partition_make(parent, today + i);
		END LOOP;
		PERFORM _sluice.partition_drop(parent, today - _sluice.setting('ledger_keep_days')::integer);
	END LOOP;
	INSERT INTO _sluice.batch (work, source_id, target_id, oldest_at)
	SELECT 'sweep', p.source_id, p.target_id, clock_timestamp() FROM _sluice.pair p JOIN _sluice.source s USING (source_id) JOIN _sluice.target g USING (target_id)
	WHERE p.swept_at < clock_timestamp() - interval '1 day' AND s.wanted = 'run' AND g.wanted = 'run' AND _sluice.is_here()
	ON CONFLICT DO NOTHING;
	DELETE FROM _sluice.worker WHERE coalesce(stopped_at, beat_at) < clock_timestamp() - interval '1 day';
	DELETE FROM _sluice.job WHERE ended_at < clock_timestamp() - make_interval(days => _sluice.setting('ledger_keep_days')::integer)
		AND NOT EXISTS (SELECT FROM _sluice.tab t WHERE t.job_id = job.job_id);
END
$$;
COMMENT ON FUNCTION _sluice.upkeep() IS 'Partitions ahead and behind, a daily sweep of each target, old workers and jobs; does something at most once in maintenance_seconds';

CREATE FUNCTION _sluice.event_add(severity text, kind text, source_id bigint, target_id bigint, table_id bigint, message text, detail jsonb DEFAULT NULL) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.event (severity, kind, source_id, target_id, table_id, message, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)
$$;
COMMENT ON FUNCTION _sluice.event_add(text, text, bigint, bigint, bigint, text, jsonb) IS 'Notes what happened';
