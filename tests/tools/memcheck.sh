#!/usr/bin/env bash
# memcheck.sh PROGRAM [ARG...] - run a program under valgrind; exit with 99 if
# it finds a fault in any process. valgrind's own exit code forgets a forked
# child, so every process writes a log, and with --quiet a log without faults
# is empty. The pipe ends when the last process has, and its log is complete.
# KIT_CAGE: tests/tools/cage.c, to be around it. Its user has to write the logs.
set -uo pipefail

logs=$(mktemp -d "${BATS_TEST_TMPDIR:-${TMPDIR:-/tmp}}/memcheck.XXXXXX")
chmod 1777 "$logs"
${KIT_CAGE:+"$KIT_CAGE" -w} valgrind --quiet --vgdb=no --leak-check=full \
    --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --log-file="$logs/%p" "$@" 2>&1 | cat
status=${PIPESTATUS[0]}

# Lines with -- are news of valgrind itself, such as a call that it lacks.
if grep -qsv '^--[0-9]*-- ' "$logs"/*; then
    cat "$logs"/*
    status=99
elif [[ -z $(ls -A "$logs") ]]; then
    echo "memcheck: valgrind wrote no log"
    status=99
fi
rm -rf "$logs"
exit "$status"
