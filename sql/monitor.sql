-- How good models are in production, and how they are.
\set VERBOSITY terse
\pset null ~
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;

CREATE TABLE visits (id int PRIMARY KEY, pages int, minutes float8, risk float8, bought boolean);
INSERT INTO visits
    SELECT i, i % 12, i * 7 % 31, NULL, (i % 12 > 5) <> (i % 9 = 0) FROM generate_series(1, 600) i;
SELECT model, version, metric, round(score::numeric, 4) AS score
FROM wfml.train('buyers', 'gradient_boosting', 'SELECT pages, minutes, bought FROM visits', 'bought');

-- From now on visits are scored as they arrive, and what happened joins them.
SELECT wfml.attach('buyers', 'visits', key_column => 'id', output_column => 'risk', outcome_column => 'bought');
INSERT INTO visits (id, pages, minutes) SELECT i, i % 12, i * 7 % 31 FROM generate_series(1001, 1240) i;
SELECT name, version, status, predictions_24h, live, outcomes, advice FROM wfml.health WHERE name = 'buyers';

-- Buyers have become other people: the first half behaves as in training, the second does not.
UPDATE visits SET bought = (pages > 5) <> (id % 9 = 0) WHERE id BETWEEN 1001 AND 1120;
UPDATE visits SET bought = (pages <= 5) <> (id % 4 = 0) WHERE id BETWEEN 1121 AND 1200;
-- Some days later
UPDATE wfml.prediction SET made_at = made_at - CASE WHEN entity::int <= 1120 THEN interval '4 days' ELSE interval '3 days' END,
    actual_at = actual_at - interval '2 days' WHERE model = 'buyers';
SELECT model, outcomes, date_trunc('day', delay) AS delay FROM wfml.outcome_delay WHERE model = 'buyers';
SELECT version, metric, round(value::numeric, 4) AS value, round(lower::numeric, 4) AS lower, round(upper::numeric, 4) AS upper, n
FROM wfml.live_scores('buyers');
-- The same by hand
SELECT wfml.accuracy(actual, label), count(*) AS n FROM wfml.answers WHERE model = 'buyers' AND actual IS NOT NULL;
SELECT name, status, metric, live, live_lower, live_upper, training, outcomes, advice FROM wfml.health WHERE name = 'buyers';
SELECT row_number() OVER (ORDER BY at) AS day, version, predictions, outcomes, metric, round(live::numeric, 4) AS live, fallback_rate
FROM wfml.trend('buyers');
SELECT name, predictions, cache_hits, fallback_rate, error_rate, live, outcomes FROM wfml.metrics_24h WHERE name = 'buyers';

-- A model of the new buyers, beside the old one on rows that neither has seen
SELECT model, version FROM wfml.train('buyers', 'gradient_boosting',
    'SELECT pages, minutes, bought FROM visits WHERE id BETWEEN 1121 AND 1180', 'bought');
CREATE VIEW unseen AS SELECT i % 12 AS pages, (i * 5 % 31)::float8 AS minutes, (i % 12 <= 5) <> (i % 4 = 0) AS bought
    FROM generate_series(2001, 2400) i;
SELECT model, metric, round(value::numeric, 4) AS value, round(difference::numeric, 4) AS difference, round(lower::numeric, 4) AS lower,
    round(upper::numeric, 4) AS upper, round(p_value::numeric, 3) AS p_value, verdict, rows
FROM wfml.compare('{buyers@1,buyers}', 'unseen');
SELECT * FROM wfml.compare('{buyers}', 'unseen');

-- The database as a whole
SELECT metric, unit, covers FROM wfml.system_metrics WHERE covers NOT LIKE 'all sessions%' ORDER BY metric COLLATE "C";

SELECT wfml.detach('buyers', 'visits');
SELECT wfml.drop_model('buyers');
DROP TABLE visits;
DROP VIEW unseen;
DELETE FROM wfml.prediction WHERE model = 'buyers';
