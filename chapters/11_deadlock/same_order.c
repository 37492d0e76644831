/*
 * same_order - two processes, two semaphores, one order: no deadlock.
 *
 * The same two transfers as in abba, at the same moment; compare the files.
 * One thing is new: whichever way the money goes, savings is taken before
 * checking. So the second asks for savings, too, and waits with nothing in its
 * hands, for one who will not wait for it. It is an order for all who take
 * both, and any order will do, as long as it is the same for all.
 *
 *     $ cc same_order.c -o same_order
 *     $ ./same_order
 *     first: took account=savings undo=no set=7
 *     bank: opens_gate have=1 wait=1
 *     first: took_both waited_ms=0
 *     second: took account=savings undo=no set=7
 *     second: took_both waited_ms=0
 *     bank: ended done=2 of=2 counts=1,1
 *     first: took account=savings undo=yes set=7
 *     bank: opens_gate have=1 wait=1
 *     first: took_both waited_ms=0
 *     second: took account=savings undo=yes set=7
 *     second: took_both waited_ms=0
 *     bank: ended done=2 of=2 counts=1,1
 *
 * Exits with 0 when all transfers were done, with 3 when one was given up.
 * See also: abba.c, semop(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "bank.h"

#define AMPLE (10 * NS_PER_SEC)

static const char *const accounts[] = {"savings", "checking"};
static short undo; /* SEM_UNDO, or 0 */

static void post(int account)
{
    struct sembuf post = {(unsigned short)account, 1, undo};

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* False: it was not to be had within the limit. */
static bool take(int account, int64_t limit)
{
    struct sembuf take = {(unsigned short)account, -1, undo};
    struct timespec timeout = to_timespec(limit);

    if (semtimedop(set, &take, 1, &timeout) == 0)
        return true;
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop");
    return false;
}

static _Noreturn void transfer(const char *who, int from, int to, int64_t limit)
{
    /* One order for all, whichever way the money goes. */
    int one = from < to ? from : to;
    int other = from < to ? to : from;

    if (!take(one, AMPLE))
        errx(EXIT_FAILURE, "semtimedop: the other does not let go");
    printf("%s: took account=%s undo=%s set=%d\n", who, accounts[one],
           undo ? "yes" : "no", set);
    pass_gate();

    int64_t start = now_ns();
    bool done = take(other, limit);
    int64_t waited = (now_ns() - start) / NS_PER_MS;
    if (done) {
        printf("%s: took_both waited_ms=%" PRId64 "\n", who, waited);
        post(other); /* when the money has been moved */
    } else {
        printf("%s: gave_up account=%s waited_ms=%" PRId64 "\n", who,
               accounts[other], waited);
    }
    post(one);
    _exit(done ? EXIT_SUCCESS : EXIT_TIMED_OUT);
}

/* The bank. How many transfers were done? */
static int play(int64_t limit, int64_t patience)
{
    struct seen seen = {0, 0};
    shut_gate();
    pid_t first = start_transfer("first");
    if (first == 0)
        transfer("first", SAVINGS, CHECKING, limit);
    see(&seen, 1);
    pid_t second = start_transfer("second");
    if (second == 0)
        transfer("second", CHECKING, SAVINGS, patience);
    see(&seen, 2);
    printf("bank: opens_gate have=%d wait=%d\n", seen.have, seen.wait);
    open_gate();

    int done = was_done(first) + was_done(second);
    printf("bank: ended done=%d of=2 counts=%d,%d\n", done,
           ask(SAVINGS, GETVAL), ask(CHECKING, GETVAL));
    return done;
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: same_order [LIMIT [PATIENCE]]\n"
              "  LIMIT     the first transfer's, default 100ms\n"
              "  PATIENCE  the second transfer's, default 10s\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 100 * NS_PER_MS;
    int64_t patience = argc > 2 ? parse_duration(argv[2]) : 10 * NS_PER_SEC;

    set = semget(IPC_PRIVATE, ACCOUNTS, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    for (int account = 0; account < ACCOUNTS; account++)
        post(account);

    setlinebuf(stdout); /* empty at fork() */
    int done = play(limit, patience);
    undo = SEM_UNDO;
    done += play(limit, patience);
    return done == 4 ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}
