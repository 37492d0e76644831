/*
 * whole_group - who is left when the worker alone is killed.
 *
 * A worker has started a helper, as shells and build tools do. Kill the
 * worker, and the helper is an orphan: it goes on, and holds what it has
 * inherited. Here that is the worker's end of a pipe to the watchdog, which
 * waits in vain for the end of the pipe to see that all is over.
 *
 * A child is born into its parent's process group. If the watchdog gives the
 * worker a group of its own, one killpg() reaches all of it, also when the
 * worker itself is gone.
 *
 *     $ cc whole_group.c -o whole_group
 *     $ ./whole_group
 *     worker: started helper=1
 *     watchdog: reaped killed=worker count=1 pipe=open waited_ms=150
 *     watchdog: reaped killed=group count=1 pipe=ended waited_ms=0
 *
 * See also: killpg(3), setpgid(2), waitid(2), prctl(2), pipe(7).
 */
#define _GNU_SOURCE /* with -std=c11 too, all of the headers */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define LIMIT (150 * NS_PER_MS)
#define AMPLE (5 * NS_PER_SEC) /* a limit that is not reached costs nothing */

static int lifeline[2]; /* nobody writes: it hangs up when we are gone */
static int output[2];   /* from the worker to the watchdog */

/* Nobody waits for it, and it ends with the watchdog, or when it is killed. */
static _Noreturn void be_helper(void)
{
    struct pollfd watchdog = {.fd = lifeline[0], .events = POLLIN};

    if (prctl(PR_SET_NAME, "helper") == -1)
        err(EXIT_FAILURE, "prctl");
    if (poll(&watchdog, 1, -1) == -1)
        err(EXIT_FAILURE, "poll");
    _exit(EXIT_SUCCESS);
}

/* Die by SIGKILL, as by kill -9 from outside, and leave a helper behind. */
static _Noreturn void be_worker(void)
{
    pid_t helper = fork();
    if (helper == -1)
        err(EXIT_FAILURE, "fork");
    if (helper == 0)
        be_helper();
    printf("worker: started helper=1\n");
    raise(SIGKILL);
    err(EXIT_FAILURE, "raise");
}

static pid_t start_worker(void)
{
    pid_t watchdog = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (setpgid(child, child) == -1) /* both of us, whoever comes first */
        err(EXIT_FAILURE, "setpgid");
    if (child > 0)
        return child;

    /* Never outlive the watchdog. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "worker") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != watchdog)
        _exit(EXIT_FAILURE);
    close(lifeline[1]);
    be_worker();
}

/* Wait for those that are killed, and are our children. How many are they? */
static int reap(idtype_t what, pid_t number)
{
    siginfo_t end;
    int reaped = 0;

    for (; waitid(what, (id_t)number, &end, WEXITED) == 0; reaped++)
        if (end.si_code == CLD_EXITED)
            errx(EXIT_FAILURE, "waitid: somebody has failed");
    if (errno != ECHILD) /* nobody is left to wait for */
        err(EXIT_FAILURE, "waitid");
    return reaped;
}

/* Does the pipe end within limit? Then nobody has the other end any more. */
static void see_pipe(const char *killed, int reaped, int64_t limit)
{
    struct pollfd pipe = {.fd = output[0], .events = POLLIN};
    int64_t start = now_ns();
    int ended = poll(&pipe, 1, (int)(limit / NS_PER_MS));
    if (ended == -1)
        err(EXIT_FAILURE, "poll");
    printf("watchdog: reaped killed=%s count=%d pipe=%s waited_ms=%" PRId64
           "\n",
           killed, reaped, ended ? "ended" : "open",
           (now_ns() - start) / NS_PER_MS);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: whole_group [LIMIT]\n"
              "  LIMIT  how long to wait for the pipe's end, default 150ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;

    setlinebuf(stdout); /* empty at fork() */
    /* Whom a killed worker leaves behind becomes our child, to be reaped. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        err(EXIT_FAILURE, "prctl");
    if (pipe(lifeline) == -1 || pipe(output) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t group = start_worker(); /* the worker's number is the group's, too */
    close(output[1]);
    see_pipe("worker", reap(P_PID, group), limit);
    if (killpg(group, SIGKILL) == -1)
        err(EXIT_FAILURE, "killpg");
    see_pipe("group", reap(P_PGID, group), AMPLE);
    return EXIT_SUCCESS;
}
