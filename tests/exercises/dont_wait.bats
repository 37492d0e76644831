# Exercise dont_wait: offer without waiting, and leave a shared socket alone.

# shellcheck disable=SC2154 # trace is set by subject()

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# offer N: set offered and taken to what the worker told of its N-th offer.
offer() {
    local line
    line=$(grep '^worker: offered ' <<<"$output" | sed -n "$1p")
    [[ -n $line ]] || mistake \
        "The worker ended before it could tell of its offer no. $1." \
        "It printed:" "$output"
    offered=$(field bytes "$line")
    taken=$(field taken "$line")
}

# waits RESULT: the worker's last call that was free to wait, and that ended
# with more than 0 (RESULT is "some"), or with 0 or -1 ("none").
waits() {
    awk -v wanted="$1" '
        $3 == "worker" && $5 == "end" && / limit=/ &&
            !/ limit=(nowait|now|0s) / && $6 !~ /^(open|fcntl)/ {
            result = $0
            sub(/^.* = /, "", result)
            if ((result + 0 > 0 ? "some" : "none") == wanted)
                print
        }' "$trace" | sed -En '$s/^([^ ]+ ){5}//p'
}

@test "a small report is taken whole while there is room" {
    subject
    offer 1
    [[ $taken -eq $offered ]] || mistake \
        "The queue was empty, and of $offered bytes $taken were taken." \
        "Wanted: all of them."
}

# requirement 1
@test "a full queue is answered at once, by 0" {
    subject
    [[ $output != *"Resource temporarily unavailable"* ]] || mistake \
        "The worker ended with the words of EAGAIN. A full queue is an" \
        "answer: not now. Wanted: taken=0, and the worker goes on."
    [[ $output != *"Interrupted system call"* ]] || mistake_in_waiting \
        "The worker waited for room, until a signal interrupted it (EINTR)." \
        "Wanted: taken=0, at once."
    offer 3
    [[ $taken -eq 0 ]] || mistake \
        "The queue was full, and the worker tells of $taken bytes taken." \
        "Wanted: taken=0."
    waited=$(waits none)
    [[ -z $waited ]] || mistake_in_waiting \
        "The queue was full, and the worker waited for room or was free to:" \
        "  $waited" \
        "Wanted: an answer at once."
    refused=$(grep -c ' worker .* = -1 EAGAIN' "$trace") || true
    [[ $refused -le 2 ]] || mistake_in_waiting \
        "The worker was refused, and asked again: $refused refusals in two" \
        "offers. Nothing had changed meanwhile. Wanted: 0 after the first."
}

# requirement 2
@test "of a large report a part is taken at once" {
    subject
    offer 2
    [[ $taken -gt 0 && $taken -lt $offered ]] || mistake \
        "There was room for a part of $offered bytes; told was taken=$taken." \
        "Wanted: the length of that part, a short count."
    waited=$(waits some)
    [[ -z $waited ]] || mistake_in_waiting \
        "A part fits, and the worker waited for the rest, or was free to:" \
        "  $waited" \
        "Wanted: the length of the part, at once."
}

# requirement 3
@test "the parent's socket is left alone" {
    subject
    line=$(grep '^parent: ' <<<"$output") || mistake \
        "The parent did not come to its line. It printed:" "$output"
    [[ $(field o_nonblock "$line") == no ]] || mistake \
        "O_NONBLOCK is on in the parent too: o_nonblock=yes. The flag is in" \
        "the open file description, which both share. The parent's sends want" \
        "to wait, and will now fail with EAGAIN. Wanted: o_nonblock=no."
    [[ $(field timeout_us "$line") -eq 0 ]] || mistake \
        "The parent has a timeout too: $line. SO_SNDTIMEO binds" \
        "every send on the socket. Wanted: timeout_us=0, none."
    changed=$(sed -En '/ worker .* end /s/^([^ ]+ ){5}//p' "$trace" |
        grep -E '^(fcntl .*F_SETFL|setsockopt|ioctl .*request=21537)' |
        sed -n 1p)
    [[ -z $changed ]] || mistake \
        "The socket was changed for a moment, for all who share it:" \
        "  $changed" \
        "A send of the parent at that moment would not have waited either." \
        "Wanted: a switch that binds one call, and nobody else."
}

# requirement 4
@test "another error is reported, and the worker ends" {
    for call in send sendto sendmsg write writev; do
        KIT_FAULT+="${KIT_FAULT:+;}0.1/$call:ENOBUFS"
    done
    export KIT_FAULT
    subject
    grep -q injected "$trace" || return 0 # by a call that the lens cannot fail
    [[ $output != *" taken=0"* ]] || mistake \
        "The send failed with ENOBUFS. That was taken for a full queue:" \
        "taken=0. Wanted: a message with the reason, and exit code 1."
    [[ $output == *"No buffer space available"* ]] || mistake \
        "The send failed with ENOBUFS, and no message gives that reason." \
        "It printed:" "$output"
    [[ $status -ne 0 && $output != *" taken="* ]] || mistake \
        "The send failed with ENOBUFS, and the worker went on." \
        "Wanted: exit code 1."
}
