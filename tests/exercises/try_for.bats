# Exercise try_for: say how a wait has ended.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# ending: what the program took the end of the wait for.
ending() {
    case $output in
        *"waiter: acquired") echo ACQUIRED ;;
        *"waiter: timed_out") echo TIMED_OUT ;;
        *"waiter: interrupted") echo INTERRUPTED ;;
        *"try_for: semtimedop: "*) echo "FAILED, ${output##*semtimedop: }" ;;
        *) echo "none of the four, exit code $status: ${output##*$'\n'}" ;;
    esac
}

@test "a free semaphore is acquired at once" {
    subject 10s free
    [[ $(ending) == ACQUIRED ]] ||
        mistake "the semaphore was free: ACQUIRED, but it was $(ending)" \
            "after a success errno is what an earlier call has left there"
}

@test "when nobody posts, the wait has timed out, and not before its limit" {
    subject 40ms
    [[ $(ending) == TIMED_OUT ]] || mistake \
        "semtimedop() returned -1, and errno was EAGAIN: TIMED_OUT" \
        "but it was $(ending)"
    began=$(awk '$5 == "begin" && $6 == "semtimedop" { print $1; exit }' \
        "${trace:?}")
    ended=$(calls semtimedop | awk 'END { print $1 }')
    ((${began:-0} > 0)) || mistake_in_waiting \
        "it did not wait: semtimedop() was asked to answer at once"
    ((ended - began >= 40000000)) || mistake_in_waiting \
        "gave up after $(((ended - began) / 1000)) us: the limit was 40 ms"
}

# requirement 1
@test "a wait that a signal interrupted has not timed out" {
    KIT_FAULT='semtimedop:EINTR+10ms@1' subject 60ms
    [[ $(calls semtimedop | wc -l) -le 1 ]] || mistake_in_waiting \
        "a signal interrupted the wait, and it began to wait again" \
        "say INTERRUPTED, and the caller decides; how to go on is chapter 8"
    [[ $(ending) == INTERRUPTED ]] || mistake_in_waiting \
        "a signal interrupted the wait after 10 ms of 60: INTERRUPTED" \
        "but it was $(ending)"
}

# requirement 2
@test "a set that was removed is a failure, no timeout" {
    subject 4s remove
    [[ $(ending) == FAILED,* ]] || mistake_in_waiting \
        "the set was removed while it waited, EIDRM: FAILED" \
        "but it was $(ending)"
}

# requirement 3
@test "after a failure errno is what semtimedop left" {
    subject 4s remove
    [[ $(ending) == FAILED,* ]] || return 0 # that is requirement 2
    [[ $(ending) == "FAILED, Identifier removed" ]] || mistake \
        "semtimedop() left EIDRM, Identifier removed" \
        "the caller read another errno: ${output##*semtimedop: }" \
        "log_wait() makes calls of its own, and one that fails sets errno"
}

# requirement 4
@test "each wait is logged once, however it ended" {
    local how logged
    for how in free timeout remove signal; do
        unset KIT_FAULT
        case $how in
            timeout) subject 1ms ;;
            signal) KIT_FAULT='semtimedop:EINTR@1' subject 1ms ;;
            *) subject 4s "$how" ;;
        esac
        logged=$(grep -c '^waiter: back ' <<<"$output" || true)
        [[ $logged -eq 1 ]] || mistake \
            "a wait that was $(ending) was logged $logged times, not once"
    done
}
