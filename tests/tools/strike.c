/*
 * strike - hit a program with one signal at one moment; what is left behind?
 *
 *     $ strike KILL line:1 main svsem_deadline
 *     svsem_deadline: KILL line:1 main: nothing left behind
 *
 * A subreaper, it waits until the program's output and every descendant have
 * ended; the guardian (guard.h) holds that output open until all is removed.
 * Then no semaphore set may exist that the output named as set=ID, and no
 * directory that it named as dir=PATH.
 *
 * MOMENT: line:N, right after the N-th line of output; exec; start:USEC, so
 * many microseconds after exec. That early, a death between semget() and the
 * guard leaves a set that no one named: strike in "unshare --ipc", then.
 *
 * AIM: main; group, as Ctrl-C would; names, all that bear the program's name,
 * as pkill(1) would; member:K, the K-th process of the family. The last two
 * do not hit the guardian.
 *
 * Exits with 0 when nothing was left, with 1 when something was (it is named,
 * and ended or removed), with 4 when there is no such moment or aim.
 */
#define _GNU_SOURCE /* pipe2(), ppoll() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "family.h"

#define EXIT_NO_SUCH 4
#define MOST_OUTPUT (1 << 20)

static char title[300]; /* "svsem_deadline: KILL line:1 main" */
static int64_t deadline;
static int faults;
static char output[MOST_OUTPUT + 1];
static size_t output_length;

/* Collect the dead. True when that was the last descendant. */
static bool family_ends(void)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);

    for (;;) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (pid == -1)
            return true; /* no child, so no descendant either */
        int64_t left = deadline - now_ns();
        if (left <= 0)
            return false;
        struct timespec timeout = to_timespec(left);
        sigtimedwait(&child, NULL, &timeout);
    }
}

static void report(const char *kind, const char *name, const char *done)
{
    printf("%s: left behind: %s '%s'%s\n", title, kind, name, done);
    faults++;
}

/* Name who is still there, and end them, generation by generation. */
static void end_family(void)
{
    find_family();
    for (int i = 0; i < family_size; i++)
        report("process", family[i].name, ", killed");
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < family_size; i++)
            kill(family[i].pid, SIGKILL);
        deadline = now_ns() + 20 * NS_PER_MS;
        if (family_ends())
            return;
        find_family();
    }
    report("process", "?", ", not to be killed");
}

/* Is there still what the output named? A set is removed, too. */
static void check_name(const char *key, const char *value)
{
    struct stat status;
    struct semid_ds set;
    union {
        struct semid_ds *buf;
    } argument = {.buf = &set};
    char *end;
    long number = strtol(value, &end, 10);

    if (strcmp(key, "dir") == 0 && lstat(value, &status) == 0)
        report("directory", value, "");
    if (strcmp(key, "set") != 0 || end == value ||
        (semctl((int)number, 0, IPC_STAT, argument) == -1 &&
         (errno == EINVAL || errno == EIDRM)))
        return;
    report("semaphore set", value, ", removed");
    semctl((int)number, 0, IPC_RMID);
}

static void check_names(void)
{
    char *rest = output;

    for (char *word; (word = strtok_r(rest, " \n", &rest));) {
        char *value = strchr(word, '=');
        if (!value)
            continue;
        *value = '\0';
        check_name(word, value + 1);
    }
}

/* Read output up to a line. False: it ended before, or the time is up. */
static bool read_lines(int fd, long lines)
{
    while (lines > 0) {
        struct pollfd source = {.fd = fd, .events = POLLIN};
        int64_t left = deadline - now_ns();
        struct timespec timeout = to_timespec(left > 0 ? left : 0);
        char *new = output + output_length;

        if (ppoll(&source, 1, &timeout, NULL) != 1)
            return false;
        ssize_t got = read(fd, new, MOST_OUTPUT - output_length);
        if (output_length == MOST_OUTPUT)
            errx(EXIT_FAILURE, "%s: too much output", title);
        if (got <= 0)
            return false;
        output_length += (size_t)got;
        for (ssize_t i = 0; i < got; i++)
            lines -= new[i] == '\n';
    }
    return true;
}

