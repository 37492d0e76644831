/*
 * try_for - say how a wait with a limit has ended: in one of four ways.
 *
 * semtimedop() returns 0 or -1, and -1 has three meanings: the time is over,
 * a signal interrupted the wait, or something is wrong. A caller does
 * something else for each. Apache NimBLE once took an interrupted timed wait
 * for a failed one, and tried to restart the Bluetooth stack
 * (https://github.com/apache/mynewt-nimble/pull/1855). Fill the gap marked
 * TODO, then run: make check-try_for
 *
 *     $ try_for 50ms
 *     waiter: waiting limit_ms=50 set=7
 *     waiter: back waited_ms=50 count=0
 *     waiter: timed_out
 *     $ try_for 10s remove
 *     waiter: waiting limit_ms=10000 set=8
 *     waiter: back waited_ms=1 count=-1
 *     try_for: semtimedop: Identifier removed
 *
 * For a signal: try_for 10s, press Ctrl-Z, and enter fg.
 *
 * Exits with 0 when acquired or interrupted, 1 when failed, 3 when timed out.
 * See also: semop(2), errno(3).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
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

enum ending { ACQUIRED, TIMED_OUT, INTERRUPTED, FAILED };

/* Log that the wait is over. Makes calls of its own: errno may change. */
static void log_wait(int set, int64_t start)
{
    int64_t waited = now_ns() - start;
    int count = semctl(set, 0, GETVAL); /* -1: the set is gone */

    printf("waiter: back waited_ms=%" PRId64 " count=%d\n", waited / NS_PER_MS,
           count);
}

/*
 * TODO: this takes everything that is no success for a timeout.
 *
 *   1. A signal has interrupted the wait: INTERRUPTED, for the caller to
 *      decide. TIMED_OUT is left for a wait whose time is over.
 *   2. Whatever else went wrong is FAILED, such as a set that was removed.
 *   3. After FAILED the caller reports errno: return with what semtimedop()
 *      left there.
 *   4. log_wait() is called once for each wait, however it ended.
 */
static enum ending try_for(int set, int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);
    int64_t start = now_ns();

    int rc = semtimedop(set, &take, 1, &timeout);
    log_wait(set, start);
    return rc == 0 ? ACQUIRED : TIMED_OUT;
}

/* A helper removes the set, as soon as somebody waits for it. */
static void remove_while_waiting(int set)
{
    pid_t child = fork_helper("helper");
    if (child > 0)
        return;

    struct timespec pause = to_timespec(NS_PER_MS);
    while (semctl(set, 0, GETNCNT) == 0) /* how many wait for it */
        nanosleep(&pause, NULL);
    if (semctl(set, 0, IPC_RMID) == -1)
        err(EXIT_FAILURE, "semctl");
    _exit(EXIT_SUCCESS);
}

static _Noreturn void usage(void)
{
    fputs("usage: try_for LIMIT [free|remove]\n"
          "  LIMIT   give up after this long, such as 50ms\n"
          "  free    nobody has the semaphore\n"
          "  remove  somebody removes the set while we wait\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    const char *what = argc > 2 ? argv[2] : "";
    bool is_free = strcmp(what, "free") == 0;
    bool removed = strcmp(what, "remove") == 0;
    if (argc < 2 || argc > 3 || (argc > 2 && !is_free && !removed))
        usage();
    int64_t limit = parse_duration(argv[1]);

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    struct sembuf post = {.sem_num = 0, .sem_op = 1};
    if (is_free && semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    if (removed)
        remove_while_waiting(set);

    printf("waiter: waiting limit_ms=%" PRId64 " set=%d\n", limit / NS_PER_MS,
           set);
    errno = ENOENT; /* a success will leave it as it is: see errno(3) */
    enum ending ending = try_for(set, limit);
    const char *word = ending == ACQUIRED      ? "acquired"
                       : ending == TIMED_OUT   ? "timed_out"
                       : ending == INTERRUPTED ? "interrupted"
                                               : NULL;
    if (!word)
        err(EXIT_FAILURE, "semtimedop");
    printf("waiter: %s\n", word);
    return ending == TIMED_OUT ? EXIT_TIMED_OUT : EXIT_SUCCESS;
}
