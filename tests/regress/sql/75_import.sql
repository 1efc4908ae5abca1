-- What a Debezium connector was told: its JSON chooses the same tables, and what has no counterpart is named.
CREATE DATABASE r_import TEMPLATE sluice_installed;
\c r_import
\pset format unaligned
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake');
-- The example of debezium-examples, sql-server-read-replica: nothing is known of the source yet.
CREATE TABLE t.connector (name text PRIMARY KEY, document jsonb);
INSERT INTO t.connector VALUES ('replica', '{"name": "inventory-connector", "config": {
	"connector.class": "io.debezium.connector.sqlserver.SqlServerConnector", "tasks.max": "1", "topic.prefix": "server1",
	"database.hostname": "secondary", "database.port": "1433", "database.user": "sa", "database.password": "Password!", "database.names": "testDB",
	"database.applicationIntent": "ReadOnly", "snapshot.isolation.mode": "snapshot",
	"schema.history.internal.kafka.bootstrap.servers": "kafka:9092", "schema.history.internal.kafka.topic": "schema-changes.inventory", "database.encrypt": "false"}}');
SELECT * FROM sluice.import_debezium((SELECT document FROM t.connector WHERE name = 'replica'), 'testdb', 'lake');
SELECT count(*) AS sources_after_dry_run FROM _sluice.source;
SELECT item, value, effect FROM sluice.import_debezium((SELECT document FROM t.connector WHERE name = 'replica'), 'testdb', 'lake', dry_run => false) WHERE effect IN ('add', 'later');
SELECT name, options FROM _sluice.source;
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}');
RESET SESSION AUTHORIZATION;
SELECT t.beat();
SELECT t.facts(1, t.tab(1, 'products', 10, 'id,name,weight', 'id', jsonb_build_array(t.instance(1, 'dbo_products', 16, 'id,name,weight'))),
	t.tab(2, 'products_on_hand', 10, 'product_id,quantity', 'product_id', jsonb_build_array(t.instance(2, 'dbo_products_on_hand', 16, 'product_id,quantity'))),
	t.tab(3, 'customers', 10, 'id,first_name,last_name,email', 'id', jsonb_build_array(t.instance(3, 'dbo_customers', 16, 'id,first_name,last_name,email'))),
	t.tab(4, 'orders', 10, 'id,purchaser,quantity', 'id', jsonb_build_array(t.instance(4, 'dbo_orders', 16, 'id,purchaser,quantity'))),
	t.tab(5, 'audit', 10, 'id,what', 'id', '[]'));
SELECT item, value, effect, note FROM sluice.import_debezium((SELECT document FROM t.connector WHERE name = 'replica'), 'testdb', 'lake') WHERE item LIKE 'table%' OR item LIKE 'source%';
SELECT item, effect FROM sluice.import_debezium((SELECT document FROM t.connector WHERE name = 'replica'), 'testdb', 'lake', false) WHERE item LIKE 'table%';
-- A second time nothing is left to do.
SELECT item, effect FROM sluice.import_debezium((SELECT document FROM t.connector WHERE name = 'replica'), 'testdb', 'lake', false) WHERE item LIKE 'table%';
SELECT table_name, options FROM sluice.table_status ORDER BY 1;
-- Lists of expressions: anchored, case ignored, over schema.table; columns left out, masked ones too; keys.
SELECT count(sluice.drop_table(table_name)) FROM sluice.table_status;
INSERT INTO t.connector SELECT 'chosen', '{"connector.class": "io.debezium.connector.sqlserver.SqlServerConnector", "database.names": "testDB", "topic.prefix": "shop",
	"database.hostname": "secondary", "database.user": "sa", "database.password": "${file:/secrets:pw}",
	"table.include.list": "DBO\\.products, dbo\\.(customers|orders)", "column.exclude.list": "dbo.products.weight,dbo.orders.id",
	"column.mask.hash.SHA-256.with.salt.CzQMA0cB5K": "dbo.customers.email", "message.key.columns": "dbo.(.*)ers:id,last_name;dbo.x:y",
	"decimal.handling.mode": "string", "time.precision.mode": "isostring", "binary.handling.mode": "hex", "value.converter.schemas.enable": "true",
	"snapshot.mode": "no_data", "transforms": "unwrap", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState", "poll.interval.ms": 250, "something.new": true}';
SELECT * FROM sluice.import_debezium((SELECT document FROM t.connector WHERE name = 'chosen'), 'testdb', 'lake', false);
SELECT table_name, options FROM sluice.table_status ORDER BY 1;
-- An exclude list, and a masked key: what would land unmasked does not land.
SELECT item, effect, note FROM sluice.import_debezium((SELECT document - 'table.include.list' || '{"table.exclude.list": ".*_on_hand", "schema.include.list": "dbo", "column.mask.with.12.chars": "dbo.audit.id", "column.include.list": "dbo.products.(id|name)"}'
	FROM t.connector WHERE name = 'chosen'), 'testdb', 'lake') WHERE item LIKE 'table %';
SELECT count(*) AS passwords FROM (SELECT options::text AS o FROM _sluice.source UNION ALL SELECT options::text FROM _sluice.tab UNION ALL SELECT e.message FROM sluice.event e) x WHERE o ~ 'Password!|secrets:pw|CzQMA0cB5K';
-- Refused with a reason.
SELECT t.err(format('SELECT sluice.import_debezium(%L, ''testdb'', ''lake'')', d)) FROM unnest(ARRAY['[]', '{"name": "x"}', '{"connector.class": "io.debezium.connector.mysql.MySqlConnector"}',
	'{"connector.class": "a.SqlServerConnector", "database.names": "a,b"}', '{"connector.class": "a.SqlServerConnector", "database.names": {"a": 1}}',
	'{"connector.class": "a.SqlServerConnector", "database.hostname": "h", "database.user": "u", "database.names": "other"}',
	'{"connector.class": "a.SqlServerConnector", "database.hostname": "h", "database.user": "u", "database.names": "testDB", "table.include.list": "dbo.\\Qa\\E"}',
	'{"connector.class": "a.SqlServerConnector", "database.hostname": "h", "database.user": "u", "database.names": "testDB", "table.include.list": "dbo.(a"}',
	'{"connector.class": "a.SqlServerConnector", "database.hostname": "h", "database.user": "u", "database.names": "testDB", "decimal.handling.mode": "exact"}']) d;
SELECT t.err(format('SELECT sluice.import_debezium(%L, ''testdb'', ''nolake'')', document)) FROM t.connector WHERE name = 'replica';
\c postgres
DROP DATABASE r_import;
