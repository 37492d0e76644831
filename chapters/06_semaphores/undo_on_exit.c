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
 * count is wrong when the process has ended. right is what it should be.
 *
 *     $ cc undo_on_exit.c -o undo_on_exit
 *     $ ./undo_on_exit
 *     holder: took undo=no count=0 set=7
 *     holder: killed count=0 right=1 set=7
 *     holder: took undo=yes count=0 set=7
 *     holder: killed count=1 right=1 set=7
 *     worker: took undo=yes count=0 set=7
 *     worker: posted undo=yes count=1 set=7
 *     worker: ended count=1 right=1 set=7
 *     worker: took undo=yes count=0 set=7
 *     worker: posted undo=no count=1 set=7
 *     worker: ended count=2 right=1 set=7
 *     worker: took undo=no count=0 set=7
 *     worker: posted undo=yes count=1 set=7
 *     worker: ended count=0 right=1 set=7
 *     worker: took undo=yes count=0 set=7
 *     helper: posted undo=no count=1 set=7
 *     worker: ended count=2 right=1 set=7
 *     producer: posted undo=yes count=5 set=7
 *     producer: ended count=0 right=5 set=7
 *
 * See also: semop(2), exit(3).
 */
#define _GNU_SOURCE /* with -std=c11 too, all of the headers */

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"

union semun { /* every program has to define it itself, see semctl(2) */
    int val;
    struct semid_ds *buf;
};

enum { NO = 0, YES = SEM_UNDO };

static const struct story {
    const char *who;
    int start; /* the count */
    struct step {
        short op, undo;
    } does[2];
    bool helped, killed;
    int right; /* what the count should be at the end */
} stories[] = {
    {"holder", 1, {{-1, NO}}, .killed = true, .right = 1},
    {"holder", 1, {{-1, YES}}, .killed = true, .right = 1},
    {"worker", 1, {{-1, YES}, {1, YES}}, .right = 1},
    {"worker", 1, {{-1, YES}, {1, NO}}, .right = 1},
    {"worker", 1, {{-1, NO}, {1, YES}}, .right = 1},
    {"worker", 1, {{-1, YES}}, .helped = true, .right = 1},
    {"producer", 0, {{5, YES}}, .right = 5},
};

static int count_of(int set)
{
    int count = semctl(set, 0, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    return count;
}

static void operate(const char *who, int set, struct step it)
{
    struct sembuf what = {.sem_op = it.op, .sem_flg = it.undo};

    if (semop(set, &what, 1) == -1)
        err(EXIT_FAILURE, "semop");
    printf("%s: %s undo=%s count=%d set=%d\n", who,
           it.op < 0 ? "took" : "posted", it.undo == YES ? "yes" : "no",
           count_of(set), set);
}

/* Do it, say so through the pipe, and stop until we are killed or may end. */
static _Noreturn void live(const struct story *story, int set, int done, int go)
{
    char none;

    for (int i = 0; i < 2 && story->does[i].op != 0; i++)
        operate(story->who, set, story->does[i]);
    if (write(done, "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (read(go, &none, 1) == -1) /* 0: the other end is closed */
        err(EXIT_FAILURE, "read");
    _exit(EXIT_SUCCESS);
}

static void end(pid_t child, bool kill_it, int go)
{
    int status, expected = kill_it ? SIGKILL : 0;

    if (kill_it && kill(child, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    close(go);
    if (waitpid(child, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != expected)
        errx(EXIT_FAILURE, "waitpid: it has not ended as it should");
}

static void tell(const struct story *story, int set)
{
    int done[2], go[2];
    char none;
    if (semctl(set, 0, SETVAL, (union semun){.val = story->start}) == -1)
        err(EXIT_FAILURE, "semctl");
    if (pipe(done) == -1 || pipe(go) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t parent = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0) {
        /* Never outlive the parent. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
            prctl(PR_SET_NAME, story->who) == -1)
            err(EXIT_FAILURE, "prctl");
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
        close(go[1]);
        live(story, set, done[1], go[0]);
    }

    close(done[1]);
    close(go[0]);
    ssize_t got = read(done[0], &none, 1);
    if (got == -1)
        err(EXIT_FAILURE, "read");
    close(done[0]);
    if (got == 1 && story->helped)
        operate("helper", set, (struct step){1, NO});
    end(child, got == 1 && story->killed, go[1]);
    printf("%s: %s count=%d right=%d set=%d\n", story->who,
           story->killed ? "killed" : "ended", count_of(set), story->right,
           set);
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
