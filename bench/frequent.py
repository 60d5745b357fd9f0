"""Frequent sequences beside PrefixSpan in Python (PyPI: prefixspan), and workflow_needs() kept and not."""

import time

import numpy as np

from common import Session

HABITS = 28
SESSION = 8


def make_events(session, name, n, habits):
    """
    n events in sessions of 8: with habits, four or five events of one of 28
    in order and the rest from 20 common ones between them; else 50 events of
    falling frequency in any order.
    """
    session.run(f"DROP TABLE IF EXISTS {name}")
    session.run("SELECT setseed(0.5)")
    if habits:
        event = f"""CASE WHEN random() < 0.55 THEN 'h' || (hashint4(s) & 65535) %% {HABITS} || '_' || k / 2
                    ELSE 'common' || floor(20 * random())::int END"""
    else:
        event = "'e' || least(floor(-ln(1 - random()) * 8), 49)::int"
    session.run(f"""
        CREATE TABLE {name} AS
        SELECT s AS session, 'u' || s %% greatest(1, {n} / 400) AS user_id, {event} AS event,
            timestamptz '2026-01-05' + s / greatest(1, {n} / 400) * interval '5 hours' + k * interval '1 minute' AS at
        FROM generate_series(0, {n} / {SESSION} - 1) s, generate_series(0, {SESSION} - 1) k""".replace("%%", "%"))
    session.run(f"ANALYZE {name}")


def closed_by_definition(frequent):
    """{(events, cases)} of those that no longer one of as many cases contains."""
    def inside(a, b):
        rest = iter(b)
        return all(x in rest for x in a)
    by_cases = {}
    for cases, events in frequent:
        by_cases.setdefault(cases, []).append(tuple(events))
    return {(events, cases) for cases, group in by_cases.items() for events in group
            if not any(len(other) > len(events) and inside(events, other) for other in group)}


def peer(session, name, min_cases):
    """(processor seconds, closed sequences) of the peer, sequences in memory; None without it."""
    try:
        from prefixspan import PrefixSpan
    except ImportError:
        return None
    cases = [row[0] for row in session.run(f"SELECT array_agg(event ORDER BY at, event) FROM {name} GROUP BY session")]
    span = PrefixSpan(cases)
    span.minlen, span.maxlen = 2, 6
    cpu = time.process_time()
    found = span.frequent(min_cases)
    return time.process_time() - cpu, closed_by_definition(found)


def frequent(report):
    session = Session()
    rows = []
    for n, habits, support, with_peer in ((100000, True, 0.01, True), (100000, False, 0.01, True), (1000000, True, 0.01, False),
                                          (1000000, False, 0.01, False), (1000000, True, 0.001, False), (1000000, False, 0.001, False)):
        name = f"frequent_{n}_{'habits' if habits else 'noise'}"
        make_events(session, name, n, habits)
        call = f"wfml.frequent_sequences('{name}', 'session', 'event', 'at', {support})"
        cpu = session.best_cpu(f"SELECT count(*) FROM {call}", 3 if n < 1000000 else 1)
        found = session.run(f"SELECT events, round(support * {n // SESSION})::int FROM {call}")
        other = peer(session, name, max(2, round(support * n / SESSION))) if with_peer else None
        same = "" if other is None else "yes" if {(tuple(e), c) for e, c in found} == other[1] else "**no**"
        rows.append([f"{n:,}", "habits" if habits else "noise", support, f"{len(found):,}", f"**{cpu:.2f}**",
                     f"{other[0]:.2f}" if other else "", same])
    report.table("Frequent sequences of 2 to 6 events, sessions of 8", ["events", "what", "min_support", "closed", "wfml CPU s", "prefixspan CPU s", "same"], rows,
                 "CPU of the whole statement, reading included; the peer (PyPI's prefixspan, all frequent sequences, made closed by definition afterwards, not timed) "
                 "with the sequences in memory. Habits: one of 28 in each session, among 20 common events; noise: 50 events in any order.")
    rows = []
    for n in (100000, 1000000):
        session.run(f"SELECT wfml.bind('events', 'frequent_{n}_habits')")
        search = session.best_cpu("SELECT count(*) FROM wfml.workflow_needs()", 3)
        refresh = session.timed("SELECT wfml.refresh_needs()")[1]
        session.run("ANALYZE wfml.need, wfml.need_user, wfml.need_refresh")
        walls = {}
        for what, sql in (("all", "SELECT * FROM wfml.workflow_needs()"), ("user", "SELECT * FROM wfml.workflow_needs(5, 'u1')")):
            session.run(f"PREPARE needs_{what} AS {sql}")
            wall = [session.timed(f"EXECUTE needs_{what}")[2] * 1e3 for _ in range(500)]
            walls[what] = f"{np.percentile(wall, 50):.2f} / {np.percentile(wall, 99):.2f}"
            session.run(f"DEALLOCATE needs_{what}")
        rows.append([f"{n:,}", f"{search:.2f}", f"{refresh:.2f}", walls["all"], walls["user"]])
        session.run("SELECT wfml.unbind('events')")
    report.table("workflow_needs()", ["events", "searched, CPU s", "refresh_needs(), CPU s", "kept, p50 / p99 ms", "of one user, p50 / p99 ms"], rows,
                 "Kept: wall time of a prepared statement seen from the client, models or workflows none. Bar 1 and 5 ms.")
    session.close()
