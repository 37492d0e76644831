/*
 * alarm_semop - the old way to limit a wait, and how it fails.
 *
 * Without semtimedop() there are a timer and semop(): when the time is over
 * the timer's signal, SIGALRM, interrupts the wait. Three things go wrong.
 *
 * The errno is EINTR, for our alarm as for any other signal. The timer is
 * the only one of its kind in the process: our limit takes it away from
 * whoever had set it, here an application that wants an alarm in a minute.
 * And an alarm that comes before the wait has begun is lost: the handler
 * returns, and then semop() waits without a limit. Here we are late on
 * purpose, where a busy machine is late by chance, and a second alarm,
 * 200 ms after the first, saves us.
 *
 *     $ cc alarm_semop.c -o alarm_semop
 *     $ ./alarm_semop
 *     waiter: starting limit_ms=50 set=7
 *     waiter: gave_up call=semop errno=EINTR waited_ms=50 alarms=1
 *     app: alarm wanted_ms=60000 left_ms=0
 *     waiter: gave_up call=semtimedop errno=EAGAIN waited_ms=50 alarms=0
 *     app: alarm wanted_ms=60000 left_ms=59949
 *     waiter: late alarms=1
 *     waiter: gave_up call=semop errno=EINTR waited_ms=250 alarms=2
 *     app: alarm wanted_ms=60000 left_ms=0
 *
 * See also: semop(2), setitimer(2), signal(7).
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
#include <sys/time.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define LIMIT (50 * NS_PER_MS)
#define AGAIN (200 * NS_PER_MS) /* a lost alarm costs this, not for ever */
#define APP_ALARM (60 * NS_PER_SEC)

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

static struct timeval to_timeval(int64_t ns)
{
    return (struct timeval){
        .tv_sec = (time_t)(ns / NS_PER_SEC),
        .tv_usec = (suseconds_t)(ns % NS_PER_SEC / NS_PER_US),
    };
}

/* Alarm after first, then every again. 0 is never, see setitimer(2). */
static void set_timer(int64_t first, int64_t again)
{
    struct itimerval timer = {.it_value = to_timeval(first),
                              .it_interval = to_timeval(again)};

    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
}

/* Do not begin to wait before the alarm has come. */
static void be_late(int64_t limit)
{
    struct timespec pause = to_timespec(limit);

    while (alarms == 0)
        if (nanosleep(&pause, NULL) == -1 && errno != EINTR)
            err(EXIT_FAILURE, "nanosleep");
    printf("waiter: late alarms=%d\n", (int)alarms);
}

/* Wrong, on purpose: the alarm comes whether or not we wait yet. */
static int take_by_alarm(int set, int64_t limit, bool late)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};

    set_timer(limit, AGAIN);
    if (late)
        be_late(limit);
    int rc = semop(set, &take, 1);
    int why = errno;
    set_timer(0, 0);
    errno = why;
    return rc;
}

/* Right: the time belongs to this one call. */
static int take_by_timeout(int set, int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);

    return semtimedop(set, &take, 1, &timeout);
}

/* Want an alarm, wait for the semaphore, see what became of the alarm. */
static void play(const char *call, int set, int64_t limit, bool late)
{
    alarms = 0;
    set_timer(APP_ALARM, 0);

    int64_t start = now_ns();
    int rc = strcmp(call, "semop") == 0 ? take_by_alarm(set, limit, late)
                                        : take_by_timeout(set, limit);
    int why = errno;
    if (rc == 0)
        errx(EXIT_FAILURE, "%s: somebody has posted", call);
    if (why != EINTR && why != EAGAIN)
        err(EXIT_FAILURE, "%s", call);
    printf("waiter: gave_up call=%s errno=%s waited_ms=%" PRId64 " alarms=%d\n",
           call, errno_name(why), (now_ns() - start) / NS_PER_MS, (int)alarms);

    struct itimerval left;
    if (getitimer(ITIMER_REAL, &left) == -1)
        err(EXIT_FAILURE, "getitimer");
    printf("app: alarm wanted_ms=%" PRId64 " left_ms=%" PRId64 "\n",
           APP_ALARM / NS_PER_MS,
           left.it_value.tv_sec * INT64_C(1000) + left.it_value.tv_usec / 1000);
}

static _Noreturn void usage(void)
{
    fputs("usage: alarm_semop [LIMIT]\n"
          "  LIMIT  give up after this long, default 50ms\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;
    if (limit == 0)
        errx(EXIT_USAGE, "setitimer reads 0 as 'never'");

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    struct sigaction action = {.sa_handler = on_alarm};
    if (sigaction(SIGALRM, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");

    setlinebuf(stdout); /* readable while we wait */
    printf("waiter: starting limit_ms=%" PRId64 " set=%d\n", limit / NS_PER_MS,
           set);
    play("semop", set, limit, false);
    play("semtimedop", set, limit, false);
    play("semop", set, limit, true);
    return EXIT_SUCCESS;
}
