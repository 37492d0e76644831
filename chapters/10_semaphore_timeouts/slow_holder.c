/*
 * slow_holder - the holder lives: is it slow, or will it never be done?
 *
 * Five holders, and we wait for each. Time tells nothing: every wait reaches
 * its limit. The state in the report tells a little. One is stopped: somebody
 * has to continue it. Two run: one computes, and one is in an endless loop.
 * Two sleep: one waits for a slow device, here a pipe, and one has forgotten
 * the semaphore and sleeps. Within these pairs nobody can tell from outside
 * who will ever be done. Then what can be done is done, and we wait again.
 *
 *     $ cc slow_holder.c -o slow_holder
 *     $ ./slow_holder
 *     computes: report=running released_by=itself
 *     loops: report=running released_by=kill
 *     reads: report=sleeping released_by=itself
 *     forgets: report=sleeping released_by=kill
 *     is_stopped: report=stopped released_by=SIGCONT
 *
 * SEM_UNDO is on: it lets a kill give back what was held, and nothing less.
 * See also: timed_sem.h, semop(2), proc(5).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "holder_stage.h"
#include "timed_sem.h"

#define AMPLE (5 * NS_PER_SEC)

enum { INDEX }; /* the only semaphore of the table */
static const char *const names[] = {"index"};
enum { COMPUTES, LOOPS, READS, FORGETS, IS_STOPPED, WAYS };
static const struct way {
    const char *name, *state; /* when it is as far as it gets */
} ways[WAYS] = {
    {"computes", "running"}, {"loops", "running"},      {"reads", "sleeping"},
    {"forgets", "sleeping"}, {"is_stopped", "stopped"},
};

static int device[2];         /* a pipe */
static atomic_bool *computed; /* what takes so long is done */

static void release(void)
{
    if (timed_sem_release(table, INDEX) == -1)
        err(EXIT_FAILURE, "semop index");
}

static _Noreturn void hold(int way)
{
    char data;

    if (timed_sem_acquire(table, INDEX, 0) == -1)
        err(EXIT_FAILURE, "semtimedop index");
    while (way == LOOPS || (way == COMPUTES && !*computed))
        continue;
    if (way == READS && read(device[0], &data, 1) == -1)
        err(EXIT_FAILURE, "read");
    if (way == FORGETS && pause() == -1)
        err(EXIT_FAILURE, "pause");
    if (way == IS_STOPPED && raise(SIGSTOP) != 0)
        err(EXIT_FAILURE, "raise");
    release();
    _exit(EXIT_SUCCESS);
}

static pid_t start_holder(int way)
{
    pid_t child = fork_holder();

    if (child == 0)
        hold(way);
    return child;
}

/* The stage waits until it holds the semaphore, in the state that stays. */
static void await_holder(pid_t holder, const char *state)
{
    int64_t deadline = now_ns() + AMPLE;
    struct timed_sem_row row;

    do {
        if (usleep(1000) == -1)
            err(EXIT_FAILURE, "usleep");
        if (now_ns() >= deadline)
            errx(EXIT_FAILURE, "the holder has failed");
    } while (!timed_sem_look(table, INDEX, &row) || !row.held ||
             row.holder.pid != holder ||
             strcmp(timed_sem_state(&row.holder), state) != 0);
}

/* Wait for it, and give it back. If we have to give up, said is what the last
   report says of the holder. */
static bool can_get(pid_t holder, char said[16])
{
    bool have = get(INDEX, 3 * slice, holder, "", said);

    if (have)
        release();
    return have;
}

static void tell(int way)
{
    char said[16] = "none", later[16];
    const char *by = "itself";

    *computed = false;
    pid_t holder = start_holder(way);
    await_holder(holder, ways[way].state);
    can_get(holder, said);
    *computed = true;
    if (way == READS && write(device[1], "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (!can_get(holder, later) && way != COMPUTES && way != READS) {
        by = way == IS_STOPPED ? "SIGCONT" : "kill";
        if (kill(holder, way == IS_STOPPED ? SIGCONT : SIGKILL) == -1)
            err(EXIT_FAILURE, "kill");
    }
    reap(holder);
    printf("%s: report=%s released_by=%s\n", ways[way].name, said, by);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: slow_holder [SLICE]\n"
              "  SLICE  how often a wait is reported, default 10ms\n",
              stderr);
        return EXIT_USAGE;
    }
    slice = argc > 1 ? parse_duration(argv[1]) : 10 * NS_PER_MS;
    struct timed_sem_options options = {
        .slice = slice, .reports = UINT_MAX, .undo = true};

    setlinebuf(stdout); /* empty at fork() */
    open_reports();
    options.report_to = reports[1];
    table = timed_sems_open(names, 1, options);
    if (pipe(device) == -1)
        err(EXIT_FAILURE, "pipe");
    computed = mmap(NULL, sizeof *computed, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (computed == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    for (int way = 0; way < WAYS; way++)
        tell(way);
    return EXIT_SUCCESS;
}
