#!/usr/bin/env bash
# suite.sh NAME FILE... - run bats files, keep what bats prints in
# build/tap/NAME.tap, and print one verdict. The exit code is always 0, so that
# the other suites run too: tally.sh adds up.
set -uo pipefail
name=$1 && shift

export KIT_TOP=$PWD KIT_BUILD=${KIT_BUILD:-$PWD/build}
[[ ${KIT_UNDER-} != memcheck ]] || KIT_UNDER="$KIT_TOP/tests/tools/memcheck.sh"
export KIT_UNDER
unset MAKEFLAGS MFLAGS MAKELEVEL # for tests that call make

tap=build/tap/$name.tap
mkdir -p "${tap%/*}" "build/junit/$name"
start=$(date +%s%N)
# A test may hang, too: then it ends with all that it has started.
"$KIT_BUILD/tools/bound" -t "${KIT_SUITE_LIMIT:-900s}" -o 8388608 \
    bats --tap --report-formatter junit --output "build/junit/$name" "$@" \
    >"$tap" 2>&1 </dev/null
grep -q '^1\.\.' "$tap" || echo '1..0' >>"$tap" # nothing ran: a failure
ms=$((($(date +%s%N) - start) / 1000000))

awk -v name="$name" -v took="$((ms / 1000)).$((ms % 1000 / 100)) s" '
    /^1\.\.[0-9]+/ { planned = substr($1, 4) + 0 }
    /^ok / { passed++; if (/ # skip/) skipped++ }
    /^(ok|not ok) / { results++ }
    /^not ok / { showing = 1 }
    /^ok / { showing = 0 }
    showing || !/^(ok|1\.\.)/ { report = report "        " $0 "\n" }
    END {
        bad = results - passed
        if (results < planned || planned == 0) {
            bad += planned - results + (planned == 0)
            report = report "        of " planned " tests " results + 0 " ran\n"
        }
        printf "  %s  %-34s %3d of %-3d %8s%s\n", bad ? "FAIL" : "PASS", name,
            passed, planned, took, skipped ? "  " skipped " skipped" : ""
        if (bad)
            printf "%s", report
    }' "$tap"
