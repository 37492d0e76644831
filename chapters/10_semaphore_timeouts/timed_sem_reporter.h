/*
 * The reporter of timed_sem.h: it looks at the table, and writes lines.
 *
 * It takes no semaphore and no lock, allocates nothing, and never waits for
 * who reads its lines. While nobody waits it sleeps.
 *
 * See also: eventfd(2), send(2), pipe(7).
 */
#ifndef TIMED_SEM_REPORTER_H
#define TIMED_SEM_REPORTER_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "timed_sem_table.h"

struct timed_sem_log {
    int fd;
    bool socket, may_wait;
    uint32_t sequence, lost;
};

/* O_NONBLOCK belongs to the open file description, which is also our users':
   so open it anew, or, where that cannot be, ask poll() before each write. */
static inline struct timed_sem_log timed_sem_open_log(int fd)
{
    struct timed_sem_log log = {.fd = fd};
    struct stat it;
    char path[32];

    if (fstat(fd, &it) == -1)
        err(EXIT_FAILURE, "fstat");
    log.socket = S_ISSOCK(it.st_mode);
    if (log.socket || S_ISREG(it.st_mode)) /* a file has its own position */
        return log;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    log.fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (log.fd == -1 && errno != EACCES && errno != ENOENT && errno != ENXIO)
        err(EXIT_FAILURE, "open %s", path);
    log.may_wait = log.fd == -1;
    log.fd = log.may_wait ? fd : log.fd;
    return log;
}

