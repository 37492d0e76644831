/*
 * crash_or_hang - has the worker ended, or is it stuck?
 *
 * To a semaphore all is the same. A worker that has crashed, one that has
 * ended and forgot to post, one that is stuck, stopped or slow: none has
 * posted, and after the full limit the answer is EAGAIN. And a post says that
 * the work was done, not that the worker is well.
 *
 * A pidfd is a descriptor that stands for a process, and that can be read
 * from when it has ended: poll() tells the dead from the living, and could
 * have told so at once. waitid() then says how they ended, or that they are
 * stopped. Who is left is stuck or slow. That no one can see from outside,
 * not even by the state: R, it runs, S, it sleeps, T, it is stopped, Z, it is
 * a zombie. (See heartbeat.)
 *
 *     $ cc crash_or_hang.c -o crash_or_hang
 *     $ ./crash_or_hang
 *     crashes: semaphore=EAGAIN pidfd=ended how=killed:11 state=Z set=7
 *     forgets: semaphore=EAGAIN pidfd=ended how=exited:0 state=Z set=7
 *     is_stuck: semaphore=EAGAIN pidfd=lives how=none:0 state=S set=7
 *     spins: semaphore=EAGAIN pidfd=lives how=none:0 state=R set=7
 *     is_slow: semaphore=EAGAIN pidfd=lives how=none:0 state=S set=7
 *     is_stopped: semaphore=EAGAIN pidfd=lives how=stopped:19 state=T set=7
 *     posts_and_aborts: semaphore=posted pidfd=ended how=killed:6 state=Z set=7
 *
 * Exits with 77 where the kernel has no pidfd (before Linux 5.3).
 * See also: pidfd_open(2), pidfd_send_signal(2), waitid(2), proc(5).
 */
#define _GNU_SOURCE /* semtimedop(), syscall() */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

static const struct ending {
    const char *name;
    char state; /* of the process, when it is as far as it gets */
    short posts;
    int signal;      /* that it meets */
    unsigned work_s; /* that it still has to do */
} endings[] = {
    {"crashes", 'Z', 0, SIGSEGV, 0},
    {"forgets", 'Z', 0, 0, 0},
    {"is_stuck", 'S', 0, 0, 0},
    {"spins", 'R', 0, 0, 0},
    {"is_slow", 'S', 0, 0, 3600},
    {"is_stopped", 'T', 0, SIGSTOP, 0},
    {"posts_and_aborts", 'Z', 1, SIGABRT, 0},
};

static _Noreturn void end_as(const struct ending *me, int set)
{
    struct sembuf post = {.sem_op = me->posts};
    if (me->posts > 0 && semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    if (me->signal == SIGSEGV && signal(SIGSEGV, SIG_DFL) == SIG_ERR)
        err(EXIT_FAILURE, "signal"); /* a sanitizer has a handler for it */
    if (me->signal != 0 && raise(me->signal) != 0)
        err(EXIT_FAILURE, "raise");
    sleep(me->work_s);
    while (me->state == 'R')
        continue;
    if (me->state == 'S' && pause() == -1)
        err(EXIT_FAILURE, "pause");
    _exit(EXIT_SUCCESS);
}

static pid_t start(const struct ending *ending, int set)
{
    pid_t watchdog = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child > 0)
        return child;
    /* Never outlive the watchdog, leave no core file, and be ready. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_DUMPABLE, 0) == -1 || prctl(PR_SET_NAME, "ready") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != watchdog)
        _exit(EXIT_FAILURE);
    end_as(ending, set);
}

/* The stage, and not the watchdog, waits until all has happened. */
static void await_state(pid_t pid, char wanted)
{
    int64_t deadline = now_ns() + 5 * NS_PER_SEC;
    char path[32], name[16], state;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    do {
        FILE *stat = fopen(path, "re");
        if (!stat || fscanf(stat, "%*d (%15[^)]) %c", name, &state) != 2)
            err(EXIT_FAILURE, "read %s", path);
        fclose(stat);
        if (usleep(1000) == -1)
            err(EXIT_FAILURE, "usleep");
        if (now_ns() >= deadline)
            errx(EXIT_FAILURE, "a worker has failed: state %c", state);
    } while (state != wanted || strcmp(name, "ready") != 0);
}

/* What has become of it? WNOWAIT: only look, and do not reap. */
static siginfo_t look_at(pid_t pid)
{
    siginfo_t end = {0}; /* and so it stays if it just lives */
    if (waitid(P_PID, (id_t)pid, &end, WEXITED | WSTOPPED | WNOHANG | WNOWAIT))
        err(EXIT_FAILURE, "waitid");
    if (end.si_code == CLD_EXITED && end.si_status != 0)
        errx(EXIT_FAILURE, "waitid: a worker has failed");
    return end;
}

static const char *ask_semaphore(int64_t limit, int set)
{
    struct sembuf take = {.sem_op = -1};
    struct timespec timeout = to_timespec(limit);
    int answer = semtimedop(set, &take, 1, &timeout);
    if (answer == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");
    return answer == 0 ? "posted" : "EAGAIN";
}

static void watch(const struct ending *ending, int set, int64_t limit)
{
    const char *how[] = {"none", "exited", "killed", "killed", "", "stopped"};
    pid_t pid = start(ending, set);
    struct pollfd pidfd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0),
                           .events = POLLIN};
    if (pidfd.fd == -1)
        err(errno == ENOSYS ? EXIT_SKIP : EXIT_FAILURE, "syscall pidfd_open");
    await_state(pid, ending->state);
    int ended = poll(&pidfd, 1, 0); /* without a wait */
    if (ended == -1)
        err(EXIT_FAILURE, "poll");
    siginfo_t end = look_at(pid);
    printf("%s: semaphore=%s pidfd=%s how=%s:%d state=%c set=%d\n",
           ending->name, ask_semaphore(limit, set), ended ? "ended" : "lives",
           how[end.si_code], end.si_status, ending->state, set);
    if (syscall(SYS_pidfd_send_signal, pidfd.fd, SIGKILL, NULL, 0) == -1)
        err(EXIT_FAILURE, "syscall pidfd_send_signal");
    if (waitpid(pid, NULL, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    close(pidfd.fd);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: crash_or_hang [LIMIT]\n"
              "  LIMIT  how long to wait for a post, default 30ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 30 * NS_PER_MS;
    int set = semget(IPC_PRIVATE, 1, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    setlinebuf(stdout); /* empty at fork() */
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        watch(&endings[i], set, limit);
    return EXIT_SUCCESS;
}
