/*
 * wild - does what a cage must not let it do, for the tests of cage.c.
 *
 *     $ wild kill 4711
 *     wild: kill(4711): Operation not permitted
 *
 * It bounds itself: 300 processes, 64 MiB of files, a minute. A MODE that
 * sends a signal takes the target as its NUMBER.
 */
#define _GNU_SOURCE /* semget(), pipe2(), tgkill() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define MOST_BORN 300
#define MIB (1 << 20)
#define LAST_RESORT 60 /* seconds */

static int number; /* the second argument; or how many, for a report */

static void report(const char *call, long result)
{
    printf("wild: %s(%d): %s\n", call, number,
           result == -1 ? strerror(errno) : "done");
}

static _Noreturn void hang(void)
{
    alarm(LAST_RESORT); /* a forked child does not inherit it */
    for (;;)
        pause();
}

/* ------------------------------------------------ Time, output, storage */

static _Noreturn void spin(void)
{
    alarm(LAST_RESORT);
    for (volatile int i = 0;; i++)
        continue;
}

/* Two processes that block all signals, one of them in a session of its own. */
static _Noreturn void deaf(void)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGALRM);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (fork() == 0) {
        setsid();
        puts("wild: deaf");
    }
    hang();
}

static void write_file(void)
{
    static char data[MIB];
    int fd = open("wild.file", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd == -1)
        err(EXIT_FAILURE, "wild.file");
    for (int i = 0; i < 64; i++)
        if (write(fd, data, sizeof data) != sizeof data)
            break;
    report("write", -1);
}

static void write_file_anyhow(void)
{
    signal(SIGXFSZ, SIG_IGN);
    write_file();
}

static void use_memory(void)
{
    int got = 0;

    while (got < 4096 && malloc(MIB))
        got++;
    printf("wild: memory_MiB=%d\n", got);
}

/* ------------------------------------------------------------ Processes */

