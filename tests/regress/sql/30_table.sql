-- Tables: registered before and after discovery, refused with a reason, altered, paused, dropped.
CREATE DATABASE r_table TEMPLATE sluice_installed;
\c r_table
SELECT t.err($$SELECT sluice.add_table('erp.dbo.a')$$);
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT t.err($$SELECT sluice.add_table('erp.dbo.a')$$);
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
-- Before anything is known of the source: accepted, and resolved by discovery.
SELECT * FROM sluice.add_table('erp.dbo.a', options => '{"max_file_age": 0}');
SELECT * FROM sluice.add_table('erp.dbo.nothere');
SELECT t.err($$SELECT sluice.add_table('erp.dbo.a')$$);
SELECT t.err($$SELECT sluice.add_tables('erp', 'dbo.%')$$);
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}');
RESET SESSION AUTHORIZATION;
SELECT t.beat();
SELECT t.facts(1, t.tab(1, 'a', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_a', 16, 'id,v'))),
	t.tab(2, 'b', 10, 'id,v', 'id', jsonb_build_array(t.instance(2, 'dbo_b', 16, 'id,v'))),
	t.tab(3, 'nocdc', 10, 'id,v', 'id', '[]'),
	t.tab(4, 'odd', 10, 'id,v:variant', 'id', jsonb_build_array(t.instance(4, 'dbo_odd', 16, 'id,v'))),
	t.tab(5, 'x.y', 10, 'id,Id,_sluice_op,sluice_day', 'id', jsonb_build_array(t.instance(5, 'dbo_xy', 16, 'id,Id,_sluice_op,sluice_day'))));
SELECT table_name, state, health, message, hint FROM sluice.table_status ORDER BY 1;
-- Known now, so refused at once, with the way out.
SELECT t.err($$SELECT sluice.add_table('erp.dbo.orderz')$$);
SELECT t.err($$SELECT sluice.add_table('erp.dbo.nocdc')$$);
SELECT t.err($$SELECT sluice.add_table('erp.dbo.odd')$$);
SELECT t.err($$SELECT sluice.add_table('nope.dbo.a')$$);
SELECT t.err($$SELECT sluice.add_table('erp.dbo.b', 'nope')$$);
SELECT o, t.err(format('SELECT sluice.add_table(%L, options => %L)', 'erp.dbo.b', o)) FROM unnest(ARRAY['{"max_file_aeg": 1}', '{"format": "exotic"}', '{"target_file_bytes": 1}', '{"exclude": "v"}', '{"keyless": "maybe"}', '[1]']) o;
SELECT * FROM sluice.add_tables('erp', 'dbo.%', dry_run => true);
SELECT * FROM sluice.add_tables('erp', 'dbo.%');
SELECT * FROM sluice.add_tables('erp', 'dbo.%', dry_run => true);
SELECT * FROM sluice.add_table('erp.dbo.odd', options => '{"exclude": ["v"]}');
SELECT t.poll(1, 32);
SELECT table_name, version, capture_instance, column_names FROM sluice.schema_version ORDER BY 1, 2;
-- Several targets: one must be named.
SELECT target FROM sluice.add_target('lake2', 'file', path => '/tmp/lake2');
SELECT sluice.drop_table('erp.dbo.b');
SELECT t.err($$SELECT sluice.add_table('erp.dbo.b')$$);
SELECT * FROM sluice.add_table('erp.dbo.b', 'lake2');
SELECT t.err($$SELECT sluice.drop_target('lake2')$$), t.err($$SELECT sluice.drop_source('erp')$$);
SELECT * FROM sluice.alter_table('erp.dbo.a', '{"max_file_age": 5, "compression": "gzip"}');
SELECT * FROM sluice.alter_table('erp.dbo.a', '{"compression": null}');
SELECT t.err($$SELECT sluice.alter_table('erp.dbo.a', '{"compression": "rar"}')$$), t.err($$SELECT sluice.alter_table('erp.dbo.zzz', '{}')$$), t.err($$SELECT sluice.alter_table('erp.dbo.a', NULL)$$);
SELECT options FROM sluice.table_status WHERE table_name = 'erp.dbo.a';
SELECT sluice.pause_table('erp.dbo.a'), sluice.pause_table('erp.dbo.a');
SELECT wanted, state FROM sluice.status WHERE table_name = 'erp.dbo.a';
SELECT sluice.resume_table('erp.dbo.a'), sluice.resume_table('erp.dbo.a');
SELECT sluice.drop_table('erp.dbo.a');
SELECT t.err($$SELECT sluice.drop_table('erp.dbo.a')$$), t.err($$SELECT sluice.resume_table('erp.dbo.a')$$);
SELECT source, schema_name, table_name, captured_as, cdc, capture_instances, rows, key FROM sluice.source_table ORDER BY 3;
SELECT table_name, column_name, type, refused, captured FROM sluice.source_column WHERE table_name IN ('odd', 'x.y') ORDER BY table_name, ordinal;
\c postgres
DROP DATABASE r_table;
