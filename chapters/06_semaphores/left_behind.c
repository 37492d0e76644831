/*
 * left_behind - a killed creator leaves its semaphore set to the next one.
 *
 * The kernel closes the files of a process that ends, and frees its memory,
 * but a semaphore set stays until somebody removes it. So who is killed, or
 * crashes, leaves one behind, again and again, until semget() fails with
 * ENOSPC, "No space left on device", which is not about a disk.
 *
 * A creator makes a set and is killed. The next one that is started finds
 * the set in the way, looks it up in the list of all sets, and removes it.
 * Then the creator lets common/guard.h start a guardian for its set: a
 * process that lives on when the creator is killed, and removes the set.
 *
 *     $ cc left_behind.c -o left_behind
 *     $ ./left_behind
 *     creator: made guarded=no set=7
 *     creator: killed
 *     next: refused errno=EEXIST
 *     list: names nsems=1 uid=1000 set=7
 *     GETPID: names pid=4713 alive=no
 *     next: removed set=7
 *     creator: made guarded=yes set=8
 *     creator: killed
 *     guardian: ended
 *     next: made set=9
 *     next: removed set=9
 *
 * We leave nothing behind, whenever we are killed: a guardian of our own is
 * there before there is a set, and knows the key of all of them. To meet
 * ENOSPC, run it where no sets are allowed, in a place of its own:
 *
 *     $ unshare --map-root-user --ipc sh -c \
 *           'echo 250 32000 32 0 >/proc/sys/kernel/sem; ./left_behind'
 *
 * See also: semget(2), semctl(2), ipcs(1), ipcrm(1), sysvipc(7).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

static key_t key; /* of this run alone */

/* Returns the set, or -1: there is one. */
static int make_set(void)
{
    int set = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
    if (set == -1 && errno == ENOSPC)
        err(EXIT_FAILURE, "semget: no disk is full, but there are as many sets "
                          "as the kernel allows, see ipcs -s -l");
    if (set == -1 && errno != EEXIST)
        err(EXIT_FAILURE, "semget");
    return set;
}

/* Make a set, post its first count, and be killed. */
static _Noreturn void create(bool guarded)
{
    struct sembuf post = {.sem_op = 1};
    int set = make_set();
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    if (guarded)
        guard_semaphore_set(set);
    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    printf("creator: made guarded=%s set=%d\n", guarded ? "yes" : "no", set);
    raise(SIGKILL); /* as by kill -9 */
    err(EXIT_FAILURE, "raise");
}

/* Return when the creator is dead, and its guardian, if it had one, too. */
static void start_creator(bool guarded)
{
    int gone[2], status; /* both inherit one end, and close it by ending */
    char none;
    if (pipe(gone) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t creator = fork_helper("creator");
    if (creator == 0)
        create(guarded);

    close(gone[1]);
    if (waitpid(creator, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != SIGKILL)
        errx(EXIT_FAILURE, "waitpid: the creator has failed");
    printf("creator: killed\n");
    if (read(gone[0], &none, 1) == -1) /* 0: both have ended */
        err(EXIT_FAILURE, "read");
    close(gone[0]);
    if (guarded)
        printf("guardian: ended\n");
}

/* Look for our key in the list of all sets, and ask who has operated last. */
static int find(void)
{
    int its_key, id, nsems = 0, uid = 0, set = -1;
    char text[256];

    FILE *list = fopen("/proc/sysvipc/sem", "r");
    if (!list)
        err(EXIT_SKIP, "/proc/sysvipc/sem");
    while (set == -1 && fgets(text, sizeof text, list))
        if (sscanf(text, "%d %d %*d %d %d", &its_key, &id, &nsems, &uid) == 4 &&
            its_key == key)
            set = id;
    fclose(list);
    printf("list: names nsems=%d uid=%d set=%d\n", nsems, uid, set);
    pid_t pid = semctl(set, 0, GETPID);
    if (pid == -1)
        err(EXIT_FAILURE, "semctl");
    bool alive = kill(pid, 0) == 0 || errno != ESRCH;
    printf("GETPID: names pid=%d alive=%s\n", (int)pid, alive ? "yes" : "no");
    return set;
}

static void start_next(void)
{
    int set = make_set();
    if (set != -1) {
        printf("next: made set=%d\n", set);
    } else {
        printf("next: refused errno=EEXIST\n");
        set = find();
    }
    if (semctl(set, 0, IPC_RMID) == -1)
        err(EXIT_FAILURE, "semctl");
    printf("next: removed set=%d\n", set);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: left_behind\n", stderr);
        return EXIT_USAGE;
    }
    setlinebuf(stdout); /* empty at fork() */
    key = (key_t)(0x09000000 + getpid());
    guard_key(key);
    start_creator(false);
    start_next();
    start_creator(true);
    start_next();
    return EXIT_SUCCESS;
}
