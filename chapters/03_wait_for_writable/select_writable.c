/*
 * select_writable - the same wait with select(), and what it needs each time.
 *
 * select() is the older sister of poll(). It takes a set of descriptors, a
 * limit, and one more than the highest number in the set. The set is question
 * and answer in one: afterwards only what is ready is still in it. The limit
 * may have changed as well: with glibc it is what was left of it.
 *
 * So whoever calls it in a loop fills both anew, each time. We ask the right
 * way, then with both as the first call has left them, then without the one
 * more, and beside each we ask poll().
 *
 *     $ cc select_writable.c -o select_writable
 *     $ ./select_writable
 *     queue: full
 *     anew: select=no poll=no set=1 after=0 limit_us=20000 left_us=0 \
 *         waited_us=20102
 *     queue: empty
 *     as_left: select=no poll=yes set=0 after=0 limit_us=0 left_us=0 \
 *         waited_us=1
 *     without_plus_1: select=no poll=yes set=1 after=0 limit_us=20000 \
 *         left_us=0 waited_us=20077
 *     anew: select=yes poll=yes set=1 after=1 limit_us=20000 left_us=19999 \
 *         waited_us=1
 *
 * See also: select(2), poll(2), select_tut(2).
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h> /* poll() does not need it, nor does send() */
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define LIMIT (20 * NS_PER_MS)

/* What select() is given, and what it changes. */
struct question {
    fd_set writable;
    struct timeval limit; /* 0 means at once; a null pointer, for ever */
};

/* Fill both, for each call. A set has no room for fd 1024: see fd_setsize. */
static void fill(struct question *ask, int fd, int64_t limit)
{
    int64_t us = (limit + NS_PER_US - 1) / NS_PER_US;

    if (fd >= FD_SETSIZE)
        errx(EXIT_FAILURE, "select: no room for descriptor %d", fd);
    FD_ZERO(&ask->writable);
    FD_SET((unsigned)fd, &ask->writable); /* musl's macro warns of an int */
    ask->limit.tv_sec = (time_t)(us / 1000000);
    ask->limit.tv_usec = (suseconds_t)(us % 1000000);
}

static int in_set(const struct question *ask, int fd)
{
    return FD_ISSET((unsigned)fd, &ask->writable) ? 1 : 0;
}

static int64_t limit_us(const struct question *ask)
{
    return ask->limit.tv_sec * INT64_C(1000000) + ask->limit.tv_usec;
}

static bool poll_says_writable(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    if (poll(&room, 1, 0) == -1)
        err(EXIT_FAILURE, "poll");
    return room.revents == POLLOUT;
}

/* Ask with what is in the set, of the descriptors below nfds. */
static void ask_and_tell(const char *way, struct question *ask, int fd,
                         int nfds)
{
    int asked = in_set(ask, fd);
    int64_t limit = limit_us(ask), start = now_ns();

    int ready = select(nfds, NULL, &ask->writable, NULL, &ask->limit);
    if (ready == -1)
        err(EXIT_FAILURE, "select");
    int64_t waited = (now_ns() - start) / NS_PER_US;
    printf("%s: select=%s poll=%s set=%d after=%d limit_us=%" PRId64
           " left_us=%" PRId64 " waited_us=%" PRId64 "\n",
           way, ready > 0 ? "yes" : "no", poll_says_writable(fd) ? "yes" : "no",
           asked, in_set(ask, fd), limit, limit_us(ask), waited);
}

/* Send to fd, or read from it, for as long as it goes without waiting. */
static void move_all(int fd, bool out)
{
    static char chunk[4096];
    const size_t size = sizeof chunk;
    ssize_t n;

    do
        n = out ? send(fd, chunk, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                : recv(fd, chunk, size, MSG_DONTWAIT);
    while (n > 0);
    if (errno != EAGAIN)
        err(EXIT_FAILURE, out ? "send" : "recv");
    printf("queue: %s\n", out ? "full" : "empty");
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fprintf(stderr, "usage: select_writable [LIMIT]\n"
                        "  LIMIT  for a call of select(), default 20ms\n");
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;

    int pair[2]; /* in at pair[0], out at pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    int fd = pair[0];
    struct question ask;

    move_all(fd, true);
    fill(&ask, fd, limit);
    ask_and_tell("anew", &ask, fd, fd + 1);

    move_all(pair[1], false);
    /* Wrong, on purpose: the set is empty by now. */
    ask_and_tell("as_left", &ask, fd, fd + 1);

    fill(&ask, fd, limit);
    /* Wrong, on purpose: below fd it is not. */
    ask_and_tell("without_plus_1", &ask, fd, fd);

    fill(&ask, fd, limit);
    ask_and_tell("anew", &ask, fd, fd + 1);
    return EXIT_SUCCESS;
}
