/*
 * A manager for notify_watchdog to play against: it reads, and says so.
 */
#ifndef NOTIFY_PLAY_H
#define NOTIFY_PLAY_H

#include <stdio.h>
#include <sys/wait.h>

#include "../../common/asleep.h"
#include "../../common/helper.h"
#include "notify.h"

static inline _Noreturn void be_manager(int notes)
{
    struct note note;

    for (;;) {
        if (!read_note(notes, &note))
            errx(EXIT_FAILURE, "recvmsg: that was no note");
        for (char *line = strtok(note.text, "\n"); line;
             line = strtok(NULL, "\n"))
            printf("manager: read %s%s\n", line,
                   note.fd != -1 ? " descriptor=1" : "");
        if (note.fd != -1)
            close(note.fd); /* all before it is read */
    }
}

/* Start it, and name its socket, which is gone when the manager is. */
static inline pid_t start_manager(const char *limit_usec)
{
    int notes = open_notes(NULL);
    if (setenv("WATCHDOG_USEC", limit_usec, 1) == -1 ||
        unsetenv("WATCHDOG_PID") == -1)
        err(EXIT_FAILURE, "setenv");

    pid_t manager = fork_helper("manager");
    if (manager == 0)
        be_manager(notes);
    close(notes);
    return manager;
}

/* By SIGSTOP or SIGKILL. Returns when it stands still, or is gone. */
static inline void hit_manager(pid_t manager, int signal)
{
    int status = 0;

    if (signal == SIGSTOP && !is_asleep(manager)) /* it has read all */
        errx(EXIT_FAILURE, "recvmsg: the manager has failed");
    if (kill(manager, signal) == -1)
        err(EXIT_FAILURE, "kill");
    if (waitpid(manager, &status, WUNTRACED) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (WIFEXITED(status))
        errx(EXIT_FAILURE, "waitpid: the manager has failed");
}

#endif
