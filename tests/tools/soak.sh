#!/usr/bin/env bash
# soak.sh N GOAL... - make GOAL N times while every core is kept busy by something
# else, and stop at the first failure.
set -uo pipefail
rounds=$1
shift
unset MAKEFLAGS MFLAGS MAKELEVEL

busy=()
for ((i = 0; i < $(nproc); i++)); do
    while :; do :; done &
    busy+=("$!")
done
trap 'kill "${busy[@]}" 2>/dev/null' EXIT
trap 'exit 1' INT TERM HUP

for ((round = 1; round <= rounds; round++)); do
    if ! make "$@" >build/soak.log 2>&1; then
        cat build/soak.log
        echo "soak: round $round of $rounds failed"
        exit 1
    fi
    echo "soak: round $round of $rounds: $(tail -n 1 build/soak.log)"
done
