/*
 * advance_the_pointer - after a short count, send the rest and only the rest.
 *
 * A message that is larger than the queue goes in parts. It holds the numbers
 * 0, 1, 2, ..., so the reader knows where each part belongs. In memory other
 * bytes follow it: "surplus" tells how many came that are not of the message.
 *
 *     $ advance_the_pointer
 *     sender: sending bytes=1048576
 *     reader: received bytes=1048576 first_wrong=none surplus=0
 *
 * WSL, Linux on Windows, took a short count for success: of a large paste into
 * the terminal the rest was lost (https://github.com/microsoft/WSL/pull/40032).
 * tio began again at the start of its buffer: the first bytes went twice, the
 * last not at all (https://github.com/tio/tio/pull/371).
 *
 * Exits with 3 when the message has not gone within 5 s.
 * See also: send(2), poll(2).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define WHOLE 1048576 /* bytes: more than the queue holds */
#define SMALL 32768   /* bytes: all of it fits */
#define LIMIT_S 5     /* for the message */

static uint32_t numbers[2 * WHOLE / sizeof(uint32_t)]; /* and what follows */

/* Sleep until poll() says that there is room. */
static void wait_for_room(int fd, int64_t deadline)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int64_t left = deadline - now_ns();

    if (left > 0 && poll(&room, 1, (int)((left - 1) / NS_PER_MS + 1)) == -1)
        err(EXIT_FAILURE, "poll");
    if (left <= 0)
        errx(EXIT_TIMED_OUT, "poll: no room until the deadline");
}

static void send_whole(int fd, const char *bytes, size_t length,
                       int64_t deadline)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1) {
            if (errno != EAGAIN)
                err(EXIT_FAILURE, "send");
            wait_for_room(fd, deadline);
            continue;
        }
        bytes += n;
        length -= (size_t)n;
    }
}

/* Read to the end, and say what is not as it should be. */
static void read_message(int fd, size_t length)
{
    static char chunk[65536];
    char wrong[24] = "none";
    size_t got = 0;
    ssize_t n;

    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0)
        for (ssize_t i = 0; i < n; i++, got++)
            if (got < length && chunk[i] != ((char *)numbers)[got] &&
                strcmp(wrong, "none") == 0)
                snprintf(wrong, sizeof wrong, "%zu", got);
    if (n == -1)
        err(EXIT_FAILURE, "recv");
    printf("reader: received bytes=%zu first_wrong=%s surplus=%zu\n", got,
           wrong, got > length ? got - length : 0);
}

static pid_t start_reader(int pair[2], size_t length)
{
    pid_t sender = getpid();
    pid_t reader = fork();
    if (reader == -1)
        err(EXIT_FAILURE, "fork");
    close(pair[reader == 0 ? 0 : 1]); /* each keeps one end */
    if (reader > 0)
        return reader;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "reader") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != sender)
        _exit(EXIT_FAILURE);
    alarm(LIMIT_S + 10); /* bounds our waits */
    read_message(pair[1], length);
    _exit(EXIT_SUCCESS);
}

int main(int argc, char *argv[])
{
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "small") != 0)) {
        fputs("usage: advance_the_pointer [small]\n"
              "  small  a message that fits into the queue\n",
              stderr);
        return EXIT_USAGE;
    }
    size_t length = argc == 2 ? SMALL : WHOLE;
    for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        numbers[i] = i;

    int pair[2], status;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    setlinebuf(stdout); /* empty at fork() */
    pid_t reader = start_reader(pair, length);
    printf("sender: sending bytes=%zu\n", length);
    send_whole(pair[0], (const char *)numbers, length,
               now_ns() + LIMIT_S * NS_PER_SEC);
    close(pair[0]);
    if (waitpid(reader, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != 0)
        errx(EXIT_FAILURE, "waitpid: the reader failed");
    return EXIT_SUCCESS;
}
