#!/usr/bin/env bash
# Measure wfml beside its peers; the tables go to build/bench/results.md.
#
# usage: run.sh [name...]      (names: see README.md beside this; default: all)
#
# A virtual environment with the peers is made in build/bench unless
# BENCH_PYTHON names a python that has them.  The server is a staged one of
# its own (scripts/common.sh), gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
unset PGHOST PGPORT PGUSER PGDATABASE PGDATA PGOPTIONS MAKEFLAGS MFLAGS MAKELEVEL
need_build_tools
choose_server_user
mkdir -p build/bench

python=${BENCH_PYTHON:-}
if [ -z "$python" ]; then
	python=build/bench/venv/bin/python
	if [ ! -x "$python" ]; then
		python3 -m venv build/bench/venv
		"$python" -m pip install -q -r bench/requirements.txt
	fi
fi

build_extension
work=$(mktemp -d "${TMPDIR:-/tmp}/wfml-bench.XXXXXX")
chmod 755 "$work"
cleanup() {
	trap - EXIT INT TERM HUP
	if [ -f "$work/data/postmaster.pid" ]; then
		as_server_user "$STAGE_BIN/pg_ctl" -D "$work/data" -m immediate -w -s stop >/dev/null 2>&1 || true
	fi
	if [ -n "${KEEP:-}" ]; then cp "$work/log" build/bench/server.log; fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
stage_server "$work/stage"
mkdir -m 700 "$work/data" "$work/sockets"
if [ "$(id -un)" != "$SERVER_USER" ]; then chown "$SERVER_USER" "$work" "$work/data" "$work/sockets"; fi
(
	cd "$work"
	start_cluster "$work/data" "$work/sockets" 54327 "$work/log" "fsync = off" "full_page_writes = off" \
		"shared_buffers = 2GB" "max_wal_size = 8GB" "autovacuum = off" "jit = off" "max_parallel_workers = 8"
)
export PGHOST=$work/sockets PGPORT=54327 PGUSER=postgres PGDATABASE=postgres
export BENCH_STAGE_BIN=$STAGE_BIN
# one thread for every peer
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
unset OPENBLAS_CORETYPE
"$python" bench/bench.py "$@"
