#!/usr/bin/env bash
# Line coverage of the core by its unit tests, file by file and in total.
#
# usage: coverage.sh [minimum percent]
set -euo pipefail
cd "$(dirname "$0")/.."
minimum=${1:-90}
out=build/coverage
flags="-std=gnu11 -g -O0 --coverage -ffp-contract=off -Isrc -Itest/unit -D_GNU_SOURCE"
rm -rf "$out"
mkdir -p "$out/core"
for f in src/core/*.c; do
	echo "gcc $flags -c -o $out/core/$(basename "$f" .c).o $f"
done | xargs -P "$(getconf _NPROCESSORS_ONLN)" -I{} sh -c '{}'
gcc $flags -c -o "$out/testhost.o" test/unit/testhost.c
for f in test/unit/test_*.c; do
	name=$(basename "$f" .c)
	gcc $flags -o "$out/$name" "$f" "$out/testhost.o" "$out"/core/*.o -lm -lpthread
	"$out/$name" </dev/null || echo "$name failed"
done
for f in "$out"/core/*.gcno; do
	gcov -n "$f" 2>/dev/null
done | awk -v minimum="$minimum" '
	/^File / { gsub(/\x27/, "", $2); file = $2 }
	/^Lines executed:/ && file ~ /^src\/core\/.*\.c$/ {
		split($0, part, /[:%]/); percent = part[2]; n = $NF
		printf "%6.1f %%  %5d  %s\n", percent, n, file
		hit += percent * n / 100; lines += n
	}
	/^Lines executed:/ { file = "" }
	END {
		if (!lines) { print "nothing measured"; exit 1 }
		printf "%6.1f %%  %5d  in all\n", 100 * hit / lines, lines
		exit 100 * hit / lines < minimum
	}'
