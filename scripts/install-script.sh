#!/bin/sh
# Join SQL pieces into a script that only COMMAND may run, on standard output.
# usage: install-script.sh COMMAND PIECE...
set -eu
printf '%s\n' "\\echo Use \"$1\" to load this file. \\quit"
shift
for piece in "$@"; do
	printf '\n-- %s\n\n' "$piece"
	cat "$piece"
done
