-- Models are rows with versions; one version of a name is active.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

-- Two tables with opposite answers, so that versions can be told apart; one answer in seven is wrong.
CREATE TABLE up AS SELECT i % 20 AS hour, (i % 20 >= 10) <> (i % 7 = 0) AS busy FROM generate_series(1, 420) i;
CREATE TABLE down AS SELECT i % 20 AS hour, (i % 20 < 10) <> (i % 7 = 0) AS busy FROM generate_series(1, 420) i;
CREATE VIEW ask AS SELECT round(wfml.predict('traffic', '{"hour": 15}')) AS busy_at_15;

-- A name goes wrong before any work starts.
SELECT * FROM wfml.train('no spaces', 'gradient_boosting', 'up', 'busy');
SELECT * FROM ask;

SELECT model, version, algorithm, task, rows, features, positive
FROM wfml.train('traffic', 'gradient_boosting', 'up', 'busy', '{"validation": "none"}');
SELECT * FROM ask;
SELECT model, version FROM wfml.train('traffic', 'gradient_boosting', 'down', 'busy', '{"validation": "none"}');
SELECT * FROM ask;
SELECT name, version, algorithm, task, rows, positive, owner = current_user::regrole AS mine, comment FROM wfml.models WHERE name = 'traffic';
SELECT name, version, active, status, target, source, features, params FROM wfml.versions
WHERE name = 'traffic' ORDER BY version;

-- Any version by its number, and by its id.
SELECT round(wfml.predict('traffic@1', '{"hour": 15}')) AS v1, round(wfml.predict('traffic@2', '{"hour": 15}')) AS v2;
SELECT wfml.version_id('traffic@1') = (SELECT id FROM wfml.versions WHERE name = 'traffic' AND version = 1) AS same,
	round(wfml.predict_version(wfml.version_id('traffic@1'), '{"hour": 15}')) AS v1;

-- What does not exist is said with what was perhaps meant.
SELECT wfml.predict('trafic', '{"hour": 15}');
SELECT wfml.predict('weather', '{"hour": 15}');
SELECT wfml.predict('traffic@7', '{"hour": 15}');
SELECT wfml.predict('traffic@x', '{"hour": 15}');
SELECT wfml.predict_version(0, '{"hour": 15}');

-- Activation is an update like any other.
BEGIN;
SELECT wfml.activate('traffic', 1);
SELECT * FROM ask;
SAVEPOINT s;
SELECT wfml.activate('traffic', 2);
SELECT * FROM ask;
ROLLBACK TO s;
SELECT * FROM ask;
ROLLBACK;
SELECT * FROM ask;

-- Also inside functions that keep their call sites, and through subtransactions.
DO $$
DECLARE
	answers text := '';
BEGIN
	FOR i IN 1..4 LOOP
		BEGIN
			PERFORM wfml.activate('traffic', 1 + i % 2);
			answers := answers || round(wfml.predict('traffic', '{"hour": 15}'))::text;
			IF i % 2 = 1 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
		answers := answers || round(wfml.predict('traffic', '{"hour": 15}'))::text || ' ';
	END LOOP;
	RAISE NOTICE 'while, after: %', answers;
END $$;

-- Back, and further back.
SELECT wfml.activate('traffic', 2);
SET client_min_messages = warning;
SELECT model, version FROM wfml.train('traffic', 'gradient_boosting', 'up', 'busy', '{"validation": "none"}', activate => false);
RESET client_min_messages;
SELECT version, active FROM wfml.versions WHERE name = 'traffic' ORDER BY version;
SELECT wfml.activate('traffic', 3);
SELECT wfml.rollback('traffic');
SELECT * FROM ask;
SELECT wfml.rollback('traffic');
SELECT wfml.rollback('traffic');
SELECT wfml.rollback('traffic');
SELECT wfml.rollback('traffic');

-- Retired versions are kept for indexes, but not for use by name.
SELECT wfml.retire('traffic', (SELECT version FROM wfml.models WHERE name = 'traffic'));
SELECT wfml.activate('traffic', 2);
SELECT wfml.retire('traffic', 1);
SELECT wfml.predict('traffic@1', '{"hour": 15}');
SELECT round(wfml.predict_version(id, '{"hour": 15}')) FROM wfml.versions WHERE name = 'traffic' AND version = 1;
SELECT wfml.activate('traffic', 1);
SELECT * FROM ask;

