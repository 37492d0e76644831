/*
 * init_race - a set is there before its count is, and somebody comes between.
 *
 * semget() makes the set, and a second call gives it its count. Between the
 * two calls the set is there for all. Two ways are common, and both go wrong:
 *
 *     creator    IPC_EXCL lets only one create it, and he sets it to 1: what
 *                another has posted before that is lost
 *     everybody  whoever comes sets it to 1, and creates it if need be: also
 *                when the 1 has been taken, and then two have it
 *
 * Nothing is left to chance: where it does the damage the first process lets
 * the second in, and waits at a gate, a pipe, until that has ended. otime is
 * the time of the last semop(), 0 for none; init_post needs it.
 *
 *     $ cc init_race.c -o init_race
 *     $ ./init_race
 *     first: created count=0 otime=0 set=7
 *     second: found count=0 otime=0 set=7
 *     second: posted count=1 otime=set set=7
 *     first: set count=1 otime=set set=7
 *     first: set count=1 otime=0 set=8
 *     first: took count=0 otime=set set=8
 *     second: set count=1 otime=set set=8
 *     second: took count=0 otime=set set=8
 *
 * See also: semget(2), semctl(2), semop(2).
 */
#define _GNU_SOURCE /* with -std=c11 too, all of the headers */

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

union semun { /* every program has to define it itself, see semctl(2) */
    int val;
    struct semid_ds *buf;
};

static void tell(const char *who, const char *event, int set)
{
    struct semid_ds now;
    int count = semctl(set, 0, GETVAL);
    if (count == -1 ||
        semctl(set, 0, IPC_STAT, (union semun){.buf = &now}) == -1)
        err(EXIT_FAILURE, "semctl");
    printf("%s: %s count=%d otime=%s set=%d\n", who, event, count,
           now.sem_otime == 0 ? "0" : "set", set);
}

static void set_to_1(const char *who, int set)
{
    if (semctl(set, 0, SETVAL, (union semun){.val = 1}) == -1)
        err(EXIT_FAILURE, "semctl");
    tell(who, "set", set);
}

static void operate(const char *who, int set, short op)
{
    struct sembuf what = {.sem_op = op, .sem_flg = IPC_NOWAIT};

    if (semop(set, &what, 1) == -1)
        err(EXIT_FAILURE, "semop");
    tell(who, op < 0 ? "took" : "posted", set);
}

typedef void role(key_t key);

/* The second process plays its role; we go on when it has. */
static void let_in(role *second, key_t key)
{
    int gate[2];
    char none;
    if (pipe(gate) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t child = fork_helper("second");
    if (child == 0) {
        close(gate[0]);
        second(key);
        _exit(EXIT_SUCCESS);
    }

    close(gate[1]); /* now its end is the end of the pipe */
    if (read(gate[0], &none, 1) == -1)
        err(EXIT_FAILURE, "read");
    close(gate[0]);
    see_end(child, 0);
}

/* Not the creator: the set is there, so use it. */
static void find_and_post(key_t key)
{
    int set = semget(key, 1, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    tell("second", "found", set);
    operate("second", set, 1);
}

/* Wrong, on purpose: others find the set while it has no count yet. */
static void create_and_set(key_t key)
{
    int set = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    tell("first", "created", set);
    let_in(find_and_post, key); /* the gap */
    set_to_1("first", set);
}

/* Wrong, on purpose: it does not know whether it is the first. */
static int open_and_set(const char *who, key_t key)
{
    int set = semget(key, 1, IPC_CREAT | 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    set_to_1(who, set);
    return set;
}

static void set_and_take(key_t key)
{
    operate("second", open_and_set("second", key), -1);
}

static void take_and_let_in(key_t key)
{
    operate("first", open_and_set("first", key), -1);
    let_in(set_and_take, key);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: init_race\n", stderr);
        return EXIT_USAGE;
    }

    /* Programs that share a set agree on a key; ours is for this run. */
    key_t key = (key_t)(0x06000000 + 2 * getpid());
    guard_key(key);
    guard_key(key + 1);
    setlinebuf(stdout); /* empty at fork() */
    create_and_set(key);
    take_and_let_in(key + 1);
    return EXIT_SUCCESS;
}
