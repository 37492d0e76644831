# Exercise slow_reader_out: one is cut off, and the others notice nothing.

# shellcheck disable=SC2154 # trace, status and output are set by subject()

setup() {
    load ../exercise
    exercise_setup
    subject
}

teardown() {
    exercise_teardown
}

# reader N: set what the program told of this reader.
reader() {
    local line
    line=$(grep "^[a-z]*: reader=$1 " <<<"$output") || {
        ((status <= 128)) || mistake \
            "The program was ended by signal $((status - 128)), SIG$(kill -l \
                "$status"): it used memory that is not there, or not its own."
        mistake "The program ended before it told of reader $1, with exit" \
            "code $status. It printed:" "${output:-nothing}"
    }
    who="Reader $1 (${line%%:*})"
    fd=$(field fd "$line") joined=$(field joined "$line")
    got=$(field got "$line") strays=$(field strays "$line")
    cut_off=$(field cut_off "$line")
}

# gets_all N: this reader gets each message from the one with which it joined.
gets_all() {
    local messages
    reader "$1"
    messages=$(field messages "$(grep '^server: ' <<<"$output")")
    [[ $strays -eq 0 ]] || mistake \
        "$who got $strays messages that were for another reader." \
        "An outbox and a socket belong together: outboxes[i], polled[i].fd." \
        "Wanted: its own messages, and no others."
    [[ $cut_off -eq 0 ]] || mistake \
        "$who was cut off with message $cut_off. It had read" \
        "everything. Wanted: only who is too slow is cut off."
    [[ $got -eq $((messages - joined + 1)) ]] || mistake \
        "$who did not get each message: the first that it did not" \
        "get was message $((joined + got)). It had room all the time." \
        "Wanted: each message, up to no. $messages."
}

# requirement 1
@test "a reader is cut off when its outbox is full and a message comes" {
    reader 2
    [[ $cut_off -gt 0 ]] || mistake \
        "$who never reads. Its outbox was full, and it was not cut off." \
        "Wanted: its socket is closed when the next message comes."
    # All before that message either went into the socket or were waiting.
    waiting=$((cut_off - joined - got))
    [[ $waiting -ne 7 ]] || mistake \
        "$who was cut off with message $cut_off, when only 7 of 8 were" \
        "waiting in its outbox: there was room for this one. Wanted: when" \
        "the outbox is full and one more comes."
    [[ $waiting -ge 8 ]] || mistake \
        "$who was cut off with message $cut_off, when only $waiting of 8 were" \
        "waiting in its outbox. That its socket is full, EAGAIN, is no reason" \
        "yet. Wanted: when the outbox is full and one more comes."
    reader 3
    [[ $cut_off -eq 0 ]] || mistake \
        "$who was cut off with message $cut_off. It reads when its" \
        "outbox is full, before the next message comes: just in time." \
        "Wanted: it is kept."
    reader 2
    closed=$fd
    reader 5
    [[ $fd -eq $closed ]] || mistake \
        "Reader 2 is cut off, and its socket fd=$closed is still open: a new" \
        "reader got fd=$fd, not the number of a closed one." \
        "Wanted: close(), which gives the descriptor back."
    subject two
    [[ $output == *": reader=3 "* ]] || return 0 # that is requirement 3
    reader 2
    slow=$cut_off
    reader 3
    [[ $cut_off -eq $slow ]] || mistake \
        "With 'two' readers 2 and 3 are slow, and both were full when message" \
        "$slow came. $who was cut off with message $cut_off (0 is never)." \
        "Wanted: each reader that is full, however many there are."
}

# requirement 2
@test "the others get each message, and nothing waits for the slow one" {
    waits=$(awk '$5 == "end" && / limit=/ && !/ limit=(nowait|now|0s) / &&
        $6 !~ /^(open|fcntl)/' "$trace" | sed -En '1s/^([^ ]+ ){5}//p')
    [[ -z $waits ]] || mistake_in_waiting \
        "The server waited, or was free to wait:" \
        "  $waits" \
        "Meanwhile all readers waited for the slow one. Wanted: no wait."
    reader 2
    slow=$cut_off
    gets_all 1
    gets_all 4
    reader 3
    [[ $cut_off -gt 0 || $slow -eq 0 ]] || gets_all 3
}

# requirement 3
@test "poll() is not asked about a closed socket, whose number a new reader has" {
    reader 2
    [[ $cut_off -gt 0 ]] || return 0 # that is requirement 1
    closed=$(field polled_closed "$(grep '^server: ' <<<"$output")")
    [[ $closed -eq 0 ]] || mistake \
        "poll() was asked about a closed socket, and answered POLLNVAL at" \
        "once, $closed times: the entry of reader 2 was left. A new reader" \
        "got its number: see fd= of reader 5. Wanted: no such entry."
    gets_all 5
}
