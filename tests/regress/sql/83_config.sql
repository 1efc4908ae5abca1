-- Configuration as code: a document out of the registry, and into another.
CREATE DATABASE r_config TEMPLATE sluice_installed;
\c r_config
SELECT jsonb_pretty(sluice.export_config());
CREATE TABLE t.doc (n int PRIMARY KEY, d jsonb);
INSERT INTO t.doc VALUES (1, '{"version": 1, "settings": {"runners": 3},
	"targets": {"lake": {"kind": "file", "options": {"path": "/tmp/lake"}}, "other": {"kind": "file", "options": {"path": "/tmp/other"}}},
	"sources": {"erp": {"kind": "sqlserver", "options": {"host": "h", "database": "d", "user": "u", "password_env": "P", "poll_ms": 250},
		"tables": {"dbo.a": {"target": "lake", "options": {"format": "csv"}}, "dbo.\"x.y\"": {"target": "other", "paused": true}},
		"rules": [{"like": "dbo.new%", "target": "lake", "options": {"max_file_age": 5}, "new_tables": "announce"}]}}}');
SELECT * FROM sluice.diff_config((SELECT d FROM t.doc WHERE n = 1));
SELECT count(*) FROM _sluice.source;
SELECT * FROM sluice.import_config((SELECT d FROM t.doc WHERE n = 1));
SELECT * FROM sluice.diff_config((SELECT d FROM t.doc WHERE n = 1));
SELECT jsonb_pretty(sluice.export_config());
-- What is exported is what was imported: nothing differs.
SELECT * FROM sluice.diff_config(sluice.export_config());
SELECT sluice.export_config() = sluice.export_config() AS same;
-- Changes, and what is only here.
INSERT INTO t.doc SELECT 2, d #- '{targets,other}' #- '{sources,erp,tables,"dbo.\"x.y\""}' #- '{sources,erp,options,poll_ms}' #- '{settings,runners}' || '{}' FROM t.doc WHERE n = 1;
UPDATE t.doc SET d = jsonb_set(jsonb_set(jsonb_set(d, '{sources,erp,options,port}', '1434'), '{sources,erp,tables,dbo.a,options}', '{"format": "csv", "compression": "gzip"}'),
	'{sources,erp,rules}', '[]') WHERE n = 2;
SELECT * FROM sluice.diff_config((SELECT d FROM t.doc WHERE n = 2));
SELECT * FROM sluice.import_config((SELECT d FROM t.doc WHERE n = 2), prune => true);
SELECT * FROM sluice.diff_config((SELECT d FROM t.doc WHERE n = 2));
SELECT name, wanted FROM _sluice.tab ORDER BY 1;
-- All or nothing, and where it is wrong.
SELECT t.err(format('SELECT * FROM sluice.import_config(%L)', c)) FROM unnest(ARRAY[
	'[]', '{}', '{"version": 2}', '{"version": 1, "tables": {}}',
	'{"version": 1, "settings": {"runers": 3}}',
	'{"version": 1, "settings": {"runners": "many"}}',
	'{"version": 1, "targets": {"new": {"kind": "file", "options": {"path": "/tmp/new"}}, "bad": {"kind": "file", "options": {"paht": "/tmp/new"}}}}',
	'{"version": 1, "targets": {"bad": {"options": {}}}}',
	'{"version": 1, "targets": {"lake": {"kind": "s3", "options": {}}}}',
	'{"version": 1, "sources": {"s2": {"kind": "sqlserver", "options": {"host": "h", "database": "d", "user": "u", "password": "hunter2"}}}}',
	'{"version": 1, "sources": {"erp": {"kind": "sqlserver", "option": {}}}}',
	'{"version": 1, "sources": {"erp": {"kind": "sqlserver", "options": {"host": "h", "database": "d", "user": "u", "password_env": "P"}, "tables": {"dbo.a": {"target": "lake", "options": {"format": "exotic"}}}}}}',
	'{"version": 1, "sources": {"erp": {"kind": "sqlserver", "options": {"host": "h", "database": "d", "user": "u", "password_env": "P"}, "tables": {"dbo.a": {"target": "sea"}}}}}',
	'{"version": 1, "sources": {"erp": {"kind": "sqlserver", "options": {"host": "h", "database": "d", "user": "u", "password_env": "P"}, "tables": {"a": {"target": "lake"}}}}}',
	'{"version": 1, "sources": {"erp": {"kind": "sqlserver", "options": {"host": "h", "database": "d", "user": "u", "password_env": "P"}, "rules": [{"like": "dbo.%", "what": 1}]}}}']) c;
SELECT count(*) FROM _sluice.target WHERE name IN ('new', 'bad');
SET SESSION AUTHORIZATION sluice_reader;
SELECT t.err($$SELECT sluice.export_config()$$), t.err($$SELECT * FROM sluice.import_config('{"version": 1}')$$);
RESET SESSION AUTHORIZATION;
\c postgres
DROP DATABASE r_config;
