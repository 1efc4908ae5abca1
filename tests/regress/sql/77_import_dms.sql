-- What an AWS DMS task was told: its table mapping chooses the same tables, its endpoint's settings give the same files, and what has no counterpart is named.
CREATE DATABASE r_import_dms TEMPLATE sluice_installed;
\c r_import_dms
\pset format unaligned
SELECT target FROM sluice.add_target('lake', 'file', path => '/tmp/lake', prefix => 'data');
SELECT source FROM sluice.add_source('testdb', 'sqlserver', host => 'h', database => 'testDB', "user" => 'sluice', password_env => 'P');
SELECT item, value, effect, note FROM sluice.import_dms('{"rules":[{"rule-type":"selection","rule-id":"1","object-locator":{"schema-name":"%","table-name":"%"},"rule-action":"include"}]}', 'testdb', 'lake');
SET SESSION AUTHORIZATION sluice_worker;
SELECT _sluice.worker_start('{"host": "h", "pid": 1, "version": "0.1.0", "api": 1, "runners": 2}');
RESET SESSION AUTHORIZATION;
SELECT t.beat();
SELECT t.facts(1, t.tab(1, 'products', 10, 'id,name,weight', 'id', jsonb_build_array(t.instance(1, 'dbo_products', 16, 'id,name,weight'))),
	t.tab(2, 'products_on_hand', 10, 'product_id,quantity', 'product_id', jsonb_build_array(t.instance(2, 'dbo_products_on_hand', 16, 'product_id,quantity'))),
	t.tab(3, 'customers', 10, 'id,first_name,last_name,email', 'id', jsonb_build_array(t.instance(3, 'dbo_customers', 16, 'id,first_name,last_name,email'))),
	t.tab(4, 'orders', 10, 'id,purchaser,quantity', 'id', jsonb_build_array(t.instance(4, 'dbo_orders', 16, 'id,purchaser,quantity'))),
	t.tab(5, 'audit', 10, 'id,what', 'id', '[]'));
-- The task of dms-dlt-cdc-demo takes every table; its endpoint's settings, in Terraform's spelling.
SELECT * FROM sluice.import_dms('{"rules":[{"rule-type":"selection","rule-id":"1","rule-name":"1","object-locator":{"schema-name":"%","table-name":"%"},"rule-action":"include"}]}', 'testdb', 'lake',
	'{"s3_settings": {"service_access_role_arn": "arn:aws:iam::1:role/dms_s3_role", "bucket_name": "b-dms-cdc-db", "bucket_folder": "data", "add_column_name": true, "cdc_max_batch_interval": 20,
	"data_format": "csv", "cdc_inserts_and_updates": true, "timestamp_column_name": "dmsTimestamp", "rfc_4180": true}}');
