/*
 * semdebug_log - writes a log that semdebug_report reads, in three spellings.
 *
 * The same waits, told in three ways: as on Windows, where ids are hex; as on
 * Unix, where they are decimal; and newer, where a waiter has two numbers of
 * its thread, and a holder only the second. Whoever reads them must come to
 * the same end: two wait, and one is stuck with what they wait for. (We are.)
 *
 * A record is a slice of a wait. Here it has a number, sq, and a time. Of each
 * wait three slices are told at most. The others are counted, and the last line
 * says so: or else a wait that is told no more looks as if it had ended.
 *
 *     $ cc semdebug_log.c -o semdebug_log
 *     $ ./semdebug_log
 *     log: begins spelling=unix slice_ms=10 holder=4711 set=7
 *     sq="00000001" 11/26/2026 20:09:42 THREAD [04714:04714] WAITING FOR RWSEM
 *       0x030B index (@EE100210) (R=0,W=1,WRITER=04711:04711,1STREADER=
 *       00000:00000) FOR 10 ms (this is one line)
 *     ...
 *     log: ended records=6 suppressed=4
 *     $ ./semdebug_log unix | ./semdebug_report --ids=dec
 *
 * See also: timed_sem.h, semdebug_parse.h, semdebug_report.c, strftime(3).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"
#include "timed_sem.h"

#define LIMIT (10 * NS_PER_SEC)
#define USERS 2
#define REPORTS_MOST 3 /* of one wait */
#define SLICE (10 * NS_PER_MS)
#define SLICES 5

enum { INDEX }; /* the only semaphore of the table */
static const char *const names[] = {"index"};
static struct timed_sems *table;

enum spelling { UNIX, WINDOWS, NEWER, SPELLINGS };
static const char *const spellings[] = {"unix", "windows", "newer"};

#define IDS(thread) (unsigned)(thread).pid, (unsigned)(thread).tid

static unsigned records, suppressed;

/* A record is one line, and says what is so now. */
static void write_record(enum spelling spelling,
                         const struct timed_sem_waiter *waiter)
{
    struct timed_sem_row row;
    struct tm day;
    char stamp[32];
    time_t now = time(NULL);

    if (now == -1)
        err(EXIT_FAILURE, "time");
    (void)timed_sem_look(table, INDEX, &row); /* we hold it: it stands still */
    localtime_r(&now, &day);
    strftime(stamp, sizeof stamp, "%m/%d/%Y %H:%M:%S", &day);
    printf("sq=\"%08X\" %s THREAD ", ++records, stamp);
    if (spelling == WINDOWS)
        printf("[%04X:%04X] WAITING FOR SEM 0x030B index (@01342C68) "
               "(OWNER=%04X:%04X) ",
               IDS(waiter->thread), IDS(row.holder));
    if (spelling == UNIX)
        printf("[%05u:%05u] WAITING FOR RWSEM 0x030B index (@EE100210) "
               "(R=0,W=1,WRITER=%05u:%05u,1STREADER=00000:00000) ",
               IDS(waiter->thread), IDS(row.holder));
    if (spelling == NEWER)
        printf("[%04X:0001-%04X] WAITING FOR WRITE LOCK ON RWSEM 0x030B index "
               "(@0D2F11A0) (/var/index) "
               "(R=0,W=1,WRITER=%04X:%04X,1STREADER=0000:0000) ",
               IDS(waiter->thread), IDS(row.holder));
    printf("FOR %" PRId64 " ms\n", SLICE / NS_PER_MS);
}

static void release(void)
{
    if (timed_sem_release(table, INDEX) == -1)
        err(EXIT_FAILURE, "semop index");
}

static pid_t start_user(void)
{
    pid_t child = fork_helper("user");

    if (child > 0)
        return child;
    if (timed_sem_acquire(table, INDEX, LIMIT) == -1)
        err(EXIT_FAILURE, "semtimedop index");
    release();
    _exit(EXIT_SUCCESS);
}

/* How many wait? So many slices have passed; with 0 nothing is told. */
static int see_waits(enum spelling spelling, int slices)
{
    struct timed_sem_waiter waiter;
    int waiting = 0;

    for (int slot = 0; slot < TIMED_SEM_WAITERS; slot++) {
        if (!timed_sem_look_at_waiter(table, slot, &waiter))
            continue;
        waiting++;
        if (slices > REPORTS_MOST)
            suppressed++;
        else if (slices > 0)
            write_record(spelling, &waiter);
    }
    return waiting;
}

/* We hold what the users wait for. */
static void write_log(enum spelling spelling)
{
    struct timespec nap = to_timespec(SLICE);
    pid_t users[USERS];

    records = suppressed = 0;
    if (timed_sem_acquire(table, INDEX, LIMIT) == -1)
        err(EXIT_FAILURE, "semtimedop index");
    printf("log: begins spelling=%s slice_ms=%" PRId64 " holder=%d set=%d\n",
           spellings[spelling], SLICE / NS_PER_MS, (int)getpid(), table->set);
    for (int i = 0; i < USERS; i++)
        users[i] = start_user();
    for (int slices = 0; slices <= SLICES;) {
        slices += see_waits(spelling, slices) == USERS;
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended == -1)
            err(EXIT_FAILURE, "waitpid");
        if (ended > 0)
            errx(EXIT_FAILURE, "waitpid: a user has failed");
        if (nanosleep(&nap, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    }
    printf("log: ended records=%u suppressed=%u\n", records, suppressed);
    release();
    for (int i = 0; i < USERS; i++)
        see_end(users[i], 0);
}

int main(int argc, char *argv[])
{
    enum spelling spelling = UNIX;
    while (argc > 1 && spelling < SPELLINGS &&
           strcmp(argv[1], spellings[spelling]) != 0)
        spelling++;
    if (argc > 2 || spelling == SPELLINGS) {
        fputs("usage: semdebug_log [unix|windows|newer]\n"
              "  The default is unix.\n",
              stderr);
        return EXIT_USAGE;
    }
    struct timed_sem_options quiet = {DURATION_MAX, 0, true, STDERR_FILENO};

    setlinebuf(stdout); /* empty at fork() */
    table = timed_sems_open(names, 1, quiet);
    write_log(spelling);
    return EXIT_SUCCESS;
}
