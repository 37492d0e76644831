# Chapter 2: where the bytes are that have been sent, and how many fit.

setup() {
    load ../helpers
    use chapters/02_send_buffers
}

# cell ROW COLUMN: from the table in the output; a row goes by its first cell.
cell() {
    awk -F'\t' -v row="$1" -v name="$2" '
        !column { for (i = 1; i <= NF; i++) if ($i == name) column = i; next }
        $1 == row && NF >= column { print $column; exit }' <<<"$output" |
        grep . || fail "no $2 of $1 in: $output"
}

# sizes: what fill_buffer's table is about; all its chunks, in their order.
sizes() {
    sndbuf=$(field sndbuf_bytes "${lines[0]}")
    chunks=(1 4 16 64 256 1024 4096 16384 65536)
}

@test "one byte a send, and a hundredth of the send buffer's size does not fit" {
    run -0 fill_buffer
    sizes
    assert_between 1 $((sndbuf / 100)) "$(cell 1 bytes)"
}

@test "the more bytes each send brings, the more bytes fit" {
    run -0 fill_buffer
    for pair in "1 16" "16 256" "256 4096" "4096 65536"; do
        assert_at_least $(($(cell "${pair% *}" bytes) + 1)) \
            "$(cell "${pair#* }" bytes)"
    done
}

@test "sixteen bytes are charged as much as one" {
    run -0 fill_buffer
    assert_equal "$(cell 16 sends)" "$(cell 1 sends)"
    assert_equal "$(cell 16 charged)" "$(cell 1 charged)"
}

@test "a send buffer is full when the charge has reached its size" {
    run -0 fill_buffer
    sizes
    for chunk in "${chunks[@]}"; do
        assert_at_least "$sndbuf" "$(cell "$chunk" charged)"
        assert_at_least "$(cell "$chunk" bytes)" "$(cell "$chunk" charged)"
    done
}

@test "a send is let in while the charge is below the size, and may go past it" {
    run -0 fill_buffer
    sizes
    for chunk in 1 256 16384; do # these went in whole, so each cost the same
        sends=$(cell $chunk sends)
        assert_equal "$(cell $chunk bytes)" $((sends * chunk))
        assert_between "$sndbuf" $((sndbuf * sends / (sends - 1) + 1)) \
            "$(cell $chunk charged)"
    done
    assert_at_least $((sndbuf + 1)) "$(cell 16384 charged)"
}

@test "the drawing shows what the table says" {
    run -0 fill_buffer
    sizes
    for chunk in "${chunks[@]}"; do
        bar=$(sed -n "s/^ *$chunk \([#.]*|[#.]*\)$/\1/p" <<<"$output")
        own=${bar//[!#]/} all=${bar//|/} size=${bar%%|*}
        assert_equal ${#size} 40
        assert_equal ${#own} $(($(cell "$chunk" bytes) * 40 / sndbuf))
        assert_equal ${#all} $(($(cell "$chunk" charged) * 40 / sndbuf))
    done
}

@test "SO_SNDBUF reads back twice what was asked for" {
    run -0 sndbuf_sizes
    assert_equal "$(cell 10000 SNDBUF)" 20000
    assert_equal "$(cell 50000 SNDBUF)" 100000
    run -0 sndbuf_sizes 77777
    assert_equal "$(cell 77777 SNDBUF)" 155554
}

@test "a size below a minimum is raised, one above a cap is cut, with no error" {
    local wmem_max=/proc/sys/net/core/wmem_max
    run -0 sndbuf_sizes
    assert_at_least 2001 "$(cell 1000 SNDBUF)"
    assert_equal "$(cell 0 SNDBUF)" "$(cell 1000 SNDBUF)"
    cap=$(cell INT_MAX SNDBUF)
    assert_between 1 2147483647 "$cap"
    [[ ! -r $wmem_max ]] || assert_equal "$cap" $((2 * $(<"$wmem_max")))
    run -0 sndbuf_sizes "$cap" # twice as much as the cap lets through
    assert_equal "$(cell "$cap" SNDBUF)" "$cap"
}

@test "the larger the send buffer, the fewer EAGAIN" {
    run -0 sndbuf_sizes
    for pair in "0 10000" "10000 50000" "50000 200000"; do
        assert_at_least $((2 * $(cell "${pair#* }" EAGAIN))) \
            "$(cell "${pair% *}" EAGAIN)"
    done
    assert_at_least 1 "$(cell 200000 EAGAIN)"
    assert_at_least "$(cell INT_MAX EAGAIN)" "$(cell 200000 EAGAIN)"
}

@test "the larger the send buffer, the more is sent and not yet read" {
    run -0 sndbuf_sizes
    for pair in "0 10000" "10000 50000" "50000 200000"; do
        assert_between 1 "$(cell "${pair#* }" behind)" \
            "$(cell "${pair% *}" behind)"
    done
    assert_at_least "$(cell 200000 behind)" "$(cell INT_MAX behind)"
}

@test "the reader's receive buffer changes nothing, however small" {
    run -0 sndbuf_sizes
    IFS=$'\t' read -r -a usual <<<"${lines[1]}"
    IFS=$'\t' read -r -a small <<<"${lines[2]}"
    assert_between 1 "${usual[2]}" "${small[2]}"
    unset 'usual[2]' 'small[2]'
    assert_equal "${small[*]}" "${usual[*]}"
}

@test "the list that netstat -t prints has send queues, that of AF_UNIX has none" {
    run -0 grep -c tx_queue /proc/net/tcp
    assert_output 1
    run -1 grep -c queue /proc/net/unix
    assert_output 0
}

@test "a message socket hands over a send at a time, a stream joins them" {
    run -0 message_too_big
    assert_line --partial "stream: received bytes=8 sent=3+5 "
    assert_line --partial "dgram: received bytes=3 sent=3+5 "
    assert_line --partial "seqpacket: received bytes=3 sent=3+5 "
}

@test "a message as large as the send buffer is EMSGSIZE, empty or full" {
    run -0 message_too_big
    for kind in dgram seqpacket; do
        sndbuf=$(field sndbuf "$(grep "^$kind: received " <<<"$output")")
        assert_line "$kind: empty one=1 big=EMSGSIZE of=$sndbuf"
        assert_line "$kind: full one=EAGAIN big=EMSGSIZE of=$sndbuf"
    done
}

@test "a stream cuts short what a message socket refuses" {
    run -0 message_too_big
    line=$(grep "^stream: empty " <<<"$output")
    assert_between 1 "$(field of "$line")" "$(field big "$line")"
    assert_line --partial "stream: full one=EAGAIN big=EAGAIN "
}

@test "a receiver's queue takes as many messages as max_dgram_qlen, and one" {
    local limit=/proc/sys/net/unix/max_dgram_qlen
    [[ -r $limit ]] || lacks "$limit"
    run -0 message_queue
    assert_equal "$(field messages "${lines[0]}")" $(($(<"$limit") + 1))
}

@test "a newcomer is refused by a full receiver, and each time poll said yes" {
    run -0 message_queue
    rounds=$(field rounds "${lines[1]}")
    assert_at_least 1 "$rounds"
    assert_equal "$(field refused "${lines[1]}")" "$rounds"
    assert_equal "$(field writable "${lines[1]}")" "$rounds"
}

@test "poll sees a full receiver once the sender is connected" {
    run -0 message_queue
    assert_line --index 2 "connected: tried writable=no send=EAGAIN"
}

@test "one message read makes room for one" {
    run -0 message_queue
    assert_line --index 3 "receiver: read messages=1"
    assert_line --index 4 "connected: tried writable=yes send=1"
}

# same_charge LINE...: in these lines of queued_bytes, counted from 0.
same_charge() {
    local first=$1 line
    for line; do
        assert_equal "$(field charged "${lines[line]}")" \
            "$(field charged "${lines[first]}")"
    done
}

@test "a piece is charged as long as a byte of it is unread" {
    run -0 queued_bytes
    assert_line --index 2 --regexp "^sender: sent bytes=100 .* unread=200$"
    assert_line --index 3 --regexp "^reader: read bytes=50 .* unread=150$"
    assert_line --index 4 --regexp "^reader: read bytes=49 .* unread=101$"
    same_charge 2 3 4
}

@test "with its last byte a piece gives back all that it was charged" {
    run -0 queued_bytes
    assert_line --index 0 "queue: empty charged=0 unread=0"
    assert_line --index 5 --regexp "^reader: read bytes=1 .* unread=100$"
    same_charge 1 5 # as before the second piece was sent
    assert_line --index 6 "reader: read bytes=100 charged=0 unread=0"
}

@test "what the sender is charged is more than what is unread" {
    run -0 queued_bytes
    for line in "${lines[@]:1:5}"; do
        assert_at_least $(($(field unread "$line") + 1)) \
            "$(field charged "$line")"
    done
}

@test "the larger the send buffer, the older the news that is read" {
    run -0 stale_bytes
    for pair in "0 10000" "10000 50000" "50000 100000" "100000 200000"; do
        assert_at_least $((3 * $(cell "${pair% *}" oldest) / 2 + 1)) \
            "$(cell "${pair#* }" oldest)"
    done
}

@test "a larger buffer delivers no more: what it does not lose is left in it" {
    run -0 stale_bytes
    made=$(cell 0 made) read=$(cell 0 read)
    for asked in 0 10000 50000 100000 200000; do
        assert_equal "$(cell $asked read)" "$read"
        assert_equal $(($(cell $asked lost) + $(cell $asked left))) \
            $((made - read))
    done
    assert_between 1 "$(cell 200000 left)" "$(cell 0 left)"
    assert_between 1 "$(cell 0 lost)" "$(cell 200000 lost)"
}

@test "news is as old as the line before it is long, at the reader's pace" {
    for every in 3 5; do
        run -0 stale_bytes $every
        for asked in 0 10000 50000 100000; do
            left=$(cell $asked left)
            assert_between $((every * left)) $((every * (left + 1))) \
                "$(cell $asked oldest)"
        done
    done
}

@test "who reads as fast as is written gets fresh news from a buffer of any size" {
    run -0 stale_bytes 1
    for asked in 0 10000 50000 100000 200000; do
        assert_equal "$(cell $asked read)" "$(cell $asked made)"
        assert_equal "$(cell $asked oldest)" 0
    done
}
