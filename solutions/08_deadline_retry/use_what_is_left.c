/*
 * use_what_is_left - poll() until a deadline, whatever interrupts it.
 *
 * poll() takes a duration, in whole milliseconds, and a signal ends it early
 * with EINTR. Cap'n Proto then began again with the whole timeout, semian did
 * so three times at most (https://github.com/capnproto/capnproto/issues/580,
 * https://github.com/Shopify/semian/pull/233).
 *
 *     $ use_what_is_left 100ms
 *     waiter: waiting limit_us=100000
 *     waiter: timed_out waited_us=100092 signals=0
 *     $ use_what_is_left 100ms signals
 *     waiter: waiting limit_us=100000
 *     waiter: timed_out waited_us=100105 signals=3
 *     $ use_what_is_left 100ms ready
 *     waiter: waiting limit_us=100000
 *     waiter: readable waited_us=9 signals=0
 *
 * Exits with 0 when readable, with 3 when timed out.
 * See also: poll(2), signal(7).
 */
#define _GNU_SOURCE /* pipe2() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define SIGNALS 10
#define SIGNAL_EVERY_MS 30
#define OFTEN 20

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
    static const struct itimerval off = {.it_value = {.tv_sec = 0}};

    (void)sig;
    if (++signals == SIGNALS)
        setitimer(ITIMER_REAL, &off, NULL);
}

/*
 * Wait until fd can be read: 1, or 0 when the deadline has passed (on
 * CLOCK_MONOTONIC, as now_ns() counts), or -1 and errno.
 */
static int readable_by(int fd, int64_t deadline)
{
    struct pollfd what = {.fd = fd, .events = POLLIN};

    for (;;) {
        int64_t left = deadline - now_ns();
        /* Rounded up, and at the deadline 0: then it asks and does not wait. */
        int ms = left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;

        int ready = poll(&what, 1, ms);
        if (ready != -1 || errno != EINTR)
            return ready;
    }
}

/* A timer interrupts us every 30 ms, ten times at most. */
static void want_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct timeval every = {.tv_usec = SIGNAL_EVERY_MS * 1000};
    struct itimerval timer = {.it_interval = every, .it_value = every};

    if (sigaction(SIGALRM, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
}

static bool wait_and_tell(int fd, int64_t limit)
{
    printf("waiter: waiting limit_us=%" PRId64 "\n", limit / NS_PER_US);

    int64_t start = now_ns();
    int ready = readable_by(fd, start + limit);
    if (ready == -1)
        err(EXIT_FAILURE, "poll");
    printf("waiter: %s waited_us=%" PRId64 " signals=%d\n",
           ready ? "readable" : "timed_out", (now_ns() - start) / NS_PER_US,
           (int)signals);
    return ready;
}

static _Noreturn void usage(void)
{
    fputs("usage: use_what_is_left LIMIT [signals|ready|often]\n"
          "  LIMIT    give up after this long, such as 100ms\n"
          "  signals  a signal interrupts us every 30 ms\n"
          "  ready    there is something to read\n"
          "  often    twenty such waits, one after the other\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    const char *what = argc > 2 ? argv[2] : "";
    bool interrupted = strcmp(what, "signals") == 0;
    bool ready = strcmp(what, "ready") == 0;
    bool often = strcmp(what, "often") == 0;
    if (argc < 2 || argc > 3 || (argc == 3 && !interrupted && !ready && !often))
        usage();
    int64_t limit = parse_duration(argv[1]);

    int ends[2]; /* we wait at ends[0] */
    if (pipe2(ends, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    if (ready && write(ends[1], "x", 1) != 1)
        err(EXIT_FAILURE, "write");

    setlinebuf(stdout); /* readable while we wait */
    if (interrupted)
        want_signals();
    bool readable = false;
    for (int i = 0; i < (often ? OFTEN : 1); i++)
        readable = wait_and_tell(ends[0], limit);
    return readable ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}
