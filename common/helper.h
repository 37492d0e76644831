/*
 * A helper process, such as the holder that somebody waits for: it bears a
 * name of its own, as in ps, and never outlives the program.
 */
#ifndef COMMON_HELPER_H
#define COMMON_HELPER_H

#include <err.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * As fork(), but a failure ends the program. Call it in the main thread, for
 * the helper is killed when the thread that has forked it ends; see
 * PR_SET_PDEATHSIG in prctl(2).
 */
static inline pid_t fork_helper(const char *name)
{
    pid_t parent = getpid(), child = fork();

    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child > 0)
        return child;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, name) == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != parent) /* it has ended before it could kill us */
        _exit(EXIT_FAILURE);
    return 0;
}

/* Wait for its end, which is to be exit(code). Its own waits have a limit. */
static inline void see_end(pid_t helper, int code)
{
    int status;

    if (waitpid(helper, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        errx(EXIT_FAILURE, "waitpid: a helper has failed");
}

#endif
