/*
 * no_more_alarms - limit a wait without the timer that others need.
 *
 * take_within() belongs to a library, and the timer and SIGALRM to the
 * application that calls it: this one wants to be woken in a minute. R's
 * package filelock limited its waits by an alarm. The alarm came later, while
 * R read from the terminal, and R quit
 * (https://github.com/r-lib/filelock/issues/19). Fill the gap marked TODO,
 * then run: make check-no_more_alarms
 *
 *     $ no_more_alarms 50ms
 *     waiter: waiting limit_ms=50 set=7
 *     waiter: timed_out errno=EAGAIN waited_ms=50
 *     app: timer left_ms=59949
 *     app: alarm came=yes
 *
 * Exits with 0 when acquired or interrupted, with 3 when timed out.
 * See also: semop(2), setitimer(2), signal(7).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/time.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define APP_ALARM_S 60

/*
 * TODO: the library limits its wait by an alarm. Let it use semtimedop().
 *
 *   1. It waits as long as limit says, no less, and no alarm is needed to
 *      end that. When the time is over: -1 with EAGAIN.
 *   2. It leaves the timer alone, which is the application's.
 *   3. It leaves SIGALRM alone: the application has a handler for it.
 *   4. A signal makes the wait no longer: return -1 with EINTR, and the
 *      caller decides. (Or wait for what is left, when you have read
 *      chapter 8.)
 */
static volatile sig_atomic_t rang;

static void on_alarm(int sig)
{
    (void)sig;
    rang = 1;
}

/*
 * The library. Take the semaphore within limit, which is in seconds and
 * microseconds, as setitimer() takes it: 0, or -1 and errno.
 */
static int take_within(int set, struct timeval limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval timer = {.it_value = limit,
                              .it_interval = {.tv_usec = 200000}};
    struct itimerval off = {.it_value = {.tv_sec = 0}};
    int rc;

    rang = 0;
    if (sigaction(SIGALRM, &action, NULL) == -1 ||
        setitimer(ITIMER_REAL, &timer, NULL) == -1)
        return -1;
    do
        rc = semop(set, &take, 1);
    while (rc == -1 && errno == EINTR && !rang);
    int why = errno;
    setitimer(ITIMER_REAL, &off, NULL);
    errno = why == EINTR ? EAGAIN : why;
    return rc;
}

/* The application. */
static volatile sig_atomic_t app_alarms;

static void on_app_alarm(int sig)
{
    (void)sig;
    app_alarms++;
}

static void want_alarm(void)
{
    struct sigaction action = {.sa_handler = on_app_alarm};
    struct itimerval timer = {.it_value = {.tv_sec = APP_ALARM_S}};

    if (sigaction(SIGALRM, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
}

/* Does the timer still run? And whose handler is called when it rings? */
static void look_after_alarm(void)
{
    struct itimerval left;

    if (getitimer(ITIMER_REAL, &left) == -1)
        err(EXIT_FAILURE, "getitimer");
    printf("app: timer left_ms=%" PRId64 "\n",
           left.it_value.tv_sec * INT64_C(1000) + left.it_value.tv_usec / 1000);
    app_alarms = 0;
    if (raise(SIGALRM) != 0) /* as if the minute were over */
        err(EXIT_FAILURE, "raise");
    printf("app: alarm came=%s\n", app_alarms == 1 ? "yes" : "no");
}

static _Noreturn void usage(void)
{
    fputs("usage: no_more_alarms LIMIT [free]\n"
          "  LIMIT  give up after this long, such as 50ms\n"
          "  free   nobody has the semaphore\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "free") != 0))
        usage();
    int64_t limit = parse_duration(argv[1]);
    struct timeval timeval = {
        .tv_sec = (time_t)(limit / NS_PER_SEC),
        .tv_usec = (suseconds_t)(limit % NS_PER_SEC / NS_PER_US),
    };

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we wait */
    struct sembuf post = {.sem_num = 0, .sem_op = 1};
    if (argc == 3 && semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");

    want_alarm();
    printf("waiter: waiting limit_ms=%" PRId64 " set=%d\n", limit / NS_PER_MS,
           set);
    int64_t start = now_ns();
    int rc = take_within(set, timeval);
    int why = rc == 0 ? 0 : errno;
    if (rc == -1 && why != EAGAIN && why != EINTR)
        err(EXIT_FAILURE, "take_within");
    printf("waiter: %s waited_ms=%" PRId64 "\n",
           rc == 0         ? "acquired"
           : why == EAGAIN ? "timed_out errno=EAGAIN"
                           : "interrupted errno=EINTR",
           (now_ns() - start) / NS_PER_MS);
    look_after_alarm();
    return why == EAGAIN ? EXIT_TIMED_OUT : EXIT_SUCCESS;
}
