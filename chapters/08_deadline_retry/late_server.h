/*
 * The server of asked_twice: it does what is asked, once for each number, and
 * its first answer is late: it comes when the second request is there.
 *
 * See also: asked_twice.c, unix(7).
 */
#ifndef LATE_SERVER_H
#define LATE_SERVER_H

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/helper.h"

struct request {
    int number; /* 0: it has none */
    int amount;
};

struct answer {
    int number; /* that of the request */
    int balance;
};

/* What the server did. The client could not know; it is for our table. */
struct record {
    int done; /* no bool: what is sent has no gaps */
    int balance;
};

static inline void send_it(int fd, const void *what, size_t length)
{
    if (send(fd, what, length, MSG_NOSIGNAL) == -1)
        err(EXIT_FAILURE, "send");
}

/* Do what is asked, once for each number. The first answer is late. */
static inline _Noreturn void serve(int fd, int journal)
{
    struct answer answer = {0}, late;
    struct request request;
    ssize_t length;

    for (int asked = 1; (length = recv(fd, &request, sizeof request, 0)) > 0;
         asked++) {
        bool is_new = request.number == 0 || request.number != answer.number;
        if (is_new)
            answer.balance += request.amount;
        answer.number = request.number;
        struct record record = {is_new, answer.balance};
        send_it(journal, &record, sizeof record);

        if (asked == 1)
            late = answer;
        if (asked == 2)
            send_it(fd, &late, sizeof late);
        if (asked > 1)
            send_it(fd, &answer, sizeof answer);
    }
    if (length == -1)
        err(EXIT_FAILURE, "recv");
    _exit(EXIT_SUCCESS);
}

struct server {
    pid_t pid;
    int way;     /* for requests and answers */
    int journal; /* from which its records come */
};

static inline struct server start_server(void)
{
    int kind = SOCK_SEQPACKET | SOCK_CLOEXEC; /* whole messages */
    int way[2], journal[2];

    if (socketpair(AF_UNIX, kind, 0, way) == -1 ||
        socketpair(AF_UNIX, kind, 0, journal) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t server = fork_helper("server");
    close(way[server == 0 ? 0 : 1]); /* each keeps one end */
    close(journal[server == 0 ? 0 : 1]);
    if (server == 0)
        serve(way[1], journal[1]);
    return (struct server){server, way[0], journal[0]};
}

#endif
