/*
 * escalate - end a worker: ask, give it time, then force it.
 *
 * SIGTERM asks. A worker may catch it, clean up, and end, and needs a grace
 * for that. It may also ignore it, or not get to it: who is stopped is handed
 * the signal when it is continued, and no sooner. So after the grace comes
 * SIGKILL. Nobody can catch that, and it ends who is stopped, too.
 *
 * The signals go to the process group (see whole_group).
 *
 *     $ cc escalate.c -o escalate
 *     $ ./escalate
 *     watchdog: asked worker=polite signal=SIGTERM grace_ms=5000
 *     worker: cleaning_up
 *     watchdog: gone worker=polite after=SIGTERM waited_ms=1
 *     watchdog: asked worker=stubborn signal=SIGTERM grace_ms=150
 *     watchdog: gone worker=stubborn after=SIGKILL waited_ms=151
 *     watchdog: asked worker=stopped signal=SIGTERM grace_ms=150
 *     watchdog: gone worker=stopped after=SIGKILL waited_ms=151
 *
 * See also: killpg(3), signal(7), sigwait(3), setpgid(2), waitid(2).
 */
#define _GNU_SOURCE /* with -std=c11 too, all of the headers */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define GRACE (150 * NS_PER_MS)
#define AMPLE (5 * NS_PER_SEC) /* a limit that is not reached costs nothing */

enum worker { POLITE, STUBBORN, STOPPED };
static const char *const name_of[] = {"polite", "stubborn", "stopped"};

/* SIGTERM is blocked here: it is kept until sigwait() takes it. */
static _Noreturn void be_worker(enum worker me, const sigset_t *term)
{
    int signal = 0;

    if (me == STOPPED) {
        if (sigprocmask(SIG_UNBLOCK, term, NULL) == -1)
            err(EXIT_FAILURE, "sigprocmask");
        if (raise(SIGSTOP) != 0)
            err(EXIT_FAILURE, "raise");
    }
    if (me != POLITE && pause() == -1)
        err(EXIT_FAILURE, "pause");
    errno = sigwait(term, &signal);
    if (signal != SIGTERM)
        err(EXIT_FAILURE, "sigwait");
    printf("worker: cleaning_up\n");
    _exit(EXIT_SUCCESS);
}

/* Returns the worker's process, and number of its process group. */
static pid_t start(enum worker who)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &term, NULL) == -1) /* the child inherits it */
        err(EXIT_FAILURE, "sigprocmask");
    pid_t watchdog = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (setpgid(child, child) == -1) /* both of us, whoever comes first */
        err(EXIT_FAILURE, "setpgid");
    if (child == 0) {
        /* Never outlive the watchdog. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
            prctl(PR_SET_NAME, "worker") == -1)
            err(EXIT_FAILURE, "prctl");
        if (getppid() != watchdog)
            _exit(EXIT_FAILURE);
        be_worker(who, &term);
    }

    if (sigprocmask(SIG_UNBLOCK, &term, NULL) == -1)
        err(EXIT_FAILURE, "sigprocmask");
    if (who == STOPPED && waitpid(child, NULL, WUNTRACED) == -1)
        err(EXIT_FAILURE, "waitpid"); /* it was to return when it has stopped */
    return child;
}

/* Reap who has ended of the group. Is nobody left, by the deadline? */
static bool gone_by(pid_t group, int64_t deadline)
{
    siginfo_t end = {0};

    while (waitid(P_PGID, (id_t)group, &end, WEXITED | WNOHANG) == 0) {
        if (end.si_pid != 0 && end.si_code == CLD_EXITED && end.si_status != 0)
            errx(EXIT_FAILURE, "waitid: a worker has failed");
        if (end.si_pid == 0 && now_ns() >= deadline)
            return false;
        if (end.si_pid == 0 && usleep(1000) == -1)
            err(EXIT_FAILURE, "usleep");
        end.si_pid = 0; /* and so it stays if nobody has ended */
    }
    if (errno != ECHILD) /* nobody is left to wait for */
        err(EXIT_FAILURE, "waitid");
    return true;
}

static void send_to(pid_t group, int signal)
{
    if (killpg(group, signal) == -1)
        err(EXIT_FAILURE, "killpg");
}

static void escalate(enum worker who, int64_t grace)
{
    const char *last = "SIGTERM";
    pid_t group = start(who);

    printf("watchdog: asked worker=%s signal=SIGTERM grace_ms=%" PRId64 "\n",
           name_of[who], grace / NS_PER_MS);
    int64_t asked = now_ns();
    send_to(group, SIGTERM);
    if (!gone_by(group, asked + grace)) {
        last = "SIGKILL";
        send_to(group, SIGKILL);
        if (!gone_by(group, now_ns() + AMPLE))
            errx(EXIT_FAILURE, "waitid: somebody of the group does not end");
    }
    printf("watchdog: gone worker=%s after=%s waited_ms=%" PRId64 "\n",
           name_of[who], last, (now_ns() - asked) / NS_PER_MS);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: escalate [GRACE]\n"
              "  GRACE  for the stubborn and the stopped, default 150ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t grace = argc > 1 ? parse_duration(argv[1]) : GRACE;

    setlinebuf(stdout); /* empty at fork() */
    escalate(POLITE, AMPLE);
    escalate(STUBBORN, grace);
    escalate(STOPPED, grace);
    return EXIT_SUCCESS;
}
