/*
 * survive_hangup - a library's send that does not kill its caller.
 *
 * notify() belongs to a library. A program that calls it may know nothing of
 * sockets, and it may need SIGPIPE for its own pipes. "gone" is a peer that
 * has closed its end, "deaf" one that has said by shutdown() that it will
 * never read again, and is still open.
 *
 *     $ survive_hangup
 *     caller: peer=open title=yes result=sent sigpipe=default
 *     peer: received=disk:full
 *     caller: peer=gone title=yes result=EPIPE sigpipe=default
 *     caller: peer=gone title=no result=EPIPE sigpipe=default
 *     caller: peer=deaf title=yes result=EPIPE sigpipe=default
 *
 * hiredis, a library for talking to Redis, ended the program that used it, by
 * SIGPIPE, when the server had closed the connection:
 * https://github.com/redis/hiredis/issues/1229
 *
 * See also: send(2), signal(7), unix(7).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"

/* Send the title, if there is one, and the text. Returns 0, or -1 and errno. */
static int notify(int fd, const char *title, const char *text)
{
    if (title && send(fd, title, strlen(title), MSG_NOSIGNAL) == -1)
        return -1;
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) == -1)
        return -1;
    return 0;
}

/* What SIGPIPE would do to the caller now. */
static const char *sigpipe(void)
{
    struct sigaction action;
    sigset_t blocked;

    if (sigaction(SIGPIPE, NULL, &action) == -1)
        err(EXIT_FAILURE, "sigaction");
    if (sigprocmask(SIG_BLOCK, NULL, &blocked) == -1)
        err(EXIT_FAILURE, "sigprocmask");
    if (sigismember(&blocked, SIGPIPE))
        return "blocked";
    return action.sa_handler == SIG_DFL   ? "default"
           : action.sa_handler == SIG_IGN ? "ignored"
                                          : "handled";
}

/* Who acts now: the name stands in the lens's trace. */
static void act_as(const char *name)
{
    if (prctl(PR_SET_NAME, name) == -1)
        err(EXIT_FAILURE, "prctl");
}

/* What notify() has answered: 0, or -1 and errno. */
static const char *outcome(int result)
{
    return result == 0    ? "sent"
           : result == -1 ? errno_name(errno)
                          : "neither_0_nor_-1";
}

static void call_library(const char *peer, int fd, const char *title)
{
    act_as("library");
    const char *result = outcome(notify(fd, title, "full"));
    act_as("caller");

    printf("caller: peer=%s title=%s result=%s sigpipe=%s\n", peer,
           title ? "yes" : "no", result, sigpipe());
}

int main(int argc, char *argv[])
{
    int pair[2], deaf[2]; /* we send on [0]; [1] is the peer */
    char in[32] = "";

    (void)argv;
    if (argc > 1) {
        fputs("usage: survive_hangup\n", stderr);
        return EXIT_USAGE;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, deaf) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (signal(SIGPIPE, SIG_DFL) == SIG_ERR) /* "ignored" is inherited */
        err(EXIT_FAILURE, "signal");

    setlinebuf(stdout); /* readable up to the moment when we are ended */
    call_library("open", pair[0], "disk:");
    if (recv(pair[1], in, sizeof in - 1, MSG_DONTWAIT) == -1)
        err(EXIT_FAILURE, "recv");
    printf("peer: received=%s\n", in);

    if (close(pair[1]) == -1)
        err(EXIT_FAILURE, "close");
    call_library("gone", pair[0], "disk:");
    call_library("gone", pair[0], NULL);
    if (shutdown(deaf[1], SHUT_RD) == -1)
        err(EXIT_FAILURE, "shutdown");
    call_library("deaf", deaf[0], "disk:");
    return EXIT_SUCCESS;
}
