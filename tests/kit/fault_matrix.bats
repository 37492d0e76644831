# tests/tools/faults.sh, which fails each call of a program: it must see what
# is wrong with a program that does not take a failure as it should.

setup() {
    load ../helpers
    cd "$BATS_TEST_TMPDIR"
}

# judged CODE STATUS PATTERN: of a program with this main, faults.sh says so.
judged() {
    printf '%s\n' '#define _GNU_SOURCE' '#include <err.h>' '#include <poll.h>' \
        '#include <sys/sem.h>' '#include <sys/wait.h>' '#include <unistd.h>' \
        "int main(void) { $1 }" >subject.c
    cc -w -U_FORTIFY_SOURCE subject.c -o subject
    run "-$2" "$KIT_TOP/tests/tools/faults.sh" ./subject
    assert_output --regexp "$3"
}

@test "a program that says which call failed is told to be right" {
    judged 'int p[2]; if (pipe(p) == -1) err(1, "pipe");' 0 \
        '^1 failures were met as they should'
}

@test "a program that ignores a failure is caught" {
    judged 'int p[2]; pipe(p);' 1 '^not ok subject 0/pipe@1: exit code 0'
}

@test "a program that fails without a word, or with another one, is caught" {
    judged 'int p[2]; return pipe(p) == -1;' 1 "pipe@1: no line 'subject: pipe:"
    judged 'int p[2]; if (pipe(p) == -1) err(1, "socket");' 1 "pipe@1: no line"
}

@test "a child whose failure the parent does not notice is caught" {
    judged 'if (fork() == 0) { if (poll(0, 0, 1) == -1) err(1, "poll");
        _exit(0); } if (wait(0) == -1) err(1, "wait");' 1 \
        '0\.1/poll@1: exit code 0'
}

@test "a program that waits for ever for its failed child is caught" {
    export KIT_FAULT_LIMIT=1s
    judged 'int p[2]; char c; if (pipe(p) == -1) err(1, "pipe");
        if (fork() == 0) { if (poll(0, 0, 1) == -1) err(1, "poll");
        write(p[1], "x", 1); _exit(0); } if (read(p[0], &c, 1) == -1)
        err(1, "read");' 1 '0\.1/poll@1: exit code 124'
}

@test "a program that leaves its set behind when a later call fails is caught" {
    judged 'int set = semget(IPC_PRIVATE, 1, 0600);
        if (set == -1) err(1, "semget");
        if (semctl(set, 0, GETVAL) == -1) err(1, "semctl");
        if (semctl(set, 0, IPC_RMID) == -1) err(1, "semctl");' 1 \
        'semctl@1: leaves semaphore set [0-9]+ behind'
}

@test "a program that cannot run at all is no success" {
    run -1 "$KIT_TOP/tests/tools/faults.sh" ./none
    assert_output --partial "not ok none"
}
