/*
 * removed_while_waiting - the semaphore goes away under who waits for it.
 *
 * A set belongs to no process. Its owner, its creator or root may remove it,
 * also while others wait. They are all woken at once, with EIDRM: there is
 * nothing left to wait for. Who comes later is told EINVAL, as for any number
 * that is no set. Neither of them is the end of a limit, and to try again is
 * no use.
 *
 *     $ cc removed_while_waiting.c -o removed_while_waiting
 *     $ ./removed_while_waiting
 *     waiter: waiting limit_ms=5000 set=7
 *     remover: removing waiting=1
 *     waiter: failed errno=EIDRM waited_ms=1
 *     waiter: failed errno=EINVAL waited_ms=0
 *
 * See also: semop(2), semctl(2), ipcrm(1).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define LIMIT (5 * NS_PER_SEC) /* a limit that is not reached costs nothing */

/* A helper removes the set as soon as somebody waits for its semaphore. */
static void start_remover(int set)
{
    if (fork_helper("remover") > 0)
        return;

    struct timespec pause = to_timespec(NS_PER_MS);
    int waiting;
    while ((waiting = semctl(set, 0, GETNCNT)) == 0) /* how many wait for it */
        if (nanosleep(&pause, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    if (waiting == -1)
        err(EXIT_FAILURE, "semctl");
    printf("remover: removing waiting=%d\n", waiting);
    if (semctl(set, 0, IPC_RMID) == -1)
        err(EXIT_FAILURE, "semctl");
    _exit(EXIT_SUCCESS);
}

/* Wait for a semaphore that nobody posts. */
static int wait_and_tell(int set, int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);

    int64_t start = now_ns();
    if (semtimedop(set, &take, 1, &timeout) == 0)
        errx(EXIT_FAILURE, "semtimedop: somebody has posted");
    if (errno != EAGAIN && errno != EIDRM && errno != EINVAL)
        err(EXIT_FAILURE, "semtimedop");
    int why = errno;

    printf("waiter: %s errno=%s waited_ms=%" PRId64 "\n",
           why == EAGAIN ? "timed_out" : "failed", errno_name(why),
           (now_ns() - start) / NS_PER_MS);
    return why == EAGAIN ? EXIT_TIMED_OUT : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: removed_while_waiting [LIMIT]\n"
              "  LIMIT  only wait, for your ipcrm -s SET; without: 5s\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    printf("waiter: waiting limit_ms=%" PRId64 " set=%d\n", limit / NS_PER_MS,
           set);
    if (argc == 1)
        start_remover(set);
    int answer = wait_and_tell(set, limit);
    if (argc == 1 && answer != EXIT_SUCCESS)
        errx(EXIT_FAILURE, "semctl: the remover has not removed it");
    return answer ? answer : wait_and_tell(set, limit);
}
