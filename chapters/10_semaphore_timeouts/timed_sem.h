/*
 * Semaphores that know who holds them, and say so while somebody waits.
 *
 * A System V semaphore is a number: it has no owner and no memory. Beside a
 * set of them stands a table in shared memory. Whoever acquires a semaphore
 * writes into its row who it is and where; whoever has to wait takes a slot.
 * A process of its own, the reporter, reads the table. For each wait it writes
 * a line every slice, and in the end one about how it went. It looks and never
 * touches: it takes no semaphore and no lock, allocates nothing once it runs,
 * and does not wait for who reads its lines.
 *
 *     struct timed_sems *table = timed_sems_open(names, 1, options);
 *     fork() ...
 *     if (timed_sem_acquire(table, 0, 5 * NS_PER_SEC) == -1) ...
 *     if (timed_sem_release(table, 0) == -1) ...
 *
 *     reporter: still_waiting sq=1 time=1764150000.123 semaphore=index
 *       waiter=user[4711] at=user.c:77 waited_ms=30 holder=indexer[4710]
 *       state=sleeping held_ms=31 taken_at=indexer.c:60 stamp=1   (one line)
 *     reporter: suppressing ... after the last one that may be written
 *     reporter: acquired, gave_up errno=EAGAIN, or waiter_gone ... how it ended
 *     reporter: lost lines=3 ... when there was no room for them
 *     reporter: no_slot waits=2 ... of which nothing is seen: too many at once
 *
 * In all lines of one wait the same stamp: one holder is stuck, or slow. A new
 * one each time: there is a crowd, and it moves.
 *
 * Any process may be killed at any instruction. What it was writing stays
 * marked as unfinished, and the next writer takes it over: there is only one,
 * for a row belongs to who holds the semaphore, and a slot to who waits in it.
 *
 * The header that includes this one first defines _GNU_SOURCE. Open it in a
 * process without threads, and before descriptors that are to be closed: its
 * two helpers, guardian and reporter, inherit those.
 *
 * See also: semdebug_report, semop(2), memfd_create(2), eventfd(2), proc(5).
 */
#ifndef TIMED_SEM_H
#define TIMED_SEM_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/guard.h"
#include "timed_sem_reporter.h"
#include "timed_sem_table.h"

static inline void timed_sem_wake(const struct timed_sems *table)
{
    uint64_t one = 1;

    if (write(table->wake, &one, sizeof one) == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "write"); /* EAGAIN: it is awake for a while */
}

/* Returns the slot that is ours, or -1 when all are in use. */
static inline int timed_sem_take_slot(struct timed_sems *table,
                                      struct timed_sem_waiter *wait)
{
    int first = wait->thread.tid % TIMED_SEM_WAITERS;

    for (int i = 0; i < 2 * TIMED_SEM_WAITERS; i++) {
        int slot = (first + i) % TIMED_SEM_WAITERS;
        _Atomic uint32_t *owner = &table->slots[slot].owner;
        uint32_t before = atomic_load(owner);
        if (before != TIMED_SEM_FREE &&
            (i < TIMED_SEM_WAITERS || !timed_sem_left(table, slot)))
            continue;
        if (!atomic_compare_exchange_strong(
                owner, &before,
                TIMED_SEM_OWNER(wait->thread.pid, TIMED_SEM_TAKEN)))
            continue;
        struct timed_sem_waiter last;
        (void)timed_sem_get(table->slots[slot].cell, &last, sizeof last);
        wait->stamp = last.stamp + TIMED_SEM_WAITERS; /* it began with slot */
        timed_sem_put(table->slots[slot].cell, wait, sizeof *wait);
        atomic_store(owner,
                     TIMED_SEM_OWNER(wait->thread.pid, TIMED_SEM_WAITING));
        return slot;
    }
    atomic_fetch_add(&table->unseen, 1);
    return -1;
}

/* Nothing was said of this wait: free the slot. Else the reporter does. */
static inline void timed_sem_leave_slot(struct timed_sems *table, int slot,
                                        int error, int64_t waited)
{
    uint32_t owner = TIMED_SEM_OWNER(getpid(), TIMED_SEM_WAITING);

    if (atomic_compare_exchange_strong(&table->slots[slot].owner, &owner,
                                       TIMED_SEM_FREE))
        return;
    table->slots[slot].error = (uint32_t)error;
    table->slots[slot].waited_ms = (uint32_t)(waited / NS_PER_MS);
    atomic_store(&table->slots[slot].owner,
                 TIMED_SEM_OWNER(getpid(), TIMED_SEM_ENDED));
    timed_sem_wake(table);
}

/* One wait for the whole limit: who waits again and again stands each time
   at the end of the queue. After a signal it is for what is left. */
