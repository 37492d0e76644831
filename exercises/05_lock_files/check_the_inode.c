/*
 * check_the_inode - lock the file that the name leads to, and no other.
 *
 * Some programs remove their lock file when they end. Who has opened it by
 * then and waits gets the lock, of a file that no longer has a name; and the
 * next one makes a new file and locks that. hermit had two owners in this
 * way: https://github.com/cashapp/hermit/pull/423
 *
 * An owner has the lock while we wait for it. Then it only lets go, or it
 * removes the file, or puts a new one in its place, twice in a row. Fill the
 * gap marked TODO, then run: make check-check_the_inode
 *
 *     $ check_the_inode
 *     free: locked owners=1 descriptors=1
 *     released: locked owners=1 descriptors=1
 *     removed: locked owners=1 descriptors=1
 *     replaced: locked owners=1 descriptors=1
 *
 * See also: flock(2), stat(2), unlink(2), inode(7).
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC, with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define LIMIT_S 5 /* the owner lives no longer */

static char dir[] = "/tmp/check_the_inode.XXXXXX";
static char path[sizeof dir + sizeof "/lock"];
static char old_path[sizeof path + sizeof ".old"];
static int line[2]; /* our end, and the owner's */

static int open_file(void)
{
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* Lock it, however long that takes. Returns 0, or -1 and errno says why. */
static int take(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EAGAIN)
        return -1;
    send(line[0], "", 1, MSG_NOSIGNAL); /* the owner learns that we wait */
    return flock(fd, LOCK_EX);
}

/*
 * Lock the file that path names. Returns a descriptor, or -1 and errno.
 *
 * TODO: the file may be removed or replaced while take() waits. (Wait for the
 * lock by take() alone: it tells the owner that you do.)
 *
 *   1. When you have the lock, it is on the file that path leads to: the same
 *      inode on the same device. Else open path anew and lock that, as often
 *      as need be.
 *   2. If path leads nowhere by then, that is no failure: make the file anew.
 *   3. In the end one descriptor is open, the one that you return.
 */
static int lock_file(void)
{
    int fd = open_file();
    if (fd == -1)
        return -1;
    if (take(fd) == -1) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Put a new file in the place of the one that we have locked. */
static int replace(int fd, bool locked)
{
    if (rename(path, old_path) == -1)
        err(EXIT_FAILURE, "rename");
    int new = open_file();
    if (new == -1)
        err(EXIT_FAILURE, "open");
    if (locked && flock(new, LOCK_EX | LOCK_NB) == -1)
        err(EXIT_FAILURE, "flock");
    close(fd);
    return new;
}

/* Has the lock, and each time that we wait for it does as its name says. */
static _Noreturn void own(const char *what, pid_t parent)
{
    char none;

    alarm(LIMIT_S);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "owner") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    close(line[0]);

    int fd = open_file();
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    if (flock(fd, LOCK_EX | LOCK_NB) == -1)
        err(EXIT_FAILURE, "flock");
    if (send(line[1], "", 1, MSG_NOSIGNAL) == -1)
        err(EXIT_FAILURE, "send");
    for (int turn = 0; turn < 2 && recv(line[1], &none, 1, 0) == 1; turn++) {
        if (strcmp(what, "removed") == 0 && unlink(path) == -1)
            err(EXIT_FAILURE, "unlink");
        if (strcmp(what, "replaced") != 0)
            break;
        fd = replace(fd, turn == 0);
    }
    _exit(EXIT_SUCCESS); /* which closes what it has locked */
}

/* Return when it has the lock. */
static pid_t start_owner(const char *what)
{
    pid_t us = getpid();
    char none;

    pid_t owner = fork();
    if (owner == -1)
        err(EXIT_FAILURE, "fork");
    if (owner == 0)
        own(what, us);
    close(line[1]);
    if (recv(line[0], &none, 1, 0) != 1)
        errx(EXIT_FAILURE, "recv: the owner has failed");
    return owner;
}

static int count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static void play(const char *what)
{
    pid_t owner = -1;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (strcmp(what, "free") != 0)
        owner = start_owner(what);
    int before = count_descriptors();
    int fd = lock_file();
    int why = errno;
    int count = count_descriptors() - before;
    close(line[0]); /* if the owner still waits for us, it ends */
    if (owner != -1 && waitpid(owner, NULL, 0) == -1)
        err(EXIT_FAILURE, "waitpid");

    int next = open_file();
    if (next == -1)
        err(EXIT_FAILURE, "open");
    if (fd == -1)
        printf("%s: failed error=%s\n", what, strerror(why));
    else
        printf("%s: locked owners=%d descriptors=%d\n", what,
               flock(next, LOCK_EX | LOCK_NB) == 0 ? 2 : 1, count);
    close(next);
    close(fd);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: check_the_inode\n", stderr);
        return EXIT_USAGE;
    }
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    snprintf(path, sizeof path, "%s/lock", dir);
    snprintf(old_path, sizeof old_path, "%s.old", path);
    setlinebuf(stdout); /* else fork() copies what is not yet printed */
    play("free");
    play("released");
    play("removed");
    play("replaced");
    return EXIT_SUCCESS;
}
