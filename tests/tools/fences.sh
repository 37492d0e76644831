#!/usr/bin/env bash
# fences.sh - the console fences of a README, as tests and from real runs.
#
#     fences.sh bats README.md...  print a bats file: one test for each fence
#     fences.sh check FOLDER       does the fence on stdin hold? Show where not.
#     fences.sh update README.md   put what the commands print now into it
#
# In a fence tagged "console" a line that begins with "$ " is a command, and
# the lines below it are all that it prints, stderr included: "<n>" stands for
# a number, "..." alone on a line for any lines. The commands run in a copy of
# FOLDER, a chapter, with its programs on the PATH; those of the README at the
# top run at the top, where "make" means the kit.
set -euo pipefail

kit=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${KIT_BUILD:-$kit/build}

# folder_of README: the chapter whose programs it calls by name.
folder_of() {
    local folder=${1%README.md}
    folder=${folder%HINTS.md}
    folder=${folder/#exercises/chapters} # hints play with the chapter
    echo "${folder:-.}"
}

# fences README: print the first and the last line number of each fence.
fences() {
    awk '/^```/ { if (console) print first, NR - 1
                  console = !open && /^```console *$/
                  open = !open; first = NR + 1 }' "$1"
}

# matches WANTED GOT: does the output have the lines that the fence shows?
matches() {
    awk '
        function same(w, g,   i) {
            for (; w <= wanted; w++) {
                if (want[w] == "...") {
                    for (i = g; i <= got + 1; i++)
                        if (same(w + 1, i))
                            return 1
                    return 0
                }
                if (g > got || line[g] !~ want[w])
                    return 0
                g++
            }
            return g == got + 1
        }
        FILENAME == ARGV[1] {
            if ($0 != "...") {
                gsub(/[][\\.*+?(){}|^$]/, "\\\\&")
                gsub(/<n>/, "[0-9]+([.][0-9]+)?")
                $0 = "^" $0 "$"
            }
            want[++wanted] = $0
            next
        }
        { line[++got] = $0 }
        END { exit !same(1, 1) }
    ' "$1" "$2"
}

# run_fence FOLDER: run the commands of the fence on stdin, and call
# each COMMAND with what stands below it in wanted, and its output in got.
run_fence() {
    local folder=$1 line command=
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$kit"
    if [[ $folder != . ]]; then
        mkdir -p "$work/chapters"
        cp -R common "$work"
        cp -R "$folder" "$work/chapters"
        cp "$build/$folder"/* "$work/$folder" # for "$ ./PROGRAM"
        cd "$work/$folder"
    fi

    : >"$work/wanted"
    while IFS= read -r line || [[ -n $line ]]; do
        if [[ $line == '$ '* ]]; then
            [[ -z $command ]] || run_command "$folder" "$command"
            command=${line#'$ '}
            : >"$work/wanted"
        else
            printf '%s\n' "$line" >>"$work/wanted"
        fi
    done
    [[ -n $command ]] || { echo "a console fence without a command" && exit 1; }
    run_command "$folder" "$command"
}

# One command may play all programs, as make tour does: thrice the usual limit.
run_command() {
    local status=0
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "PATH=$build/$1:$PATH" \
        "$build/tools/bound" -t 60s bash -c "$2" \
        >"$work/got" 2>&1 </dev/null || status=$?
    "each_$action" "$2" "$status"
}

each_check() {
    [[ $2 -ne 77 ]] || { cat "$work/got" && exit 77; }
    if ! matches "$work/wanted" "$work/got" || [[ $2 -ge 124 ]]; then
        printf '$ %s\nThe README shows (-), the program prints (+):\n' "$1"
        diff -U 99 "$work/wanted" "$work/got" | tail -n +4
        echo "exit code $2"
        exit 1
    fi
}

each_update() {
    printf '$ %s\n' "$1"
    if matches "$work/wanted" "$work/got"; then
        cat "$work/wanted"
    else
        cat "$work/got"
    fi
}

action=$1
case $action in
bats)
    echo "# Made by tests/tools/fences.sh."
    for readme in "${@:2}"; do
        folder=$(folder_of "$readme")
        fences "$readme" | while read -r first last; do
            cat <<BATS

@test "$readme:$((first - 1))" {
    run "\$KIT_TOP/tests/tools/fences.sh" check "$folder" <<"END-OF-FENCE"
$(sed -n "${first},${last}p" "$readme")
END-OF-FENCE
    [ "\$status" -ne 77 ] || skip "\$output"
    echo "\$output"
    [ "\$status" -eq 0 ]
}
BATS
        done
    done
    ;;
check)
    run_fence "$2"
    ;;
update)
    # From the last fence to the first, so that line numbers stay true.
    fences "$2" | tac | while read -r first last; do
        fresh=$(sed -n "${first},${last}p" "$2" | run_fence "$(folder_of "$2")")
        printf '%s\n' "$fresh" >"$build/fence"
        sed -i -e "$((first - 1))r $build/fence" -e "${first},${last}d" "$2"
    done
    ;;
*)
    sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
