-- Predictions that are logged: log_predict() and wfml.predictions.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

-- Loans that fail when large for the income.
CREATE TABLE loans AS
SELECT i AS id, 1000 * (1 + (i * 7919) % 50) AS amount, 100 * (10 + (i * 10007) % 40) AS income,
	(1000 * (1 + (i * 7919) % 50) > 10 * 100 * (10 + (i * 10007) % 40)) <> (i % 50 = 0) AS failed
FROM generate_series(1, 1000) i;
SELECT model, version, task, positive FROM wfml.train('loan', 'gradient_boosting', 'loans', 'failed',
	'{"validation": "none", "rounds": 20}', features => '{amount,income}');

-- It answers as predict_detail() does, and writes down what it answered, about what (the third argument), and for whom.
SELECT l.id, p.label, round(p.confidence::numeric, 1) AS confidence, p.model_version, p.source
FROM (SELECT * FROM loans WHERE id <= 3) l, LATERAL wfml.log_predict('loan', l.*, l.id) p ORDER BY l.id;
SET wfml.user_id = 'ann';
SELECT label, source FROM wfml.log_predict('loan', '{"amount": 50000, "income": 1000}', 'a letter');
RESET wfml.user_id;
SELECT model, version, made_by = current_user AS mine, user_id, entity, label, round(value::numeric) AS value, source,
	latency_us >= 0 AS timed, actual, error
FROM wfml.predictions WHERE model = 'loan' ORDER BY id DESC;

-- wfml.user_id narrows what is seen.
SET wfml.user_id = 'ann';
SELECT entity FROM wfml.predictions WHERE model = 'loan';
RESET wfml.user_id;

-- What is rolled back is not logged; a read-only transaction gets its answer.
BEGIN;
SELECT label FROM wfml.log_predict('loan', '{"amount": 1000, "income": 1000}', 'undone');
ROLLBACK;
BEGIN READ ONLY;
SELECT label FROM wfml.log_predict('loan', '{"amount": 1000, "income": 1000}', 'read only');
COMMIT;
SELECT count(*) FROM wfml.predictions WHERE entity IN ('undone', 'read only');

-- The input is kept when the model's owner wants it: of the row only what the model uses.
SELECT wfml.set_log_input('loan', true);
SELECT p.label FROM (SELECT * FROM loans WHERE id = 7) l, LATERAL wfml.log_predict('loan', l.*, l.id) p;
SELECT entity, input FROM wfml.predictions WHERE model = 'loan' ORDER BY id DESC LIMIT 1;
SELECT wfml.set_log_input('loan', false);

-- A model that cannot answer: the error is the caller's, or the model's rule answers.
SELECT * FROM wfml.log_predict('loan', '{"amount": 50000}', 'no income');
SELECT wfml.set_fallback('loan', 'CASE WHEN amount > 30000 THEN 0.9 ELSE 0.2 END');
SELECT value, label, model_version, source FROM wfml.log_predict('loan', '{"amount": 50000}', 'no income');
SELECT entity, value, version, source, error FROM wfml.predictions WHERE model = 'loan' ORDER BY id DESC LIMIT 1;
SET wfml.on_error = error;
SELECT * FROM wfml.log_predict('loan', '{"amount": 50000}', 'no income');
RESET wfml.on_error;
SELECT * FROM wfml.log_predict('lone', '{"amount": 50000}');

-- Less of it, or none.
SET wfml.log_sample_rate = 0;
SELECT label FROM wfml.log_predict('loan', '{"amount": 1000, "income": 1000}', 'left out');
RESET wfml.log_sample_rate;
SELECT count(*) FROM wfml.predictions WHERE entity = 'left out';

-- A renamed model keeps its predictions, and so does a dropped one.
SELECT wfml.rename_model('loan', 'credit');
SELECT model, count(*) FROM wfml.predictions WHERE model IN ('loan', 'credit') GROUP BY model;
SELECT wfml.drop_model('credit');
SELECT model, count(*) FROM wfml.predictions WHERE model IN ('loan', 'credit') GROUP BY model;

-- Old ones go: by default those older than wfml.prediction_retention.
SET client_min_messages = warning;
CALL wfml.prune_predictions();
SELECT count(*) FROM wfml.predictions WHERE model = 'credit';
CALL wfml.prune_predictions('0');
SELECT count(*) FROM wfml.predictions WHERE model = 'credit';
RESET client_min_messages;
DROP TABLE loans;
