# Exercise undo_in_pairs: which operations are undone when a process ends?

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# after_end WORDS: what is counted after this end: "1 1", is and should be.
after_end() {
    local line
    line=$(grep "^$1 " <<<"$output") ||
        mistake "no line '$1', exit code ${status:?}: $output"
    sed -E 's/.*(tickets|items)=([0-9]+) right=([0-9]+) .*/\2 \3/' <<<"$line"
}

# undone OP: yes, no, or nothing if no such operation was made; 0/-1 is a
# ticket taken, 0/+1 one given back.
undone() {
    awk -v op="ops=$1" '$5 == "end" && / semop | semtimedop / {
        for (i = 7; i <= NF; i++)
            if (index($i "/", op "/") == 1)
                undone = $i ~ /SEM_UNDO/ ? "yes" : "no" }
        END { print undone }' "${trace:?}"
}

# requirement 1
@test "a worker that is killed leaves its ticket to the others" {
    subject
    read -r is right < <(after_end "worker: killed")
    [[ $is -eq $right ]] || mistake \
        "a worker was killed with a ticket: $is are there, and not $right" \
        "the kernel gives back what was taken with SEM_UNDO, and nothing else"
}

# requirement 2
@test "a worker that gave its ticket back has no more to give when it ends" {
    subject
    read -r is right < <(after_end "worker: ended")
    [[ $is -eq $right ]] || mistake \
        "a worker took a ticket, gave it back, and ended: $is, and not $right" \
        "$(case $(undone 0/-1),$(undone 0/+1) in
            yes,no) echo "the take is undone at its end, and its post is not" ;;
            no,yes) echo "the post is undone at its end, and the take is not" ;;
            *) echo "another worker has one of the two tickets all the while" ;;
        esac)"
    # The program itself sets the counts before there are others.
    awk '$2 != "0:0" && / semctl .* cmd=(SETVAL|SETALL) / { found = 1 }
        END { exit !found }' "$trace" || return 0
    mistake "Read, and then set: what others take and post in between is lost." \
        "Wanted: one step, semop() with +1."
}

# requirement 3
@test "what a producer has put is there when it has ended" {
    subject
    read -r is right < <(after_end "producer: ended")
    [[ $is -eq $right ]] || mistake \
        "a producer put $right items, and when it had ended $is were there" \
        "what was posted with SEM_UNDO goes with the process"
}

# requirement 4
@test "what a consumer has got does not come back when it has ended" {
    subject
    read -r is right < <(after_end "consumer: ended")
    [[ $is -eq $right ]] || mistake \
        "a consumer got an item, and when it had ended $is were there, not $right" \
        "what was taken with SEM_UNDO comes back, and somebody gets it again"
}
