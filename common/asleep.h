/*
 * Is a helper asleep, or has it ended? If it makes but one call that can sleep,
 * and it is asleep, then it is there.
 *
 * See also: proc_pid_stat(5).
 */
#ifndef COMMON_ASLEEP_H
#define COMMON_ASLEEP_H

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "duration.h"

#define LOOK_LIMIT (10 * NS_PER_SEC)

/* The state letter in /proc/PID/stat: S is asleep, Z has ended. */
static inline char state_of(pid_t pid)
{
    char path[32], state;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *stat = fopen(path, "re");
    if (!stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
        err(EXIT_FAILURE, "read %s", path);
    fclose(stat);
    return state;
}

/* While it runs we look again: soon it is one or the other. */
static inline bool is_asleep(pid_t helper)
{
    struct timespec pause = to_timespec(NS_PER_MS / 10);
    int64_t deadline = now_ns() + LOOK_LIMIT;
    char state;

    while ((state = state_of(helper)) != 'S' && state != 'Z') {
        if (now_ns() >= deadline)
            errx(EXIT_FAILURE,
                 "a helper is neither asleep nor gone after 10 s");
        if (nanosleep(&pause, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
    }
    return state == 'S';
}

#endif
