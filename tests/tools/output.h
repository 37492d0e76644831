/*
 * What a program prints, on its way to our stdout and stderr; and after it our
 * own words. Copiers pass it on, a child for each of the two: they may have to
 * wait for a reader, while we have to watch the time.
 */
#ifndef TESTS_TOOLS_OUTPUT_H
#define TESTS_TOOLS_OUTPUT_H

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "family.h"

/* What a copier's exit code says: these, added up. */
enum { OUTPUT_WAS_CUT = 1, LINE_IS_OPEN = 2 };

static pid_t copiers[2]; /* to stderr, and to stdout if that is elsewhere */

static inline bool is_copier(pid_t pid)
{
    return pid == copiers[0] || pid == copiers[1];
}

/*
 * Pass on what comes until it ends, or is more than "left". If our reader has
 * gone, we end as well, and the program meets SIGPIPE or EPIPE itself.
 */
static inline _Noreturn void copy(int from, int to, long left)
{
    struct pollfd room = {.fd = to, .events = POLLOUT};
    char data[PIPE_BUF], last = '\n';
    int code = 0;

    while (left > 0) {
        size_t most = left < PIPE_BUF ? (size_t)left : PIPE_BUF;
        ssize_t got = read(from, data, most);
        if (got <= 0 || poll(&room, 1, -1) != 1 || /* for O_NONBLOCK */
            write(to, data, (size_t)got) != got)
            break;
        left -= got;
        last = data[got - 1];
    }
    if (left == 0 && read(from, data, 1) == 1)
        code |= OUTPUT_WAS_CUT;
    if (to == STDERR_FILENO && last != '\n')
        code |= LINE_IS_OPEN;
    _exit(code);
}

/*
 * Start a copier, and return the pipe to it. It must not hold what ends only
 * when no one does: the way into its own pipe, and what is the other one's.
 */
static inline int start_copier(pid_t *copier, int to, long most, int not_its)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    *copier = fork_child();
    if (*copier == 0) {
        prctl(PR_SET_NAME, "guardian"); /* it ends by itself, as they do */
        close(ends[1]);
        close(not_its);
        copy(ends[0], to, most);
    }
    close(ends[0]);
    return ends[1];
}

/* Start them, and tell where the program shall write. */
static inline void start_copiers(long most, int *out, int *errors)
{
    struct stat one, other;

    if (fstat(STDOUT_FILENO, &one) == -1 || fstat(STDERR_FILENO, &other) == -1)
        err(EXIT_FAILURE, "stdout or stderr");
    *errors = start_copier(&copiers[0], STDERR_FILENO, most, STDOUT_FILENO);
    if (one.st_dev == other.st_dev && one.st_ino == other.st_ino)
        *out = *errors; /* two pipes to one place would lose the order */
    else
        *out = start_copier(&copiers[1], STDOUT_FILENO, most, *errors);
}

/* From now on, what warnx() says is kept. */
static inline void keep_words(void)
{
    static char words[4096];

    setvbuf(stderr, words, _IOFBF, sizeof words);
}

/* Say it on a line of its own, but do not wait for long for a reader. */
static inline void say_words(bool line_is_open, int patience_ms)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&room, 1, patience_ms) != 1)
        return;
    if (line_is_open)
        dprintf(STDERR_FILENO, "\n");
    fflush(stderr);
}

#endif
