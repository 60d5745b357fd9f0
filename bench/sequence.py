"""Sequence models on real event logs by the protocol of the data's README.

Run from outside, through SQL: train on the training cases with "validation":
"none", then ask for the next event after every prefix of the test cases, with
times; the end of a case is one more thing to predict.  Beside it count models:
the longest context of at most k events that training has seen decides.
Log loss clips probabilities at 1e-4, what count models without smoothing
could not say at all.

The Tax rule (Tax et al., CAiSE 2017): prefixes of 2 events or more that have
a next event and are shorter than the longest training case; the answer "end"
counts as wrong.  The data sets are read from the directory that WFML_DATA
names."""

from collections import Counter, defaultdict

from common import Session, load_csv, verdict
from prediction import pgbench

LOGS = {
    "helpdesk": "case_id int, activity text, ts timestamp, split text",
    "receipt": "case_id text, activity text, ts timestamp, resource text, resource_group text, channel text, department text",
    "sepsis": "case_id text, activity text, ts timestamp, resource text, age float8, crp float8, leucocytes float8, lacticacid float8",
}
# measure: (bar, goal)
BARS = {
    "helpdesk": {"accuracy": (0.824, 0.827), "log loss": (0.555, None), "Tax rule": (0.705, None)},
    "receipt": {"accuracy": (0.896, 0.899), "log loss": (0.418, None), "weighted F1": (0.88, None)},
    "sepsis": {"accuracy": (0.645, 0.653), "log loss": (0.940, None)},
}
MEASURES = ["accuracy", "top-3", "weighted F1", "log loss", "Tax rule"]


def load(session, name):
    """Table name with "test": whether the case is one to test on; False without the file."""
    if not load_csv(session, name, LOGS[name], name + ".csv.gz"):
        return False
    session.run(f"ALTER TABLE {name} ADD COLUMN test boolean")
    if name == "helpdesk":
        session.run("UPDATE helpdesk SET test = split = 'test'")
        return True
    # cases by their first event, those of the file first on a tie; the first two thirds train
    session.run(f"""
        UPDATE {name} t SET test = c.place > 2 * round(c.cases / 3.0)
        FROM (SELECT case_id, row_number() OVER (ORDER BY min(ts), min(i)) AS place, count(*) OVER () AS cases
              FROM {name} GROUP BY case_id) c
        WHERE c.case_id = t.case_id""")
    return True


# ---- the model ----

def answers(session, name):
    """Every prefix of the test cases with its answers."""
    session.run("DROP TABLE IF EXISTS answers")
    session.run(f"""
        CREATE TABLE answers AS
        SELECT e.case_id, e.k, e.length, e.actual, n.event, n.probability, n.rank
        FROM (SELECT case_id, i, row_number() OVER w AS k, count(*) OVER (PARTITION BY case_id) AS length,
                     lead(activity) OVER w AS actual, array_agg(activity) OVER w AS history, array_agg(ts) OVER w AS times
              FROM {name} WHERE test WINDOW w AS (PARTITION BY case_id ORDER BY {'i' if name == 'helpdesk' else 'ts, i'})) e,
             LATERAL wfml.next_event('{name}', history, 100000, times) n""")


def scores(session, name):
    longest = session.value(f"SELECT max(n) FROM (SELECT count(*) AS n FROM {name} WHERE NOT test GROUP BY case_id) c")
    row = session.run(f"""
        WITH p AS (
            SELECT case_id, k, length, actual,
                   max(probability) FILTER (WHERE event IS NOT DISTINCT FROM actual) AS p,
                   min(rank) FILTER (WHERE event IS NOT DISTINCT FROM actual) AS place,
                   max(event) FILTER (WHERE rank = 1) AS event, count(*) AS n
            FROM answers GROUP BY case_id, k, length, actual)
        SELECT count(*), avg((place IS NOT NULL AND place = 1)::int), avg((place IS NOT NULL AND place <= 3)::int),
               wfml.f1_score(coalesce(actual, '(end)'), coalesce(event, '(end)'), 'weighted'),
               avg(-ln(greatest(coalesce(p, 0), 1e-4))),
               count(*) FILTER (WHERE k BETWEEN 2 AND length - 1 AND k < {longest} + 1),
               avg((place IS NOT NULL AND place = 1)::int) FILTER (WHERE k BETWEEN 2 AND length - 1 AND k < {longest} + 1)
        FROM p""")[0]
    return row[0], row[5], dict(zip(MEASURES, [float(x) for x in (row[1], row[2], row[3], row[4], row[6])]))


# ---- count models ----

class Counts:
    """Back-off to the longest known context of at most k events; ties to the end, then to the smaller name."""

    def __init__(self, cases, k):
        self.k = k
        self.after = defaultdict(Counter)
        for case in cases:
            for at in range(1, len(case) + 1):
                actual = case[at] if at < len(case) else ""
                for n in range(0, min(k, at) + 1):
                    self.after[tuple(case[at - n:at])][actual] += 1
        self.best = {c: min(f.items(), key=lambda e: (-e[1], e[0]))[0] for c, f in self.after.items()}

    def __call__(self, history):
        for n in range(min(self.k, len(history)), -1, -1):
            best = self.best.get(tuple(history[len(history) - n:]))
            if best is not None:
                return best
        return ""


