# wait_graph.h of chapter 11 against owners that never stand still, and never
# are in a deadlock. KIT_ALL=1 takes a million looks at the model and 100000 at
# real processes, else 20000.

setup() {
    load ../helpers
    use kit
    looks=20000 parts=4
    [[ -z ${KIT_ALL-} ]] || looks=1000000 parts=20
}

@test "what was torn is never called a deadlock: a model, torn in every way" {
    run -0 wait_graph_looks model "$looks"
    assert_equal "$(field looks "$output") $(field deadlocks "$output")" "$looks 0"
    # There was something to be wrong about.
    assert_at_least 100 "$(field cycles "$output")"
}

@test "what was torn is never called a deadlock: processes, as it happens" {
    local part # each is done in good time, however busy the machine
    for ((part = 0; part < parts; part++)); do
        run -0 wait_graph_looks owners 5000
        assert_at_least 5000 "$(field looks "$output")"
        assert_at_least 100 "$(field edges "$output")" # or it would look on
        assert_equal "$(field deadlocks "$output")" 0
    done
}

# mutated EDIT: the model, seen by a wait_graph.h with sed's EDIT.
mutated() {
    local tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree/tests"
    cp -R "$KIT_TOP/chapters" "$KIT_TOP/common" "$tree"
    cp -R "$KIT_TOP/tests/kit" "$tree/tests"
    sed -i "$1" "$tree/chapters/11_deadlock/wait_graph.h"
    run ! cmp -s {"$KIT_TOP","$tree"}/chapters/11_deadlock/wait_graph.h
    "${CC:-cc}" "$tree/tests/kit/wait_graph_looks.c" -o "$tree/looks"
    run -0 "$KIT_BUILD/tools/bound" "$tree/looks" model 200000
}

@test "without the second look there would be false ones" {
    mutated 's/return why;/return NULL;/'
    assert_at_least 1 "$(field deadlocks "$output")"
}

@test "with a second look that compares names, not stamps, there would be, too" {
    mutated 's/waiter\.stamp != edge->waiter\.stamp/!timed_sem_same(\&waiter.thread, \&edge->waiter.thread) || waiter.number != edge->waiter.number/
        s/row\.stamp != edge->row\.stamp/!timed_sem_same(\&row.holder, \&edge->row.holder)/'
    assert_at_least 1 "$(field deadlocks "$output")"
}

@test "a wait whose limit is over, or whose process was killed, does not count" {
    run -0 wait_graph_looks limit_over
    assert_output "doubt=limit_over"
    run -0 wait_graph_looks killed
    assert_regex "$output" "^doubt=(gone|changed)$"
}
