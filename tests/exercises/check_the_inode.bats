# Exercise check_the_inode: lock the file that the name leads to.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# told WHAT: set result, owners and descriptors to what WHAT's line tells.
told() {
    local line
    line=$(grep "^$1: " <<<"$output") || mistake \
        "The program did not come to the line '$1'. It printed:" "$output"
    result=${line#* }
    owners=$(field owners "$line") || owners=none
    descriptors=$(field descriptors "$line") || descriptors=none
}

@test "a lock that is free, or that its owner lets go, is had" {
    subject
    for what in free released; do
        told "$what"
        [[ $result == locked* && $owners -eq 1 ]] || mistake_in_waiting \
            "Nobody touched the file, and in '$what' the result is:" \
            "$result. Wanted: locked owners=1"
    done
}

# requirement 1
@test "the lock is on the file that the name leads to when you have it" {
    subject
    told removed
    [[ $result != locked* || $owners -eq 1 ]] || mistake_in_waiting \
        "The owner has removed the file while you waited: two owners now." \
        "What you have locked has no name any more. The next one made a" \
        "new file of this name, and locked that. Only when you have the lock" \
        "can you know that the inode is still the one that the name leads to."
    told replaced
    [[ $result != locked* || $owners -eq 1 ]] || mistake_in_waiting \
        "The file was replaced while you waited: two owners now. Twice it was" \
        "replaced, and what you have locked is called lock.old by now. It has" \
        "a name, but another inode than the file that path leads to."
}

# requirement 2
@test "a name that is gone is no failure: the file is made anew" {
    subject
    told removed
    [[ $result != failed* ]] || mistake_in_waiting \
        "The owner has removed the file while you waited, and you failed:" \
        "${result#*error=}. That nobody has made a new one yet" \
        "is no failure. Make it, and lock that."
}

# requirement 3
@test "of the files that you tried no descriptor is left" {
    subject
    for what in removed replaced; do
        told "$what"
        [[ $result == locked* ]] || continue
        [[ $descriptors -eq 1 ]] || mistake \
            "'$what' leaves $descriptors descriptors open. Wanted: the one" \
            "that you return. Those of files that were not the right ones" \
            "are left open, each with a lock."
    done
}
