/*
 * lens_probe - calls that are hard on the lens, one kind at a time.
 *
 *     lens_probe deadline    a deadline loop around semtimedop(), 10 s
 *     lens_probe family      forks, threads, an exec, a spawn: who is who
 *     lens_probe flood       two processes, 5,000 polls each, at once
 *     lens_probe descriptors closes and reuses every number it can
 *     lens_probe signals     a handler that makes calls; errno; the mask
 *     lens_probe pointers    pointers that the kernel refuses
 *     lens_probe full        no more room for any file, then makes calls
 *     lens_probe pending     likewise, with a SIGXFSZ of its own pending
 *     lens_probe hang        waits for a child that never ends
 *     lens_probe lock        tries for the lock on its stdin until it has it
 *     lens_probe send        100 bytes to itself, in as many sends as it takes
 *     lens_probe costs       how long a call takes, in ns
 *
 * Without faults it prints the same with and without the lens, costs aside.
 */
#define _GNU_SOURCE /* semtimedop(), close_range() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

extern char **environ;

static int new_set(void)
{
    int set = semget(IPC_PRIVATE, 1, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    return set;
}

static int deadline(void)
{
    int set = new_set();
    int64_t end = now_ns() + 10 * NS_PER_SEC;

    for (int tries = 1;; tries++) {
        int64_t left = end - now_ns();
        bool last = left <= 0;
        struct sembuf take = {.sem_op = -1, .sem_flg = last ? IPC_NOWAIT : 0};
        struct timespec timeout = to_timespec(last ? 0 : left);
        int rc = semtimedop(set, &take, 1, &timeout);
        if (rc == -1 && errno == EINTR)
            continue;
        printf("probe: tries=%d errno=%s\n", tries,
               rc == -1 ? errno_name(errno) : "0");
        return rc == -1 ? EXIT_TIMED_OUT : EXIT_SUCCESS;
    }
}

static void *nap(void *unused)
{
    struct timespec pause = to_timespec(NS_PER_MS);

    (void)unused;
    nanosleep(&pause, NULL);
    return NULL;
}

static int nap_briefly(void)
{
    nap(NULL);
    return EXIT_SUCCESS;
}

static void collect(pid_t child)
{
    int status;

    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (waitpid(child, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    printf("probe: child status=%d\n", status);
}

static int family(void)
{
    char *again[] = {(char *)"lens_probe", (char *)"nap", NULL};
    pthread_t threads[2];

    pid_t child = fork(); /* 0.1, with threads 1 and 2 */
    if (child == 0) {
        prctl(PR_SET_NAME, "twins");
        for (int i = 0; i < 2; i++)
            if (pthread_create(&threads[i], NULL, nap, NULL) != 0)
                _exit(EXIT_FAILURE);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        pid_t grandchild = fork(); /* 0.1.1 */
        if (grandchild == 0)
            nap(NULL);
        _exit(grandchild > 0 && waitpid(grandchild, NULL, 0) == -1);
    }
    collect(child);

    child = fork(); /* 0.2 is another program, and stays 0.2 */
    if (child == 0) {
        execl("/proc/self/exe", "lens_probe", "nap", (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    collect(child);

    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, again, environ) != 0)
        errx(EXIT_FAILURE, "posix_spawn");
    collect(child); /* 0.p<pid> */

    child = vfork(); /* its parent's memory, and ours in it */
    if (child == 0) {
        execve("/proc/self/exe", again, environ);
        _exit(EXIT_FAILURE);
    }
    collect(child);
    return EXIT_SUCCESS;
}

static int flood(void)
{
    pid_t child = fork();

    for (int i = 0; i < 5000; i++)
        poll(NULL, 0, 0);
    if (child == 0)
        _exit(EXIT_SUCCESS);
    collect(child);
    return EXIT_SUCCESS;
}

static int descriptors(void)
{
    int refused = 0;

    for (int fd = 3; fd < 1100; fd++)
        refused += close(fd) == -1 && errno == EBADF;
    printf("probe: refused=%d\n", refused);
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) == -1)
        err(EXIT_FAILURE, "getrlimit");
    for (int fd = 990; fd < 1010 && (rlim_t)fd < most.rlim_cur; fd++)
        if (dup2(STDOUT_FILENO, fd) != fd || write(fd, ".", 1) != 1)
            err(EXIT_FAILURE, "dup2");
    if (close_range(3, ~0U, 0) == -1)
        err(EXIT_FAILURE, "close_range");
    int fd = open("/dev/null", O_RDONLY);
    printf("\nprobe: fd=%d\n", fd);
    closefrom(3);
    kill(getpid(), 0); /* the last that the trace must hold */
    return EXIT_SUCCESS;
}

static volatile sig_atomic_t handled;

static void on_alarm(int sig)
{
    struct timespec now;

    (void)sig;
    clock_gettime(CLOCK_MONOTONIC, &now);
    close(-1); /* leaves EBADF, as a handler should not */
    handled++;
}

static int signals(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    /* Again and again: the first may come before we wait, and be lost. */
    struct itimerval soon = {{.tv_usec = 10000}, {.tv_usec = 10000}};
    struct itimerval never = {{0}, {0}};
    struct sembuf take = {.sem_op = -1};
    struct timespec long_enough = {.tv_sec = 10};
    sigset_t mask;
    int set = new_set();

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    int rc = semtimedop(set, &take, 1, &long_enough);
    printf("probe: rc=%d errno=%s handled=%d\n", rc, errno_name(errno),
           handled > 0);
    setitimer(ITIMER_REAL, &never, NULL);

    int ends[2];
    if (pipe(ends) == -1)
        err(EXIT_FAILURE, "pipe");
    errno = ENOTTY; /* what succeeds must leave it alone */
    if (write(ends[1], "x", 1) != 1)
        err(EXIT_FAILURE, "write");
    kill(getpid(), 0);
    semctl(set, 0, SETVAL, 1);
    semtimedop(set, &take, 1, &long_enough);
    nap(NULL);
    printf("probe: errno=%s\n", errno == ENOTTY ? "ENOTTY" : "changed");

    sigprocmask(SIG_SETMASK, NULL, &mask);
    printf("probe: SIGPIPE=%d SIGXFSZ=%d\n", sigismember(&mask, SIGPIPE),
           sigismember(&mask, SIGXFSZ));
    return EXIT_SUCCESS;
}

static void say_refused(const char *call, bool refused)
{
    printf("probe: call=%s refused=%d\n", call, refused);
}

/* Each begins on the last bytes of a page, and the next one is nobody's. */
static int pointers(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    struct timespec soon = {0};
    int set = new_set();

    char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    if (munmap(pages + size, size) == -1)
        err(EXIT_FAILURE, "munmap");
    for (size_t inside = 0; inside <= 8; inside += 8) {
        void *bad = pages + size - inside;
        struct sembuf take = {.sem_op = -1};
        say_refused("semtimedop",
                    semtimedop(set, bad, 2, &soon) == -1 && errno == EFAULT);
        say_refused("semtimedop",
                    semtimedop(set, &take, 1, bad) == -1 && errno == EFAULT);
        say_refused("nanosleep", nanosleep(bad, NULL) == -1 && errno == EFAULT);
        say_refused("poll", poll(bad, 2, 0) == -1 && errno == EFAULT);
        say_refused("clock_nanosleep",
                    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, bad, NULL) ==
                        EFAULT);
    }
    say_refused("open", open(pages + size, O_RDONLY) == -1 && errno == EFAULT);
    return EXIT_SUCCESS;
}

/* No file may grow any more: neither may the trace. */
static int fill(bool of_its_own)
{
    struct rlimit before, nothing;
    sigset_t xfsz, waiting;

    sigemptyset(&xfsz);
    sigaddset(&xfsz, SIGXFSZ);
    if (of_its_own) {
        sigprocmask(SIG_BLOCK, &xfsz, NULL);
        raise(SIGXFSZ);
    }
    if (getrlimit(RLIMIT_FSIZE, &before) == -1)
        err(EXIT_FAILURE, "getrlimit");
    nothing = before;
    nothing.rlim_cur = 0;
    if (setrlimit(RLIMIT_FSIZE, &nothing) == -1)
        err(EXIT_FAILURE, "setrlimit");
    for (int i = 0; i < 3; i++)
        kill(getpid(), 0);
    if (setrlimit(RLIMIT_FSIZE, &before) == -1)
        err(EXIT_FAILURE, "setrlimit");
    sigpending(&waiting);
    printf("probe: pending=%d\n", sigismember(&waiting, SIGXFSZ));
    return EXIT_SUCCESS;
}

static int full(void)
{
    return fill(false);
}

static int pending(void)
{
    return fill(true);
}

static int hang(void)
{
    int ends[2];
    char none;

    if (pipe(ends) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "silent");
        return read(ends[0], &none, 1) == 1; /* holds ends[1]: no end of file */
    }
    collect(child);
    return EXIT_SUCCESS;
}

