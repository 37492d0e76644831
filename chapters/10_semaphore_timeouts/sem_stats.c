/*
 * sem_stats - the statistic of a table, read while others write into it.
 *
 * A table of timed_sem.h also counts: how often each semaphore was acquired,
 * after a wait or not, how often somebody gave up, the longest wait and the
 * longest hold. It is in a memfd, a file in no directory. But it can be opened
 * through a process that has it open, /proc/PID/fd/N, by who is allowed to:
 * here to read only, so that nobody is disturbed.
 *
 * Those who write do not wait for us. So a row is copied, and the copy is
 * thrown away if somebody wrote meanwhile. In each row as many acquisitions
 * are counted as stamps were given: the reader looks at a busy one again and
 * again, and counts the copies in which the two differ. A row that was left by
 * one who was killed while he wrote is not shown at all.
 *
 *     $ cc sem_stats.c -o sem_stats
 *     $ ./sem_stats
 *     reader: opens pid=4714 set=7
 *     reader: looked changed=4242 torn=0
 *     reader: row name=430D acquisitions=2 contended=1 timeouts=2 ...
 *     reader: row name=0A13 acquisitions=4242 contended=0 timeouts=0 ...
 *     reader: no_row number=2 why=unfinished
 *     Sem.Timeouts = 430D:2
 *
 * With the PID of another process it tells of its table: ./sem_stats PID.
 * See also: timed_sem_table.h, memfd_create(2), proc_pid_fd(5).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"
#include "stats_stage.h"
#include "timed_sem.h"

#define CHANGES 10 /* and at least so long: */
#define WATCH (50 * NS_PER_MS)

/* The table that this process has open, or NULL. */
static const struct timed_sems *find_table(long pid)
{
    static const char memfd[] = "/memfd:timed_sems";
    const struct timed_sems *table = NULL;
    char path[40], target[sizeof memfd];

    snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    DIR *files = opendir(path);
    if (!files)
        err(EXIT_FAILURE, "opendir %s", path);
    for (struct dirent *file; !table && (file = readdir(files));) {
        ssize_t length =
            readlinkat(dirfd(files), file->d_name, target, sizeof memfd - 1);
        if (length != sizeof memfd - 1 ||
            memcmp(target, memfd, sizeof memfd - 1) != 0)
            continue;
        int fd = openat(dirfd(files), file->d_name, O_RDONLY | O_CLOEXEC);
        if (fd == -1)
            err(EXIT_FAILURE, "openat %s", path);
        table = timed_sems_attach(fd);
        if (!table)
            err(EXIT_FAILURE, "mmap");
        close(fd);
    }
    closedir(files);
    return table;
}

/* A line for each row, and one for the waits that ended without success. */
static void tell(const struct timed_sems *table)
{
    struct timed_sem_row row;
    uint64_t timeouts = 0;

    for (int i = 0; i < timed_sem_count(table); i++) {
        if (!timed_sem_look(table, i, &row)) {
            printf("reader: no_row number=%d why=unfinished\n", i);
            continue;
        }
        printf("reader: row name=%s acquisitions=%" PRIu64 " contended=%" PRIu64
               " timeouts=%" PRIu64 " orphaned=%" PRIu64
               " longest_wait_ms=%" PRId64 " longest_hold_ms=%" PRId64 "\n",
               row.name, row.acquisitions, row.contended, row.timeouts,
               row.orphaned, row.longest_wait / NS_PER_MS,
               row.longest_hold / NS_PER_MS);
    }
    for (int i = 0; i < timed_sem_count(table); i++)
        if (timed_sem_look(table, i, &row) && row.timeouts > 0)
            printf("%s%s:%" PRIu64,
                   timeouts++ ? " " : "Sem.Timeouts = ", row.name,
                   row.timeouts);
    if (timeouts > 0)
        printf("\n");
}

/* Look at a row again and again, while somebody writes into it. */
static void watch(const struct timed_sems *table, int number)
{
    struct timed_sem_row row;
    int64_t start = now_ns();
    uint64_t last = 0;
    int changed = -1, torn = 0; /* the first one is new to us */

    while (changed < CHANGES || now_ns() - start < WATCH) {
        see_alive();
        if (!timed_sem_look(table, number, &row))
            continue; /* it was being written each time */
        torn += row.stamp != row.acquisitions;
        changed += row.stamp != last;
        last = row.stamp;
    }
    printf("reader: looked changed=%d torn=%d\n", changed, torn);
}

static void play(void)
{
    pid_t worker = start_all();
    const struct timed_sems *table = find_table(worker);
    if (!table)
        errx(EXIT_FAILURE, "openat: the worker has no table");
    printf("reader: opens pid=%d set=%d\n", (int)worker, table->set);
    watch(table, BUSY);
    must(kill(worker, SIGTERM), "kill");
    see_end(worker, 0); /* so that each row can be told of */
    tell(table);
}

int main(int argc, char *argv[])
{
    struct timed_sem_options quiet = {DURATION_MAX, 0, true, STDERR_FILENO};
    char *end = NULL;
    long pid = argc > 1 ? strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || (end && (*end || pid < 1))) {
        fputs("usage: sem_stats [PID]\n"
              "  PID  whose table to read; without one, it plays its own\n",
              stderr);
        return EXIT_USAGE;
    }

    if (argc > 1) {
        const struct timed_sems *table = find_table(pid);
        if (!table)
            errx(EXIT_FAILURE, "openat: process %ld has no table", pid);
        tell(table);
        return EXIT_SUCCESS;
    }
    setlinebuf(stdout); /* empty at fork() */
    mine = timed_sems_open(names, SEMAPHORES, quiet);
    play();
    return EXIT_SUCCESS;
}
