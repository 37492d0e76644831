/*
 * undo_on_exit - what SEM_UNDO repairs, and four ways to break a count by it.
 *
 * With the flag SEM_UNDO the kernel keeps an account for the process: a take
 * adds one to it, a post subtracts one. When the process ends, killed or not,
 * the account is added to the count. So what a killed holder has taken is
 * there again.
 *
 * But only operations with the flag are in the account, and only those of
 * this process. Where the take and the post do not agree about the flag,
 * where another process posts, and where what was posted is to stay, the
 * count is wrong after its end. right is what it should be.
 *
 *     $ cc undo_on_exit.c -o undo_on_exit
 *     $ ./undo_on_exit
 *     holder: killed took=plain posted=no before=0 after=0 right=1 set=7
 *     holder: killed took=undo posted=no before=0 after=1 right=1 set=7
 *     worker: ended took=undo posted=undo before=1 after=1 right=1 set=7
 *     worker: ended took=undo posted=plain before=1 after=2 right=1 set=7
 *     worker: ended took=plain posted=undo before=1 after=0 right=1 set=7
 *     worker: ended took=undo posted=by_helper before=1 after=2 right=1 set=7
 *     producer: ended took=no posted=undo before=5 after=0 right=5 set=7
 *
 * See also: semop(2), exit(3).
 */
#define _GNU_SOURCE /* with -std=c11 too, all of the headers */

#include <err.h>
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

union semun { /* every program has to define it itself, see semctl(2) */
    int val;
    struct semid_ds *buf;
};

enum how { NO, PLAIN, UNDO, BY_HELPER };
static const char *const word[] = {"no", "plain", "undo", "by_helper"};

static const struct story {
    const char *who;
    int start; /* the count */
    enum how takes, posts;
    short items; /* that it posts */
    bool killed;
    int right; /* what the count should be when it has ended */
} stories[] = {
    {"holder", 1, PLAIN, NO, 0, true, 1},
    {"holder", 1, UNDO, NO, 0, true, 1},
    {"worker", 1, UNDO, UNDO, 1, false, 1},
    {"worker", 1, UNDO, PLAIN, 1, false, 1},
    {"worker", 1, PLAIN, UNDO, 1, false, 1},
    {"worker", 1, UNDO, BY_HELPER, 1, false, 1},
    {"producer", 0, NO, UNDO, 5, false, 5},
};

static int count_of(int set)
{
    int count = semctl(set, 0, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    return count;
}

static void operate(int set, short op, enum how how)
{
    struct sembuf what = {.sem_op = op, .sem_flg = how == UNDO ? SEM_UNDO : 0};

    if (semop(set, &what, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* Do it, say so through a pipe, stop at another until it is time to end. */
static _Noreturn void live(const struct story *story, int set, int done, int go)
{
    char none;

    if (story->takes != NO)
        operate(set, -1, story->takes);
    if (story->posts == PLAIN || story->posts == UNDO)
        operate(set, story->items, story->posts);
    if (write(done, "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (read(go, &none, 1) == -1) /* 0: the other end is closed */
        err(EXIT_FAILURE, "read");
    if (story->killed && raise(SIGKILL) != 0) /* as by kill -9 */
        err(EXIT_FAILURE, "raise");
    _exit(EXIT_SUCCESS);
}

/* Returns when it has done its part. To close let_go lets it end. */
static pid_t start(const struct story *story, int set, int *let_go)
{
    int done[2], go[2];
    char none;
    if (pipe(done) == -1 || pipe(go) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t child = fork_helper(story->who);
    if (child == 0) {
        close(go[1]);
        live(story, set, done[1], go[0]);
    }

    close(done[1]);
    close(go[0]);
    ssize_t got = read(done[0], &none, 1);
    if (got == -1)
        err(EXIT_FAILURE, "read");
    if (got == 0)
        errx(EXIT_FAILURE, "read: the %s has failed", story->who);
    close(done[0]);
    *let_go = go[1];
    return child;
}

static void tell(const struct story *story, int set)
{
    int go, status;
    if (semctl(set, 0, SETVAL, (union semun){.val = story->start}) == -1)
        err(EXIT_FAILURE, "semctl");
    pid_t child = start(story, set, &go);
    if (story->posts == BY_HELPER) /* that is us */
        operate(set, 1, PLAIN);
    int before = count_of(set);

    close(go);
    if (waitpid(child, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != (story->killed ? SIGKILL : 0))
        errx(EXIT_FAILURE, "waitpid: the %s has failed", story->who);
    printf("%s: %s took=%s posted=%s before=%d after=%d right=%d set=%d\n",
           story->who, story->killed ? "killed" : "ended", word[story->takes],
           word[story->posts], before, count_of(set), story->right, set);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: undo_on_exit\n", stderr);
        return EXIT_USAGE;
    }

    int set = semget(IPC_PRIVATE, 1, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* empty at fork() */
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++)
        tell(&stories[i], set);
    return EXIT_SUCCESS;
}
