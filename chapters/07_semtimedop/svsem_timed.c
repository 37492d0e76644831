/*
 * svsem_timed - wait for a semaphore, but no longer than a limit.
 *
 * A plain semop() sleeps until the holder posts, which may be never.
 * semtimedop() is the same call with one argument more: how long we are
 * willing to wait. When that time is over it fails with EAGAIN, and that is
 * all: the semaphore is as it was, and the holder notices nothing.
 *
 * A holder takes the semaphore, works, and posts it; a waiter wants it
 * meanwhile. First the work outlasts the waiter's limit, then it does not.
 *
 *     $ cc svsem_timed.c -o svsem_timed
 *     $ ./svsem_timed
 *     holder: working work_ms=300 set=7
 *     waiter: timed_out limit_ms=50 waited_ms=50
 *     holder: posting
 *     holder: working work_ms=50 set=7
 *     holder: posting
 *     waiter: acquired limit_ms=10000 waited_ms=50
 *
 * Exits with 0 when the last wait acquired, with 3 when it timed out.
 * See also: semop(2), sysvipc(7).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
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

#define BRIEF (50 * NS_PER_MS)
#define LONG (300 * NS_PER_MS)
#define AMPLE (10 * NS_PER_SEC) /* a limit that is not reached costs nothing */
#define HELP (5 * NS_PER_SEC)   /* for what should happen at once */

/* Take the semaphore within limit: 0, or -1 with EAGAIN, see semop(2). */
static int take_within(int set, int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);

    return semtimedop(set, &take, 1, &timeout);
}

static void post(int set)
{
    struct sembuf give = {.sem_num = 0, .sem_op = 1};

    if (semop(set, &give, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

static _Noreturn void wait_and_tell(int set, int64_t limit)
{
    int64_t start = now_ns();
    int rc = take_within(set, limit);
    if (rc == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");

    printf("waiter: %s limit_ms=%" PRId64 " waited_ms=%" PRId64 "\n",
           rc == 0 ? "acquired" : "timed_out", limit / NS_PER_MS,
           (now_ns() - start) / NS_PER_MS);
    if (rc == 0)
        post(set);
    _exit(rc == 0 ? EXIT_SUCCESS : EXIT_TIMED_OUT);
}

static pid_t start_waiter(int set, int64_t limit)
{
    pid_t child = fork_helper("waiter");
    if (child > 0)
        return child;

    wait_and_tell(set, limit);
}

static void nap(int64_t duration)
{
    struct timespec pause = to_timespec(duration);
    if (nanosleep(&pause, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
}

/* The waiter's exit code. waitpid() has no timeout, so ask every ms. */
static int answer_of(pid_t waiter)
{
    int64_t deadline = now_ns() + HELP;
    int status;
    pid_t ended;

    while ((ended = waitpid(waiter, &status, WNOHANG)) == 0) {
        if (now_ns() >= deadline)
            errx(EXIT_FAILURE, "waitpid: the waiter does not end");
        nap(NS_PER_MS);
    }
    if (ended == -1)
        err(EXIT_FAILURE, "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) == EXIT_FAILURE)
        errx(EXIT_FAILURE, "waitpid: the waiter has failed");
    return WEXITSTATUS(status);
}

static void finish(int set)
{
    printf("holder: posting\n");
    post(set);
}

/* Hold the semaphore, work, post it; a waiter stands by. */
static int hold_and_post(int set, int64_t limit, int64_t work)
{
    if (take_within(set, HELP) == -1)
        err(EXIT_FAILURE, "semtimedop");
    printf("holder: working work_ms=%" PRId64 " set=%d\n", work / NS_PER_MS,
           set);
    pid_t waiter = start_waiter(set, limit);
    nap(work);
    if (work <= limit) {
        finish(set);
        return answer_of(waiter);
    }
    /* Still at work when the waiter gives up, however late it wakes. */
    int answer = answer_of(waiter);
    finish(set);
    return answer;
}

static _Noreturn void usage(void)
{
    fputs("usage: svsem_timed [LIMIT [WORK]]\n"
          "  LIMIT  how long the waiter waits, default 50ms\n"
          "  WORK   how long the holder works, default 300ms\n"
          "  Without arguments a second time: 10s for work of 50ms.\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 3)
        usage();
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : BRIEF;
    int64_t work = argc > 2 ? parse_duration(argv[2]) : LONG;

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    post(set);          /* the count is 1: free */
    int answer = hold_and_post(set, limit, work);
    return argc > 1 ? answer : hold_and_post(set, AMPLE, BRIEF);
}
