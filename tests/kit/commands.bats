# The commands of the Makefile, and the machinery under make check: each of
# its ways to fail is shown to fail.

setup() {
    load ../helpers
    cd "$KIT_TOP"
    tools=$KIT_TOP/tests/tools
}

# without TOOL...: a PATH with all that the tests need but these.
without() {
    local tool
    mkdir "$BATS_TEST_TMPDIR/path"
    for tool in awk basename bash bats cat cc date dirname env find grep make \
        mkdir mktemp nproc realpath rm sed sh sort tr uname; do
        [[ " $* " == *" $tool "* ]] ||
            ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/path"
    done
}

# suite: run the bats file on stdin as the suite kit/demo, and add it up. It
# says %test for @test, for bats would take these lines for tests of this file.
suite() {
    cd "$BATS_TEST_TMPDIR"
    sed 's/^%test/@test/' >demo.bats
    run -0 "$tools/suite.sh" kit/demo demo.bats
    verdict=$output
    run "$tools/tally.sh" kit/demo
}

@test "make help names every command" {
    run -0 make help
    for command in all tour run-NAME doctor check check-NN check-NAME memcheck \
        soak verify lint format docs-update clean help; do
        assert_output --partial "  make $command "
    done
}

@test "a mistyped program is an error that lists the programs" {
    run -2 make run-send_refusde
    assert_line "make: there is no program 'send_refusde'; there are:\
$(printf ' %s' chapters/*/*.c | sed 's,[^ ]*/,,g; s,\.c,,g')"
    run -2 make check-send_refusde
    assert_output --partial " send_refused"
}

@test "a chapter that does not exist is an error that lists the chapters" {
    run -2 make check-99
    assert_output --partial "make: there is nothing called '99' to check;"
    assert_output --partial " 01 "
}

@test "a mistyped command fails as make itself fails" {
    run -2 make chekc
    assert_output --partial "No rule to make target 'chekc'"
}

@test "run-NAME passes ARGS on and takes exit code 3 for an answer" {
    run -0 make run-svsem_timed ARGS=5ms
    assert_line "exit code 3: the bound was reached"
    run -2 make run-svsem_timed ARGS=5
    assert_output --partial "svsem_timed: bad duration '5'"
}

@test "a folder with blanks in its name is fine" {
    local there="$BATS_TEST_TMPDIR/a folder"
    mkdir "$there"
    cp -R Makefile chapters common tests "$there"
    cd "$there"
    run -0 make run-send_refused
    assert_output --partial "refused way=MSG_DONTWAIT"
}

@test "a copy that a reader changes beside a program is left alone" {
    cp -R Makefile chapters common tests "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    cp chapters/01_nonblocking_send/{send_refused,mine}.c
    run -2 make run-mine
    refute_output --regexp "there are:.* mine"
    assert_output --regexp "there are:.* send_refused"
}

@test "a missing tool ends in one line that names its package" {
    without bats
    PATH=$BATS_TEST_TMPDIR/path run -2 make check
    assert_output --regexp "^Makefile:[0-9]+: \*\*\* bats is missing; install it\
 with: apt-get install bats bats-support bats-assert\.  Stop\.$"

    rm "$BATS_TEST_TMPDIR/path/cc"
    PATH=$BATS_TEST_TMPDIR/path run -2 make
    assert_output --regexp "^Makefile:[0-9]+: \*\*\* no C compiler \(cc\); install\
 it with: apt-get install gcc\.  Stop\.$"
    PATH=$BATS_TEST_TMPDIR/path run -0 make help
}

@test "a bats that is too old ends in one line that says so" {
    without bats
    printf '#!/bin/sh\necho Bats 1.4.1\n' >"$BATS_TEST_TMPDIR/path/bats"
    chmod +x "$BATS_TEST_TMPDIR/path/bats"
    PATH=$BATS_TEST_TMPDIR/path run -2 make check
    assert_output --regexp "^Makefile:[0-9]+: \*\*\* bats 1\.4\.1 is too old,\
 1\.7\.0 or newer is needed; install it with: apt-get install bats\.  Stop\.$"
}

