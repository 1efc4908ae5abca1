-- What consumers have processed: acknowledged positions. They tell what of the ledger and the bucket is still needed.

CREATE TABLE _sluice.consumer (
	table_id    bigint NOT NULL REFERENCES _sluice.tab ON DELETE CASCADE,
	consumer    text NOT NULL CHECK (consumer ~ '^[^[:cntrl:]]{1,200}$'),
	position    text COLLATE "C" NOT NULL CHECK (position ~ '^[0-9a-f]{62}$'),
	epoch       bigint NOT NULL,
	acknowledged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	acknowledged_by text NOT NULL,
	PRIMARY KEY (table_id, consumer),
	FOREIGN KEY (table_id, epoch) REFERENCES _sluice.epoch
);
COMMENT ON TABLE _sluice.consumer IS 'The highest _sluice_seq that each consumer of a table has processed';

CREATE FUNCTION _sluice.seq_head(epoch bigint, incarnation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT (lpad(to_hex($1), 8, '0') || lpad(to_hex($2), 4, '0')) COLLATE "C" $$;
COMMENT ON FUNCTION _sluice.seq_head(bigint, integer) IS 'What a _sluice_seq begins with, before the position of its row';

CREATE VIEW _sluice.ack_line AS
	SELECT DISTINCT ON (c.table_id) c.table_id, c.consumer, c.position, c.epoch,
		-- Load files have no order: they count as one, once what lies behind the fence has been seen.
		c.epoch - CASE WHEN c.position >= _sluice.seq_head(e.epoch, e.incarnation) || e.fence THEN 0 ELSE 1 END AS loads_epoch
	FROM _sluice.consumer c JOIN _sluice.epoch e ON e.table_id = c.table_id AND e.epoch = c.epoch
	ORDER BY c.table_id, c.position;
COMMENT ON VIEW _sluice.ack_line IS 'The slowest consumer of each table that has any: change files up to position and load files up to loads_epoch are acknowledged';

CREATE FUNCTION _sluice.acknowledged(work text, epoch bigint, incarnation integer, last text, line _sluice.ack_line) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE $1 WHEN 'load' THEN $2 <= $5.loads_epoch WHEN 'cdc' THEN _sluice.seq_head($2, $3) || $4 <= $5.position ELSE $2 < $5.epoch END
$$;
COMMENT ON FUNCTION _sluice.acknowledged(text, bigint, integer, text, _sluice.ack_line) IS 'Has the slowest consumer processed a file? NULL where there is no consumer';

CREATE FUNCTION _sluice.days_held(before date) RETURNS date[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(array_agg(DISTINCT f.day), '{}') FROM _sluice.file f JOIN _sluice.ack_line a USING (table_id) JOIN _sluice.tab t USING (table_id)
	WHERE f.day < $1 AND f.state = 'landed' AND f.work IN ('load', 'cdc') AND t.wanted <> 'dropped'
		AND f.epoch >= (SELECT max(e.epoch) FROM _sluice.epoch e WHERE e.table_id = f.table_id AND e.fence IS NOT NULL)
		AND NOT _sluice.acknowledged(f.work, f.epoch, f.incarnation, f.last, a)
$$;
COMMENT ON FUNCTION _sluice.days_held(date) IS 'Days before a date with files that still count and that a known consumer has not acknowledged';

CREATE FUNCTION _sluice.position_refuse(t _sluice.tab, given text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	number bigint;
	todo text := format('It is the highest _sluice_seq processed. Rows of the profiles debezium and dms do not have one: SELECT max(last_seq) FROM sluice.file WHERE table_name = %L AND key IN (...); of the files read.', t.name);
BEGIN
	IF given !~ '^[0-9a-f]{62}$' THEN
		PERFORM _sluice.fail('22023', format('%L is no position: 62 lower-case hex digits', left(given, 80)), todo);
	END IF;
	number := ('x' || left(given, 8))::bit(32)::bigint;
	IF NOT EXISTS (SELECT FROM _sluice.epoch e WHERE e.table_id = t.table_id AND e.epoch = number) THEN
		PERFORM _sluice.fail('22023', format('%s has had no epoch %s', t.name, number), format('It is in epoch %s. %s', t.epoch, todo));
	ELSIF number = t.epoch AND substr(given, 13, 20) COLLATE "C" > greatest(t.position, (SELECT x.position FROM _sluice.source_state x WHERE x.source_id = t.source_id))
		-- A load may have read further than the last poll saw.
		AND NOT EXISTS (SELECT FROM _sluice.file f WHERE f.table_id = t.table_id AND f.epoch = number AND _sluice.seq_head(f.epoch, f.incarnation) || f.last >= given) THEN
		PERFORM _sluice.fail('22023', format('position %s lies beyond everything that has landed of %s', given, t.name), todo);
	END IF;
	RETURN number;
END
$$;
COMMENT ON FUNCTION _sluice.position_refuse(_sluice.tab, text) IS 'The epoch of a position that may be acknowledged, or why not';

CREATE FUNCTION sluice.acknowledge(consumer text, "table" text, "position" text)
RETURNS TABLE (table_name text, acknowledged text, previous text, epoch bigint, state text, message text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	t _sluice.tab := _sluice.table_find($2);
	had _sluice.consumer;
	number bigint;
BEGIN
	IF coalesce($1, '') !~ '^[^[:cntrl:]]{1,200}$' THEN
		PERFORM _sluice.fail('22023', 'a consumer needs a name of 1 to 200 characters', format('SELECT * FROM sluice.acknowledge(''silver'', %L, ...);', t.name));
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended(format('sluice consumer %s %s', t.table_id, $1), 0));
	SELECT * INTO had FROM _sluice.consumer c WHERE c.table_id = t.table_id AND c.consumer = $1;
	IF $3 IS NULL THEN
		DELETE FROM _sluice.consumer c WHERE c.table_id = t.table_id AND c.consumer = $1;
		RETURN QUERY SELECT t.name, NULL::text, had.position::text, NULL::bigint, CASE WHEN FOUND THEN 'forgotten' ELSE 'unknown' END, format('%s holds back nothing of %s', $1, t.name);
		RETURN;
	END IF;
	number := _sluice.position_refuse(t, $3);
	IF $3 COLLATE "C" < had.position THEN
		PERFORM _sluice.fail('55000', format('%s has acknowledged %s already, which is higher: a position never moves back', $1, had.position),
			format('To begin anew: SELECT * FROM sluice.acknowledge(%L, %L, NULL); forgets the consumer.', $1, t.name));
	END IF;
	INSERT INTO _sluice.consumer AS c (table_id, consumer, position, epoch, acknowledged_by) VALUES (t.table_id, $1, $3, number, _sluice.caller())
	ON CONFLICT ON CONSTRAINT consumer_pkey DO UPDATE SET position = excluded.position, epoch = excluded.epoch, acknowledged_at = clock_timestamp(), acknowledged_by = excluded.acknowledged_by;
	RETURN QUERY SELECT t.name, $3, had.position::text, number, CASE WHEN had.position = $3 THEN 'unchanged' ELSE 'moved' END,
		format('change files up to here and load files of epochs up to %s are acknowledged', c.epoch - CASE WHEN c.position >= _sluice.seq_head(e.epoch, e.incarnation) || e.fence THEN 0 ELSE 1 END)
	FROM _sluice.consumer c JOIN _sluice.epoch e USING (table_id, epoch) WHERE c.table_id = t.table_id AND c.consumer = $1;
END
$$;
COMMENT ON FUNCTION sluice.acknowledge(text, text, text) IS
'A consumer says how far it has processed a table: its highest _sluice_seq. Days of the ledger that a known consumer has not acknowledged are kept; NULL forgets a consumer that is no more';

CREATE VIEW sluice.consumer WITH (security_barrier) AS
	SELECT c.consumer, t.name AS table_name, c.position, c.epoch, t.epoch AS table_epoch,
		coalesce(c.position >= _sluice.seq_head(e.epoch, e.incarnation) || e.fence, false) AS behind_fence, c.acknowledged_at,
		extract(epoch FROM clock_timestamp() - c.acknowledged_at)::double precision AS age_s, c.acknowledged_by
	FROM _sluice.consumer c JOIN _sluice.tab t USING (table_id) JOIN _sluice.epoch e ON e.table_id = c.table_id AND e.epoch = c.epoch
	WHERE t.wanted <> 'dropped' AND _sluice.may_see(t.table_id);
COMMENT ON VIEW sluice.consumer IS 'How far each consumer of a table has acknowledged it. behind_fence: the load files of its epoch count as acknowledged too';
