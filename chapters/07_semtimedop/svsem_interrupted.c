/*
 * svsem_interrupted - a wait that ends before its time, with EINTR.
 *
 * When a signal handler has run, semtimedop() does not go on waiting: it
 * fails with EINTR. SA_RESTART, which lets many other calls go on, changes
 * nothing here. Nor is a program safe that has no handlers at all: being
 * stopped and continued ends the wait too. Ctrl-Z and fg do just that.
 *
 * Two waiters have ten seconds each. A sender sends the first a signal for
 * which it has a handler; the second has none, and is stopped and continued.
 *
 *     $ cc svsem_interrupted.c -o svsem_interrupted
 *     $ ./svsem_interrupted
 *     waiter: waiting handler=SA_RESTART limit_ms=10000 set=7
 *     sender: sending signal=SIGUSR1
 *     waiter: interrupted errno=EINTR waited_ms=1
 *     waiter: waiting handler=none limit_ms=10000 set=7
 *     sender: sending signal=SIGSTOP
 *     sender: sending signal=SIGCONT
 *     waiter: interrupted errno=EINTR waited_ms=3
 *
 * Given a limit it waits for you: press Ctrl-Z, then enter fg.
 *
 * Exits with 0 when interrupted, with 3 when timed out.
 * See also: semop(2), signal(7).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define LIMIT (10 * NS_PER_SEC)
#define HELP (5 * NS_PER_SEC) /* for what a helper does at once */

enum step { WAITS, STOPS, ENDS };

static void on_signal(int sig)
{
    (void)sig; /* that it ran is enough to end the wait */
}

/* Wait for a post that nobody makes, and say what ended the wait. */
static int wait_and_tell(int set, int64_t limit)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    struct timespec timeout = to_timespec(limit);
    struct sigaction now;

    if (sigaction(SIGUSR1, NULL, &now) == -1)
        err(EXIT_FAILURE, "sigaction");
    printf("waiter: waiting handler=%s limit_ms=%" PRId64 " set=%d\n",
           now.sa_flags & SA_RESTART ? "SA_RESTART" : "none", limit / NS_PER_MS,
           set);
    int64_t start = now_ns();
    if (semtimedop(set, &take, 1, &timeout) == 0)
        errx(EXIT_FAILURE, "semtimedop: somebody has posted");
    if (errno != EINTR && errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");
    bool interrupted = errno == EINTR;

    printf("waiter: %s waited_ms=%" PRId64 "\n",
           interrupted ? "interrupted errno=EINTR" : "timed_out errno=EAGAIN",
           (now_ns() - start) / NS_PER_MS);
    return interrupted ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}

static pid_t start_waiter(int set, bool has_handler)
{
    pid_t child = fork_helper("waiter");
    if (child > 0)
        return child;

    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    if (has_handler && sigaction(SIGUSR1, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    _exit(wait_and_tell(set, LIMIT));
}

/* See the waiter do this. waitpid() has no timeout, so look every ms. */
static void see(enum step step, pid_t waiter, int set)
{
    struct timespec pause = to_timespec(NS_PER_MS);
    int64_t deadline = now_ns() + HELP;
    int status;
    pid_t changed;

    while ((changed = waitpid(waiter, &status, WUNTRACED | WNOHANG)) == 0) {
        int waiting = semctl(set, 0, GETNCNT); /* how many wait for it */
        if (waiting == -1)
            err(EXIT_FAILURE, "semctl");
        if (step == WAITS && waiting > 0)
            return;
        if (now_ns() >= deadline)
            errx(EXIT_FAILURE, "waitpid: the waiter does not answer");
        if (nanosleep(&pause, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    }
    if (changed == -1)
        err(EXIT_FAILURE, "waitpid");
    bool good = step == STOPS ? WIFSTOPPED(status) : step == ENDS && !status;
    if (!good)
        errx(EXIT_FAILURE, "waitpid: the waiter has failed");
}

static void send_signal(pid_t waiter, int sig, const char *name)
{
    printf("sender: sending signal=%s\n", name);
    if (kill(waiter, sig) == -1)
        err(EXIT_FAILURE, "kill");
}

static void disturb(int set, bool has_handler)
{
    pid_t waiter = start_waiter(set, has_handler);
    see(WAITS, waiter, set);
    if (has_handler) {
        send_signal(waiter, SIGUSR1, "SIGUSR1");
    } else {
        send_signal(waiter, SIGSTOP, "SIGSTOP");
        see(STOPS, waiter, set);
        send_signal(waiter, SIGCONT, "SIGCONT");
    }
    see(ENDS, waiter, set);
}

static _Noreturn void usage(void)
{
    fputs("usage: svsem_interrupted [LIMIT]\n"
          "  LIMIT  only wait, for your Ctrl-Z and fg, default 10s\n",
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

    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    if (argc > 1)
        return wait_and_tell(set, limit);
    disturb(set, true);
    disturb(set, false);
    return EXIT_SUCCESS;
}
