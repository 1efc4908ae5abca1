-- The texts for those who read what lands, in each dialect: names that need quoting, every kind of type, unlogged values, no key.
CREATE DATABASE r_consumer TEMPLATE sluice_installed;
\c r_consumer
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake''s');
SELECT target FROM sluice.add_target('s3', 's3', bucket => 'landing', prefix => 'p/q');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 1}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, t.tab(1, 'or`d"e''rs', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_a', 16, 'id,v'))));
SELECT sluice.add_table('erp.dbo."or`d""e''rs"', 'lake', options => '{"max_file_age": 0}') IS NOT NULL;
SELECT t.err($$SELECT sluice.current_rows_sql('erp.dbo."or`d""e''rs"')$$), t.err($$SELECT sluice.external_table_sql('erp.dbo.none')$$), t.err($$SELECT sluice.current_rows_sql(NULL)$$);
-- The texts only ask what the registry says: that a load has been read to its end is told to it here.
UPDATE _sluice.schema_version SET columns = '[]';
UPDATE _sluice.tab SET phase = 'loading', epoch = 1, instance = 'x', version = 1, position = repeat('0', 20);
UPDATE _sluice.tab SET phase = 'streaming';
DELETE FROM _sluice.schema_version;
INSERT INTO _sluice.schema_version (table_id, version, instance, instance_object_id, source_object_id, command_id, key, columns)
SELECT t.table_id, 1, 'x', 1, 1, true, '[]', (SELECT jsonb_agg(jsonb_build_object('name', x.name, 'type', x.type, 'precision', x.p, 'scale', x.s, 'large', x.large, 'key_ordinal', x.k) ORDER BY x.n)
	FROM (VALUES (1, 'id', 'int32', 0, 0, false, 1), (2, 'a"b`c\d', 'decimal', 38, 10, false, 0), (3, 'part', 'uuid', 0, 0, false, 2), (4, 'flag', 'boolean', 0, 0, false, 0), (5, 'tiny', 'int16', 0, 0, false, 0),
		(6, 'big', 'int64', 0, 0, false, 0), (7, 'ubig', 'uint64', 0, 0, false, 0), (8, 'r', 'float32', 0, 0, false, 0), (9, 'd', 'float64', 0, 0, false, 0), (10, 'day', 'date', 0, 0, false, 0),
		(11, 'clock', 'time', 7, 0, false, 0), (12, 'at3', 'timestamp', 3, 0, false, 0), (13, 'at7', 'timestamp', 7, 0, false, 0), (14, 'tz', 'timestamptz', 7, 0, false, 0),
		(15, 'no"te', 'string', 0, 0, true, 0), (16, 'blob', 'binary', 0, 0, true, 0)) x(n, name, type, p, s, large, k))
FROM _sluice.tab t;
\pset format unaligned
\pset tuples_only on
SELECT sluice.external_table_sql(table_name, 'duckdb') FROM sluice.table_status;
SELECT sluice.current_rows_sql(table_name, 'duckdb') FROM sluice.table_status;
UPDATE _sluice.tab SET target_id = 2;
SELECT sluice.external_table_sql(table_name, 'spark') FROM sluice.table_status;
SELECT sluice.external_table_sql(table_name) FROM sluice.table_status;
SELECT sluice.current_rows_sql(table_name) FROM sluice.table_status;
-- Microseconds where the table asks for them.
UPDATE _sluice.tab SET options = options || '{"format": "parquet", "timestamp_precision": "micros"}';
SELECT line FROM sluice.table_status, regexp_split_to_table(sluice.external_table_sql(table_name, 'spark'), '\n') line WHERE line ~ '`(at7|tz|clock|blob)`|USING parquet';
UPDATE _sluice.tab SET options = options - '{format,timestamp_precision}'::text[];
-- Without a key: the multiset.
UPDATE _sluice.schema_version SET columns = '[{"name": "a", "type": "int32", "key_ordinal": 0}, {"name": "b", "type": "binary", "key_ordinal": 0}]';
SELECT sluice.current_rows_sql(table_name, dialect) FROM sluice.table_status, unnest(ARRAY['duckdb', 'spark']) dialect;
-- Files that no one reader reads together.
INSERT INTO _sluice.file (day, target_id, key, source_id, table_id, work, epoch, version) SELECT '2026-01-01', 2, 'x/y.csv', 1, t.table_id, 'load', 1, 1 FROM _sluice.tab t;
SELECT t.err(format('SELECT sluice.current_rows_sql(%L)', table_name)) FROM sluice.table_status;
