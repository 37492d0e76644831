/*
 * size_the_buffer - a send buffer in which no message waits for too long.
 *
 * A reader takes RATE bytes a second. A message waits until all that was
 * sent before it has been read, so no more may fit than what the reader
 * takes within BUDGET. If far less fits, the sender is refused all the time.
 * What fits depends on the LENGTH of a message.
 *
 *     $ size_the_buffer 100000 200ms 1000
 *     sender: found sndbuf=212992 charged=0
 *     sender: sized sndbuf=16384 charged=0
 *     sender: full bytes=8000
 *     $ size_the_buffer 100000 10ms 1000
 *     sender: found sndbuf=212992 charged=0
 *     sender: refused reason=minimum_too_large sndbuf=212992 charged=0
 *
 * To play, "size_the_buffer ask 8192 1000" asks for 8192 bytes and fills
 * what it gets, whatever you have written.
 *
 * See also: socket(7), setsockopt(2), unix(7).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define LENGTH_MAX 1000     /* goes whole into the smallest send buffer */
#define RATE_MAX 1000000000 /* times a day in ms, it fits into 64 bits */

enum sizing { SIZED, MINIMUM_TOO_LARGE, CAP_TOO_SMALL };

/* What goes in at pair[0] stays: no one reads. */
static void open_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
}

static void ask_for(int fd, int bytes)
{
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == -1)
        err(EXIT_FAILURE, "setsockopt");
}

/* Send messages until not one more goes in. Returns how many bytes went. */
static int64_t fill(int fd, size_t length)
{
    static char message[LENGTH_MAX];
    int64_t bytes = 0;
    ssize_t sent;

    while ((sent = send(fd, message, length, MSG_DONTWAIT)) > 0)
        bytes += sent;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    return bytes;
}

/* How many bytes fit when we ask for a send buffer of so many. */
static int64_t measure(int asked, size_t length)
{
    int pair[2];

    open_pair(pair);
    ask_for(pair[0], asked);
    int64_t bytes = fill(pair[0], length);
    close(pair[0]);
    close(pair[1]);
    return bytes;
}

/* Size the send buffer of fd for messages of this length, or say why not. */
static enum sizing size_buffer(int fd, size_t length, int64_t rate,
                               int64_t budget_ms)
{
    int64_t most = rate * budget_ms / 1000;

    if (measure(0, length) > most)
        return MINIMUM_TOO_LARGE;
    if (4 * measure(INT_MAX, length) < most)
        return CAP_TOO_SMALL;

    /* Twice the size takes at most twice as much: no step is too long. */
    int asked = 1;
    while (4 * measure(asked, length) < most)
        asked *= 2;
    ask_for(fd, asked);
    return SIZED;
}

/* How the send buffer is now. */
static void show(const char *what, int fd)
{
    int sndbuf, charged;
    socklen_t size = sizeof sndbuf;

    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &size) == -1)
        err(EXIT_FAILURE, "getsockopt");
    if (ioctl(fd, TIOCOUTQ, &charged) == -1)
        err(EXIT_FAILURE, "ioctl");
    printf("sender: %s sndbuf=%d charged=%d\n", what, sndbuf, charged);
}

static _Noreturn void usage(void)
{
    fputs("usage: size_the_buffer RATE BUDGET LENGTH\n"
          "       size_the_buffer ask BYTES LENGTH\n"
          "  RATE    what the reader takes, in bytes a second\n"
          "  BUDGET  how long a message may wait, such as 200ms\n"
          "  LENGTH  of a message in bytes, 1 to 1000\n"
          "  BYTES   to ask for, instead of calling size_buffer()\n",
          stderr);
    exit(EXIT_USAGE);
}

static int parse_number(const char *text, int least, int most)
{
    int number;
    char more;

    if (sscanf(text, "%d%c", &number, &more) != 1 || number < least ||
        number > most)
        errx(EXIT_USAGE, "bad number '%s': write %d to %d", text, least, most);
    return number;
}

int main(int argc, char *argv[])
{
    static const char *const words[] = {
        [SIZED] = "sized",
        [MINIMUM_TOO_LARGE] = "refused reason=minimum_too_large",
        [CAP_TOO_SMALL] = "refused reason=cap_too_small",
    };
    enum sizing sizing = SIZED;
    int pair[2];

    if (argc != 4)
        usage();
    size_t length = (size_t)parse_number(argv[3], 1, LENGTH_MAX);

    open_pair(pair);
    show("found", pair[0]);
    if (strcmp(argv[1], "ask") == 0) {
        ask_for(pair[0], parse_number(argv[2], 0, INT_MAX));
    } else {
        int64_t budget = parse_duration(argv[2]);
        int rate = parse_number(argv[1], 1, RATE_MAX);
        sizing = size_buffer(pair[0], length, rate, budget / NS_PER_MS);
    }

    if (sizing > CAP_TOO_SMALL)
        errx(EXIT_FAILURE, "size_buffer: returned none of its three answers");
    show(words[sizing], pair[0]);
    if (sizing == SIZED)
        printf("sender: full bytes=%" PRId64 "\n", fill(pair[0], length));
    return EXIT_SUCCESS;
}
