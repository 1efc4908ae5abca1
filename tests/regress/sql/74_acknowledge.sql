-- What consumers acknowledge: checked, never backwards, by those who may; days they still need stay in the ledger.
CREATE DATABASE r_acknowledge TEMPLATE sluice_installed;
\c r_acknowledge
SELECT source FROM sluice.add_source('erp', 'sqlserver', host => 'h', database => 'ERP', "user" => 'sluice', password_env => 'P');
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}') ->> 'worker_id';
RESET SESSION AUTHORIZATION;
SELECT t.beat() ->> 'run' AS run;
SELECT t.facts(1, t.tab(1, 't1', 10, 'id,v', 'id', jsonb_build_array(t.instance(1, 'dbo_t1', 16, 'id,v'))));
SELECT table_name FROM sluice.add_table('erp.dbo.t1', options => '{"max_file_age": 0}');
SELECT t.poll(1, 32);
SELECT count(*) FROM t.run(33);
SELECT t.fence(1, 40, 1);
SELECT count(*) FROM t.run();
SELECT t.poll(1, 64, t.changed(1, 50));
SELECT count(*) FROM t.run();
-- Positions as a worker tells them: LSN, command, sequence value, operation; a loaded row has f, job and range in their place.
UPDATE _sluice.file SET last = CASE work WHEN 'load' THEN t.pos(33) || 'f' || repeat('0', 29) ELSE t.pos(CASE epoch WHEN 1 THEN 50 END) || repeat('0', 30) END;
SELECT kind, epoch, last_seq FROM sluice.file WHERE table_name IS NOT NULL ORDER BY commit_no;
CREATE FUNCTION t.seq(epoch int, n int) RETURNS text LANGUAGE sql AS $$ SELECT lpad(to_hex(epoch), 8, '0') || '0001' || t.pos(n) || repeat('0', 30) $$;
SELECT t.err(format('SELECT sluice.acknowledge(%L, %L, %L)', c, n, p)) FROM (VALUES ('silver', 'erp.dbo.t1', 'xyz'), ('silver', 'erp.dbo.t1', upper(t.seq(1, 60))), ('silver', 'erp.dbo.t1', t.seq(1, 60) || '0'),
	('silver', 'erp.dbo.t1', t.seq(2, 60)), ('silver', 'erp.dbo.t1', t.seq(1, 9999)), ('silver', 'erp.dbo.none', t.seq(1, 60)), ('', 'erp.dbo.t1', t.seq(1, 60)), (NULL, 'erp.dbo.t1', t.seq(1, 60)), (E'a\nb', 'erp.dbo.t1', t.seq(1, 60))) v(c, n, p);
SELECT * FROM sluice.acknowledge('silver', 'erp.dbo.t1', t.seq(1, 34));
SELECT * FROM sluice.acknowledge('silver', 'erp.dbo.t1', t.seq(1, 34));
SELECT * FROM sluice.acknowledge('silver', 'erp.dbo.t1', t.seq(1, 45));
SELECT t.err(format('SELECT sluice.acknowledge(%L, %L, %L)', 'silver', 'erp.dbo.t1', t.seq(1, 44)));
SELECT * FROM sluice.acknowledge('gold', 'erp.dbo.t1', t.seq(1, 34));
SELECT consumer, table_name, position, epoch, table_epoch, behind_fence, age_s >= 0 AS aged, acknowledged_by = current_user AS me FROM sluice.consumer ORDER BY 1;
-- The slowest counts: gold has not seen the fence, so nothing of the load is done with.
SELECT f.work, f.rows, _sluice.acknowledged(f.work, f.epoch, f.incarnation, f.last, a) FROM _sluice.file f JOIN _sluice.ack_line a USING (table_id) ORDER BY f.commit_no;
SELECT * FROM sluice.acknowledge('gold', 'erp.dbo.t1', NULL);
SELECT * FROM sluice.acknowledge('gold', 'erp.dbo.t1', NULL);
SELECT f.work, f.rows, _sluice.acknowledged(f.work, f.epoch, f.incarnation, f.last, a) FROM _sluice.file f JOIN _sluice.ack_line a USING (table_id) ORDER BY f.commit_no;
-- Days with files that silver still needs are kept, in a partition or without one; others go.
UPDATE _sluice.file SET day = '2020-01-01' WHERE work = 'load';
UPDATE _sluice.file SET day = '2020-01-02' WHERE work = 'cdc' AND last >= t.pos(50);
SELECT _sluice.days_held('2025-01-01');
SELECT _sluice.partition_drop('file', '2025-01-01');
SELECT kind, epoch, day FROM sluice.file WHERE table_name IS NOT NULL ORDER BY commit_no;
SELECT state FROM sluice.acknowledge('silver', 'erp.dbo.t1', t.seq(1, 50));
SELECT _sluice.days_held('2025-01-01');
SELECT _sluice.partition_drop('file', '2025-01-01');
SELECT kind, epoch, day FROM sluice.file WHERE table_name IS NOT NULL ORDER BY commit_no;
-- Who may.
SET client_min_messages = warning;
CREATE ROLE sluice_test_nobody;
CREATE ROLE sluice_test_reader IN ROLE sluice_reader;
CREATE ROLE sluice_test_federation IN ROLE sluice_federation;
SET ROLE sluice_test_federation;
SELECT state, epoch FROM sluice.acknowledge('bronze', 'erp.dbo.t1', t.seq(1, 50));
SELECT consumer, acknowledged_by FROM sluice.consumer ORDER BY 1;
SET ROLE sluice_test_reader;
SELECT count(*) FROM sluice.consumer;
SELECT t.err(format('SELECT sluice.acknowledge(%L, %L, %L)', 'silver', 'erp.dbo.t1', t.seq(1, 60)));
SET ROLE sluice_test_nobody;
SELECT t.err(format('SELECT sluice.acknowledge(%L, %L, %L)', 'silver', 'erp.dbo.t1', t.seq(1, 60)));
RESET ROLE;
DROP ROLE sluice_test_nobody, sluice_test_reader, sluice_test_federation;
\c postgres
DROP DATABASE r_acknowledge;
