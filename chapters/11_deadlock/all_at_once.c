/*
 * all_at_once - both semaphores in one call: no order, and no deadlock.
 *
 * The two transfers of abba once more, at the same moment. Each takes both of
 * its accounts in one semop(), and still names them the way its money goes.
 * That does no harm: the kernel takes both or none, so who waits has nothing
 * in its hands. All that is taken so has to be in one set.
 *
 * It has its price. Who waits for both keeps neither from others, so whoever
 * needs only one goes first, again and again. In the second story payers take
 * one account each, and there is always one of them at work. Each account is
 * free now and then, but the two never at the same moment; and the patient,
 * who asked before all but the first, waits until there is a gap. (We play the
 * payers ourselves, one call after the other.)
 *
 *     $ cc all_at_once.c -o all_at_once
 *     $ ./all_at_once
 *     first: took_both asked=savings,checking waited_ms=0 set=7
 *     bank: opens_gate have=1 wait=1
 *     second: took_both asked=checking,savings waited_ms=1 set=7
 *     bank: ended done=2 of=2 counts=1,1
 *     payer: took account=savings counts=0,1 waiting=0 set=7
 *     payer: took account=checking counts=1,0 waiting=1 set=7
 *     payer: took account=savings counts=0,1 waiting=1 set=7
 *     payer: took account=checking counts=1,0 waiting=1 set=7
 *     patient: took_both asked=savings,checking waited_ms=2 set=7
 *     bank: ended done=1 of=1 overtaken=3 counts=1,1
 *
 * See also: abba.c, ../06_semaphores/both_or_neither.c, semop(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "bank.h"

#define AMPLE (10 * NS_PER_SEC)
#define PAYERS_MOST 1000

static const char *const accounts[] = {"savings", "checking"};

static _Noreturn void transfer(const char *who, int from, int to)
{
    struct sembuf both[] = {{(unsigned short)from, -1, 0},
                            {(unsigned short)to, -1, 0}};
    struct timespec timeout = to_timespec(AMPLE);

    int64_t start = now_ns();
    if (semtimedop(set, both, ACCOUNTS, &timeout) == -1)
        err(EXIT_FAILURE, "semtimedop");
    printf("%s: took_both asked=%s,%s waited_ms=%" PRId64 " set=%d\n", who,
           accounts[from], accounts[to], (now_ns() - start) / NS_PER_MS, set);
    pass_gate();

    both[0].sem_op = both[1].sem_op = 1; /* when the money has been moved */
    if (semop(set, both, ACCOUNTS) == -1)
        err(EXIT_FAILURE, "semop");
    _exit(EXIT_SUCCESS);
}

/* At the same moment, in opposite order. */
static void play_transfers(void)
{
    struct seen seen = {0, 0};
    shut_gate();
    pid_t first = start_transfer("first");
    if (first == 0)
        transfer("first", SAVINGS, CHECKING);
    see(&seen, 1);
    pid_t second = start_transfer("second");
    if (second == 0)
        transfer("second", CHECKING, SAVINGS);
    see(&seen, 2);
    printf("bank: opens_gate have=%d wait=%d\n", seen.have, seen.wait);
    open_gate();

    int done = was_done(first) + was_done(second);
    printf("bank: ended done=%d of=2 counts=%d,%d\n", done,
           ask(SAVINGS, GETVAL), ask(CHECKING, GETVAL));
}

/* Who needs only one: -1 takes it, which is never refused here, 1 posts. */
static void pay(int account, short op)
{
    struct sembuf one = {(unsigned short)account, op, IPC_NOWAIT};

    if (semop(set, &one, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

static void tell_payer(int account)
{
    printf("payer: took account=%s counts=%d,%d waiting=%d set=%d\n",
           accounts[account], ask(SAVINGS, GETVAL), ask(CHECKING, GETVAL),
           ask(SAVINGS, GETNCNT) + ask(CHECKING, GETNCNT), set);
}

/* Each payer begins before the one before it has ended. */
static void play_payers(long payers)
{
    struct seen seen = {0, 0};
    int account = SAVINGS;

    pay(account, -1);
    tell_payer(account);
    shut_gate();
    pid_t patient = start_transfer("patient");
    if (patient == 0)
        transfer("patient", SAVINGS, CHECKING);
    see(&seen, 1);
    for (long i = 0; i < payers; i++) {
        int other = account == SAVINGS ? CHECKING : SAVINGS;
        pay(other, -1);
        pay(account, 1);
        tell_payer(other);
        account = other;
    }
    open_gate();
    pay(account, 1); /* the gap: both are free */

    int done = was_done(patient);
    printf("bank: ended done=%d of=1 overtaken=%ld counts=%d,%d\n", done,
           payers, ask(SAVINGS, GETVAL), ask(CHECKING, GETVAL));
}

int main(int argc, char *argv[])
{
    char *end = NULL;
    long payers = argc > 1 ? strtol(argv[1], &end, 10) : 3;
    if (argc > 2 || (end && (end == argv[1] || *end)) || payers < 0 ||
        payers > PAYERS_MOST) {
        fprintf(stderr,
                "usage: all_at_once [PAYERS]\n"
                "  PAYERS  so many overtake the patient, 0 to %d, default 3\n",
                PAYERS_MOST);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, ACCOUNTS, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    for (int account = 0; account < ACCOUNTS; account++)
        pay(account, 1);

    setlinebuf(stdout); /* empty at fork() */
    play_transfers();
    play_payers(payers);
    return EXIT_SUCCESS;
}
