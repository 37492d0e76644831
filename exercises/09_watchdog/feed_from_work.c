/*
 * feed_from_work - give a sign of life that only work can give.
 *
 * A worker does six pieces of work. The watchdog looks at its counter once in
 * a period; at the fourth look in a row without a beat the worker is stuck.
 * libmtev watched one thread of many: another one could hang unnoticed
 * (https://github.com/circonus-labs/libmtev/pull/164). Fill the gap marked
 * TODO, then run: make check-feed_from_work
 *
 *     $ feed_from_work 20ms
 *     worker: begins piece=1 beats=0
 *     worker: begins piece=2 beats=1
 *     ...
 *     watchdog: finished beats=6
 *     $ feed_from_work 20ms 3
 *     worker: begins piece=1 beats=0
 *     worker: begins piece=2 beats=1
 *     worker: begins piece=3 beats=2
 *     watchdog: stuck beats=2
 *
 * Exits with 0 when the worker has finished, with 3 when it was found stuck,
 * with 1 when it beats without end, whatever it does.
 * See also: mmap(2), pthreads(7).
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define PIECES 6
#define STALE_MAX 4
#define CHECKS_MAX 40 /* six pieces take less than two periods */

static int64_t period;
static atomic_uint *beats; /* shared by the worker and the watchdog */

static void nap(int64_t duration)
{
    struct timespec pause = to_timespec(duration);

    if (nanosleep(&pause, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
}

/* Do one piece of work. The piece with the number stuck never ends. */
static void do_piece(int piece, int stuck)
{
    printf("worker: begins piece=%d beats=%u\n", piece, atomic_load(beats));
    if (piece == stuck && pause() == -1)
        err(EXIT_FAILURE, "pause");
    nap(period / 5);
}

/* A helper, a thread of the same process: it beats beside the work. */
static void *feed(void *none)
{
    for (;;) {
        nap(period / 2);
        atomic_fetch_add(beats, 1);
    }
    return none;
}

/*
 * Do all pieces, and give beats.
 *
 * TODO: a helper beats, and goes on when the work does not.
 *
 *   1. When the work is stuck there are no beats: the watchdog has to notice.
 *   2. Each piece that is finished is one beat, before the next one begins. One
 *      that has begun is none.
 */
static void work(int stuck)
{
    pthread_t helper;
    errno = pthread_create(&helper, NULL, feed, NULL);
    if (errno != 0)
        err(EXIT_FAILURE, "pthread_create");
    for (int piece = 1; piece <= PIECES; piece++)
        do_piece(piece, stuck);
}

static pid_t start_worker(int stuck)
{
    pid_t watchdog = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child > 0)
        return child;

    /* Never outlive the watchdog. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "worker") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != watchdog)
        _exit(EXIT_FAILURE);
    work(stuck);
    _exit(EXIT_SUCCESS);
}

static int watch(pid_t worker)
{
    unsigned seen = 0;

    for (int checks = 0, stale = 0; checks < CHECKS_MAX; checks++) {
        nap(period);
        int status;
        pid_t ended = waitpid(worker, &status, WNOHANG);
        if (ended == -1)
            err(EXIT_FAILURE, "waitpid");
        if (ended != 0 && status != 0)
            errx(EXIT_FAILURE, "waitpid: the worker has failed");
        if (ended != 0) {
            printf("watchdog: finished beats=%u\n", atomic_load(beats));
            return EXIT_SUCCESS;
        }
        unsigned count = atomic_load(beats);
        stale = count == seen ? stale + 1 : 0;
        if (stale == STALE_MAX) {
            printf("watchdog: stuck beats=%u\n", count);
            return EXIT_TIMED_OUT;
        }
        seen = count;
    }
    printf("watchdog: fooled beats=%u\n", atomic_load(beats));
    return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    int stuck = 0;
    if (argc < 2 || argc > 3 ||
        (argc > 2 && (sscanf(argv[2], "%d", &stuck) != 1 || stuck < 1))) {
        fputs("usage: feed_from_work PERIOD [STUCK]\n"
              "  PERIOD  from check to check, such as 20ms\n"
              "  STUCK   the number of the piece that never ends, 1 to 6\n",
              stderr);
        return EXIT_USAGE;
    }
    period = parse_duration(argv[1]);

    beats = mmap(NULL, sizeof *beats, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (beats == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    setlinebuf(stdout); /* empty at fork() */
    pid_t worker = start_worker(stuck);
    int answer = watch(worker);
    if (answer == EXIT_SUCCESS)
        return EXIT_SUCCESS;
    kill(worker, SIGKILL);
    if (waitpid(worker, NULL, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    return answer;
}
