/*
 * three_locks - three semaphores, one order for all, whoever wants them.
 *
 * In a workshop there are a saw, a drill and a bench. Three workers need all
 * of them, and each has another list. Who takes its tools in the order of its
 * list soon has one that the next one needs, and waits for the one after it.
 * Fill the gap marked TODO, then run: make check-three_locks
 *
 *     $ three_locks 2s
 *     worker: took_all list=saw,bench,drill
 *     worker: took_all list=drill,saw,bench
 *     worker: took_all list=bench,drill,saw
 *     workshop: closed took_all=3 saw=1 drill=1 bench=1
 *     $ three_locks 100ms bench
 *     worker: gave_up list=bench,drill,saw waited_ms=100
 *     workshop: closed took_all=0 saw=1 drill=1 bench=0
 *
 * In the second run there is one worker, and the bench never comes free. At
 * the end it tells how many of each are there.
 *
 * Exits with 0 when all workers had their tools, with 3 if one gave up.
 * See also: semop(2).
 */
#define _GNU_SOURCE /* semtimedop(), pipe2() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define FETCH (10 * NS_PER_MS)
#define WORKERS 3

enum { SAW, DRILL, BENCH, TOOLS };

static const char *const names[TOOLS] = {"saw", "drill", "bench"};

/* What a worker writes down of a tool, on a sheet of its own. */
struct tool {
    unsigned short number; /* of its semaphore, in the set */
    const char *name;
};

static void nap(int64_t length)
{
    struct timespec rest = to_timespec(length);

    while (nanosleep(&rest, &rest) == -1)
        if (errno != EINTR)
            err(EXIT_FAILURE, "nanosleep");
}

/*
 * Wait for the tool until the deadline, asleep, and fetch it: 0, or -1 and
 * errno, EAGAIN when the time is over.
 */
static int take_by(int set, const struct tool *it, int64_t deadline)
{
    struct sembuf take = {.sem_num = it->number, .sem_op = -1};
    int64_t left = deadline - now_ns();
    struct timespec timeout = to_timespec(left > 0 ? left : 0);

    if (semtimedop(set, &take, 1, &timeout) == -1)
        return -1;
    nap(FETCH);
    return 0;
}

/* Put the tool back, and leave errno as it is. */
static void give_back(int set, const struct tool *it)
{
    struct sembuf post = {.sem_num = it->number, .sem_op = 1};
    int why = errno;

    if (semop(set, &post, 1) == -1)
        err(EXIT_FAILURE, "semop");
    errno = why;
}

/*
 * Take the three tools of the list until the deadline: 0, or -1 and errno. The
 * list may be brought into another order.
 *
 * TODO: this takes them in the order of the list.
 *
 *   1. All workers take the three in one order, whatever stands in their lists.
 *      It must go by what is the same in each process: what a list points to
 *      does not, for it lies on the worker's own sheet.
 *   2. Wait for each until the deadline, asleep, as take_by() does. To ask for
 *      it again and again, and keep what is taken meanwhile, is a wait, too.
 *   3. If one does not come, give back what is taken already, and only that.
 *      Return -1, with errno as take_by() left it.
 */
static int take_all(int set, struct tool *list[TOOLS], int64_t deadline)
{
    for (int i = 0; i < TOOLS; i++)
        if (take_by(set, list[i], deadline) == -1)
            return -1;
    return 0;
}

/*
 * Work once. The sheet begins with another tool for each worker, and the list
 * goes through the sheet from its end.
 */
static int work(int set, int worker, int64_t limit)
{
    struct tool sheet[TOOLS], *list[TOOLS];
    for (int i = 0; i < TOOLS; i++) {
        int number = (worker + i) % TOOLS;
        sheet[i] = (struct tool){(unsigned short)number, names[number]};
        list[TOOLS - 1 - i] = &sheet[i];
    }
    char text[32];
    snprintf(text, sizeof text, "%s,%s,%s", list[0]->name, list[1]->name,
             list[2]->name);

    int64_t start = now_ns();
    if (take_all(set, list, start + limit) == -1) {
        if (errno != EAGAIN)
            err(EXIT_FAILURE, "take_all");
        printf("worker: gave_up list=%s waited_ms=%" PRId64 "\n", text,
               (now_ns() - start) / NS_PER_MS);
        return EXIT_TIMED_OUT;
    }
    printf("worker: took_all list=%s\n", text);
    for (int i = 0; i < TOOLS; i++)
        give_back(set, list[i]);
    return EXIT_SUCCESS;
}

/* It begins when the gate opens: when nobody can write to it any more. */
static void start_worker(int set, int worker, int64_t limit, const int gate[2])
{
    pid_t child = fork_helper("worker");
    if (child > 0)
        return;

    char none;
    close(gate[1]);
    if (read(gate[0], &none, 1) == -1)
        err(EXIT_FAILURE, "read");
    _exit(work(set, worker, limit));
}

/* Wait for a worker, which never has to be waited for longer than its limit. */
static bool has_worked(void)
{
    int status;

    if (wait(&status) == -1)
        err(EXIT_FAILURE, "wait");
    if (!WIFEXITED(status) || WEXITSTATUS(status) == EXIT_FAILURE)
        exit(EXIT_FAILURE);
    return WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* One of each tool is there, but for the one that is missing. */
static int open_workshop(int missing)
{
    int set = semget(IPC_PRIVATE, TOOLS, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    for (unsigned short i = 0; i < TOOLS; i++)
        if (i != missing)
            give_back(set, &(struct tool){i, names[i]});
    return set;
}

int main(int argc, char *argv[])
{
    int missing = argc == 3 ? 0 : TOOLS;
    while (missing < TOOLS && strcmp(argv[2], names[missing]) != 0)
        missing++;
    if (argc < 2 || argc > 3 || (argc == 3 && missing == TOOLS)) {
        fputs("usage: three_locks LIMIT [saw|drill|bench]\n"
              "  LIMIT  a worker gives up after this long, such as 2s\n"
              "  TOOL   one worker only, and this tool never comes free\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = parse_duration(argv[1]);
    setlinebuf(stdout); /* empty at fork() */

    int set = open_workshop(missing);
    int gate[2], workers = argc == 3 ? 1 : WORKERS, happy = 0;
    if (pipe2(gate, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    for (int i = 0; i < workers; i++)
        start_worker(set, i, limit, gate);
    close(gate[1]);
    for (int i = 0; i < workers; i++)
        happy += has_worked();

    printf("workshop: closed took_all=%d saw=%d drill=%d bench=%d\n", happy,
           semctl(set, SAW, GETVAL), semctl(set, DRILL, GETVAL),
           semctl(set, BENCH, GETVAL));
    return happy == workers ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}
