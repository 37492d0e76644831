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
 * but count. Each line is a histogram: so many were late by less than 100 us,
 * by less than 1 ms, by less than 10 ms, and by more.
 *
 *     $ cc never_early.c -o never_early
 *     $ ./never_early
 *     waiter: waiting limit_us=300 set=7
 *     semtimedop: load=0 early=0 below_100us=191 below_1ms=8 below_10ms=1 ...
 *     clock_nanosleep: load=0 early=0 below_100us=190 below_1ms=10 ...
 *     semtimedop: load=4 early=0 below_100us=185 below_1ms=13 below_10ms=2 ...
 *     clock_nanosleep: load=4 early=0 below_100us=183 below_1ms=14 ...
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

#define WAITS 200
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

/* Wait so often, and tell how late the waits were. */
static void measure(const struct way *way, int64_t limit, int load)
{
    static const int64_t below[] = {100 * NS_PER_US, NS_PER_MS, 10 * NS_PER_MS};
    int count[4] = {0}, waits = 0, early = 0;
    int64_t start = now_ns(), last = start + PATIENCE, latest = 0;

    while (waits < WAITS && start < last) {
        bool is_over = way->wait(start, limit);
        int64_t end = now_ns(), late = end - start - limit;
        int row = 0;
        start = end;
        if (!is_over)
            continue;
        waits++;
        early += late < 0;
        latest = late > latest ? late : latest;
        while (row < 3 && late >= below[row])
            row++;
        count[row] += late >= 0;
    }
    printf("%s: load=%d early=%d below_100us=%d below_1ms=%d below_10ms=%d"
           " more=%d waits=%d latest_us=%" PRId64 "\n",
           way->name, load, early, count[0], count[1], count[2], count[3],
           waits, latest / NS_PER_US);
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
    measure(&ways[0], limit, LOAD);
    measure(&ways[1], limit, LOAD);
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
    measure(&ways[0], limit, 0);
    measure(&ways[1], limit, 0);
    measure_loaded(limit);
    return EXIT_SUCCESS;
}
