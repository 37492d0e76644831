#!/usr/bin/env bash
# tally.sh SUITE... - add up build/tap/SUITE.tap: a table by kind of suite, one
# sentence, and last the line "N passed, N failed, N skipped". With JUNIT=FILE
# also write a report in JUnit's form.
set -euo pipefail

taps=() reports=()
for suite; do
    taps+=("build/tap/$suite.tap")
    reports+=("build/junit/$suite/report.xml")
done

if [[ -n ${JUNIT-} ]]; then
    {
        echo '<?xml version="1.0" encoding="UTF-8"?>'
        echo '<testsuites>'
        sed -e '/^<?xml/d' -e '/^<\/\{0,1\}testsuites/d' "${reports[@]}"
        echo '</testsuites>'
    } >"$JUNIT"
fi

awk '
    function close_file() {
        # What was planned and did not run has failed, and so has no plan.
        if (seen < planned || planned == 0)
            failed[kind] += planned - seen + (planned == 0)
    }
    FNR == 1 {
        if (NR > 1)
            close_file()
        planned = seen = 0
        kind = FILENAME
        sub(/^build\/tap\//, "", kind)
        sub(/\/.*/, "", kind)
        if (!(kind in known)) {
            known[kind] = 1
            order[++kinds] = kind
        }
    }
    /^1\.\.[0-9]+/ { planned = substr($1, 4) + 0 }
    /^ok .* # skip/ { skipped[kind]++; seen++; next }
    /^ok / { passed[kind]++; seen++ }
    /^not ok / { failed[kind]++; seen++ }
    END {
        close_file()
        printf "\n  %-16s%8s%8s%8s\n", "", "passed", "failed", "skipped"
        for (i = 1; i <= kinds; i++) {
            k = order[i]
            printf "  %-16s%8d%8d%8d\n", k, passed[k], failed[k], skipped[k]
            p += passed[k]; f += failed[k]; s += skipped[k]
        }
        if (f)
            print "\nSomething fails: the lines under FAIL above say what."
        else if (!p)
            print "\nNothing ran."
        else
            print "\nAll that ran holds on this machine."
        printf "%d passed, %d failed, %d skipped\n", p, f, s
        exit f > 0 || p == 0
    }' "${taps[@]}"
