/*
 * bound - run a program within bounds, and answer for its whole family.
 *
 *     $ bound -t 300ms sh -c 'sleep 60 & exec sleep 60'
 *     bound: hung: 'sleep' still ran after 0.3 s, killed
 *     bound: hung: 'sleep' still ran after 0.3 s, killed
 *
 * A child subreaper: orphans become our children, whatever their session, so
 * "no child left" means "no descendant left". All output passes through two
 * children of our own (output.h), so there is one thing to wait for: SIGCHLD.
 *
 * Exits with 124 when it had to step in, and says why; else like the program,
 * 128+n where signal n ended it, 127 or 126 where it did not start.
 * KIT_TIME_SCALE stretches all times.
 */
#define _GNU_SOURCE /* pipe2(), sighandler_t */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "family.h"
#include "output.h"

#define EXIT_STEPPED_IN 124
#define MOST_NAMES 5 /* we tell: a fork bomb has thousands */

static int64_t limit = 20 * NS_PER_SEC; /* for the program */
static int64_t grace = 2 * NS_PER_SEC;  /* for what outlives it */
static int64_t deadline;                /* of what we wait for now */
static long output_limit = 1 << 20;     /* of stdout, and of stderr */

static pid_t program;
static bool program_ended, stepped_in;
static int exit_code;    /* the program's */
static int copied;       /* the copiers' exit codes, added up */
static int told_to_end;  /* by this signal */
static sigset_t signals; /* blocked, since we wait for them */

/* Start the program. We block what would end us, but it gets our old mask. */
static void start(char *argv[])
{
    static const int endings[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    sighandler_t sigchld_before = signal(SIGCHLD, SIG_DFL);
    struct sigaction had;
    sigset_t mask_before;
    int out, errors;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    for (int i = 0; i < 5; i++)
        if (sigaction(endings[i], NULL, &had) == 0 && had.sa_handler != SIG_IGN)
            sigaddset(&signals, endings[i]); /* nohup(1) stays in force */
    sigprocmask(SIG_BLOCK, &signals, &mask_before);

    start_copiers(output_limit, &out, &errors);
    program = fork_child();
    if (program == 0) {
        /* To be killed in one step; and kill(0, ...) must not hit bats. The
           price: it cannot read from a terminal, where no test reads. */
        setpgid(0, 0);
        dup2(out, STDOUT_FILENO);
        dup2(errors, STDERR_FILENO);
        signal(SIGCHLD, sigchld_before);
        sigprocmask(SIG_SETMASK, &mask_before, NULL);
        execvp(argv[0], argv);
        err(errno == ENOENT ? 127 : 126, "%s", argv[0]);
    }
    close(out);
    close(errors);
    close(STDOUT_FILENO); /* its reader waits until all have closed it */
    deadline = now_ns() + limit;
}

/* Collect who has ended. True when no one is left. */
static bool collect(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (is_copier(pid)) {
            copied |= WEXITSTATUS(status);
        } else if (pid == program) {
            program_ended = true;
            exit_code = WIFEXITED(status) ? WEXITSTATUS(status)
                                          : 128 + WTERMSIG(status);
            deadline = now_ns() + grace;
        }
    return pid == -1;
}

/* Wait until no one is left. False when it is time to step in. */
static bool all_end(void)
{
    for (;;) {
        bool ended = collect();
        int64_t left = deadline - now_ns();
        if (!stepped_in && (told_to_end || copied & OUTPUT_WAS_CUT))
            return false;
        if (ended || left <= 0)
            return ended;
        struct timespec timeout = to_timespec(left);
        int sig = sigtimedwait(&signals, NULL, &timeout);
        if (sig > 0 && sig != SIGCHLD)
            told_to_end = sig;
    }
}

static void name_victims(void)
{
    for (int i = 0; i < family_size && i < MOST_NAMES; i++)
        if (is_copier(family[i].pid))
            warnx("output: not read to its end");
        else if (program_ended)
            warnx("left behind: '%s' outlived the program by %g s, killed",
                  family[i].name, (double)grace / NS_PER_SEC);
        else
            warnx("hung: '%s' still ran after %g s, killed", family[i].name,
                  (double)limit / NS_PER_SEC);
    if (family_size > MOST_NAMES)
        warnx("and %d more", family_size - MOST_NAMES);
}

/*
 * Say why, and kill them. The first time we spare who ends by itself when the
 * others have: the kit's guardian, which removes what they leave, and copiers.
 */
static void step_in(void)
{
    bool first = !stepped_in;

    if (first && told_to_end) {
        warnx("%s: killed", strsignal(told_to_end));
    } else if (first && copied & OUTPUT_WAS_CUT) {
        warnx("output: more than %ld bytes, cut and killed", output_limit);
    } else {
        find_victims(first);
        name_victims();
    }
    stepped_in = true;
    deadline = now_ns() + grace;
    kill_victims(first, deadline);
}

static long parse_count(const char *what, const char *text, long most)
{
    char *end;
    long count = strtol(text, &end, 10);

    if (*end != '\0' || count < 1 || count > most)
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

    end_with(getppid(), SIGTERM); /* without bats no one waits for us */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    keep_words(); /* until the program's are out */
    start(argv + optind);
    for (int i = 0; i < 2 && !all_end(); i++)
        step_in();
    if (stepped_in)
        say_words(copied & LINE_IS_OPEN, (int)(grace / NS_PER_MS));
    if (told_to_end) {
        raise(told_to_end);
        sigprocmask(SIG_UNBLOCK, &signals, NULL);
    }
    _exit(stepped_in ? EXIT_STEPPED_IN : exit_code);
}
