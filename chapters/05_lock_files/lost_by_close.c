/*
 * lost_by_close - any close() of the file drops a lock of fcntl.
 *
 * The lock that F_SETLK takes belongs to the process and the file, and to no
 * descriptor. So the kernel drops it when the process closes whichever of its
 * descriptors of that file: one from a second open(), that read what stands
 * in the file, or a copy. The first one may stay open. Nobody is told: a
 * library that reads your lock file takes your lock away.
 *
 * A server locks its pid file in each of three ways, and closes something
 * else. Then another process tries: "ok" means that it has the lock now. The
 * server has never unlocked, and still has the descriptor that it locked.
 *
 *     $ cc lost_by_close.c -o lost_by_close
 *     $ ./lost_by_close
 *     story: begins dir=/tmp/lost_by_close.4vUgqD
 *     server: closed what=nothing fcntl=EAGAIN ofd=EAGAIN flock=EAGAIN
 *     server: closed what=reader fcntl=ok ofd=EAGAIN flock=EAGAIN
 *     server: closed what=copy fcntl=ok ofd=EAGAIN flock=EAGAIN
 *     server: closed what=other_file fcntl=EAGAIN ofd=EAGAIN flock=EAGAIN
 *
 * See also: fcntl_locking(2), flock(2), close(2), dup(2).
 */
#define _GNU_SOURCE /* F_OFD_SETLK */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

enum kind { FCNTL, OFD, FLOCK, KINDS };

static char dir[] = "/tmp/lost_by_close.XXXXXX";
static char path[sizeof dir + sizeof "/server.pid"];

static int open_file(void)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    return fd;
}

/* 0, or EAGAIN: another has it. */
static int try_lock(enum kind kind, int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int command = kind == OFD ? F_OFD_SETLK : F_SETLK;
    int rc = kind == FLOCK ? flock(fd, LOCK_EX | LOCK_NB)
                           : fcntl(fd, command, &whole);

    if (rc == 0)
        return 0;
    if (errno == EINVAL)
        errx(EXIT_SKIP, "fcntl: this system lacks a kind of lock");
    if (errno != EAGAIN)
        err(EXIT_FAILURE, kind == FLOCK ? "flock" : "fcntl");
    return EAGAIN;
}

/* As a library might: whose number stands in the file? */
static long read_pid(void)
{
    char text[32] = "";
    int fd = open_file();

    if (read(fd, text, sizeof text - 1) == -1)
        err(EXIT_FAILURE, "read");
    close(fd); /* here the lock of fcntl is lost */
    return strtol(text, NULL, 10);
}

static void close_something(const char *what, int fd)
{
    int other = -1;

    if (strcmp(what, "reader") == 0 && read_pid() != (long)getpid())
        errx(EXIT_FAILURE, "read: another pid stands in the file");
    if (strcmp(what, "copy") == 0 && (other = dup(fd)) == -1)
        err(EXIT_FAILURE, "dup");
    if (strcmp(what, "other_file") == 0 && (other = open(dir, O_RDONLY)) == -1)
        err(EXIT_FAILURE, "open");
    if (other != -1)
        close(other);
}

/* Another process opens the file and tries to lock it. "ok": it has it. */
static const char *try_in_other(enum kind kind)
{
    int status;
    pid_t other = fork_helper("other");
    if (other == 0)
        _exit(try_lock(kind, open_file()));

    if (waitpid(other, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    int answer = WEXITSTATUS(status);
    if (!WIFEXITED(status) || (answer != 0 && answer != EAGAIN))
        errx(EXIT_FAILURE, "waitpid: the other has failed");
    return answer == 0 ? "ok" : errno_name(answer);
}

static void play(const char *what)
{
    const char *answers[KINDS];

    for (enum kind kind = FCNTL; kind < KINDS; kind++) {
        int fd = open_file();
        if (dprintf(fd, "%d\n", (int)getpid()) < 0)
            err(EXIT_FAILURE, "dprintf");
        if (try_lock(kind, fd) != 0)
            errx(EXIT_FAILURE, "%s: the last one has left a lock", path);
        close_something(what, fd);
        answers[kind] = try_in_other(kind);
        close(fd); /* the server ends */
    }
    printf("server: closed what=%s fcntl=%s ofd=%s flock=%s\n", what,
           answers[FCNTL], answers[OFD], answers[FLOCK]);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: lost_by_close\n", stderr);
        return EXIT_USAGE;
    }
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    snprintf(path, sizeof path, "%s/server.pid", dir);
    setlinebuf(stdout); /* empty at fork() */
    printf("story: begins dir=%s\n", dir);
    play("nothing");
    play("reader");
    play("copy");
    play("other_file");
    return EXIT_SUCCESS;
}
