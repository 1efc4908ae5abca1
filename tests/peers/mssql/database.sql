-- One simulated database: {db} is its PostgreSQL schema, {id} its database_id. Catalogue views are named "schema.view".
CREATE SCHEMA {db};
CREATE SEQUENCE {db}.lsn START 4096;
CREATE SEQUENCE {db}.rowversion START 2001;
-- The log: one row a changed row; id is the change's own LSN (__$seqval), xid ties it to the commit.
CREATE TABLE {db}.log (id bigint NOT NULL DEFAULT nextval('{db}.lsn'), xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  command int NOT NULL, shape int NOT NULL, op int2 NOT NULL, old bytea[], new bytea[], id2 bigint);
-- Compressing large values would only cost time: a test writes them once and reads them once.
ALTER TABLE {db}.log ALTER COLUMN old SET STORAGE EXTERNAL, ALTER COLUMN new SET STORAGE EXTERNAL;
CREATE INDEX ON {db}.log (xid);
CREATE INDEX ON {db}.log (id);
CREATE TABLE {db}.commit (lsn bigint PRIMARY KEY, xid xid8 NOT NULL, begin_time timestamptz NOT NULL, end_time timestamptz NOT NULL, kind text, detail text, object_id int);
CREATE TABLE {db}."cdc.lsn_time_mapping" (start_lsn mssql.lsn NOT NULL, tran_begin_time mssql.datetime, tran_end_time mssql.datetime,
  tran_id mssql.tran_id, tran_begin_lsn mssql.lsn);
CREATE UNIQUE INDEX ON {db}."cdc.lsn_time_mapping" (start_lsn);
CREATE INDEX ON {db}."cdc.lsn_time_mapping" (tran_end_time);

CREATE VIEW {db}."cdc.change_tables" AS SELECT object_id, 0 AS version, source_object_id, capture_instance, start_lsn, NULL::mssql.lsn AS end_lsn,
  supports_net_changes, has_drop_pending, role_name, index_name, filegroup_name, create_date, partition_switch
  FROM mssql.change_table WHERE db_id = {id};
CREATE VIEW {db}."cdc.captured_columns" AS SELECT c.object_id, c.column_name, c.column_id, c.column_type, c.column_ordinal, c.is_computed,
  NULL::mssql.nvarchar_max AS masking_function FROM mssql.captured_column c JOIN mssql.change_table t USING (object_id) WHERE t.db_id = {id};
CREATE VIEW {db}."cdc.index_columns" AS SELECT c.object_id, c.column_name, c.index_ordinal, c.column_id
  FROM mssql.cdc_index_column c JOIN mssql.change_table t USING (object_id) WHERE t.db_id = {id};
CREATE VIEW {db}."cdc.ddl_history" AS SELECT h.source_object_id, h.object_id, h.required_column_update, h.ddl_command, h.ddl_lsn, h.ddl_time
  FROM mssql.ddl_history h JOIN mssql.change_table t USING (object_id) WHERE t.db_id = {id};

CREATE VIEW {db}."sys.databases" AS SELECT name, id AS database_id, NULL::int AS source_database_id, '\x01'::bytea::mssql.sid AS owner_sid, create_date,
  150::int2::mssql.tinyint AS compatibility_level, collation_name, 0::int2::mssql.tinyint AS user_access, 'MULTI_USER'::mssql.nvarchar_60 AS user_access_desc,
  is_read_only, 0::int2::mssql.tinyint AS state, 'ONLINE'::mssql.nvarchar_60 AS state_desc, snapshot_isolation_state,
  (CASE snapshot_isolation_state WHEN 1 THEN 'ON' ELSE 'OFF' END)::mssql.nvarchar_60 AS snapshot_isolation_state_desc,
  is_read_committed_snapshot_on, 1::int2::mssql.tinyint AS recovery_model, 'FULL'::mssql.nvarchar_60 AS recovery_model_desc, is_cdc_enabled,
  NULL::uuid AS replica_id, NULL::uuid AS group_database_id, 0::int2::mssql.bit AS is_accelerated_database_recovery_on, 0::int2::mssql.bit AS is_published,
  (CASE WHEN EXISTS (SELECT FROM mssql.capture_state c WHERE c.db_id = id) THEN 'REPLICATION' ELSE 'NOTHING' END)::mssql.nvarchar_60 AS log_reuse_wait_desc
  FROM mssql.database;
