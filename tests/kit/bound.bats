# tests/tools/bound.c, shown on programs that misbehave: tests/kit/unruly.c.

setup() {
    load ../helpers
    PATH=${KIT_BUILD:?run me with: make check}/tools:$KIT_BUILD/kit:$PATH
    said=$BATS_TEST_TMPDIR/said
    : >"$said"
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    pipe=$BATS_TEST_TMPDIR/pipe
}

# Should bound fail us: end what has told its pid.
teardown() {
    sed -n 's/.* pid=//p' "$said" | xargs -r kill -KILL 2>/dev/null || true
}

# bounded CODE ARG...: run bound, which must exit with CODE and leave no one
# behind. All that it starts inherits number 6, a pipe that we read: an end of
# file there, at once, means that they have ended.
bounded() {
    local code=$1
    shift
    exec 5<&- # else the pipe would have a reader before we open it
    bound "$@" 6>"$pipe" >"$said" 2>&1 3>&- &
    exec 5<"$pipe"
    run_status=0
    wait $! || run_status=$?
    output=$(<"$said")
    mapfile -t lines <"$said"
    [[ $run_status -eq $code ]] ||
        fail "expected exit code $code, got $run_status: $output"
    read -t 0 -r -u 5 || fail "a process is left behind: $output"
}

@test "a program that hangs is killed at the limit, and named" {
    bounded 124 -t 1s unruly hang
    assert_line --index 1 --partial "bound: hung: 'unruly' still ran after "
}

@test "a program that ignores TERM, INT, HUP and QUIT is killed all the same" {
    bounded 124 -t 1s unruly deaf
    assert_line "unruly: deaf"
    assert_line --partial "bound: hung: 'unruly' still ran after "
}

@test "a program that has stopped itself is killed all the same" {
    bounded 124 -t 1s unruly stopped
    assert_line --partial "bound: hung: 'unruly' still ran after "
}

@test "a program that prints without end is cut at the limit and killed" {
    bound unruly endless >"$said" 2>"$said.error" &&
        fail "bound let it pass"
    assert_equal "$(stat -c %s "$said")" 1048576
    assert_equal "$(cat "$said.error")" \
        "bound: output: more than 1048576 bytes, cut and killed"
}

@test "output up to the limit passes, one byte more does not" {
    bounded 0 -o 5 printf 12345
    assert_output 12345
    bounded 124 -o 5 printf 123456
    assert_line --index 0 12345
    assert_line --index 1 "bound: output: more than 5 bytes, cut and killed"
}

@test "orphans are found in any session, without any output, and named" {
    KIT_TIME_SCALE=2 bounded 124 -t 600s unruly orphans
    assert_line "bound: left behind: 'orphan' outlived the program by 4 s, killed"
    assert_line "bound: left behind: 'daemon' outlived the program by 4 s, killed"
    refute_line --partial hung
}

@test "a child that soon follows the program is waited for, not killed" {
    bounded 0 unruly lingerer
    assert_line --partial "lingerer: pid="
}

@test "a fork bomb is ended, down to the last process" {
    bounded 124 -t 1s unruly bomb
    assert_line --partial "bound: hung: 'bomb' still ran after "
    assert_line --regexp '^bound: and [0-9]+ more$'
}

@test "a process that flees from pid to pid is caught" {
    bounded 124 -t 1s unruly phoenix
    assert_line "phoenix: pid=$(sed -n 's/phoenix: pid=//p' "$said")"
    refute_line --partial "could not be killed"
    refute_line --partial "left behind"
}

@test "a program that hides in bound's own process group is killed alone" {
    bounded 124 -t 1s unruly deserter
    assert_line --partial "bound: hung: 'deserter) Z 1 1' still ran after "
    refute_line --partial "left behind"
}

@test "the guardian of a program that hangs removes its set" {
    bounded 124 -t 1s unruly guarded
    assert_line --partial "bound: hung: 'unruly' still ran after "
    refute_line --partial guardian
    run ! set_exists "$(field set "${lines[1]}")"
}

@test "a guardian that does not end is killed after all, and named" {
    bounded 124 -t 1s unruly impostor
    assert_line --partial "bound: hung: 'unruly' still ran after "
    assert_line --partial "bound: left behind: 'guardian' outlived the program by "
}

@test "a program that kills its process group hits no one else" {
    bounded 137 unruly kill_group
}

@test "what bound says begins on a line of its own, after the program's words" {
    bounded 124 -t 1s unruly prompt
    assert_line --index 1 "Password: "
    assert_line --index 2 --partial "bound: hung: "
}

@test "a child that has ended, but was not waited for, is not named" {
    bounded 124 -t 1s unruly zombie
    assert_line --index 1 --partial "bound: hung: 'unruly' still ran after "
    assert_equal "${#lines[@]}" 2
}

@test "the exit code passes through, and a death by signal n is 128+n" {
    bounded 0 true
    bounded 7 sh -c 'exit 7'
    bounded 143 sh -c 'kill -TERM $$'
    bounded 137 sh -c 'kill -KILL $$'
    assert_output ""
}

@test "a program that does not start is 127 or 126, with the reason" {
    bounded 127 ./no-such-program
    assert_output "bound: ./no-such-program: No such file or directory"
    bounded 126 "$BATS_TEST_TMPDIR"
    assert_output "bound: $BATS_TEST_TMPDIR: Permission denied"
}

@test "stdout and stderr that go to one place keep their order" {
    bounded 0 bash -c 'for n in {1..500}; do echo "$n"; echo "$n" >&2; done'
    assert_output "$(for n in {1..500}; do echo "$n"; echo "$n"; done)"
}

