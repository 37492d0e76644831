# Chapter 11: two that wait for each other, and how it does not come to that.

setup() {
    load ../helpers
    use chapters/11_deadlock
}

# Whatever a test was about: the set that the program named must be gone.
teardown() {
    local set
    set=$(field set "${lines[0]-}") || return 0
    run ! set_exists "$set"
}

# lens PROGRAM [ARG...]: run it with its calls in trace.
lens() {
    trace=$BATS_TEST_TMPDIR/trace
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$KIT_BUILD/chapters/11_deadlock/$1" ||
        skip "not with an address sanitizer"
    run "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so \
        "$KIT_BUILD/chapters/11_deadlock/$1" "${@:2}"
}

# waits: how each semtimedop of the trace ended: PROCESS SEMAPHORE RESULT.
waits() {
    sed -nE 's|.* ([a-z]+) [0-9]+ end semtimedop .* ops=([0-9])/-1.* ([^ ]+)$|\1 \2 \3|p' \
        "$trace"
}

@test "who waits for what the other has waits until one gives up, not before its limit" {
    run -3 abba 70ms
    assert_line --index 2 "bank: opens_gate have=2 wait=0"
    assert_line --index 3 --partial "first: gave_up account=checking "
    assert_at_least 70 "$(field waited_ms "${lines[3]}")"
    assert_line --index 4 --partial "second: took_both "
    assert_line --index 5 "bank: ended done=1 of=2 counts=1,1"
}

@test "with equal limits at least one gives up, and its limit is over" {
    lens abba 60ms 60ms
    assert_equal "$status" 3
    # Each story: both take their first, and how the two waits ended, in order.
    run waits
    assert_equal "${#lines[@]}" 8
    for i in 2 6; do
        assert_line --index $i --regexp " EAGAIN$"
    done
    run awk '/ begin semtimedop .*limit=60ms/ { begun[$2] = $1; waits++ }
             / end semtimedop .* EAGAIN$/ && $1 - begun[$2] < 60000000
             END { print waits }' "$trace"
    assert_output 4
}

@test "SEM_UNDO changes nothing as long as both live" {
    run -3 abba 30ms
    plain=$(sed -n 's/undo=no/undo=/; s/waited_ms=.*//; 1,6p' <<<"$output")
    undone=$(sed -n 's/undo=yes/undo=/; s/waited_ms=.*//; 7,12p' <<<"$output")
    assert_equal "$undone" "$plain"
    lens abba 30ms
    run grep -c ' ops=./-1/SEM_UNDO .*EAGAIN$' "$trace"
    assert_output 1
}

@test "the kernel, which knows the owner of a fcntl lock, refuses with EDEADLK" {
    run -0 fcntl_refuses
    assert_line --index 2 "bank: opens_gate ring=2"
    assert_line --index 3 "bank: ended done=1 refused=1 hung=0"
    run -0 fcntl_refuses 3
    assert_line --index 4 "bank: ended done=2 refused=1 hung=0"
    # Not by a limit: the alarm is the last resort, and would have ended us.
    lens fcntl_refuses
    run grep -c ' end fcntl .* EDEADLK$' "$trace"
    assert_output 1
}

@test "in one order nobody waits for one who waits for him, and both are done" {
    run -0 same_order 0s
    for i in 0 6; do
        assert_line --index $((i + 1)) "bank: opens_gate have=1 wait=1"
        assert_line --index $((i + 2)) --partial "first: took_both "
        assert_line --index $((i + 3)) --partial "second: took account=savings "
        assert_line --index $((i + 4)) --partial "second: took_both "
    done
}

@test "same_order is abba in all but the order" {
    run diff <(sed '1,/^#define/d; s/abba/NAME/' "$KIT_TOP/chapters/11_deadlock/abba.c") \
        <(sed '1,/^#define/d; s/same_order/NAME/' "$KIT_TOP/chapters/11_deadlock/same_order.c")
    run grep -c '^[<>]     *int ' <<<"$output"
    assert_output 4
}

# seats KIND: what try_and_back_off says of the three, with such pauses.
seats() {
    run try_and_back_off "$1"
    seats=$(grep -E "^(first|second|third): " <<<"$output")
    assert_equal "$(wc -l <<<"$seats")" 3
}

