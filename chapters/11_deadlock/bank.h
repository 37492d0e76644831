/*
 * The bank of abba and its kin: it brings about the moment of bad luck.
 *
 * A gate, a pipe, is shut before the second step of each transfer. The bank
 * opens it when it has seen that each has its first account, or waits for it.
 * Nothing in here takes a semaphore.
 *
 * See also: abba.c, pipe(7).
 */
#ifndef BANK_H
#define BANK_H

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/helper.h"

enum { SAVINGS, CHECKING, ACCOUNTS };

static int set;               /* of semaphores, one for each account */
static int ready[2], gate[2]; /* two pipes */

static inline void shut_gate(void)
{
    if (pipe(ready) == -1 || pipe(gate) == -1)
        err(EXIT_FAILURE, "pipe");
}

static inline void open_gate(void)
{
    close(gate[1]);
    close(gate[0]);
    close(ready[0]);
    close(ready[1]);
}

/* Say that we have the first account, and wait until the gate is open. */
static inline void pass_gate(void)
{
    char none;

    if (write(ready[1], "", 1) == -1)
        err(EXIT_FAILURE, "write");
    if (read(gate[0], &none, 1) == -1) /* 0: the bank has closed its end */
        err(EXIT_FAILURE, "read");
}

/* Returns 0 in the transfer. */
static inline pid_t start_transfer(const char *who)
{
    pid_t child = fork_helper(who);

    if (child == 0)
        close(gate[1]); /* so that the bank has the last one */
    return child;
}

static inline int ask(int account, int command)
{
    int answer = semctl(set, account, command);
    if (answer == -1)
        err(EXIT_FAILURE, "semctl");
    return answer;
}

struct seen {
    int have, wait; /* so many have their first account, or wait for it */
};

/* Return when so many transfers do. */
static inline void see(struct seen *seen, int transfers)
{
    struct pollfd told = {.fd = ready[0], .events = POLLIN};
    char none;

    do {
        if (poll(&told, 1, 10) == -1)
            err(EXIT_FAILURE, "poll");
        if (told.revents != 0 && read(ready[0], &none, 1) == -1)
            err(EXIT_FAILURE, "read");
        seen->have += told.revents != 0;
        seen->wait = ask(SAVINGS, GETNCNT) + ask(CHECKING, GETNCNT);
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended == -1)
            err(EXIT_FAILURE, "waitpid");
        if (ended > 0) /* with the gate shut */
            errx(EXIT_FAILURE, "waitpid: a transfer has failed");
    } while (seen->have + seen->wait < transfers);
}

/* Wait until it has ended. It was not done when somebody has killed it. */
static inline bool was_done(pid_t transfer)
{
    int status;
    if (waitpid(transfer, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && (!WIFEXITED(status) || WEXITSTATUS(status) == EXIT_FAILURE))
        errx(EXIT_FAILURE, "waitpid: a transfer has failed");
    return status == 0;
}

#endif
