/*
 * The stage of sem_stats: a table, those who have used it, and one who does.
 *
 * See also: sem_stats.c, timed_sem.h.
 */
#ifndef STATS_STAGE_H
#define STATS_STAGE_H

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/helper.h"
#include "timed_sem.h"

#define AMPLE (10 * NS_PER_SEC)

enum { HELD, BUSY, UNFINISHED, SEMAPHORES };
static const char *const names[] = {"430D", "0A13", "030B"};
static struct timed_sems *mine;

static inline void see_alive(void)
{
    pid_t ended = waitpid(-1, NULL, WNOHANG);

    if (ended == -1)
        err(EXIT_FAILURE, "waitpid");
    if (ended > 0)
        errx(EXIT_FAILURE, "waitpid: a helper has failed");
}

static inline void must(int answer, const char *call)
{
    if (answer == -1)
        err(EXIT_FAILURE, "%s", call);
}

static inline pid_t start_user(void)
{
    pid_t child = fork_helper("user");

    if (child > 0)
        return child;
    for (int i = 0; i < 2; i++)
        if (timed_sem_acquire(mine, HELD, NS_PER_MS) != -1 || errno != EAGAIN)
            err(EXIT_FAILURE, "semtimedop");
    must(timed_sem_acquire(mine, HELD, AMPLE), "semtimedop");
    must(timed_sem_release(mine, HELD), "semop");
    _exit(EXIT_SUCCESS);
}

static volatile sig_atomic_t stops;

static inline void on_term(int sig)
{
    (void)sig;
    stops = 1;
}

/* It goes on until it is told to stop. */
static inline pid_t start_worker(void)
{
    pid_t child = fork_helper("worker");

    if (child > 0)
        return child;
    if (signal(SIGTERM, on_term) == SIG_ERR)
        err(EXIT_FAILURE, "signal");
    while (!stops) {
        must(timed_sem_acquire(mine, BUSY, AMPLE), "semtimedop");
        must(timed_sem_release(mine, BUSY), "semop");
    }
    _exit(EXIT_SUCCESS);
}

/* Two acquire the first one: we, and who gave up twice before. Returns who goes
   on with the second one. */
static inline pid_t start_all(void)
{
    struct timed_sem_row row = {.timeouts = 0};
    bool looked;
    int waiting;

    must(timed_sem_acquire(mine, HELD, 0), "semtimedop");
    pid_t user = start_user();
    do { /* first how often he gave up, then whether he waits once more */
        see_alive();
        must(usleep(500), "usleep");
        looked = timed_sem_look(mine, HELD, &row);
        must(waiting = semctl(mine->set, HELD, GETNCNT), "semctl");
    } while (!looked || row.timeouts < 2 || waiting < 1);
    must(timed_sem_release(mine, HELD), "semop");
    see_end(user, 0);
    /* As one leaves it who is killed while he writes: half of it is new. */
    _Atomic uint32_t *cell = mine->rows[UNFINISHED].cell;
    atomic_fetch_add(cell, 1);
    atomic_fetch_add(
        cell + 1 + offsetof(struct timed_sem_row, stamp) / sizeof *cell, 1);
    return start_worker();
}

#endif