CREATE VIEW {db}."sys.database_recovery_status" AS SELECT id AS database_id, gen.database_guid, family_guid, NULL::numeric(25,0) AS last_log_backup_lsn,
  recovery_fork_guid, recovery_fork_guid AS first_recovery_fork_guid, 1::int2::mssql.bit AS is_database_joined
  FROM mssql.database, LATERAL (SELECT family_guid AS database_guid) gen;
CREATE VIEW {db}."sys.schemas" AS SELECT name, schema_id, principal_id FROM mssql.schema WHERE db_id = {id};
CREATE VIEW {db}."sys.objects" AS SELECT o.name, o.object_id, NULL::int AS principal_id, o.schema_id, o.parent_object_id, o.type,
  (CASE o.type WHEN 'U' THEN 'USER_TABLE' WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' THEN 'UNIQUE_CONSTRAINT' WHEN 'V' THEN 'VIEW' ELSE 'DEFAULT_CONSTRAINT' END)::mssql.nvarchar_60 AS type_desc,
  o.create_date, o.modify_date, o.is_ms_shipped, 0::int2::mssql.bit AS is_published FROM mssql.object o WHERE o.db_id = {id};
CREATE VIEW {db}."sys.all_objects" AS SELECT * FROM {db}."sys.objects";
CREATE VIEW {db}."sys.tables" AS SELECT o.name, o.object_id, NULL::int AS principal_id, o.schema_id, o.parent_object_id, o.type, 'USER_TABLE'::mssql.nvarchar_60 AS type_desc,
  o.create_date, o.modify_date, o.is_ms_shipped, o.is_tracked_by_cdc, 0::int2::mssql.bit AS is_replicated, 0::int2::mssql.bit AS is_memory_optimized, 0::int2::mssql.tinyint AS temporal_type,
  'NON_TEMPORAL_TABLE'::mssql.nvarchar_60 AS temporal_type_desc, 0::int2::mssql.bit AS is_external, 0::int2::mssql.bit AS is_filetable,
  0 AS lob_data_space_id, o.max_column_id AS max_column_id_used, NULL::int AS history_table_id, 0::int2::mssql.bit AS is_node, 0::int2::mssql.bit AS is_edge
  FROM mssql.object o WHERE o.db_id = {id} AND o.type = 'U';
CREATE VIEW {db}."sys.columns" AS SELECT c.object_id, c.name, c.column_id, c.system_type_id::int2::mssql.tinyint AS system_type_id, c.user_type_id,
  c.max_length::int2 AS max_length, c."precision"::int2::mssql.tinyint AS "precision", c.scale::int2::mssql.tinyint AS scale, c.collation_name, c.is_nullable,
  1::int2::mssql.bit AS is_ansi_padded, 0::int2::mssql.bit AS is_rowguidcol, c.is_identity, (CASE WHEN c.definition IS NULL THEN 0 ELSE 1 END)::int2::mssql.bit AS is_computed, 0::int2::mssql.bit AS is_filestream,
  0::int2::mssql.bit AS is_xml_document, 0 AS xml_collection_id,
  coalesce((SELECT d.object_id FROM mssql.object d WHERE d.parent_object_id = c.object_id AND d.type = 'D' AND d.name = c.default_name), 0) AS default_object_id,
  0::int2::mssql.bit AS is_sparse, 0::int2::mssql.bit AS is_column_set, 0::int2::mssql.tinyint AS generated_always_type, 0::int2::mssql.bit AS is_hidden,
  0::int2::mssql.bit AS is_masked, NULL::int AS encryption_type, NULL::mssql.nvarchar_60 AS encryption_type_desc
  FROM mssql.column c WHERE c.db_id = {id};
CREATE VIEW {db}."sys.all_columns" AS SELECT * FROM {db}."sys.columns";
CREATE VIEW {db}."sys.computed_columns" AS SELECT c.object_id, c.name, c.column_id, c.system_type_id::int2::mssql.tinyint AS system_type_id, c.user_type_id,
  c.max_length::int2 AS max_length, c.is_nullable, c.definition::mssql.nvarchar_max AS definition, 1::int2::mssql.bit AS uses_database_collation,
  0::int2::mssql.bit AS is_persisted, c.is_computed FROM mssql.column c WHERE c.db_id = {id} AND c.is_computed = 1 AND c.definition IS NOT NULL;
CREATE VIEW {db}."sys.identity_columns" AS SELECT c.object_id, c.name, c.column_id, 1::bigint AS seed_value, c.identity_increment AS increment_value
  FROM mssql.column c WHERE c.db_id = {id} AND c.is_identity = 1;
CREATE VIEW {db}."sys.default_constraints" AS SELECT d.name, d.object_id, d.schema_id, d.parent_object_id, c.column_id AS parent_column_id,
  c.default_definition::mssql.nvarchar_max AS definition, d.type, 'DEFAULT_CONSTRAINT'::mssql.nvarchar_60 AS type_desc
  FROM mssql.object d JOIN mssql.column c ON c.object_id = d.parent_object_id AND c.default_name = d.name::text WHERE d.db_id = {id} AND d.type = 'D';
CREATE VIEW {db}."sys.types" AS SELECT name, system_type_id, user_type_id, 4 AS schema_id, NULL::int AS principal_id, max_length, "precision", scale,
  (CASE has_collation WHEN 1 THEN 'SQL_Latin1_General_CP1_CI_AS' END)::mssql.sysname AS collation_name, 1::int2::mssql.bit AS is_nullable,
  0::int2::mssql.bit AS is_user_defined, (CASE WHEN system_type_id = 240 THEN 1 ELSE 0 END)::int2::mssql.bit AS is_assembly_type, 0 AS default_object_id,
  0::int2::mssql.bit AS is_table_type FROM mssql.type;
CREATE VIEW {db}."sys.indexes" AS SELECT object_id, name, index_id, type::int2::mssql.tinyint AS type,
  (CASE type WHEN 0 THEN 'HEAP' WHEN 1 THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END)::mssql.nvarchar_60 AS type_desc, is_unique, 1 AS data_space_id,
  0::int2::mssql.bit AS ignore_dup_key, is_primary_key, is_unique_constraint, 0::int2::mssql.bit AS is_disabled, 0::int2::mssql.bit AS is_hypothetical,
  0::int2::mssql.bit AS has_filter, NULL::mssql.nvarchar_max AS filter_definition FROM mssql.index WHERE db_id = {id};
CREATE VIEW {db}."sys.index_columns" AS SELECT object_id, index_id, index_column_id, column_id, key_ordinal::int2::mssql.tinyint AS key_ordinal,
  0::int2::mssql.tinyint AS partition_ordinal, is_descending_key, is_included_column FROM mssql.index_column WHERE db_id = {id};
CREATE VIEW {db}."sys.key_constraints" AS SELECT o.name, o.object_id, o.schema_id, o.parent_object_id, o.type, i.index_id AS unique_index_id
  FROM mssql.object o JOIN mssql.index i ON i.constraint_id = o.object_id WHERE o.db_id = {id};
CREATE FUNCTION {db}.row_count(int) RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT coalesce((SELECT greatest(s.n_live_tup, c.reltuples::bigint, 0) FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid WHERE c.oid = to_regclass('{db}.o' || $1)), 0) $$;
CREATE VIEW {db}."sys.partitions" AS SELECT (72057594037927936 + i.object_id::bigint * 256 + i.index_id) AS partition_id, i.object_id, i.index_id, 1 AS partition_number,
  (72057594037927936 + i.object_id::bigint * 256 + i.index_id) AS hobt_id, {db}.row_count(i.object_id) AS rows, 0::int2::mssql.tinyint AS data_compression
  FROM mssql.index i WHERE i.db_id = {id};
CREATE VIEW {db}."sys.dm_db_partition_stats" AS SELECT partition_id, object_id, index_id, 1 AS partition_number, (rows / 80 + 1) AS in_row_data_page_count,
  (rows / 80 + 1) AS used_page_count, (rows / 80 + 2) AS reserved_page_count, rows AS row_count FROM {db}."sys.partitions";
CREATE VIEW {db}."sys.database_principals" AS SELECT name, principal_id, type::mssql.char_2 AS type,
  (CASE type WHEN 'R' THEN 'DATABASE_ROLE' ELSE 'SQL_USER' END)::mssql.nvarchar_60 AS type_desc, is_fixed_role FROM mssql.principal WHERE db_id = {id};
CREATE VIEW {db}."sys.database_role_members" AS SELECT role_id AS role_principal_id, member_id AS member_principal_id FROM mssql.role_member WHERE db_id = {id};
CREATE VIEW {db}."sys.database_permissions" AS SELECT class::int2::mssql.tinyint AS class, major_id, 0 AS minor_id, grantee_id AS grantee_principal_id, 1 AS grantor_principal_id,
  permission::mssql.sysname AS permission_name, state::mssql.char_2 AS state FROM mssql.permission WHERE db_id = {id};
CREATE VIEW {db}."sys.configurations" AS SELECT 1536 AS configuration_id, 'max text repl size (B)'::mssql.sysname AS name, -1 AS value, -1 AS value_in_use;
CREATE VIEW {db}."sys.change_tracking_databases" AS SELECT id AS database_id FROM mssql.database WHERE false;
CREATE VIEW {db}."sys.dm_cdc_log_scan_sessions" AS SELECT session_id, start_time, end_time, duration, scan_phase, error_count, last_commit_lsn::mssql.sysname AS start_lsn,
  last_commit_lsn::mssql.sysname AS current_lsn, last_commit_lsn::mssql.sysname AS end_lsn, tran_count, last_commit_lsn::mssql.sysname AS last_commit_lsn, last_commit_time,
  NULL::mssql.sysname AS log_record_count, 0 AS schema_change_count, command_count, latency, empty_scan_count, 0 AS failed_sessions_count
  FROM mssql.scan_session WHERE db_id = {id};
CREATE VIEW {db}."sys.dm_cdc_errors" AS SELECT session_id, phase_number, entry_time, error_number, error_severity, error_state, error_message,
  start_lsn::mssql.sysname AS start_lsn, begin_lsn::mssql.sysname AS begin_lsn, sequence_value::mssql.sysname AS sequence_value FROM mssql.capture_error WHERE db_id = {id};
CREATE VIEW {db}."sys.dm_server_services" AS SELECT 'SQL Server (MSSQLSERVER)'::mssql.sysname AS servicename, 4 AS status, 'Running'::mssql.sysname AS status_desc
  UNION ALL SELECT 'SQL Server Agent (MSSQLSERVER)', CASE mssql.option('agent_running') WHEN 1 THEN 4 ELSE 1 END,
  (CASE mssql.option('agent_running') WHEN 1 THEN 'Running' ELSE 'Stopped' END)::mssql.sysname;
CREATE VIEW {db}."sys.dm_exec_connections" AS SELECT current_setting('mssql.spid')::int AS session_id, 'TCP'::mssql.sysname AS net_transport,
  current_setting('mssql.encrypt', true)::mssql.sysname AS encrypt_option, 'SQL'::mssql.sysname AS auth_scheme, 4096 AS net_packet_size, 1433 AS local_tcp_port;
CREATE VIEW {db}."sys.dm_exec_sessions" AS SELECT current_setting('mssql.spid')::int AS session_id, current_setting('mssql.login')::mssql.sysname AS login_name,
  {id} AS database_id, 1::int2::mssql.bit AS is_user_process;
CREATE VIEW {db}."sys.dm_hadr_database_replica_states" AS SELECT id AS database_id, 1::int2::mssql.bit AS is_primary_replica, 1::int2::mssql.bit AS is_local FROM mssql.database WHERE false;
CREATE VIEW {db}."information_schema.tables" AS SELECT mssql.db_name({id}) AS "TABLE_CATALOG", s.name AS "TABLE_SCHEMA", o.name AS "TABLE_NAME", 'BASE TABLE'::mssql.sysname AS "TABLE_TYPE"
  FROM mssql.object o JOIN mssql.schema s USING (db_id, schema_id) WHERE o.db_id = {id} AND o.type = 'U';
CREATE VIEW {db}."information_schema.columns" AS SELECT mssql.db_name({id}) AS "TABLE_CATALOG", s.name AS "TABLE_SCHEMA", o.name AS "TABLE_NAME", c.name AS "COLUMN_NAME",
  c.column_id AS "ORDINAL_POSITION", c.default_definition::mssql.nvarchar_max AS "COLUMN_DEFAULT", (CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END)::mssql.sysname AS "IS_NULLABLE",
  c.type_name::mssql.sysname AS "DATA_TYPE",
  CASE WHEN c.type_name LIKE '%char' OR c.type_name LIKE '%binary' THEN CASE WHEN c.type_name LIKE 'n%' AND c.max_length > 0 THEN c.max_length / 2 ELSE c.max_length END END AS "CHARACTER_MAXIMUM_LENGTH",
  CASE WHEN c.type_name IN ('int', 'bigint', 'smallint', 'tinyint', 'decimal', 'numeric', 'money', 'smallmoney', 'float', 'real') THEN c."precision" END::int2::mssql.tinyint AS "NUMERIC_PRECISION",
  CASE WHEN c.type_name IN ('int', 'bigint', 'smallint', 'tinyint', 'decimal', 'numeric', 'money', 'smallmoney') THEN c.scale END AS "NUMERIC_SCALE",
  CASE WHEN c.type_name LIKE '%time%' AND c.type_name <> 'timestamp' OR c.type_name = 'date' THEN c.scale END::int2 AS "DATETIME_PRECISION", c.collation_name AS "COLLATION_NAME"
  FROM mssql.column c JOIN mssql.object o USING (db_id, object_id) JOIN mssql.schema s USING (db_id, schema_id) WHERE c.db_id = {id} AND o.type = 'U';
-- What catalog_procedure.c answers, with the columns of sp_tables, sp_columns_100, sp_pkeys and sp_statistics_100 (sql-docs).
CREATE VIEW {db}."sluice_sim.odbc_tables" AS SELECT mssql.db_name({id}) AS "TABLE_QUALIFIER", s.name AS "TABLE_OWNER", o.name AS "TABLE_NAME",
  'TABLE'::mssql.varchar_254 AS "TABLE_TYPE", NULL::mssql.varchar_254 AS "REMARKS"
  FROM mssql.object o JOIN mssql.schema s USING (db_id, schema_id) WHERE o.db_id = {id} AND o.type = 'U';
CREATE VIEW {db}."sluice_sim.odbc_columns" AS SELECT mssql.db_name({id}) AS "TABLE_QUALIFIER", s.name AS "TABLE_OWNER", o.name AS "TABLE_NAME",
  c.name AS "COLUMN_NAME", t.data_type AS "DATA_TYPE",
  (c.type_name || CASE WHEN c.is_identity = 1 THEN CASE WHEN c.type_name IN ('decimal', 'numeric') THEN '() identity' ELSE ' identity' END ELSE '' END)::mssql.sysname AS "TYPE_NAME",
  coalesce(t."precision", CASE WHEN c.type_name IN ('decimal', 'numeric') THEN c."precision" WHEN c.type_name = 'time' THEN 8 + x.fraction
    WHEN c.type_name = 'datetime2' THEN 19 + x.fraction WHEN c.type_name = 'datetimeoffset' THEN 26 + x.fraction ELSE x.bytes / x.unit END) AS "PRECISION",
  coalesce(t.length, CASE WHEN c.type_name IN ('decimal', 'numeric') THEN c."precision" + 2 ELSE x.bytes END) AS "LENGTH",
  (CASE WHEN t.radix = 10 AND c.type_name <> 'sql_variant' OR c.type_name LIKE '%time%' AND c.type_name <> 'timestamp' THEN c.scale END)::int2 AS "SCALE", t.radix AS "RADIX", c.is_nullable::int2 AS "NULLABLE", NULL::mssql.varchar_254 AS "REMARKS",
  c.default_definition::mssql.nvarchar_4000 AS "COLUMN_DEF", t.sql_data_type AS "SQL_DATA_TYPE", t.datetime_sub AS "SQL_DATETIME_SUB",
  CASE WHEN c.type_name LIKE '%char' OR c.type_name LIKE '%binary' THEN x.bytes WHEN c.type_name IN ('text', 'ntext', 'image') THEN t.length END AS "CHAR_OCTET_LENGTH",
  (SELECT count(*)::int FROM mssql.column b WHERE b.object_id = c.object_id AND b.column_id <= c.column_id) AS "ORDINAL_POSITION",
  (CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END)::mssql.varchar_254 AS "IS_NULLABLE", 0::int2 AS "SS_IS_SPARSE", 0::int2 AS "SS_IS_COLUMN_SET",
  (CASE WHEN c.definition IS NULL THEN 0 ELSE 1 END)::int2 AS "SS_IS_COMPUTED", c.is_identity::int2 AS "SS_IS_IDENTITY",
  (CASE WHEN t.data_type = -151 THEN mssql.db_name({id})::text END)::mssql.sysname AS "SS_UDT_CATALOG_NAME", (CASE WHEN t.data_type = -151 THEN 'sys' END)::mssql.sysname AS "SS_UDT_SCHEMA_NAME",
  (CASE WHEN t.data_type = -151 THEN 'Microsoft.SqlServer.Types.Sql' || CASE c.type_name WHEN 'hierarchyid' THEN 'HierarchyId' ELSE initcap(c.type_name) END
    || ', Microsoft.SqlServer.Types, Version=11.0.0.0, Culture=neutral, PublicKeyToken=89845dcd8080cc91' END)::mssql.nvarchar_max AS "SS_UDT_ASSEMBLY_TYPE_NAME",
  NULL::mssql.sysname AS "SS_XML_SCHEMACOLLECTION_CATALOG_NAME", NULL::mssql.sysname AS "SS_XML_SCHEMACOLLECTION_SCHEMA_NAME",
  NULL::mssql.sysname AS "SS_XML_SCHEMACOLLECTION_NAME", (CASE c.is_nullable WHEN 1 THEN t.ss_nullable ELSE t.ss_not_null END)::mssql.tinyint AS "SS_DATA_TYPE"
  FROM mssql.column c JOIN mssql.object o USING (db_id, object_id) JOIN mssql.schema s USING (db_id, schema_id) JOIN mssql.odbc_type t ON t.name = c.type_name,
    LATERAL (SELECT CASE WHEN c.max_length = -1 THEN 0 ELSE c.max_length END AS bytes, CASE WHEN c.type_name IN ('nchar', 'nvarchar') THEN 2 ELSE 1 END AS unit,
      CASE WHEN c.scale > 0 THEN c.scale + 1 ELSE 0 END AS fraction) x
  WHERE c.db_id = {id} AND o.type = 'U';
CREATE VIEW {db}."sluice_sim.odbc_pkeys" AS SELECT mssql.db_name({id}) AS "TABLE_QUALIFIER", s.name AS "TABLE_OWNER", o.name AS "TABLE_NAME", c.name AS "COLUMN_NAME",
  k.key_ordinal::int2 AS "KEY_SEQ", i.name AS "PK_NAME"
  FROM mssql.index i JOIN mssql.index_column k USING (object_id, index_id) JOIN mssql.column c USING (object_id, column_id) JOIN mssql.object o ON o.object_id = i.object_id
  JOIN mssql.schema s ON s.db_id = o.db_id AND s.schema_id = o.schema_id WHERE o.db_id = {id} AND i.is_primary_key = 1;
-- One row for the table (TYPE 0), then the key columns of each index.
CREATE VIEW {db}."sluice_sim.odbc_statistics" AS SELECT mssql.db_name({id}) AS "TABLE_QUALIFIER", s.name AS "TABLE_OWNER", o.name AS "TABLE_NAME",
  x.non_unique AS "NON_UNIQUE", x.qualifier AS "INDEX_QUALIFIER", x.index_name AS "INDEX_NAME", x.type AS "TYPE", x.seq AS "SEQ_IN_INDEX", x.column_name AS "COLUMN_NAME",
  x.collation AS "COLLATION", {db}.row_count(o.object_id)::int AS "CARDINALITY", ({db}.row_count(o.object_id) / 80 + 1)::int AS "PAGES", NULL::mssql.varchar_254 AS "FILTER_CONDITION"
  FROM mssql.object o JOIN mssql.schema s USING (db_id, schema_id), LATERAL (
    SELECT NULL::int2 AS non_unique, NULL::mssql.sysname AS qualifier, NULL::mssql.sysname AS index_name, 0::int2 AS type, NULL::int2 AS seq,
      NULL::mssql.sysname AS column_name, NULL::mssql.char_1 AS collation
    UNION ALL SELECT (1 - i.is_unique)::int2, o.name, i.name, (CASE i.type WHEN 1 THEN 1 ELSE 3 END)::int2, k.key_ordinal::int2, c.name,
      (CASE k.is_descending_key WHEN 1 THEN 'D' ELSE 'A' END)::mssql.char_1
    FROM mssql.index i JOIN mssql.index_column k USING (object_id, index_id) JOIN mssql.column c USING (object_id, column_id)
    WHERE i.object_id = o.object_id AND k.key_ordinal > 0) x WHERE o.db_id = {id} AND o.type = 'U';
INSERT INTO mssql.schema VALUES ({id}, 1, 'dbo', 1), ({id}, 2, 'guest', 2), ({id}, 3, 'INFORMATION_SCHEMA', 3), ({id}, 4, 'sys', 4);
INSERT INTO mssql.principal (db_id, principal_id, name, type, login, is_fixed_role) VALUES ({id}, 0, 'public', 'R', NULL, 0), ({id}, 1, 'dbo', 'S', NULL, 0),
  ({id}, 2, 'guest', 'S', NULL, 0), ({id}, 16384, 'db_owner', 'R', NULL, 1), ({id}, 16390, 'db_datareader', 'R', NULL, 1), ({id}, 16391, 'db_datawriter', 'R', NULL, 1),
  ({id}, 16392, 'db_denydatareader', 'R', NULL, 1), ({id}, 16393, 'db_denydatawriter', 'R', NULL, 1);
