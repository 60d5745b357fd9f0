# Shared by the scripts of this directory; sourced by bash in the top
# directory, with "set -eu" on.
#
# A "stage" is a private copy of an installed PostgreSQL: the programs are
# copied, all else is linked.  The server finds its libraries and its share
# directory relative to its own program, so an extension installed into the
# stage is seen there and nowhere else: no root needed, and no other cluster
# of the machine ever loads what is being tried.

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# ---- the server's programs and what else is needed ----

usable_pg_config() {
	local version
	[ -f "$("$1" --pgxs 2>/dev/null)" ] || return 1
	[ -x "$("$1" --bindir)/postgres" ] || return 1
	version=$("$1" --version | sed 's/^PostgreSQL //; s/[^0-9].*//')
	[ "$version" -ge 14 ]
}

# Sets PG_CONFIG: the given one, the one on PATH, or the newest installed.
find_pg_config() {
	local c
	for c in "${PG_CONFIG:-}" "$(command -v pg_config || true)" \
		$(ls -d /usr/lib/postgresql/*/bin/pg_config /usr/pgsql-*/bin/pg_config /usr/local/pgsql/bin/pg_config 2>/dev/null | sort -rV); do
		if [ -n "$c" ] && usable_pg_config "$c"; then
			PG_CONFIG=$c
			export PG_CONFIG
			return 0
		fi
	done
	return 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
	command -v apt-get >/dev/null || return 1
	[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

apt_updated=
install_packages() {
	may_install || return 1
	if [ -z "$apt_updated" ]; then
		as_root apt-get -o DPkg::Lock::Timeout=300 update -qq </dev/null >&2 || true
		apt_updated=1
	fi
	say "installing $*"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
		install -y -qq --no-install-recommends "$@" </dev/null >&2
}

# The major version that "postgresql" means to apt, unless one is there.
apt_server_version() {
	local v
	v=$(ls /usr/lib/postgresql 2>/dev/null | sort -rV | head -n 1)
	[ -n "$v" ] || v=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
	printf '%s\n' "${v:-15}"
}

# Compiler and server, or an explanation of what is missing.
need_build_tools() {
	local missing=
	command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
	command -v make >/dev/null || missing="$missing make"
	command -v gzip >/dev/null || missing="$missing gzip"
	if [ -n "$missing" ]; then
		install_packages $missing || die "please install:$missing"
	fi
	if ! find_pg_config; then
		if may_install; then
			install_packages ca-certificates >/dev/null 2>&1 || true
			local v
			v=$(apt_server_version)
			install_packages "postgresql-$v" "postgresql-server-dev-$v" || die "could not install postgresql-$v and postgresql-server-dev-$v"
		fi
		find_pg_config || die "no PostgreSQL (14 or later) with its development files found: install postgresql and postgresql-server-dev-NN, or set PG_CONFIG"
	fi
	PG_MAJOR=$("$PG_CONFIG" --version | sed 's/^PostgreSQL //; s/[^0-9].*//')
}

# What only tests need; each is optional here and missed later, where it is used.
need_test_tools() {
	local v=$PG_MAJOR
	perl -MIPC::Run -e 1 2>/dev/null && command -v prove >/dev/null || install_packages perl libipc-run-perl || true
	[ -f "$("$PG_CONFIG" --sharedir)/extension/pgtap.control" ] || install_packages "postgresql-$v-pgtap" || true
	[ -f "$("$PG_CONFIG" --sharedir)/extension/pg_cron.control" ] || install_packages "postgresql-$v-cron" || true
	PATH=$PATH:/usr/sbin command -v pgbouncer >/dev/null || install_packages pgbouncer || true
	if command -v clang >/dev/null && ! can_fuzz; then
		v=$(clang -dumpversion | sed 's/\..*//')
		install_packages "libclang-rt-$v-dev" || true
	fi
}

can_fuzz() {
	command -v clang >/dev/null || return 1
	echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { (void) d; return n > 9; }' |
		clang -fsanitize=fuzzer,address,undefined -x c -o /dev/null - 2>/dev/null
}

processors() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1; }

# ---- the user that runs servers ----

# PostgreSQL refuses to run as root: root lends it to another user.
choose_server_user() {
	SERVER_USER=$(id -un)
	if [ "$(id -u)" = 0 ]; then
		SERVER_USER=nobody
		if id postgres >/dev/null 2>&1; then SERVER_USER=postgres; fi
	fi
}

# Run as that user, in a directory that it can read.
as_server_user() {
	if [ "$(id -un)" = "$SERVER_USER" ]; then
		"$@"
	elif command -v runuser >/dev/null; then
		runuser -u "$SERVER_USER" -- "$@"
	else
		su -s /bin/sh "$SERVER_USER" -c 'exec "$0" "$@"' -- "$@"
	fi
}

# ---- building and staging ----

build_extension() {
	make -s -j"$(processors)" PG_CONFIG="$PG_CONFIG" all >&2
}

# stage_server DIR: sets STAGE_BIN.
stage_server() {
	local stage=$1 bindir pkglibdir sharedir p
	bindir=$("$PG_CONFIG" --bindir)
	pkglibdir=$("$PG_CONFIG" --pkglibdir)
	sharedir=$("$PG_CONFIG" --sharedir)
	mkdir -p "$stage$bindir" "$stage$pkglibdir" "$stage$sharedir"
	for p in postgres initdb pg_ctl psql pg_dump pg_dumpall pg_restore pg_basebackup pg_config pg_isready \
		pgbench pg_controldata pg_resetwal pg_verifybackup pg_waldump pg_rewind pg_receivewal pg_checksums createdb dropdb; do
		if [ -x "$bindir/$p" ]; then cp -L "$bindir/$p" "$stage$bindir/$p"; fi
	done
	cp -rs "$pkglibdir/." "$stage$pkglibdir/"
	cp -rs "$sharedir/." "$stage$sharedir/"
	rm -f "$stage$pkglibdir/wfml.so" "$stage$sharedir"/extension/wfml*
	make -s PG_CONFIG="$PG_CONFIG" DESTDIR="$stage" install >/dev/null
	chmod -R u+rwX,go+rX "$stage"
	STAGE_BIN=$stage$bindir
	[ -f "$stage$pkglibdir/wfml.so" ]
}

# start_cluster DATADIR SOCKETDIR PORT LOGFILE [setting...]: a cluster that
# only its user (and root) can reach.
start_cluster() {
	local data=$1 sockets=$2 port=$3 log=$4
	shift 4
	as_server_user "$STAGE_BIN/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-locale -N >/dev/null
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$sockets'"
		echo "unix_socket_permissions = 0700"
		echo "port = $port"
		echo "timezone = 'UTC'"
		echo "log_timezone = 'UTC'"
		echo "max_worker_processes = 16"
		# containers often have 64 MB there
		if [ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $4}')" -lt 1000000 ] 2>/dev/null; then
			echo "dynamic_shared_memory_type = mmap"
		fi
		printf '%s\n' "$@"
	} | as_server_user tee -a "$data/postgresql.conf" >/dev/null
	as_server_user "$STAGE_BIN/pg_ctl" -D "$data" -l "$log" -w -t 60 -s start </dev/null >/dev/null 2>&1 || {
		cat "$log" >&2
		return 1
	}
}
