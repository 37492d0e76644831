/*
 * both_sending - two peers that send before they read both stop.
 *
 * East has a megabyte for west, and west has one for east. If each sends all
 * of it before it reads, each fills the other's queue, and then waits for
 * room that only the other can make, by reading. A deadline ends the wait,
 * but moves no byte. What helps is to poll for in and out together, and to
 * read whenever there is something to read.
 *
 * The peers are two processes. Both ways are one loop, with the same calls
 * and the same deadline: they differ in what they ask poll() for.
 *
 *     $ cc both_sending.c -o both_sending
 *     $ ./both_sending 100ms
 *     east: timed_out way=send_first sent=219264 received=0 waited_ms=100
 *     west: timed_out way=send_first sent=219264 received=0 waited_ms=100
 *     east: done way=in_and_out sent=1048576 received=1048576 waited_ms=1
 *     west: done way=in_and_out sent=1048576 received=1048576 waited_ms=1
 *
 * See also: poll(2), send(2), unix(7), prctl(2).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define LIMIT (100 * NS_PER_MS)
#define GUARD (10 * NS_PER_SEC) /* for what takes no time if all is well */
#define BYTES_MAX (1 << 20)

struct peer {
    int fd;
    bool both;    /* poll for in and out together */
    size_t bytes; /* to send, and to receive */
    size_t out, in;
    int64_t start, deadline;
};

/* Returns the events that came; POLLHUP comes unasked. */
static short await(int fd, short events, int64_t limit)
{
    struct pollfd peer = {.fd = fd, .events = events};
    int ms = (int)((limit + NS_PER_MS - 1) / NS_PER_MS); /* down would spin */

    if (poll(&peer, 1, ms) == -1)
        err(EXIT_FAILURE, "poll");
    return peer.revents;
}

static size_t moved(const char *call, ssize_t count)
{
    if (count == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "%s", call);
    return count == -1 ? 0 : (size_t)count;
}

/* Send and receive until all is done, or the deadline has passed. */
static void exchange(struct peer *me)
{
    static char bytes[BYTES_MAX];
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

    for (int64_t left = 1; left > 0 && me->out + me->in < 2 * me->bytes;) {
        size_t rest = me->bytes - me->out;
        short out = rest > 0 ? POLLOUT : 0;
        short in = me->both || rest == 0 ? POLLIN : 0;

        left = me->deadline - now_ns();
        short got = await(me->fd, out | in, left > 0 ? left : 0);
        if (got & POLLHUP)
            errx(EXIT_FAILURE, "poll: the other peer has gone");
        if (got & POLLOUT)
            me->out += moved("send", send(me->fd, bytes, rest, flags));
        if (got & POLLIN)
            me->in += moved("recv", recv(me->fd, bytes, sizeof bytes, flags));
    }
}

static void report(const char *name, const struct peer *me)
{
    const char *end = me->out + me->in == 2 * me->bytes ? "done" : "timed_out";

    printf("%s: %s way=%s sent=%zu received=%zu waited_ms=%" PRId64 "\n", name,
           end, me->both ? "in_and_out" : "send_first", me->out, me->in,
           (now_ns() - me->start) / NS_PER_MS);
}

/* Tell the other peer that we are through, and wait until it is, too. */
static void part(int fd)
{
    if (shutdown(fd, SHUT_WR) == -1)
        err(EXIT_FAILURE, "shutdown");
    await(fd, 0, GUARD);
}

static _Noreturn void be_west(struct peer me)
{
    exchange(&me);
    part(me.fd); /* when this is over, east has reported */
    report("west", &me);
    _exit(EXIT_SUCCESS);
}

static void meet(bool both, size_t bytes, int64_t limit)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");

    struct peer me = {.both = both, .bytes = bytes, .start = now_ns()};
    me.deadline = me.start + limit;
    pid_t west = fork_helper("west");
    me.fd = pair[west == 0]; /* each keeps an end for itself */
    close(pair[west != 0]);
    if (west == 0)
        be_west(me);

    exchange(&me);
    report("east", &me);
    part(me.fd);
    close(me.fd);
    see_end(west, 0); /* each of its waits has a limit */
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: both_sending [LIMIT [BYTES]]\n"
              "  LIMIT  how long peers that send first try, default 100ms\n"
              "  BYTES  for each way, 1 to 1048576, default 1048576\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;
    size_t bytes = BYTES_MAX;
    char more;
    if (argc > 2 && (sscanf(argv[2], "%zu%c", &bytes, &more) != 1 ||
                     bytes < 1 || bytes > BYTES_MAX))
        errx(EXIT_USAGE, "bad BYTES '%s': write 1 to %d", argv[2], BYTES_MAX);

    setlinebuf(stdout); /* empty at fork() */
    setlinebuf(stderr); /* err() writes in pieces, and we are two */
    meet(false, bytes, limit);
    meet(true, bytes, GUARD);
    return EXIT_SUCCESS;
}
