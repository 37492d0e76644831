/*
 * session_held - a semaphore is held for long, and nobody waits for it.
 *
 * The reporter of timed_sem.h speaks for those who wait. As long as nobody
 * does it says nothing, however long the holder holds. So look from the
 * holder's side, too: a watcher reads the table, and says of a semaphore that
 * it has been held for so long, by whom and since which line; and again when
 * another PERIOD has passed, while it is held. Who holds it need not do
 * anything for that, and may be stuck.
 *
 * The time is that of one holder. The clerk hands over to the next one, who
 * has waited: the semaphore is never free, but its time begins anew. That is
 * known by the stamp: each acquisition has its own. The names would not tell,
 * for one may acquire twice.
 *
 *     $ cc session_held.c -o session_held
 *     $ ./session_held
 *     watcher: held semaphore=session holder=clerk[4711] stamp=1 reports=1
 *       for_ms=30 taken_at=session_held.c:66 (this is one line)
 *     ...
 *     watcher: let_go semaphore=session holder=clerk[4711] stamp=1 reports=3
 *     watcher: held semaphore=session holder=next[4712] stamp=2 reports=1 ...
 *     ...
 *     watcher: let_go semaphore=session holder=next[4712] stamp=2 reports=3
 *
 * See also: timed_sem.h, timed_sem_table.h, index_rebuild.
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"
#include "timed_sem.h"

#define AMPLE (10 * NS_PER_SEC)
#define REPORTS 3 /* on each holder; then it may let go */

enum { SESSION }; /* the only semaphore of the table */
static const char *const names[] = {"session"};
static struct timed_sems *table;
enum { CLERK, NEXT, HOLDERS };
static const char *const holders[] = {"clerk", "next"};

static int lifelines[HOLDERS][2]; /* pipes: each hangs up when it may let go */
static int64_t period;

static pid_t start_holder(int holder)
{
    struct pollfd hangup = {.fd = lifelines[holder][0]}; /* for POLLHUP */
    pid_t child = fork_helper(holders[holder]);

    if (child > 0)
        return child;
    for (int i = 0; i < HOLDERS; i++)
        close(lifelines[i][1]);
    if (timed_sem_acquire(table, SESSION, AMPLE) == -1)
        err(EXIT_FAILURE, "semtimedop session");
    if (poll(&hangup, 1, (int)((AMPLE + REPORTS * period) / NS_PER_MS)) == -1)
        err(EXIT_FAILURE, "poll");
    if (timed_sem_release(table, SESSION) == -1)
        err(EXIT_FAILURE, "semop session");
    _exit(EXIT_SUCCESS);
}

static struct timed_sem_row last; /* as it was when we looked */
static int reports;               /* of this hold */

static void tell(const char *what)
{
    printf("watcher: %s semaphore=%s holder=%s[%d] stamp=%" PRIu64
           " reports=%d",
           what, last.name, last.holder.program, (int)last.holder.pid,
           last.stamp, reports);
}

/* Look once. Tell of a hold that has lasted for so long, again after each
   period, and when it is over. */
static void look(void)
{
    static int64_t due;
    struct timed_sem_row row;

    if (!timed_sem_look(table, SESSION, &row))
        return; /* it is being written */
    if (!row.held || row.stamp != last.stamp) {
        if (reports > 0) {
            tell("let_go");
            printf("\n");
        }
        reports = 0;
        due = row.since + period;
    }
    last = row;
    int64_t now = now_ns();
    if (!row.held || now < due)
        return;
    due = now + period;
    reports++;
    tell("held");
    printf(" for_ms=%" PRId64 " taken_at=%s:%d\n",
           (now - row.since) / NS_PER_MS, row.file, row.line);
}

static void take_a_nap(void)
{
    struct timespec nap = to_timespec(period / 10);
    pid_t ended = waitpid(-1, NULL, WNOHANG);

    if (ended == -1)
        err(EXIT_FAILURE, "waitpid");
    if (ended > 0)
        errx(EXIT_FAILURE, "waitpid: a holder has failed");
    if (nanosleep(&nap, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
}

/* Until we have reported so often on one who was not the holder before. */
static void watch(void)
{
    uint64_t before = last.stamp;

    do {
        take_a_nap();
        look();
    } while (last.stamp == before || reports < REPORTS);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: session_held [PERIOD]\n"
              "  PERIOD  of a hold, from report to report, default 30ms\n",
              stderr);
        return EXIT_USAGE;
    }
    period = argc > 1 ? parse_duration(argv[1]) : 30 * NS_PER_MS;
    struct timed_sem_options quiet = {DURATION_MAX, 0, true, STDERR_FILENO};
    int waiting;

    setlinebuf(stdout); /* empty at fork() */
    table = timed_sems_open(names, 1, quiet);
    for (int i = 0; i < HOLDERS; i++)
        if (pipe(lifelines[i]) == -1)
            err(EXIT_FAILURE, "pipe");
    pid_t clerk = start_holder(CLERK);
    watch();
    pid_t next = start_holder(NEXT);
    while ((waiting = semctl(table->set, SESSION, GETNCNT)) == 0)
        take_a_nap();
    if (waiting == -1)
        err(EXIT_FAILURE, "semctl");
    close(lifelines[CLERK][1]); /* it goes over without being free */
    see_end(clerk, EXIT_SUCCESS);
    watch();
    close(lifelines[NEXT][1]);
    see_end(next, EXIT_SUCCESS);
    look();
    return EXIT_SUCCESS;
}
