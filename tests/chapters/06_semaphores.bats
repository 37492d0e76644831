# Chapter 6: a count that the kernel keeps, and what it does not know.

setup() {
    load ../helpers
    use chapters/06_semaphores
}

# Whatever a test was about: the set that the program named must be gone.
teardown() {
    local set
    set=$(field set "${lines[0]-}") || return 0
    run ! set_exists "$set"
}

# said PROGRAM: what it prints, each time the same but for numbers of sets, so
# that one run will do for all tests.
said() {
    local kept=$BATS_FILE_TMPDIR/$1
    if [[ ! -s $kept ]]; then
        run -0 "$1"
        printf '%s\n' "$output" >"$kept"
    fi
    run -0 cat "$kept"
}

# prints_from N LINE...: from line N on it prints these, but for " set=" and the rest.
prints_from() {
    local expected
    expected=$(printf '%s\n' "${@:2}")
    assert_equal "$(tail -n "+$(($1 + 1))" <<<"$output" | head -n $(($# - 1)) |
        sed 's/ set=.*//')" "$expected"
}

# hold_still PROGRAM: start it. After each line it holds still until go_on.
hold_still() {
    mkfifo "$BATS_TEST_TMPDIR/enter"
    exec {enter}<>"$BATS_TEST_TMPDIR/enter"
    exec {words}< <(exec "$1" 600s <"$BATS_TEST_TMPDIR/enter" 3>&- {enter}>&-)
}

