-- Sources with one log for all of their tables (MySQL, MariaDB): what a poll asks, marks, shapes. Contract: worker/control/README.md.
-- A shape is a row of capture_instance: the columns of a table above a position. One that is `ahead` was found by a poll and
-- its table has not come to it; the table is drained up to there, then moves to it or into a new epoch.

CREATE FUNCTION _sluice.ask_log_tables(source_id bigint) RETURNS TABLE (table_id bigint, instance text, doc jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t.table_id, c.instance, jsonb_build_object('table_id', t.table_id, 'schema', t.schema_name, 'table', t.table_name, 'instance', c.instance,
		'columns', c.columns, 'gone', t.trouble IS NOT DISTINCT FROM 'gone')
	FROM _sluice.tab t
	LEFT JOIN LATERAL (SELECT i.instance, i.columns FROM _sluice.capture_instance i WHERE i.source_id = t.source_id AND i.source_object_id = t.source_object_id
		ORDER BY i.start DESC NULLS LAST LIMIT 1) c ON true
	WHERE t.source_id = $1 AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND coalesce(t.trouble, 'error') IN ('error', 'gone')
$$;
COMMENT ON FUNCTION _sluice.ask_log_tables(bigint) IS 'The followed tables of a source with one log and their newest shapes; of those that are gone only a new life is of interest';

CREATE FUNCTION _sluice.mark_at(source_id bigint, incarnation integer, at _sluice.pos) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT m.mark FROM _sluice.log_mark m WHERE m.source_id = $1 AND m.incarnation = $2 AND m.position <= $3 ORDER BY m.position DESC LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.mark_at(bigint, integer, _sluice.pos) IS 'Where reading of a log is taken up for what lies above a position';

CREATE FUNCTION _sluice.ask_behind(x _sluice.source_state) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- A poll scans what lies between the last cut and its own. A table that began to be followed after the poll of the last cut began
	-- was not looked for there: for it the log is scanned from where the table stands, until a cut speaks for it (table_low).
	SELECT coalesce(jsonb_agg(jsonb_build_object('table_id', t.table_id, 'from', t.position, 'mark', _sluice.mark_at(t.source_id, t.incarnation, t.position)) ORDER BY t.table_id), '[]')
	FROM _sluice.tab t
	WHERE t.source_id = $1.source_id AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND coalesce(t.trouble, 'error') = 'error'
		AND NOT coalesce(t.probed_since < $1.cut_began_at, false) AND t.position < $1.position
		-- One that cannot be scanned for waits until it is resumed: else the log would be read again with every poll.
		AND (t.trouble IS NULL OR t.probed_since <> 'infinity')
$$;
COMMENT ON FUNCTION _sluice.ask_behind(_sluice.source_state) IS 'Followed tables for which the log above their own position, not above the cut, is to be scanned';

CREATE FUNCTION _sluice.ask_log(x _sluice.source_state, known text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('position', $1.position, 'mark', $1.mark, 'known', k.known,
		'tables', CASE WHEN k.known IS DISTINCT FROM $2 THEN (SELECT coalesce(jsonb_agg(a.doc ORDER BY a.table_id), '[]') FROM _sluice.ask_log_tables($1.source_id) a) END,
		'behind', _sluice.ask_behind($1))
	FROM (SELECT md5(coalesce(string_agg(concat_ws(' ', t.table_id, t.epoch, t.trouble = 'gone', c.instance), ',' ORDER BY t.table_id), '')) AS known
		FROM _sluice.tab t
		LEFT JOIN LATERAL (SELECT i.instance FROM _sluice.capture_instance i WHERE i.source_id = t.source_id AND i.source_object_id = t.source_object_id
			ORDER BY i.start DESC NULLS LAST LIMIT 1) c ON true
		WHERE t.source_id = $1.source_id AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND coalesce(t.trouble, 'error') IN ('error', 'gone')) k
$$;
COMMENT ON FUNCTION _sluice.ask_log(_sluice.source_state, text) IS 'What a poll asks a source with one log; the tables only where the poller does not know them, as the digest it gives back tells';

CREATE FUNCTION _sluice.mark_keep(source_id bigint, at _sluice.pos, mark jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO _sluice.log_mark (source_id, incarnation, position, mark)
	SELECT s.source_id, s.incarnation, $2, $3 FROM _sluice.source s WHERE s.source_id = $1 AND $2 IS NOT NULL AND jsonb_typeof($3) = 'object'
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION _sluice.mark_keep(bigint, _sluice.pos, jsonb) IS 'Notes where reading can be taken up at a position';

CREATE FUNCTION _sluice.marks_prune(source_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A load in hand may end with any L from its epoch's position on; a table without pending change begins at the cut or later.
	WITH need AS (
		SELECT s.incarnation, least(x.position, (SELECT min(b.from_pos) FROM _sluice.batch b WHERE b.source_id = $1),
			(SELECT min(_sluice.table_low(t, x.position, x.cut_began_at)) FROM _sluice.tab t WHERE t.source_id = $1 AND t.wanted <> 'dropped' AND t.phase <> 'registered'
				AND coalesce(t.trouble, 'error') = 'error' AND t.incarnation = s.incarnation),
			(SELECT min(t.position) FROM _sluice.tab t WHERE t.source_id = $1 AND t.wanted <> 'dropped' AND t.phase = 'loading' AND t.incarnation = s.incarnation),
			(SELECT min(c.start) FROM _sluice.capture_instance c JOIN _sluice.tab t ON t.source_id = c.source_id AND t.source_object_id = c.source_object_id
				WHERE c.source_id = $1 AND t.wanted <> 'dropped' AND t.phase = 'registered')) AS least
		FROM _sluice.source s JOIN _sluice.source_state x USING (source_id) WHERE s.source_id = $1
	)
	DELETE FROM _sluice.log_mark m USING need n
	WHERE m.source_id = $1 AND (m.incarnation < n.incarnation
		OR m.position < (SELECT max(k.position) FROM _sluice.log_mark k WHERE k.source_id = $1 AND k.incarnation = n.incarnation AND k.position <= n.least));
END
$$;
COMMENT ON FUNCTION _sluice.marks_prune(bigint) IS 'Drops marks below the greatest at or below anything that may still be read';

CREATE FUNCTION _sluice.shape_add(t _sluice.tab, shape jsonb, low _sluice.pos) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	last _sluice.capture_instance;
	begins _sluice.pos := shape ->> 'start';
BEGIN
	SELECT * INTO last FROM _sluice.capture_instance c WHERE c.source_id = t.source_id AND c.source_object_id = t.source_object_id ORDER BY c.start DESC NULLS LAST LIMIT 1;
	-- Scanned again, or nothing that concerns a column.
	IF begins <= last.start OR (shape ->> 'change' IS NULL AND nullif(shape -> 'columns', 'null') IS NOT DISTINCT FROM last.columns) THEN
		RETURN false;
	END IF;
	INSERT INTO _sluice.capture_instance (source_id, instance, object_id, source_object_id, start, start_before, command_id, readable, columns, key, mark, change, message, ahead)
	VALUES (t.source_id, shape ->> 'instance', t.source_object_id, t.source_object_id, begins, greatest(begins, low), true, true, nullif(shape -> 'columns', 'null'), '[]',
		coalesce(nullif(shape -> 'mark', 'null'), '{}'), shape ->> 'change', left(shape ->> 'message', 1000), true)
	ON CONFLICT DO NOTHING;
	PERFORM _sluice.mark_keep(t.source_id, begins, shape -> 'mark');
	RETURN true;
END
$$;
COMMENT ON FUNCTION _sluice.shape_add(_sluice.tab, jsonb, _sluice.pos) IS 'A shape that a poll found, where it is newer than what is known and differs';

CREATE FUNCTION _sluice.log_store(x _sluice.source_state, answer jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	now_low _sluice.pos := answer ->> 'low';
	shape record;
	moved boolean := false;
	fresh boolean := false;
BEGIN
	IF (answer ->> 'position')::_sluice.pos IS DISTINCT FROM x.position THEN
		PERFORM _sluice.mark_keep(x.source_id, answer ->> 'position', answer -> 'mark');
		PERFORM _sluice.marks_prune(x.source_id) WHERE (SELECT count(*) FROM _sluice.log_mark m WHERE m.source_id = x.source_id) > 64;
	END IF;
	IF now_low > x.low OR x.low IS NULL THEN
		UPDATE _sluice.source_state y SET low = now_low WHERE y.source_id = x.source_id;
		UPDATE _sluice.capture_instance c SET start_before = now_low WHERE c.source_id = x.source_id AND c.start_before < now_low;
		moved := true;
	END IF;
	FOR shape IN
		SELECT t AS tab, e.s FROM jsonb_array_elements(coalesce(answer -> 'shapes', '[]')) e(s) JOIN _sluice.tab t ON t.table_id = (e.s ->> 'table_id')::bigint
		WHERE t.source_id = x.source_id AND t.wanted <> 'dropped' AND t.phase <> 'registered' ORDER BY t.table_id, e.s ->> 'start'
	LOOP
		fresh := _sluice.shape_add(shape.tab, shape.s, now_low) OR fresh;
	END LOOP;
	-- The log tells the columns, discovery the rest: keys, foreign keys, what people see.
	UPDATE _sluice.source_state y SET discover_asked_at = clock_timestamp() WHERE y.source_id = x.source_id AND fresh;
	RETURN moved;
END
$$;
COMMENT ON FUNCTION _sluice.log_store(_sluice.source_state, jsonb) IS 'Marks, the log''s low end and new shapes of an answer. True: the low end moved, and may have overtaken a table';

CREATE FUNCTION _sluice.log_ddl(source_id bigint, ddl jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM _sluice.event_add('warning', 'ddl', t.source_id, t.target_id, t.table_id, format('%s was altered: %s', t.name, left(d.command, 500)), jsonb_build_object('lsn', d.lsn, 'time', d."time"))
	FROM jsonb_to_recordset($2) d(schema text, "table" text, lsn text, "time" text, command text)
	JOIN _sluice.tab t ON t.source_id = $1 AND t.schema_name = d.schema AND t.table_name = d."table" AND t.wanted <> 'dropped' ORDER BY d.lsn;
	-- Shapes come with the log itself; only a table that nobody follows yet is found by discovery.
	UPDATE _sluice.source_state x SET discover_asked_at = clock_timestamp()
	WHERE x.source_id = $1 AND EXISTS (SELECT FROM jsonb_to_recordset($2) d(schema text, "table" text, kind text)
		WHERE (d.kind = 'create' AND EXISTS (SELECT FROM _sluice.rule r WHERE r.source_id = $1)) OR EXISTS (SELECT FROM _sluice.tab t
			WHERE t.source_id = $1 AND t.schema_name = d.schema AND t.table_name = d."table" AND t.wanted <> 'dropped' AND t.phase = 'registered'));
END
$$;
COMMENT ON FUNCTION _sluice.log_ddl(bigint, jsonb) IS 'Schema changes of captured tables become events; one of a table that waits to be found asks for discovery';

CREATE FUNCTION _sluice.shape_change(t _sluice.tab, c _sluice.capture_instance) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH had AS (
		SELECT e.c ->> 'source_name' AS name, e.c FROM jsonb_array_elements((_sluice.version_now($1)).columns) e(c)
		WHERE NOT coalesce(nullif($1.options -> 'exclude', 'null'), '[]') ? (e.c ->> 'source_name')
	), has AS (
		SELECT e.c ->> 'source_name' AS name, e.c, i.facts, _sluice.default_landed(i.facts) AS value
		FROM jsonb_array_elements(_sluice.columns_build($1, $2)) e(c) JOIN _sluice.instance_columns($2) i ON i.name = e.c ->> 'source_name'
	), diff AS (
		SELECT string_agg(h.name, ', ' ORDER BY h.name) FILTER (WHERE n.name IS NULL) AS gone,
			string_agg(n.name, ', ' ORDER BY n.name) FILTER (WHERE h.name IS NULL) AS added,
			string_agg(n.name, ', ' ORDER BY n.name) FILTER (WHERE (h.c -> 'type', h.c -> 'precision', h.c -> 'scale') IS DISTINCT FROM (n.c -> 'type', n.c -> 'precision', n.c -> 'scale')
				AND h.name = n.name) AS retyped,
			string_agg(n.name, ', ' ORDER BY n.name) FILTER (WHERE h.name IS NULL AND n.value IS NULL AND (n.facts ->> 'default_expression' IS NOT NULL
				OR n.facts ->> 'default' IS NOT NULL OR NOT (n.c ->> 'nullable')::boolean)) AS unknown,
			string_agg(coalesce(h.name, n.name), ', ' ORDER BY coalesce(h.name, n.name)) FILTER (WHERE coalesce((h.c ->> 'key_ordinal')::integer, 0) <> coalesce((n.c ->> 'key_ordinal')::integer, 0)) AS keys
		FROM had h FULL JOIN has n ON n.name = h.name
	)
	-- One change that drops and adds may be a new name for what was there.
	SELECT CASE WHEN d.retyped IS NOT NULL THEN format('columns retyped at the source: %s', d.retyped)
		WHEN d.gone IS NOT NULL AND d.added IS NOT NULL THEN format('columns dropped or renamed at the source: %s, new ones: %s', d.gone, d.added)
		WHEN d.keys IS NOT NULL THEN format('the key changed at the source: %s', d.keys)
		WHEN d.unknown IS NOT NULL THEN format('columns added whose values in older rows the log does not tell: %s', d.unknown) END
	FROM diff d
$$;
COMMENT ON FUNCTION _sluice.shape_change(_sluice.tab, _sluice.capture_instance) IS 'Why rows of a new shape cannot stand beside those that landed; NULL: they can, in a new schema version';

CREATE FUNCTION _sluice.shape_end(t _sluice.tab, c _sluice.capture_instance, reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest _sluice.capture_instance;
BEGIN
	SELECT * INTO newest FROM _sluice.capture_instance x WHERE x.source_id = t.source_id AND x.source_object_id = t.source_object_id ORDER BY x.start DESC LIMIT 1;
	IF newest.columns IS NULL THEN
		PERFORM _sluice.trouble_set(t.table_id, 'gone', 'SL012', format('%s was dropped at the source', t.name),
			format('Made again it begins a new epoch by itself; SELECT sluice.drop_table(%L); forgets it.', t.name));
	ELSIF t.phase = 'loading' THEN
		-- What is loaded so far has other columns, or is of another life: the same job begins anew.
		PERFORM _sluice.event_add('warning', 'epoch', t.source_id, t.target_id, t.table_id, format('the load of %s begins anew: %s', t.name, reason))
		WHERE _sluice.table_reset(t, t.job_id, greatest(t.scans, 1));
	ELSIF c.change IS NULL AND t.options ->> 'on_incompatible' = 'stop' THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', 'SL014', format('%s: %s', t.name, reason), _sluice.resync_hint(t.name));
	ELSE
		PERFORM _sluice.epoch_ask(t, reason);
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.shape_end(_sluice.tab, _sluice.capture_instance, text) IS 'A table came to a shape that does not go with what landed: gone, a new epoch, or a stop';

CREATE FUNCTION _sluice.shape_turn(t _sluice.tab, c _sluice.capture_instance) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reason text := CASE c.change WHEN 'truncate' THEN 'truncated at the source' WHEN 'drop' THEN 'dropped at the source' WHEN 'create' THEN 'made again at the source'
		WHEN 'partition' THEN 'a partition was dropped, truncated or exchanged at the source' END;
	refused text;
BEGIN
	IF reason IS NULL AND t.phase = 'loading' THEN
		reason := 'its columns changed at the source';
	ELSIF reason IS NULL THEN
		reason := _sluice.shape_change(t, c);
	END IF;
	IF reason IS NOT NULL THEN
		PERFORM _sluice.shape_end(t, c, reason);
		RETURN false;
	END IF;
	refused := _sluice.columns_refused(t, c);
	IF refused IS NOT NULL THEN
		PERFORM _sluice.trouble_set(t.table_id, 'error', '0A000', format('columns of %s cannot be captured exactly: %s', t.name, refused),
			format('SELECT sluice.alter_table(%L, options => ''{"exclude": ["..."]}''); leaves them out, then SELECT sluice.resume_table(%1$L);', t.name));
		RETURN false;
	END IF;
	PERFORM _sluice.instance_move(t, _sluice.version_make(t, c, c.start, (_sluice.version_now(t)).columns), c.start);
	UPDATE _sluice.capture_instance x SET ahead = false WHERE x.source_id = c.source_id AND x.instance = c.instance;
	-- Older shapes have nobody left: a table moves only when no batch of it is open.
	DELETE FROM _sluice.capture_instance x WHERE x.source_id = c.source_id AND x.source_object_id = c.source_object_id AND x.start < c.start;
	RETURN true;
END
$$;
COMMENT ON FUNCTION _sluice.shape_turn(_sluice.tab, _sluice.capture_instance) IS 'A table stands where its next shape begins: it moves to it, or its epoch ends. True: it moved, and may stand at the one after it';

CREATE FUNCTION _sluice.shapes_follow(source_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found record;
	going boolean := true;
BEGIN
	WHILE going LOOP
		going := false;
		FOR found IN
			SELECT t AS tab, c AS shape FROM (SELECT a.source_object_id, min(a.start) AS start FROM _sluice.capture_instance a WHERE a.source_id = $1 AND a.ahead
				GROUP BY a.source_object_id) n
			JOIN _sluice.capture_instance c ON c.source_id = $1 AND c.source_object_id = n.source_object_id AND c.start = n.start
			JOIN _sluice.tab t ON t.source_id = c.source_id AND t.source_object_id = c.source_object_id JOIN _sluice.source_state x ON x.source_id = t.source_id
			WHERE t.wanted <> 'dropped' AND CASE t.phase WHEN 'loading' THEN coalesce(t.trouble, 'error') = 'error'
				WHEN 'streaming' THEN t.trouble IS NULL AND _sluice.table_low(t, x.position, x.cut_began_at) >= c.start
					AND NOT EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id) END
		LOOP
			going := _sluice.shape_turn(found.tab, found.shape) OR going;
		END LOOP;
	END LOOP;
	-- A table that was dropped and stands there again.
	PERFORM _sluice.job_open(t), _sluice.epoch_ask(t, 'made again at the source') FROM _sluice.tab t
	CROSS JOIN LATERAL (SELECT i.columns FROM _sluice.capture_instance i WHERE i.source_id = t.source_id AND i.source_object_id = t.source_object_id ORDER BY i.start DESC NULLS LAST LIMIT 1) n
	WHERE t.source_id = $1 AND t.trouble = 'gone' AND t.wanted <> 'dropped' AND n.columns IS NOT NULL;
END
$$;
COMMENT ON FUNCTION _sluice.shapes_follow(bigint) IS 'Tables that stand where their next shape begins move to it; a load whose table changed begins anew; a table made again too';

CREATE FUNCTION _sluice.facts_shapes(source_id bigint, facts jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- The shapes of followed tables come from the log: what the catalogue says now may be behind or ahead of what was read.
	DELETE FROM _sluice.capture_instance c WHERE c.source_id = $1
		AND NOT EXISTS (SELECT FROM _sluice.tab t WHERE t.source_id = $1 AND t.source_object_id = c.source_object_id
			AND ((t.wanted <> 'dropped' AND t.phase <> 'registered') OR EXISTS (SELECT FROM _sluice.batch b WHERE b.table_id = t.table_id)));
	INSERT INTO _sluice.capture_instance (source_id, instance, object_id, source_object_id, start, start_before, command_id, readable, columns, key, mark)
	SELECT $1, format('%s.%s@%s', f ->> 'schema', f ->> 'table', facts ->> 'position'), (f ->> 'object_id')::bigint, (f ->> 'object_id')::bigint,
		facts ->> 'position', facts ->> 'position', true, true, f -> 'columns', '[]', coalesce(nullif(facts -> 'mark', 'null'), '{}')
	FROM jsonb_array_elements(coalesce(facts -> 'tables', '[]')) f
	WHERE facts ->> 'position' IS NOT NULL AND NOT EXISTS (SELECT FROM _sluice.capture_instance c WHERE c.source_id = $1 AND c.source_object_id = (f ->> 'object_id')::bigint)
	ON CONFLICT DO NOTHING;
	-- Which XA transactions are open only the log tells: where there is a cut, reading is taken up there, and its mark knows of them.
	PERFORM _sluice.mark_keep($1, facts ->> 'position', facts -> 'mark') FROM _sluice.source_state x WHERE x.source_id = $1 AND x.position IS NULL;
END
$$;
COMMENT ON FUNCTION _sluice.facts_shapes(bigint, jsonb) IS 'What discovery found is the shape of each table that nobody follows, from the position read before it on';

CREATE FUNCTION _sluice.log_lost(x _sluice.source_state, reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM _sluice.trouble_set(t.table_id, 'lost', 'SL011', format('changes of %s were cleaned up before they were read: %s', t.name, reason), _sluice.resync_hint(t.name))
	FROM _sluice.tab t WHERE t.source_id = x.source_id AND t.wanted <> 'dropped' AND t.phase <> 'registered' AND coalesce(t.trouble, 'error') = 'error';
	-- The next poll takes the log up at its end.
	UPDATE _sluice.source_state y SET position = NULL, mark = NULL, low = NULL WHERE y.source_id = x.source_id;
END
$$;
COMMENT ON FUNCTION _sluice.log_lost(_sluice.source_state, text) IS 'The log is gone at the cut: every followed table lost changes, and the log is taken up at its end';
