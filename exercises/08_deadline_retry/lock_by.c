/*
 * lock_by - take a lock file, but give up after LIMIT.
 *
 * flock() knows two patiences: for ever, and with LOCK_NB not at all. Here
 * is the one between them: ask, nap, ask again, until a deadline. Flow, a PHP
 * framework, asked 10000 times instead, which takes as long as it takes
 * (https://github.com/neos/flow-development-collection/pull/174). Fill the
 * gap marked TODO, then run: make check-lock_by
 *
 *     $ lock_by my.lock 100ms
 *     waiter: waiting limit_ms=100
 *     waiter: acquired waited_ms=0
 *     $ flock my.lock ./lock_by my.lock 100ms
 *     waiter: waiting limit_ms=100
 *     waiter: timed_out waited_ms=100
 *
 * The flock of the second line is a command that holds the lock meanwhile.
 *
 * Exits with 0 when acquired, with 3 when timed out.
 * See also: flock(2), nanosleep(2), flock(1).
 */
#define _GNU_SOURCE /* nanosleep() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define NAP (20 * NS_PER_MS)

/*
 * Take the lock: true, or false when the deadline has passed (on
 * CLOCK_MONOTONIC, as now_ns() counts).
 *
 * TODO: this counts naps, and takes every failure for "taken".
 *
 *   1. Ask at once, even if the deadline has passed; then again after each NAP,
 *      until the lock is yours: true.
 *   2. While it is taken: false, when the deadline has passed. Never before,
 *      and no nap reaches past it: the last one may be shorter.
 *   3. Ask once more after the last nap.
 *   4. Only EWOULDBLOCK means "taken". For any other errno:
 *      err(EXIT_FAILURE, "flock").
 */
static bool lock_by(int fd, int64_t deadline)
{
    struct timespec nap = to_timespec(NAP);
    int64_t naps = (deadline - now_ns()) / NAP;

    for (int64_t i = 0; i < naps; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

static _Noreturn void usage(void)
{
    fputs("usage: lock_by FILE LIMIT\n"
          "  LIMIT  give up after this long, such as 100ms\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc != 3)
        usage();
    const char *file = argv[1];
    int64_t limit = parse_duration(argv[2]);

    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        err(EXIT_FAILURE, "open %s", file);

    setlinebuf(stdout); /* readable while we wait */
    printf("waiter: waiting limit_ms=%" PRId64 "\n", limit / NS_PER_MS);

    int64_t start = now_ns();
    bool acquired = lock_by(fd, start + limit);
    printf("waiter: %s waited_ms=%" PRId64 "\n",
           acquired ? "acquired" : "timed_out", (now_ns() - start) / NS_PER_MS);
    return acquired ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}
