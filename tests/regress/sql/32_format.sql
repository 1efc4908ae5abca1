-- What a table lands as: which options belong together, and what a batch takes along.
CREATE DATABASE r_format TEMPLATE sluice_installed;
\c r_format
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
-- Refused with the way out, before the table is known.
SELECT o, t.err(format('SELECT sluice.add_table(%L, options => %L)', 'erp.dbo.b', o)) FROM unnest(ARRAY[
	'{"profile": "debezium", "format": "csv"}', '{"profile": "debezium", "lob": "log"}',
	'{"profile": "dms", "format": "jsonl"}', '{"profile": "dms", "cdc_inserts_only": true, "cdc_inserts_and_updates": true}',
	'{"profile": "dms", "timestamp_column_name": "OP"}', '{"timestamp_column_name": "t"}',
	'{"compression": "snappy"}', '{"compression": "gzip", "compression_level": 12}', '{"compression": "none", "compression_level": 1}',
	'{"csv_header": false}', '{"format": "csv", "csv_header": "maybe"}', '{"decimal_handling_mode": "string"}', '{"target_file_bytes": 65535}', '{"target_file_bytes": 5368709121}']) o;
-- A batch carries a copy of what its format must know; what is planned keeps its own.
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v'))));
SELECT * FROM sluice.add_table('erp.dbo.t1', options => '{"max_file_age": 0, "format": "csv", "csv_header": false}');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
SELECT t.fence(1, 40, 1);
SELECT * FROM t.run();
SELECT t.poll(1, 64, t.changed(1, 50));
SELECT t.err($$SELECT sluice.alter_table('erp.dbo.t1', '{"format": "jsonl"}')$$);
SELECT hint FROM sluice.alter_table('erp.dbo.t1', '{"format": "jsonl", "csv_header": null}');
CREATE TABLE t.v AS SELECT t.claim() AS v;
SELECT v #> '{batches,0,format}' AS format FROM t.v;
SELECT _sluice.batch_release(jsonb_build_object('worker_id', 1, 'batches', v -> 'batches')) FROM t.v;
SELECT * FROM t.run();
SELECT t.poll(1, 80, t.changed(1, 70));
SELECT t.claim() #> '{batches,0,format}' AS format;
-- What a profile sets where nobody did.
SELECT p, _sluice.options_full('table', jsonb_build_object('profile', p)) - ARRAY(SELECT o.name FROM _sluice.option o WHERE o.scope = 'table'
	AND o.name NOT IN ('format', 'compression', 'lob')) AS defaults FROM unnest('{sluice,debezium,dms}'::text[]) p;
-- Every option that belongs to a format or a profile belongs to one that there is.
SELECT o.name, o.only_for FROM _sluice.option o WHERE o.only_for IS NOT NULL
	AND NOT o.only_for <@ (SELECT array_agg(c) FROM _sluice.option x, unnest(x.choices) c WHERE x.scope = 'table' AND x.name IN ('format', 'profile'));
-- Profile dms: the folder names no source, so it has one table; names hold what makes them unique.
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v'))), t.tab(2, 't2', 10, 'id,v', 'id', jsonb_build_array(t.instance(2, 'dbo_t2', 16, 'id,v'))),
	t.tab(3, 't3', 10, 'id,op', 'id', jsonb_build_array(t.instance(3, 'dbo_t3', 16, 'id,op'))));
SELECT hint FROM sluice.add_table('erp.dbo.t2', 'lake', '{"profile": "dms"}');
SELECT source FROM sluice.add_source('crm', 'sqlserver', host => 'h', database => 'CRM', "user" => 'sluice', password_env => 'P');
SELECT s.target, o.target FROM sluice.add_target('same', 'file', path => '/tmp/lake') s, sluice.add_target('other', 'file', path => '/tmp/lake', prefix => 'crm') o;
SELECT target, t.err(format('SELECT sluice.add_table(%L, %L, %L)', 'crm.dbo.t2', target, '{"profile": "dms"}')) FROM unnest('{lake,same}'::text[]) target;
SELECT hint FROM sluice.add_table('crm.dbo.t2', 'other', '{"profile": "dms"}');
SELECT hint FROM sluice.add_table('crm.dbo.t1', 'lake');
SELECT t.name, _sluice.table_path(t) FROM _sluice.tab t ORDER BY 1;
SELECT k, d.day, d.stamp, d.epoch, _sluice.key_day(k) FROM unnest(ARRAY['p/dbo/t/LOAD0000000A-20261120-0000000b-000000000012-0000.csv',
	'dbo/t/20261120-235959999-00000002-00010000002700000013000a-0003.csv.gz', 'dbo/t/20141029-1134010000.csv', 'dbo/t/LOAD00000001.csv',
	'p/erp/dbo.t/sluice_epoch=1/sluice_kind=load/sluice_day=2026-11-20/sluice_hour=08/000000000012-00000000-0000.jsonl']) k, _sluice.dms_key(k) d;
-- A profile stays while files stand; a column may not have the name of an added one.
SELECT t.err($$SELECT sluice.alter_table('erp.dbo.t1', '{"profile": "dms", "format": null}')$$);
-- Another format is another kind of file in the same epoch: said, with what ends it.
SELECT hint FROM sluice.alter_table('erp.dbo.t1', '{"format": "parquet", "timestamp_precision": "micros"}');
SELECT hint FROM sluice.alter_table('erp.dbo.t1', '{"format": null, "timestamp_precision": null}');
SELECT t.err($$SELECT sluice.add_table('erp.dbo.t3', 'lake', '{"profile": "dms"}')$$);
SELECT hint FROM sluice.add_table('erp.dbo.t3', 'lake', '{"profile": "dms", "exclude": ["op"], "timestamp_column_name": "at"}');
SELECT t.err($$SELECT sluice.alter_table('erp.dbo.t3', '{"timestamp_column_name": "ID"}')$$);
-- Columns that get a Bloom filter are the table's.
SELECT t.err($$SELECT sluice.add_table('erp.dbo.t4', 'lake', '{"format": "parquet", "bloom_columns": ["id", "vv"]}')$$) FROM t.facts(1, t.tab(4, 't4', 10, 'id,v', 'id', jsonb_build_array(t.instance(4, 'dbo_t4', 16, 'id,v'))));
SELECT hint FROM sluice.add_table('erp.dbo.t4', 'lake', '{"format": "parquet", "bloom_columns": ["id", "v"]}');
SELECT t.err($$SELECT sluice.alter_table('erp.dbo.t4', '{"bloom_columns": ["vv"]}')$$);
SELECT t.err($$SELECT sluice.alter_table('erp.dbo.t4', '{"exclude": ["v"]}')$$);
SELECT t.err($$SELECT sluice.add_table('erp.dbo.t5', 'lake', '{"format": "parquet", "bloom_columns": ["b"]}')$$)
FROM t.facts(1, t.tab(5, 't5', 10, 'id,b', 'id', jsonb_build_array(jsonb_set(t.instance(5, 'dbo_t5', 16, 'id,b'), '{columns,1,type}', '"boolean"'))));
