-- Schema changes in one log: a new version that knows its default, a new epoch, a stop, another life of the table; never a row under the wrong columns.
CREATE DATABASE r_log_shape TEMPLATE sluice_installed;
\c r_log_shape
SELECT source FROM sluice.add_source('shop', 'mariadb', host => 'db1', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
CREATE TABLE t.column_set (name text PRIMARY KEY, c jsonb);
INSERT INTO t.column_set VALUES ('plain', jsonb_build_array(t.col('id'), t.col('v', 'string'))),
	('added', jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('country', 'string', '{"default": "US"}'))),
	('both', jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('country', 'string', '{"default": "US"}'), t.col('n', 'int32'))),
	('dropped', jsonb_build_array(t.col('id'), t.col('country', 'string', '{"default": "US"}'), t.col('n', 'int32'))),
	('again', jsonb_build_array(t.col('id'), t.col('country', 'string', '{"default": "US"}'), t.col('n', 'int32'), t.col('v', 'string', '{"default": "it''s"}'))),
	('renamed', jsonb_build_array(t.col('id'), t.col('w', 'string'))),
	('widened', jsonb_build_array(t.col('id'), t.col('v', 'string', '{"source_type": "varchar(200)"}'))),
	('turned', jsonb_build_array(t.col('v', 'string'), t.col('id'))),
	('retyped', jsonb_build_array(t.col('id'), t.col('v', 'int64'))),
	('computed', jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('at', 'timestamp', '{"default": null, "default_expression": "current_timestamp()"}'))),
	('filled', jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('n', 'int32', '{"nullable": false}'))),
	('counted', jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('n', 'int32', '{"nullable": false, "default": "7"}'))),
	('refused', jsonb_build_array(t.col('id'), t.col('v', 'string'), t.col('x', 'string', '{"refused": "no exact form"}')));
CREATE FUNCTION t.cols(text) RETURNS jsonb LANGUAGE sql SECURITY DEFINER AS $$ SELECT c FROM t.column_set WHERE name = $1 $$;
CREATE FUNCTION t.facts2(at int, name text DEFAULT 'plain') RETURNS void LANGUAGE sql AS $$
	SELECT t.lfacts(at, VARIADIC (SELECT array_agg(t.ltab(i, 't' || i, t.cols(name))) FROM generate_series(1, 2) i)) $$;
-- Everything up to a cut: planned, run, and what is planned then.
CREATE FUNCTION t.settle(cut int) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	FOR i IN 1 .. 6 LOOP
		PERFORM t.lpoll(cut);
		RETURN QUERY SELECT * FROM t.run(cut);
	END LOOP;
