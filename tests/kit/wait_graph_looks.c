/*
 * wait_graph_looks - look again and again at owners that never stand still,
 * and never are in a deadlock. How often does wait_graph.h say that they are?
 *
 *     wait_graph_looks owners LOOKS
 *     wait_graph_looks model LOOKS
 *     wait_graph_looks limit_over|killed
 *
 * The first owner takes both of two semaphores, in order. The others wait for
 * one, let it go when they have it, and take another: who has one waits for
 * none. The owners are processes, or a model of them, which makes some moves
 * whenever wait_graph.h looks at a row or at a waiter: so a look is torn in
 * every way there is, and the second look too. cycles were seen in one look,
 * deadlocks are what a second look confirmed.
 *
 *     $ wait_graph_looks model 20000
 *     looks=20000 edges=28713 cycles=2077 deadlocks=0
 *
 * With another word there is one wait, seen when it was true; then its limit
 * passes while its process is stopped, or its process is killed. What does
 * the second look say?
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../chapters/10_semaphore_timeouts/timed_sem.h"
#include "../../common/exit_codes.h"

#define OWNERS 4
#define NUMBERS 2
#define AMPLE (60 * NS_PER_SEC)
#define ENOUGH 100

/* --- the model --- */

static struct {
    bool runs;
    uint64_t stamp; /* the last one that was given */
    struct {
        int holder; /* -1: it is free */
        uint64_t stamp;
    } semaphores[NUMBERS];
    struct {
        int waits_for; /* -1: for none */
        uint64_t stamp;
    } owners[OWNERS];
} model;

static bool model_has(int who, int number)
{
    return model.semaphores[number].holder == who;
}

/* One of them makes a move, if it can. */
static void model_move(int who)
{
    int number = model.owners[who].waits_for;

    if (number != -1) {
        if (model.semaphores[number].holder != -1)
            return;
        model.semaphores[number].holder = who;
        model.semaphores[number].stamp = ++model.stamp;
        model.owners[who].waits_for = -1;
    } else if (who == 0 && model_has(0, 0) && !model_has(0, 1)) {
        model.owners[0].waits_for = 1;
        model.owners[0].stamp = ++model.stamp;
    } else if (model_has(who, 0) || model_has(who, 1)) {
        for (int i = 0; i < NUMBERS; i++)
            if (model_has(who, i))
                model.semaphores[i].holder = -1;
    } else {
        model.owners[who].waits_for = who == 0 ? 0 : (int)(random() % NUMBERS);
        model.owners[who].stamp = ++model.stamp;
    }
}

static void model_moves(void)
{
    for (long n = random() % 32; n > 0; n--)
        model_move((int)(random() % OWNERS));
}

static struct timed_sem_thread model_thread(int who)
{
    return (struct timed_sem_thread){.pid = who + 1, .tid = who + 1};
}

/* --- what wait_graph.h calls --- */

static bool look_at(const struct timed_sems *table, int number,
                    struct timed_sem_row *row)
{
    if (!model.runs)
        return timed_sem_look(table, number, row);
    model_moves();
    row->held = model.semaphores[number].holder != -1;
    row->holder = model_thread(model.semaphores[number].holder);
    row->stamp = model.semaphores[number].stamp;
    return true;
}

static bool look_at_waiter(const struct timed_sems *table, int slot,
                           struct timed_sem_waiter *waiter)
{
    if (!model.runs)
        return timed_sem_look_at_waiter(table, slot, waiter);
    if (slot >= OWNERS) /* each has a slot of its own */
        return false;
    model_moves();
    waiter->waiting = model.owners[slot].waits_for != -1;
    waiter->thread = model_thread(slot);
    waiter->number = model.owners[slot].waits_for;
    waiter->stamp = model.owners[slot].stamp;
    waiter->since = now_ns();
    waiter->limit = AMPLE;
    return waiter->waiting;
}

static const char *state_of(const struct timed_sem_thread *thread)
{
    return model.runs ? "sleeping" : timed_sem_state(thread);
}

