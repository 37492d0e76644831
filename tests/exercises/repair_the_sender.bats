# Exercise repair_the_sender: seven faults, a test for each.

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

# try LIMIT READER: run it, and set sent, error and waited to what the sender
# told at its end, and got to what the reader told. They are empty where a line
# is missing. KIT_FAULT holds for this run alone.
try() {
    local line
    subject "$@"
    unset KIT_FAULT
    line=$(grep '^sender: ended ' <<<"$output") || true
    sent=$(field sent "$line") || true
    error=$(field error "$line") || true
    waited=$(field waited_ms "$line") || true
    got=$(field bytes "$(grep '^reader: ' <<<"$output")") || true
}

# told: the sender came to its line, and the reader did.
told() {
    [[ $status -ne 141 && -n $error && -n $got ]] || mistake_in_waiting \
        "Sender and reader did not come to their last lines (exit code" \
        "$status). They printed:" "$output"
}

# looks: the sender's sends, and its waits. A line for a send is "send N", with
# how many were refused before it since the last wait that could last; one for
# a wait is "wait BEGIN END LIMIT CALL RESULT TEXT", in ns since it looked at the
# clock before it began, with "none" for no limit.
looks() {
    awk '
        function ns(limit) {
            if (limit == "none") return limit
            unit["s"] = 1e9; unit["ms"] = 1e6; unit["us"] = 1e3; unit["ns"] = 1
            match(limit, /[a-z]/)
            return limit * unit[substr(limit, RSTART)]
        }
        $2 !~ /^0:/ { next }
        $5 == "begin" { begun[$2, $4] = $1; next }
        $5 != "end" { next }
        $6 == "clock_gettime" && !start { start = $1 }
        {
            text = limit = result = $0
            sub(/.* limit=/, "", limit); sub(/ .*/, "", limit)
            sub(/.* = /, "", result); sub(/ injected$/, "", result)
            sub(/^-1 /, "", result)
        }
        $6 ~ /^(send|sendto|sendmsg|write|writev)$/ && $7 != "fd=1" {
            print "send", refused + 0, (limit == "nowait" ? 0 : 1)
            refused = result == "EAGAIN" ? refused + 1 : 0
        }
        $6 ~ /^(p?poll|p?select|epoll_p?wait)$/ {
            printf "wait %.0f %.0f %s %s %s %s\n", begun[$2, $4] - start,
                $1 - start, limit == "none" ? limit : \
                sprintf("%.0f", ns(limit)), $6, result, limit
            if (limit != "0s")
                refused = 0
        }' "$trace"
}

# spins LIMIT_NS: how often it went round before its time was over, without a
# wait that could last.
spins() {
    looks | awk -v limit="$1" '
        $1 == "wait" && $2 < limit { none = $4 == 0 ? none + 1 : 0 }
        none > most { most = none }
        $1 == "send" && $2 > most { most = $2 }
        END { print most + 0 }'
}

# too_long LIMIT_NS [eintr]: the first wait that was given more than was left,
# rounded up to a millisecond, in ms: "GIVEN PASSED". The limit began before
# the first wait, and what is left is known when the wait before has ended.
# With eintr: only those that follow an interrupted one. "none" is too long.
too_long() {
    looks | awk -v limit="$1" -v eintr="${2-}" '
        $1 != "wait" { next }
        first == "" { first = $2; ended = $2 }
        (!eintr || interrupted) &&
            ($4 == "none" || $4 > limit - (ended - first) + 1000000) {
            printf "%s %d\n", $7, (ended - first) / 1000000
            exit
        }
        { ended = $3; interrupted = $6 == "EINTR" }'
}

@test "a slow reader gets all of the message" {
    try 5s slow
    told
    [[ $error == none && $got -eq 1048576 ]] || mistake_in_waiting \
        "There were 5 s for 1048576 bytes, and the reader got $got of them." \
        "The sender ended with error=$error. Wanted: all, and none."
}

# requirement 1
@test "the limit is for all of it" {
    local limit given passed i
    for limit in 5000 60; do
        [[ $limit -eq 60 ]] || try 5s slow
        [[ $limit -ne 60 ]] || try 60ms stops
        [[ $error == none || ${waited:-60} -ge $limit ]] || mistake_in_waiting \
            "The sender gave up after $waited ms of $limit. Wanted: not before."
        ! looks | grep -q '^send .* 1$' || mistake_in_waiting \
            "A send() was free to wait by itself. No clock of yours ends that," \
            "and SO_SNDTIMEO limits each wait in it." \
            "Wanted: a send() that does not wait, and poll() before the next."
        read -r given passed < <(too_long "${limit}000000") || continue
        [[ $given != none ]] || mistake_in_waiting \
            "A wait had no limit at all. Wanted: what is left of the limit."
        [[ $given == "$limit"ms || $given == 5s ]] || mistake_in_waiting \
            "A wait was given $given when $passed ms of $limit had passed: more than" \
            "was left. Wanted: what is left until the deadline, and no more."
        mistake_in_waiting \
            "A wait was given $given when $passed ms had passed: the limit was for each wait." \
            "A reader that makes room just in time, each time, keeps the sender" \
            "for hours. Wanted: a deadline, and what is left until then."
    done
    for i in 1 2 3; do
        try 900us stops
        [[ $(spins 900000) -lt 3 ]] || mistake \
            "It had 0.9 ms, and went round $(spins 900000) times without a wait that could last." \
            "Less than a millisecond, rounded down, is 0, which is at once." \
            "Wanted: round up."
    done
}

