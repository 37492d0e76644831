/*
 * send_blocks - a plain send sleeps until much of the queue has been read.
 *
 * Without a switch, send() to a full socket puts the process to sleep until
 * the reader has made room. How much room? We fill a queue, let a sender
 * offer one chunk more, and read one chunk at a time. After each we look
 * whether the sender is still asleep.
 *
 * One chunk read makes room for one chunk: a bystander with MSG_DONTWAIT
 * gets in at that very moment. The sleeper sleeps on. This kernel, 6.18,
 * wakes it when three quarters of the queue are free, not chunk by chunk.
 *
 *     $ cc send_blocks.c -o send_blocks
 *     $ ./send_blocks
 *     queue: full bytes=212992
 *     reader: read total_bytes=16384 sender=asleep
 *     bystander: sent bytes=16384 sender=asleep
 *     reader: read total_bytes=32768 sender=asleep
 *     ...
 *     reader: read total_bytes=163840 sender=asleep
 *     reader: read total_bytes=180224 sender=back
 *
 * See also: send(2), unix(7), proc_pid_stat(5).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/asleep.h"
#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define CHUNK 16384

static char chunk[CHUNK];

static void nap(int64_t duration)
{
    struct timespec pause = to_timespec(duration);
    if (nanosleep(&pause, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
}

/* Its only call that can sleep is send(): if it is asleep, it is there. */
static pid_t start_sender(int fd)
{
    pid_t sender = fork_helper("sender");
    if (sender > 0)
        return sender;

    ssize_t sent = send(fd, chunk, CHUNK, 0);
    if (sent == -1)
        err(EXIT_FAILURE, "send");
    _exit(sent == CHUNK ? EXIT_SUCCESS : EXIT_FAILURE);
}

/*
 * Asleep, or back with its chunk sent? If recv() wakes the sender, then before
 * it returns: one that we see asleep after it was not woken.
 */
static bool still_sends(pid_t sender)
{
    if (is_asleep(sender))
        return true;
    see_end(sender, 0);
    return false;
}

static bool read_chunk(int fd, pid_t sender)
{
    static long total;
    ssize_t got = recv(fd, chunk, CHUNK, MSG_DONTWAIT);

    if (got == -1)
        err(EXIT_FAILURE, "recv");
    total += got;
    bool asleep = still_sends(sender);
    printf("reader: read total_bytes=%ld sender=%s\n", total,
           asleep ? "asleep" : "back");
    return asleep;
}

/* Send without waiting. Returns what the queue took, 0 if it is full. */
static long offer_chunk(int fd)
{
    ssize_t sent = send(fd, chunk, CHUNK, MSG_DONTWAIT);
    if (sent == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    return sent == -1 ? 0 : (long)sent;
}

static _Noreturn void usage(void)
{
    fputs("usage: send_blocks [PAUSE]\n"
          "  PAUSE  the reader's pause before each chunk, default 0ms\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    int64_t pause = argc > 1 ? parse_duration(argv[1]) : 0;

    int pair[2]; /* what goes in at pair[0] comes out at pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    long sent, full = 0;
    while ((sent = offer_chunk(pair[0])) > 0)
        full += sent;
    printf("queue: full bytes=%ld\n", full);

    pid_t sender = start_sender(pair[0]);
    if (!still_sends(sender))
        errx(EXIT_FAILURE, "send: a full queue had room");
    nap(pause);
    if (!read_chunk(pair[1], sender))
        errx(EXIT_FAILURE, "send: one chunk of room was enough");

    sent = offer_chunk(pair[0]);
    printf("bystander: sent bytes=%ld sender=%s\n", sent,
           still_sends(sender) ? "asleep" : "back");
    do
        nap(pause);
    while (read_chunk(pair[1], sender));
    return EXIT_SUCCESS;
}
