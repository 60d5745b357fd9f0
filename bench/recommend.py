"""Recommendation: how good beside scikit-learn and item-kNN, how fast, how large.

Quality by the protocol of the published figures: interactions in file order,
every fifth (i % 5 = 4) is a test row; for each user with a training row and a
test row all items that he does not have are ranked, NDCG@10 with gain 0 or 1.
wfml sees the training rows only ("validation": "none")."""

import os
import subprocess
import time

import numpy as np

from common import Memory, SHIPPED, Session, copy_table, verdict
from prediction import pgbench

# data: file, what makes (i, user_id, item) of it in file order, bar and goal of NDCG@10 with "auto"
SETS = {
    "msweb_visits": ("user_id int, item_id int, split text",
                     "SELECT row_number() OVER (ORDER BY i) - 1 AS i, user_id, item_id::text AS item FROM raw WHERE split = 'train'",
                     0.555, 0.565),
    "n8n_steps": ("workflow_id int, step_no int, depth int, role text, node_type text, node_package text",
                  "SELECT row_number() OVER (ORDER BY min(i)) - 1 AS i, workflow_id AS user_id, node_type AS item "
                  "FROM raw GROUP BY workflow_id, node_type",
                  0.470, 0.486),
}
METHODS = ["auto", "ease", "rp3beta", "item_knn", "als", "nmf", "popular"]


def load(session, name):
    """Tables <name> (i, user_id, item); False when the file is not here."""
    columns, query, _, _ = SETS[name]
    for folder in (SHIPPED, os.environ.get("WFML_DATA", "")):
        path = os.path.join(folder, f"{name}.csv.gz")
        if folder and os.path.exists(path):
            break
    else:
        return False
    session.run("DROP TABLE IF EXISTS raw")
    session.run(f"CREATE TABLE raw (i bigserial, {columns})")
    names = ", ".join(c.split()[0] for c in columns.split(", "))
    with subprocess.Popen(["gzip", "-dc", path], stdout=subprocess.PIPE) as gzip:
        session.cursor.copy_expert(f"COPY raw ({names}) FROM STDIN WITH (FORMAT csv, HEADER)", gzip.stdout)
    session.run(f"DROP TABLE IF EXISTS {name}")
    session.run(f"CREATE TABLE {name} AS {query}")
    session.run(f"VACUUM ANALYZE {name}")
    return True


class Split:
    """The interactions as two lists of items by user, users and items by number."""

    def __init__(self, rows):
        users, items = {}, {}
        pairs = [(i, users.setdefault(u, len(users)), items.setdefault(x, len(items))) for i, u, x in rows]
        self.users, self.items = list(users), list(items)
        self.number = items
        self.train = [[] for _ in users]
        self.test = [[] for _ in users]
        for i, u, x in pairs:
            (self.test if i % 5 == 4 else self.train)[u].append(x)
        self.judged = [u for u in range(len(users)) if self.train[u] and self.test[u]]

    def matrix(self):
        from scipy.sparse import csr_matrix
        pairs = [(u, x) for u, items in enumerate(self.train) for x in items]
        u, x = np.array(pairs).T
        return csr_matrix((np.ones(len(u), np.float32), (u, x)), shape=(len(self.users), len(self.items)))

    def ndcg(self, ranked):
        """Mean over the judged users; ranked[u]: numbers of items, best first."""
        gain = 1 / np.log2(np.arange(2, 12))
        total = 0
        for u in self.judged:
            wanted = set(self.test[u])
            total += sum(gain[k] for k, x in enumerate(ranked[u][:10]) if x in wanted) / gain[:min(10, len(wanted))].sum()
        return total / len(self.judged)

    def rank(self, scores):
        """Ten best for each judged user; scores(users) is a dense array."""
        ranked = {}
        for at in range(0, len(self.judged), 1000):
            part = self.judged[at:at + 1000]
            s = scores(part)
            for row, u in zip(s, part):
                row[self.train[u]] = -np.inf
                ranked[u] = np.argsort(-row, kind="stable")[:10]
        return ranked


# ---- peers, on the same rows ----

def peer_nmf(split):
    from sklearn.decomposition import NMF
    X = split.matrix()
    start = time.process_time()
    model = NMF(n_components=20, init="nndsvda", max_iter=200, random_state=0)
    W = model.fit_transform(X)
    cpu = time.process_time() - start
    return split.ndcg(split.rank(lambda users: W[users] @ model.components_)), cpu


def peer_item_knn(split):
    X = split.matrix()
    start = time.process_time()
    norm = np.sqrt(np.maximum(np.asarray(X.sum(axis=0)).ravel(), 1))
    S = (X.T @ X).toarray() / norm[:, None] / norm[None, :]
    np.fill_diagonal(S, 0)
    cpu = time.process_time() - start
    return split.ndcg(split.rank(lambda users: np.asarray(X[users] @ S))), cpu


def peer_popularity(split):
    count = np.asarray(split.matrix().sum(axis=0)).ravel()
    return split.ndcg(split.rank(lambda users: np.tile(count, (len(users), 1)))), 0


PEERS = [("scikit-learn NMF, k = 20", peer_nmf), ("item-kNN, cosine", peer_item_knn), ("popularity", peer_popularity)]


# ---- quality ----

def train(session, model, source, params, *columns):
    """(cpu, wall, summary)"""
    import json
    rows, cpu, wall = session.timed("SELECT to_jsonb(s) FROM wfml.train_recommender(%s, %s, %s, %s, %s, params => %s::jsonb) s",
                                    model, source, *columns, *[None] * (3 - len(columns)), json.dumps(params))
    return cpu, wall, rows[0][0]


