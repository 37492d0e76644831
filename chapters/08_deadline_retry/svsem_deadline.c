/*
 * svsem_deadline - retry an interrupted wait without losing its bound.
 *
 * semtimedop() takes a duration, and a signal handler ends it early with
 * EINTR, SA_RESTART or not. Retry with the same duration and the clock
 * starts anew: a steady stream of signals makes a bounded wait unbounded.
 * So fix the deadline once, and retry with what is left of it.
 *
 * A neighbour nudges us every 60 ms, six times, and only then posts the
 * semaphore. Who is still waiting for it?
 *
 *     $ cc svsem_deadline.c -o svsem_deadline
 *     $ ./svsem_deadline
 *     waiter: waiting way=naive limit_ms=200 set=7
 *     waiter: acquired waited_ms=421 interrupted=6
 *     waiter: waiting way=deadline limit_ms=200 set=7
 *     waiter: timed_out waited_ms=200 interrupted=3
 *
 * Exits with 0 when acquired, with 3 when timed out.
 * See also: semop(2), signal(7), clock_gettime(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define NUDGES 6

static volatile sig_atomic_t interrupted;

static void on_nudge(int sig)
{
    (void)sig;
    interrupted++;
}

/* Wrong, on purpose: every retry hands out the full limit again. */
static int take_naive(int set, int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);
    int rc;

    do {
        rc = semtimedop(set, &take, 1, &timeout);
    } while (rc == -1 && errno == EINTR);
    return rc;
}

/*
 * Take by a deadline, a time in ns on CLOCK_MONOTONIC: each try gets only what
 * is left. Return 0, or -1 with errno: EAGAIN if it was not to be had by then.
 */
static int take_by(int set, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now_ns();
        bool last = left <= 0;
        /* The last look does not wait, so no signal can interrupt it. */
        struct sembuf take = {.sem_op = -1, .sem_flg = last ? IPC_NOWAIT : 0};
        struct timespec timeout = to_timespec(last ? 0 : left);

        if (semtimedop(set, &take, 1, &timeout) == 0)
            return 0;
        if (errno == EINTR && last)
            errno = EAGAIN;
        if (errno != EINTR)
            return -1;
    }
}

static void post(int set)
{
    struct sembuf post = {.sem_num = 0, .sem_op = 1};

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

static pid_t start_neighbour(int set, int64_t every)
{
    pid_t waiter = getpid(), child = fork_helper("neighbour");
    if (child > 0)
        return child;

    struct timespec pause = to_timespec(every);
    for (int i = 0; i <= NUDGES; i++) {
        if (nanosleep(&pause, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
        if (i < NUDGES && kill(waiter, SIGUSR1) == -1)
            err(EXIT_FAILURE, "kill");
    }
    post(set);
    _exit(EXIT_SUCCESS);
}

/* Wait one way, among nudges, and say how it ended. */
static int wait_and_tell(const char *way, int set, int64_t limit, int64_t every)
{
    printf("waiter: waiting way=%s limit_ms=%" PRId64 " set=%d\n", way,
           limit / NS_PER_MS, set);
    interrupted = 0;
    int status;
    int64_t start = now_ns();
    pid_t neighbour = start_neighbour(set, every);

    int rc = strcmp(way, "naive") == 0 ? take_naive(set, limit)
                                       : take_by(set, start + limit);
    if (rc == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");
    int64_t waited = now_ns() - start;
    if (kill(neighbour, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    if (waitpid(neighbour, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        errx(EXIT_FAILURE, "waitpid: the neighbour has failed");

    printf("waiter: %s waited_ms=%" PRId64 " interrupted=%d\n",
           rc == 0 ? "acquired" : "timed_out", waited / NS_PER_MS,
           (int)interrupted);
    return rc == 0 ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}

int main(int argc, char *argv[])
{
    const char *way = argc > 1 ? argv[1] : NULL;
    if (argc > 5 || (argc > 4 && strcmp(argv[4], "free") != 0) ||
        (way && strcmp(way, "naive") != 0 && strcmp(way, "deadline") != 0)) {
        fputs("usage: svsem_deadline [naive|deadline [LIMIT [EVERY [free]]]]\n"
              "  LIMIT  give up after this long, default 200ms\n"
              "  EVERY  the pause between two nudges, default 60ms\n"
              "  free   somebody has posted already\n"
              "  Without arguments, one way after the other.\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 2 ? parse_duration(argv[2]) : 200 * NS_PER_MS;
    int64_t every = argc > 3 ? parse_duration(argv[3]) : 60 * NS_PER_MS;

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    if (argc > 4)
        post(set);

    struct sigaction nudge = {.sa_handler = on_nudge, .sa_flags = SA_RESTART};
    if (sigaction(SIGUSR1, &nudge, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    if (way)
        return wait_and_tell(way, set, limit, every);
    wait_and_tell("naive", set, limit, every);
    return wait_and_tell("deadline", set, limit, every);
}
