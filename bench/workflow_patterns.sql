-- classify_pattern() on workflow templates of n8n: the ten most frequent
-- categories from the steps alone.  The row of the file decides (i % 5 = 4 is
-- the test; folds 0 to 3 are shown beside).  In a database of its own with wfml:
--   psql -X -v workflows=n8n_workflows.csv.gz -v steps=n8n_steps.csv.gz -f bench/workflow_patterns.sql

\set ON_ERROR_STOP 1
\set QUIET 1
\pset footer off
SET client_min_messages = error;
CREATE TEMP TABLE template (i serial, workflow_id int, title text, category text, trigger_type text, n_steps int, n_distinct_types int, uses_ai boolean);
CREATE TEMP TABLE step (workflow_id int, step_no int, depth int, role text, node_type text, node_package text);
\set copy_workflows '\\copy template (workflow_id, title, category, trigger_type, n_steps, n_distinct_types, uses_ai) FROM PROGRAM ''gzip -dc ' :workflows ''' WITH (FORMAT csv, HEADER)'
\set copy_steps '\\copy step FROM PROGRAM ''gzip -dc ' :steps ''' WITH (FORMAT csv, HEADER)'
:copy_workflows
:copy_steps
CREATE TABLE public.n8n AS
SELECT t.i - 1 AS i, t.category, s.events
FROM template t JOIN (SELECT workflow_id, array_agg(node_type ORDER BY step_no) AS events FROM step GROUP BY 1) s USING (workflow_id)
WHERE t.category IN (SELECT category FROM template GROUP BY 1 ORDER BY count(*) DESC, category LIMIT 10);
CREATE TABLE public.fold (fold int, accuracy float8, macro_f1 float8, log_loss float8, train_seconds float8);

CREATE PROCEDURE public.run(fold int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM wfml.bind('patterns', format('SELECT events, category FROM public.n8n WHERE i %% 5 <> %s', fold));
	INSERT INTO public.fold (fold, train_seconds) SELECT run.fold, t.seconds FROM wfml.train_pattern_classifier() t;
END $$;
CREATE VIEW public.answer AS
SELECT i % 5 AS fold, category, (wfml.classify_pattern(p)).category AS said, (wfml.predict_proba('pattern_classifier', wfml.pattern_input(p)) ->> category)::float8 AS probability
FROM (SELECT i, category, ROW(events, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::wfml.pattern AS p FROM public.n8n) x;
CREATE PROCEDURE public.judge(which int) LANGUAGE sql AS $$
	UPDATE public.fold f SET accuracy = j.a, macro_f1 = j.f, log_loss = j.l
	FROM (SELECT wfml.accuracy(category, said) AS a, wfml.f1_score(category, said) AS f, -avg(ln(greatest(coalesce(probability, 0), 1e-9))) AS l
		FROM public.answer WHERE fold = which) j WHERE f.fold = which
$$;
CALL run(0); CALL judge(0);
CALL run(1); CALL judge(1);
CALL run(2); CALL judge(2);
CALL run(3); CALL judge(3);
CALL run(4); CALL judge(4);
SELECT coalesce(fold::text, 'mean') AS fold, round(avg(accuracy)::numeric, 4) AS accuracy, round(avg(macro_f1)::numeric, 4) AS macro_f1,
	round(avg(log_loss)::numeric, 4) AS log_loss, round(avg(train_seconds)::numeric, 2) AS train_seconds
FROM public.fold GROUP BY ROLLUP (fold) ORDER BY 1;
