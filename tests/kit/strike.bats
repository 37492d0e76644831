# tests/tools/strike.c, shown on programs that leave something behind, and on
# some that do not: tests/kit/unruly.c.

setup() {
    load ../helpers
    PATH=${KIT_BUILD:?run me with: make check}/tools:$KIT_BUILD/kit:$PATH
}

@test "a guarded set passes, whatever the signal and the aim" {
    for signal in KILL TERM INT HUP QUIT SEGV PIPE; do
        for aim in main group names member:1; do
            run -0 strike "$signal" line:2 "$aim" unruly guarded
            assert_output "unruly: $signal line:2 $aim: nothing left behind"
        done
    done
}

@test "a moment need not wait for a line" {
    for moment in exec start:50000; do
        # Without a set: it could be struck before that has its guard.
        run -0 strike KILL "$moment" group unruly hang
        assert_output "unruly: KILL $moment group: nothing left behind"
    done
}

@test "a set without a guard is reported and removed" {
    run -1 strike KILL line:2 main unruly leak_set
    [[ $output =~ ^"unruly: KILL line:2 main: left behind: semaphore set '"([0-9]+)"', removed"$ ]]
    run ! set_exists "${BASH_REMATCH[1]}"
}

@test "a set that is named after the blow, on stderr, is reported, too" {
    run -1 strike TERM line:2 main unruly leak_late
    assert_output --partial "left behind: semaphore set '"
}

@test "a directory without a guard is reported" {
    run -1 strike KILL line:2 main unruly leak_directory
    [[ $output =~ ^"unruly: KILL line:2 main: left behind: directory '"(.+)"'"$ ]]
    rmdir "${BASH_REMATCH[1]}"
}

@test "an orphan is reported, and ended" {
    run -1 strike -t 1s TERM line:2 main unruly orphan
    assert_output "unruly: TERM line:2 main: left behind: process 'orphan', killed"
}

@test "a daemon, in a session of its own and without output, is reported" {
    run -1 strike -t 1s TERM line:2 main unruly daemon
    assert_output "unruly: TERM line:2 main: left behind: process 'daemon', killed"
}

@test "each aim hits whom it names" {
    local left="left behind: process 'unruly', killed"
    run -1 strike -t 1s TERM line:2 main unruly pair
    assert_output "unruly: TERM line:2 main: $left"
    run -1 strike -t 1s TERM line:2 member:1 unruly pair
    assert_output "unruly: TERM line:2 member:1: $left"
    for aim in group names member:2; do
        run -0 strike TERM line:2 "$aim" unruly pair
        assert_output "unruly: TERM line:2 $aim: nothing left behind"
    done
}

@test "the program does not start with the signals that strike blocks" {
    run -0 strike HUP line:2 main unruly unmasked
}

@test "a moment or a process that there never is has an exit code of its own" {
    run -4 strike KILL line:4 main unruly lingerer
    assert_output "unruly: KILL line:4 main: no such moment or process"
    run -4 strike KILL line:2 member:2 unruly guarded
    assert_output "unruly: KILL line:2 member:2: no such moment or process"
}

@test "a program that ignores the signal and goes on is reported and ended" {
    for signal in TERM INT HUP QUIT; do
        run -1 strike -t 300ms "$signal" line:2 main unruly deaf
        assert_output \
            "unruly: $signal line:2 main: left behind: process 'unruly', killed"
    done
    for signal in KILL SEGV PIPE; do
        run -0 strike "$signal" line:2 main unruly deaf
    done
}

@test "strike with a bad argument exits with 2, without a program with 1" {
    for bad in "STOP exec main true" "TERM soon main true" "TERM exec all true" \
        "TERM line:0 main true" "TERM exec main" "-x TERM exec main true"; do
        # shellcheck disable=SC2086 # each is several words
        run -2 strike $bad
        assert_line --partial "usage: strike [-t LIMIT] SIGNAL MOMENT AIM PROGRAM"
    done
    run -1 strike TERM exec main ./no-such-program
    assert_output "strike: ./no-such-program: No such file or directory"
}
