/*
 * who_blocks_whom - a deadlock seen from outside, and one that is none.
 *
 * Nobody has written into a table who he is. But the kernel tells in which call
 * a process sleeps, /proc/PID/syscall, and what it asks for there can be read
 * out of its memory, process_vm_readv(): so we know what it waits for. For
 * whom is a guess: GETPID, who operated last. GETNCNT tells how many wait. To
 * look into a process takes the rights of a debugger, so we look at our own
 * children.
 *
 * These waits have no stamps. But of who has slept all the time the number of
 * voluntary_ctxt_switches is the same at both looks.
 *
 * The first story is that of abba, and carl waits beside it. In the second one
 * anna has savings, and works. Carl has looked whether savings is at 0, so he
 * was the last one, and is taken for its holder. He seems to be in a circle
 * that does not move. But when anna is done all go on.
 *
 *     $ cc who_blocks_whom.c -o who_blocks_whom
 *     $ ./who_blocks_whom
 *     bank: begins story=two set=7
 *     watcher: sees waiter=anna semaphore=checking waiting=1 last=bert
 *     watcher: sees waiter=bert semaphore=savings waiting=2 last=anna
 *     watcher: sees waiter=carl semaphore=savings waiting=2 last=anna
 *     watcher: suspects cycle=anna,bert unchanged=yes
 *     bank: ended by=kill
 *     bank: begins story=passer_by set=7
 *     watcher: sees waiter=bert semaphore=savings waiting=1 last=carl
 *     watcher: sees waiter=carl semaphore=checking waiting=1 last=bert
 *     watcher: suspects cycle=bert,carl unchanged=yes
 *     bank: ended by=itself
 *
 * Exits with 77 where we may not look even at our children.
 * See also: wait_graph.c, proc_pid_syscall(5), process_vm_readv(2), semctl(2).
 */
#define _GNU_SOURCE /* semtimedop(), process_vm_readv() */

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "bank.h"
#include "outsiders.h"

#ifndef SYS_semtimedop /* on 32 bits */
#define SYS_semtimedop SYS_semtimedop_time64
#endif

struct wait {
    bool is_steady;
    struct sembuf op; /* the first one of its call */
    long switches;    /* so often its process has gone to sleep */
    int last;         /* who operated last on that semaphore */
};

/* For what does it wait? A wait that begins just now may be missed. */
static struct wait look(pid_t pid)
{
    struct wait wait = {.is_steady = false};
    struct iovec here = {&wait.op, sizeof wait.op}, there = here;
    char line[256];
    long call;
    unsigned long first, operations;

    wait.switches = switches_of(pid);
    read_line(pid, "syscall", "", line); /* or "running" */
    if (sscanf(line, "%ld %lx %lx", &call, &first, &operations) != 3 ||
        call != SYS_semtimedop || (int)first != set)
        return wait;
    there.iov_base = (void *)operations;
    if (syscall(SYS_process_vm_readv, pid, &here, 1L, &there, 1L, 0L) == -1)
        err(errno == EPERM || errno == ENOSYS ? EXIT_SKIP : EXIT_FAILURE,
            "syscall process_vm_readv");
    wait.last = player_of(ask(wait.op.sem_num, GETPID));
    wait.is_steady = switches_of(pid) == wait.switches; /* all the time */
    return wait;
}

/* Look when so many wait, and see each of them. Who is in the call may not yet
   have gone to sleep, or not for the last time. */
static void see_waits(struct wait waits[PLAYERS], int count)
{
    int64_t deadline = now_ns() + LOOK_LIMIT;

    for (int seen = 0; seen < count;) {
        pause_within(deadline);
        seen = 0;
        int queued = ask(SAVINGS, GETNCNT) + ask(CHECKING, GETNCNT);
        for (int i = 0; i < PLAYERS && queued >= count; i++) {
            waits[i] = look(cast[i]);
            seen += waits[i].is_steady;
        }
    }
}

/* The length of the circle from this player, if he is its first; else 0. */
static int circle_from(const struct wait waits[], int player)
{
    int at = player, length = 0;

    do {
        if (at == PLAYERS || !waits[at].is_steady || length++ == PLAYERS)
            return 0;
        at = waits[at].last;
    } while (at > player);
    return at == player ? length : 0;
}

static void judge(const struct wait waits[PLAYERS])
{
    for (int i = 0; i < PLAYERS; i++)
        if (waits[i].is_steady)
            printf("watcher: sees waiter=%s semaphore=%s waiting=%d last=%s\n",
                   names[i], accounts[waits[i].op.sem_num],
                   ask(waits[i].op.sem_num, GETNCNT), names[waits[i].last]);
    for (int i = 0; i < PLAYERS; i++) {
        bool unchanged = true;
        int at = i, length = circle_from(waits, i);
        if (length > 0)
            printf("watcher: suspects cycle=");
        for (int n = 0; n < length; n++, at = waits[at].last) {
            struct wait now = look(cast[at]);
            unchanged = unchanged && now.is_steady &&
                        now.last == waits[at].last &&
                        now.switches == waits[at].switches;
            printf("%s%s", n > 0 ? "," : "", names[at]);
        }
        if (length > 0)
            printf(" unchanged=%s\n", unchanged ? "yes" : "no");
    }
}

static void play(const char *name, const char *const moves[], int waiting,
                 bool ends)
{
    struct wait waits[PLAYERS];

    start_players(name, moves);
    see_waits(waits, waiting);
    judge(waits);
    end_players(ends);
}

int main(int argc, char *argv[])
{
    static const char *const two[] = {"+s?c", "+c?s", "?s"};
    static const char *const passer_by[] = {"+s.-", "+c?s", "0s?c"};
    struct sembuf one_each[] = {{SAVINGS, 1, 0}, {CHECKING, 1, 0}};

    (void)argv;
    if (argc > 1) {
        fputs("usage: who_blocks_whom\n", stderr);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, ACCOUNTS, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    if (semop(set, one_each, ACCOUNTS) == -1)
        err(EXIT_FAILURE, "semop");
    setlinebuf(stdout); /* empty at fork() */
    play("two", two, 3, false);
    play("passer_by", passer_by, 2, true);
    return EXIT_SUCCESS;
}
