#!/usr/bin/env bash
# faults.sh PROGRAM... - make each call of a program fail, one at a time.
#
# The calls are found in the trace of an ordinary run: for each process and
# each call the first and the last time, but not those of the guardian. Each
# must end the program with exit code 1 and a line "program: call: reason",
# and leave no process, no semaphore set and no directory behind. The reason is
# EUCLEAN, which no program takes for an answer.
set -uo pipefail

export KIT_BUILD=${KIT_BUILD:-$PWD/build}
tools=$KIT_BUILD/tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# lens TRACE FAULT PROGRAM: print what it says on stderr, where a line comes in
# pieces and output could stand between them. Its exit code is ours.
lens() {
    local grace=()
    # Who fails must come to say so before the watchdog ends it.
    [[ ${3##*/} != escalate ]] || grace=(600ms)
    "$tools/bound" -t "${KIT_FAULT_LIMIT:-10s}" env KIT_TRACE="$1" KIT_FAULT="$2" \
        LD_LIBRARY_PATH="$tools" LD_PRELOAD=interpose.so "$3" "${grace[@]}" \
        2>&1 >"$1.out" </dev/null
}

# Not every failure has to end the program: say which, and why.
exempt() {
    case $1 in
    close | kill) : "clean-up goes on, whatever it meets" ;;
    setsid | getppid | getpid) : "cannot fail" ;;
    *) return 1 ;;
    esac
}

# calls TRACE: "process call number" of what is made to fail.
calls() {
    awk '{ split($2, who, ":"); path = who[1]; call = $6 }
         $4 == "=" || NF < 6 || / end v?fork = 0$/ { next }
         $3 == "guardian" { guardian[path] = 1 }
         $5 == "begin" { open[$2, $4] = 1 }
         $5 == "end" && !open[$2, $4] || $5 == "begin" { made[path " " call]++ }
         END {
             for (what in made) {
                 split(what, who, " ")
                 if (guardian[who[1]])
                     continue
                 print what, 1
                 if (made[what] > 1)
                     print what, made[what]
             }
         }' "$1" | sort
}

# strike PROGRAM PROCESS CALL NUMBER: one line that starts with ok or not ok.
# On a busy machine a limit of the program may come before its words: what is
# wrong has to be wrong three times. What is left behind counts at once.
strike() {
    local program=$1 fault="$2/$3:EUCLEAN@$4" trace said status name what left i
    name=${program##*/} what="$2/$3@$4"
    trace=$(mktemp "$work/trace.XXXXXX")
    for i in 1 2 3; do
        status=0
        said=$(lens "$trace" "$fault" "$program") || status=$?
        if ! grep -q ' = -1 EUCLEAN' "$trace"; then
            echo "ok $name $what # not reached this time"
            return
        fi
        left=$(awk 'FNR == NR { there[$2] = 1; next }
                    / end semget .* = [0-9]+$/ && there[$NF] { print $NF }' \
            /proc/sysvipc/sem "$trace")
        if [[ -n $left ]]; then
            ipcrm -s "$left" 2>/dev/null
            echo "not ok $name $what: leaves semaphore set $left behind"
            return
        fi
        if [[ $status -eq 1 ]] &&
            grep -qE "^$name: $3( .*)?: Structure needs cleaning$" <<<"$said"
        then
            echo "ok $name $what"
            return
        fi
    done
    if [[ $status -ne 1 ]]; then
        echo "not ok $name $what: exit code $status: $said"
    else
        echo "not ok $name $what: no line '$name: $3: Structure...': $said"
    fi
}
export -f strike lens
export work tools

for program; do
    trace=$work/${program##*/}
    lens "$trace" "" "$program" >"$trace.said"
    case $? in
    0 | 3) ;;
    *) echo "not ok ${program##*/}: $(cat "$trace.said")" >>"$work/results" && continue ;;
    esac
    calls "$trace" | while read -r process call number; do
        exempt "$call" || printf '%s\0%s\0%s\0%s\0' \
            "$program" "$process" "$call" "$number"
    done
done >"$work/list"
xargs -r -0 -n 4 -P "$((2 * $(nproc)))" bash -c 'strike "$@"' _ <"$work/list" >>"$work/results"

grep '^not ok' "$work/results"
grep -c '^ok' "$work/results" | sed 's/$/ failures were met as they should/'
grep -c 'not reached' "$work/results" | sed 's/$/ of them not reached/'
! grep -q '^not ok' "$work/results" && grep -q '^ok' "$work/results"
