-- Which workflows a user may like.

CREATE FUNCTION wfml.train_workflow_recommender(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	has_items CONSTANT boolean := wfml.has_source('workflows');
	summary wfml.training_summary;
BEGIN
	SELECT * INTO summary FROM wfml.train_recommender('workflow_recommender',
		'SELECT u.user_id, u.workflow_id FROM wfml.bound_rows(''usage'') AS u (user_id text, workflow_id text, weight double precision) WHERE u.weight > 0',
		'user_id', 'workflow_id',
		items => CASE WHEN has_items THEN
			'SELECT w.workflow_id, w.name, w.category, w.events FROM wfml.bound_rows(''workflows'') AS w (workflow_id text, name text, category text, events text[])' END,
		params => coalesce(params, '{}'));
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_workflow_recommender(jsonb) IS
	'train model "workflow_recommender" from the source bound as usage, rows whose weight is above 0, and from names, categories and events of the workflows where they are bound; params as of algorithm recommender. Call it as SELECT * FROM wfml.train_workflow_recommender()';

-- The rule of recommend_workflows().
CREATE FUNCTION wfml.popular_workflows(user_id text, n integer DEFAULT 5,
	OUT workflow_id text, OUT users bigint, OUT share double precision)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH used AS MATERIALIZED (
		SELECT u.user_id, u.workflow_id, u.weight
		FROM wfml.bound_rows('usage') AS u (user_id text, workflow_id text, weight double precision)
		WHERE u.weight > 0 AND u.user_id IS NOT NULL AND u.workflow_id IS NOT NULL)
	SELECT u.workflow_id, count(DISTINCT u.user_id), count(DISTINCT u.user_id) / (SELECT count(DISTINCT a.user_id) FROM used a)::double precision
	FROM used u
	GROUP BY u.workflow_id
	HAVING coalesce(NOT bool_or(u.user_id = popular_workflows.user_id), true)
	ORDER BY 2 DESC, sum(u.weight) DESC, u.workflow_id LIMIT n;
END $$;
COMMENT ON FUNCTION wfml.popular_workflows(text, integer) IS
	'the rule of wfml.recommend_workflows(): the workflows that most users have, but this one has not, with the share of all users';

CREATE FUNCTION wfml.recommend_workflows(user_id text, n integer DEFAULT 5,
	OUT workflow_id text, OUT name text, OUT score double precision, OUT reason text, OUT source text)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 2000 ROWS 5
AS $$
#variable_conflict use_column
DECLARE
	named CONSTANT boolean NOT NULL := wfml.has_source('workflows');
	history pg_catalog.text[];
BEGIN
	IF n IS NULL OR n OPERATOR(pg_catalog.<) 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	END IF;
	IF NOT wfml.has_model('workflow_recommender') THEN
		RETURN QUERY
		SELECT p.workflow_id, w.name, p.share, CASE WHEN p.users OPERATOR(pg_catalog.=) 1 THEN 'one user has it' ELSE pg_catalog.concat(p.users, ' users have it') END, 'rule'::pg_catalog.text
		FROM wfml.popular_workflows(user_id, CASE WHEN named THEN NULL ELSE n END) WITH ORDINALITY p
		LEFT JOIN LATERAL (SELECT b.name, true AS is_there FROM wfml.bound_rows('workflows', workflow_id => p.workflow_id) AS b (name pg_catalog.text) WHERE named LIMIT 1) w ON true
		WHERE NOT named OR w.is_there
		ORDER BY p.ordinality LIMIT n;
		RETURN;
	END IF;
	IF user_id IS NOT NULL AND wfml.has_source('usage') THEN
		SELECT pg_catalog.array_agg(u.workflow_id) INTO history
		FROM wfml.bound_rows('usage', user_id => recommend_workflows.user_id) AS u (workflow_id pg_catalog.text, weight double precision)
		WHERE u.weight OPERATOR(pg_catalog.>) 0;
	END IF;
	-- Workflows that are gone since the training are passed over.
	RETURN QUERY
	SELECT t.item, t.name, t.score,
		CASE WHEN t.source OPERATOR(pg_catalog.=) 'popular' THEN 'many users have it'
			WHEN l.item IS NOT NULL THEN pg_catalog.concat(CASE WHEN t.source OPERATOR(pg_catalog.=) 'content' THEN 'is like ' ELSE 'goes with ' END,
				coalesce(o.name, l.item), ', which this user has')
			WHEN t.source OPERATOR(pg_catalog.=) 'content' THEN 'is like workflows that this user has'
			ELSE 'users with the same workflows have it'
		END, 'ml'::pg_catalog.text
	FROM (SELECT r.item, w.name, r.score, r.source, r.rank
		FROM wfml.recommend('workflow_recommender', user_id, n OPERATOR(pg_catalog.+) 5, true, history) r
		LEFT JOIN LATERAL (SELECT b.name, true AS is_there FROM wfml.bound_rows('workflows', workflow_id => r.item) AS b (name pg_catalog.text) WHERE named LIMIT 1) w ON true
		WHERE NOT named OR w.is_there
		ORDER BY r.rank LIMIT n) t
	LEFT JOIN LATERAL (SELECT s.item FROM wfml.similar_items('workflow_recommender', t.item, 20) s
		WHERE t.source OPERATOR(pg_catalog.<>) 'popular' AND s.item OPERATOR(pg_catalog.=) ANY (history) ORDER BY s.rank LIMIT 1) l ON true
	LEFT JOIN LATERAL (SELECT b.name FROM wfml.bound_rows('workflows', workflow_id => l.item) AS b (name pg_catalog.text) WHERE named AND l.item IS NOT NULL LIMIT 1) o ON true
	ORDER BY t.rank;
END $$;
COMMENT ON FUNCTION wfml.recommend_workflows(text, integer) IS
	'workflows that a user does not use yet and may like, best first, by model "workflow_recommender" (wfml.train_workflow_recommender()); reason names the most alike of his own. What he uses now (source bound as usage) counts beside what he used when it was trained; where workflows are bound their names are given, and those that are gone are left out. score compares within one answer. source ''rule'' when there is no such model: the workflows that most users have and he has not, score being the share of users. A user_id that is NULL or unknown gets what many use';