SELECT item, effect FROM sluice.import_dms('{"rules":[{"rule-type":"selection","rule-id":"1","object-locator":{"schema-name":"%","table-name":"%"},"rule-action":"include"}]}', 'testdb', 'lake', dry_run => false) WHERE item LIKE 'table %';
SELECT table_name, options FROM sluice.table_status ORDER BY 1;
SELECT count(sluice.drop_table(table_name)) FROM sluice.table_status;
-- Wildcards, exclude, explicit, filters, transformations.
SELECT item, value, effect, note FROM sluice.import_dms('{"rules": [
	{"rule-type": "selection", "rule-id": "1", "object-locator": {"schema-name": "DBO", "table-name": "product%"}, "rule-action": "include"},
	{"rule-type": "selection", "rule-id": "2", "object-locator": {"schema-name": "dbo", "table-name": "%[_]on[_]h__d"}, "rule-action": "exclude"},
	{"rule-type": "selection", "rule-id": "3", "object-locator": {"schema-name": "dbo", "table-name": "orders"}, "rule-action": "explicit", "load-order": "2"},
	{"rule-type": "selection", "rule-id": "4", "object-locator": {"schema-name": "dbo", "table-name": "[a-c]ustomers"}, "rule-action": "include", "filters": [{"filter-type": "source", "column-name": "id"}]},
	{"rule-type": "selection", "rule-id": "5", "object-locator": {"schema-name": "dbo", "table-name": "v%", "table-type": "view"}, "rule-action": "include"},
	{"rule-type": "transformation", "rule-id": "6", "rule-target": "column", "object-locator": {"schema-name": "%", "table-name": "products", "column-name": "w%"}, "rule-action": "remove-column"},
	{"rule-type": "transformation", "rule-id": "11", "rule-target": "column", "object-locator": {"schema-name": "dbo", "table-name": "orders", "column-name": "%i%"}, "rule-action": "remove-column"},
	{"rule-type": "transformation", "rule-id": "7", "rule-target": "schema", "object-locator": {"schema-name": "dbo"}, "rule-action": "rename", "value": "x"},
	{"rule-type": "transformation", "rule-id": "9", "rule-target": "column", "object-locator": {"schema-name": "%", "table-name": "%s"}, "rule-action": "add-column", "value": "seq", "expression": "$AR_H_CHANGE_SEQ", "data-type": {"type": "string", "length": 50}},
	{"rule-type": "transformation", "rule-id": "10", "rule-target": "column", "object-locator": {"schema-name": "%", "table-name": "%"}, "rule-action": "add-column", "value": "twice", "expression": "2 * $id"},
	{"rule-type": "table-settings", "rule-id": "8", "object-locator": {"schema-name": "dbo", "table-name": "orders"}, "parallel-load": {"type": "partitions-auto"}}]}', 'testdb', 'lake',
	'{"S3Settings": {"BucketFolder": "other", "DataFormat": "csv", "CompressionType": "GZIP", "MaxFileSize": 1, "CsvDelimiter": ",", "CsvRowDelimiter": "\\n", "EncryptionMode": "SSE_KMS", "NewSetting": 1}}');
SELECT p, _sluice.dms_pattern(p) FROM unnest(ARRAY['%', 'a_b', 'a[_]b', 'a.b(c)', 'x[ab]%', '[', '']) p;
SELECT t.err(format('SELECT sluice.import_dms(%L, ''testdb'', ''lake'')', d)) FROM unnest(ARRAY['{}', '{"rules": [{"rule-type": "selection", "rule-action": "include"}]}',
	'{"rules": [{"rule-type": "selection", "rule-action": "exclude", "object-locator": {"schema-name": "a", "table-name": "b"}}]}']) d;
SELECT t.err($$SELECT sluice.import_dms('{"rules":[{"rule-type":"selection","object-locator":{"schema-name":"%","table-name":"%"},"rule-action":"include"}]}', 'testdb', 'lake', '{"MaxFileSize": "big"}')$$);
SELECT t.err($$SELECT sluice.import_dms('{"rules":[{"rule-type":"selection","object-locator":{"schema-name":"%","table-name":"%"},"rule-action":"include"}]}', 'nosuch', 'lake')$$);
-- A table that cannot be added is skipped with the reason, the others go on; so a dry run says too.
SELECT count(*) FROM sluice.import_dms('{"rules":[{"rule-type":"selection","object-locator":{"schema-name":"dbo","table-name":"orders"},"rule-action":"explicit"}]}', 'testdb', 'lake', dry_run => false);
SELECT source FROM sluice.add_source('other', 'sqlserver', host => 'h', database => 'other', "user" => 'sluice', password_env => 'P');
SELECT t.beat() ? 'pollers' AS beat;
SELECT t.facts(2, t.tab(4, 'orders', 10, 'id,purchaser', 'id', jsonb_build_array(t.instance(4, 'dbo_orders', 16, 'id,purchaser'))),
	t.tab(6, 'odd', 10, 'id,v:variant', 'id', jsonb_build_array(t.instance(6, 'dbo_odd', 16, 'id,v'))), t.tab(7, 'stores', 10, 'id', 'id', jsonb_build_array(t.instance(7, 'dbo_stores', 16, 'id'))));
SELECT item, effect, note FROM sluice.import_dms('{"rules":[{"rule-type":"selection","object-locator":{"schema-name":"%","table-name":"%"},"rule-action":"include"}]}', 'other', 'lake') WHERE item LIKE 'table %';
SELECT item, effect, note FROM sluice.import_dms('{"rules":[{"rule-type":"selection","object-locator":{"schema-name":"%","table-name":"%"},"rule-action":"include"}]}', 'other', 'lake', dry_run => false) WHERE item LIKE 'table %';
\c postgres
DROP DATABASE r_import_dms;
