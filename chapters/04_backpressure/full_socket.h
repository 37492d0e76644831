/*
 * The socket of the programs in ticks: it is full from the start, a message is
 * one byte, and nobody waits.
 */
#ifndef FULL_SOCKET_H
#define FULL_SOCKET_H

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Send it if the socket has room. False is EAGAIN. */
static inline bool send_one(int fd)
{
    if (send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
        return true;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    return false;
}

static inline void read_one(int fd)
{
    char message;

    if (recv(fd, &message, 1, MSG_DONTWAIT) == -1)
        err(EXIT_FAILURE, "recv");
}

/* What goes in at pair[0] comes out at pair[1]. */
static inline void open_full_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    while (send_one(pair[0]))
        continue;
}

#endif
