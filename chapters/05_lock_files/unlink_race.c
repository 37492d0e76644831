/*
 * unlink_race - who removes the lock file may leave two owners.
 *
 * A file that is removed has lost its name. Who has it open still has it, and
 * can lock it; who opens the name makes a new file, and can lock that. Two
 * files, two locks, two owners, and each believes that it is alone.
 *
 * Three processes share a lock file. The first has the lock, the second has
 * opened the file. The first ends, the third comes, and now the second locks
 * what it has opened. Each makes its step when it is told to, so the order is
 * the same every time. In one story the first removes the file at its end. In
 * the next it does, too, but who has the lock looks where the name leads, and
 * lets go of a file that it does not lead to. In the last the file stays.
 *
 *     $ cc unlink_race.c -o unlink_race
 *     $ ./unlink_race
 *     story: begins dir=/tmp/unlink_race.4vUgqD
 *     first: locked inode=11 name_leads_to=11
 *     second: opened inode=11 name_leads_to=11
 *     first: removed inode=11 name_leads_to=0
 *     third: locked inode=12 name_leads_to=12
 *     second: locked inode=11 name_leads_to=12
 *     story: played removes=yes looks=no owners=2
 *     ...
 *
 * See also: flock(2), unlink(2), stat(2), inode(7).
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC, with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

enum order { OPEN, LOCK, REMOVE, END };

struct actor {
    pid_t pid;
    int gate; /* orders go out, and the answers come back: has it the lock? */
};

static char dir[] = "/tmp/unlink_race.XXXXXX";
static char path[sizeof dir + sizeof "/lock"];
static bool looks; /* after locking: does the name still lead to our file? */

/* Say which file is open. Returns whether the name leads to this one. */
static bool tell(const char *who, const char *event, int fd)
{
    struct stat ours, named = {.st_ino = 0}; /* 0: the name leads nowhere */

    if (fstat(fd, &ours) == -1)
        err(EXIT_FAILURE, "fstat");
    if (stat(path, &named) == -1 && errno != ENOENT)
        err(EXIT_FAILURE, "stat");
    printf("%s: %s inode=%ju name_leads_to=%ju\n", who, event,
           (uintmax_t)ours.st_ino, (uintmax_t)named.st_ino);
    return ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* Lock it if nobody has. Who looks wants no file but that of the name. */
static bool lock(const char *who, int fd)
{
    bool has = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!has && errno != EAGAIN)
        err(EXIT_FAILURE, "flock");
    bool is_named = tell(who, has ? "locked" : "refused", fd);
    if (!has || is_named || !looks)
        return has;
    if (flock(fd, LOCK_UN) == -1)
        err(EXIT_FAILURE, "flock");
    tell(who, "let_go", fd);
    return false;
}

/* An actor: open the file, carry out each order, and answer. */
static _Noreturn void obey(const char *who, int gate)
{
    enum order order;
    int fd = -1;

    for (;;) {
        errno = EPIPE; /* if it reads 0: nobody is left to give orders */
        if (recv(gate, &order, sizeof order, 0) < 1)
            err(EXIT_FAILURE, "recv");
        if (order == END)
            _exit(EXIT_SUCCESS); /* which closes what it has locked */
        if (fd == -1 &&
            (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1)
            err(EXIT_FAILURE, "open");
        if (order == REMOVE && unlink(path) == -1)
            err(EXIT_FAILURE, "unlink");
        bool has = order == LOCK
                       ? lock(who, fd)
                       : tell(who, order == OPEN ? "opened" : "removed", fd);
        if (send(gate, &has, sizeof has, MSG_NOSIGNAL) == -1)
            err(EXIT_FAILURE, "send");
    }
}

static struct actor start(const char *name)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t child = fork_helper(name);
    if (child == 0)
        obey(name, pair[1]);
    close(pair[1]);
    return (struct actor){.pid = child, .gate = pair[0]};
}

/* Have the actor do it, and wait until it has. Returns its answer. */
static bool have(struct actor who, enum order order)
{
    bool has = false;

    if (send(who.gate, &order, sizeof order, MSG_NOSIGNAL) == -1)
        err(EXIT_FAILURE, "send");
    if (order == END) {
        see_end(who.pid, EXIT_SUCCESS);
        close(who.gate);
        return false;
    }
    errno = EPIPE; /* if it reads 0: the actor has failed, and said why */
    if (recv(who.gate, &has, sizeof has, 0) < 1)
        err(EXIT_FAILURE, "recv");
    return has;
}

static void play(bool removes, bool look)
{
    looks = look; /* they inherit it */
    struct actor first = start("first"), second = start("second"),
                 third = start("third");

    have(first, LOCK);
    have(second, OPEN);
    if (removes)
        have(first, REMOVE);
    have(first, END);
    int owners = have(third, LOCK);
    owners += have(second, LOCK);
    printf("story: played removes=%s looks=%s owners=%d\n",
           removes ? "yes" : "no", looks ? "yes" : "no", owners);
    have(second, END);
    have(third, END);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: unlink_race\n", stderr);
        return EXIT_USAGE;
    }
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    snprintf(path, sizeof path, "%s/lock", dir);
    setlinebuf(stdout); /* empty at fork() */
    printf("story: begins dir=%s\n", dir);
    play(true, false);
    play(true, true);
    play(false, false);
    return EXIT_SUCCESS;
}
