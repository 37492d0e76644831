# Exercise advance_the_pointer: after a short count the rest, and only the rest.

# shellcheck disable=SC2154 # trace is set by subject()

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# fault RULE...: the sender's sends go as these say: EAGAIN@2, short=1000@1-3.
fault() {
    local call rule
    KIT_FAULT=
    for call in send sendto write; do
        for rule; do
            KIT_FAULT+="${KIT_FAULT:+;}0/$call:$rule"
        done
    done
    export KIT_FAULT
}

# transfer [ARG...]: run it, and set length, got, first_wrong and surplus.
transfer() {
    local line
    subject "$@"
    line=$(grep '^reader: received ' <<<"$output") || mistake_in_waiting \
        "The reader did not come to its line. The program printed:" "$output"
    got=$(field bytes "$line")
    first_wrong=$(field first_wrong "$line")
    surplus=$(field surplus "$line")
    length=$(field bytes "$(grep '^sender: sending ' <<<"$output")")
}

# sends: what the sender did, a line each: "offered LEN taken N", "refused LEN",
# "failed LEN" or "waited".
sends() {
    awk '$2 !~ /^0:/ || $5 != "end" { next }
         $6 ~ /^(p?poll|p?select|epoll_p?wait)$/ && !/ limit=0s / {
             print "waited" }
         $6 ~ /^(send|sendto|write)$/ && $7 != "fd=1" {
             len = result = $0
             sub(/.* len=/, "", len); sub(/ .*/, "", len)
             sub(/.* = /, "", result); sub(/ injected$/, "", result)
             if (result == "-1 EAGAIN") print "refused " len
             else if (result ~ /^-1/) print "failed " len
             else print "offered " len " taken " result
         }' "$trace"
}

@test "a message that fits goes whole" {
    transfer small
    [[ $got -eq $length && $first_wrong == none && $surplus -eq 0 ]] ||
        mistake "There was room for all $length bytes, and the reader says:" \
            "$(grep '^reader: ' <<<"$output")"
}

# requirement 1
@test "after short counts all of it has gone" {
    fault short=1000
    transfer small
    [[ $got -ge $length ]] || mistake \
        "send() took 1000 bytes at a time, a short count, and of $length" \
        "bytes $got came. The rest was not sent. Wanted: all of them."
    ! grep -q injected "$trace" || return 0
    # By a call that the lens cannot cut short: what is too large is.
    transfer
    [[ $got -eq $length && $first_wrong == none ]] || mistake_in_waiting \
        "Of a message larger than the queue not all came; the reader says:" \
        "$(grep '^reader: ' <<<"$output")"
}

# requirement 2
@test "each byte goes once, and in its place" {
    fault short=1000@1-4
    transfer small
    [[ $first_wrong == none ]] || mistake \
        "send() took 1000 bytes at a time, a short count, and byte" \
        "$first_wrong of what came is not byte $first_wrong of the message." \
        "Something began again where it had been before." \
        "Wanted: a send() that begins with the first byte that has not gone."
}

# requirement 3
@test "nothing is offered but what is left" {
    fault short=1000@1-4
    transfer small
    local left=$length kind offered word taken
    while read -r kind offered word taken; do
        [[ $kind == offered ]] || continue
        : "$word"
        # Who begins again offers, and sends, what is not left either.
        [[ $left -gt 0 && $offered -gt $left ]] && mistake \
            "$left bytes are left, and the next send() offers $offered." \
            "In memory something follows the message: surplus=$surplus." \
            "Wanted: a length that falls as the pointer moves."
        left=$((left - taken))
    done < <(sends)
    [[ $surplus -eq 0 ]] || mistake \
        "The reader got $surplus bytes more than the message has." \
        "Wanted: $length bytes and no more."
}

# requirement 4
@test "EAGAIN moves nothing: the same bytes are offered again, when there is room" {
    local kind offered rest waited='' refused=''
    fault short=1000@1 EAGAIN@2-3
    transfer small
    while read -r kind offered rest; do
        : "$rest"
        case $kind in
        waited) waited=yes ;;
        *)
            [[ -z $refused || -n $waited ]] || mistake_in_waiting \
                "send() was refused with EAGAIN, and the next send() came" \
                "without a wait for room. Wanted: wait_for_room() between them."
            [[ -z $refused || $offered -eq $refused ]] || mistake \
                "A send() of $refused bytes was refused with EAGAIN, and the" \
                "next one offered $offered. EAGAIN is a result of -1, and no" \
                "count: nothing has gone. Wanted: the same $refused bytes."
            refused='' waited=''
            [[ $kind != refused ]] || refused=$offered
            ;;
        esac
    done < <(sends)
    [[ -z $refused ]] || mistake \
        "A send() was refused with EAGAIN, and nothing was sent after that." \
        "Not now is not never. Wanted: wait for room, and offer it again."
}
