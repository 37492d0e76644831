/*
 * Find a deadlock in the table of timed_sem.h, and find out whether it is one.
 *
 * Draw an arrow, an edge, from each waiter to the holder of what it waits for:
 * that is the wait-for graph. Who follows the edges and comes back to where he
 * began has found a deadlock, or a rumour. For the table changes while it is
 * read: what was read first may be over when the rest is read, and edges that
 * were never there at the same time make a cycle.
 *
 * So each edge of a cycle is looked at twice. An acquisition has a stamp, a
 * number that no other will have, and so has a wait. If both are unchanged,
 * this holder has held and this waiter has waited all the time since the first
 * look, and at its end all edges of the cycle were there. To compare the names
 * is not enough: the same may wait for the same again.
 *
 * Two kinds of wait do not count. One whose limit is over may have ended, and
 * that may not have been noted yet. One whose process was killed waits no more.
 *
 *     see_waiters(table, &graph);
 *     see_holders(table, &graph);
 *     for (int i = 0; i < graph.edges; i++)
 *         if (cycle_from(&graph, i) > 0 && !doubt_cycle(table, &graph, i))
 *             ... it was a deadlock when the look had ended
 */
#ifndef WAIT_GRAPH_H
#define WAIT_GRAPH_H

#include <stdbool.h>
#include <string.h>

#include "../../common/duration.h"
#include "../10_semaphore_timeouts/timed_sem.h"

struct edge { /* from a waiter to the holder of what it waits for */
    int slot;
    struct timed_sem_waiter waiter;
    struct timed_sem_row row;
};

struct graph {
    int edges;
    struct edge edge[TIMED_SEM_WAITERS];
};

/* One who was killed waits no more, though he stands among the waiters. */
static inline bool lives(const struct timed_sem_thread *thread)
{
    const char *state = timed_sem_state(thread);

    return !strstr(state, "gone") && strcmp(state, "zombie") != 0;
}

/* A look has two halves, and the table may change between them, and within. */
static inline void see_waiters(const struct timed_sems *table,
                               struct graph *graph)
{
    graph->edges = 0;
    for (int slot = 0; slot < TIMED_SEM_WAITERS; slot++) {
        struct edge *edge = &graph->edge[graph->edges];
        edge->slot = slot;
        graph->edges += timed_sem_look_at_waiter(table, slot, &edge->waiter) &&
                        edge->waiter.waiting && lives(&edge->waiter.thread);
    }
}

static inline void see_holders(const struct timed_sems *table,
                               struct graph *graph)
{
    int seen = graph->edges;

    graph->edges = 0;
    for (int i = 0; i < seen; i++) {
        struct edge *edge = &graph->edge[i];
        if (timed_sem_look(table, edge->waiter.number, &edge->row) &&
            edge->row.held)
            graph->edge[graph->edges++] = *edge;
    }
}

/* What does the holder at the end of this edge wait for? -1: it does not. */
static inline int next_edge(const struct graph *graph, int edge)
{
    const struct timed_sem_thread *holder = &graph->edge[edge].row.holder;

    for (int i = 0; i < graph->edges; i++)
        if (timed_sem_same(&graph->edge[i].waiter.thread, holder))
            return i;
    return -1;
}

/*
 * How many edges lead from this one back to it? 0: there is no cycle, or it
 * has an edge that comes before this one and finds it, too. Nor is it one who
 * seems to wait for himself: he was given it while we looked.
 */
static inline int cycle_from(const struct graph *graph, int edge)
{
    int length = 1, at = next_edge(graph, edge);

    while (at > edge && length < graph->edges) {
        at = next_edge(graph, at);
        length++;
    }
    return at == edge && length > 1 ? length : 0;
}

/* The second look. Why may the edge not have been there all the time? */
static inline const char *doubt(const struct timed_sems *table,
                                const struct edge *edge)
{
    struct timed_sem_waiter waiter;
    struct timed_sem_row row;

    if (!timed_sem_look_at_waiter(table, edge->slot, &waiter) ||
        !waiter.waiting || waiter.stamp != edge->waiter.stamp ||
        !timed_sem_look(table, waiter.number, &row) || !row.held ||
        row.stamp != edge->row.stamp)
        return "changed";
    if (now_ns() - waiter.since >= waiter.limit)
        return "limit_over";
    return lives(&waiter.thread) ? NULL : "gone";
}

/* NULL: it is a deadlock. Else why it may be none. */
static inline const char *doubt_cycle(const struct timed_sems *table,
                                      const struct graph *graph, int edge)
{
    const char *why = doubt(table, &graph->edge[edge]);

    for (int i = next_edge(graph, edge); !why && i != edge;
         i = next_edge(graph, i))
        why = doubt(table, &graph->edge[i]);
    return why;
}

#endif
