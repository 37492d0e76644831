/*
 * The table of timed_sem.h: who holds each semaphore, and who waits for it.
 *
 * It is for those who look: the reporter, and you. A look takes no lock and
 * never waits, and what it returns has stood in the table at one moment.
 *
 * See also: proc(5), stdatomic.h(0p).
 */
#ifndef TIMED_SEM_TABLE_H
#define TIMED_SEM_TABLE_H

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define TIMED_SEM_MAGIC "timedsem" /* 8 bytes without an end */
#define TIMED_SEM_NUMBERS 64       /* semaphores in a table */
#define TIMED_SEM_WAITERS 64       /* slots: waits at a time that can be seen */

struct timed_sem_options {
    int64_t slice;    /* ns, 1 ms or more: report a wait this often */
    unsigned reports; /* of one wait at most; later ones are only counted */
    bool undo;        /* SEM_UNDO: the kernel releases for who has ended */
    int report_to;    /* a descriptor; what it is open for is not changed */
};

/* The number of a thread is used again. With the time at which its process
   has started, in clock ticks since the machine has, it names one alone. */
struct timed_sem_thread {
    pid_t pid, tid;
    uint64_t start_time;
    char program[16]; /* as prctl(PR_SET_NAME) gave it before the first use */
};

/* Of one semaphore. Times are in ns, those without "wall" CLOCK_MONOTONIC. */
struct timed_sem_row {
    char name[32];
    bool held;
    struct timed_sem_thread holder; /* or the last one, if !held */
    uint64_t stamp;                 /* of the acquisition: never twice */
    int64_t since, since_wall;      /* of the acquisition */
    char file[32];
    int line;
    uint64_t acquisitions;
    uint64_t contended; /* acquisitions that had to wait */
    uint64_t orphaned;  /* that found it free, and held by the table: who held
                           it has ended, and what it guards may be half done */
    uint64_t timeouts;  /* waits that ended without it */
    int64_t longest_wait, longest_hold; /* of those that have ended well */
};

struct timed_sem_waiter {
    bool waiting;
    struct timed_sem_thread thread;
    int number;
    uint64_t stamp; /* of the wait: never twice */
    int64_t since, limit;
    char file[32];
    int line;
};

/* A cell is a sequence number, odd while somebody writes, and the words of
   a struct. All are atomic: to read them meanwhile is no data race. */
#define TIMED_SEM_WORDS(type) (1 + sizeof(type) / sizeof(uint32_t))
_Static_assert(sizeof(struct timed_sem_row) % sizeof(uint32_t) == 0 &&
                   sizeof(struct timed_sem_waiter) % sizeof(uint32_t) == 0,
               "cells hold whole words");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a lock is no use between processes");

enum timed_sem_stage { /* of a slot; in its owner word beside the pid */
                       TIMED_SEM_FREE,
                       TIMED_SEM_TAKEN,    /* is being filled */
                       TIMED_SEM_WAITING,  /* unsaid: its waiter may free it */
                       TIMED_SEM_REPORTED, /* said: the reporter frees it */
                       TIMED_SEM_ENDED,    /* how is still to be written */
};
#define TIMED_SEM_OWNER(pid, stage) ((uint32_t)(pid) << 3 | (stage))

struct timed_sems {
    char magic[8]; /* who maps it from outside looks here first */
    uint32_t size;
    int set, wake, count;
    pid_t reporter;
    struct timed_sem_options options;
    _Atomic uint32_t idle;    /* the reporter sleeps until it is woken */
    _Atomic uint32_t closing; /* it shall end */
    _Atomic uint32_t unseen;  /* waits that found no slot */
    struct {
        _Atomic uint32_t timeouts; /* counted by those who do not hold it */
        _Atomic uint32_t cell[TIMED_SEM_WORDS(struct timed_sem_row)];
    } rows[TIMED_SEM_NUMBERS];
    struct {
        _Atomic uint32_t owner, error, waited_ms;
        _Atomic uint32_t cell[TIMED_SEM_WORDS(struct timed_sem_waiter)];
    } slots[TIMED_SEM_WAITERS];
};

/* Only one may write at a time. A number that is odd before we begin was
   left by one who was killed: it stays odd, and it does change. */
static inline void timed_sem_put(_Atomic uint32_t *cell, const void *from,
                                 size_t size)
{
    uint32_t word,
        odd = (atomic_load_explicit(cell, memory_order_relaxed) + 1) | 1;

    atomic_store_explicit(cell, odd, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < size / sizeof word; i++) {
        memcpy(&word, (const char *)from + i * sizeof word, sizeof word);
        atomic_store_explicit(cell + 1 + i, word, memory_order_relaxed);
    }
    atomic_store_explicit(cell, odd + 1, memory_order_release);
}

/* False when it was being written each time: what was copied may be torn. */
static inline bool timed_sem_get(const _Atomic uint32_t *cell, void *to,
                                 size_t size)
{
    for (int tries = 0; tries < 100; tries++) {
        uint32_t word,
            before = atomic_load_explicit(cell, memory_order_acquire);
        for (size_t i = 0; i < size / sizeof word; i++) {
            word = atomic_load_explicit(cell + 1 + i, memory_order_relaxed);
            memcpy((char *)to + i * sizeof word, &word, sizeof word);
        }
        atomic_thread_fence(memory_order_acquire);
        if (before % 2 == 0 &&
            before == atomic_load_explicit(cell, memory_order_relaxed))
            return true;
    }
    return false;
}

static inline int timed_sem_count(const struct timed_sems *table)
{
    return table->count;
}

