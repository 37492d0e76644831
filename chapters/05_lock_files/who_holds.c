/*
 * who_holds - the processes whose descriptors hold a lock.
 *
 * flock() binds a lock to an open file description. Who has a descriptor of
 * it holds the lock, whoever took it, and is named neither by F_GETLK nor by
 * /proc/locks. So look for the file among the descriptors of all processes,
 * /proc/PID/fd. To have it open is not yet to hold it: /proc/PID/fdinfo
 * tells which locks are bound to a descriptor, and by whom they were taken.
 *
 * Here a child locks a file through our descriptor, and ends. We have it
 * open once more, without a lock.
 *
 *     $ cc who_holds.c -o who_holds
 *     $ ./who_holds
 *     story: begins dir=/tmp/who_holds.4vUgqD
 *     locker: ended pid=4712
 *     holder: pid=4711 name=who_holds fd=3 lock=FLOCK locked_by=4712
 *     bystander: pid=4711 name=who_holds fd=5 lock=none
 *     who_holds: found holders=1 not_allowed=0
 *
 * not_allowed counts the processes that we may not look into: as root we may
 * look into all. For a file of yours: who_holds FILE.
 *
 * See also: proc(5), flock(2), lslocks(8), lsof(8), fuser(1).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

static int holders;
static int not_allowed;

/* As in ps. */
static void read_name(int pid, char name[16])
{
    char path[40];

    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *comm = fopen(path, "r");
    if (!comm || fscanf(comm, "%15s", name) != 1)
        strcpy(name, "gone"); /* just now */
    if (comm)
        fclose(comm);
}

/*
 * A descriptor of our file. In its fdinfo stands, for each lock that is bound
 * to it, "lock: 1: FLOCK  ADVISORY  WRITE 4712 fe:00:1095 0 EOF".
 */
static void tell(int pid, int fd)
{
    char path[64], text[128], name[16], kind[16];
    int locked_by, locks = 0;

    read_name(pid, name);
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
    FILE *info = fopen(path, "r");
    while (info && fgets(text, sizeof text, info)) {
        if (sscanf(text, "lock: %*d: %15s %*s %*s %d", kind, &locked_by) != 2)
            continue;
        printf("holder: pid=%d name=%s fd=%d lock=%s locked_by=%d\n", pid, name,
               fd, kind, locked_by);
        locks++;
    }
    if (info)
        fclose(info);
    if (locks == 0)
        printf("bystander: pid=%d name=%s fd=%d lock=none\n", pid, name, fd);
    holders += locks > 0;
}

static int on_refusal(const char *folder, int error)
{
    (void)folder;
    not_allowed += error == EACCES || error == EPERM; /* hidepid=1 */

    return 0; /* go on */
}

/* Look for the file among the descriptors of all processes. */
static void find(const char *path)
{
    struct stat file, open_file;
    glob_t all;
    int pid, fd;

    if (stat(path, &file) == -1)
        err(EXIT_FAILURE, "%s", path);
    if (glob("/proc/[0-9]*/fd/*", GLOB_NOSORT, on_refusal, &all) != 0)
        errx(EXIT_SKIP, "glob: no process in /proc has a descriptor");
    for (size_t i = 0; i < all.gl_pathc; i++)
        if (stat(all.gl_pathv[i], &open_file) == 0 &&
            open_file.st_ino == file.st_ino &&
            open_file.st_dev == file.st_dev &&
            sscanf(all.gl_pathv[i], "/proc/%d/fd/%d", &pid, &fd) == 2)
            tell(pid, fd);
    globfree(&all);
    printf("who_holds: found holders=%d not_allowed=%d\n", holders,
           not_allowed);
}

/* A child takes the lock, through our descriptor, and ends. */
static void lock_in_child(int fd)
{
    pid_t locker = fork_helper("locker");
    if (locker == 0) {
        if (flock(fd, LOCK_EX | LOCK_NB) == -1)
            err(EXIT_FAILURE, "flock");
        _exit(EXIT_SUCCESS);
    }
    see_end(locker, 0);
    printf("locker: ended pid=%d\n", (int)locker);
}

int main(int argc, char *argv[])
{
    static char dir[] = "/tmp/who_holds.XXXXXX";
    char path[sizeof dir + sizeof "/lock"];

    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fputs("usage: who_holds [FILE]\n"
              "  FILE  who holds a lock on it? default: on a file of our own\n",
              stderr);
        return EXIT_USAGE;
    }
    setlinebuf(stdout); /* else fork() copies what is not yet printed */
    if (prctl(PR_SET_NAME, "who_holds") == -1) /* valgrind has it otherwise */
        err(EXIT_FAILURE, "prctl");
    if (argc == 2) {
        find(argv[1]);
        return EXIT_SUCCESS;
    }

    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    printf("story: begins dir=%s\n", dir);
    snprintf(path, sizeof path, "%s/lock", dir);
    int shared = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (shared == -1 || open(path, O_RDWR | O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "open");
    lock_in_child(shared);
    find(path);
    return EXIT_SUCCESS;
}
