-- What the simulator keeps about all databases. Domains carry the SQL Server type of a catalogue column: the engine
-- reads the domain's name from pg_attribute when it describes a result.
CREATE SCHEMA IF NOT EXISTS mssql;
CREATE COLLATION mssql.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN mssql.sysname AS varchar(128) COLLATE mssql.ci;
CREATE DOMAIN mssql.nvarchar_60 AS varchar(60) COLLATE mssql.ci;
CREATE DOMAIN mssql.nvarchar_max AS text COLLATE mssql.ci;
CREATE DOMAIN mssql.nvarchar_4000 AS varchar(4000) COLLATE mssql.ci;
CREATE DOMAIN mssql.varchar_254 AS varchar(254) COLLATE mssql.ci;
CREATE DOMAIN mssql.char_1 AS varchar(1) COLLATE mssql.ci;
CREATE DOMAIN mssql.char_2 AS varchar(2) COLLATE mssql.ci;
CREATE DOMAIN mssql.bit AS int2;
CREATE DOMAIN mssql.tinyint AS int2;
CREATE DOMAIN mssql.lsn AS bytea;
CREATE DOMAIN mssql.tran_id AS bytea;
CREATE DOMAIN mssql.mask AS bytea;
CREATE DOMAIN mssql.sid AS bytea;
CREATE DOMAIN mssql.datetime AS timestamp;

