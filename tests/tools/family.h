/*
 * Find, and kill, all descendants of a tool that is a child subreaper
 * (prctl(2)): orphans become its children, so none is out of reach, in
 * whatever session.
 */
#ifndef TESTS_TOOLS_FAMILY_H
#define TESTS_TOOLS_FAMILY_H

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../../common/duration.h"

static struct member {
    pid_t pid, parent, group;
    char name[32];
} family[32768];
static int family_size;

static inline bool in_family(pid_t pid)
{
    for (int i = 0; i < family_size; i++)
        if (family[i].pid == pid)
            return true;
    return false;
}

/* Read /proc/PID/stat. False for what is no process, or a dead one. */
static inline bool look_at(const char *pid, struct member *it)
{
    char path[300], line[400], state;
    int threads; /* 1 in a zombie, but more if only its first thread ended */

    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return false;
    ssize_t got = read(fd, line, sizeof line - 1);
    close(fd);
    line[got > 0 ? got : 0] = '\0';

    /* "7 (name) S 1 7 ...", where the name may hold ") S 1", too. */
    char *end = strrchr(line, ')');
    if (!end || sscanf(end,
                       ") %c %d %d %*s %*s %*s %*s %*s %*s %*s"
                       " %*s %*s %*s %*s %*s %*s %*s %d",
                       &state, &it->parent, &it->group, &threads) != 4)
        return false;
    *end = '\0';
    return sscanf(line, "%d (%31[^\n]", &it->pid, it->name) == 2 &&
           !(state == 'Z' && threads == 1);
}

/*
 * Fill in the living family, in order of pid. Pids begin anew when they have
 * run out, and then a child stands before its parent: so we look twice.
 */
static inline void find_family(void)
{
    const int most = sizeof family / sizeof family[0];
    struct member it;

    family_size = 0;
    for (int look = 0; look < 2; look++) {
        DIR *proc = opendir("/proc");
        if (!proc)
            err(EXIT_FAILURE, "/proc");
        for (struct dirent *entry; (entry = readdir(proc));)
            if (look_at(entry->d_name, &it) && !in_family(it.pid) &&
                (it.parent == getpid() || in_family(it.parent)) &&
                family_size < most)
                family[family_size++] = it;
        closedir(proc);
    }
}

/*
 * Find whom to kill. The kit's guardians (guard.h) may be spared: they end by
 * themselves when the others have, and remove what those leave.
 */
static inline void find_victims(bool spare_guardians)
{
    int victims = 0;

    find_family();
    for (int i = 0; i < family_size; i++)
        if (!spare_guardians || strcmp(family[i].name, "guardian") != 0)
            family[victims++] = family[i];
    family_size = victims;
}

/* Kill them, and look again, until no one is found or it is late. */
static inline void kill_victims(bool spare_guardians, int64_t give_up)
{
    do {
        find_victims(spare_guardians);
        for (int i = 0; i < family_size; i++) {
            pid_t group = family[i].group;
            kill(family[i].pid, SIGKILL);
            /* A group dies in one step, which no fork bomb can outrun. */
            if (group > 1 && group != getpgrp()) /* kill(-1) hits everyone */
                kill(-group, SIGKILL);
        }
    } while (family_size > 0 && now_ns() < give_up);
}

/* Have the kernel send us "sig" when our parent ends. */
static inline void end_with(pid_t parent, int sig)
{
    prctl(PR_SET_PDEATHSIG, sig);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
}

/* A child that does not outlive us. */
static inline pid_t fork_child(void)
{
    pid_t us = getpid(), child = fork();

    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0)
        end_with(us, SIGKILL);
    return child;
}

#endif