static inline int timed_sem_wait(struct timed_sems *table, struct sembuf *take,
                                 int64_t deadline)
{
    short flags = take->sem_flg;

    for (;;) {
        int64_t left = deadline - now_ns();
        struct timespec timeout = to_timespec(left > 0 ? left : 0);
        take->sem_flg = (short)(left > 0 ? flags : flags | IPC_NOWAIT);
        if (semtimedop(table->set, take, 1, &timeout) == 0)
            return 0;
        if (errno != EINTR)
            return -1;
    }
}

/* Is it held, and by this thread? Only the holder writes into the row. */
static inline bool timed_sem_is_mine(const struct timed_sems *table, int number,
                                     const struct timed_sem_thread *me)
{
    struct timed_sem_row row;
    return timed_sem_look(table, number, &row) && row.held &&
           timed_sem_same(&row.holder, me);
}

/* Wait where the reporter sees it. Returns 0 or an error number. */
static inline int timed_sem_queue(struct timed_sems *table, struct sembuf *take,
                                  struct timed_sem_waiter *wait)
{
    int slot = timed_sem_take_slot(table, wait);

    if (atomic_exchange(&table->idle, 0))
        timed_sem_wake(table); /* else it looks within a slice, by itself */
    int error =
        timed_sem_wait(table, take, wait->since + wait->limit) ? errno : 0;
    if (error == EAGAIN)
        atomic_fetch_add(&table->rows[wait->number].timeouts, 1);
    if (slot != -1)
        timed_sem_leave_slot(table, slot, error, now_ns() - wait->since);
    return error;
}

/* We hold it, so the row is ours, also one that was left unfinished. */
static inline void timed_sem_record(struct timed_sems *table, bool waited,
                                    const struct timed_sem_waiter *wait)
{
    _Atomic uint32_t *cell = table->rows[wait->number].cell;
    struct timed_sem_row row;
    struct timespec wall;

    if (clock_gettime(CLOCK_REALTIME, &wall) == -1)
        err(EXIT_FAILURE, "clock_gettime");
    (void)timed_sem_get(cell, &row, sizeof row);
    row.orphaned += row.held; /* for who releases says so before */
    row.held = true;
    row.holder = wait->thread;
    row.stamp++;
    row.since = now_ns();
    row.since_wall = wall.tv_sec * NS_PER_SEC + wall.tv_nsec;
    memcpy(row.file, wait->file, sizeof row.file);
    row.line = wait->line;
    row.acquisitions++;
    row.contended += waited;
    if (waited && row.since - wait->since > row.longest_wait)
        row.longest_wait = row.since - wait->since;
    timed_sem_put(cell, &row, sizeof row);
}

/*
 * Acquire semaphore number within limit ns, up to a day; 0 or less only tries.
 * Returns 0, or -1 with errno: EAGAIN, the limit was reached; EDEADLK, this
 * thread holds it already, and would wait for itself; EINVAL, no such number;
 * or another one of semop(2), such as EIDRM. Never EINTR.
 */
static inline int timed_sem_acquire_at(struct timed_sems *table, int number,
                                       int64_t limit, const char *file,
                                       int line)
{
    struct sembuf take = {.sem_num = (unsigned short)number, .sem_op = -1};
    const char *name = strrchr(file, '/');
    struct timed_sem_waiter wait = {.waiting = true,
                                    .thread = timed_sem_myself(),
                                    .number = number,
                                    .since = now_ns(),
                                    .limit = limit,
                                    .line = line};
    timed_sem_text(wait.file, sizeof wait.file, name ? name + 1 : file);
    int error = 0;
    if (number < 0 || number >= table->count)
        error = EINVAL;
    else if (timed_sem_is_mine(table, number, &wait.thread))
        error = EDEADLK;
    if (error == 0) {
        /* Try first, to know whether we had to wait. It overtakes no one:
           a release hands the semaphore to who waits before it returns. */
        short undo = table->options.undo ? SEM_UNDO : 0;
        take.sem_flg = (short)(undo | IPC_NOWAIT);
        error = semtimedop(table->set, &take, 1, NULL) == -1 ? errno : 0;
        bool waits = error == EAGAIN && limit > 0;
        take.sem_flg = undo;
        if (waits)
            error = timed_sem_queue(table, &take, &wait);
        if (error == 0) {
            timed_sem_record(table, waits, &wait);
            return 0;
        }
    }
    errno = error;
    return -1;
}

#define timed_sem_acquire(table, number, limit)                                \
    timed_sem_acquire_at(table, number, limit, __FILE__, __LINE__)

/* Returns 0, or -1 with errno: EPERM, this thread does not hold it; EINVAL,
   no such number; or another one of semop(2). */
