/*
 * cage_calls.c - the calls by which a program in the cage could harm others.
 *
 * A library that cage.c has LD_PRELOAD put below the lens. It lets the calls
 * pass, but for a process too many and a signal to someone who is no relative:
 * those fail with EAGAIN and EPERM, and cage.c says so when the program ends.
 *
 * It sees the functions of the C library and its syscall(), not what a program
 * does without them: there the namespaces are the wall, and without them a
 * filter in the kernel that refuses kill(-1).
 *
 * As in the lens: no malloc, no stdio and no locks once the program runs.
 */
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cage.h"

typedef long any_call(long, long, long, long, long, long, long);
static any_call *real_syscall, *real_fork; /* the C library's */

static struct ledger lost_ledger; /* ours alone, if the program closed it */
static struct ledger *ledger = &lost_ledger;
static pid_t init_pid; /* the parent of the program and of orphans */

static any_call *find(const char *name)
{
    return (any_call *)(intptr_t)dlsym(RTLD_NEXT, name);
}

/* By name syscall() would be that of the lens, or ours. */
static long kernel(long number, long a, long b, long c, long d)
{
    if (!real_syscall)
        real_syscall = find("syscall");
    return real_syscall(number, a, b, c, d, 0, 0);
}

static bool is_gone(pid_t pid)
{
    return kernel(SYS_kill, pid, 0, 0, 0) == -1 && errno == ESRCH;
}

/* ------------------------------------------------------------ Processes */

/* A place that is free, or that of a dead process. -1: there is none. */
static int take_place(int taker)
{
    for (int look_closer = 0; look_closer < 2; look_closer++)
        for (int i = 0; i < MOST_PROCESSES; i++) {
            int there = ledger->processes[i];
            if ((there == 0 || (look_closer && is_gone(abs(there)))) &&
                atomic_compare_exchange_strong(&ledger->processes[i], &there,
                                               taker))
                return i;
        }
    ledger->fork_refused = true;
    return -1;
}

/* Both write the child's pid, for either may be killed before it can. */
pid_t caged_fork(void) __asm__("fork");
pid_t caged_fork(void)
{
    int error = errno, place = take_place(-getpid());

    if (place == -1) {
        errno = EAGAIN;
        return -1;
    }
    errno = error;
    pid_t child = (pid_t)real_fork(0, 0, 0, 0, 0, 0, 0);
    ledger->processes[place] = child > 0 ? child : child == 0 ? getpid() : 0;
    return child;
}

