/*
 * overflow_policies - the outbox is full: who pays?
 *
 * A source makes a message in each tick, the reader reads one in each third.
 * No buffer is large enough for that. Either the outbox grows, or it has a
 * bound, and then there is a choice when it is full:
 *
 *     block        the source has to wait: it makes fewer messages
 *     drop_newest  what has just been made is lost
 *     drop_oldest  what has waited longest is lost
 *     disconnect   the reader is cut off, and what waits for it is lost
 *
 * Each gets the same 240 ticks, the same reader, and a socket of its own
 * with the smallest send buffer. "left" still waits at the end: what was
 * made and neither read nor lost. "oldest" is the highest age of a message
 * when it was read, in ticks, and "most" the most that the outbox held.
 *
 *     $ cc overflow_policies.c -o overflow_policies
 *     $ ./overflow_policies
 *     policy          made    read    lost    left    oldest  most
 *     grow            240     80      0       160     160     159
 *     block           91      80      0       11      34      10
 *     drop_newest     240     80      149     11      34      10
 *     drop_oldest     240     80      149     11      14      10
 *     disconnect      240     7       233     0       14      10
 *
 * See also: send(2), unix(7), socket(7).
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define TICKS 240
#define EVERY 3  /* ticks for the reader to read a message */
#define BOUND 10 /* messages in the outbox */

enum policy { GROW, BLOCK, DROP_NEWEST, DROP_OLDEST, DISCONNECT, POLICIES };

static const char *const names[POLICIES] = {
    "grow", "block", "drop_newest", "drop_oldest", "disconnect",
};

struct message {
    int made; /* tick */
    char text[1020];
};

struct outbox {
    enum policy policy;
    int fd;              /* the reader has the other end; -1: cut off */
    int messages[TICKS]; /* the tick in which each was made */
    int in, out;         /* how many came in, and left: the rest waits */
    int made, lost, read;
    int oldest; /* ticks from made to read */
    int most;   /* messages that waited here */
};

/* The outbox is full. May a new message come in all the same? */
static bool make_room(struct outbox *box)
{
    switch (box->policy) {
    case DROP_NEWEST:
        return false;
    case DROP_OLDEST:
        box->out++;
        box->lost++;
        return true;
    case DISCONNECT:
        close(box->fd);
        box->fd = -1;
        box->lost += box->in - box->out;
        box->out = box->in;
        return false;
    default:
        return true;
    }
}

/* The source's turn: a message in each tick, unless it is made to wait. */
static void make_message(struct outbox *box, int tick)
{
    bool full = box->in - box->out >= BOUND;

    if (full && box->policy == BLOCK)
        return;
    box->made++;
    if (box->fd == -1 || (full && !make_room(box))) {
        box->lost++;
        return;
    }
    box->messages[box->in++] = tick;
    if (box->most < box->in - box->out)
        box->most = box->in - box->out;
}

/* Send what the socket takes. From then on it is out of our hands. */
static void flush(struct outbox *box)
{
    for (; box->out < box->in; box->out++) {
        struct message next = {.made = box->messages[box->out]};
        if (send(box->fd, &next, sizeof next, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            continue;
        if (errno != EAGAIN)
            err(EXIT_FAILURE, "send");
        return;
    }
}

static void read_message(struct outbox *box, int fd, int tick)
{
    struct message in;
    ssize_t got = recv(fd, &in, sizeof in, MSG_DONTWAIT);

    if (got == -1)
        err(EXIT_FAILURE, "recv");
    if (got == 0)
        return; /* cut off, and nothing left */
    box->read++;
    if (box->oldest < tick - in.made)
        box->oldest = tick - in.made;
}

static void play(enum policy policy, int every, int size)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == -1)
        err(EXIT_FAILURE, "setsockopt");

    struct outbox box = {.policy = policy, .fd = pair[0]};
    for (int tick = 0; tick < TICKS; tick++) {
        make_message(&box, tick);
        flush(&box);
        if ((tick + 1) % every == 0)
            read_message(&box, pair[1], tick);
    }
    printf("%-12s\t%d\t%d\t%d\t%d\t%d\t%d\n", names[policy], box.made, box.read,
           box.lost, box.made - box.read - box.lost, box.oldest, box.most);
    if (box.fd != -1)
        close(box.fd);
    close(pair[1]);
}

static int parse_number(const char *text, int low)
{
    long long number;
    char more;

    if (sscanf(text, "%lld%c", &number, &more) != 1 || number < low ||
        number > 1 << 30)
        errx(EXIT_USAGE, "bad number '%s': write %d or more", text, low);
    return (int)number;
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: overflow_policies [EVERY [SNDBUF]]\n"
              "  EVERY   ticks for the reader to read a message, default 3\n"
              "  SNDBUF  send buffer to ask for, default 0, the smallest\n",
              stderr);
        return EXIT_USAGE;
    }
    int every = argc > 1 ? parse_number(argv[1], 1) : EVERY;
    int sndbuf = argc > 2 ? parse_number(argv[2], 0) : 0;

    printf("policy      \tmade\tread\tlost\tleft\toldest\tmost\n");
    for (enum policy policy = GROW; policy < POLICIES; policy++)
        play(policy, every, sndbuf);
    return EXIT_SUCCESS;
}
