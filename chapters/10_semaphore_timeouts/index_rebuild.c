/*
 * index_rebuild - somebody waits, and is told for whom.
 *
 * An indexer rebuilds an index. Meanwhile nobody else may use it, so a user
 * task that opens it has to wait. It has a limit, far away: that is when it
 * gives up. Long before that people ask why nothing happens. So there is a
 * second time, the slice. Each time that one is over a line says who still
 * waits, and who holds the semaphore: program, process, state, since when, and
 * from which line of which file. The wait itself goes on, and keeps its place.
 *
 * After three lines there is one that says that there will be no more, and
 * the last says how it ended. The operator, who reads them, lets the indexer
 * end when the lines do.
 *
 *     $ cc index_rebuild.c -o index_rebuild
 *     $ ./index_rebuild
 *     indexer: rebuilding semaphore=index
 *     user: opening semaphore=index limit_ms=5000
 *     reporter: still_waiting sq=1 time=1764150000.123 semaphore=index ...
 *     reporter: still_waiting sq=2 time=1764150000.153 semaphore=index ...
 *     reporter: still_waiting sq=3 time=1764150000.183 semaphore=index ...
 *     reporter: suppressing sq=4 time=1764150000.213 semaphore=index ...
 *     indexer: rebuilt semaphore=index
 *     user: opened semaphore=index waited_ms=121
 *     reporter: acquired sq=5 time=1764150000.214 semaphore=index ...
 *
 * Exits with 3 when the user task has given up.
 * See also: timed_sem.h, semop(2).
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"
#include "timed_sem.h"

#define SLICE (30 * NS_PER_MS)
#define LIMIT (5 * NS_PER_SEC)

enum { INDEX }; /* the only semaphore of the table */
static const char *const names[] = {"index"};
static struct timed_sems *table;

/* It holds the semaphore until somebody writes into the gate. */
static _Noreturn void rebuild(int begun, int gate)
{
    char go;

    if (timed_sem_acquire(table, INDEX, 0) == -1)
        err(EXIT_FAILURE, "semtimedop index");
    printf("indexer: rebuilding semaphore=index\n");
    if (write(begun, "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (read(gate, &go, 1) == -1)
        err(EXIT_FAILURE, "read");
    printf("indexer: rebuilt semaphore=index\n");
    if (timed_sem_release(table, INDEX) == -1)
        err(EXIT_FAILURE, "semop index");
    _exit(EXIT_SUCCESS);
}

static _Noreturn void open_index(int64_t limit)
{
    int64_t start = now_ns();

    printf("user: opening semaphore=index limit_ms=%" PRId64 "\n",
           limit / NS_PER_MS);
    bool opened = timed_sem_acquire(table, INDEX, limit) == 0;
    if (!opened && errno != EAGAIN)
        err(EXIT_FAILURE, "semtimedop index");
    printf("user: %s semaphore=index waited_ms=%" PRId64 "\n",
           opened ? "opened" : "gave_up errno=EAGAIN",
           (now_ns() - start) / NS_PER_MS);
    if (opened && timed_sem_release(table, INDEX) == -1)
        err(EXIT_FAILURE, "semop index");
    _exit(opened ? EXIT_SUCCESS : EXIT_TIMED_OUT);
}

static int reap(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) == EXIT_FAILURE)
        errx(EXIT_FAILURE, "waitpid: a helper has failed");
    return WEXITSTATUS(status);
}

/* Print the next line, which is one message. Returns whether more follow. */
static bool print_report(int reports, int flags)
{
    char line[PIPE_BUF];
    ssize_t length = recv(reports, line, sizeof line - 1, flags);

    if (length == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "recv");
    line[length > 0 ? length : 0] = '\0';
    printf("%s", line);
    return length > 0 && !strstr(line, " suppressing ");
}

/* Print the lines as they come, until there are no more, or no user. */
static void print_reports(int reports, int user_lives)
{
    struct pollfd news[] = {
        {.fd = reports, .events = POLLIN},
        {.fd = user_lives, .events = POLLIN},
        {.fd = timed_sems_reporter_end(), .events = POLLIN}};

    do {
        if (poll(news, 3, -1) == -1) /* until the limit at most */
            err(EXIT_FAILURE, "poll");
        if (news[2].revents != 0)
            errx(EXIT_FAILURE, "poll: the reporter has failed");
    } while (news[0].revents != 0 && print_report(reports, 0));
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: index_rebuild [SLICE [LIMIT]]\n"
              "  SLICE  how often a wait is reported, default 30ms\n"
              "  LIMIT  after which the user gives up, default 5s\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t slice = argc > 1 ? parse_duration(argv[1]) : SLICE;
    int64_t limit = argc > 2 ? parse_duration(argv[2]) : LIMIT;
    int reports[2], begun[2], gate[2], lives[2];
    char one;

    setlinebuf(stdout); /* empty at fork() */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, reports) == -1)
        err(EXIT_FAILURE, "socketpair");
    table =
        timed_sems_open(names, 1,
                        (struct timed_sem_options){.slice = slice,
                                                   .reports = 3,
                                                   .undo = true,
                                                   .report_to = reports[1]});
    if (pipe(begun) == -1 || pipe(gate) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t indexer = fork_helper("indexer");
    if (indexer == 0)
        rebuild(begun[1], gate[0]);
    close(begun[1]);
    if (read(begun[0], &one, 1) != 1)
        err(EXIT_FAILURE, "read");
    if (pipe(lives) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t user = fork_helper("user");
    if (user == 0)
        open_index(limit);
    close(lives[1]);
    print_reports(reports[0], lives[0]);
    if (write(gate[1], "", 1) == -1)
        err(EXIT_FAILURE, "write");
    reap(indexer);
    int answer = reap(user);
    timed_sems_close(); /* now the last line is written */
    while (print_report(reports[0], MSG_DONTWAIT))
        continue;
    return answer;
}