/* A consistent copy of a row, or false: ask again a little later. */
static inline bool timed_sem_look(const struct timed_sems *table, int number,
                                  struct timed_sem_row *row)
{
    if (number < 0 || number >= table->count ||
        !timed_sem_get(table->rows[number].cell, row, sizeof *row))
        return false;
    row->timeouts = table->rows[number].timeouts;
    return true;
}

/* The same for a slot. False too when nobody waits in it. */
static inline bool timed_sem_look_at_waiter(const struct timed_sems *table,
                                            int slot,
                                            struct timed_sem_waiter *waiter)
{
    if (slot < 0 || slot >= TIMED_SEM_WAITERS)
        return false;
    uint32_t owner = table->slots[slot].owner, stage = owner % 8;
    return (stage == TIMED_SEM_WAITING || stage == TIMED_SEM_REPORTED) &&
           timed_sem_get(table->slots[slot].cell, waiter, sizeof *waiter) &&
           owner / 8 == (uint32_t)waiter->thread.pid;
}

/* The state of a thread, and when it has started: fields 3 and 22 of its
   stat, see proc(5). Returns 0 when there is none, '?' when we may not know. */
static inline char timed_sem_stat(pid_t pid, pid_t tid, uint64_t *start_time)
{
    char path[64], text[512];

    if (tid ==
        pid) /* what is said of the process is true of its first thread */
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    else
        snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid,
                 (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 && (errno == EACCES || errno == EMFILE || errno == ENFILE))
        return '?';
    if (fd == -1 && errno != ENOENT)
        err(EXIT_FAILURE, "open %s", path);
    ssize_t length = fd == -1 ? 0 : read(fd, text, sizeof text - 1);
    if (length == -1 && errno != ESRCH) /* it was there when we opened it */
        err(EXIT_FAILURE, "read %s", path);
    if (fd != -1)
        close(fd);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    char *at = strrchr(text, ')'); /* the name before it may hold anything */
    if (!at || at[1] != ' ')
        return '?';
    char state = at[2];
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    *start_time = at ? strtoull(at, NULL, 10) : 0;
    return state;
}

/* "gone" is also whose number another process has by now; "thread_gone",
   a thread of a process that lives. */
static inline const char *timed_sem_state(const struct timed_sem_thread *thread)
{
    uint64_t start_time, unused;
    char state = timed_sem_stat(thread->pid, thread->pid, &start_time);

    if (state == 0 || (state != '?' && start_time != thread->start_time))
        return "gone";
    if (thread->tid != thread->pid &&
        (state = timed_sem_stat(thread->pid, thread->tid, &unused)) == 0)
        return "thread_gone";
    return state == 'R'                   ? "running"
           : state == 'T' || state == 't' ? "stopped"
           : state == 'Z' || state == 'X' ? "zombie"
           : state == '?'                 ? "unknown"
                                          : "sleeping";
}

static inline bool timed_sem_has_ended(const struct timed_sem_thread *thread)
{
    const char *state = timed_sem_state(thread);
    return strcmp(state, "gone") == 0 || strcmp(state, "thread_gone") == 0 ||
           strcmp(state, "zombie") == 0;
}

static inline bool timed_sem_same(const struct timed_sem_thread *one,
                                  const struct timed_sem_thread *other)
{
    return one->pid == other->pid && one->tid == other->tid &&
           one->start_time == other->start_time;
}

/* Cut to size, and without blanks: who reads a line splits it there. */
static inline void timed_sem_text(char *to, size_t size, const char *from)
{
    size_t i = 0;
    for (; i < size - 1 && from[i] != '\0'; i++)
        to[i] = isgraph((unsigned char)from[i]) ? from[i] : '_';
    to[i] = '\0';
}

static inline struct timed_sem_thread timed_sem_myself(void)
{
    static _Thread_local struct timed_sem_thread me;
    char name[16];

    if (me.pid != getpid()) { /* the first time, and after a fork */
        if (prctl(PR_GET_NAME, name) == -1)
            err(EXIT_FAILURE, "prctl");
        timed_sem_text(me.program, sizeof me.program, name);
        me.tid = gettid();
        timed_sem_stat(getpid(), getpid(), &me.start_time);
        me.pid = getpid();
    }
    return me;
}

/* Was the thread of a slot in use killed there? Then it is the next one's. */
static inline bool timed_sem_left(const struct timed_sems *table, int slot)
{
    pid_t pid = (pid_t)(table->slots[slot].owner / 8);
    struct timed_sem_waiter wait;

    if (kill(pid, 0) == -1 && errno == ESRCH)
        return true;
    return timed_sem_get(table->slots[slot].cell, &wait, sizeof wait) &&
           wait.thread.pid == pid && timed_sem_has_ended(&wait.thread);
}

/* Map the table of another process, to look: fd is its memfd, opened through
   /proc/PID/fd. Returns NULL with errno, EINVAL for what is no such table. */
static inline const struct timed_sems *timed_sems_attach(int fd)
{
    struct stat it;
    if (fstat(fd, &it) == -1)
        return NULL;
    const struct timed_sems *table = NULL;
    if (it.st_size == sizeof *table)
        table = mmap(NULL, sizeof *table, PROT_READ, MAP_SHARED, fd, 0);
    if (table == MAP_FAILED)
        return NULL;
    if (table &&
        memcmp(table->magic, TIMED_SEM_MAGIC, sizeof table->magic) == 0)
        return table;
    errno = EINVAL;
    return NULL;
}

#endif
