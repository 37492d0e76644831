/*
 * timed_sem_probe - what is hard on the table and on its reporter.
 *
 *     timed_sem_probe holders N   N holders, killed at any moment
 *     timed_sem_probe waiters N   N waiters, killed at any moment
 *     timed_sem_probe killed      a waiter, killed, and the reporter
 *     timed_sem_probe torn        a row that somebody has not finished
 *     timed_sem_probe whole       a row that changes all the time
 *     timed_sem_probe reuse       a holder's pid is another process by now
 *     timed_sem_probe unknown     a holder without a row
 *     timed_sem_probe full KIND   nobody reads the reports: pipe or socket
 *     timed_sem_probe file        reports and others write into one file
 *     timed_sem_probe errors      what acquire and release answer
 *     timed_sem_probe chain       a holder that waits for another semaphore
 *     timed_sem_probe slots       more waits than the table has slots for
 *     timed_sem_probe end         the program is killed: who is left?
 *     timed_sem_probe quiet       what the reporter does while nobody waits
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../chapters/10_semaphore_timeouts/timed_sem.h"
#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"

#define AMPLE (10 * NS_PER_SEC)

/* For some slices; more where all is slower, such as under valgrind. */
static int64_t enough(void)
{
    const char *scale = getenv("KIT_TIME_SCALE");

    return 300 * NS_PER_MS * (scale ? atoi(scale) : 1);
}

enum { INDEX, LOG };
static const char *const names[] = {"index", "log"};
static struct timed_sems *table;
static const char *word = "pipe"; /* the second argument */

static void open_table(int report_to, int64_t slice, unsigned reports)
{
    table = timed_sems_open(names, 2,
                            (struct timed_sem_options){.slice = slice,
                                                       .reports = reports,
                                                       .undo = true,
                                                       .report_to = report_to});
}

static void must(int answer, const char *what)
{
    if (answer == -1)
        err(EXIT_FAILURE, "%s", what);
}

static pid_t start(void)
{
    pid_t child = fork();
    must(child, "fork");
    if (child == 0)
        must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
    return child;
}

static void kill_after(pid_t child, int64_t delay)
{
    struct timespec pause = to_timespec(delay);
    must(nanosleep(&pause, NULL), "nanosleep");
    must(kill(child, SIGKILL), "kill");
    must(waitpid(child, NULL, 0), "waitpid");
}

static void nap(void)
{
    struct timespec pause = to_timespec(NS_PER_MS);
    must(nanosleep(&pause, NULL), "nanosleep");
}

static void await_waiters(int count)
{
    while (semctl(table->set, INDEX, GETNCNT) != count)
        nap();
}

static int holders(void)
{
    struct timed_sem_row row;
    int kills = atoi(word), odd = 0;

    open_table(STDERR_FILENO, AMPLE, 0);
    for (int i = 0; i < kills; i++) {
        pid_t child = start();
        if (child == 0)
            for (;;)
                if (timed_sem_acquire(table, INDEX, AMPLE) == -1 ||
                    timed_sem_release(table, INDEX) == -1)
                    err(EXIT_FAILURE, "child");
        do
            nap();
        while (!timed_sem_look(table, INDEX, &row) ||
               row.holder.pid != child); /* now it is busy with it */
        kill_after(child, i * 7 % 100 * NS_PER_US);
        odd += (int)(table->rows[INDEX].cell[0] % 2);
        must(timed_sem_acquire(table, INDEX, AMPLE), "acquire");
        if (!timed_sem_look(table, INDEX, &row) || !row.held ||
            row.holder.pid != getpid())
            errx(EXIT_FAILURE, "it is ours, and the table does not know");
        must(timed_sem_release(table, INDEX), "release");
    }
    printf("probe: holders killed=%d orphaned=%d unfinished=%d\n", kills,
           (int)row.orphaned, odd);
    return EXIT_SUCCESS;
}

static int slots_in_use(void)
{
    int used = 0;
    for (int slot = 0; slot < TIMED_SEM_WAITERS; slot++)
        used += table->slots[slot].owner != TIMED_SEM_FREE;
    return used;
}

