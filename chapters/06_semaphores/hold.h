/*
 * Hold still after a line, for somebody who looks from another terminal.
 */
#ifndef HOLD_H
#define HOLD_H

#include <err.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

/* Until Enter, or for so many milliseconds. */
static inline void hold(int limit_ms)
{
    struct pollfd enter = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[256];

    if (limit_ms == 0)
        return;
    if (poll(&enter, 1, limit_ms) == -1)
        err(EXIT_FAILURE, "poll");
    if (enter.revents != 0 && read(STDIN_FILENO, line, sizeof line) == -1)
        err(EXIT_FAILURE, "read");
}

#endif
