\echo
\echo '== Recommendation: what would this workflow use next? (n8n, 1,742 workflow templates, 461 kinds of nodes)'
\echo

-- Straight from a query: a row says that a workflow uses a kind of node.  The
-- method is chosen on interactions kept back, and a fifth of the rows tells
-- how good it is, beside always recommending what is popular.  The second
-- query says what the nodes are, for those that few workflows use.
SELECT model, version, rows, metric, round(score::numeric, 3) AS score, round(baseline::numeric, 3) AS popular,
       round(seconds::numeric, 1) AS seconds, size
FROM wfml.train_recommender('nodes', 'SELECT DISTINCT workflow_id, node_type FROM data.n8n_steps',
                            user_column => 'workflow_id', item_column => 'node_type',
                            items => $$SELECT node_type, regexp_replace(node_type, '([A-Z])', ' \1', 'g') AS words,
                                              node_package, role
                                       FROM data.n8n_steps GROUP BY node_type, node_package, role$$);

\echo '-- What was tried, and the other measures:'
SELECT metric, round(value::numeric, 3) AS value, round(baseline::numeric, 3) AS popular, split
FROM wfml.metrics('nodes')
WHERE split <> 'inner' OR value >= (SELECT 0.99 * max(value) FROM wfml.metrics('nodes') WHERE split = 'inner')
ORDER BY split, value DESC;

\echo '-- A workflow that sends the weather to a chat, and the five nodes that would suit it:'
SELECT w.title, string_agg(DISTINCT s.node_type, ', ') AS uses
FROM data.n8n_workflows w JOIN data.n8n_steps s USING (workflow_id) WHERE workflow_id = 60 GROUP BY 1;
SELECT rank, item AS node, round(score::numeric, 3) AS score, source FROM wfml.recommend('nodes', 60, 5);

\echo '-- A workflow that is being drawn just now, not known to the model: its nodes so far are enough.'
SELECT rank, item AS node, round(score::numeric, 3) AS score, source
FROM wfml.recommend('nodes', NULL, n => 5, history => '{telegramTrigger,openAi}');

\echo '-- Nodes that go with reading a feed:'
SELECT rank, item AS node, round(score::numeric, 3) AS score FROM wfml.similar_items('nodes', 'rssFeedRead', 5);

\echo '-- For every workflow with a Gmail trigger in one query: what is recommended most often?'
SELECT r.item AS node, count(*) AS workflows, repeat('█', (count(*) / 2)::int) AS " "
FROM (SELECT DISTINCT workflow_id FROM data.n8n_steps WHERE node_type = 'gmailTrigger') w,
     LATERAL wfml.recommend('nodes', w.workflow_id, 3) r
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 6;
