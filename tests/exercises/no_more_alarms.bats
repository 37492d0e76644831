# Exercise no_more_alarms: semtimedop() instead of an alarm and semop().

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# waits: the limits of the waits that came back, one a line.
waits() {
    awk '$5 == "end" && $6 ~ /^sem(timed)?op$/ && !/ limit=nowait / {
             sub(/.* limit=/, ""); sub(/ = .*/, ""); print }' "${trace:?}"
}

# how_it_ended: what the program says about the wait.
how_it_ended() {
    grep -vE '^app: |: waiting ' <<<"$output" | tail -n 1
}

# in_ns LIMIT: 1.5ms is 1500000.
in_ns() {
    awk -v limit="$1" 'BEGIN {
        unit["s"] = 1e9; unit["ms"] = 1e6; unit["us"] = 1e3; unit["ns"] = 1
        match(limit, /[a-z]/)
        printf "%.0f\n", limit * unit[substr(limit, RSTART)] }'
}

@test "a free semaphore is acquired at once" {
    subject 10s free
    [[ $output == *"waiter: acquired "* ]] ||
        mistake "the semaphore was free, and yet: $(how_it_ended)"
}

# requirement 1
@test "the wait lasts as long as its limit, without an alarm" {
    subject 40ms
    ! waits | grep -q none || mistake_in_waiting \
        "semop() waits without a limit of its own: an alarm ends the wait" \
        "and one that comes before it is lost"
    [[ $output == *"waiter: timed_out "* ]] || mistake_in_waiting \
        "nobody posts: after 40 ms it must time out, with EAGAIN; instead:" \
        "$(how_it_ended)"
    waited=$(field waited_ms "$(grep timed_out <<<"$output")")
    ((waited >= 40)) || mistake_in_waiting \
        "gave up after $waited ms of 40: semtimedop() was given $(waits | tail -n 1)" \
        "a timeval counts microseconds, a timespec nanoseconds"

    KIT_FAULT='semtimedop:EAGAIN' subject 3600250ms
    given=$(waits | tail -n 1)
    [[ $given != "{"* ]] || mistake \
        "a limit of 3600.25 s became $given: nanoseconds go from 0 to 999999999"
    ((given_ns = $(in_ns "${given:-0s}")))
    ((1800000000000 < given_ns && given_ns <= 3600250000000)) || mistake \
        "a limit of 3600.25 s became a timeout of ${given:-nothing}"
}

# requirement 2
@test "the application's timer still runs" {
    subject 1ms
    left=$(field left_ms "$(grep '^app: timer ' <<<"$output")")
    ((${left:-0} > 0)) || mistake \
        "the application's timer is off: its alarm will never come" \
        "a process has one such timer, and the library took it"
    set=$(grep -cE ' end (setitimer|alarm) ' "${trace:?}" || true)
    ((set <= 1)) || mistake \
        "the application has set the timer, and the library has set it anew" \
        "a process has one such timer"
}

# requirement 3
@test "the application's handler still gets its alarm" {
    subject 1ms
    [[ $status -ne 142 ]] || mistake \
        "SIGALRM ended the program: the application's handler is gone"
    [[ $output == *"app: alarm came=yes" ]] || mistake \
        "the alarm came, and the application's handler was not called" \
        "a signal has one handler, and the library put another in its place"
    # The application sets it, and to ask for it is no harm.
    set=$(grep -cE ' end (sigaction|signal) sig=SIGALRM ' "${trace:?}" || true)
    ((set <= 2)) || mistake \
        "the library changed the handler of SIGALRM, and changed it back" \
        "an alarm that comes meanwhile does not reach the application"
}

# requirement 4
@test "a wait that a signal interrupted does not begin anew" {
    KIT_FAULT='semtimedop:EINTR+30ms@1' subject 90ms
    mapfile -t limits < <(waits)
    for limit in "${limits[@]:1}"; do
        (($(in_ns "$limit") <= 75000000)) || mistake_in_waiting \
            "a signal interrupted the wait after 30 ms of 90, and it began anew" \
            "with a timeout of $limit: a duration is counted from each call"
    done
    [[ ${#limits[@]} -gt 1 || $output == *"waiter: interrupted "* ]] ||
        mistake_in_waiting \
            "a signal interrupted the wait after 30 ms of 90, which is EINTR" \
            "and it was taken for a timeout: the time is not over"
}
