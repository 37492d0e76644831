/*
 * crashed_holder - whoever held the semaphore has crashed: who gives it back?
 *
 * One that releases what it held, as it should, and three ways to end with
 * a semaphore that others need. A holder that crashes, and one that ends and
 * has forgotten to release: without SEM_UNDO nobody gives it back, with
 * SEM_UNDO the kernel does, at once. And one that
 * crashes and lingers: it has a handler for SIGSEGV that collects what it can
 * and then sleeps, as many have. It lives, so SEM_UNDO does nothing, and the
 * report cannot tell it from a holder at work: it sleeps. Only its end helps.
 *
 * We wait, and when we give up we read the last report and do what is left to
 * do: end who lingers, and give back by hand what no one will. SEM_UNDO does
 * not say that the work was cut short. The table does: who acquires it finds
 * the name of one who has not released it, an orphan, and should look at what
 * the semaphore guards.
 *
 *     $ cc crashed_holder.c -o crashed_holder
 *     $ ./crashed_holder
 *     releases: undo=no report=none repaired_by=itself orphaned=0
 *     crashes: undo=no report=gone repaired_by=hand orphaned=1
 *     lingers: undo=no report=sleeping,gone repaired_by=kill,hand orphaned=1
 *     forgets: undo=no report=gone repaired_by=hand orphaned=1
 *     releases: undo=yes report=none repaired_by=itself orphaned=0
 *     crashes: undo=yes report=none repaired_by=undo orphaned=1
 *     lingers: undo=yes report=sleeping repaired_by=kill,undo orphaned=1
 *     forgets: undo=yes report=none repaired_by=undo orphaned=1
 *
 * See also: timed_sem.h, semop(2), signal-safety(7).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "holder_stage.h"
#include "timed_sem.h"

enum { RELEASES, CRASHES, LINGERS, FORGETS, ENDINGS };
static const char *const endings[] = {"releases", "crashes", "lingers",
                                      "forgets"};
static int lingers[2]; /* a pipe */

/* Wrong, on purpose: it is not over yet, and everybody waits. */
static void on_crash(int sig)
{
    (void)sig;
    if (write(lingers[1], "", 1) == -1)
        err(EXIT_FAILURE, "write"); /* safe: we have raised it ourselves */
    pause();
    err(EXIT_FAILURE, "pause");
}

static void hold(int ending)
{
    if (timed_sem_acquire(table, ending, 0) == -1)
        err(EXIT_FAILURE, "semtimedop %s", endings[ending]);
    if (ending == RELEASES && timed_sem_release(table, ending) == -1)
        err(EXIT_FAILURE, "semop %s", endings[ending]);
    if (ending == RELEASES || ending == FORGETS)
        return;
    if (signal(SIGSEGV, ending == LINGERS ? on_crash : SIG_DFL) == SIG_ERR)
        err(EXIT_FAILURE, "signal");
    if (raise(SIGSEGV) != 0)
        err(EXIT_FAILURE, "raise");
}

static pid_t start_holder(int ending)
{
    pid_t child = fork_holder();

    if (child > 0)
        return child;
    hold(ending);
    _exit(EXIT_SUCCESS);
}

static void tell(int ending, bool undo)
{
    struct sembuf give = {.sem_num = (unsigned short)ending, .sem_op = 1};
    char said[16] = "none", then[16] = "", one;
    bool lives = ending == LINGERS;
    struct timed_sem_row row;

    if (pipe(lingers) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t holder = start_holder(ending);
    close(lingers[1]); /* whose end means that the holder has ended */
    if (lives && read(lingers[0], &one, 1) != 1)
        err(EXIT_FAILURE, "read");
    close(lingers[0]);
    if (!lives)
        reap(holder);
    bool have = get(ending, 5 * slice, holder, "", said);
    if (lives) {
        if (kill(holder, SIGKILL) == -1)
            err(EXIT_FAILURE, "kill");
        reap(holder);
        have = have || get(ending, 5 * slice, holder, "gone", then);
    }
    bool by_hand = !have; /* any process may, and nobody else will */
    if (by_hand && semop(table->set, &give, 1) == -1)
        err(EXIT_FAILURE, "semop");
    if (by_hand && !get(ending, 5 * slice, holder, "gone", then))
        errx(EXIT_FAILURE, "semtimedop: given back, and not free");
    if (!timed_sem_look(table, ending, &row))
        errx(EXIT_FAILURE, "somebody else writes into our row");
    if (timed_sem_release(table, ending) == -1)
        err(EXIT_FAILURE, "semop %s", endings[ending]);
    printf("%s: undo=%s report=%s%s%s repaired_by=%s%s orphaned=%d\n",
           endings[ending], undo ? "yes" : "no", said, then[0] ? "," : "", then,
           lives ? "kill," : "",
           by_hand              ? "hand"
           : ending == RELEASES ? "itself"
                                : "undo",
           (int)row.orphaned);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: crashed_holder [SLICE]\n"
              "  SLICE  how often a wait is reported, default 10ms\n",
              stderr);
        return EXIT_USAGE;
    }
    slice = argc > 1 ? parse_duration(argv[1]) : 10 * NS_PER_MS;

    setlinebuf(stdout); /* empty at fork() */
    open_reports();
    for (int undo = 0; undo <= 1; undo++) {
        struct timed_sem_options options = {.slice = slice,
                                            .reports = UINT_MAX,
                                            .undo = undo,
                                            .report_to = reports[1]};
        table = timed_sems_open(endings, ENDINGS, options);
        for (int ending = 0; ending < ENDINGS; ending++)
            tell(ending, undo);
        timed_sems_close();
    }
    return EXIT_SUCCESS;
}