/* A program starts. If no fork() of ours made its process, take a place. */
__attribute__((constructor)) static void enter(void)
{
    const char *words = getenv(LEDGER);
    int fd = -1;

    real_fork = find("fork");
    if (!words || sscanf(words, "%d %d", &fd, &init_pid) != 2)
        return;
    long memory = kernel(SYS_lseek, fd, 0, SEEK_END, 0) == sizeof *ledger
                      ? real_syscall(SYS_mmap, 0, sizeof *ledger,
                                     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                      : -1;
    if (memory != -1)
        ledger = (struct ledger *)memory;
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (ledger->processes[i] == getpid())
            return;
    if (take_place(getpid()) == -1)
        _exit(EXIT_FAILURE);
}

/* -------------------------------------------------------------- Signals */

/* A small file below /proc; empty if it is not there. */
static const char *read_proc(char text[400], const char *path)
{
    long fd = kernel(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
    long got = fd == -1 ? -1 : kernel(SYS_read, fd, (long)text, 399, 0);

    if (fd != -1)
        kernel(SYS_close, fd, 0, 0, 0);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

/* -1: there is no such process. */
static pid_t parent_of(pid_t pid)
{
    char path[40], text[400];

    /* "7 (name) S 1 7 ...", where the name may hold ") S 1", too. */
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const char *end = strrchr(read_proc(text, path), ')');
    return end ? atoi(end + 4) : -1;
}

/* Is it the program, or does it descend from it? */
static bool is_relative(pid_t pid)
{
    for (pid_t at = pid; at > 1;) {
        pid_t parent = parent_of(at);
        if (parent == init_pid)
            return true;
        if (parent == -1 && at == pid)
            return false;
        at = parent == -1 ? pid : parent; /* it has just died: begin anew */
    }
    return false;
}

/*
 * The program began a session of its own, and no group is in two sessions: one
 * relative in a group means that all are.
 */
static bool is_group_of_relatives(pid_t negative)
{
    pid_t group = negative == INT_MIN ? 0 : -negative;

    if (is_relative(group)) /* its leader, who may be gone */
        return true;
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (ledger->processes[i] > 0 &&
            kernel(SYS_getpgid, ledger->processes[i], 0, 0, 0) == group)
            return true;
    return false;
}

/* Whom a pidfd stands for. -1: nobody, or it is no pidfd. */
static pid_t pid_of(int fd)
{
    char path[40], text[400];

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    const char *pid = strstr(read_proc(text, path), "\nPid:");
    return pid ? atoi(pid + strlen("\nPid:")) : -1;
}

static void note(struct refusal it)
{
    int count = ledger->refusals;

    for (int i = 0; i < count && i < MOST_REFUSALS; i++)
        if (ledger->refused[i].target == it.target &&
            ledger->refused[i].signal == it.signal)
            return;
    count = atomic_fetch_add(&ledger->refusals, 1);
    if (count < MOST_REFUSALS)
        ledger->refused[count] = it;
}

/* Where nobody is hit the kernel may say so: signal 0 asks who is there. */
static bool may_signal(pid_t target, int signal)
{
    if (target > 0 && (signal == 0 || is_relative(target)))
        return true;
    if (target < -1 && (signal == 0 || is_group_of_relatives(target)))
        return true;
    if (target != 0 && target != -1 && is_gone(target))
        return true;
    note((struct refusal){target, signal});
    return false;
}

/* All ways to send a signal come through here, by the system call they make. */
static long pass(long number, long a, long b, long c, long d, long e, long f)
{
    bool allowed = true;
    int error = errno;
    pid_t pid;

    switch (number) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_rt_sigqueueinfo:
        allowed = may_signal((pid_t)a, (int)b);
        break;
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo:
        allowed = may_signal((pid_t)a, (int)c);
        break;
    case SYS_pidfd_send_signal:
        pid = pid_of((int)a);
        allowed = pid == -1 || may_signal(pid, (int)b);
        break;
    default:
        break;
    }
    errno = allowed ? error : EPERM;
    if (!real_syscall)
        real_syscall = find("syscall");
    return allowed ? real_syscall(number, a, b, c, d, e, f) : -1;
}

/*
 * The functions, under names of their own: here a call of kill() would be one
 * of the lens, which would write it down.
 */
long caged_syscall(long, long, long, long, long, long, long) __asm__("syscall");
long caged_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    return pass(number, a, b, c, d, e, f);
}

int caged_kill(pid_t, int) __asm__("kill");
int caged_kill(pid_t target, int signal)
{
    return (int)pass(SYS_kill, target, signal, 0, 0, 0, 0);
}

int caged_killpg(pid_t, int) __asm__("killpg");
int caged_killpg(pid_t group, int signal)
{
    if (group >= 0)
        return (int)pass(SYS_kill, -group, signal, 0, 0, 0, 0);
    errno = EINVAL;
    return -1;
}

int caged_tgkill(pid_t, pid_t, int) __asm__("tgkill");
int caged_tgkill(pid_t pid, pid_t thread, int signal)
{
    return (int)pass(SYS_tgkill, pid, thread, signal, 0, 0, 0);
}

int caged_pidfd(int, int, siginfo_t *, unsigned) __asm__("pidfd_send_signal");
int caged_pidfd(int fd, int signal, siginfo_t *info, unsigned flags)
{
    return (int)pass(SYS_pidfd_send_signal, fd, signal, (long)info, flags, 0,
                     0);
}

int caged_sigqueue(pid_t, int, union sigval) __asm__("sigqueue");
int caged_sigqueue(pid_t pid, int signal, union sigval value)
{
    siginfo_t info = {.si_signo = signal, .si_code = SI_QUEUE};

    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value = value;
    return (int)pass(SYS_rt_sigqueueinfo, pid, signal, (long)&info, 0, 0, 0);
}

/* ------------------------------------------------------- Semaphore sets */

/* Ask for a new set first: so we know whether this call has made it. */
int caged_semget(key_t, int, int) __asm__("semget");
int caged_semget(key_t key, int members, int flags)
{
    int error = errno;

    if (key == IPC_PRIVATE || flags & IPC_CREAT) {
        long set = kernel(SYS_semget, key, members, flags | IPC_EXCL, 0);
        int count = set == -1 ? MOST_SETS : atomic_fetch_add(&ledger->sets, 1);
        if (count < MOST_SETS)
            ledger->set[count] = (int)set;
        if (set != -1 || errno != EEXIST)
            return (int)set;
    }
    errno = error;
    return (int)kernel(SYS_semget, key, members, flags, 0);
}
