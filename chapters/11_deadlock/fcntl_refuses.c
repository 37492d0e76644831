/*
 * fcntl_refuses - where the kernel knows the owners it refuses a deadlock.
 *
 * The two transfers of abba once more, in opposite order, at the same moment.
 * But each account is a byte of a file, and is locked with fcntl(), and such a
 * lock belongs to a process. So the kernel can see that whoever asks now would
 * wait for one who waits for it, and refuses: EDEADLK. Which of the two that
 * is depends on who asks last. There is no limit, and none is needed.
 *
 * With more than two they stand in a ring: each has its own account and wants
 * the next one's. The kernel follows the waits from owner to owner, but only
 * so far. In a ring that is too large for it they hang, until an alarm ends
 * one of them.
 *
 *     $ cc fcntl_refuses.c -o fcntl_refuses
 *     $ ./fcntl_refuses
 *     transfer1: locked account=1
 *     transfer2: locked account=2
 *     bank: opens_gate ring=2
 *     bank: ended done=1 refused=1 hung=0
 *
 * Exits with 3 when somebody hung.
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
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define ALARM 5 /* in s */
#define MOST 20

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

static _Noreturn void transfer(int from, int to)
{
    char none;

    if (lock(from) == -1)
        err(EXIT_FAILURE, "fcntl");
    printf("transfer%d: locked account=%d\n", from, from);
    if (write(ready[1], "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (read(gate[0], &none, 1) == -1) /* 0: the bank has closed its end */
        err(EXIT_FAILURE, "read");
    alarm(ALARM); /* its signal ends us, and others may go on */
    if (lock(to) == 0)
        _exit(EXIT_SUCCESS); /* which unlocks both, when the money is moved */
    if (errno != EDEADLK)
        err(EXIT_FAILURE, "fcntl");
    _exit(EDEADLK);
}

/* Returns when it has its first lock. */
static pid_t start(int from, int to)
{
    char none;
    pid_t child = fork_helper("transfer");
    if (child == 0) {
        close(gate[1]); /* so that the bank has the last one */
        close(ready[0]);
        transfer(from, to);
    }

    close(ready[1]); /* so that its end is the end of the pipe */
    ssize_t got = read(ready[0], &none, 1);
    if (got == -1)
        err(EXIT_FAILURE, "read");
    if (got == 0)
        errx(EXIT_FAILURE, "read: a transfer has failed");
    close(ready[0]);
    return child;
}

static _Noreturn void usage(void)
{
    fprintf(stderr,
            "usage: fcntl_refuses [RING]\n"
            "  RING  so many transfers in a ring, 2 to %d, default 2\n",
            MOST);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    char *end = NULL;
    long ring = argc > 1 ? strtol(argv[1], &end, 10) : 2;
    if (argc > 2 || (end && *end) || ring < 2 || ring > MOST)
        usage();

    file = memfd_create("accounts", 0); /* a file in memory, without a name */
    if (file == -1)
        err(EXIT_FAILURE, "memfd_create");
    setlinebuf(stdout); /* empty at fork() */
    if (pipe(gate) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t transfers[MOST];
    for (int i = 0; i < ring; i++) {
        if (pipe(ready) == -1)
            err(EXIT_FAILURE, "pipe");
        transfers[i] = start(i + 1, i + 1 < ring ? i + 2 : 1);
    }
    printf("bank: opens_gate ring=%ld\n", ring);
    close(gate[1]);

    int status, done = 0, refused = 0, hung = 0;
    for (int i = 0; i < ring; i++) {
        if (waitpid(transfers[i], &status, 0) == -1)
            err(EXIT_FAILURE, "waitpid");
        done += status == 0;
        refused += WIFEXITED(status) && WEXITSTATUS(status) == EDEADLK;
        hung += WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    }
    if (done + refused + hung != ring)
        errx(EXIT_FAILURE, "waitpid: a transfer has failed");
    printf("bank: ended done=%d refused=%d hung=%d\n", done, refused, hung);
    return hung > 0 ? EXIT_TIMED_OUT : EXIT_SUCCESS;
}