static int waiters(void)
{
    int kills = atoi(word), used = 0;

    open_table(STDOUT_FILENO, 3600 * NS_PER_SEC, 0); /* it tidies up nothing */
    must(timed_sem_acquire(table, INDEX, 0), "acquire");
    for (int i = 0; i < kills; i++) {
        uint32_t before = table->rows[INDEX].timeouts;
        pid_t child = start();
        if (child == 0)
            for (;;)
                if (timed_sem_acquire(table, INDEX, 50 * NS_PER_US) == 0)
                    errx(EXIT_FAILURE, "it is not free");
        while (table->rows[INDEX].timeouts == before)
            nap();
        kill_after(child, i * 7 % 100 * NS_PER_US);
        int now = slots_in_use();
        used = now > used ? now : used;
    }
    pid_t child = start();
    if (child == 0)
        _exit(timed_sem_acquire(table, INDEX, AMPLE) == -1);
    await_waiters(1);
    int seen = 0;
    struct timed_sem_waiter waiter;
    for (int slot = 0; slot < TIMED_SEM_WAITERS; slot++)
        seen += timed_sem_look_at_waiter(table, slot, &waiter) &&
                waiter.thread.pid == child;
    must(timed_sem_release(table, INDEX), "release");
    int status;
    must(waitpid(child, &status, 0), "waitpid");
    printf("probe: waiters killed=%d slots_left=%d no_slot=%d seen=%d "
           "acquired=%d\n",
           kills, used, (int)table->unseen, seen, status == 0);
    return EXIT_SUCCESS;
}

static int killed(void)
{
    open_table(STDOUT_FILENO, 2 * NS_PER_MS, 1);
    must(timed_sem_acquire(table, INDEX, 0), "acquire");
    pid_t child = start();
    if (child == 0)
        _exit(timed_sem_acquire(table, INDEX, AMPLE) == -1);
    await_waiters(1);
    kill_after(child, 0);
    while (slots_in_use() > 0) /* until the reporter has seen it */
        nap();
    printf("probe: slots_in_use=%d\n", slots_in_use());
    return EXIT_SUCCESS;
}

static int torn(void)
{
    struct timed_sem_row row;

    open_table(STDERR_FILENO, AMPLE, 0);
    _Atomic uint32_t *sequence = &table->rows[INDEX].cell[0];
    printf("probe: look=%d\n", timed_sem_look(table, INDEX, &row));
    ++*sequence;
    printf("probe: look=%d while=writing\n",
           timed_sem_look(table, INDEX, &row));
    /* Whoever wrote was killed. The next holder takes it over. */
    must(timed_sem_acquire(table, INDEX, 0), "acquire");
    printf("probe: look=%d", timed_sem_look(table, INDEX, &row));
    printf(" held=%d stamp=%" PRIu64 " acquisitions=%" PRIu64 "\n", row.held,
           row.stamp, row.acquisitions);
    return EXIT_SUCCESS;
}

/* Reads look at a row that changes all the time: what they get is whole. */
static int whole(void)
{
    struct timed_sem_row row;
    int looks = 0, torn_rows = 0;

    open_table(STDERR_FILENO, AMPLE, 0);
    pid_t child = start();
    if (child == 0)
        for (struct timed_sem_row is = {.line = 0};; is.line++) {
            is.acquisitions = is.stamp = (uint64_t)is.line;
            is.longest_hold = is.longest_wait = is.line;
            timed_sem_put(table->rows[INDEX].cell, &is, sizeof is);
        }
    int64_t begun = now_ns(), passed = 0; /* on a busy machine longer */
    for (; passed < 100 * NS_PER_MS || (looks == 0 && passed < AMPLE);
         passed = now_ns() - begun)
        if (timed_sem_look(table, INDEX, &row)) {
            looks++;
            torn_rows += row.stamp != (uint64_t)row.line ||
                         row.acquisitions != row.stamp ||
                         row.longest_wait != row.line ||
                         row.longest_hold != row.line;
        }
    kill_after(child, 0);
    printf("probe: looks=%s torn=%d\n", looks > 0 ? "some" : "none", torn_rows);
    return EXIT_SUCCESS;
}

static int reuse(void)
{
    struct timed_sem_row row;

    open_table(STDOUT_FILENO, 5 * NS_PER_MS, 1);
    pid_t child = start();
    if (child == 0) {
        must(timed_sem_acquire(table, INDEX, 0), "acquire");
        pause();
    }
    while (!timed_sem_look(table, INDEX, &row) || !row.held)
        nap();
    row.holder.start_time--; /* as if it had been another process */
    timed_sem_put(table->rows[INDEX].cell, &row, sizeof row);
    if (timed_sem_acquire(table, INDEX, enough()) == 0)
        errx(EXIT_FAILURE, "it is not free");
    printf("probe: lives=%d\n", kill(child, 0) == 0);
    return EXIT_SUCCESS;
}

