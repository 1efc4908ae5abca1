-- The doctor reads what the worker found and says how old it is; texts for the source's administrator.
CREATE DATABASE r_doctor TEMPLATE sluice_installed;
\c r_doctor
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'E]RP', "user" => 'slu]ice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SELECT table_name FROM sluice.add_table('erp.dbo.gone');
SELECT "check", object, ok, severity, found, fix_sql FROM sluice.check_source('erp');
SELECT "check", object, ok, severity, found, fix_sql FROM sluice.check_cdc('erp');
SELECT "check", object, ok, severity, found, fix_sql FROM sluice.check_target('lake');
SELECT t.err($$SELECT sluice.cdc_script('erp')$$), t.err($$SELECT * FROM sluice.check_cdc('nope')$$), t.err($$SELECT * FROM sluice.check_target('nope')$$), t.err($$SELECT * FROM sluice.check_source(NULL)$$);
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 1}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT _sluice.check_store('{"worker_id": 1, "source_id": 1, "steps": [{"check": "dns", "object": "h", "ok": true, "found": "127.0.0.1", "ms": 2}, {"check": "tcp", "object": "h:1433", "ok": false, "severity": "error", "found": "connection refused", "wanted": "a listener", "fix_sql": "-- open the port", "ms": 5}, {"check": "login", "object": "sluice", "skipped": true}, {"check": "agent", "object": "h", "ok": false, "severity": "error", "found": "does not run", "wanted": "runs", "fix_sql": "-- start it"}, {"check": "agent", "object": "h", "ok": true, "found": "Running"}]}');
SELECT "check", object, ok, severity, regexp_replace(found, '[0-9:]+ ago', 'a moment ago') AS found, wanted, fix_sql FROM sluice.check_source('erp');
SELECT t.facts(1, t.tab(1, 'a', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_a', 16, 'id,v'))),
	t.tab(2, 'none', 10, 'id', 'id', '[]'), t.tab(3, 'o''dd', 10, 'id', 'id', '[]'),
	t.tab(4, 'lacks', 10, 'id,v,w', 'id', jsonb_build_array(t.instance(4, 'dbo_lacks', 16, 'id,v'))),
	t.tab(5, 'blind', 10, 'id', 'id', jsonb_build_array(t.instance(5, 'dbo_blind', 16, 'id') || '{"readable": false}')));
SELECT "check", object, ok, severity, regexp_replace(found, '[0-9:]+ ago', 'a moment ago') AS found, fix_sql FROM sluice.check_cdc('erp');
SELECT t.poll(1, 20, '{"capture": {"running": false, "message": "the capture job does not run"}}');
SELECT "check", ok, found, fix_sql FROM sluice.check_cdc('erp') WHERE "check" IN ('capture job', 'retention');
SELECT source, state, capture_running, message, hint FROM sluice.source_status;
-- What SQL Server tells is only when the last log scan ended.
CREATE FUNCTION t.capture(capture jsonb) RETURNS TABLE (ok boolean, severity text, found text, fix_sql text, capture_running boolean, message text) LANGUAGE sql AS $$
	SELECT t.poll(1, 20, jsonb_build_object('capture', capture, 'tran_end_time', '2025-12-31T23:00:00Z'));
	SELECT c.ok, c.severity, c.found, c.fix_sql, s.capture_running, s.message FROM sluice.check_cdc('erp') c, sluice.source_status s WHERE c."check" = 'capture job' $$;
SELECT * FROM t.capture('{"running": null, "scan_end": "2025-12-31T23:59:55.000Z", "latency_s": 1, "errors": 0}');
SELECT * FROM t.capture('{"running": null, "scan_end": null, "errors": 0}');
SELECT * FROM t.capture('{"running": null, "scan_end": "2025-12-31T23:59:55.000Z", "errors": 2, "message": "log scan failed"}');
SELECT * FROM t.capture('{"running": null, "scan_end": "2025-12-31T23:00:00.000Z", "errors": 0, "message": "out of space"}');
SELECT * FROM t.capture('{"running": null}');
SELECT * FROM t.capture(NULL);
SELECT sluice.cdc_script('erp');
SELECT sluice.cdc_script('erp', 'dbo.lack%');
SELECT sluice.cdc_script('erp', 'dbo.a');
SELECT sluice.cdc_script('erp', 'dbo.lax');
SELECT table_name, health, message, hint FROM sluice.table_status;
SELECT count(*) FROM t.run();
SELECT "check", object, ok, severity, regexp_replace(found, '[0-9:]+ ago', 'a moment ago') AS found FROM sluice.check_target('lake');
SELECT target, ok, tables FROM sluice.target_status;
-- A target that could not even be asked: the refresh says so instead of waiting.
CALL sluice.refresh('lake', 0);
SELECT t.claim() #>> '{batches,0,batch_id}' AS b \gset
SELECT _sluice.batch_fail(format('{"worker_id": 1, "batches": [{"batch_id": %s, "generation": 1}], "kind": "transient", "message": "no route to host", "hint": "Look at the network."}', :'b')::jsonb);
SELECT kind, state, message FROM sluice.job;
SELECT "check", ok, found, wanted, fix_sql FROM sluice.check_target('lake') WHERE NOT ok;
CREATE VIEW t.fixes AS SELECT "check", fix_sql FROM sluice.check_source('erp') UNION ALL SELECT "check", fix_sql FROM sluice.check_cdc('erp') UNION ALL SELECT "check", fix_sql FROM sluice.check_target('lake');
SELECT "check", ok, found FROM sluice.check_install() WHERE "check" IN ('worker', 'database');
SELECT wanted, fix_sql FROM sluice.check_install() WHERE "check" = 'worker';
SELECT t.poll(1, 20);
SELECT _sluice.source_fail(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', t.start(1) -> 'generation', 'kind', 'permanent', 'message', 'wrong password', 'hint', 'Mend it.'));
SELECT found, wanted, fix_sql FROM sluice.check_source('erp') WHERE "check" = 'poll';
-- fix_sql holds a statement or nothing.
SELECT "check", fix_sql FROM (TABLE t.fixes UNION ALL SELECT "check", fix_sql FROM sluice.check_install()) f WHERE fix_sql !~ '^[A-Z]+ .*;$';
-- A role that lost a grant shows as the statement that gives it back.
REVOKE SELECT ON sluice.status FROM sluice_reader;
SELECT object, found, fix_sql FROM sluice.check_install() WHERE "check" = 'grant';
GRANT SELECT ON sluice.status TO sluice_reader;
-- Views cost nothing where nothing is asked.
SELECT count(*) FROM (SELECT FROM sluice.status WHERE false UNION ALL SELECT FROM sluice.batch WHERE false UNION ALL SELECT FROM sluice.file WHERE false UNION ALL SELECT FROM sluice.job WHERE false
	UNION ALL SELECT FROM sluice.event WHERE false UNION ALL SELECT FROM sluice.source_column WHERE false) v;
\c postgres
DROP DATABASE r_doctor;
