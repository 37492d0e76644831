# Exercise wait_not_spin: sleep until there is room, and hear the stop.

# shellcheck disable=SC2154 # trace is set by subject()

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# fault CALLS RULE: the sender's calls of these names fail as the rule says.
fault() {
    local call
    for call in $1; do
        KIT_FAULT+="${KIT_FAULT:+;}0/$call:$2"
    done
    export KIT_FAULT
}
sends="send sendto sendmsg write writev"
waits="poll ppoll select pselect epoll_wait epoll_pwait"

# transfer [stop|before]: run it, and set sent, stopped, got and asked.
transfer() {
    local sender reader
    subject "$@"
    sender=$(grep '^sender: ' <<<"$output") || true
    reader=$(grep '^reader: ' <<<"$output") || true
    [[ -n $sender && -n $reader ]] || mistake_in_waiting \
        "Sender and reader did not come to their last lines. They printed:" \
        "$output"
    sent=$(field bytes "$sender")
    stopped=$(field stopped "$sender")
    got=$(field bytes "$reader")
    asked=$(field asked "$reader")
}

# did: what the sender did, a line each: "refused", "sent", "failed", "napped
# LIMIT CALL", or for a wait "waited LIMIT RESULT". The end of the message is the
# end of this: closing and the wait for the reader are the program's.
did() {
    awk '$2 !~ /^0:/ || $5 != "end" { next }
         $6 == "close" { closed++ }
         closed > 1 { exit }
         {
             limit = result = $0
             sub(/.* limit=/, "", limit); sub(/ .*/, "", limit)
             sub(/.* = /, "", result)
             sub(/ injected$/, "", result); sub(/ full$/, "", result)
             sub(/^-1 /, "", result)
         }
         $6 ~ /^(send|sendto|sendmsg|write|writev)$/ && $7 != "fd=1" {
             print result == "EAGAIN" ? "refused" : \
                 result ~ /^[0-9]/ ? "sent" : "failed" }
         $6 ~ /^(p?poll|p?select|epoll_p?wait)$/ {
             print "waited", limit, result }
         $6 ~ /^(u?sleep|nanosleep|clock_nanosleep)$/ {
             print "napped", limit, $6 }' "$trace"
}

# in_ms LIMIT: 1.5s is 1500.
in_ms() {
    awk -v limit="$1" 'BEGIN {
        unit["s"] = 1e3; unit["ms"] = 1; unit["us"] = 1e-3; unit["ns"] = 1e-6
        match(limit, /[a-z]/)
        print limit * unit[substr(limit, RSTART)] }'
}

@test "a slow reader gets all of the message" {
    transfer
    [[ $got -eq 1048576 && $sent -eq $got ]] || mistake_in_waiting \
        "The message has 1048576 bytes. The sender says that $sent have gone," \
        "and the reader got $got. Wanted: all of them."
}

# requirement 1
@test "while there is no room it sleeps until there is" {
    local refused='' what limit result room=0 over=0
    fault "$sends" EAGAIN@1-3
    transfer
    while read -r what limit result; do
        case $what in
        napped) mistake_in_waiting \
            "There was no room, and the sender slept for a time of its own choice:" \
            "  $result $limit" \
            "It sleeps on when there is room, or wakes when there is none." \
            "Wanted: poll(), which is over when there is room." ;;
        waited)
            [[ $limit == 0s ]] || refused=
            case $result in 0) ((++over)) ;; [1-9]*) ((++room)) ;; esac
            ;;
        *)
            [[ -z $refused ]] || mistake_in_waiting \
                "send() was refused with EAGAIN, and the next send() came" \
                "without a wait for room: that is to spin." \
                "Wanted: poll() with a limit above 0 between them."
            [[ $what != refused ]] || refused=yes
            ;;
        esac
    done < <(did)
    [[ $over -eq 0 || $room -gt 0 ]] || mistake_in_waiting \
        "There was room soon, and each wait was over only when its time was." \
        "What did it wait for? POLLIN is something to read, POLLOUT is room."
}

# requirement 2
@test "no wait is longer than a slice" {
    local what limit
    fault "$sends" EAGAIN@1-3
    transfer
    while read -r what limit _; do
        [[ $what == waited ]] || continue
        [[ $limit != none ]] || mistake \
            "The sender began a wait without a limit. When SIGTERM comes after" \
            "the look at the flag and before the wait, nothing ends it." \
            "Wanted: SLICE_MS, 200 ms, at most."
        [[ $(in_ms "$limit") =~ ^(1?[0-9]?[0-9](\..*)?|200)$ ]] || mistake \
            "The sender began a wait of up to $limit. When SIGTERM comes after" \
            "the look at the flag and before the wait, it is heard that late." \
            "Wanted: SLICE_MS, 200 ms, at most."
    done < <(did | sort -u)
}

# requirement 3
@test "a stop ends it, and nothing else does" {
    local what result again=''
    transfer stop
    while read -r what _ result; do
        [[ $what == waited ]] || continue
        [[ -z $again ]] || mistake_in_waiting \
            "SIGTERM came and set stop. It ended a wait with EINTR, and the" \
            "sender did not look at stop: it began to wait again." \
            "It was asked $asked times. Wanted: to return after the first."
        [[ $result != EINTR ]] || again=yes
    done < <(did)
    [[ $stopped == yes && $got -lt 1048576 ]] || mistake_in_waiting \
        "The sender was asked $asked times to stop, and sent the whole message." \
        "Wanted: a look at stop before each send and each wait."

    transfer before
    [[ $got -lt 1048576 ]] || mistake_in_waiting \
        "SIGTERM had come before the first send, and the sender sent the whole" \
        "message: of a signal that has come already no EINTR tells." \
        "Wanted: a look at stop on every way round, not only after an EINTR."

    fault "$waits" EINTR@1
    fault "$sends" EINTR@2
    transfer
    [[ $got -eq 1048576 ]] || mistake_in_waiting \
        "A signal interrupted a call, EINTR. It was no request to stop, for" \
        "the flag was not set; and of 1048576 bytes $got went." \
        "Wanted: all of them."
}

# requirement 4
@test "the count is right when it is stopped too" {
    transfer stop
    [[ $sent -eq $got ]] || mistake \
        "The sender was stopped and says that $sent bytes have gone," \
        "and the reader got $got. Who goes on later sends a part twice." \
        "Wanted: how much has gone, however it ended."
}
