/*
 * order_check - finds a deadlock in a run in which there was none.
 *
 * The transfers of abba hang only when two meet at the wrong moment. A test
 * that runs one after the other sees nothing, and the fault may lie there for
 * years. But it is there in each run: one takes savings before checking, and
 * another one takes checking before savings.
 *
 * So remember, at each take, what the taker has: that comes before what it
 * takes. The table is in shared memory, and nothing is deleted from it. Where a
 * new entry closes a circle there is no order that all keep to, an inversion,
 * and the checker tells who has taken what before what.
 *
 * In each story the transfers run one after the other, so nobody waits. Two or
 * three of them are in a circle. In "ordered" all keep to one order, and in
 * "in_turn" each lets go of one before it takes the next. "guarded" is a false
 * alarm: who has the vault first keeps all others away, and no deadlock is
 * possible. The checker knows orders, and not what keeps apart.
 *
 *     $ cc order_check.c -o order_check
 *     $ ./order_check two
 *     bank: begins story=two set=7
 *     first: new_order has=savings takes=checking
 *     second: new_order has=checking takes=savings
 *     second: inversion has=checking takes=savings but=first:savings,checking
 *     bank: ended done=2 of=2 inversions=1
 *
 * See also: order_check.h, abba.c, same_order.c.
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"
#include "order_check.h"

#define AMPLE (10 * NS_PER_SEC)

static int set;
static int mine[ACCOUNTS], held; /* what we have, in the order of our takes */

/* Checked before the take: if that hangs, it has been said. */
static void take(int account)
{
    struct sembuf take = {(unsigned short)account, -1, SEM_UNDO};
    struct timespec timeout = to_timespec(AMPLE);

    for (int i = 0; i < held; i++)
        check_order(mine[i], account);
    if (semtimedop(set, &take, 1, &timeout) == -1)
        err(EXIT_FAILURE, "semtimedop");
    mine[held++] = account;
}

static void let_go(void)
{
    struct sembuf post = {(unsigned short)mine[--held], 1, SEM_UNDO};

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* The letters of accounts to take; - is to let go of the last one. */
static _Noreturn void transfer(const char *moves)
{
    for (size_t i = 0; i < strlen(moves); i++) {
        int account = 0;
        while (account < ACCOUNTS && accounts[account][0] != moves[i])
            account++;
        if (account < ACCOUNTS)
            take(account);
        else
            let_go();
    }
    while (held > 0)
        let_go();
    _exit(EXIT_SUCCESS);
}

static const struct story {
    const char *name, *transfers[3];
} stories[] = {
    {"ordered", {"sc", "sb", "scb"}},
    {"in_turn", {"s-c", "c-s"}},
    {"two", {"sc", "cs"}},
    {"three", {"sc", "cb", "bs"}},
    {"guarded", {"vsc", "vcs"}},
};
#define STORIES (sizeof stories / sizeof stories[0])

/* Each begins when the one before it has ended. */
static void play(const struct story *story)
{
    int count = 0;

    printf("bank: begins story=%s set=%d\n", story->name, set);
    while (count < 3 && story->transfers[count]) {
        pid_t child = fork_helper(names[count + 1]);
        if (child == 0) {
            me = count + 1;
            transfer(story->transfers[count]);
        }
        see_end(child, 0);
        count++;
    }
    printf("bank: ended done=%d of=%d inversions=%d\n", count, count,
           orders->inversions);
}

int main(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "three";
    size_t story = 0;
    while (story < STORIES && strcmp(name, stories[story].name) != 0)
        story++;
    if (argc > 2 || story == STORIES) {
        fputs("usage: order_check [three|two|ordered|in_turn|guarded]\n"
              "  Without a story, it is that of three.\n",
              stderr);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, ACCOUNTS, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    struct sembuf one_each[ACCOUNTS];
    for (unsigned short i = 0; i < ACCOUNTS; i++)
        one_each[i] = (struct sembuf){i, 1, 0};
    if (semop(set, one_each, ACCOUNTS) == -1)
        err(EXIT_FAILURE, "semop");
    map_orders();

    setlinebuf(stdout); /* empty at fork() */
    play(&stories[story]);
    return EXIT_SUCCESS;
}