/* One line in one piece, or nothing of it. Returns whether it was written. */
static inline bool timed_sem_write(struct timed_sem_log *log, const char *event,
                                   const char *rest)
{
    struct pollfd room = {.fd = log->fd, .events = POLLOUT};
    struct timespec wall;
    char line[640]; /* less than PIPE_BUF: a pipe takes it in one piece */

    if (clock_gettime(CLOCK_REALTIME, &wall) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    int length =
        snprintf(line, sizeof line,
                 "reporter: %s sq=%" PRIu32 " time=%" PRId64 ".%03d %s\n",
                 event, log->sequence + 1, (int64_t)wall.tv_sec,
                 (int)(wall.tv_nsec / NS_PER_MS), rest);
    if (log->may_wait && poll(&room, 1, 0) == 0)
        return false;
    ssize_t done = log->socket ? send(log->fd, line, (size_t)length,
                                      MSG_DONTWAIT | MSG_NOSIGNAL)
                               : write(log->fd, line, (size_t)length);
    if (done == -1 && errno != EAGAIN && errno != EPIPE && errno != EIO &&
        errno != ENOSPC && errno != ECONNRESET && errno != EINTR)
        err(EXIT_FAILURE, log->socket ? "send" : "write");
    return done == length;
}

/* The number of a lost line is missing, and how many there were is told as
   soon as there is room. */
static inline void timed_sem_say_lost(struct timed_sem_log *log)
{
    char text[32];

    snprintf(text, sizeof text, "lines=%" PRIu32, log->lost);
    if (log->lost > 0 && timed_sem_write(log, "lost", text)) {
        log->lost = 0;
        log->sequence++;
    }
}

static inline void timed_sem_say(struct timed_sem_log *log, const char *event,
                                 const char *rest)
{
    timed_sem_say_lost(log);
    if (log->lost > 0 || !timed_sem_write(log, event, rest))
        log->lost++;
    log->sequence++;
}

/* "name[pid]", or "name[pid:tid]" for a thread that is not the first. */
static inline const char *timed_sem_who(char *text, size_t size,
                                        const struct timed_sem_thread *thread)
{
    char tid[16] = "";

    if (thread->tid != thread->pid)
        snprintf(tid, sizeof tid, ":%d", (int)thread->tid);
    snprintf(text, size, "%s[%d%s]", thread->program, (int)thread->pid, tid);
    return text;
}

/* What is known of the holder. Where the table knows none, because they were
   killed between a semop() and its record, the kernel knows the last pid. */
static inline void timed_sem_holder(const struct timed_sems *table, int number,
                                    char *text, size_t size)
{
    struct timed_sem_waiter other;
    struct timed_sem_row row;
    char who[48], wants[48] = "";
    bool looked = timed_sem_look(table, number, &row);

    if (!looked || !row.held) {
        int pid = semctl(table->set, number, GETPID);
        if (pid == -1 && errno != EIDRM && errno != EINVAL)
            err(EXIT_FAILURE, "semctl");
        snprintf(text, size, "holder=%s last_pid=%d",
                 looked ? "nobody" : "unknown", pid);
        return;
    }
    const char *state = timed_sem_state(&row.holder);
    for (int slot = 0; slot < TIMED_SEM_WAITERS; slot++)
        if (timed_sem_look_at_waiter(table, slot, &other) &&
            timed_sem_same(&other.thread, &row.holder)) {
            struct timed_sem_row wanted = {.name = "unknown"};
            (void)timed_sem_look(table, other.number, &wanted);
            snprintf(wants, sizeof wants, " waits_for=%s", wanted.name);
        }
    snprintf(text, size,
             "holder=%s state=%s%s held_ms=%" PRId64
             " taken_at=%s:%d stamp=%" PRIu64,
             timed_sem_who(who, sizeof who, &row.holder), state, wants,
             (now_ns() - row.since) / NS_PER_MS, row.file, row.line, row.stamp);
}

/* What the reporter has said of the wait in a slot. */
struct timed_sem_told {
    uint64_t stamp;
    int64_t due;
    unsigned reports, suppressed;
};

/* Write the line that is due. Returns whether it was the last of this wait. */
static inline bool timed_sem_tell(struct timed_sems *table, int slot,
                                  const struct timed_sem_waiter *wait,
                                  struct timed_sem_told *told,
                                  struct timed_sem_log *log)
{
    /* In this order: who is gone has left the slot as it is from now on. */
    bool gone = timed_sem_has_ended(&wait->thread);
    bool ended = table->slots[slot].owner % 8 == TIMED_SEM_ENDED;
    int error = ended ? (int)table->slots[slot].error : 0;
    int64_t waited = ended ? (int64_t)table->slots[slot].waited_ms
                           : (now_ns() - wait->since) / NS_PER_MS;
    struct timed_sem_row row = {.name = "unknown"};
    char who[48], counts[96] = "", holder[224] = "", rest[512];
    const char *event = "still_waiting";

    if (ended || gone) {
        event = !ended ? "waiter_gone" : error == 0 ? "acquired" : "gave_up";
        snprintf(counts, sizeof counts, " reports=%u suppressed=%u%s%s",
                 told->reports, told->suppressed, error ? " errno=" : "",
                 error ? errno_name(error) : "");
    } else if (told->reports < table->options.reports) {
        told->reports++;
    } else if (told->suppressed++ == 0) {
        event = "suppressing";
    } else {
        return false;
    }
    (void)timed_sem_look(table, wait->number, &row);
    if (strcmp(event, "still_waiting") == 0 || strcmp(event, "gave_up") == 0)
        timed_sem_holder(table, wait->number, holder, sizeof holder);
    snprintf(rest, sizeof rest,
             "semaphore=%s waiter=%s at=%s:%d waited_ms=%" PRId64 "%s%s%s",
             row.name, timed_sem_who(who, sizeof who, &wait->thread),
             wait->file, wait->line, waited, counts, holder[0] ? " " : "",
             holder);
    timed_sem_say(log, event, rest);
    return ended || gone;
}

/* Look at one slot, and say what is due. Returns when to look again, or
   INT64_MAX: whoever takes this slot next will wake us. */
static inline int64_t timed_sem_attend(struct timed_sems *table, int slot,
                                       struct timed_sem_told *told,
                                       struct timed_sem_log *log)
{
    int64_t slice = table->options.slice, now = now_ns();
    _Atomic uint32_t *owner = &table->slots[slot].owner;
    uint32_t seen = atomic_load(owner), stage = seen % 8;
    struct timed_sem_waiter wait;

    if (stage == TIMED_SEM_FREE)
        return INT64_MAX;
    if (stage == TIMED_SEM_TAKEN && timed_sem_left(table, slot))
        atomic_compare_exchange_strong(owner, &seen, TIMED_SEM_FREE);
    if (stage == TIMED_SEM_TAKEN ||
        !timed_sem_get(table->slots[slot].cell, &wait, sizeof wait))
        return now + slice;
    if (told->stamp != wait.stamp)
        *told = (struct timed_sem_told){.stamp = wait.stamp,
                                        .due = wait.since + slice};
    if (stage != TIMED_SEM_ENDED && now < told->due)
        return told->due;
    /* From now on the slot is not free before the end is written, too. */
    if (stage == TIMED_SEM_WAITING &&
        !atomic_compare_exchange_strong(
            owner, &seen, seen - TIMED_SEM_WAITING + TIMED_SEM_REPORTED))
        return now; /* it has just ended: look again */
    if (timed_sem_tell(table, slot, &wait, told, log)) {
        seen = atomic_load(owner); /* nobody's but ours, or who took it over */
        if (seen / 8 == (uint32_t)wait.thread.pid)
            atomic_compare_exchange_strong(owner, &seen, TIMED_SEM_FREE);
        return INT64_MAX;
    }
    while (told->due <= now) /* not at once what was missed */
        told->due += slice;
    return told->due;
}

static inline int64_t timed_sem_attend_all(struct timed_sems *table,
                                           struct timed_sem_told told[],
                                           struct timed_sem_log *log)
{
    int64_t next = INT64_MAX;

    for (int slot = 0; slot < TIMED_SEM_WAITERS; slot++) {
        int64_t due = timed_sem_attend(table, slot, &told[slot], log);
        next = due < next ? due : next;
    }
    return next;
}

/* Runs until table->closing, or until nobody is left who could write into
   the lifeline. Every signal is blocked: Ctrl-C and Ctrl-Z are not for us. */
static inline void timed_sem_report(struct timed_sems *table, int lifeline)
{
    struct timed_sem_log log = timed_sem_open_log(table->options.report_to);
    struct timed_sem_told told[TIMED_SEM_WAITERS] = {{.stamp = 0}};
    struct pollfd news[] = {{.fd = table->wake, .events = POLLIN},
                            {.fd = lifeline, .events = POLLIN}};
    uint32_t unseen = 0; /* as many as were told */
    char text[32];
    uint64_t wakes;

    for (bool last = false; !last;) {
        last = table->closing || news[1].revents != 0;
        int64_t next = timed_sem_attend_all(table, told, &log);
        if (next == INT64_MAX) { /* who comes now shall wake us: look again */
            atomic_store(&table->idle, 1);
            next = timed_sem_attend_all(table, told, &log);
        }
        if (unseen != table->unseen) {
            unseen = table->unseen;
            snprintf(text, sizeof text, "waits=%" PRIu32, unseen);
            timed_sem_say(&log, "no_slot", text);
        }
        int ms = -1;
        if (next != INT64_MAX) {
            int64_t left = next - now_ns();
            ms = left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;
            atomic_store(&table->idle, 0);
        }
        if (!last && poll(news, 2, ms) == -1)
            err(EXIT_FAILURE, "poll");
        if (news[0].revents != 0 &&
            read(table->wake, &wakes, sizeof wakes) == -1 && errno != EAGAIN)
            err(EXIT_FAILURE, "read");
    }
    timed_sem_say_lost(&log);
}

static inline void timed_sem_reporter_fails(void)
{
    _exit(EXIT_FAILURE); /* before what the program has left for exit() */
}

/*
 * Start the reporter. As an orphan it is never in the way of who waits for
 * any child. Its life hangs on a pipe that all of us can write into. Returns
 * the end of another: it brings a byte when the reporter has ended in order.
 */
static inline int timed_sem_start_reporter(struct timed_sems *table)
{
    int lifeline[2], end[2], status;
    sigset_t all, before;

    if (pipe2(lifeline, O_CLOEXEC) == -1 || pipe2(end, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child == 0) {
        pid_t reporter = fork();
        if (reporter > 0)
            table->reporter = reporter;
        if (reporter != 0)
            _exit(reporter == -1 ? errno : 0);
        atexit(timed_sem_reporter_fails);
        if (prctl(PR_SET_NAME, "reporter") == -1)
            err(EXIT_FAILURE, "prctl");
        close(lifeline[1]);
        close(end[0]);
        timed_sem_report(table, lifeline[0]);
        if (write(end[1], "", 1) == -1 && errno != EPIPE)
            err(EXIT_FAILURE, "write");
        _exit(EXIT_SUCCESS);
    }
    if (waitpid(child, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
    if (errno != 0)
        err(EXIT_FAILURE, "fork");
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(lifeline[0]);
    close(end[1]);
    return end[0];
}

#endif
