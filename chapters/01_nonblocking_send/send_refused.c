/*
 * send_refused - one full queue, three ways to be told EAGAIN.
 *
 * A plain send() to a full socket waits until the reader makes room, which
 * may be never. Three switches replace that wait by EAGAIN. They differ in
 * whom they bind, and in when they answer:
 *
 *     MSG_DONTWAIT  this call only                   at once
 *     SO_SNDTIMEO   every send on this socket        after the timeout
 *     O_NONBLOCK    every call on the open file      at once
 *                   description that looks at it
 *
 * A socket has one open file description. dup() makes a second descriptor
 * for it, here the "copy": what we set by the first descriptor is tried by
 * the second one too. At the end O_NONBLOCK and SO_SNDTIMEO are both on,
 * and we see which of them wins, and that poll() looks at neither.
 *
 *     $ cc send_refused.c -o send_refused
 *     $ ./send_refused 150ms
 *     EAGAIN: number=11 ewouldblock=11 text=Resource temporarily unavailable
 *     sender: full bytes=278
 *     sender: refused way=MSG_DONTWAIT errno=EAGAIN waited_ms=0 o_nonblock=no
 *     sender: refused way=SO_SNDTIMEO errno=EAGAIN waited_ms=152 o_nonblock=no
 *     copy: refused way=SO_SNDTIMEO errno=EAGAIN waited_ms=152 o_nonblock=no
 *     sender: refused way=O_NONBLOCK errno=EAGAIN waited_ms=0 o_nonblock=yes
 *     copy: refused way=O_NONBLOCK errno=EAGAIN waited_ms=0 o_nonblock=yes
 *     sender: polled writable=no waited_ms=20 o_nonblock=yes
 *
 * See also: send(2), socket(7), unix(7), open(2), dup(2), getrusage(2).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"

#define PATIENCE (150 * NS_PER_MS)
#define POLL_MS 20

/* How often this process has gone to sleep inside a call. */
static long sleeps(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == -1)
        err(EXIT_FAILURE, "getrusage");
    return usage.ru_nvcsw;
}

static const char *o_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1)
        err(EXIT_FAILURE, "fcntl");
    return flags & O_NONBLOCK ? "yes" : "no";
}

/*
 * Offer one more byte to the full queue and report the refusal. Without a
 * sleep there was no wait, however long another process had the processor.
 */
static void be_refused(const char *who, const char *way, int fd, int flags)
{
    long slept = sleeps();
    int64_t start = now_ns();
    ssize_t sent = send(fd, "x", 1, flags);
    int why = errno;
    int64_t waited = now_ns() - start;
    if (sleeps() == slept)
        waited = 0;

    if (sent != -1)
        errx(EXIT_FAILURE, "send: the queue had room");
    errno = why;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    printf("%s: refused way=%s errno=%s waited_ms=%" PRId64 " o_nonblock=%s\n",
           who, way, errno_name(why), waited / NS_PER_MS, o_nonblock(fd));
}

/* O_NONBLOCK does not reach poll(): it asks for room, and waits for it. */
static void poll_full_queue(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int64_t start = now_ns();
    int ready = poll(&room, 1, POLL_MS);

    if (ready == -1)
        err(EXIT_FAILURE, "poll");
    printf("sender: polled writable=%s waited_ms=%" PRId64 " o_nonblock=%s\n",
           ready ? "yes" : "no", (now_ns() - start) / NS_PER_MS,
           o_nonblock(fd));
}

static void fill(int fd)
{
    int bytes = 0;

    while (send(fd, "x", 1, MSG_DONTWAIT) == 1)
        bytes++;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    printf("sender: full bytes=%d\n", bytes);
}

static void limit_each_wait(int fd, int64_t patience)
{
    struct timeval timeout = {
        .tv_sec = (time_t)(patience / NS_PER_SEC),
        .tv_usec = (suseconds_t)(patience % NS_PER_SEC / NS_PER_US),
    };

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == -1)
        err(EXIT_FAILURE, "setsockopt");
}

static _Noreturn void usage(void)
{
    fputs("usage: send_refused [PATIENCE]\n"
          "  PATIENCE  how long SO_SNDTIMEO may wait, default 150ms\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    int64_t patience = argc > 1 ? parse_duration(argv[1]) : PATIENCE;
    if (patience == 0)
        errx(EXIT_USAGE, "SO_SNDTIMEO reads 0 as 'wait for ever'");

    int pair[2]; /* we send on pair[0]; no one ever reads pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    int fd = pair[0];
    int copy = dup(fd);
    if (copy == -1)
        err(EXIT_FAILURE, "dup");

    setlinebuf(stdout); /* readable while we wait */
    printf("EAGAIN: number=%d ewouldblock=%d text=%s\n", EAGAIN, EWOULDBLOCK,
           strerror(EAGAIN));
    fill(fd);
    be_refused("sender", "MSG_DONTWAIT", fd, MSG_DONTWAIT);

    limit_each_wait(fd, patience);
    be_refused("sender", "SO_SNDTIMEO", fd, 0);
    be_refused("copy", "SO_SNDTIMEO", copy, 0);

    /* Ask for the flags first: F_SETFL alone would clear the others. */
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
        err(EXIT_FAILURE, "fcntl");
    be_refused("sender", "O_NONBLOCK", fd, 0);
    be_refused("copy", "O_NONBLOCK", copy, 0);
    poll_full_queue(fd);
    return EXIT_SUCCESS;
}
