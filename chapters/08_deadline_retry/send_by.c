/*
 * send_by - a slow reader outwits a limit for each wait, but no deadline.
 *
 * A message is long, and its reader takes a bite, pauses, takes a bite. The
 * sender is willing to wait for so long. Three ways to say so:
 *
 *   SO_SNDTIMEO  limits each wait inside of send(), and starts anew with each
 *   poll         limits each wait in a loop of our own, and starts anew too
 *   deadline     one time for all; each wait gets what is left of it
 *
 * The reader always comes in time for the first two, and the limit is never
 * reached. Only the third gives up when it is over. By then a part has been
 * sent, and the caller must be told how much: to send it all again would send
 * that part twice. The reader tells us how much it has received.
 *
 *     $ cc send_by.c -o send_by
 *     $ ./send_by
 *     sender: sent_all way=SO_SNDTIMEO limit_ms=60 waited_ms=184
 *     sender: sent_all way=poll limit_ms=60 waited_ms=183
 *     sender: gave_up way=deadline limit_ms=60 waited_ms=60
 *     count: way=SO_SNDTIMEO of=2097152 sent=2097152 received=2097152
 *     count: way=poll of=2097152 sent=2097152 received=2097152
 *     count: way=deadline of=2097152 sent=784128 received=784128
 *
 * See also: send(2), poll(2), socket(7), timeout_per_wait, limit_per_wait.
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "dripping_reader.h"

#define LONGEST (5 * NS_PER_SEC)

static char message[2 << 20];

/* Send from there on. Return how much was sent, which may be nothing. */
static size_t send_some(int fd, size_t from, int flags)
{
    ssize_t n =
        send(fd, message + from, sizeof message - from, flags | MSG_NOSIGNAL);

    if (n == -1 && errno != EAGAIN && errno != EINTR)
        err(EXIT_FAILURE, "send");
    return n == -1 ? 0 : (size_t)n;
}

static void wait_for_room(int fd, int64_t limit)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    /* Up to the next millisecond, or it would be early. */
    if (poll(&room, 1, (int)((limit - 1) / NS_PER_MS + 1)) == -1 &&
        errno != EINTR)
        err(EXIT_FAILURE, "poll");
}

/* The three ways. Each returns how much of the message was sent. */
static size_t send_with_timeout(int fd, int64_t limit)
{
    struct timeval each = {
        .tv_sec = (time_t)(limit / NS_PER_SEC),
        .tv_usec = (suseconds_t)(limit % NS_PER_SEC / NS_PER_US),
    };

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &each, sizeof each) == -1)
        err(EXIT_FAILURE, "setsockopt");
    return send_some(fd, 0, 0); /* it waits in there, as often as it must */
}

static size_t send_patiently(int fd, int64_t limit)
{
    size_t sent = 0, more;

    do {
        wait_for_room(fd, limit);
        more = send_some(fd, sent, MSG_DONTWAIT);
        sent += more;
    } while (more > 0 && sent < sizeof message);
    return sent;
}

static size_t send_by(int fd, int64_t deadline)
{
    size_t sent = 0;

    for (;;) {
        int64_t left = deadline - now_ns();
        sent += send_some(fd, sent, MSG_DONTWAIT);
        if (sent == sizeof message || left <= 0)
            return sent;
        wait_for_room(fd, left);
    }
}

static const struct way {
    const char *name;
    size_t (*send)(int fd, int64_t limit); /* a deadline for the third */
} ways[] = {
    {"SO_SNDTIMEO", send_with_timeout},
    {"poll", send_patiently},
    {"deadline", send_by},
};

struct count {
    size_t sent, received;
};

/* How much is here, and how much is there? */
static struct count play(const struct way *way, int64_t limit, int64_t *waited)
{
    struct count count;
    struct reader reader = start_reader(limit / 8);
    int64_t start = now_ns();

    count.sent =
        way->send(reader.way, way->send == send_by ? start + limit : limit);
    *waited = now_ns() - start;
    count.received = end_reader(&reader);
    return count;
}

/*
 * The reader comes in good time before each limit. If for once it does not,
 * for want of a processor, then with a longer limit it will.
 */
static struct count play_in_time(const struct way *way, int64_t limit)
{
    struct count count;
    int64_t waited;

    while (count = play(way, limit, &waited),
           way->send != send_by && count.sent < sizeof message)
        if ((limit *= 2) > LONGEST)
            errx(EXIT_FAILURE, "send: cut short each time: the reader is late");
    printf("sender: %s way=%s limit_ms=%" PRId64 " waited_ms=%" PRId64 "\n",
           count.sent < sizeof message ? "gave_up" : "sent_all", way->name,
           limit / NS_PER_MS, waited / NS_PER_MS);
    return count;
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: send_by [LIMIT]\n"
              "  LIMIT  the sender's patience, default 60ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 60 * NS_PER_MS;
    if (limit == 0)
        errx(EXIT_USAGE, "SO_SNDTIMEO reads 0 as 'wait for ever'");

    struct count count[3];
    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    for (int i = 0; i < 3; i++)
        count[i] = play_in_time(&ways[i], limit);
    for (int i = 0; i < 3; i++)
        printf("count: way=%s of=%zu sent=%zu received=%zu\n", ways[i].name,
               sizeof message, count[i].sent, count[i].received);
    return EXIT_SUCCESS;
}
