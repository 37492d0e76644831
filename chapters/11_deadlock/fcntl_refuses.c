/*
 * fcntl_refuses - where the kernel knows the owners it refuses a deadlock.
 *
 * The two transfers of abba once more, in opposite order, at the same moment.
 * But each account is a byte of a file, and is locked with fcntl(), and such a
 * lock belongs to a process. So the kernel can see that he who asks now would
 * wait for one who waits for him, and refuses: EDEADLK. Which of the two that
 * is depends on who asks last. There is no limit, and none is needed.
 *
 *     $ cc fcntl_refuses.c -o fcntl_refuses
 *     $ ./fcntl_refuses
 *     first: locked account=savings
 *     second: locked account=checking
 *     bank: opens_gate
 *     bank: ended done=1 refused=1 errno=EDEADLK
 *
 * See also: fcntl_locking(2), abba.c.
 */
#define _GNU_SOURCE /* memfd_create() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

enum { SAVINGS, CHECKING };
static const char *const accounts[] = {"savings", "checking"};

static int file, ready[2], gate[2]; /* the last two are pipes */

/* Wait for the byte and lock it. 0, or -1 with errno. */
static int lock(int account)
{
    struct flock byte = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = account,
                         .l_len = 1};

    return fcntl(file, F_SETLKW, &byte);
}

static _Noreturn void transfer(const char *who, int from, int to)
{
    char none;

    alarm(10); /* in s, the last resort: its signal ends us */
    if (lock(from) == -1)
        err(EXIT_FAILURE, "fcntl");
    printf("%s: locked account=%s\n", who, accounts[from]);
    if (write(ready[1], "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (read(gate[0], &none, 1) == -1) /* 0: the bank has closed its end */
        err(EXIT_FAILURE, "read");
    if (lock(to) == 0)
        _exit(EXIT_SUCCESS); /* which unlocks both, when the money is moved */
    if (errno != EDEADLK)
        err(EXIT_FAILURE, "fcntl");
    _exit(EDEADLK);
}

/* Returns when it has its first lock. */
static pid_t start(const char *who, int from, int to)
{
    char none;
    pid_t bank = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0) {
        /* Never outlive the bank. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
            prctl(PR_SET_NAME, who) == -1)
            err(EXIT_FAILURE, "prctl");
        if (getppid() != bank)
            _exit(EXIT_FAILURE);
        close(gate[1]); /* so that the bank has the last one */
        close(ready[0]);
        transfer(who, from, to);
    }

    close(ready[1]); /* so that its end is the end of the pipe */
    ssize_t got = read(ready[0], &none, 1);
    if (got == -1)
        err(EXIT_FAILURE, "read");
    if (got == 0)
        errx(EXIT_FAILURE, "read: the %s has failed", who);
    close(ready[0]);
    return child;
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: fcntl_refuses\n", stderr);
        return EXIT_USAGE;
    }

    file = memfd_create("accounts", 0); /* a file in memory, without a name */
    if (file == -1)
        err(EXIT_FAILURE, "memfd_create");
    setlinebuf(stdout); /* empty at fork() */
    if (pipe(gate) == -1 || pipe(ready) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t transfers[2];
    transfers[0] = start("first", SAVINGS, CHECKING);
    if (pipe(ready) == -1)
        err(EXIT_FAILURE, "pipe");
    transfers[1] = start("second", CHECKING, SAVINGS);
    printf("bank: opens_gate\n");
    close(gate[1]);

    int status, done = 0, refused = 0;
    for (int i = 0; i < 2; i++) {
        if (waitpid(transfers[i], &status, 0) == -1)
            err(EXIT_FAILURE, "waitpid");
        done += status == 0;
        refused += WIFEXITED(status) && WEXITSTATUS(status) == EDEADLK;
    }
    if (done + refused != 2)
        errx(EXIT_FAILURE, "waitpid: a transfer has failed");
    printf("bank: ended done=%d refused=%d errno=%s\n", done, refused,
           refused > 0 ? "EDEADLK" : "none");
    return EXIT_SUCCESS;
}
