/*
 * spin_or_poll - two ways to wait for room, equally fast and not alike.
 *
 * A socket is full and send() says EAGAIN: not now. One way to find out when
 * is to call it again, at once, until it says something else. The other is
 * to ask poll(), which sleeps until there is room. Either way the message
 * takes as long as the reader takes. But who spins keeps a processor busy all
 * the while, with sends that are refused.
 *
 * CPU time is how long a processor has worked for us. getrusage() knows it.
 *
 *     $ cc spin_or_poll.c -o spin_or_poll
 *     $ ./spin_or_poll
 *     message: bytes=2097152
 *     spin: sent bytes=2097152 sends=238830 refused=238800 cpu_us=58900 \
 *         waited_ms=64
 *     poll: sent bytes=2097152 sends=21 refused=10 cpu_us=304 waited_ms=64
 *
 * Exits with 3 when a reader has not let all of it in within 5 s.
 * See also: poll(2), getrusage(2), send(2).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define LIMIT (5 * NS_PER_SEC) /* for a message */
#define PAUSE (2 * NS_PER_MS)

static char message[1 << 21];

/* Microseconds of a processor that this process has used so far. */
static int64_t cpu_us(void)
{
    struct rusage used;

    if (getrusage(RUSAGE_SELF, &used) == -1)
        err(EXIT_FAILURE, "getrusage");
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000) +
           used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/*
 * Send without waiting what there is room for, until all is sent or LIMIT is
 * over. Where there is no room: poll, or (wrong, on purpose) try again.
 */
static bool send_message(int fd, bool polls)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int64_t used = cpu_us(), start = now_ns(), left;
    long sends = 0, refused = 0;
    size_t sent = 0;

    while (sent < sizeof message && (left = start + LIMIT - now_ns()) > 0) {
        ssize_t n = send(fd, message + sent, sizeof message - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1 && errno != EAGAIN)
            err(EXIT_FAILURE, "send");
        sends++;
        sent += n == -1 ? 0 : (size_t)n;
        refused += n == -1;
        if (n == -1 && polls &&
            poll(&room, 1, (int)(left / NS_PER_MS + 1)) == -1)
            err(EXIT_FAILURE, "poll");
    }
    printf("%s: sent bytes=%zu sends=%ld refused=%ld cpu_us=%" PRId64
           " waited_ms=%" PRId64 "\n",
           polls ? "poll" : "spin", sent, sends, refused, cpu_us() - used,
           (now_ns() - start) / NS_PER_MS);
    return sent == sizeof message;
}

/* Read to the end of file, with a pause after each chunk. */
static void read_message(int fd, int pause_ms)
{
    static char chunk[65536];
    struct pollfd end = {.fd = fd}; /* POLLHUP comes unasked */
    ssize_t n;

    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0)
        if (poll(&end, 1, pause_ms) == -1) /* for the hang-up */
            err(EXIT_FAILURE, "poll");
    if (n == -1)
        err(EXIT_FAILURE, "recv");
}

static pid_t start_reader(int pair[2], int pause_ms)
{
    pid_t reader = fork_helper("reader");
    close(pair[reader == 0 ? 0 : 1]); /* each keeps one end */
    if (reader > 0)
        return reader;
    alarm(LIMIT / NS_PER_SEC + 10); /* bounds our waits */
    read_message(pair[1], pause_ms);
    _exit(EXIT_SUCCESS);
}

/* Returns whether the message was sent. */
static bool try_way(bool polls, int pause_ms)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t reader = start_reader(pair, pause_ms);
    bool sent = send_message(pair[0], polls);
    close(pair[0]);
    see_end(reader, 0);
    return sent;
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fprintf(stderr, "usage: spin_or_poll [PAUSE]\n"
                        "  PAUSE  the reader's after each read, default 2ms\n");
        return EXIT_USAGE;
    }
    int64_t pause = argc > 1 ? parse_duration(argv[1]) : PAUSE;
    int pause_ms = (int)((pause + NS_PER_MS - 1) / NS_PER_MS); /* poll()'s */

    setlinebuf(stdout); /* empty at fork() */
    printf("message: bytes=%zu\n", sizeof message);
    bool spun = try_way(false, pause_ms);
    bool polled = try_way(true, pause_ms);
    return spun && polled ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}
