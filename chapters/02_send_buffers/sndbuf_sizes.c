/*
 * sndbuf_sizes - ask for a send buffer, see what you get and what it does.
 *
 * setsockopt(SO_SNDBUF) asks for a size. Linux doubles the number, raises
 * what is too small and cuts what is too large, and calls none of it an
 * error: only reading the size back tells.
 *
 * Through each buffer we send 4 MiB to a reader who reads only when he must.
 * The writer's turn ends with EAGAIN, the reader's as soon as poll() calls
 * the socket writable. "behind" is the most that was sent and not yet read.
 * In the second row the reader has asked for the smallest receive buffer.
 *
 *     $ cc sndbuf_sizes.c -o sndbuf_sizes
 *     $ ./sndbuf_sizes
 *     asked   SNDBUF  RCVBUF  EAGAIN  behind
 *     none    212992  212992  25      212992
 *     none    212992  2304    25      212992
 *     0       4608    212992  936     4480
 *     1000    4608    212992  936     4480
 *     10000   20000   212992  255     16384
 *     50000   100000  212992  50      98304
 *     200000  400000  212992  13      393216
 *     1000000 2000000 212992  2       1916928
 *     INT_MAX 8388608 212992  0       4194304
 *
 * See also: socket(7), getsockopt(2), poll(2).
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define TOTAL (4L << 20)
#define CHUNK 16384
#define NONE (-1) /* do not ask, take what there is */

struct ask {
    const char *text;
    int sndbuf, rcvbuf;
};

static const struct ask asks[] = {
    {"none", NONE, NONE},
    {"none", NONE, 0},
    {"0", 0, NONE},
    {"1000", 1000, NONE},
    {"10000", 10000, NONE},
    {"50000", 50000, NONE},
    {"200000", 200000, NONE},
    {"1000000", 1000000, NONE},
    {"INT_MAX", INT_MAX, NONE},
};

static char chunk[CHUNK];

/* Ask for a buffer of this size. Returns what we got. */
static int size_buffer(int fd, int option, int asked)
{
    int got;
    socklen_t size = sizeof got;

    if (asked != NONE &&
        setsockopt(fd, SOL_SOCKET, option, &asked, sizeof asked) == -1)
        err(EXIT_FAILURE, "setsockopt");
    if (getsockopt(fd, SOL_SOCKET, option, &got, &size) == -1)
        err(EXIT_FAILURE, "getsockopt");
    return got;
}

static bool is_writable(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    if (poll(&room, 1, 0) == -1) /* 0: at once */
        err(EXIT_FAILURE, "poll");
    return room.revents & POLLOUT;
}

/* Send until EAGAIN or the end. Returns how much went. */
static long write_turn(int fd, long left)
{
    long gone = 0;

    while (gone < left) {
        long next = left - gone < CHUNK ? left - gone : CHUNK;
        ssize_t sent = send(fd, chunk, (size_t)next, MSG_DONTWAIT);
        if (sent == -1 && errno != EAGAIN)
            err(EXIT_FAILURE, "send");
        if (sent == -1)
            break;
        gone += sent;
    }
    return gone;
}

/* Read until the writer may go on. Returns how much was read. */
static long read_turn(int fd, int writer)
{
    long got = 0;

    while (!is_writable(writer)) {
        ssize_t count = recv(fd, chunk, CHUNK, MSG_DONTWAIT);
        if (count == -1)
            err(EXIT_FAILURE, "recv");
        got += count;
    }
    return got;
}

/* Send 4 MiB through buffers of the sizes asked for; print what it took. */
static void transfer(struct ask ask)
{
    int pair[2]; /* what goes in at pair[0] comes out at pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    int sndbuf = size_buffer(pair[0], SO_SNDBUF, ask.sndbuf);
    int rcvbuf = size_buffer(pair[1], SO_RCVBUF, ask.rcvbuf);

    long sent = 0, got = 0, behind = 0;
    int refused = 0;
    for (;;) {
        sent += write_turn(pair[0], TOTAL - sent);
        if (behind < sent - got)
            behind = sent - got;
        if (sent == TOTAL)
            break;
        refused++;
        got += read_turn(pair[1], pair[0]);
    }
    printf("%s\t%d\t%d\t%d\t%ld\n", ask.text, sndbuf, rcvbuf, refused, behind);
    close(pair[0]);
    close(pair[1]);
}

static _Noreturn void usage(void)
{
    fputs("usage: sndbuf_sizes [SIZE]\n"
          "  SIZE  bytes to ask for, instead of the table\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    long long size;
    char more;
    if (argc == 2 && (sscanf(argv[1], "%lld%c", &size, &more) != 1 ||
                      size < 0 || size > INT_MAX))
        errx(EXIT_USAGE, "bad SIZE '%s': write 0 to %d", argv[1], INT_MAX);

    printf("asked\tSNDBUF\tRCVBUF\tEAGAIN\tbehind\n");
    if (argc == 2) {
        transfer((struct ask){argv[1], (int)size, NONE});
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
        transfer(asks[i]);
    return EXIT_SUCCESS;
}
