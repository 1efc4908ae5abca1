-- A bucket's options are checked where they enter; its policy holds the least rights, and only what its options ask for.
CREATE DATABASE r_s3 TEMPLATE sluice_installed;
\c r_s3
SELECT target FROM sluice.add_target('plain', 's3', bucket => 'lake');
SELECT target FROM sluice.add_target('full', 's3', bucket => 'lake', prefix => 'land/in', options => '{"region": "cn-north-1", "sse": "aws:kms",
	"kms_key": "arn:aws-cn:kms:cn-north-1:1:key/k", "bucket_key": true, "storage_class": "STANDARD_IA", "tags": ["team=data + more", "env="],
	"acl": "bucket-owner-full-control", "requester_pays": true, "payload_hash": "unsigned", "part_bytes": 16777216, "parallel_parts": 8}');
SELECT target FROM sluice.add_target('folder', 'file', path => '/tmp/lake');
SELECT c, t.err(format('SELECT sluice.add_target(''x'', ''s3'', bucket => ''lake'', options => %L)', c)) FROM unnest(ARRAY[
	'{"sse": "AES128"}', '{"sse": "AES256", "kms_key": "k"}', '{"bucket_key": true}', '{"sse": "aws:kms", "kms_key": "k k"}', '{"storage_class": "GLACIER"}',
	'{"tags": "team=data"}', '{"tags": ["team"]}', '{"tags": ["1=", "2=", "3=", "4=", "5=", "6=", "7=", "8=", "9=", "10=", "11="]}', '{"acl": "public-read"}',
	'{"payload_hash": "unsigned", "endpoint": "http://127.0.0.1:1"}', '{"part_bytes": 1048576}', '{"parallel_parts": 9}']) c;
SELECT sluice.iam_policy('full', purge => true);
-- What each target's policy grants, statement by statement.
SELECT x.target, s ->> 'Sid' AS sid, s -> 'Action' AS action, s ->> 'Resource' AS resource, s -> 'Condition' AS condition
FROM unnest(ARRAY['plain', 'full']) x(target), jsonb_array_elements(sluice.iam_policy(x.target)::jsonb -> 'Statement') s;
SELECT target FROM sluice.alter_target('full', '{"kms_key": "alias/lake", "acl": null, "tags": null}');
SELECT s FROM jsonb_array_elements(sluice.iam_policy('full')::jsonb -> 'Statement') s WHERE s ->> 'Sid' IN ('Key', 'Objects');
-- Those who read: the texts for Databricks.
SELECT sluice.reader_policy('full');
SELECT sluice.external_location_sql('full', 'lake`s role');
SELECT t.err($$SELECT sluice.external_location_sql('plain', '')$$), t.err($$SELECT sluice.reader_policy('folder')$$), t.err($$SELECT sluice.external_location_sql('folder')$$);
SELECT t.err($$SELECT sluice.iam_policy('folder')$$), t.err($$SELECT sluice.iam_policy('nope')$$), t.err($$SELECT sluice.alter_target('full', '{"sse": null}')$$);
\c postgres
DROP DATABASE r_s3;
