-- The T-SQL functions that a query may call, as PostgreSQL functions. Who and where comes from settings of the session.
CREATE FUNCTION mssql.db() RETURNS int LANGUAGE sql STABLE AS $$ SELECT current_setting('mssql.db')::int $$;
CREATE FUNCTION mssql.local_now() RETURNS timestamp LANGUAGE sql STABLE AS
$$ SELECT (clock_timestamp() AT TIME ZONE 'UTC') + make_interval(mins => mssql.option('utc_offset_minutes')::int) $$;
-- datetime counts 1/300 s: .000, .003 and .007 ("datetime (Transact-SQL)", rounding table).
CREATE FUNCTION mssql.round300(timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS
$$ SELECT date_trunc('second', $1) + round(round(extract(microseconds FROM $1) % 1000000 * 3 / 10000) * 10 / 3) * interval '1 millisecond' $$;
CREATE FUNCTION mssql.getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT mssql.round300(mssql.local_now()) $$;
CREATE FUNCTION mssql.getutcdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT mssql.round300(clock_timestamp() AT TIME ZONE 'UTC') $$;
CREATE FUNCTION mssql.sysutcdatetime() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT clock_timestamp() AT TIME ZONE 'UTC' $$;
CREATE FUNCTION mssql.sysdatetimeoffset() RETURNS text LANGUAGE sql STABLE AS
$$ SELECT to_char(mssql.local_now(), 'YYYY-MM-DD HH24:MI:SS.US') || CASE WHEN o < 0 THEN ' -' ELSE ' +' END
   || lpad((abs(o) / 60)::text, 2, '0') || ':' || lpad((abs(o) % 60)::text, 2, '0') FROM mssql.option('utc_offset_minutes') o $$;

CREATE FUNCTION mssql.db_name(int DEFAULT mssql.db()) RETURNS mssql.sysname LANGUAGE sql STABLE AS $$ SELECT name FROM mssql.database WHERE id = $1 $$;
CREATE FUNCTION mssql.db_id(text) RETURNS int LANGUAGE sql STABLE AS $$ SELECT id FROM mssql.database WHERE name = $1 $$;
CREATE FUNCTION mssql.schema_id(text DEFAULT 'dbo') RETURNS int LANGUAGE sql STABLE AS
$$ SELECT schema_id FROM mssql.schema WHERE db_id = mssql.db() AND name = $1 $$;
CREATE FUNCTION mssql.schema_name(int DEFAULT 1) RETURNS mssql.sysname LANGUAGE sql STABLE AS
$$ SELECT name FROM mssql.schema WHERE db_id = mssql.db() AND schema_id = $1 $$;
CREATE FUNCTION mssql.object_name(int, int DEFAULT NULL) RETURNS mssql.sysname LANGUAGE sql STABLE AS
$$ SELECT name FROM mssql.object WHERE object_id = $1 AND db_id = coalesce($2, mssql.db()) $$;
CREATE FUNCTION mssql.object_schema_name(int, int DEFAULT NULL) RETURNS mssql.sysname LANGUAGE sql STABLE AS
$$ SELECT s.name FROM mssql.object o JOIN mssql.schema s USING (db_id, schema_id) WHERE object_id = $1 AND db_id = coalesce($2, mssql.db()) $$;
CREATE FUNCTION mssql.type_name(int) RETURNS mssql.sysname LANGUAGE sql STABLE AS $$ SELECT name FROM mssql.type WHERE user_type_id = $1 $$;
CREATE FUNCTION mssql.type_id(text) RETURNS int LANGUAGE sql STABLE AS $$ SELECT user_type_id FROM mssql.type WHERE name = $1 $$;
CREATE FUNCTION mssql.name_parts(text) RETURNS text[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(coalesce(replace(m[1], ']]', ']'), replace(m[2], '""', '"'), m[3]) ORDER BY i)
   FROM regexp_matches($1 COLLATE "C", '\[((?:[^\]]|\]\])*)\]|"((?:[^"]|"")*)"|([^.\[\]"]+)', 'g') WITH ORDINALITY AS x(m, i) $$;
CREATE FUNCTION mssql.object_id(text, text DEFAULT NULL) RETURNS int LANGUAGE sql STABLE AS
$$ SELECT o.object_id FROM mssql.name_parts($1) p, mssql.object o JOIN mssql.schema s USING (db_id, schema_id)
   WHERE o.name = p[cardinality(p)] AND s.name = coalesce(nullif(p[cardinality(p) - 1], ''), 'dbo')
     AND db_id = coalesce(CASE WHEN cardinality(p) > 2 THEN mssql.db_id(p[cardinality(p) - 2]) END, mssql.db())
     AND ($2 IS NULL OR o.type = $2) $$;
CREATE FUNCTION mssql.quotename(text, text DEFAULT '[') RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN $2 IN ('[', ']') THEN '[' || replace($1 COLLATE "C", ']', ']]') || ']' ELSE $2 || replace($1 COLLATE "C", $2, $2 || $2) || $2 END $$;
CREATE FUNCTION mssql.col_name(int, int) RETURNS mssql.sysname LANGUAGE sql STABLE AS
$$ SELECT name FROM mssql.column WHERE object_id = $1 AND column_id = $2 $$;
CREATE FUNCTION mssql.suser_sname(bytea DEFAULT NULL) RETURNS mssql.sysname LANGUAGE sql STABLE AS $$ SELECT current_setting('mssql.login') $$;
CREATE FUNCTION mssql.user_name(int DEFAULT NULL) RETURNS mssql.sysname LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN $1 IS NULL THEN current_setting('mssql.user') ELSE (SELECT name::text FROM mssql.principal WHERE db_id = mssql.db() AND principal_id = $1) END $$;
CREATE FUNCTION mssql.roles_of(int, int) RETURNS TABLE (id int) LANGUAGE sql STABLE AS
$$ WITH RECURSIVE r(id) AS (SELECT $2 UNION SELECT 0 UNION SELECT m.role_id FROM mssql.role_member m JOIN r ON m.member_id = r.id WHERE m.db_id = $1)
   SELECT id FROM r $$;
CREATE FUNCTION mssql.is_dbo() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT current_setting('mssql.sysadmin') = '1' OR current_setting('mssql.principal') = '1'
   OR 16384 IN (SELECT id FROM mssql.roles_of(mssql.db(), current_setting('mssql.principal')::int)) $$;
CREATE FUNCTION mssql.is_rolemember(text, text DEFAULT NULL) RETURNS int LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN NOT EXISTS (SELECT FROM mssql.principal WHERE db_id = mssql.db() AND name = $1 AND type = 'R') THEN NULL
   WHEN mssql.is_dbo() AND $1 = 'db_owner' THEN 1
   ELSE (SELECT count(*)::int FROM mssql.principal p JOIN mssql.roles_of(mssql.db(), current_setting('mssql.principal')::int) r
         ON p.principal_id = r.id WHERE p.db_id = mssql.db() AND p.name = $1) END $$;
CREATE FUNCTION mssql.is_member(text) RETURNS int LANGUAGE sql STABLE AS $$ SELECT mssql.is_rolemember($1) $$;
CREATE FUNCTION mssql.is_srvrolemember(text, text DEFAULT NULL) RETURNS int LANGUAGE sql STABLE AS
$$ SELECT CASE lower($1) WHEN 'sysadmin' THEN current_setting('mssql.sysadmin')::int WHEN 'public' THEN 1 ELSE 0 END $$;
CREATE FUNCTION mssql.has_dbaccess(text) RETURNS int LANGUAGE sql STABLE AS
$$ SELECT (SELECT CASE WHEN current_setting('mssql.sysadmin') = '1' OR d.id < 5 OR EXISTS (SELECT FROM mssql.principal p
     WHERE p.db_id = d.id AND p.login = current_setting('mssql.login')) THEN 1 ELSE 0 END FROM mssql.database d WHERE d.name = $1) $$;

-- May this user do that? class 0 database, 1 object, 3 schema, as in sys.database_permissions. DENY wins.
CREATE FUNCTION mssql.allowed(db int, principal int, object int, asked text) RETURNS boolean LANGUAGE sql STABLE AS
$$ WITH r AS (SELECT id FROM mssql.roles_of(db, principal)),
   p AS (SELECT state FROM mssql.permission p JOIN r ON r.id = p.grantee_id WHERE p.db_id = db AND p.permission IN (asked, 'CONTROL')
     AND (class = 0 OR (class = 1 AND major_id = object)
       OR (class = 3 AND major_id = (SELECT schema_id FROM mssql.object o WHERE o.object_id = object))))
   SELECT NOT EXISTS (SELECT FROM p WHERE state = 'D')
      AND NOT EXISTS (SELECT FROM r WHERE (id = 16392 AND asked = 'SELECT') OR (id = 16393 AND asked IN ('INSERT', 'UPDATE', 'DELETE')))
      AND (EXISTS (SELECT FROM p) OR EXISTS (SELECT FROM r WHERE id = 16384 OR (id = 16390 AND asked = 'SELECT')
        OR (id = 16391 AND asked IN ('INSERT', 'UPDATE', 'DELETE')))) $$;
CREATE FUNCTION mssql.has_perms_by_name(securable text, class text, permission text, sub text DEFAULT NULL, subclass text DEFAULT NULL)
RETURNS int LANGUAGE plpgsql STABLE AS
$$ DECLARE
  me int := current_setting('mssql.principal')::int;
  object int;
BEGIN
  IF mssql.is_dbo() THEN RETURN 1; END IF;
  IF class IS NULL OR upper(class) = 'SERVER' THEN
    RETURN (SELECT count(*)::int FROM mssql.server_permission p WHERE p.login = current_setting('mssql.login') AND p.permission = upper(has_perms_by_name.permission));
  ELSIF upper(class) = 'DATABASE' THEN
    RETURN mssql.allowed(mssql.db(), me, 0, upper(permission))::int;
  ELSIF upper(class) = 'OBJECT' THEN
    object := mssql.object_id(securable);
    RETURN CASE WHEN object IS NULL THEN NULL ELSE mssql.allowed(mssql.db(), me, object, upper(permission))::int END;
  ELSIF upper(class) = 'SCHEMA' THEN
    RETURN (SELECT count(*)::int FROM mssql.permission p JOIN mssql.roles_of(mssql.db(), me) r ON r.id = p.grantee_id
      WHERE p.db_id = mssql.db() AND p.permission = upper(has_perms_by_name.permission) AND p.state = 'G'
        AND (p.class = 0 OR (p.class = 3 AND p.major_id = mssql.schema_id(securable))));
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION mssql.version_text() RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT 'Microsoft SQL Server 2019 (RTM-CU27) (KB5037331) - 15.0.4375.4 (X64) ' || E'\n\t' || 'sluice simulator, not Microsoft SQL Server' $$;
CREATE FUNCTION mssql.serverproperty(text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT CASE lower($1) WHEN 'productversion' THEN '15.0.4375.4' WHEN 'productlevel' THEN 'RTM' WHEN 'edition' THEN 'Developer Edition (64-bit)'
   WHEN 'engineedition' THEN '3' WHEN 'productmajorversion' THEN '15' WHEN 'machinename' THEN 'SIMULATOR' WHEN 'servername' THEN 'SIMULATOR'
   WHEN 'collation' THEN 'SQL_Latin1_General_CP1_CI_AS' WHEN 'ishadrenabled' THEN '0' WHEN 'isclustered' THEN '0'
   WHEN 'isintegratedsecurityonly' THEN '0' WHEN 'productupdatelevel' THEN 'CU27' WHEN 'productupdatereference' THEN 'KB5037331' END $$;
CREATE FUNCTION mssql.databasepropertyex(text, text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT CASE lower($2) WHEN 'status' THEN 'ONLINE' WHEN 'collation' THEN collation_name::text WHEN 'recovery' THEN 'FULL'
   WHEN 'updateability' THEN CASE is_read_only WHEN 1 THEN 'READ_ONLY' ELSE 'READ_WRITE' END WHEN 'useraccess' THEN 'MULTI_USER' END
   FROM mssql.database WHERE name = $1 $$;
CREATE FUNCTION mssql.objectproperty(int, text) RETURNS int LANGUAGE sql STABLE AS
$$ SELECT CASE lower($2) WHEN 'tablehasprimarykey' THEN (SELECT count(*)::int FROM mssql.index i WHERE i.object_id = $1 AND is_primary_key = 1)
   WHEN 'isusertable' THEN (o.type = 'U')::int WHEN 'ismsshipped' THEN o.is_ms_shipped::int WHEN 'tablehasidentity' THEN
   (SELECT count(*)::int FROM mssql.column c WHERE c.object_id = $1 AND is_identity = 1) END FROM mssql.object o WHERE o.object_id = $1 $$;

-- LSN: VLF(4) block(4) slot(2), big-endian; the number counts log records, 256 slots a block.
CREATE FUNCTION mssql.lsn_bytes(bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT int4send((39 + ($1 >> 40))::int) || substring(int8send($1 >> 8) FROM 5) || int2send(($1 & 255)::int2) $$;
CREATE FUNCTION mssql.lsn_number(bytea) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT ((get_byte($1, 3)::bigint + (get_byte($1, 2)::bigint << 8) - 39) << 40) + (get_byte($1, 4)::bigint << 32) + (get_byte($1, 5)::bigint << 24)
   + (get_byte($1, 6)::bigint << 16) + (get_byte($1, 7)::bigint << 8) + get_byte($1, 9)::bigint $$;
CREATE FUNCTION mssql.lsn_text(bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT encode(substring($1, 1, 4), 'hex') || ':' || encode(substring($1, 5, 4), 'hex') || ':' || encode(substring($1, 9, 2), 'hex') $$;
CREATE FUNCTION mssql.lsn_move(bytea, int) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS
$$ DECLARE b bytea := $1; i int := 9; v int; BEGIN
  LOOP
    v := get_byte(b, i) + $2;
    b := set_byte(b, i, v & 255);
    EXIT WHEN v BETWEEN 0 AND 255 OR i = 0;
    i := i - 1;
  END LOOP;
  RETURN b;
END $$;
CREATE FUNCTION mssql.fn_cdc_increment_lsn(bytea) RETURNS mssql.lsn LANGUAGE sql IMMUTABLE AS $$ SELECT mssql.lsn_move($1, 1) $$;
CREATE FUNCTION mssql.fn_cdc_decrement_lsn(bytea) RETURNS mssql.lsn LANGUAGE sql IMMUTABLE AS $$ SELECT mssql.lsn_move($1, -1) $$;
CREATE FUNCTION mssql.fn_cdc_get_max_lsn() RETURNS mssql.lsn LANGUAGE plpgsql STABLE AS
$$ DECLARE r bytea; BEGIN EXECUTE format('SELECT max(start_lsn::bytea) FROM %I."cdc.lsn_time_mapping"', 'db' || mssql.db()) INTO r; RETURN r; END $$;
-- 0x00.. where the instance is unknown or the caller may not see it (sql-docs, "sys.fn_cdc_get_min_lsn").
CREATE FUNCTION mssql.fn_cdc_get_min_lsn(text) RETURNS mssql.lsn LANGUAGE sql STABLE AS
$$ SELECT coalesce((SELECT start_lsn::bytea FROM mssql.change_table WHERE db_id = mssql.db() AND capture_instance = $1
   AND (mssql.is_dbo() OR role_name IS NULL OR mssql.is_rolemember(role_name) = 1)), '\x00000000000000000000'::bytea) $$;
CREATE FUNCTION mssql.fn_cdc_map_lsn_to_time(bytea) RETURNS mssql.datetime LANGUAGE plpgsql STABLE AS
$$ DECLARE r timestamp; BEGIN EXECUTE format('SELECT tran_end_time FROM %I."cdc.lsn_time_mapping" WHERE start_lsn = $1', 'db' || mssql.db()) INTO r USING $1; RETURN r; END $$;
CREATE FUNCTION mssql.fn_cdc_map_time_to_lsn(text, timestamp) RETURNS mssql.lsn LANGUAGE plpgsql STABLE AS
$$ DECLARE r bytea; op text := CASE lower($1) WHEN 'largest less than' THEN '<' WHEN 'largest less than or equal' THEN '<='
  WHEN 'smallest greater than' THEN '>' WHEN 'smallest greater than or equal' THEN '>=' END; BEGIN
  IF op IS NULL THEN RETURN NULL; END IF;
  EXECUTE format('SELECT %s(start_lsn::bytea) FROM %I."cdc.lsn_time_mapping" WHERE tran_end_time %s $1',
    CASE WHEN op LIKE '<%' THEN 'max' ELSE 'min' END, 'db' || mssql.db(), op) INTO r USING $2;
  RETURN r; END $$;

-- max and min of bytea, which PostgreSQL 15 lacks.
CREATE FUNCTION mssql.larger(bytea, bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT CASE WHEN $1 > $2 THEN $1 ELSE $2 END $$;
CREATE FUNCTION mssql.smaller(bytea, bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT CASE WHEN $1 < $2 THEN $1 ELSE $2 END $$;
CREATE AGGREGATE pg_catalog.max(bytea) (SFUNC = mssql.larger, STYPE = bytea, SORTOP = >);
CREATE AGGREGATE pg_catalog.min(bytea) (SFUNC = mssql.smaller, STYPE = bytea, SORTOP = <);
-- The value whose key is largest or smallest.
CREATE FUNCTION mssql.keep_larger(bytea[], bytea, bytea) RETURNS bytea[] LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN $2 IS NULL OR $1[1] >= $2 THEN $1 ELSE ARRAY[$2, $3] END $$;
CREATE FUNCTION mssql.keep_smaller(bytea[], bytea, bytea) RETURNS bytea[] LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN $2 IS NULL OR $1[1] <= $2 THEN $1 ELSE ARRAY[$2, $3] END $$;
CREATE FUNCTION mssql.kept(bytea[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT $1[2] $$;
CREATE AGGREGATE mssql.max_by(bytea, bytea) (SFUNC = mssql.keep_larger, STYPE = bytea[], FINALFUNC = mssql.kept);
CREATE AGGREGATE mssql.min_by(bytea, bytea) (SFUNC = mssql.keep_smaller, STYPE = bytea[], FINALFUNC = mssql.kept);

-- Wire bytes of a user column as a PostgreSQL value, for arithmetic and text functions.
CREATE FUNCTION mssql.native_int(bytea) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE octet_length($1) WHEN 1 THEN get_byte($1, 0)::bigint
   WHEN 2 THEN ((get_byte($1, 1) << 8) | get_byte($1, 0))::bigint - CASE WHEN get_byte($1, 1) > 127 THEN 65536 ELSE 0 END
   WHEN 4 THEN ((get_byte($1, 3) << 24) | (get_byte($1, 2) << 16) | (get_byte($1, 1) << 8) | get_byte($1, 0))::bigint
   ELSE (get_byte($1, 7)::bigint << 56) | (get_byte($1, 6)::bigint << 48) | (get_byte($1, 5)::bigint << 40) | (get_byte($1, 4)::bigint << 32)
      | (get_byte($1, 3)::bigint << 24) | (get_byte($1, 2)::bigint << 16) | (get_byte($1, 1)::bigint << 8) | get_byte($1, 0)::bigint END $$;
CREATE FUNCTION mssql.native_decimal(bytea, int) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT AS
$$ DECLARE r numeric := 0; BEGIN
  FOR i IN REVERSE octet_length($1) - 1 .. 1 LOOP r := r * 256 + get_byte($1, i); END LOOP;
  IF get_byte($1, 0) = 0 THEN r := -r; END IF;
  RETURN round(r * power(10::numeric, -$2), $2);
END $$;
-- money: the high half stands first on the wire, then the low half ([MS-TDS] 2.2.5.5.1.2).
CREATE FUNCTION mssql.native_money(bytea) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT (CASE octet_length($1) WHEN 4 THEN mssql.native_int($1)
   ELSE mssql.native_int(substring($1 FROM 5) || substring($1, 1, 4)) END)::numeric(19, 0) * 0.0001 $$;
CREATE FUNCTION mssql.native_float(bytea) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS
$$ DECLARE n bigint; e int; m float8; w boolean := octet_length($1) = 8; BEGIN
  n := mssql.native_int($1);
  IF n = 0 THEN RETURN 0; END IF;
  IF w THEN e := ((n >> 52) & 2047)::int - 1075; m := (n & 4503599627370495) + CASE WHEN e > -1075 THEN 4503599627370496 ELSE 0 END;
    IF e = -1075 THEN e := -1074; END IF;
  ELSE e := ((n >> 23) & 255)::int - 150; m := (n & 8388607) + CASE WHEN e > -150 THEN 8388608 ELSE 0 END; IF e = -150 THEN e := -149; END IF; END IF;
  RETURN CASE WHEN n < 0 THEN -m ELSE m END * power(2::float8, e);
END $$;
CREATE FUNCTION mssql.native_utf16(bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS
$$ DECLARE r text := ''; i int := 0; c int; d int; BEGIN
  WHILE i + 1 < octet_length($1) LOOP
    c := get_byte($1, i) + get_byte($1, i + 1) * 256; i := i + 2;
    IF c BETWEEN 55296 AND 56319 AND i + 1 < octet_length($1) THEN
      d := get_byte($1, i) + get_byte($1, i + 1) * 256; i := i + 2;
      c := 65536 + (c - 55296) * 1024 + (d - 56320);
    END IF;
    IF c > 0 THEN r := r || chr(c); END IF;
  END LOOP;
  RETURN r;
END $$;
CREATE FUNCTION mssql.native_datetime(bytea) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT timestamp '1900-01-01' + CASE octet_length($1)
   WHEN 8 THEN mssql.native_int(substring($1, 1, 4)) * interval '1 day' + round(mssql.native_int(substring($1, 5, 4)) * 10.0 / 3) * interval '1 millisecond'
   ELSE mssql.native_int(substring($1, 1, 2) || '\x0000'::bytea) * interval '1 day' + mssql.native_int(substring($1, 3, 2) || '\x0000'::bytea) * interval '1 minute' END $$;
CREATE FUNCTION mssql.native_ticks(bytea, int) RETURNS interval LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT mssql.native_int(substring($1 || '\x0000000000000000'::bytea, 1, 8)) * power(10::numeric, 6 - $2)::float8 * interval '1 microsecond' $$;
CREATE FUNCTION mssql.native_date(bytea) RETURNS date LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT date '0001-01-01' + mssql.native_int($1 || '\x00'::bytea)::int $$;
CREATE FUNCTION mssql.native_datetime2(bytea, int) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT mssql.native_date(substring($1 FROM octet_length($1) - 2)) + mssql.native_ticks(substring($1, 1, octet_length($1) - 3), $2) $$;
CREATE FUNCTION mssql.native_uuid(bytea) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT encode(substring($1, 4, 1) || substring($1, 3, 1) || substring($1, 2, 1) || substring($1, 1, 1) || substring($1, 6, 1)
   || substring($1, 5, 1) || substring($1, 8, 1) || substring($1, 7, 1) || substring($1 FROM 9), 'hex')::uuid $$;

CREATE FUNCTION mssql.charindex(text, text, int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE strpos(lower(substring($2 FROM greatest($3, 1))), lower($1)) WHEN 0 THEN 0
   ELSE strpos(lower(substring($2 FROM greatest($3, 1))), lower($1)) + greatest($3, 1) - 1 END $$;
CREATE FUNCTION mssql.datediff(unit text, a timestamp, b timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE lower(unit)
   WHEN 'day' THEN b::date - a::date
   WHEN 'year' THEN (extract(year FROM b) - extract(year FROM a))::bigint
   WHEN 'month' THEN ((extract(year FROM b) - extract(year FROM a)) * 12 + extract(month FROM b) - extract(month FROM a))::bigint
   WHEN 'hour' THEN (extract(epoch FROM date_trunc('hour', b) - date_trunc('hour', a)) / 3600)::bigint
   WHEN 'minute' THEN (extract(epoch FROM date_trunc('minute', b) - date_trunc('minute', a)) / 60)::bigint
   WHEN 'second' THEN extract(epoch FROM date_trunc('second', b) - date_trunc('second', a))::bigint
   WHEN 'millisecond' THEN (extract(epoch FROM date_trunc('milliseconds', b) - date_trunc('milliseconds', a)) * 1000)::bigint
   WHEN 'microsecond' THEN (extract(epoch FROM b - a) * 1000000)::bigint END $$;
-- weekday with DATEFIRST 7, the default of us_english ("SET DATEFIRST", sql-docs).
CREATE FUNCTION mssql.datepart(unit text, a timestamp) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN
  RETURN CASE lower(unit) WHEN 'weekday' THEN extract(dow FROM a) + 1 WHEN 'dayofyear' THEN extract(doy FROM a) WHEN 'iso_week' THEN extract(week FROM a)
    WHEN 'second' THEN floor(extract(second FROM a)) WHEN 'millisecond' THEN extract(microseconds FROM a)::int % 1000000 / 1000
    WHEN 'microsecond' THEN extract(microseconds FROM a)::int % 1000000 WHEN 'nanosecond' THEN extract(microseconds FROM a)::int % 1000000 * 1000
    WHEN 'year' THEN extract(year FROM a) WHEN 'quarter' THEN extract(quarter FROM a) WHEN 'month' THEN extract(month FROM a)
    WHEN 'day' THEN extract(day FROM a) WHEN 'hour' THEN extract(hour FROM a) WHEN 'minute' THEN extract(minute FROM a) END;
END $$;
-- A datetimeoffset as text ends with its offset.
CREATE FUNCTION mssql.offset_minutes(text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT (CASE left(right($1, 6), 1) WHEN '-' THEN -1 ELSE 1 END) * (left(right($1, 5), 2)::int * 60 + right($1, 2)::int) $$;
CREATE FUNCTION mssql.todatetimeoffset(timestamp, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT to_char($1, 'YYYY-MM-DD HH24:MI:SS.US') || CASE WHEN o < 0 THEN ' -' ELSE ' +' END
   || lpad((abs(o) / 60)::text, 2, '0') || ':' || lpad((abs(o) % 60)::text, 2, '0')
   FROM (SELECT CASE WHEN $2 LIKE '%:%' THEN mssql.offset_minutes($2) ELSE $2::int END) AS x(o) $$;
CREATE FUNCTION mssql.dateadd(unit text, n bigint, a timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS
$$ SELECT a + n * CASE lower(unit) WHEN 'year' THEN interval '1 year' WHEN 'month' THEN interval '1 month' WHEN 'day' THEN interval '1 day'
   WHEN 'hour' THEN interval '1 hour' WHEN 'minute' THEN interval '1 minute' WHEN 'second' THEN interval '1 second'
   WHEN 'millisecond' THEN interval '1 millisecond' WHEN 'microsecond' THEN interval '1 microsecond' END $$;
-- The commit's LSN, drawn last and under a lock that ends when the commit is visible.
CREATE FUNCTION mssql.mark_commit(db int, kind text DEFAULT NULL, detail text DEFAULT NULL, object int DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS
$$ DECLARE n bigint; BEGIN
  PERFORM pg_advisory_xact_lock(7, db);
  n := nextval(format('db%s.lsn', db));
  EXECUTE format('INSERT INTO db%s.commit VALUES ($1, pg_current_xact_id(), now(), clock_timestamp(), $2, $3, $4)', db) USING n, kind, detail, object;
  RETURN n;
END $$;

-- Cleanup in two steps that the caller commits one after the other: the low end first, then the rows.
CREATE FUNCTION mssql.raise_low_water(db int, low bigint) RETURNS void LANGUAGE sql AS
$$ UPDATE mssql.change_table SET start_lsn = mssql.lsn_bytes(low) WHERE db_id = db AND start_lsn < mssql.lsn_bytes(low) $$;
CREATE FUNCTION mssql.delete_below(db int, low bigint) RETURNS void LANGUAGE plpgsql AS
$$ DECLARE t int; s text := 'db' || db; BEGIN
  FOR t IN SELECT object_id FROM mssql.change_table WHERE db_id = db LOOP
    EXECUTE format('DELETE FROM %I.%I WHERE "__$start_lsn" < $1', s, 'o' || t) USING mssql.lsn_bytes(low);
  END LOOP;
  EXECUTE format('DELETE FROM %I."cdc.lsn_time_mapping" WHERE start_lsn < $1', s) USING mssql.lsn_bytes(low);
  EXECUTE format('DELETE FROM %I.log l USING %I.commit c WHERE c.xid = l.xid AND c.lsn < $1', s, s) USING least(low, (SELECT captured FROM mssql.capture_state c WHERE c.db_id = db));
  EXECUTE format('DELETE FROM %I.commit WHERE lsn < $1', s) USING least(low, (SELECT captured FROM mssql.capture_state c WHERE c.db_id = db));
END $$;
CREATE FUNCTION mssql.floor300(timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS
$$ SELECT date_trunc('second', $1) + round(floor(extract(microseconds FROM $1) % 1000000 * 3 / 10000) * 10 / 3) * interval '1 millisecond' $$;
-- Server-local wall time of an instant, as datetime, never later than the instant.
CREATE FUNCTION mssql.local_datetime(timestamptz) RETURNS timestamp LANGUAGE sql STABLE AS
$$ SELECT mssql.floor300(($1 AT TIME ZONE 'UTC') + make_interval(mins => mssql.option('utc_offset_minutes')::int)) $$;