@test "stdout and stderr that go to two places stay apart" {
    run -0 --separate-stderr bound sh -c 'echo out; echo error >&2'
    assert_equal "$output" out
    assert_equal "${stderr:?}" error
}

@test "input passes through, and a last line without a newline, too" {
    printf 'one\ntwo' | bound cat >"$said"
    printf 'one\ntwo' | cmp - "$said"
}

@test "output passes through a pipe that someone has set to O_NONBLOCK" {
    { dd if=/dev/null oflag=nonblock status=none; bound head -c 1M /dev/zero; } |
        wc -c >"$said"
    assert_equal "$(<"$said")" 1048576
}

@test "the program starts with the signals that bound was given" {
    local signals=(grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status)
    run -0 bound "${signals[@]}"
    assert_output "$("${signals[@]}")"
    run -0 env --ignore-signal=CHLD,PIPE,HUP bound "${signals[@]}"
    assert_output "$(env --ignore-signal=CHLD,PIPE,HUP "${signals[@]}")"
}

@test "a program that closes its output early is waited for all the same" {
    coproc MUTE { exec bound unruly mute 3>&-; }
    local pid=$MUTE_PID input=${MUTE[1]}
    cat <&"${MUTE[0]}" >"$said" # until its end of file
    kill -0 "$(field pid "$(<"$said")")"
    exec {input}>&-
    wait "$pid"
}

@test "a reader that does not read cannot keep bound" {
    bound -t 300ms unruly endless >"$pipe" 2>"$said.error" 3>&- &
    exec 5<"$pipe"
    local code=0
    wait $! || code=$?
    assert_equal "$code" 124
    run cat "$said.error"
    assert_line --index 0 --partial "bound: hung: 'unruly' still ran after "
    assert_line --index 1 "bound: output: not read to its end"
    assert_equal "${#lines[@]}" 2
    exec 5<&-

    bound -t 300ms unruly endless >"$pipe" 2>&1 3>&- & # not our words either
    exec 5<"$pipe"
    code=0
    wait $! || code=$?
    assert_equal "$code" 124
}

@test "a reader that has gone ends the program as without bound" {
    run -141 env --default-signal=PIPE \
        bash -c 'bound unruly endless | head -n 1; exit "${PIPESTATUS[0]}"'
    # shellcheck disable=SC2016
    run -5 bash -c 'bound sh -c "trap \"\" PIPE; yes 2>&-; exit 5" |
        head -n 1; exit "${PIPESTATUS[0]}"'
}

@test "bound that is told to end takes the family with it" {
    ulimit -c 0
    for signal in TERM INT HUP QUIT; do
        env --default-signal=HUP,INT,QUIT \
            bound unruly deaf >"$pipe" 2>"$said.error" 3>&- &
        local bound=$! pid status=0
        exec 5<"$pipe"
        read -r -u 5 pid
        echo "$pid" >>"$said"
        kill -s "$signal" "$bound"
        wait "$bound" || status=$?
        assert_equal "$(kill -l "$status")" "$signal"
        run -1 kill -0 "$(field pid "$pid")"
        exec 5<&- # and with it what was not read
        run cat "$said.error"
        assert_output --regexp '^bound: .*: killed$'
    done
}

@test "bound under nohup keeps on through a hangup" {
    coproc MUTE { exec env --ignore-signal=HUP bound unruly mute 3>&-; }
    local pid=$MUTE_PID input=${MUTE[1]}
    cat <&"${MUTE[0]}" >"$said"
    kill -HUP "$pid"
    exec {input}>&-
    wait "$pid"
}

@test "bound ends with its parent, and takes the family with it" {
    # Number 6 makes bound itself hold the pipe until it has waited for all.
    bash -c 'bound -t 600s unruly deaf; :' \
        6>"$pipe" >"$pipe" 2>"$said.error" 3>&- &
    local bash=$!
    exec 5<"$pipe"
    read -r -u 5
    echo "$REPLY" >"$said"
    kill -KILL "$bash"
    run -0 bound cat <&5 # until the other has ended
    run -1 kill -0 "$(field pid "$REPLY")"
}

@test "bound that is killed takes the program with it" {
    # Number 6 makes the program itself hold the pipe that we read.
    bound unruly hang 6>"$pipe" >"$pipe" 3>&- &
    local bound=$!
    exec 5<"$pipe"
    read -r -u 5
    kill -KILL "$bound"
    run -0 bound cat <&5 # until the program has closed it
}

@test "KIT_TIME_SCALE stretches the limit" {
    KIT_TIME_SCALE=3 bounded 124 -t 100ms unruly hang
    assert_line "bound: hung: 'unruly' still ran after 0.3 s, killed"
    for bad in 0 -1 1.5 "" two 99999; do
        KIT_TIME_SCALE=$bad bounded 2 true
        assert_output "bound: bad KIT_TIME_SCALE '$bad': write 1 to 1000"
    done
}

@test "bound without a program, or with a bad limit, exits with 2" {
    for arguments in "" "-t 1s" "-x true" "-t"; do
        # shellcheck disable=SC2086 # each is several words
        bounded 2 $arguments
        assert_output --partial \
            "usage: bound [-t LIMIT] [-o BYTES] PROGRAM [ARG...]"
    done
    bounded 2 -t 5 true
    assert_output "bound: bad duration '5': write 3s, 250ms or 800us"
    bounded 2 -o many true
    assert_output --partial "bound: bad BYTES 'many'"
}
