-- What discovery and the doctor found at the sources. Rows here are replaced as a whole, never edited.

CREATE TABLE _sluice.source_table (
	source_id   bigint NOT NULL REFERENCES _sluice.source ON DELETE CASCADE,
	object_id   bigint NOT NULL,
	schema_name text NOT NULL,
	table_name  text NOT NULL,
	rows        bigint,
	cdc         boolean NOT NULL,
	memory_optimized boolean,
	temporal    text,
	key         jsonb NOT NULL DEFAULT '[]',
	primary_key jsonb NOT NULL DEFAULT '[]',
	engine      text,
	cascades    jsonb NOT NULL DEFAULT '[]',
	PRIMARY KEY (source_id, object_id)
);
CREATE INDEX source_table_name ON _sluice.source_table (source_id, schema_name, table_name);
COMMENT ON TABLE _sluice.source_table IS 'Tables of a source as last discovered';

CREATE TABLE _sluice.source_column (
	source_id   bigint NOT NULL,
	object_id   bigint NOT NULL,
	ordinal     integer NOT NULL,
	name        text NOT NULL,
	facts       jsonb NOT NULL,
	PRIMARY KEY (source_id, object_id, ordinal),
	FOREIGN KEY (source_id, object_id) REFERENCES _sluice.source_table ON DELETE CASCADE
);
COMMENT ON TABLE _sluice.source_column IS 'Columns of a source''s tables as last discovered';

CREATE TABLE _sluice.capture_instance (
	source_id        bigint NOT NULL REFERENCES _sluice.source ON DELETE CASCADE,
	instance         text NOT NULL,
	object_id        bigint NOT NULL,
	source_object_id bigint NOT NULL,
	start            _sluice.pos,
	start_before     _sluice.pos,
	create_date      text,
	command_id       boolean,
	readable         boolean,
	columns          jsonb,
	key              jsonb,
	mark             jsonb,
	change           text CHECK (change IN ('truncate', 'drop', 'create', 'partition')),
	message          text,
	ahead            boolean NOT NULL DEFAULT false,
	PRIMARY KEY (source_id, instance)
);
CREATE INDEX capture_instance_table ON _sluice.capture_instance (source_id, source_object_id);
CREATE INDEX capture_instance_ahead ON _sluice.capture_instance (source_id, source_object_id) WHERE ahead;
COMMENT ON TABLE _sluice.capture_instance IS 'Capture instances of a source: low-water marks from each poll, columns from discovery (NULL until then). Of a source with one log: shapes, the columns of a table above a position; ahead: its table has not come to it';
COMMENT ON COLUMN _sluice.capture_instance.change IS 'Of a shape: what was before it is of another life of the table';

CREATE TABLE _sluice.check_step (
	source_id bigint REFERENCES _sluice.source ON DELETE CASCADE,
	target_id bigint REFERENCES _sluice.target ON DELETE CASCADE,
	n         integer NOT NULL,
	step      jsonb NOT NULL,
	checked_at timestamptz NOT NULL,
	CHECK (num_nonnulls(source_id, target_id) = 1)
);
CREATE INDEX check_step_source ON _sluice.check_step (source_id);
CREATE INDEX check_step_target ON _sluice.check_step (target_id);
COMMENT ON TABLE _sluice.check_step IS 'What the doctor found at a source or target, step by step';
