# Exercise feed_from_work: beats that come from the work and nowhere else.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# verdict: what the watchdog said last.
verdict() {
    grep '^watchdog: ' <<<"$output" | tail -n 1
}

# requirement 1
@test "a worker that is stuck gives no more beats, and is found" {
    subject 20ms 4
    [[ $(verdict) != *fooled* ]] || mistake_in_waiting \
        "the work was stuck in piece 4, and something went on beating:" \
        "the watchdog never noticed: $(verdict)"
    [[ $status -eq 3 && $(verdict) == "watchdog: stuck "* ]] || mistake_in_waiting \
        "the work was stuck in piece 4, and the watchdog said: $(verdict)" \
        "exit code $status"
}

# requirement 2
@test "each finished piece is one beat, and a piece that begins is none" {
    subject 300ms
    [[ $status -eq 0 && $(verdict) == "watchdog: finished "* ]] ||
        mistake_in_waiting "all pieces were done, one after the other, and the \
watchdog said: $(verdict)" "exit code $status"
    for piece in 1 2 3 4 5 6; do
        line=$(grep " piece=$piece " <<<"$output") ||
            mistake "piece $piece has not been done"
        beats=$(field beats "$line")
        [[ $beats -eq $((piece - 1)) ]] || mistake \
            "piece $piece begins, $((piece - 1)) are finished, and the counter \
says $beats"
    done
    [[ $(field beats "$(verdict)") -eq 6 ]] || mistake \
        "six pieces are finished, and at the end: $(verdict)"
}
