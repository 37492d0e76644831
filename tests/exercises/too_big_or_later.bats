# Exercise too_big_or_later: EAGAIN is later, EMSGSIZE is never.

# shellcheck disable=SC2154 # output, status and trace are set by subject()

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# received: print the numbers of the records that arrived, in a line.
received() {
    sed -n 's/^collector: received record=\([^ ]*\) .*/\1/p' <<<"$output" |
        paste -sd' '
}

# aside: print the numbers of the records that were set aside, in a line.
aside() {
    sed -n 's/^forwarder: set_aside record=\([^ ]*\) .*/\1/p' <<<"$output" |
        paste -sd' '
}

# refused ERRNO: print how often a send ended so.
refused() {
    grep -Ec " end (send|sendto|sendmsg|write|writev) .* = -1 $1\$" "$trace" ||
        true
}

# in_pieces NUMBER BYTES: print the first message of this record that is not
# the whole of it.
in_pieces() {
    grep "^collector: received record=$1 " <<<"$output" |
        grep -v " bytes=$2\$" | sed 1q
}

@test "small records arrive, in their order" {
    subject sss
    [[ $status -eq 0 && $(received) == "1 2 3" ]] || mistake \
        "Three small records, and there was room for all of them. Received" \
        "were: $(received). Wanted: 1 2 3. The program printed:" "$output"
}

# requirement 1
@test "when the queue is full, a record is left for the next call" {
    local waited records
    records=$(seq -s' ' 20)
    subject ssssssssssssssssssss # their bytes alone are more than it takes
    [[ $output != *"Resource temporarily unavailable"* ]] || mistake \
        "The program ended with the words of EAGAIN. A full queue is an" \
        "answer: not now. Wanted: forward() comes back, and is called again."
    [[ -z $(aside) ]] || mistake \
        "No record was too big, and set aside were: $(aside)." \
        "The queue was full, EAGAIN: they would have gone a little later."
    [[ $output != *"stuck: "* ]] || mistake \
        "The collector made room after each call, and got: $(received)." \
        "Then the program gave up: ${output##*$'\n'}." \
        "Is what forward() returns the number that it is done with?"
    waited=$(awk '$5 == "end" && / limit=/ &&
        !/ limit=(nowait|now|0s) / && !/ fd=[12] /' "$trace" |
        sed -En '1s/^([^ ]+ ){5}//p')
    [[ -z $waited ]] || mistake_in_waiting \
        "It waited, or was free to: $waited" \
        "Wanted: EAGAIN at once, and back to the caller."
    [[ $(received) == "$records" ]] || mistake \
        "20 small records were to be forwarded. Received were:" \
        "$(received)" \
        "Wanted: each of them once, in their order. The one that is refused" \
        "with EAGAIN is not done with, and the first of the next call."
    [[ $(refused EAGAIN) -le 40 ]] || mistake \
        "It was refused with EAGAIN $(refused EAGAIN) times, in not even 20" \
        "calls. Nobody reads meanwhile. Wanted: back after the first time."
}

# requirement 2
@test "a record that is too big does not stop those behind it" {
    subject sbsb
    [[ $output != *"Message too long"* ]] || mistake \
        "The program ended with the words of EMSGSIZE. One record is too big," \
        "and there are others. Wanted: it goes on with the next."
    [[ $output != *"stuck: "*" record="[24] ]] || mistake \
        "forward() came back and said that record ${output##*=} must wait. It" \
        "is as large as the send buffer: EMSGSIZE, even if nothing is queued." \
        "It will never go. Wanted: done with, and on to the next."
    [[ $status -eq 0 ]] || mistake \
        "Of four records no. 2 and no. 4 are too big. The program failed:" \
        "$output"
    small=$(received | tr ' ' '\n' | grep -x '[13]' | paste -sd' ') || true
    [[ $small == "1 3" ]] || mistake \
        "Of four records no. 2 and no. 4 are too big. Received were:" \
        "$(received). Wanted: 1 and 3, once each."
    [[ $(refused EMSGSIZE) -le 2 ]] || mistake \
        "Two records are too big, and it was told so $(refused EMSGSIZE)" \
        "times, EMSGSIZE. Trying again does not help. Wanted: once for each."
}

# requirement 3
@test "what is too big is set aside, whole, and nothing else is" {
    local sndbuf half piece
    subject sbs
    sndbuf=$(field sndbuf "$(grep -m 1 '^forwarder: outbox ' <<<"$output")") ||
        mistake "The program did not begin. It printed:" "$output"
    piece=$(in_pieces 2 "$sndbuf")
    [[ -z $piece ]] || mistake \
        "Record 2 has $sndbuf bytes, and this is what the collector got:" \
        "  $piece" \
        "It does not know that this is a piece. Wanted: one message or none."
    [[ $(grep '^forwarder: done ' <<<"$output") != *=* ||
        $output == *"done sndbuf=$sndbuf"* ]] || mistake \
        "The send buffer was of $sndbuf bytes, and is another now:" \
        "${output##*$'\n'}. The next record may be larger still." \
        "Wanted: the same, and record 2 set aside."
    [[ $(aside) == 2 ]] || mistake \
        "Record 2 of three is too big. Set aside were: $(aside)." \
        "Wanted: 2, once."

    subject h
    half=$((sndbuf / 2))
    [[ -z $(aside) && $(received) == 1 &&
        -z $(in_pieces 1 $half) ]] || mistake \
        "A record of $half bytes, half as large as the send buffer, is not" \
        "too big. The program printed:" "$output" \
        "Wanted: sent, as one message. Which size is too big, the kernel says."

    subject a
    [[ $output != *"Message too long"* ]] || mistake \
        "A record of $((sndbuf - 1)) bytes is smaller than the send buffer," \
        "and still too big: EMSGSIZE. The program ended with it." \
        "Wanted: set aside. Which size is too big, the kernel says."
    [[ "$(aside)$(received)" == 1 &&
        -z $(in_pieces 1 $((sndbuf - 1))) ]] || mistake \
        "A record of $((sndbuf - 1)) bytes was to be sent whole or set aside." \
        "The program printed:" "$output"

    KIT_FAULT='0/send:EMSGSIZE@1;0/sendmsg:EMSGSIZE@1' subject s
    [[ $(aside) == 1 && -z $(received) ]] || mistake \
        "The kernel said EMSGSIZE of a small record. Set aside were: $(aside)," \
        "received: $(received). Wanted: 1, and none. Which size is too big," \
        "the kernel says, and not a sum of yours."
}

# requirement 4
@test "another error is reported, and the program ends" {
    for call in send sendto sendmsg write writev; do
        KIT_FAULT+="${KIT_FAULT:+;}$call:ECONNRESET@2"
    done
    export KIT_FAULT
    subject sss
    grep -q injected "$trace" || return 0 # by a call that the lens cannot fail
    [[ -z $(aside) ]] || mistake \
        "The second send failed with ECONNRESET. That was taken for too big:" \
        "set aside were: $(aside). Wanted: the reason, and exit code 1."
    [[ $output != *"stuck: "* && $(received) != "1 2 3" ]] || mistake \
        "The second send failed with ECONNRESET. That was taken for a full" \
        "queue: it was tried again. Wanted: the reason, and exit code 1."
    [[ $status -ne 0 && $output == *"Connection reset by peer"* ]] || mistake \
        "The second send failed with ECONNRESET, and no message gives that" \
        "reason. The program ended with exit code $status and printed:" \
        "$output"
}
