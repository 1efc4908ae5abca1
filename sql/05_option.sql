-- Every option and setting there is, in one table: name, type, range, default, what it means.

CREATE DOMAIN _sluice.pos AS text COLLATE "C" CHECK (VALUE ~ '^[0-9a-f]{1,64}$');
COMMENT ON DOMAIN _sluice.pos IS 'A position of a source: lower-case hex of fixed width that sorts bytewise';

CREATE TABLE _sluice.option (
	scope         text NOT NULL,
	name          text NOT NULL,
	type          text NOT NULL CHECK (type IN ('text', 'integer', 'number', 'boolean', 'list')),
	low           numeric,
	high          numeric,
	choices       text[],
	default_value text,
	required      boolean NOT NULL DEFAULT false,
	doc           text NOT NULL,
	only_for      text[],
	PRIMARY KEY (scope, name)
);
COMMENT ON TABLE _sluice.option IS 'What may be set, by scope: setting, table, source/KIND, target/KIND';
COMMENT ON COLUMN _sluice.option.only_for IS 'Formats and profiles of a table that know the option; NULL: it belongs to none of them. These are the ones a batch hands to its format';

CREATE TABLE _sluice.setting (
	name  text PRIMARY KEY,
	value text NOT NULL
);
COMMENT ON TABLE _sluice.setting IS 'Settings that differ from the default in _sluice.option';

