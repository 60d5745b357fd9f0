-- Recommendations from what users did with items: ids of any type, no matrix to build.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

-- A shop. Even customers drink tea, odd ones coffee: three of the five on their shelf; most take milk.
CREATE TABLE shelf (product text PRIMARY KEY, kind text, words text, price numeric);
INSERT INTO shelf VALUES
	('sencha', 'tea', 'green leaves from Japan', 6), ('darjeeling', 'tea', 'black leaves from India', 5), ('oolong', 'tea', 'dark leaves from China', 7),
	('mint', 'tea', 'fresh leaves', 3), ('chai', 'tea', 'black leaves with spices from India', 4),
	('espresso', 'coffee', 'dark roast beans', 9), ('filter', 'coffee', 'medium roast ground', 7), ('decaf', 'coffee', 'ground without caffeine', 8),
	('mocha', 'coffee', 'beans from Yemen', 12), ('crema', 'coffee', 'mild roast beans', 8), ('milk', 'dairy', 'a bottle', 1);
CREATE TABLE bought AS
SELECT c AS customer, s.product, timestamptz '2026-01-01 12:00Z' + c * interval '1 hour' AS at
FROM generate_series(1, 120) c,
	(SELECT product, kind, row_number() OVER (PARTITION BY kind ORDER BY product) AS place FROM shelf) s
WHERE (s.kind = CASE WHEN c % 2 = 0 THEN 'tea' ELSE 'coffee' END AND (s.place + c / 2) % 5 IN (0, 1, 3))
	OR (s.kind = 'dairy' AND c % 3 > 0);

-- One call. A fifth of the rows is held out to measure with, beside always recommending what is popular.
SELECT model, version, algorithm, task, rows, features, metric, score > baseline AS better_than_popular
FROM wfml.train_recommender('shop', 'bought', 'customer', 'product', params => '{"seed": 1}');

-- What customer 2 bought, and what next: the rest of the shelf comes first.
SELECT string_agg(product, ', ' ORDER BY product) AS has FROM bought WHERE customer = 2;
SELECT item, source, rank FROM wfml.recommend('shop', 2, 3);
-- Also what he has already.
SELECT bool_or(item = 'milk') AS milk, count(*) FROM wfml.recommend('shop', 2, 20, exclude_seen => false);

-- Somebody new: what many buy. In front of a shelf already: what goes with it.
SELECT item, source, rank FROM wfml.recommend('shop', NULL, 1);
SELECT item, source FROM wfml.recommend('shop', 4711, 2, history => '{espresso,decaf,no such thing}') ORDER BY rank;

-- Ids come as they are: numbers, text, parameters of no stated type.
SELECT count(DISTINCT list) AS answers FROM (
	SELECT string_agg(item, ',' ORDER BY rank) AS list FROM wfml.recommend('shop', 2)
	UNION ALL SELECT string_agg(item, ',' ORDER BY rank) FROM wfml.recommend('shop', '2')
	UNION ALL SELECT string_agg(item, ',' ORDER BY rank) FROM wfml.recommend('shop', 2::smallint, n => 10)
	UNION ALL SELECT string_agg(item, ',' ORDER BY rank) FROM wfml.recommend(model => 'shop', user_id => '2'::varchar)) a;
PREPARE ask AS SELECT item FROM wfml.recommend('shop', $1, 1);
EXECUTE ask (2);
DEALLOCATE ask;

-- For many at once, in one query.
SELECT customer, string_agg(r.item, ', ' ORDER BY r.rank) AS next
FROM generate_series(2, 5) customer, LATERAL wfml.recommend('shop', customer, 2) r GROUP BY customer ORDER BY customer;

-- Alike, because the same customers buy them.
SELECT s.item, shelf.kind FROM wfml.similar_items('shop', 'sencha', 2) s JOIN shelf ON product = item ORDER BY rank;
SELECT count(*) AS unknown_item FROM wfml.similar_items('shop', 'no such thing');

