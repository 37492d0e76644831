#!/usr/bin/env bash
# lens.sh - run a program under the lens and draw what it waited for.
#
#     lens.sh trace PROGRAM [ARG...]   what it prints, then its waits as lanes
#     lens.sh fault FAULT PROGRAM [ARG...]   the same, with a call that fails
#     lens.sh pictures README...   draw the pictures that these show, anew
#
# A README says above a picture how it came about:
#     <!-- NAME.svg: PROGRAM [ARG...] -->
set -uo pipefail

tools=${KIT_BUILD:?}/tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trace=$work/trace

# LD_PRELOAD splits its value at blanks, and the path may have some.
lens() {
    env KIT_TRACE="$trace" LD_LIBRARY_PATH="$tools" LD_PRELOAD=interpose.so "$@"
}

outcome() {
    case $1 in
    0) ;;
    3) echo "exit code 3: the bound was reached" ;;
    *) echo "exit code $1" ;;
    esac
}

case ${1-} in
trace | fault)
    if [[ $1 == fault ]]; then
        [[ -n $2 ]] || { echo "say what fails: FAULT='semtimedop:EINTR@1'" >&2 && exit 2; }
        export KIT_FAULT=$2
        shift
    fi
    lens "${@:2}"
    status=$?
    [[ -s $trace ]] || exit "$status" # it did not start, and has said why
    outcome "$status"
    "$tools/timeline" "$trace" || exit
    [[ -n ${KIT_FAULT-} || $status =~ ^(0|3|77)$ ]]
    ;;
pictures)
    for readme in "${@:2}"; do
        chapter=$(dirname "$readme")
        sed -n 's/^<!-- \(.*\.svg\): \(.*\) -->$/\1 \2/p' "$readme" |
            while read -r picture program arguments; do
                # shellcheck disable=SC2086 # the arguments are words
                lens "$KIT_BUILD/$chapter/$program" $arguments >/dev/null
                "$tools/timeline" --svg "$chapter/$picture" "$trace" >/dev/null || exit
                rm "$trace"
                echo "  drawn $chapter/$picture"
            done
    done
    ;;
*)
    sed -n '4,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
