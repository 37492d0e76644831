# Exercise share_one_deadline: three steps within one limit.

# shellcheck disable=SC2154 # run and subject() set output, status and trace

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# waits LIMIT_MS: the copier's waits, a line each: for what, what it was given
# in us, what was left of the limit at most and at least, and what it was given
# in the trace's words. The limit began after the program's first look at the
# clock, and before its first wait. A wait was given its time after the one
# before it had ended, and before it began.
waits() {
    awk -v limit="$1" '
        BEGIN { us["s"] = 1e6; us["ms"] = 1e3; us["us"] = 1; us["ns"] = 1e-3 }
        function left(from, to,   it) {
            it = limit * 1000 - (to - from) / 1000
            return it > 0 ? it : 0
        }
        $2 != "0:0" { next }
        $6 == "clock_gettime" && !looked { looked = $1 }
        $6 !~ /^(semtimedop|semop|p?poll|p?select)$/ || / limit=nowait / { next }
        $5 == "begin" {
            if (!first) first = ended = $1
            given = $0
            sub(/.* limit=/, "", given)
            match(given, /[a-z]/)
            what = / ops=0/ ? "scanner" : / ops=/ ? "printer" : "done"
            printf "%s %.0f %.0f %.0f %s\n", what, given ~ /^[0-9]/ ? \
                given * us[substr(given, RSTART)] : -1, \
                left(first, ended), left(looked, $1), given
        }
        $5 == "end" { ended = $1 }' "$trace"
}

# free: how many of each device are free at the end: "1 0".
free() {
    sed -n 's/^copier: left scanner=\([0-9]*\) printer=\([0-9]*\)$/\1 \2/p' \
        <<<"$output"
}

# ended: how the copy ended.
ended() {
    local line
    line=$(grep -E '^copier: (copied|timed_out|failed) ' <<<"$output" | tail -n 1)
    echo "${line:-exit code $status: ${output##*$'\n'}}"
}

@test "when all is there the copy is made, and the devices are kept" {
    subject 4s none
    [[ $output == *"copier: copied "* ]] || mistake_in_waiting \
        "The scanner, the printer and 'done' were there. Wanted: 0." \
        "Instead: $(ended)"
    [[ $(free) == "0 0" ]] || mistake \
        "The copy was made, and both devices are the caller's. Wanted: none of" \
        "them is free. Instead, of scanner and printer are free: $(free)"
}

# requirement 1
@test "each step is given all that is left of the limit, and no more" {
    local what given most least words
    subject 4s
    # A busy machine may say "done" later than DONE_LIMIT.
    [[ $(ended) == *" step=3" ]] || mistake_in_waiting \
        "One came after the other, 30 ms apart. Wanted: 0. Instead: $(ended)"
    while read -r what given most least words; do
        ((0 <= given && given <= most + 1000)) || mistake_in_waiting \
            "Of 4 s at most $most us were left, and the step '$what' was given" \
            "$words: a limit for each step, and not one for all." \
            "Wanted: what is left."
        [[ $what == "done" ]] || ((given >= least - 1000)) || mistake_in_waiting \
            "Of 4 s at least $least us were left, and the step '$what' was given" \
            "$words. It fails though there is time. Wanted: all that is left."
    done < <(waits 4000)
}

# requirement 2
@test "the third step is given its own limit, or what is left if that is less" {
    local what given most least words limit
    for limit in 400 30; do
        subject "${limit}ms" "done"
        while read -r what given most least words; do
            [[ $what == "done" ]] || continue
            ((0 <= given && given <= (most < 50000 ? most : 50000) + 1000)) ||
                mistake_in_waiting \
                    "The third step was given $words. At most $most us of" \
                    "$limit ms were left, and DONE_LIMIT is 50 ms. Wanted: the less of the two."
            ((given >= (least < 50000 ? least : 50000) - 1000)) ||
                mistake_in_waiting \
                    "The third step was given only $words. At least $least us of" \
                    "$limit ms were left, and DONE_LIMIT is 50 ms. Wanted: the less of the two."
        done < <(waits "$limit")
        [[ $output == *"copier: timed_out "* ]] || mistake_in_waiting \
            "'done' never came. Wanted: -1 and EAGAIN. Instead: $(ended)"
    done
    looks=$(awk '$2 != "0:0" { next }
        $5 == "end" && $6 == "semtimedop" { looks = 0 }
        $6 ~ /^(clock_gettime|gettimeofday|time)$/ { looks++ }
        $5 == "begin" && $6 ~ /^(p?poll|p?select)$/ { print looks + 0 }' "$trace")
    [[ $looks -gt 0 ]] || mistake_in_waiting \
        "Between the second step and the third it did not look at the clock: how" \
        "long the second took, it does not know. Wanted: what is left when the" \
        "third begins."
}

# requirement 3
@test "a step for which no time is left asks, and does not wait" {
    subject 0s none
    [[ $output != *"Invalid argument"* ]] || mistake \
        "The limit was 0, and step $(field step "$(ended)") was given less than" \
        "that: EINVAL. What is left falls below 0 when the deadline has passed." \
        "Wanted: 0."
    [[ $output == *"copier: copied "* ]] || mistake_in_waiting \
        "The limit was 0, and all was there: no step had to wait. Wanted: to ask" \
        "each all the same, and a copy. Instead: $(ended)"
}

# requirement 4
@test "after a failure nothing is kept, and nothing is given twice" {
    local missing wanted
    while read -r missing wanted; do
        subject 20ms "$missing"
        [[ $output == *"copier: timed_out "* ]] || mistake_in_waiting \
            "The '$missing' never came. Wanted: -1 and EAGAIN. Instead: $(ended)"
        [[ $(free) == "$wanted" ]] || mistake \
            "The '$missing' never came. Scanner and printer that are free now:" \
            "$(free). Wanted: $wanted. What was taken is given back, and only that."
    done <<'END'
done 1 1
printer 1 0
scanner 0 0
END
    KIT_FAULT='poll:ENOMEM;ppoll:ENOMEM;select:ENOMEM' subject 20ms none
    [[ $(free) == "1 1" ]] || mistake \
        "The third step failed with ENOMEM. Scanner and printer that are free" \
        "now: $(free). Wanted: 1 1. What was taken is given back, whatever failed."
    [[ $output == *": Cannot allocate memory" ]] || mistake \
        "The third step failed with ENOMEM. Wanted: -1, and this errno for the" \
        "caller. Instead: $(ended)"
}
