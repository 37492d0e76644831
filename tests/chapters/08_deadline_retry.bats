# Chapter 8: a wait that keeps its bound, whatever interrupts it.

setup() {
    load ../helpers
    use chapters/08_deadline_retry
}

# Whatever a test was about: the set that the program named must be gone.
teardown() {
    local set
    set=$(field set "${lines[0]-}") || return 0
    run ! set_exists "$set"
}

# watch PROGRAM [ARG...]: run it with the lens, which obeys KIT_FAULT and
# KIT_CLOCK. What its main process waited for is in $did: one line for each
# call of interest, when it began, when it ended, the call, its limit, result.
# All are ns; a limit is "nowait" or "none" where it is no time.
watch() {
    local program=$KIT_BUILD/chapters/08_deadline_retry/$1
    local trace=$BATS_TEST_TMPDIR/trace
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$program" || skip "not with an address sanitizer"
    rm -f "$trace"
    run "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so \
        "$program" "${@:2}"
    did=$(awk '
        function ns(limit) {
            if (limit ~ /[0-9]ns$/) return limit + 0
            if (limit ~ /[0-9]us$/) return limit * 1e3
            if (limit ~ /[0-9]ms$/) return limit * 1e6
            if (limit ~ /[0-9]s$/) return limit * 1e9
            return limit
        }
        $2 !~ /^0:/ || $6 !~ /^(semtimedop|flock|nanosleep|poll|send|fork)$/ { next }
        $5 == "begin" { began[$4] = $1; next }
        {
            limit = result = $0
            sub(/.* limit=/, "", limit); sub(/ .*/, "", limit)
            sub(/.* = (-1 )?/, "", result); sub(/ .*/, "", result)
            limit = / limit=/ ? ns(limit) : "none"
            if (limit ~ /^[0-9]/) limit = sprintf("%.0f", limit)
            printf "%.0f %.0f %s %s %s\n", began[$4] ? began[$4] : $1, $1, $6,
                limit, result
        }' "$trace")
    [[ -n $did ]] || fail "the trace is empty: $output"
}

# limits [CALL]: what each wait for the semaphore was given, one a line.
limits() {
    awk -v call="${1:-semtimedop}" '$3 == call { print $4 }' <<<"$did"
}

@test "the naive retry is still waiting long after its limit" {
    # Its time starts anew with each signal; the post comes after 700 ms.
    run -0 svsem_deadline naive 400ms 100ms
    assert_line --index 1 --partial "waiter: acquired "
    assert_at_least 700 "$(field waited_ms "${lines[1]}")"
}

@test "the deadline retry gives up on time although signals keep coming" {
    run -3 svsem_deadline deadline 200ms 100ms
    assert_line --index 1 --partial "waiter: timed_out "
    assert_at_least 200 "$(field waited_ms "${lines[1]}")"
    # Gone before the last signal: "in time" is an order, not a clock.
    watch svsem_deadline deadline 200ms 100ms
    assert_equal "$status" 3
    run -0 limits
    assert_between 1 7 "${#lines[@]}"
}

@test "the naive retry is given the full limit each time" {
    KIT_FAULT='semtimedop:EINTR+30ms@1-6' watch svsem_deadline naive 100ms 3600s
    assert_equal "$status" 3
    run -0 limits
    assert_output "$(printf '%s\n' 100000000{,,,,,,})"
}

@test "each deadline retry is given less, at least by what has passed" {
    KIT_FAULT='semtimedop:EINTR+30ms@1-3' watch svsem_deadline deadline 300ms 3600s
    assert_equal "$status" 3
    limits | awk 'NR > 1 && $1 > before - 30000000 { bad = 1 }
                  { before = $1 }
                  END { exit bad || NR != 4 }' || fail "$did"
    assert_between 1 300000001 "$(limits | head -n 1)"
}

@test "a signal just before the deadline leaves just the rest of the time" {
    KIT_FAULT='semtimedop:EINTR+99ms@1' watch svsem_deadline deadline 100ms 3600s
    assert_equal "$status" 3
    rest=$(limits | sed -n 2p)
    [[ $rest == nowait ]] || assert_between 1 1000001 "$rest"
}

@test "a signal at the deadline or after it leaves one look, which does not wait" {
    for delay in 100ms 150ms; do
        KIT_FAULT="semtimedop:EINTR+$delay@1" \
            watch svsem_deadline deadline 100ms 3600s
        assert_equal "$status" 3
        run -0 limits
        assert_equal "${#lines[@]} ${lines[1]}" "2 nowait"
    done
}

@test "the last look takes what is free, although the time is over" {
    run -0 svsem_deadline deadline 0s 3600s free
    assert_line --index 1 --partial "waiter: acquired "
    KIT_FAULT='semtimedop:EINTR+150ms@1' \
        watch svsem_deadline deadline 100ms 3600s free
    assert_equal "$status" 0
    assert_equal "$(limits | tail -n 1)" nowait
}

@test "with a limit of 0 or 1 us the deadline retry asks, and gives up" {
    for limit in 0us 1us; do
        watch svsem_deadline deadline $limit 3600s
        assert_equal "$status" 3
        assert_line --index 1 --partial "waiter: timed_out "
        [[ $(limits) =~ ^([1-9][0-9]{0,3}$'\n')?nowait$|^[1-9][0-9]{0,2}$ ]] ||
            fail "$limit: $did"
    done
}

@test "a retry that is always interrupted still ends at its deadline" {
    KIT_FAULT=semtimedop:EINTR watch svsem_deadline deadline 20ms 3600s
    assert_equal "$status" 3
    assert_line --index 1 --partial "waiter: timed_out "
    assert_at_least 20 "$(field waited_ms "${lines[1]}")"
    run -0 limits
    assert_equal "${lines[-1]}" nowait
    [[ ${#lines[@]} -eq 1 || ${lines[-2]} != nowait ]] ||
        fail "more than one last look"
}

# answers CALL: what which_clock says about it. One run will do for all tests.
answers() {
    local kept=$BATS_FILE_TMPDIR/which_clock.said
    if [[ ! -s $kept ]]; then
        run -0 which_clock "$((600 * ${KIT_TIME_SCALE:-1}))ms"
        printf '%s\n' "$output" >"$kept"
    fi
    sed -n "s/^$1: //p" "$kept"
}

@test "semtimedop and poll want a duration, and wait on for a point in time" {
    run -0 answers semtimedop
    assert_output "duration=EAGAIN,in_time monotonic=waits_on wall=waits_on"
    run -0 answers poll
    assert_output "duration=0,in_time monotonic=waits_on wall=waits_on"
}

@test "sem_timedwait and pthread_cond_timedwait want the time on the wall clock" {
    for call in sem_timedwait pthread_cond_timedwait; do
        run -0 answers $call
        assert_output "duration=ETIMEDOUT,at_once monotonic=ETIMEDOUT,at_once wall=ETIMEDOUT,in_time"
    done
}

@test "given the monotonic clock, a call waits on for the time on the wall" {
    run -0 answers clock_nanosleep
    assert_output "duration=0,at_once monotonic=0,in_time wall=waits_on"
    for call in sem_clockwait pthread_cond_clockwait; do
        run -0 answers $call
        assert_output "duration=ETIMEDOUT,at_once monotonic=ETIMEDOUT,in_time wall=waits_on"
    done
}

@test "where a libc lacks a call the row says so, and the others are played" {
    command -v musl-gcc >/dev/null || lacks musl-tools
    cd "$BATS_TEST_DIRNAME/../../chapters/08_deadline_retry"
    run -0 musl-gcc which_clock.c -o "$BATS_TEST_TMPDIR/which"
    run -0 "$KIT_BUILD/tools/bound" "$BATS_TEST_TMPDIR/which" 300ms
    assert_equal "${#lines[@]}" 7
    assert_line "sem_clockwait: not in this libc"
    assert_line "pthread_cond_clockwait: not in this libc"
    assert_line "poll: duration=0,in_time monotonic=waits_on wall=waits_on"
}

# gives_up AT: one_budget gave up at this step, not before its limit, and keeps
# nothing.
gives_up() {
    assert_equal "$status" 3
    assert_line --index 1 --partial "job: gave_up at=$1 "
    assert_line --index 1 --partial " lock=free count=1"
    assert_at_least "$(field limit_ms "${lines[1]}")" \
        "$(field waited_ms "${lines[1]}")"
}

@test "a job that gets all three in time is done, and lets go of all" {
    run -0 one_budget 20s nothing
    assert_line --index 2 --partial "job: done limit_ms=20000 "
    assert_line --index 2 --partial " lock=free count=1"
    assert_at_least 60 "$(field waited_ms "${lines[2]}")"
}

@test "whichever step the deadline strikes in, what was acquired is let go" {
    for step in lock semaphore send; do
        run one_budget "$((400 * ${KIT_TIME_SCALE:-1}))ms" $step
        gives_up $step
    done
}

@test "no step is given more than the steps before it have left" {
    local given
    watch one_budget 2s nothing
    assert_equal "$status" 0
    # The lock is let go of after 20 ms, the semaphore after 40.
    assert_between 1 1980000001 "$(limits | head -n 1)"
    given=$(limits poll | head -n 1) # none: it came so late that there was room
    [[ -z $given ]] || assert_between 1 1960000001 "$given"

    # No nap reaches past the deadline, which is no later than this long after
    # the rival has been forked; and it begins after a try has been refused.
    for ms in 401 402 403; do
        watch one_budget ${ms}ms lock
        gives_up lock
        awk -v limit="${ms}000000" '
            $3 == "fork" { forked = $2 }
            $3 == "flock" { refused = $2 }
            $3 == "nanosleep" { naps++; bad += $4 > limit - (refused - forked) }
            END { exit bad || !naps }' <<<"$did" || fail "$did"
    done
}

@test "a step that comes after the deadline asks once, and does not wait" {
    # The first flock() is not the job's: it is how the lock comes to be taken.
    KIT_FAULT='0/flock:EAGAIN+60ms@2' watch one_budget 50ms lock
    gives_up lock
    run -0 limits nanosleep
    assert_output ""
    KIT_FAULT='0/semtimedop:EINTR+450ms@1' watch one_budget 400ms semaphore
    gives_up semaphore
    assert_equal "$(limits | tail -n +2)" nowait
}

@test "a step's own limit counts where it is earlier, never where it is later" {
    watch one_budget 20s patience
    assert_equal "$status" 3
    assert_line --index 1 --partial "job: gave_up at=semaphore limit_ms=20000 "
    assert_between 1 30000001 "$(limits | head -n 1)"
    assert_at_least 50 "$(field waited_ms "${lines[1]}")"
    watch one_budget 45ms patience
    [[ $(limits) != *[0-9]* ]] || assert_between 1 25000001 "$(limits | head -n 1)"
}

@test "the request says how much is left, not the time" {
    run -0 one_budget 2s nothing
    assert_line --index 1 --partial "server: received "
    assert_between 0 1941 "$(field left_ms "${lines[1]}")"
}

# set_clock: how long wall_clock's waits are, in ms, and the step by which it
# sets the clock: long enough for a signal to come before the wait is over.
set_clock() {
    limit=$((300 * ${KIT_TIME_SCALE:-1}))
    step=$((limit + 50))
}

@test "the wall clock set forward and a signal: the wait gives up at once" {
    set_clock
    watch wall_clock "${step}ms" "${limit}ms"
    assert_line --index 2 --partial " clock=wall step_ms=$step signals=1 "
    # The waits before it: two for the first line, one for the second.
    assert_equal "$(limits | sed -n 4,5p)" "${limit}000000"$'\nnowait'
    # The same by the lens: the program's own step is 0 here.
    KIT_CLOCK='realtime:+1h@2' watch wall_clock 0s "${limit}ms"
    assert_equal "$(limits | sed -n 1,2p)" "${limit}000000"$'\nnowait'
}

@test "the wall clock set back and a signal: the wait is longer by the step" {
    set_clock
    run -0 wall_clock "${step}ms" "${limit}ms"
    assert_line --index 4 --partial " clock=wall step_ms=-$step signals=1 "
    assert_at_least $((limit + step)) "$(field waited_ms "${lines[4]}")"
    KIT_CLOCK='realtime:-600ms@2' watch wall_clock 0s "${limit}ms"
    assert_at_least $((limit + 600)) "$(field waited_ms "${lines[0]}")"
    assert_at_least "${limit}000001" "$(limits | sed -n 2p)"
}

@test "the wall clock set without a signal: the wait keeps its limit" {
    set_clock
    watch wall_clock "${step}ms" "${limit}ms"
    for number in 1 3; do
        assert_line --index $number --partial " signals=0 "
        assert_at_least "$limit" "$(field waited_ms "${lines[number]}")"
    done
    # One wait each, between those of the lines with a signal.
    run -0 limits
    assert_equal "${#lines[@]} ${lines[2]} ${lines[5]}" "10 ${limit}000000 ${limit}000000"
}

@test "a deadline on the monotonic clock is kept, whatever is set" {
    set_clock
    watch wall_clock "${step}ms" "${limit}ms"
    assert_line --index 5 --partial " clock=monotonic step_ms=-$step signals=1 "
    assert_at_least "$limit" "$(field waited_ms "${lines[5]}")"
    # Its retry was given what was left, and not the step on top of it.
    assert_between 1 "${limit}000000" "$(limits | tail -n 1)"
}

# told WORDS: the lines of asked_twice that begin so, without those words.
told() {
    sed -n "s/^client: $1 //p" <<<"$output"
}

@test "without a number what is asked again is done twice, and answers shift" {
    run -0 asked_twice
    assert_equal "$(told "number=none asked=+10")" \
        "done=yes balance=10 told=nothing dropped=0
done=yes balance=20 told=10 dropped=0"
    assert_equal "$(told "number=none asked=-5")" \
        "done=yes balance=15 told=20 dropped=0"
}

@test "a request with a number is done once, however often it is asked" {
    run -0 asked_twice
    run -0 told "number=1 asked=+10"
    assert_line --index 0 "done=yes balance=10 told=nothing dropped=0"
    assert_line --index 1 "done=no balance=10 told=10 dropped=0"
}

@test "an answer with another number is dropped, and the right one awaited" {
    run -0 asked_twice
    assert_equal "$(told "number=2 asked=-5")" \
        "done=yes balance=5 told=5 dropped=1"
    # It waits for it with what is left, and is not given the time anew.
    KIT_FAULT='0/poll:EINTR+300ms@1' watch asked_twice 400ms
    assert_equal "$status" 0
    run -0 limits poll
    assert_between 1 100000001 "${lines[1]}"
}

@test "no wait is early, idle or beside four processes that want to run" {
    run -0 never_early
    for load in 0 4; do
        for call in semtimedop clock_nanosleep; do
            line=$(grep "^$call: load=$load " <<<"$output")
            assert_equal "$(field early "$line")" 0
            # The histogram has them all, and some there are.
            assert_equal "$(field waits "$line")" $(($(field below_100us "$line") +
                $(field below_1ms "$line") + $(field below_10ms "$line") +
                $(field more "$line")))
            assert_between 1 201 "$(field waits "$line")"
        done
    done
}

@test "a reader who comes in time for each wait makes the whole last longer" {
    run -0 send_by 60ms
    for number in 0 1; do
        assert_line --index $number --partial "sender: sent_all way="
        # It pauses for an eighth of the limit, at least 14 times.
        limit=$(field limit_ms "${lines[number]}")
        assert_at_least $((limit * 14 / 8)) "$(field waited_ms "${lines[number]}")"
    done
}

@test "a send with a deadline gives each poll what is left, and gives up" {
    watch send_by 150ms
    assert_equal "$status" 0
    assert_line --index 2 --partial "sender: gave_up way=deadline limit_ms=150 "
    assert_at_least 150 "$(field waited_ms "${lines[2]}")"
    # Its time began before its first poll, and what is left was read after the
    # poll before. poll() counts in ms, so it may have one more. The way before
    # it, for another reader, always gives the same.
    awk '$3 == "fork" { earlier = same; polls = bad = 0; same = 1 }
         $3 == "poll" && polls++ == 0 { first = $1; given = $4 }
         $3 == "poll" && polls > 1 {
             bad += $4 >= 151000000 + first - ended
             same *= $4 == given
         }
         $3 == "poll" { ended = $2 }
         END { exit bad || !earlier }' <<<"$did" || fail "$did"
}

@test "a send tells how much was sent, and the reader has received as much" {
    run -0 send_by
    assert_line --index 3 "count: way=SO_SNDTIMEO of=2097152 sent=2097152 received=2097152"
    assert_line --index 4 "count: way=poll of=2097152 sent=2097152 received=2097152"
    sent=$(field sent "${lines[5]}")
    assert_between 1 2097152 "$sent"
    assert_line --index 5 "count: way=deadline of=2097152 sent=$sent received=$sent"
}

@test "a connect to a full backlog gives up at its deadline, and not before" {
    run -0 connect_by 300ms
    assert_line --index 2 --partial "client: backlog=full answer=timed_out limit_ms=300 "
    assert_at_least 300 "$(field waited_ms "${lines[2]}")"
    # Interrupted, it waits for what is left. Three polls come before that.
    KIT_FAULT='poll:EINTR+100ms@4-5' watch connect_by 300ms
    assert_equal "$status" 0
    assert_at_least 300 "$(field waited_ms "${lines[2]}")"
    run -0 limits poll
    assert_equal "${lines[2]}" 5000000000
    assert_between 1 300000001 "${lines[3]}"
    assert_between 1 200000001 "${lines[4]}"
    assert_between 0 100000001 "${lines[5]}"
}

@test "whether a connect is refused or made, SO_ERROR tells after poll" {
    run -0 connect_by
    assert_line --index 0 "client: backlog=none answer=refused"
    assert_line --index 1 "client: backlog=free answer=connected"
}

@test "on a full backlog of AF_UNIX poll returns at once, and SO_ERROR sees no failure" {
    run -0 connect_eagain
    assert_line --index 0 "client: answer=EAGAIN poll=POLLOUT|POLLHUP so_error=0 send=ENOTCONN"
}

@test "SO_SNDTIMEO limits a connect to a full backlog of AF_UNIX" {
    run -0 connect_eagain 200ms
    assert_line --index 1 --partial "client: answer=EAGAIN so_sndtimeo_ms=200 "
    assert_at_least 200 "$(field waited_ms "${lines[1]}")"
}

@test "a signal between the look at its flag and the wait does not end the wait" {
    for way in poll semtimedop; do
        run -0 stop_or_deadline $way 300ms
        assert_line --index 1 --partial "waiter: stopped way=$way waits=1 last=timed_out "
        assert_at_least 300 "$(field waited_ms "${lines[1]}")"
    done
}

@test "ppoll lets in a signal that came before it, and is ended by it" {
    run -0 stop_or_deadline ppoll 3600s
    assert_line --index 1 --partial "waiter: stopped way=ppoll waits=1 last=EINTR "
}

@test "a wait in slices finds the signal after the slice in which it came" {
    run -0 stop_or_deadline slices 3600s
    assert_line --index 1 --partial "waiter: stopped way=slices waits=1 last=timed_out "
    assert_at_least 20 "$(field waited_ms "${lines[1]}")"
    watch stop_or_deadline slices 7ms # less than a slice
    assert_between 1 7000001 "$(limits)"
}

# simulated WAY CLIENTS KEY: a value in the table of backoff.
simulated() {
    field "$3" "$(grep "^$1: clients=$2 " <<<"$output")"
}

@test "who pauses for the same time comes together again: one success a round" {
    run -0 backoff
    for clients in 2 8 32 128; do
        for way in fixed exponential; do
            assert_equal "$(simulated $way $clients attempts)" \
                $((clients * (clients + 1) / 2))
        done
        # A round for each but the first, who needs no pause.
        assert_equal "$(simulated fixed $clients took_ms)" $((clients * 10 - 9))
    done
    assert_at_least $((60 * $(simulated fixed 128 took_ms))) \
        "$(simulated exponential 128 took_ms)"
}

@test "with jitter all get in with a fraction of the attempts, and sooner" {
    for seed in 1 2 3 4 5; do
        run -0 backoff $seed
        for clients in 32 128; do
            assert_between $((clients + 1)) $((clients * (clients + 1) / 6)) \
                "$(simulated jitter $clients attempts)"
            assert_between $((clients)) "$(simulated fixed $clients took_ms)" \
                "$(simulated jitter $clients took_ms)"
        done
    done
}

@test "the table of backoff is the same in each run, and another with another seed" {
    run -0 backoff
    first=$output
    run -0 backoff 1
    assert_equal "$output" "$first"
    run -0 backoff 2
    refute_output "$first"
    assert_equal "$(grep -v jitter <<<"$output")" "$(grep -v jitter <<<"$first")"
    # A sign in the chart for each attempt that a success took.
    run -0 grep -E '^chart: +32 fixed +#{17}$' <<<"$first"
}

@test "a retry budget bounds the load when all fails, and costs nothing when little does" {
    run -0 backoff
    assert_line "budget: retries=any server=down requests=1000 attempts=4000 per_request=4.00 served=0"
    assert_line "budget: retries=one_for_ten server=down requests=1000 attempts=1100 per_request=1.10 served=0"
    for retries in any one_for_ten; do
        assert_line "budget: retries=$retries server=flaky requests=1000 attempts=1050 per_request=1.05 served=1000"
    done
}

@test "with each way to pause all clients get in, and no pause is too short" {
    for clients in 1 5; do
        run -0 backoff_for_real $clients
        number=1
        for way in fixed exponential jitter; do
            assert_line --index $number --partial "$way: got_in=$clients "
            assert_line --index $number --partial " early=0 "
            assert_at_least "$clients" "$(field attempts "${lines[number]}")"
            number=$((number + 1))
        done
    done
}
