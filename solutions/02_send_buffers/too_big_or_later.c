/*
 * too_big_or_later - records that must wait, and records that never go.
 *
 * A forwarder sends each record of its outbox to a collector, as a message of
 * its own. The collector reads one each time the forwarder has come back. The
 * letters of OUTBOX are the records: s is small, of 1000 bytes, b big, as
 * large as the send buffer, a almost as large, one byte less, and h half as
 * large.
 *
 *     $ too_big_or_later sbs
 *     forwarder: outbox records=3 sndbuf=8000
 *     forwarder: set_aside record=2 bytes=8000
 *     collector: received record=1 bytes=1000
 *     collector: received record=3 bytes=1000
 *     forwarder: done sndbuf=8000
 *
 * systemd-netlogd met a record that was too big, stayed where it was, and
 * sent it again and again: https://github.com/systemd/systemd-netlogd/pull/26
 *
 * Exits with 1 when the forwarder gets no further, or has met an error.
 * See also: send(2), unix(7).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define ASKED 4000 /* for the send buffer, which reads back as 8000 */
#define RECORDS_MAX 24

struct record {
    const char *bytes;
    size_t length;
};

/* Keep a record that will never go, for somebody to look at. */
static void set_aside(const struct record *record)
{
    printf("forwarder: set_aside record=%d bytes=%zu\n", record->bytes[0],
           record->length);
}

/*
 * Forward the records, the first one first. Returns how many are done with;
 * with the others we are called again, when there may be room for them.
 */
static size_t forward(int fd, const struct record *records, size_t count)
{
    size_t done = 0;

    while (done < count) {
        const struct record *next = &records[done];

        if (send(fd, next->bytes, next->length, MSG_DONTWAIT) == -1) {
            if (errno == EAGAIN)
                break;
            if (errno != EMSGSIZE)
                err(EXIT_FAILURE, "send");
            set_aside(next);
        }
        done++;
    }
    return done;
}

/* Fill the outbox. All bytes of a record are its number. */
static size_t make_records(struct record *records, const char *letters,
                           size_t sndbuf)
{
    static char store[RECORDS_MAX][2 * ASKED];
    size_t count = 0;

    for (; letters[count]; count++) {
        char letter = letters[count];
        if (count == RECORDS_MAX || !strchr("shab", letter))
            errx(EXIT_USAGE, "bad OUTBOX '%s': write up to %d of s, h, a, b",
                 letters, RECORDS_MAX);
        memset(store[count], (int)count + 1, sizeof store[count]);
        records[count].bytes = store[count];
        records[count].length = letter == 's'   ? 1000
                                : letter == 'h' ? sndbuf / 2
                                : letter == 'a' ? sndbuf - 1
                                                : sndbuf;
    }
    return count;
}

/* Read a message, if there is one. */
static bool collect(int fd)
{
    char message[2 * ASKED];
    ssize_t got = recv(fd, message, sizeof message, MSG_DONTWAIT);

    if (got == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "recv");
    if (got > 0)
        printf("collector: received record=%d bytes=%zd\n", message[0], got);
    return got > 0;
}

static int sndbuf_of(int fd)
{
    int sndbuf;
    socklen_t size = sizeof sndbuf;

    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &size) == -1)
        err(EXIT_FAILURE, "getsockopt");
    return sndbuf;
}

/* What goes in at pair[0] comes out at pair[1]. */
static void open_pair(int pair[2])
{
    int asked = ASKED;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &asked, sizeof asked) == -1)
        err(EXIT_FAILURE, "setsockopt");
    if (sndbuf_of(pair[0]) != 2 * ASKED)
        errx(EXIT_SKIP, "this kernel gives no send buffer of %d", 2 * ASKED);
}

int main(int argc, char *argv[])
{
    struct record records[RECORDS_MAX];
    int pair[2];

    if (argc > 2) {
        fputs("usage: too_big_or_later [OUTBOX]\n"
              "  OUTBOX  a letter for each record, of s, h, a and b\n",
              stderr);
        return EXIT_USAGE;
    }
    const char *letters = argc == 2 ? argv[1] : "ssbssssahb";

    setlinebuf(stdout); /* in order with what err() says */
    open_pair(pair);
    size_t count = make_records(records, letters, 2 * ASKED), done = 0;
    printf("forwarder: outbox records=%zu sndbuf=%d\n", count,
           sndbuf_of(pair[0]));

    for (size_t calls = 1; done < count; calls++) {
        size_t more = forward(pair[0], records + done, count - done);
        if (more > count - done)
            errx(EXIT_FAILURE, "forward: %zu done of %zu", more, count - done);
        done += more;
        collect(pair[1]);
        if (done < count && calls == 2 * count) /* half would be enough */
            errx(EXIT_FAILURE, "stuck: calls=%zu record=%zu", calls, done + 1);
    }
    while (collect(pair[1]))
        continue;
    printf("forwarder: done sndbuf=%d\n", sndbuf_of(pair[0]));
    return EXIT_SUCCESS;
}
