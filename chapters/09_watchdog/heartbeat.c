/*
 * heartbeat - count checks without a sign of life, not time.
 *
 * A worker that has much to do cannot say when it will be done, but it can
 * show that it goes on. Whenever a piece of work is finished it adds one to a
 * counter in memory that it shares with the watchdog. The watchdog compares
 * it at each check. If it has not moved the check is stale, and after four
 * stale checks in a row the worker is stuck.
 *
 * Why not take the time since the last beat? Here the machine stops, as a
 * virtual one is paused: watchdog and worker stand still for twice the
 * limit. By the clock the worker is late. But the watchdog has not checked
 * meanwhile, and one check may be stale, or none.
 *
 *     $ cc heartbeat.c -o heartbeat
 *     $ ./heartbeat
 *     watchdog: starting worker=works limit_ms=140
 *     watchdog: finished beats=8 stale_most=0 silence_ms=36
 *     watchdog: starting worker=sticks limit_ms=140
 *     watchdog: stuck beats=4 stale_most=4 silence_ms=141
 *     watchdog: starting worker=is_frozen limit_ms=140
 *     machine: stopped for_ms=280
 *     machine: continued
 *     watchdog: finished beats=8 stale_most=1 silence_ms=305
 *
 * See also: mmap(2), waitid(2), stdatomic.h(0p).
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, with -std=c11 too */

#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define STALE_MAX 4
#define PIECES 8

enum story { WORKS, STICKS, IS_FROZEN };

static int64_t period, work_takes; /* from check to check; for a piece */
static atomic_uint *beats;

static void nap(int64_t duration)
{
    struct timespec pause = to_timespec(duration);
    if (nanosleep(&pause, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
}

static _Noreturn void work(enum story story)
{
    for (int piece = 0; piece < PIECES; piece++) {
        if (story == STICKS && piece == PIECES / 2 && pause() == -1)
            err(EXIT_FAILURE, "pause");
        if (story == IS_FROZEN && piece == PIECES / 2 &&
            killpg(getpgrp(), SIGSTOP) == -1) /* watchdog and all */
            err(EXIT_FAILURE, "killpg");
        nap(story == WORKS ? work_takes : period / 2);
        atomic_fetch_add(beats, 1); /* what is finished, by who finished it */
    }
    _exit(EXIT_SUCCESS);
}

/* With WNOHANG only ask; without, it is killed and about to end. */
static bool has_ended(pid_t worker, int options)
{
    int status;
    pid_t ended = waitpid(worker, &status, options);
    if (ended == -1)
        err(EXIT_FAILURE, "waitpid");
    if (ended != 0 && status != 0 && status != SIGKILL)
        errx(EXIT_FAILURE, "waitpid: the worker has failed");
    return ended != 0;
}

/* Returns when the worker has finished, or is stuck. Prints which. */
static void watch(pid_t worker)
{
    unsigned seen = 0, stale = 0, stale_most = 0;
    int64_t last = now_ns(), silence = 0; /* what a clock would say */
    bool finished = false;
    while (!finished && stale < STALE_MAX) {
        nap(period);
        finished = has_ended(worker, WNOHANG);
        unsigned count = atomic_load(beats);
        int64_t now = now_ns();
        stale = count == seen ? stale + 1 : 0;
        stale_most = stale > stale_most ? stale : stale_most;
        silence = now - last > silence ? now - last : silence;
        last = stale == 0 ? now : last;
        seen = count;
    }
    printf("watchdog: %s beats=%u stale_most=%u silence_ms=%" PRId64 "\n",
           finished ? "finished" : "stuck", seen, stale_most,
           silence / NS_PER_MS);
    if (!finished && kill(worker, SIGKILL) == 0)
        has_ended(worker, 0);
}

/* The machine: it runs a watchdog, and stops when the worker says so. */
static void tell(enum story story, const char *name)
{
    int64_t limit = STALE_MAX * period, stop = 2 * limit;
    atomic_store(beats, 0);
    printf("watchdog: starting worker=%s limit_ms=%" PRId64 "\n", name,
           limit / NS_PER_MS);
    pid_t watchdog = fork_helper("watchdog");
    if (watchdog == 0) {
        if (setpgid(0, 0) == -1) /* a group without the machine */
            err(EXIT_FAILURE, "setpgid");
        pid_t worker = fork_helper("worker");
        if (worker == 0)
            work(story);
        watch(worker);
        _exit(EXIT_SUCCESS);
    }
    int status, ended;
    while ((ended = waitpid(watchdog, &status, WUNTRACED)) != -1 &&
           WIFSTOPPED(status)) {
        printf("machine: stopped for_ms=%" PRId64 "\n", stop / NS_PER_MS);
        nap(stop);
        printf("machine: continued\n");
        if (killpg(watchdog, SIGCONT) == -1)
            err(EXIT_FAILURE, "killpg");
    }
    if (ended == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != 0)
        errx(EXIT_FAILURE, "waitpid: the watchdog has failed");
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: heartbeat [PERIOD [PIECE]]\n"
              "  PERIOD  from check to check, default 35ms\n"
              "  PIECE   how long a piece of work takes, default half\n",
              stderr);
        return EXIT_USAGE;
    }
    period = argc > 1 ? parse_duration(argv[1]) : 35 * NS_PER_MS;
    work_takes = argc > 2 ? parse_duration(argv[2]) : period / 2;
    beats = mmap(NULL, sizeof *beats, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (beats == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    setlinebuf(stdout); /* empty at fork() */
    tell(WORKS, "works");
    tell(STICKS, "sticks");
    tell(IS_FROZEN, "is_frozen");
    return EXIT_SUCCESS;
}
