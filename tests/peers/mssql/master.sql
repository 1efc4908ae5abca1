-- What only the system databases hold.
CREATE VIEW db4."dbo.cdc_jobs" AS SELECT db_id AS database_id, job_type, job_id, maxtrans, maxscans, continuous, pollinginterval, retention, threshold FROM mssql.cdc_job;
CREATE VIEW db4."dbo.sysjobs" AS SELECT job_id, ('cdc.' || d.name || '_' || job_type)::mssql.sysname AS name, 1::int2::mssql.tinyint AS enabled
  FROM mssql.cdc_job j JOIN mssql.database d ON d.id = j.db_id;
