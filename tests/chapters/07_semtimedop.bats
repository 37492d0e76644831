# Chapter 7: a wait for a semaphore that has a limit.

setup() {
    load ../helpers
    use chapters/07_semtimedop
}

# Whatever a test was about: the set that the program named must be gone.
teardown() {
    local set
    set=$(field set "${lines[0]-}") || return 0
    run ! set_exists "$set"
}

# line_with TEXT: the one line of the output that contains it.
line_with() {
    local line found=()
    for line in "${lines[@]}"; do
        [[ $line != *"$1"* ]] || found+=("$line")
    done
    [[ ${#found[@]} -eq 1 ]] || fail "not one line with '$1' in: $output"
    echo "${found[0]}"
}

@test "a waiter gives up when its limit is over, not before, and the holder works on" {
    run -3 svsem_timed 50ms 400ms
    assert_line --index 1 --partial "waiter: timed_out limit_ms=50 "
    assert_at_least 50 "$(field waited_ms "${lines[1]}")"
    assert_line --index 2 "holder: posting"
}

@test "a post ends the wait long before the limit" {
    run -0 svsem_timed 3600s 20ms
    assert_line --index 1 "holder: posting"
    assert_line --index 2 --partial "waiter: acquired limit_ms=3600000 "
}

@test "a wait that timed out has taken nothing" {
    run -0 svsem_timed
    assert_line --index 1 --partial "waiter: timed_out limit_ms=50 "
    assert_line --index 2 "holder: posting"
    assert_line --index 3 --partial "holder: working work_ms=50 "
    assert_line --index 5 --partial "waiter: acquired limit_ms=10000 "
}

@test "IPC_NOWAIT is answered without a sleep" {
    run -0 timeout_values 1ms
    line=$(line_with "given=IPC_NOWAIT ")
    assert_equal "$(field errno "$line")" EAGAIN
    assert_equal "$(field slept "$line")" 0
}

@test "a timeout of zero means now, not never" {
    run -0 timeout_values 1ms
    assert_equal "$(field errno "$(line_with "given={0,0} ")")" EAGAIN
}

@test "a timeout is counted from the call and is never early" {
    run -0 timeout_values 30ms
    assert_equal "$(field errno "$(line_with "given={0,1} ")")" EAGAIN
    line=$(line_with "given={0,30000000} ")
    assert_equal "$(field errno "$line")" EAGAIN
    assert_at_least 30000 "$(field waited_us "$line")"

    run -3 svsem_interrupted 40ms
    assert_line --index 1 --partial "waiter: timed_out errno=EAGAIN "
    assert_at_least 40 "$(field waited_ms "${lines[1]}")"
}

@test "an impossible timeout is EINVAL, although the semaphore is free" {
    run -0 timeout_values 1ms
    assert_line --index 0 --partial "waiter: free count=1 "
    assert_line --index 1 --partial "given={0,1000000000} errno=EINVAL "
    assert_line --index 2 --partial "given={0,-1} errno=EINVAL "
    assert_line --index 3 --partial "given={-1,0} errno=EINVAL "
    assert_line --index 4 --partial "waiter: taken count=0 "
}

@test "a NULL timeout sets no limit: the wait lasts until something else ends it" {
    run -0 timeout_values 1ms
    assert_equal "$(field errno "$(line_with "given=NULL ")")" EINTR
}

@test "a signal handler ends the wait with EINTR, in spite of SA_RESTART" {
    run -0 svsem_interrupted
    assert_line --index 0 --partial "waiter: waiting handler=SA_RESTART "
    assert_line --index 1 "sender: sending signal=SIGUSR1"
    assert_line --index 2 --partial "waiter: interrupted errno=EINTR "
}

@test "a waiter that is stopped and continued gets EINTR without any handler" {
    run -0 svsem_interrupted
    assert_line --index 3 --partial "waiter: waiting handler=none "
    assert_line --index 4 "sender: sending signal=SIGSTOP"
    assert_line --index 5 "sender: sending signal=SIGCONT"
    assert_line --index 6 --partial "waiter: interrupted errno=EINTR "
}

@test "an alarm ends semop with EINTR, a timeout ends semtimedop with EAGAIN" {
    run -0 alarm_semop 30ms
    assert_line --index 1 --partial "waiter: gave_up call=semop errno=EINTR "
    assert_at_least 30 "$(field waited_ms "${lines[1]}")"
    assert_at_least 1 "$(field alarms "${lines[1]}")"
    assert_line --index 3 --partial "call=semtimedop errno=EAGAIN "
    assert_at_least 30 "$(field waited_ms "${lines[3]}")"
    assert_equal "$(field alarms "${lines[3]}")" 0
}

@test "an alarm that comes before semop is lost, and the wait outlives its limit" {
    run -0 alarm_semop 30ms
    assert_line --index 5 --partial "waiter: late "
    early=$(field alarms "${lines[5]}")
    assert_at_least 1 "$early"
    assert_line --index 6 --partial "waiter: gave_up call=semop errno=EINTR "
    # It took one more alarm to end the wait.
    assert_at_least $((early + 1)) "$(field alarms "${lines[6]}")"
    assert_at_least 230 "$(field waited_ms "${lines[6]}")"
}

@test "limiting semop takes the application's alarm away, semtimedop leaves it" {
    run -0 alarm_semop 1ms
    assert_line --index 1 --partial "call=semop "
    assert_equal "$(field left_ms "${lines[2]}")" 0
    assert_line --index 3 --partial "call=semtimedop "
    assert_at_least 1 "$(field left_ms "${lines[4]}")"
}

@test "a limit of 0 is refused where setitimer would read it as never" {
    run -2 alarm_semop 0ms
    assert_output "alarm_semop: setitimer reads 0 as 'never'"
}

@test "the one #define is enough, and a second one on the command line is a warning" {
    cd "$BATS_TEST_DIRNAME/../../chapters/07_semtimedop"
    read -ra cc <<<"${CC:-cc}"
    cc+=(-Werror svsem_timed.c -o "$BATS_TEST_TMPDIR/out")
    run -0 "${cc[@]}"
    assert_output ""
    run ! "${cc[@]}" -D_GNU_SOURCE
    assert_output --partial "redefined"
}

# with_child LIMIT [TRACER...]: run svsem_interrupted as a process that has a
# child. The child ends when the kernel counts a waiter at the set. It uses
# nothing of bats: it closes number 3.
with_child() {
    local limit=$1
    shift
    cat >with_child.sh <<'END'
(
    until set=$(sed -n 's/.* set=//p' said) && [ -n "$set" ] &&
        ipcs -s -i "$set" | grep -q '^0 *0 *1 '; do :; done
) &
exec svsem_interrupted "$1" >said
END
    : >said
    run -0 bound "$@" sh with_child.sh "$limit" 3>&-
}

@test "under strace -f a child that ends interrupts the wait, else it does not" {
    cd "$BATS_TEST_TMPDIR"
    PATH=$KIT_BUILD/chapters/07_semtimedop:$KIT_BUILD/tools:$PATH
    strace -f -o log true 2>/dev/null || lacks "strace that may trace"
    run with_child 300ms
    run -0 tail -n 1 said
    assert_output --partial "waiter: timed_out errno=EAGAIN "
    with_child 15s strace -f -o log
    run -0 tail -n 1 said
    assert_output --partial "waiter: interrupted errno=EINTR "
}

@test "to strace semop is semtimedop: the C library makes that call" {
    cd "$BATS_TEST_TMPDIR"
    PATH=$KIT_BUILD/chapters/07_semtimedop:$KIT_BUILD/tools:$PATH
    strace -o log true 2>/dev/null || lacks "strace that may trace"
    run -0 bound strace -o log -e trace=semop,semtimedop alarm_semop 1ms
    run ! grep '^semop(' log
    run -0 grep -c '^semtimedop(.*NULL' log
}

@test "a wait in milliseconds has three answers, and failed says why" {
    run -0 svsem_timed_ms 30
    assert_line --index 1 --partial "ms=2500 answer=acquired waited_ms="
    assert_line --index 2 --partial "ms=30 answer=timed_out waited_ms="
    assert_at_least 30 "$(field waited_ms "${lines[2]}")"
    assert_line --index 5 --partial "ms=2500 answer=failed errno=EINVAL "
}

@test "a limit in milliseconds below 0 never reaches the call: it is a try" {
    local program=$KIT_BUILD/chapters/07_semtimedop/svsem_timed_ms
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$program" || skip "not with an address sanitizer"
    trace=$BATS_TEST_TMPDIR/trace
    run -0 "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so \
        "$program" -5
    run -0 sed -n 's/.* end semtimedop .* limit=\([^ ]*\) .*/\1/p' "$trace"
    # It is free; taken, for -5 and -1; removed.
    assert_equal "${lines[*]}" "2.5s nowait nowait 2.5s"
}

@test "a set that is removed ends the wait with EIDRM, and is EINVAL afterwards" {
    run -0 removed_while_waiting
    assert_line --index 1 "remover: removing waiting=1"
    assert_line --index 2 --partial "waiter: failed errno=EIDRM "
    assert_line --index 3 --partial "waiter: failed errno=EINVAL "
}

@test "an alarm goes to the main thread, and none of three that wait is woken" {
    run -0 alarm_threads
    assert_line --index 0 --partial "main: starting threads=3 call=semop "
    assert_line --index 1 "alarm: rang handler_in=main"
    assert_line --index 2 "main: ended interrupted=0 posted=3"
}

@test "when main blocks the alarm it wakes one of the three, and two wait on" {
    run -0 alarm_threads
    assert_line --index 3 "main: starting threads=3 call=semop blocks=SIGALRM"
    assert_line --index 4 --regexp "^alarm: rang handler_in=thread[123]$"
    assert_line --index 5 "main: ended interrupted=1 posted=2"
}

@test "with semtimedop each thread has a limit of its own" {
    run -0 alarm_threads
    assert_line --index 7 "main: ended timed_out=3"
}

@test "a free semaphore costs the system calls that uncontended_costs tells" {
    cd "$BATS_TEST_TMPDIR"
    PATH=$KIT_BUILD/chapters/07_semtimedop:$KIT_BUILD/tools:$PATH
    strace -o log true 2>/dev/null || lacks "strace that may trace"
    for way in semtimedop semop setitimer+semop sem_wait sem_clockwait; do
        run bound strace -o log -e trace=semtimedop,setitimer,futex \
            uncontended_costs 20 "$way"
        [[ $status -ne 2 ]] || continue # this libc lacks it
        # One post at the start, and one round that is not measured.
        run -0 awk -v calls="$(field system_calls "${lines[1]}")" '
            /^[a-z]+\(/ { n++ } END { print n - 1 - 21 * calls }' log
        assert_output 0
    done
}

@test "a sleep costs the system calls that sleeping_costs tells" {
    cd "$BATS_TEST_TMPDIR"
    PATH=$KIT_BUILD/chapters/07_semtimedop:$KIT_BUILD/tools:$PATH
    strace -o log true 2>/dev/null || lacks "strace that may trace"
    run -0 sleeping_costs 1
    mapfile -t ways < <(sed -n 's/: timed_out .*//p' <<<"$output")
    for way in "${ways[@]}"; do
        run -0 bound strace -o log \
            -e trace=semtimedop,setitimer,rt_sigreturn,futex,ppoll,read,write \
            sleeping_costs 10 "$way"
        least=$((10 * $(field system_calls "${lines[2]}")))
        all=$((20 * $(field system_calls "${lines[1]}") + least))
        # An eventfd is read and written by 8 bytes.
        run -0 grep -cE '^(semt|seti|rt_s|fut|ppo)|, 8\) += 8$' log
        case $way in
        semtimedop | eventfd+poll) assert_output "$all" ;;
        # Who finds it posted does not sleep; an alarm may be lost.
        *) assert_at_least "$least" "$output" ;;
        esac
    done
}
