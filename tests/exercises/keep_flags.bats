# Exercise keep_flags: set O_NONBLOCK for a while, and nothing else.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# lent WHO: set result, before, during and after to what WHO's line tells.
lent() {
    local line
    line=$(grep "^$1: " <<<"$output") || mistake \
        "The program did not come to the line of '$1'. It printed:" "$output"
    result=$(field result "$line")
    before=$(field before "$line")
    during=$(field during "$line")
    after=$(field after "$line")
}

@test "both lines are written where there is room" {
    subject
    for who in log server; do
        lent "$who"
        [[ $result == written ]] || mistake \
            "'$who' has room, and the result is $result. Wanted: written."
    done
    written=$(calls write | grep -Ec ' = [67]$') || true
    [[ $written -eq 4 ]] || mistake \
        "'log' and 'server' have room for two lines each: 4. Written were" \
        "$written."
}

# requirement 1
@test "while lines are written O_NONBLOCK is set, and what was set stays" {
    subject
    lent log
    [[ $during == *APPEND* || $(calls fcntl) != *cmd=F_GETFD* ]] || mistake \
        "APPEND is gone while we write to the log: during=$during." \
        "F_GETFD reads the flags of the descriptor. F_SETFL sets those of the" \
        "open file description: other flags, at another place."
    [[ $during == *APPEND* ]] || mistake \
        "APPEND is gone while we write to the log: during=$during." \
        "F_SETFL sets the flags to what it is given, and clears the others." \
        "Lines of others, who write there too, would be overwritten." \
        "Wanted: during=APPEND|NONBLOCK."
    lent server
    [[ $during == *NONBLOCK* ]] || mistake \
        "NONBLOCK is not set while we write to the server, though it was" \
        "set before: during=$during. Wanted: during=NONBLOCK."
    for who in log full; do
        lent "$who"
        [[ $during == *NONBLOCK* ]] || mistake \
            "NONBLOCK is not set while we write to '$who': during=$during."
    done
}

# requirement 2
@test "afterwards the flags are what they were" {
    subject
    lent log
    [[ $after != *NONBLOCK* ]] || mistake \
        "NONBLOCK is left behind: before=$before after=$after." \
        "All who share the open file description have it now." \
        "Wanted: after=$before."
    [[ $after == "$before" ]] || mistake \
        "The log has other flags now: before=$before after=$after." \
        "Wanted: the same."
    lent server
    [[ $after == "$before" ]] || mistake \
        "The server wants its descriptor back nonblocking, as it was:" \
        "before=$before after=$after. Wanted: the same."
}

# requirement 3
@test "a refused line is told, and the flags are put back then too" {
    subject
    lent full
    [[ $result != written ]] || mistake \
        "The queue was full and no line was written, but the function" \
        "returned 0: the refusal is told as written. Wanted: result=EAGAIN."
    [[ $result == EAGAIN ]] || mistake \
        "The queue was full. Wanted: -1 and EAGAIN. Told was result=$result." \
        "errno is what the last call that failed has left there."
    [[ $after == "$before" ]] || mistake \
        "A refused line has left the flags changed:" \
        "before=$before after=$after. Wanted: the same, on this way out too."
}
