-- The tables and the rows of the snapshot. The current database is the one to be captured, with CDC enabled; whoever
-- runs this enables CDC for each table afterwards. changes.sql follows once the snapshot is taken.
CREATE TABLE dbo.number (id int NOT NULL PRIMARY KEY, a_bit bit, a_tinyint tinyint, a_smallint smallint, a_int int, a_bigint bigint,
  decimal_5_2 decimal(5,2), decimal_18_0 decimal(18,0), decimal_38_0 decimal(38,0), decimal_38_38 decimal(38,38), numeric_10_3 numeric(10,3),
  a_money money, a_smallmoney smallmoney, a_real real, a_float float, float_24 float(24))
GO
CREATE TABLE dbo.moment (id int NOT NULL PRIMARY KEY, a_date date, time_0 time(0), time_3 time(3), time_4 time(4), time_6 time(6), time_7 time(7),
  a_datetime datetime, a_smalldatetime smalldatetime, datetime2_0 datetime2(0), datetime2_3 datetime2(3), datetime2_4 datetime2(4),
  datetime2_6 datetime2(6), datetime2_7 datetime2(7), offset_0 datetimeoffset(0), offset_3 datetimeoffset(3), offset_7 datetimeoffset(7))
GO
CREATE TABLE dbo.word (id int NOT NULL PRIMARY KEY, a_char char(10), a_varchar varchar(50), varchar_max varchar(max), a_text text,
  a_nchar nchar(10), a_nvarchar nvarchar(50), nvarchar_max nvarchar(max), a_ntext ntext, a_xml xml, a_guid uniqueidentifier)
GO
CREATE TABLE dbo.octet (id int NOT NULL PRIMARY KEY, a_binary binary(8), a_varbinary varbinary(16), varbinary_max varbinary(max), a_image image,
  a_rowversion rowversion)
GO
CREATE TABLE dbo.clr (id int NOT NULL PRIMARY KEY, a_variant sql_variant, a_hierarchyid hierarchyid, a_geometry geometry, a_geography geography)
GO
CREATE TABLE dbo.pair (region nvarchar(10) NOT NULL, number bigint NOT NULL, value varchar(20) NULL, CONSTRAINT pair_key PRIMARY KEY (region, number))
GO
CREATE TABLE dbo.heap (a int NULL, b nvarchar(10) NULL)
GO
CREATE TABLE dbo.with_unique (code char(4) NOT NULL, a int NULL)
GO
CREATE UNIQUE INDEX with_unique_code ON dbo.with_unique (code)
GO
CREATE TABLE dbo.defaulted (id int IDENTITY(1,1) NOT NULL PRIMARY KEY, a_int int NULL DEFAULT 7, a_bit bit NOT NULL DEFAULT 1, a_decimal decimal(9,2) NOT NULL DEFAULT 1.5,
  a_text nvarchar(20) NULL DEFAULT N'none', a_moment datetime2(3) NULL DEFAULT '2020-02-03 04:05:06.789', twice AS (a_int * 2))
