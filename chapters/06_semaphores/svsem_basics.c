/*
 * svsem_basics - a semaphore is a count, and nobody owns it.
 *
 * The kernel keeps a number that cannot fall below 0. To take is to subtract
 * one; with IPC_NOWAIT, who cannot is refused. To post is to add one. It is
 * nothing but a number: whoever may take may post, also who has not taken,
 * also twice.
 *
 * Two deploys want to run, one at a time: the count is 1. A stranger posts,
 * and both run. Each line but those of the maker is a process of its own,
 * which makes one call and ends: the count stays.
 *
 *     $ cc svsem_basics.c -o svsem_basics
 *     $ ./svsem_basics
 *     maker: created count=0 set=7
 *     maker: set count=1
 *     first: took count=0
 *     second: refused errno=EAGAIN count=0
 *     stranger: posted count=1
 *     second: took count=0
 *     second: posted count=1
 *     first: posted count=2
 *     maker: removed
 *     third: refused errno=EINVAL
 *
 * See also: semget(2), semop(2), semctl(2), ipcs(1).
 */
#define _GNU_SOURCE /* with -std=c11 too, all of the headers */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"
#include "hold.h"

union semun { /* every program has to define it itself, see semctl(2) */
    int val;
    struct semid_ds *buf;
};

/* -1 takes, and 1 posts: 0, or -1 and errno, see semop(2). */
static int operate(int set, short op)
{
    struct sembuf what = {
        .sem_num = 0, /* the first of the set, here the only one */
        .sem_op = op,
        .sem_flg = IPC_NOWAIT,
    };

    return semop(set, &what, 1);
}

static int count_of(int set)
{
    int count = semctl(set, 0, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    return count;
}

/* In a process of its own: make the call, and exit with its errno. */
static pid_t start(const char *who, int set, short op)
{
    pid_t child = fork_helper(who);
    if (child > 0)
        return child;

    if (operate(set, op) == 0)
        _exit(EXIT_SUCCESS);
    if (errno != EAGAIN && errno != EINVAL)
        err(EXIT_FAILURE, "semop");
    _exit(errno);
}

/* Somebody takes or posts; say how it went. */
static void act(const char *who, int set, short op, int limit_ms)
{
    int status;

    if (waitpid(start(who, set, op), &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    int error = WEXITSTATUS(status);
    if (!WIFEXITED(status) || error == EXIT_FAILURE)
        errx(EXIT_FAILURE, "waitpid: %s has failed", who);
    if (error == 0)
        printf("%s: %s count=%d\n", who, op < 0 ? "took" : "posted",
               count_of(set));
    else if (error == EAGAIN)
        printf("%s: refused errno=EAGAIN count=%d\n", who, count_of(set));
    else
        printf("%s: refused errno=%s\n", who, errno_name(error));
    hold(limit_ms);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: svsem_basics [HOLD]\n"
              "  HOLD  how long to hold still after a line, default 0s\n",
              stderr);
        return EXIT_USAGE;
    }
    int limit_ms = argc > 1 ? (int)(parse_duration(argv[1]) / NS_PER_MS) : 0;

    int set = semget(IPC_PRIVATE, 1, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we hold still, and empty at fork() */
    printf("maker: created count=%d set=%d\n", count_of(set), set);
    hold(limit_ms);
    if (semctl(set, 0, SETVAL, (union semun){.val = 1}) == -1)
        err(EXIT_FAILURE, "semctl");
    printf("maker: set count=%d\n", count_of(set));
    hold(limit_ms);

    act("first", set, -1, limit_ms);
    act("second", set, -1, limit_ms);
    act("stranger", set, 1, limit_ms); /* it has taken nothing */
    act("second", set, -1, limit_ms);  /* and now both run */
    act("second", set, 1, limit_ms);
    act("first", set, 1, limit_ms);

    if (semctl(set, 0, IPC_RMID) == -1)
        err(EXIT_FAILURE, "semctl");
    printf("maker: removed\n");
    hold(limit_ms);
    act("third", set, -1, limit_ms);
    return EXIT_SUCCESS;
}
