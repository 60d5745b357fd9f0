-- How well success is predicted on real runs, through the SQL functions alone.
-- usage, as superuser: psql -X -v dir=FOLDER_ON_THE_SERVER -f bench/workflow_runs.sql, in a database with wfml; makes and drops schema workflow_runs.
--
-- flights_jan2001: a route is a workflow, success is to be on time; no finish time, so that the start stands for it and history
-- is at least 6 hours old. The first 80 % of the rows train.
-- ci_builds_a: a project is a workflow; the build before counts as finished. The first 80 % of each project train.
\set ON_ERROR_STOP 1
\set QUIET 1
\pset pager off
CREATE SCHEMA workflow_runs;
SET search_path = workflow_runs, public;
SET client_min_messages = warning;

CREATE TABLE scored (p float8, y boolean);
CREATE FUNCTION auc_brier(measured text) RETURNS TABLE (protocol text, rows bigint, auc numeric, brier numeric)
LANGUAGE sql AS $$
	WITH r AS (SELECT *, rank() OVER (ORDER BY p) + (count(*) OVER (PARTITION BY p) - 1) / 2.0 AS k FROM workflow_runs.scored)
	SELECT measured, count(*), round((((sum(k) FILTER (WHERE y)) - n1 * (n1 + 1) / 2.0) / (n1 * (count(*) - n1)))::numeric, 4),
		round(avg((p - y::int) ^ 2)::numeric, 4)
	FROM r, (SELECT count(*) FILTER (WHERE y) AS n1 FROM workflow_runs.scored) c GROUP BY n1
$$;

-- ---- flights ----
CREATE TABLE flight (run_id bigserial PRIMARY KEY, ts timestamp, origin text, destination text, distance int, delay int, on_time int);
\set load 'gzip -dc ' :dir '/flights_jan2001.csv.gz'
SELECT format('COPY flight (ts, origin, destination, distance, delay, on_time) FROM PROGRAM %L WITH (FORMAT csv, HEADER)', :'load') \gexec
SELECT wfml.bind('runs', 'SELECT origin || ''-'' || destination AS workflow_id, ts AS started_at, ts AS finished_at, on_time = 1 AS succeeded, run_id, origin, destination, distance FROM workflow_runs.flight',
	ARRAY['origin', 'destination', 'distance']);
SELECT format('CREATE TABLE example AS SELECT row_number() OVER () AS example, e.* FROM wfml.run_examples(horizons => ''{6 hours}'') AS e (%s)', wfml.run_example_columns()) \gexec
SELECT ts AS cut FROM flight WHERE run_id = (SELECT floor(0.8 * count(*)) FROM flight) \gset
SELECT string_agg(quote_ident(n), ', ') AS columns, string_agg(quote_ident(n), ', ') FILTER (WHERE n <> 'workflow_id' AND n !~ '^known_(origin|dest)') AS numbers
	FROM unnest(wfml.trigger_candidate_columns('example', NULL)) n \gset
\set QUIET 0
\timing on
SELECT candidate, (wfml.train('flights_' || replace(candidate, ' ', '_'), algorithm,
	format('SELECT succeeded, %s FROM workflow_runs.example WHERE at < %L', CASE features WHEN 'numbers' THEN :'numbers' WHEN 'hour' THEN 'hour' ELSE :'columns' END, :'cut'),
	'succeeded', params || '{"validation": "none", "positive": "true"}')).seconds
FROM wfml.trigger_candidate_rows();
\timing off
\set QUIET 1
SELECT format($$TRUNCATE scored; INSERT INTO scored SELECT p.value, e.succeeded FROM wfml.predict_batch(%L, %L, 'example') p JOIN example e ON e.example = p.key::bigint; SELECT * FROM auc_brier(%L)$$,
	'flights_' || replace(candidate, ' ', '_'), format('SELECT example, %s FROM workflow_runs.example WHERE at >= %L', :'columns', :'cut'), 'flights, 6 h: ' || candidate)
FROM wfml.trigger_candidate_rows() \gexec
DROP TABLE example;

