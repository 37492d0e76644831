# Exercise init_once: a set that several open, and its first count.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# opened N: count and otime when the opener had opened the set the N-th time.
opened() {
    sed -nE 's/^opener: opened count=([0-9]+) otime=(0|set) .*/\1 \2/p' \
        <<<"$output" | sed -n "$1p"
}

# how_it_ended: what the opener said last.
how_it_ended() {
    echo "exit code ${status:?}, after: $(grep -v '^creator' <<<"$output" | tail -n 1)"
}

# requirement 1
@test "who comes first makes the set and posts 1, who comes later adds nothing" {
    subject 300ms
    read -r count otime < <(opened 1) || mistake \
        "it was the first to come, and did not get a set: $(how_it_ended)"
    [[ $count -eq 1 ]] ||
        mistake "the first to come got a set that counts $count, and not 1"
    [[ $otime == set ]] || mistake \
        "the set counts 1, but its sem_otime is 0: nobody else can tell" \
        "SETVAL leaves it at 0, a post sets it"
    read -r count otime < <(opened 2) || mistake \
        "the set was there, and taken, and who came then did not get it:" \
        "$(how_it_ended)"
    [[ $count -eq 0 ]] || mistake \
        "the first had taken the 1, and who came later made it $count again" \
        "now two have what is there once"
}

# requirement 2
@test "who finds a set waits until its creator has posted" {
    subject 4s slow
    read -r count otime < <(opened 1) || mistake_in_waiting \
        "the creator posted while it waited, and it did not get the set:" \
        "$(how_it_ended)"
    [[ $otime == set && $count -eq 1 ]] || mistake_in_waiting \
        "it came back with count=$count otime=$otime, before the creator's post" \
        "what it does to the set now comes too early"
    ! grep -q ' opener .* end fork ' "$trace" || mistake \
        "you have guarded a set that you only found (the guard is a child)" \
        "when you end it removes the set from under all the others"
    count=$(field count "$(grep '^creator: posted' <<<"$output")") || mistake \
        "its creator finds the set gone" "$output"
    [[ $count -eq 1 ]] || mistake \
        "it gave the set its count, and its creator posted as well: now it is $count" \
        "who finds a set waits; the creator may be slow"
    awk '$3 == "opener" && $5 == "end" && $6 == "semctl" { looks++ }
         $3 == "opener" && $5 == "begin" { sleeps++ }
         END { exit looks > 100 && looks > 5 * sleeps }' "$trace" || mistake \
        "it looked $(grep -c ' opener .* end semctl ' "$trace") times, and hardly slept between two looks: a busy wait" \
        "the creator waits for a processor meanwhile, perhaps for yours"
}

# requirement 3
@test "if the post does not come it gives up at the deadline" {
    subject 150ms dead
    [[ -z $(opened 1) ]] || mistake_in_waiting \
        "the creator died before its post, and yet: $(how_it_ended)"
    [[ $status -eq 3 ]] || mistake_in_waiting \
        "give up with -1 and ETIMEDOUT; instead: $(how_it_ended)"
    waited=$(field waited_ms "$(grep gave_up <<<"$output")")
    ((${waited:-0} >= 150)) || mistake_in_waiting \
        "gave up after ${waited:-0} ms: the limit was 150 ms"
}
