# Exercise close_on_exec: a lock that a script does not inherit.

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# next_one SERVER: what the next server was told while the first was so.
next_one() {
    sed -n "s/^next: \([a-z]*\) server=$1$/\1/p" <<<"$output"
}

# by_server CALL: such calls of the server itself, in the trace.
by_server() {
    calls "$1" | awk '$3 == "server"'
}

@test "the server locks the file, and its script runs" {
    subject
    grep -q '^server: locked ' <<<"$output" || mistake \
        "The server did not come to its lock. The program printed:" "$output"
    grep -q '^script: running$' <<<"$output" || mistake \
        "The script does not run. The program printed:" "$output"
}

# requirement 1
@test "when the server is dead the next one starts, though its script lives" {
    subject
    [[ $(next_one dead) == started ||
        $(by_server fcntl) != *cmd=F_SETFL* ]] || mistake \
        "The server is dead, and the next one is refused: the script has the" \
        "descriptor. F_SETFL sets flags of the open file description. To be" \
        "closed by exec is a flag of the descriptor."
    [[ $(next_one dead) == started ||
        $(by_server open) != */lock\ *O_CLOEXEC* ]] || mistake \
        "The server is dead, and the next one is refused: the script has a" \
        "copy of the descriptor. The first one was closed by exec. A copy is" \
        "not, whatever the first one was, unless its call says so."
    [[ $(next_one dead) == started ]] || mistake \
        "The server is dead, and the next one is refused: the script has" \
        "inherited the descriptor, and with it the lock."
}

# requirement 2
@test "no descriptor of the file could be inherited, not for an instant" {
    subject
    [[ $(next_one dead) == started ]] || return 0 # that is requirement 1
    [[ $(by_server fcntl) != *cmd=F_SETFD* ]] || mistake \
        "There is an instant between the call that makes the descriptor and" \
        "fcntl(F_SETFD). A program that is started in it, by another thread," \
        "inherits the descriptor. Have it made with the flag."
    [[ $(by_server open) == */lock\ *O_CLOEXEC* ||
        $(by_server openat) == */lock\ *O_CLOEXEC* ]] || mistake \
        "This script does not have the descriptor, but whatever else the server" \
        "starts will have it: it was opened without the flag."
}

# requirement 3
@test "one descriptor is kept, and its number is FIRST or above" {
    subject
    line=$(grep '^server: locked ' <<<"$output") || return 0
    fd=$(field fd "$line")
    count=$(field descriptors "$line")
    ((fd >= 100)) || mistake \
        "The descriptor that you return is $fd. Wanted: 100 or above."
    ((count == 1)) || mistake \
        "The server has $count descriptors of the file. Wanted: the one that" \
        "you return. The first one is still open."
}

# requirement 4
@test "while the server lives it has the lock" {
    subject
    [[ $(next_one alive) != started ]] || mistake \
        "The server is alive, and the next one has started: two servers." \
        "Who unlocks through a descriptor that he has inherited unlocks for" \
        "all: the lock is one, and belongs to the open file description."
    [[ $(by_server flock) != *LOCK_SH* ]] || mistake \
        "The lock is shared, LOCK_SH: a second server with the same program" \
        "would get it, too. Wanted: LOCK_EX, as it was."
    KIT_FAULT=flock:EAGAIN subject
    [[ $output != *"server: locked"* ]] || mistake \
        "flock() was refused, EAGAIN, and the server took the descriptor for" \
        "a lock all the same. Wanted: -1, and its errno."
    [[ $output == *"lock_file: Resource temporarily unavailable"* ]] || mistake \
        "flock() was refused, EAGAIN, and the program said:" "$output" \
        "Wanted: -1, with errno as flock() has left it."
}
