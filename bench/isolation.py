"""Isolation forests: how good beside scikit-learn's, how fast to score, what each step costs.

Anomalies by the protocol of the published figures: fitted to and scored on all
rows without the label, mean ROC AUC over seeds 0 to 4."""

from common import FEATURES, Session, generated, load_csv, load_generated, copy_table, peer, verdict

FLOWBENCH = ("wms_delay queue_delay runtime post_script_delay stage_in_delay stage_in_bytes stage_out_delay "
             "stage_out_bytes cpu_time iowait bytes_read bytes_written read_system_calls write_system_calls utime stime").split()
FLOWBENCH_COLUMNS = (
    "run_id int, task text, job text, is_anomaly int, anomaly_type text, job_type text, is_clustered int, ready timestamp, "
    "submit timestamp, execute_start timestamp, execute_end timestamp, post_script_end timestamp, wms_delay int, "
    "queue_delay int, runtime int, post_script_delay int, stage_in_delay int, stage_in_bytes int, "
    "stage_in_effective_bytes_per_sec float8, stage_out_delay int, stage_out_bytes int, "
    "stage_out_effective_bytes_per_sec int, cpu_time float8, status int, iowait float8, bytes_read int, "
    "bytes_written int, read_system_calls int, write_system_calls int, utime float8, stime float8, "
    "bytes_read_per_second float8, bytes_written_per_second float8")

# data: columns, features, params, scikit-learn's mean AUC as published with the data, bar
SETS = {
    "ad_mammography": ([f"f{k} float8" for k in range(1, 7)], {}, 0.8588, 0.8488),
    "ad_pima": ([f"f{k} {'float8' if k in (6, 7) else 'int'}" for k in range(1, 9)], {}, 0.6704, 0.6604),
    "ad_satellite": ([f"f{k} int" for k in range(1, 37)], {}, 0.6962, 0.6862),
    "ad_shuttle": ([f"f{k} int" for k in range(1, 10)], {}, 0.9971, 0.9871),
    "flowbench_pycbc_inference": (None, {"scale_by": "task"}, 0.8354, 0.826),
}


def mean_of_seeds(session, table, features, params):
    total = {}
    for seed in range(5):
        session.train("isolation", "isolation_forest", table, None, {**params, "seed": seed}, features=features)
        for metric, value in session.run("SELECT metric, value FROM wfml.evaluate('isolation', %s, 'is_anomaly')", table):
            total[metric] = total.get(metric, 0) + value / 5
    return total


def quality(report):
    s = Session()
    rows = []
    for name, (columns, params, reference, bar) in SETS.items():
        features = [c.split()[0] for c in columns] if columns else FLOWBENCH
        text = ", ".join(columns + ["is_anomaly int"]) if columns else FLOWBENCH_COLUMNS
        if not load_csv(s, name, text, name + ".csv.gz"):
            continue
        m = mean_of_seeds(s, name, features, params)
        rows.append([name, s.value(f"SELECT count(*) FROM {name}"), f"**{m['auc']:.4f}**", f"{m['average_precision']:.4f}",
                     f"{reference:.4f}", verdict(m["auc"], bar, reference)])
    report.table("Anomalies, 100 × 256, mean of five seeds",
                 ["data", "rows", "ROC AUC", "average precision", "scikit-learn's AUC", ""], rows,
                 "Of sets that may not be shipped whole the folder test/data has a sample, which scores differently: "
                 "the figures of scikit-learn are of the full sets. NULL is a missing value here and 0 there.")
    s.close()


def a4(report):
    s = Session()
    load_generated(s, "c3")
    X, _ = generated("c3")
    if not s.value("SELECT to_regclass('c3_all') IS NOT NULL"):
        copy_table(s, "c3_all", FEATURES, ["float4"] * 20, list(X.T))
    query = f"SELECT {', '.join(FEATURES)} FROM c3_train"
    train, _, summary = s.train("a4", "isolation_forest", query, None, features=FEATURES)
    plain = s.best_cpu(f"SELECT sum({' + '.join(FEATURES)}) FROM c3_all")
    batch = s.best_cpu("SELECT sum(value) FROM wfml.predict_batch('a4', 'SELECT * FROM c3_all')")
    row = s.best_cpu("SELECT sum(wfml.anomaly_score('a4', t)) FROM c3_all t", 3)
    why = s.best_cpu("SELECT count(*) FROM (SELECT * FROM c3_all LIMIT 200) t, LATERAL wfml.explain_anomaly('a4', t) e", 3)
    them = peer("isolation")
    ratio = batch / them["score"]
    report.table("A4 isolation forest, 100 × 256, trained on 160,000 rows, all 200,000 scored",
                 ["work", "CPU", "against scikit-learn"],
                 [["training statement", f"{train:.3f} s", f"fit(): {them['cpu']:.3f} s"],
                  ["SELECT sum(f1 + … + f20), to compare", f"{1e3 * plain:.0f} ms", ""],
                  ["predict_batch() of all rows", f"{1e3 * batch:.0f} ms", f"1/{1 / ratio:.1f} of score_samples()"],
                  ["anomaly_score() row by row", f"{1e3 * row:.0f} ms", f"1/{them['score'] / row:.1f}"],
                  ["explain_anomaly() of a row", f"{1e3 * why / 200:.2f} ms", ""],
                  ["model", summary["size"], ""]],
                 f"score_samples() on the array in memory: {1e3 * them['score']:.0f} ms. "
                 f"Bar 1/8, goal 1/20: {verdict(ratio, 1 / 8, 1 / 20, True)}.")
    s.close()
