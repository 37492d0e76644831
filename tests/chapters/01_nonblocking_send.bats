# Chapter 1: what send() answers when it cannot do what it was asked.

setup() {
    load ../helpers
    use chapters/01_nonblocking_send
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

@test "MSG_DONTWAIT, SO_SNDTIMEO and O_NONBLOCK all end in EAGAIN, alias EWOULDBLOCK" {
    run -0 send_refused 1ms
    line=$(line_of "EAGAIN: ")
    [[ $line == *" text=Resource temporarily unavailable" ]] || fail "$line"
    assert_equal "$(field ewouldblock "$line")" "$(field number "$line")"
    for way in MSG_DONTWAIT SO_SNDTIMEO O_NONBLOCK; do
        line=$(line_of "sender: refused way=$way ")
        assert_equal "$(field errno "$line")" EAGAIN
    done
}

@test "MSG_DONTWAIT answers without a sleep and leaves O_NONBLOCK off" {
    run -0 send_refused 1ms
    line=$(line_of "sender: refused way=MSG_DONTWAIT ")
    assert_equal "$(field waited_ms "$line")" 0
    assert_equal "$(field o_nonblock "$line")" no
}

@test "SO_SNDTIMEO gives EAGAIN on a blocking socket, never before its time" {
    run -0 send_refused 70ms
    line=$(line_of "sender: refused way=SO_SNDTIMEO ")
    assert_equal "$(field errno "$line")" EAGAIN
    assert_equal "$(field o_nonblock "$line")" no
    assert_at_least 70 "$(field waited_ms "$line")"
}

@test "SO_SNDTIMEO and O_NONBLOCK bind a dup() of the descriptor too" {
    run -0 send_refused 70ms
    line=$(line_of "copy: refused way=SO_SNDTIMEO ")
    assert_at_least 70 "$(field waited_ms "$line")"
    line=$(line_of "copy: refused way=O_NONBLOCK ")
    assert_equal "$(field waited_ms "$line")" 0
    assert_equal "$(field o_nonblock "$line")" yes
}

@test "O_NONBLOCK wins over SO_SNDTIMEO: no sleep although both are set" {
    run -0 send_refused 70ms
    line=$(line_of "sender: refused way=O_NONBLOCK ")
    assert_equal "$(field waited_ms "$line")" 0
    assert_equal "$(field o_nonblock "$line")" yes
}

@test "O_NONBLOCK does not reach poll(), which waits until its own limit" {
    run -0 send_refused 1ms
    line=$(line_of "sender: polled ")
    assert_equal "$(field o_nonblock "$line")" yes
    assert_equal "$(field writable "$line")" no
    assert_at_least 20 "$(field waited_ms "$line")"
}

@test "a patience of zero is refused: SO_SNDTIMEO would read it as for ever" {
    for program in send_refused send_partial timeout_per_wait; do
        run -2 "$program" 0ms
        assert_output "$program: SO_SNDTIMEO reads 0 as 'wait for ever'"
    done
}

@test "a plain send sleeps on when the first chunk of room is free" {
    run -0 send_blocks
    assert_line --index 0 --partial "queue: full bytes="
    assert_line --index 1 "reader: read total_bytes=16384 sender=asleep"
    # Free it was: a bystander who did not wait could use it.
    assert_line --index 2 "bystander: sent bytes=16384 sender=asleep"
}

@test "a plain send comes back after more than half of the queue was read" {
    run -0 send_blocks
    full=$(field bytes "${lines[0]}")
    last=$(tail -n 1 <<<"$output")
    assert_equal "$(field sender "$last")" back
    assert_at_least $((full / 2 + 1)) "$(field total_bytes "$last")"
    assert_equal "$(grep -c "sender=back" <<<"$output")" 1
}

@test "the sleeper wakes at the same chunk however slow the reader is" {
    quick=$(send_blocks)
    run -0 send_blocks 7ms
    assert_output "$quick"
}

# counts WAY: from send_partial, how much was offered, and sent in this way.
counts() {
    offered=$(field bytes "$(line_of "message: ")")
    sent=$(field bytes "$(line_of "sender: sent way=$1 ")")
}

@test "a message larger than the room is cut short first and refused second" {
    run -0 send_partial 1ms
    counts MSG_DONTWAIT
    assert_between 1 "$offered" "$sent"
    line=$(line_of "sender: refused way=MSG_DONTWAIT ")
    assert_equal "$(field errno "$line")" EAGAIN
}

@test "SO_SNDTIMEO that strikes half-way returns the count so far, no error" {
    run -0 send_partial 70ms
    counts SO_SNDTIMEO
    assert_between 1 "$offered" "$sent"
    line=$(line_of "sender: sent way=SO_SNDTIMEO ")
    assert_at_least 70 "$(field waited_ms "$line")"
    # EAGAIN is for the next call, which waits anew.
    line=$(line_of "sender: refused way=SO_SNDTIMEO ")
    assert_equal "$(field errno "$line")" EAGAIN
    assert_at_least 70 "$(field waited_ms "$line")"
}

@test "what send() counted can be read at once, though its end was closed" {
    run -0 send_partial 1ms
    for act in "MSG_DONTWAIT 3" "SO_SNDTIMEO 6"; do
        counts "${act% *}"
        assert_line --index "${act#* }" "reader: received bytes=$sent"
    done
}

@test "a caller who only compares with -1 loses the rest and does not know" {
    run -0 send_partial 1ms
    counts SO_SNDTIMEO
    assert_equal "$(line_of "naive: ")" "naive: believes bytes=$offered"
    assert_between 1 "$offered" "$(field bytes "${lines[-1]}")"
}

# peer STATE KEY=VALUE...: so peer_gone answered about a peer in this state.
peer() {
    local answer answers
    answers=$(line_of "peer: $1 ")
    shift
    for answer; do
        [[ " $answers " == *" $answer "* ]] || fail "not $answer: $answers"
    done
}

@test "send() of one byte never says 0; of no bytes it says 0 even to a full queue" {
    run -0 peer_gone
    peer open send_1=1
    peer full send_1=EAGAIN send_0=0
    peer unread send_1=EPIPE
    peer gone send_1=EPIPE send_0=EPIPE
    refute_output --partial send_1=0
}

@test "a peer has gone when the last descriptor of its end is closed" {
    run -0 peer_gone
    peer copied send_1=EAGAIN recv=EAGAIN
    peer unread send_1=EPIPE
}

@test "recv() says 0 for a peer that has gone, ECONNRESET if bytes were unread" {
    run -0 peer_gone
    peer open recv=EAGAIN
    peer gone recv=0
    peer unread recv=ECONNRESET
}

@test "poll() says POLLOUT for room, and with POLLHUP for a peer that has gone" {
    run -0 peer_gone
    peer open poll=OUT
    peer full poll=none
    peer copied poll=none
    peer unread "poll=OUT|ERR|HUP"
    peer gone "poll=OUT|HUP"
}

@test "without MSG_NOSIGNAL the sender is ended by SIGPIPE" {
    run -0 peer_gone
    line_of "careless: killed signal=SIGPIPE"
    run -0 sh -c "trap '' PIPE; exec peer_gone" # what is ignored is inherited
    line_of "careless: killed signal=SIGPIPE"
}

@test "O_NONBLOCK set by a copy is on for the original, and off for the peer" {
    run -0 shared_flag
    assert_line --index 0 "socket: opened original=no copy=no peer=no"
    assert_line --index 1 "copy: set_flag original=yes copy=yes peer=no"
    assert_line --index 2 "original: cleared_flag original=no copy=no peer=no"
}

@test "O_NONBLOCK set by a child stays when the child has exited" {
    run -0 shared_flag
    assert_line --index 3 "child: set_flag_and_exited original=yes copy=yes peer=no"
}

@test "F_SETFL without the flags that were there wipes O_APPEND" {
    run -0 shared_flag
    assert_line --index 4 "careful: set_flag o_append=yes log=AAAAbb"
    assert_line --index 5 "careless: set_flag o_append=no log=bbAA"
}

# signalled QUEUE SA_RESTART SNDTIMEO: that line of send_interrupted.
signalled() {
    line_of "sender: woken queue=$1 sa_restart=$2 sndtimeo=$3 "
}

@test "a signal ends a send with EINTR if nothing has gone out" {
    run -0 send_interrupted
    line=$(signalled full no no)
    assert_equal "$(field after "$line")" back
    assert_equal "$(field send "$line")" EINTR
}

@test "SA_RESTART lets a send go on if nothing has gone out" {
    run -0 send_interrupted
    line=$(signalled full yes no)
    assert_equal "$(field after "$line")" asleep
    assert_equal "$(field send "$line")" "$(field bytes "${lines[0]}")"
}

@test "SA_RESTART does nothing for a send once SO_SNDTIMEO is set" {
    run -0 send_interrupted
    line=$(signalled full yes yes)
    assert_equal "$(field after "$line")" back
    assert_equal "$(field send "$line")" EINTR
}

@test "a signal ends a send with a short count if something has gone out" {
    run -0 send_interrupted
    for sa_restart in no yes; do
        line=$(signalled empty $sa_restart no)
        assert_equal "$(field after "$line")" back
        assert_between 1 "$(field bytes "${lines[0]}")" "$(field send "$line")"
    done
}

@test "SO_SNDTIMEO limits each wait: a call with a slow reader lasts longer" {
    run -0 timeout_per_wait
    assert_line --index 0 --partial "message: bytes="
    limit=$(field limit_ms "${lines[1]}")
    assert_at_least 20 "$limit"
    # Else the reader would have come too late for it.
    assert_between 1 "$limit" "$(field pause_ms "${lines[1]}")"
    assert_equal "$(field bytes "${lines[1]}")" "$(field bytes "${lines[0]}")"
    assert_at_least $((2 * limit)) "$(field waited_ms "${lines[1]}")"
}

@test "SO_SNDTIMEO does not bind poll(), which waits until its own limit" {
    run -0 timeout_per_wait
    assert_line --index 2 --partial "sender: polled writable=no "
    limit=$(field limit_ms "${lines[2]}")
    assert_at_least 20 "$limit"
    assert_equal "$(field poll_ms "${lines[2]}")" $((2 * limit))
    assert_at_least $((2 * limit)) "$(field waited_ms "${lines[2]}")"

    # It is the full socket that poll() is asked about.
    local program=$KIT_BUILD/chapters/01_nonblocking_send/timeout_per_wait
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$program" || return 0
    trace=$BATS_TEST_TMPDIR/trace
    run -0 "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so "$program"
    run -0 awk '$6 == "send" && / EAGAIN/ { full = $7 }
        $5 == "begin" && $6 == "poll" { print (full == $7 ? "same" : $7) }' \
        "$trace"
    assert_output same
}

@test "an SO_SNDTIMEO of 0 is no limit, though there was one before" {
    run -0 timeout_per_wait 10ms
    assert_line --index 3 --partial "limit_ms=0 pause_ms=20 "
    assert_equal "$(field bytes "${lines[3]}")" "$(field bytes "${lines[0]}")"
    assert_at_least 40 "$(field waited_ms "${lines[3]}")"
}
