# Exercise still_waiting: report each slice of a wait, and its end once.

# shellcheck disable=SC2154 # run and subject() set output, status and trace

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# waits LIMIT_MS: the waiter's waits, a line each: what it was given in us, what
# was left at most of a limit that began with the first one, and what it was
# given in the trace's words.
waits() {
    awk -v limit="$1" '
        BEGIN { us["s"] = 1e6; us["ms"] = 1e3; us["us"] = 1; us["ns"] = 1e-3 }
        $2 != "0:0" || $6 !~ /^sem(timed)?op$/ || / limit=nowait / { next }
        $5 == "begin" {
            if (!first) first = ended = $1
            given = $0
            sub(/.* limit=/, "", given)
            match(given, /[a-z]/)
            printf "%.0f %.0f %s\n", given ~ /^[0-9]/ ? \
                given * us[substr(given, RSTART)] : 1e15, \
                limit * 1000 - (ended - first) / 1000, given
        }
        $5 == "end" { ended = $1 }' "$trace"
}

# reports EVENT: its lines.
reports() {
    grep "^waiter: $1 " <<<"$output" || true
}

# ended: the last thing that the program said.
ended() {
    echo "exit code $status, after: ${output##*$'\n'}"
}

# requirement 1
@test "each slice that was in vain is reported, with the time since the beginning" {
    local line waited n=0 clock vain told
    # Three slices end late, as on a busy machine.
    KIT_FAULT=semtimedop:EAGAIN+30ms@1-3 subject 20ms 4s 1ms
    while read -r given _ words; do
        ((given <= 21000)) || mistake_in_waiting \
            "A slice is 20 ms, and it began to wait for up to $words." \
            "Wanted: a line 'still_waiting' for each slice that was in vain."
    done < <(waits 4000)
    vain=$(calls semtimedop | grep -c ' EAGAIN') || true
    told=$(reports still_waiting | wc -l)
    ((told >= 3 && told == vain)) || mistake_in_waiting \
        "$vain waits of a slice were in vain, and then it was free. It reported" \
        "'still_waiting' $told times." \
        "Wanted: a line 'still_waiting' for each slice that was in vain."
    while read -r line; do
        n=$((n + 1)) clock=$((n < 3 ? 30 * n : 90)) waited=$(field waited_ms "$line")
        ((n == 1 || waited >= 40)) || mistake_in_waiting \
            "Report number $n of one wait tells $waited ms: $line" \
            "Wanted: the time since the wait began, and not of the slice."
        ((waited >= clock)) || mistake_in_waiting \
            "Slices of 20 ms took at least 30 ms each. At report number $n" \
            "the clock said $clock ms or more, and it tells $waited ms." \
            "Wanted: the time since the wait began."
    done < <(reports still_waiting)
}

# requirement 2
@test "the end is reported once, whatever it is" {
    local what wanted fault arguments times last
    while IFS='|' read -r what wanted fault arguments; do
        # shellcheck disable=SC2086 # words
        KIT_FAULT=$fault subject $arguments
        times=$(grep -cE '^waiter: (acquired|gave_up|failed) ' <<<"$output") || true
        [[ $times -eq 1 ]] || mistake_in_waiting \
            "$what: its end was told $times times." \
            "Wanted: one line, or who reads the log does not know whether it waits" \
            "to this day. Instead: $(ended)"
        last=$(reports "$wanted")
        [[ -n $last ]] || mistake_in_waiting "$what. Wanted: $wanted." \
            "Instead: $(grep -E '^waiter: (acquired|gave_up|failed) ' <<<"$output")"
        [[ $arguments != *" 1ms" ]] || (($(field waited_ms "$last") >= 60)) ||
            mistake_in_waiting "$what, after 60 ms: $last" \
                "Wanted: the time since the wait began."
        [[ $wanted == acquired && $status -eq 0 || $status -ne 0 ]] ||
            mistake "$what, and the function returned 0. Wanted: -1."
    done <<'END'
It was free|acquired||4s 4s 0s
It was acquired after two slices|acquired|semtimedop:EAGAIN+30ms@1-2|20ms 4s 1ms
It was never free within the limit|gave_up||20ms 30ms
It was never free, and the limit was less than a slice|gave_up||4s 20ms
The set was removed during the second slice|failed|semtimedop:EIDRM@2|10ms 4s
END
    KIT_FAULT=semtimedop:EIDRM@2 subject 10ms 4s
    [[ $output == *": Identifier removed" ]] || mistake_in_waiting \
        "The set was removed during the second slice. Wanted: -1, and its errno for" \
        "the caller. Instead: $(ended)"
}

# no_wait_past LIMIT_MS: no wait began that would last for longer than that.
no_wait_past() {
    local given left words
    while read -r given left words; do
        ((given <= (left > 0 ? left : 0) + 1000)) || mistake_in_waiting \
            "Of $1 ms at most $left us were left, and it began to wait for $words:" \
            "past the limit." "Wanted: a slice, or what is left if that is less."
    done < <(waits "$1")
}

# requirement 3
@test "the limit is kept, and the last slice is what is left of it" {
    local waited
    subject 20ms 50ms
    no_wait_past 50
    [[ $status -eq 3 ]] || mistake_in_waiting \
        "It never came free. Wanted: -1 and EAGAIN when the limit of 50 ms is" \
        "reached. Instead: $(ended)"
    waited=$(field waited_ms "$(reports gave_up)") || waited=50 # requirement 2
    ((waited >= 50)) || mistake_in_waiting \
        "It never came free, and it gave up after $waited ms of 50: before the limit." \
        "Wanted: to wait for what is left."
    # A report is due a little before the limit is. This holds on a busy machine.
    KIT_FAULT=semtimedop:EAGAIN+150ms@1 subject 3900ms 4s 1ms
    no_wait_past 4000
    [[ $status -eq 0 ]] || mistake_in_waiting \
        "One slice was in vain, 150 ms of the limit of 4 s were over, and it gave" \
        "up: before the limit. Wanted: to wait for what is left, and 0."
    subject 20ms 0s 0s
    [[ $status -eq 0 ]] || mistake_in_waiting \
        "The limit was 0, and it was free. Wanted: to ask all the same, and 0." \
        "Instead: $(ended)"
}

# requirement 4
@test "a signal does not end a slice, and does not begin one" {
    local given left words
    KIT_FAULT=semtimedop:EINTR+10ms@1-3 subject 4s 60s 1ms
    [[ $(calls semtimedop | wc -l) -ge 4 ]] || mistake_in_waiting \
        "A signal interrupted the wait. Wanted: to wait for what is left of the" \
        "slice. Instead: $(ended)"
    [[ -z $(reports still_waiting) ]] || mistake_in_waiting \
        "Three signals came in the first slice of 4 s, and it reported:" \
        "$(reports still_waiting | sed -n 1p)" \
        "Wanted: a report when the slice is over, and not before."
    while read -r given left words; do
        ((given <= left + 1000)) || mistake_in_waiting \
            "A signal had interrupted the first slice of 4 s. Of the slice at most" \
            "$left us were left, and it began to wait for $words." \
            "Wanted: what is left of the slice."
    done < <(waits 4000)
}
