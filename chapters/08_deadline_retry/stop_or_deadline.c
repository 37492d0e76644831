/*
 * stop_or_deadline - a signal that asks us to stop, just before a wait.
 *
 * A handler for SIGTERM sets a flag. We look at the flag, and it is not set;
 * so we wait, until the deadline at most. A signal during the wait ends it,
 * with EINTR. But one between the look and the wait ends nothing: the handler
 * has run, and poll() sleeps on. Here it always comes just then.
 *
 * The repair is a door that opens only for the time of the wait. The signal
 * is blocked outside, so it stays pending; ppoll() lets it in and waits, in
 * one step, and returns at once. semtimedop() has no such door. So wait in
 * slices: it stops late, but by a slice at most.
 *
 *     $ cc stop_or_deadline.c -o stop_or_deadline
 *     $ ./stop_or_deadline
 *     waiter: starting limit_ms=200 slice_ms=20 set=7
 *     waiter: stopped way=poll waits=1 last=timed_out waited_ms=200
 *     waiter: stopped way=ppoll waits=1 last=EINTR waited_ms=0
 *     waiter: stopped way=semtimedop waits=1 last=timed_out waited_ms=200
 *     waiter: stopped way=slices waits=1 last=timed_out waited_ms=20
 *
 * See also: poll(2), semop(2), sigaction(2), sigprocmask(2), pselect(2).
 */
#define _GNU_SOURCE /* ppoll(), semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define SLICE (20 * NS_PER_MS)

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
    (void)sig;
    stop = 1;
}

static int set;             /* nobody posts */
static struct pollfd input; /* nobody writes */

/* Wait for so long at most. Each returns 0, or -1 with errno if interrupted. */
static int wait_by_poll(int64_t limit)
{
    return poll(&input, 1, (int)((limit - 1) / NS_PER_MS + 1));
}

static int wait_by_ppoll(int64_t limit)
{
    struct timespec timeout = to_timespec(limit);
    sigset_t open;

    sigprocmask(SIG_BLOCK, NULL, &open); /* as it is now, */
    sigdelset(&open, SIGTERM);           /* but with the door open */
    return ppoll(&input, 1, &timeout, &open);
}

static int wait_by_semtimedop(int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);

    int rc = semtimedop(set, &take, 1, &timeout);
    return rc == -1 && errno == EAGAIN ? 0 : rc;
}

static const struct way {
    const char *name, *call;
    int (*wait)(int64_t limit);
    int64_t slice;
    bool has_door;
} ways[] = {
    {"poll", "poll", wait_by_poll, DURATION_MAX, false},
    {"ppoll", "ppoll", wait_by_ppoll, DURATION_MAX, true},
    {"semtimedop", "semtimedop", wait_by_semtimedop, DURATION_MAX, false},
    {"slices", "semtimedop", wait_by_semtimedop, SLICE, false},
};
#define WAYS (sizeof ways / sizeof ways[0])

/* Wait until somebody asks us to stop, until the deadline at most. */
static void play(const struct way *way, int64_t limit)
{
    sigset_t term;
    int waits = 0, rc = 0;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (way->has_door)
        sigprocmask(SIG_BLOCK, &term, NULL);

    stop = 0;
    int64_t start = now_ns(), deadline = start + limit, left = limit;
    for (; !stop && left > 0; left = deadline - now_ns()) {
        if (waits++ == 0 && raise(SIGTERM) != 0) /* after the look at stop */
            err(EXIT_FAILURE, "raise");
        rc = way->wait(left < way->slice ? left : way->slice);
        if (rc == -1 && errno != EINTR)
            err(EXIT_FAILURE, "%s", way->call);
    }
    int64_t waited = now_ns() - start;
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    printf("waiter: %s way=%s waits=%d last=%s waited_ms=%" PRId64 "\n",
           stop ? "stopped" : "timed_out", way->name, waits,
           waits == 0 ? "none"
           : rc == -1 ? "EINTR"
                      : "timed_out",
           waited / NS_PER_MS);
}

int main(int argc, char *argv[])
{
    const struct way *first = ways, *last = ways + WAYS - 1;
    while (argc > 1 && first <= last && strcmp(first->name, argv[1]) != 0)
        first++;
    if (argc > 3 || first > last) {
        fputs("usage: stop_or_deadline [poll|ppoll|semtimedop|slices [LIMIT]]\n"
              "  LIMIT  of the wait, default 200ms\n"
              "  Without arguments, one way after the other.\n",
              stderr);
        return EXIT_USAGE;
    }
    if (argc > 1)
        last = first;
    int64_t limit = argc > 2 ? parse_duration(argv[2]) : 200 * NS_PER_MS;

    int pipe_ends[2];
    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    if (pipe(pipe_ends) == -1)
        err(EXIT_FAILURE, "pipe");
    input = (struct pollfd){.fd = pipe_ends[0], .events = POLLIN};
    struct sigaction term = {.sa_handler = on_term};
    if (sigaction(SIGTERM, &term, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");

    setlinebuf(stdout); /* readable while we wait */
    printf("waiter: starting limit_ms=%" PRId64 " slice_ms=%" PRId64
           " set=%d\n",
           limit / NS_PER_MS, SLICE / NS_PER_MS, set);
    for (const struct way *way = first; way <= last; way++)
        play(way, limit);
    return EXIT_SUCCESS;
}
