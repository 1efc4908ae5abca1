-- Sources, targets and settings: what is accepted, what is refused with which SQLSTATE and HINT.
CREATE DATABASE r_registry TEMPLATE sluice_installed;
\c r_registry
SELECT * FROM sluice.add_source('erp', 'sqlserver', host => 'sql1', port => 1433, database => 'ERP', "user" => 'sluice', password_env => 'ERP_PASSWORD');
SELECT * FROM sluice.add_source('crm', 'sqlserver', host => 'sql2', database => 'CRM', options => '{"kerberos": true, "poll_ms": "250", "ca_file": "/etc/ca.pem"}');
SELECT c, t.err(format('SELECT * FROM sluice.add_source(%s)', c)) FROM unnest(ARRAY[
	$$'erp', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P'$$,
	$$'x', 'oracle'$$,
	$$NULL, 'sqlserver'$$,
	$$'x', 'sqlserver'$$,
	$$'x', 'sqlserver', host => 'h'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P', password_file => '/p'$$,
	$$'x', 'sqlserver', password_env => 'P', options => '{"vault": "erp"}'$$,
	$$'x', 'sqlserver', options => '{"vault": "erp", "kerberos": true}'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u', options => '{"password": "hunter2"}'$$,
	$$'x', 'sqlserver', host => 'sql://u:hunter2@h', database => 'd', "user" => 'u', password_env => 'P'$$,
	$$'x', 'sqlserver', host => 'h', port => 0, database => 'd', "user" => 'u', password_env => 'P'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P', options => '{"login_timeuot": 3}'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P', options => '{"login_timeout": "soon"}'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P', options => '{"encryption": "maybe"}'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P', options => '{"check_hostname": true}'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', "user" => 'u', password_env => 'P', options => '{"check_hostname": [1]}'$$,
	$$'x', 'sqlserver', host => E'h\n', database => 'd', "user" => 'u', password_env => 'P'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', options => '[]'$$,
	$$'x', 'sqlserver', host => 'h', database => 'd', options => NULL$$]) c;
SELECT * FROM sluice.alter_source('erp', '{"port": 1434, "query_timeout": 60}');
SELECT * FROM sluice.alter_source('erp', '{"query_timeout": null}');
SELECT t.err($$SELECT sluice.alter_source('erp', '{"host": null}')$$);
SELECT t.err($$SELECT sluice.alter_source('erp', '{"passwd": "hunter2"}')$$);
SELECT t.err($$SELECT sluice.alter_source('nope', '{}')$$);
SELECT source, state, options FROM sluice.source_status ORDER BY 1;
-- Nobody ever stored the password.
SELECT count(*) FROM _sluice.source WHERE source::text LIKE '%hunter2%';
SELECT * FROM sluice.add_target('lake', 'file', path => '/tmp/lake', prefix => 'a/b/');
SELECT * FROM sluice.add_target('s3', 's3', bucket => 'bucket', options => '{"region": "eu-central-1", "endpoint": "http://127.0.0.1:7070", "path_style": true, "access_key_env": "K", "secret_key_env": "S"}');
SELECT c, t.err(format('SELECT * FROM sluice.add_target(%s)', c)) FROM unnest(ARRAY[
	$$'lake', 'file', path => '/tmp'$$,
	$$'x', 'ftp'$$,
	$$'x', 'file'$$,
	$$'x', 'file', path => 'relative'$$,
	$$'x', 'file', path => '/a/../etc'$$,
	$$'x', 'file', path => '/a', prefix => 'x y'$$,
	$$'x', 's3', bucket => 'Bad_Bucket'$$,
	$$'x', 's3', bucket => 'good', options => '{"secret_key": "hunter2"}'$$,
	$$'x', 's3', bucket => 'good', options => '{"endpoint": "http://k:hunter2@host"}'$$,
	$$'x', 's3', bucket => 'good', options => '{"endpoint": "host:1"}'$$,
	$$'x', 's3', bucket => 'good', options => '{"regin": "x"}'$$]) c;
SELECT * FROM sluice.alter_target('s3', '{"region": "us-east-1"}');
SELECT target, kind, tables, ok FROM sluice.target_status ORDER BY 1;
SELECT sluice.drop_target('s3');
SELECT t.err($$SELECT sluice.drop_target('s3')$$);
SELECT sluice.drop_source('crm');
SELECT t.err($$SELECT sluice.drop_source('crm')$$);
SELECT * FROM sluice.add_source('crm', 'sqlserver', host => 'sql3', database => 'CRM', options => '{"kerberos": true}');
SELECT sluice.alter_setting('poll_interval_ms', '100'), sluice.alter_setting('lease_seconds', '2.5');
SELECT t.err($$SELECT sluice.alter_setting('poll_interval_ms', '1')$$), t.err($$SELECT sluice.alter_setting('pol_interval', '100')$$), t.err($$SELECT sluice.alter_setting('nope', NULL)$$);
SELECT sluice.alter_setting('poll_interval_ms', NULL);
SELECT name, value, default_value FROM sluice.setting WHERE name IN ('poll_interval_ms', 'lease_seconds') ORDER BY 1;
SELECT DISTINCT scope FROM sluice.option ORDER BY 1;
-- What is rolled back was never there.
BEGIN;
SELECT source FROM sluice.add_source('gone', 'sqlserver', host => 'h', database => 'd', options => '{"kerberos": true}');
SELECT target FROM sluice.add_target('gone', 'file', path => '/gone');
SELECT table_name FROM sluice.add_table('gone.dbo.x', 'gone');
ROLLBACK;
SELECT count(*) FROM sluice.source_status WHERE source = 'gone';
SELECT count(*) FROM sluice.event WHERE message LIKE '%gone%';
SELECT count(*) FROM _sluice.batch b JOIN _sluice.target g USING (target_id) WHERE g.name = 'gone';
-- A copy of the database plans nothing until it is taken over.
\c postgres
CREATE DATABASE r_registry_copy TEMPLATE r_registry;
\c r_registry_copy
SELECT table_name, state, message FROM sluice.status ORDER BY 1;
SELECT t.err($$SELECT sluice.add_source('new', 'sqlserver', host => 'h', database => 'd', options => '{"kerberos": true}')$$);
SELECT "check", ok, fix_sql FROM sluice.check_install() WHERE "check" = 'database';
SELECT sluice.take_over();
SELECT ok FROM sluice.check_install() WHERE "check" = 'database';
\c postgres
DROP DATABASE r_registry_copy;
DROP DATABASE r_registry;
