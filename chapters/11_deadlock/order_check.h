/*
 * The checker of order_check: it remembers in which order accounts are taken.
 *
 * An entry of the table says that somebody who had one account has taken
 * another one: one comes before the other. Processes share the table. Who
 * follows the entries and comes back to where he began has found an inversion:
 * there is no order that all keep to.
 *
 * See also: order_check.c, stdatomic.h(0p), mmap(2).
 */
#ifndef ORDER_CHECK_H
#define ORDER_CHECK_H

#include <err.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define NOBODY 0

enum { SAVINGS, CHECKING, BONDS, VAULT, ACCOUNTS };
static const char *const accounts[] = {"savings", "checking", "bonds", "vault"};
static const char *const names[] = {"nobody", "first", "second", "third"};
static int me; /* which of the names */

struct orders {
    /* Who was the first that had this one, and took that one? */
    atomic_int before[ACCOUNTS][ACCOUNTS];
    atomic_int inversions;
};
static struct orders *orders;

/* To be shared with the children to come. */
static inline void map_orders(void)
{
    orders = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (orders == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
}

/* Does an entry, or a way over several, lead from one to other? next[account]
   is the next one on a shortest way. */
static inline bool find_way(int one, int other, int next[ACCOUNTS])
{
    int found[ACCOUNTS] = {other}, count = 1; /* from the end of the way */

    for (int account = 0; account < ACCOUNTS; account++)
        next[account] = account == other ? other : -1;
    for (int i = 0; i < count; i++)
        for (int account = 0; account < ACCOUNTS; account++)
            if (next[account] == -1 &&
                orders->before[account][found[i]] != NOBODY) {
                next[account] = found[i];
                found[count++] = account;
            }
    return next[one] != -1;
}

/* We have one, and are going to take other. */
static inline void check_order(int one, int other)
{
    int next[ACCOUNTS], nobody = NOBODY;

    /* First write, then look: of those who close a circle at the same time at
       least one sees all of it. */
    if (!atomic_compare_exchange_strong(&orders->before[one][other], &nobody,
                                        me))
        return; /* this order is known */
    printf("%s: new_order has=%s takes=%s\n", names[me], accounts[one],
           accounts[other]);
    if (!find_way(other, one, next))
        return;
    atomic_fetch_add(&orders->inversions, 1);
    printf("%s: inversion has=%s takes=%s but=%s", names[me], accounts[one],
           accounts[other], one == other ? "itself" : "");
    for (int at = other; at != one; at = next[at])
        printf("%s%s:%s,%s", at == other ? "" : ";",
               names[orders->before[at][next[at]]], accounts[at],
               accounts[next[at]]);
    printf("\n");
}

#endif
