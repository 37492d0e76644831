/*
 * keep_flags - borrow a descriptor for nonblocking work, and give it back.
 *
 * write() takes no MSG_DONTWAIT. Who must use it, and must not wait, sets
 * O_NONBLOCK in the open file description, beside flags that others rely on.
 * Three callers lend us theirs: "log" was opened to append, "server" is
 * nonblocking already, and the queue of "full" has no room. Fill the gap
 * marked TODO, then run: make check-keep_flags
 *
 *     $ keep_flags
 *     log: result=written before=APPEND during=APPEND|NONBLOCK after=APPEND
 *     server: result=written before=NONBLOCK during=NONBLOCK after=NONBLOCK
 *     full: result=EAGAIN before=none during=NONBLOCK after=none
 *
 * A patch for scriptreplay read the flags of the terminal, and then set
 * O_NONBLOCK without them. The maintainer saw it in review:
 * https://github.com/util-linux/util-linux/pull/3015
 *
 * See also: fcntl(2), open(2), write(2).
 */
#define _GNU_SOURCE /* SOCK_NONBLOCK, with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"

static int during; /* the flags while a line was written */

static int flags_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1)
        err(EXIT_FAILURE, "fcntl");
    return flags;
}

/* As if from a library that we cannot change. Returns 0, or -1 and errno. */
static int write_line(int fd, const char *line)
{
    during = flags_of(fd);
    return write(fd, line, strlen(line)) == -1 ? -1 : 0;
}

/*
 * Write two lines, without waiting. Returns 0, or -1 and errno says why.
 *
 * TODO: this wipes out the other flags, and leaves O_NONBLOCK behind.
 *
 *   1. While the lines are written O_NONBLOCK is set, and so is every flag
 *      that was set before.
 *   2. When you return, the flags are what they were. O_NONBLOCK too: who had
 *      set it before relies on it.
 *   3. So also when a line is refused: return -1, with the errno of that line.
 */
static int write_lines(int fd)
{
    if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
        return -1;

    if (write_line(fd, "first\n") == -1)
        return -1;
    if (write_line(fd, "second\n") == -1)
        return -1;
    return 0;
}

static const char *names(int flags)
{
    switch (flags & (O_APPEND | O_NONBLOCK)) {
    case O_APPEND:
        return "APPEND";
    case O_NONBLOCK:
        return "NONBLOCK";
    case O_APPEND | O_NONBLOCK:
        return "APPEND|NONBLOCK";
    default:
        return "none";
    }
}

/* What write_lines() has answered: 0, or -1 and errno. */
static const char *outcome(int result)
{
    return result == 0    ? "written"
           : result == -1 ? errno_name(errno)
                          : "neither_0_nor_-1";
}

static void lend(const char *who, int fd)
{
    int before = flags_of(fd);
    during = 0;
    const char *result = outcome(write_lines(fd));

    printf("%s: result=%s before=%s during=%s after=%s\n", who, result,
           names(before), names(during), names(flags_of(fd)));
}

int main(int argc, char *argv[])
{
    static char much[1 << 16];
    int server[2], full[2];

    (void)argv;
    if (argc > 1) {
        fputs("usage: keep_flags\n", stderr);
        return EXIT_USAGE;
    }

    int log = open("/dev/null", O_WRONLY | O_APPEND); /* like ">>log" */
    if (log == -1)
        err(EXIT_FAILURE, "open /dev/null");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, server) == -1 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, full) == -1)
        err(EXIT_FAILURE, "socketpair");
    while (send(full[0], much, sizeof much, MSG_DONTWAIT) > 0)
        continue;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");

    setlinebuf(stdout); /* readable if a write should wait */
    lend("log", log);
    lend("server", server[0]);
    lend("full", full[0]);
    return EXIT_SUCCESS;
}
