#!/usr/bin/env bash
# Everything there is to test, from an empty machine: "make test".
#
# Ends with the line "N passed, N failed" and a status to match.  The tests
# run in a copy of the tree and against a staged server (common.sh) in a
# temporary directory; all of it, processes included, is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
unset PGHOST PGPORT PGUSER PGDATABASE PGDATA PGOPTIONS PGSERVICE MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C

passed=0
failed=0
report=
# what failed, once more at the end: where only the last lines are kept
failures=
# failure FILE LINES: the start of a file of differences
failure() {
	failures="$failures$(head -n "$2" "$1" 2>/dev/null || true)
"
}
# count KIND PASSED FAILED
count() {
	passed=$((passed + $2))
	failed=$((failed + $3))
	report="$report$(printf '%-12s %5d passed, %d failed, %d s' "$1" "$2" "$3" "$((SECONDS - lap))")
"
	lap=$SECONDS
	printf '== %s: %d passed, %d failed\n\n' "$1" "$2" "$3"
}

work=
cleanup() {
	trap - EXIT INT TERM HUP
	if [ -n "$work" ]; then
		if [ -f "$work/data/postmaster.pid" ]; then
			as_server_user "$STAGE_BIN/pg_ctl" -D "$work/data" -m immediate -w -s stop >/dev/null 2>&1 || true
		fi
		# clusters of TAP tests that were cut short
		local p
		for p in "$work"/tree/tmp_check/*/pgdata/postmaster.pid; do
			if [ -f "$p" ]; then as_server_user "$STAGE_BIN/pg_ctl" -D "$(dirname "$p")" -m immediate -s stop >/dev/null 2>&1 || true; fi
		done
		if [ -n "${KEEP:-}" ]; then say "kept $work"; else rm -rf "$work"; fi
	fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# The tests in the output of prove; a script that died counts as one failure.
count_tap() {
	local kind=$1 status=$2 file=$3 good bad
	good=$(grep -cE '^(ok [0-9]+|not ok .*# TODO)' "$file" || true)
	bad=$(grep -E '^not ok' "$file" | grep -vc '# TODO' || true)
	bad=$((bad + $(grep -c 'Parse errors:' "$file" || true)))
	if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
	if [ "$((good + bad))" = 0 ]; then bad=1; fi
	if [ "$bad" != 0 ]; then
		grep -E -A 6 '^not ok|Parse errors:' "$file" | grep -v '# TODO' | head -n 40 >"$file.failures" || true
		failure "$file.failures" 40
	fi
	count "$kind" "$good" "$bad"
}

# count_regress KIND FILE STATUS EXPECTED: "test x ... ok" (15) or "ok 1 - x" (16).
count_regress() {
	local good bad
	good=$(grep -cE '^(test +[^ ]+ +\.\.\. ok|ok [0-9]+ )' "$2" || true)
	bad=$(($4 - good))
	if [ "$bad" -le 0 ]; then bad=0; if [ "$3" != 0 ]; then bad=1; fi; fi
	count "$1" "$good" "$bad"
}

# ---- tools, build ----

start=$SECONDS
lap=$SECONDS
need_build_tools
need_test_tools
choose_server_user
say "PostgreSQL $("$PG_CONFIG" --version | sed 's/^PostgreSQL //'), servers run as $SERVER_USER"
built=yes
build_extension || built=

# ---- the core alone ----

run_unit() {
	local log=$1 bins bin good bad
	bins=$(make -s list-UNIT_BINS)
	# linked anew, so that what is there afterwards is up to date
	rm -f $bins
	make -k -j"$(processors)" $bins >"$log.build" 2>&1 || grep -E 'error|undefined' "$log.build" | sort -u | tail -n 40
	for bin in $bins; do
		# a program that crashes prints no summary
		if [ ! -x "$bin" ]; then
			echo "$(basename "$bin"): 0 passed, 1 failed (does not build)"
		elif timeout 300 "$bin" </dev/null >"$log.one" 2>&1 || grep -qE '^test_.* [1-9][0-9]* failed$' "$log.one"; then
			cat "$log.one"
		else
			tail -n 40 "$log.one"
			echo "$(basename "$bin"): 0 passed, 1 failed (ended early)"
		fi
	done >"$log"
	cat "$log"
	good=$(awk '/^test_[a-z0-9_]*: [0-9]+ passed/ {s += $2} END {print s + 0}' "$log")
	bad=$(awk '/^test_[a-z0-9_]*: [0-9]+ passed/ {s += $4} END {print s + 0}' "$log")
	count unit "$good" "$bad"
}

# ---- in a server of our own ----

prepare_server() {
	stage_server "$work/stage" || return 1
	mkdir "$work/tree" "$work/home"
	tar -cf - --exclude=./.git --exclude=./build --exclude='*.o' --exclude=./tmp_check . | tar -xf - -C "$work/tree"
	mkdir -m 700 "$work/sockets" "$work/data"
	if [ "$(id -un)" != "$SERVER_USER" ]; then
		chown -R "$SERVER_USER" "$work/tree" "$work/sockets" "$work/data" "$work/home"
		chown "$SERVER_USER" "$work"
	fi
	pgxs=$(dirname "$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")")
	export HOME="$work/home" PATH="$STAGE_BIN:$PATH"
	export PGHOST="$work/sockets" PGPORT=54329 PGUSER=postgres
	cd "$work/tree"
	start_cluster "$work/data" "$work/sockets" 54329 "$work/log" \
		"fsync = off" "full_page_writes = off" "synchronous_commit = off" "max_wal_size = 4GB" \
		"shared_buffers = 256MB" "max_parallel_workers = 8" "max_connections = 50"
}

run_regress() {
	local tests status=0
	tests=$(make -s list-REGRESS)
	[ -n "$tests" ] || return 0
	# statistics that come at any moment are no part of a tour
	as_server_user psql -Xq -d postgres -c 'ALTER SYSTEM SET autovacuum = off' -c 'SELECT pg_reload_conf()' >/dev/null
	as_server_user timeout 600 "$pgxs/src/test/regress/pg_regress" --inputdir=. --outputdir=. --bindir="$STAGE_BIN" \
		--dbname=contrib_regression --load-extension=wfml --no-locale $tests </dev/null >"$work/regress.log" 2>&1 || status=$?
	cat "$work/regress.log"
	if [ "$status" != 0 ]; then
		head -n 300 regression.diffs 2>/dev/null || true
		failure regression.diffs 40
	fi
	as_server_user psql -Xq -d postgres -c 'ALTER SYSTEM RESET autovacuum' -c 'SELECT pg_reload_conf()' >/dev/null
	count_regress regress "$work/regress.log" "$status" "$(echo $tests | wc -w)"
}

run_isolation() {
	local tests status=0
	tests=$(make -s list-ISOLATION)
	[ -n "$tests" ] || return 0
	as_server_user timeout 600 "$pgxs/src/test/isolation/pg_isolation_regress" --inputdir=test/isolation \
		--outputdir=output_iso --bindir="$STAGE_BIN" --dbname=isolation_regression \
		--no-locale $tests </dev/null >"$work/isolation.log" 2>&1 || status=$?
	cat "$work/isolation.log"
	if [ "$status" != 0 ]; then
		head -n 300 output_iso/regression.diffs 2>/dev/null || true
		failure output_iso/regression.diffs 40
	fi
	count_regress isolation "$work/isolation.log" "$status" "$(echo $tests | wc -w)"
}

run_pgtap() {
	local status=0
	as_server_user psql -Xq -d postgres -c 'CREATE DATABASE pgtap' &&
		as_server_user psql -Xq -d pgtap -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION wfml' || status=$?
	if [ "$status" = 0 ]; then
		as_server_user env PGDATABASE=pgtap timeout 900 prove --failures --verbose \
			--exec 'psql -XAtq -v ON_ERROR_STOP=1 -f' test/pgtap/*.sql </dev/null >"$work/pgtap.log" 2>&1 || status=$?
		cat "$work/pgtap.log"
	else
		echo "not ok 1 - no database with pgTAP and wfml" >"$work/pgtap.log"
	fi
	count_tap pgtap "$status" "$work/pgtap.log"
}

# Tests in Perl that make clusters themselves.
run_tap() {
	local status=0
	as_server_user env -u PGHOST -u PGUSER TESTDIR="$work/tree" PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
		PGPORT=65432 TMPDIR="$work/home" timeout 1200 prove --failures --verbose -I "$pgxs/src/test/perl" \
		test/t/*.pl </dev/null >"$work/tap.log" 2>&1 || status=$?
	cat "$work/tap.log"
	count_tap tap "$status" "$work/tap.log"
}

# ---- hostile bytes, for a moment ----

run_fuzz() {
	local status=0
	if ! can_fuzz; then
		say "== fuzz: left out, clang with its run-time library is not installed"
		return 0
	fi
	make -k -j"$(processors)" fuzz-build >"$work/fuzz.build" 2>&1 || tail -n 40 "$work/fuzz.build"
	scripts/fuzz.sh "${FUZZ_SECONDS:-10}" >"$work/fuzz.log" 2>&1 </dev/null || status=$?
	grep -E '^(ok|not ok)' "$work/fuzz.log" || true
	if [ "$status" != 0 ]; then tail -n 60 "$work/fuzz.log"; fi
	count_tap fuzz "$status" "$work/fuzz.log"
}

# ---- all of it ----

top=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/wfml-test.XXXXXX")
chmod 755 "$work"
run_unit "$work/unit.log"
if [ -z "$built" ]; then
	count build 0 1
elif prepare_server; then
	run_regress
	run_isolation
	run_pgtap
	as_server_user "$STAGE_BIN/pg_ctl" -D "$work/data" -m fast -w -s stop || true
	run_tap
else
	count server 0 1
fi
cd "$top"
run_fuzz

if [ -n "$failures" ]; then printf '== what failed\n%s\n' "$failures"; fi
printf '%s\n%d seconds\n' "$report" "$((SECONDS - start))"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
