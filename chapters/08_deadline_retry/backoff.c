/*
 * backoff - many clients who retry: how long should each pause?
 *
 * A server serves one request at a time, for 1 ms, and refuses whoever comes
 * meanwhile. At time 0 all clients come at once, as after a breakdown. Who is
 * refused pauses and comes again:
 *
 *   fixed        10 ms each time
 *   exponential  10 ms, 20, 40, ..., 640 at most
 *   jitter       a random time, up to that
 *
 * Those who were refused together and pause for the same time come together
 * again, and one of them gets in. So the first two ways serve one client a
 * round, and with the second the rounds are longer. Jitter parts them. The
 * time is played, nobody waits, and the table is the same in each run.
 *
 * Then the budget. The server is down, and each client tries 4 times, which is
 * 4 times the load. With a budget a retry must be paid for, and it takes ten
 * requests to earn one; that is enough where one request in 20 fails.
 *
 *     $ cc backoff.c -o backoff
 *     $ ./backoff
 *     ...
 *     fixed: clients=32 attempts=528 collisions=496 per_success=16.5 took_ms=311
 *     exponential: clients=32 attempts=528 collisions=496 per_success=16.5 ...
 *     jitter: clients=32 attempts=112 collisions=80 per_success=3.5 took_ms=148
 *     ...
 *     budget: retries=any server=down requests=1000 attempts=4000 ...
 *     budget: retries=one_for_ten server=down requests=1000 attempts=1100 ...
 *
 * See also: random(3), which gives other numbers elsewhere.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/exit_codes.h"
#include "pauses.h"

#define MOST 128        /* clients */
#define SERVICE_US 1000 /* for one request; times here are played, in us */
#define REQUESTS 1000
#define TRIES 4 /* for each of them, if the budget allows */

struct client {
    int64_t comes_at; /* INT64_MAX when it has been served */
    int refusals;
};

static struct client *first_to_come(struct client *clients, int count)
{
    struct client *first = clients;

    for (int i = 1; i < count; i++)
        if (clients[i].comes_at < first->comes_at)
            first = &clients[i];
    return first;
}

/* All come at once. Return the attempts until all have been served. */
static int play(const struct way *way, int count)
{
    struct client clients[MOST] = {0};
    int64_t free_at = 0;
    int attempts = 0;

    for (int served = 0; served < count; attempts++) {
        struct client *client = first_to_come(clients, count);
        if (client->comes_at < free_at) {
            client->comes_at += way->pause(++client->refusals);
        } else {
            free_at = client->comes_at + SERVICE_US;
            client->comes_at = INT64_MAX;
            served++;
        }
    }
    printf("%s: clients=%d attempts=%d collisions=%d per_success=%d.%d"
           " took_ms=%" PRId64 "\n",
           way->name, count, attempts, attempts - count, attempts / count,
           attempts % count * 10 / count, free_at / 1000);
    return attempts;
}

/*
 * So many requests, of which each Nth fails: 1 when the server is down, and
 * then a retry fails too. A retry costs 10, and a request earns so much.
 */
static void spend(const char *server, int nth, int earns)
{
    int attempts = 0, served = 0, budget = 0;

    for (int request = 1; request <= REQUESTS; request++) {
        int tries = 1, needed = request % nth != 0 ? 1 : nth == 1 ? INT_MAX : 2;
        budget += earns;
        for (; tries < needed && tries < TRIES && budget >= 10; tries++)
            budget -= 10;
        attempts += tries;
        served += tries == needed;
    }
    printf("budget: retries=%s server=%s requests=%d attempts=%d"
           " per_request=%d.%02d served=%d\n",
           earns == 1 ? "one_for_ten" : "any", server, REQUESTS, attempts,
           attempts / REQUESTS, attempts % REQUESTS * 100 / REQUESTS, served);
}

int main(int argc, char *argv[])
{
    static const int counts[] = {2, 8, 32, MOST};
    char first[] = "1", *rest;
    random_state = strtoull(argc > 1 ? argv[1] : first, &rest, 10);
    if (argc > 2 || *rest != '\0' || random_state == 0) {
        fputs("usage: backoff [SEED]\n"
              "  SEED  of the random pauses, 1 or more, default 1\n",
              stderr);
        return EXIT_USAGE;
    }

    int attempts[4][WAYS];
    for (int i = 0; i < 4; i++)
        for (size_t way = 0; way < WAYS; way++)
            attempts[i][way] = play(&ways[way], counts[i]);
    for (int i = 0; i < 4; i++) /* a sign for each attempt that one needed */
        for (size_t way = 0; way < WAYS; way++) {
            printf("chart: %3d %-11s ", counts[i], ways[way].name);
            for (int n = 0; n < attempts[i][way]; n += counts[i])
                putchar('#');
            putchar('\n');
        }
    spend("down", 1, TRIES * 10);
    spend("down", 1, 1);
    spend("flaky", 20, TRIES * 10);
    spend("flaky", 20, 1);
    return EXIT_SUCCESS;
}
