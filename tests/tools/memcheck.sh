#!/usr/bin/env bash
# memcheck.sh PROGRAM [ARG...] - run a program under valgrind; exit with 99 if
# it finds a fault in any process. valgrind's own exit code forgets a forked
# child, so every process writes a log, and with --quiet a log without faults
# is empty. The pipe ends when the last process has, and its log is complete.
set -uo pipefail

logs=$(mktemp -d "${BATS_TEST_TMPDIR:-/tmp}/memcheck.XXXXXX")
valgrind --quiet --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite --log-file="$logs/%p" "$@" 2>&1 | cat
status=${PIPESTATUS[0]}

if [[ -n $(find "$logs" -type f -size +0) ]]; then
    cat "$logs"/*
    status=99
fi
rm -rf "$logs"
exit "$status"
