"""Training: processor time beside the peers, memory, growth, two processes."""

import math

from common import FEATURES, Memory, Session, load_generated, peer, verdict

SHARE = "{:.4f}"


def ratio(x):
    return f"1/{1 / x:.0f}" if x < 0.2 else f"{x:.2f}"


def score_class(session, model):
    return float(session.value(f"SELECT avg((wfml.classify('{model}', t) = y::text)::int) FROM c3_test t"))


def score_r2(session, model):
    return float(session.value(f"""
        SELECT 1 - sum((y - p) ^ 2) / sum((y - m) ^ 2)
        FROM (SELECT y, avg(y) OVER () AS m, wfml.predict('{model}', t) AS p FROM r1_test t) s"""))


def best_training(session, times, *args, **kwargs):
    runs = [session.train(*args, **kwargs) for _ in range(times)]
    return min(r[0] for r in runs), min(r[1] for r in runs), runs[-1][2]


def a1(report):
    s = Session()
    load_generated(s, "c3")
    cpu, wall, summary = best_training(s, 2, "a1", "random_forest", "c3_train", "y",
                                       {"validation": "none", "trees": 100}, "classification")
    accuracy = score_class(s, "a1")
    them = peer("forest")
    share = cpu / them["cpu"]
    report.table("A1 random forest, 100 trees, 160,000 × 20, 3 classes",
                 ["", "CPU s", "wall s", "accuracy"],
                 [["wfml", f"{cpu:.2f}", f"{wall:.2f}", f"{accuracy:.4f}"],
                  ["scikit-learn RandomForestClassifier", f"{them['cpu']:.1f}", f"{them['wall']:.1f}", f"{them['score']:.4f}"],
                  ["ratio", ratio(share), "", verdict(accuracy, min(0.9486, them["score"]) - 0.002)]],
                 f"Bar 1/30, goal 1/50: {verdict(share, 1 / 30, 1 / 50, True)}. Model: {summary['size']}.")
    s.close()


def boosting_peers(*args):
    return {name: peer("boosting", name, *args) for name in ("xgboost", "lightgbm", "sklearn-hist")}


def a2(report):
    s = Session()
    load_generated(s, "r1")
    cpu, wall, _ = best_training(s, 4, "a2", "gradient_boosting", "r1_train", "y", {"validation": "none"})
    r2 = score_r2(s, "a2")
    them = boosting_peers()
    fastest = min(them.values(), key=lambda p: p["cpu"])
    share = cpu / fastest["cpu"]
    report.table("A2 gradient boosting, 100 rounds, 31 leaves, 160,000 × 20",
                 ["", "CPU s", "wall s", "R²"],
                 [["wfml", f"{cpu:.2f}", f"{wall:.2f}", f"{r2:.4f}"]] +
                 [[n, f"{p['cpu']:.2f}", f"{p['wall']:.2f}", f"{p['score']:.4f}"] for n, p in them.items()] +
                 [["ratio to the fastest", f"{share:.2f}", "", verdict(r2, 0.947 - 0.001)]],
                 f"Bar 0.5, goal 0.33: {verdict(share, 0.5, 0.33, True)}.")
    s.close()


def a3(report):
    s = Session()
    load_generated(s, "r1")
    cpu, wall, _ = best_training(s, 4, "a3", "gradient_boosting", "r1_train", "y",
                                 {"validation": "none", "max_depth": 3})
    r2 = score_r2(s, "a3")
    them = peer("boosting", "sklearn-exact", "8", "3")
    share = cpu / them["cpu"]
    report.table("A3 gradient boosting, 100 rounds, depth 3, 160,000 × 20",
                 ["", "CPU s", "wall s", "R²"],
                 [["wfml", f"{cpu:.2f}", f"{wall:.2f}", f"{r2:.4f}"],
                  ["scikit-learn GradientBoostingRegressor", f"{them['cpu']:.1f}", f"{them['wall']:.1f}", f"{them['score']:.4f}"],
                  ["ratio", ratio(share), "", verdict(r2, them["score"])]],
                 f"Bar 1/200, goal 1/400: {verdict(share, 1 / 200, 1 / 400, True)}.")
    s.close()


