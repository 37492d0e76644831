# Chapter 6: a count that the kernel keeps, and what it does not know.

setup() {
    load ../helpers
    use chapters/06_semaphores
}

# Whatever a test was about: the sets that a program named must be gone.
teardown() {
    local set
    while read -r set; do
        run ! set_exists "$set"
    done < <(cat "$BATS_FILE_TMPDIR"/*.said - <<<"${output-}" 2>/dev/null |
        sed -n 's/.* set=\([0-9]*\).*/\1/p' | sort -u)
}

# said PROGRAM: what it prints, each time the same but for numbers of sets, so
# that one run will do for all tests.
said() {
    local kept=$BATS_FILE_TMPDIR/$1.said
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

# outside SET [NUM]: what ipcs says of it, in our words; nothing if there is none.
outside() {
    ipcs -s -i "$1" 2>/dev/null | awk -v num="${2:-0}" '/^semnum/ { on = 1 }
        on && $1 == num {
            print "count=" $2, "waiting=" $3, "for_zero=" $4, "pid=" $5 }'
}

# listed SET: what the kernel's own list says of it.
listed() {
    awk -v id="$1" '$2 == id { print "nsems=" $4, "mode=" $3 }' \
        /proc/sysvipc/sem
}

@test "a new set counts 0, and at 0 a take is refused and changes nothing" {
    said svsem_basics
    prints_from 0 "maker: created count=0" "maker: set count=1" \
        "first: took count=0" "second: refused errno=EAGAIN count=0"
}

@test "who has not taken may post, and a post too many makes 2 of 1" {
    said svsem_basics
    prints_from 4 "stranger: posted count=1" "second: took count=0" \
        "second: posted count=1" "first: posted count=2"
}

# holds_out PROGRAM LAST: each line up to the last says what ipcs says then.
holds_out() {
    local now seen=0
    rm -f "$BATS_TEST_TMPDIR/enter"
    hold_still "$1"
    next_line
    set=$(field set "$line")
    assert_equal "$(listed "$set")" "nsems=1 mode=600"
    until [[ $line == "$2"* ]]; do
        now=$(outside "$set")
        for word in count waiting for_zero; do
            [[ $line != *" $word="* ]] ||
                assert_equal "$line: $(field $word "$now")" \
                    "$line: $(field $word "$line")"
        done
        seen=$((seen + 1))
        go_on
        next_line
    done
    assert_equal "$seen" "$3"
}

@test "what is printed is what ipcs and /proc/sysvipc/sem say" {
    command -v ipcs >/dev/null || lacks ipcs
    holds_out svsem_basics "maker: removed" 8
    assert_equal "$(outside "$set")$(listed "$set")" ""
    let_go
    holds_out svsem_waits "loser: waits" 8
    let_go
    run ! set_exists "$set"
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

@test "removing the set ends a wait with EIDRM, and then its number is EINVAL" {
    said svsem_waits
    prints_from 8 "loser: waits count=0 waiting=1 for_zero=0" "maker: removed" \
        "loser: refused errno=EIDRM"
    said svsem_basics
    prints_from 8 "maker: removed" "third: refused errno=EINVAL"
    assert_equal "${#lines[@]}" 10
}

@test "what somebody posts between semget and SETVAL is lost" {
    said init_race
    prints_from 0 "first: created count=0 otime=0" \
        "second: found count=0 otime=0" "second: posted count=1 otime=set" \
        "first: set count=1 otime=set"
}

@test "where everybody sets the count, two have what is there once" {
    said init_race
    prints_from 4 "first: set count=1 otime=0" "first: took count=0 otime=set" \
        "second: set count=1 otime=set" "second: took count=0 otime=set"
}

@test "SETVAL leaves sem_otime at 0, an operation sets it" {
    said init_race
    prints_from 4 "first: set count=1 otime=0" "first: took count=0 otime=set"
}

@test "who waits for the creator's post loses nothing and gets nothing twice" {
    said init_post
    prints_from 0 "first: created count=0 otime=0" \
        "second: found count=0 otime=0" "first: posted count=1 otime=set" \
        "second: posted count=2 otime=set"
    prints_from 4 "first: created count=0 otime=0" \
        "first: posted count=1 otime=set" "first: took count=0 otime=set" \
        "second: found count=0 otime=set" "second: refused count=0 otime=set"
}

@test "a wait for a post that never comes ends, and not before its limit" {
    run -0 init_post 120ms
    prints_from 9 "first: created count=0 otime=0" "second: found count=0 otime=0"
    assert_line --index 11 --partial "second: gave_up "
    assert_at_least 120 "$(field waited_ms "${lines[11]}")"
}

# counts WORDS: before, after and right in undo_on_exit's line with these words.
counts() {
    said undo_on_exit
    line=$(grep "^$1 " <<<"$output") || fail "no line '$1' in: $output"
    echo "$(field before "$line")" "$(field after "$line")" \
        "$(field right "$line")"
}

@test "what a killed holder has taken is there again with SEM_UNDO, else not" {
    run -0 counts "holder: killed took=plain posted=no"
    assert_output "0 0 1"
    run -0 counts "holder: killed took=undo posted=no"
    assert_output "0 1 1"
}

@test "where take and post agree about SEM_UNDO the count is right, else wrong" {
    run -0 counts "worker: ended took=undo posted=undo"
    assert_output "1 1 1"
    run -0 counts "worker: ended took=undo posted=plain"
    assert_output "1 2 1"
    run -0 counts "worker: ended took=plain posted=undo"
    assert_output "1 0 1"
}

@test "a post by another process than the taker leaves one too many" {
    run -0 counts "worker: ended took=undo posted=by_helper"
    assert_output "1 2 1"
}

@test "what a producer has posted with SEM_UNDO is gone when it ends" {
    run -0 counts "producer: ended took=no posted=undo"
    assert_output "5 0 5"
}

# calls N LINE...: from its line N on both_or_neither prints these.
calls() {
    said both_or_neither
    prints_from "$@"
}

# no_one: nobody waits.
no_one="pan_waiting=0 stove_waiting=0"

@test "who takes one by one has the first when the second is refused" {
    calls 1 "hasty: did ops=pan-1 pan=0 stove=0 $no_one" \
        "hasty: refused ops=stove-1 pan=0 stove=0 $no_one" \
        "guest: refused ops=pan-1 pan=0 stove=0 $no_one"
}

@test "of two operations in one call none is done if one is refused" {
    calls 4 "hasty: did ops=pan+1 pan=1 stove=0 $no_one" \
        "patient: refused ops=pan-1,stove-1 pan=1 stove=0 $no_one"
}

@test "who waits for two takes neither until both are there" {
    calls 6 "cook: waits ops=pan-1,stove-1 pan=1 stove=0 \
pan_waiting=0 stove_waiting=1" \
        "guest: did ops=pan-1 pan=0 stove=0 pan_waiting=1 stove_waiting=0" \
        "kitchen: did ops=stove+1 pan=0 stove=1 pan_waiting=1 stove_waiting=0" \
        "guest: did ops=pan+1 pan=0 stove=0 $no_one" \
        "cook: did ops=pan-1,stove-1 pan=0 stove=0 $no_one"
}

@test "operations are tried in their order, on what those before have made" {
    calls 11 "taker: refused ops=pan-1,pan+1 pan=0 stove=0 $no_one" \
        "poster: did ops=pan+1,pan-1 pan=0 stove=0 $no_one"
}

@test "to wait for 0 and post in one call is a lock that begins at 0" {
    calls 13 "first: did ops=pan+0,pan+1 pan=1 stove=0 $no_one" \
        "second: refused ops=pan+0,pan+1 pan=1 stove=0 $no_one" \
        "first: did ops=pan-1 pan=0 stove=0 $no_one" \
        "second: did ops=pan+0,pan+1 pan=1 stove=0 $no_one"
    assert_equal "${#lines[@]}" 17
}

# told N WHO_AND_EVENT COUNTS NAME: so line N of who_waits begins, and the last
# operation was made by a process of that name.
told() {
    said who_waits
    assert_line --index "$1" --regexp "^$2 $3 pid=[1-9][0-9]* name=$4 set="
}

@test "GETNCNT counts who waits to take, GETZCNT who waits for 0" {
    told 3 "taker: waits num=0" "count=0 waiting=1 for_zero=0" keeper
    told 5 "keeper: waits num=1" "count=2 waiting=0 for_zero=1" maker
}

@test "GETPID is who has operated last, and not who is refused or waits" {
    told 0 "maker: set num=0" "count=1 waiting=0 for_zero=0" maker
    told 1 "keeper: took num=0" "count=0 waiting=0 for_zero=0" keeper
    told 2 "hasty: refused num=0" "count=0 waiting=0 for_zero=0" keeper
    told 3 "taker: waits num=0" "count=0 waiting=1 for_zero=0" keeper
    assert_equal "$(field pid "${lines[3]}")" "$(field pid "${lines[1]}")"
}

@test "GETPID names a dead passer-by while another still has the count" {
    told 4 "passer_by: saw_0 num=0" "count=0 waiting=1 for_zero=0" none
    [[ $(field pid "${lines[4]}") != "$(field pid "${lines[1]}")" ]] ||
        fail "the keeper: $output"
    assert_line --index 5 --partial "keeper: waits " # so it lives
}

@test "who_waits tells what ipcs and /proc/sysvipc/sem tell" {
    command -v ipcs >/dev/null || lacks ipcs
    local line said seen=0
    hold_still who_waits
    until [[ ${line-} == "keeper: waits "* ]]; do
        [[ -z ${line-} ]] || go_on
        next_line
        said=${line#* num=? }
        said=${said% name=*}
        set=$(field set "$line")
        assert_equal "$(outside "$set" "$(field num "$line")")" "$said"
        seen=$((seen + 1))
    done
    assert_equal "$seen" 6
    said=$(listed "$set")
    let_go
    assert_equal "${lines[*]}" "list: ${said/mode/perms} uid=$EUID set=$set"
    run ! set_exists "$set"
}

@test "the set of a killed creator stays, and is in the way of the next one" {
    said left_behind
    prints_from 0 "creator: made guarded=no" "creator: killed" \
        "next: refused errno=EEXIST"
}

@test "the list of all sets names it, and GETPID a process that is dead" {
    said left_behind
    set=$(field set "${lines[0]}")
    assert_line --index 3 --regexp \
        "^list: names nsems=1 uid=$EUID set=$set$"
    assert_line --index 4 --regexp "^GETPID: names pid=[1-9][0-9]* alive=no$"
    assert_line --index 5 "next: removed set=$set"
}

@test "a guardian outlives the killed creator and removes its set" {
    said left_behind
    prints_from 6 "creator: made guarded=yes" "creator: killed" \
        "guardian: ended" "next: made" "next: removed"
    [[ $(field set "${lines[9]}") != "$(field set "${lines[6]}")" ]] ||
        fail "the old set: $output"
    assert_equal "${#lines[@]}" 11
}

@test "ENOSPC from semget is said to be no full disk" {
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    local program=$KIT_BUILD/chapters/06_semaphores/left_behind
    ! grep -q __asan_init "$program" || skip "not with an address sanitizer"
    run -1 "$KIT_BUILD/tools/bound" env KIT_FAULT='0.2/semget:ENOSPC@1' \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so "$program"
    assert_line "left_behind: semget: no disk is full, but there are as many \
sets as the kernel allows, see ipcs -s -l: No space left on device"
}

@test "left_behind leaves no set behind, whatever kills it, and when" {
    local moment aim key hit=0
    cd "$BATS_TEST_TMPDIR"
    for moment in start:{1000,2000,4000} line:{1,4,7}; do
        for aim in main group member:2; do
            rm -f pid
            # 4: it has ended before.
            run "$KIT_BUILD/tools/strike" KILL "$moment" "$aim" sh -c \
                'echo $$ >pid && exec "$0"' \
                "$KIT_BUILD/chapters/06_semaphores/left_behind"
            [[ $status =~ ^(0|4)$ ]] || fail "$output"
            [[ $status -ne 0 || ! -s pid ]] || hit=$((hit + 1))
            # No line of output need have named its set: so ask by the key.
            [[ ! -s pid ]] || key=$((0x09000000 + $(<pid)))
            run ! awk -v key="${key-}" '$1 == key { found = 1 }
                END { exit !found }' /proc/sysvipc/sem
        done
    done
    ((hit > 0)) || fail "it was not hit"
}
