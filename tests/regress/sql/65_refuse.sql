-- What is refused, and that the refusal ends by itself: targets that overwrite, columns nobody has, questions that cannot be answered.
CREATE DATABASE r_refuse TEMPLATE sluice_installed;
\c r_refuse
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 's3', bucket => 'b-b');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
-- The claimed check ends with the two conditional steps as given: ok, bad or skipped.
CREATE FUNCTION t.check(put text, complete text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE c jsonb := t.claim();
BEGIN
	PERFORM _sluice.check_store(jsonb_build_object('worker_id', 1, 'target_id', c #> '{target,id}', 'batches', c -> 'batches', 'steps', (
		SELECT jsonb_agg(jsonb_build_object('check', s.name, 'object', 'o', 'ok', s.how = 'ok', 'found', s.how, 'skipped', s.how = 'skipped'))
		FROM (VALUES ('put', CASE WHEN put = 'skipped' THEN 'bad' ELSE 'ok' END), ('conditional put', put), ('conditional complete', complete)) s(name, how))));
	RETURN c ->> 'work';
END $$;
CREATE VIEW t.seen AS SELECT state, health, message, hint FROM sluice.table_status;
GRANT SELECT ON t.seen TO PUBLIC;
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v,blob', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v,blob'))));
SELECT table_name FROM sluice.add_table('erp.dbo.t1', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
-- Nothing before the first check has ended.
SELECT t.claim() ->> 'work' AS first, t.claim(64, 11) IS NULL AS no_second;
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
-- A store that ignores the condition gets nothing, not even recovery; it is checked again later.
SELECT t.check('bad', 'ok');
SELECT t.claim() IS NULL AS nothing;
SELECT * FROM t.seen;
SELECT "check", ok, severity, found, fix_sql FROM sluice.check_target('lake') WHERE "check" <> 'age';
SELECT work, retry_at > now() AS later FROM _sluice.batch WHERE work = 'check';
-- A check that came to nothing proves nothing.
CALL sluice.refresh('lake', 0);
SELECT t.check('skipped', 'skipped');
SELECT t.claim() IS NULL AS nothing;
-- Accepted as it is, it goes on by itself, with a warning.
SELECT target FROM sluice.alter_target('lake', '{"unfenced": true}');
SELECT * FROM t.run(33);
SELECT t.poll(1, 34);
SELECT * FROM t.run(34);
SELECT "check", ok, severity, found, fix_sql FROM sluice.check_target('lake') WHERE "check" = 'unfenced';
SELECT state, health FROM t.seen;
-- Taken back, what streams stops again, until a check finds the condition kept.
SELECT target FROM sluice.alter_target('lake', '{"unfenced": null}');
SELECT t.fence(1, 40, 1);
SELECT t.check('ok', 'bad');
SELECT t.claim() IS NULL AS nothing;
SELECT health, message FROM t.seen;
CALL sluice.refresh('lake', 0);
SELECT t.check('ok', 'ok');
SELECT * FROM t.run();
SELECT health, message FROM t.seen;
SELECT severity, message FROM sluice.event WHERE kind = 'target' AND message LIKE '%overwrite%' ORDER BY event_id;
-- Columns that the table lacks: refused at once where its columns are known, else when they are.
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v,blob', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v,blob'))), t.tab(2, 't2', 10, 'Id,total', 'Id', jsonb_build_array(t.instance(2, 'dbo_t2', 16, 'Id,total'))));
SELECT t.err($$SELECT sluice.add_table('erp.dbo.t2', options => '{"exclude": ["totel"]}')$$);
SELECT t.err($$SELECT sluice.add_table('erp.dbo.t2', options => '{"key": ["id"]}')$$);
SELECT * FROM sluice.add_tables('erp', 'dbo.t2', options => '{"exclude": ["blob"]}');
SELECT t.err($$SELECT sluice.alter_table('erp.dbo.t1', '{"exclude": ["blo"]}')$$), t.err($$SELECT sluice.alter_table('erp.dbo.t1', '{"key": ["id", "w"]}')$$);
SELECT options FROM sluice.table_status;
SELECT source FROM sluice.add_source('crm', 'sqlserver', host => 'h', database => 'CRM', "user" => 'sluice', password_env => 'P');
SELECT state FROM sluice.add_table('crm.dbo.late', options => '{"key": ["idd"]}');
SELECT t.beat() -> 'pollers' AS pollers;
SELECT t.facts(2, t.tab(7, 'late', 10, 'id,v', 'id', jsonb_build_array(t.instance(7, 'dbo_late', 16, 'id,v'))));
SELECT state, code, message, hint FROM sluice.table_status WHERE source = 'crm';
SELECT hint FROM sluice.alter_table('crm.dbo.late', '{"key": ["id"]}');
SELECT sluice.resume_table('crm.dbo.late');
SELECT t.facts(2, t.tab(7, 'late', 10, 'id,v', 'id', jsonb_build_array(t.instance(7, 'dbo_late', 16, 'id,v'))));
SELECT state, code, message, hint FROM sluice.table_status WHERE source = 'crm';
-- A column excluded later: nothing begins by itself, as the hint says, and what the source drops is still seen.
SELECT hint FROM sluice.alter_table('erp.dbo.t1', '{"exclude": ["blob"]}');
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v,blob', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v,blob'))));
SELECT t.poll(1, 48);
SELECT * FROM t.run(49);
SELECT kind, table_name, state FROM sluice.job WHERE ended_at IS NULL;
SELECT state FROM sluice.resync_table('erp.dbo.t1');
SELECT t.poll(1, 50);
SELECT * FROM t.run(51);
SELECT t.fence(1, 56, 1);
SELECT count(*) FROM t.run();
SELECT version, current, column_names FROM sluice.schema_version WHERE table_name = 'erp.dbo.t1' ORDER BY 1;
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,w', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v,blob'))));
SELECT kind, state, reason FROM sluice.job WHERE ended_at IS NULL AND table_name = 'erp.dbo.t1';
-- A refresh that cannot succeed ends with the reason, unless it was asked for after the poll had begun; a passing failure leaves it open.
CREATE FUNCTION t.fail(kind text, asked_later boolean) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE b jsonb; a jsonb := '{"worker_id": 1, "source_id": 2, "message": "environment variable P is not set", "hint": "Set it for the worker."}';
BEGIN
	IF NOT asked_later THEN PERFORM _sluice.refresh_ask('crm'); END IF;
	b := t.start(2);
	IF asked_later THEN PERFORM _sluice.refresh_ask('crm'); END IF;
	RETURN _sluice.source_fail(a || jsonb_build_object('generation', b -> 'generation', 'kind', kind));
END $$;
SELECT t.fail('permanent', true);
SELECT next_poll_at IS NULL AS at_once FROM _sluice.source_state WHERE source_id = 2;
SELECT t.fail('transient', false);
SELECT state, message FROM sluice.job WHERE kind = 'refresh' AND source = 'crm';
SELECT t.fail('permanent', false);
SELECT next_poll_at > now() AS later FROM _sluice.source_state WHERE source_id = 2;
SELECT state, message FROM sluice.job WHERE kind = 'refresh' AND source = 'crm';
SELECT _sluice.job_failure(max(job)), _sluice.job_failure(min(job)) FROM sluice.job;
\c postgres
DROP DATABASE r_refuse;