# requirement 2
@test "the count is right, however it ends" {
    try 60ms stops
    told
    [[ $sent -eq $got ]] || mistake \
        "The time was over, *sent is $sent, and the reader got $got bytes." \
        "Who sends all of it again sends those twice." \
        "Wanted: *sent is what has gone."
    fault "$sends" ECONNRESET@3
    try 5s slow
    told
    [[ $sent -eq $got ]] || mistake \
        "send() failed after a part had gone. *sent is $sent, and the reader" \
        "got $got bytes. Wanted: *sent is what has gone."
}

# requirement 3
@test "a signal ends nothing, and makes nothing longer" {
    local given passed call
    for call in "$waits" "$sends"; do
        fault "$call" EINTR@2
        try 5s slow
        told
        call=$(grep -o 'end [a-z_]* .* injected' "$trace" | cut -d' ' -f2 |
            sed -n 1p)
        [[ $error == none && $got -eq 1048576 ]] || mistake_in_waiting \
            "A signal interrupted $call(), with EINTR, and the sender ended:" \
            "of 1048576 bytes $got went, error=$error." \
            "Nothing is wrong, and the time is not over. Wanted: go on."
    done

    fault "$waits" EINTR+60ms@1
    try 200ms stops
    if read -r given passed < <(too_long 200000000 eintr); then
        mistake_in_waiting \
            "A signal interrupted a wait after $passed ms of 200, and it began anew" \
            "with $given. Signals that come often enough make that endless." \
            "Wanted: what is left until the deadline."
    fi
}

# requirement 4
@test "errno says what ended it" {
    try 60ms stops
    told
    [[ $error == EAGAIN ]] || mistake \
        "There was no room until the limit was over, and errno is $error." \
        "A wait that returns 0 sets no errno: what an earlier call has left" \
        "there stays (here EMSGSIZE). Wanted: EAGAIN."

    fault "$sends" ECONNRESET@2
    try 5s slow
    told
    [[ $error == ECONNRESET ]] || mistake \
        "send() failed with ECONNRESET, and errno is $error." \
        "Wanted: the reason, as the call that failed has left it."

    fault "$waits" EINVAL@1
    try 5s slow
    told
    ! grep -q injected "$trace" || [[ $error == EINVAL ]] || mistake \
        "A wait failed with EINVAL, and the sender ended with error=$error." \
        "Wanted: -1, and the reason as the call that failed has left it."

    # An earlier EINTR can be left over too, if something went after it.
    fault "$waits" EINTR+80ms@1
    try 60ms stops
    told
    [[ $error != EINTR ]] ||
        ! looks | awk '/ EINTR / { n = NR } END { exit !(n && n < NR) }' ||
        mistake_in_waiting \
            "A signal interrupted a wait, the next send() went well, and the" \
            "time was over: errno is EINTR, left over. Wanted: EAGAIN."
}

# requirement 5
@test "a reader that has closed is no signal" {
    local changed
    try 5s closes
    [[ $status -ne 141 ]] || mistake \
        "The reader closed, and SIGPIPE ended the sender and its caller." \
        "Wanted: -1 with EPIPE, and no signal."
    told
    changed=$(grep -E ' end (sigaction|signal) sig=SIGPIPE' "$trace" |
        sed -En '1s/^([^ ]+ ){5}//p') || true
    [[ -z $changed ]] || mistake \
        "What SIGPIPE does was changed, for the whole process:" "  $changed" \
        "The caller did not choose that. Wanted: a way that binds one send()."
    [[ $(grep -c ' = -1 EPIPE' "$trace") -le 1 && $error != none ]] || mistake \
        "The reader had closed, EPIPE, and the sender sent again." \
        "The answer will never be another. Wanted: -1 at once."
}

# requirement 6
@test "a large descriptor is like any other" {
    local asked
    KIT_LIMIT=10s try 5s far
    [[ $status -ne 77 ]] || lacks "descriptors above 1023: ulimit -n"
    asked=$(sed -En 's/.* end (p?select) nfds=([0-9]+) .*/\1 \2/p' "$trace" |
        awk '$2 > 1024' | sed -n 1p)
    [[ -z $asked && $status -lt 128 ]] || mistake \
        "The descriptor is 1500, and ${asked:+${asked% *}() was asked about it.}" \
        "An fd_set ends at 1023: FD_SET() has written to memory behind it" \
        "(error=${error:-none told}, exit code $status). Wanted: poll()."
    told
    [[ $error == none && $got -eq 1048576 ]] || mistake_in_waiting \
        "The message was sent to a slow reader, and by descriptor 1500." \
        "Of 1048576 bytes $got came, error=$error. Wanted: all of them."
}

# requirement 7
@test "a 0 from send() is no close" {
    try 1s empty
    told
    [[ $error == none ]] || mistake_in_waiting \
        "send() of no bytes returned 0, the reader is there, and the sender" \
        "ended with error=$error. Wanted: success, 0 of 0 bytes have gone."
    try 1s gone
    [[ $status -ne 141 ]] || return 0 # that is requirement 5
    [[ ${error:-none} != none ]] || mistake \
        "A message of no bytes: the reader had closed, and the sender says" \
        "that it has gone. Wanted: EPIPE, as send() says."
}
