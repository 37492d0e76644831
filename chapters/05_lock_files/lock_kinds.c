/*
 * lock_kinds - four kinds of lock on a file, side by side.
 *
 * flock() binds a lock to an open file description, and so does the OFD lock
 * of fcntl(), which is named for it. The older lock of fcntl(), F_SETLK, is
 * bound to a process. And open() with O_EXCL succeeds only for whom the file
 * is new: there the file is the lock, and it stays.
 *
 * A row of the output is a little story, played with each kind: a file is
 * locked, something happens, and then somebody tries to lock it. "ok" means
 * that he has it now, else it is the errno that refused him. None waits.
 *
 *     $ cc lock_kinds.c -o lock_kinds
 *     $ ./lock_kinds
 *     story: begins dir=/tmp/lock_kinds.4vUgqD
 *     locked: other flock=EAGAIN fcntl=EAGAIN ofd=EAGAIN o_excl=EEXIST
 *     locked: self flock=EAGAIN fcntl=ok ofd=EAGAIN o_excl=EEXIST
 *     ...
 *
 * See also: flock(2), fcntl(2), fcntl_locking(2), open(2).
 */
#define _GNU_SOURCE /* F_OFD_SETLK */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

enum kind { FLOCK, FCNTL, OFD, O_EXCL_FILE, KINDS };

/* TRY is OPEN and LOCK. CHILD: a child does it, and ends. */
enum step { END, OPEN, LOCK, UNLOCK, CLOSE, TRY, CHILD = 16, BY_FLOCK = 32 };

static const struct row {
    const char *title;
    int steps[5];
} rows[] = {
    {"locked: other", {OPEN, LOCK, CHILD | TRY}},
    {"locked: self", {OPEN, LOCK, TRY}},
    {"child_closed: other", {OPEN, LOCK, CHILD | CLOSE, CHILD | TRY}},
    {"child_unlocked: other", {OPEN, LOCK, CHILD | UNLOCK, CHILD | TRY}},
    {"locker_ended: other", {OPEN, CHILD | LOCK, CHILD | TRY}},
    {"all_closed: other", {OPEN, CHILD | LOCK, CLOSE, CHILD | TRY}},
    {"by_flock: other", {BY_FLOCK | OPEN, BY_FLOCK | LOCK, CHILD | TRY}},
    {NULL, {END}},
};

static char dir[] = "/tmp/lock_kinds.XXXXXX";
static char paths[KINDS][sizeof dir + 2]; /* a file for each kind */
static int fds[KINDS] = {-1, -1, -1, -1};

/* "ok", or the name of the errno that says: another has it. */
static const char *answer(const char *call, int rc)
{
    if (rc != -1)
        return "ok";
    if (errno == EINVAL)
        errx(EXIT_SKIP, "%s: this system lacks a kind of lock", call);
    if (errno != EAGAIN && errno != EEXIST)
        err(EXIT_FAILURE, "%s", call);
    return errno == EEXIST ? "EEXIST" : "EAGAIN";
}

static int open_file(enum kind kind, int flags)
{
    return open(paths[kind], O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
}

/* type: F_WRLCK locks, F_UNLCK unlocks. */
static const char *set_lock(enum kind kind, int *fd, short type)
{
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    int op = type == F_WRLCK ? LOCK_EX | LOCK_NB : LOCK_UN;

    switch (kind) {
    case FLOCK:
        return answer("flock", flock(*fd, op));
    case FCNTL:
        return answer("fcntl", fcntl(*fd, F_SETLK, &whole));
    case OFD:
        return answer("fcntl", fcntl(*fd, F_OFD_SETLK, &whole));
    default:
        if (type == F_UNLCK)
            return answer("unlink", unlink(paths[kind]));
        *fd = open_file(kind, O_EXCL);
        return answer("open", *fd);
    }
}

/* Take this step with each kind; tell how the last one, TRY, has ended. */
static void take_step(int step, const char *title)
{
    const char *results[KINDS];
    int what = step & ~(CHILD | BY_FLOCK);

    for (enum kind kind = FLOCK; kind < KINDS; kind++) {
        enum kind by = step & BY_FLOCK ? FLOCK : kind;
        int again = -1, *fd = what == TRY ? &again : &fds[kind];
        /* Where the file is the lock, to open it is to lock it. */
        if ((what == OPEN || what == TRY) && by != O_EXCL_FILE &&
            (*fd = open_file(kind, 0)) == -1)
            err(EXIT_FAILURE, "open");
        if (what == LOCK || what == TRY)
            results[kind] = set_lock(by, fd, F_WRLCK);
        if (what == UNLOCK)
            set_lock(by, fd, F_UNLCK);
        if (what == CLOSE || what == TRY)
            close(*fd);
    }
    if (what == TRY)
        printf("%s flock=%s fcntl=%s ofd=%s o_excl=%s\n", title, results[FLOCK],
               results[FCNTL], results[OFD], results[O_EXCL_FILE]);
}

static void take_in_child(int step, const char *title)
{
    pid_t child = fork_helper(step == (CHILD | TRY) ? "other" : "child");
    if (child == 0) {
        take_step(step, title);
        _exit(EXIT_SUCCESS);
    }
    see_end(child, 0);
}

static void play(const struct row *row)
{
    for (const int *step = row->steps; *step != END; step++)
        *step &CHILD ? take_in_child(*step, row->title)
                     : take_step(*step, row->title);
    for (enum kind kind = FLOCK; kind < KINDS; kind++) {
        close(fds[kind]);
        fds[kind] = -1;
        if (unlink(paths[kind]) == -1 && errno != ENOENT)
            err(EXIT_FAILURE, "unlink");
    }
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: lock_kinds\n", stderr);
        return EXIT_USAGE;
    }
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    for (enum kind kind = FLOCK; kind < KINDS; kind++)
        snprintf(paths[kind], sizeof paths[kind], "%s/%d", dir, (int)kind);
    setlinebuf(stdout); /* else fork() copies what is not yet printed */
    printf("story: begins dir=%s\n", dir);
    for (const struct row *row = rows; row->title; row++)
        play(row);
    return EXIT_SUCCESS;
}