@test "who tries the second, and lets go of the first, never waits with one in its hands" {
    lens try_and_back_off
    # A take that may wait is never the second: each has posted before it.
    run awk '$3 !~ /^(first|second|third)$/ || $5 != "end" { next }
             $6 == "semop" { has[$2] -= 1 }
             $6 == "semtimedop" && !/ limit=nowait / && has[$2] > 0 { print }
             $6 == "semtimedop" && / = 0$/ { has[$2] += 1; takes++ }
             END { print (takes > 9 ? "many" : "few") }' "$trace"
    assert_output many
}

@test "at one pace and with the same pause all are refused, again and again" {
    seats fixed
    assert_equal "$status" 3
    assert_equal "$(grep -c ": gave_up rounds=30 drew=4,4,4$" <<<"$seats")" 3
    # Nobody has waited: it is no deadlock.
    lens try_and_back_off fixed
    run grep -c ' end semtimedop .* EAGAIN$' "$trace"
    assert_output 90
}

@test "children that draw from an inherited seed draw the same" {
    seats inherited
    assert_equal "$status" 3
    run sort -u < <(cut -d ' ' -f 2- <<<"$seats")
    assert_equal "${#lines[@]}" 1
    assert_output --partial "gave_up rounds=30 "
}

@test "with a seed of its own each draws its own pauses, and all get in" {
    seats own
    assert_equal "$status" 0
    assert_equal "$(grep -c ": done " <<<"$seats")" 3
    run sort -u < <(grep -o ' drew=.*' <<<"$seats")
    [[ ${#lines[@]} -gt 1 ]] || fail "all drew the same: $seats"
}

@test "those who wait in a cycle are found, be they two or three" {
    run -0 wait_graph two
    assert_line "finder: edge waiter=anna semaphore=checking holder=bert"
    assert_line "finder: deadlock cycle=2 threads=anna,bert"
    assert_line "finder: anna waits for checking, which bert holds, who waits for savings, which anna holds"
    run -0 wait_graph three
    assert_line "finder: deadlock cycle=3 threads=anna,bert,carl"
    assert_line --partial "who waits for bonds, which carl holds, who waits for savings, which anna holds"
}

@test "who waits for one in the cycle is not in it" {
    run -0 wait_graph
    assert_line "finder: edge waiter=carl semaphore=savings holder=anna"
    assert_line "finder: edge waiter=dora semaphore=bonds holder=carl"
    assert_equal "$(grep -c "^finder: deadlock " <<<"$output")" 2
    refute_line --regexp "^finder: deadlock .*dora"
    refute_line "finder: deadlock cycle=2 threads=anna,bert,carl"
}

@test "a chain that ends at somebody who works is no deadlock" {
    run -0 wait_graph chain
    assert_line --index 3 "finder: no_cycle edges=2"
    assert_equal "${#lines[@]}" 4
}

@test "a torn look shows a cycle that never was, and the second look says so" {
    run -0 wait_graph torn
    assert_line "finder: edge waiter=anna semaphore=savings holder=bert"
    assert_line "finder: edge waiter=bert semaphore=checking holder=anna"
    assert_line --index 3 "finder: rumour cycle=2 threads=anna,bert why=changed"
    assert_equal "${#lines[@]}" 4
}

@test "who takes both in one call waits with nothing in its hands, in any order" {
    run -0 all_at_once
    assert_line --index 0 --partial "first: took_both asked=savings,checking "
    assert_line --index 1 "bank: opens_gate have=1 wait=1"
    assert_line --index 2 --partial "second: took_both asked=checking,savings "
    assert_line --index 3 "bank: ended done=2 of=2 counts=1,1"
}

@test "who waits for both is overtaken by whoever needs one, until there is a gap" {
    run -0 all_at_once 6
    assert_line --index 4 --partial "payer: took account=savings counts=0,1 waiting=0 "
    for i in 5 7 9; do
        assert_line --index $i --partial "payer: took account=checking counts=1,0 waiting=1 "
        assert_line --index $((i + 1)) --partial "payer: took account=savings counts=0,1 waiting=1 "
    done
    assert_line --index 11 --partial "patient: took_both "
    assert_line --index 12 "bank: ended done=1 of=1 overtaken=6 counts=1,1"
}

# checked STORY INVERSIONS LINE...: what the checker says of the story, in order.
checked() {
    local story=$1 found=$2
    run -0 order_check "$story"
    assert_equal "$(grep -E "^(first|second|third): " <<<"$output")" \
        "$(printf '%s\n' "${@:3}")"
    assert_line --regexp "^bank: ended done=([23]) of=\1 inversions=$found$"
}

@test "an order that is turned round is found in a run in which nobody meets" {
    checked two 1 \
        "first: new_order has=savings takes=checking" \
        "second: new_order has=checking takes=savings" \
        "second: inversion has=checking takes=savings but=first:savings,checking"
    # The one has ended when the other begins.
    lens order_check two
    run awk '$2 !~ /^0:/ || $5 != "end" { next }
             $6 == "fork" { if (++running > 1) print "both"; forks++ }
             $6 == "waitpid" { running-- }
             END { print forks }' "$trace"
    assert_output 3 # one is the guardian
}

@test "it is found, too, where it takes three to close the circle" {
    checked three 1 \
        "first: new_order has=savings takes=checking" \
        "second: new_order has=checking takes=bonds" \
        "third: new_order has=bonds takes=savings" \
        "third: inversion has=bonds takes=savings but=first:savings,checking;second:checking,bonds"
}

@test "it is said before the take that could hang" {
    KIT_FAULT='0.3/semtimedop:EUCLEAN@2' lens order_check two
    assert_equal "$status" 1
    assert_line --partial "second: inversion "
    assert_line "order_check: semtimedop: Structure needs cleaning"
}

@test "one order for all, and letting go of one before the next, are no inversion" {
    checked ordered 0 \
        "first: new_order has=savings takes=checking" \
        "second: new_order has=savings takes=bonds" \
        "third: new_order has=checking takes=bonds"
    checked in_turn 0
}

@test "where one that all take first keeps them apart it is a false alarm" {
    checked guarded 1 \
        "first: new_order has=vault takes=savings" \
        "first: new_order has=vault takes=checking" \
        "first: new_order has=savings takes=checking" \
        "second: new_order has=checking takes=savings" \
        "second: inversion has=checking takes=savings but=first:savings,checking"
}

# after_the_death LOCK LINE...: what robust_mutex says of those who come later.
after_the_death() {
    run -0 robust_mutex
    run awk '/ begins / { on = / lock='"$1"' / } on' <<<"$output"
    assert_line --index 1 "holder: killed sum=90"
    assert_equal "$(grep -E '^(second|third): ' <<<"$output")" \
        "$(printf '%s\n' "${@:2}")"
}

@test "SEM_UNDO lets in the next one, and never says that the holder has died" {
    after_the_death semaphore "second: got result=0 sum=90" \
        "third: got result=0 sum=90"
}

@test "a plain mutex stays locked when its holder is dead" {
    after_the_death plain "second: refused result=EBUSY" \
        "third: refused result=EBUSY"
}

@test "a robust mutex says EOWNERDEAD to the next one, once, if he repairs it" {
    after_the_death repaired "second: got result=EOWNERDEAD sum=90" \
        "second: repaired sum=100" "third: got result=0 sum=100"
}

@test "one that is unlocked and not repaired is lost: ENOTRECOVERABLE" {
    after_the_death left "second: got result=EOWNERDEAD sum=90" \
        "third: refused result=ENOTRECOVERABLE"
}

# watched STORY: what who_blocks_whom says of it, from outside.
watched() {
    run who_blocks_whom
    [[ $status -ne 77 ]] || lacks "a look into one's own children"
    assert_equal "$status" 0
    run awk '/ begins / { on = / story='"$1"' / } on' <<<"$output"
}

@test "from outside one sees what each waits for, and how many do" {
    watched two
    assert_line --index 1 "watcher: sees waiter=anna semaphore=checking waiting=1 last=bert"
    assert_line --index 2 "watcher: sees waiter=bert semaphore=savings waiting=2 last=anna"
    assert_line --index 3 "watcher: sees waiter=carl semaphore=savings waiting=2 last=anna"
}

@test "where each has operated last on what it holds the deadlock is found" {
    watched two
    assert_line --index 4 "watcher: suspects cycle=anna,bert unchanged=yes"
    assert_line --index 5 "bank: ended by=kill"
}

@test "who has only looked is taken for the holder, and a circle is none" {
    watched passer_by
    assert_line --index 1 "watcher: sees waiter=bert semaphore=savings waiting=1 last=carl"
    assert_line --index 2 "watcher: sees waiter=carl semaphore=checking waiting=1 last=bert"
    assert_line --index 3 "watcher: suspects cycle=bert,carl unchanged=yes"
    assert_line --index 4 "bank: ended by=itself" # as soon as anna was done
}

@test "where we may not look into a process that is said, and the exit code is 77" {
    KIT_FAULT='0/syscall:EPERM@1' lens who_blocks_whom
    assert_equal "$status" 77
    assert_line "who_blocks_whom: syscall process_vm_readv: Operation not permitted"
}
