/*
 * wall_clock - a deadline on the clock that somebody sets.
 *
 * The wall clock tells the time of day, and it is set: by hand, or by a
 * program that compares it with others. A deadline on it moves then. A wait
 * that has begun does not notice, for semtimedop() is given a duration. But
 * when a signal interrupts it, the retry looks at the clock: set forward, it
 * gives up at once; set back, it waits for so much longer.
 *
 * Nobody's clock is touched: with each first reading of a wait we see what
 * the clock shows, and after that as if it had been set by STEP. A neighbour
 * sends one signal when it sees us wait. The monotonic clock cannot be set.
 *
 *     $ cc wall_clock.c -o wall_clock
 *     $ ./wall_clock
 *     waiter: timed_out clock=wall step_ms=0 signals=1 waited_ms=100 set=7
 *     waiter: timed_out clock=wall step_ms=300 signals=0 waited_ms=100 set=7
 *     waiter: timed_out clock=wall step_ms=300 signals=1 waited_ms=2 set=7
 *     waiter: timed_out clock=wall step_ms=-300 signals=0 waited_ms=100 set=7
 *     waiter: timed_out clock=wall step_ms=-300 signals=1 waited_ms=400 set=7
 *     waiter: timed_out clock=monotonic step_ms=-300 signals=1 ...
 *
 * See also: clock_gettime(2), clock_settime(2), semop(2).
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
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define STEP (300 * NS_PER_MS)
#define LIMIT (100 * NS_PER_MS)

static int set;
static int64_t step;      /* by which the wall clock is set */
static bool has_been_set; /* from its second reading on */

static void on_signal(int sig)
{
    (void)sig; /* that it ran is enough to end a wait */
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    int64_t ns = now.tv_sec * NS_PER_SEC + now.tv_nsec;
    if (clock == CLOCK_REALTIME && has_been_set)
        ns += step;
    has_been_set = true;
    return ns;
}

/* The loop of svsem_deadline. Right or wrong, that is up to the clock. */
static int take_within(int64_t limit, clockid_t clock)
{
    int64_t deadline = read_clock(clock) + limit;
    int64_t left = limit;

    for (;;) {
        bool last = left <= 0;
        struct sembuf take = {.sem_op = -1, .sem_flg = last ? IPC_NOWAIT : 0};
        struct timespec timeout = to_timespec(last ? 0 : left);

        if (semtimedop(set, &take, 1, &timeout) == 0)
            return 0;
        if (errno == EINTR && last)
            errno = EAGAIN;
        if (errno != EINTR)
            return -1;
        left = deadline - read_clock(clock);
    }
}

/* It sends a signal when the kernel counts a waiter, and ends. */
static pid_t start_neighbour(void)
{
    struct timespec nap = to_timespec(NS_PER_MS);
    pid_t waiter = getpid(), child = fork_helper("neighbour");
    int waiting;
    if (child > 0)
        return child;
    while ((waiting = semctl(set, 0, GETNCNT)) == 0)
        if (nanosleep(&nap, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    if (waiting == -1)
        err(EXIT_FAILURE, "semctl");
    if (kill(waiter, SIGUSR1) == -1)
        err(EXIT_FAILURE, "kill");
    _exit(EXIT_SUCCESS);
}

static void wait_and_tell(clockid_t clock, int64_t by, int signals,
                          int64_t limit)
{
    int status;
    pid_t neighbour = signals > 0 ? start_neighbour() : -1;

    step = by;
    has_been_set = false;
    int64_t start = now_ns();
    if (take_within(limit, clock) == 0)
        errx(EXIT_FAILURE, "semtimedop: somebody has posted");
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");
    int64_t waited = now_ns() - start;

    if (signals > 0 && kill(neighbour, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    if (signals > 0 && waitpid(neighbour, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (signals > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        errx(EXIT_FAILURE, "waitpid: the neighbour has failed");
    printf("waiter: timed_out clock=%s step_ms=%" PRId64
           " signals=%d waited_ms=%" PRId64 " set=%d\n",
           clock == CLOCK_REALTIME ? "wall" : "monotonic", step / NS_PER_MS,
           signals, waited / NS_PER_MS, set);
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: wall_clock [STEP [LIMIT]]\n"
              "  STEP   by which the wall clock is set, default 300ms\n"
              "  LIMIT  give up after this long, default 100ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t by = argc > 1 ? parse_duration(argv[1]) : STEP;
    int64_t limit = argc > 2 ? parse_duration(argv[2]) : LIMIT;
    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    if (sigaction(SIGUSR1, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    wait_and_tell(CLOCK_REALTIME, 0, 1, limit);
    wait_and_tell(CLOCK_REALTIME, by, 0, limit);
    wait_and_tell(CLOCK_REALTIME, by, 1, limit);
    wait_and_tell(CLOCK_REALTIME, -by, 0, limit);
    wait_and_tell(CLOCK_REALTIME, -by, 1, limit);
    wait_and_tell(CLOCK_MONOTONIC, -by, 1, limit);
    return EXIT_SUCCESS;
}