@test "what passes, fails and is skipped is counted in the last line" {
    suite <<'END'
%test "one" { true; }
%test "two" { echo why; false; }
%test "three" { skip "no need"; }
END
    [[ $status -eq 1 ]]
    [[ $verdict == "  FAIL  kit/demo "* && $verdict == *"not ok 2 two"*why* ]]
    assert_equal "${lines[-1]}" "1 passed, 1 failed, 1 skipped"
    suite <<<'%test "one" { true; }'
    [[ $status -eq 0 && $verdict == "  PASS  kit/demo "* ]]
    assert_equal "${lines[-1]}" "1 passed, 0 failed, 0 skipped"
}

@test "a suite without a test has failed" {
    suite <<<'# nothing here'
    [[ $status -eq 1 && $verdict == "  FAIL  "* ]]
    assert_equal "${lines[-1]}" "0 passed, 1 failed, 0 skipped"
}

@test "a suite that bats cannot read has failed" {
    suite <<<'%test "one" { if; }'
    [[ $status -eq 1 && $verdict == "  FAIL  "* ]]
}

@test "a suite that stops half-way has failed" {
    mkdir -p "$BATS_TEST_TMPDIR/build/tap/kit"
    cd "$BATS_TEST_TMPDIR"
    printf '1..3\nok 1 one\n' >build/tap/kit/demo.tap
    run -1 "$tools/tally.sh" kit/demo
    assert_equal "${lines[-1]}" "1 passed, 2 failed, 0 skipped"
    run -1 "$tools/tally.sh"
    run ! "$tools/tally.sh" kit/gone
}

@test "JUNIT=FILE writes one report of all suites" {
    suite <<<'%test "one & only" { true; }'
    JUNIT=report.xml run -0 "$tools/tally.sh" kit/demo
    run -0 grep -c '<testcase .*name="one &amp; only"' report.xml
    run -0 grep -c '</testsuites>' report.xml
    assert_output 1
    if command -v xmllint >/dev/null; then
        run -0 xmllint --noout report.xml
    fi
}

@test "make doctor tells what there is and changes nothing" {
    local left
    left=$(mktemp -d /tmp/who_holds.XXXXXX)
    run make doctor
    rmdir "$left" # it has to be there still
    [[ $status -eq 0 ]] || fail "$output"
    assert_line --regexp '^  bats +[0-9]'
    assert_line --regexp '^  kernel.sem +[0-9]'
    assert_line "Left behind"
    assert_line "  scratch directory $left, yours; rm -r $left removes it"
}

@test "make doctor names sets without a key or with one of ours, not others" {
    cat >"$BATS_TEST_TMPDIR/sets.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
int main(void)
{
    key_t keys[] = {IPC_PRIVATE, 0x07fffff1, 0x5eed5eed};
    int sets[3], failed;
    for (int i = 0; i < 3; i++)
        printf("%d\n", sets[i] = semget(keys[i], 1, IPC_CREAT | 0600));
    fflush(stdout);
    failed = system("make doctor");
    for (int i = 0; i < 3; i++)
        semctl(sets[i], 0, IPC_RMID);
    return failed != 0;
}
END
    cc -w "$BATS_TEST_TMPDIR/sets.c" -o "$BATS_TEST_TMPDIR/sets"
    run -0 "$BATS_TEST_TMPDIR/sets"
    local sets=("${lines[@]:0:3}")
    for set in "${sets[@]:0:2}"; do
        assert_line "  semaphore set $set, yours; ipcrm -s $set removes it"
    done
    refute_output --partial "semaphore set ${sets[2]},"
}

@test "memcheck sees a fault in a forked child that valgrind's exit code hides" {
    command -v valgrind >/dev/null || lacks valgrind
    cat >"$BATS_TEST_TMPDIR/fault.c" <<'END'
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char *argv[])
{
    (void)argv;
    if (fork() == 0) {
        char *volatile block = malloc(4);
        int past = argc > 1 && block[4] == 'x';
        free(block);
        _exit(past);
    }
    return wait(NULL) == -1;
}
END
    cd "$BATS_TEST_TMPDIR"
    cc -O0 -w fault.c -o fault
    run -0 "$tools/memcheck.sh" ./fault
    run -99 "$tools/memcheck.sh" ./fault yes
    assert_output --partial "Invalid read"
}
