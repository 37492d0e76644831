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
