-- Many tables at once, by patterns; rules for those that appear later.
CREATE DATABASE r_rule TEMPLATE sluice_installed;
\c r_rule
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SELECT t.err($$SELECT * FROM sluice.add_tables('erp', 'dbo.%')$$);
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
-- A source that cannot be looked at says why; looking again would not help.
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.source_fail(jsonb_build_object('worker_id', 1, 'source_id', 1, 'generation', t.start(1) -> 'generation', 'kind', 'permanent', 'message', 'wrong password', 'hint', 'Mend it.'));
RESET SESSION AUTHORIZATION;
SELECT t.err($$SELECT * FROM sluice.add_tables('erp', 'dbo.%')$$);
SELECT t.facts(1, t.tab(1, 'order', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_order', 16, 'id,v'))),
	t.tab(2, 'order_line', 10, 'id,v', 'id', jsonb_build_array(t.instance(2, 'dbo_order_line', 16, 'id,v'))),
	t.tab(3, 'orderXline', 10, 'id,v', 'id', jsonb_build_array(t.instance(3, 'dbo_orderXline', 16, 'id,v'))),
	t.tab(4, 'log_a', 10, 'id,v', 'id', jsonb_build_array(t.instance(4, 'dbo_log_a', 16, 'id,v'))),
	t.tab(5, 'odd', 10, 'id,v:variant', 'id', jsonb_build_array(t.instance(5, 'dbo_odd', 16, 'id,v'))),
	t.tab(6, 'quiet', 10, 'id,v', 'id', '[]'),
	t.tab(7, 'tmp_1', 10, 'id,v', 'id', jsonb_build_array(t.instance(7, 'dbo_tmp_1', 16, 'id,v'))));
-- A dry run changes nothing and says all.
SELECT * FROM sluice.add_tables('erp', 'dbo.%', dry_run => true, except_like => 'dbo.tmp%');
SELECT count(*) FROM _sluice.tab;
SELECT count(*) FROM _sluice.job;
-- An underscore is an underscore; case does not count; several patterns.
SELECT * FROM sluice.add_tables('erp', 'DBO.order_%, dbo.log_a', options => '{"format": "csv", "max_file_age": 5}',
	options_by => '[{"like": "dbo.log%", "options": {"max_file_age": 300}}, {"like": "dbo.%_a", "options": {"compression": "gzip"}}]');
SELECT name, options, added_by = current_user AS mine FROM _sluice.tab ORDER BY 1;
SELECT * FROM sluice.add_tables('erp', 'dbo.order%', new_tables => 'add');
SELECT rule, source, target, "like", except_like, options, new_tables, tables_told FROM sluice.rule;
SELECT * FROM sluice.add_tables('erp', 'dbo.log%', new_tables => 'announce', except_like => 'dbo.log_c') WHERE action <> 'captured already';
-- What cannot be meant.
SELECT c, t.err(format('SELECT * FROM sluice.add_tables(%s)', c)) FROM unnest(ARRAY[
	$$'nope', 'dbo.%'$$,
	$$'erp', 'dbo'$$,
	$$'erp', ''$$,
	$$'erp', 'sales.%'$$,
	$$'erp', 'dbo.%', 'sea'$$,
	$$'erp', 'dbo.%', options => '{"max_file_aeg": 1}'$$,
	$$'erp', 'dbo.%', options_by => '{}'$$,
	$$'erp', 'dbo.%', options_by => '[{"like": "dbo"}]'$$,
	$$'erp', 'dbo.%', new_tables => 'take'$$]) c;
SELECT table_name, action, reason FROM sluice.add_tables('erp', 'dbo.quiet', options_by => '[{"like": "dbo.quiet", "options": {"nope": 1}}]');
-- Two new tables, one enabled late, one that cannot be captured.
SELECT t.facts(1, VARIADIC (SELECT array_agg(x) FROM t.answer a, jsonb_array_elements(a.tables) x WHERE source_id = 1) || ARRAY[
	t.tab(8, 'order_new', 10, 'id,v', 'id', '[]'),
	t.tab(9, 'order_odd', 10, 'id,v:variant', 'id', jsonb_build_array(t.instance(9, 'dbo_order_odd', 16, 'id,v'))),
	t.tab(10, 'log_b', 10, 'id,v', 'id', jsonb_build_array(t.instance(10, 'dbo_log_b', 16, 'id,v'))),
	t.tab(11, 'log_c', 10, 'id,v', 'id', jsonb_build_array(t.instance(11, 'dbo_log_c', 16, 'id,v')))]);
SELECT severity, message, detail FROM sluice.event WHERE kind = 'rule' ORDER BY event_id;
SELECT t.facts(1, VARIADIC (SELECT array_agg(CASE x ->> 'table' WHEN 'order_new' THEN t.tab(8, 'order_new', 10, 'id,v', 'id', jsonb_build_array(t.instance(8, 'dbo_order_new', 16, 'id,v'))) ELSE x END)
	FROM t.answer a, jsonb_array_elements(a.tables) x WHERE source_id = 1));
SELECT severity, message FROM sluice.event WHERE kind = 'rule' ORDER BY event_id;
SELECT name, added_by = current_user AS mine FROM _sluice.tab WHERE table_name = 'order_new';
SELECT rule, tables_told FROM sluice.rule ORDER BY 1;
SELECT sluice.drop_rule(1);
SELECT t.err('SELECT sluice.drop_rule(1)');
-- Who may.
SET SESSION AUTHORIZATION sluice_reader;
SELECT t.err($$SELECT * FROM sluice.add_tables('erp', 'dbo.%')$$);
SELECT count(*) FROM sluice.rule;
RESET SESSION AUTHORIZATION;
\c postgres
DROP DATABASE r_rule;
