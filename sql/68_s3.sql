-- S3: options that only go together, and the rights that a target needs.

CREATE FUNCTION _sluice.s3_check(options jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF options ->> 'sse' IS DISTINCT FROM 'aws:kms' AND (options ? 'kms_key' OR options ? 'bucket_key') THEN
		PERFORM _sluice.fail('22023', format('option %s goes with sse aws:kms only', CASE WHEN options ? 'kms_key' THEN 'kms_key' ELSE 'bucket_key' END), 'Set "sse": "aws:kms" too.');
	ELSIF options ->> 'kms_key' ~ '[^A-Za-z0-9:/_.-]' THEN
		PERFORM _sluice.fail('22023', 'option kms_key is no id, alias or ARN of a key', 'For example arn:aws:kms:eu-central-1:111122223333:key/..., or alias/lake.');
	ELSIF options ->> 'payload_hash' = 'unsigned' AND options ->> 'endpoint' LIKE 'http:%' THEN
		PERFORM _sluice.fail('22023', 'option payload_hash cannot be unsigned with an http endpoint', 'Nothing would guard the bytes on their way: use https, or leave it signed.');
	ELSIF jsonb_array_length(coalesce(options -> 'tags', '[]')) > 10 OR EXISTS (SELECT FROM jsonb_array_elements_text(coalesce(options -> 'tags', '[]')) t
		WHERE t !~ '^[^=]{1,128}=' OR length(substring(t FROM '=(.*)$')) > 256 OR t ~ '[[:cntrl:]]') THEN
		PERFORM _sluice.fail('22023', 'option tags must be at most 10 texts of the form key=value', 'For example "tags": ["team=data", "env=prod"].');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.s3_check(jsonb) IS 'Options of an s3 target that only go together, or that reach into headers';

CREATE FUNCTION _sluice.s3_key_statement(options jsonb, part text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- Decrypt too: an upload of several parts is decrypted when it is put together. An alias is no resource of its own.
	SELECT jsonb_build_object('Sid', 'Key', 'Effect', 'Allow', 'Action', '["kms:GenerateDataKey", "kms:Decrypt"]'::jsonb,
		'Resource', CASE WHEN k LIKE 'arn:%' AND k NOT LIKE '%:alias/%' THEN k WHEN k ~ '(^|:)alias/' THEN format('arn:%s:kms:%s:*:key/*', part, coalesce(options ->> 'region', '*'))
			ELSE format('arn:%s:kms:%s:*:key/%s', part, coalesce(options ->> 'region', '*'), k) END)
		|| CASE WHEN k ~ '(^|:)alias/' THEN jsonb_build_object('Condition', jsonb_build_object('ForAnyValue:StringEquals', jsonb_build_object('kms:ResourceAliases', substring(k FROM 'alias/.*$')))) ELSE '{}' END
	FROM (SELECT options ->> 'kms_key') key(k) WHERE k IS NOT NULL
$$;
COMMENT ON FUNCTION _sluice.s3_key_statement(jsonb, text) IS 'The rights on a target''s own KMS key; NULL where it names none (the account''s key for S3 needs none)';

CREATE FUNCTION _sluice.s3_need(t _sluice.target) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF t.kind <> 's3' THEN
		PERFORM _sluice.fail('22023', format('target %s is a folder, no bucket', t.name), 'The worker''s user needs the right to write in it, its readers the right to read, nothing else.');
	END IF;
END
$$;
COMMENT ON FUNCTION _sluice.s3_need(_sluice.target) IS 'Refuses a target that is no bucket';

CREATE FUNCTION _sluice.s3_partition(options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN $1 ->> 'region' LIKE 'cn-%' THEN 'aws-cn' WHEN $1 ->> 'region' LIKE 'us-gov-%' THEN 'aws-us-gov' ELSE 'aws' END $$;
COMMENT ON FUNCTION _sluice.s3_partition(jsonb) IS 'The partition of AWS that a target''s ARNs name';

CREATE FUNCTION sluice.iam_policy(target text, purge boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.target := _sluice.target_find($1);
	o jsonb := t.options;
	part text := _sluice.s3_partition(o);
	bucket text := format('arn:%s:s3:::%s', part, o ->> 'bucket');
	below text := coalesce((o ->> 'prefix') || '/', '');
	statements jsonb;
BEGIN
	PERFORM _sluice.s3_need(t);
	statements := jsonb_build_array(
		-- IfExists: a HEAD of a key that is not there names no prefix, and would be answered 403 in place of 404.
		jsonb_build_object('Sid', 'List', 'Effect', 'Allow', 'Action', 's3:ListBucket', 'Resource', bucket,
			'Condition', jsonb_build_object('StringLikeIfExists', jsonb_build_object('s3:prefix', below || '*'))),
		jsonb_build_object('Sid', 'Uploads', 'Effect', 'Allow', 'Action', 's3:ListBucketMultipartUploads', 'Resource', bucket),
		jsonb_build_object('Sid', 'Objects', 'Effect', 'Allow', 'Action', '["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]'::jsonb
				|| CASE WHEN o ? 'tags' THEN '["s3:PutObjectTagging"]'::jsonb ELSE '[]' END || CASE WHEN o ? 'acl' THEN '["s3:PutObjectAcl"]'::jsonb ELSE '[]' END,
			'Resource', format('%s/%s*', bucket, below)),
		jsonb_build_object('Sid', CASE WHEN $2 THEN 'Purge' ELSE 'Probe' END, 'Effect', 'Allow', 'Action', 's3:DeleteObject',
			'Resource', format('%s/%s%s*', bucket, below, CASE WHEN $2 THEN '' ELSE '_sluice/check/' END)))
		|| coalesce(_sluice.s3_key_statement(o, part), '[]');
	RETURN jsonb_pretty(jsonb_build_object('Version', '2012-10-17', 'Statement', statements));
END
$$;
COMMENT ON FUNCTION sluice.iam_policy(text, boolean) IS
'The least rights that the worker needs at an s3 target, as an IAM policy; purge => true adds the right to delete its objects, which purge_files and drop_table(keep_files => false) need';

CREATE FUNCTION sluice.reader_policy(target text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.target := _sluice.target_find($1);
	part text := _sluice.s3_partition(t.options);
	bucket text := format('arn:%s:s3:::%s', part, t.options ->> 'bucket');
	below text := coalesce((t.options ->> 'prefix') || '/', '');
	key jsonb := _sluice.s3_key_statement(t.options, part) || '{"Action": "kms:Decrypt"}';
BEGIN
	PERFORM _sluice.s3_need(t);
	RETURN jsonb_pretty(jsonb_build_object('Version', '2012-10-17', 'Statement', jsonb_build_array(
		jsonb_build_object('Sid', 'List', 'Effect', 'Allow', 'Action', 's3:ListBucket', 'Resource', bucket,
			'Condition', jsonb_build_object('StringLikeIfExists', jsonb_build_object('s3:prefix', below || '*'))),
		jsonb_build_object('Sid', 'Where', 'Effect', 'Allow', 'Action', 's3:GetBucketLocation', 'Resource', bucket),
		jsonb_build_object('Sid', 'Read', 'Effect', 'Allow', 'Action', 's3:GetObject', 'Resource', format('%s/%s*', bucket, below))) || coalesce(key, '[]')));
END
$$;
COMMENT ON FUNCTION sluice.reader_policy(text) IS 'The least rights of a reader of an s3 target, as an IAM policy: for the role of a Databricks storage credential, an instance profile, or the keys of a mount';

CREATE FUNCTION sluice.external_location_sql(target text, credential text DEFAULT 'sluice') RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t _sluice.target := _sluice.target_find($1);
BEGIN
	PERFORM _sluice.s3_need(t);
	IF coalesce(credential, '') = '' OR credential ~ '[[:cntrl:]]' THEN
		PERFORM _sluice.fail('22023', 'the name of the storage credential is missing', 'SHOW STORAGE CREDENTIALS; in Databricks lists them.');
	END IF;
	RETURN format(E'CREATE EXTERNAL LOCATION IF NOT EXISTS %1$s URL %2$s\nWITH (STORAGE CREDENTIAL %3$s) COMMENT %4$s;\n'
		'GRANT READ FILES, CREATE EXTERNAL TABLE ON EXTERNAL LOCATION %1$s TO `account users`;\n',
		_sluice.quote_in('databricks', t.name), _sluice.text_in('databricks', format('s3://%s/%s', t.options ->> 'bucket', _sluice.prefix(t.options))), _sluice.quote_in('databricks', credential),
		_sluice.text_in('databricks', format('target %s of sluice: only sluice writes here', t.name)));
END
$$;
COMMENT ON FUNCTION sluice.external_location_sql(text, text) IS 'Statements for Databricks that let it read an s3 target through a storage credential, whose role needs sluice.reader_policy(target)';
