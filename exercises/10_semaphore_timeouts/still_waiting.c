/*
 * still_waiting - say while you wait that you wait, and at the end how it ended.
 *
 * A timeout can have two meanings: "I give up", or only "I tell you, and go on
 * waiting". A server that logs each 30 seconds of a wait has the second. Who
 * reads such a log wants to know for how long it has lasted in all, and whether
 * it has ended since: a report without an end stands there for ever. Fill the
 * gap marked TODO, then run: make check-still_waiting
 *
 *     $ still_waiting 100ms 1s 250ms
 *     waiter: waiting slice_ms=100 limit_ms=1000 set=7
 *     waiter: still_waiting waited_ms=100
 *     waiter: still_waiting waited_ms=200
 *     waiter: acquired waited_ms=250
 *     $ still_waiting 100ms 250ms
 *     waiter: waiting slice_ms=100 limit_ms=250 set=8
 *     waiter: still_waiting waited_ms=100
 *     waiter: still_waiting waited_ms=200
 *     waiter: gave_up waited_ms=250
 *
 * Each slice is a new wait here, which begins at the end of the queue. Where
 * several wait, one process waits and another one reports.
 *
 * Exits with 0 when acquired, with 3 when it gave up.
 * See also: semop(2), signal(7).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

/* Write a line into the log, and leave errno as it is. */
static void report(const char *event, int64_t waited)
{
    int why = errno;

    printf("waiter: %s waited_ms=%" PRId64 "\n", event, waited / NS_PER_MS);
    errno = why;
}

/* Take the semaphore, and wait for it for up to left ns: 0, or -1 and errno. */
static int take_for(int set, int64_t left)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(left > 0 ? left : 0);

    return semtimedop(set, &take, 1, &timeout);
}

/*
 * Take the semaphore within limit ns, and report each slice ns of the wait, and
 * its end: 0, or -1 and errno, EAGAIN when the limit was reached.
 *
 * TODO: this waits in silence.
 *
 *   1. Wait in slices, and do not ask again and again. After each that was in
 *      vain report "still_waiting", with the time since the wait began, by the
 *      clock.
 *   2. However it ends, report that once, with the same time: "acquired",
 *      "gave_up" when the limit was reached, and not "still_waiting" as well,
 *      or "failed" for any other errno but EINTR.
 *   3. The limit is kept: the last slice is what is left of it, and not more.
 *      A limit of 0 asks, and does not wait.
 *   4. A signal is no end of a slice: after EINTR wait for what is left of it.
 */
static int take_and_report(int set, int64_t slice, int64_t limit)
{
    (void)slice;
    int rc = take_for(set, limit);

    report(rc == 0 ? "acquired" : "gave_up", limit);
    return rc;
}

static void post(int set)
{
    struct sembuf post = {.sem_num = 0, .sem_op = 1};

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* Another process has the semaphore, for so long. */
static void start_holder(int set, int64_t holds)
{
    pid_t child = fork_helper("holder");
    if (child > 0)
        return;

    struct timespec work = to_timespec(holds);
    if (nanosleep(&work, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
    post(set);
    _exit(EXIT_SUCCESS);
}

int main(int argc, char *argv[])
{
    if (argc < 3 || argc > 4) {
        fputs("usage: still_waiting SLICE LIMIT [HOLDS]\n"
              "  SLICE  report the wait each time, such as 100ms\n"
              "  LIMIT  give up after this long, such as 1s\n"
              "  HOLDS  another one has it for so long; 0s: it is free;\n"
              "         without it: for ever\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t slice = parse_duration(argv[1]), limit = parse_duration(argv[2]);
    int64_t holds = argc == 4 ? parse_duration(argv[3]) : -1;
    if (slice < NS_PER_MS)
        errx(EXIT_USAGE, "a slice is at least 1ms");

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    printf("waiter: waiting slice_ms=%" PRId64 " limit_ms=%" PRId64 " set=%d\n",
           slice / NS_PER_MS, limit / NS_PER_MS, set);
    if (holds == 0)
        post(set);
    else if (holds > 0)
        start_holder(set, holds);
    if (take_and_report(set, slice, limit) == 0)
        return EXIT_SUCCESS;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "take_and_report");
    return EXIT_TIMED_OUT;
}
