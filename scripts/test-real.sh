#!/usr/bin/env bash
# make test-real: wfml on tables that the real tools made.
#
# n8n (npm registry), Airflow (PyPI) and pg_cron run their own migrations, and
# workflows, in a throw-away cluster; then wfml binds them.  Opt-in: it
# downloads about 2 GB and takes some ten minutes at first.  What is installed stays
# in build/real, or WFML_REAL_DIR, for the next time; remove it by "make clean".
#
#   N8N="1 2"  AIRFLOW="2.10.5 3.0.6"   which to try; "" for none

set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

N8N=${N8N-1 2}
AIRFLOW=${AIRFLOW-2.10.5 3.0.6}
real=${WFML_REAL_DIR:-$PWD/build/real}
mkdir -p "$real"
port=${WFML_REAL_PORT:-55432}
failed=
n_failed=0
tried=0
skipped=0

need_build_tools
need_test_tools
choose_server_user
build_extension
top=$(mktemp -d "${TMPDIR:-/tmp}/wfml-real.XXXXXX")
chmod 755 "$top"
mkdir -p -m 700 "$top/data" "$top/sockets"
touch "$top/log"
chown "$SERVER_USER" "$top/data" "$top/sockets" "$top/log" 2>/dev/null || true

stop() {
	as_server_user "$STAGE_BIN/pg_ctl" -D "$top/data" -m immediate -s stop >/dev/null 2>&1 || true
	rm -rf "$top"
}
trap stop EXIT

stage_server "$top/stage"
settings=(fsync=off)
cron=
if [ -f "$("$PG_CONFIG" --sharedir)/extension/pg_cron.control" ]; then
	cron=1
	settings+=("shared_preload_libraries = 'pg_cron'" "cron.database_name = 'postgres'" "cron.use_background_workers = on")
fi
start_cluster "$top/data" "$top/sockets" "$port" "$top/log" "${settings[@]}"
export PGHOST=$top/sockets PGPORT=$port PGUSER=postgres

sql() { "$STAGE_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2"; }

# check NAME DATABASE FILE: runs the file's tests.
check() {
	say "---- $1"
	tried=$((tried + 1))
	if "$STAGE_BIN/psql" -XAtq -d "$2" -f "test/real/$3" 2>&1 | tee "$top/out" && ! grep -qE '^not ok|ERROR:|FATAL:' "$top/out"; then
		return 0
	fi
	failed="$failed $1,"
	n_failed=$((n_failed + 1))
	return 1
}

# skip NAME WHY
skip() {
	say "---- $1 skipped: $2"
	skipped=$((skipped + 1))
}

# ---- n8n ----

n8n() {
	local dir=$1 database=$2
	shift 2
	(cd "$dir" && exec env N8N_USER_FOLDER="$top/$database" DB_TYPE=postgresdb DB_POSTGRESDB_HOST="$PGHOST" DB_POSTGRESDB_PORT="$port" \
		DB_POSTGRESDB_DATABASE="$database" DB_POSTGRESDB_USER=postgres DB_POSTGRESDB_PASSWORD=none N8N_DIAGNOSTICS_ENABLED=false \
		N8N_VERSION_NOTIFICATIONS_ENABLED=false N8N_RUNNERS_ENABLED=false N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS=false N8N_EXPRESSION_ENGINE=legacy \
		timeout 300 node node_modules/n8n/bin/n8n "$@" >>"$top/$database.log" 2>&1)
}

# Without install scripts: what they build is not needed for its command line.
try_n8n() {
	local major=$1 dir=$real/n8n$1 database=n8n$1 workflow
	command -v npm >/dev/null || { skip "n8n $major" "there is no npm"; return; }
	mkdir -p "$dir" "$top/$database"
	if ! cmp -s "test/real/package-$major.json" "$dir/installed.json"; then
		say "installing n8n $major"
		cp "test/real/package-$major.json" "$dir/package.json"
		(cd "$dir" && npm install --no-audit --no-fund --ignore-scripts --legacy-peer-deps --loglevel=error >&2) || { skip "n8n $major" "npm could not install it"; return; }
		cp "$dir/package.json" "$dir/installed.json"
	fi
	sql postgres "CREATE DATABASE $database"
	n8n "$dir" "$database" import:workflow --input="$PWD/test/real/n8n_workflows.json" || true
	for workflow in wfSalesDaily0001 wfBroken00000001; do
		n8n "$dir" "$database" execute --id="$workflow" || true
	done
	check "n8n $(node -p "require('$dir/node_modules/n8n/package.json').version")" "$database" n8n.sql || tail -n 20 "$top/$database.log" >&2
}

# ---- Airflow ----

airflow() {
	local version=$1
	shift
	env AIRFLOW_HOME="$top/airflow$version" AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__CORE__EXECUTOR=LocalExecutor \
		AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://postgres@/airflow${version%%.*}?host=$PGHOST&port=$port" \
		"$real/airflow$version/bin/airflow" "$@" >>"$top/airflow$version.log" 2>&1
}

try_airflow() {
	local version=$1 dir=$real/airflow$1 database=airflow${1%%.*} scheduler i
	command -v python3 >/dev/null || { skip "Airflow $version" "there is no python3"; return; }
	if [ ! -f "$dir/installed" ]; then
		say "installing Airflow $version"
		python3 -m venv "$dir" && "$dir/bin/pip" install -q "apache-airflow==$version" psycopg2-binary asyncpg >&2 || { skip "Airflow $version" "pip could not install it"; return; }
		touch "$dir/installed"
	fi
	mkdir -p "$top/airflow$version/dags"
	cp test/real/airflow_dags.py "$top/airflow$version/dags/"
	sql postgres "CREATE DATABASE $database"
	airflow "$version" db migrate || true
	airflow "$version" dags reserialize || true
	airflow "$version" dags unpause -y etl_sales || true
	airflow "$version" scheduler &
	scheduler=$!
	for ((i = 0; i < 90; i++)); do
		[ "$(sql "$database" "SELECT count(*) >= 5 AND bool_and(state = 'success') FROM dag_run" 2>/dev/null)" = t ] && break
		sleep 1
	done
	# until it stops by itself, having ended what it does
	pkill -TERM -P "$scheduler" 2>/dev/null || kill -TERM "$scheduler" 2>/dev/null || true
	wait "$scheduler" 2>/dev/null || true
	check "Airflow $version" "$database" airflow.sql || tail -n 20 "$top/airflow$version.log" >&2
}

# ---- pg_cron ----

try_pg_cron() {
	local i
	[ -n "$cron" ] || { skip pg_cron "it is not installed"; return; }
	sql postgres 'CREATE EXTENSION pg_cron'
	sql postgres "SELECT cron.schedule('works', '* * * * *', 'SELECT 1'), cron.schedule('fails', '* * * * *', 'SELECT 1 / 0')" >/dev/null
	for ((i = 0; i < 90; i++)); do
		[ "$(sql postgres "SELECT count(*) >= 2 FROM cron.job_run_details WHERE end_time IS NOT NULL")" = t ] && break
		sleep 1
	done
	check pg_cron postgres pg_cron.sql || true
}

for major in $N8N; do try_n8n "$major"; done
for version in $AIRFLOW; do try_airflow "$version"; done
try_pg_cron
[ -z "$failed" ] || say "failed:${failed%,}"
echo "$((tried - n_failed)) passed, $n_failed failed, $skipped skipped"
[ -z "$failed" ]
