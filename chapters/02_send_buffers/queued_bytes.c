/*
 * queued_bytes - 99 of 100 bytes have been read, and nothing has been freed.
 *
 * What a small send brings is one piece in the queue, with its wrapping, and
 * the sender is charged for the piece until its last byte has been read. So two
 * numbers tell how full a queue is, one at each end: what the sender is
 * charged, by an ioctl called TIOCOUTQ, and the bytes that the reader has
 * still to read, by one called FIONREAD.
 *
 * We send two pieces of 100 bytes, read bit by bit, and ask for both numbers
 * each time.
 *
 *     $ cc queued_bytes.c -o queued_bytes
 *     $ ./queued_bytes
 *     queue: empty charged=0 unread=0
 *     sender: sent bytes=100 charged=768 unread=100
 *     sender: sent bytes=100 charged=1536 unread=200
 *     reader: read bytes=50 charged=1536 unread=150
 *     reader: read bytes=49 charged=1536 unread=101
 *     reader: read bytes=1 charged=768 unread=100
 *     reader: read bytes=100 charged=0 unread=0
 *
 * Given a pause it stops before that 1 byte, for you to look from outside:
 * "ss -xp" in another terminal shows the same two numbers.
 *
 * See also: unix(7), tcp(7), ioctl(2), ss(8).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define PIECE 100

static char bytes[PIECE];

/* SIOCOUTQ and SIOCINQ are newer names, which need a kernel header. */
static void tell(const int pair[2])
{
    int charged, unread;

    if (ioctl(pair[0], TIOCOUTQ, &charged) == -1 ||
        ioctl(pair[1], FIONREAD, &unread) == -1)
        err(EXIT_FAILURE, "ioctl");
    printf(" charged=%d unread=%d\n", charged, unread);
}

static void send_piece(const int pair[2])
{
    ssize_t sent = send(pair[0], bytes, PIECE, MSG_DONTWAIT);

    if (sent == -1)
        err(EXIT_FAILURE, "send");
    printf("sender: sent bytes=%zd", sent);
    tell(pair);
}

static void read_bytes(const int pair[2], size_t count)
{
    ssize_t got = recv(pair[1], bytes, count, MSG_DONTWAIT);

    if (got == -1)
        err(EXIT_FAILURE, "recv");
    printf("reader: read bytes=%zd", got);
    tell(pair);
}

static _Noreturn void usage(void)
{
    fputs("usage: queued_bytes [PAUSE]\n"
          "  PAUSE  time to look from outside, default 0ms\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    struct timespec pause = to_timespec(argc > 1 ? parse_duration(argv[1]) : 0);

    int pair[2]; /* what goes in at pair[0] comes out at pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");

    setlinebuf(stdout); /* readable during the pause */
    printf("queue: empty");
    tell(pair);
    send_piece(pair);
    send_piece(pair);
    read_bytes(pair, 50);
    read_bytes(pair, 49);
    if (nanosleep(&pause, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
    read_bytes(pair, 1);
    read_bytes(pair, PIECE);
    return EXIT_SUCCESS;
}
