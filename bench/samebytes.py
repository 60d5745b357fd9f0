"""The same rows give the same bytes, on three data sets."""

import accuracy
from common import Session, load_csv, load_generated


def digest(session):
    return session.value("""SELECT encode(sha256(string_agg(bytes, '' ORDER BY seq)), 'hex')
        FROM wfml.ml_artifact a JOIN wfml.registry r ON r.active_id = a.model_id WHERE r.name = 'b'""")


def same_bytes(report):
    s = Session()
    load_generated(s, "r1")
    load_csv(s, "adult_b", accuracy.ADULT, "adult.csv.gz")
    load_csv(s, "bike_b", accuracy.BIKE, "bike_sharing_hour.csv.gz")
    sets = {"r1_b": "y", "adult_b": "income", "bike_b": "rentals"}
    s.run("CREATE TABLE r1_b AS SELECT * FROM r1_train")
    s.close()
    rows = []
    for table, target in sets.items():
        for algorithm, params in (("random_forest", {"trees": 20}), ("gradient_boosting", {}), ("linear", {})):
            found = {}
            for what in ("0", "again 0", "1", "2", "4", "rewritten", "rewritten + 2"):
                s = Session(workers=int(what[-1]) if what[-1].isdigit() else 0)
                s.run(f"DROP TABLE IF EXISTS b_rows")
                order = "ORDER BY md5(t::text)" if what.startswith("rewritten") else ""
                s.run(f"CREATE TABLE b_rows AS SELECT * FROM {table} t {order}")
                s.train("b", algorithm, "SELECT * FROM b_rows", target, params, None,
                        [c for (c,) in s.run("""SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass
                            AND attnum > 0 AND attname <> ALL (%s) ORDER BY attnum""", table,
                            ["i", target, "split", "casual", "registered"])])
                found[what] = digest(s)
                s.close()
            same = len(set(found.values())) == 1
            rows.append([table[:-2], algorithm, ", ".join(found), "the same" if same else "**differ**"])
    report.table("Model bytes: workers 0, again, 1, 2, 4; table rewritten in another order",
                 ["data", "algorithm", "tried", "bytes"], rows)
