"""What sessions share of a large model, and answers that are given again."""

import time

from common import Session, load_generated

SESSIONS = 50


def forest_of(session, name, bytes_wanted):
    """A forest on C3 of about that size: its bytes and its number of trees."""
    load_generated(session, "c3")
    size = f"SELECT m.artifact_bytes FROM wfml.registry r JOIN wfml.ml_model m ON m.id = r.active_id WHERE r.name = '{name}'"
    params = {"validation": "none", "trees": 20}
    session.train(name, "random_forest", "c3_train", "y", params, "classification")
    params["trees"] = max(1, round(20 * bytes_wanted / session.value(size)))
    session.train(name, "random_forest", "c3_train", "y", params, "classification")
    return session.value(size), params["trees"]


def memory(sessions):
    """Sums of PSS and RSS over the sessions' processes, in MB."""
    total = {"Pss": 0, "Rss": 0}
    for s in sessions:
        with open(f"/proc/{s.pid}/smaps_rollup") as f:
            for line in f:
                key = line.split(":")[0]
                if key in total:
                    total[key] += int(line.split()[1]) / 1024
    return total


def rss(report):
    s = Session()
    size, trees = forest_of(s, "rss", 100e6)
    rows = []
    for name, setting in (("shared", "1GB"), ("not shared", "0")):
        sessions = [Session() for _ in range(SESSIONS)]
        for one in sessions:
            one.run(f"SET wfml.shared_cache_memory = '{setting}'")
            one.run("SELECT * FROM c3_test LIMIT 1")
        before = memory(sessions)
        times = [one.timed("SELECT wfml.classify('rss', t) FROM (SELECT * FROM c3_test LIMIT 1) t")[2] for one in sessions]
        after = memory(sessions)
        rows.append([name, f"**{after['Pss'] - before['Pss']:.0f}**", f"{after['Rss'] - before['Rss']:.0f}",
                     f"{1000 * times[0]:.1f}", f"{1000 * sorted(times[1:])[len(times) // 2]:.1f}"])
        for one in sessions:
            one.close()
        time.sleep(1)
    s.close()
    report.table(f"Memory of {SESSIONS} sessions that each predict once with a forest of {size / 1e6:.0f} MB ({trees} trees)",
                 ["", "PSS MB", "RSS MB", "first session, ms", "the others, ms"], rows,
                 "Sums over the sessions' processes, above what they had before; RSS counts what is shared in each of them.")


def answers(report):
    s = Session()
    load_generated(s, "r1")
    load_generated(s, "c3")
    s.run("SET wfml.prediction_cache_entries = 20000")
    rows = []
    for name, algorithm, table, params, task in (
            ("linear", "linear", "r1", {}, None),
            ("boosting 100 × 31", "gradient_boosting", "r1", {}, None),
            ("boosting, 3 classes, 300 rounds", "gradient_boosting", "c3", {"rounds": 300}, "classification"),
            ("forest of 20 trees", "random_forest", "r1", {"trees": 20}, None),
            ("forest of 100 trees", "random_forest", "r1", {"trees": 100}, None)):
        s.train("again", algorithm, f"{table}_train", "y", {"validation": "none", **params}, task)
        s.run("DROP TABLE IF EXISTS again")
        s.run(f"CREATE TABLE again AS SELECT * FROM {table}_test LIMIT 10000")
        ask = "SELECT count((p).confidence), sum((p).value) FROM (SELECT wfml.predict_{}('again', t) AS p FROM again t OFFSET 0) s"
        detail = s.best_cpu(ask.format("detail"), 7)
        new = []
        for _ in range(7):
            s.run("SELECT wfml.cache_clear()")
            s.run("SELECT wfml.predict_detail('again', t) FROM again t LIMIT 100")
            new.append(s.timed(ask.format("cached"))[1])
        known = s.best_cpu(ask.format("cached"), 7)
        rows.append([name, *(f"{1e6 * x / 10000:.2f}" for x in (detail, min(new), known)),
                     f"**{1e6 * (detail - known) / 10000:+.2f}**"])
    s.close()
    report.table("Answers given again: µs of processor time a row, 20 features, 10,000 rows",
                 ["model", "predict_detail", "predict_cached, new", "predict_cached, known", "saved"], rows,
                 "Reading the row and making the result are in all of them. What a new answer costs more is seen best where predicting is quick.")
