/*
 * dont_wait - offer a report to a queue that may be full, and go on.
 *
 * A worker must not stop because nobody reads its reports. But the socket is
 * not its own: the parent sends there too, by the same open file description,
 * and does want to wait.
 *
 *     $ dont_wait
 *     worker: offered bytes=1000 taken=1000
 *     worker: offered bytes=262144 taken=146176
 *     worker: offered bytes=115968 taken=0
 *     parent: o_nonblock=no timeout_us=0
 *
 * One program left O_NONBLOCK on the terminal. From then on "cat" failed with
 * "Resource temporarily unavailable", until the shell was restarted:
 * https://github.com/fish-shell/fish-shell/issues/176
 *
 * See also: send(2), fcntl(2), socket(7).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define ROOM 65536 /* for the queue, which takes about twice as much */

static char report[4 * ROOM];

/* It interrupts a send that waits, and has nothing else to do. */
static void on_alarm(int sig)
{
    (void)sig;
}

/* Offer so many bytes. Returns how many of them were taken. */
static size_t offer(int fd, const char *bytes, size_t length)
{
    ssize_t taken = send(fd, bytes, length, MSG_DONTWAIT);

    if (taken == -1 && errno == EAGAIN)
        return 0;
    if (taken == -1)
        err(EXIT_FAILURE, "send");
    return (size_t)taken;
}

static size_t offer_and_tell(int fd, size_t length)
{
    size_t taken = offer(fd, report, length);

    printf("worker: offered bytes=%zu taken=%zu\n", length, taken);
    return taken;
}

static _Noreturn void work(int fd, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "worker") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != parent)
        _exit(EXIT_FAILURE);

    /* No one will make room: a send that waits ends with EINTR, or never. */
    struct sigaction wake = {.sa_handler = on_alarm};
    struct itimerval every_50_ms = {{.tv_usec = 50000}, {.tv_usec = 50000}};
    if (sigaction(SIGALRM, &wake, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    if (setitimer(ITIMER_REAL, &every_50_ms, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");

    offer_and_tell(fd, 1000);
    size_t taken = offer_and_tell(fd, sizeof report);
    offer_and_tell(fd, sizeof report - taken);
    _exit(EXIT_SUCCESS);
}

/* How the worker has left the socket that we share with it. */
static void look_at(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct timeval timeout;
    socklen_t size = sizeof timeout;

    if (flags == -1)
        err(EXIT_FAILURE, "fcntl");
    if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size) == -1)
        err(EXIT_FAILURE, "getsockopt");
    printf("parent: o_nonblock=%s timeout_us=%ld\n",
           flags & O_NONBLOCK ? "yes" : "no",
           (long)(timeout.tv_sec * 1000000 + timeout.tv_usec));
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: dont_wait\n", stderr);
        return EXIT_USAGE;
    }

    int pair[2]; /* the worker sends on pair[0]; no one reads pair[1] */
    int room = ROOM, status;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == -1)
        err(EXIT_FAILURE, "setsockopt");

    setlinebuf(stdout); /* empty at fork() */
    pid_t parent = getpid();
    pid_t worker = fork();
    if (worker == -1)
        err(EXIT_FAILURE, "fork");
    if (worker == 0)
        work(pair[0], parent);
    if (waitpid(worker, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    look_at(pair[0]);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
