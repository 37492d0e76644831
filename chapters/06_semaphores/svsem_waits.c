/*
 * svsem_waits - what one can wait for at a semaphore, and what ends the wait.
 *
 * Who takes waits while the count is 0. When somebody posts, the kernel takes
 * for the waiter in the same moment: the poster finds the count at 0 again.
 * Who gives 0 as the operation waits for the opposite, that the count is 0.
 * And when the set is removed every wait ends: EIDRM.
 *
 * Three waiters, one after the other, are processes. The maker makes a step
 * when the kernel counts the waiter: `waiting` counts those who want to take,
 * `for_zero` those who wait for 0.
 *
 *     $ cc svsem_waits.c -o svsem_waits
 *     $ ./svsem_waits
 *     maker: created count=0 waiting=0 for_zero=0 set=7
 *     taker: waits count=0 waiting=1 for_zero=0 set=7
 *     maker: posted count=0 waiting=0 for_zero=0 set=7
 *     taker: took count=0 waiting=0 for_zero=0 set=7
 *     maker: posted count=1 waiting=0 for_zero=0 set=7
 *     closer: waits count=1 waiting=0 for_zero=1 set=7
 *     maker: took count=0 waiting=0 for_zero=0 set=7
 *     closer: went_on count=0 waiting=0 for_zero=0 set=7
 *     loser: waits count=0 waiting=1 for_zero=0 set=7
 *     maker: removed
 *     loser: refused errno=EIDRM
 *
 * See also: semop(2), semctl(2), ipcs(1).
 */
#define _GNU_SOURCE /* nanosleep(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"
#include "hold.h"

static int set, hold_ms;

/* Below 0 it takes, above 0 it posts; 0 waits until the count is 0. */
static int operate(short op)
{
    struct sembuf what = {.sem_num = 0, .sem_op = op};

    return semop(set, &what, 1);
}

/* GETVAL: the count. GETNCNT: how many wait to take. GETZCNT: for 0. */
static int ask(int command)
{
    int answer = semctl(set, 0, command);
    if (answer == -1)
        err(EXIT_FAILURE, "semctl");
    return answer;
}

/* Say it, and hold still until Enter, for somebody who looks. */
static void tell(const char *who, const char *event)
{
    printf("%s: %s count=%d waiting=%d for_zero=%d set=%d\n", who, event,
           ask(GETVAL), ask(GETNCNT), ask(GETZCNT), set);
    hold(hold_ms);
}

static _Noreturn void be_waiter(short op)
{
    alarm(10 + 2 * (unsigned)hold_ms / 1000); /* in s: its signal ends us */
    if (operate(op) == 0)
        _exit(EXIT_SUCCESS);
    if (errno != EIDRM)
        err(EXIT_FAILURE, "semop");
    _exit(EIDRM);
}

/* Start a waiter, and see the kernel count it. */
static pid_t start_waiter(const char *who, short op)
{
    struct timespec nap = to_timespec(20 * NS_PER_MS); /* a wait to see */
    pid_t child = fork_helper(who);
    if (child == 0)
        be_waiter(op);

    do {
        pid_t ended = waitpid(child, NULL, WNOHANG);
        if (ended == -1)
            err(EXIT_FAILURE, "waitpid");
        if (ended > 0)
            errx(EXIT_FAILURE, "waitpid: the %s does not wait", who);
        if (nanosleep(&nap, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    } while (ask(op == 0 ? GETZCNT : GETNCNT) == 0);
    tell(who, "waits");
    return child;
}

static void step(short op)
{
    if (operate(op) == -1)
        err(EXIT_FAILURE, "semop");
    tell("maker", op > 0 ? "posted" : "took");
}

static void play(void)
{
    tell("maker", "created");
    pid_t taker = start_waiter("taker", -1);
    step(1);
    see_end(taker, 0);
    tell("taker", "took");

    step(1);
    pid_t closer = start_waiter("closer", 0);
    step(-1);
    see_end(closer, 0);
    tell("closer", "went_on");

    pid_t loser = start_waiter("loser", -1);
    if (semctl(set, 0, IPC_RMID) == -1)
        err(EXIT_FAILURE, "semctl");
    printf("maker: removed\n");
    see_end(loser, EIDRM);
    printf("loser: refused errno=EIDRM\n");
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: svsem_waits [HOLD]\n"
              "  HOLD  how long to hold still after a line, default 0s\n",
              stderr);
        return EXIT_USAGE;
    }
    hold_ms = argc > 1 ? (int)(parse_duration(argv[1]) / NS_PER_MS) : 0;

    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    play();
    return EXIT_SUCCESS;
}
