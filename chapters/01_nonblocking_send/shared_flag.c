/*
 * shared_flag - O_NONBLOCK is set for all who share the opening.
 *
 * fcntl(F_SETFL) writes flags into the open file description, the kernel's
 * record of one opening. dup() and fork() make more descriptors for the same
 * record: set O_NONBLOCK by one of them and all have it, and keep it when the
 * one that has set it is gone. Only the peer, the other end, has a record of
 * its own.
 *
 * And F_SETFL does not add a flag. It writes all that it can change, and what
 * it is not given is off. Two writers each open one log with O_APPEND, so that
 * whatever they write goes to its end. "AAAA" is in it when the second one sets
 * O_NONBLOCK, carefully or carelessly, and then writes "bb".
 *
 *     $ cc shared_flag.c -o shared_flag
 *     $ ./shared_flag
 *     socket: opened original=no copy=no peer=no
 *     copy: set_flag original=yes copy=yes peer=no
 *     original: cleared_flag original=no copy=no peer=no
 *     child: set_flag_and_exited original=yes copy=yes peer=no
 *     careful: set_flag o_append=yes log=AAAAbb
 *     careless: set_flag o_append=no log=bbAA
 *
 * See also: fcntl(2), open(2), dup(2), fork(2), memfd_create(2).
 */
#define _GNU_SOURCE /* memfd_create() */

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/helper.h"

enum { ORIGINAL, COPY, PEER, SOCKETS };

static int get_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1)
        err(EXIT_FAILURE, "fcntl");
    return flags;
}

static void set_flags(int fd, int flags)
{
    if (fcntl(fd, F_SETFL, flags) == -1)
        err(EXIT_FAILURE, "fcntl");
}

static const char *has(int fd, int flag)
{
    return get_flags(fd) & flag ? "yes" : "no";
}

static void tell(const char *event, const int fds[SOCKETS])
{
    printf("%s original=%s copy=%s peer=%s\n", event,
           has(fds[ORIGINAL], O_NONBLOCK), has(fds[COPY], O_NONBLOCK),
           has(fds[PEER], O_NONBLOCK));
}

/* The child has descriptors of its own, and they end with it. */
static void set_in_a_child(int fd)
{
    pid_t child = fork_helper("child");
    if (child == 0) {
        set_flags(fd, get_flags(fd) | O_NONBLOCK);
        _exit(EXIT_SUCCESS);
    }

    see_end(child, 0);
}

static void share_a_socket(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    int copy = dup(pair[0]);
    if (copy == -1)
        err(EXIT_FAILURE, "dup");
    const int fds[] = {[ORIGINAL] = pair[0], [COPY] = copy, [PEER] = pair[1]};

    tell("socket: opened", fds);
    set_flags(copy, get_flags(copy) | O_NONBLOCK);
    tell("copy: set_flag", fds);
    set_flags(pair[0], get_flags(pair[0]) & ~O_NONBLOCK);
    tell("original: cleared_flag", fds);
    set_in_a_child(pair[0]);
    tell("child: set_flag_and_exited", fds);
}

/* Open what is open already: another descriptor, and another record. */
static int open_log(int file)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int log = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log == -1)
        err(EXIT_FAILURE, "open %s", path);
    return log;
}

static void write_text(int log, const char *text, size_t length)
{
    if (write(log, text, length) == -1)
        err(EXIT_FAILURE, "write");
}

/* Wrong, on purpose, where the flags that there are are not kept. */
static void share_a_log(const char *who, bool keep)
{
    char text[16] = "";
    int file = memfd_create("log", MFD_CLOEXEC); /* a file only in memory */
    if (file == -1)
        err(EXIT_FAILURE, "memfd_create");
    int first = open_log(file), second = open_log(file);

    write_text(first, "AAAA", 4);
    set_flags(second, keep ? get_flags(second) | O_NONBLOCK : O_NONBLOCK);
    write_text(second, "bb", 2);
    if (read(file, text, sizeof text - 1) == -1)
        err(EXIT_FAILURE, "read");
    printf("%s: set_flag o_append=%s log=%s\n", who, has(second, O_APPEND),
           text);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: shared_flag\n", stderr);
        return EXIT_USAGE;
    }

    setlinebuf(stdout); /* empty at fork() */
    share_a_socket();
    share_a_log("careful", true);
    share_a_log("careless", false);
    return EXIT_SUCCESS;
}
