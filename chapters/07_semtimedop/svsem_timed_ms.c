/*
 * svsem_timed_ms - a wait in milliseconds, and one of three answers.
 *
 * Programs wrap semtimedop() into such a function: the limit is an int, as in
 * poll(), and the answer says what to do next. Acquired: go on. Timed out: do
 * without. Failed: errno says why. It may be EINTR, too, for only the caller
 * knows how to go on after a signal.
 *
 * A limit below 0 must not reach the call, which would refuse it. Here the
 * time is over then, so it is a try, by IPC_NOWAIT. (To poll() it means "for
 * ever". Choose one, and write it down.)
 *
 *     $ cc svsem_timed_ms.c -o svsem_timed_ms
 *     $ ./svsem_timed_ms
 *     waiter: free set=7
 *     waiter: asked ms=2500 answer=acquired waited_ms=0
 *     waiter: asked ms=40 answer=timed_out waited_ms=40
 *     waiter: asked ms=-1 answer=timed_out waited_ms=0
 *     waiter: removed set=7
 *     waiter: asked ms=2500 answer=failed errno=EINVAL waited_ms=0
 *
 * See also: semop(2), poll(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <time.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

enum answer { ACQUIRED, TIMED_OUT, FAILED };
static const char *const word_for[] = {"acquired", "timed_out", "failed"};

/*
 * Take the semaphore within ms milliseconds; below 1 only try. After FAILED
 * errno says why, see semop(2): EINTR, EIDRM, EINVAL, ...
 */
static enum answer take_within_ms(int set, int ms)
{
    struct sembuf take = {.sem_op = -1, .sem_flg = ms > 0 ? 0 : IPC_NOWAIT};
    struct timespec timeout = to_timespec(ms > 0 ? ms * NS_PER_MS : 0);

    if (semtimedop(set, &take, 1, &timeout) == 0)
        return ACQUIRED;
    return errno == EAGAIN ? TIMED_OUT : FAILED;
}

static enum answer ask(int set, int ms)
{
    int64_t start = now_ns();
    enum answer answer = take_within_ms(set, ms);
    int why = errno;
    if (answer == FAILED && why != EINTR && why != EINVAL)
        err(EXIT_FAILURE, "semtimedop");

    printf("waiter: asked ms=%d answer=%s", ms, word_for[answer]);
    if (answer == FAILED)
        printf(" errno=%s", errno_name(why));
    printf(" waited_ms=%" PRId64 "\n", (now_ns() - start) / NS_PER_MS);
    return answer;
}

static int parse_ms(const char *text)
{
    char *rest;
    errno = 0;
    long ms = strtol(text, &rest, 10);

    if (errno != 0 || rest == text || *rest != '\0' || ms < INT_MIN ||
        ms > INT_MAX)
        errx(EXIT_USAGE, "bad milliseconds '%s': write a number, up to %d",
             text, INT_MAX);
    return (int)ms;
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: svsem_timed_ms [MS]\n"
              "  MS  wait so long for what is taken, default 40\n",
              stderr);
        return EXIT_USAGE;
    }
    int ms = argc > 1 ? parse_ms(argv[1]) : 40;

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait */
    struct sembuf post = {.sem_op = 1};
    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    printf("waiter: free set=%d\n", set);
    ask(set, 2500);
    ask(set, ms);
    ask(set, -1);
    if (semctl(set, 0, IPC_RMID) == -1)
        err(EXIT_FAILURE, "semctl");
    printf("waiter: removed set=%d\n", set);
    ask(set, 2500);
    return EXIT_SUCCESS;
}
