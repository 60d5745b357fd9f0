-- A look at the data before training: what each column would be, and what a training would take.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

CREATE TABLE visit (
	id int PRIMARY KEY,
	arrived timestamptz NOT NULL,
	age int,
	city text,
	email text,
	country text DEFAULT 'NL',
	discount numeric,
	spent numeric,
	basket jsonb,
	tags text[],
	bought boolean
);
INSERT INTO visit (id, arrived, age, city, email, discount, spent, basket, tags, bought)
SELECT g, timestamptz '2026-01-01 00:00Z' + g * interval '17 minutes', CASE WHEN g % 10 > 0 THEN 18 + g * 7 % 60 END, 'city ' || g % 50,
	'user' || g || '@example.org', NULL, CASE WHEN g % 3 = 0 THEN 10 + g % 90 ELSE 0 END, '{}', ARRAY['tag ' || g % 5], CASE WHEN g % 500 > 0 THEN g % 3 = 0 END
FROM generate_series(1, 3000) g;

-- The forecast depends on the machine; what it says, not.
SELECT column_name, type, role, n_distinct, nulls, note FROM wfml.inspect('visit', 'bought') WHERE column_name NOT IN ('(seconds)', '(memory)', '(model)');
SELECT column_name, note ~ '^(below|about) [0-9]+( [kM]?B)?$' AS forecast FROM wfml.inspect('visit', 'bought', 'random_forest', '{"trees": 10}')
WHERE column_name IN ('(seconds)', '(memory)', '(model)');

-- As train() would be called: other features, another task, roles by parameters.
SELECT column_name, role, note FROM wfml.inspect('visit', 'age', params => '{"validation": "time", "time_column": "arrived"}', features => '{id,city,country}', task => 'classification')
WHERE column_name NOT IN ('(seconds)', '(memory)', '(model)');
SELECT column_name, role, note FROM wfml.inspect('SELECT city, age, discount AS w, spent FROM visit', 'spent', params => '{"validation": "group", "group_column": "city"}')
WHERE column_name NOT IN ('(seconds)', '(memory)', '(model)');

-- Without a target: only the columns.
SELECT column_name, role, n_distinct, nulls, note FROM wfml.inspect('SELECT g AS many, g % 7 AS few, ''x''::text AS one FROM generate_series(1, 4096) g');
-- Beyond 4096 distinct numbers are estimated.
SELECT left(n_distinct, 1) AS about, abs(substr(n_distinct, 2)::int - 50000) < 5000 AS close
FROM wfml.inspect('SELECT g AS many FROM generate_series(1, 50000) g') WHERE column_name = 'many';

-- It fails where train() would.
\set SHOW_CONTEXT never
SELECT * FROM wfml.inspect('nowhere');
SELECT * FROM wfml.inspect('visit', 'bougt');
SELECT * FROM wfml.inspect('visit', 'bought', 'random_woods');
SELECT * FROM wfml.inspect('visit', 'country');
DROP TABLE visit;
