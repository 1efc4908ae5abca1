-- The worker's part: start, leases, epoch, load, fence, streaming; who gets what when.
CREATE DATABASE r_worker TEMPLATE sluice_installed;
\c r_worker
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake', prefix => 'p');
SELECT table_name FROM sluice.add_table('erp.dbo.a', options => '{"max_file_age": 0}');
SELECT table_name FROM sluice.add_table('erp.dbo.b', options => '{"max_file_age": 60, "load_range_rows": 100}');
SELECT _sluice.api_version();
SELECT t.err($$SELECT _sluice.worker_start('{"api": 1}')$$);
SET SESSION AUTHORIZATION sluice_worker;
SELECT t.err($$SELECT _sluice.worker_start('{"api": 2}')$$);
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}');
SELECT _sluice.worker_beat('{"worker_id": 1, "children": [10, 11]}');
SELECT _sluice.worker_beat('{"worker_id": 99, "children": []}');
SELECT jsonb_pretty(_sluice.worker_config());
SELECT t.err($$SELECT _sluice.batch_claim('{"worker_id": 99, "pid": 10, "max": 1}')$$);
RESET SESSION AUTHORIZATION;
-- A second worker gets no poll lease while the first one has it.
SELECT _sluice.poll_begin('{"worker_id": 99, "source_id": 1}');
SELECT b - 'ask' - 'source', b -> 'ask' FROM t.start(1) b;
SELECT t.facts(1, t.tab(1, 'a', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_a', 16, 'id,v'))),
	t.tab(2, 'b', 250, 'id,v', 'id', jsonb_build_array(t.instance(2, 'dbo_b', 16, 'id,v'))));
SELECT t.poll(1, 32);
-- An older poll may store nothing.
SELECT t.err($$SELECT _sluice.cut_store('{"worker_id": 1, "source_id": 1, "generation": 2, "answer": {}}')$$);
-- Check, recover and epochs come before everything else.
SELECT t.show(t.claim());
SELECT t.show(t.claim());
SELECT t.claim();
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT t.run(33) LIMIT 5;
SELECT table_name, state, epoch, load_ranges_planned, load_ranges_open FROM sluice.table_status ORDER BY 1;
-- The larger table is cut into ranges where the source says.
SELECT t.start(1) #> '{ask,splits}' AS splits \gset
SELECT :'splits';
SELECT generation AS g FROM _sluice.source_state \gset
SELECT _sluice.range_store(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', :g, 'table_id', 2, 'job_id', 2, 'range', 0, 'to', '["100"]'::jsonb));
SELECT _sluice.range_store(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', :g, 'table_id', 2, 'job_id', 2, 'range', 0, 'to', '["100"]'::jsonb));
SELECT _sluice.range_store(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', :g, 'table_id', 2, 'job_id', 2, 'range', 1, 'to', '["200"]'::jsonb));
SELECT jsonb_agg(s -> 'range') FROM jsonb_array_elements(t.start(1) #> '{ask,splits}') s;
SELECT generation AS g FROM _sluice.source_state \gset
SELECT _sluice.range_store(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', :g, 'table_id', 2, 'job_id', 2, 'range', 2, 'to', NULL));
SELECT t.start(1) #> '{ask,splits}';
-- At most half of the runners load: with two, the second gets nothing while the first has a range.
SELECT c #> '{batches,0,keys}' AS keys, c #>> '{batches,0,stem}' AS stem, c #>> '{batches,0,path}' AS path FROM t.claim(64, 10) c;
SELECT t.claim(64, 11);
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT t.run(34);
SELECT rows_loaded, files, load_ranges_open FROM sluice.table_status ORDER BY table_name;
-- The fence: the clock of a poll that began after the last chunk, then a position behind it.
SELECT t.poll(1, 40, t.changed(1, 36));
SELECT t.start(1) #> '{ask,fences}';
SELECT t.poll(1, 48, '{"fences": [{"table_id": 1, "position": "0000000000000000002e"}]}');
SELECT t.run();
SELECT t.poll(1, 50, '{"fences": [{"table_id": 2, "position": "00000000000000000031"}]}');
SELECT t.run();
SELECT table_name, state, epoch, ltrim(position, '0') AS position, rows_loaded, rows_changed FROM sluice.table_status ORDER BY 1;
SELECT job, kind, table_name, state, message FROM sluice.job ORDER BY 1;
-- Streaming: nothing for an idle table, a batch when the oldest change is max_file_age old.
SELECT t.poll(1, 64);
SELECT jsonb_agg(i -> 'newest' ORDER BY i -> 'table_id') FROM jsonb_array_elements(t.start(1) #> '{ask,instances}') i;
SELECT t.poll(1, 80, t.changed(1, 70, 2, 71), '2026-01-01T00:01:00Z');
SELECT t.show(t.claim());
SELECT t.poll(1, 96, t.changed(1, 90), '2026-01-01T00:01:59Z');
SELECT t.poll(1, 97, '{}', '2026-01-01T00:02:00Z');
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT t.run();
-- What came while the first batch was open is next.
SELECT t.poll(1, 98, '{}', '2026-01-01T00:02:01Z');
SELECT t.run();
SELECT t.poll(1, 99, '{}', '2026-01-01T00:02:02Z'), t.claim(), t.beat() ->> 'settled' AS settled;
SELECT table_name, ltrim(position, '0') AS position, pending_since, rows_changed, files, bytes FROM sluice.table_status ORDER BY 1;
-- A paused table plans nothing, and loses nothing.
SELECT sluice.pause_table('erp.dbo.a');
SELECT t.poll(1, 112, t.changed(1, 100), '2026-01-01T00:03:00Z');
SELECT sluice.resume_table('erp.dbo.a');
SELECT t.poll(1, 120, '{}', '2026-01-01T00:03:30Z');
SELECT t.run();
-- A source that cannot be asked.
SELECT t.start(1) ->> 'generation' AS g \gset
SELECT _sluice.source_fail(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', :g, 'kind', 'permanent', 'code', '18456', 'message', 'login failed', 'hint', 'Check the password.'));
SELECT state, code, message, hint FROM sluice.source_status;
SELECT _sluice.poll_begin('{"worker_id": 1, "source_id": 1}') ->> 'rest' AS rest;
-- A poller that is woken while it rests waits for what is left, not for a whole interval more.
BEGIN;
SELECT sluice.alter_setting('poll_interval_ms', '60000');
UPDATE _sluice.source_state SET next_poll_at = clock_timestamp() + interval '30 s';
SELECT b ->> 'rest' AS rest, (b ->> 'poll_ms')::integer BETWEEN 1 AND 30000 AS what_is_left FROM _sluice.poll_begin('{"worker_id": 1, "source_id": 1}') b;
ROLLBACK;
SELECT t.poll(1, 121);
SELECT state, message FROM sluice.source_status;
-- The end: leases are free at once.
SELECT _sluice.worker_stop('{"worker_id": 1}');
SELECT lease_worker FROM _sluice.source_state;
SELECT t.beat();
SELECT table_name, state, health FROM sluice.status ORDER BY 1;
-- One that was killed is buried by the next: nobody waits for its leases.
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 2, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id' AS worker_id;
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'pollers' AS pollers;
SELECT t.poll(1, 128, t.changed(1, 127), '2026-01-01T00:05:00Z');
SELECT t.show(t.claim());
UPDATE _sluice.worker SET backend = 0 WHERE worker_id = 2;
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 3, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id' AS worker_id;
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'pollers' AS pollers;
SELECT * FROM t.run();
SELECT message FROM sluice.event WHERE kind = 'worker';
\c postgres
DROP DATABASE r_worker;
