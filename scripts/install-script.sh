#!/bin/sh
# Join the SQL pieces given into an install script, on standard output.
set -eu
printf '%s\n' '\echo Use "CREATE EXTENSION wfml" to load this file. \quit'
for piece in "$@"; do
	printf '\n-- %s\n\n' "$piece"
	cat "$piece"
done
