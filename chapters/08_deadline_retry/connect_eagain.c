/*
 * connect_eagain - a full backlog of AF_UNIX says EAGAIN: nothing to poll for.
 *
 * The server is on the same machine, and its queue of connections, the
 * backlog, is full. A nonblocking socket of TCP says EINPROGRESS then, and the
 * connection may yet come about. A socket of AF_UNIX says EAGAIN: nothing is
 * on its way, and nobody will tell when there is room. Who takes it for
 * EINPROGRESS is deceived: poll() answers at once, and SO_ERROR that all is
 * well. Only POLLHUP beside POLLOUT says that it is not; and send() does.
 *
 * A blocking connect() waits for room, and SO_SNDTIMEO limits that. (Or ask,
 * pause, and ask again, until the deadline, as for a lock file.)
 *
 *     $ cc connect_eagain.c -o connect_eagain
 *     $ ./connect_eagain
 *     client: answer=EAGAIN poll=POLLOUT|POLLHUP so_error=0 send=ENOTCONN
 *     client: answer=EAGAIN so_sndtimeo_ms=100 waited_ms=102
 *
 * See also: connect(2), listen(2), poll(2), socket(7), unix(7), connect_by.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC, with -std=c11 too */

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "full_backlog.h"

/* The backlog is full, and so connect() must fail, with EAGAIN. */
static void see_eagain(int fd)
{
    if (connect(fd, &server.any, size) == 0)
        errx(EXIT_FAILURE, "connect: there is room for us");
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "connect");
}

/* Wrong, on purpose: as if EAGAIN were EINPROGRESS. */
static void ignore_eagain(void)
{
    int error, fd = open_socket(SOCK_NONBLOCK);
    socklen_t length = sizeof error;
    see_eagain(fd);
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    if (poll(&room, 1, AMPLE / NS_PER_MS) == -1)
        err(EXIT_FAILURE, "poll");
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        err(EXIT_FAILURE, "getsockopt");
    printf("client: answer=EAGAIN poll=%s%s so_error=%d",
           room.revents & POLLOUT ? "POLLOUT" : "timed_out",
           room.revents & POLLHUP ? "|POLLHUP" : "", error);
    if (send(fd, "", 1, MSG_NOSIGNAL) == 1 || errno != ENOTCONN)
        err(EXIT_FAILURE, "send");
    printf(" send=ENOTCONN\n");
    close(fd);
}

/* A signal ends it with EINTR, and asked again the limit begins anew. */
static void connect_with_timeout(int64_t limit)
{
    struct timeval timeout = {
        .tv_sec = (time_t)(limit / NS_PER_SEC),
        .tv_usec = (suseconds_t)(limit % NS_PER_SEC / NS_PER_US),
    };
    int fd = open_socket(0);

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == -1)
        err(EXIT_FAILURE, "setsockopt");
    int64_t start = now_ns();
    see_eagain(fd);
    int64_t waited = now_ns() - start;
    printf("client: answer=EAGAIN so_sndtimeo_ms=%" PRId64 " waited_ms=%" PRId64
           "\n",
           limit / NS_PER_MS, waited / NS_PER_MS);
    close(fd);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: connect_eagain [LIMIT]\n"
              "  LIMIT  of SO_SNDTIMEO, default 100ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 100 * NS_PER_MS;
    if (limit == 0)
        errx(EXIT_USAGE, "SO_SNDTIMEO reads 0 as 'wait for ever'");
    setlinebuf(stdout); /* readable while we wait */

    union address address = {.any = {.sa_family = AF_UNIX}};
    /* The family alone: the kernel chooses a name that is no file. */
    int listener = open_server(address, sizeof address.any.sa_family);
    int first = open_socket(0);
    if (listen(listener, BACKLOG) == -1)
        err(EXIT_FAILURE, "listen");
    if (connect(first, &server.any, size) == -1) /* there is room for it */
        err(EXIT_FAILURE, "connect");
    ignore_eagain();
    connect_with_timeout(limit);
    close(first);
    close(listener);
    return EXIT_SUCCESS;
}
