# Exercise to_timespec_ms: milliseconds become a timespec.
#
# Most limits are tried on a free semaphore: semtimedop() looks at the timeout
# all the same, and nobody has to wait. The lens tells what it was given.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# ask MS...: run the program with a free semaphore; given[i] is the timeout
# that the i-th wait was given.
ask() {
    subject free "$@"
    mapfile -t given < <(calls semtimedop |
        sed -n 's/.* limit=\([^ ]*\) = .*/\1/p')
}

# not_accepted MS TIMEOUT: say why semtimedop() has refused it.
not_accepted() {
    local second nanosecond why="a timeout is never negative"
    IFS='{,}' read -r _ second nanosecond _ <<<"$2"
    if ((second >= 0 && nanosecond >= 1000000000)); then
        why="nanoseconds go from 0 to 999999999, the rest are seconds"
    fi
    mistake "$1 ms became $2, which semtimedop() refuses: EINVAL" "$why"
}

# not_wanted MS TIMEOUT WANTED: say what is wrong with it.
not_wanted() {
    local why="it is not what the milliseconds say"
    case $2 in
        "{"*) not_accepted "$1" "$2" ;;
        "$1ns") why="milliseconds are taken for nanoseconds" ;;
        "$1us") why="milliseconds are taken for microseconds" ;;
    esac
    mistake "$1 ms became a timeout of $2, wanted: $3" "$why"
}

# requirement 1
@test "the timeout is as long as the milliseconds say" {
    local ms=(30 1 999 1001 1500) i
    local wanted=(30ms 1ms 999ms 1.001s 1.5s)
    ask "${ms[@]}"
    for i in "${!ms[@]}"; do
        [[ ${given[i]-} == "${wanted[i]}" ]] ||
            not_wanted "${ms[i]}" "${given[i]-nothing}" "${wanted[i]}"
    done

    subject taken 30
    [[ $status -eq 3 ]] || mistake "a wait of 30 ms must time out: $output"
    waited=$(field waited_ms "${lines[1]}")
    ((waited >= 30)) || mistake_in_waiting \
        "the wait of 30 ms was over after $waited ms: too early"
}

# requirement 2
@test "a second and more is a timeout that semtimedop accepts" {
    local ms=(1000 1500 2000) i
    ask "${ms[@]}"
    for i in "${!given[@]}"; do
        [[ ${given[i]} != "{"* ]] || not_accepted "${ms[i]}" "${given[i]}"
    done
    [[ $status -eq 0 ]] || mistake "the semaphore is free, and yet: $output"
}

# requirement 3
@test "the largest int is a timeout too: nearly 25 days" {
    local ms=(2148 4500 2147483647) i seconds
    ask "${ms[@]}"
    for i in "${!ms[@]}"; do
        seconds=$((ms[i] / 1000))
        [[ ${given[i]-} != "{0,${ms[i]}000000}" ]] ||
            not_accepted "${ms[i]}" "${given[i]}"
        [[ ${given[i]-nothing} =~ ^([0-9]+)(\.[0-9]+)?s$ ]] &&
            ((BASH_REMATCH[1] == seconds)) || mistake \
            "${ms[i]} ms became ${given[i]-nothing}, wanted: $seconds s and the rest" \
            "${ms[i]} ms are ${ms[i]}000000 ns, and an int ends at 2147483647"
    done
}

# requirement 4
@test "a time that is over is not waited for" {
    local ms=(0 -1 -1500 -2147483648) i
    ask "${ms[@]}"
    for i in "${!ms[@]}"; do
        [[ ${given[i]-} != "{"* ]] || not_accepted "${ms[i]}" "${given[i]}"
        [[ ${given[i]-} == 0s ]] || mistake \
            "${ms[i]} ms became a timeout of ${given[i]-nothing}, wanted: 0s" \
            "a time that is over leaves nothing to wait for"
    done
}
