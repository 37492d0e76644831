/*
 * lens_clocks - what the clocks say, and waits until a time on each of them.
 *
 *     $ lens_clocks
 *     probe: reader=CLOCK_REALTIME n=1 sec=<n>
 *     ...
 *     probe: waiter=sem_timedwait error=ETIMEDOUT early=0
 *
 * A reading is in whole seconds since CLOCK_MONOTONIC was 0, by the kernel's
 * own word, so that two runs can be compared. A waiter waits 20 ms, and early
 * tells whether it was back before that, by the clock that it waits on and by
 * CLOCK_MONOTONIC: somebody may set the machine's clock during the wait, and
 * then one of the two says so, rightly.
 */
#define _GNU_SOURCE /* sem_clockwait(), pthread_cond_clockwait() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"

static sem_t sem;
static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wall_cond = PTHREAD_COND_INITIALIZER;
static pthread_cond_t steady_cond;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

/* No library between us and the kernel changes what this one says. */
static int64_t true_ns(clockid_t clock)
{
    struct timespec now;

    if (syscall(SYS_clock_gettime, clock, &now) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

static void say(const char *reader, int n, int64_t ns)
{
    printf("probe: reader=%s n=%d sec=%" PRId64 "\n", reader, n,
           (ns - true_ns(CLOCK_MONOTONIC)) / NS_PER_SEC);
}

static void read_all(int n)
{
    struct timeval day;
    struct timespec now;
    time_t sec;

    say("CLOCK_REALTIME", n, clock_ns(CLOCK_REALTIME));
    gettimeofday(&day, NULL);
    say("gettimeofday", n, day.tv_sec * NS_PER_SEC + day.tv_usec * NS_PER_US);
    if (time(&sec) != sec)
        errx(EXIT_FAILURE, "time() says two things");
    say("time", n, sec * NS_PER_SEC);
    timespec_get(&now, TIME_UTC);
    say("timespec_get", n, now.tv_sec * NS_PER_SEC + now.tv_nsec);
    say("CLOCK_MONOTONIC", n, clock_ns(CLOCK_MONOTONIC));
    say("CLOCK_BOOTTIME", n, clock_ns(CLOCK_BOOTTIME));
}

/* Each returns an error number. */
static int by_sem(clockid_t clock, const struct timespec *at)
{
    return sem_clockwait(&sem, clock, at) == -1 ? errno : 0;
}

static int by_wall_sem(clockid_t clock, const struct timespec *at)
{
    (void)clock;
    return sem_timedwait(&sem, at) == -1 ? errno : 0;
}

static int by_mutex(clockid_t clock, const struct timespec *at)
{
    return pthread_mutex_clocklock(&taken, clock, at);
}

static int by_wall_mutex(clockid_t clock, const struct timespec *at)
{
    (void)clock;
    return pthread_mutex_timedlock(&taken, at);
}

static int by_cond(clockid_t clock, const struct timespec *at)
{
    pthread_cond_t *cond = clock == CLOCK_REALTIME ? &wall_cond : &steady_cond;
    return pthread_cond_timedwait(cond, &mutex, at);
}

static int by_clock_cond(clockid_t clock, const struct timespec *at)
{
    return pthread_cond_clockwait(&wall_cond, &mutex, clock, at);
}

static int by_sleep(clockid_t clock, const struct timespec *at)
{
    return clock_nanosleep(clock, TIMER_ABSTIME, at, NULL);
}

static int by_nap(clockid_t clock, const struct timespec *at)
{
    struct timespec nap = to_timespec(20 * NS_PER_MS);

    (void)at; /* a duration is no point in time: no step concerns it */
    return clock_nanosleep(clock, 0, &nap, NULL);
}

static void wait_until(const char *waiter, clockid_t clock,
                       int wait(clockid_t, const struct timespec *))
{
    int64_t end = true_ns(clock) + 20 * NS_PER_MS;
    int64_t steady_end = true_ns(CLOCK_MONOTONIC) + 20 * NS_PER_MS;
    struct timespec at = to_timespec(clock_ns(clock) + 20 * NS_PER_MS);
    int error = wait(clock, &at);

    printf("probe: waiter=%s error=%s early=%d\n", waiter,
           error == ETIMEDOUT ? "ETIMEDOUT" : strerror(error),
           true_ns(clock) < end && true_ns(CLOCK_MONOTONIC) < steady_end);
}

int main(void)
{
    pthread_condattr_t steady;

    sem_init(&sem, 0, 0);
    pthread_mutex_lock(&taken);
    pthread_mutex_lock(&mutex);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&steady_cond, &steady);

    read_all(1);
    read_all(2);
    wait_until("sem_timedwait", CLOCK_REALTIME, by_wall_sem);
    wait_until("sem_clockwait", CLOCK_REALTIME, by_sem);
    wait_until("sem_clockwait_steady", CLOCK_MONOTONIC, by_sem);
    wait_until("mutex_timedlock", CLOCK_REALTIME, by_wall_mutex);
    wait_until("mutex_clocklock", CLOCK_REALTIME, by_mutex);
    wait_until("mutex_clocklock_steady", CLOCK_MONOTONIC, by_mutex);
    wait_until("cond_timedwait", CLOCK_REALTIME, by_cond);
    wait_until("cond_timedwait_steady", CLOCK_MONOTONIC, by_cond);
    wait_until("cond_clockwait", CLOCK_REALTIME, by_clock_cond);
    wait_until("cond_clockwait_steady", CLOCK_MONOTONIC, by_clock_cond);
    wait_until("clock_nanosleep", CLOCK_REALTIME, by_sleep);
    wait_until("clock_nanosleep_steady", CLOCK_MONOTONIC, by_sleep);
    wait_until("clock_nanosleep_boottime", CLOCK_BOOTTIME, by_sleep);
    wait_until("clock_nanosleep_for", CLOCK_REALTIME, by_nap);
    return EXIT_SUCCESS;
}
