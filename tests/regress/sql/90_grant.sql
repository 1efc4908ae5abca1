-- Who may do what. A reader reads, an operator operates, an admin registers; the worker calls its functions and nothing else.
CREATE DATABASE r_grant TEMPLATE sluice_installed;
\c r_grant
SET client_min_messages = warning;
CREATE ROLE sluice_test_nobody;
CREATE ROLE sluice_test_reader IN ROLE sluice_reader;
CREATE ROLE sluice_test_operator IN ROLE sluice_operator;
CREATE ROLE sluice_test_admin IN ROLE sluice_admin;
CREATE ROLE sluice_test_federation IN ROLE sluice_federation;
SET ROLE sluice_test_admin;
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SELECT table_name FROM sluice.add_table('erp.dbo.a');
SELECT table_name, added_by FROM sluice.table_status;
SELECT t.err('SELECT * FROM _sluice.tab'), t.err($$SELECT _sluice.batch_claim('{}')$$);
CREATE TEMP TABLE calls (c text);
GRANT ALL ON calls TO PUBLIC;
INSERT INTO calls VALUES ('SELECT count(*) FROM sluice.status'), ('SELECT count(*) FROM sluice.event'), ('SELECT * FROM sluice.check_cdc(''erp'')'), ('SELECT sluice.pause_table(''erp.dbo.a'')'),
	('SELECT sluice.resume_table(''erp.dbo.a'')'), ('SELECT sluice.resync_table(''erp.dbo.a'')'), ('SELECT sluice.alter_table(''erp.dbo.a'', ''{}'')'), ('SELECT sluice.add_target(''x'', ''file'', path => ''/x'')'),
	('SELECT sluice.alter_setting(''runners'', ''1'')'), ('SELECT sluice.take_over()'), ('SELECT * FROM _sluice.tab'), ('SELECT * FROM _sluice.source'), ('SELECT _sluice.worker_config()'),
	('SELECT _sluice.trouble_set(1, ''error'', '''', '''', '''')'), ('UPDATE sluice.status SET state = ''x''');
SET ROLE sluice_test_nobody;
SELECT c, left(t.err(c), 90) FROM calls;
SET ROLE sluice_test_reader;
SELECT c, left(t.err(c), 90) FROM calls;
SELECT table_name FROM sluice.status ORDER BY 1;
SET ROLE sluice_test_federation;
SELECT c, left(t.err(c), 90) FROM calls;
SET ROLE sluice_test_operator;
SELECT c, left(t.err(c), 90) FROM calls;
RESET ROLE;
SET SESSION AUTHORIZATION sluice_worker;
SELECT c, left(t.err(c), 90) FROM calls;
SELECT t.err($$SELECT _sluice.plan(1)$$), t.err($$SELECT _sluice.partition_member('file_20260101', true)$$);
RESET SESSION AUTHORIZATION;
SELECT who, kind, state FROM sluice.job;
SELECT message FROM sluice.event ORDER BY event_id;
-- Every function of the contract is the worker's, and no other.
SELECT p.proname FROM pg_proc p WHERE p.pronamespace IN ('sluice'::regnamespace, '_sluice'::regnamespace) AND has_function_privilege('sluice_worker', p.oid, 'EXECUTE') ORDER BY 1;
\c postgres
DROP DATABASE r_grant;
DROP ROLE sluice_test_nobody, sluice_test_reader, sluice_test_operator, sluice_test_admin, sluice_test_federation;
-- The last test takes the common database away.
DROP DATABASE sluice_installed;
