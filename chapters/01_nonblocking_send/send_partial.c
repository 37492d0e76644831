/*
 * send_partial - a big send is cut short first and refused second.
 *
 * A message larger than the room there is is not refused: send() takes what
 * fits and returns that count, a short count. EAGAIN comes only when not a
 * single byte was taken. SO_SNDTIMEO makes no exception. When it strikes
 * half-way the call returns the count so far, which looks like success to a
 * caller who only compares with -1.
 *
 * Each act has a socketpair of its own, and no one reads. At its end we
 * close the sending end, and only then the reader counts what has come:
 * what send() counted is there, all of it and no byte more.
 *
 *     $ cc send_partial.c -o send_partial
 *     $ ./send_partial 100ms
 *     message: bytes=1048576
 *     sender: sent way=MSG_DONTWAIT bytes=219264 waited_ms=0
 *     sender: refused way=MSG_DONTWAIT errno=EAGAIN waited_ms=0
 *     reader: received bytes=219264
 *     sender: sent way=SO_SNDTIMEO bytes=219264 waited_ms=104
 *     sender: refused way=SO_SNDTIMEO errno=EAGAIN waited_ms=104
 *     reader: received bytes=219264
 *     naive: believes bytes=1048576
 *     reader: received bytes=219264
 *
 * See also: send(2), socket(7).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"

#define PATIENCE (100 * NS_PER_MS)

static char message[1 << 20];

/* Offer what is left of the message. Returns how much of it was taken. */
static size_t offer(const char *way, int fd, size_t gone, int flags)
{
    int64_t start = now_ns();
    ssize_t sent = send(fd, message + gone, sizeof message - gone, flags);
    if (sent == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "send");

    if (sent == -1)
        printf("sender: refused way=%s errno=%s", way, errno_name(errno));
    else
        printf("sender: sent way=%s bytes=%zd", way, sent);
    printf(" waited_ms=%" PRId64 "\n", (now_ns() - start) / NS_PER_MS);
    return sent == -1 ? 0 : (size_t)sent;
}

/* What goes in at pair[0] comes out at pair[1]. Patience 0: no timeout. */
static void open_pair(int pair[2], int64_t patience)
{
    struct timeval timeout = {
        .tv_sec = (time_t)(patience / NS_PER_SEC),
        .tv_usec = (suseconds_t)(patience % NS_PER_SEC / NS_PER_US),
    };

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &timeout,
                   sizeof timeout) == -1)
        err(EXIT_FAILURE, "setsockopt");
}

/* MSG_DONTWAIT: were bytes still on their way, recv() would say EAGAIN. */
static void count_received(int pair[2])
{
    static char in[sizeof message];
    size_t total = 0;
    ssize_t got;

    if (close(pair[0]) == -1)
        err(EXIT_FAILURE, "close");
    while ((got = recv(pair[1], in, sizeof in, MSG_DONTWAIT)) > 0)
        total += (size_t)got;
    if (got == -1)
        err(EXIT_FAILURE, "recv");
    printf("reader: received bytes=%zu\n", total);
    close(pair[1]);
}

static void send_twice(const char *way, int64_t patience, int flags)
{
    int pair[2];

    open_pair(pair, patience);
    size_t gone = offer(way, pair[0], 0, flags);
    offer(way, pair[0], gone, flags);
    count_received(pair);
}

/* Wrong, on purpose: whatever is not -1 is taken for the whole message. */
static void send_naively(int64_t patience)
{
    int pair[2];

    open_pair(pair, patience);
    if (send(pair[0], message, sizeof message, 0) == -1)
        err(EXIT_FAILURE, "send");
    printf("naive: believes bytes=%zu\n", sizeof message);
    count_received(pair);
}

static _Noreturn void usage(void)
{
    fputs("usage: send_partial [PATIENCE]\n"
          "  PATIENCE  how long SO_SNDTIMEO may wait, default 100ms\n",
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

    setlinebuf(stdout); /* readable while we wait */
    printf("message: bytes=%zu\n", sizeof message);
    send_twice("MSG_DONTWAIT", 0, MSG_DONTWAIT);
    send_twice("SO_SNDTIMEO", patience, 0);
    send_naively(patience);
    return EXIT_SUCCESS;
}
