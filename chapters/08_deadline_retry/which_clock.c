/*
 * which_clock - seven waits, and what each makes of three kinds of time.
 *
 * Some calls want a duration. Others want the time at which to give up, and
 * that on one clock: the wall clock, which tells the time of day, or the
 * monotonic one, which began at some point and only goes on. All of them
 * take a number. Given the wrong kind, most answer at once, as if the time
 * were over, or wait for decades; none of them says that it is wrong.
 *
 * Each call is given each kind of time, 200 ms from now, on something that
 * never comes. poll() has milliseconds where the others have a timespec.
 *
 *     $ cc which_clock.c -o which_clock
 *     $ ./which_clock
 *     semtimedop: duration=EAGAIN,in_time monotonic=waits_on wall=waits_on
 *     ...
 *     sem_timedwait: duration=ETIMEDOUT,at_once monotonic=ETIMEDOUT,at_once ...
 *     ...
 *
 * "in_time" is after the 200 ms. "waits_on": no answer after three times that.
 *
 * See also: sem_timedwait(3), pthread_cond_timedwait(3), clock_nanosleep(2).
 */
#define _GNU_SOURCE /* semtimedop(), sem_clockwait() */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define AT_ONCE 128 /* no errno that we meet has this bit */

static int set;
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

enum call {
    SEMTIMEDOP,
    POLL,
    SEM_TIMEDWAIT,
    COND_TIMEDWAIT,
    SEM_CLOCKWAIT,
    COND_CLOCKWAIT,
    CLOCK_NANOSLEEP,
    CALLS
};
static const char *const names[] = {"semtimedop",     "poll",
                                    "sem_timedwait",  "pthread_cond_timedwait",
                                    "sem_clockwait",  "pthread_cond_clockwait",
                                    "clock_nanosleep"};

#ifndef __GLIBC__ /* another libc may lack two of them */
#define LACKS(call) ((call) == SEM_CLOCKWAIT || (call) == COND_CLOCKWAIT)
#define sem_clockwait(semaphore, clock, time) ENOSYS
#define pthread_cond_clockwait(condition, mutex, clock, time) ENOSYS
#else
#define LACKS(call) 0
#endif

/* Hand it a time. Returns what the call says: 0, or an errno. */
static int make(enum call call, const struct timespec *time)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    int64_t ms = time->tv_sec * INT64_C(1000) + time->tv_nsec / NS_PER_MS;
    int rc = pthread_mutex_lock(&mutex); /* for the conditions */
    if (call == SEMTIMEDOP)
        rc = semtimedop(set, &take, 1, time);
    if (call == POLL)
        rc = poll(NULL, 0, ms < INT_MAX ? (int)ms : INT_MAX);
    if (call == SEM_TIMEDWAIT)
        rc = sem_timedwait(&semaphore, time);
    if (call == SEM_CLOCKWAIT)
        rc = sem_clockwait(&semaphore, CLOCK_MONOTONIC, time);
    if (call == COND_TIMEDWAIT) /* which returns the errno, as do the others */
        rc = pthread_cond_timedwait(&condition, &mutex, time);
    if (call == COND_CLOCKWAIT)
        rc = pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, time);
    if (call == CLOCK_NANOSLEEP)
        rc = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, time, NULL);
    return rc == -1 ? errno : rc;
}

enum kind { DURATION, MONOTONIC, WALL, KINDS };
static const char *const kinds[] = {"duration", "monotonic", "wall"};
static pid_t children[CALLS][KINDS]; /* each asks one question */

/* Ask, and tell by the exit status: the errno, and AT_ONCE or not. */
static _Noreturn void ask(enum call call, enum kind kind, int64_t limit)
{
    struct timespec wall;
    int64_t start = now_ns();
    if (clock_gettime(CLOCK_REALTIME, &wall) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    int64_t from = kind == MONOTONIC ? start
                   : kind == WALL    ? wall.tv_sec * NS_PER_SEC + wall.tv_nsec
                                     : 0;
    struct timespec time = to_timespec(from + limit);
    errno = make(call, &time);
    if (errno != 0 && errno != EAGAIN && errno != ETIMEDOUT)
        err(EXIT_FAILURE, "%s", names[call]);
    /* No wait is early, but the wall clock may be a little fast or slow. */
    _exit(errno | (now_ns() - start < limit / 10 * 9 ? AT_ONCE : 0));
}

/* What has this child been told? If nothing, it has waited long enough. */
static void tell(const char *kind, pid_t child)
{
    int status;
    pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == 0 && kill(child, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    if (ended == -1 || (ended == 0 && waitpid(child, &status, 0) == -1))
        err(EXIT_FAILURE, "waitpid");
    if (ended == 0) {
        printf(" %s=waits_on", kind);
        return;
    }
    int error = WIFEXITED(status) ? WEXITSTATUS(status) & ~AT_ONCE : 1;
    if (error == EXIT_FAILURE)
        errx(EXIT_FAILURE, "waitpid: a child has failed");
    printf(" %s=%s,%s", kind, error == 0 ? "0" : errno_name(error),
           WEXITSTATUS(status) & AT_ONCE ? "at_once" : "in_time");
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: which_clock [LIMIT]\n"
              "  LIMIT  how far away the times are, default 200ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 200 * NS_PER_MS;
    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    if (sem_init(&semaphore, 0, 0) == -1)
        err(EXIT_FAILURE, "sem_init");

    for (int i = 0; i < CALLS; i++)
        for (int kind = 0; !LACKS(i) && kind < KINDS; kind++) {
            if ((children[i][kind] = fork_helper("asker")) == 0)
                ask((enum call)i, (enum kind)kind, limit);
        }
    struct timespec patience = to_timespec(3 * limit);
    if (nanosleep(&patience, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
    for (int i = 0; i < CALLS; i++) {
        printf("%s:%s", names[i], LACKS(i) ? " not in this libc" : "");
        for (int kind = 0; !LACKS(i) && kind < KINDS; kind++)
            tell(kinds[kind], children[i][kind]);
        printf("\n");
    }
    return EXIT_SUCCESS;
}
