-- What is done after the snapshot. Each batch is a transaction unless it says otherwise.
INSERT dbo.number SELECT id + 10, a_bit, a_tinyint, a_smallint, a_int, a_bigint, decimal_5_2, decimal_18_0, decimal_38_0, decimal_38_38, numeric_10_3,
  a_money, a_smallmoney, a_real, a_float, float_24 FROM dbo.number
GO
UPDATE dbo.number SET a_int = 43, decimal_5_2 = -0.01, a_money = NULL WHERE id = 1
GO
UPDATE dbo.number SET a_int = a_int WHERE id = 3
GO
UPDATE dbo.number SET id = 21 WHERE id = 11
GO
DELETE dbo.number WHERE id IN (2, 4)
GO
INSERT dbo.moment SELECT id + 10, a_date, time_0, time_3, time_4, time_6, time_7, a_datetime, a_smalldatetime, datetime2_0, datetime2_3, datetime2_4, datetime2_6, datetime2_7,
  offset_0, offset_3, offset_7 FROM dbo.moment
GO
UPDATE dbo.moment SET a_date = '2024-03-01', time_7 = '00:00:00.0000001' WHERE id = 1
GO
DELETE dbo.moment WHERE id = 3
GO
INSERT dbo.word SELECT id + 10, a_char, a_varchar, varchar_max, a_text, a_nchar, a_nvarchar, nvarchar_max, a_ntext, a_xml, a_guid FROM dbo.word
GO
UPDATE dbo.word SET a_nvarchar = N'changed' WHERE id = 1
GO
UPDATE dbo.word SET nvarchar_max = N'changed too', a_text = 'new text' WHERE id = 1
GO
DELETE dbo.word WHERE id = 3
GO
INSERT dbo.octet (id, a_binary, a_varbinary, varbinary_max, a_image) SELECT id + 10, a_binary, a_varbinary, varbinary_max, a_image FROM dbo.octet
GO
UPDATE dbo.octet SET a_varbinary = 0xAB WHERE id = 1
GO
UPDATE dbo.octet SET varbinary_max = 0xCD, a_image = 0xEF WHERE id = 1
GO
DELETE dbo.octet WHERE id = 3
GO
INSERT dbo.clr SELECT id + 10, a_variant, a_hierarchyid, a_geometry, a_geography FROM dbo.clr
GO
UPDATE dbo.clr SET a_hierarchyid = '/3/' WHERE id = 1
GO
DELETE dbo.clr WHERE id = 2
GO
BEGIN TRANSACTION
INSERT dbo.pair VALUES (N'east', 2, 'two')
UPDATE dbo.pair SET value = 'uno' WHERE region = N'north' AND number = 1
UPDATE dbo.pair SET number = 3 WHERE region = N'east' AND number = 2
DELETE dbo.pair WHERE region = N'south'
COMMIT
GO
UPDATE dbo.pair SET region = region + N'x', number = number + 1
GO
INSERT dbo.heap VALUES (2, N'two')
GO
UPDATE dbo.heap SET b = N'deux' WHERE a = 2
GO
DELETE dbo.heap WHERE a = 1
GO
UPDATE dbo.with_unique SET a = 2 WHERE code = 'ab'
GO
UPDATE dbo.with_unique SET code = 'cd' WHERE code = 'ab'
GO
INSERT dbo.defaulted DEFAULT VALUES
GO
UPDATE dbo.defaulted SET a_int = NULL, a_text = NULL WHERE id = 1
GO
INSERT dbo.[Order Line] VALUES (2, 0.01, NULL, NULL)
GO
UPDATE dbo.[Order Line] SET [größe] = N'klein' WHERE [order-id] = 1
GO
