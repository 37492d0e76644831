/*
 * to_timespec_ms - turn milliseconds into the timespec that a wait takes.
 *
 * Limits are often kept in milliseconds, in an int. semtimedop() wants
 * seconds and nanoseconds, and it answers EINVAL to what is no time, even
 * when the semaphore is free: a limit that is never reached can end a
 * program.
 *
 *     $ to_timespec_ms free 30 1500 -1
 *     waiter: asking ms=30 timeout={0,30000000}
 *     waiter: acquired waited_ms=0
 *     waiter: asking ms=1500 timeout={1,500000000}
 *     waiter: acquired waited_ms=0
 *     waiter: asking ms=-1 timeout={0,0}
 *     waiter: acquired waited_ms=0
 *     $ to_timespec_ms taken 30
 *     waiter: asking ms=30 timeout={0,30000000}
 *     waiter: timed_out waited_ms=30
 *
 * Exits with 3 when the last wait timed out.
 * See also: semop(2), timespec(3).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <time.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

static struct timespec to_timespec_ms(int ms)
{
    if (ms < 0)
        ms = 0; /* the time is over: do not wait */
    return (struct timespec){
        .tv_sec = ms / 1000,
        .tv_nsec = ms % 1000 * 1000000L,
    };
}

/* Wait for the semaphore, ms at most. Who gets it gives it back. */
static int ask(int set, int ms)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct sembuf post = {.sem_num = 0, .sem_op = 1};
    struct timespec timeout = to_timespec_ms(ms);

    printf("waiter: asking ms=%d timeout={%lld,%ld}\n", ms,
           (long long)timeout.tv_sec, timeout.tv_nsec);
    int64_t start = now_ns();
    int rc = semtimedop(set, &take, 1, &timeout);
    if (rc == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");

    printf("waiter: %s waited_ms=%" PRId64 "\n",
           rc == 0 ? "acquired" : "timed_out", (now_ns() - start) / NS_PER_MS);
    if (rc == 0 && semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    return rc == 0 ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}

static int parse_ms(const char *text)
{
    char *rest;
    errno = 0;
    long ms = strtol(text, &rest, 10);

    if (errno != 0 || rest == text || *rest != '\0' || ms < INT_MIN ||
        ms > INT_MAX)
        errx(EXIT_USAGE, "bad milliseconds '%s': write a number", text);
    return (int)ms;
}

static _Noreturn void usage(void)
{
    fputs("usage: to_timespec_ms free|taken MS...\n"
          "  free   nobody has the semaphore\n"
          "  taken  nobody posts it\n"
          "  MS     wait so many milliseconds at most\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc < 3 ||
        (strcmp(argv[1], "free") != 0 && strcmp(argv[1], "taken") != 0))
        usage();

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait */
    struct sembuf post = {.sem_num = 0, .sem_op = 1};
    if (strcmp(argv[1], "free") == 0 && semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");

    int answer = EXIT_SUCCESS;
    for (int i = 2; i < argc; i++)
        answer = ask(set, parse_ms(argv[i]));
    return answer;
}
