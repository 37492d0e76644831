/*
 * bound - run a program within bounds, and answer for its whole family.
 *
 * A child subreaper: orphans become our children, whatever their session, so
 * "no child left" means "no descendant left". Exits with 124 when it had to
 * step in, and says why; else like the program, 128+n where signal n ended
 * it, 127 or 126 where it did not start. KIT_TIME_SCALE stretches all times.
 *
 *     $ bound -t 300ms sh -c 'sleep 60 & exec sleep 60'
 *     bound: hung: 'sleep' still ran after 0.3 s, killed
 *     bound: hung: 'sleep' still ran after 0.3 s, killed
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
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "family.h"

#define EXIT_STEPPED_IN 124
#define MOST_NAMES 5 /* we tell: a fork bomb has thousands */

static int64_t limit = 20 * NS_PER_SEC; /* for the program */
static int64_t grace = 2 * NS_PER_SEC;  /* for what outlives it */
static int64_t deadline;                /* of what we wait for now */
static long output_limit = 1 << 20, output_left;

static pid_t program;
static bool program_ended, family_ended;
static int exit_code, told_to_end, times_killed;
static FILE *words; /* ours; they come after the program's */

static sigset_t signals; /* blocked: signalfd(2) and sigtimedwait(2) see them */
static sigset_t mask_before;
static struct sigaction sigchld_before;

/* A pipe from the program, and where its bytes go. */
static struct channel {
    int from, to; /* from is -1 after end of file */
    bool room;    /* "to" takes PIPE_BUF bytes at once: poll() said so */
} channels[] = {{.to = STDERR_FILENO}, {.to = STDOUT_FILENO}};
static char last_on_stderr = '\n';

/* Wait for a signal, for so long at most, and collect who has ended. */
static void take_signal(int64_t patience)
{
    struct timespec timeout = to_timespec(patience);
    int sig = sigtimedwait(&signals, NULL, &timeout), status;
    pid_t pid;

    if (sig > 0 && sig != SIGCHLD)
        told_to_end = sig;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == program) {
            program_ended = true;
            exit_code = WIFEXITED(status) ? WEXITSTATUS(status)
                                          : 128 + WTERMSIG(status);
            deadline = now_ns() + grace;
        }
    if (pid == -1 && !family_ended) { /* no child, so no descendant */
        family_ended = true;
        deadline = now_ns() + limit; /* for whoever reads our output */
    }
}

/*
 * Find whom to kill. At first that is not the kit's guardian (guard.h): it
 * ends by itself when the others have, and removes what they leave.
 */
static void find_victims(void)
{
    int victims = 0;

    find_family();
    for (int i = 0; i < family_size; i++)
        if (times_killed > 0 || strcmp(family[i].name, "guardian") != 0)
            family[victims++] = family[i];
    family_size = victims;
}

static void name_victims(void)
{
    for (int i = 0; i < family_size && i < MOST_NAMES; i++)
        fprintf(words, "bound: %s: '%s' %s %g s, killed\n",
                program_ended ? "left behind" : "hung", family[i].name,
                program_ended ? "outlived the program by" : "still ran after",
                (double)(program_ended ? grace : limit) / NS_PER_SEC);
    if (family_size > MOST_NAMES)
        fprintf(words, "bound: and %d more\n", family_size - MOST_NAMES);
}

static void kill_family(bool tell)
{
    int64_t give_up = now_ns() + grace;

    find_victims();
    if (tell)
        name_victims();
    while (family_size > 0 && now_ns() < give_up) {
        for (int i = 0; i < family_size; i++) {
            pid_t group = family[i].group;
            kill(family[i].pid, SIGKILL);
            /* A group dies in one step, which no fork bomb can outrun. */
            if (group > 1 && group != getpgrp()) /* kill(-1) hits everyone */
                kill(-group, SIGKILL);
        }
        take_signal(10 * NS_PER_MS);
        find_victims();
    }
    times_killed++;
    deadline = now_ns() + grace;
}

static void time_is_up(void)
{
    if (!family_ended && times_killed < 2) {
        kill_family(true);
        return;
    }
    fputs(family_ended ? "bound: output: no one read it to its end\n"
                       : "bound: left behind: could not be killed\n",
          words);
    family_ended = true;
    channels[0].from = channels[1].from = -1;
}

/*
 * Take one step: first there must be room, then something to read. So we
 * never wait here, and a program whose output no one reads will wait itself.
 */
static void copy(struct channel *it)
{
    char data[PIPE_BUF];

    it->room = !it->room;
    if (it->room)
        return;
    ssize_t got = read(it->from, data, sizeof data);
    ssize_t most = got < output_left ? got : output_left;
    if (got <= 0 || write(it->to, data, (size_t)most) != most) {
        close(it->from); /* goes on writing? It meets EPIPE itself */
        it->from = -1;
        if (it->to == STDOUT_FILENO)
            close(STDOUT_FILENO); /* its reader may wait for that */
        return;
    }
    output_left -= most;
    if (it->to == STDERR_FILENO && most > 0)
        last_on_stderr = data[most - 1];
    if (got > most) {
        fprintf(words, "bound: output: more than %ld bytes, cut and killed\n",
                output_limit);
        channels[0].from = channels[1].from = -1;
        kill_family(false);
    }
}