INSERT INTO _sluice.option (scope, name, type, low, high, choices, default_value, required, doc) VALUES
	('setting', 'poll_interval_ms', 'integer', 10, 3600000, NULL, '500', false, 'milliseconds from the beginning of a poll of a source to that of the next'),
	('setting', 'idle_ms', 'integer', 10, 60000, NULL, '1000', false, 'milliseconds a process of the worker sleeps when no NOTIFY wakes it'),
	('setting', 'lease_seconds', 'number', 0, 3600, NULL, '60', false, 'seconds after which a lease that nobody renewed is free'),
	('setting', 'worker_dead_seconds', 'number', 0, 3600, NULL, '30', false, 'seconds without a beat after which a worker counts as gone'),
	('setting', 'runners', 'integer', 1, 256, NULL, NULL, false, 'runners of each worker; not set: as the worker asks (2)'),
	('setting', 'memory_mib', 'integer', 64, 1048576, NULL, NULL, false, 'memory that the runners of one worker share in equal parts, MiB; not set: the server''s sluice.memory, else 512'),
	('setting', 'retry_base_seconds', 'number', 0, 3600, NULL, '1', false, 'first pause after a transient failure; doubled each time'),
	('setting', 'retry_cap_seconds', 'number', 0, 86400, NULL, '60', false, 'longest pause after a transient failure'),
	('setting', 'discover_seconds', 'number', 1, 604800, NULL, '900', false, 'age at which a source''s tables are discovered again'),
	('setting', 'ledger_keep_days', 'integer', 1, 36500, NULL, '90', false, 'days that batches, files and events are kept'),
	('setting', 'partitions_ahead_days', 'integer', 1, 30, NULL, '3', false, 'day partitions made in advance'),
	('setting', 'maintenance_seconds', 'number', 0, 86400, NULL, '3600', false, 'seconds between two rounds of upkeep'),
	('setting', 'late_seconds', 'number', 1, 604800, NULL, '300', false, 'age of the oldest unread change, beyond max_file_age, from which a table is late'),
	('setting', 'keyless_tries', 'integer', 1, 100, NULL, '5', false, 'scans of a table without key before its keyless policy decides'),
	('setting', 'resync_min_interval_seconds', 'number', 0, 604800, NULL, '0', false, 'least time between two resyncs of one table'),
	('table', 'format', 'text', NULL, NULL, '{jsonl,csv,parquet}', 'jsonl', false, 'file format'),
	('table', 'compression', 'text', NULL, NULL, '{none,gzip,zstd,snappy}', 'zstd', false, 'compression of the files; snappy: parquet only'),
	('table', 'compression_level', 'integer', 0, 19, NULL, '0', false, '0: the compression''s default (zstd 1, gzip 6)'),
	('table', 'profile', 'text', NULL, NULL, '{sluice,debezium,dms}', 'sluice', false, 'layout of a row; dms: of folders and names too'),
	('table', 'target_file_bytes', 'integer', 65536, 5368709120, NULL, '134217728', false, 'bytes at which a file closes'),
	('table', 'max_file_age', 'number', 0, 86400, NULL, '60', false, 'seconds that a change may wait to be landed'),
	('table', 'max_value_bytes', 'integer', 1024, 2147483647, NULL, '16777216', false, 'largest value; beyond it the table stops'),
	('table', 'lob', 'text', NULL, NULL, '{log,reread}', 'log', false, 'unchanged LOB columns: marked, or read again by key'),
	('table', 'keyless', 'text', NULL, NULL, '{error,lock,append}', 'error', false, 'a table without key that never holds still during its scan'),
	('table', 'on_incompatible', 'text', NULL, NULL, '{epoch,stop}', 'epoch', false, 'column dropped or retyped: new epoch, or stop'),
	('table', 'exclude', 'list', NULL, NULL, NULL, NULL, false, 'columns that are not landed'),
	('table', 'key', 'list', NULL, NULL, NULL, NULL, false, 'columns of the key, where the source declares none or another'),
	('table', 'load_range_rows', 'integer', 1, 1000000000, NULL, '500000', false, 'rows of one load range'),
	('table', 'zero_dates', 'text', NULL, NULL, '{"null",text}', 'null', false, 'MySQL and MariaDB: dates such as 0000-00-00 become NULL and are counted, or all date columns land as text'),
	('table', 'cascade', 'text', NULL, NULL, '{refuse,accept}', 'refuse', false, 'MySQL and MariaDB: a child of ON DELETE or ON UPDATE CASCADE or SET NULL, whose changes the log leaves out, is refused or lands inexact'),
	('source/sqlserver', 'host', 'text', NULL, 253, NULL, NULL, true, 'host name or address'),
	('source/sqlserver', 'instance', 'text', NULL, 128, NULL, NULL, false, 'named instance'),
	('source/sqlserver', 'port', 'integer', 1, 65535, NULL, '1433', false, 'TCP port'),
	('source/sqlserver', 'database', 'text', NULL, 128, NULL, NULL, true, 'database to capture'),
	('source/sqlserver', 'user', 'text', NULL, 128, NULL, NULL, false, 'login; not with kerberos'),
	('source/sqlserver', 'password_env', 'text', NULL, 255, NULL, NULL, false, 'environment variable of the worker that holds the password'),
	('source/sqlserver', 'password_file', 'text', NULL, 4096, NULL, NULL, false, 'file (mode 0600) on the worker''s machine that holds the password'),
	('source/sqlserver', 'vault', 'text', NULL, 255, NULL, NULL, false, 'entry of the worker''s encrypted file that holds the password, and may hold address, database and user'),
	('source/sqlserver', 'encryption', 'text', NULL, NULL, '{off,request,require}', NULL, false, 'TLS on the wire'),
	('source/sqlserver', 'ca_file', 'text', NULL, 1000, NULL, NULL, false, 'CA certificates, or system'),
	('source/sqlserver', 'check_hostname', 'boolean', NULL, NULL, NULL, NULL, false, 'compare the certificate''s name; the default where ca_file is set'),
	('source/sqlserver', 'application_intent', 'text', NULL, NULL, '{readonly,readwrite}', NULL, false, 'readonly: a readable secondary'),
	('source/sqlserver', 'kerberos', 'boolean', NULL, NULL, NULL, NULL, false, 'log in with the worker''s Kerberos ticket'),
	('source/sqlserver', 'principal', 'text', NULL, 255, NULL, NULL, false, 'the server''s Kerberos principal'),
	('source/sqlserver', 'ntlm', 'boolean', NULL, NULL, NULL, NULL, false, 'NTLM: user is DOMAIN\name'),
	('source/sqlserver', 'packet_size', 'integer', 512, 32767, NULL, NULL, false, 'TDS packet size'),
	('source/sqlserver', 'login_timeout', 'integer', 1, 50, NULL, NULL, false, 'seconds that a login may take'),
	('source/sqlserver', 'query_timeout', 'integer', 1, 86400, NULL, NULL, false, 'seconds that a query may take'),
	('source/sqlserver', 'lock_timeout_ms', 'integer', 100, 600000, NULL, NULL, false, 'milliseconds that a read waits for a lock'),
	('source/sqlserver', 'poll_ms', 'integer', 10, 3600000, NULL, NULL, false, 'milliseconds from the beginning of a poll to that of the next; the setting poll_interval_ms where not given'),
	('source/sqlserver', 'max_connections', 'integer', 2, 1000, NULL, '10', false, 'connections to this source at once, the poller''s among them'),
	('source/mysql', 'load_lock', 'boolean', NULL, NULL, NULL, NULL, false, 'where GTIDs are off: a load takes FLUSH TABLES WITH READ LOCK for the moment in which it begins'),
	('target/file', 'path', 'text', NULL, 4096, NULL, NULL, true, 'absolute folder on the worker''s machine'),
	('target/file', 'prefix', 'text', NULL, 512, NULL, NULL, false, 'folder below path'),
	('target/file', 'unfenced', 'boolean', NULL, NULL, NULL, NULL, false, 'accept a target that cannot refuse to overwrite'),
	('target/file', 'xattr', 'boolean', NULL, NULL, NULL, NULL, false, 'keep the attempt in an extended attribute (default) or, false, in a file beside'),
	('target/s3', 'bucket', 'text', NULL, 63, NULL, NULL, true, 'name of the bucket'),
	('target/s3', 'prefix', 'text', NULL, 512, NULL, NULL, false, 'prefix of every key'),
	('target/s3', 'region', 'text', NULL, 64, NULL, NULL, false, 'region of the bucket; not set: AWS_REGION of the worker, its AWS profile''s, us-east-1'),
	('target/s3', 'endpoint', 'text', NULL, 512, NULL, NULL, false, 'http(s)://host:port of another server than AWS'),
	('target/s3', 'path_style', 'boolean', NULL, NULL, NULL, NULL, false, 'bucket in the path, not in the host name'),
	('target/s3', 'ca_file', 'text', NULL, 1000, NULL, NULL, false, 'file of CA certificates on the worker''s machine, for an endpoint'),
	('target/s3', 'vault', 'text', NULL, 255, NULL, NULL, false, 'entry of the worker''s encrypted file that holds the keys'),
	('target/s3', 'access_key_env', 'text', NULL, 255, NULL, NULL, false, 'environment variable that holds the access key'),
	('target/s3', 'access_key_file', 'text', NULL, 4096, NULL, NULL, false, 'file (mode 0600) that holds the access key'),
	('target/s3', 'secret_key_env', 'text', NULL, 255, NULL, NULL, false, 'environment variable that holds the secret key'),
	('target/s3', 'secret_key_file', 'text', NULL, 4096, NULL, NULL, false, 'file (mode 0600) that holds the secret key'),
	('target/s3', 'session_token_env', 'text', NULL, 255, NULL, NULL, false, 'environment variable that holds the session token'),
	('target/s3', 'session_token_file', 'text', NULL, 4096, NULL, NULL, false, 'file (mode 0600) that holds the session token'),
	('target/s3', 'sse', 'text', NULL, NULL, '{none,AES256,aws:kms}', NULL, false, 'encryption by the store: AES256 (its own keys) or aws:kms; none asks for nothing, so the bucket''s default holds'),
	('target/s3', 'kms_key', 'text', NULL, 299, NULL, NULL, false, 'id, alias or ARN of the KMS key; with sse aws:kms'),
	('target/s3', 'bucket_key', 'boolean', NULL, NULL, NULL, NULL, false, 'use an S3 Bucket Key, which asks KMS less often; with sse aws:kms'),
	('target/s3', 'storage_class', 'text', NULL, NULL, '{STANDARD,STANDARD_IA,ONEZONE_IA,INTELLIGENT_TIERING,GLACIER_IR}', NULL, false, 'storage class of every object; only classes that can be read at once'),
	('target/s3', 'tags', 'list', NULL, NULL, NULL, NULL, false, 'tags of every object, at most 10, each key=value'),
	('target/s3', 'acl', 'text', NULL, NULL, '{private,bucket-owner-full-control,bucket-owner-read}', NULL, false, 'canned ACL of every object, for a bucket of another account'),
	('target/s3', 'requester_pays', 'boolean', NULL, NULL, NULL, NULL, false, 'we pay for the requests'),
	('target/s3', 'payload_hash', 'text', NULL, NULL, '{signed,unsigned}', NULL, false, 'unsigned: bodies are not hashed, TLS alone guards them; https only'),
	('target/s3', 'part_bytes', 'integer', 8388608, 16777216, NULL, NULL, false, 'bytes of a part of an upload; a smaller object is one request. Default 8 MiB'),
	('target/s3', 'parallel_parts', 'integer', 1, 8, NULL, NULL, false, 'parts under way at once, each in memory; fewer while the store says SlowDown. Default 4'),
	('target/s3', 'tries', 'integer', 1, 100, NULL, NULL, false, 'attempts at a request before the batch is tried again later'),
	('target/s3', 'unfenced', 'boolean', NULL, NULL, NULL, NULL, false, 'accept a target that cannot refuse to overwrite');

