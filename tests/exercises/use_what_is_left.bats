# Exercise use_what_is_left: poll() until a deadline.

# shellcheck disable=SC2154 # run and subject() set output, status and trace

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# fault RULE: whichever call it waits with fails as the rule says.
fault() {
    local call
    KIT_FAULT=
    for call in poll ppoll select pselect epoll_wait epoll_pwait; do
        KIT_FAULT+="${KIT_FAULT:+;}$call:$1"
    done
    export KIT_FAULT
}

# waits LIMIT_MS: its waits, a line each: what it was given, and what was left
# of the limit, both in us, or "none" for no limit; and the limit in the trace's
# words. What was left is at most what we say: we begin to count when the first
# wait begins, and stop when the one before this has ended.
waits() {
    awk -v limit="$1" '
        BEGIN { us["s"] = 1e6; us["ms"] = 1e3; us["us"] = 1; us["ns"] = 1e-3 }
        $6 !~ /^(p?poll|p?select|epoll_p?wait)$/ { next }
        $5 == "begin" {
            if (!first) first = ended = $1
            given = $0
            sub(/.* limit=/, "", given)
            match(given, /[a-z]/)
            printf "%s %.0f %s\n", given == "none" ? given : \
                sprintf("%.0f", given * us[substr(given, RSTART)]), \
                limit * 1000 - (ended - first) / 1000, given
        }
        $5 == "end" { ended = $1 }' "$trace"
}

# ended: the last thing that the program said.
ended() {
    echo "exit code $status, after: ${output##*$'\n'}"
}

@test "what can be read is seen at once" {
    subject 4s ready
    [[ $output == *"waiter: readable "* ]] || mistake_in_waiting \
        "There was something to read. Wanted: 1. Instead: $(ended)"
}

# requirement 1
@test "signals do not make it wait longer, or less" {
    local given left words
    fault EINTR+10ms@1-6
    subject 100ms
    while read -r given left words; do
        [[ $given != none ]] || continue # that is requirement 3
        ((given <= (left > 0 ? left : 0) + 1000)) || mistake_in_waiting \
            "A signal had interrupted it, and of 100 ms at most $left us were left:" \
            "it began to wait again, for up to $words. The deadline is a point" \
            "in time. Wanted: what is left until it, rounded up to 1 ms."
    done < <(waits 100)
    [[ $output != *"Interrupted system call"* ]] || mistake_in_waiting \
        "Six signals interrupted it in 60 ms of 100, and it failed with EINTR" \
        "after $(calls poll | wc -l) waits. It is bound by time, not by a count." \
        "Wanted: to wait for what is left."
    waited=$(field waited_us "${output##*$'\n'}") || waited=0
    [[ $output == *"waiter: timed_out "* && $waited -ge 99000 ]] ||
        mistake_in_waiting \
            "Six signals interrupted it in 60 ms of 100. Wanted: to wait for what" \
            "is left, and then 0. Instead: $(ended)"
}

# requirement 2
@test "it is not early by a microsecond, and does not spin until then" {
    local line waited
    subject 900us often
    while read -r line; do
        waited=$(field waited_us "$line")
        ((waited >= 900)) || mistake \
            "The limit was 900 us, and it came back with 0 after $waited us." \
            "poll() takes whole milliseconds, and 0.9 ms rounded down is 0." \
            "Wanted: never before the deadline."
    done < <(grep 'waiter: timed_out' <<<"$output")
    (($(wc -l <"$trace") <= 1000)) || mistake \
        "Twenty waits of 900 us made $(grep -c ' end ' "$trace") calls, most of them" \
        "$(awk '$5 == "end" { made[$6]++ }
            END { for (c in made) if (made[c] > made[most]) most = c; print most }' \
            "$trace")(): in the last millisecond it goes round and round." \
        "Wanted: to sleep until the deadline has passed."
}

# requirement 3
@test "when the deadline has passed it asks once more, and does not wait" {
    local given left words
    fault EINTR+30ms@1
    subject 10ms ready
    [[ $output == *"waiter: readable "* ]] || mistake_in_waiting \
        "A signal interrupted it, the deadline passed, and by then something" \
        "had come: ready to be read. Wanted: to ask once more, and then 1." \
        "Instead: $(ended)"

    subject 10ms
    while read -r given left words; do
        [[ $given != none ]] || mistake_in_waiting \
            "20 ms after the deadline it began a wait without a limit: that is" \
            "what a negative timeout means to poll(). Wanted: 0."
        ((left > 0 || given == 0)) || mistake_in_waiting \
            "20 ms after the deadline it began to wait for up to $words." \
            "Wanted: 0, which asks and does not wait."
    done < <(waits 10)
    [[ $output == *"waiter: timed_out "* ]] || mistake_in_waiting \
        "A signal interrupted it, the deadline passed, and nothing has come." \
        "Wanted: 0. Instead: $(ended)"
}

# requirement 4
@test "a failure is told at once, and is no timeout" {
    fault ENOMEM@1
    subject 60ms
    [[ $status -eq 1 && $output == *": Cannot allocate memory" ]] || mistake \
        "poll() failed with ENOMEM, which is no interruption. Wanted: -1 and" \
        "this errno for the caller, who says 'poll: Cannot allocate memory'." \
        "Instead: $(ended)"
    [[ $(waits 60 | wc -l) -eq 1 ]] || mistake_in_waiting \
        "poll() failed with ENOMEM, and it waited again before it said so." \
        "Wanted: -1 at once."
    fault EAGAIN@1
    subject 60ms
    [[ $status -eq 1 ]] || mistake_in_waiting \
        "poll() failed with EAGAIN, which for poll() is neither an interruption" \
        "nor a timeout. Wanted: -1 and this errno. Instead: $(ended)"
}
