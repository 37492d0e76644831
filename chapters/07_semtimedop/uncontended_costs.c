/*
 * uncontended_costs - what does a limit cost, when nobody has to wait?
 *
 * Mostly a semaphore is free. Here one is taken and given back, again and
 * again, and nobody else wants it, in five ways: without a limit, with
 * semtimedop(), with a timer that is set and unset, and with the semaphores
 * of POSIX, whose count lies in our own memory.
 *
 * What it costs is decided by how often the kernel is called, and the timer
 * needs two calls more. sem_wait() and sem_clockwait() need none: they call
 * the kernel only to sleep, or to wake somebody, and the clock is read without
 * a system call, too. cpu_ns is the processor time for one take and one
 * post, on your machine and in this run.
 *
 *     $ cc uncontended_costs.c -o uncontended_costs
 *     $ ./uncontended_costs
 *     costs: measuring rounds=5000 set=7
 *     semtimedop: cpu_ns=2609 ratio=1.00 system_calls=2
 *     semop: cpu_ns=2487 ratio=0.95 system_calls=2
 *     setitimer+semop: cpu_ns=5067 ratio=1.94 system_calls=4
 *     sem_wait: cpu_ns=14 ratio=0.01 system_calls=0
 *     sem_clockwait: cpu_ns=51 ratio=0.02 system_calls=0
 *
 * See also: semop(2), setitimer(2), sem_wait(3), vdso(7), sleeping_costs.
 */
#define _GNU_SOURCE /* semtimedop(), sem_clockwait() */

#include <err.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <time.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "costs.h"

#define LIMIT 1 /* s, which is never reached */

static int set;
static sem_t posix;

static void change(short by)
{
    struct sembuf operation = {.sem_op = by};

    if (semop(set, &operation, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

static void by_semtimedop(void)
{
    struct sembuf take = {.sem_op = -1};
    struct timespec timeout = {.tv_sec = LIMIT};

    if (semtimedop(set, &take, 1, &timeout) == -1)
        err(EXIT_FAILURE, "semtimedop");
    change(1);
}

static void by_semop(void)
{
    change(-1);
    change(1);
}

static void set_timer(time_t seconds)
{
    struct itimerval timer = {.it_value.tv_sec = seconds};

    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
}

static void by_timer(void)
{
    set_timer(LIMIT);
    change(-1);
    set_timer(0);
    change(1);
}

static void post(void)
{
    if (sem_post(&posix) == -1)
        err(EXIT_FAILURE, "sem_post");
}

static void by_sem_wait(void)
{
    if (sem_wait(&posix) == -1)
        err(EXIT_FAILURE, "sem_wait");
    post();
}

#ifdef __GLIBC__
static void by_sem_clockwait(void)
{
    struct timespec deadline = to_timespec(now_ns() + LIMIT * NS_PER_SEC);

    if (sem_clockwait(&posix, CLOCK_MONOTONIC, &deadline) == -1)
        err(EXIT_FAILURE, "sem_clockwait");
    post();
}
#endif

static const struct way {
    const char *name;
    int system_calls;
    void (*take_and_give_back)(void);
} ways[] = {
    {"semtimedop", 2, by_semtimedop}, /* the others are compared with it */
    {"semop", 2, by_semop},
    {"setitimer+semop", 4, by_timer},
    {"sem_wait", 0, by_sem_wait},
#ifdef __GLIBC__
    {"sem_clockwait", 0, by_sem_clockwait},
#endif
};
#define WAYS (sizeof ways / sizeof ways[0])

/* Nanoseconds for once, on average. */
static double measure(const struct way *way, long rounds)
{
    double start = cpu_ns();
    for (long i = 0; i < rounds; i++)
        way->take_and_give_back();
    return (cpu_ns() - start) / (double)rounds;
}

static _Noreturn void usage(void)
{
    fputs("usage: uncontended_costs [ROUNDS [WAY]]\n"
          "  ROUNDS  how often, 1 or more, default 5000\n"
          "  WAY     only semtimedop, semop, setitimer+semop, ...\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    const struct way *way = ways, *last = ways + WAYS - 1;
    if (argc > 3)
        usage();
    long rounds = argc > 1 ? parse_rounds(argv[1]) : 5000;
    if (argc > 2) {
        while (strcmp(way->name, argv[2]) != 0)
            if (way++ == last)
                usage();
        last = way;
    }

    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    change(1);
    if (sem_init(&posix, 0, 1) == -1)
        err(EXIT_FAILURE, "sem_init");

    setlinebuf(stdout); /* readable while we measure */
    printf("costs: measuring rounds=%ld set=%d\n", rounds, set);
    for (double unit = 0; way <= last; way++) {
        measure(way, 1); /* the first time is slower */
        double ns = measure(way, rounds);
        unit = unit > 0 ? unit : ns;
        printf("%s: cpu_ns=%.0f ratio=%.2f system_calls=%d\n", way->name, ns,
               ns / unit, way->system_calls);
    }
    return EXIT_SUCCESS;
}