static inline int timed_sem_release(struct timed_sems *table, int number)
{
    struct sembuf give = {.sem_num = (unsigned short)number,
                          .sem_op = 1,
                          .sem_flg = table->options.undo ? SEM_UNDO : 0};
    struct timed_sem_thread me = timed_sem_myself();
    struct timed_sem_row row;

    if (number < 0 || number >= table->count) {
        errno = EINVAL;
        return -1;
    }
    if (!timed_sem_is_mine(table, number, &me)) {
        errno = EPERM;
        return -1;
    }
    (void)timed_sem_get(table->rows[number].cell, &row, sizeof row);
    int64_t held = now_ns() - row.since;
    row.longest_hold = held > row.longest_hold ? held : row.longest_hold;
    row.held = false; /* now: after the semop() the row is the next one's */
    timed_sem_put(table->rows[number].cell, &row, sizeof row);
    return semop(table->set, &give, 1);
}

/* In the process that has opened the table: one at a time. */
static struct {
    struct timed_sems *table;
    pid_t pid;
    int reporter;
} timed_sem_opener;

/* Readable when the reporter has ended, which it should not do before us: for
   poll(). In the process that has opened the table. */
static inline int timed_sems_reporter_end(void)
{
    return timed_sem_opener.reporter;
}

/* Not err(): it calls exit(), and these are called by exit(). */
static inline _Noreturn void timed_sem_fail(const char *call)
{
    if (call)
        warn("%s", call);
    fflush(NULL);
    _exit(EXIT_FAILURE);
}

/* Let the reporter write what is due, and end. exit() does it, if you have
   not. If it has failed, so have we, for somebody relies on its lines. */
static inline void timed_sems_close(void)
{
    struct timed_sems *table = timed_sem_opener.table;
    struct pollfd end = {.fd = timed_sem_opener.reporter, .events = POLLIN};
    uint64_t one = 1;
    char fine;

    if (timed_sem_opener.pid != getpid())
        return; /* a child that has called exit(), or the second time */
    timed_sem_opener.pid = 0;
    timed_sem_opener.table = NULL; /* another one may be opened */
    table->closing = 1;
    if (write(table->wake, &one, sizeof one) == -1 && errno != EAGAIN)
        timed_sem_fail("write");
    int ended = poll(&end, 1, 1000);
    if (ended == -1 && errno != EINTR)
        timed_sem_fail("poll");
    if (ended != 1) /* it is stopped, or we are in a hurry */
        kill(table->reporter, SIGKILL);
    ssize_t length = read(end.fd, &fine, 1);
    if (length == -1)
        timed_sem_fail("read");
    if (length == 0 && ended == 1) {
        warnx("the reporter of the semaphores has failed, or was killed");
        timed_sem_fail(NULL);
    }
}

/* The table itself: a file without a name, that cannot be cut short under
   who has mapped it. */
static inline struct timed_sems *timed_sem_map(void)
{
    int fd = memfd_create("timed_sems", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd == -1)
        err(EXIT_FAILURE, "memfd_create");
    if (ftruncate(fd, sizeof(struct timed_sems)) == -1)
        err(EXIT_FAILURE, "ftruncate");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == -1)
        err(EXIT_FAILURE, "fcntl");
    struct timed_sems *table =
        mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (table == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    memcpy(table->magic, TIMED_SEM_MAGIC, sizeof table->magic);
    table->size = sizeof *table;
    return table;
}

/*
 * Make a table of count semaphores, each free, that we and our children to
 * come share. One at a time. What cannot be made ends it with a message.
 */
static inline struct timed_sems *
timed_sems_open(const char *const names[], int count,
                struct timed_sem_options options)
{
    struct sembuf one_each[TIMED_SEM_NUMBERS];
    struct timed_sem_waiter wait = {.waiting = false};

    if (options.slice < NS_PER_MS)
        errx(EXIT_USAGE, "a slice must be 1ms or more");
    if (count < 1 || count > TIMED_SEM_NUMBERS || timed_sem_opener.table)
        errx(EXIT_FAILURE,
             "timed_sems_open: one at a time, of 1 to %d semaphores",
             TIMED_SEM_NUMBERS);
    int set = semget(IPC_PRIVATE, count, 0600); /* Linux starts them at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    struct timed_sems *table = timed_sem_map();
    table->set = set;
    table->count = count;
    table->options = options;
    for (int i = 0; i < count; i++) {
        struct timed_sem_row row = {.line = 0};
        timed_sem_text(row.name, sizeof row.name, names[i]);
        timed_sem_put(table->rows[i].cell, &row, sizeof row);
        one_each[i] = (struct sembuf){(unsigned short)i, 1, 0};
    }
    for (int i = 0; i < TIMED_SEM_WAITERS; i++) {
        wait.stamp = (uint64_t)i;
        timed_sem_put(table->slots[i].cell, &wait, sizeof wait);
    }
    table->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (table->wake == -1)
        err(EXIT_FAILURE, "eventfd");
    if (semop(set, one_each, (size_t)count) == -1)
        err(EXIT_FAILURE, "semop");
    timed_sem_opener.reporter = timed_sem_start_reporter(table);
    timed_sem_opener.table = table;
    timed_sem_opener.pid = getpid();
    atexit(timed_sems_close);
    return table;
}

#endif
