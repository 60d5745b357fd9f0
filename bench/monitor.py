"""The views of monitoring over a log of five million predictions."""

import os
import statistics

from common import Session, verdict

ROWS = int(os.environ.get("BENCH_LOG_ROWS", "5000000"))
MODELS = 20

# Three versions of each model, each serving a month; one in 400 answers came from the rule; three in five get an
# outcome, up to four days later.
FILL = """
INSERT INTO wfml.prediction (model_number, model_id, model, version, made_at, made_by, user_id, entity, value, lower, upper,
    label, confidence, source, latency_us, actual, actual_at, error)
SELECT r.number, CASE WHEN NOT ruled THEN m.id END, r.name, CASE WHEN NOT ruled THEN m.version END, at, 'log_owner',
    'u' || i %% 1000, 'e' || i,
    CASE WHEN m.task = 'regression' THEN 1 + u * 2 WHEN m.positive IS NOT NULL THEN u END,
    CASE WHEN m.task = 'regression' THEN u * 2 - 0.2 END, CASE WHEN m.task = 'regression' THEN u * 2 + 2 END,
    CASE WHEN m.positive IS NOT NULL THEN (u > 0.5)::text
        WHEN m.task = 'classification' THEN (ARRAY['x', 'y', 'z'])[1 + (u * 2.99)::int] END,
    CASE WHEN m.task = 'classification' THEN 0.5 + abs(u - 0.5) END,
    CASE WHEN ruled THEN 'fallback' WHEN i %% 50 = 1 THEN 'cache' WHEN i %% 3 = 0 THEN 'trigger' ELSE 'function' END,
    (20 + 300 * w * w * w)::int,
    CASE WHEN known THEN CASE WHEN m.task = 'regression' THEN (0.6 + u * 2 + w)::text
        WHEN m.positive IS NOT NULL THEN (u + (w - 0.5) * 0.7 > 0.5)::text
        ELSE (ARRAY['x', 'y', 'z'])[1 + (CASE WHEN w > 0.2 THEN u ELSE w * 5 END * 2.99)::int] END END,
    CASE WHEN known THEN at + delay END, CASE WHEN ruled THEN 'no model' END
FROM (SELECT i, now() - interval '90 days' * ((%(rows)s - i) / %(rows)s::float8) AS at, random() AS u, random() AS w,
        i %% 400 = 7 AS ruled, interval '4 days' * random() AS delay, random() < 0.6 AS will
    FROM generate_series(1, %(rows)s::bigint) i OFFSET 0) g
CROSS JOIN LATERAL (SELECT will AND at + delay < now() AS known) k
JOIN wfml.registry r ON r.name = 'watched_' || 1 + (i * 7919) %% %(models)s
JOIN wfml.ml_model m ON m.name = r.name
    AND m.version = CASE WHEN at > now() - interval '29 days' THEN 3 WHEN at > now() - interval '59 days' THEN 2 ELSE 1 END
"""


def fill(s):
    s.run("DROP TABLE IF EXISTS watched")
    s.run("DO $$ BEGIN CREATE ROLE log_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    s.run("CREATE TABLE watched AS SELECT a, b, a + b + random() * 0.5 > 1.2 AS hit, a + 2 * b + random() AS amount, "
          "CASE WHEN a + random() * 0.3 > 0.6 THEN 'x' WHEN b > 0.5 THEN 'y' ELSE 'z' END AS kind "
          "FROM (SELECT random() AS a, random() AS b FROM generate_series(1, 2000) OFFSET 0) d")
    s.run("GRANT SELECT ON watched TO log_owner")
    s.run("SET ROLE log_owner")
    for model in range(1, MODELS + 1):
        target = ("amount", "hit", "kind")[model % 3]
        for _ in range(3):
            s.run("SELECT wfml.train(%s, 'linear', %s, %s)", f"watched_{model}", f"SELECT a, b, {target} FROM watched", target)
    s.run("RESET ROLE")
    s.run("UPDATE wfml.ml_model SET created_at = now() - (119 - 30 * version) * interval '1 day' WHERE name LIKE 'watched%'")
    s.run("SET session_replication_role = replica")
    s.run(FILL % {"rows": ROWS, "models": MODELS})
    s.run("RESET session_replication_role")
    s.run("VACUUM ANALYZE wfml.prediction")
    s.run("ANALYZE wfml.ml_model")


def views(report):
    s = Session()
    fill(s)
    size = s.value("SELECT pg_size_pretty(pg_total_relation_size('wfml.prediction'))")
    rows = []
    for role in ("postgres", "log_owner"):
        s.run(f"SET ROLE {role}")
        for jit in ("on", "off"):
            s.run(f"SET jit = {jit}")
            for view in ("health", "metrics_24h"):
                s.run(f"SELECT * FROM wfml.{view}")
                walls = [s.timed(f"SELECT * FROM wfml.{view}")[2] * 1000 for _ in range(5)]
                rows.append([view, role, jit, f"{min(walls):.0f}", f"**{statistics.median(walls):.0f}**",
                             verdict(statistics.median(walls), 300, None, True)])
    s.run("RESET ROLE")
    s.run("RESET jit")
    for call in ("live_scores('watched_1')", "trend('watched_1')"):
        s.run(f"SELECT * FROM wfml.{call}")
        wall = min(s.timed(f"SELECT * FROM wfml.{call}")[2] for _ in range(3)) * 1000
        rows.append([call, "postgres", "on", f"{wall:.0f}", "", ""])
    s.run("TRUNCATE wfml.prediction")
    s.close()
    report.table(f"Monitoring over {ROWS:,} logged predictions of {MODELS} models in 90 days ({size}), ms",
                 ["", "role", "jit", "best", "median of 5", "300 ms"], rows, "Wall time, pages in memory.")
