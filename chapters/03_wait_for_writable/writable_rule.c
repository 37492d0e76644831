/*
 * writable_rule - poll() and send() disagree about whether there is room.
 *
 * send() takes bytes while the queue is below its limit. poll() calls the
 * socket writable, and wakes who sleeps in it, only when most of the queue
 * has been read: else a sender would be woken for every few bytes. So there
 * is a time when poll() says no and send() says yes. It goes the other way
 * too: writable means some room, and not that your message fits.
 *
 * We fill a queue, let a sleeper wait for room with poll(), and read one
 * chunk at a time. After each we ask poll() with a limit of 0, which means
 * "at once", and look whether the sleeper is still asleep. The percentage is
 * how full the queue is as the kernel counts, its overhead included: more
 * than 100, for the last chunk was taken while there was room for a part.
 *
 *     $ cc writable_rule.c -o writable_rule
 *     $ ./writable_rule
 *     queue: full percent=104
 *     reader: read bytes=16384 percent=96 poll=no sleeper=asleep
 *     sender: offered bytes=16384 taken=16384 percent=104
 *     reader: read bytes=16384 percent=96 poll=no sleeper=asleep
 *     ...
 *     reader: read bytes=16384 percent=32 poll=no sleeper=asleep
 *     reader: read bytes=16384 percent=24 poll=yes sleeper=awake
 *     sender: offered bytes=1048576 taken=182720 percent=105
 *
 * See also: poll(2), send(2), unix(7), proc_pid_stat(5).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/asleep.h"
#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define CHUNK 16384
#define LIMIT_S 10 /* for the sleeper, and for one look at it */

static char message[1 << 20];

/* Send without waiting. Returns what the queue took, 0 if nothing. */
static size_t offer(int fd, size_t bytes)
{
    ssize_t taken = send(fd, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    return taken == -1 ? 0 : (size_t)taken;
}

/* TIOCOUTQ is SIOCOUTQ by a name that every C library has. */
static int percent_full(int fd)
{
    int queued, limit;
    socklen_t size = sizeof limit;

    if (ioctl(fd, TIOCOUTQ, &queued) == -1)
        err(EXIT_FAILURE, "ioctl");
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &limit, &size) == -1)
        err(EXIT_FAILURE, "getsockopt");
    return (int)(queued * INT64_C(100) / limit);
}

/* Is there room, says poll(), within so many ms? 0 means at once. */
static bool is_writable(int fd, int limit_ms)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    if (poll(&room, 1, limit_ms) == -1)
        err(EXIT_FAILURE, "poll");
    return room.revents == POLLOUT;
}

/* Its only call that can sleep is poll(): if it is asleep, it is there. */
static pid_t start_sleeper(int fd)
{
    pid_t sleeper = fork_helper("sleeper");
    if (sleeper > 0)
        return sleeper;
    _exit(is_writable(fd, LIMIT_S * 1000) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Our recv() wakes the sleeper before it returns, or not at all. */
static bool still_sleeps(pid_t sleeper)
{
    if (is_asleep(sleeper))
        return true;
    see_end(sleeper, 0);
    return false;
}

/* Read a chunk, and see who has noticed. */
static bool read_chunk(int pair[2], pid_t sleeper)
{
    static char in[CHUNK];
    ssize_t got = recv(pair[1], in, CHUNK, MSG_DONTWAIT);
    if (got == -1)
        err(EXIT_FAILURE, "recv");
    bool asleep = still_sleeps(sleeper);
    printf("reader: read bytes=%zd percent=%d poll=%s sleeper=%s\n", got,
           percent_full(pair[0]), is_writable(pair[0], 0) ? "yes" : "no",
           asleep ? "asleep" : "awake");
    return asleep;
}

static void offer_and_tell(int fd, size_t bytes)
{
    size_t taken = offer(fd, bytes);
    printf("sender: offered bytes=%zu taken=%zu percent=%d\n", bytes, taken,
           percent_full(fd));
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: writable_rule\n", stderr);
        return EXIT_USAGE;
    }

    int pair[2]; /* in at pair[0], out at pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    while (offer(pair[0], CHUNK) > 0)
        continue;
    setlinebuf(stdout); /* empty at fork() */
    printf("queue: full percent=%d\n", percent_full(pair[0]));
    pid_t sleeper = start_sleeper(pair[0]);
    read_chunk(pair, sleeper);
    offer_and_tell(pair[0], CHUNK);
    while (read_chunk(pair, sleeper))
        continue;
    offer_and_tell(pair[0], sizeof message);
    return EXIT_SUCCESS;
}
