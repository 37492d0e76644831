/*
 * A server on this machine, whose queue will be full, for it accepts nobody.
 *
 * See also: connect_by.c, connect_eagain.c, listen(2), unix(7).
 */
#ifndef FULL_BACKLOG_H
#define FULL_BACKLOG_H

#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define AMPLE (5 * NS_PER_SEC)
#define BACKLOG 0 /* for which Linux makes room for one */

union address {
    struct sockaddr any;
    struct sockaddr_in tcp;
    struct sockaddr_un path;
};

static union address server; /* whom we want to reach */
static socklen_t size;

static inline int open_socket(int flags)
{
    int fd =
        socket(server.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd == -1)
        err(EXIT_FAILURE, "socket");
    return fd;
}

/* A server at an address that the kernel chooses; it does not listen yet. */
static inline int open_server(union address address, socklen_t length)
{
    server = address;
    int fd = open_socket(0);
    if (bind(fd, &server.any, length) == -1) {
        if (errno == EADDRNOTAVAIL)
            errx(EXIT_SKIP, "bind: this machine has no loopback");
        err(EXIT_FAILURE, "bind");
    }
    size = sizeof server;
    if (getsockname(fd, &server.any, &size) == -1)
        err(EXIT_FAILURE, "getsockname");
    return fd;
}

#endif
