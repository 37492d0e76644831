/*
 * supervise - one poll() for all that can happen to a worker.
 *
 * A supervisor waits for three things at once: the worker has ended, it is
 * late, or somebody asks the supervisor to stop. Each can be a descriptor, a
 * pidfd, a timerfd, a signalfd, and then one poll() waits for whatever comes
 * first, and no signal handler runs in between.
 *
 * A worker that fails is started again, but never sooner than a pause after
 * its last start, so that one that fails at once does not keep the machine
 * busy. And only 3 times in a window: then the supervisor gives up, and says
 * so. While it pauses it listens, too: the timer then rings for the start.
 *
 *     $ cc supervise.c -o supervise
 *     $ ./supervise
 *     supervisor: started job=flaky attempt=1 since_last_ms=0
 *     supervisor: ended how=exited:7
 *     supervisor: started job=flaky attempt=2 since_last_ms=50
 *     supervisor: late attempt=2
 *     supervisor: ended how=killed:9
 *     supervisor: started job=flaky attempt=3 since_last_ms=155
 *     supervisor: ended how=exited:0
 *     supervisor: done job=flaky
 *     ...
 *     supervisor: gave_up job=broken
 *     supervisor: started job=service attempt=1 since_last_ms=0
 *     supervisor: asked_to_stop
 *     supervisor: ended how=killed:15
 *     supervisor: stopped job=service
 *
 * Exits with 77 where the kernel has no pidfd (before Linux 5.3).
 * See also: pidfd_open(2), timerfd_create(2), signalfd(2), poll(2).
 */
#define _GNU_SOURCE /* syscall() */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/asleep.h"
#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

#define RESTARTS 3              /* allowed in any window */
#define LIMIT (150 * NS_PER_MS) /* for the worker that hangs */
#define AMPLE (5 * NS_PER_SEC)  /* a limit that is not reached costs nothing */

/* How each attempt goes: it fails, hangs, serves on, or does the job. */
static const char *const jobs[][2] = {
    {"flaky", "fhd"}, {"broken", "ffffffd"}, {"service", "s"}};

enum { DIED, RANG, ASKED, SOURCES };
static struct pollfd on[SOURCES] = {{-1, POLLIN, 0}};
static int64_t pause_min, window, restarted[RESTARTS];
static int restarts; /* of this job */
static pid_t worker;
static sigset_t term;

/* It rings at that time, until it is set anew: nobody has to read from it. */
static void set_timer(int64_t deadline)
{
    struct itimerspec at = {.it_value = to_timespec(deadline)};
    if (timerfd_settime(on[RANG].fd, TFD_TIMER_ABSTIME, &at, NULL) == -1)
        err(EXIT_FAILURE, "timerfd_settime");
}

static void start(char ending)
{
    bool sleeps = ending == 'h' || ending == 's';
    worker = fork_helper("worker");
    if (worker == 0) {
        if (sigprocmask(SIG_UNBLOCK, &term, NULL) == -1) /* as it was */
            err(EXIT_FAILURE, "sigprocmask");
        if (sleeps && pause() == -1)
            err(EXIT_FAILURE, "pause");
        _exit(ending == 'f' ? 7 : EXIT_SUCCESS);
    }
    on[DIED].fd = (int)syscall(SYS_pidfd_open, worker, 0);
    if (on[DIED].fd == -1)
        err(errno == ENOSYS ? EXIT_SKIP : EXIT_FAILURE, "syscall pidfd_open");
    if (sleeps && !is_asleep(worker)) /* the stage waits until it is stuck */
        errx(EXIT_FAILURE, "waitpid: the worker has failed");
    if (ending == 's')
        kill(getpid(), SIGTERM); /* ask ourselves to stop */
    set_timer(now_ns() + (ending == 'h' ? LIMIT : AMPLE));
}

/* It has ended. Has it done the job? */
static bool reap(void)
{
    int status;
    if (waitpid(worker, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    bool killed = WIFSIGNALED(status);
    if (!killed && WEXITSTATUS(status) == EXIT_FAILURE)
        errx(EXIT_FAILURE, "waitpid: the worker has failed");
    printf("supervisor: ended how=%s:%d\n", killed ? "killed" : "exited",
           killed ? WTERMSIG(status) : WEXITSTATUS(status));
    close(on[DIED].fd);
    on[DIED].fd = -1; /* poll() skips it */
    return status == 0;
}

/* May it be restarted now? Then it counts: the last ones are kept in turn. */
static bool may_restart(void)
{
    int64_t now = now_ns();
    if (restarts >= RESTARTS && now - restarted[restarts % RESTARTS] < window)
        return false;
    restarted[restarts++ % RESTARTS] = now;
    return true;
}

/* Returns how it went in the end. */
static const char *supervise(const char *const job[2])
{
    int64_t started = now_ns();
    for (restarts = 0, set_timer(started);;) {
        if (poll(on, SOURCES, -1) == -1) /* the timer is always set */
            err(EXIT_FAILURE, "poll");
        if (on[DIED].revents != 0) {
            bool done = reap(), stopping = on[ASKED].fd == -1;
            if (done || stopping || !may_restart())
                return done ? "done" : stopping ? "stopped" : "gave_up";
            set_timer(started + pause_min); /* that may be over by now */
        } else if (on[ASKED].revents != 0) {
            printf("supervisor: asked_to_stop\n");
            on[ASKED].fd = -1; /* once is enough */
            if (on[DIED].fd == -1)
                return "stopped";
            kill(worker, SIGTERM);
            set_timer(now_ns() + AMPLE);
        } else if (on[RANG].revents != 0 && on[DIED].fd != -1) {
            printf("supervisor: late attempt=%d\n", restarts + 1);
            kill(worker, SIGKILL); /* and the pidfd will tell */
            set_timer(now_ns() + AMPLE);
        } else if (on[RANG].revents != 0) {
            int since_ms = (int)((now_ns() - started) / NS_PER_MS);
            printf("supervisor: started job=%s attempt=%d since_last_ms=%d\n",
                   job[0], restarts + 1, since_ms);
            started = now_ns();
            start(job[1][restarts]);
        }
    }
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: supervise [PAUSE [WINDOW]]\n"
              "  PAUSE   from start to start at least, default 50ms\n"
              "  WINDOW  in which 3 restarts are allowed, default 60s\n",
              stderr);
        return EXIT_USAGE;
    }
    pause_min = argc > 1 ? parse_duration(argv[1]) : 50 * NS_PER_MS;
    window = argc > 2 ? parse_duration(argv[2]) : 60 * NS_PER_SEC;
    setlinebuf(stdout); /* empty at fork() */
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    /* Or it would end us; and a signalfd tells only of what is blocked. */
    if (sigprocmask(SIG_BLOCK, &term, NULL) == -1)
        err(EXIT_FAILURE, "sigprocmask");
    on[RANG] = (struct pollfd){timerfd_create(CLOCK_MONOTONIC, 0), POLLIN, 0};
    if (on[RANG].fd == -1)
        err(EXIT_FAILURE, "timerfd_create");
    on[ASKED] = (struct pollfd){signalfd(-1, &term, 0), POLLIN, 0};
    if (on[ASKED].fd == -1)
        err(EXIT_FAILURE, "signalfd");
    for (size_t i = 0; i < 3 && on[ASKED].fd != -1; i++)
        printf("supervisor: %s job=%s\n", supervise(jobs[i]), jobs[i][0]);
    return EXIT_SUCCESS;
}
