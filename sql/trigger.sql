-- A model scores the rows of a table as they arrive, and outcomes come back.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

CREATE TABLE delivered AS
	SELECT i % 24 AS hour, (i * 37 % 100) / 10.0 AS km, CASE i % 3 WHEN 0 THEN 'bike' WHEN 1 THEN 'van' ELSE 'car' END AS vehicle,
		(i % 24 >= 16) <> (i % 11 = 0) AS late
	FROM generate_series(1, 1100) i;
SELECT model, version, task, rows, positive FROM wfml.train('lateness', 'gradient_boosting', 'delivered', 'late', '{"validation": "none"}');

CREATE TABLE delivery (
	id bigint PRIMARY KEY,
	hour integer,
	km numeric,
	vehicle text,
	will_be_late boolean,
	sure double precision,
	late boolean
);
SELECT wfml.attach('lateness', 'delivery', 'id', output_column => 'will_be_late', confidence_column => 'sure', outcome_column => 'late');
SELECT model, relation, key_column, output_column, confidence_column, outcome_column, broken FROM wfml.attachments;
SELECT regexp_replace(pg_get_triggerdef(oid, true), 'wfml_([a-z]+)_\d+', 'wfml_\1_N') AS triggers FROM pg_trigger WHERE tgrelid = 'delivery'::regclass ORDER BY 1;

-- However rows arrive.
INSERT INTO delivery (id, hour, km, vehicle) VALUES (1, 9, 3.5, 'van'), (2, 18, 1.2, 'bike'), (3, 20, 9.9, 'car')
	RETURNING id, hour, will_be_late, sure > 0.7 AS sure;
COPY delivery (id, hour, km, vehicle) FROM stdin WITH (DELIMITER ' ');
4 6 2.5 van
5 22 2.5 van
\.
INSERT INTO delivery (id, hour) VALUES (1, 20), (6, 20) ON CONFLICT (id) DO UPDATE SET hour = excluded.hour;
UPDATE delivery SET hour = 17 WHERE id = 4;
SELECT id, hour, will_be_late FROM delivery ORDER BY id;
-- Each prediction for a row that exists is in the log.
SELECT entity, label, source, version, actual FROM wfml.predictions WHERE model = 'lateness' ORDER BY id;

-- What really happened joins the latest prediction, and is not predicted again.
UPDATE delivery SET late = true WHERE id IN (1, 2);
UPDATE delivery SET late = false, hour = 10 WHERE id = 4;
UPDATE delivery SET hour = 3 WHERE id = 2;
SELECT entity, label, actual FROM wfml.predictions WHERE model = 'lateness' ORDER BY id;

-- A table that uses a model keeps it.
SELECT wfml.drop_model('lateness');

-- When the model cannot answer, its rule does; one warning for a statement.
SELECT wfml.set_fallback('lateness', 'CASE WHEN hour >= 17 THEN ''yes'' ELSE ''no'' END');
ALTER TABLE delivery RENAME km TO distance;
INSERT INTO delivery (id, hour) VALUES (10, 9), (11, 18), (12, 20) RETURNING id, will_be_late, sure;
SELECT entity, label, source, error FROM wfml.predictions WHERE model = 'lateness' AND error IS NOT NULL ORDER BY id;
SELECT model, relation, broken FROM wfml.attachments;
-- Without a rule the column is left as it is.
SELECT wfml.set_fallback('lateness', NULL);
INSERT INTO delivery (id, hour, will_be_late) VALUES (13, 9, true), (14, 18, NULL) RETURNING id, will_be_late;
-- Or the statement fails, if one wants that.
SET wfml.on_error = 'error';
INSERT INTO delivery (id, hour) VALUES (15, 9);
RESET wfml.on_error;
ALTER TABLE delivery RENAME distance TO km;

-- Partitions, also those with other columns attached later; one warning for all of them.
CREATE TABLE rides (id bigint, vehicle text, hour integer, km numeric, chance real) PARTITION BY LIST (vehicle);
CREATE TABLE rides_van PARTITION OF rides FOR VALUES IN ('van');
SELECT wfml.attach('lateness', 'rides', 'id', 'chance');
CREATE TABLE rides_bike (chance real, km numeric, hour integer, vehicle text, id bigint);
ALTER TABLE rides ATTACH PARTITION rides_bike FOR VALUES IN ('bike');
INSERT INTO rides (id, vehicle, hour, km) VALUES (1, 'van', 20, 1), (2, 'bike', 20, 1), (3, 'bike', 5, 1);
SELECT tableoid::regclass, id, chance > 0.5 AS late FROM rides ORDER BY id;
ALTER TABLE rides RENAME km TO distance;
INSERT INTO rides (id, vehicle, hour) VALUES (4, 'van', 20), (5, 'bike', 20), (6, 'bike', 5);
ALTER TABLE rides RENAME distance TO km;

-- A renamed model keeps its tables.
SELECT wfml.rename_model('lateness', 'delays');
INSERT INTO delivery (id, hour, km, vehicle) VALUES (20, 20, 1, 'car') RETURNING id, will_be_late;

-- A rule may come before the model.
SELECT wfml.set_fallback('eta', '10 + 4 * km');
CREATE TABLE trip (id bigint, km numeric, minutes integer);
SELECT wfml.attach('eta', 'trip', 'id', 'minutes');
INSERT INTO trip (id, km) VALUES (1, 3.2), (2, 10) RETURNING *;

-- A cancel is no failure of a model.
SELECT wfml.set_fallback('eta', 'length(factorial(32000 + km::integer)::text)');
SET statement_timeout = '50ms';
INSERT INTO trip (id, km) VALUES (3, 1);
RESET statement_timeout;
SELECT count(*) AS trips FROM trip;
SELECT wfml.set_fallback('eta', '10 + 4 * km');

-- What goes wrong when attaching.
SELECT wfml.attach('delays', 'delivery', 'id');
SELECT wfml.attach('delays', 'delivered', 'id');
SELECT wfml.attach('delays', 'delivered', 'hour', 'vehicle');
SELECT wfml.attach('eta', 'delivery', 'id', 'km');
SELECT wfml.attach('eta', 'wfml.models', 'name');
SELECT wfml.set_fallback('eta', 'km + random()');
SELECT wfml.set_fallback('eta', '(SELECT max(km) FROM trip)');
SELECT wfml.set_fallback('eta', 'km +');

SELECT wfml.detach('delays', 'delivery');
SELECT wfml.detach('delays', 'rides');
SELECT wfml.detach('eta', 'trip');
SELECT wfml.detach('eta', 'trip');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgname LIKE 'wfml%' AND tgrelid::regclass::text IN ('delivery', 'trip', 'rides', 'rides_van', 'rides_bike');
SELECT wfml.drop_model('delays');
SELECT wfml.drop_model('eta');
DROP TABLE delivered, delivery, rides, trip;
