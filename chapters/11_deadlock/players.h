/*
 * The players of wait_graph: processes that acquire and release semaphores of
 * a table as they are told, so that a story is the same in each run.
 *
 *     A+s  anna acquires savings, which is free     A-s  releases it
 *     A?s  anna begins to wait for savings          A.s  and has it now
 *
 * See also: wait_graph.c, ../10_semaphore_timeouts/timed_sem.h.
 */
#ifndef PLAYERS_H
#define PLAYERS_H

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/helper.h"
#include "../10_semaphore_timeouts/timed_sem.h"
#include "wait_graph.h"

#define PLAYERS_AMPLE (10 * NS_PER_SEC) /* no story takes so long */

#define PLAYERS 4
static const char *const players[PLAYERS] = {"anna", "bert", "carl", "dora"};
static const char *const accounts[] = {"savings", "checking", "bonds"};

static struct player {
    pid_t pid;
    int line; /* to it: two letters, from it: one when it has done that */
} cast[PLAYERS];

static inline int account_of(char letter)
{
    int number = 0;
    while (accounts[number][0] != letter)
        number++;
    return number;
}

static inline _Noreturn void be_player(struct timed_sems *table, int line)
{
    char order[2]; /* what, and with which account */
    ssize_t length;

    while ((length = recv(line, order, sizeof order, 0)) > 0) {
        int number = account_of(order[1]);
        if (order[0] == '-' && timed_sem_release(table, number) == -1)
            err(EXIT_FAILURE, "semop");
        if (order[0] != '-' &&
            timed_sem_acquire(table, number, PLAYERS_AMPLE) == -1)
            err(EXIT_FAILURE, "semtimedop");
        if (send(line, "", 1, MSG_NOSIGNAL) == -1)
            err(EXIT_FAILURE, "send");
    }
    if (length == -1)
        err(EXIT_FAILURE, "recv");
    _exit(EXIT_SUCCESS);
}

static inline void start_player(struct timed_sems *table, int who)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t child = fork_helper(players[who]);
    close(pair[child == 0 ? 0 : 1]); /* each keeps one end */
    cast[who] = (struct player){child, pair[0]};
    if (child > 0)
        return;

    for (int i = 0; i < who; i++)
        close(cast[i].line); /* so that the finder has the only one */
    be_player(table, pair[1]);
}

/* It has done what it was told to. */
static inline void see_done(int who)
{
    char none;
    ssize_t length = recv(cast[who].line, &none, 1, 0);
    if (length == -1)
        err(EXIT_FAILURE, "recv");
    if (length == 0)
        errx(EXIT_FAILURE, "recv: %s has failed", players[who]);
}

/* By the table, and by the kernel, for it stands there a little earlier. */
static inline bool waits(const struct timed_sems *table, int who)
{
    static struct graph graph;
    int number = -1, waiting = 0;

    see_waiters(table, &graph);
    for (int i = 0; i < graph.edges; i++)
        if (graph.edge[i].waiter.thread.pid == cast[who].pid)
            number = graph.edge[i].waiter.number;
    if (number == -1)
        return false;
    for (int i = 0; i < graph.edges; i++)
        waiting += graph.edge[i].waiter.number == number;
    int counted = semctl(table->set, number, GETNCNT);
    if (counted == -1)
        err(EXIT_FAILURE, "semctl");
    return counted >= waiting;
}

static inline void see_wait(const struct timed_sems *table, int who)
{
    struct pollfd done = {.fd = cast[who].line, .events = POLLIN};

    while (!waits(table, who)) {
        int rc = poll(&done, 1, 1);
        if (rc == -1)
            err(EXIT_FAILURE, "poll");
        if (rc > 0)
            errx(EXIT_FAILURE, "poll: %s does not wait", players[who]);
    }
}

/* Who waits is killed, for it could be in a deadlock; the others just end. */
static inline void end_players(const struct timed_sems *table, int count)
{
    bool stuck[PLAYERS];
    int status;

    for (int who = 0; who < count; who++)
        stuck[who] = waits(table, who);
    for (int who = count - 1; who >= 0; who--)
        if (stuck[who] && kill(cast[who].pid, SIGKILL) == -1)
            err(EXIT_FAILURE, "kill");
    for (int who = 0; who < count; who++) {
        close(cast[who].line);
        if (waitpid(cast[who].pid, &status, 0) == -1)
            err(EXIT_FAILURE, "waitpid");
        if (status != (stuck[who] ? SIGKILL : 0))
            errx(EXIT_FAILURE, "waitpid: %s has failed", players[who]);
    }
}

static inline void make_moves(const struct timed_sems *table, const char *moves)
{
    for (size_t i = 0; i < strlen(moves); i += strlen("A+s ")) {
        int who = moves[i] - 'A';
        if (moves[i + 1] != '.' &&
            send(cast[who].line, moves + i + 1, 2, MSG_NOSIGNAL) == -1)
            err(EXIT_FAILURE, "send");
        if (moves[i + 1] == '?')
            see_wait(table, who);
        else
            see_done(who);
    }
}

#endif
