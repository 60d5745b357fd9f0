#!/usr/bin/env bash
# What a reader should not have to look for.  Quick; prints what is wrong and
# fails, or says "lint: clean".
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
complain() { echo "lint: $*"; bad=1; }

warnings="-Wall -Wextra -Wmissing-prototypes -Wpointer-arith -Wvla -Wendif-labels -Wformat-security -Wmissing-format-attribute -Wimplicit-fallthrough=3 -Werror"
core_flags="-std=gnu11 -O2 -ffp-contract=off -Isrc -D_GNU_SOURCE"
jobs=$(processors)

# compile LABEL COMPILER FLAGS... -- FILES...
compile() {
	local label=$1 flags=
	shift
	while [ "$1" != -- ]; do flags="$flags $1"; shift; done
	shift
	[ $# -gt 0 ] || return 0
	printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" $flags -c -o /dev/null >"$tmp/log" 2>&1 || { cat "$tmp/log"; complain "$label"; }
}

# ---- warnings, two compilers, both floors ----

compile "core, gcc" gcc $core_flags $warnings -- src/core/*.c
if command -v clang >/dev/null; then
	compile "core, clang" clang -std=gnu11 -O2 -ffp-contract=off -Isrc -D_GNU_SOURCE -Wall -Wextra -Werror -- src/core/*.c
fi
# (setjmp: the compiler cannot know which tests come back)
compile "unit tests" gcc $core_flags -Itest/unit -Wall -Wextra -Wno-clobbered -Wno-maybe-uninitialized -Werror -- test/unit/*.c
if find_pg_config; then
	# PostgreSQL's own headers as system headers: only our code is judged.
	compile "server floor" gcc $core_flags $warnings -Wno-unused-parameter -isystem "$("$PG_CONFIG" --includedir-server)" -- $(ls src/pg/*.c 2>/dev/null)
else
	complain "no pg_config: the server floor was not looked at"
fi

# ---- a header needs nothing before it ----

for h in src/core/*.h; do
	echo "#include \"${h#src/}\"" >"$tmp/$(echo "${h#src/}" | tr / _).c"
done
compile "core headers alone" gcc $core_flags -Wall -Wextra -Werror -Wno-unused-function -- "$tmp"/core_*.c
if [ -n "${PG_CONFIG:-}" ]; then
	for h in src/pg/*.h; do
		echo "#include \"${h#src/}\"" >"$tmp/$(echo "${h#src/}" | tr / _).c"
	done
	compile "server headers alone" gcc $core_flags -Wall -Wextra -Werror -Wno-unused-parameter -isystem "$("$PG_CONFIG" --includedir-server)" -- "$tmp"/pg_*.c
fi

# ---- static analysis of the core ----

if command -v cppcheck >/dev/null; then
	# uninitvar: the compilers see more; invalidPointerCast: models are read in place, on purpose;
	# shiftTooManyBitsSigned: both compilers shift arithmetically.
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$jobs" -Isrc -D'__attribute__(x)=' -D__GNUC__=12 -D__x86_64__ -D_GNU_SOURCE \
		--enable=warning,portability --suppress=missingIncludeSystem \
		--suppress=uninitvar --suppress=arrayIndexThenCheck --suppress=shiftTooManyBitsSigned --suppress=invalidPointerCast \
		src/core >"$tmp/log" 2>&1 || { cat "$tmp/log"; complain "cppcheck"; }
else
	say "lint: cppcheck is not installed, left out"
fi

# ---- the house ----

if grep -nE '#include *[<"](postgres|fmgr|c)\.h|#include *"(pg/|utils/|nodes/|access/|executor/)' src/core/*.[ch]; then
	complain "the core includes PostgreSQL"
fi
if grep -nE '\b(malloc|calloc|realloc|free|printf|fprintf|abort|exit)\(' src/core/*.c; then
	complain "the core goes past its host"
fi
long=$(wc -l src/*/*.[ch] src/*/*.sql 2>/dev/null | awk '$2 != "total" && $1 > 700')
[ -z "$long" ] || complain "files over 700 lines:
$long"
if grep -nE 'TODO|FIXME|XXX|not implemented' -r src test --include='*.[ch]' --include='*.sql' --include='*.pl' --include='*.spec'; then
	complain "unfinished marks"
fi
if grep -nE '[[:space:]]+$' src/*/*.[ch] src/*/*.sql test/unit/*.[ch] scripts/*.sh Makefile; then
	complain "trailing white space"
fi

# ---- every test is run by something ----

for f in sql/*.sql; do
	[ -e "$f" ] || continue
	name=$(basename "$f" .sql)
	case $name in
		wfml--*) continue ;;
	esac
	grep -qx "$name" test/regress_schedule || complain "$f is not in test/regress_schedule"
	[ -f "expected/$name.out" ] || complain "$f has no expected/$name.out"
done
for name in $(sed 's/#.*//' test/regress_schedule); do
	[ -f "sql/$name.sql" ] || complain "test/regress_schedule names $name, but there is no sql/$name.sql"
done
for f in test/isolation/specs/*.spec; do
	[ -e "$f" ] || continue
	grep -qx "$(basename "$f" .spec)" test/isolation/schedule || complain "$f is not in test/isolation/schedule"
done
for f in src/pg/*.sql src/workflow/*.sql; do
	[ -e "$f" ] || continue
	piece=${f#src/}
	piece=${piece#pg/}
	sed 's/#.*//; s/ *$//' src/pg/pieces | grep -qx "${piece%.sql}" || complain "$f is not in src/pg/pieces"
done

# ---- one version, one install script ----

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" wfml.control)
for v in $(sed -n 's/^ *"version": "\([0-9.]*\)",*$/\1/p' META.json | sort -u); do
	case $v in "$version" | 1.0.0) ;; *) complain "META.json says $v, wfml.control $version" ;; esac
done
grep -q "\"version\": \"$version\"" META.json || complain "META.json does not name version $version"
grep -q "^## $version" CHANGELOG.md || complain "CHANGELOG.md has no section $version"
scripts/install-script.sh 'CREATE EXTENSION wfml' $(make -s list-SQL_PIECES) | cmp -s - "sql/wfml--$version.sql" ||
	complain "sql/wfml--$version.sql is not what src/pg/pieces makes"
scripts/install-script.sh "ALTER EXTENSION wfml UPDATE TO '$version'" $(make -s list-UPDATE_PIECES) | cmp -s - "$(make -s list-UPDATE_SQL)" ||
	complain "$(make -s list-UPDATE_SQL) is not what src/pg/pieces makes"
# released, so nothing may change it
(cd sql && sha256sum --quiet -c ../scripts/released.sha256) || complain "a released install script changed"
for f in scripts/*.sh bench/*.sh .ci/run; do
	[ -e "$f" ] || continue
	bash -n "$f" || complain "$f"
	case $f in scripts/common.sh) ;; *) [ -x "$f" ] || complain "$f is not executable" ;; esac
done

[ "$bad" = 0 ] && echo "lint: clean"
exit "$bad"
