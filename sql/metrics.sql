-- Metrics as aggregates: how good are predictions, over any rows and groups?
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

CREATE TABLE guess (id int, happened boolean, p float8, actual text, predicted text, y float8, f float8);
INSERT INTO guess
SELECT g, g % 3 = 0, CASE WHEN g % 3 = 0 THEN 0.55 ELSE 0.35 END + (g * 7 % 10) / 25.0 - 0.18,
	(ARRAY['red', 'green', 'blue'])[1 + g % 3], (ARRAY['red', 'green', 'blue'])[1 + (g + (g % 4 = 0)::int) % 3],
	g % 10, g % 10 + (g % 7 - 3) / 4.0
FROM generate_series(1, 2000) g;

-- Numbers.  The published example: 13.825, 220.3525, 0.279929.
SELECT wfml.mae(actual, predicted), round(wfml.rmse(actual, predicted)::numeric ^ 2, 4) AS mse,
	round(wfml.r2(actual, predicted)::numeric, 6) AS r2
FROM (VALUES (53.1, 37.5), (34.2, 12.3), (65.4, 74.2), (82.1, 91.1), (NULL, 1), (1, NULL)) v (actual, predicted);

-- Labels, of any type: compared by their text, as classify() returns them.
SELECT wfml.accuracy(actual, predicted), round(wfml.f1_score(actual, predicted)::numeric, 6) AS f1,
	round(wfml.precision_score(actual, predicted, 'weighted')::numeric, 6) AS weighted,
	round(wfml.recall_score(actual, predicted, 'micro')::numeric, 6) AS micro
FROM guess;
SELECT wfml.accuracy(true, 'true'), wfml.accuracy(1.0, 1), wfml.accuracy('x'::char(5), 'x'), wfml.accuracy(date '2026-01-02', date '2026-01-02');

-- The positive class: true, 1, or a comparison.
SELECT round(wfml.auc(happened, p)::numeric, 6) AS auc, round(wfml.auc(happened::int, p)::numeric, 6) AS of_numbers,
	round(wfml.auc(actual = 'red', p)::numeric, 6) AS of_red,
	round(wfml.average_precision(happened, p)::numeric, 6) AS average_precision,
	round(wfml.log_loss(happened, p)::numeric, 6) AS log_loss, round(wfml.brier(happened, p)::numeric, 6) AS brier,
	round(wfml.ece(happened, p)::numeric, 6) AS ece, round(wfml.ece(happened, p, 5)::numeric, 6) AS ece5,
	round(wfml.f1_score(happened, p > 0.5, 'binary')::numeric, 6) AS f1
FROM guess;
SELECT wfml.auc(actual, p) FROM guess;

-- By group, and as a window.
SELECT id % 2 AS half, round(wfml.auc(happened, p)::numeric, 4) AS auc, count(*) FROM guess GROUP BY 1 ORDER BY 1;
SELECT id, round(wfml.mae(y, f) OVER (ORDER BY id ROWS 2 PRECEDING)::numeric, 4) AS mae FROM guess ORDER BY id LIMIT 4;

-- Rankings, one per user.
SELECT u, round(wfml.ndcg(relevance, rank)::numeric, 6) AS ndcg, round(wfml.ndcg(relevance, rank, 2)::numeric, 6) AS at_2
FROM (VALUES (1, 3, 1), (1, 2, 2), (1, 3, 3), (1, 0, 4), (2, 0, 1), (2, 1, 2), (3, 0, 1)) v (u, relevance, rank)
GROUP BY u ORDER BY u;

-- Nothing to say: no rows, one class.
SELECT wfml.accuracy(1, 1), wfml.r2(1, 1), wfml.auc(true, 1) FROM guess WHERE false;
SELECT wfml.auc(true, p), wfml.average_precision(true, p) FROM guess;

-- The same in parallel, to the last bit.
CREATE TABLE alone AS
SELECT wfml.auc(happened, p), wfml.average_precision(happened, p) AS ap, wfml.log_loss(happened, p), wfml.ece(happened, p),
	wfml.f1_score(actual, predicted), wfml.r2(y, f), wfml.rmse(y, f), wfml.ndcg(y, id) FROM guess;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT wfml.auc(happened, p), wfml.f1_score(actual, predicted) FROM guess;
SELECT a = b AS same FROM alone a, (
	SELECT wfml.auc(happened, p), wfml.average_precision(happened, p) AS ap, wfml.log_loss(happened, p), wfml.ece(happened, p),
		wfml.f1_score(actual, predicted), wfml.r2(y, f), wfml.rmse(y, f), wfml.ndcg(y, id) FROM guess) b;
RESET max_parallel_workers_per_gather;

-- What cannot be meant.
SELECT wfml.log_loss(true, 1.5);
SELECT wfml.f1_score(1, 1, 'samples');
SELECT wfml.ndcg(1, 0);
SELECT wfml.auc_final('\x00');

DROP TABLE guess, alone;
