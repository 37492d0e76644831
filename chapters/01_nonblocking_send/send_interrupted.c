/*
 * send_interrupted - a signal comes while send() sleeps.
 *
 * The sender has a handler for the signal: a function that runs, and then the
 * call that was interrupted comes back. If nothing of the message has gone
 * out, it fails with EINTR. If something has, it returns a short count, for
 * what is in the queue cannot be taken back.
 *
 * A handler with the flag SA_RESTART asks the kernel to go on with the call.
 * That works only if nothing has gone out, and not once SO_SNDTIMEO is set.
 *
 * Each line is another sender of the same message. "after" is how we find it
 * after the signal has woken it. For one that is asleep again we read what
 * comes, until it is back.
 *
 *     $ cc send_interrupted.c -o send_interrupted
 *     $ ./send_interrupted
 *     message: bytes=1048576
 *     sender: woken queue=full sa_restart=no sndtimeo=no after=back send=EINTR
 *     sender: woken queue=full sa_restart=yes sndtimeo=no after=asleep send=1048576
 *     sender: woken queue=full sa_restart=yes sndtimeo=yes after=back send=EINTR
 *     sender: woken queue=empty sa_restart=no sndtimeo=no after=back send=219264
 *     sender: woken queue=empty sa_restart=yes sndtimeo=no after=back send=219264
 *
 * See also: send(2), sigaction(2), signal(7), socket(7), proc_pid_stat(5).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../common/asleep.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

struct act {
    bool full; /* the queue: then nothing can go out */
    bool restart, timeout;
};

static const struct act acts[] = {
    {.full = true},
    {.full = true, .restart = true},
    {.full = true, .restart = true, .timeout = true},
    {.full = false},
    {.full = false, .restart = true},
};

/* What a sender has to tell when its send() is back. */
struct report {
    ssize_t sent;
    int error, signals;
};

static char message[1 << 20];
static int reports[2];
static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
    (void)sig;
    signals++;
}

/* Its only call that can sleep is send(): if it is asleep, it is there. */
static pid_t start_sender(int fd, bool restart)
{
    pid_t sender = fork_helper("sender");
    if (sender > 0)
        return sender;

    struct sigaction action = {.sa_handler = on_signal};
    action.sa_flags = restart ? SA_RESTART : 0;
    if (sigaction(SIGUSR1, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    ssize_t sent = send(fd, message, sizeof message, 0);
    struct report report = {sent, errno, signals};
    if (sent == -1 && errno != EINTR)
        err(EXIT_FAILURE, "send");
    if (write(reports[1], &report, sizeof report) == -1)
        err(EXIT_FAILURE, "write");
    _exit(EXIT_SUCCESS);
}

static struct report hear(pid_t sender)
{
    struct report report;
    see_end(sender, 0);
    if (read(reports[0], &report, sizeof report) == -1)
        err(EXIT_FAILURE, "read");
    if (report.signals != 1)
        errx(EXIT_FAILURE, "kill: the handler ran %d times", report.signals);
    return report;
}

static void fill(int fd)
{
    while (send(fd, message, sizeof message, MSG_DONTWAIT) > 0)
        continue;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
}

static void read_all(int fd)
{
    static char in[65536];

    while (recv(fd, in, sizeof in, MSG_DONTWAIT) > 0)
        continue;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "recv");
}

static void play(struct act act)
{
    struct timeval minute = {.tv_sec = 60};
    int pair[2]; /* what goes in at pair[0] comes out at pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (act.timeout && setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &minute,
                                  sizeof minute) == -1)
        err(EXIT_FAILURE, "setsockopt");
    if (act.full)
        fill(pair[0]);

    pid_t sender = start_sender(pair[0], act.restart);
    if (!is_asleep(sender))
        errx(EXIT_FAILURE, "send: it does not wait");
    if (kill(sender, SIGUSR1) == -1)
        err(EXIT_FAILURE, "kill");
    /* That has woken it: if we see it asleep, it has gone to sleep again. */
    bool asleep = is_asleep(sender);
    while (asleep && is_asleep(sender))
        read_all(pair[1]);
    struct report report = hear(sender);
    printf("sender: woken queue=%s sa_restart=%s sndtimeo=%s after=%s ",
           act.full ? "full" : "empty", act.restart ? "yes" : "no",
           act.timeout ? "yes" : "no", asleep ? "asleep" : "back");
    if (report.sent == -1)
        printf("send=%s\n", errno_name(report.error));
    else
        printf("send=%zd\n", report.sent);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: send_interrupted\n", stderr);
        return EXIT_USAGE;
    }

    setlinebuf(stdout); /* empty at fork() */
    if (pipe(reports) == -1)
        err(EXIT_FAILURE, "pipe");
    printf("message: bytes=%zu\n", sizeof message);
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        play(acts[i]);
    return EXIT_SUCCESS;
}
