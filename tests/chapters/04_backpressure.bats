# Chapter 4: what to do when the reader does not catch up.

setup() {
    load ../helpers
    use chapters/04_backpressure
}

# marks LOW: watermarks' numbers with this low mark.
marks() {
    run -0 watermarks "$1"
    times=$(field times "${lines[0]}") high=$(field high "${lines[0]}")
    most=$(field most "${lines[-1]}") least=$(field least "${lines[-1]}")
    sent=$(field sent "${lines[-1]}")
}

# policy NAME: the numbers of overflow_policies' row with this name.
policy() {
    read -r _ made read lost left oldest most < <(grep "^$1 " <<<"$output")
    : "$made $lost $left $oldest"
    [[ -n $most ]] || fail "no row $1 in: $output"
}

# peer NAME WAY: what both_sending says of it; sent, received, waited.
peer() {
    line=$(grep "^$1: .* way=$2 " <<<"$output") || fail "no $1 $2 in: $output"
    sent=$(field sent "$line") received=$(field received "$line")
    waited=$(field waited_ms "$line")
}

# burst SIZE: unbounded_outbox's numbers for bursts of this size.
burst() {
    run -0 unbounded_outbox "$1"
    messages=$(field messages "${lines[0]}")
    IFS=, read -ra lengths <<<"$(field before_bursts "${lines[-2]}")"
    most=$(field most "${lines[-2]}") left=$(field left "${lines[-2]}")
    sent=$(field sent "${lines[-1]}") hidden=$(field hidden_eagain "${lines[-1]}")
    longest=$(field longest_wait "${lines[-1]}")
}

@test "a gap between the marks means fewer pauses, a wider one still fewer" {
    marks 7 # on again as soon as it is below the high mark
    without=$times before=$times
    for low in 5 2 0; do
        marks $low
        assert_between 1 "$before" "$times"
        assert_at_least $((2 * times)) "$without"
        before=$times
    done
}

@test "the outbox never holds more than the high mark" {
    for low in 7 2 0; do
        marks $low
        assert_equal "$most" "$high"
    done
}

@test "the source goes on when the outbox is down to the low mark, not before" {
    for low in 7 2 0; do
        marks $low
        assert_equal "$least" $low
    done
}

@test "fewer pauses cost no delivery" {
    marks 7
    without=$sent
    for low in 2 0; do
        marks $low
        assert_equal "$sent" "$without"
    done
}

