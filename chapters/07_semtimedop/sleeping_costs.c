/*
 * sleeping_costs - what does a limit cost, when somebody has to wait?
 *
 * As soon as one sleeps and another wakes him, all ways of waiting cost about
 * the same, for that is the kernel's work and not theirs. Two processes hand
 * a turn to and fro, and each sleeps until it is back: "us" is the time for
 * both ways, and "system_calls" what one process makes of them, at most. Then
 * one waits for what nobody posts, for a millisecond each: "cpu_us" is the
 * processor time. Six ways: the kernel's semaphores, those of POSIX, a
 * condition, the call of which these two are made, and a count in the kernel
 * that poll() can wait for. Run it twice, and compare.
 *
 *     $ cc sleeping_costs.c -o sleeping_costs
 *     $ ./sleeping_costs 200
 *     costs: measuring rounds=200 set=7
 *     semtimedop: handed_over us=26.4 ratio=1.00 system_calls=2
 *     setitimer+semop: handed_over us=26.2 ratio=0.99 system_calls=4
 *     sem_clockwait: handed_over us=22.3 ratio=0.84 system_calls=2
 *     ...
 *     semtimedop: timed_out cpu_us=12.5 ratio=1.00 system_calls=1
 *     setitimer+semop: timed_out cpu_us=17.5 ratio=1.40 system_calls=4
 *     sem_clockwait: timed_out cpu_us=12.9 ratio=1.03 system_calls=1
 *     ...
 *
 * See also: semop(2), sem_wait(3), pthread_cond_timedwait(3), futex(2),
 * eventfd(2), uncontended_costs.
 */
#define _GNU_SOURCE /* semtimedop(), sem_clockwait(), ppoll() */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../../common/guard.h"
#include "../../common/helper.h"
#include "costs.h"
#include "sleeping_ways.h"

#define WAYS (sizeof ways / sizeof ways[0])
#define AMPLE (5 * NS_PER_SEC) /* a limit that is not reached costs nothing */

static void on_alarm(int sig)
{
    (void)sig; /* it ends semop() */
}

static void prepare(void)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    must("pthread_mutexattr_init", pthread_mutexattr_init(&mutex));
    must("pthread_mutexattr_setpshared",
         pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED));
    must("pthread_mutex_init", pthread_mutex_init(&shared->mutex, &mutex));
    must("pthread_condattr_init", pthread_condattr_init(&condition));
    must("pthread_condattr_setclock",
         pthread_condattr_setclock(&condition, CLOCK_MONOTONIC));
    must("pthread_condattr_setpshared",
         pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED));
    for (int i = 0; i < SEMAPHORES; i++) {
        must("pthread_cond_init",
             pthread_cond_init(&shared->posted[i], &condition));
        if (sem_init(&shared->posix[i], 1, 0) == -1)
            err(EXIT_FAILURE, "sem_init");
        event[i] = eventfd(0, EFD_CLOEXEC);
        if (event[i] == -1)
            err(EXIT_FAILURE, "eventfd");
    }
    struct sigaction action = {.sa_handler = on_alarm};
    if (sigaction(SIGALRM, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
}

static void wait_for(const struct way *way, int number)
{
    if (!way->wait(number, AMPLE))
        errx(EXIT_FAILURE, "%s: the other one does not answer", way->name);
}

/* It gives the turn back as soon as it can. */
static pid_t start_partner(const struct way *first, const struct way *last,
                           long rounds)
{
    pid_t partner = fork_helper("partner");
    if (partner > 0)
        return partner;
    for (const struct way *way = first; way <= last; way++)
        for (long i = 0; i < 2 * rounds; i++) {
            wait_for(way, TO);
            way->post(FRO);
        }
    _exit(EXIT_SUCCESS);
}

/* The time for once to and fro, in us. */
static double hand_over(const struct way *way, long rounds)
{
    int64_t start = 0;

    for (long i = -rounds; i < rounds; i++) {
        if (i == 0) /* at first both are slower */
            start = now_ns();
        way->post(TO);
        wait_for(way, FRO);
    }
    return (double)(now_ns() - start) / NS_PER_US / (double)rounds;
}

/* The processor time for a wait, in us: the rest of it we sleep. */
static double time_out(const struct way *way, long rounds)
{
    double start = cpu_ns();
    for (long i = 0; i < rounds; i++)
        if (way->wait(NOBODYS, NS_PER_MS))
            errx(EXIT_FAILURE, "%s: somebody has posted", way->name);
    return (cpu_ns() - start) / NS_PER_US / (double)rounds;
}

static _Noreturn void usage(void)
{
    fputs("usage: sleeping_costs [ROUNDS [WAY]]\n"
          "  ROUNDS  how often, 1 or more, default 50\n"
          "  WAY     only semtimedop, setitimer+semop, ...\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    const struct way *first = ways, *last = ways + WAYS - 1;
    if (argc > 3)
        usage();
    long rounds = argc > 1 ? parse_rounds(argv[1]) : 50;
    if (argc > 2) {
        while (strcmp(first->name, argv[2]) != 0)
            if (first++ == last)
                usage();
        last = first;
    }

    set = semget(IPC_PRIVATE, SEMAPHORES, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    prepare();

    setlinebuf(stdout); /* readable while we measure, and empty at fork() */
    printf("costs: measuring rounds=%ld set=%d\n", rounds, set);
    pid_t partner = start_partner(first, last, rounds);
    double unit = 0;
    for (const struct way *way = first; way <= last; way++) {
        double us = hand_over(way, rounds);
        unit = way == first ? us : unit;
        printf("%s: handed_over us=%.1f ratio=%.2f system_calls=%d\n",
               way->name, us, us / unit, way->handed_over);
    }
    see_end(partner, 0); /* under strace that would interrupt a wait of ours */
    for (const struct way *way = first; way <= last; way++) {
        double us = time_out(way, rounds);
        unit = way == first ? us : unit;
        printf("%s: timed_out cpu_us=%.1f ratio=%.2f system_calls=%d\n",
               way->name, us, us / unit, way->timed_out);
    }
    return EXIT_SUCCESS;
}