-- ---- builds ----
CREATE TABLE build (run_id bigserial PRIMARY KEY, project text, build_id int, started_at timestamp, build_failed int, gh_is_pr int, git_prev_commit_resolution_status int, gh_team_size int, gh_num_commit_comments int, git_diff_src_churn int, git_diff_test_churn int, gh_diff_files_added int, gh_diff_files_deleted int, gh_diff_files_modified int, gh_diff_tests_added int, gh_diff_tests_deleted int, gh_diff_src_files int, gh_diff_doc_files int, gh_diff_other_files int, gh_sloc int, gh_test_lines_per_kloc float8, gh_test_cases_per_kloc float8, gh_asserts_cases_per_kloc float8);
\set load 'gzip -dc ' :dir '/ci_builds_a.csv.gz'
SELECT format('COPY build (project, build_id, started_at, build_failed, gh_is_pr, git_prev_commit_resolution_status, gh_team_size, gh_num_commit_comments, git_diff_src_churn, git_diff_test_churn, gh_diff_files_added, gh_diff_files_deleted, gh_diff_files_modified, gh_diff_tests_added, gh_diff_tests_deleted, gh_diff_src_files, gh_diff_doc_files, gh_diff_other_files, gh_sloc, gh_test_lines_per_kloc, gh_test_cases_per_kloc, gh_asserts_cases_per_kloc) FROM PROGRAM %L WITH (FORMAT csv, HEADER)', :'load') \gexec
CREATE VIEW build_run AS SELECT b.*, project AS workflow_id, started_at AS finished_at, build_failed = 0 AS succeeded,
	row_number() OVER (PARTITION BY project ORDER BY run_id) - 1 < floor(0.8 * count(*) OVER (PARTITION BY project)) AS train FROM build b;
SELECT wfml.bind('runs', 'SELECT b.project AS workflow_id, b.started_at, b.started_at AS finished_at, b.build_failed = 0 AS succeeded, b.run_id, b.gh_is_pr, b.git_prev_commit_resolution_status, b.gh_num_commit_comments, b.git_diff_src_churn, b.git_diff_test_churn, b.gh_diff_files_added, b.gh_diff_files_deleted, b.gh_diff_files_modified, b.gh_diff_tests_added, b.gh_diff_tests_deleted, b.gh_diff_src_files, b.gh_diff_doc_files, b.gh_diff_other_files, b.run_id AS row_no FROM workflow_runs.build b',
	ARRAY['gh_is_pr', 'git_prev_commit_resolution_status', 'gh_num_commit_comments', 'git_diff_src_churn', 'git_diff_test_churn', 'gh_diff_files_added', 'gh_diff_files_deleted', 'gh_diff_files_modified', 'gh_diff_tests_added', 'gh_diff_tests_deleted', 'gh_diff_src_files', 'gh_diff_doc_files', 'gh_diff_other_files', 'row_no']);
SELECT format('CREATE TABLE example AS SELECT row_number() OVER () AS example, e.*, r.train FROM wfml.run_examples(horizons => ''{0}'') AS e (%s) JOIN build_run r ON r.run_id = e.known_row_no::bigint', wfml.run_example_columns()) \gexec
ALTER TABLE example DROP COLUMN known_row_no;
SELECT string_agg(quote_ident(n), ', ') FILTER (WHERE n <> 'train') AS columns, string_agg(quote_ident(n), ', ') FILTER (WHERE n <> 'train' AND n <> 'workflow_id') AS numbers,
	string_agg(quote_ident(n), ', ') FILTER (WHERE n <> 'train' AND n !~ '^known') AS plain
	FROM unnest(wfml.trigger_candidate_columns('example', NULL)) n \gset
\set QUIET 0
\timing on
SELECT candidate, (wfml.train('builds_' || replace(candidate, ' ', '_'), algorithm,
	format('SELECT succeeded, %s FROM workflow_runs.example WHERE train', CASE features WHEN 'numbers' THEN :'numbers' WHEN 'hour' THEN 'hour' ELSE :'columns' END),
	'succeeded', params || '{"validation": "none", "positive": "true"}')).seconds
FROM wfml.trigger_candidate_rows();
SELECT (wfml.train('builds_history_only', algorithm, format('SELECT succeeded, %s FROM workflow_runs.example WHERE train', :'plain'),
	'succeeded', params || '{"validation": "none", "positive": "true"}')).seconds FROM wfml.trigger_candidate_rows() WHERE candidate = 'small boosting';
\timing off
\set QUIET 1
SELECT format($$TRUNCATE scored; INSERT INTO scored SELECT p.value, e.succeeded FROM wfml.predict_batch(%L, %L, 'example') p JOIN example e ON e.example = p.key::bigint; SELECT * FROM auc_brier(%L)$$,
	'builds_' || replace(candidate, ' ', '_'), format('SELECT example, %s FROM workflow_runs.example WHERE NOT train', :'columns'), 'builds: ' || candidate)
FROM (SELECT candidate FROM wfml.trigger_candidate_rows() UNION ALL VALUES ('history only')) c \gexec

SELECT wfml.unbind('runs');
SELECT wfml.drop_model(name) FROM wfml.models WHERE name ~ '^(flights|builds)_' \g /dev/null
DROP SCHEMA workflow_runs CASCADE;
