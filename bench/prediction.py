"""Prediction inside queries, through prepared statements, in a new session."""

import glob
import os
import statistics
import subprocess
import tempfile
import time

from common import FEATURES, Session, load_generated, peer, verdict

STAGE_BIN = os.environ.get("BENCH_STAGE_BIN", "")
RUNS = 7


def need_a2(session):
    load_generated(session, "r1")
    if not session.run("SELECT 1 FROM wfml.registry WHERE name = 'a2'"):
        session.train("a2", "gradient_boosting", "r1_train", "y", {"validation": "none"})


def a7(report):
    s = Session()
    need_a2(s)
    s.run("DROP TABLE IF EXISTS r1_x")
    s.run(f"CREATE TABLE r1_x AS SELECT {', '.join(FEATURES)} FROM r1_train")
    s.run("VACUUM ANALYZE r1_x")
    n = s.value("SELECT count(*) FROM r1_x")
    plain = s.best_cpu(f"SELECT sum({' + '.join(FEATURES)}) FROM r1_x") / n
    row = s.best_cpu("SELECT sum(wfml.predict('a2', t)) FROM r1_x t") / n
    batch = s.best_cpu("SELECT sum(value) FROM wfml.predict_batch('a2', 'SELECT * FROM r1_x')", 3) / n
    differ = s.value("""SELECT count(*) FROM
        (SELECT wfml.predict('a2', t) AS p FROM r1_x t EXCEPT ALL
         SELECT value FROM wfml.predict_batch('a2', 'SELECT * FROM r1_x')) d""")
    them = peer("driver_predict")["seconds_a_row"]
    more = row - plain
    report.table("A7 prediction in a query, boosting 100 × 31, 160,000 rows, one process",
                 ["statement", "CPU µs a row"],
                 [["SELECT sum(f1 + … + f20) FROM t", f"{1e6 * plain:.3f}"],
                  ["SELECT sum(wfml.predict('m', t)) FROM t", f"{1e6 * row:.3f}"],
                  ["SELECT sum(value) FROM wfml.predict_batch('m', 'SELECT * FROM t')", f"{1e6 * batch:.3f}"],
                  ["rows through a driver into XGBoost predict (the client alone)", f"{1e6 * them:.3f}"],
                  ["predict above the plain sum", f"**+{1e6 * more:.3f}**"]],
                 f"Rows where predict and predict_batch differ: {differ}. "
                 f"Bar +0.6, goal +0.3: {verdict(1e6 * more, 0.6, 0.3, True)}.")
    s.close()


def pgbench(statement, variables, transactions=20000):
    """Median latency in µs of a prepared statement, one client."""
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "s.sql")
        with open(script, "w") as f:
            f.write(statement + ";\n")
        define = [x for k, v in variables.items() for x in ("-D", f"{k}={v}")]
        subprocess.run([os.path.join(STAGE_BIN, "pgbench"), "-n", "-M", "prepared", "-c", "1", "-t", str(transactions),
                        "-f", script, "--log", "--log-prefix", os.path.join(folder, "l"), *define],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        latencies = []
        for path in glob.glob(os.path.join(folder, "l*")):
            with open(path) as f:
                latencies += [int(line.split()[2]) for line in f]
        return statistics.median(latencies[100:])


def a8(report):
    s = Session()
    need_a2(s)
    names = dict(s.run("SELECT key, value FROM (SELECT * FROM r1_test LIMIT 1) t, jsonb_each_text(to_jsonb(t) - 'y')"))
    json_text = s.value("SELECT (to_jsonb(t) - 'y')::text FROM r1_test t LIMIT 1")
    row = ", ".join(f":{f}::float4 AS {f}" for f in FEATURES)
    rows = []
    for name, trivial, ours, variables in (
            ("$1::jsonb", "SELECT jsonb_typeof(:v::jsonb)", "SELECT wfml.predict('a2', :v::jsonb)", {"v": json_text}),
            ("named sub-select of 20 parameters", f"SELECT pg_column_size(r) FROM (SELECT {row}) r",
             f"SELECT wfml.predict('a2', r) FROM (SELECT {row}) r", names)):
        base = min(pgbench(trivial, variables) for _ in range(3))
        with_model = min(pgbench(ours, variables) for _ in range(3))
        more = with_model - base
        rows.append([name, f"{base:.0f}", f"{with_model:.0f}", f"**+{more:.0f}**", verdict(more, 20, 8, True)])
    report.table("A8 one prediction through a prepared statement, p50 in µs",
                 ["input", "trivial C function", "predict", "more", ""], rows,
                 "pgbench, one client, 3 × 20,000 transactions, best median. Bar +20, goal +8.")
    s.close()


def a9(report):
    s = Session()
    load_generated(s, "c3")
    size = "SELECT m.artifact_bytes FROM wfml.registry r JOIN wfml.ml_model m ON m.id = r.active_id WHERE r.name = 'a9'"
    s.train("a9", "random_forest", "c3_train", "y", {"validation": "none", "trees": 20}, "classification")
    trees = max(1, round(20 * 50e6 / s.value(size)))
    s.train("a9", "random_forest", "c3_train", "y", {"validation": "none", "trees": trees}, "classification")
    megabytes = s.value(size) / 1e6
    for k in range(RUNS):
        s.run(f"SELECT wfml.import_model('a9_{k}', wfml.export_model('a9'))")
    s.close()

    def session(model, setting, first, second, idle):
        s = Session()
        s.run(f"SET wfml.shared_cache_memory = '{setting}'")
        s.run("SELECT * FROM c3_test LIMIT 1")
        idle.append(s.timed("SELECT y FROM c3_test t LIMIT 1")[1:])
        for runs in (first, second):
            runs.append(s.timed(f"SELECT wfml.classify('{model}', t) FROM (SELECT * FROM c3_test LIMIT 1) t")[1:])
        s.close()
    alone, sharing, later, second, idle = [], [], [], [], []
    for k in range(RUNS):
        session("a9", "0", alone, second, idle)
        session(f"a9_{k}", "1GB", sharing, second, idle)
        session(f"a9_{k}", "1GB", later, second, idle)
    s = Session()
    for k in range(RUNS):
        s.run(f"SELECT wfml.drop_model('a9_{k}')")
    s.close()

    def row(name, runs):
        return [name, *(f"{1000 * statistics.median(r[k] for r in runs):.2f}" for k in (0, 1)),
                f"{1000 * min(r[1] for r in runs):.2f}"]
    ms = 1000 * statistics.median(f[1] for f in later)
    report.table(f"A9 first prediction in a new session, forest of {megabytes:.0f} MB ({trees} trees)",
                 ["", "CPU ms", "wall ms", "best wall ms"],
                 [row("first prediction, another session has the model opened", later),
                  row("of the server's first session, which shares it", sharing),
                  row("without sharing", alone), row("second prediction", second), row("a plain query", idle)],
                 f"Medians of {RUNS} sessions. Bar 100, goal 45 (wall): {verdict(ms, 100, 45, True)}.")
