/*
 * backoff_for_real - the pauses of backoff, with processes that really wait.
 *
 * Five clients want a semaphore at the same moment, and each keeps it for a
 * millisecond. They do not queue: who is refused pauses and asks again, with
 * each of the three ways to pause. How often they meet is for the scheduler to
 * say, and differs from run to run. What does not: all get in, and no pause is
 * shorter than it was to be.
 *
 * Each client starts its random numbers with a seed of its own. Children that
 * inherit one seed draw the same pauses, and only the scheduler parts them.
 *
 *     $ cc backoff_for_real.c -o backoff_for_real
 *     $ ./backoff_for_real
 *     clients: starting clients=5 set=7
 *     fixed: got_in=5 attempts=15 early=0 took_ms=41
 *     exponential: got_in=5 attempts=15 early=0 took_ms=151
 *     jitter: got_in=5 attempts=11 early=0 took_ms=27
 *
 * See also: semop(2), nanosleep(2), backoff.
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"
#include "pauses.h"

#define MOST 16
#define SERVICE_US 1000
#define PATIENCE (60 * NS_PER_SEC)

static int set;

/* What a client has to tell. */
struct report {
    int attempts, early;
};

static void change_count(short by)
{
    struct sembuf op = {.sem_num = 0, .sem_op = by};

    if (semop(set, &op, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

/* Sleep, and return 1 if that was too short. */
static int sleep_us(int64_t us)
{
    struct timespec nap = to_timespec(us * NS_PER_US);
    int64_t start = now_ns();

    if (nanosleep(&nap, NULL) == -1)
        err(EXIT_FAILURE, "nanosleep");
    return now_ns() - start < us * NS_PER_US;
}

/* Ask until it is ours. */
static struct report get_in(const struct way *way)
{
    struct sembuf take = {.sem_op = -1, .sem_flg = IPC_NOWAIT};
    struct report report = {.attempts = 1};
    int64_t deadline = now_ns() + PATIENCE;

    for (; semop(set, &take, 1) == -1; report.attempts++) {
        if (errno != EAGAIN)
            err(EXIT_FAILURE, "semop");
        if (now_ns() >= deadline)
            errx(EXIT_FAILURE, "semop: refused for too long");
        report.early += sleep_us(way->pause(report.attempts));
    }
    return report;
}

/* It begins when the gate is closed, as all others do. */
static void start_client(const struct way *way, const int gate[2], int reports)
{
    char none;
    if (fork_helper("client") > 0)
        return;
    random_state = (uint64_t)now_ns() ^ (uint64_t)getpid() << 32;
    close(gate[1]);
    if (read(gate[0], &none, 1) == -1)
        err(EXIT_FAILURE, "read");
    struct report report = get_in(way);
    report.early += sleep_us(SERVICE_US);
    change_count(1);
    if (write(reports, &report, sizeof report) == -1)
        err(EXIT_FAILURE, "write");
    _exit(EXIT_SUCCESS);
}

static void play(const struct way *way, int count)
{
    int gate[2], reports[2], status, attempts = 0, early = 0;
    struct report report;
    if (pipe(gate) == -1 || pipe(reports) == -1)
        err(EXIT_FAILURE, "pipe");
    for (int i = 0; i < count; i++)
        start_client(way, gate, reports[1]);

    int64_t start = now_ns();
    close(gate[1]);
    for (int i = 0; i < count; i++) {
        if (waitpid(-1, &status, 0) == -1)
            err(EXIT_FAILURE, "waitpid");
        if (status != 0)
            errx(EXIT_FAILURE, "waitpid: a client has failed");
    }
    int64_t took = now_ns() - start;
    close(gate[0]);
    close(reports[1]);
    int got_in = 0;
    ssize_t length;
    while ((length = read(reports[0], &report, sizeof report)) > 0) {
        got_in++;
        attempts += report.attempts;
        early += report.early;
    }
    if (length == -1)
        err(EXIT_FAILURE, "read");
    close(reports[0]);
    printf("%s: got_in=%d attempts=%d early=%d took_ms=%" PRId64 "\n",
           way->name, got_in, attempts, early, took / NS_PER_MS);
}

int main(int argc, char *argv[])
{
    char five[] = "5", *rest;
    long count = strtol(argc > 1 ? argv[1] : five, &rest, 10);
    if (argc > 2 || *rest != '\0' || count < 1 || count > MOST) {
        fputs("usage: backoff_for_real [CLIENTS]\n"
              "  CLIENTS  1 to 16, default 5\n",
              stderr);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    change_count(1);
    setlinebuf(stdout); /* readable while we wait, and empty at fork() */
    printf("clients: starting clients=%ld set=%d\n", count, set);
    for (size_t way = 0; way < WAYS; way++)
        play(&ways[way], (int)count);
    return EXIT_SUCCESS;
}
