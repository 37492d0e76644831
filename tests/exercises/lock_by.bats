# Exercise lock_by: a lock file, until a deadline.

# shellcheck disable=SC2154 # run and subject() set output, status and trace

setup() {
    load ../exercise
    exercise_setup
    : >lock
    chmod 666 lock # also for the user that the program becomes in the cage
}

teardown() {
    exercise_teardown
}

# did LIMIT_MS: what it did, a line each, in us: "asked", "asked blocking", or
# "napped GIVEN LEFT WORDS": for how long, how much of the limit was left at
# most when it had last asked, and how the trace writes how long.
did() {
    awk -v limit="$1" '
        BEGIN { us["s"] = 1e6; us["ms"] = 1e3; us["us"] = 1; us["ns"] = 1e-3 }
        $6 == "flock" && ($5 == "begin" || / limit=nowait /) {
            if (!first) first = $1
            asked = $1
            print "asked", $5 == "begin" ? "blocking" : ""
        }
        $5 == "begin" && $6 ~ /^(u?sleep|(clock_)?nanosleep|p?poll|p?select)$/ {
            given = $0
            sub(/.* limit=/, "", given)
            match(given, /[a-z]/)
            left = first ? limit * 1000 - (asked - first) / 1000 : 0
            printf "napped %.0f %.0f %s\n", \
                given * us[substr(given, RSTART)], left, given
        }' "$trace"
}

# asked: how often it has asked.
asked() {
    did 0 | grep -c asked
}

# ended: the last thing that the program said.
ended() {
    echo "exit code $status, after: ${output##*$'\n'}"
}

@test "a free lock is acquired, by a question that does not wait" {
    subject lock 4s
    ! did 4000 | grep -q blocking || mistake_in_waiting \
        "flock() was called without LOCK_NB: that waits for ever, and whatever" \
        "ends it may come before it. Wanted: LOCK_NB, and naps."
    [[ $output == *"waiter: acquired "* ]] || mistake_in_waiting \
        "The lock was free. Wanted: true. Instead: $(ended)"
}

# requirement 1
@test "it asks at once, and again after each nap" {
    local what given longest=0
    subject lock 0s
    [[ $output == *"waiter: acquired "* ]] || mistake_in_waiting \
        "The lock was free, and the deadline had passed before the first question." \
        "Wanted: to ask all the same: true. Instead: $(ended)"

    KIT_FAULT=flock:EAGAIN@1-3 subject lock 1s
    [[ $output == *"waiter: acquired "* ]] || mistake_in_waiting \
        "The lock was let go before the third nap was over, long before the" \
        "deadline. Wanted: true at the fourth question. It asked $(asked) times;" \
        "$(ended)"
    read -r what _ < <(did 1000)
    [[ $what == asked ]] || mistake_in_waiting \
        "It napped before the first question. Wanted: to ask at once."
    while read -r what given _; do
        [[ $what != napped ]] || ((longest = given > longest ? given : longest))
    done < <(did 1000)
    ((10000 < longest && longest <= 21000)) || mistake_in_waiting \
        "Between the questions it napped for $longest us at most." \
        "Wanted: a nap of 20 ms, as NAP says."
}

# requirement 2
@test "a lock that stays taken is given up at the deadline" {
    local what given left words
    # Less than a nap: naps that last too long, on a busy machine, hide nothing.
    KIT_FAULT=flock:EAGAIN subject lock 15ms
    [[ $output == *"waiter: timed_out "* ]] || mistake_in_waiting \
        "The lock stayed taken for longer than 15 ms. Wanted: false." \
        "Instead: $(ended)"
    waited=$(field waited_ms "${output##*$'\n'}")
    ((waited >= 15)) || mistake_in_waiting \
        "It gave up after $waited ms of 15: before the deadline."
    while read -r what given left words; do
        [[ $what == asked ]] || ((given <= (left > 0 ? left : 0) + 1000)) ||
            mistake_in_waiting \
                "Of 15 ms at most $left us were left, and it began to nap for $words:" \
                "past the deadline. Wanted: NAP, or what is left if that is less."
    done < <(did 15)
}

# requirement 3
@test "after the last nap it asks once more" {
    local last
    KIT_FAULT=flock:EAGAIN subject lock 10ms
    last=$(did 10 | tail -n 1)
    [[ $last == asked* ]] || mistake_in_waiting \
        "After the last nap it did not ask: a lock that was let go meanwhile" \
        "is not seen, and the nap was for nothing. Wanted: a last question."
}

# requirement 4
@test "any other failure ends the program" {
    KIT_FAULT=flock:ENOLCK@1 subject lock 60ms
    [[ $status -eq 1 && $output == *"lock_by: flock: No locks available" ]] ||
        mistake_in_waiting \
            "flock() failed with ENOLCK, which does not mean that it is taken." \
            "Wanted: exit code 1, and 'lock_by: flock: No locks available'." \
            "Instead: $(ended)"
    [[ $(asked) -eq 1 ]] || mistake_in_waiting \
        "flock() failed with ENOLCK, and it asked again. Wanted: to say so at once."
    # The last question may fail so, too.
    KIT_FAULT=flock:ENOLCK subject lock 0s
    [[ $status -eq 1 ]] || mistake_in_waiting \
        "The deadline had passed, and the last question failed with ENOLCK. That" \
        "was taken for \"taken\". Wanted: exit code 1. Instead: $(ended)"
}