def a10(report):
    rows = []
    s = Session()
    load_generated(s, "c3")
    load_generated(s, "r1")
    cases = [("forest C3", "random_forest", "c3_train", "classification", 160000, 20, 0, {"trees": 20}),
             ("boosting R1", "gradient_boosting", "r1_train", None, 160000, 20, 0, {}),
             ("boosting C3, 3 classes", "gradient_boosting", "c3_train", "classification", 160000, 20, 3, {"rounds": 20})]
    if s.value("SELECT to_regclass('growth') IS NOT NULL"):
        n = s.value("SELECT count(*) FROM growth")
        cases.append((f"boosting, {n:,} rows", "gradient_boosting", "growth", None, n, 20, 0, {"rounds": 10}))
    s.close()
    for name, algorithm, source, task, n, d, k, params in cases:
        for workers in (0, 2):
            s = Session(workers)
            s.run(f"SELECT count(f1) FROM {source}")
            memory = Memory(s.pid)
            idle = memory.now()
            memory.start()
            s.train("a10", algorithm, source, "y", {"validation": "none", **params}, task)
            memory.stop = True
            memory.join()
            used = memory.peak - idle
            allowed = n * (d + 24 + 12 * k) + (64 << 20)
            rows.append([name, workers, f"{used / 1e6:.0f}", f"{allowed / 1e6:.0f}", verdict(used, allowed, None, True)])
            s.close()
    report.table("A10 memory of training: PSS of all server processes above idle",
                 ["", "workers", "MB", "allowed: n·(d + 24 + 12·K) + 64 MB", ""], rows,
                 "maintenance_work_mem 64 MB (the default). Sampled every 10 ms.")


def a11(report):
    rows = []
    s = Session()
    load_generated(s, "c3")
    load_generated(s, "r1")
    s.close()
    for name, algorithm, source, task, bar in (("A1 forest", "random_forest", "c3_train", "classification", 1.7),
                                               ("A2 boosting", "gradient_boosting", "r1_train", None, 1.7)):
        wall = {}
        cpu = {}
        digest = {}
        for workers in (0, 1):
            s = Session(workers)
            reading = min(s.timed(f"SELECT {', '.join(f'max({f})' for f in FEATURES)} FROM {source}")[2] for _ in range(3))
            runs = [s.train("a11", algorithm, source, "y", {"validation": "none"}, task) for _ in range(4)]
            wall[workers] = min(r[1] for r in runs), reading
            cpu[workers] = min(r[0] for r in runs)
            digest[workers] = s.value("""SELECT encode(sha256(string_agg(bytes, '' ORDER BY seq)), 'hex')
                FROM wfml.ml_artifact a JOIN wfml.registry r ON r.active_id = a.model_id WHERE r.name = 'a11'""")
            s.close()
        whole = wall[0][0] / wall[1][0]
        training = (wall[0][0] - wall[0][1]) / (wall[1][0] - wall[0][1])
        rows.append([name, f"{wall[0][0]:.2f}", f"{wall[1][0]:.2f}", f"{whole:.2f}×", f"{training:.2f}×",
                     f"{cpu[0]:.2f} → {cpu[1]:.2f}", "same bytes" if digest[0] == digest[1] else "**bytes differ**", verdict(training, bar, 1.9)])
    report.table("A11 leader and one worker against the leader alone, wall seconds",
                 ["", "alone", "with one worker", "statement", "without reading the table", "leader's CPU s", "", ""],
                 rows, "Reading is taken as the time of a query that reads all columns. Bar 1.7×, goal 1.9×. Both processors "
                 "must be free for this; the leader's CPU time says what would be left to wait for on a free machine.")


def make_growth(session, n):
    """n rows of 20 normal columns and a smooth target, made by the server."""
    session.run("DROP TABLE IF EXISTS growth")
    session.run(f"CREATE UNLOGGED TABLE growth ({', '.join(f'{f} float4' for f in FEATURES)}, y float4)")
    session.run("SELECT setseed(0.7)")
    # sums of uniform numbers are near enough to normal
    draw = ", ".join(f"random() + random() + random() + random() - 2 AS {f}" for f in FEATURES)
    session.run(f"""INSERT INTO growth
        SELECT {', '.join(FEATURES)}, tanh({' + '.join(f'{(k * 7 % 11) / 6 - 0.5:.2f} * f{k}' for k in range(12))}) +
               0.3 * sin(3 * f0) + 0.05 * (random() - 0.5)
        FROM (SELECT {draw} FROM generate_series(1, {n})) s""")
    session.run("VACUUM ANALYZE growth")


def a12(report, largest):
    rows = []
    points = []
    s = Session()
    for n in (10 ** k for k in range(4, largest + 1)):
        make_growth(s, n)
        cpu = min(s.train("a12", "gradient_boosting", "growth", "y", {"validation": "none"})[0]
                  for _ in range(5 if n < 10 ** 6 else 1))
        points.append((n, cpu))
        rows.append([f"{n:,}", f"{cpu:.3f}", f"{1e6 * cpu / n:.2f}"])
    s.close()
    slope = math.log(points[-1][1] / points[0][1]) / math.log(points[-1][0] / points[0][0])
    report.table("A12 growth of A2", ["rows", "CPU s", "µs a row"], rows,
                 f"Time grows as n^{slope:.3f}; bar 1.06, goal 1.03: {verdict(slope, 1.06, 1.03, True)}.")
