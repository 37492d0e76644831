# send_all() of chapter 3, the function itself, against what may happen to it:
# send_all_rounds includes it, and the lens makes its calls fail. KIT_ALL=1
# takes 1000 rounds, else 20.

MESSAGE=1048576

setup() {
    load ../helpers
    TRACE=$BATS_TEST_TMPDIR/trace
    [[ -e ${KIT_BUILD:?run me with: make check}/tools/interpose.so ]] ||
        lacks "the lens"
    # sh and bound themselves run without the lens.
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH="%s/tools"\n%s exec "$@"\n' \
        "$KIT_BUILD" LD_PRELOAD=interpose.so >"$BATS_FILE_TMPDIR/lens"
    chmod +x "$BATS_FILE_TMPDIR/lens"
    KIT_UNDER=$BATS_FILE_TMPDIR/lens use kit
}

# Which round was it?
teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || echo "${this-}"
}

# send_round ARG...: run send_all_rounds, and see what it said and did: sends,
# polls and injected are numbers of calls. It must not have spun, and no poll
# may be without a limit, or be given none, which would not wait.
send_round() {
    rm -f "$TRACE"
    KIT_TRACE=$TRACE run -0 send_all_rounds "$@"
    sent=$(field sent "$output") error=$(field error "$output")
    received=$(field received "$output")
    read -r sends polls injected limits < <(awk '
        { split($2, who, ":") }
        who[1] != "0" || !/ (send|poll) / { next }
        $5 == "end" { n[$6]++ }
        / injected$/ { injected++ }
        / begin poll / { limits = limits " " $9 }
        / limit=nowait / && / poll / { limits = limits " limit=0" }
        END { print n["send"] + 0, n["poll"] + 0, injected + 0, limits }' \
        "$TRACE")
    [[ $sends -gt 0 ]] || fail "the trace is empty: $output"
    [[ $sends -le $((polls + 2)) ]] || fail "$polls polls and $sends sends"
    [[ ! " $limits " =~ " limit="(none|0|0ms)" " ]] || fail "polls: $limits"
}

# plan SEED: a KIT_FAULT of 20 rules, the same for the same seed. Every third
# plan has a failure that no loop can mend.
plan() {
    local i fault
    RANDOM=$1
    case $(($1 % 6)) in
    1) printf '0/send:ECONNRESET@%d;' $((1 + RANDOM % 8)) ;;
    4) printf '0/poll:ENOMEM@%d;' $((1 + RANDOM % 8)) ;;
    esac
    for i in {1..20}; do
        case $((RANDOM % 6)) in
        0) fault="send:EAGAIN" ;;
        1) fault="send:EINTR" ;;
        2) fault="poll:EINTR" ;;
        3) fault="send:short=$((1 + RANDOM % 100))" ;;
        *) fault="send:short=$((1 + (RANDOM * 32768 + RANDOM) % 200000))" ;;
        esac
        printf '0/%s@%d' "$fault" $((1 + RANDOM % 16))
        [[ $i -eq 20 ]] || printf ';'
    done
}