/* One poll() for all we wait for. */
static void watch(int signal_fd)
{
    while (!family_ended || channels[0].from != -1 || channels[1].from != -1) {
        struct pollfd fds[3] = {[2] = {.fd = signal_fd, .events = POLLIN}};
        for (int i = 0; i < 2; i++) {
            struct channel it = channels[i];
            fds[i].fd = it.from == -1 || it.room ? it.from : it.to;
            fds[i].events = it.room ? POLLIN : POLLOUT;
        }
        int64_t left = deadline - now_ns();
        struct timespec timeout = to_timespec(left > 0 ? left : 0);
        if (ppoll(fds, 3, &timeout, NULL) == -1 && errno != EINTR)
            err(EXIT_FAILURE, "ppoll");

        if (fds[2].revents)
            take_signal(0);
        for (int i = 0; i < 2; i++)
            if (fds[i].revents && channels[i].from != -1)
                copy(&channels[i]);
        if (told_to_end && times_killed == 0) {
            fprintf(words, "bound: %s: killed\n", strsignal(told_to_end));
            kill_family(false);
        }
        if (now_ns() >= deadline)
            time_is_up();
    }
}

/* Blocked, not handled, so that start() can undo all of it. */
static void take_over_signals(void)
{
    static const int endings[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    struct sigaction had, plain = {.sa_handler = SIG_DFL};

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    for (int i = 0; i < 4; i++) {
        sigaction(endings[i], NULL, &had);
        if (had.sa_handler != SIG_IGN || endings[i] == SIGTERM)
            sigaddset(&signals, endings[i]); /* nohup(1) stays in force */
    }
    sigaction(SIGCHLD, &plain, &sigchld_before);
    sigset_t blocked = signals;
    sigaddset(&blocked, SIGPIPE); /* write() tells us by EPIPE */
    sigprocmask(SIG_BLOCK, &blocked, &mask_before);
}

static void start(char *argv[])
{
    struct stat out, errors;
    int pipes[2][2];
    pid_t us = getpid();

    if (fstat(STDOUT_FILENO, &out) == -1 || fstat(STDERR_FILENO, &errors) == -1)
        err(EXIT_FAILURE, "stdout or stderr");
    /* Two pipes to one file would lose the order. */
    bool one = out.st_dev == errors.st_dev && out.st_ino == errors.st_ino;
    if (pipe2(pipes[0], O_CLOEXEC) == -1 || pipe2(pipes[1], O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");

    program = fork();
    if (program == -1)
        err(EXIT_FAILURE, "fork");
    if (program == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != us)
            _exit(EXIT_FAILURE);
        /* To be killed in one step; and kill(0, ...) must not hit bats. The
           price: it cannot read from a terminal, where no test reads. */
        setpgid(0, 0);
        dup2(pipes[0][1], STDERR_FILENO);
        dup2(pipes[one ? 0 : 1][1], STDOUT_FILENO);
        sigaction(SIGCHLD, &sigchld_before, NULL);
        sigprocmask(SIG_SETMASK, &mask_before, NULL);
        execvp(argv[0], argv);
        int code = errno == ENOENT ? 127 : 126;
        warn("%s", argv[0]);
        _exit(code);
    }
    for (int i = 0; i < 2; i++) {
        close(pipes[i][1]);
        channels[i].from = pipes[i][0];
    }
    deadline = now_ns() + limit;
}

/* Our words, now that the program's are out; then end as we must. */
static int conclude(const char *text)
{
    struct pollfd errors = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (*text && poll(&errors, 1, (int)(grace / NS_PER_MS)) == 1)
        dprintf(STDERR_FILENO, "%s%s", last_on_stderr == '\n' ? "" : "\n",
                text);
    if (told_to_end) {
        signal(told_to_end, SIG_DFL);
        raise(told_to_end);
        sigprocmask(SIG_UNBLOCK, &signals, NULL);
    }
    return *text ? EXIT_STEPPED_IN : exit_code;
}

static long parse_count(const char *what, const char *text, long most)
{
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);

    if (errno != 0 || *end != '\0' || count < 1 || count > most)
        errx(EXIT_USAGE, "bad %s '%s': write 1 to %ld", what, text, most);
    return count;
}

int main(int argc, char *argv[])
{
    for (int option; (option = getopt(argc, argv, "+t:o:")) != -1;)
        if (option == 't')
            limit = parse_duration(optarg);
        else if (option == 'o')
            output_limit = parse_count("BYTES", optarg, 1 << 30);
        else
            optind = argc;
    if (optind >= argc)
        errx(EXIT_USAGE, "usage: bound [-t LIMIT] [-o BYTES] PROGRAM [ARG...]");
    const char *factor = getenv("KIT_TIME_SCALE");
    long scale = factor ? parse_count("KIT_TIME_SCALE", factor, 1000) : 1;
    limit *= scale;
    grace *= scale;
    output_left = output_limit;

    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* without bats no one waits for us */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (getppid() != parent)
        return EXIT_FAILURE;

    take_over_signals();
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    static char text[4096];
    words = fmemopen(text, sizeof text, "w");
    if (signal_fd == -1 || !words)
        err(EXIT_FAILURE, "signalfd, fmemopen");

    start(argv + optind);
    watch(signal_fd);
    fclose(words);
    return conclude(text);
}
