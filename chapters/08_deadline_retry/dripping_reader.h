/*
 * The reader of send_by takes a bite of the message, pauses, takes a bite. At
 * the end it says how much it has received.
 *
 * See also: send_by.c, unix(7).
 */
#ifndef DRIPPING_READER_H
#define DRIPPING_READER_H

#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/helper.h"

#define BUFFER (1 << 16) /* of which the kernel makes twice as much */

static char bite[2 * BUFFER]; /* so it makes room for the sender */

static inline _Noreturn void drip(int fd, int64_t pause)
{
    struct timespec nap = to_timespec(pause);
    size_t received = 0;
    ssize_t got;

    while ((got = recv(fd, bite, sizeof bite, 0)) > 0) {
        received += (size_t)got;
        if (nanosleep(&nap, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    }
    if (got == -1)
        err(EXIT_FAILURE, "recv");
    if (send(fd, &received, sizeof received, MSG_NOSIGNAL) == -1)
        err(EXIT_FAILURE, "send");
    _exit(EXIT_SUCCESS);
}

struct reader {
    pid_t pid;
    int way; /* to it */
};

static inline struct reader start_reader(int64_t pause)
{
    int pair[2], size = BUFFER;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == -1)
        err(EXIT_FAILURE, "setsockopt");
    pid_t reader = fork_helper("reader");
    close(pair[reader == 0 ? 0 : 1]); /* each keeps one end */
    if (reader == 0)
        drip(pair[1], pause);
    return (struct reader){reader, pair[0]};
}

/* That was all. How much has it received? */
static inline size_t end_reader(const struct reader *reader)
{
    size_t received;

    if (shutdown(reader->way, SHUT_WR) == -1)
        err(EXIT_FAILURE, "shutdown");
    errno = EPIPE; /* if it reads 0, the end: the reader has said why */
    if (recv(reader->way, &received, sizeof received, 0) < 1)
        err(EXIT_FAILURE, "recv");
    see_end(reader->pid, 0);
    close(reader->way);
    return received;
}

#endif
