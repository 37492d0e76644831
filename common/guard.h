/*
 * A guardian process removes what would outlive us: a semaphore set, which
 * stays until someone removes it, or a scratch directory with its files.
 */
#ifndef COMMON_GUARD_H
#define COMMON_GUARD_H

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is guarded: the directory, or without one the set, by id or by key. */
struct guarded {
    int set;
    key_t key;
    const char *directory;
};

/* Remove it. A directory may hold files of any kind, but no directories. */
static inline void remove_guarded(struct guarded it)
{
    if (!it.directory) {
        if (it.key != IPC_PRIVATE)
            it.set = semget(it.key, 0, 0);
        semctl(it.set, 0, IPC_RMID);
        return;
    }

    DIR *files = opendir(it.directory);
    if (!files)
        return;
    for (struct dirent *file; (file = readdir(files));)
        unlinkat(dirfd(files), file->d_name, 0); /* not for "." and ".." */
    closedir(files);
    rmdir(it.directory);
}

/* Runs with every signal blocked: only SIGKILL by pid could stop it. */
static inline _Noreturn void stand_guard(struct guarded it, int lifeline)
{
    char none;

    while (read(lifeline, &none, 1) == -1 && errno == EINTR)
        continue;
    remove_guarded(it);
    _exit(EXIT_SUCCESS);
}

static inline _Noreturn void give_up_guarding(struct guarded it,
                                              const char *call)
{
    int why = errno;

    remove_guarded(it);
    errno = why;
    err(EXIT_FAILURE, "%s", call);
}

/*
 * Start the guardian. It must survive what is aimed at us: its signals are
 * blocked before it exists, a session of its own keeps it from a Ctrl-C, a
 * name of its own from pkill.
 */
static inline void guard(struct guarded it)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);

    /* No one ever writes: the kernel closes our end when we are gone. */
    int lifeline[2];
    if (pipe2(lifeline, O_CLOEXEC) == -1)
        give_up_guarding(it, "pipe2");

    pid_t child = fork();
    if (child == -1)
        give_up_guarding(it, "fork");
    if (child == 0) {
        prctl(PR_SET_NAME, "guardian");
        setsid();
        close(lifeline[1]);
        /* Fork again: an orphan never turns up in the caller's wait(). */
        pid_t guardian = fork();
        if (guardian == 0)
            stand_guard(it, lifeline[0]);
        _exit(guardian == -1 ? errno : 0);
    }

    int status;
    if (waitpid(child, &status, 0) == -1)
        give_up_guarding(it, "waitpid");
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
    if (errno != 0)
        give_up_guarding(it, "fork");
    close(lifeline[0]);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/*
 * Remove the semaphore set when the calling process and all it forked have
 * ended, however they ended: return, exit(), abort(), SIGTERM, SIGKILL.
 *
 * Call it right after semget(), before other descriptors are open: the
 * guardian inherits those. It changes no signal handler and leaves no child
 * behind, so the caller's signals and wait() calls stay its own. The
 * guardian keeps stdout open until the set is gone: end of file on our
 * output means that we left nothing behind. What it cannot cover is a death
 * in the microseconds between semget() and this call.
 */
static inline void guard_semaphore_set(int set)
{
    guard((struct guarded){.set = set});
}

/* The same by its key: call it before semget(), for a key that nobody uses. */
static inline void guard_key(key_t key)
{
    errno = EEXIST;
    if (semget(key, 0, 0) != -1 || errno != ENOENT)
        err(EXIT_FAILURE, "semget");
    guard((struct guarded){.key = key});
}

/* The same for a directory from mkdtemp() and the files that are in it. */
static inline void guard_directory(const char *path)
{
    guard((struct guarded){.set = -1, .directory = path});
}

#endif
