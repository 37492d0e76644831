/*
 * timeout_per_wait - SO_SNDTIMEO limits each wait, not the call.
 *
 * The send of a long message waits again and again, whenever the queue is
 * full. SO_SNDTIMEO gives its whole time to each of these waits. So a slow
 * reader who makes room in each of them can make the call last for ever.
 *
 * Other calls do not look at it: poll() on the same socket waits until its own
 * limit. And a timeout of 0, to poll() "at once", means here that there is
 * none: with it the send waits for a reader who pauses longer than the timeout
 * that was there before.
 *
 *     $ cc timeout_per_wait.c -o timeout_per_wait
 *     $ ./timeout_per_wait 20ms
 *     message: bytes=1048576
 *     sender: sent bytes=1048576 limit_ms=20 pause_ms=12 waited_ms=89
 *     sender: polled writable=no limit_ms=20 poll_ms=40 waited_ms=40
 *     sender: sent bytes=1048576 limit_ms=0 pause_ms=40 waited_ms=290
 *
 * See also: socket(7), send(2), poll(2).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define PATIENCE (20 * NS_PER_MS)
#define TRIES 8

/* A bite is large, for the reader must make room in each wait. */
static char message[1 << 20], bite[1 << 17];

static void limit_each_wait(int fd, int64_t limit)
{
    struct timeval timeout = {
        .tv_sec = (time_t)(limit / NS_PER_SEC),
        .tv_usec = (suseconds_t)(limit % NS_PER_SEC / NS_PER_US),
    };

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == -1)
        err(EXIT_FAILURE, "setsockopt");
}

/* What the kernel has made of it, which may round it up. */
static int64_t limit_ms(int fd)
{
    struct timeval limit;
    socklen_t size = sizeof limit;

    if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &size) == -1)
        err(EXIT_FAILURE, "getsockopt");
    return limit.tv_sec * INT64_C(1000) + limit.tv_usec / 1000;
}

/* What goes in at pair[0] comes out at pair[1]. */
static void open_pair(int pair[2], int64_t limit)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    limit_each_wait(pair[0], limit);
}

/* A reader who pauses after each bite. */
static pid_t start_reader(const int pair[2], int64_t pause)
{
    struct timespec nap = to_timespec(pause);
    ssize_t got;
    pid_t reader = fork_helper("reader");
    close(pair[reader == 0 ? 0 : 1]); /* each keeps one end */
    if (reader > 0)
        return reader;
    while ((got = recv(pair[1], bite, sizeof bite, 0)) > 0)
        if (nanosleep(&nap, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    if (got == -1)
        err(EXIT_FAILURE, "recv");
    _exit(EXIT_SUCCESS);
}

/* Send to such a reader, and see it end. Was all of the message sent? */
static bool send_slowly(int64_t before, int64_t limit, int64_t pause)
{
    int pair[2];
    open_pair(pair, before);
    limit_each_wait(pair[0], limit);
    pid_t reader = start_reader(pair, pause);
    int64_t start = now_ns();
    ssize_t sent = send(pair[0], message, sizeof message, MSG_NOSIGNAL);
    int64_t waited = now_ns() - start;

    if (sent == -1)
        err(EXIT_FAILURE, "send");
    int64_t had = limit_ms(pair[0]);
    close(pair[0]);
    see_end(reader, 0);
    if (sent != sizeof message)
        return false;
    printf("sender: sent bytes=%zd limit_ms=%" PRId64 " pause_ms=%" PRId64
           " waited_ms=%" PRId64 "\n",
           sent, had, pause / NS_PER_MS, waited / NS_PER_MS);
    return true;
}

/*
 * The reader comes in good time before each wait is over. If for once it does
 * not, for want of a processor, the send is cut short: try with more time.
 */
static void send_in_time(int64_t limit)
{
    for (int tries = 0; tries < TRIES; tries++, limit *= 2)
        if (send_slowly(limit, limit, limit * 3 / 5))
            return;
    errx(EXIT_FAILURE, "send: cut short each time: the reader is late");
}

static void poll_full_queue(int64_t limit)
{
    int pair[2];
    open_pair(pair, limit);
    while (send(pair[0], message, sizeof message, MSG_DONTWAIT) > 0)
        continue;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");

    struct pollfd room = {.fd = pair[0], .events = POLLOUT};
    int twice = (int)(2 * limit_ms(pair[0]));
    int64_t start = now_ns();
    int ready = poll(&room, 1, twice);
    if (ready == -1)
        err(EXIT_FAILURE, "poll");
    printf("sender: polled writable=%s limit_ms=%" PRId64
           " poll_ms=%d waited_ms=%" PRId64 "\n",
           ready ? "yes" : "no", limit_ms(pair[0]), twice,
           (now_ns() - start) / NS_PER_MS);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: timeout_per_wait [PATIENCE]\n"
              "  PATIENCE  how long SO_SNDTIMEO may wait, default 20ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t patience = argc > 1 ? parse_duration(argv[1]) : PATIENCE;
    if (patience == 0)
        errx(EXIT_USAGE, "SO_SNDTIMEO reads 0 as 'wait for ever'");

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    printf("message: bytes=%zu\n", sizeof message);
    send_in_time(patience);
    poll_full_queue(patience);
    if (!send_slowly(patience, 0, 2 * patience))
        errx(EXIT_FAILURE, "send: cut short without a limit");
    return EXIT_SUCCESS;
}
