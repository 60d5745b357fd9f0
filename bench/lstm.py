"""A6: an epoch of the recurrent network, forward, backward and Adam, beside PyTorch on one thread.

No server: lstm_epoch.c is the core alone.  Both start from the same weights and take the same batches, so their
losses must agree too.  PyTorch is looked for in the python that BENCH_TORCH names, else in this one; it is large,
and so not among the requirements."""

import json
import os
import subprocess
import sys

import numpy as np

from common import BUILD, HERE, verdict

N_EVENTS, LENGTH, CASES, BATCH, EPOCHS = 16, 16, 16384, 64, 3
# name, level of lstm_epoch.c, bar, goal
LEVELS = [("AVX-512", 2, 0.25, 0.12), ("AVX2", 1, 0.25, None), ("plain (SSE2)", 0, 0.6, None)]


def make_events(path):
    """Cases in which the last two events leave three that may follow, 6 : 3 : 1."""
    random = np.random.default_rng(1)
    follow = random.integers(0, N_EVENTS, (N_EVENTS, N_EVENTS, 3))
    events = np.zeros((CASES, LENGTH), dtype=np.uint16)
    events[:, :2] = random.integers(0, N_EVENTS, (CASES, 2))
    for t in range(2, LENGTH):
        pick = random.choice(3, CASES, p=[0.6, 0.3, 0.1])
        events[:, t] = follow[events[:, t - 2], events[:, t - 1], pick]
    events.tofile(path)


def compile_epoch():
    root = os.path.dirname(HERE)
    program = os.path.join(BUILD, "lstm_epoch")
    core = [os.path.join(root, "src", "core", f"{name}.c") for name in
            ("gemm", "lstm", "lstm_cell", "lstm_pass", "lstm_train", "lstm_run", "mathx", "host", "simd")]
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-O2", "-ffp-contract=off", "-D_GNU_SOURCE",
                    "-I", os.path.join(root, "src"), os.path.join(HERE, "lstm_epoch.c"), *core,
                    "-o", program, "-lm"], check=True)
    return program


def ours(program, events, weights, level):
    """(best seconds of an epoch, losses, µs of a history of 20, µs of one event more) or None without that level."""
    command = [program, events, str(N_EVENTS), str(LENGTH), str(BATCH), str(EPOCHS), str(level), weights]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode == 3:
        return None
    result.check_returncode()
    lines = [[float(x) for x in line.split()] for line in result.stdout.splitlines()]
    return min(line[0] for line in lines[:-1]), [line[1] for line in lines[:-1]], *lines[-1]


def theirs(events, weights):
    """The same of PyTorch, best of two runs; None without it."""
    best = None
    for _ in range(2):
        result = subprocess.run(
            [os.environ.get("BENCH_TORCH", sys.executable), os.path.join(HERE, "lstm_torch.py"), events, str(N_EVENTS),
             str(LENGTH), str(BATCH), str(EPOCHS), weights],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
        if result.returncode != 0:
            return None
        run = json.loads(result.stdout.strip().splitlines()[-1])
        if best is None or min(run["seconds"]) < min(best["seconds"]):
            best = run
    return best


def a6(report):
    events = os.path.join(BUILD, "lstm_events.bin")
    weights = os.path.join(BUILD, "lstm_weights.bin")
    make_events(events)
    program = compile_epoch()
    runs = [(*level, ours(program, events, weights, level[1])) for level in LEVELS]
    peer = theirs(events, weights)
    rows = []
    apart = []
    for name, _, bar, goal, run in runs:
        if run is None:
            rows.append([f"wfml, {name}", "not on this processor", "", "", "", ""])
            continue
        ratio = run[0] / min(peer["seconds"]) if peer else None
        if peer:
            apart.append(max(abs(a / b - 1) for a, b in zip(run[1], peer["losses"])))
        rows.append([f"wfml, {name}", f"{run[0]:.2f}", f"{ratio:.2f}" if ratio else "–",
                     verdict(ratio, bar, goal, lower_is_better=True) if ratio else "", f"{run[2]:.0f}", f"{run[3]:.1f}"])
    if peer:
        rows.append([f"PyTorch {peer['version']}, one thread", f"{min(peer['seconds']):.2f}", "1", "", "", ""])
        note = f"Losses of the epochs are at most {max(apart):.1e} of themselves away from PyTorch's (bar 1 %)."
    else:
        note = "PyTorch was not found: BENCH_TORCH names a python that has it."
    report.table(f"A6 LSTM, hidden 100, embedding 32, batch {BATCH}, {CASES:,} cases of {LENGTH} events: an epoch",
                 ["", "CPU s", "ratio", "", "history of 20, µs", "one event more, µs"], rows,
                 "Bars 0.25 (AVX2), 0.6 (plain); goal 0.12 (AVX-512). " + note)
