/*
 * share_one_deadline - three steps, and one limit for all of them.
 *
 * To make a copy you take the scanner, take the printer, and wait for "done".
 * Each step takes a duration. Python's create_connection() gives each address
 * of a host the whole timeout: with two addresses it doubled, and no caller
 * can bound the call (https://github.com/python/cpython/issues/123793). Fill
 * the gap marked TODO, then run: make check-share_one_deadline
 *
 *     $ share_one_deadline 300ms
 *     copier: starting limit_ms=300 set=7
 *     copier: copied waited_ms=90 step=3
 *     copier: left scanner=0 printer=0
 *     $ share_one_deadline 100ms printer
 *     copier: starting limit_ms=100 set=8
 *     copier: timed_out waited_ms=100 step=2
 *     copier: left scanner=1 printer=0
 *
 * In the first run one comes free after the other, and then the copy is done,
 * each after 30 ms. In the second the scanner is free, the printer never is.
 * "left" tells how many of each are free at the end.
 *
 * Exits with 0 when copied, with 3 when timed out.
 * See also: semop(2), poll(2).
 */
#define _GNU_SOURCE /* semtimedop(), ppoll(), pipe2() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define EACH_TAKES (30 * NS_PER_MS)
#define DONE_LIMIT (50 * NS_PER_MS) /* for the third step, if that is less */

enum { SCANNER, PRINTER, DEVICES };

static int step; /* the last one that was begun, for the report */

/* Wait for the device for up to limit ns, and take it: 0, or -1 and errno. */
static int take_for(int set, unsigned short device, int64_t limit)
{
    struct sembuf take = {.sem_num = device, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);

    step = device == SCANNER ? 1 : 2;
    return semtimedop(set, &take, 1, &timeout);
}

/* Post the device, and leave errno as it is. */
static void give_back(int set, unsigned short device)
{
    struct sembuf post = {.sem_num = device, .sem_op = 1};
    int why = errno;

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    errno = why;
}

/* Wait for "done" for up to limit ns: 0, or -1 and errno. */
static int done_for(int fd, int64_t limit)
{
    struct pollfd done = {.fd = fd, .events = POLLIN};
    struct timespec timeout = to_timespec(limit);

    step = 3;
    int ready = ppoll(&done, 1, &timeout, NULL);
    if (ready == 0)
        errno = EAGAIN;
    return ready == 1 ? 0 : -1;
}

/*
 * Make a copy within limit ns: 0, and both devices are ours; or -1 and errno,
 * EAGAIN when the time is over, and none is.
 *
 * TODO: this gives each step a limit of its own.
 *
 *   1. The steps share limit, which begins when this function is called. Each
 *      is given all that is left of it when the step begins, and no more.
 *   2. The third is given DONE_LIMIT if that is less than what is left.
 *   3. When nothing is left the step is made all the same, with 0: it asks and
 *      does not wait. A duration below 0 is EINVAL.
 *   4. If a step fails, give back what those before it have taken, and only
 *      that. Return -1, with errno as the step left it.
 */
static int copy_within(int set, int fd, int64_t limit)
{
    if (take_for(set, SCANNER, limit) == -1)
        return -1;
    if (take_for(set, PRINTER, limit) == -1)
        return -1;
    return done_for(fd, DONE_LIMIT);
}

/* Free the device; for DEVICES, say "done". */
static void let_come(int set, int fd, int what)
{
    if (what < DEVICES)
        give_back(set, (unsigned short)what);
    else if (write(fd, "d", 1) != 1)
        err(EXIT_FAILURE, "write");
}

/* The office lets one come after the other. */
static void start_office(int set, int fd)
{
    pid_t child = fork_helper("office");
    if (child > 0)
        return;

    struct timespec pause = to_timespec(EACH_TAKES);
    for (int what = SCANNER; what <= DEVICES; what++) {
        if (nanosleep(&pause, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
        let_come(set, fd, what);
    }
    _exit(EXIT_SUCCESS);
}

static int copy_and_tell(int set, int fd, int64_t limit)
{
    int64_t start = now_ns();
    int rc = copy_within(set, fd, limit);
    int why = rc == 0 ? 0 : errno;

    printf("copier: %s waited_ms=%" PRId64 " step=%d\n",
           rc == 0         ? "copied"
           : why == EAGAIN ? "timed_out"
                           : "failed",
           (now_ns() - start) / NS_PER_MS, step);
    printf("copier: left scanner=%d printer=%d\n", semctl(set, SCANNER, GETVAL),
           semctl(set, PRINTER, GETVAL));
    errno = why;
    if (rc == -1 && why != EAGAIN)
        err(EXIT_FAILURE, "copy_within");
    return rc == 0 ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}

int main(int argc, char *argv[])
{
    static const char *const names[] = {"scanner", "printer", "done", "none"};
    int missing = 0;
    while (argc == 3 && missing < 4 && strcmp(argv[2], names[missing]) != 0)
        missing++;
    if (argc < 2 || argc > 3 || missing == 4) {
        fputs("usage: share_one_deadline LIMIT [scanner|printer|done|none]\n"
              "  LIMIT  give up after this long, such as 300ms\n"
              "  WHAT   this never comes; what comes before it is there\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = parse_duration(argv[1]);

    int set = semget(IPC_PRIVATE, DEVICES, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    int ends[2]; /* "done" is written to ends[1] */
    if (pipe2(ends, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    printf("copier: starting limit_ms=%" PRId64 " set=%d\n", limit / NS_PER_MS,
           set);
    if (argc == 2)
        start_office(set, ends[1]);
    for (int what = SCANNER; argc == 3 && what < missing && what <= DEVICES;
         what++)
        let_come(set, ends[1], what);
    return copy_and_tell(set, ends[0], limit);
}
