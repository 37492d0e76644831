/*
 * connect_by - a connect with a deadline.
 *
 * A connect() that nobody answers waits until the kernel gives up, which is
 * minutes. So connect a nonblocking socket: the answer is EINPROGRESS, and
 * poll() says when there is more to know. Writable does not mean connected:
 * SO_ERROR tells how it went. When the deadline has come the attempt goes on
 * without us, and so the socket must be closed.
 *
 * The server accepts nobody. At first it does not even listen. Then its queue
 * of connections, the backlog, has room for one; and then it is full.
 *
 *     $ cc connect_by.c -o connect_by
 *     $ ./connect_by
 *     client: backlog=none answer=refused
 *     client: backlog=free answer=connected
 *     client: backlog=full answer=timed_out limit_ms=100 waited_ms=100
 *
 * See also: connect(2), listen(2), poll(2), socket(7), tcp(7), connect_eagain.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC, with -std=c11 too */

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "full_backlog.h"

/* Returns 0, or why we are not connected: ETIMEDOUT if the time is over. */
static int connect_by(int fd, int64_t deadline)
{
    struct pollfd news = {.fd = fd, .events = POLLOUT};
    int error, ready = 0;
    socklen_t length = sizeof error;

    if (connect(fd, &server.any, size) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    while (ready <= 0) {
        int64_t left = deadline - now_ns();
        int ms = left > 0 ? (int)((left - 1) / NS_PER_MS + 1) : 0;
        ready = poll(&news, 1, ms);
        if (ready == -1 && errno != EINTR)
            err(EXIT_FAILURE, "poll");
        if (ready <= 0 && left <= 0)
            return ETIMEDOUT;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        err(EXIT_FAILURE, "getsockopt");
    return error;
}

/* One of these answers was to come. Anything else is a failure. */
static const char *word_for(int answer)
{
    switch (answer) {
    case 0:
        return "connected";
    case ETIMEDOUT:
        return "timed_out";
    case ECONNREFUSED:
        return "refused";
    default:
        errno = answer;
        err(EXIT_FAILURE, "connect");
    }
}

/* Connect until the deadline, and tell. */
static void try_to_connect(const char *backlog, int64_t limit)
{
    int fd = open_socket(SOCK_NONBLOCK);
    int64_t start = now_ns();
    int answer = connect_by(fd, start + limit);
    int64_t waited = now_ns() - start;

    printf("client: backlog=%s answer=%s", backlog, word_for(answer));
    if (answer == ETIMEDOUT)
        printf(" limit_ms=%" PRId64 " waited_ms=%" PRId64, limit / NS_PER_MS,
               waited / NS_PER_MS);
    printf("\n");
    close(fd); /* or the attempt would go on */
}

/* Return when the one that has connected is in the queue. */
static void await_someone(int listener)
{
    struct pollfd someone = {.fd = listener, .events = POLLIN};

    errno = ETIMEDOUT;
    if (poll(&someone, 1, AMPLE / NS_PER_MS) < 1)
        err(EXIT_FAILURE, "poll");
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: connect_by [LIMIT]\n"
              "  LIMIT  when we give up, default 100ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 100 * NS_PER_MS;
    setlinebuf(stdout); /* readable while we wait */

    union address address = {.tcp = {.sin_family = AF_INET}};
    address.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = open_server(address, sizeof address.tcp);
    try_to_connect("none", AMPLE);
    if (listen(listener, BACKLOG) == -1)
        err(EXIT_FAILURE, "listen");
    try_to_connect("free", AMPLE);
    await_someone(listener);
    try_to_connect("full", limit);
    close(listener);
    return EXIT_SUCCESS;
}
