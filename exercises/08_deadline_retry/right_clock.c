/*
 * right_clock - two waits by one deadline, on a clock that nobody sets.
 *
 * When the wall clock is set, a deadline on it comes at once or much too late:
 * https://github.com/raspberrypi/userland/issues/658. And who mixes clocks
 * needs no step: https://github.com/roc-streaming/roc-toolkit/issues/795 gave
 * a monotonic time to sem_timedwait(), which counts on the wall clock. Fill
 * the gap marked TODO, then run: make check-right_clock
 *
 *     $ right_clock 100ms
 *     waiter: waiting limit_us=100000 set=7
 *     waiter: timed_out at=door waited_us=100071
 *     $ right_clock 100ms door
 *     waiter: waiting limit_us=100000 set=8
 *     waiter: timed_out at=reply waited_us=100086
 *
 * First a door, which is a semaphore of a set, then a reply, a POSIX
 * semaphore. In the second run the door is open, and the reply never comes.
 *
 * Exits with 0 when both were had, with 3 when timed out.
 * See also: clock_gettime(2), semop(2), sem_wait(3).
 */
#define _GNU_SOURCE /* semtimedop(), sem_clockwait() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <time.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

/*
 * TODO: these four keep their deadline only while nobody sets the clock.
 *
 *   1. The deadline and what is left of it are told by CLOCK_MONOTONIC: when
 *      the wall clock is set, forward or back, the door is waited for as long
 *      as before.
 *   2. So is the reply, until the same deadline. sem_timedwait() always counts
 *      on the wall clock: wait with sem_clockwait(), which is told the clock.
 *   3. As now, a signal does not end a wait, nor make it longer or shorter.
 */

/* The point in time that is limit ns from now, itself in ns. */
static int64_t deadline_after(int64_t limit)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    return now.tv_sec * NS_PER_SEC + now.tv_nsec + limit;
}

/* How many ns are left until then; 0 or less when it has passed. */
static int64_t left_until(int64_t deadline)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    return deadline - (now.tv_sec * NS_PER_SEC + now.tv_nsec);
}

/* 0, or -1 and errno: EAGAIN when the time is over. */
static int take_door_by(int set, int64_t deadline)
{
    for (;;) {
        int64_t left = left_until(deadline);
        bool last = left <= 0;
        /* The last look does not wait, so no signal can interrupt it. */
        struct sembuf take = {.sem_op = -1, .sem_flg = last ? IPC_NOWAIT : 0};
        struct timespec timeout = to_timespec(last ? 0 : left);

        int rc = semtimedop(set, &take, 1, &timeout);
        if (rc == 0 || errno != EINTR)
            return rc;
    }
}

/* 0, or -1 and errno: ETIMEDOUT when the time is over. */
static int await_reply_by(sem_t *reply, int64_t deadline)
{
    struct timespec until = to_timespec(deadline);
    int rc;

    do
        rc = sem_timedwait(reply, &until);
    while (rc == -1 && errno == EINTR);
    return rc;
}

static _Noreturn void usage(void)
{
    fputs("usage: right_clock LIMIT [door|both]\n"
          "  LIMIT  give up after this long, such as 100ms\n"
          "  door   the door is open\n"
          "  both   and the reply is there\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    const char *there = argc > 2 ? argv[2] : "";
    bool both = strcmp(there, "both") == 0;
    bool open = both || strcmp(there, "door") == 0;
    if (argc < 2 || argc > 3 || (argc == 3 && !open))
        usage();
    int64_t limit = parse_duration(argv[1]);

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    struct sembuf post = {.sem_num = 0, .sem_op = 1};
    if (open && semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    sem_t reply; /* it lies in our memory, and needs no guard */
    if (sem_init(&reply, 0, both ? 1 : 0) == -1)
        err(EXIT_FAILURE, "sem_init");

    setlinebuf(stdout); /* readable while we wait */
    printf("waiter: waiting limit_us=%" PRId64 " set=%d\n", limit / NS_PER_US,
           set);
    int64_t start = now_ns();
    int64_t deadline = deadline_after(limit);
    const char *at = "door";
    int rc = take_door_by(set, deadline);
    if (rc == 0) {
        at = "reply";
        rc = await_reply_by(&reply, deadline);
    }
    if (rc == -1 && errno != EAGAIN && errno != ETIMEDOUT)
        err(EXIT_FAILURE, "%s", at);
    printf("waiter: %s at=%s waited_us=%" PRId64 "\n",
           rc == 0 ? "done" : "timed_out", at, (now_ns() - start) / NS_PER_US);
    return rc == 0 ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}
