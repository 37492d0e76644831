/*
 * slow_reader_out - cut off the one reader that is too slow, keep the others.
 *
 * A feed has a message in each turn, and all readers are to get it. What does
 * not go into a reader's socket waits in an outbox of its own, 8 messages at
 * most. A fast reader reads all that there is in each turn, a late one nothing
 * until its outbox is full, but then all, just in time. A slow one never reads.
 *
 * Three turns after a reader was cut off a new one joins. The kernel gives it
 * the lowest free descriptor: the one that was closed.
 *
 *     $ slow_reader_out
 *     fast: reader=1 fd=3 joined=1 got=60 strays=0 cut_off=0
 *     slow: reader=2 fd=5 joined=1 got=1 strays=0 cut_off=10
 *     late: reader=3 fd=7 joined=1 got=60 strays=0 cut_off=0
 *     fast: reader=4 fd=9 joined=1 got=60 strays=0 cut_off=0
 *     new: reader=5 fd=5 joined=14 got=47 strays=0 cut_off=0
 *     server: messages=60 polled_closed=0
 *
 * "joined" is the first message for a reader, "got" how many it read in order
 * without a gap, "strays" how many that were for another reader, and "cut_off"
 * the message with which it was cut off. "polled_closed" is how often poll()
 * said POLLNVAL: it was asked about a descriptor that is closed.
 *
 * A slow reader of NATS made the publisher wait:
 * https://github.com/nats-io/nats-server/issues/2679. Artio planned to cut
 * such a reader off, and to log why: https://github.com/artiofix/artio/issues/34
 *
 * See also: poll(2), send(2), close(2), unix(7).
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define MESSAGES 60
#define ROOM 8  /* messages in an outbox */
#define PAUSE 3 /* turns, before the new reader joins */
#define MOST 8  /* readers */

struct message {
    int number;
    int reader; /* whom it is for */
    char text[1016];
};

/* The messages that wait for a reader, the oldest first. */
struct outbox {
    int reader;
    int waiting;
    int numbers[ROOM];
};

/* What outboxes[i] holds goes to the socket polled[i].fd, for i < count. */
struct server {
    int count;
    struct outbox *outboxes[MOST];
    struct pollfd polled[MOST];
    int polled_closed;
};

/* What the readers are told, and what they tell, stands on their side. */
struct reader {
    const char *kind;
    int no;
    int fd, server_fd; /* its end, and the server's */
    int joined, got, strays, cut_off;
    struct outbox box;
};

/* Close its socket, and let the last one have its place in both arrays. */
static void cut_off(struct server *server, int i)
{
    if (close(server->polled[i].fd) == -1)
        err(EXIT_FAILURE, "close");
    server->count--;
    server->outboxes[i] = server->outboxes[server->count];
    server->polled[i] = server->polled[server->count];
}

/* The feed has a message: put it into the outbox of each reader. */
static void publish(struct server *server, int number)
{
    /* From the end: the one that cut_off() moves has got it already. */
    for (int i = server->count - 1; i >= 0; i--) {
        struct outbox *box = server->outboxes[i];
        if (box->waiting == ROOM)
            cut_off(server, i);
        else
            box->numbers[box->waiting++] = number;
    }
}

/* Send what the socket takes. */
static void flush(struct outbox *box, int fd)
{
    while (box->waiting > 0) {
        struct message next = {box->numbers[0], box->reader, ""};
        if (send(fd, &next, sizeof next, MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
            if (errno != EAGAIN)
                err(EXIT_FAILURE, "send");
            return;
        }
        box->waiting--;
        memmove(box->numbers, box->numbers + 1,
                (size_t)box->waiting * sizeof box->numbers[0]);
    }
}

/* Where something waits and there is room, send. */
static void send_what_goes(struct server *server)
{
    struct pollfd *polled = server->polled;

    for (int i = 0; i < server->count; i++)
        polled[i].events = server->outboxes[i]->waiting > 0 ? POLLOUT : 0;
    if (poll(polled, (nfds_t)server->count, 0) == -1)
        err(EXIT_FAILURE, "poll");
    for (int i = 0; i < server->count; i++) {
        if (polled[i].revents & POLLNVAL)
            server->polled_closed++;
        if (polled[i].revents & POLLOUT)
            flush(server->outboxes[i], polled[i].fd);
    }
}

static void join(struct server *server, struct reader *reader, int first)
{
    int pair[2], smallest = 0, i = server->count++;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &smallest,
                   sizeof smallest) == -1)
        err(EXIT_FAILURE, "setsockopt");

    server->outboxes[i] = &reader->box;
    reader->box.reader = reader->no;
    server->polled[i] = (struct pollfd){.fd = pair[0]};
    reader->server_fd = pair[0];
    reader->fd = pair[1];
    reader->joined = first;
}

static void read_all(struct reader *reader)
{
    struct message in;
    ssize_t size;

    while ((size = recv(reader->fd, &in, sizeof in, MSG_DONTWAIT)) > 0) {
        if (in.reader != reader->no)
            reader->strays++;
        else if (in.number == reader->joined + reader->got)
            reader->got++;
    }
    if (size == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "recv");
}

/* A reader's turn. Returns whether it has just been cut off. */
static bool take_turn(struct reader *reader, int turn)
{
    struct pollfd end = {.fd = reader->fd};
    bool slow = strcmp(reader->kind, "slow") == 0;
    bool waits = strcmp(reader->kind, "late") == 0 && turn <= MESSAGES &&
                 reader->box.waiting < ROOM;

    if (!slow && !waits)
        read_all(reader);
    if (poll(&end, 1, 0) == -1)
        err(EXIT_FAILURE, "poll");
    if (!(end.revents & POLLHUP) || reader->cut_off)
        return false;
    reader->cut_off = turn;
    return true;
}

int main(int argc, char *argv[])
{
    static struct server server;
    static struct reader readers[] = {
        {.kind = "fast", .no = 1}, {.kind = "slow", .no = 2},
        {.kind = "late", .no = 3}, {.kind = "fast", .no = 4},
        {.kind = "new", .no = 5},
    };
    int count = 0, new_one = 0;

    if (argc > 2 || (argc == 2 && strcmp(argv[1], "two") != 0)) {
        fputs("usage: slow_reader_out [two]\n"
              "  two  the late reader is slow, too\n",
              stderr);
        return EXIT_USAGE;
    }
    if (argc == 2)
        readers[2].kind = "slow";
    for (; count < 4; count++)
        join(&server, &readers[count], 1);

    /* At the end there is time to read what waits. */
    for (int turn = 1; turn <= MESSAGES + ROOM + 1; turn++) {
        if (turn <= MESSAGES)
            publish(&server, turn);
        for (int i = 0; i < count; i++)
            if (take_turn(&readers[i], turn) && new_one == 0)
                new_one = turn + PAUSE;
        send_what_goes(&server);
        if (turn == new_one)
            join(&server, &readers[count++], turn + 1);
    }

    for (int i = 0; i < count; i++) {
        read_all(&readers[i]); /* also what a socket took for the slow one */
        printf("%s: reader=%d fd=%d joined=%d got=%d strays=%d cut_off=%d\n",
               readers[i].kind, readers[i].no, readers[i].server_fd,
               readers[i].joined, readers[i].got, readers[i].strays,
               readers[i].cut_off);
    }
    printf("server: messages=%d polled_closed=%d\n", MESSAGES,
           server.polled_closed);
    return EXIT_SUCCESS;
}
