# Exercise stop_restarting: a limit for the restarts in a window of time.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# at MS: what the supervisor did then, restarted or stopped.
at() {
    sed -n "s/^supervisor: \([a-z]*\) at_ms=$1\$/\1/p" <<<"$output" | tail -n 1
}

# requirement 1
@test "as many restarts as the limit says are allowed, and not one more" {
    subject 3 10s 1s 2s 3s 4s
    times=$(grep -c '^supervisor: restarted' <<<"$output" || true)
    [[ $times -eq 3 ]] || mistake \
        "3 restarts are allowed, and it has restarted $times times" \
        "in less than the window"
    [[ $(at 4000) == stopped && $status -eq 3 ]] ||
        mistake "at the fourth end: $(at 4000), exit code $status"
    subject 0 10s 1s
    ((status < 128)) || mistake \
        "with a limit of 0 the program was ended by signal $((status - 128))"
    [[ $(at 1000) == stopped ]] ||
        mistake "no restart is allowed, and it has $(at 1000)"
}

# requirement 2
@test "the restarts in the last window count, and no others" {
    subject 2 10s 1s 2s 11s 12s 21s 22s
    for ms in 11000 12000 21000 22000; do
        [[ $(at $ms) == restarted ]] || mistake \
            "2 are allowed in 10 s, and it ended at 1, 2, 11, 12, 21, and 22 s" \
            "at $ms ms: $(at $ms)" \
            "a restart that is as old as the window still counted"
    done
    subject 3 10s 1s 8s 9s 12s 13s 14s
    [[ $(at 12000) == restarted ]] || mistake \
        "3 are allowed in 10 s; at 12 s those of 8 and 9 s count, and it has \
$(at 12000)"
    [[ $(at 14000) == stopped ]] || mistake \
        "3 are allowed in 10 s, and it ended at 1, 8, 9, 12, 13, and 14 s:" \
        "a window that begins anew has forgotten those of 8 and 9 s"
    # More of them than there is memory for.
    # shellcheck disable=SC2046 # words
    subject 2 10s $(seq -f '%gs' 6 6 1200)
    [[ $status -eq 0 ]] || mistake \
        "2 are allowed in 10 s, and it ended 200 times, each 6 s: exit code $status" \
        "after $(tail -n 1 <<<"$output"). There is memory for 100 restarts, at[]"
}

# requirement 3
@test "once it has stopped it does not restart any more" {
    subject 1 10s 1s 2s 3s 4s 60s
    [[ $(at 4000) == stopped ]] ||
        mistake "one restart is allowed, and at the fourth end it has $(at 4000)"
    [[ $(at 60000) == stopped ]] ||
        mistake "it had stopped, and restarted at 60000 ms"
}
