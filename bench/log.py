"""Logged predictions: what a row of the log costs, and finding predictions among millions."""

import os

from common import Session, verdict

ROWS = 100000
# 5 million rows over 90 days, of 20 models, a fiftieth of them without a version
FILL = """INSERT INTO wfml.prediction (model_number, model_id, model, version, made_at, made_by, entity, value, label, confidence, source, latency_us)
    SELECT r.number, CASE WHEN i % 50 = 0 THEN NULL ELSE r.active_id END, r.name, 1, now() - ({n} - i) * interval '90 days' / {n},
        current_user::regrole, i::text, random(), 'true', random(), CASE WHEN i % 50 = 0 THEN 'fallback' ELSE 'function' END, 3
    FROM generate_series(1, {n}) i JOIN wfml.registry r ON r.name = 'log' || i % 20"""


def prepare(session):
    session.run("DROP TABLE IF EXISTS log_rows")
    session.run(f"""CREATE TABLE log_rows AS SELECT i AS id, i % 100 AS km, i % 24 AS hour,
        (ARRAY['sun', 'rain', 'snow'])[1 + i % 3] AS weather, (i % 100 > 60) <> (i % 7 = 0) AS late
        FROM generate_series(1, {ROWS}) i""")
    session.run("VACUUM ANALYZE log_rows")
    session.train("log0", "gradient_boosting", "SELECT km, hour, weather, late FROM log_rows LIMIT 5000", "late",
                  {"validation": "none"})
    session.run("SET jit = off")


def row_cost(session):
    def micro(sql):
        return 1e6 * session.best_cpu(sql, 3) / ROWS

    def over(function):
        return f"SELECT count(p.value) FROM log_rows t, LATERAL wfml.{function} p"
    trivial = micro("SELECT count(x) FROM (SELECT clock_timestamp() AS x, t.* FROM log_rows t OFFSET 0) s")
    detail = micro(over("predict_detail('log0', t.*)"))
    session.run("SET wfml.log_sample_rate = 0")
    unlogged = micro(over("log_predict('log0', t.*, t.id)"))
    session.run("SET wfml.log_sample_rate = 1")
    logged = micro(over("log_predict('log0', t.*, t.id)"))
    session.run("SELECT wfml.set_log_input('log0', true)")
    kept = micro(over("log_predict('log0', t.*, t.id)"))
    session.run("TRUNCATE wfml.prediction")
    return trivial, detail, unlogged, logged, kept


def log(report):
    s = Session()
    prepare(s)
    trivial, detail, unlogged, logged, kept = row_cost(s)
    more = logged - unlogged
    report.table(f"Logged predictions, {ROWS:,} rows, boosting 100 × 31, three features, one process",
                 ["statement", "CPU µs a row"],
                 [["a trivial volatile function", f"{trivial:.2f}"],
                  ["predict_detail()", f"{detail:.2f}"],
                  ["log_predict(), all left out by wfml.log_sample_rate", f"{unlogged:.2f}"],
                  ["log_predict()", f"{logged:.2f}"],
                  ["log_predict() that keeps the input", f"{kept:.2f}"],
                  ["the row of the log alone", f"**{more:.2f}**"]],
                 f"Bar 12, goal 8 for the row alone: {verdict(more, 12, 8, True)}.")
    s.close()


def view(report):
    """Finding predictions in wfml.predictions."""
    s = Session()
    n = 5000000 if os.environ.get("BENCH_FULL") else 1000000
    prepare(s)
    for i in range(1, 20):
        s.train(f"log{i}", "linear", "SELECT km, hour, late FROM log_rows LIMIT 500", "late", {"validation": "none"})
    s.run(FILL.format(n=n))
    s.run("VACUUM ANALYZE wfml.prediction")
    queries = [("the newest 20", "SELECT * FROM wfml.predictions ORDER BY id DESC LIMIT 20"),
               ("a model's newest 20", "SELECT * FROM wfml.predictions WHERE model = 'log7' ORDER BY id DESC LIMIT 20"),
               ("a model's last day", "SELECT * FROM wfml.predictions WHERE model = 'log7' AND made_at > now() - interval '1 day'"),
               ("an entity's", "SELECT * FROM wfml.predictions WHERE entity = '77777'"),
               ("all, counted", "SELECT count(*) FROM wfml.predictions")]
    rows = []
    for name, sql in queries:
        s.run(sql)
        rows.append([name, f"{1000 * min(s.timed(sql)[2] for _ in range(3)):.1f}"])
    report.table(f"wfml.predictions over {n:,} rows of 20 models", ["query", "ms"], rows)
    s.run("TRUNCATE wfml.prediction")
    s.close()
