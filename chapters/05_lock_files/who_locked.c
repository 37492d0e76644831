/*
 * who_locked - ask the kernel who took a lock, and whom it names.
 *
 * fcntl() with F_GETLK names the process in the way, but it sees the locks
 * of fcntl() alone, and an OFD lock belongs to no process: -1. /proc/locks
 * lists every kind, each with the process that took it. That one may be
 * dead, while the descriptor lives on in another process, and the lock too.
 *
 * A keeper opens a file and locks it, in three ways; the last time a child
 * locks it, through the keeper's descriptor, and ends. An asker asks.
 *
 *     $ cc who_locked.c -o who_locked
 *     $ ./who_locked
 *     story: begins dir=/tmp/who_locked.4vUgqD
 *     keeper: locked kind=fcntl pid=4711
 *     F_GETLK: names pid=4711 name=keeper
 *     /proc/locks: names pid=4711 name=keeper
 *     ...
 *     locker: locked kind=flock pid=4715
 *     locker: ended
 *     F_GETLK: names pid=0 name=none
 *     /proc/locks: names pid=4715 name=none
 *
 * pid=0 is nobody. In a pid namespace, as containers have one, the kernel
 * does not list a lock whose process is not there: pid=0 in the last line.
 *
 * See also: fcntl_locking(2), flock(2), proc(5), pid_namespaces(7).
 */
#define _GNU_SOURCE /* F_OFD_SETLK */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

static char dir[] = "/tmp/who_locked.XXXXXX";
static char path[sizeof dir + sizeof "/lock"];

/* The name is that in ps; who is dead has none. */
static void tell(const char *source, int pid)
{
    char comm[40], name[16];

    snprintf(comm, sizeof comm, "/proc/%d/comm", pid);
    FILE *file = fopen(comm, "r");
    bool lives = file && fscanf(file, "%15s", name) == 1;
    if (file)
        fclose(file);
    printf("%s: names pid=%d name=%s\n", source, pid, lives ? name : "none");
}

static void ask_f_getlk(void)
{
    struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    if (fcntl(fd, F_GETLK, &wanted) == -1)
        err(EXIT_FAILURE, "fcntl");
    close(fd);
    tell("F_GETLK", wanted.l_type == F_UNLCK ? 0 : (int)wanted.l_pid);
}

/*
 * "1: FLOCK  ADVISORY  WRITE 4715 fe:00:1095 0 EOF"; "1: -> FLOCK" waits.
 * Where the device is made up, as on btrfs, stat() may know another number.
 */
static void ask_proc_locks(void)
{
    struct stat file;
    unsigned long inode;
    unsigned major, minor;
    int pid, named = 0;
    bool sure = false;
    char text[128];

    FILE *locks = fopen("/proc/locks", "r");
    if (!locks)
        err(EXIT_SKIP, "/proc/locks");
    if (stat(path, &file) == -1)
        err(EXIT_FAILURE, "stat");
    while (fgets(text, sizeof text, locks)) {
        if (sscanf(text, "%*d: %*s %*s %*s %d %x:%x:%lu", &pid, &major, &minor,
                   &inode) != 4 ||
            inode != file.st_ino || sure)
            continue;
        sure = makedev(major, minor) == file.st_dev;
        named = sure || major == 0 ? pid : named;
    }
    fclose(locks);
    tell("/proc/locks", named);
}

static void lock(const char *who, const char *kind, int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int command = strcmp(kind, "ofd") == 0 ? F_OFD_SETLK : F_SETLK;

    if (strcmp(kind, "flock") == 0 && flock(fd, LOCK_EX | LOCK_NB) == -1)
        err(EXIT_FAILURE, "flock");
    if (strcmp(kind, "flock") != 0 && fcntl(fd, command, &whole) == -1)
        err(EXIT_FAILURE, "fcntl");
    printf("%s: locked kind=%s pid=%d\n", who, kind, (int)getpid());
}

/* Have a child lock it through our descriptor, or ask, and end. */
static void in_child(const char *name, const char *kind, int fd)
{
    pid_t child = fork_helper(name);
    if (child == 0) {
        if (kind) {
            lock(name, kind, fd);
        } else {
            ask_f_getlk();
            ask_proc_locks();
        }
        _exit(EXIT_SUCCESS);
    }
    see_end(child, 0);
    if (kind)
        printf("%s: ended\n", name);
}

static void play(const char *who, const char *kind)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    if (strcmp(who, "keeper") == 0)
        lock(who, kind, fd);
    else
        in_child(who, kind, fd);
    in_child("asker", NULL, fd);
    close(fd);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: who_locked\n", stderr);
        return EXIT_USAGE;
    }
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    snprintf(path, sizeof path, "%s/lock", dir);
    setlinebuf(stdout); /* else fork() copies what is not yet printed */
    printf("story: begins dir=%s\n", dir);
    if (prctl(PR_SET_NAME, "keeper") == -1)
        err(EXIT_FAILURE, "prctl");
    play("keeper", "fcntl");
    play("keeper", "flock");
    play("keeper", "ofd");
    play("locker", "flock");
    return EXIT_SUCCESS;
}
