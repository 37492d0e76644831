/*
 * wait_not_spin - wait for room, and hear it when you are asked to stop.
 *
 * SIGTERM asks a program to end. This one has a handler, a function that runs
 * when the signal comes: it notes that in a flag, stop, and the program can
 * end in order. The reader is slow. With "stop" it reads a part, then no more,
 * and asks by SIGTERM: every 5 ms until the sender has hung up, 40 times at
 * most. Then it reads the rest, if there is one. Fill the gap marked TODO, then
 * run: make check-wait_not_spin
 *
 *     $ wait_not_spin
 *     sender: sent bytes=1048576 stopped=no
 *     reader: received bytes=1048576 asked=0
 *     $ wait_not_spin stop
 *     sender: sent bytes=475072 stopped=yes
 *     reader: received bytes=475072 asked=1
 *
 * claude-chill went round without a wait, on EAGAIN as on EINTR. One process
 * did so for 23 days, deaf to SIGTERM: the flag was looked at elsewhere
 * (https://github.com/davidbeesley/claude-chill/pull/39).
 *
 * See also: send(2), poll(2), signal(7).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define SLICE_MS 200  /* the longest wait without a look at the flag */
#define ENOUGH 262144 /* bytes, for a reader that stops */
#define PAUSE_MS 2    /* of the reader, after each read */
#define ASK_MS 5
#define MOST_ASKED 40
#define LAST_RESORT_S 15

static char message[1 << 20];
static volatile sig_atomic_t stop; /* we have been asked to */

static void on_sigterm(int sig)
{
    (void)sig;
    stop = 1;
}

/*
 * Send all of it, or what goes until stop is set. Returns how much has gone.
 *
 * TODO: this asks again, and again, and does not hear that it should stop.
 *
 *   1. While there is no room, sleep until there is: no spin, and no nap of a
 *      length that you choose.
 *   2. Let no wait be longer than SLICE_MS: a signal can come just before it.
 *   3. As soon as stop is set, return: wait no more. A signal that has not set
 *      it, EINTR all the same, changes nothing.
 *   4. Return how much has gone, then too.
 */
static size_t send_until_stop(int fd, const char *bytes, size_t length)
{
    size_t sent = 0;

    while (sent < length) {
        ssize_t n =
            send(fd, bytes + sent, length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n == -1)
            err(EXIT_FAILURE, "send");
        sent += (size_t)n;
    }
    return sent;
}

/* Ask the sender to stop until it has hung up. Returns how often. */
static int ask_to_stop(int fd, pid_t sender)
{
    struct pollfd end = {.fd = fd}; /* POLLHUP comes unasked */
    int asked = 0, ready = 0;

    while (ready == 0 && asked < MOST_ASKED) {
        if (kill(sender, SIGTERM) == -1)
            err(EXIT_FAILURE, "kill");
        asked++;
        ready = poll(&end, 1, ASK_MS);
        if (ready == -1)
            err(EXIT_FAILURE, "poll");
    }
    return asked;
}

/* Read, slowly, to the end. With stops, ask the sender to stop half-way. */
static void read_message(int fd, bool stops, pid_t sender)
{
    static char chunk[65536];
    struct pollfd end = {.fd = fd};
    size_t got = 0;
    int asked = 0;
    ssize_t n;

    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0) {
        got += (size_t)n;
        if (stops && got >= ENOUGH && asked == 0)
            asked = ask_to_stop(fd, sender);
        if (poll(&end, 1, PAUSE_MS) == -1) /* for the hang-up */
            err(EXIT_FAILURE, "poll");
    }
    if (n == -1)
        err(EXIT_FAILURE, "recv");
    printf("reader: received bytes=%zu asked=%d\n", got, asked);
}

static pid_t start_reader(int pair[2], bool stops)
{
    pid_t sender = getpid();
    pid_t reader = fork();
    if (reader == -1)
        err(EXIT_FAILURE, "fork");
    close(pair[reader == 0 ? 0 : 1]); /* each keeps one end */
    if (reader > 0)
        return reader;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "reader") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != sender)
        _exit(EXIT_FAILURE);
    alarm(LAST_RESORT_S); /* bounds our waits */
    read_message(pair[1], stops, sender);
    _exit(EXIT_SUCCESS);
}

int main(int argc, char *argv[])
{
    bool stops = argc == 2 && strcmp(argv[1], "stop") == 0;
    bool before = argc == 2 && strcmp(argv[1], "before") == 0;
    if (argc > 2 || (argc == 2 && !stops && !before)) {
        fputs("usage: wait_not_spin [stop|before]\n"
              "  stop    the reader asks the sender to stop\n"
              "  before  the sender is asked once, before it sends anything\n",
              stderr);
        return EXIT_USAGE;
    }

    int pair[2], status;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    setlinebuf(stdout); /* empty at fork() */
    /* waitpid() goes on after the handler; poll() never does. */
    struct sigaction note = {.sa_handler = on_sigterm, .sa_flags = SA_RESTART};
    if (sigaction(SIGTERM, &note, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    alarm(LAST_RESORT_S); /* ends us where nothing else does */
    pid_t reader = start_reader(pair, stops);
    if (before)
        raise(SIGTERM);
    size_t sent = send_until_stop(pair[0], message, sizeof message);
    printf("sender: sent bytes=%zu stopped=%s\n", sent, stop ? "yes" : "no");
    close(pair[0]);
    if (waitpid(reader, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != 0)
        errx(EXIT_FAILURE, "waitpid: the reader failed");
    return EXIT_SUCCESS;
}
