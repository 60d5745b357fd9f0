#!/usr/bin/env bash
# Judge the workflow functions on generated platforms whose truth is known.
#
# usage: workflow.sh [seed...]      (default: 1 2 3 4 5; 101 to 105 are kept for judging)
#
# WFML_USERS, WFML_DAYS: size (200, 60).  WFML_LATENCY=1: then how long single
# calls take, too (workflow_latency.sh).  With PGHOST set the server there is
# used, and a database "wfml_bench_workflow" made and dropped in it; else a
# staged server of its own.  Ends with 1 if a bar is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
seeds=${*:-1 2 3 4 5}
for seed in $seeds; do
	case $seed in *[!0-9]*) die "usage: workflow.sh [seed...]" ;; esac
done
database=wfml_bench_workflow

if [ -z "${PGHOST:-}" ]; then
	unset PGPORT PGUSER PGDATABASE PGDATA PGOPTIONS MAKEFLAGS MFLAGS MAKELEVEL
	need_build_tools
	choose_server_user
	build_extension
	work=$(mktemp -d "${TMPDIR:-/tmp}/wfml-bench.XXXXXX")
	chmod 755 "$work"
	cleanup() {
		trap - EXIT INT TERM HUP
		if [ -f "$work/data/postmaster.pid" ]; then
			as_server_user "$STAGE_BIN/pg_ctl" -D "$work/data" -m immediate -w -s stop >/dev/null 2>&1 || true
		fi
		rm -rf "$work"
	}
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	stage_server "$work/stage"
	mkdir -m 700 "$work/data" "$work/sockets"
	if [ "$(id -un)" != "$SERVER_USER" ]; then chown "$SERVER_USER" "$work" "$work/data" "$work/sockets"; fi
	(
		cd "$work"
		start_cluster "$work/data" "$work/sockets" 54329 "$work/log" "fsync = off" "shared_buffers = 512MB" "max_wal_size = 4GB"
	)
	export PGHOST=$work/sockets PGPORT=54329 PGUSER=postgres
	PATH=$STAGE_BIN:$PATH
fi
client() { psql -X -q -v ON_ERROR_STOP=1 -P pager=off "$@"; }

missed=0
for seed in $seeds; do
	client -d postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database" 2>/dev/null
	client -d $database -c 'CREATE EXTENSION wfml'
	client -d $database -v "seed=$seed" -v "users=${WFML_USERS:-200}" -v "days=${WFML_DAYS:-60}" -f bench/workflow.sql
	missed=$((missed + $(client -d $database -At -c 'SELECT count(*) FROM bar WHERE met IS NOT TRUE')))
done
client -d postgres -c "DROP DATABASE IF EXISTS $database"
if [ -n "${WFML_LATENCY:-}" ]; then bash bench/workflow_latency.sh; fi
say "$missed of the bars missed over the seeds $seeds"
[ "$missed" = 0 ]
