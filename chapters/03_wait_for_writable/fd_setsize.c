/*
 * fd_setsize - FD_SET() writes past its set where the descriptor is large.
 *
 * A set for select() is an array with a bit for each descriptor from 0 to
 * FD_SETSIZE - 1, on Linux 1023, but a program may have many more open.
 * FD_SET() does not ask: the bit of 1024 is the first one behind the set, in
 * whatever stands there. And select() reads and writes that one, too. A C
 * library that checks (glibc, if compiled with -O1 -D_FORTIFY_SOURCE=2) ends
 * the program instead. poll() takes numbers: it has no such end.
 *
 * To see it and live, a child does it, and its set stands at the beginning
 * of a larger block of zeros. The byte that is not 0 afterwards has been hit.
 *
 *     $ cc fd_setsize.c -o fd_setsize
 *     $ ./fd_setsize
 *     set: bytes=128 room=1024
 *     child: poll descriptor=1023 ready=1
 *     child: FD_SET descriptor=1023 byte=127 past_the_set=no select=1
 *     child: poll descriptor=1024 ready=1
 *     child: FD_SET descriptor=1024 byte=128 past_the_set=yes select=1
 *     child: poll descriptor=1500 ready=1
 *     child: FD_SET descriptor=1500 byte=187 past_the_set=yes select=1
 *
 *     $ cc -O1 -D_FORTIFY_SOURCE=2 fd_setsize.c -o fd_setsize
 *     $ ./fd_setsize 1024
 *     set: bytes=128 room=1024
 *     child: poll descriptor=1024 ready=1
 *     *** bit out of range 0 - FD_SETSIZE on fd_set ***: terminated
 *     child: killed descriptor=1024 signal=6
 *
 * See also: select(2), poll(2), getrlimit(2), feature_test_macros(7).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define LOWEST 100 /* below stand the descriptors that are in use */
#define HIGHEST 1500
#define BLOCK 256 /* bytes: there is a bit for HIGHEST */

/* Wrong, on purpose: nobody asks whether fd is below FD_SETSIZE. */
static void use_select(int fd)
{
    unsigned char *block = calloc(1, BLOCK);
    if (!block)
        err(EXIT_FAILURE, "calloc");
    fd_set *writable = (void *)block;
    FD_SET((unsigned)fd, writable); /* musl's macro warns of an int */

    size_t hit = 0;
    while (hit < BLOCK && block[hit] == 0)
        hit++;
    if (hit == BLOCK)
        errx(EXIT_FAILURE, "FD_SET: no byte has changed");
    struct timeval at_once = {0};
    int ready = select(fd + 1, NULL, writable, NULL, &at_once);
    if (ready == -1)
        err(EXIT_FAILURE, "select");
    printf("child: FD_SET descriptor=%d byte=%zu past_the_set=%s select=%d\n",
           fd, hit, hit < sizeof *writable ? "no" : "yes", ready);
    free(block);
}

static void use_poll(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int ready = poll(&room, 1, 0);
    if (ready == -1)
        err(EXIT_FAILURE, "poll");
    printf("child: poll descriptor=%d ready=%d\n", fd, ready);
}

/* The child's part: the same socket by a number that we choose. */
static _Noreturn void use_as(int fd, int number)
{
    struct rlimit no_core = {0};
    if (setrlimit(RLIMIT_CORE, &no_core) == -1)
        err(EXIT_FAILURE, "setrlimit");
    if (dup2(fd, number) == -1)
        err(EXIT_FAILURE, "dup2");
    use_poll(number);
    use_select(number);
    _exit(EXIT_SUCCESS);
}

static void try_number(int fd, int number)
{
    int status;
    pid_t child = fork_helper("child");
    if (child == 0)
        use_as(fd, number);
    if (waitpid(child, &status, 0) == -1) /* none of its calls waits */
        err(EXIT_FAILURE, "waitpid");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
        printf("child: killed descriptor=%d signal=%d\n", number, SIGABRT);
    else if (status != 0)
        errx(EXIT_FAILURE, "waitpid: the child failed");
}

/* Usually 1024 descriptors are allowed, and more are to be had. */
static void allow_descriptors(int highest)
{
    struct rlimit most;

    if (getrlimit(RLIMIT_NOFILE, &most) == -1)
        err(EXIT_FAILURE, "getrlimit");
    if (most.rlim_max <= (rlim_t)highest)
        errx(EXIT_SKIP, "here descriptors end at %ju",
             (uintmax_t)most.rlim_max);
    if (most.rlim_cur <= (rlim_t)highest)
        most.rlim_cur = (rlim_t)highest + 1;
    if (setrlimit(RLIMIT_NOFILE, &most) == -1)
        err(EXIT_FAILURE, "setrlimit");
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fprintf(stderr,
                "usage: fd_setsize [NUMBER]\n"
                "  NUMBER  a descriptor, %d to %d, instead of three\n",
                LOWEST, HIGHEST);
        return EXIT_USAGE;
    }
    int pair[2];
    long long number = HIGHEST;
    char more;
    if (argc > 1 && (sscanf(argv[1], "%lld%c", &number, &more) != 1 ||
                     number < LOWEST || number > HIGHEST))
        errx(EXIT_USAGE, "bad NUMBER '%s': write %d to %d", argv[1], LOWEST,
             HIGHEST);

    allow_descriptors(HIGHEST);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    setlinebuf(stdout); /* empty at fork() */
    setlinebuf(stderr); /* err() writes in pieces, and we are two */
    printf("set: bytes=%zu room=%d\n", sizeof(fd_set), FD_SETSIZE);
    if (argc == 1) {
        try_number(pair[0], FD_SETSIZE - 1);
        try_number(pair[0], FD_SETSIZE);
    }
    try_number(pair[0], (int)number);
    return EXIT_SUCCESS;
}
