"""Tables of unusual shape: each trains and predicts, or says why not."""

import psycopg2

from common import Session
from training import make_growth


def attempt(session, rows, name, make, source, target, params=None, algorithm="gradient_boosting", task=None, features=None):
    for statement in make:
        session.run(statement)
    try:
        cpu, wall, summary = session.train("shape", algorithm, source, target, params, task, features)
        score = summary["score"]
        alias = f"({source}) t" if source.lower().startswith("select") else f"{source} t"
        call = "predict_detail"
        session.run(f"SELECT p.* FROM (SELECT * FROM {alias} LIMIT 100) t, LATERAL wfml.{call}('shape', t) p")
        rows.append([name, algorithm, f"{wall:.1f}", summary["size"],
                     f"{summary['metric']} {score:.4g}" if score is not None else "trained, predicts"])
    except psycopg2.Error as error:
        message = error.diag.message_primary or str(error)
        hint = f" HINT: {error.diag.message_hint}" if error.diag.message_hint else ""
        rows.append([name, algorithm, "", "", f"ERROR {error.pgcode}: {message}{hint}".replace("|", "\\|").replace("\n", " ")])


def shapes(report):
    rows = []
    s = Session(workers=1)
    wide = ", ".join(f"(hashint4(i * {k} + 1) % 1000)::float4 AS c{k}" for k in range(999))
    for algorithm in ("gradient_boosting", "random_forest", "linear"):
        attempt(s, rows, "1,000 columns × 5,000 rows",
                ["DROP TABLE IF EXISTS wide",
                 f"CREATE TABLE wide AS SELECT {wide}, (i % 7 + hashint4(i + 1) % 1000 / 100.0)::float8 AS y FROM generate_series(1, 5000) i"],
                "wide", "y", algorithm=algorithm)
    for algorithm in ("gradient_boosting", "random_forest", "linear"):
        attempt(s, rows, "2 rows", ["DROP TABLE IF EXISTS two", "CREATE TABLE two (a float8, b text, y float8)",
                                    "INSERT INTO two VALUES (1, 'x', 10), (2, 'y', 20)"], "two", "y",
                {"validation": "none"}, algorithm)
    attempt(s, rows, "2 rows, validation as by default", [], "two", "y")
    attempt(s, rows, "1 row", [], "SELECT * FROM two LIMIT 1", "y")
    attempt(s, rows, "no rows", [], "SELECT * FROM two WHERE false", "y")
    attempt(s, rows, "one class", [], "SELECT a, b, 'same'::text AS y FROM two, generate_series(1, 100)", "y")
    for algorithm in ("gradient_boosting", "random_forest", "linear"):
        attempt(s, rows, "a column of 50,000 categories × 200,000 rows",
                ["DROP TABLE IF EXISTS many",
                 "CREATE TABLE many AS SELECT 'category ' || (i * 7919 % 50000) AS c, (i % 100)::int AS n, "
                 "(i * 7919 % 50000 % 13 + i % 100 / 50.0)::float8 AS y FROM generate_series(1, 200000) i"],
                "many", "y", algorithm=algorithm)
    for algorithm in ("gradient_boosting", "random_forest", "linear"):
        attempt(s, rows, "NaN, ±Infinity, all-NULL columns",
                ["DROP TABLE IF EXISTS strange",
                 "CREATE TABLE strange AS SELECT CASE i % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' "
                 "WHEN 3 THEN NULL ELSE i::float8 END AS a, NULL::float8 AS b, NULL::text AS c, (i % 10)::float8 AS d, "
                 "(i % 10 + i % 5)::float8 AS y FROM generate_series(1, 10000) i"],
                "strange", "y", algorithm=algorithm)
    attempt(s, rows, "target with NaN and Infinity", [], "SELECT d, a AS y FROM strange", "y")
    make_growth(s, 3000000)
    attempt(s, rows, "3,000,000 × 20", [], "growth", "y")
    attempt(s, rows, "3,000,000 × 20, default forest", [], "growth", "y", None, "random_forest")
    attempt(s, rows, "3,000,000 × 20, 3 classes, default forest", [],
            "SELECT " + ", ".join(f"f{k}" for k in range(20)) + ", width_bucket(y, -0.5, 0.5, 1)::text AS y FROM growth", "y",
            None, "random_forest")
    s.run("DROP TABLE growth")
    s.close()
    report.table("Unusual shapes", ["", "algorithm", "wall s", "model", "outcome"], rows)