CREATE TABLE mssql.setting (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO mssql.setting VALUES ('capture_interval_ms', '200'), ('idle_interval_ms', '300000'), ('retention_seconds', '259200'),
  ('cleanup_interval_ms', '60000'), ('capture_running', '1'), ('agent_running', '1'), ('command_id_column', '1'),
  ('utc_offset_minutes', '0'), ('seqval_shuffle', '0'), ('lsn_step', '1'), ('max_transactions', '500');
CREATE FUNCTION mssql.option(text) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT value::bigint FROM mssql.setting WHERE name = $1 $$;

-- Every change of meaning of a name moves this, so that sessions drop what they remember.
CREATE SEQUENCE mssql.version;
CREATE SEQUENCE mssql.object_id_seq START 901578250 INCREMENT 16 MAXVALUE 2147483647;
CREATE SEQUENCE mssql.database_id_seq START 5;
CREATE SEQUENCE mssql.spid_seq START 51 MAXVALUE 32766 CYCLE;

CREATE TABLE mssql.login (name mssql.sysname PRIMARY KEY, password text NOT NULL, sysadmin boolean NOT NULL);
CREATE TABLE mssql.database (
  id int PRIMARY KEY, name mssql.sysname NOT NULL UNIQUE, owner mssql.sysname NOT NULL, create_date mssql.datetime NOT NULL,
  is_cdc_enabled mssql.bit NOT NULL DEFAULT 0, snapshot_isolation_state mssql.tinyint NOT NULL DEFAULT 0,
  is_read_only mssql.bit NOT NULL DEFAULT 0, is_read_committed_snapshot_on mssql.bit NOT NULL DEFAULT 0,
  collation_name mssql.sysname NOT NULL DEFAULT 'SQL_Latin1_General_CP1_CI_AS',
  recovery_fork_guid uuid NOT NULL DEFAULT gen_random_uuid(), family_guid uuid NOT NULL DEFAULT gen_random_uuid());
CREATE TABLE mssql.schema (db_id int, schema_id int, name mssql.sysname NOT NULL, principal_id int NOT NULL,
  PRIMARY KEY (db_id, schema_id), UNIQUE (db_id, name));
CREATE TABLE mssql.object (db_id int NOT NULL, object_id int PRIMARY KEY, schema_id int NOT NULL, name mssql.sysname NOT NULL,
  type mssql.char_2 NOT NULL, parent_object_id int NOT NULL DEFAULT 0, create_date mssql.datetime NOT NULL,
  modify_date mssql.datetime NOT NULL, is_ms_shipped mssql.bit NOT NULL DEFAULT 0, is_tracked_by_cdc mssql.bit NOT NULL DEFAULT 0,
  max_column_id int NOT NULL DEFAULT 0, definition text, UNIQUE (db_id, schema_id, name));
CREATE TABLE mssql.column (db_id int NOT NULL, object_id int NOT NULL, column_id int NOT NULL, name mssql.sysname NOT NULL,
  type_name text NOT NULL, system_type_id int NOT NULL, user_type_id int NOT NULL, max_length int NOT NULL, "precision" int NOT NULL,
  scale int NOT NULL, collation_name mssql.sysname, is_nullable mssql.bit NOT NULL, is_identity mssql.bit NOT NULL DEFAULT 0,
  is_computed mssql.bit NOT NULL DEFAULT 0, definition text, default_name text, default_definition text, native text,
  identity_increment bigint, PRIMARY KEY (object_id, column_id), UNIQUE (object_id, name));
CREATE TABLE mssql.index (db_id int NOT NULL, object_id int NOT NULL, index_id int NOT NULL, name mssql.sysname, type int NOT NULL,
  is_unique mssql.bit NOT NULL, is_primary_key mssql.bit NOT NULL, is_unique_constraint mssql.bit NOT NULL, constraint_id int,
  PRIMARY KEY (object_id, index_id));
CREATE TABLE mssql.index_column (db_id int NOT NULL, object_id int NOT NULL, index_id int NOT NULL, index_column_id int NOT NULL,
  column_id int NOT NULL, key_ordinal int NOT NULL, is_descending_key mssql.bit NOT NULL DEFAULT 0,
  is_included_column mssql.bit NOT NULL DEFAULT 0, PRIMARY KEY (object_id, index_id, index_column_id));
CREATE TABLE mssql.principal (db_id int NOT NULL, principal_id int NOT NULL, name mssql.sysname NOT NULL, type text NOT NULL,
  login mssql.sysname, is_fixed_role mssql.bit NOT NULL DEFAULT 0, PRIMARY KEY (db_id, principal_id), UNIQUE (db_id, name));
CREATE TABLE mssql.role_member (db_id int, role_id int, member_id int, PRIMARY KEY (db_id, role_id, member_id));
CREATE TABLE mssql.permission (db_id int NOT NULL, grantee_id int NOT NULL, class int NOT NULL, major_id int NOT NULL,
  permission text NOT NULL, state text NOT NULL, PRIMARY KEY (db_id, grantee_id, class, major_id, permission));
CREATE TABLE mssql.server_permission (login mssql.sysname NOT NULL, permission text NOT NULL, PRIMARY KEY (login, permission));

-- CDC: one row a capture instance, named as in cdc.change_tables (sql-docs, "cdc.change_tables").
CREATE TABLE mssql.change_table (db_id int NOT NULL, object_id int PRIMARY KEY, source_object_id int NOT NULL,
  capture_instance mssql.sysname NOT NULL, start_lsn mssql.lsn NOT NULL, supports_net_changes mssql.bit NOT NULL,
  has_drop_pending mssql.bit NOT NULL DEFAULT 0, role_name mssql.sysname, index_name mssql.sysname, filegroup_name mssql.sysname,
  create_date mssql.datetime NOT NULL, partition_switch mssql.bit NOT NULL DEFAULT 1, command_id mssql.bit NOT NULL,
  UNIQUE (db_id, capture_instance));
CREATE TABLE mssql.captured_column (object_id int, column_name mssql.sysname NOT NULL, column_id int NOT NULL,
  column_type mssql.sysname NOT NULL, column_ordinal int NOT NULL, is_computed mssql.bit NOT NULL, PRIMARY KEY (object_id, column_ordinal));
CREATE TABLE mssql.cdc_index_column (object_id int, column_name mssql.sysname NOT NULL, index_ordinal int NOT NULL,
  column_id int NOT NULL, PRIMARY KEY (object_id, index_ordinal));
CREATE TABLE mssql.ddl_history (object_id int NOT NULL, source_object_id int NOT NULL, required_column_update mssql.bit NOT NULL,
  ddl_command mssql.nvarchar_max NOT NULL, ddl_lsn mssql.lsn NOT NULL, ddl_time mssql.datetime NOT NULL);
CREATE TABLE mssql.cdc_job (db_id int NOT NULL, job_type mssql.sysname NOT NULL, job_id uuid NOT NULL DEFAULT gen_random_uuid(),
  maxtrans int, maxscans int, continuous mssql.bit, pollinginterval bigint, retention bigint, threshold bigint,
  running mssql.bit NOT NULL DEFAULT 1, PRIMARY KEY (db_id, job_type));
-- What an application transaction leaves for the capture job. A shape is the column order of the arrays in dbN.log.
CREATE TABLE mssql.shape (shape_id serial PRIMARY KEY, object_id int NOT NULL, columns int[] NOT NULL);
CREATE TABLE mssql.capture_state (db_id int PRIMARY KEY, captured bigint NOT NULL DEFAULT 0, last_row_at timestamptz NOT NULL DEFAULT now(),
  last_cleanup_at timestamptz NOT NULL DEFAULT now(), scans bigint NOT NULL DEFAULT 0);
CREATE TABLE mssql.scan_session (db_id int NOT NULL, session_id serial, start_time mssql.datetime, end_time mssql.datetime, duration int,
  scan_phase mssql.sysname, error_count int, tran_count bigint, last_commit_lsn text, last_commit_time mssql.datetime,
  latency int, empty_scan_count int, command_count bigint);
CREATE TABLE mssql.capture_error (db_id int NOT NULL, session_id int, phase_number int, entry_time mssql.datetime, error_number int,
  error_severity int, error_state int, error_message mssql.nvarchar_max, start_lsn text, begin_lsn text, sequence_value text);

CREATE TABLE mssql.type (name mssql.sysname NOT NULL, system_type_id mssql.tinyint NOT NULL, user_type_id int PRIMARY KEY,
  max_length int2 NOT NULL, "precision" mssql.tinyint NOT NULL, scale mssql.tinyint NOT NULL, has_collation int NOT NULL);
INSERT INTO mssql.type VALUES ('image',34,34,16,0,0,0),('text',35,35,16,0,0,1),('uniqueidentifier',36,36,16,0,0,0),
  ('date',40,40,3,10,0,0),('time',41,41,5,16,7,0),('datetime2',42,42,8,27,7,0),('datetimeoffset',43,43,10,34,7,0),
  ('tinyint',48,48,1,3,0,0),('smallint',52,52,2,5,0,0),('int',56,56,4,10,0,0),('smalldatetime',58,58,4,16,0,0),
  ('real',59,59,4,24,0,0),('money',60,60,8,19,4,0),('datetime',61,61,8,23,3,0),('float',62,62,8,53,0,0),
  ('sql_variant',98,98,8016,0,0,0),('ntext',99,99,16,0,0,1),('bit',104,104,1,1,0,0),('decimal',106,106,17,38,38,0),
  ('numeric',108,108,17,38,38,0),('smallmoney',122,122,4,10,4,0),('bigint',127,127,8,19,0,0),('hierarchyid',240,128,892,0,0,0),
  ('geometry',240,129,-1,0,0,0),('geography',240,130,-1,0,0,0),('varbinary',165,165,8000,0,0,0),('varchar',167,167,8000,0,0,1),
  ('binary',173,173,8000,0,0,0),('char',175,175,8000,0,0,1),('timestamp',189,189,8,0,0,0),('nvarchar',231,231,8000,0,0,1),
  ('sysname',231,256,256,0,0,1),('nchar',239,239,8000,0,0,1),('xml',241,241,-1,0,0,0);
-- What ODBC calls the types ("sp_datatype_info", @ODBCVer = 3; "Metadata - Catalog" of the ODBC driver for the times). columns: the DATA_TYPE, the
-- PRECISION and LENGTH of a column (NULL: follow from the column; 0 for what has no limit), RADIX, SQL_DATA_TYPE and SQL_DATETIME_SUB, and
-- SS_DATA_TYPE for a nullable column and for one that is not.
CREATE TABLE mssql.odbc_type (name text PRIMARY KEY, data_type int2 NOT NULL, "precision" int, length int, radix int2, sql_data_type int2 NOT NULL,
  datetime_sub int2, ss_nullable int2 NOT NULL, ss_not_null int2 NOT NULL);
INSERT INTO mssql.odbc_type VALUES ('bit',-7,1,1,NULL,-7,NULL,50,50),('tinyint',-6,3,1,10,-6,NULL,38,48),('smallint',5,5,2,10,5,NULL,38,52),
  ('int',4,10,4,10,4,NULL,38,56),('bigint',-5,19,8,10,-5,NULL,108,63),('decimal',3,NULL,NULL,10,3,NULL,106,55),('numeric',2,NULL,NULL,10,2,NULL,108,63),
  ('money',3,19,21,10,3,NULL,110,60),('smallmoney',3,10,12,10,3,NULL,110,122),('real',7,24,4,2,7,NULL,109,59),('float',6,53,8,2,6,NULL,109,62),
  ('date',91,10,6,NULL,9,1,0,0),('time',-154,NULL,10,NULL,-154,NULL,0,0),('datetime',93,23,16,NULL,9,3,111,61),('smalldatetime',93,16,16,NULL,9,3,111,58),
  ('datetime2',93,NULL,16,NULL,9,3,0,0),('datetimeoffset',-155,NULL,20,NULL,-155,NULL,0,0),('char',1,NULL,NULL,NULL,1,NULL,39,47),
  ('varchar',12,NULL,NULL,NULL,12,NULL,39,39),('nchar',-8,NULL,NULL,NULL,-8,NULL,39,47),('nvarchar',-9,NULL,NULL,NULL,-9,NULL,39,39),
  ('binary',-2,NULL,NULL,NULL,-2,NULL,37,45),('varbinary',-3,NULL,NULL,NULL,-3,NULL,37,37),('text',-1,2147483647,2147483647,NULL,-1,NULL,35,35),
  ('ntext',-10,1073741823,2147483646,NULL,-10,NULL,35,35),('image',-4,2147483647,2147483647,NULL,-4,NULL,34,34),
  ('uniqueidentifier',-11,36,16,NULL,-11,NULL,37,37),('xml',-152,0,0,NULL,-152,NULL,0,0),('timestamp',-2,8,8,NULL,-2,NULL,45,45),
  ('sql_variant',-150,0,8000,10,-150,NULL,39,39),('hierarchyid',-151,892,892,NULL,-151,NULL,23,23),('geometry',-151,0,0,NULL,-151,NULL,23,23),
  ('geography',-151,0,0,NULL,-151,NULL,23,23);
