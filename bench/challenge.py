#!/usr/bin/env python3
"""How often is the verdict of retrain() right?

Labels are drawn from known probabilities, so what a model loses in truth is
known without the noise of labels: its expected log loss over 20,000 points.
Each seed makes tables on which the new version is truly better (the table has
grown) or worse (it has lost most of its rows), retrains, and notes whether the
new version was activated.

    bench/challenge.py [seeds] [dsn]        the server needs the extension installed
"""
import sys

import numpy as np
import psycopg2
from psycopg2.extras import execute_values

FEATURES = 5
TEST_ROWS = 20000
# name: rows of the champion, of these kept, fresh rows
CASES = {
    "better": (400, 400, 2200),
    "a bit better": (1000, 1000, 2200),
    "a bit worse": (8000, 0, 1800),
    "worse": (5000, 0, 700),
}


def draw(rng, n):
    x = np.round(rng.uniform(-1, 1, (n, FEATURES)), 4)
    logit = 3 * x[:, 0] + 2.5 * x[:, 1] * x[:, 2] + 1.5 * np.sin(3 * x[:, 3])
    p = 0.1 + 0.8 / (1 + np.exp(-logit))
    return x, p, rng.uniform(size=n) < p


def insert(cursor, table, first, x, y):
    rows = [(first + i, *map(float, x[i]), bool(y[i])) for i in range(len(y))]
    execute_values(cursor, f"INSERT INTO {table} VALUES %s", rows, page_size=2000)


def expected_loss(cursor, model, p):
    cursor.execute("SELECT wfml.predict(%s, t) FROM (SELECT * FROM test ORDER BY id) t", (model,))
    q = np.clip(np.array([r[0] for r in cursor.fetchall()]), 1e-4, 1 - 1e-4)
    return float(-(p * np.log(q) + (1 - p) * np.log(1 - q)).mean())


def one(cursor, rng, sizes):
    """True relative loss of the new version, its fresh rows, and whether it was activated."""
    trained, kept, fresh = sizes
    x, p, y = draw(rng, trained + fresh)
    cursor.execute("TRUNCATE sample")
    insert(cursor, "sample", 1, x[:trained], y[:trained])
    cursor.execute("SELECT version FROM wfml.train('m', 'gradient_boosting', 'sample', 'y', '{\"rounds\": 40}')")
    was = cursor.fetchone()[0]
    cursor.execute("DELETE FROM sample WHERE id > %s", (kept,))
    insert(cursor, "sample", trained + 1, x[trained:], y[trained:])
    cursor.execute("SELECT version, activated, fresh_rows FROM wfml.retrain('m')")
    now, activated, n = cursor.fetchone()
    return was, now, n, activated


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    connection = psycopg2.connect(sys.argv[2] if len(sys.argv) > 2 else "")
    connection.autocommit = True
    cursor = connection.cursor()
    columns = ", ".join(f"x{i} float8" for i in range(FEATURES))
    cursor.execute("SET client_min_messages = warning; SET max_parallel_maintenance_workers = 0;"
                   "CREATE EXTENSION IF NOT EXISTS wfml")
    for table in ("sample", "test"):
        cursor.execute(f"CREATE TEMP TABLE {table} (id int PRIMARY KEY, {columns}, y boolean)")
    x, p, y = draw(np.random.default_rng(0), TEST_ROWS)
    insert(cursor, "test", 1, x, y)
    results = []
    for seed in range(1, seeds + 1):
        rng = np.random.default_rng(seed)
        for name, sizes in CASES.items():
            was, now, fresh, activated = one(cursor, rng, sizes)
            loss = {v: expected_loss(cursor, f"m@{v}", p) for v in (was, now)}
            results.append((loss[now] / loss[was] - 1, activated, fresh, name))
            cursor.execute("SELECT wfml.drop_model('m')")
    print(f"{seeds} seeds, {len(results)} retrainings")
    for name in CASES:
        of = [r for r in results if r[3] == name]
        print(f"{name:12} {np.mean([r[0] for r in of]) * 100:+6.1f} % on average, activated {sum(r[1] for r in of)} of {len(of)}")
    for low, high in ((-1, -.1), (-.1, -.06), (-.06, -.03), (-.03, 0), (0, .03), (.03, .06), (.06, .1), (.1, 9)):
        of = [r for r in results if low <= r[0] < high]
        if of:
            print(f"truly {low * 100:+5.0f} … {high * 100:+4.0f} %: activated {sum(r[1] for r in of)} of {len(of)}")
    worse = [r for r in results if r[0] > 0.03]
    better = [r for r in results if r[0] < -0.03 and r[2] >= 2000]
    print(f"more than 3 % worse:  {100 * np.mean([r[1] for r in worse]):.1f} % activated (bar: 5)")
    print(f"more than 3 % better: {100 * np.mean([r[1] for r in better]):.1f} % activated (bar: 80)")


if __name__ == "__main__":
    main()
