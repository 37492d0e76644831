/*
 * try_and_back_off - nobody waits for a second while it has a first.
 *
 * Where no order can be agreed upon there is another way: take the first, but
 * only try the second, with IPC_NOWAIT. Who is refused lets go of what it has,
 * pauses, and begins again. Then no one can wait for one who waits for it.
 *
 * But they may go round together for ever: all take, all are refused, all let
 * go, all pause. Nobody waits and nobody gets on: a livelock. It takes a pause
 * of another length for each, at random. And random is not enough: a fork()
 * copies the generator too, so children that draw from what they have
 * inherited draw the same.
 *
 * Three sit in a ring. Each takes its own tool, and tries its neighbour's.
 * That they go at the same pace is arranged: a clock lets each of them make
 * one step in a tick, and pauses are counted in ticks. Who has not got both
 * within so many rounds gives up; drew are its first three pauses.
 *
 *     $ cc try_and_back_off.c -o try_and_back_off
 *     $ ./try_and_back_off
 *     clock: begins pauses=fixed rounds_most=30 set=7
 *     first: gave_up rounds=30 drew=4,4,4
 *     second: gave_up rounds=30 drew=4,4,4
 *     third: gave_up rounds=30 drew=4,4,4
 *     clock: begins pauses=inherited rounds_most=30 set=7
 *     first: gave_up rounds=30 drew=7,2,5
 *     second: gave_up rounds=30 drew=7,2,5
 *     third: gave_up rounds=30 drew=7,2,5
 *     clock: begins pauses=own rounds_most=30 set=7
 *     second: done rounds=2 drew=3,0,0
 *     third: done rounds=2 drew=5,0,0
 *     first: done rounds=2 drew=8,0,0
 *
 * Exits with 0, or with one word for the pauses with 3 if somebody gave up.
 * See also: semop(2), random(3).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "ticks.h"

#define ALL 3
#define AMPLE (10 * NS_PER_SEC)
#define ROUNDS_MOST 30
#define PAUSE_MOST 8 /* ticks */

enum pauses { FIXED, INHERITED, OWN, KINDS };
static const char *const kinds[] = {"fixed", "inherited", "own"};
static const char *const names[] = {"first", "second", "third"};

static int set;

/* Does it have it now? With IPC_NOWAIT: without a wait. */
static bool take(int tool, short flag)
{
    struct sembuf take = {(unsigned short)tool, -1, flag};
    struct timespec timeout = to_timespec(AMPLE);

    if (semtimedop(set, &take, 1, &timeout) == 0)
        return true;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");
    return false;
}

static void let_go(int tool)
{
    struct sembuf post = {(unsigned short)tool, 1, 0};

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* Ticks from 1 to PAUSE_MOST. */
static int draw(enum pauses pauses)
{
    return pauses == FIXED ? PAUSE_MOST / 2 : 1 + (int)(random() % PAUSE_MOST);
}

static _Noreturn void work(int me, enum pauses pauses, int clock)
{
    int mine = me, neighbours = (me + 1) % ALL;
    int rounds = 0, drew[ROUNDS_MOST] = {0};
    bool done = false;

    if (pauses == OWN)
        srandom((unsigned)getpid());
    while (!done && rounds < ROUNDS_MOST) {
        step(clock);
        if (!take(mine, 0)) /* waits, but with nothing in its hands */
            errx(EXIT_FAILURE, "semtimedop: a neighbour does not let go");
        step(clock);
        done = take(neighbours, IPC_NOWAIT);
        if (done) /* its work */
            let_go(neighbours);
        else
            step(clock); /* here: until the others have been refused, too */
        let_go(mine);
        if (!done)
            drew[rounds] = draw(pauses);
        for (int tick = 0; tick < drew[rounds]; tick++)
            step(clock);
        rounds++;
    }
    printf("%s: %s rounds=%d drew=%d,%d,%d\n", names[me],
           done ? "done" : "gave_up", rounds, drew[0], drew[1], drew[2]);
    _exit(done ? EXIT_SUCCESS : EXIT_TIMED_OUT);
}

/* Have all done their work? */
static bool play(enum pauses pauses)
{
    pid_t children[ALL];
    int clocks[ALL], status, done = 0;

    printf("clock: begins pauses=%s rounds_most=%d set=%d\n", kinds[pauses],
           ROUNDS_MOST, set);
    srandom((unsigned)getpid()); /* once, for all who inherit it */
    for (int i = 0; i < ALL; i++) {
        children[i] = start_on_clock(names[i], &clocks[i]);
        if (children[i] == 0)
            work(i, pauses, clocks[i]);
    }
    run_clock(clocks, ALL);
    for (int i = 0; i < ALL; i++) {
        if (waitpid(children[i], &status, 0) == -1)
            err(EXIT_FAILURE, "waitpid");
        if (!WIFEXITED(status) || WEXITSTATUS(status) == EXIT_FAILURE)
            errx(EXIT_FAILURE, "waitpid: the %s has failed", names[i]);
        done += status == 0;
    }
    return done == ALL;
}

int main(int argc, char *argv[])
{
    enum pauses pauses = FIXED;
    while (argc == 2 && pauses < KINDS && strcmp(argv[1], kinds[pauses]) != 0)
        pauses++;
    if (argc > 2 || pauses == KINDS) {
        fputs("usage: try_and_back_off [fixed|inherited|own]\n"
              "  Without a word for the pauses, all of them.\n",
              stderr);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, ALL, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    for (int tool = 0; tool < ALL; tool++)
        let_go(tool);

    setlinebuf(stdout); /* empty at fork() */
    if (argc > 1)
        return play(pauses) ? EXIT_SUCCESS : EXIT_TIMED_OUT;
    for (pauses = FIXED; pauses <= OWN; pauses++)
        play(pauses);
    return EXIT_SUCCESS;
}
