# Exercise right_clock: two waits by one deadline, while the clock is set.

# shellcheck disable=SC2154 # run and subject() set output, status and trace

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# waits LIMIT_MS: its waits, a line each: for what, what it was given in us, what
# was left of the limit at most and at least, and what it was given in the
# trace's words. The limit began after the program's first look at the clock
# and before its first wait. A wait was given its time after the one before it
# had ended, and before it began.
waits() {
    awk -v limit="$1" '
        BEGIN { us["s"] = 1e6; us["ms"] = 1e3; us["us"] = 1; us["ns"] = 1e-3 }
        function left(from, to,   it) {
            it = limit * 1000 - (to - from) / 1000
            return it > 0 ? it : 0
        }
        $2 != "0:0" { next }
        $6 == "clock_gettime" && !looked { looked = $1 }
        $6 == "semtimedop" { at = "door" }
        $6 ~ /^sem_(timed|clock|try)?wait$/ { at = "reply" }
        $6 !~ /^(semtimedop|sem_(timed|clock)?wait|(clock_)?nanosleep)$/ { next }
        !first { first = ended = $1 }
        $5 == "begin" {
            given = $0
            sub(/.* limit=/, "", given)
            match(given, /[a-z]/)
            printf "%s %.0f %.0f %.0f %s\n", $6 ~ /sleep$/ ? "nap" : at, \
                given ~ /^-?[0-9]/ ? given * us[substr(given, RSTART)] : -1, \
                left(first, ended), left(looked, $1), given
        }
        $5 == "end" { ended = $1 }' "$trace"
}

# keeps AT WHEN: each wait of 40 ms was given what was left.
keeps() {
    local at given most least words waited=''
    while read -r at given most least words; do
        [[ $words != -* ]] || mistake \
            "The $at was given a time that had passed long before, and was not" \
            "waited for. Is it a time on another clock, or a duration?" \
            "Wanted: the deadline, on the clock that the call counts on."
        ((given <= most + 1000)) || mistake \
            "$2 the $at was waited for up to $words, and" \
            "of the 40 ms at most $most us were left."
        [[ $at != "$1" ]] || waited=yes
        [[ $at == nap ]] || ((given >= least - 1000)) || mistake \
            "$2 the $at was waited for up to $words, and" \
            "of the 40 ms at least $least us were left."
    done < <(waits 40)
    [[ -n $waited || $1 == reply ]] || mistake \
        "$2 it found that nothing was left of the 40 ms, and" \
        "did not wait for the $1."
}

# times_out AT: it gives up there, and not before its limit.
times_out() {
    local waited
    [[ $output == *"waiter: timed_out at=$1 "* ]] || mistake_in_waiting \
        "The $1 never came. Wanted: -1 and EAGAIN or ETIMEDOUT. Instead:" \
        "exit code $status, after: ${output##*$'\n'}"
    waited=$(field waited_us "${output##*$'\n'}")
    ((waited >= 40000)) || mistake_in_waiting \
        "The limit was 40 ms, and it gave up on the $1 after $waited us."
}

# Steps of the wall clock, back and forward, after its first reading. The waits
# that follow end at once: what they were given tells enough.
steps=("set back by an hour" realtime:-1h@2
    "set forward by an hour" realtime:+1h@2)

@test "an open door and a reply that is there are had at once" {
    subject 4s both
    [[ $output == *"waiter: done "* ]] || mistake_in_waiting \
        "Both were there. Wanted: 0. Instead:" \
        "exit code $status, after: ${output##*$'\n'}"
}

# requirement 1
@test "the door is waited for as long as the limit says, on any wall clock" {
    local i
    export KIT_FAULT=semtimedop:EAGAIN
    for i in 0 2; do
        KIT_CLOCK=${steps[i + 1]} subject 40ms
        keeps door "The wall clock was ${steps[i]}:"
    done
    unset KIT_FAULT
    subject 40ms
    times_out door
}

# requirement 2
@test "so is the reply, until the same deadline" {
    local i
    export KIT_FAULT='sem_timedwait:ETIMEDOUT;sem_clockwait:ETIMEDOUT'
    for i in 0 2; do
        KIT_CLOCK=${steps[i + 1]} subject 40ms door
        keeps reply "The wall clock was ${steps[i]}:"
    done
    ! grep -qE ' sem_(timed|clock)wait clock=CLOCK_REALTIME ' "$trace" || mistake \
        "The reply was waited for on CLOCK_REALTIME. The time that it was given" \
        "was right when the wait began; when the clock is set during the wait it" \
        "is right no more. Wanted: sem_clockwait() with CLOCK_MONOTONIC."
    unset KIT_FAULT
    subject 40ms door
    times_out reply
}

# requirement 3
@test "a signal does not end a wait, nor make it longer" {
    local what call given most words
    KIT_FAULT=
    for call in semtimedop sem_timedwait sem_clockwait; do
        KIT_FAULT+="${KIT_FAULT:+;}$call:EINTR+15ms@1"
    done
    export KIT_FAULT
    for what in '' door; do
        # shellcheck disable=SC2086 # nothing, or a word
        subject 40ms $what
        [[ $output != *"Interrupted system call"* ]] || mistake_in_waiting \
            "A signal interrupted a wait, and that was the end: ${output##*$'\n'}." \
            "Neither call is begun again for you, SA_RESTART or not." \
            "Wanted: to wait for what is left."
        call=$(awk '$2 == "0:0" && $5 == "end" && / sem_?(timedop|(timed|clock)wait) /' \
            "$trace" | tail -n 1)
        [[ $call != *" EINTR injected" ]] || mistake_in_waiting \
            "A signal interrupted a wait with time left, and it was taken for the" \
            "end of that time. Wanted: to wait for what is left."
        while read -r call given most _ words; do
            ((given <= most + 1000)) || mistake_in_waiting \
                "A signal interrupted a wait, and it began anew, for up to $words:" \
                "of the 40 ms at most $most us were left."
        done < <(waits 40)
    done
}
