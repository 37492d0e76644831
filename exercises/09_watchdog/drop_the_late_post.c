/*
 * drop_the_late_post - give a late worker up, and its post with it.
 *
 * A watchdog runs job after job, and each worker posts the same semaphore
 * when it is done. One is late: its post comes just after the limit, or when
 * it is asked to end. If that post is still there the next job is "in time"
 * before its worker has done a thing. And another worker is quick: it has
 * posted before the watchdog waits. Fill the gap marked TODO, then run:
 * make check-drop_the_late_post
 *
 *     $ drop_the_late_post 100ms
 *     watchdog: late job=just_late count=0 children=none set=7
 *     watchdog: late job=stuck count=0 children=none set=7
 *     watchdog: late job=lingers count=0 children=none set=7
 *     watchdog: late job=stuck count=0 children=none set=7
 *     watchdog: in_time job=quick count=0 children=none set=7
 *
 * See also: semop(2), semctl(2), kill(2), waitpid(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

enum job { JUST_LATE, STUCK, LINGERS, QUICK };
static const char *const name_of[] = {"just_late", "stuck", "lingers", "quick"};

static int set;
static int64_t limit;

static void post(void)
{
    struct sembuf give = {.sem_op = 1};

    if (semop(set, &give, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* Take a post, or return false: at once if within is 0, else after that. */
static bool take_post(int64_t within)
{
    struct sembuf take = {.sem_op = -1, .sem_flg = within ? 0 : IPC_NOWAIT};
    struct timespec timeout = to_timespec(within);

    if (semtimedop(set, &take, 1, &timeout) == 0)
        return true;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");
    return false;
}

/* SIGTERM is blocked, and kept for sigwait(). */
static _Noreturn void be_worker(enum job job, const sigset_t *term)
{
    struct timespec cleaning_up = to_timespec(limit / 4);
    struct timespec hanging = to_timespec(2 * limit);
    int signal;

    if (job == QUICK) {
        post();
        _exit(EXIT_SUCCESS);
    }
    if (job == LINGERS) { /* asked to end, it finishes what it does */
        errno = sigwait(term, &signal);
        if (errno != 0)
            err(EXIT_FAILURE, "sigwait");
        nanosleep(&cleaning_up, NULL);
        post();
        _exit(EXIT_SUCCESS);
    }
    sigprocmask(SIG_UNBLOCK, term, NULL);
    nanosleep(&hanging, NULL);
    _exit(EXIT_SUCCESS);
}

/* Returns the worker's process: of the quick one when it has posted. */
static pid_t start(enum job job)
{
    siginfo_t end;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL); /* the child inherits it */
    pid_t watchdog = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0) {
        /* Never outlive the watchdog. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
            prctl(PR_SET_NAME, name_of[job]) == -1)
            err(EXIT_FAILURE, "prctl");
        if (getppid() != watchdog)
            _exit(EXIT_FAILURE);
        be_worker(job, &term);
    }
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    if (job == QUICK && waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT))
        err(EXIT_FAILURE, "waitid");
    return child;
}

/* Has the worker posted within the limit? */
static bool posted_in_time(enum job job)
{
    bool posted = take_post(limit);

    if (!posted && job == JUST_LATE) /* the stage: it does so at this moment */
        post();
    return posted;
}

/*
 * Run a job. Was it in time?
 *
 * TODO: a late worker is asked to end, and forgotten.
 *
 *   1. Late is late. When we return, no post of this job is left, and none
 *      can come any more.
 *   2. The post of a job in time counts, also if it came before our wait.
 *   3. When we return the worker has ended, and is reaped.
 */
static bool run(enum job job)
{
    pid_t worker = start(job);
    bool in_time = posted_in_time(job);

    if (!in_time)
        kill(worker, SIGTERM);
    return in_time;
}

static void tell(enum job job)
{
    siginfo_t end;
    const char *verdict = run(job) ? "in_time" : "late";
    int count = semctl(set, 0, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    bool none = waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) == -1;

    printf("watchdog: %s job=%s count=%d children=%s set=%d\n", verdict,
           name_of[job], count, none ? "none" : "some", set);
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: drop_the_late_post LIMIT\n"
              "  LIMIT  how long each job may take, such as 100ms\n",
              stderr);
        return EXIT_USAGE;
    }
    limit = parse_duration(argv[1]);

    set = semget(IPC_PRIVATE, 1, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* empty at fork() */
    tell(JUST_LATE);
    tell(STUCK);
    tell(LINGERS);
    tell(STUCK);
    tell(QUICK);
    return EXIT_SUCCESS;
}
