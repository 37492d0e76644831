/*
 * unruly - misbehaves in one way, for the tests of bound.c and strike.c.
 *
 *     $ unruly deaf
 *     unruly: pid=4711 mode=deaf
 *
 * Each of its processes says its pid, and ends by an alarm within a minute,
 * so that a broken tool leaves nothing for long.
 */
#define _GNU_SOURCE /* semget(), pipe2() */

#include <err.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define BOMB_SIZE 200
#define LAST_RESORT 60 /* seconds */

static void introduce(const char *name)
{
    alarm(LAST_RESORT); /* a forked child does not inherit it */
    prctl(PR_SET_NAME, name);
    printf("%s: pid=%d\n", name, (int)getpid());
}

static _Noreturn void hang(void)
{
    for (;;)
        pause();
}

static _Noreturn void deaf(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    puts("unruly: deaf");
    hang();
}

static _Noreturn void stopped(void)
{
    raise(SIGSTOP);
    hang();
}

static _Noreturn void endless(void)
{
    for (;;)
        puts("unruly: and on");
}

/* Print half a line, which stdio would keep, then hang. */
static _Noreturn void prompt(void)
{
    printf("Password: ");
    fflush(stdout);
    hang();
}

/* Leave a dead child unburied. */
static _Noreturn void zombie(void)
{
    siginfo_t info;
    pid_t child = fork();

    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0)
        _exit(EXIT_SUCCESS);
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == -1)
        err(EXIT_FAILURE, "waitid");
    hang();
}

/* End before a child that keeps our output open and soon ends, too. */
static void lingerer(void)
{
    int parent_lives[2];
    char none;

    if (pipe2(parent_lives, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    pid_t child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child > 0)
        return;
    close(parent_lives[1]);
    if (read(parent_lives[0], &none, 1) == -1)
        err(EXIT_FAILURE, "read");
    introduce("lingerer");
}

/* Return when a child is there that will outlive us. */
static void leave_behind(const char *name, bool is_daemon)
{
    int not_ready[2];
    char none;

    if (pipe2(not_ready, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    pid_t child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child > 0) {
        close(not_ready[1]);
        if (read(not_ready[0], &none, 1) == -1)
            err(EXIT_FAILURE, "read");
        close(not_ready[0]);
        return;
    }

    if (is_daemon) {
        setsid();
        if (fork() != 0)
            _exit(EXIT_SUCCESS);
    }
    introduce(name);
    if (is_daemon) {
        fclose(stdout);
        fclose(stderr);
    }
    close(not_ready[1]);
    hang();
}

static void orphan(void)
{
    leave_behind("orphan", false);
}

/* A session of its own, no output, no parent. */
static void turn_daemon(void)
{
    leave_behind("daemon", true);
}

static void orphans(void)
{
    orphan();
    turn_daemon();
}

/* Hang beside someone who bears the guardian's name, and never ends. */
static _Noreturn void impostor(void)
{
    leave_behind("guardian", true);
    hang();
}

/* Two processes of one name: the first waits for the second. */
static void pair(void)
{
    pid_t child = fork();

    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0) {
        introduce("unruly");
        hang();
    }
    if (waitpid(child, NULL, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
}

/* Every process forks without end, until there were BOMB_SIZE in all. */
static _Noreturn void bomb(void)
{
    atomic_int *born = mmap(NULL, sizeof *born, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (born == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");

    for (int number; (number = atomic_fetch_add(born, 1)) < BOMB_SIZE;) {
        if (fork() != 0)
            continue;
        if (number % 2 == 0)
            setsid();
        introduce("bomb");
    }
    hang();
}

/* Beside us, be reborn under a new pid again and again, for a while. */
static _Noreturn void phoenix(void)
{
    int64_t end = now_ns() + 5 * NS_PER_SEC;

    if (fork() == 0) {
        introduce("phoenix");
        while (now_ns() < end)
            if (fork() != 0)
                _exit(EXIT_SUCCESS);
        _exit(EXIT_SUCCESS);
    }
    hang();
}

/* Hide in the process group of bound itself, behind a misleading name. */
static _Noreturn void deserter(void)
{
    if (setpgid(0, getpgid(getppid())) == -1)
        err(EXIT_FAILURE, "setpgid");
    signal(SIGTERM, SIG_IGN);
    introduce("deserter) Z 1 1");
    hang();
}

static _Noreturn void kill_group(void)
{
    kill(0, SIGKILL);
    hang();
}

/* Close stdout early, and end when the input ends. */
static void mute(void)
{
    char none;

    fclose(stdout);
    if (read(STDIN_FILENO, &none, 1) == -1)
        _exit(EXIT_FAILURE);
}

/* Hang if SIGCHLD is blocked, and take no notice of a hangup. */
static void unmasked(void)
{
    sigset_t mask;

    signal(SIGHUP, SIG_IGN);
    puts("unruly: ignoring SIGHUP");
    sigprocmask(SIG_BLOCK, NULL, &mask);
    if (sigismember(&mask, SIGCHLD))
        hang();
}

static int make_set(void)
{
    int set = semget(IPC_PRIVATE, 1, 0600);

    if (set == -1)
        err(EXIT_FAILURE, "semget");
    return set;
}

static _Noreturn void guarded(void)
{
    int set = make_set();
    guard_semaphore_set(set);
    printf("unruly: set=%d\n", set);
    hang();
}

static void leak_set(void)
{
    printf("unruly: set=%d\n", make_set());
}

/* Be told to end, and only then forget a set, and say so on stderr. */
static void leak_late(void)
{
    sigset_t term;
    int sig;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    puts("unruly: waiting");
    sigwait(&term, &sig);
    fprintf(stderr, "unruly: set=%d\n", make_set());
}

static void leak_directory(void)
{
    char path[] = "/tmp/unruly.XXXXXX";

    if (!mkdtemp(path))
        err(EXIT_FAILURE, "mkdtemp");
    printf("unruly: dir=%s\n", path);
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"hang", hang},
    {"deaf", deaf},
    {"stopped", stopped},
    {"endless", endless},
    {"prompt", prompt},
    {"lingerer", lingerer},
    {"orphan", orphan},
    {"daemon", turn_daemon},
    {"orphans", orphans},
    {"impostor", impostor},
    {"pair", pair},
    {"bomb", bomb},
    {"mute", mute},
    {"zombie", zombie},
    {"unmasked", unmasked},
    {"guarded", guarded},
    {"leak_set", leak_set},
    {"leak_late", leak_late},
    {"leak_directory", leak_directory},
    {"phoenix", phoenix},
    {"deserter", deserter},
    {"kill_group", kill_group},
};

int main(int argc, char *argv[])
{
    setlinebuf(stdout);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (argc == 2 && strcmp(argv[1], modes[i].name) == 0) {
            introduce("unruly");
            modes[i].run();
            return EXIT_SUCCESS;
        }
    fputs("usage: unruly MODE\n", stderr);
    return EXIT_USAGE;
}
