/*
 * The players of who_blocks_whom, who leave no name in any table, and what is
 * said of each of them in /proc.
 *
 * See also: who_blocks_whom.c, bank.h.
 */
#ifndef OUTSIDERS_H
#define OUTSIDERS_H

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "bank.h"

#define PLAYERS 3
#define PLAYER_LIMIT (20 * NS_PER_SEC) /* of a wait */
#define LOOK_LIMIT (10 * NS_PER_SEC)

static const char *const accounts[] = {"savings", "checking"};
static const char *const names[] = {"anna", "bert", "carl", "nobody"};
static pid_t cast[PLAYERS];
static int work[2]; /* a pipe: who works does so until it is closed */

/* One line of a file in /proc/PID, that begins so. */
static inline void read_line(pid_t pid, const char *name, const char *begins,
                             char line[256])
{
    char path[40];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    do
        if (!file || !fgets(line, 256, file))
            err(EXIT_SKIP, "%s", path); /* not there, or not for us */
    while (strncmp(line, begins, strlen(begins)) != 0);
    fclose(file);
}

/* How often it has gone to sleep. */
static inline long switches_of(pid_t pid)
{
    char line[256];

    read_line(pid, "status", "voluntary_ctxt_switches:", line);
    return strtol(strchr(line, ':') + 1, NULL, 10);
}

/* PLAYERS: it is none of them. */
static inline int player_of(pid_t pid)
{
    int player = 0;

    while (player < PLAYERS && cast[player] != pid)
        player++;
    return player;
}

static inline void operate(char account, short op, short flags)
{
    unsigned short number = account == 's' ? SAVINGS : CHECKING;
    struct sembuf one = {number, op, flags};
    struct timespec timeout = to_timespec(PLAYER_LIMIT);

    if (semtimedop(set, &one, 1, &timeout) == -1)
        err(EXIT_FAILURE, "semtimedop");
}

/* + takes it, 0 looks whether it is at 0, ? waits for it, .- works. */
static inline _Noreturn void be_player(const char *moves)
{
    char none;

    for (; *moves; moves += 2) {
        if (*moves == '?' || *moves == '.')
            pass_gate();
        if (*moves == '.' && read(work[0], &none, 1) == -1)
            err(EXIT_FAILURE, "read");
        if (*moves == '+' || *moves == '?')
            operate(moves[1], -1, SEM_UNDO); /* the next gets it at our end */
        if (*moves == '0')
            operate(moves[1], 0, IPC_NOWAIT);
    }
    _exit(EXIT_SUCCESS);
}

/* Returns when each waits for what it needs, or is about to. */
static inline void start_players(const char *story, const char *const moves[])
{
    struct seen seen = {0, 0};

    printf("bank: begins story=%s set=%d\n", story, set);
    shut_gate();
    if (pipe(work) == -1)
        err(EXIT_FAILURE, "pipe");
    for (int i = 0; i < PLAYERS; i++) {
        cast[i] = start_transfer(names[i]);
        if (cast[i] == 0) {
            close(work[1]); /* so that the bank has the last one */
            be_player(moves[i]);
        }
        see(&seen, i + 1);
    }
    open_gate();
}

/* Before somebody looks again, for all are still there. */
static inline void pause_within(int64_t deadline)
{
    pid_t ended = waitpid(-1, NULL, WNOHANG);

    if (ended == -1)
        err(EXIT_FAILURE, "waitpid");
    if (ended > 0)
        errx(EXIT_FAILURE, "waitpid: a player has failed");
    if (now_ns() >= deadline)
        errx(EXIT_SKIP, "nobody is seen in semtimedop() here");
    if (poll(NULL, 0, 1) == -1)
        err(EXIT_FAILURE, "poll");
}

/* They end as soon as nobody works any more, or else they are killed. */
static inline void end_players(bool by_themselves)
{
    int status;

    close(work[1]);
    close(work[0]);
    for (int i = 0; i < PLAYERS && !by_themselves; i++)
        if (kill(cast[i], SIGKILL) == -1)
            err(EXIT_FAILURE, "kill");
    for (int i = 0; i < PLAYERS; i++) {
        if (waitpid(cast[i], &status, 0) == -1)
            err(EXIT_FAILURE, "waitpid");
        if (status != 0 && (by_themselves || status != SIGKILL))
            errx(EXIT_FAILURE, "waitpid: %s has failed", names[i]);
    }
    printf("bank: ended by=%s\n", by_themselves ? "itself" : "kill");
}

#endif
