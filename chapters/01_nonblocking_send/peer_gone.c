/*
 * peer_gone - what a sender is told when nobody is left to read.
 *
 * recv() tells by a 0 that the peer has gone. send() does not: for a length
 * above 0 it never returns 0. It fails with EPIPE, and it also raises
 * SIGPIPE, which ends the process without a word. With MSG_NOSIGNAL there is
 * the error alone.
 *
 * We put the same four questions to one end of a socketpair while its peer
 * fares differently. None of them waits: poll() has a limit of 0, which
 * means "at once" there, send() and recv() have MSG_DONTWAIT.
 *
 *     $ cc peer_gone.c -o peer_gone
 *     $ ./peer_gone
 *     peer: open poll=OUT send_1=1 send_0=0 recv=EAGAIN
 *     peer: full poll=none send_1=EAGAIN send_0=0 recv=EAGAIN
 *     peer: copied poll=none send_1=EAGAIN send_0=0 recv=EAGAIN
 *     peer: unread poll=OUT|ERR|HUP send_1=EPIPE send_0=EPIPE recv=ECONNRESET
 *     peer: gone poll=OUT|HUP send_1=EPIPE send_0=EPIPE recv=0
 *     careless: killed signal=SIGPIPE
 *
 * See also: send(2), recv(2), poll(2), unix(7), signal(7).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define LIMIT_S 5 /* for the careless child, which should not wait at all */

static const char *events(int polled)
{
    switch (polled) {
    case 0:
        return "none";
    case POLLOUT:
        return "OUT";
    case POLLOUT | POLLHUP:
        return "OUT|HUP";
    case POLLOUT | POLLERR | POLLHUP:
        return "OUT|ERR|HUP";
    default:
        return "other";
    }
}

/* The count, or the name of the error if it is one of those we show. */
static const char *answer(const char *call, ssize_t result)
{
    if (result >= 0)
        return result == 0 ? "0" : "1";
    if (errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
        err(EXIT_FAILURE, "%s", call);
    return errno_name(errno);
}

static void ask(const char *peer, int fd)
{
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    char in;

    if (poll(&room, 1, 0) == -1)
        err(EXIT_FAILURE, "poll");
    const char *one = answer("send", send(fd, "x", 1, flags));
    const char *none = answer("send", send(fd, "x", 0, flags));
    const char *got = answer("recv", recv(fd, &in, 1, MSG_DONTWAIT));
    printf("peer: %s poll=%s send_1=%s send_0=%s recv=%s\n", peer,
           events(room.revents), one, none, got);
}

/* Wrong, on purpose: a send without MSG_NOSIGNAL, in a child to be lost. */
static _Noreturn void send_carelessly(int fd)
{
    alarm(LIMIT_S); /* the parent waits for us: end in any case */
    /* Who ignores SIGPIPE hands that down to what it starts: undo it. */
    if (signal(SIGPIPE, SIG_DFL) == SIG_ERR)
        err(EXIT_FAILURE, "signal");
    if (send(fd, "x", 1, MSG_DONTWAIT) == -1)
        err(EXIT_FAILURE, "send");
    _exit(EXIT_SUCCESS);
}

static void lose_a_child(int fd)
{
    pid_t child = fork_helper("careless");
    if (child == 0)
        send_carelessly(fd);

    int status;
    if (waitpid(child, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGPIPE)
        errx(EXIT_FAILURE, "waitpid: the child was not ended by SIGPIPE");
    printf("careless: killed signal=SIGPIPE\n");
}

static void open_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
}

static void hang_up(int fd)
{
    if (close(fd) == -1)
        err(EXIT_FAILURE, "close");
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: peer_gone\n", stderr);
        return EXIT_USAGE;
    }

    int pair[2]; /* we send on pair[0]; pair[1] is the peer */
    open_pair(pair);
    setlinebuf(stdout); /* else fork() copies what is not yet printed */
    ask("open", pair[0]);

    while (send(pair[0], "x", 1, MSG_DONTWAIT) == 1)
        continue;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    ask("full", pair[0]);

    int copy = dup(pair[1]);
    if (copy == -1)
        err(EXIT_FAILURE, "dup");
    hang_up(pair[1]);
    ask("copied", pair[0]);
    hang_up(copy); /* gone now, and what filled the queue was never read */
    ask("unread", pair[0]);

    open_pair(pair);
    hang_up(pair[1]);
    ask("gone", pair[0]);
    lose_a_child(pair[0]);
    return EXIT_SUCCESS;
}