@test "the drawing shows each time that the outbox was full" {
    marks 2
    row=$(grep "^ high $high |" <<<"$output")
    row=${row//[!#]/}
    assert_equal ${#row} "$times"
    assert_line "      1 |$(printf '#%.0s' {1..60})|"
}

@test "no policy makes the reader read more" {
    run -0 overflow_policies
    policy grow
    all=$read
    for name in block drop_newest drop_oldest; do
        policy $name
        assert_equal "$read" "$all"
    done
}

@test "without a bound nothing is lost, and the outbox grows all the time" {
    run -0 overflow_policies
    policy grow
    assert_equal "$lost" 0
    assert_at_least $((made / 2)) "$most"
    assert_at_least $((made / 2)) "$oldest"
}

@test "a bound on the outbox is kept by each policy" {
    run -0 overflow_policies
    for name in block drop_newest drop_oldest disconnect; do
        policy $name
        assert_equal "$most" 10
    done
}

@test "blocking loses nothing, because the source makes less" {
    run -0 overflow_policies
    policy grow
    all=$made
    policy block
    assert_equal "$lost" 0
    assert_between 1 $((all / 2)) "$made"
}

@test "dropping the oldest loses as many as the newest, and delivers younger ones" {
    run -0 overflow_policies
    policy drop_newest
    newest=$lost age=$oldest
    policy drop_oldest
    assert_at_least 1 "$lost"
    assert_equal "$lost" "$newest"
    assert_between 1 $((age / 2)) "$oldest"
}

@test "what a large send buffer holds grows old under every policy" {
    run -0 overflow_policies 3 200000
    policy grow
    grown=$oldest
    for name in block drop_newest drop_oldest disconnect; do
        policy $name
        assert_equal "$oldest" "$grown"
    done
}

@test "a reader that is cut off gets the least, and nothing waits for it" {
    run -0 overflow_policies
    policy grow
    all=$read
    policy disconnect
    assert_between 1 $((all / 2)) "$read"
    assert_equal "$left" 0
    assert_equal "$lost" $((made - read))
}

@test "a reader that keeps up sees no difference between the policies" {
    run -0 overflow_policies 1
    policy grow
    same="$made $made 0 0 $oldest $most"
    for name in grow block drop_newest drop_oldest disconnect; do
        policy $name
        assert_equal "$made $read $lost $left $oldest $most" "$same"
    done
}

@test "in ticks, the same comes out on every run" {
    for program in watermarks overflow_policies unbounded_outbox pace_sender; do
        first=$("$program")
        run -0 "$program"
        assert_output "$first"
    done
}

@test "two peers that send before they read both stop" {
    run -0 both_sending 50ms
    for name in east west; do
        peer $name send_first
        [[ $line == "$name: timed_out "* ]] || fail "$line"
        assert_between 1 1048576 "$sent"
        assert_equal "$received" 0
    done
}

@test "a deadline ends their wait, and not before its time" {
    run -0 both_sending 70ms
    for name in east west; do
        peer $name send_first
        assert_at_least 70 "$waited"
    done
}

@test "a later deadline moves no byte more" {
    run -0 both_sending 10ms
    peer east send_first
    short=$sent
    run -0 both_sending 150ms
    peer east send_first
    assert_equal "$sent" "$short"
    assert_equal "$received" 0
}

@test "peers that poll for in and out together both finish" {
    run -0 both_sending 1ms
    for name in east west; do
        peer $name in_and_out
        assert_equal "$name: done $sent $received" "$name: done 1048576 1048576"
        assert_line --partial "$name: done way=in_and_out "
    done
}

@test "as long as all of it fits into the queues, sending first works" {
    run -0 both_sending 10s 10000
    for name in east west; do
        peer $name send_first
        [[ $line == "$name: done "* ]] || fail "$line"
        assert_equal "$received" 10000
    done
}

@test "an outbox without a bound refuses no message, and hides each EAGAIN" {
    burst 15
    assert_equal "$messages" $((15 * 6))
    assert_equal $((sent + left)) "$messages"
    assert_at_least $((messages / 2)) "$hidden"
}

@test "for a burst that the reader makes up for, an outbox is enough" {
    for size in 9 10; do
        burst $size
        assert_equal "${lengths[*]} $left $most" "0 0 0 0 0 0 0 $size"
    done
}

@test "if more is made than read, it is longer before each burst" {
    for size in 11 20; do
        burst $size
        more=$((size - 10))
        for i in {0..5}; do
            assert_equal "${lengths[i]}" $((i * more))
        done
        assert_equal "$left $most" "$((6 * more)) $((size + 5 * more))"
    done
}

@test "the longer an outbox is, the older is what leaves it" {
    last=0
    for size in 10 11 20; do
        burst $size
        assert_at_least $((last + 1)) "$longest"
        last=$longest
    done
}

# pace READS THEN: pace_sender's averages in the two halves, times ten.
pace() {
    run -0 pace_sender "$1" "$2"
    first=$(field average "${lines[-3]}") then=$(field average "${lines[-2]}")
    first=${first/./} then=${then/./}
    read=$(field messages "${lines[-1]}") of=$(field of "${lines[-1]}")
}

@test "the rate settles near the reader's, and follows it up and down" {
    for reads in "6 12" "10 5"; do
        # shellcheck disable=SC2086 # two words
        pace $reads
        assert_between $((${reads% *} * 8)) $((${reads% *} * 12)) "$first"
        assert_between $((${reads#* } * 8)) $((${reads#* } * 12)) "$then"
    done
}

@test "the reader always finds something to read" {
    pace 8 8
    assert_equal "$read" "$of"
}

@test "one message more in each tick, and half as many after EAGAIN" {
    trace=$BATS_TEST_TMPDIR/trace
    program=$KIT_BUILD/chapters/04_backpressure/pace_sender
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$program" || skip "not with an address sanitizer"
    run -0 "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so "$program"
    # A tick is what is sent between two times of reading. The first EAGAIN
    # is that of the full queue at the start.
    run -0 awk '
        $5 != "end" { next }
        $6 == "send" && !full { full = / EAGAIN/; next }
        $6 == "send" && / EAGAIN/ { no = 1 }
        $6 == "send" && !/ EAGAIN/ { sent++ }
        $6 == "send" { open = 1 }
        $6 == "recv" && open {
            if (!rate) rate = 1
            if (no ? sent >= rate : sent != rate) { print "tick", ticks; exit 1 }
            rate = no ? int(rate / 2) : rate + 1
            refused += no
            ticks++; open = no = sent = 0
        }
        END { print ticks, refused }' "$trace"
    assert_output "60 7"
}
