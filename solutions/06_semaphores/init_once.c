/*
 * init_once - open a set that others may open too, and give it its count once.
 *
 * Whoever comes first makes the set, and it shall count 1. The others use it
 * when it does, and not before. homcc, a compiler for many machines, met the
 * race for the first count on one of them alone
 * (https://github.com/celonis/homcc/pull/83).
 *
 *     $ init_once 300ms
 *     opener: opened count=1 otime=set set=7
 *     opener: took count=0 otime=set set=7
 *     opener: opened count=0 otime=set set=7
 *     $ init_once 300ms slow
 *     creator: created count=0 otime=0 set=8
 *     opener: opened count=1 otime=set set=8
 *     creator: posted count=1 otime=set set=8
 *     $ init_once 300ms dead
 *     creator: created count=0 otime=0 set=9
 *     opener: gave_up waited_ms=300
 *     init_once: never given its count: ipcrm -S 0x80012c9
 *
 * Exits with 0 when opened, with 3 when the creator's post did not come.
 * See also: semget(2), semctl(2), semop(2).
 */
#define _GNU_SOURCE /* nanosleep(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

union semun { /* every program has to define it itself, see semctl(2) */
    int val;
    struct semid_ds *buf;
};

/* The time of the last operation, 0 for none. */
static time_t otime_of(int set)
{
    struct semid_ds now;

    if (semctl(set, 0, IPC_STAT, (union semun){.buf = &now}) == -1)
        err(EXIT_FAILURE, "semctl");
    return now.sem_otime;
}

static void operate(int set, short op)
{
    struct sembuf what = {.sem_num = 0, .sem_op = op, .sem_flg = IPC_NOWAIT};

    if (semop(set, &what, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* The set with this key, made if need be, when its count is there; or -1. */
static int open_once(key_t key, int64_t deadline)
{
    struct timespec nap = to_timespec(NS_PER_MS);
    int set = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
    if (set == -1 && errno != EEXIST)
        return -1;
    if (set != -1) {
        guard_semaphore_set(set);
        operate(set, 1);
        return set;
    }

    set = semget(key, 1, 0600);
    while (set != -1 && otime_of(set) == 0) {
        if (now_ns() >= deadline) {
            errno = ETIMEDOUT;
            return -1;
        }
        nanosleep(&nap, NULL);
    }
    return set;
}

static void tell(const char *who, const char *event, int set)
{
    int count = semctl(set, 0, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    printf("%s: %s count=%d otime=%s set=%d\n", who, event, count,
           otime_of(set) == 0 ? "0" : "set", set);
}

static int open_and_tell(key_t key, int64_t limit)
{
    int64_t start = now_ns();
    int set = open_once(key, start + limit);
    if (set == -1 && errno != ETIMEDOUT)
        err(EXIT_FAILURE, "open_once");
    if (set == -1) {
        printf("opener: gave_up waited_ms=%" PRId64 "\n",
               (now_ns() - start) / NS_PER_MS);
        errx(EXIT_TIMED_OUT, "never given its count: ipcrm -S 0x%x",
             (unsigned)key);
    }
    tell("opener", "opened", set);
    return set;
}

static pid_t start_opener(key_t key, int64_t limit, bool alone)
{
    pid_t creator = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child > 0)
        return child;

    /* Never outlive the creator. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "opener") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != creator)
        _exit(EXIT_FAILURE);
    int set = open_and_tell(key, limit);
    if (alone) { /* take it, and open it as others would, too */
        operate(set, -1);
        tell("opener", "took", set);
        open_and_tell(key, limit);
    }
    _exit(EXIT_SUCCESS);
}

/* Does the opener sleep? For long it does so in open_once() alone. */
static bool is_asleep(pid_t opener)
{
    char path[32], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)opener);
    FILE *stat = fopen(path, "re");
    if (!stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
        err(EXIT_FAILURE, "read %s", path);
    fclose(stat);
    return state == 'S';
}

/* A slow creator posts when it has been awaited, or the opener is back. */
static void post_slowly(int set, pid_t opener)
{
    struct timespec nap = to_timespec(NS_PER_MS);
    siginfo_t end = {0};
    int asleep = 0; /* in so many looks */

    for (int i = 0; i < 1000 && end.si_pid == 0 && asleep < 50; i++) {
        nanosleep(&nap, NULL);
        asleep += is_asleep(opener);
        if (waitid(P_PID, (id_t)opener, &end, WEXITED | WNOHANG | WNOWAIT))
            err(EXIT_FAILURE, "waitid");
    }
    operate(set, 1);
}

/* A set that is there and does not count yet. */
static int create(key_t key)
{
    int set = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    tell("creator", "created", set);
    return set;
}

int main(int argc, char *argv[])
{
    const char *creator = argc > 2 ? argv[2] : "none";
    bool slow = strcmp(creator, "slow") == 0;
    bool dead = strcmp(creator, "dead") == 0;
    if (argc < 2 || argc > 3 || (argc == 3 && !slow && !dead)) {
        fputs("usage: init_once LIMIT [slow|dead]\n"
              "  LIMIT  give up after this long, such as 300ms\n"
              "  slow   somebody has made the set, and posts while we wait\n"
              "  dead   somebody has made the set, and never posts\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = parse_duration(argv[1]);
    key_t key = (key_t)(0x08000000 + getpid()); /* of this run alone */

    setlinebuf(stdout); /* empty at fork() */
    int status, set = slow || dead ? create(key) : -1;
    pid_t opener = start_opener(key, limit, set == -1);
    if (slow)
        post_slowly(set, opener);
    if (waitpid(opener, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (slow)
        tell("creator", "posted", set);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
