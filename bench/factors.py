"""A5: non-negative factorisation beside scikit-learn's; and the error of predicted ratings on a data set of the user's."""

import os
import subprocess
import time

import numpy as np

from common import BUILD, HERE, Session, verdict

ROWS, COLUMNS, ENTRIES, FACTORS = 10000, 2000, 500000, 20
RUNS = 3


def make_matrix(planted, path):
    """A random sparse matrix, its entries uniform or products of low rank; also written as triples."""
    from scipy.sparse import csr_matrix
    random = np.random.default_rng(7)
    cells = random.choice(ROWS * COLUMNS, ENTRIES, replace=False)
    cells.sort()
    r, c = cells // COLUMNS, cells % COLUMNS
    if planted:
        w, h = random.gamma(1, 1, (ROWS, FACTORS)), random.gamma(1, 1, (COLUMNS, FACTORS))
        values = (w[r] * h[c]).sum(1) / FACTORS
    else:
        values = random.random(ENTRIES)
    triples = np.empty(ENTRIES, dtype=[("row", "<u4"), ("col", "<u4"), ("value", "<f4")])
    triples["row"], triples["col"], triples["value"] = r, c, values
    triples.tofile(path)
    return csr_matrix((triples["value"], (r, c)), shape=(ROWS, COLUMNS))


def compile_nmf():
    root = os.path.dirname(HERE)
    program = os.path.join(BUILD, "nmf")
    core = [os.path.join(root, "src", "core", f"{name}.c") for name in
            ("factors", "factors_train", "nmf", "normal", "matrix", "sums", "mathx", "host", "team", "simd")]
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-O2", "-ffp-contract=off", "-D_GNU_SOURCE",
                    "-I", os.path.join(root, "src"), os.path.join(HERE, "core", "nmf.c"), *core,
                    "-o", program, "-lm"], check=True)
    return program


def peer(matrix):
    """(CPU seconds, explained part) of scikit-learn's coordinate descent, 100 iterations."""
    import warnings
    from sklearn.decomposition import NMF
    best = np.inf
    warnings.simplefilter("ignore")
    for _ in range(RUNS):
        model = NMF(FACTORS, init="nndsvda", max_iter=100, tol=0)
        start = time.process_time()
        model.fit_transform(matrix)
        best = min(best, time.process_time() - start)
    return best, float((matrix.data.astype(float) ** 2).sum() - model.reconstruction_err_ ** 2)


def ours(program, path):
    """The same of the core, with the end that it finds itself."""
    runs = []
    for _ in range(RUNS):
        out = subprocess.run([program, path, str(ROWS), str(COLUMNS), str(FACTORS), "0"],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
        runs.append([float(x) for x in out.split()])
    return min(run[0] for run in runs), runs[0][3]


def a5(report):
    os.makedirs(BUILD, exist_ok=True)
    program = compile_nmf()
    rows = []
    for name, planted in (("uniform", False), ("low rank", True)):
        path = os.path.join(BUILD, "nmf.bin")
        matrix = make_matrix(planted, path)
        cpu, explained = ours(program, path)
        their_cpu, theirs = peer(matrix)
        share = explained / theirs
        rows.append([name, f"{cpu:.3f}", f"{their_cpu:.2f}", f"{cpu / their_cpu:.3f}",
                     verdict(cpu / their_cpu, 0.25, 0.12, lower_is_better=True),
                     f"{share:.4f}", verdict(share, 0.99)])
    report.table(f"A5 NMF, {FACTORS} factors, {ROWS:,} × {COLUMNS:,}, {ENTRIES:,} entries",
                 ["entries", "CPU s", "scikit-learn", "ratio", "", "explained, of its", ""], rows,
                 "The core alone, transposition included. scikit-learn: coordinate descent, nndsvda, 100 iterations. "
                 "Bar 0.25, goal 0.12; explained part |X|² − error² at least 0.99 of its.")


def ratings(report):
    """RMSE of predict_rating over five blocks of consecutive lines, as u1 to u5 are of MovieLens 100k's u.data."""
    path = os.environ.get("WFML_RATINGS")
    if not path:
        report.table("Ratings", ["", ""], [], "WFML_RATINGS names no file: lines of user, item, rating, time with tabs between.")
        return
    s = Session()
    s.run("DROP TABLE IF EXISTS ratings")
    s.run("CREATE TABLE ratings (i bigserial, user_id int, item_id int, rating real, at bigint)")
    with open(path) as f:
        s.cursor.copy_expert("COPY ratings (user_id, item_id, rating, at) FROM STDIN", f)
    n = s.value("SELECT count(*) FROM ratings")
    rows = []
    for fold in range(5):
        inside = f"i - 1 >= {n * fold // 5} AND i - 1 < {n * (fold + 1) // 5}"
        _, cpu, _ = s.timed(
            "SELECT wfml.train_recommender('bench_ratings', %s, 'user_id', 'item_id', 'rating', "
            "params => '{\"validation\": \"none\", \"method\": \"popular\"}')",
            f"SELECT user_id, item_id, rating FROM ratings WHERE NOT ({inside})")
        rmse = s.value("SELECT sqrt(avg((wfml.predict_rating('bench_ratings', user_id::text, item_id::text) - rating)^2)) "
                       f"FROM ratings WHERE {inside}")
        rows.append([fold + 1, rmse, cpu])
    mean = sum(row[1] for row in rows) / 5
    s.close()
    report.table(f"Ratings, five folds of {n:,}", ["fold", "RMSE", "CPU s"],
                 [[f, f"{rmse:.4f}", f"{cpu:.2f}"] for f, rmse, cpu in rows] + [["mean", f"{mean:.4f}", ""]],
                 f"On MovieLens 100k: bar 0.920, goal 0.912; this: {verdict(mean, 0.920, 0.912, lower_is_better=True)}.")
