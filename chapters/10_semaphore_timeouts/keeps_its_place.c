/*
 * keeps_its_place - to say "still waiting", do not stop waiting.
 *
 * Who waits for a System V semaphore stands in a queue, and the first gets
 * it. A waiter that wants to report now and then could give itself a short
 * limit, report, and wait again. But who gives up has left the queue, and who
 * comes again stands at its end: behind all those who came later. On a busy
 * semaphore it may never get it.
 *
 * A comes first and B second. In the first story A waits once, with a long
 * limit, and others report for it. In the second it waits slice by slice.
 *
 *     $ cc keeps_its_place.c -o keeps_its_place
 *     $ ./keeps_its_place
 *     waits_once: came=AB slice_ms=5000 served=AB
 *     waits_again: came=AB slice_ms=8 served=BA
 *
 * See also: timed_sem.h, semop(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
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

#define AMPLE (5 * NS_PER_SEC)

enum { INDEX }; /* the only semaphore of the table */
static const char *const names[] = {"index"};
static struct timed_sems *table;
static int served[2]; /* who has it writes a letter */

static void get(int64_t limit, const char *letter)
{
    /* Wrong, on purpose, where the limit is a slice: the place is lost. */
    while (timed_sem_acquire(table, INDEX, limit) == -1)
        if (errno != EAGAIN)
            err(EXIT_FAILURE, "semtimedop index");
    if (write(served[1], letter, 1) == -1)
        err(EXIT_FAILURE, "write");
    if (timed_sem_release(table, INDEX) == -1)
        err(EXIT_FAILURE, "semop index");
}

/* See to it that there are so many in the queue, and that so many waits have
   ended without success. Returns how many have by then. */
static uint64_t await(int in_queue, uint64_t timeouts)
{
    int64_t deadline = now_ns() + AMPLE;
    struct timed_sem_row row = {.timeouts = 0};
    int waiting;

    do {
        if (usleep(500) == -1)
            err(EXIT_FAILURE, "usleep");
        if (now_ns() >= deadline)
            errx(EXIT_FAILURE, "a waiter has failed");
        waiting = semctl(table->set, INDEX, GETNCNT);
        if (waiting == -1)
            err(EXIT_FAILURE, "semctl");
    } while (!timed_sem_look(table, INDEX, &row) || waiting < in_queue ||
             row.timeouts < timeouts);
    return row.timeouts;
}

static pid_t start_waiter(int64_t limit, const char *letter)
{
    pid_t child = fork_helper(letter);

    if (child > 0)
        return child;
    get(limit, letter);
    _exit(EXIT_SUCCESS);
}

static void reap(pid_t child)
{
    see_end(child, 0);
}

/* A waits in slices of this length. Prints who was served before whom. */
static void tell(const char *story, int64_t slice)
{
    char first = '-', second = '-';

    if (pipe(served) == -1)
        err(EXIT_FAILURE, "pipe");
    if (timed_sem_acquire(table, INDEX, 0) == -1)
        err(EXIT_FAILURE, "semtimedop index");
    pid_t a = start_waiter(slice, "A");
    await(1, 0);
    pid_t b = start_waiter(AMPLE, "B");
    close(served[1]); /* so that its end means theirs */
    uint64_t before = await(2, 0);
    if (slice < AMPLE)
        await(0, before + 1); /* now A has left its place */
    if (timed_sem_release(table, INDEX) == -1)
        err(EXIT_FAILURE, "semop index");
    if (read(served[0], &first, 1) == -1 || read(served[0], &second, 1) == -1)
        err(EXIT_FAILURE, "read");
    close(served[0]);
    reap(a);
    reap(b);
    printf("%s: came=AB slice_ms=%" PRId64 " served=%c%c\n", story,
           slice / NS_PER_MS, first, second);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: keeps_its_place [SLICE]\n"
              "  SLICE  how long A waits at a time, default 8ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t slice = argc > 1 ? parse_duration(argv[1]) : 8 * NS_PER_MS;
    if (slice < NS_PER_MS)
        errx(EXIT_USAGE, "to wait less than 1ms at a time is to spin");
    struct timed_sem_options options = {
        .slice = AMPLE, .undo = true, .report_to = STDERR_FILENO};

    setlinebuf(stdout); /* empty at fork() */
    table = timed_sems_open(names, 1, options);
    tell("waits_once", AMPLE);
    tell("waits_again", slice);
    return EXIT_SUCCESS;
}