static pid_t start(char *argv[], int sig, int *from_program)
{
    const struct rlimit no_core = {0};
    int out[2], refused[2], why;
    sigset_t child, before;
    pid_t us = getpid();

    if (pipe2(out, O_CLOEXEC) == -1 || pipe2(refused, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);

    pid_t program = fork();
    if (program == -1)
        err(EXIT_FAILURE, "fork");
    if (program == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != us)
            _exit(EXIT_FAILURE);
        setpgid(0, 0); /* a blow at its group must not hit us */
        setrlimit(RLIMIT_CORE, &no_core);
        signal(sig, SIG_DFL); /* it may be ignored, as by nohup(1) */
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        sigprocmask(SIG_SETMASK, &before, NULL);
        execvp(argv[0], argv);
        why = errno;
        _exit(write(refused[1], &why, sizeof why) != sizeof why);
    }
    close(out[1]);
    close(refused[1]);
    if (read(refused[0], &why, sizeof why) > 0) { /* else closed by exec */
        errno = why;
        err(EXIT_FAILURE, "%s", argv[0]);
    }
    *from_program = out[0];
    return program;
}

static _Noreturn void usage(void)
{
    fputs("usage: strike [-t LIMIT] SIGNAL MOMENT AIM PROGRAM [ARG...]\n"
          "  LIMIT   for what the program does when it is struck, default 20s\n"
          "  SIGNAL  KILL, TERM, INT, HUP, QUIT, SEGV or PIPE\n"
          "  MOMENT  line:N, exec or start:USEC\n"
          "  AIM     main, group, names or member:K\n",
          stderr);
    exit(EXIT_USAGE);
}

static int parse_signal(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {
        {"KILL", SIGKILL}, {"TERM", SIGTERM}, {"INT", SIGINT},
        {"HUP", SIGHUP},   {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},
        {"PIPE", SIGPIPE},
    };

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcmp(name, signals[i].name) == 0)
            return signals[i].number;
    usage();
}

static long parse_count(const char *text)
{
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);

    if (errno != 0 || *end != '\0' || count < 1 || count > 1000000)
        usage();
    return count;
}

/* Wait until it is time to strike. False when that will never be. */
static bool wait_for(const char *moment, int from_program)
{
    if (strcmp(moment, "exec") == 0)
        return true;
    if (strncmp(moment, "line:", 5) == 0)
        return read_lines(from_program, parse_count(moment + 5));
    if (strncmp(moment, "start:", 6) != 0)
        usage();
    struct timespec pause = to_timespec(parse_count(moment + 6) * NS_PER_US);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    return true;
}

/* Send the signal. False when there is no one to send it to. */
static bool hit(const char *aim, int sig, pid_t program, const char *name)
{
    if (strcmp(aim, "main") == 0)
        return kill(program, sig) == 0;
    if (strcmp(aim, "group") == 0)
        return kill(-program, sig) == 0;

    bool by_name = strcmp(aim, "names") == 0, any = false;
    if (!by_name && strncmp(aim, "member:", 7) != 0)
        usage();
    long number = by_name ? 0 : parse_count(aim + 7);

    find_family();
    for (int i = 0; i < family_size; i++) {
        if (strcmp(family[i].name, "guardian") == 0)
            continue;
        if (by_name ? strncmp(family[i].name, name, 15) == 0 : --number == 0)
            any |= kill(family[i].pid, sig) == 0;
    }
    return any;
}

int main(int argc, char *argv[])
{
    int64_t most = 20 * NS_PER_SEC, limit = most;
    for (int option; (option = getopt(argc, argv, "+t:")) != -1;)
        if (option == 't')
            limit = parse_duration(optarg);
        else
            usage();
    argv += optind;
    if (argc - optind < 4)
        usage();
    int sig = parse_signal(argv[0]);
    const char *moment = argv[1], *aim = argv[2], *name = basename(argv[3]);
    snprintf(title, sizeof title, "%s: %s %s %s", name, argv[0], moment, aim);
    const char *scale = getenv("KIT_TIME_SCALE");
    long patience = scale ? parse_count(scale) : 1;

    prctl(PR_SET_CHILD_SUBREAPER, 1);

    int from_program;
    deadline = now_ns() + most * patience; /* for the moment to come */
    pid_t program = start(argv + 3, sig, &from_program);
    bool struck =
        wait_for(moment, from_program) && hit(aim, sig, program, name);
    if (!struck)
        kill(program, SIGKILL); /* that must leave nothing either */
    deadline = now_ns() + limit * patience;
    read_lines(from_program, LONG_MAX);
    if (!family_ends())
        end_family();
    check_names();

    if (faults == 0)
        printf("%s: %s\n", title,
               struck ? "nothing left behind" : "no such moment or process");
    return faults > 0 ? EXIT_FAILURE : struck ? EXIT_SUCCESS : EXIT_NO_SUCH;
}