def count_model(train, test, k):
    from sklearn.metrics import f1_score
    model = Counts(train, k)
    longest = max(map(len, train))
    actual, predicted, tax = [], [], []
    for case in test:
        for at in range(1, len(case) + 1):
            actual.append(case[at] if at < len(case) else "")
            predicted.append(model(case[:at]))
            if 2 <= at < len(case) and at < longest + 1:
                tax.append(actual[-1] == predicted[-1])
    hits = [a == p for a, p in zip(actual, predicted)]
    return {"accuracy": sum(hits) / len(hits), "Tax rule": sum(tax) / len(tax),
            "weighted F1": f1_score(actual, predicted, average="weighted", zero_division=0)}


def cases_of(session, name, test):
    order = "i" if name == "helpdesk" else "ts, i"
    return [row[0] for row in session.run(
        f"SELECT array_agg(activity ORDER BY {order}) FROM {name} WHERE test = {test} GROUP BY case_id")]


# ---- the report ----

def shown(values):
    return [f"{values[m]:.4f}" if m in values else "" for m in MEASURES]


def quality(report):
    s = Session()
    s.run("SET timezone = 'UTC'")
    rows, notes = [], []
    for name in LOGS:
        if not load(s, name):
            continue
        train, test = cases_of(s, name, False), cases_of(s, name, True)
        for k in (1, 3, 5):
            rows.append([name, f"counts, order {k}", "", *shown(count_model(train, test, k)), ""])
        cpu = []
        for _ in range(3):
            summary, seconds, _wall = s.timed(
                f"""SELECT to_jsonb(t) FROM wfml.train_sequence('{name}', 'SELECT * FROM {name} WHERE NOT test',
                    'case_id', 'activity', 'ts', '{{"validation": "none", "tie_column": "i"}}') t""")
            cpu.append(seconds)
        answers(s, name)
        prefixes, by_tax, reached = scores(s, name)
        verdicts = [f"{m} {verdict(reached[m], bar, goal, m == 'log loss')} ({bar})" for m, (bar, goal) in BARS[name].items()]
        rows.append([name, "**wfml**", f"{min(cpu):.2f}", *(f"**{x}**" for x in shown(reached)), "; ".join(verdicts)])
        notes.append(f"{name}: {len(train)} cases train, {len(test)} test, {prefixes} prefixes, {by_tax} by the Tax rule, "
                     f"model {summary[0][0]['size']}.")
    report.table("Next event: every prefix of the test cases", ["log", "model", "training CPU s", *MEASURES, "bars"], rows,
                 " ".join(notes))
    s.close()


def some_log(session):
    """(model, source, columns) to measure time on: sepsis, or without its file a shipped log."""
    if session.value("SELECT to_regclass('sepsis') IS NOT NULL"):
        return "sepsis", "sepsis", "case_id", "activity", "ts"
    load_csv(session, "n8n_steps", "workflow_id int, step_no int, depth int, role text, node_type text, node_package text",
             "n8n_steps.csv.gz")
    session.run("SELECT * FROM wfml.train_sequence('n8n_steps', 'n8n_steps', 'workflow_id', 'node_type', 'step_no')")
    return "n8n_steps", "n8n_steps", "workflow_id", "node_type", "'2024-01-01'::timestamptz + step_no * interval '1 min'"


def latency(report):
    s = Session()
    model, source, case, event, time = some_log(s)
    s.run(f"""CREATE TEMP TABLE long_case AS
        SELECT {event} AS activity, {time} AS ts, row_number() OVER (ORDER BY {case}, i) AS place FROM {source}""")
    history, times = s.run("SELECT array_agg(activity ORDER BY place)::text, array_agg(ts ORDER BY place)::text FROM long_case WHERE place <= 20")[0]
    rows = []
    for name, trivial, ours, variables in (
            ("20 events", "SELECT * FROM unnest(:h::text[]) LIMIT 3", f"SELECT * FROM wfml.next_event('{model}', :h::text[])", {"h": history}),
            ("20 events with times", "SELECT * FROM unnest(:h::text[], :t::timestamptz[]) LIMIT 3",
             f"SELECT * FROM wfml.next_event('{model}', :h::text[], times => :t::timestamptz[])", {"h": history, "t": times})):
        base = min(pgbench(trivial, variables, 10000) for _ in range(3))
        with_model = min(pgbench(ours, variables, 10000) for _ in range(3))
        more = with_model - base
        rows.append([name, f"{base:.0f}", f"{with_model:.0f}", f"**+{more:.0f}**", verdict(more, 100, None, True)])
    n = s.value("SELECT count(*) FROM long_case")
    plain = s.best_cpu("SELECT count(activity), max(ts) FROM (SELECT * FROM long_case ORDER BY place) t")
    aggregate = s.best_cpu(f"SELECT wfml.next_event_agg('{model}', activity, ts) FROM (SELECT * FROM long_case ORDER BY place) t")
    rows.append([f"one more event in next_event_agg, of {n}", "", "", f"**+{1e6 * (aggregate - plain) / n:.2f}**", ""])
    kinds, size = s.run("SELECT wfml.model_info(name) ->> 'events', size FROM wfml.models WHERE name = %s", model)[0]
    report.table("next_event, µs", ["history", "trivial function", "next_event", "more", ""], rows,
                 "pgbench, one client, prepared statements, p50, best of 3. The aggregate: CPU of all events as one case, divided. "
                 f"The model: {model}, {kinds} kinds of events, {size}. Bar 100.")
    s.close()


def sequence(report):
    quality(report)
    latency(report)
