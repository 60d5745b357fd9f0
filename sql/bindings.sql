-- The application's tables, bound by kind.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
SET TimeZone = 'UTC';
SET DateStyle = ISO;

CREATE SCHEMA shop;
CREATE TABLE shop.job (id int PRIMARY KEY, name text, tags text);
INSERT INTO shop.job VALUES (1, 'invoices', 'sales,mail'), (2, 'stock', 'store');
CREATE TABLE shop.job_run (id bigint PRIMARY KEY, job int, begun timestamptz, ended timestamptz, status text, amount int);
INSERT INTO shop.job_run SELECT i, 1 + i % 2, timestamptz '2024-05-01 06:00+00' + i * interval '6 h', timestamptz '2024-05-01 06:05+00' + i * interval '6 h',
    CASE WHEN i % 4 = 0 THEN 'failed' ELSE 'success' END, i * 10 FROM generate_series(1, 12) i;
CREATE INDEX ON shop.job_run (job, ended);

-- A kind's columns are checked at once, and the error says what to write.
SELECT wfml.bind('runs', 'shop.job_run');
SELECT wfml.bind('runs', 'SELECT job AS workflow_id, begun AS started_at, ended AS finished_at, status AS succeeded FROM shop.job_run');
SELECT wfml.bind('runs', $$SELECT id AS run_id, job AS workflow_id, begun AS started_at, ended AS finished_at, status = 'success' AS succeeded, amount FROM shop.job_run$$, known_at_start => '{amount}');
SELECT wfml.bind('workflows', 'SELECT id AS workflow_id, name, tags AS events FROM shop.job');
SELECT wfml.bind('workflows', $$SELECT id AS workflow_id, name, string_to_array(tags, ',') AS events FROM shop.job$$);
SELECT kind, used, columns, known_at_start, timezone FROM wfml.sources ORDER BY kind;

-- Columns are read by name, in the type that is asked for; ids are text for wfml.
SELECT * FROM wfml.bound_rows('runs', workflow_id => '2', row_limit => 3) AS r (run_id text, finished_at timestamptz, succeeded boolean, amount float8, upstream text);
SELECT * FROM wfml.bound_rows('runs', since => '2024-05-02', until => '2024-05-03') AS r (workflow_id text, finished_at timestamptz);
SELECT * FROM wfml.bound_rows('workflows') AS w (workflow_id text, events text[], category text);
SELECT * FROM wfml.bound_rows('runs') AS r (weather text);
SELECT * FROM wfml.bound_rows('events') AS e (event text);

-- Others read it when they are granted it, as its owner.
CREATE ROLE regress_analyst;
SET ROLE regress_analyst;
SELECT wfml.has_source('runs');
RESET ROLE;
SELECT wfml.grant_source('runs', 'regress_analyst');
SET ROLE regress_analyst;
SELECT count(*) FROM shop.job_run;
SELECT count(*) FROM wfml.bound_rows('runs') AS r (run_id text);
SELECT kind, used, source FROM wfml.sources;
RESET ROLE;

-- What changes under a binding makes an error that says so.
ALTER TABLE shop.job_run RENAME ended TO done;
SELECT count(*) FROM wfml.bound_rows('runs') AS r (run_id text);

SELECT wfml.unbind(kind) FROM unnest('{runs,workflows,events}'::text[]) kind;
DROP ROLE regress_analyst;
DROP SCHEMA shop CASCADE;