#define timed_sem_look look_at
#define timed_sem_look_at_waiter look_at_waiter
#define timed_sem_state state_of
#include "../../chapters/11_deadlock/wait_graph.h"
#undef timed_sem_look
#undef timed_sem_look_at_waiter
#undef timed_sem_state

/* --- the owners --- */

static struct timed_sems *table;
static struct graph graph;

static pid_t fork_owner(void)
{
    pid_t parent = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        err(EXIT_FAILURE, "prctl");
    if (child == 0 && getppid() != parent)
        _exit(EXIT_FAILURE);
    return child;
}

static void acquire(int number)
{
    if (timed_sem_acquire(table, number, AMPLE) == -1)
        err(EXIT_FAILURE, "timed_sem_acquire");
}

static void release(int number)
{
    if (timed_sem_release(table, number) == -1)
        err(EXIT_FAILURE, "timed_sem_release");
}

static _Noreturn void own(int who)
{
    for (int number = who % 2;; number = !number) {
        acquire(who == 0 ? 0 : number);
        if (who == 0)
            acquire(1);
        sched_yield(); /* so that somebody comes to wait */
        if (who == 0)
            release(1);
        release(who == 0 ? 0 : number);
    }
}

static void look(void)
{
    see_waiters(table, &graph);
    if (!model.runs)
        sched_yield();
    see_holders(table, &graph);
}

/* So often, and until there was something to see: owners may get no turn. */
static void look_at_owners(long looks)
{
    long edges = 0, cycles = 0, deadlocks = 0, n;

    for (n = 0; n < looks || edges < ENOUGH; n++) {
        look();
        edges += graph.edges;
        for (int i = 0; i < graph.edges; i++)
            if (cycle_from(&graph, i) > 0) {
                cycles++;
                deadlocks += !doubt_cycle(table, &graph, i);
            }
    }
    printf("looks=%ld edges=%ld cycles=%ld deadlocks=%ld\n", n, edges, cycles,
           deadlocks);
}

/* We hold the first semaphore, and somebody waits for it. */
static void look_at_wait(bool killed)
{
    struct timespec nap = to_timespec(NS_PER_MS);
    int64_t limit = killed ? AMPLE : 50 * NS_PER_MS;
    pid_t waiter;

    acquire(0);
    if ((waiter = fork_owner()) == 0) {
        timed_sem_acquire(table, 0, limit);
        _exit(EXIT_SUCCESS);
    }
    do
        look();
    while (graph.edges == 0);
    if (kill(waiter, killed ? SIGKILL : SIGSTOP) == -1 ||
        waitpid(waiter, NULL, WUNTRACED) == -1)
        err(EXIT_FAILURE, "kill");
    while (!killed && now_ns() - graph.edge[0].waiter.since < limit)
        nanosleep(&nap, NULL);
    const char *why = doubt(table, &graph.edge[0]);
    printf("doubt=%s\n", why ? why : "none");
}

int main(int argc, char *argv[])
{
    static const char *const names[NUMBERS] = {"one", "two"};
    struct timed_sem_options quiet = {
        .slice = DURATION_MAX, .undo = true, .report_to = STDERR_FILENO};
    const char *what = argc > 1 ? argv[1] : "";
    long looks = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

    setlinebuf(stdout);
    if (strcmp(what, "model") == 0) {
        model.runs = true;
        for (int i = 0; i < NUMBERS; i++)
            model.semaphores[i].holder = -1;
        for (int i = 0; i < OWNERS; i++)
            model.owners[i].waits_for = -1;
        look_at_owners(looks);
        return EXIT_SUCCESS;
    }

    table = timed_sems_open(names, NUMBERS, quiet);
    if (strcmp(what, "owners") == 0) {
        for (int i = 0; i < OWNERS; i++)
            if (fork_owner() == 0)
                own(i);
        look_at_owners(looks);
    } else if (strcmp(what, "killed") == 0 || strcmp(what, "limit_over") == 0) {
        look_at_wait(what[0] == 'k');
    } else {
        errx(EXIT_USAGE, "usage: wait_graph_looks owners|model LOOKS"
                         " or limit_over|killed");
    }
    return EXIT_SUCCESS; /* the owners do not outlive us */
}