@test "short counts, EAGAIN, EINTR, failures anywhere: the count is right, every byte comes once and in order" {
    local round rounds=20 met=0 ended=() take how limit kind
    [[ -z ${KIT_ALL-} ]] || rounds=1000
    for ((round = 1; round <= rounds; round++)); do
        KIT_FAULT=$(plan "$round")
        export KIT_FAULT
        take=$((2 * MESSAGE)) how=close limit=10s
        [[ $((round % 5)) -gt 1 ]] || take=$((RANDOM * 32 + RANDOM % 32))
        [[ $((round % 5)) -ne 0 ]] || how=stop limit=15ms
        this="round $round: take=$take how=$how KIT_FAULT='$KIT_FAULT'"
        send_round $MESSAGE $take $how $limit
        case $error in
        none) [[ $sent -eq $MESSAGE ]] ;;
        EPIPE) [[ $how == close && $take -lt $MESSAGE ]] ;;
        EAGAIN) [[ $how == stop ]] ;;
        ECONNRESET | ENOMEM) ;;
        *) false ;;
        esac || fail "$output"
        # Who closes may leave unread what was sent; else all of it is there.
        [[ $received -eq $sent ||
            ($how == close && $take -lt $MESSAGE && $received -lt $sent) ]] ||
            fail "$output"
        met=$((met + injected))
        ended+=("$error")
    done
    assert_at_least $((rounds * 5)) "$met"
    [[ $rounds -ge 1000 ]] || return 0
    for kind in none EAGAIN EPIPE ECONNRESET ENOMEM; do
        [[ " ${ended[*]} " == *" $kind "* ]] || fail "no round met $kind"
    done
}

# signalled: a few signals came. On a busy machine one round may meet hardly any.
signalled() {
    [[ $(field signals "$output") -ge 5 ]]
}

@test "a signal every millisecond: a slow reader gets it all" {
    for this in {1..50}; do
        send_round $MESSAGE $((2 * MESSAGE)) close 10s 2ms
        assert_output --partial "sent=$MESSAGE error=none received=$MESSAGE "
        ! signalled || return 0
    done
    fail "hardly a signal in $this rounds"
}

@test "a signal every millisecond: the deadline is kept, the count is right" {
    for this in {1..50}; do
        send_round $MESSAGE 200000 stop 50ms 1ms
        assert_equal "$error $sent" "EAGAIN $received"
        assert_at_least 200001 "$sent"
        assert_at_least 50000 "$(field waited_us "$output")"
        ! signalled || return 0
    done
    fail "hardly a signal in $this rounds"
}

@test "a signal every millisecond: a reader that closes is noticed" {
    send_round $MESSAGE 200000 close 10s 1ms
    assert_equal "$error $received" "EPIPE 200000"
    assert_between 200000 $MESSAGE "$sent"
}

@test "no bytes: one send, and it tells whether the peer is there" {
    send_round 0 1 stop 10s
    assert_equal "$sent $error $sends $polls" "0 none 1 0"
    send_round 0 0 close 10s
    assert_equal "$sent $error $sends $polls" "0 EPIPE 1 0"
}

@test "a deadline that has come already: one send takes what fits, no poll" {
    send_round $MESSAGE 0 stop 0ms
    assert_equal "$error $sends $polls" "EAGAIN 1 0"
    assert_equal "$sent" "$received"
    assert_between 1 $MESSAGE "$sent"
}

@test "less than a millisecond is left: it is waited for, not early, no spin" {
    local try
    for try in {1..50}; do
        KIT_FAULT='0/send:EAGAIN@1' send_round $MESSAGE 0 stop 700us
        assert_equal "$error $sent" "EAGAIN $received"
        assert_at_least 700 "$(field waited_us "$output")"
        assert_between 0 4 "$polls"
        # None: on a busy machine the time was over before it could wait.
        [[ $polls -eq 0 ]] || return 0
    done
    fail "it did not wait in $try tries"
}

@test "a deadline in 300 years: each poll has a limit, the longest there is" {
    send_round $MESSAGE $((2 * MESSAGE)) close never
    assert_equal "$error $sent" "none $MESSAGE"
    assert_equal "$(sort -u <<<"${limits// /$'\n'}")" "limit=2147483.647s"
}

@test "a length above INT_MAX is sent, and counted, in full" {
    local length=$((2147483647 + 10000000))
    send_round $length 1000000 stop 20ms
    assert_equal "$error $sent" "EAGAIN $received"
    [[ -n ${KIT_ALL-} ]] || return 0
    send_round $length $((2 * length)) close \
        $((18 * ${KIT_TIME_SCALE:-1}))s
    assert_equal "$error $sent $received" "none $length $length"
}
