#!/usr/bin/env bash
# A tour on real data in a cluster of its own, which stays for you to play
# with: "make demo", "make psql", "make demo-stop".
#
# usage: demo.sh start | psql [arguments] | stop
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
unset PGHOST PGPORT PGUSER PGDATABASE PGDATA PGOPTIONS PGSERVICE MAKEFLAGS MFLAGS MAKELEVEL
umask 022

# Root cannot run a server and its home is closed to who can.
if [ "$(id -u)" = 0 ]; then
	dir=${WFML_DEMO_DIR:-/var/tmp/wfml-demo}
else
	dir=${WFML_DEMO_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/wfml-demo}
fi
port=54328
choose_server_user

# Whoever else could have made that directory is not to be trusted.
owned() { [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ]; }

connection() {
	STAGE_BIN=$(cat "$dir/bin")
	client=("$STAGE_BIN/psql" -X -h "$dir/sockets" -p "$port" -U postgres -d wfml)
}

stop() {
	owned || return 0
	if [ -f "$dir/data/postmaster.pid" ]; then
		as_server_user "$(cat "$dir/bin")/pg_ctl" -D "$dir/data" -m fast -w -s stop || true
	fi
	rm -rf "$dir"
}

start() {
	if [ -e "$dir" ] && ! owned; then die "$dir exists and is not yours; set WFML_DEMO_DIR"; fi
	need_build_tools
	choose_server_user
	build_extension
	stop
	mkdir -p "$dir"
	stage_server "$dir/stage"
	echo "$STAGE_BIN" >"$dir/bin"
	mkdir -m 700 "$dir/data" "$dir/sockets"
	touch "$dir/log"
	if [ "$(id -un)" != "$SERVER_USER" ]; then chown "$SERVER_USER" "$dir/data" "$dir/sockets" "$dir/log"; fi
	trap 'say "the demo failed; the server log is $dir/log"' ERR
	(
		cd "$dir"
		start_cluster "$dir/data" "$dir/sockets" "$port" "$dir/log" \
			"fsync = off" "shared_buffers = 256MB" "max_wal_size = 2GB" "max_parallel_maintenance_workers = 2"
	)
	"$STAGE_BIN/psql" -X -q -h "$dir/sockets" -p "$port" -U postgres -d postgres -c 'CREATE DATABASE wfml'
	connection
	"${client[@]}" -q -v ON_ERROR_STOP=1 -f test/data/load.sql
	# From standard input psql does not put file and line before every NOTICE.
	cat demo/demo.sql demo/real_data.sql | "${client[@]}" -q -v ON_ERROR_STOP=1 -P pager=off
	cat <<-EOT

	The server is still there, for you to go on:
	    make psql          (or: ${client[*]})
	    make demo-stop     stops it and removes $dir
	EOT
}

case ${1:-start} in
	start) start ;;
	stop) stop ;;
	psql)
		owned && [ -f "$dir/bin" ] || die "there is no demo server; run: make demo"
		connection
		shift
		exec "${client[@]}" "$@"
		;;
	*) die "usage: demo.sh start | psql [arguments] | stop" ;;
esac
