-- The inventory sample: four tables shaped as in Debezium's SQL Server tutorial, rows of our own.
CREATE DATABASE inventory
GO
ALTER DATABASE inventory SET ALLOW_SNAPSHOT_ISOLATION ON
GO
USE inventory
GO
EXEC sys.sp_cdc_enable_db
GO
CREATE TABLE dbo.products (
  id int IDENTITY(101,1) NOT NULL PRIMARY KEY,
  name varchar(255) NOT NULL,
  description varchar(512),
  weight float
)
GO
CREATE TABLE dbo.products_on_hand (
  product_id int NOT NULL PRIMARY KEY,
  quantity int NOT NULL
)
GO
CREATE TABLE dbo.customers (
  id int IDENTITY(1001,1) NOT NULL PRIMARY KEY,
  first_name nvarchar(255) NOT NULL,
  last_name nvarchar(255) NOT NULL,
  email varchar(255) NOT NULL UNIQUE
)
GO
CREATE TABLE dbo.orders (
  id int IDENTITY(10001,1) NOT NULL PRIMARY KEY,
  order_date date NOT NULL,
  purchaser int NOT NULL,
  quantity int NOT NULL,
  product_id int NOT NULL
)
GO
INSERT INTO dbo.products (name, description, weight) VALUES
  ('anvil', 'Forged steel anvil, horn and hardy hole', 55),
  ('bench vice', 'Cast iron vice with 125 mm jaws', 14.2),
  ('claw hammer', 'Ash handle, polished head', 0.68),
  ('drill bits', 'Set of 19 bits, 1 mm to 10 mm', 0.9),
  ('emery cloth', 'Assorted grits, 10 sheets', 0.12),
  ('file', 'Half-round file, second cut', 0.31),
  ('gauge', NULL, 0.045),
  ('hand plane', 'Smoothing plane No. 4', 1.7),
  ('iron wire', '50 m coil, 1.4 mm, annealed', 0.605)
GO
INSERT INTO dbo.products_on_hand (product_id, quantity) VALUES
  (101, 3), (102, 8), (103, 18), (104, 4), (105, 5), (106, 0), (107, 44), (108, 2), (109, 5)
GO
INSERT INTO dbo.customers (first_name, last_name, email) VALUES
  (N'Ada', N'Muster', 'ada@example.org'),
  (N'Bjørn', N'Prøve', 'bjorn@example.org'),
  (N'Chloé', N'Essai', 'chloe@example.org'),
  (N'Dżem', N'Próba', 'dzem@example.org')
GO
INSERT INTO dbo.orders (order_date, purchaser, quantity, product_id) VALUES
  ('2026-01-16', 1001, 1, 102), ('2026-01-17', 1002, 2, 105), ('2026-02-19', 1002, 2, 106), ('2026-02-21', 1003, 1, 107)
GO
EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'products', @role_name = NULL, @supports_net_changes = 0
GO
EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'products_on_hand', @role_name = NULL, @supports_net_changes = 0
GO
EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'customers', @role_name = NULL, @supports_net_changes = 0
GO
EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'orders', @role_name = NULL, @supports_net_changes = 0
GO
