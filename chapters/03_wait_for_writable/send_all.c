/*
 * send_all - send a whole message by a deadline, or say how much of it went.
 *
 * Without waiting, send() takes all of a message, a part of it, or nothing,
 * which is EAGAIN. The rest has to follow, from where it broke off, when
 * poll() says that the socket can take more. And as the peer may never read,
 * all of that has to end by a time that was fixed before it began.
 *
 * send_all() is that loop, for you to copy. Whatever ends it, it tells two
 * things: how many bytes went, and why no more did. We try it on a reader
 * that is slow, with time enough and then without, on one that stops in the
 * middle of the message, and on one that closes there.
 *
 *     $ cc send_all.c -o send_all
 *     $ ./send_all
 *     message: bytes=4194304
 *     sender: sent bytes=4194304 error=none limit_ms=5000 waited_ms=132
 *     reader: received bytes=4194304 in_order=yes how=slow
 *     sender: sent bytes=2083008 error=EAGAIN limit_ms=60 waited_ms=60
 *     reader: received bytes=2083008 in_order=yes how=slow
 *     sender: sent bytes=475072 error=EAGAIN limit_ms=60 waited_ms=60
 *     reader: received bytes=475072 in_order=yes how=stops
 *     reader: received bytes=262144 in_order=yes how=closes
 *     sender: sent bytes=401984 error=EPIPE limit_ms=5000 waited_ms=6
 *
 * See also: send(2), poll(2), clock_gettime(2).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define ENOUGH 262144 /* bytes, for a reader that stops or closes */
#define AMPLE (5 * NS_PER_SEC)
#define LIMIT (60 * NS_PER_MS)
#define PAUSE_MS 2

static uint32_t message[1 << 20]; /* 0, 1, 2, ...: no two parts are alike */

/* How it ended: the count is right and the reason is told, in every case. */
struct outcome {
    size_t sent;      /* bytes that the socket took, from the first one on */
    int error;        /* 0: all of them; EAGAIN: the deadline; or an errno */
    const char *call; /* which said so */
};

/*
 * Send all of it on a stream socket, blocking or not, by a deadline: a time
 * in ns on CLOCK_MONOTONIC. After each poll() comes a send(), so there is a
 * last look at the deadline, and none of the sends waits.
 */
static struct outcome send_all(int fd, const void *bytes, size_t length,
                               int64_t deadline)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    size_t sent = 0;

    for (;;) {
        ssize_t n = send(fd, (const char *)bytes + sent, length - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1 && errno != EAGAIN && errno != EINTR)
            return (struct outcome){sent, errno, "send"};
        sent += n == -1 ? 0 : (size_t)n;
        if (n != -1 && sent == length)
            return (struct outcome){sent, 0, "send"};
        int64_t left = deadline - now_ns();
        if (left <= 0)
            return (struct outcome){sent, EAGAIN, "send"};
        /* Rounded up: down to 0 it would spin, and -1 would be for ever. */
        int64_t ms = (left - 1) / NS_PER_MS + 1;
        if (poll(&room, 1, ms < INT_MAX ? (int)ms : INT_MAX) == -1 &&
            errno != EINTR)
            return (struct outcome){sent, errno, "poll"};
    }
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
    struct outcome end =
        send_all(pair[0], message, sizeof message, start + limit);
    errno = end.error;
    if (errno != 0 && errno != EAGAIN && errno != EPIPE)
        err(EXIT_FAILURE, "%s", end.call);
    printf("sender: sent bytes=%zu error=%s limit_ms=%" PRId64
           " waited_ms=%" PRId64 "\n",
           end.sent, end.error ? errno_name(end.error) : "none",
           limit / NS_PER_MS, (now_ns() - start) / NS_PER_MS);
    close(pair[0]);
    see_end(reader, 0);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fprintf(stderr, "usage: send_all [LIMIT]\n"
                        "  LIMIT  from now to the deadline, default 60ms\n");
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;
    for (uint32_t i = 0; i < sizeof message / sizeof message[0]; i++)
        message[i] = i;
    setlinebuf(stdout); /* empty at fork() */
    setlinebuf(stderr); /* two processes, but no line by both */
    printf("message: bytes=%zu\n", sizeof message);
    try_reader("slow", AMPLE);
    try_reader("slow", limit);
    try_reader("stops", limit);
    try_reader("closes", AMPLE);
    return EXIT_SUCCESS;
}
