/*
 * both_or_neither - several operations in one call: all are done, or none.
 *
 * semop() takes an array of operations. The kernel tries them in the order in
 * which they stand, each on what those before it have made of the counts.
 * Where one cannot be done it reverses those before it, and waits, or
 * refuses: nobody ever sees a half. So who needs two things waits for both,
 * and meanwhile keeps neither from others. Who takes them one by one has the
 * first while it waits for the second.
 *
 * A kitchen has a pan, and a stove that is in use. Who cooks needs both, a
 * guest the pan alone. Then a call operates twice on the pan, and it matters
 * what stands first. Each line is one call: its operations, and the counts
 * after it. All calls are ours, but the cook, who waits, is a process.
 *
 *     $ cc both_or_neither.c -o both_or_neither
 *     $ ./both_or_neither
 *     kitchen: did ops=pan+1 pan=1 stove=0 pan_waiting=0 stove_waiting=0 set=7
 *     hasty: did ops=pan-1 pan=0 stove=0 pan_waiting=0 stove_waiting=0 set=7
 *     ...
 *
 * See also: semop(2), semctl(2).
 */
#define _GNU_SOURCE /* nanosleep(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define LIMIT_S 10 /* the cook waits no longer */

enum { PAN, STOVE, BOTH }; /* the two counts, and how many they are */
static const char *const names[] = {"pan", "stove"};
static int set;

static int ask(int which, int command)
{
    int answer = semctl(set, which, command);
    if (answer == -1)
        err(EXIT_FAILURE, "semctl");
    return answer;
}

static void tell(const char *who, const char *event, const struct sembuf *ops,
                 size_t count)
{
    printf("%s: %s ops=", who, event);
    for (size_t i = 0; i < count; i++)
        printf("%s%s%+d", i ? "," : "", names[ops[i].sem_num], ops[i].sem_op);
    printf(" pan=%d stove=%d pan_waiting=%d stove_waiting=%d set=%d\n",
           ask(PAN, GETVAL), ask(STOVE, GETVAL), ask(PAN, GETNCNT),
           ask(STOVE, GETNCNT), set);
}

/* These operations, in one call. */
static void act(const char *who, const struct sembuf *ops, size_t count)
{
    struct sembuf at_once[BOTH];

    for (size_t i = 0; i < count; i++) {
        at_once[i] = ops[i];
        at_once[i].sem_flg = IPC_NOWAIT;
    }
    int rc = semop(set, at_once, count);
    if (rc == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "semop");
    tell(who, rc == 0 ? "did" : "refused", ops, count);
}

static void one(const char *who, unsigned short which, short op)
{
    act(who, &(struct sembuf){.sem_num = which, .sem_op = op}, 1);
}

/* Two on the pan: this one, and then that one. */
static void twice(const char *who, short op, short then)
{
    const struct sembuf ops[] = {{.sem_op = op}, {.sem_op = then}};

    act(who, ops, 2);
}

static const struct sembuf both[] = {
    {.sem_num = PAN, .sem_op = -1},
    {.sem_num = STOVE, .sem_op = -1},
};

/* Returns when the kernel counts it as waiting for the stove. */
static pid_t start_cook(void)
{
    struct timespec nap = to_timespec(NS_PER_MS);
    struct sembuf ops[BOTH] = {both[PAN], both[STOVE]};
    pid_t cook = fork_helper("cook");
    if (cook == 0) {
        alarm(LIMIT_S); /* its signal ends us */
        if (semop(set, ops, BOTH) == -1)
            err(EXIT_FAILURE, "semop");
        _exit(EXIT_SUCCESS);
    }

    while (ask(STOVE, GETNCNT) == 0) {
        pid_t ended = waitpid(cook, NULL, WNOHANG);
        if (ended == -1)
            err(EXIT_FAILURE, "waitpid");
        if (ended > 0)
            errx(EXIT_FAILURE, "waitpid: the cook does not wait");
        if (nanosleep(&nap, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    }
    tell("cook", "waits", both, BOTH);
    return cook;
}

static void play(void)
{
    one("kitchen", PAN, 1);
    one("hasty", PAN, -1); /* one by one */
    one("hasty", STOVE, -1);
    one("guest", PAN, -1);
    one("hasty", PAN, 1);
    act("patient", both, BOTH);

    pid_t cook = start_cook();
    one("guest", PAN, -1);
    one("kitchen", STOVE, 1);
    one("guest", PAN, 1); /* so the cook goes on */
    see_end(cook, 0);
    tell("cook", "did", both, BOTH);

    twice("taker", -1, 1); /* the pan is at 0 */
    twice("poster", 1, -1);
    twice("first", 0, 1); /* if it is at 0 make it 1 */
    twice("second", 0, 1);
    one("first", PAN, -1);
    twice("second", 0, 1);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: both_or_neither\n", stderr);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, BOTH, 0600); /* Linux starts both at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* empty at fork() */
    play();
    return EXIT_SUCCESS;
}
