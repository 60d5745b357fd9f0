-- Two versions of a model side by side in production.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
CREATE TABLE visit AS SELECT g AS id, g * 37 % 100 AS pages, g * 61 % 100 AS minutes FROM generate_series(1, 3000) g;
CREATE TABLE history AS SELECT *, pages + minutes > 110 AS bought FROM visit WHERE id <= 1000;
SELECT model, version FROM wfml.train('buys', 'linear', 'SELECT pages, bought FROM history', 'bought');
SELECT model, version FROM wfml.train('buys', 'linear', 'SELECT pages, minutes, bought FROM history', 'bought', activate => false);
RESET client_min_messages;

-- Three of ten visitors get version 2's answer, always the same ones.
SELECT wfml.split_traffic('buys', 1, 2, 0.3);
SELECT p.model_version AS version, round(count(*) / 2000.0, 1) AS share
FROM visit v, LATERAL wfml.log_predict('buys', to_jsonb(v), v.id::text) p WHERE v.id > 1000 GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT p.model_version) AS versions
FROM visit v, generate_series(1, 5), LATERAL wfml.log_predict('buys', to_jsonb(v), '7') p WHERE v.id = 7;

-- Nothing is known before outcomes are.
SELECT model, mode, version_a, version_b, share, n_a, n_b, verdict FROM wfml.experiments;
UPDATE wfml.prediction p SET actual = (v.pages + v.minutes > 110)::text, actual_at = now() FROM visit v WHERE p.entity = v.id::text AND v.id > 1000;
SELECT n_a + n_b AS outcomes, metric, score_a > score_b AS b_is_better, difference BETWEEN lower AND upper AS inside,
	p_value, leader, verdict FROM wfml.experiments;

-- In shadow mode version 1 answers, and version 2 is asked beside it.
SELECT wfml.split_traffic('buys', 1, 2, 1, 'shadow');
SELECT p.model_version AS version, count(*)
FROM visit v, LATERAL wfml.log_predict('buys', to_jsonb(v), 'again ' || v.id) p WHERE v.id > 2900 GROUP BY 1;
SELECT version, shadow, count(*) FROM wfml.predictions WHERE entity LIKE 'again %' GROUP BY 1, 2 ORDER BY 1;
UPDATE wfml.prediction p SET actual = (v.pages + v.minutes > 110)::text, actual_at = now() FROM visit v WHERE p.entity = 'again ' || v.id;
SELECT mode, n_a, n_b, leader, verdict FROM wfml.experiments;

-- The winner takes over, which ends the experiment; its result stays.
SELECT wfml.activate('buys', 2);
SELECT mode, until IS NOT NULL AS ended, leader FROM wfml.experiments;
SELECT wfml.end_split('buys');

-- What cannot be split.
SELECT wfml.split_traffic('buys', 1, 3, 0.5);
SELECT wfml.split_traffic('buys', 1, 2, 30);
SELECT wfml.split_traffic('buys', 1, 2, 0.5, 'mirror');

SET client_min_messages = warning;
SELECT wfml.drop_model('buys');
DROP TABLE visit, history;
