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
# count KIND PASSED FAILED
count() {
	passed=$((passed + $2))
	failed=$((failed + $3))
	report="$report$(printf '%-12s %5d passed, %d failed' "$1" "$2" "$3")
"
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

# The tests of a TAP stream; a script that died counts as one failure.
count_tap() {
	local kind=$1 status=$2 file=$3 good bad
	good=$(grep -cE '^(ok [0-9]+|not ok .*# TODO)' "$file" || true)
	bad=$(grep -E '^not ok' "$file" | grep -vc '# TODO' || true)
	if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
	if [ "$((good + bad))" = 0 ]; then bad=1; fi
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
need_build_tools
need_test_tools
choose_server_user
say "PostgreSQL $("$PG_CONFIG" --version | sed 's/^PostgreSQL //'), servers run as $SERVER_USER"
build_extension

# ---- the core alone ----

run_unit() {
	local log=$1 status=0 good bad binaries seen
	make -k -j"$(processors)" $(make -s list-UNIT_BINS) >"$log.build" 2>&1 || { tail -n 40 "$log.build"; }
	timeout 600 make -k unit >"$log" 2>&1 </dev/null || status=$?
	grep -vE '^(gcc|ar|rm) ' "$log" | tail -n 200 || true
	good=$(sed -n 's/^test_[a-z0-9_]*: \([0-9]*\) passed.*/\1/p' "$log" | awk '{s += $1} END {print s + 0}')
	bad=$(sed -n 's/^test_[a-z0-9_]*: .* \([0-9]*\) failed$/\1/p' "$log" | awk '{s += $1} END {print s + 0}')
	# a program that crashed or did not build prints no line
	binaries=$(make -s list-UNIT_BINS | wc -w)
	seen=$(grep -cE '^test_[a-z0-9_]*: [0-9]+ passed' "$log" || true)
	bad=$((bad + binaries - seen))
	if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
	count unit "$good" "$bad"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/wfml-test.XXXXXX")
chmod 755 "$work"
run_unit "$work/unit.log"

# ---- a server of our own ----

stage_server "$work/stage"
mkdir "$work/tree" "$work/home"
tar -cf - --exclude=./.git --exclude=./build --exclude='*.o' --exclude=./tmp_check . | tar -xf - -C "$work/tree"
mkdir -m 700 "$work/sockets" "$work/data"
if [ "$(id -un)" != "$SERVER_USER" ]; then
	chown -R "$SERVER_USER" "$work/tree" "$work/sockets" "$work/data" "$work/home"
	chown "$SERVER_USER" "$work"
fi
cd "$work/tree"
pgxs=$(dirname "$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")")
export HOME="$work/home" PATH="$STAGE_BIN:$PATH"
export PGHOST="$work/sockets" PGPORT=54329 PGUSER=postgres

if start_cluster "$work/data" "$PGHOST" "$PGPORT" "$work/log" \
	"fsync = off" "full_page_writes = off" "synchronous_commit = off" "max_wal_size = 4GB" \
	"shared_buffers = 256MB" "max_parallel_workers = 8" "max_connections = 50"; then
	:
else
	count cluster 0 1
fi

regress=$(make -s list-REGRESS)
if [ -n "$regress" ]; then
	status=0
	as_server_user timeout 600 "$pgxs/src/test/regress/pg_regress" --inputdir=. --outputdir=. --bindir="$STAGE_BIN" \
		--dbname=contrib_regression --no-locale $regress </dev/null >"$work/regress.log" 2>&1 || status=$?
	cat "$work/regress.log"
	if [ "$status" != 0 ]; then head -n 200 regression.diffs 2>/dev/null || true; fi
	count_regress regress "$work/regress.log" "$status" "$(echo $regress | wc -w)"
fi

isolation=$(make -s list-ISOLATION)
if [ -n "$isolation" ]; then
	status=0
	as_server_user timeout 600 "$pgxs/src/test/isolation/pg_isolation_regress" --inputdir=test/isolation --outputdir=output_iso \
		--bindir="$STAGE_BIN" --dbname=isolation_regression --load-extension=wfml --no-locale $isolation </dev/null >"$work/isolation.log" 2>&1 || status=$?
	cat "$work/isolation.log"
	if [ "$status" != 0 ]; then head -n 200 output_iso/regression.diffs 2>/dev/null || true; fi
	count_regress isolation "$work/isolation.log" "$status" "$(echo $isolation | wc -w)"
fi

if ls test/pgtap/*.sql >/dev/null 2>&1; then
	status=0
	as_server_user psql -Xq -d postgres -c 'CREATE DATABASE pgtap' &&
		as_server_user psql -Xq -d pgtap -c 'CREATE EXTENSION pgtap; CREATE EXTENSION wfml' || status=$?
	if [ "$status" = 0 ]; then
		as_server_user env PGDATABASE=pgtap timeout 900 prove --failures --verbose --exec 'psql -XAtq -v ON_ERROR_STOP=1 -f' test/pgtap/*.sql \
			</dev/null >"$work/pgtap.log" 2>&1 || status=$?
		cat "$work/pgtap.log"
	else
		echo "not ok 1 - pgTAP is not to be had" >"$work/pgtap.log"
	fi
	count_tap pgtap "$status" "$work/pgtap.log"
fi
as_server_user "$STAGE_BIN/pg_ctl" -D "$work/data" -m fast -w -s stop || true

if ls test/t/*.pl >/dev/null 2>&1; then
	status=0
	unset PGHOST PGPORT PGUSER
	as_server_user env TESTDIR="$work/tree" PG_REGRESS="$pgxs/src/test/regress/pg_regress" PGPORT=65432 TMPDIR="$work/home" \
		timeout 900 prove --failures --verbose -I "$pgxs/src/test/perl" -I test/t test/t/*.pl </dev/null >"$work/tap.log" 2>&1 || status=$?
	cat "$work/tap.log"
	count_tap tap "$status" "$work/tap.log"
fi

# ---- hostile bytes, for a moment ----

cd "$OLDPWD"
if ls test/fuzz/fuzz_*.c >/dev/null 2>&1; then
	if can_fuzz; then
		status=0
		make -k -j"$(processors)" fuzz-build >"$work/fuzz.build" 2>&1 || tail -n 40 "$work/fuzz.build"
		scripts/fuzz.sh "${FUZZ_SECONDS:-10}" >"$work/fuzz.log" 2>&1 </dev/null || status=$?
		grep -E '^(ok|not ok)' "$work/fuzz.log" || true
		if [ "$status" != 0 ]; then tail -n 60 "$work/fuzz.log"; fi
		count_tap fuzz "$status" "$work/fuzz.log"
	else
		say "== fuzz: left out, clang with its run-time library is not installed"
	fi
fi

printf '%s\n%d seconds\n' "$report" "$((SECONDS - start))"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
