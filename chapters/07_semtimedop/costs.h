/*
 * What the two programs share that measure costs.
 */
#ifndef COSTS_H
#define COSTS_H

#include <err.h>
#include <stdlib.h>
#include <time.h>

#include "../../common/exit_codes.h"

#define ROUNDS_MAX 1000000

/* Ends the program with EXIT_USAGE for what is no number from 1 on. */
static inline long parse_rounds(const char *text)
{
    char *rest;
    long rounds = strtol(text, &rest, 10); /* too large is LONG_MAX */

    if (*rest != '\0' || rounds < 1 || rounds > ROUNDS_MAX)
        errx(EXIT_USAGE, "bad rounds '%s': write 1 to %d", text, ROUNDS_MAX);
    return rounds;
}

/*
 * The processor time that we have used, in nanoseconds. What others do on a
 * busy machine does not count, nor does sleep.
 */
static inline double cpu_ns(void)
{
    struct timespec used;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

#endif
