/*
 * cage - run a program so that it can harm no one but itself.
 *
 *     $ cage ./signal_everyone
 *     signal_everyone: kill: Operation not permitted
 *     cage: refused: kill(-1, SIGTERM): that is for every process
 *
 * Time and output are for bound.c. Here a file ends at 16 MiB, memory at 512
 * MiB, the family at 64 processes; a signal reaches relatives alone; and what
 * is left behind, processes or semaphore sets, is named and removed. If root
 * runs it, the program becomes a user whom no one else is. Exits with 124 when
 * it had something to say; else like the program, by its signal if need be.
 *
 *     cage ---> init ---> program ---> its children
 *
 * init is the first process of a pid, ipc and mount namespace: when it ends,
 * everyone in there does, and the sets go, too. Where that is not permitted,
 * as in most containers, it is a child subreaper. It bears the name of the
 * kit's guardian (guard.h), so that bound.c lets it finish its work. Inside
 * the program cage_calls.c counts processes and refuses signals.
 *
 *     -n  without namespaces
 *     -v  say what is in force
 *     -w  let the program's user write here, in the working folder
 *     NAME=VALUE, with or without env before it: as for env(1)
 */
#define _GNU_SOURCE /* CLONE_NEWPID, sigabbrev_np(), and the like */

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "cage.h"
#include "family.h"

#define EXIT_STEPPED_IN 124
#define NAMESPACES (CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS)
#define MOST_FILE (16 << 20)
#define MOST_NAMES 5
#define ANYONE 61184 /* first of the 4336 users that systemd lends to */
#define ANYONES 4336 /* services: no one has an account there */

static char **arguments; /* [NAME=VALUE]... PROGRAM [ARG...] */
static bool verbose, may_write;
static uid_t user;        /* that the program becomes; 0: it stays who we are */
static int no_namespaces; /* 0: there are; else why not, as in errno */
static int64_t grace = 2 * NS_PER_SEC; /* for what outlives the program */
static FILE *words; /* what init has to say, after the program's words */

static struct ledger *ledger;
static int ledger_fd;
static sigset_t mask_before;
static struct sigaction sigchld_before;

#include "cage_program.h" /* become_program() */

#include "cage_init.h" /* be_init() */

/* Returns the pid, or -1 and errno. From *from_init comes the program's end. */
static pid_t start_init(int namespaces, int *from_init)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int ends[2], problem = EPERM;

    if (pipe2(ends, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    pid_t init = (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0);
    if (init == 0) {
        close(ends[0]); /* so that we notice if cage has gone */
        be_init(uid, gid, ends[1]);
    }
    problem = init == -1 ? errno : problem;
    close(ends[1]);
    *from_init = ends[0];
    if (init > 0 && read(ends[0], &problem, sizeof problem) == -1)
        err(EXIT_FAILURE, "read");
    if (problem == 0)
        return init;
    if (init > 0)
        waitpid(init, NULL, 0);
    close(ends[0]);
    errno = problem;
    return -1;
}

static void open_ledger(void)
{
    int fd = memfd_create("cage", MFD_CLOEXEC);

    ledger_fd = high(fd);
    if (ledger_fd == -1 || ftruncate(fd, sizeof *ledger) == -1)
        err(EXIT_FAILURE, "memfd_create");
    ledger =
        mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ledger == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    close(fd);
}

static void read_arguments(int argc, char *argv[])
{
    for (int option; (option = getopt(argc, argv, "+nvw")) != -1;) {
        no_namespaces = option == 'n' ? ECANCELED : no_namespaces;
        verbose |= option == 'v';
        may_write |= option == 'w';
        if (option == '?')
            argc = 0;
    }
    if (optind + 1 < argc && strcmp(argv[optind], "env") == 0 &&
        equals_sign(argv[optind + 1]))
        optind++;
    arguments = argv + optind;
    while (optind < argc && equals_sign(argv[optind]))
        optind++;
    if (optind >= argc)
        errx(EXIT_USAGE,
             "usage: cage [-nvw] [[env] NAME=VALUE...] PROGRAM [ARG...]");

    const char *factor = getenv("KIT_TIME_SCALE"); /* bound.c has checked it */
    grace *= factor && atoi(factor) > 0 ? atoi(factor) : 1;
}

/* End as the program did. */
static int end_like(int status)
{
    sigset_t none;

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    sigemptyset(&none);
    signal(WTERMSIG(status), SIG_DFL);
    kill(getpid(), WTERMSIG(status));
    sigprocmask(SIG_SETMASK, &none, NULL);
    return 128 + WTERMSIG(status);
}

int main(int argc, char *argv[])
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    int status = SIGKILL, from_init;
    pid_t init = -1;
    sigset_t all;

    read_arguments(argc, argv);
    user = geteuid() == 0 ? ANYONE + (uid_t)getpid() % ANYONES : 0;
    prctl(PR_SET_NAME, "guardian");
    open_ledger();
    limit(RLIMIT_CORE, 0);

    sigfillset(&all); /* init leaves them blocked */
    sigprocmask(SIG_SETMASK, &all, &mask_before);
    sigaction(SIGCHLD, &plain, &sigchld_before);
    if (!no_namespaces) {
        init = start_init(NAMESPACES | (user ? 0 : CLONE_NEWUSER), &from_init);
        no_namespaces = init == -1 ? errno : 0;
    }
    if (init == -1)
        init = start_init(0, &from_init);
    if (init == -1)
        err(EXIT_FAILURE, "clone");
    sigprocmask(SIG_SETMASK, &mask_before, NULL);

    close(STDIN_FILENO); /* or who waits for their end would wait for us */
    close(STDOUT_FILENO);
    if (read(from_init, &status, sizeof status) == -1)
        err(EXIT_FAILURE, "read");
    waitpid(init, NULL, 0); /* if it said nothing, it was killed */
    return end_like(status);
}