def recommended(session, split, name):
    """Ten best of wfml for each judged user."""
    rows = session.run(f"""
        SELECT u.user_id, array_agg(r.item ORDER BY r.rank)
        FROM (SELECT DISTINCT user_id FROM {name} WHERE i % 5 <> 4) u, LATERAL wfml.recommend('rec', u.user_id) r GROUP BY 1""")
    number = {u: n for n, u in enumerate(split.users)}
    return {number[u]: [split.number[x] for x in items] for u, items in rows}


def quality(report):
    rows = []
    missing = []
    s = Session()
    for name, (_, _, bar, goal) in SETS.items():
        if not load(s, name):
            missing.append(name)
            continue
        split = Split(s.run(f"SELECT i, user_id, item FROM {name} ORDER BY i"))
        for method in METHODS:
            cpu, _, summary = train(s, "rec", f"SELECT * FROM {name} WHERE i % 5 <> 4",
                                    {"method": method, "validation": "none"}, "user_id", "item")
            value = split.ndcg(recommended(s, split, name))
            rows.append([name, f"wfml {method}", f"**{value:.4f}**", f"{cpu:.2f}", summary["size"],
                         verdict(value, bar, goal) + f" (bar {bar}, goal {goal})" if method == "auto" else ""])
        for label, function in PEERS:
            value, cpu = function(split)
            rows.append([name, label, f"{value:.4f}", f"{cpu:.2f}", "", ""])
    s.close()
    report.table("Recommendation, NDCG@10 (idx4)", ["data", "method", "NDCG@10", "CPU s", "model", ""], rows,
                 "CPU: the whole statement for wfml, fitting alone for the others."
                 + (f" Not measured, not shipped (set WFML_DATA): {', '.join(missing)}." if missing else ""))


# ---- one user among many items ----

def zipf(n_users, n_items, n, seed=7):
    """n interactions: items by Zipf's law, users nearly alike, some taste."""
    rng = np.random.default_rng(seed)
    user = (n_users * rng.random(n) ** 1.5).astype(np.int64)
    weight = 1 / (np.arange(n_items) + 10.0) ** 0.9
    edge = np.cumsum(weight) / weight.sum()
    item = np.searchsorted(edge, rng.random(n))
    # half of the interactions stay in the user's corner of the catalogue
    corner = rng.random(n) < 0.5
    item[corner] = (item[corner] // 50 * 50 + user[corner] % 50) % n_items
    return user, np.minimum(item, n_items - 1)


def need(session, table, n_users, n_items, n):
    if not session.value("SELECT to_regclass(%s) IS NOT NULL", table):
        copy_table(session, table, ["u", "x"], ["int", "int"], list(zipf(n_users, n_items, n)))


def latency(report):
    s = Session()
    need(s, "zipf_1m", 100000, 100000, 1000000)
    rows = []
    for method, params in (("auto", {}), ("als", {"factors": 64, "iterations": 2, "regularization": 0.1, "confidence": 10})):
        _, _, summary = train(s, "big", "zipf_1m", {"method": method, "validation": "none", **params}, "u", "x")
        items = s.value("SELECT wfml.model_info('big') ->> 'items'")
        base = min(pgbench("SELECT * FROM generate_series(1, 10) WHERE :u >= 0", {"u": 4711}, 5000) for _ in range(3))
        for label, call in ((":u, 10", ":u"), ("NULL, 10, history of 20", "NULL, history => :h::text[]")):
            history = "{" + ",".join(str(k * 37) for k in range(20)) + "}"
            p50 = min(pgbench(f"SELECT * FROM wfml.recommend('big', {call})", {"u": 4711, "h": history}, 5000) for _ in range(3))
            rows.append([f"{method}, {items} items, {summary['size']}", label, f"{base:.0f}", f"**{p50:.0f}**",
                         verdict(p50, 300, None, True) if method == "auto" else ""])
    s.close()
    report.table("recommend() through a prepared statement, p50 in µs",
                 ["model", "arguments", "generate_series(1, 10)", "recommend", ""], rows,
                 "pgbench, one client, 3 × 5,000 transactions, best median. Bar for item models: 300.")


# ---- many users, many items ----

def scale(report):
    s = Session()
    need(s, "zipf_10m", 1000000, 100000, 10000000)
    s.run("SELECT count(u) FROM zipf_10m")
    foreseen = dict((r[0], r[5]) for r in s.run("SELECT * FROM wfml.inspect_recommender('zipf_10m', 'u', 'x')"))
    s.close()
    rows = []
    for params in ({}, {"validation": "none", "method": "rp3beta"}):
        s = Session()
        s.run("SELECT count(u) FROM zipf_10m")
        s.run("SET wfml.max_training_memory = '4GB'")
        memory = Memory(s.pid)
        idle = memory.now()
        memory.start()
        cpu, wall, summary = train(s, "scale", "zipf_10m", params, "u", "x")
        memory.stop = True
        memory.join()
        used = memory.peak - idle
        rows.append([str(params or "defaults"), f"**{cpu:.1f}**", f"{wall:.1f}", f"**{used / 1e6:.0f}**", summary["size"],
                     f"{summary['metric'] or ''} {summary['score'] or ''}", verdict(max(cpu / 60, used / 2**30), 1, None, True)])
        s.close()
    report.table("1,000,000 users × 100,000 items × 10,000,000 interactions",
                 ["params", "CPU s", "wall s", "MB above idle", "model", "", "60 s, 1 GB"], rows,
                 f"inspect_recommender() said beforehand: {foreseen.get('(memory)')} of memory, a model of "
                 f"{foreseen.get('(model)')}, {foreseen.get('(seconds)')} seconds.")
