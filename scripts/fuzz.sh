#!/usr/bin/env bash
# Run the fuzz targets built by "make fuzz-build", each for so many seconds.
# One line a target, "ok" or "not ok"; what broke it stays in build/fuzz.
#
# usage: fuzz.sh SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
number=0
failed=0
for source in test/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	number=$((number + 1))
	corpus=build/fuzz/corpus/$name
	mkdir -p "$corpus"
	seeds=
	if [ -d "test/fuzz/corpus/$name" ]; then seeds=test/fuzz/corpus/$name; fi
	if [ -x "build/fuzz/$name" ] && timeout $((seconds + 120)) "build/fuzz/$name" -max_total_time="$seconds" \
		-timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" "$corpus" $seeds </dev/null; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		failed=1
	fi
done
exit "$failed"
