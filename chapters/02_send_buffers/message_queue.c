/*
 * message_queue - a receiver's queue is full, and poll() says: go ahead.
 *
 * A datagram socket may have an address, as a log daemon's has, and whoever
 * knows it can send to it. The messages of all senders stand in one queue,
 * which takes a number of messages, not of bytes.
 *
 * A newcomer who has not sent anything yet is refused: EAGAIN. But poll()
 * calls the newcomer's socket writable. It looks at the send buffer, which
 * is empty, and cannot know whose queue the next message is for. So a loop
 * of poll and send runs as fast as it can and gets nowhere. A sender who has
 * called connect() has named the receiver: now poll() looks there too.
 *
 *     $ cc message_queue.c -o message_queue
 *     $ ./message_queue
 *     receiver: full messages=11
 *     newcomer: tried rounds=1000 writable=1000 refused=1000
 *     connected: tried writable=no send=EAGAIN
 *     receiver: read messages=1
 *     connected: tried writable=yes send=1
 *
 * See also: unix(7), sendto(2), connect(2), poll(2).
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define ROUNDS 1000

struct address {
    struct sockaddr_un name;
    socklen_t length;
};

static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    if (fd == -1)
        err(EXIT_FAILURE, "socket");
    return fd;
}

/* The kernel chooses the address. It is no file, and ends with the socket. */
static struct address bind_anywhere(int fd)
{
    struct address own = {.length = sizeof own.name};
    const struct sockaddr family = {.sa_family = AF_UNIX};

    if (bind(fd, &family, sizeof family.sa_family) == -1)
        err(EXIT_FAILURE, "bind");
    if (getsockname(fd, (struct sockaddr *)&own.name, &own.length) == -1)
        err(EXIT_FAILURE, "getsockname");
    return own;
}

/* Send a message of one byte. False says that there was no room for it. */
static bool send_to(int fd, const struct address *to)
{
    const struct sockaddr *name = (const struct sockaddr *)&to->name;

    if (sendto(fd, "x", 1, MSG_DONTWAIT, name, to->length) == 1)
        return true;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "sendto");
    return false;
}

static bool is_writable(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    if (poll(&room, 1, 0) == -1) /* 0: at once */
        err(EXIT_FAILURE, "poll");
    return room.revents & POLLOUT;
}

/*
 * Send until the queue takes no more. Where it takes very many, a sender's
 * own buffer is full before it is: then another one goes on.
 */
static int fill_queue(const struct address *to)
{
    int messages = 0, before;

    do {
        int fd = open_socket();
        before = messages;
        while (send_to(fd, to))
            messages++;
        close(fd);
    } while (messages > before);
    return messages;
}

/* Wrong, on purpose: poll() says yes, send says no, and so it goes on. */
static void try_unconnected(const struct address *to)
{
    int fd = open_socket();
    int writable = 0, refused = 0;

    for (int round = 0; round < ROUNDS; round++) {
        writable += is_writable(fd);
        refused += !send_to(fd, to);
    }
    printf("newcomer: tried rounds=%d writable=%d refused=%d\n", ROUNDS,
           writable, refused);
    close(fd);
}

static void try_connected(int fd)
{
    const char *writable = is_writable(fd) ? "yes" : "no";
    bool sent = send(fd, "x", 1, MSG_DONTWAIT) == 1;

    if (!sent && errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    printf("connected: tried writable=%s send=%s\n", writable,
           sent ? "1" : "EAGAIN");
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: message_queue\n", stderr);
        return EXIT_USAGE;
    }

    int receiver = open_socket();
    struct address address = bind_anywhere(receiver);
    printf("receiver: full messages=%d\n", fill_queue(&address));
    try_unconnected(&address);

    int fd = open_socket();
    if (connect(fd, (struct sockaddr *)&address.name, address.length) == -1)
        err(EXIT_FAILURE, "connect");
    try_connected(fd);

    char message;
    if (recv(receiver, &message, 1, MSG_DONTWAIT) == -1)
        err(EXIT_FAILURE, "recv");
    printf("receiver: read messages=1\n");
    try_connected(fd);
    return EXIT_SUCCESS;
}
