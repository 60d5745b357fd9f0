"""Runs the benches named (all without names) and writes build/bench/results.md."""

import datetime
import os
import platform
import sys

from common import BUILD, HERE, Report, Session
import accuracy
import caches
import explaining
import factors
import frequent
import isolation
import log
import lstm
import monitor
import prediction
import recommend
import samebytes
import sequence
import shapes
import training
import trigger

LARGEST = 7 if os.environ.get("BENCH_FULL") else 6

BENCHES = {
    "accuracy": accuracy.accuracy,
    "a1": training.a1,
    "a2": training.a2,
    "a3": training.a3,
    "a4": isolation.a4,
    "a5": factors.a5,
    "a6": lstm.a6,
    "a7": prediction.a7,
    "a8": prediction.a8,
    "a9": prediction.a9,
    "rss": caches.rss,
    "answers": caches.answers,
    "a12": lambda report: training.a12(report, LARGEST),
    "a10": training.a10,
    "a11": training.a11,
    "ratings": factors.ratings,
    "explain": explaining.explain,
    "bytes": samebytes.same_bytes,
    "shapes": shapes.shapes,
    "anomalies": isolation.quality,
    "recommend": recommend.quality,
    "recommend-p50": recommend.latency,
    "recommend-scale": recommend.scale,
    "sequence": sequence.sequence,
    "trigger": trigger.trigger,
    "monitor": monitor.views,
    "frequent": frequent.frequent,
    "log": log.log,
    "log-view": log.view,
}


def machine():
    with open("/proc/cpuinfo") as f:
        info = f.read()
    model = next((l.split(":")[1].strip() for l in info.splitlines() if l.startswith("model name")), platform.machine())
    flags = "AVX-512" if " avx512bw" in info else "AVX2" if " avx2" in info else "no AVX2"
    return f"{model} ({flags}), {os.cpu_count()} processors"


def versions():
    import lightgbm
    import numpy
    import sklearn
    import xgboost
    s = Session()
    server = s.value("SHOW server_version")
    ours = s.value("SELECT extversion FROM pg_extension WHERE extname = 'wfml'")
    s.close()
    return (f"wfml {ours}, PostgreSQL {server}, scikit-learn {sklearn.__version__}, XGBoost {xgboost.__version__}, "
            f"LightGBM {lightgbm.__version__}, numpy {numpy.__version__}")


def main(names):
    unknown = [n for n in names if n not in BENCHES]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    peers = os.path.join(BUILD, "peers.json")
    if os.path.exists(peers) and not os.environ.get("BENCH_KEEP_PEERS"):
        os.remove(peers)
    s = Session()
    s.run("CREATE EXTENSION IF NOT EXISTS wfml")
    s.close()
    report = Report()
    for name in names or BENCHES:
        print(f"-- {name}", file=sys.stderr, flush=True)
        try:
            BENCHES[name](report)
        except Exception as error:
            report.table(name, ["failed"], [[str(error).replace("\n", " ").replace("|", "\\|")]])
    head = f"{machine()}. {versions()}. {datetime.date.today()}, `make bench{' BENCH=' + chr(34) + ' '.join(names) + chr(34) if names else ''}`."
    with open(os.path.join(BUILD, "results.md"), "w") as f:
        f.write(head + "\n\n" + "\n".join(text for _, text in report.sections))
    print(f"written to {os.path.relpath(f.name, os.path.dirname(HERE))}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