-- Ratings: customers are kind or strict, products good or not.
CREATE TABLE rated AS
SELECT c AS customer, p AS product, least(5, greatest(1, 3 + (c % 3 - 1) + (p % 5 - 2) * 0.6 + (c * 7 + p * 13) % 5 * 0.1 - 0.2))::numeric(3, 1) AS stars
FROM generate_series(1, 60) c, generate_series(1, 25) p WHERE (c * 31 + p * 17) % 3 > 0;
INSERT INTO rated VALUES (1, 1, 'NaN'), (NULL, 3, 4), (7, NULL, 1), (7, 3, NULL);
SELECT metric, rows FROM wfml.train_recommender('stars', 'rated', 'customer', 'product', 'stars');
SELECT metric, value < 0.3 AS small, value < baseline AS better FROM wfml.metrics('stars') WHERE metric = 'rmse';
SELECT customer, product, round(wfml.predict_rating('stars', customer, product)::numeric) AS stars
FROM (VALUES (3, 25), (3, 22), (2, 24), (2, 20)) v(customer, product);
-- Of a stranger: the mean and what is known of the product.
SELECT round(wfml.predict_rating('stars', 'new here', 25)::numeric) AS bad, round(wfml.predict_rating('stars', NULL, 24)::numeric) AS good,
	round(wfml.predict_rating('stars', NULL, 'unknown')::numeric) AS mean, wfml.predict_rating('stars', 1, NULL) AS nothing;

-- A pair that comes twice has the mean of its ratings.
SELECT rows FROM wfml.train_recommender('again', $$VALUES (1, 'a', 2), (1, 'a', 4), (2, 'a', 3), (2, 'b', 1)$$,
	'column1', 'column2', 'column3');

-- Items that nobody has bought yet are found by what they are made of.
INSERT INTO shelf VALUES ('ceylon', 'tea', 'black leaves from Sri Lanka', 5), ('ristretto', 'coffee', 'dark roast beans', 10);
SELECT features FROM wfml.train_recommender('shop', 'bought', 'customer', 'product', time_column => 'at', items => 'shelf', params => '{"seed": 1}');
SELECT item, source FROM wfml.recommend('shop', NULL, 20, history => '{ceylon}') WHERE rank = 1;
SELECT item FROM wfml.similar_items('shop', 'ristretto', 1);

-- The same views and functions as for every model.
SELECT name, version, algorithm, metric FROM wfml.models WHERE name IN ('shop', 'stars') ORDER BY name;
SELECT wfml.model_info('shop') ->> 'users' AS users, wfml.model_info('shop') ->> 'items' AS items, wfml.verify('shop');
SELECT wfml.import_model('copy', wfml.export_model('shop'));
SELECT count(*) AS differ FROM (
	SELECT customer, r.* FROM generate_series(1, 120) customer, LATERAL wfml.recommend('shop', customer) r
	EXCEPT SELECT customer, r.* FROM generate_series(1, 120) customer, LATERAL wfml.recommend('copy', customer) r) d;

-- A look before: what is there, and what training would take.
SELECT column_name, type, role, n_distinct, nulls, note FROM wfml.inspect_recommender('rated', 'customer', 'product', 'stars')
WHERE column_name NOT IN ('(seconds)', '(memory)', '(model)');
SELECT column_name, note ~ '^(below|about) [0-9]+( [kM]?B)?$|^about [0-9]+ bytes$' AS forecast FROM wfml.inspect_recommender('rated', 'customer', 'product', 'stars')
WHERE column_name IN ('(seconds)', '(memory)', '(model)');

-- Mistakes.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM wfml.train_recommender('shop', 'bought', 'client', 'article');
SELECT * FROM wfml.train_recommender('shop', 'bought', 'customer', 'product', 'product');
SELECT * FROM wfml.train_recommender('shop', 'SELECT * FROM bought WHERE false', 'customer', 'product');
SELECT * FROM wfml.train_recommender('shop', 'bought', 'customer', 'product', params => '{"method": "best"}');
SELECT * FROM wfml.train_recommender('shop', 'bought', 'customer', 'product', items => 'SELECT product AS sku, kind FROM shelf');
SELECT * FROM wfml.train('shop', 'recommender', 'bought', 'product');
SELECT wfml.predict_rating('shop', 2, 'milk');
SELECT wfml.predict('shop', '{"customer": 2}');
SELECT * FROM wfml.recommend('shop', 2, -1);
SELECT * FROM wfml.recommend('shop ', 2);
DROP TABLE shelf, bought, rated;
SELECT wfml.drop_model(m) FROM unnest('{shop,stars,again,copy}'::text[]) m;
