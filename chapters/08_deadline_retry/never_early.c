/*
 * never_early - a wait ends after its limit, never before; how long after?
 *
 * A deadline loop trusts that a wait which is over was long enough: the time
 * has come, and nobody need look at the clock again. How late it is, nobody
 * promises. The kernel may wait a little for other timers, to wake the
 * processor once for all of them, and then you must be given a processor.
 *
 * We wait 200 times in semtimedop(), and as often in clock_nanosleep(), which
 * is told when to end: idle, and then beside four processes that do nothing
 * but count. What follows is a histogram: how many waits were late by
 * so much, up to the next line's.
 *
 *     $ cc never_early.c -o never_early
 *     $ ./never_early
 *     waiter: waiting limit_us=300 set=7
 *     semtimedop: load=0 waits=200 early=0 median_us=65 latest_us=140
 *     clock_nanosleep: load=0 waits=200 early=0 median_us=63 latest_us=1203
 *     late: load=0 from_us=0 semtimedop=3 clock_nanosleep=4
 *     late: load=0 from_us=50 semtimedop=190 clock_nanosleep=188
 *     ...
 *
 * See also: semop(2), clock_nanosleep(2), time(7), prctl(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"
#include "lateness.h"

#define LOAD 4
#define PATIENCE NS_PER_SEC /* on a very busy machine we wait less often */

static int set;

/* Each returns false if a signal has ended it, such as that of Ctrl-Z, fg. */
static bool wait_for_semaphore(int64_t start, int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);

    (void)start;
    if (semtimedop(set, &take, 1, &timeout) == 0)
        errx(EXIT_FAILURE, "semtimedop: somebody has posted");
    if (errno != EAGAIN && errno != EINTR)
        err(EXIT_FAILURE, "semtimedop");
    return errno == EAGAIN;
}

static bool sleep_until(int64_t start, int64_t limit)
{
    struct timespec deadline = to_timespec(start + limit);

    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
    if (errno != 0 && errno != EINTR)
        err(EXIT_FAILURE, "clock_nanosleep");
    return errno == 0;
}

static const struct way {
    const char *name;
    bool (*wait)(int64_t start, int64_t limit);
} ways[] = {
    {"semtimedop", wait_for_semaphore},
    {"clock_nanosleep", sleep_until},
};

static void measure(const struct way *way, int64_t limit, struct waits *waits)
{
    int64_t start = now_ns(), last = start + PATIENCE;

    for (waits->count = 0; waits->count < WAITS && start < last;) {
        bool is_over = way->wait(start, limit);
        int64_t end = now_ns();
        if (is_over)
            waits->late[waits->count++] = end - start - limit;
        start = end;
    }
}

static void measure_both(int64_t limit, int load)
{
    static struct waits waits[2];

    for (int i = 0; i < 2; i++) {
        measure(&ways[i], limit, &waits[i]);
        tell(ways[i].name, load, &waits[i]);
    }
    for (size_t row = 0; row < ROWS; row++)
        printf("late: load=%d from_us=%" PRId64 " %s=%d %s=%d\n", load,
               from_us[row], ways[0].name, count_from(&waits[0], row),
               ways[1].name, count_from(&waits[1], row));
}

/* It says that it is there, and then wants all of a processor. */
static pid_t start_load(const int there[2])
{
    pid_t load = fork_helper("load");
    if (load > 0)
        return load;
    alarm(60); /* should nobody end it */
    if (write(there[1], "", 1) == -1)
        err(EXIT_FAILURE, "write");
    close(there[1]);
    for (volatile unsigned count = 0;;)
        count++;
}

static void measure_loaded(int64_t limit)
{
    pid_t load[LOAD];
    int there[2], status;
    char none;

    if (pipe(there) == -1)
        err(EXIT_FAILURE, "pipe");
    for (int i = 0; i < LOAD; i++)
        load[i] = start_load(there);
    close(there[1]);
    for (int i = 0; i < LOAD; i++) {
        errno = EPIPE; /* if it reads 0, the end: one has said why */
        if (read(there[0], &none, 1) < 1)
            err(EXIT_FAILURE, "read");
    }
    close(there[0]);
    measure_both(limit, LOAD);
    for (int i = 0; i < LOAD; i++)
        if (kill(load[i], SIGKILL) == -1 || waitpid(load[i], &status, 0) == -1)
            err(EXIT_FAILURE, "waitpid");
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: never_early [LIMIT]\n"
              "  LIMIT  of each wait, default 300us\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 300 * NS_PER_US;

    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    printf("waiter: waiting limit_us=%" PRId64 " set=%d\n", limit / NS_PER_US,
           set);
    measure_both(limit, 0);
    measure_loaded(limit);
    return EXIT_SUCCESS;
}
