/*
 * All descendants of a tool that is a child subreaper (prctl(2)): orphans
 * become its children, so none is out of reach, in whatever session.
 */
#ifndef TESTS_TOOLS_FAMILY_H
#define TESTS_TOOLS_FAMILY_H

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

#endif