GO
CREATE TABLE dbo.[Order Line] ([order-id] int NOT NULL PRIMARY KEY, [Unit Price] money NULL, [größe] nvarchar(10) NULL, [1st.name] int NULL)
GO
INSERT dbo.number VALUES
  (1, 1, 200, -5, 42, 1234567890123, 123.45, 123456789012345678, 12345678901234567890123456789012345678, 0.5, 1234567.891, 1234.5678, 12.34, 1.5, 2.5, 0.1),
  (2, 0, 0, -32768, -2147483648, -9223372036854775808, -999.99, -999999999999999999, -99999999999999999999999999999999999999,
   -0.99999999999999999999999999999999999999, -9999999.999, -922337203685477.5808, -214748.3648, -3.40282347E38, -1.7976931348623157E308, -3.40282347E38),
  (3, 1, 255, 32767, 2147483647, 9223372036854775807, 999.99, 999999999999999999, 99999999999999999999999999999999999999,
   0.99999999999999999999999999999999999999, 9999999.999, 922337203685477.5807, 214748.3647, 1.17549435E-38, 2.2250738585072014E-308, 1.17549435E-38),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (5, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  (6, 1, 2, 2, 2, 2, 1, 100, 128, 0.00000000000000000000000000000000000001, -0.001, 0.0001, -0.0001, 16777216, 1E15, 1E7)
GO
INSERT dbo.moment VALUES
  (1, '2024-02-29', '12:34:56', '12:34:56.789', '12:34:56.7891', '12:34:56.789123', '12:34:56.7891234', '2024-02-29 12:34:56.787', '2024-02-29 12:34:00',
   '2024-02-29 12:34:56', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.7891', '2024-02-29 12:34:56.789123', '2024-02-29 12:34:56.7891234',
   '2024-02-29 12:34:56 +02:00', '2024-02-29 12:34:56.789 -05:30', '2024-02-29 12:34:56.7891234 +14:00'),
  (2, '0001-01-01', '00:00:00', '00:00:00', '00:00:00', '00:00:00', '00:00:00', '1753-01-01', '1900-01-01',
   '0001-01-01', '0001-01-01', '0001-01-01', '0001-01-01', '0001-01-01', '0001-01-01 00:00:00 +00:00', '0001-01-01 00:00:00 +00:00', '0001-01-01 00:00:00 +00:00'),
  (3, '9999-12-31', '23:59:59', '23:59:59.999', '23:59:59.9999', '23:59:59.999999', '23:59:59.9999999', '9999-12-31 23:59:59.997', '2079-06-06 23:59:00',
   '9999-12-31 23:59:59', '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.9999', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.9999999',
   '9999-12-31 23:59:59 +00:00', '9999-12-31 23:59:59.999 +00:00', '9999-12-31 23:59:59.9999999 +00:00'),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (5, '1969-12-31', '00:00:01', '00:00:00.001', '00:00:00.0001', '00:00:00.000001', '00:00:00.0000001', '1969-12-31 23:59:59.997', '1969-12-31 23:59:00',
   '1969-12-31 23:59:59', '1969-12-31 23:59:59.999', '1969-12-31 23:59:59.9999', '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59.9999999',
   '1969-12-31 23:59:59 -00:30', '1969-12-31 23:59:59.999 +00:00', '1969-12-31 23:59:59.9999999 +00:00'),
  (6, '1582-10-14', '06:00:00', '06:00:00.100', '06:00:00.1200', '06:00:00.123000', '06:00:00.1234560', '1753-01-01 00:00:00.003', '2000-01-01 12:30:00',
   '1582-10-04', '1582-10-14', '1582-10-15', '1700-02-28 12:00:00', '1900-03-01 00:00:00.5', '2000-01-01 12:00:00 +00:00', '2000-01-01 12:00:00.500 +01:00', '2000-01-01 12:00:00.1200000 -01:00')
GO
INSERT dbo.word VALUES
  (1, 'abc', 'varchar', 'varchar max', 'text', N'nchar', N'nvarchar', N'nvarchar max', N'ntext', N'<a b="1">text</a>', '6F9619FF-8B86-D011-B42D-00C04FC964FF'),
  (2, '', '', '', '', N'', N'', N'', N'', N'', '00000000-0000-0000-0000-000000000000'),
  (3, 'caf' + CHAR(233), 'quote " back \ slash /', 'tab	line', 'amp & lt <', N'日本', N'😀 emoji', N'line
break', N'Ω≈ç', N'<r>ü</r>', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
GO
INSERT dbo.octet (id, a_binary, a_varbinary, varbinary_max, a_image) VALUES
  (1, 0x0102, 0x0102, 0x00FF00FF, 0xCAFE),
  (2, 0x, 0x, 0x, 0x),
  (3, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF, 0x000102030405060708090A0B0C0D0E0F10FBFFBE, 0xFBFFBE),
  (4, NULL, NULL, NULL, NULL)
GO
INSERT dbo.clr VALUES
  (1, CAST(42 AS int), '/1/2/', 0x00000000010C000000000000F03F0000000000000040, 0xE6100000010C000000000000F03F0000000000000040),
  (2, CAST(N'text' AS nvarchar(10)), '/', 0x00000000010C00000000000000000000000000000000, 0xE6100000010C00000000000000000000000000000000),
  (3, NULL, NULL, NULL, NULL)
GO
INSERT dbo.pair VALUES (N'north', 1, 'one'), (N'south', 9223372036854775807, NULL)
GO
INSERT dbo.heap VALUES (1, N'one'), (NULL, NULL)
GO
INSERT dbo.with_unique VALUES ('ab', 1)
GO
INSERT dbo.defaulted (a_int, a_bit, a_decimal, a_text, a_moment) VALUES (1, 0, 2.25, N'given', '2021-01-01 00:00:00.001'), (NULL, 1, 0, NULL, NULL)
GO
INSERT dbo.defaulted DEFAULT VALUES
GO
INSERT dbo.[Order Line] VALUES (1, 9.99, N'groß', 1)
GO