static int unknown(void)
{
    struct sembuf take = {.sem_num = INDEX, .sem_op = -1};

    open_table(STDOUT_FILENO, 5 * NS_PER_MS, 1);
    pid_t child = start();
    if (child == 0) /* as if killed before it could write into its row */
        _exit(semop(table->set, &take, 1) == -1);
    must(waitpid(child, NULL, 0), "waitpid");
    printf("probe: taken_by=%d\n", (int)child);
    if (timed_sem_acquire(table, INDEX, enough()) == 0)
        errx(EXIT_FAILURE, "it is not free");
    return EXIT_SUCCESS;
}

static int full(void)
{
    char bytes[4096] = "";
    int ends[2], flags, left;

    bool is_pipe = strcmp(word, "pipe") == 0;
    must(is_pipe ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, &ends[0]),
         "pipe");
    open_table(ends[1], 20 * NS_PER_MS, UINT_MAX);
    flags = fcntl(ends[1], F_GETFL);
    must(fcntl(ends[1], F_SETFL, flags | O_NONBLOCK), "fcntl");
    while (write(ends[1], bytes, sizeof bytes) > 0)
        continue;
    must(fcntl(ends[1], F_SETFL, flags), "fcntl");

    pid_t child = start();
    if (child == 0) {
        must(timed_sem_acquire(table, INDEX, 0), "acquire");
        pause();
    }
    struct timed_sem_row row;
    while (!timed_sem_look(table, INDEX, &row) || !row.held)
        nap();
    /* The reporter meets the full pipe, and looks again. */
    if (timed_sem_acquire(table, INDEX, enough()) == 0)
        errx(EXIT_FAILURE, "it is not free");
    for (must(ioctl(ends[0], FIONREAD, &left), "ioctl"); left > 0;
         left -= (int)sizeof bytes)
        must((int)read(ends[0], bytes, sizeof bytes), "read");
    if (timed_sem_acquire(table, INDEX, enough()) == 0)
        errx(EXIT_FAILURE, "it is not free");
    timed_sems_close();
    printf("probe: nonblock=%d\n", (fcntl(ends[1], F_GETFL) & O_NONBLOCK) != 0);
    must((int)(left = (int)read(ends[0], bytes, sizeof bytes)), "read");
    fflush(stdout);
    printf("%.*s", left, bytes);
    return EXIT_SUCCESS;
}

static int file(void)
{
    char name[] = "/tmp/timed_sem_probe.XXXXXX";
    char bytes[8192];
    int fd = mkstemp(name);

    must(fd, "mkstemp");
    must(unlink(name), "unlink");
    must((int)write(fd, "before\n", 7), "write");
    open_table(fd, NS_PER_MS, 2);
    pid_t child = start();
    if (child == 0) {
        must(timed_sem_acquire(table, INDEX, 0), "acquire");
        pause();
    }
    struct timed_sem_row row;
    while (!timed_sem_look(table, INDEX, &row) || !row.held)
        nap();
    if (timed_sem_acquire(table, INDEX, enough()) == 0)
        errx(EXIT_FAILURE, "it is not free");
    timed_sems_close();
    must((int)write(fd, "after\n", 6), "write");
    ssize_t length = pread(fd, bytes, sizeof bytes, 0);
    printf("%.*s", (int)length, bytes);
    return EXIT_SUCCESS;
}

static void say(const char *what, int answer)
{
    const char *name = answer == 0        ? "0"
                       : errno == EPERM   ? "EPERM"
                       : errno == EDEADLK ? "EDEADLK"
                                          : errno_name(errno);
    printf("probe: %s=%s\n", what, name);
}

static void *release_it(void *unused)
{
    (void)unused;
    say("thread_release", timed_sem_release(table, INDEX));
    return NULL;
}

static int errors(void)
{
    pthread_t thread;

    open_table(STDERR_FILENO, AMPLE, 0);
    say("release_free", timed_sem_release(table, INDEX));
    say("acquire", timed_sem_acquire(table, INDEX, 0));
    say("acquire_again", timed_sem_acquire(table, INDEX, AMPLE));
    say("acquire_other", timed_sem_acquire(table, LOG, 0));
    say("acquire_none", timed_sem_acquire(table, 2, AMPLE));
    say("release_none", timed_sem_release(table, -1));
    pid_t child = start();
    if (child == 0) {
        say("child_release", timed_sem_release(table, INDEX));
        say("child_try", timed_sem_acquire(table, INDEX, 0));
        say("child_acquire", timed_sem_acquire(table, INDEX, NS_PER_MS));
        _exit(EXIT_SUCCESS);
    }
    must(waitpid(child, NULL, 0), "waitpid");
    if (pthread_create(&thread, NULL, release_it, NULL) != 0 ||
        pthread_join(thread, NULL) != 0)
        errx(EXIT_FAILURE, "pthread_create");
    say("release", timed_sem_release(table, INDEX));
    printf("probe: value=%d\n", semctl(table->set, INDEX, GETVAL));
    must(semctl(table->set, 0, IPC_RMID), "semctl");
    say("acquire_removed", timed_sem_acquire(table, INDEX, AMPLE));
    errno = 0;
    printf("probe: children=%d\n", wait(NULL) == -1 && errno == ECHILD ? 0 : 1);
    return EXIT_SUCCESS;
}

