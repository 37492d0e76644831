/*
 * The stage of crashed_holder and slow_holder: a holder is started, waited
 * for, and what the last report says of it is read.
 *
 * See also: timed_sem.h.
 */
#ifndef HOLDER_STAGE_H
#define HOLDER_STAGE_H

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/helper.h"
#include "timed_sem.h"

static struct timed_sems *table;
static int64_t slice;  /* ns: a wait is reported this often */
static int reports[2]; /* where; one message is one line */

static inline void open_reports(void)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, reports) == -1)
        err(EXIT_FAILURE, "socketpair");
}

/* Returns 0 in the holder, which never outlives us and leaves no core file. */
static inline pid_t fork_holder(void)
{
    pid_t child = fork_helper("holder");

    if (child == 0 && prctl(PR_SET_DUMPABLE, 0) == -1)
        err(EXIT_FAILURE, "prctl");
    return child;
}

static inline void reap(pid_t holder)
{
    int status;

    if (waitpid(holder, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        errx(EXIT_FAILURE, "waitpid: the holder has failed");
}

/* Read the reports that are there. Returns whether the last one is about this
   holder in this state, "" for any, and if so the state in said. */
static inline bool read_reports(pid_t holder, const char *state, char said[16])
{
    char mark[64], line[PIPE_BUF];
    const char *at = NULL;
    ssize_t length;

    snprintf(mark, sizeof mark, "=holder[%d] state=%s", (int)holder, state);
    while ((length = recv(reports[0], line, sizeof line - 1, MSG_DONTWAIT)) >
           0) {
        line[length] = '\0';
        at = strstr(line, mark); /* else it is out of date */
    }
    if (length == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "recv");
    if (at && sscanf(at, "%*s state=%15s", said) != 1)
        errx(EXIT_FAILURE, "a line without a state: %s", line);
    return at != NULL;
}

/* Wait for the semaphore. Returns whether we have it. If not, said is the
   state of its holder in the last report. */
static inline bool get(int number, int64_t limit, pid_t holder,
                       const char *state, char said[16])
{
    struct pollfd end = {.fd = timed_sems_reporter_end(), .events = POLLIN};

    do { /* on a busy machine a report may come later */
        if (poll(&end, 1, 0) == -1)
            err(EXIT_FAILURE, "poll");
        if (end.revents != 0)
            errx(EXIT_FAILURE, "the reporter has failed");
        if (timed_sem_acquire(table, number, limit) == 0)
            return true;
        if (errno != EAGAIN)
            err(EXIT_FAILURE, "semtimedop");
    } while (!read_reports(holder, state, said));
    return false;
}

#endif
