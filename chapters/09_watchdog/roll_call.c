/*
 * roll_call - several workers, and each has a patience of its own.
 *
 * One limit for all is wrong for most of them: it is too long for who writes
 * a record in a moment, and too short for who packs an archive. So each worker
 * has its own counter on a board in shared memory, and its own number of
 * stale looks that it is allowed. Who has nothing to do for a while signs
 * off, and is not called.
 *
 * Beside the counter a worker notes what it is about to do. It has no time
 * to say so when it is killed, and who is stuck could not: but the board is
 * there, with the last words of each.
 *
 *     $ cc roll_call.c -o roll_call
 *     $ ./roll_call
 *     watchdog: called worker=reader answer=present stale=0 of=100
 *     watchdog: called worker=archiver answer=present stale=6 of=200
 *     watchdog: called worker=cleaner answer=excused stale=0 of=5
 *     watchdog: called worker=writer answer=missing stale=5 of=5
 *     watchdog: last_words worker=writer finished=3 doing=flushing
 *     watchdog: killed worker=writer
 *     watchdog: sent_home workers=3
 *
 * See also: heartbeat, mmap(2), waitpid(2), stdatomic.h(0p).
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, with -std=c11 too */

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/asleep.h"
#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"

enum { READER, ARCHIVER, CLEANER, WRITER, WORKERS };

static struct worker {
    const char *name, *work;
    int64_t piece;     /* how long a piece of work takes */
    unsigned patience; /* so many stale looks in a row are too many */
    unsigned seen, stale;
    pid_t pid;
} workers[WORKERS] = {
    [READER] = {"reader", "reading", 10 * NS_PER_MS, 100, 0, 0, 0},
    [ARCHIVER] = {"archiver", "packing", 5 * NS_PER_SEC, 200, 0, 0, 0},
    [CLEANER] = {"cleaner", "none", DURATION_MAX, 5, 0, 0, 0},
    [WRITER] = {"writer", "writing", 0, 5, 0, 0, 0},
};

static struct entry {
    atomic_uint finished;
    const char *_Atomic doing; /* same program, so the same address in all */
    atomic_bool off_duty;
} * board;              /* shared; an entry for each worker */
static int lifeline[2]; /* nobody writes: it hangs up to send all home */

/* How does this worker answer? It need not do anything to be asked. */
static const char *call(int who)
{
    struct worker *worker = &workers[who];
    unsigned finished = atomic_load(&board[who].finished);

    if (atomic_load(&board[who].off_duty))
        return "excused";
    worker->stale = finished == worker->seen ? worker->stale + 1 : 0;
    worker->seen = finished;
    return worker->stale >= worker->patience ? "missing" : "present";
}

/* Call them all, look by look, until one is missing. Who is it? */
static int watch(int64_t period)
{
    struct timespec pause = to_timespec(period);
    const char *answer[WORKERS];
    int missing = -1;
    while (missing == -1) {
        if (nanosleep(&pause, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended == -1)
            err(EXIT_FAILURE, "waitpid");
        if (ended > 0)
            errx(EXIT_FAILURE, "waitpid: a worker has failed");
        for (int who = 0; who < WORKERS; who++) {
            answer[who] = call(who);
            missing = strcmp(answer[who], "missing") == 0 ? who : missing;
        }
    }
    for (int who = 0; who < WORKERS; who++)
        printf("watchdog: called worker=%s answer=%s stale=%u of=%u\n",
               workers[who].name, answer[who], workers[who].stale,
               workers[who].patience);
    return missing;
}

/* First it notes what it is about to do. False: it is sent home. */
static bool work_on(int who, const char *what)
{
    struct pollfd home = {.fd = lifeline[0], .events = POLLIN};
    atomic_store(&board[who].doing, what);
    int sent_home = poll(&home, 1, (int)(workers[who].piece / NS_PER_MS));
    if (sent_home == -1)
        err(EXIT_FAILURE, "poll");
    if (!sent_home)
        atomic_fetch_add(&board[who].finished, 1);
    return !sent_home;
}

static void start(int who)
{
    workers[who].pid = fork_helper(workers[who].name);
    if (workers[who].pid == 0) {
        close(lifeline[1]);
        atomic_store(&board[who].off_duty, who == CLEANER); /* until tonight */
        while (work_on(who, workers[who].work)) {
            if (who == WRITER && atomic_load(&board[who].finished) == 3) {
                workers[who].work = "flushing";
                workers[who].piece = DURATION_MAX; /* stuck, for a day */
            }
        }
        _exit(EXIT_SUCCESS);
    }
    if (!is_asleep(workers[who].pid)) /* the writer is stuck by now */
        errx(EXIT_FAILURE, "waitpid: a worker has failed");
}

/* Kill the one, and let the others finish. */
static void end_all(int missing)
{
    printf("watchdog: last_words worker=%s finished=%u doing=%s\n",
           workers[missing].name, workers[missing].seen,
           atomic_load(&board[missing].doing));
    if (kill(workers[missing].pid, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    if (waitpid(workers[missing].pid, NULL, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    printf("watchdog: killed worker=%s\n", workers[missing].name);
    close(lifeline[1]);
    for (int who = 0; who < WORKERS; who++)
        if (who != missing)
            see_end(workers[who].pid, EXIT_SUCCESS);
    printf("watchdog: sent_home workers=%d\n", WORKERS - 1);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: roll_call [PERIOD]\n"
              "  PERIOD  from look to look, default 30ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t period = argc > 1 ? parse_duration(argv[1]) : 30 * NS_PER_MS;
    board = mmap(NULL, WORKERS * sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    if (pipe(lifeline) == -1)
        err(EXIT_FAILURE, "pipe");
    for (int who = 0; who < WORKERS; who++)
        start(who);
    end_all(watch(period));
    return EXIT_SUCCESS;
}
