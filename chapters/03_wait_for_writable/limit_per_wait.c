/*
 * limit_per_wait - a limit for each wait is none for the call. Wrong.
 *
 * The loop that many programs have: send without waiting, and where there is
 * no room wait for it, at most so long, else give up. Each wait is bounded,
 * so the whole is, it seems. But a slow reader ends each wait in time, and
 * the number of waits has no bound. And when a wait does end the loop, -1
 * says nothing of what went before: who sends it all again sends it twice.
 *
 * The sibling of send_all, which does it right. But for the loop, a larger
 * message and a slower reader it is the same: diff limit_per_wait.c send_all.c
 *
 *     $ cc limit_per_wait.c -o limit_per_wait
 *     $ ./limit_per_wait
 *     message: bytes=8388608
 *     sender: returned result=8388608 limit_ms=250 waited_ms=520
 *     reader: received bytes=8388608 in_order=yes how=slow
 *     sender: returned result=-1 limit_ms=250 waited_ms=266
 *     reader: received bytes=475072 in_order=yes how=stops
 *
 * See also: send(2), poll(2).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define ENOUGH 262144 /* bytes, for a reader that stops or closes */
#define LIMIT (250 * NS_PER_MS)
#define PAUSE_MS 4

static uint32_t message[1 << 21]; /* 0, 1, 2, ...: no two parts are alike */

/* Wrong, on purpose: a limit for each wait, and a -1 that hides the count. */
static ssize_t send_patiently(int fd, const void *bytes, size_t length,
                              int limit_ms)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    size_t sent = 0;

    while (sent < length) {
        ssize_t n = send(fd, (const char *)bytes + sent, length - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1 && errno != EAGAIN)
            err(EXIT_FAILURE, "send");
        if (n != -1) {
            sent += (size_t)n;
            continue;
        }
        int ready = poll(&room, 1, limit_ms);
        if (ready == -1)
            err(EXIT_FAILURE, "poll");
        if (ready == 0)
            return -1;
    }
    return (ssize_t)sent;
}

/* Read and compare, slowly, and after ENOUGH no more if how is not "slow". */
static void read_message(int fd, const char *how)
{
    static char chunk[65536];
    struct pollfd end = {.fd = fd}; /* POLLHUP comes unasked */
    size_t got = 0;
    ssize_t n;

    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0) {
        if ((size_t)n > sizeof message - got ||
            memcmp(chunk, (char *)message + got, (size_t)n) != 0)
            errx(EXIT_FAILURE, "recv: not the message, from byte %zu", got);
        got += (size_t)n;
        if (got >= ENOUGH && strcmp(how, "closes") == 0)
            break;
        int stops = got >= ENOUGH && strcmp(how, "stops") == 0;
        if (poll(&end, 1, stops ? -1 : PAUSE_MS) == -1) /* for the hang-up */
            err(EXIT_FAILURE, "poll");
    }
    if (n == -1)
        err(EXIT_FAILURE, "recv");
    printf("reader: received bytes=%zu in_order=yes how=%s\n", got, how);
}

static pid_t start_reader(int pair[2], const char *how, int64_t limit)
{
    pid_t reader = fork_helper("reader");
    close(pair[reader == 0 ? 0 : 1]); /* each keeps one end */
    if (reader > 0)
        return reader;
    alarm((unsigned)(limit / NS_PER_SEC) + 10); /* bounds our waits */
    read_message(pair[1], how);
    _exit(EXIT_SUCCESS);
}

/* Send the message, close, and see the reader end. */
static void try_reader(const char *how, int64_t limit)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t reader = start_reader(pair, how, limit);
    int64_t start = now_ns();
    ssize_t result = send_patiently(pair[0], message, sizeof message,
                                    (int)((limit + NS_PER_MS - 1) / NS_PER_MS));
    printf("sender: returned result=%zd limit_ms=%" PRId64 " waited_ms=%" PRId64
           "\n",
           result, limit / NS_PER_MS, (now_ns() - start) / NS_PER_MS);
    close(pair[0]);
    see_end(reader, 0);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fprintf(stderr, "usage: limit_per_wait [LIMIT]\n"
                        "  LIMIT  for each wait, default 250ms\n");
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;
    for (uint32_t i = 0; i < sizeof message / sizeof message[0]; i++)
        message[i] = i;
    setlinebuf(stdout); /* empty at fork() */
    setlinebuf(stderr); /* two processes, but no line by both */
    printf("message: bytes=%zu\n", sizeof message);
    try_reader("slow", limit);
    try_reader("stops", limit);
    return EXIT_SUCCESS;
}
