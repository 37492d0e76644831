/*
 * stale_bytes - a larger send buffer delivers older news.
 *
 * A sensor makes a reading in each tick, and a display reads one in each
 * third. No buffer is large enough for that: sooner or later it is full, and
 * from then on two of three readings are refused and lost. It does not help
 * that the buffer is large. It only makes the line longer in which a reading
 * stands before it is read.
 *
 * Sensor and display take turns in one loop: a turn for each is a tick, and
 * no clock is looked at. The same 1200 ticks go through send buffers of
 * several sizes. "left" still waits at the end, "oldest" is the highest age
 * of a reading when it was read, in ticks.
 *
 *     $ cc stale_bytes.c -o stale_bytes
 *     $ ./stale_bytes
 *     asked   SNDBUF  made    read    lost    left    oldest
 *     0       4608    1200    400     799     1       5
 *     10000   20000   1200    400     792     8       26
 *     50000   100000  1200    400     757     43      131
 *     100000  200000  1200    400     714     86      260
 *     200000  400000  1200    400     627     173     521
 *
 * See also: socket(7), unix(7), send(2).
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define TICKS 1200
#define EVERY 3 /* ticks for the display to read a reading */

static const int sizes[] = {0, 10000, 50000, 100000, 200000};

struct reading {
    int made; /* tick */
    char text[1020];
};

/* The sensor's turn. False: there is no room, and the reading is lost. */
static bool send_reading(int fd, int tick)
{
    struct reading now = {.made = tick};

    if (send(fd, &now, sizeof now, MSG_DONTWAIT) != -1)
        return true;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    return false;
}

/* The display's turn. Returns how old the news is that it gets. */
static int read_reading(int fd, int tick)
{
    struct reading then;

    if (recv(fd, &then, sizeof then, MSG_DONTWAIT) == -1)
        err(EXIT_FAILURE, "recv");
    return tick - then.made;
}

static void play(int asked, int every)
{
    int pair[2]; /* what goes in at pair[0] comes out at pair[1] */
    int size = asked;
    socklen_t length = sizeof size;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, length) == -1)
        err(EXIT_FAILURE, "setsockopt");
    if (getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, &length) == -1)
        err(EXIT_FAILURE, "getsockopt");

    int sent = 0, read = 0, oldest = 0;
    for (int tick = 1; tick <= TICKS; tick++) {
        sent += send_reading(pair[0], tick);
        if (tick % every != 0)
            continue;
        int age = read_reading(pair[1], tick);
        read++;
        if (oldest < age)
            oldest = age;
    }
    printf("%d\t%d\t%d\t%d\t%d\t%d\t%d\n", asked, size, TICKS, read,
           TICKS - sent, sent - read, oldest);
    close(pair[0]);
    close(pair[1]);
}

static _Noreturn void usage(void)
{
    fputs("usage: stale_bytes [EVERY]\n"
          "  EVERY  ticks for the display to read a reading, default 3\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    long long every = EVERY;
    char more;
    if (argc == 2 && (sscanf(argv[1], "%lld%c", &every, &more) != 1 ||
                      every < 1 || every > TICKS))
        errx(EXIT_USAGE, "bad EVERY '%s': write 1 to %d", argv[1], TICKS);

    printf("asked\tSNDBUF\tmade\tread\tlost\tleft\toldest\n");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        play(sizes[i], (int)every);
    return EXIT_SUCCESS;
}