END $$;
SELECT t.facts2(256);
SELECT table_name FROM sluice.add_table('shop.shop.t1', options => '{"max_file_age": 0}');
SELECT t.facts2(256);
SELECT * FROM t.settle(272);
SELECT * FROM t.lshow();
-- A column with a constant default, and a change behind it: what is before goes as it was, what is behind is read with the new columns.
SELECT t.lpoll(336, t.changed(1, 330) || t.lshape(1, 320, t.cols('added')));
SELECT * FROM t.lshow();
SELECT * FROM t.run();
SELECT t.lpoll(336);
SELECT * FROM t.lshow();
SELECT (t.claim() #> '{batches,0,schema}') -> 'log_columns' = t.cols('added') AS new_columns;
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT * FROM t.run();
-- A table at rest moves with the poll; two changes in one poll are two versions, and a shape that says nothing new is none.
SELECT t.lpoll(400, jsonb_build_object('shapes', (t.lshape(1, 370, t.cols('both')) -> 'shapes') || (t.lshape(1, 360, t.cols('added')) -> 'shapes') || (t.lshape(1, 380, t.cols('dropped')) -> 'shapes')));
SELECT * FROM t.lshow();
-- Scanned again, the same shapes are known.
SELECT t.lpoll(416, jsonb_build_object('shapes', (t.lshape(1, 370, t.cols('both')) -> 'shapes') || (t.lshape(1, 380, t.cols('dropped')) -> 'shapes')));
SELECT t.lpoll(432, t.lshape(1, 420, t.cols('again')));
SELECT instance, ahead FROM _sluice.capture_instance WHERE source_object_id = 1;
SELECT version, ltrim(valid_from, '0') AS valid_from, string_agg(concat_ws(' ', c ->> 'name', 'since ' || ltrim(c ->> 'since', '0'), 'default ' || (c ->> 'default')), ', ' ORDER BY n) AS columns
FROM sluice.schema_version, jsonb_array_elements(definition) WITH ORDINALITY e(c, n) GROUP BY 1, 2 ORDER BY 1;
SELECT t.lpoll(448, t.changed(1, 440));
SELECT jsonb_pretty(t.claim() #> '{batches,0,schema,announce,document,columns}');
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT * FROM t.run();
-- The reader's text knows what rows held before: the default, or nothing where the column came without one.
\pset format unaligned
\pset tuples_only on
SELECT sluice.current_rows_sql('shop.shop.t1', 'duckdb');
SELECT sluice.current_rows_sql('shop.shop.t1', 'databricks');
\pset format aligned
\pset tuples_only off
-- What cannot stand beside what landed: a new epoch once everything before has landed, with the columns of a new discovery.
CREATE FUNCTION t.change(at int, name text, change text DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	PERFORM t.lpoll(at + 16, t.changed(1, at - 2) || t.lshape(1, at, t.cols(name), change));
	RETURN QUERY SELECT * FROM t.run(at + 16);
	PERFORM t.lpoll(at + 16);
	PERFORM t.facts2(at + 20, coalesce(name, 'plain'));
	RETURN QUERY SELECT * FROM t.settle(at + 32);
	RETURN QUERY SELECT concat_ws(' ', e.at, e.phase, e.state, 'version ' || e.version) FROM t.lshow() e;
	RETURN QUERY SELECT 'resync: ' || j.reason FROM sluice.job j WHERE j.job = (SELECT max(job) FROM sluice.job) AND j.kind = 'resync';
END $$;
SELECT * FROM t.change(512, 'plain');
SELECT * FROM t.change(576, 'renamed');
SELECT * FROM t.change(640, 'retyped');
SELECT * FROM t.change(704, 'plain');
SELECT * FROM t.change(768, 'computed');
SELECT * FROM t.change(832, 'plain');
SELECT * FROM t.change(896, 'filled');
SELECT * FROM t.change(960, 'plain');
-- Longer, in another order, NOT NULL with a default: they go on.
SELECT * FROM t.change(1024, 'widened');
SELECT * FROM t.change(1088, 'turned');
SELECT * FROM t.change(1152, 'counted');
-- Another life of the table.
SELECT * FROM t.change(1216, 'counted', 'truncate');
SELECT * FROM t.change(1280, 'counted', 'partition');
SELECT * FROM t.change(1344, 'plain', 'create');
-- A column that no type holds stops it; left out, it goes on.
SELECT * FROM t.change(1408, 'refused');
SELECT message, hint FROM sluice.table_status WHERE table_name = 'shop.shop.t1';
SELECT state FROM sluice.alter_table('shop.shop.t1', options => '{"exclude": ["x"]}');
SELECT sluice.resume_table('shop.shop.t1');
SELECT * FROM t.settle(1460);
SELECT * FROM t.lshow();
-- on_incompatible stop.
SELECT state FROM sluice.alter_table('shop.shop.t1', options => '{"on_incompatible": "stop", "exclude": null}');
SELECT * FROM t.change(1536, 'retyped');
SELECT message, hint FROM sluice.table_status WHERE table_name = 'shop.shop.t1';
SELECT count(*) FROM sluice.resync_table('shop.shop.t1');
SELECT t.lpoll(1570);
SELECT t.facts2(1570);
SELECT * FROM t.settle(1584);
-- Dropped: what was before lands, then it is gone; made again, it begins by itself. Also where both are found at once.
SELECT * FROM t.change(1600, NULL, 'drop');
SELECT message, hint FROM sluice.table_status WHERE table_name = 'shop.shop.t1';
SELECT t.lask() #> '{ask,tables,0,gone}' AS gone;
SELECT t.lpoll(1664, t.lshape(1, 1660, t.cols('plain'), 'create'));
SELECT t.facts2(1664);
SELECT * FROM t.settle(1680);
SELECT t.lpoll(1728, jsonb_build_object('shapes', (t.lshape(1, 1700, NULL, 'drop') -> 'shapes') || (t.lshape(1, 1710, t.cols('plain'), 'create') -> 'shapes')));
SELECT t.lpoll(1728);
SELECT t.facts2(1728);
SELECT * FROM t.settle(1744);
SELECT * FROM t.lshow();
-- A change during the load: the load begins anew, and no fence is passed before.
SELECT count(*) FROM sluice.resync_table('shop.shop.t1');
SELECT t.lpoll(1760);
SELECT t.facts2(1760);
SELECT t.lpoll(1760);
SELECT * FROM t.run(1760);
SELECT t.lpoll(1776, t.lshape(1, 1770, t.cols('counted')));
SELECT * FROM t.run();
SELECT * FROM t.lshow();
SELECT t.facts2(1780, 'counted');
SELECT * FROM t.settle(1792);
-- One that a runner holds is left to it first.
SELECT count(*) FROM sluice.resync_table('shop.shop.t1');
SELECT t.lpoll(1800);
SELECT t.facts2(1800, 'counted');
SELECT t.lpoll(1800);
CREATE TABLE t.v (name text PRIMARY KEY, v jsonb);
INSERT INTO t.v VALUES ('epoch', t.claim());
SELECT _sluice.epoch_store(jsonb_build_object('worker_id', 1) || (v #> '{batches,0}') || jsonb_build_object('epoch', v #> '{batches,0,at_least}')) FROM t.v;
INSERT INTO t.v VALUES ('load', t.claim());
SELECT work, high FROM t.v, t.show(v) s WHERE name = 'load';
SELECT v #> '{batches,0,cut}' AS cut FROM t.v WHERE name = 'load';
SELECT t.lpoll(1820, t.lshape(1, 1810, t.cols('plain')));
SELECT * FROM t.lshow();
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT t.lpoll(1830);
SELECT * FROM t.lshow();
SELECT t.facts2(1840, 'plain');
SELECT * FROM t.settle(1850);
-- Changes land while the table loads: the log is not kept for it.
SELECT count(*) FROM sluice.resync_table('shop.shop.t1');
SELECT t.lpoll(1860);
SELECT t.facts2(1860, 'plain');
SELECT t.lpoll(1860);
DELETE FROM t.v;
INSERT INTO t.v VALUES ('epoch', t.claim());
SELECT _sluice.epoch_store(jsonb_build_object('worker_id', 1) || (v #> '{batches,0}') || jsonb_build_object('epoch', v #> '{batches,0,at_least}')) FROM t.v;
INSERT INTO t.v VALUES ('load', t.claim());
SELECT t.lpoll(1880, t.changed(1, 1870));
SELECT t.lpoll(1890, t.changed(1, 1885));
SELECT t.show(t.claim());
-- The key changed: discovery tells, the log does not.
SELECT _sluice.child_gone('{"worker_id": 1, "pid": 10}');
SELECT * FROM t.settle(1900);
SELECT state FROM sluice.alter_table('shop.shop.t1', options => '{"on_incompatible": null}');
SELECT t.lfacts(1910, t.ltab(1, 't1', t.cols('plain'), '{"primary_key": ["id", "v"]}'));
SELECT t.lpoll(1920);
SELECT t.lfacts(1920, t.ltab(1, 't1', t.cols('plain'), '{"primary_key": ["id", "v"]}'));
SELECT * FROM t.settle(1930);
SELECT severity, kind, message FROM sluice.event WHERE kind IN ('epoch', 'ddl') AND severity = 'warning' ORDER BY event_id;
-- DDL of a captured table is told.
SELECT t.lpoll(1940, '{"ddl": [{"schema": "shop", "table": "t1", "lsn": "00000000000000000780", "time": "2026-01-01T00:00:00Z", "command": "ALTER TABLE t1 ADD INDEX (v)", "kind": "alter"},
	{"schema": "shop", "table": "other", "lsn": "00000000000000000781", "time": "2026-01-01T00:00:00Z", "command": "CREATE TABLE other (a int)", "kind": "create"}]}');
SELECT severity, message FROM sluice.event WHERE kind = 'ddl';
-- What older rows hold in an added column, as each source tells its defaults; nothing where only the source could say.
SELECT f ->> 'type' AS type, f ->> 'source_type' AS source_type, f ->> 'default' AS given, coalesce(_sluice.default_landed(f || '{"nullable": false}'), '(none)') AS landed FROM (VALUES
	('{"type": "string", "source_type": "varchar(3)", "default": "US", "character_set": "utf8mb4"}'::jsonb), ('{"type": "string", "source_type": "varchar(3)", "default": "(US)", "character_set": "utf8mb4"}'),
	('{"type": "string", "source_type": "enum", "default": "a"}'), ('{"type": "string", "source_type": "time", "default": "10:00:00"}'), ('{"type": "string", "source_type": "decimal(65,2)", "default": "1.5"}'),
	('{"type": "int32", "source_type": "int", "default": "-7"}'), ('{"type": "decimal", "source_type": "decimal(4,2)", "default": "1.50"}'), ('{"type": "boolean", "source_type": "bit(1)", "default": "true"}'),
	('{"type": "date", "source_type": "date", "default": "2020-02-29"}'), ('{"type": "date", "source_type": "date", "default": "0000-00-00"}'), ('{"type": "timestamp", "source_type": "datetime", "default": "2020-02-29 10:00:00"}'),
	('{"type": "timestamptz", "source_type": "timestamp", "default": "2020-02-29 10:00:00"}'), ('{"type": "int32", "source_type": "int", "default": "1", "default_expression": true}'), ('{"type": "binary", "source_type": "blob", "default": "x"}'),
	('{"type": "string", "source_type": "nvarchar(9)", "default": "(N''it''''s'')"}'), ('{"type": "int32", "source_type": "int", "default": "((-1))"}'), ('{"type": "int32", "source_type": "int", "default": "(getdate())"}'),
	('{"type": "string", "source_type": "varchar(40)", "default": "(suser_name())"}'), ('{"type": "string", "source_type": "varchar(40)", "default": "(''a''+''b'')"}'), ('{"type": "boolean", "source_type": "bit", "default": "((1))"}')) v(f);
SELECT _sluice.default_landed('{"type": "int32", "source_type": "int", "default": "((1))", "nullable": true}') IS NULL AS "rows that stood before have NULL in SQL Server";
-- A table without key is counted from rows that all have their defaults.
UPDATE _sluice.schema_version SET columns = (SELECT jsonb_agg(c || '{"key_ordinal": 0}' ORDER BY n) FROM jsonb_array_elements(columns) WITH ORDINALITY e(c, n)) || jsonb_build_array(t.col('k', 'int32', '{"since": "00000000000000000700", "default": "5"}'));
\pset format unaligned
\pset tuples_only on
SELECT sluice.current_rows_sql('shop.shop.t1', 'duckdb');
SELECT sluice.current_rows_sql('shop.shop.t1', 'spark');
\pset format aligned
\pset tuples_only off
\c postgres
DROP DATABASE r_log_shape;