-- An index holds its version; a created function holds its name.
SELECT wfml.version_id('traffic@2') AS id \gset
CREATE INDEX busy_hours ON up (wfml.predict_version(:id, up.*));
SELECT wfml.retire('traffic', 2);
SELECT wfml.drop_model('traffic', 2);
CREATE INDEX busy_hours_only ON up (hour) WHERE wfml.predict_version(:id::bigint, up.*) > 0.5;
SELECT wfml.drop_model('traffic');
DROP INDEX busy_hours, busy_hours_only;
SELECT wfml.create_function('traffic', 'busy_chance', 'up');
SELECT hour, round(u.busy_chance) AS busy FROM up u WHERE hour IN (3, 15) GROUP BY 1, 2 ORDER BY 1;
EXPLAIN (COSTS OFF, VERBOSE) SELECT u.busy_chance FROM up u;
SELECT wfml.drop_model('traffic');
SELECT wfml.rename_model('traffic', 'street');
DROP FUNCTION busy_chance;
CREATE TABLE nothing (minute int);
SELECT wfml.create_function('traffic', 'f', 'nothing');

-- Dropping: one version, the active one, all.
SELECT wfml.drop_model('traffic', 2);
SELECT wfml.drop_model('traffic', 1);
SELECT model, version FROM wfml.train('traffic', 'gradient_boosting', 'down', 'busy', '{"validation": "none"}');
SELECT version, active FROM wfml.versions WHERE name = 'traffic' ORDER BY version;

-- The registry row.
SELECT wfml.set_comment('traffic', 'is the road busy?');
SELECT wfml.set_source('traffic', 'public.down');
SELECT wfml.rename_model('traffic', 'road');
SELECT name, version, comment FROM wfml.models WHERE name IN ('traffic', 'road');
SELECT * FROM ask;
SELECT wfml.rename_model('road', 'not a name');
SELECT wfml.rename_model('road', 'traffic');

-- Out and in again, with what is known about it; but nobody runs a source that came with bytes.
CREATE TABLE carried AS SELECT wfml.export_model('traffic') AS bytes;
SELECT wfml.import_model('copy', bytes) FROM carried;
SELECT v.metric, v.rows, v.target, v.source, c.artifact_sha256 = t.artifact_sha256 AS same_bytes
FROM wfml.versions v, wfml.ml_model c, wfml.ml_model t
WHERE v.name = 'copy' AND c.name = 'copy' AND t.name = 'traffic' AND t.version = 4;
SELECT wfml.verify('copy'), round(wfml.predict('copy', '{"hour": 15}')) AS busy_at_15;
SELECT wfml.import_model('copy', substr(bytes, 1, 100)) FROM carried;
SELECT wfml.import_model('copy', set_byte(bytes, length(bytes) - 1, 255 - get_byte(bytes, length(bytes) - 1))) FROM carried;
SELECT wfml.import_model('copy', 'what is this');

-- Damage in the tables is found.
UPDATE wfml.ml_artifact SET bytes = set_byte(bytes, 400, 255 - get_byte(bytes, 400))
WHERE model_id = wfml.version_id('copy');
SELECT wfml.cache_clear() > 0 AS cleared;
SELECT wfml.verify('copy');
SELECT wfml.predict('copy', '{"hour": 15}');

-- Dropping leaves nothing.
SELECT wfml.drop_model('copy'), wfml.drop_model('traffic');
SELECT count(*) AS names FROM wfml.registry WHERE name IN ('copy', 'traffic', 'road');
SELECT count(*) AS versions FROM wfml.ml_model WHERE name IN ('copy', 'traffic', 'road');
SELECT count(*) AS chunks_of_nobody FROM wfml.ml_artifact a WHERE NOT EXISTS (SELECT FROM wfml.ml_model m WHERE m.id = a.model_id);
DROP VIEW ask;
DROP TABLE up, down, nothing, carried;
