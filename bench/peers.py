"""One peer, one measurement, as JSON on the last line: processor seconds of
fit() on an array in memory, and the score on the test rows.  One thread."""

import json
import os
import sys
import time

import numpy as np

import common


def fit(model, X, y):
    start, wall = time.process_time(), time.perf_counter()
    model.fit(X, y)
    return {"cpu": time.process_time() - start, "wall": time.perf_counter() - wall}


def forest():
    from sklearn.ensemble import RandomForestClassifier
    X, y, Xt, yt = common.generated_split("c3")
    model = RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=1)
    result = fit(model, X, y)
    return {**result, "score": float((model.predict(Xt) == yt).mean())}


def boosting(name, leaves="31", depth=""):
    X, y, Xt, yt = common.generated_split("r1")
    if name == "xgboost":
        import xgboost
        model = xgboost.XGBRegressor(
            n_estimators=100, learning_rate=0.1, tree_method="hist", n_jobs=1, grow_policy="lossguide", max_bin=255,
            max_leaves=int(leaves), max_depth=int(depth or 0), min_child_weight=20, reg_lambda=0)
    elif name == "lightgbm":
        import lightgbm
        model = lightgbm.LGBMRegressor(n_estimators=100, learning_rate=0.1, num_leaves=int(leaves),
                                       max_depth=int(depth or -1), n_jobs=1, verbose=-1)
    elif name == "sklearn-hist":
        from sklearn.ensemble import HistGradientBoostingRegressor
        model = HistGradientBoostingRegressor(max_iter=100, learning_rate=0.1, max_leaf_nodes=int(leaves),
                                              max_depth=int(depth) if depth else None, early_stopping=False)
    else:
        from sklearn.ensemble import GradientBoostingRegressor
        model = GradientBoostingRegressor(n_estimators=100, learning_rate=0.1, max_depth=int(depth), random_state=0)
    result = fit(model, X, y)
    p = model.predict(Xt)
    return {**result, "score": float(1 - ((yt - p) ** 2).sum() / ((yt - yt.mean()) ** 2).sum())}


def driver_predict():
    """Rows of table r1_test20 through a driver into XGBoost, repeated: seconds a row."""
    import psycopg2
    import xgboost
    X, y, _, _ = common.generated_split("r1")
    model = xgboost.XGBRegressor(n_estimators=100, learning_rate=0.1, tree_method="hist", n_jobs=1,
                                 grow_policy="lossguide", max_leaves=31, max_depth=0)
    model.fit(X, y)
    connection = psycopg2.connect("")
    cursor = connection.cursor()
    best = None
    for _ in range(3):
        start = time.process_time()
        cursor.execute("SELECT * FROM r1_x")
        rows = np.array(cursor.fetchall(), dtype=np.float32)
        model.predict(rows)
        cpu = (time.process_time() - start) / len(rows)
        best = cpu if best is None else min(best, cpu)
    return {"seconds_a_row": best}


def isolation():
    """Fit on C3's training rows; score: seconds of score_samples() on all rows."""
    from sklearn.ensemble import IsolationForest
    X, _ = common.generated("c3")
    train = np.arange(len(X)) % 5 != 4
    model = IsolationForest(n_estimators=100, max_samples=256, random_state=0, n_jobs=1)
    start, wall = time.process_time(), time.perf_counter()
    model.fit(X[train])
    result = {"cpu": time.process_time() - start, "wall": time.perf_counter() - wall}
    best = None
    for _ in range(3):
        start = time.process_time()
        model.score_samples(X)
        cpu = time.process_time() - start
        best = cpu if best is None else min(best, cpu)
    return {**result, "score": best}


if __name__ == "__main__":
    assert os.environ.get("OMP_NUM_THREADS") == "1"
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
