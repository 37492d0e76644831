/*
 * Six ways to wait with a limit, each with three semaphores that are 0 at the
 * start: 0 and 1 to hand over, to and fro, and NOBODYS, which is never posted.
 */
#ifndef SLEEPING_WAYS_H
#define SLEEPING_WAYS_H

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

enum { TO, FRO, NOBODYS, SEMAPHORES };

/* In memory that both processes share. */
static struct shared {
    sem_t posix[SEMAPHORES];
    pthread_mutex_t mutex;
    pthread_cond_t posted[SEMAPHORES];
    bool count[SEMAPHORES];
    atomic_uint futex[SEMAPHORES];
} * shared;
static int set, event[SEMAPHORES];

/* A wait that is over is an answer; any other failure ends the program. */
static bool timed_out(const char *call, int error, int expected)
{
    errno = error;
    if (error != expected)
        err(EXIT_FAILURE, "%s", call);
    return false;
}

/* --- semtimedop() --- */

static bool by_semtimedop(int number, int64_t limit)
{
    struct sembuf take = {.sem_num = (unsigned short)number, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);

    return semtimedop(set, &take, 1, &timeout) == 0 ||
           timed_out("semtimedop", errno, EAGAIN);
}

static void post_svsem(int number)
{
    struct sembuf post = {.sem_num = (unsigned short)number, .sem_op = 1};

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* --- setitimer() and semop(); the handler for SIGALRM does nothing --- */

static void set_timer(int64_t ns)
{
    struct itimerval timer = {
        .it_value.tv_sec = (time_t)(ns / NS_PER_SEC),
        .it_value.tv_usec = (suseconds_t)(ns % NS_PER_SEC / NS_PER_US),
        .it_interval.tv_sec = ns > 0, /* an alarm that is lost comes again */
    };

    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
}

static bool by_timer(int number, int64_t limit)
{
    struct sembuf take = {.sem_num = (unsigned short)number, .sem_op = -1};

    set_timer(limit);
    int error = semop(set, &take, 1) == 0 ? 0 : errno;
    set_timer(0);
    return error == 0 || timed_out("semop", error, EINTR);
}

/* --- the semaphores of POSIX --- */

#ifdef __GLIBC__
static bool by_sem_clockwait(int number, int64_t limit)
{
    struct timespec deadline = to_timespec(now_ns() + limit);

    return sem_clockwait(&shared->posix[number], CLOCK_MONOTONIC, &deadline) ==
               0 ||
           timed_out("sem_clockwait", errno, ETIMEDOUT);
}

static void post_posix(int number)
{
    if (sem_post(&shared->posix[number]) == -1)
        err(EXIT_FAILURE, "sem_post");
}
#endif

/* --- a count, a mutex and a condition --- */

static void must(const char *call, int error)
{
    errno = error;
    if (error != 0)
        err(EXIT_FAILURE, "%s", call);
}

static bool by_condition(int number, int64_t limit)
{
    struct timespec deadline = to_timespec(now_ns() + limit);
    int error = 0;

    must("pthread_mutex_lock", pthread_mutex_lock(&shared->mutex));
    while (!shared->count[number] && error == 0)
        error = pthread_cond_timedwait(&shared->posted[number], &shared->mutex,
                                       &deadline);
    shared->count[number] = false;
    must("pthread_mutex_unlock", pthread_mutex_unlock(&shared->mutex));
    return error == 0 || timed_out("pthread_cond_timedwait", error, ETIMEDOUT);
}

static void post_condition(int number)
{
    must("pthread_mutex_lock", pthread_mutex_lock(&shared->mutex));
    shared->count[number] = true;
    must("pthread_mutex_unlock", pthread_mutex_unlock(&shared->mutex));
    must("pthread_cond_signal", pthread_cond_signal(&shared->posted[number]));
}

/* --- a count and the system call that those of POSIX are made of --- */

enum { FUTEX_WAIT, FUTEX_WAKE }; /* as in <linux/futex.h>, see futex(2) */

static bool by_futex(int number, int64_t limit)
{
    int64_t deadline = now_ns() + limit;

    while (atomic_exchange(&shared->futex[number], 0) == 0) {
        int64_t left = deadline - now_ns();
        struct timespec timeout = to_timespec(left > 0 ? left : 0);
        if (syscall(SYS_futex, &shared->futex[number], FUTEX_WAIT, 0, &timeout,
                    NULL, 0) == -1 &&
            errno != EAGAIN && errno != EINTR) /* posted meanwhile; a signal */
            return timed_out("syscall futex", errno, ETIMEDOUT);
    }
    return true;
}

static void post_futex(int number)
{
    atomic_store(&shared->futex[number], 1);
    if (syscall(SYS_futex, &shared->futex[number], FUTEX_WAKE, 1, NULL, NULL,
                0) == -1)
        err(EXIT_FAILURE, "syscall futex");
}

/* --- a count in the kernel that has a descriptor --- */

static bool by_poll(int number, int64_t limit)
{
    struct pollfd ready = {.fd = event[number], .events = POLLIN};
    struct timespec timeout = to_timespec(limit);
    uint64_t count;

    int found = ppoll(&ready, 1, &timeout, NULL);
    if (found == -1)
        err(EXIT_FAILURE, "ppoll");
    if (found == 1 && read(event[number], &count, sizeof count) == -1)
        err(EXIT_FAILURE, "read");
    return found == 1;
}

static void post_event(int number)
{
    uint64_t one = 1;

    if (write(event[number], &one, sizeof one) == -1)
        err(EXIT_FAILURE, "write");
}

/* How often the kernel is called, at most: for a wait that sleeps and a post
 * that wakes, and for a wait that times out, with the end of a handler. */
static const struct way {
    const char *name;
    int handed_over, timed_out;
    bool (*wait)(int number, int64_t limit); /* false: the time is over */
    void (*post)(int number);
} ways[] = {
    {"semtimedop", 2, 1, by_semtimedop, post_svsem},
    {"setitimer+semop", 4, 4, by_timer, post_svsem},
#ifdef __GLIBC__
    {"sem_clockwait", 2, 1, by_sem_clockwait, post_posix},
#endif
    {"pthread_cond", 2, 1, by_condition, post_condition},
    {"futex", 2, 1, by_futex, post_futex},
    {"eventfd+poll", 3, 1, by_poll, post_event},
};

#endif