INSERT INTO _sluice.option (scope, name, type, low, high, choices, default_value, required, doc)
SELECT 'source/' || k.kind, o.name, o.type, o.low, o.high, o.choices::text[], o.default_value, o.name = 'host', o.doc
FROM (VALUES ('mysql'), ('mariadb')) k(kind), (VALUES
	('host', 'text', NULL, 253, NULL, NULL, 'host name or address'),
	('port', 'integer', 1, 65535, NULL, '3306', 'TCP port'),
	('user', 'text', NULL, 128, NULL, NULL, 'login'),
	('password_env', 'text', NULL, 255, NULL, NULL, 'environment variable of the worker that holds the password'),
	('password_file', 'text', NULL, 4096, NULL, NULL, 'file (mode 0600) on the worker''s machine that holds the password'),
	('vault', 'text', NULL, 255, NULL, NULL, 'entry of the worker''s encrypted file that holds the password, and may hold address and user'),
	('encryption', 'text', NULL, NULL, '{off,request,require}', NULL, 'TLS on the wire'),
	('ca_file', 'text', NULL, 1000, NULL, NULL, 'CA certificates, or system'),
	('check_hostname', 'boolean', NULL, NULL, NULL, NULL, 'compare the certificate''s name; the default where ca_file is set'),
	('login_timeout', 'integer', 1, 50, NULL, NULL, 'seconds that a login may take'),
	('query_timeout', 'integer', 1, 86400, NULL, NULL, 'seconds that a query may take'),
	('poll_ms', 'integer', 10, 3600000, NULL, NULL, 'milliseconds from the beginning of a poll to that of the next; the setting poll_interval_ms where not given'),
	('max_connections', 'integer', 4, 1000, NULL, '10', 'connections to this source at once: two of the poller, two of each runner'))
	o(name, type, low, high, choices, default_value, doc);

