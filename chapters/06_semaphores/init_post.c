/*
 * init_post - the creator posts the count, and the others wait for the post.
 *
 * init_race shows two ways to give a set its count, and how they fail. Here
 * is the one that does not. It rests on sem_otime, which the kernel keeps
 * with each set: the time of the last semop(). It is 0 in a new set, and
 * SETVAL leaves it at 0. So the creator, whom IPC_EXCL finds out, posts the
 * first count, where the others set it; and who finds the set waits until
 * sem_otime is no longer 0. And not for ever: the creator may have died.
 *
 * The same two orders as in init_race, and then a creator who never posts.
 *
 *     $ cc init_post.c -o init_post
 *     $ ./init_post 50ms
 *     first: created count=0 otime=0 set=7
 *     second: found count=0 otime=0 set=7
 *     first: posted count=1 otime=set set=7
 *     second: posted count=2 otime=set set=7
 *     first: created count=0 otime=0 set=8
 *     first: posted count=1 otime=set set=8
 *     first: took count=0 otime=set set=8
 *     second: found count=0 otime=set set=8
 *     second: refused count=0 otime=set set=8
 *     first: created count=0 otime=0 set=9
 *     second: found count=0 otime=0 set=9
 *     second: gave_up waited_ms=50
 *
 * See also: semget(2), semctl(2), semop(2).
 */
#define _GNU_SOURCE /* nanosleep(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

union semun { /* every program has to define it itself, see semctl(2) */
    int val;
    struct semid_ds *buf;
};

enum story { IN_THE_GAP, WHEN_TAKEN, NO_POST };

static int64_t limit = 50 * NS_PER_MS;
static int here[2], go[2]; /* the gate, two pipes: I am here; you may go on */

static time_t otime_of(int set)
{
    struct semid_ds now;

    if (semctl(set, 0, IPC_STAT, (union semun){.buf = &now}) == -1)
        err(EXIT_FAILURE, "semctl");
    return now.sem_otime;
}

static void tell(const char *who, const char *event, int set)
{
    int count = semctl(set, 0, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    printf("%s: %s count=%d otime=%s set=%d\n", who, event, count,
           otime_of(set) == 0 ? "0" : "set", set);
}

static void operate(const char *who, int set, short op)
{
    struct sembuf what = {.sem_op = op, .sem_flg = IPC_NOWAIT};
    int rc = semop(set, &what, 1);
    if (rc == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "semop");
    tell(who, rc == -1 ? "refused" : op < 0 ? "took" : "posted", set);
}

/* The second process: the set is there, so wait for its creator's post. */
static void find_and_use(key_t key, short op)
{
    struct timespec nap = to_timespec(NS_PER_MS);
    int64_t start = now_ns(), waited;
    char none;
    int set = semget(key, 1, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    tell("second", "found", set); /* its first look */
    if (write(here[1], "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (read(go[0], &none, 1) == -1) /* 0: the first has closed it */
        err(EXIT_FAILURE, "read");
    while (otime_of(set) == 0) {
        if ((waited = now_ns() - start) >= limit) {
            printf("second: gave_up waited_ms=%" PRId64 "\n",
                   waited / NS_PER_MS);
            return;
        }
        if (nanosleep(&nap, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    }
    operate("second", set, op);
}

/* Returns when it stands at the gate. */
static pid_t start_second(key_t key, short op)
{
    char none;
    if (pipe(here) == -1 || pipe(go) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t child = fork_helper("second");
    close(child == 0 ? here[0] : here[1]);
    close(child == 0 ? go[1] : go[0]);
    if (child > 0) {
        if (read(here[0], &none, 1) == -1)
            err(EXIT_FAILURE, "read");
        return child;
    }

    find_and_use(key, op);
    _exit(EXIT_SUCCESS);
}

/* The first process: one of many asks for IPC_EXCL and is the creator. */
static void create_and_post(key_t key, enum story story)
{
    int set = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    tell("first", "created", set);
    pid_t second = 0;
    if (story != WHEN_TAKEN)
        second = start_second(key, 1);
    if (story != NO_POST)
        operate("first", set, 1); /* from now on the count is there */
    if (story == WHEN_TAKEN) {
        operate("first", set, -1);
        second = start_second(key, -1);
    }
    close(go[1]); /* the gate opens */
    see_end(second, 0);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: init_post [LIMIT]\n"
              "  LIMIT  how long to wait for the post, default 50ms\n",
              stderr);
        return EXIT_USAGE;
    }
    if (argc > 1)
        limit = parse_duration(argv[1]);

    key_t key = (key_t)(0x07000000 + 4 * getpid()); /* of this run alone */
    for (int i = 0; i < 3; i++)
        guard_key(key + i);
    setlinebuf(stdout); /* empty at fork() */
    create_and_post(key, IN_THE_GAP);
    create_and_post(key + 1, WHEN_TAKEN);
    create_and_post(key + 2, NO_POST);
    return EXIT_SUCCESS;
}