static int lock(void)
{
    while (flock(STDIN_FILENO, LOCK_EX | LOCK_NB) == -1) {
        if (errno != EAGAIN)
            err(EXIT_FAILURE, "flock");
        nap(NULL);
    }
    puts("probe: acquired");
    return EXIT_SUCCESS;
}

static int send_all(void)
{
    char bytes[100] = "";
    ssize_t left = sizeof bytes;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    while (left > 0) {
        ssize_t sent = send(pair[0], bytes, (size_t)left, 0);
        if (sent == -1)
            err(EXIT_FAILURE, "send");
        printf("probe: sent=%zd\n", sent);
        left -= sent;
    }
    return EXIT_SUCCESS;
}

/* The best of many: what the machine does beside does not count. */
static int costs(void)
{
    struct sembuf both[] = {{0, 1, 0}, {0, -1, 0}};
    struct timespec limit = {.tv_sec = 1};
    int64_t best = INT64_MAX;
    int set = new_set();

    for (int batch = 0; batch < 100; batch++) {
        int64_t start = now_ns();
        for (int i = 0; i < 50; i++)
            if (semtimedop(set, both, 2, &limit) == -1)
                err(EXIT_FAILURE, "semtimedop");
        int64_t took = (now_ns() - start) / 50;
        best = took < best ? took : best;
    }
    printf("probe: semtimedop_ns=%" PRId64 "\n", best);
    return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*run)(void);
    } kinds[] = {
        {"deadline", deadline}, {"family", family},
        {"flood", flood},       {"signals", signals},
        {"full", full},         {"pending", pending},
        {"hang", hang},         {"lock", lock},
        {"send", send_all},     {"costs", costs},
        {"nap", nap_briefly},   {"descriptors", descriptors},
        {"pointers", pointers},
    };

    setlinebuf(stdout);
    for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(argv[1], kinds[i].name) == 0)
            return kinds[i].run();
    errx(EXIT_USAGE, "which kind of call? The source lists them.");
}