INSERT INTO _sluice.option (scope, name, type, low, high, choices, only_for, doc) VALUES
	('table', 'row_group_bytes', 'integer', 16384, 1073741824, NULL, '{parquet}', 'bytes of a row group, compressed (default 64 MiB); less where memory is short'),
	('table', 'bloom_columns', 'list', NULL, NULL, NULL, '{parquet}', 'columns of the file that get a Bloom filter, for look-ups by single values'),
	('table', 'timestamp_precision', 'text', NULL, NULL, '{exact,micros}', '{parquet}',
		'exact (default): timestamps of seven fractional digits or with an offset land as text; micros: as TIMESTAMP, an offset is folded in, a seventh digit stops the table');

INSERT INTO _sluice.option (scope, name, type, high, choices, only_for, doc) VALUES
	('table', 'csv_header', 'boolean', NULL, NULL, '{csv}', 'a first line with the names of the columns (default true)'),
	('table', 'decimal_handling_mode', 'text', NULL, '{precise,double,string}', '{debezium}', 'decimals as the connector''s property of that name has them (default precise)'),
	('table', 'time_precision_mode', 'text', NULL, '{adaptive,adaptive_time_microseconds,connect,isostring,microseconds,nanoseconds}', '{debezium}',
		'dates and times as the connector''s property of that name has them (default adaptive)'),
	('table', 'binary_handling_mode', 'text', NULL, '{bytes,base64,base64-url-safe,hex}', '{debezium}', 'binary as the connector''s property of that name has it (default bytes)'),
	('table', 'schemas_enable', 'boolean', NULL, NULL, '{debezium}', 'each event with its schema, as Kafka Connect''s JsonConverter writes it'),
	('table', 'timestamp_column_name', 'text', 128, NULL, '{dms}', 'name of a column with the commit time, for loaded rows that of the load; not set: there is none'),
	('table', 'include_op_for_full_load', 'boolean', NULL, NULL, '{dms}', 'column Op, I, in the files of the load too'),
	('table', 'cdc_inserts_only', 'boolean', NULL, NULL, '{dms}', 'of the changes only inserts land'),
	('table', 'cdc_inserts_and_updates', 'boolean', NULL, NULL, '{dms}', 'of the changes only inserts and updates land'),
	('table', 'change_seq_column', 'text', 128, NULL, '{dms}', 'name of a column that sorts rows as they were committed, such as AR_H_CHANGE_SEQ; not set: there is none'),
	('table', 'topic_prefix', 'text', 255, NULL, '{debezium}', 'the name of the source in the event (default: the source''s)');

