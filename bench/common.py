"""The server under test, its processor time and memory, the peers, and the report."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(HERE), "build", "bench")
SHIPPED = os.path.join(os.path.dirname(HERE), "test", "data")


def connect():
    connection = psycopg2.connect("")
    connection.autocommit = True
    return connection


class Session:
    """A connection that knows its backend's processor time."""

    def __init__(self, workers=0):
        self.connection = connect()
        self.cursor = self.connection.cursor()
        self.pid = self.connection.get_backend_pid()
        self.run(f"SET max_parallel_maintenance_workers = {workers}")
        self.run("SET max_parallel_workers_per_gather = 0")
        self.run("SET client_min_messages = warning")

    def run(self, sql, *args):
        self.cursor.execute(sql, args or None)
        return self.cursor.fetchall() if self.cursor.description else None

    def value(self, sql, *args):
        return self.run(sql, *args)[0][0]

    def cpu(self):
        """Seconds on a processor so far; a backend has one thread."""
        with open(f"/proc/{self.pid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e9

    def timed(self, sql, *args):
        """(rows, cpu seconds, wall seconds) of one statement."""
        cpu, wall = self.cpu(), time.perf_counter()
        rows = self.run(sql, *args)
        return rows, self.cpu() - cpu, time.perf_counter() - wall

    def best_cpu(self, sql, times=5):
        return min(self.timed(sql)[1] for _ in range(times))

    def train(self, model, algorithm, source, target, params=None, task=None, features=None):
        """(cpu, wall, summary as a dict) of a training."""
        rows, cpu, wall = self.timed(
            "SELECT to_jsonb(s) FROM wfml.train(%s, %s, %s, %s, %s::jsonb, %s::text[], %s) s",
            model, algorithm, source, target, json.dumps(params or {}), features, task)
        return cpu, wall, rows[0][0]

    def close(self):
        self.connection.close()


class Memory(threading.Thread):
    """The largest PSS of all the server's processes while it runs, in bytes."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.server = os.stat(f"/proc/{pid}").st_uid, self.parent(pid)
        self.stop = False
        self.peak = 0

    @staticmethod
    def parent(pid):
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])

    def now(self):
        total = 0
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                if int(name) != self.server[1] and self.parent(name) != self.server[1]:
                    continue
                with open(f"/proc/{name}/smaps_rollup") as f:
                    for line in f:
                        if line.startswith("Pss:"):
                            total += int(line.split()[1]) * 1024
                            break
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        return total

    def run(self):
        while not self.stop:
            self.peak = max(self.peak, self.now())
            time.sleep(0.01)


# ---- tables ----

def copy_table(session, table, columns, types, arrays, condition=None):
    """A table of these columns, filled through COPY."""
    import io

    import pandas as pd
    session.run(f"DROP TABLE IF EXISTS {table}")
    session.run(f"CREATE TABLE {table} ({', '.join(f'{c} {t}' for c, t in zip(columns, types))})")
    frame = pd.DataFrame(dict(zip(columns, arrays)))
    for at in range(0, len(frame), 100000):
        buffer = io.StringIO()
        frame.iloc[at:at + 100000].to_csv(buffer, header=False, index=False)
        buffer.seek(0)
        session.cursor.copy_expert(f"COPY {table} FROM STDIN WITH (FORMAT csv)", buffer)
    session.run(f"VACUUM ANALYZE {table}")


def load_csv(session, table, columns, name):
    """A real data set as it is in its file, with the row number i = 0, 1, …

    Returns False when the file is at neither place."""
    for folder in (SHIPPED, os.environ.get("WFML_DATA", "")):
        path = os.path.join(folder, name)
        if folder and os.path.exists(path):
            break
    else:
        return False
    session.run(f"DROP TABLE IF EXISTS {table}")
    session.run(f"CREATE TABLE {table} (i bigserial, {columns})")
    names = ", ".join(c.split()[0] for c in columns.split(", "))
    with subprocess.Popen(["gzip", "-dc", path], stdout=subprocess.PIPE) as gzip:
        session.cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN WITH (FORMAT csv, HEADER)", gzip.stdout)
    session.run(f"UPDATE {table} SET i = i - 1")
    session.run(f"VACUUM FULL ANALYZE {table}")
    return True


# ---- generated data, as algorithms are usually shown with ----

FEATURES = [f"f{k}" for k in range(20)]


def generated(name):
    """(X, y) in float32 of the data sets C3 and R1."""
    path = os.path.join(BUILD, f"{name}.npz")
    if not os.path.exists(path):
        from sklearn.datasets import make_classification, make_regression
        if name == "c3":
            X, y = make_classification(200000, 20, n_informative=12, n_classes=3,
                                       n_clusters_per_class=2, random_state=7)
        else:
            X, y = make_regression(200000, 20, n_informative=12, noise=10, random_state=7)
            y = np.tanh(y / 200) + 0.3 * np.sin(3 * X[:, 0])
        np.savez(path, X=X.astype(np.float32), y=y.astype(np.float32))
    with np.load(path) as data:
        return data["X"], data["y"]


def generated_split(name):
    X, y = generated(name)
    test = np.arange(len(y)) % 5 == 4
    return X[~test], y[~test], X[test], y[test]


def load_generated(session, name):
    """Tables name_train and name_test, once a run."""
    if session.value("SELECT to_regclass(%s) IS NOT NULL", f"{name}_train"):
        return
    X, y, Xt, yt = generated_split(name)
    kind = "int4" if name == "c3" else "float4"
    for table, a, b in ((f"{name}_train", X, y), (f"{name}_test", Xt, yt)):
        b = b.astype(int) if name == "c3" else b
        copy_table(session, table, FEATURES + ["y"], ["float4"] * 20 + [kind], list(a.T) + [b])


# ---- peers: each in a process of its own ----

def peer(name, *args):
    """What peers.py prints for this; asked once a run."""
    key = " ".join((name,) + args)
    path = os.path.join(BUILD, "peers.json")
    cache = {}
    if os.path.exists(path):
        with open(path) as f:
            cache = json.load(f)
    if key not in cache:
        print(f"   peer {key} …", file=sys.stderr, flush=True)
        output = subprocess.run([sys.executable, os.path.join(HERE, "peers.py"), name, *args],
                                check=True, stdout=subprocess.PIPE, text=True).stdout
        cache[key] = json.loads(output.strip().splitlines()[-1])
        with open(path, "w") as f:
            json.dump(cache, f, indent=1)
    return cache[key]


# ---- the report ----

class Report:
    """A markdown table for each bench."""

    def __init__(self):
        self.sections = []

    def table(self, title, header, rows, note=""):
        lines = [f"## {title}", "", "| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
        lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
        if note:
            lines += ["", note]
        text = "\n".join(lines) + "\n"
        print(text, flush=True)
        self.sections.append((title, text))


def verdict(value, bar, goal=None, lower_is_better=False):
    def holds(limit):
        return value <= limit if lower_is_better else value >= limit
    if goal is not None and holds(goal):
        return "goal reached"
    return "holds" if holds(bar) else "**missed**"
