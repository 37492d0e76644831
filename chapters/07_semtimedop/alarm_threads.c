/*
 * alarm_threads - of several threads, which one does an alarm wake?
 *
 * A timer belongs to the process, and so does its signal: the kernel hands it
 * to one thread that does not block it, and that is the main thread if it may.
 * Here three other threads wait in semop(), and the alarm that shall limit
 * their waits interrupts none of them: its handler runs in main. Then main
 * blocks the signal. Now one of the three is woken, which one is the kernel's
 * choice, and the two others wait on.
 *
 * semtimedop() does not raise the question: each call has its own limit.
 *
 *     $ cc alarm_threads.c -o alarm_threads
 *     $ ./alarm_threads
 *     main: starting threads=3 call=semop set=7
 *     alarm: rang handler_in=main
 *     main: ended interrupted=0 posted=3
 *     main: starting threads=3 call=semop blocks=SIGALRM
 *     alarm: rang handler_in=thread1
 *     main: ended interrupted=1 posted=2
 *     main: starting threads=3 call=semtimedop
 *     main: ended timed_out=3
 *
 * See also: signal(7), setitimer(2), pthreads(7), semop(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <time.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define THREADS 3
#define LIMIT (50 * NS_PER_MS)
#define HELP (5 * NS_PER_SEC) /* for what should happen at once */

static int set;
static pthread_t threads[THREADS];
static int64_t limit_of_each; /* 0 for semop(), which has none */

static const char *const name_of[] = {"main", "thread1", "thread2", "thread3"};
_Static_assert(THREADS < sizeof name_of / sizeof *name_of, "a name for each");
static _Thread_local int me; /* 0 is the main thread */
static volatile sig_atomic_t rang_in;

static void on_alarm(int sig)
{
    (void)sig;
    rang_in = me;
}

/* Returns, as threads do by a pointer, whether it has acquired it. */
static void *wait_for_it(void *name)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit_of_each);

    me = (int)((const char *const *)name - name_of);
    int rc = limit_of_each > 0 ? semtimedop(set, &take, 1, &timeout)
                               : semop(set, &take, 1);
    if (rc == -1 && errno != (limit_of_each > 0 ? EAGAIN : EINTR))
        err(EXIT_FAILURE, limit_of_each > 0 ? "semtimedop" : "semop");
    return rc == 0 ? name : NULL;
}

static void start_threads(void)
{
    for (int i = 0; i < THREADS; i++) {
        errno = pthread_create(&threads[i], NULL, wait_for_it,
                               (void *)&name_of[i + 1]);
        if (errno != 0)
            err(EXIT_FAILURE, "pthread_create");
    }
}

/* How many have not acquired it? */
static int join_threads(void)
{
    int count = 0;

    for (int i = 0; i < THREADS; i++) {
        void *acquired;
        errno = pthread_join(threads[i], &acquired);
        if (errno != 0)
            err(EXIT_FAILURE, "pthread_join");
        count += !acquired;
    }
    return count;
}

static int waiting(void)
{
    int count = semctl(set, 0, GETNCNT); /* how many wait for it */
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    return count;
}

/* Sleep for a millisecond, unless the time is over. The alarm may come. */
static void nap(int64_t deadline)
{
    struct timespec pause = to_timespec(NS_PER_MS);

    if (now_ns() >= deadline)
        errx(EXIT_FAILURE, "nanosleep: neither waits nor an alarm are seen");
    if (nanosleep(&pause, NULL) == -1 && errno != EINTR)
        err(EXIT_FAILURE, "nanosleep");
}

/* One alarm for three waits. Main may block it: see sigprocmask(2). */
static void by_alarm(int how)
{
    struct itimerval timer = {.it_value.tv_usec = LIMIT / NS_PER_US};
    int64_t deadline = now_ns() + HELP;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);

    start_threads(); /* before main blocks it: they would inherit that */
    while (waiting() < THREADS)
        nap(deadline);
    errno = pthread_sigmask(how, &alarm, NULL); /* of this thread */
    if (errno != 0)
        err(EXIT_FAILURE, "pthread_sigmask");
    rang_in = -1;
    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
    while (rang_in == -1) /* main sleeps, and may be woken as well as they */
        nap(deadline);
    printf("alarm: rang handler_in=%s\n", name_of[rang_in]);

    struct sembuf post = {.sem_op = (short)waiting()}; /* let them go */
    if (post.sem_op > 0 && semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    printf("main: ended interrupted=%d posted=%d\n", join_threads(),
           post.sem_op);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: alarm_threads\n", stderr);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    struct sigaction action = {.sa_handler = on_alarm};
    if (sigaction(SIGALRM, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");

    setlinebuf(stdout); /* readable while we wait */
    printf("main: starting threads=%d call=semop set=%d\n", THREADS, set);
    by_alarm(SIG_UNBLOCK);
    printf("main: starting threads=%d call=semop blocks=SIGALRM\n", THREADS);
    by_alarm(SIG_BLOCK);
    printf("main: starting threads=%d call=semtimedop\n", THREADS);
    limit_of_each = LIMIT;
    start_threads();
    printf("main: ended timed_out=%d\n", join_threads());
    return EXIT_SUCCESS;
}
