-- Names: parsed, quoted, made into paths; an injection is only a strange name.
CREATE DATABASE r_name TEMPLATE sluice_installed;
\c r_name
SELECT _sluice.name_parse('erp.dbo.orders'), _sluice.name_parse('erp.dbo."a.b"'), _sluice.name_parse('erp."d""bo".o r');
SELECT _sluice.table_canonical(_sluice.name_parse('erp."dbo"."a.b"'));
SELECT n, t.err(format('SELECT _sluice.name_parse(%L)', n)) FROM unnest(ARRAY['', 'orders', 'dbo.orders', 'a.b.c.d', 'a..c', 'a.b.', '.b.c', 'a."b.c', 'a."b"x.c', E'a.b.c\nd', 'a.b.' || repeat('x', 129)]) n;
-- [A-Za-z0-9-] and inner _ stay; anything else is marked by the name's own hash, so two names never share a folder.
SELECT n, _sluice.path_part(n) FROM unnest(ARRAY['orders', 'Order-1', 'order_line', '_x', 'x_', 'a b', 'a/b', '../..', 'ä', 'a.b', '']) n;
SELECT _sluice.table_folder('dbo', 'orders'), _sluice.table_folder('sluice', 'control');
SELECT _sluice.path_part('a b') <> _sluice.path_part('a/b') AS distinct_paths;
SELECT _sluice.distance('max_file_aeg', 'max_file_age'), _sluice.distance('', 'abc'), _sluice.option_nearest('table', 'compresion');
SELECT t.err($$SELECT * FROM sluice.add_source('x''; DROP TABLE _sluice.source; --', 'sqlserver')$$);
SELECT t.err($$SELECT * FROM sluice.add_target('../lake', 'file', path => '/x')$$);
SELECT * FROM sluice.add_source('erp', 'sqlserver', host => 'sql1', database => 'ERP', "user" => 'sluice', password_env => 'ERP_PASSWORD');
SELECT * FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SELECT table_name FROM sluice.add_table('erp."d''bo; DROP SCHEMA sluice"."x""; --"');
SELECT name, path_part FROM _sluice.tab;
SELECT sluice.pause_table('erp."d''bo; DROP SCHEMA sluice"."x""; --"');
SELECT t.err($$SELECT sluice.pause_table('erp.dbo."x''; --"')$$);
-- What goes into T-SQL is quoted there as well.
SELECT _sluice.cdc_enable('d''bo', 'x''; DROP TABLE y; --', NULL);
\c postgres
DROP DATABASE r_name;