# let_go: it goes on to its end without holding still.
let_go() {
    exec {enter}>&-
    mapfile -t -u "$words" lines
    [[ ${#lines[@]} -gt 0 ]] || fail "it has not gone on"
}

# next_line: read into line what it says.
next_line() {
    IFS= read -r -t $((20 * ${KIT_TIME_SCALE:-1})) -u "$words" line
}

go_on() {
    echo >&"$enter"
}

# outside SET: what ipcs says of it, in our words; nothing if there is none.
outside() {
    ipcs -s -i "$1" 2>/dev/null | awk '/^semnum/ { getline
        print "count=" $2, "waiting=" $3, "for_zero=" $4, "pid=" $5 }'
}

# listed SET: what the kernel's own list says of it.
listed() {
    awk -v id="$1" '$2 == id { print "nsems=" $4, "mode=" $3 }' \
        /proc/sysvipc/sem
}

@test "a new set counts 0 on Linux, SETVAL gives it another number" {
    said svsem_basics
    prints_from 0 "maker: created count=0" \
        "maker: set count=1"
}

@test "to take is one less, at 0 it is refused, and then nothing has changed" {
    said svsem_basics
    prints_from 2 "first: took count=0" \
        "second: refused errno=EAGAIN count=0"
}

@test "a stranger may post, and then two run where one should" {
    said svsem_basics
    prints_from 4 "stranger: posted count=1" \
        "second: took count=0"
}

@test "a post too many makes 2 of 1, and from now on two run" {
    said svsem_basics
    prints_from 6 "second: posted count=1" \
        "first: posted count=2" \
        "third: took count=1" \
        "fourth: took count=0"
}

@test "a set that was removed is gone, and its number is EINVAL" {
    said svsem_basics
    prints_from 10 "maker: removed" \
        "fifth: refused errno=EINVAL"
    assert_equal "${#lines[@]}" 12
}

@test "what svsem_basics prints is what ipcs and /proc/sysvipc/sem say" {
    command -v ipcs >/dev/null || lacks ipcs
    hold_still svsem_basics
    next_line
    set=$(field set "$line")
    assert_equal "${line##* set="$set" }" "$(listed "$set")"
    while [[ $line == *count=* ]]; do
        assert_equal "$(field count "$line")" \
            "$(field count "$(outside "$set")")"
        go_on
        next_line
    done
    assert_equal "$line" "maker: removed"
    assert_equal "$(outside "$set")$(listed "$set")" ""
    let_go
}

@test "the count stays when the process that changed it has ended" {
    command -v ipcs >/dev/null || lacks ipcs
    hold_still svsem_basics
    next_line
    set=$(field set "$line")
    until [[ $line == "first: took "* ]]; do
        go_on
        next_line
    done
    now=$(outside "$set")
    assert_equal "$(field count "$now")" 0
    [[ ! -e /proc/$(field pid "$now") ]] || fail "it has not ended: $now"
    let_go
    run ! set_exists "$set"
}

@test "a post goes to who waits: the poster finds the count at 0 again" {
    said svsem_waits
    prints_from 0 "maker: created count=0 waiting=0 for_zero=0" \
        "taker: waits count=0 waiting=1 for_zero=0" \
        "maker: posted count=0 waiting=0 for_zero=0" \
        "taker: took count=0 waiting=0 for_zero=0"
}

@test "who waits for zero goes on when the last has been taken" {
    said svsem_waits
    prints_from 4 "maker: posted count=1 waiting=0 for_zero=0" \
        "closer: waits count=1 waiting=0 for_zero=1" \
        "maker: took count=0 waiting=0 for_zero=0" \
        "closer: went_on count=0 waiting=0 for_zero=0"
}

@test "removing the set ends a wait with EIDRM" {
    said svsem_waits
    prints_from 8 "loser: waits count=0 waiting=1 for_zero=0" "maker: removed" \
        "loser: refused errno=EIDRM"
}

@test "ipcs counts those who wait to take, and those who wait for zero" {
    command -v ipcs >/dev/null || lacks ipcs
    hold_still svsem_waits
    next_line
    set=$(field set "$line")
    until [[ $line == "loser: waits "* ]]; do
        now=$(outside "$set")
        assert_equal "${now% pid=*}" "$(grep -o 'count=.* for_zero=[0-9]*' <<<"$line")"
        go_on
        next_line
    done
    let_go
    run ! set_exists "$set"
}

@test "what somebody posts between semget and SETVAL is lost" {
    said init_race
    prints_from 0 "first: created way=creator count=0 otime=0" \
        "second: found count=0 otime=0" "second: posted count=1 otime=set" \
        "first: set count=1 otime=set"
}

@test "where everybody sets the count, two have what is there once" {
    said init_race
    prints_from 4 "first: opened way=everybody count=0 otime=0" \
        "first: set count=1 otime=0" "first: took count=0 otime=set" \
        "second: opened way=everybody count=0 otime=set" \
        "second: set count=1 otime=set" "second: took count=0 otime=set"
}

@test "SETVAL leaves sem_otime at 0, an operation sets it" {
    said init_race
    prints_from 5 "first: set count=1 otime=0" "first: took count=0 otime=set"
}

@test "who waits for the creator's post loses nothing" {
    said init_post
    prints_from 0 "first: created count=0 otime=0" \
        "second: found count=0 otime=0" "first: posted count=1 otime=set" \
        "second: posted count=2 otime=set"
}

@test "where only the creator posts, who comes later finds it taken" {
    said init_post
    prints_from 4 "first: created count=0 otime=0" \
        "first: posted count=1 otime=set" "first: took count=0 otime=set" \
        "second: found count=0 otime=set" "second: refused count=0 otime=set"
}

@test "if no post comes the wait for it ends, and not before its limit" {
    run -0 init_post 120ms
    prints_from 9 "first: created count=0 otime=0" "second: found count=0 otime=0"
    assert_line --index 11 --partial "second: gave_up "
    assert_at_least 120 "$(field waited_ms "${lines[11]}")"
}

# story N: the lines of the N-th that undo_on_exit tells: each ends with right=.
story() {
    said undo_on_exit
    output=$(sed 's/ set=.*//' <<<"$output" |
        awk -v n="$1" 'story == n - 1; / right=/ { story++ }')
}

@test "what a killed holder has taken without SEM_UNDO is gone" {
    story 1
    assert_output "holder: took undo=no count=0
holder: killed count=0 right=1"
}

@test "what a killed holder has taken with SEM_UNDO is there again" {
    story 2
    assert_output "holder: took undo=yes count=0
holder: killed count=1 right=1"
}

@test "a take and a post that agree about SEM_UNDO leave the count right" {
    story 3
    assert_output "worker: took undo=yes count=0
worker: posted undo=yes count=1
worker: ended count=1 right=1"
}

@test "SEM_UNDO for the take alone: when the process ends there is one too many" {
    story 4
    assert_output "worker: took undo=yes count=0
worker: posted undo=no count=1
worker: ended count=2 right=1"
}

@test "SEM_UNDO for the post alone: when the process ends there is one too few" {
    story 5
    assert_output "worker: took undo=no count=0
worker: posted undo=yes count=1
worker: ended count=0 right=1"
}

@test "if another process posts for the taker, there is one too many in the end" {
    story 6
    assert_output "worker: took undo=yes count=0
helper: posted undo=no count=1
worker: ended count=2 right=1"
}

@test "what a producer has posted with SEM_UNDO is gone when it ends" {
    story 7
    assert_output "producer: posted undo=yes count=5
producer: ended count=0 right=5"
    said undo_on_exit
    assert_equal "${#lines[@]}" 18
}
