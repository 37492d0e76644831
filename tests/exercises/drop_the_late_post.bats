# Exercise drop_the_late_post: a late post must not feed the next wait.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# told N: the N-th line of the watchdog, which must be about this job.
told() {
    line=$(grep '^watchdog: ' <<<"$output" | sed -n "$1p")
    [[ $line == *" job=$2 "* ]] ||
        mistake "after job $2 no word: exit code $status, $(tail -n 1 <<<"$output")"
}

# requirement 1
@test "after a late job no post is left that the next one takes" {
    subject 150ms
    told 1 just_late
    [[ $line == "watchdog: late "* ]] || mistake \
        "just_late posted after the limit, and the watchdog said: $line"
    told 2 stuck
    [[ $line == "watchdog: late "* ]] || mistake_in_waiting \
        "stuck has never posted, and the watchdog said: $line" \
        "it took the post of just_late, which came after that one's limit"
    told 3 lingers
    [[ $line == "watchdog: late "* ]] || mistake \
        "lingers posted after it was asked to end, and the watchdog said: $line"
    told 4 stuck
    [[ $line == "watchdog: late "* ]] || mistake_in_waiting \
        "stuck has never posted, and the watchdog said: $line" \
        "it took the post of lingers, which came while that one ended"
    for job in "1 just_late" "2 stuck" "3 lingers" "4 stuck"; do
        # shellcheck disable=SC2086 # two words
        told $job
        [[ $line == *" count=0 "* ]] || mistake_in_waiting \
            "when job ${job#* } was over its post was still there: $line" \
            "whoever waits next takes it"
    done
}

# requirement 2
@test "a job that posts in time is in time, although nobody waits yet" {
    subject 150ms
    told 5 quick
    [[ $line == "watchdog: in_time "* ]] || mistake_in_waiting \
        "quick posted at once, and the watchdog said: $line" \
        "its post was thrown away with the late ones"
}

# requirement 3
@test "the worker of each job has ended, and is reaped, before the next starts" {
    subject 150ms
    for job in "1 just_late" "2 stuck" "3 lingers" "4 stuck" "5 quick"; do
        # shellcheck disable=SC2086 # two words
        told $job
        [[ $line == *" children=none "* ]] || mistake_in_waiting \
            "when job ${job#* } was over there was still a child: $line"
    done
}
