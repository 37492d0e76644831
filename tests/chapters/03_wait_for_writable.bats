# Chapter 3: when may I try again, and until when?

setup() {
    load ../helpers
    use chapters/03_wait_for_writable
}

# line_of START: the one line of the output that starts so.
line_of() {
    local line found=()
    for line in "${lines[@]}"; do
        [[ $line != "$1"* ]] || found+=("$line")
    done
    [[ ${#found[@]} -eq 1 ]] || fail "not one line '$1...' in: $output"
    echo "${found[0]}"
}

# act NUMBER: what send_all's sender and reader said in it, in two lines.
act() {
    local about
    about=$(grep "^[sr]" <<<"$output" | sed -n "$(($1 * 2 - 1)),$(($1 * 2))p")
    sent=$(sed -n 's/^sender: //p' <<<"$about")
    got=$(sed -n 's/^reader: //p' <<<"$about")
    [[ -n $sent && -n $got ]] || fail "act $1 is not told: $output"
}

# watch PROGRAM [ARG...]: run it with the lens. What its sender did is in $did,
# a line for each call: act, us since it began to send, call, us that the call
# was given, result. An act is a socketpair, and begins with a look at the
# clock.
watch() {
    local trace=$BATS_TEST_TMPDIR/trace
    local program=$KIT_BUILD/chapters/03_wait_for_writable/$1
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$program" || skip "not with an address sanitizer"
    run -0 "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so \
        "$program" "${@:2}"
    did=$(awk '
        function us(limit) {
            if (limit == "nowait") return 0
            if (limit ~ /[0-9]us$/) return limit + 0
            if (limit ~ /[0-9]ms$/) return limit * 1000
            if (limit ~ /[0-9]s$/) return limit * 1000000
            return limit
        }
        $2 !~ /^0:/ || $5 != "end" { next }
        $6 == "socketpair" { act++; start = 0 }
        $6 == "clock_gettime" && !start { start = $1 }
        $6 == "send" || $6 == "poll" {
            limit = result = $0
            sub(/.* limit=/, "", limit); sub(/ .*/, "", limit)
            sub(/.* = (-1 )?/, "", result)
            print act, int(($1 - start) / 1000), $6, us(limit), result
        }' "$trace")
    [[ -n $did ]] || fail "the trace is empty: $output"
}

@test "a slow reader gets all of the message, once and in order" {
    run -0 send_all
    act 1
    assert_equal "$(field bytes "$sent")" "$(field bytes "${lines[0]}")"
    assert_equal "$(field error "$sent")" none
    assert_equal "$(field bytes "$got")" "$(field bytes "$sent")"
    assert_equal "$(field in_order "$got")" yes
}

@test "at the deadline, not before it, send_all says EAGAIN" {
    run -0 send_all 40ms
    for number in 2 3; do
        act $number
        assert_equal "$(field error "$sent")" EAGAIN
        assert_at_least 40 "$(field waited_ms "$sent")"
    done
}

@test "the count that it tells then is what the reader gets, and in order" {
    run -0 send_all 40ms
    for number in 2 3; do
        act $number
        assert_between 1 "$(field bytes "${lines[0]}")" "$(field bytes "$sent")"
        assert_equal "$(field bytes "$got")" "$(field bytes "$sent")"
        assert_equal "$(field in_order "$got")" yes
    done
}

@test "a reader that closes half-way is EPIPE, and no signal" {
    run -0 env --default-signal=PIPE send_all
    act 4
    assert_equal "$(field error "$sent")" EPIPE
    # It may have closed before it read all that was sent.
    assert_at_least "$(field bytes "$got")" "$(field bytes "$sent")"
    assert_between 1 "$(field bytes "${lines[0]}")" "$(field bytes "$sent")"
}

@test "each wait is given what is left until the deadline, rounded up to 1 ms" {
    watch send_all 150ms
    awk '$3 == "send" { before = $2 }
         $3 == "poll" && ($1 == 2 || $1 == 3) { n[$1]++
             if ($4 <= 0 || $4 >= 150000 - before + 1001) { print; bad = 1 } }
         END { exit bad || n[2] < 2 && n[3] < 2 }' <<<"$did" || fail "$did"
}

@test "after the last wait there is a last look, which does not wait" {
    watch send_all 40ms
    for number in 2 3; do
        run tail -n 2 <<<"$(grep "^$number " <<<"$did")"
        assert_line --index 0 --partial " poll "
        assert_line --index 1 --partial " send 0 "
    done
}

@test "it does not spin: there is one send more than there are polls" {
    watch send_all 40ms
    for number in 1 2 3 4; do
        sends=$(grep -c "^$number .* send " <<<"$did")
        polls=$(grep -c "^$number .* poll " <<<"$did")
        assert_equal "$sends" $((polls + 1))
    done
}

@test "with a limit of zero there is one look, and what fits goes" {
    watch send_all 0ms
    act 3
    assert_equal "$(field error "$sent")" EAGAIN
    assert_at_least 1 "$(field bytes "$sent")"
    run grep -c "^3 " <<<"$did"
    assert_output 1
}

@test "a limit for each wait is no limit for the call" {
    watch limit_per_wait
    line=${lines[1]}
    assert_equal "$(field result "$line")" "$(field bytes "${lines[0]}")"
    assert_equal "$(field limit_ms "$line")" 250
    assert_at_least 375 "$(field waited_ms "$line")"
    # No wait has reached its limit: each ended because there was room.
    run awk '$1 == 1 && $3 == "poll" && $4 == 250000 { print $5 }' <<<"$did"
    assert_at_least 3 "${#lines[@]}"
    assert_equal "$(sort -u <<<"$output")" 1
}

@test "a loop that gives up with -1 has sent a part all the same" {
    run -0 limit_per_wait 20ms
    assert_line --index 3 --partial "sender: returned result=-1 "
    assert_between 1 "$(field bytes "${lines[0]}")" "$(field bytes "${lines[4]}")"
    assert_equal "$(field in_order "${lines[4]}")" yes
}

@test "who spins sends a hundred times as often, and uses more CPU time" {
    run -0 spin_or_poll
    spin=$(line_of "spin: ") poll=$(line_of "poll: ")
    for way in "$spin" "$poll"; do
        assert_equal "$(field bytes "$way")" "$(field bytes "${lines[0]}")"
    done
    # valgrind looks at each byte offered: then it is slow, and not its waiting.
    [[ -z ${KIT_UNDER-} ]] || return 0
    assert_at_least $(($(field sends "$poll") * 100)) "$(field sends "$spin")"
    assert_at_least $(($(field cpu_us "$poll") * 2)) "$(field cpu_us "$spin")"
}

@test "poll() says no where send() says yes" {
    run -0 writable_rule
    assert_line --index 1 --regexp " poll=no sleeper=asleep$"
    line=${lines[2]}
    [[ $line == "sender: offered "* ]] || fail "$line"
    assert_equal "$(field taken "$line")" "$(field bytes "$line")"
}

@test "poll() says yes when most of the queue has been read" {
    run -0 writable_rule
    run grep ^reader: <<<"$output"
    assert_equal "$(grep -c poll=yes <<<"$output")" 1
    assert_equal "$(field poll "${lines[-1]}")" yes
    assert_between 50 101 "$(field percent "${lines[0]}")"
    assert_between 0 50 "$(field percent "${lines[-1]}")"
}

@test "the sleeper in poll() wakes when poll() says yes, not sooner" {
    run -0 writable_rule
    run grep ^reader: <<<"$output"
    assert_equal "$(grep -c "poll=no sleeper=asleep" <<<"$output")" \
        $((${#lines[@]} - 1))
    assert_line --index -1 --partial "poll=yes sleeper=awake"
    # No clock has a part in it: the same chunk wakes it each time.
    first=$output
    run -0 writable_rule
    assert_equal "$(grep ^reader: <<<"$output")" "$first"
}

@test "writable is not room for all: a larger message is cut short" {
    run -0 writable_rule
    line=${lines[-1]}
    [[ $line == "sender: offered "* ]] || fail "$line"
    assert_between 1 "$(field bytes "$line")" "$(field taken "$line")"
}

@test "select() and poll() agree, if both the set and the limit are filled anew" {
    run -0 select_writable
    run grep ^anew: <<<"$output"
    assert_equal "${#lines[@]}" 2
    assert_line --index 0 --regexp "^anew: select=no poll=no set=1 after=0 "
    assert_line --index 1 --regexp "^anew: select=yes poll=yes set=1 after=1 "
}

@test "select() waits for its limit, not less, and glibc leaves 0 of it" {
    run -0 select_writable 15ms
    line=${lines[1]}
    assert_equal "$(field limit_us "$line")" 15000
    assert_at_least 15000 "$(field waited_us "$line")"
    assert_equal "$(field left_us "$line")" 0
    assert_equal "$(field limit_us "$(line_of "as_left: ")")" 0
}

@test "a set that select() has emptied asks for nothing" {
    run -0 select_writable
    assert_regex "$(line_of "as_left: ")" ": select=no poll=yes set=0 after=0 "
}

@test "select() does not look at the descriptor that is its first argument" {
    run -0 select_writable
    line=$(line_of "without_plus_1: ")
    assert_regex "$line" ": select=no poll=yes set=1 "
    assert_at_least "$(field limit_us "$line")" "$(field waited_us "$line")"
}

@test "without <sys/select.h> there is no select(), for a strict compiler" {
    copy=$BATS_TEST_TMPDIR/chapters/03_wait_for_writable
    mkdir -p "$copy"
    cd "$BATS_TEST_DIRNAME/../.."
    cp -R common "$BATS_TEST_TMPDIR"
    cp chapters/03_wait_for_writable/select_writable.c "$copy"
    read -ra cc <<<"${CC:-cc}"
    cc+=(-std=c11 -c "$copy/select_writable.c" -o "$BATS_TEST_TMPDIR/out")
    run -0 "${cc[@]}"
    sed -i '/<sys\/select.h>/d' "$copy/select_writable.c"
    run ! "${cc[@]}"
    assert_output --partial fd_set
}

# with_descriptors [ARG...]: run fd_setsize where it can show its lesson.
with_descriptors() {
    run fd_setsize "$@"
    [[ $status -ne 77 ]] || lacks "descriptors above 1023: ulimit -n"
    # clang's; that of gcc takes the end of a set for one that is open.
    [[ $output != *"out of bounds for type"* ]] ||
        skip "the sanitizer stops it at FD_SET(), as it should"
    [[ $status -eq 0 ]] || fail "$status: $output"
}

# set_of NUMBER: what its child says of FD_SET().
set_of() {
    line=$(line_of "child: FD_SET descriptor=$1 ")
    byte=$(field byte "$line")
}

@test "FD_SET() of 1024 or more writes behind the set" {
    with_descriptors
    bytes=$(field bytes "${lines[0]}")
    set_of 1023
    assert_between 0 "$bytes" "$byte"
    assert_equal "$(field past_the_set "$line")" no
    for number in 1024 1500; do
        set_of $number
        assert_at_least "$bytes" "$byte"
        assert_equal "$(field past_the_set "$line")" yes
    done
}

@test "select() answers from there, as if all were well" {
    with_descriptors 1500
    set_of 1500
    assert_equal "$(field select "$line")" 1
}

@test "poll() has no largest descriptor" {
    with_descriptors
    for number in 1023 1024 1500; do
        assert_line "child: poll descriptor=$number ready=1"
    done
}

@test "a C library that checks FD_SET() ends the program there" {
    with_descriptors
    read -ra cc <<<"${CC:-cc}"
    program=$BATS_TEST_TMPDIR/fd_setsize
    cd "$BATS_TEST_DIRNAME/../../chapters/03_wait_for_writable"
    run -0 "${cc[@]}" -O1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 fd_setsize.c \
        -o "$program"
    grep -q __fdelt_chk "$program" || lacks "a C library that checks"
    run -0 "$KIT_BUILD/tools/bound" "$program"
    set_of 1023
    for number in 1024 1500; do
        assert_line "child: killed descriptor=$number signal=6"
    done
    refute_output --partial past_the_set=yes
}

@test "fd_setsize exits with 77 where descriptors end too soon for it" {
    lower() {
        ulimit -n 1400 2>/dev/null || : # or it is lower already
        fd_setsize
    }
    run -77 lower
    # valgrind keeps some for itself.
    assert_output --regexp "^fd_setsize: here descriptors end at [0-9]+$"
}

@test "who sends until EAGAIN gets as many events by edge as by level" {
    run -0 epoll_edges
    for how in level edge; do
        line=$(line_of "$how: until_eagain ")
        assert_equal "$(field events "$line")" "$(field rounds "$line")"
    done
}

@test "by edge no event comes after a send that leaves room, by level it does" {
    for limit in 1ms 100ms; do
        run -0 epoll_edges $limit
        assert_line "level: one_send parts=8 sent=8 events=8"
        assert_line "edge: one_send parts=8 sent=1 events=1"
    done
}

@test "whoever asks anew is told anew" {
    run -0 epoll_edges
    assert_equal "$(field events "$(line_of "edge: asked_anew ")")" 1
}

@test "by level who has nothing to send is woken for ever, by edge once" {
    run -0 epoll_edges
    line=$(line_of "level: idle ")
    assert_equal "$(field events "$line")" "$(field most "$line")"
    assert_equal "$(field events "$(line_of "edge: idle ")")" 1
}

@test "whoever asks for nothing is not woken" {
    run -0 epoll_edges
    for how in level edge; do
        line=$(line_of "$how: asked_for_nothing ")
        assert_equal "$(field events "$line")" 0
    done
}