/* A child that ends when we have. */
static pid_t follower(void)
{
    static int lifeline[2];
    char none;

    if (lifeline[1] == 0 && pipe2(lifeline, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    pid_t child = fork();
    if (child != 0)
        return child;
    close(lifeline[1]);
    alarm(LAST_RESORT);
    _exit(read(lifeline[0], &none, 1) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void breed(void)
{
    for (number = 0; number < MOST_BORN; number++)
        if (follower() == -1)
            break;
    report("fork", -1);
}

/* Children that end at once, but are not waited for. */
static void breed_zombies(void)
{
    for (number = 0; number < MOST_BORN; number++) {
        pid_t child = fork();
        if (child == 0)
            _exit(EXIT_SUCCESS);
        if (child == -1)
            break;
    }
    report("fork", -1);
}

/* Never more than one child: that must be allowed. */
static void breed_in_turn(void)
{
    for (number = 0; number < MOST_BORN; number++) {
        pid_t child = fork();
        if (child == 0)
            _exit(EXIT_SUCCESS);
        if (child == -1)
            err(EXIT_FAILURE, "fork");
        if (number % 2 == 0)
            kill(child, SIGKILL); /* perhaps before it has done anything */
        waitpid(child, NULL, 0);
    }
    report("fork", 0);
}

/*
 * Children that are programs and hang. posix_spawn() calls no fork(), and does
 * not see that one ends before its main(): we wait for that.
 */
static _Noreturn void breed_programs(void)
{
    char name[] = "wild", mode[] = "hang";
    char *argv[] = {name, mode, NULL};
    pid_t child;

    for (number = 0; number < MOST_BORN; number++)
        if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ))
            break;
    child = wait(NULL);
    report("posix_spawn", child);
    hang();
}

/* Every process forks until it cannot, and the last to be stuck says so. */
static _Noreturn void bomb(void)
{
    struct {
        atomic_int alive, stuck;
    } *all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");

    all->alive = 1;
    while (atomic_fetch_add(&all->alive, 1) < MOST_BORN) {
        pid_t child = fork();
        if (child == -1)
            break;
        if (child == 0 && getpid() % 2 == 0)
            setsid();
    }
    all->alive--; /* one was not born */
    int error = errno, stuck = atomic_fetch_add(&all->stuck, 1) + 1;
    number = all->alive;
    errno = error;
    if (stuck == number)
        report("bomb", -1);
    hang();
}

/* -------------------------------------------------------------- Signals */

static void by_kill(void)
{
    kill(number, SIGTERM);
    report("kill", kill(number, SIGTERM));
}

static void by_killpg(void)
{
    report("killpg", killpg(number, SIGTERM));
}

static void by_tgkill(void)
{
    report("tgkill", tgkill(number, number, SIGTERM));
}

static void by_sigqueue(void)
{
    report("sigqueue", sigqueue(number, SIGTERM, (union sigval){0}));
}

static void by_syscall(void)
{
    report("syscall", syscall(SYS_kill, number, SIGTERM));
}

static void by_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, number, 0);

    if (fd == -1)
        err(EXIT_FAILURE, "pidfd_open");
    report("pidfd", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
}

/* Without any environment, and so without the library. */
static void unarmed(void)
{
    execle("/proc/self/exe", "wild", "kill", "-1", NULL, (char *[]){NULL});
    err(EXIT_FAILURE, "execle");
}

static void ask(void)
{
    report("kill", kill(number, 0));
}

static void expect(const char *what, bool holds)
{
    if (!holds)
        err(EXIT_FAILURE, "%s", what);
}

static volatile sig_atomic_t heard;

static void hear(int sig)
{
    (void)sig;
    heard++;
}

/* What a program may do to itself and its family. */
static void signal_relatives(void)
{
    struct sigaction action = {.sa_handler = hear, .sa_flags = SA_RESTART};
    pid_t us = getpid();
    int status;

    sigaction(SIGUSR1, &action, NULL);
    expect("self", kill(us, SIGUSR1) == 0 && raise(SIGUSR1) == 0);
    expect("own group", kill(-getpgrp(), SIGUSR1) == 0);
    expect("own group", killpg(getpgrp(), SIGUSR1) == 0);
    expect("heard", heard == 4);

    pid_t first = follower(), second = fork();
    expect("fork", first > 0 && second != -1);
    if (second == 0)
        _exit(kill(us, SIGUSR1) == -1 || kill(first, SIGTERM) == -1);
    waitpid(second, &status, 0);
    expect("parent and sibling", status == 0);
    waitpid(first, &status, 0);
    expect("sibling", WIFSIGNALED(status) && heard == 5);
    expect("no one", kill(first, SIGTERM) == -1 && errno == ESRCH);

    pid_t child = follower();
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    expect("pidfd", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
    waitpid(child, NULL, 0);
    expect("no one",
           syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == -1 &&
               errno == ESRCH);

    /* A group whose leader is gone. */
    pid_t leader = fork();
    if (leader == 0) {
        setpgid(0, 0);
        pid_t member = follower();
        _exit(member == -1);
    }
    waitpid(leader, &status, 0);
    expect("group", status == 0 && kill(-leader, SIGTERM) == 0);
    puts("wild: relatives: done");
}

/* --------------------------------------------------- What is not its own */

/* A process remains; with it, the guardian of a set. */
static void leave_guarded(void)
{
    int set = semget(IPC_PRIVATE, 1, 0600);

    guard_semaphore_set(set);
    printf("wild: set=%d\n", set);
    if (fork() == 0)
        hang();
}

static void make_sets(void)
{
    int key = getpid() << 8 | 7;

    printf("wild: sets=%d,%d\n", semget(IPC_PRIVATE, 1, 0600),
           semget(key, 1, IPC_CREAT | 0600));
}

/* Open a set, or make it if it is not there. */
static void use_set(void)
{
    printf("wild: set=%d\n", semget(number, 1, IPC_CREAT | 0666));
}

static void spoil(void)
{
    report("unlink", unlink("ours"));
    report("chmod", chmod("ours", 0777));
    report("rename", rename("ours", "wild.ours"));
    report("chmod here", chmod(".", 0777));
    report("truncate", open("ours", O_WRONLY | O_TRUNC));
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"hang", hang},
    {"spin", spin},
    {"deaf", deaf},
    {"write_file", write_file},
    {"write_file_anyhow", write_file_anyhow},
    {"use_memory", use_memory},
    {"breed", breed},
    {"breed_zombies", breed_zombies},
    {"breed_in_turn", breed_in_turn},
    {"breed_programs", breed_programs},
    {"bomb", bomb},
    {"kill", by_kill},
    {"killpg", by_killpg},
    {"tgkill", by_tgkill},
    {"sigqueue", by_sigqueue},
    {"syscall", by_syscall},
    {"pidfd", by_pidfd},
    {"ask", ask},
    {"unarmed", unarmed},
    {"signal_relatives", signal_relatives},
    {"leave_guarded", leave_guarded},
    {"make_sets", make_sets},
    {"use_set", use_set},
    {"spoil", spoil},
};

int main(int argc, char *argv[])
{
    setlinebuf(stdout);
    number = argc == 3 ? atoi(argv[2]) : 0;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (argc >= 2 && strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run();
            return EXIT_SUCCESS;
        }
    fputs("usage: wild MODE [NUMBER]\n", stderr);
    return EXIT_USAGE;
}