static int chain(void)
{
    struct timed_sem_row row;
    pid_t children[2];

    open_table(STDOUT_FILENO, 5 * NS_PER_MS, 1);
    for (int i = 0; i < 2; i++) { /* the first holds the log, the second the
                                     index, and waits for the log */
        children[i] = start();
        if (children[i] == 0) {
            must(prctl(PR_SET_NAME, i == 0 ? "logger" : "indexer"), "prctl");
            must(timed_sem_acquire(table, i == 0 ? LOG : INDEX, 0), "acquire");
            if (i == 1)
                must(timed_sem_acquire(table, LOG, AMPLE), "acquire");
            pause();
        }
        while (!timed_sem_look(table, i == 0 ? LOG : INDEX, &row) || !row.held)
            nap();
    }
    while (semctl(table->set, LOG, GETNCNT) != 1)
        nap();
    if (timed_sem_acquire(table, INDEX, enough()) == 0)
        errx(EXIT_FAILURE, "it is not free");
    return EXIT_SUCCESS;
}

static int slots(void)
{
    open_table(STDOUT_FILENO, 5 * NS_PER_MS, 1);
    for (int i = 0; i < TIMED_SEM_WAITERS; i++) /* by somebody who lives */
        table->slots[i].owner = TIMED_SEM_OWNER(getpid(), TIMED_SEM_TAKEN);
    must(timed_sem_acquire(table, INDEX, 0), "acquire");
    pid_t child = start();
    if (child == 0)
        _exit(timed_sem_acquire(table, INDEX, AMPLE) == -1);
    await_waiters(1);
    must(timed_sem_release(table, INDEX), "release");
    int status;
    must(waitpid(child, &status, 0), "waitpid");
    printf("probe: acquired=%d\n", status == 0);
    return EXIT_SUCCESS;
}

static int end(void)
{
    char bytes[4096];
    int reports[2], news[2], set;
    ssize_t length;

    must(pipe(reports), "pipe");
    must(pipe(news), "pipe");
    pid_t child = start();
    if (child == 0) {
        close(news[0]);
        open_table(reports[1], NS_PER_MS, 1);
        pid_t holder = start();
        if (holder == 0) {
            must(timed_sem_acquire(table, INDEX, 0), "acquire");
            must((int)write(news[1], &table->set, sizeof table->set), "write");
            pause();
        }
        pause();
    }
    close(reports[1]);
    must((int)read(news[0], &set, sizeof set), "read");
    must(kill(child, SIGKILL), "kill");
    while ((length = read(reports[0], bytes, sizeof bytes)) > 0)
        continue; /* its end: reporter, guardian and holder have ended */
    printf("probe: set=%s\n", semctl(set, 0, GETVAL) == -1 ? "gone" : "left");
    return EXIT_SUCCESS;
}

/* Voluntary context switches of the reporter in a while without waits. */
static long switches(void)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)table->reporter);
    int fd = open(path, O_RDONLY);
    must(fd, path);
    ssize_t length = read(fd, text, sizeof text - 1);
    must((int)length, path);
    close(fd);
    text[length] = '\0';
    return atol(strstr(text, "\nvoluntary_ctxt_switches:") + 25);
}

static int quiet(void)
{
    open_table(STDERR_FILENO, NS_PER_MS, 1);
    for (int i = 0; i < 20; i++)
        nap();
    long before = switches();
    for (int i = 0; i < 50; i++) {
        must(timed_sem_acquire(table, INDEX, AMPLE), "acquire");
        must(timed_sem_release(table, INDEX), "release");
        nap();
    }
    printf("probe: woken=%ld\n", switches() - before);
    return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*run)(void);
    } kinds[] = {
        {"holders", holders}, {"waiters", waiters}, {"killed", killed},
        {"torn", torn},       {"whole", whole},     {"reuse", reuse},
        {"full", full},       {"file", file},       {"errors", errors},
        {"chain", chain},     {"slots", slots},     {"unknown", unknown},
        {"end", end},         {"quiet", quiet}};

    setlinebuf(stdout);
    word = argc > 2 ? argv[2] : word;
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(argv[1], kinds[i].name) == 0)
            return kinds[i].run();
    errx(EXIT_USAGE, "which kind? The source lists them.");
}
