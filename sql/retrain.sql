-- Retraining: the stored training again, and champion against challenger.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;
SET max_parallel_maintenance_workers = 0;

-- Deliveries: late ones have far to go in bad weather; one in ten is a surprise.
CREATE FUNCTION deliveries(since int, until int) RETURNS TABLE (id int, km int, rain float8, late boolean)
LANGUAGE sql AS $$
	SELECT i, (i * 7919) % 60, ((i * 104729) % 1000) / 100.0,
		((i * 7919) % 60 + 4 * ((i * 104729) % 1000) / 100.0 > 50) <> ((i * 31337) % 1009 < 100)
	FROM generate_series(since, until) i $$;
CREATE TABLE delivery AS SELECT * FROM deliveries(1, 600);
ALTER TABLE delivery ADD PRIMARY KEY (id);
SELECT version, rows, features FROM wfml.train('late', 'gradient_boosting', 'delivery', 'late', '{"rounds": 40}');

-- Nothing new: the same bytes again.  They are stored, but nothing speaks for them.
SELECT version, activated, reason, fresh_rows, rows FROM wfml.retrain('late');
SELECT count(*) AS versions, count(DISTINCT artifact_sha256) AS different FROM wfml.ml_model WHERE name = 'late';

-- Rows that the active version was not trained on judge: the new one knows more of the world.
INSERT INTO delivery SELECT * FROM deliveries(601, 4000);
SELECT version, activated, metric, champion > challenger AS better, bound < 0.01 AS tolerable,
	fresh_rows > 3300 AS fresh, rows, champion_version
FROM wfml.retrain('late');
SELECT metric, split, value < baseline AS good FROM wfml.metrics('late') WHERE metric = 'log_loss';
SELECT version, active FROM wfml.versions WHERE name = 'late' ORDER BY version;

-- A table that lost most of its rows makes a worse model, and that shows on the few new ones.
DELETE FROM delivery WHERE id > 60;
INSERT INTO delivery SELECT id, km, rain, late FROM deliveries(4001, 4600);
SELECT version, activated, champion < challenger AS worse, bound > 0.01 AS intolerable, rows
FROM wfml.retrain('late');
-- … unless one wants it.
SELECT version, activated, reason ~ '^by force' AS forced FROM wfml.retrain('late', force => true);

-- A new column is not for the old model; one that is gone is missed.
ALTER TABLE delivery ADD COLUMN driver text DEFAULT 'x';
SELECT rows FROM wfml.retrain('late');
ALTER TABLE delivery RENAME COLUMN rain TO wet;
SELECT * FROM wfml.retrain('late');
ALTER TABLE delivery RENAME COLUMN wet TO rain;

-- A table that was renamed has to be named again.
ALTER TABLE delivery RENAME TO parcel;
SELECT * FROM wfml.retrain('late');
SELECT wfml.set_source('late', 'public.parcel');
SELECT rows FROM wfml.retrain('late');

-- Numbers are judged by their root mean squared error.
CREATE TABLE trip AS SELECT i AS id, (i * 7919) % 60 AS km, 2 * ((i * 7919) % 60) + (i * 31337) % 11 AS minutes
FROM generate_series(1, 300) i;
SELECT version FROM wfml.train('duration', 'linear', 'trip', 'minutes', task => 'regression', features => '{km}');
INSERT INTO trip SELECT i, i % 100 + 0, 2 * (i % 100) + (i * 31337) % 13 FROM generate_series(301, 3000) i;
SELECT activated, metric, rows FROM wfml.retrain('duration');

-- What has no target has nothing to be judged by.
SELECT version FROM wfml.train('odd', 'isolation_forest', 'trip', features => '{km,minutes}');
SELECT activated, reason, metric FROM wfml.retrain('odd');

SELECT * FROM wfml.retrain('nobody');
SELECT * FROM wfml.retrain('late', tolerance => -1);

DROP TABLE parcel, trip;
DROP FUNCTION deliveries;
SET client_min_messages = warning;
SELECT wfml.drop_model(name) FROM wfml.models WHERE name IN ('late', 'duration', 'odd');
