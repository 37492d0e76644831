/*
 * timeout_values - what semtimedop() makes of each kind of timeout.
 *
 * A timeout is a struct timespec: {seconds, nanoseconds}. One that is no
 * valid time is refused with EINVAL, even where the semaphore is free and
 * nobody would have to wait. On a taken semaphore the valid ones wait for
 * as long as they say. NULL is no timeout at all: the wait has no limit, and
 * would still go on if an alarm signal did not end it.
 *
 * slept counts how often the kernel laid us to sleep. {0,0} looks like
 * IPC_NOWAIT, "do not wait", and has the same errno. But IPC_NOWAIT is
 * answered on the spot, and for {0,0} this kernel sleeps.
 *
 *     $ cc timeout_values.c -o timeout_values
 *     $ ./timeout_values
 *     waiter: free count=1 set=7
 *     waiter: asked given={0,1000000000} errno=EINVAL slept=0 waited_us=0
 *     waiter: asked given={0,-1} errno=EINVAL slept=0 waited_us=0
 *     waiter: asked given={-1,0} errno=EINVAL slept=0 waited_us=0
 *     waiter: taken count=0 set=7
 *     waiter: asked given=IPC_NOWAIT errno=EAGAIN slept=0 waited_us=1
 *     waiter: asked given={0,0} errno=EAGAIN slept=1 waited_us=68
 *     waiter: asked given={0,1} errno=EAGAIN slept=1 waited_us=66
 *     waiter: asked given={0,50000000} errno=EAGAIN slept=1 waited_us=50071
 *     waiter: asked given=NULL errno=EINTR slept=1 waited_us=99961
 *
 * See also: semop(2), getrusage(2), setitimer(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/time.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define LIMIT (50 * NS_PER_MS)
#define ALARM_US 100000 /* with NULL only the alarm ends the wait */

static void on_alarm(int sig)
{
    (void)sig; /* that a handler ran is enough to end a wait */
}

/* How often this process gave up its processor in order to wait. */
static long sleeps(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == -1)
        err(EXIT_FAILURE, "getrusage");
    return usage.ru_nvcsw;
}

/* Ask for the semaphore, which must not be granted, and report. */
static void ask(const char *given, int set, short flag,
                const struct timespec *timeout)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1, .sem_flg = flag};
    long slept = sleeps();
    int64_t start = now_ns();
    int rc = semtimedop(set, &take, 1, timeout);
    int why = errno;
    int64_t waited = now_ns() - start;
    slept = sleeps() - slept;

    if (rc == 0)
        errx(EXIT_FAILURE, "semtimedop: not refused: %s", given);
    errno = why;
    if (why != EAGAIN && why != EINTR && why != EINVAL)
        err(EXIT_FAILURE, "semtimedop");
    printf("waiter: asked given=%s errno=%s slept=%ld waited_us=%" PRId64 "\n",
           given, errno_name(why), slept, waited / NS_PER_US);
}

static void ask_for(int set, struct timespec timeout)
{
    char given[64];

    snprintf(given, sizeof given, "{%lld,%ld}", (long long)timeout.tv_sec,
             timeout.tv_nsec);
    ask(given, set, 0, &timeout);
}

/* NULL sets no limit. The alarm repeats: the first could come too early. */
static void ask_without_limit(int set)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct timeval often = {.tv_sec = 0, .tv_usec = ALARM_US};
    struct itimerval timer = {.it_value = often, .it_interval = often};

    if (sigaction(SIGALRM, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
    ask("NULL", set, 0, NULL);
}

/* Change the count, without waiting, and say what it is now. */
static void change(const char *event, int set, short by)
{
    struct sembuf op = {.sem_num = 0, .sem_op = by, .sem_flg = IPC_NOWAIT};

    if (semop(set, &op, 1) == -1)
        err(EXIT_FAILURE, "semop");
    int count = semctl(set, 0, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    printf("waiter: %s count=%d set=%d\n", event, count, set);
}

static _Noreturn void usage(void)
{
    fputs("usage: timeout_values [LIMIT]\n"
          "  LIMIT  the one timeout that you choose, default 50ms\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;

    int set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    setlinebuf(stdout); /* readable while we wait */

    change("free", set, 1);
    ask_for(set, (struct timespec){.tv_sec = 0, .tv_nsec = NS_PER_SEC});
    ask_for(set, (struct timespec){.tv_sec = 0, .tv_nsec = -1});
    ask_for(set, (struct timespec){.tv_sec = -1, .tv_nsec = 0});

    change("taken", set, -1);
    ask("IPC_NOWAIT", set, IPC_NOWAIT, NULL);
    ask_for(set, (struct timespec){.tv_sec = 0, .tv_nsec = 0});
    ask_for(set, (struct timespec){.tv_sec = 0, .tv_nsec = 1});
    ask_for(set, to_timespec(limit));
    ask_without_limit(set);
    return EXIT_SUCCESS;
}
