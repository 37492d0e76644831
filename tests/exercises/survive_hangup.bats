# Exercise survive_hangup: EPIPE without SIGPIPE, and nobody else affected.

# shellcheck disable=SC2154 # trace is set by subject()

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# told PEER TITLE WORDS: set result to what the library answered in this case.
told() {
    local line
    line=$(grep "^caller: peer=$1 title=$2 " <<<"$output") || {
        [[ $status -eq 141 ]] || mistake \
            "The program did not come to this case: $3. It printed:" "$output"
        [[ $(tail -n 1 "$trace") != *" = -1 EPIPE" ]] || mistake \
            "The caller was ended by SIGPIPE, $3. The call" \
            "itself came back with EPIPE, and its signal stayed and waited:" \
            "blocked is not gone. Wanted: -1 and EPIPE, and no signal."
        mistake "The caller was ended by SIGPIPE, $3." \
            "It is the signal that comes with EPIPE." \
            "Wanted: -1 and EPIPE, and no signal."
    }
    result=$(field result "$line")
}

@test "a peer that is there gets title and text" {
    subject
    told open yes "by a send to a peer that is there"
    [[ $result == sent ]] || mistake \
        "The peer was there, and the result is $result. Wanted: sent."
    [[ $output == *"peer: received=disk:full"* ]] || mistake \
        "The peer did not receive 'disk:' and 'full'. The program printed:" \
        "$output"
}

# requirement 1
@test "a peer that has gone is told by EPIPE, and the caller lives" {
    subject
    local peer title words
    while read -r peer title words; do
        told "$peer" "$title" "$words"
        [[ $result == EPIPE ]] || mistake \
            "The peer has hung up, and result=$result was told" "($words)." \
            "Wanted: EPIPE."
    done <<'END'
gone yes by the send of a title
gone no by the send of a text without a title
deaf yes by a send to a peer that is open, but will never read again
END
}

# requirement 2
@test "what SIGPIPE does is left to the caller" {
    subject
    line=$(grep '^caller: .* sigpipe=[^d]' <<<"$output" | sed -n 1p) || true
    [[ -z $line ]] || mistake \
        "The library has changed what SIGPIPE does to its caller:" \
        "  $line" \
        "The caller did not choose that. Wanted: sigpipe=default, as before."
    changed=$(grep -E ' library .* end (sigaction|signal) sig=SIGPIPE' \
        "$trace" | sed -En '1s/^([^ ]+ ){5}//p') || true
    [[ -z $changed ]] || mistake \
        "What SIGPIPE does was changed for a moment, for the whole process:" \
        "  $changed" \
        "A thread of the caller that needs SIGPIPE now would not get it." \
        "Wanted: a way that binds one call, or one thread."
}

# requirement 3
@test "EPIPE is final: nothing is sent after it" {
    subject
    again=$(awk '$3 != "library" { failed = 0; next }
        $5 == "end" && failed && $6 ~ /^(send|write)/ { print; exit }
        / = -1 EPIPE/ { failed = 1 }' "$trace" | sed -E 's/^([^ ]+ ){5}//')
    [[ -z $again ]] || mistake \
        "The peer had gone, and still the library sent again:" \
        "  $again" \
        "EPIPE is final: the answer will never be another. Wanted: -1 at once."
}
