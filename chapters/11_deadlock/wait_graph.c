/*
 * wait_graph - find a deadlock in a table of holders and waiters, for certain.
 *
 * timed_sem.h of chapter 10 writes down who holds each semaphore and who waits
 * for it. wait_graph.h finds those who wait for each other in a circle, and
 * looks twice before it says so. Here it is put to the test: two and three in
 * a deadlock, with one beside them who waits in vain, but not in the circle;
 * then a chain, which ends at somebody who works. The last story arranges a
 * look that is torn: who waits is seen before everybody has moved on, who
 * holds what after it. Nobody in it ever waits with something in his hands.
 *
 *     $ cc wait_graph.c -o wait_graph
 *     $ ./wait_graph
 *     finder: looks story=two set=7
 *     finder: edge waiter=anna semaphore=checking holder=bert
 *     finder: edge waiter=bert semaphore=savings holder=anna
 *     finder: edge waiter=carl semaphore=savings holder=anna
 *     finder: deadlock cycle=2 threads=anna,bert
 *     finder: anna waits for checking, which bert holds, who waits for
 *       savings, which anna holds (this is one line)
 *     ...
 *     finder: looks story=torn set=7
 *     finder: edge waiter=anna semaphore=savings holder=bert
 *     finder: edge waiter=bert semaphore=checking holder=anna
 *     finder: rumour cycle=2 threads=anna,bert why=changed
 *
 * See also: wait_graph.h, ../10_semaphore_timeouts/timed_sem.h.
 */
#define _GNU_SOURCE /* semtimedop() */

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../10_semaphore_timeouts/timed_sem.h"
#include "players.h"
#include "wait_graph.h"

/* As a record for programs, and if it is a deadlock as a sentence. */
static void print_cycle(const struct graph *graph, int edge, int length,
                        const char *why)
{
    const struct edge *e = &graph->edge[edge];

    printf("finder: %s cycle=%d threads=", why ? "rumour" : "deadlock", length);
    for (int n = 0, i = edge; n < length; n++, i = next_edge(graph, i))
        printf("%s%s", graph->edge[i].waiter.thread.program,
               n < length - 1 ? "," : "");
    if (why) {
        printf(" why=%s\n", why);
        return;
    }
    printf("\nfinder: %s", e->waiter.thread.program);
    for (int n = 0, i = edge; n < length; n++, i = next_edge(graph, i)) {
        e = &graph->edge[i];
        printf("%s waits for %s, which %s holds", n > 0 ? ", who" : "",
               e->row.name, e->row.holder.program);
    }
    printf("\n");
}

static int by_age(const void *one, const void *other)
{
    int64_t a = ((const struct edge *)one)->waiter.since;
    int64_t b = ((const struct edge *)other)->waiter.since;

    return (a > b) - (a < b);
}

/* Print the graph, and what is in it. */
static void judge(const struct timed_sems *table, struct graph *graph)
{
    int cycles = 0;

    qsort(graph->edge, (size_t)graph->edges, sizeof graph->edge[0], by_age);
    for (int i = 0; i < graph->edges; i++)
        printf("finder: edge waiter=%s semaphore=%s holder=%s\n",
               graph->edge[i].waiter.thread.program, graph->edge[i].row.name,
               graph->edge[i].row.holder.program);
    for (int i = 0; i < graph->edges; i++) {
        int length = cycle_from(graph, i);
        if (length > 0)
            print_cycle(graph, i, length, doubt_cycle(table, graph, i));
        cycles += length > 0;
    }
    if (cycles == 0)
        printf("finder: no_cycle edges=%d\n", graph->edges);
}

/* As in players.h. What comes later happens when the finder has seen who waits,
   and has not yet seen who holds what. */
static const struct story {
    const char *name;
    int players;
    const char *moves, *later;
} stories[] = {
    {"two", 3, "A+s B+c A?c B?s C?s", ""},
    {"three", 4, "A+s B+c C+b A?c B?b C?s D?b", ""},
    {"chain", 3, "A+s B+c B?s C?c", ""},
    {"torn", 3, "C+s C+c A?s B?c", "C-s A.s A-s C-c B.c B-c A+c B+s"},
};
#define STORIES (sizeof stories / sizeof stories[0])

static void play(struct timed_sems *table, const struct story *story)
{
    static struct graph graph;

    printf("finder: looks story=%s set=%d\n", story->name, table->set);
    for (int who = 0; who < story->players; who++)
        start_player(table, who);
    make_moves(table, story->moves);
    see_waiters(table, &graph);
    make_moves(table, story->later);
    see_holders(table, &graph);
    judge(table, &graph);
    end_players(table, story->players);
}

int main(int argc, char *argv[])
{
    size_t story = 0;
    while (argc == 2 && story < STORIES &&
           strcmp(argv[1], stories[story].name) != 0)
        story++;
    if (argc > 2 || story == STORIES) {
        fputs("usage: wait_graph [two|three|chain|torn]\n"
              "  Without a story, all of them.\n",
              stderr);
        return EXIT_USAGE;
    }

    struct timed_sem_options quiet = {.slice = DURATION_MAX,
                                      .undo = true, /* players are killed */
                                      .report_to = STDERR_FILENO};
    struct timed_sems *table = timed_sems_open(accounts, 3, quiet);
    setlinebuf(stdout); /* empty at fork() */
    if (argc > 1)
        play(table, &stories[story]);
    for (; argc == 1 && story < STORIES; story++)
        play(table, &stories[story]);
    return EXIT_SUCCESS;
}
