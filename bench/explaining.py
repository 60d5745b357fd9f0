"""Explanations: do they add up, and how long do they take."""

import accuracy
from common import Session, load_csv, verdict


def explain(report):
    s = Session()
    load_csv(s, "california", accuracy.HOUSING, "california_housing.csv.gz")
    load_csv(s, "adult_x", accuracy.ADULT, "adult.csv.gz")
    features = "{longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,ocean_proximity}"
    s.train("e1", "gradient_boosting", "california", "median_house_value", {"validation": "none"}, None, features)
    s.train("e2", "random_forest", "california", "median_house_value", {"validation": "none", "trees": 20}, None, features)
    s.train("e3", "random_forest", "SELECT * FROM adult_x WHERE split = 'train'", "income", {"validation": "none"}, None,
            [c.split()[0] for c in accuracy.ADULT.split(", ")[:-2]])
    s.train("e4", "gradient_boosting", "SELECT * FROM adult_x WHERE split = 'train'", "income", {"validation": "none"}, None,
            [c.split()[0] for c in accuracy.ADULT.split(", ")[:-2]])

    rows = []
    for name, model, table, margin, limit in (
            ("boosting, california_housing, all rows", "e1", "california", "wfml.predict('e1', t)", "true"),
            ("forest of 20 full trees, california_housing, 1,000 rows", "e2", "california", "wfml.predict('e2', t)", "i < 1000"),
            ("boosting, adult, all rows (log-odds)", "e4", "adult_x",
             "ln(wfml.predict('e4', t) / (1 - wfml.predict('e4', t)))", "true")):
        worst, n = s.run(f"""
            SELECT max(abs(total - margin) / greatest(1, abs(margin))), count(*)
            FROM (SELECT {margin} AS margin, (SELECT sum(contribution) FROM wfml.explain('{model}', t)) AS total
                  FROM {table} t WHERE {limit}) s""")[0]
        rows.append([name, n, f"{worst:.1e}", verdict(worst, 1e-6, None, True)])
    report.table("TreeSHAP: largest |sum of contributions − margin| / max(1, |margin|)", ["", "rows", "largest", ""], rows,
                 "On adult the margin is taken back from the printed probability, which loses digits near 0 and 1. "
                 "Agreement with brute force on small trees is a unit test (test/unit).")

    rows = []
    for name, model, n, bar in (("forest, adult, defaults", "e3", 50, 50.0), ("boosting 100 × 31, adult", "e4", 2000, 0.5)):
        statement = f"""SELECT count(*) FROM (SELECT * FROM adult_x WHERE split = 'test' LIMIT {n}) t,
                        LATERAL wfml.explain('{model}', t)"""
        s.run(statement)
        ms = 1000 * s.best_cpu(statement, 3) / n
        rows.append([name, n, f"**{ms:.3f}**", bar, verdict(ms, bar, None, True)])
    report.table("TreeSHAP: time", ["", "rows", "CPU ms a row", "bar", ""], rows)
    s.close()
