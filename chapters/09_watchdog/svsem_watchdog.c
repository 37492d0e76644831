/*
 * svsem_watchdog - notice that a worker is late, and act on it.
 *
 * A worker posts a semaphore when its work is done. The watchdog takes it, by
 * a deadline. Pages that show this end with a message: "fault, recovering",
 * and then wait() for the worker that is stuck, so that both are.
 *
 * To recover is to end the worker, and all that it has started: they are one
 * process group, which one signal reaches. Then they are reaped, and only
 * then does the next worker start. Each has a semaphore of its own in the
 * set, so that a post that comes late is not taken for the next one's.
 *
 *     $ cc svsem_watchdog.c -o svsem_watchdog
 *     $ ./svsem_watchdog
 *     watchdog: starting number=0 limit_ms=5000 set=7
 *     worker: posting number=0
 *     watchdog: in_time number=0 waited_ms=23
 *     watchdog: ended number=0 group=gone
 *     watchdog: starting number=1 limit_ms=200 set=7
 *     watchdog: late number=1 waited_ms=200
 *     watchdog: ended number=1 group=gone
 *     watchdog: starting number=2 limit_ms=5000 set=7
 *     ...
 *
 * Exits with 0 when the second worker was in time, with 3 when it was late.
 * See also: semop(2), setpgid(2), killpg(3), waitid(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
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

#define LIMIT (200 * NS_PER_MS)
#define AMPLE (5 * NS_PER_SEC) /* a limit that is not reached costs nothing */
#define BRIEF (20 * NS_PER_MS)
#define STUCK (3600 * NS_PER_SEC)

static int set;
static int lifeline[2]; /* nobody writes: it hangs up when we are gone */

/* Has the worker posted its semaphore by the deadline? We take it. */
static bool posted_by(unsigned short number, int64_t deadline)
{
    struct sembuf take = {.sem_num = number, .sem_op = -1};
    for (;;) {
        int64_t left = deadline - now_ns();
        struct timespec timeout = to_timespec(left > 0 ? left : 0);
        take.sem_flg = left > 0 ? 0 : IPC_NOWAIT; /* the last look */
        if (semtimedop(set, &take, 1, &timeout) == 0)
            return true;
        if (errno == EAGAIN)
            return false;
        if (errno != EINTR)
            err(EXIT_FAILURE, "semtimedop");
    }
}

/* The signal 0 is none. Until all are reaped no one else gets their number. */
static void end_group(pid_t group, int signal)
{
    int64_t deadline = now_ns() + AMPLE;
    siginfo_t end = {0};

    if (killpg(group, signal) == -1)
        err(EXIT_FAILURE, "killpg");
    while (waitid(P_PGID, (id_t)group, &end, WEXITED | WNOHANG) == 0) {
        if (end.si_pid != 0 && end.si_code == CLD_EXITED && end.si_status != 0)
            errx(EXIT_FAILURE, "waitid: a worker has failed");
        if (end.si_pid == 0 && now_ns() >= deadline)
            errx(EXIT_FAILURE, "waitid: somebody of the group does not end");
        if (end.si_pid == 0 && usleep(1000) == -1)
            err(EXIT_FAILURE, "usleep");
        end.si_pid = 0; /* and so it stays if nobody has ended */
    }
    if (errno != ECHILD) /* nobody is left to wait for */
        err(EXIT_FAILURE, "waitid");
    if (killpg(group, 0) == 0 || errno != ESRCH)
        err(EXIT_FAILURE, "killpg");
}

/* It starts a helper, works beside it, posts, and does not wait for it. */
static _Noreturn void be_worker(unsigned short number, int64_t work)
{
    struct pollfd watchdog = {.fd = lifeline[0], .events = POLLIN};
    struct sembuf post = {.sem_num = number, .sem_op = 1};

    pid_t helper = fork();
    if (helper == -1)
        err(EXIT_FAILURE, "fork");
    if (prctl(PR_SET_NAME, helper == 0 ? "helper" : "worker") == -1)
        err(EXIT_FAILURE, "prctl");
    if (poll(&watchdog, 1, (int)(work / NS_PER_MS)) == -1)
        err(EXIT_FAILURE, "poll");
    if (helper == 0)
        _exit(EXIT_SUCCESS);
    printf("worker: posting number=%d\n", number);
    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    _exit(EXIT_SUCCESS);
}

/* Returns the worker's process, and number of its process group. */
static pid_t start_worker(unsigned short number, int64_t work)
{
    pid_t watchdog = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    /* Whoever of us comes first: neither may go on without the group. */
    if (setpgid(child, child) == -1)
        err(EXIT_FAILURE, "setpgid");
    if (child > 0)
        return child;

    /* Never outlive the watchdog. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != watchdog)
        _exit(EXIT_FAILURE);
    close(lifeline[1]);
    be_worker(number, work);
}

static int watch(unsigned short number, int64_t limit, int64_t work)
{
    int64_t start = now_ns();
    printf("watchdog: starting number=%d limit_ms=%" PRId64 " set=%d\n", number,
           limit / NS_PER_MS, set);
    pid_t group = start_worker(number, work);
    bool in_time = posted_by(number, start + limit);
    printf("watchdog: %s number=%d waited_ms=%" PRId64 "\n",
           in_time ? "in_time" : "late", number,
           (now_ns() - start) / NS_PER_MS);
    end_group(group, in_time ? 0 : SIGKILL); /* in time: it ends by itself */
    printf("watchdog: ended number=%d group=gone\n", number);
    return in_time ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: svsem_watchdog [LIMIT [WORK]]\n"
              "  LIMIT  how long the second worker may take, default 200ms\n"
              "  WORK   how long its work takes, default 3600s\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;
    int64_t work = argc > 2 ? parse_duration(argv[2]) : STUCK;
    set = semget(IPC_PRIVATE, 3, 0600); /* one for each; Linux starts at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    setlinebuf(stdout); /* empty at fork() */
    /* Whom a killed worker leaves behind becomes our child, to be reaped. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        err(EXIT_FAILURE, "prctl");
    if (pipe(lifeline) == -1)
        err(EXIT_FAILURE, "pipe");
    watch(0, AMPLE, BRIEF);
    int answer = watch(1, limit, work);
    watch(2, AMPLE, BRIEF);
    return answer;
}
