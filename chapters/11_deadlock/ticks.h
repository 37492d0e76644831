/*
 * The clock of try_and_back_off: it makes all go at one pace. Each makes one
 * step in a tick, one after the other.
 *
 * See also: socketpair(2).
 */
#ifndef TICKS_H
#define TICKS_H

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/helper.h"

#define TICKS_MOST 8 /* so many can go by one clock */

/* Return with the next tick: the end of the step before, then our turn. */
static inline void step(int clock)
{
    char none;

    if (send(clock, "", 1, MSG_NOSIGNAL) == -1)
        err(EXIT_FAILURE, "send");
    if (recv(clock, &none, 1, 0) != 1)
        err(EXIT_FAILURE, "recv");
}

/* Returns 0 in the new process. In both, clock is a line to the other one. */
static inline pid_t start_on_clock(const char *name, int *clock)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t child = fork_helper(name);
    close(pair[child == 0 ? 0 : 1]); /* each keeps one end */
    *clock = pair[child == 0 ? 1 : 0];
    return child;
}

/* Wait for the end of its step. False: it has ended. */
static inline bool steps(int clock)
{
    char none;
    ssize_t length = recv(clock, &none, 1, 0);
    if (length == -1)
        err(EXIT_FAILURE, "recv");
    return length == 1;
}

/* A tick after the other, one step of each after the other. */
static inline void run_clock(const int clocks[], int all)
{
    bool runs[TICKS_MOST];
    int running = 0;

    for (int i = 0; i < all; i++)
        running += runs[i] = steps(clocks[i]);
    while (running > 0)
        for (int i = 0; i < all; i++) {
            if (!runs[i])
                continue;
            if (send(clocks[i], "", 1, MSG_NOSIGNAL) == -1)
                err(EXIT_FAILURE, "send");
            runs[i] = steps(clocks[i]);
            running -= !runs[i];
        }
    for (int i = 0; i < all; i++)
        close(clocks[i]);
}

#endif