CREATE FUNCTION _sluice.setting(text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce((SELECT s.value FROM _sluice.setting s WHERE s.name = $1),
		(SELECT o.default_value FROM _sluice.option o WHERE o.scope = 'setting' AND o.name = $1))
$$;
COMMENT ON FUNCTION _sluice.setting(text) IS 'The value of a setting, or its default';

CREATE FUNCTION _sluice.memory_mib() RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(_sluice.setting('memory_mib')::integer, (pg_size_bytes(current_setting('sluice.memory', true)) / 1048576)::integer, 512) $$;
COMMENT ON FUNCTION _sluice.memory_mib() IS 'Memory that the runners of a worker share: as set here, else in the server, else 512 MiB';

CREATE FUNCTION _sluice.seconds(text) RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT make_interval(secs => _sluice.setting($1)::double precision) $$;
COMMENT ON FUNCTION _sluice.seconds(text) IS 'A setting in seconds as an interval';

CREATE FUNCTION _sluice.fail(state text, message text, hint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, HINT = hint;
END
$$;
COMMENT ON FUNCTION _sluice.fail(text, text, text) IS 'Raises an error with SQLSTATE and HINT';

CREATE FUNCTION _sluice.distance(a text, b text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	line integer[];
	last integer;
	corner integer;
BEGIN
	SELECT array_agg(i) INTO line FROM generate_series(0, length(b)) i;
	FOR i IN 1 .. length(a) LOOP
		corner := line[1];
		line[1] := i;
		FOR j IN 1 .. length(b) LOOP
			last := line[j + 1];
			line[j + 1] := least(line[j] + 1, last + 1, corner + (substr(a, i, 1) <> substr(b, j, 1))::integer);
			corner := last;
		END LOOP;
	END LOOP;
	RETURN line[length(b) + 1];
END
$$;
COMMENT ON FUNCTION _sluice.distance(text, text) IS 'Edits between two short names (Levenshtein), for hints';

CREATE FUNCTION _sluice.option_nearest(scope text, name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT o.name FROM _sluice.option o WHERE o.scope = $1
	ORDER BY _sluice.distance(left($2, 40), o.name), o.name LIMIT 1
$$;
COMMENT ON FUNCTION _sluice.option_nearest(text, text) IS 'The option whose name is most like the given one';

CREATE FUNCTION _sluice.option_value(o _sluice.option, given jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	value text := given #>> '{}';
	number numeric;
BEGIN
	IF o.type = 'list' THEN
		IF jsonb_typeof(given) <> 'array' OR EXISTS (SELECT FROM jsonb_array_elements(given) e WHERE jsonb_typeof(e) <> 'string') THEN
			PERFORM _sluice.fail('22023', format('option %s must be an array of names', o.name), o.doc);
		END IF;
		RETURN given;
	ELSIF jsonb_typeof(given) IN ('object', 'array') THEN
		PERFORM _sluice.fail('22023', format('option %s must be of type %s', o.name, o.type), o.doc);
	ELSIF o.type = 'boolean' THEN
		IF lower(value) NOT IN ('true', 'false', 'on', 'off') THEN
			PERFORM _sluice.fail('22023', format('option %s must be true or false', o.name), o.doc);
		END IF;
		RETURN to_jsonb(value::boolean);
	ELSIF o.type IN ('integer', 'number') THEN
		IF value !~ (CASE o.type WHEN 'integer' THEN '^-?[0-9]{1,18}$' ELSE '^-?[0-9]{1,18}(\.[0-9]{1,9})?$' END) THEN
			PERFORM _sluice.fail('22023', format('option %s must be of type %s', o.name, o.type), o.doc);
		END IF;
		number := value::numeric;
		IF number < o.low OR number > o.high THEN
			PERFORM _sluice.fail('22023', format('option %s must lie between %s and %s', o.name, o.low, o.high), o.doc);
		END IF;
		RETURN to_jsonb(number);
	END IF;
	IF value = '' OR value ~ '[[:cntrl:]]' OR length(value) > coalesce(o.high, 255) THEN
		PERFORM _sluice.fail('22023', format('option %s is empty, too long or holds control characters', o.name), o.doc);
	ELSIF o.choices IS NOT NULL AND NOT value = ANY (o.choices) THEN
		PERFORM _sluice.fail('22023', format('option %s must be one of %s', o.name, array_to_string(o.choices, ', ')), o.doc);
	END IF;
	RETURN to_jsonb(value);
END
$$;
COMMENT ON FUNCTION _sluice.option_value(_sluice.option, jsonb) IS 'One option''s value checked against its type, range and choices';

CREATE FUNCTION _sluice.secret_refuse(name text, value jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name ~* '(password|passwd|pwd|secret|secret_key|access_key|token|private_key)$' THEN
		PERFORM _sluice.fail('22023', format('option %s would store a secret in the database', left(name, 40)),
			format('Name where the worker finds it instead: %1$s_env (environment variable) or %1$s_file (file of mode 0600).',
				CASE WHEN name ~* 'access' THEN 'access_key' WHEN name ~* 'secret' THEN 'secret_key' ELSE 'password' END));
	ELSIF value #>> '{}' ~ '://[^/@[:space:]]*:[^/@[:space:]]*@' OR value #>> '{}' ~* '(password|pwd)\s*=' THEN
		PERFORM _sluice.fail('22023', format('option %s holds a password', left(name, 40)),
			'Leave it out and name where the worker finds it: password_env or password_file of a source, access_key_env and secret_key_env (or _file) of a target.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.secret_refuse(text, jsonb) IS 'Refuses a secret given as an option; the value is never repeated in the error';

CREATE FUNCTION _sluice.profile_default(options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- Neither layout can say that a value was not logged: it is read again.
	SELECT CASE $1 ->> 'profile' WHEN 'debezium' THEN '{"lob": "reread"}'::jsonb
		-- As AWS DMS does where nobody says otherwise.
		WHEN 'dms' THEN '{"lob": "reread", "format": "csv"}'::jsonb || CASE WHEN coalesce($1 ->> 'format', 'csv') = 'csv' THEN '{"compression": "none"}' ELSE '{}' END::jsonb
		ELSE '{}' END
$$;
COMMENT ON FUNCTION _sluice.profile_default(jsonb) IS 'Defaults of a table''s options that its profile sets: the one place for them';

CREATE FUNCTION _sluice.format_check(given jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o jsonb := _sluice.options_full('table', given);
	formats text[] := CASE o ->> 'profile' WHEN 'debezium' THEN '{jsonl}' WHEN 'dms' THEN '{csv,parquet}' ELSE '{jsonl,csv,parquet}' END;
	level integer := (o ->> 'compression_level')::integer;
	most integer := CASE o ->> 'compression' WHEN 'zstd' THEN 19 WHEN 'gzip' THEN 9 ELSE 0 END;
	foreign_option _sluice.option;
BEGIN
	IF NOT o ->> 'format' = ANY (formats) THEN
		PERFORM _sluice.fail('22023', format('profile %s is not written as %s', o ->> 'profile', o ->> 'format'),
			format('Profile %s lands as %s.', o ->> 'profile', array_to_string(formats, ' or ')));
	ELSIF o ->> 'profile' <> 'sluice' AND o ->> 'lob' <> 'reread' THEN
		PERFORM _sluice.fail('22023', format('profile %s cannot say that a value was not logged', o ->> 'profile'), 'Leave lob out: such values are read again.');
	ELSIF o ->> 'compression' = 'snappy' AND o ->> 'format' <> 'parquet' THEN
		PERFORM _sluice.fail('22023', format('compression snappy does not exist for %s', o ->> 'format'), 'Use none, gzip or zstd, or format parquet.');
	ELSIF level > most THEN
		PERFORM _sluice.fail('22023', format('compression %s has no level %s', o ->> 'compression', level),
			CASE most WHEN 0 THEN 'Leave compression_level out.' ELSE format('Use 1 to %s, or 0 for the default.', most) END);
	END IF;
	IF (o ->> 'cdc_inserts_only')::boolean AND (o ->> 'cdc_inserts_and_updates')::boolean THEN
		PERFORM _sluice.fail('22023', 'options cdc_inserts_only and cdc_inserts_and_updates exclude each other', 'Set one of them.');
	ELSIF (SELECT count(DISTINCT lower(c)) < count(*) FROM unnest(_sluice.dms_columns(o)) c) THEN
		PERFORM _sluice.fail('22023', 'two of the columns that the profile adds have the same name', 'Choose other names for timestamp_column_name and change_seq_column; Op is taken.');
	END IF;
	SELECT p.* INTO foreign_option FROM _sluice.option p
	WHERE p.scope = 'table' AND given ? p.name AND NOT p.only_for && ARRAY[o ->> 'format', o ->> 'profile'] ORDER BY p.name LIMIT 1;
	IF foreign_option.name IS NOT NULL THEN
		PERFORM _sluice.fail('22023', format('option %s belongs to %s, and the table lands as %s in profile %s', foreign_option.name,
				array_to_string(foreign_option.only_for, ' or '), o ->> 'format', o ->> 'profile'),
			format('Leave it out; on a table that has it: options => ''{"%s": null}''.', foreign_option.name));
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.format_check(jsonb) IS 'Options of a table that only make sense together: profile, format, compression, and what belongs to one of them';

CREATE FUNCTION _sluice.options_check(scope text, given jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	o _sluice.option;
	result jsonb := '{}';
BEGIN
	IF jsonb_typeof(given) IS DISTINCT FROM 'object' THEN
		PERFORM _sluice.fail('22023', 'options must be a JSON object', 'For example: options => ''{"max_file_age": 10}''');
	END IF;
	FOR item IN SELECT * FROM jsonb_each(given) ORDER BY key LOOP
		CONTINUE WHEN item.value = 'null';
		PERFORM _sluice.secret_refuse(item.key, item.value);
		SELECT * INTO o FROM _sluice.option p WHERE p.scope = $1 AND p.name = item.key;
		IF NOT FOUND THEN
			PERFORM _sluice.fail('22023', format('there is no option %s for a %s', quote_literal(left(item.key, 60)), $1),
				format('Did you mean %s? SELECT * FROM sluice.%s lists them all.', _sluice.option_nearest($1, item.key),
					CASE $1 WHEN 'setting' THEN 'setting' ELSE format('option WHERE scope = %L', $1) END));
		END IF;
		result := result || jsonb_build_object(item.key, _sluice.option_value(o, item.value));
	END LOOP;
	SELECT * INTO o FROM _sluice.option p WHERE p.scope = $1 AND p.required AND NOT result ? p.name
		AND NOT ($1 LIKE 'source/%' AND result ? 'vault') -- the entry may hold it
	ORDER BY p.name LIMIT 1;
	IF FOUND THEN
		PERFORM _sluice.fail('22023', format('option %s is missing', o.name), format('It must be given: %s.', o.doc));
	ELSIF $1 = 'table' THEN
		PERFORM _sluice.format_check(result);
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION _sluice.options_check(text, jsonb) IS 'Options checked by name, type and range; unknown ones are refused with the nearest name';

CREATE FUNCTION _sluice.options_full(scope text, given jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(o.name, CASE WHEN o.type IN ('integer', 'number', 'boolean') THEN o.default_value::jsonb
		ELSE to_jsonb(o.default_value) END) FILTER (WHERE o.default_value IS NOT NULL), '{}')
		|| CASE $1 WHEN 'table' THEN _sluice.profile_default($2) ELSE '{}' END || $2
	FROM _sluice.option o WHERE o.scope = $1
$$;
COMMENT ON FUNCTION _sluice.options_full(text, jsonb) IS 'Options with the defaults filled in';
