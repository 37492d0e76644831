/*
 * What the records of a semaphore log amount to. For semdebug_report.
 *
 * Tables of a fixed size, and in them, kept up to date with each record: who
 * waits for what, who holds it, and which of them wait in a circle.
 */
#ifndef SEMDEBUG_TABLES_H
#define SEMDEBUG_TABLES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "semdebug_parse.h"

#ifndef MOST_SEMAPHORES /* powers of two; some 46 MiB when all is full */
#define MOST_SEMAPHORES 32768
#define MOST_THREADS 131072
#define MOST_WAITS 131072 /* a thread and a semaphore */
#define MOST_HOLDS 131072 /* likewise */
#define MOST_CYCLES 1024
#define MOST_TIMEOUTS 4096
#define RESTS 1024
#endif
#define FIRST_SLOTS 64
#define LONGEST_REST 232
#define MOST_PROBES 256 /* in a hash table: then it counts as full */
#define MOST_STEPS 4096 /* of one search for a cycle */
#define ALL_STEPS (UINT64_C(1) << 20) /* and four for each record */
#define QUEUE 16                      /* records that wait for memory */
#define RUNS 8                        /* changes of the holder that are told */
#define MEMBERS 8                     /* of a cycle that are told */
#define KINDS 8
#define WINDOW 256 /* records that stand in the wrong order */
#define NONE UINT32_MAX
#define UNFIT (NONE - 1) /* somebody for whom there was no room */
#define RUN_NOBODY (NONE - 2)
#define RUN_READERS (NONE - 3)
#define MOST_MS UINT32_MAX  /* of a slice: 49 days */
#define DEFAULT_SLICE 30000 /* where a record does not say it */

struct key {
    uint64_t a, b;
};

/*
 * Entries are numbered as they come, and never leave. The slots that are in
 * use double with them: a small log has a small table, which a cache can hold.
 */
struct table {
    struct key *keys;
    uint32_t *slots, most, count, mask;
    uint64_t refused;
};

#define TABLE(name, type, size)                                                \
    static struct type name##_at[size];                                        \
    static struct key name##_keys[size];                                       \
    static uint32_t name##_slots[2 * (size)];                                  \
    static struct table name = {                                               \
        .keys = name##_keys, .slots = name##_slots, .most = size}

/* One holder and the reports in a row that name it. */
struct run {
    uint32_t who; /* a thread, RUN_NOBODY, RUN_READERS or UNFIT */
    uint64_t reports;
};

struct semaphore { /* what each record needs stands together */
    uint64_t id, most_w, most_r, reports, named, last_line;
    uint32_t holder, hold, cycle, slice, longest_by;
    bool other_ids, has_name, has_path, lost; /* lost: a holder did not fit */
    uint32_t waits;
    uint64_t last;                 /* elapsed at the last report */
    struct run run;                /* the last one */
    uint64_t run_count, run_begin; /* elapsed */
    uint64_t longest;              /* that one holder was seen to hold */

    uint64_t nobody, by_readers, not_said, first_line;
    uint32_t holds, waiters, holders;
    struct run runs[RUNS]; /* the first ones */
    char name[48], path[64], type[12];
};
TABLE(semaphores, semaphore, MOST_SEMAPHORES);

struct thread {
    uint32_t wait, cycle;
    uint64_t named; /* as a holder */
    bool moved;     /* of a semaphore that had another holder, too */
};
TABLE(threads, thread, MOST_THREADS);

struct wait { /* 64 bytes: in a big log this is where time goes */
    uint32_t semaphore, thread, next, slice, epoch;
    uint32_t reports, run_reports; /* the run is those in a row */
    uint64_t run_ms, longest, total;
    uint64_t last; /* elapsed at the last report */
};
TABLE(waits, wait, MOST_WAITS);

struct hold {
    uint32_t semaphore, thread, next;
    uint64_t reports;
    bool reader;
};
TABLE(holds, hold, MOST_HOLDS);

struct cycle {
    uint64_t length, times, looks;
    uint32_t semaphores[MEMBERS], threads[MEMBERS], start;
    bool stands;
};
TABLE(cycles, cycle, MOST_CYCLES);

struct timeouts {
    uint64_t first, last, lines;
};
TABLE(timeouts, timeouts, MOST_TIMEOUTS);

struct event {
    uint64_t sequence, line;
    uint32_t semaphore, waiter, holder, ms, epoch;
    enum held held;
    bool has_sequence;
};
static struct {
    struct event slots[WINDOW];
    bool used[WINDOW], started, taken;
    uint32_t pending;
    uint64_t next, last;
} window;

static struct {
    uint64_t lines, records, whole, cut, wrapped, unknown, too_long, too_big;
    uint64_t gaps, missing, late, repeated, restarts, spelled[SPELLINGS];
    uint64_t statistics, sessions, longest_session, searches_cut, steps;
    unsigned evidence[SPELLINGS];
    struct {
        char type[12];
        uint64_t records;
    } kinds[KINDS];
    char first_stamp[32], last_stamp[32];
} seen;
static uint64_t elapsed; /* ms, at least, since the log began */
static uint32_t epoch;   /* lines are missing between one and the next */
static uint64_t seed;

static uint64_t sum(uint64_t one, uint64_t other)
{
    return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

/*
 * The seed, other in each process, keeps a log from being made so that all
 * keys fall on one place.
 */
static inline uint32_t slot_of(const struct table *table, struct key key)
{
    uint64_t hash = key.a * seed ^ key.b * (seed << 9 | 1);

    return (uint32_t)(hash >> 32 ^ hash >> 47) & table->mask;
}

static void double_slots(struct table *table)
{
    table->mask = table->mask == 0 ? FIRST_SLOTS - 1 : 2 * table->mask + 1;
    if (table->mask > 2 * table->most - 1)
        table->mask = 2 * table->most - 1;
    memset(table->slots, 0, (table->mask + 1) * sizeof table->slots[0]);
    for (uint32_t i = 0; i < table->count; i++) {
        uint32_t slot = slot_of(table, table->keys[i]);
        while (table->slots[slot] != 0)
            slot = (slot + 1) & table->mask;
        table->slots[slot] = i + 1;
    }
}

static bool stands_at(const struct table *table, uint32_t slot, struct key key)
{
    uint32_t entry = table->slots[slot];

    return entry != 0 && table->keys[entry - 1].a == key.a &&
           table->keys[entry - 1].b == key.b;
}

static uint32_t find_or_add(struct table *table, struct key key, bool *is_new)
{
    if (table->count > table->mask / 2 || table->mask == 0)
        if (table->mask < 2 * table->most - 1)
            double_slots(table);
    uint32_t slot = slot_of(table, key);

    for (int probe = 0; probe < MOST_PROBES; probe++) {
        if (stands_at(table, slot, key))
            return table->slots[slot] - 1;
        if (table->slots[slot] == 0 && table->count < table->most) {
            table->keys[table->count] = key;
            table->slots[slot] = ++table->count;
            *is_new = true;
            return table->count - 1;
        }
        if (table->slots[slot] == 0)
            break;
        slot = (slot + 1) & table->mask;
    }
    table->refused++;
    return NONE;
}

/*
 * The number of what has this key. If it is new it is added, and is_new set;
 * NONE if there is no room.
 */
static inline uint32_t find(struct table *table, struct key key, bool *is_new)
{
    uint32_t slot = slot_of(table, key);

    *is_new = false;
    if (stands_at(table, slot, key))
        return table->slots[slot] - 1;
    return find_or_add(table, key, is_new);
}

/* --- what the log says, record by record --- */

/*
 * Does this wait go on at this time? It would be reported each slice; one
 * more is allowed, for a report may be late.
 */
static bool goes_on(const struct wait *wait, uint64_t time)
{
    return time <= sum(wait->last, 2 * (uint64_t)wait->slice);
}

static const struct wait *wait_of(uint32_t thread)
{
    return thread >= UNFIT || threads_at[thread].wait == NONE
               ? NULL
               : &waits_at[threads_at[thread].wait];
}

/*
 * What the holder of this semaphore waits for, at the time when it was last
 * said to hold it; NULL if for nothing.
 */
static const struct wait *next_wait(uint32_t semaphore)
{
    const struct semaphore *it = &semaphores_at[semaphore];
    const struct wait *wait = wait_of(it->holder);

    if (!wait || !goes_on(wait, it->last) ||
        !goes_on(wait, semaphores_at[wait->semaphore].last) ||
        sum(sum(it->last, 2 * (uint64_t)it->slice), wait->run_ms) < wait->last)
        return NULL;
    return wait;
}

/* In how many reports each member has said the same, at least. */
static uint64_t count_looks(const struct cycle *cycle)
{
    uint64_t looks = UINT64_MAX;
    uint32_t at = cycle->start;

    for (uint64_t i = 0; i < cycle->length; i++) {
        const struct wait *wait = wait_of(semaphores_at[at].holder);
        if (semaphores_at[at].run.reports < looks)
            looks = semaphores_at[at].run.reports;
        if (wait->run_reports < looks)
            looks = wait->run_reports;
        at = wait->semaphore;
    }
    return looks;
}

/* A member of this cycle is about to change: then it is one no more. */
static void leave_cycle(uint32_t number)
{
    if (number == NONE)
        return;
    struct cycle *cycle = &cycles_at[number];
    uint64_t looks = count_looks(cycle);
    uint32_t at = cycle->start;

    if (looks > cycle->looks)
        cycle->looks = looks;
    cycle->stands = false;
    for (uint64_t i = 0; i < cycle->length; i++) {
        uint32_t holder = semaphores_at[at].holder;
        semaphores_at[at].cycle = threads_at[holder].cycle = NONE;
        at = wait_of(holder)->semaphore;
    }
}

/* Note that these wait in a circle. The same one again is the same cycle. */
static void note_cycle(uint32_t start, uint64_t length)
{
    struct key key = {0, length};
    uint32_t at = start;
    bool is_new;

    for (uint64_t i = 0; i < length; i++) {
        uint64_t pair = (uint64_t)at << 32 | semaphores_at[at].holder;
        key.a += (pair ^ pair >> 31) * UINT64_C(0x9e3779b97f4a7c15);
        at = wait_of(semaphores_at[at].holder)->semaphore;
    }
    uint32_t number = find(&cycles, key, &is_new);
    if (number == NONE)
        return;
    struct cycle *cycle = &cycles_at[number];
    cycle->length = length;
    cycle->times++;
    cycle->start = start;
    cycle->stands = true;
    for (uint64_t i = 0; i < length; i++) {
        struct semaphore *it = &semaphores_at[at];
        if (i < MEMBERS && is_new) {
            cycle->semaphores[i] = at;
            cycle->threads[i] = it->holder;
        }
        threads_at[it->holder].cycle = it->cycle = number;
        at = wait_of(it->holder)->semaphore;
    }
}

/* This semaphore's holder or a waiter has changed: does it close a circle? */
static void search_cycle(uint32_t start)
{
    const struct wait *wait;
    uint32_t at = start;
    uint64_t length = 0;

    do {
        if (semaphores_at[at].cycle != NONE || !(wait = next_wait(at)) ||
            !goes_on(wait, elapsed))
            return;
        at = wait->semaphore;
        if (++length > MOST_STEPS ||
            ++seen.steps > sum(ALL_STEPS, 4 * seen.records)) {
            seen.searches_cut++;
            return;
        }
    } while (at != start);
    note_cycle(start, length);
}

/*
 * The total is what the reports in a row add up to. The row ends where the
 * thread waited elsewhere, held what it waits for, was left out, or lines are
 * missing. True when it was not waiting for this one before.
 */
static bool note_wait(const struct event *event, struct semaphore *it)
{
    struct thread *thread = &threads_at[event->waiter];
    bool changed = thread->wait == NONE ||
                   waits_at[thread->wait].semaphore != event->semaphore;

    if (changed) {
        bool is_new;
        struct key key = {(uint64_t)event->semaphore << 32 | event->waiter, 0};
        leave_cycle(thread->cycle);
        thread->wait = find(&waits, key, &is_new);
        if (thread->wait == NONE)
            return false;
        if (is_new) {
            waits_at[thread->wait] =
                (struct wait){.semaphore = event->semaphore,
                              .thread = event->waiter,
                              .next = it->waits};
            it->waits = thread->wait;
            it->waiters++;
        }
    }
    struct wait *wait = &waits_at[thread->wait];
    if (changed || wait->epoch != event->epoch || !goes_on(wait, elapsed))
        wait->run_reports = 0, wait->run_ms = 0, wait->epoch = event->epoch;
    else if (elapsed < sum(wait->last, event->ms))
        elapsed = sum(wait->last, event->ms); /* a slice later, at least */
    wait->reports += wait->reports < UINT32_MAX;
    wait->run_reports += wait->run_reports < UINT32_MAX;
    wait->total = sum(wait->total, event->ms);
    wait->run_ms = sum(wait->run_ms, event->ms);
    if (wait->run_ms > wait->longest)
        wait->longest = wait->run_ms;
    wait->last = elapsed;
    if (event->ms > 0 || wait->slice == 0)
        wait->slice = event->ms > 0 ? event->ms : DEFAULT_SLICE;
    if (event->ms > 0)
        it->slice = event->ms;
    return changed;
}

static void count_hold(const struct event *event, struct semaphore *it)
{
    struct thread *thread = &threads_at[event->holder];
    bool is_new;

    if (event->holder != it->holder || it->hold == NONE) {
        struct key key = {(uint64_t)event->semaphore << 32 | event->holder, 0};
        it->hold = find(&holds, key, &is_new);
        if (it->hold == NONE) {
            it->lost = true;
            return;
        }
        if (is_new) {
            holds_at[it->hold] = (struct hold){.semaphore = event->semaphore,
                                               .thread = event->holder,
                                               .next = it->holds};
            it->holds = it->hold;
            it->holders++;
        }
    }
    holds_at[it->hold].reports++;
    holds_at[it->hold].reader |= event->held == READERS;
    thread->named++;
    /* Whoever holds it waits for it no more, unless it waits for itself. */
    if (event->holder != event->waiter && thread->wait != NONE &&
        waits_at[thread->wait].semaphore == event->semaphore) {
        leave_cycle(thread->cycle);
        thread->wait = NONE;
    }
}

/* True when another thread than before has it. */
static bool note_holder(const struct event *event, struct semaphore *it)
{
    bool fits = event->held == HELD || event->held == READERS;
    uint32_t holder = fits ? event->holder : NONE, before = it->holder;
    uint32_t who = event->held == READERS  ? RUN_READERS
                   : event->held == NOBODY ? RUN_NOBODY
                                           : holder;

    if (event->held == NOT_SAID) {
        it->not_said++;
        return false;
    }
    it->named += event->held == HELD;
    it->by_readers += event->held == READERS;
    it->nobody += event->held == NOBODY;
    if (holder != before)
        leave_cycle(it->cycle);
    if (holder < UNFIT)
        count_hold(event, it);
    it->lost |= holder == UNFIT;
    it->holder = holder;
    if (it->run_count == 0 || it->run.who != who || who == UNFIT) {
        it->run = (struct run){who, 0};
        it->run_begin = it->last;
        it->run_count++;
    }
    it->run.reports++;
    if (it->run_count <= RUNS)
        it->runs[it->run_count - 1] = it->run;
    if (event->held == HELD &&
        (it->longest_by == NONE || it->last - it->run_begin > it->longest)) {
        it->longest = it->last - it->run_begin;
        it->longest_by = who;
    }
    return holder != before;
}

static void take_event(const struct event *event)
{
    struct semaphore *it = &semaphores_at[event->semaphore];
    bool changed = false;

    it->reports++;
    it->last_line = event->line;
    if (event->waiter < UNFIT)
        changed = note_wait(event, it);
    it->last = elapsed;
    changed |= note_holder(event, it);
    if (changed)
        search_cycle(event->semaphore);
}

/*
 * What a record is about is somewhere in big tables, and far from the
 * processor. So it is asked for when the record comes, and used some later.
 */
static struct {
    struct event events[QUEUE];
    uint32_t first, end;
} queue;

static struct key pair_of(const struct event *event, uint32_t thread)
{
    return (struct key){(uint64_t)event->semaphore << 32 | thread, 0};
}

static void fetch_slots(const struct event *event)
{
    __builtin_prefetch(
        &waits.slots[slot_of(&waits, pair_of(event, event->waiter))]);
    if (event->holder < UNFIT)
        __builtin_prefetch(
            &holds.slots[slot_of(&holds, pair_of(event, event->holder))]);
}

static void fetch_entries(const struct event *event)
{
    uint32_t entry =
        waits.slots[slot_of(&waits, pair_of(event, event->waiter))];
    if (event->waiter < UNFIT && threads_at[event->waiter].wait != NONE)
        __builtin_prefetch(&waits_at[threads_at[event->waiter].wait]);
    if (entry > 0) {
        __builtin_prefetch(&waits.keys[entry - 1]);
        __builtin_prefetch(&waits_at[entry - 1]);
    }
    if (event->holder >= UNFIT)
        return;
    entry = holds.slots[slot_of(&holds, pair_of(event, event->holder))];
    if (entry > 0) {
        __builtin_prefetch(&holds.keys[entry - 1]);
        __builtin_prefetch(&holds_at[entry - 1]);
    }
}

static void queue_event(const struct event *event)
{
    struct event *last = &queue.events[queue.end++ % QUEUE];

    *last = *event;
    last->epoch = epoch;
    fetch_slots(last);
    if (queue.end - queue.first > QUEUE / 2)
        fetch_entries(&queue.events[(queue.end - QUEUE / 2) % QUEUE]);
    if (queue.end - queue.first == QUEUE)
        take_event(&queue.events[queue.first++ % QUEUE]);
}

static void empty_queue(void)
{
    while (queue.first != queue.end)
        take_event(&queue.events[queue.first++ % QUEUE]);
}

/* --- records in the order of their numbers --- */

static void take_in_order(const struct event *event)
{
    if (window.taken && event->sequence != window.last + 1) {
        epoch++;
        if (event->sequence > window.last) {
            seen.gaps++;
            seen.missing = sum(seen.missing, event->sequence - window.last - 1);
        }
    }
    window.taken = true;
    window.last = event->sequence;
    queue_event(event);
}

/* Take what has come of the numbers from next on, up to this one. */
static void slide_window(uint64_t to)
{
    while (window.pending > 0 && window.next != to) {
        uint32_t slot = (uint32_t)(window.next++ % WINDOW);
        if (window.used[slot]) {
            window.used[slot] = false;
            window.pending--;
            take_in_order(&window.slots[slot]);
        }
    }
    window.next = to;
}

static void take_numbered(const struct event *event)
{
    uint64_t number = event->sequence, behind = window.next - number;
    uint32_t slot = (uint32_t)(number % WINDOW);

    if (!window.started) {
        window.started = true;
        window.next = number;
    } else if (number < window.next && behind <= WINDOW) {
        seen.late++; /* too late to be put in order */
        seen.missing -= seen.missing > 0;
        queue_event(event);
        return;
    } else if (number < window.next || number - window.next >= 2 * WINDOW) {
        seen.restarts += number < window.next;
        slide_window(window.next + WINDOW);
        window.next = number;
    } else if (number - window.next >= WINDOW) {
        slide_window(number - WINDOW + 1);
    }
    if (window.used[slot]) {
        seen.repeated++; /* and counted once */
        return;
    }
    if (number != window.next) {
        window.slots[slot] = *event;
        window.used[slot] = true;
        window.pending++;
        return;
    }
    window.next++;
    take_in_order(event);
    while (window.used[slot = (uint32_t)(window.next % WINDOW)]) {
        window.used[slot] = false;
        window.pending--;
        window.next++;
        take_in_order(&window.slots[slot]);
    }
}

static void take_all_pending(void)
{
    slide_window(window.next + (window.pending > 0 ? WINDOW : 0));
    if (window.taken)
        window.next = window.last + 1;
}

/* The end of a log: all that has come is taken. */
static void take_the_rest(void)
{
    take_all_pending();
    empty_queue();
}

/* --- from a record to its entries --- */

/* Copy what may be shown: UTF-8 without control characters, '?' for others. */
static void clean(char *to, size_t size, const char *from, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length && used + 4 < size; i++) {
        unsigned char c = (unsigned char)from[i];
        size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0;
        bool fine = c >= ' ' && c < 0x7f;
        if (more > 0 && c < 0xf5 && more < length - i) {
            fine = c != 0xc2 || (unsigned char)from[i + 1] >= 0xa0;
            for (size_t k = 1; k <= more; k++)
                fine = fine && ((unsigned char)from[i + k] & 0xc0) == 0x80;
        }
        to[used++] = fine ? from[i] : '?';
        for (; fine && more > 0; more--)
            to[used++] = from[++i];
    }
    to[used] = '\0';
}

static uint32_t find_thread_of(const struct who *who)
{
    struct key key = {who->process,
                      who->thread | (uint64_t)who->spelling << 60};
    bool is_new;

    uint32_t number = find(&threads, key, &is_new);

    if (number == NONE)
        return UNFIT;
    if (is_new)
        threads_at[number] = (struct thread){.wait = NONE, .cycle = NONE};
    return number;
}

static uint32_t find_semaphore(const struct record *record, uint64_t line)
{
    bool is_new;
    uint32_t number =
        find(&semaphores, (struct key){record->address, 0}, &is_new);

    if (number == NONE)
        return NONE;
    struct semaphore *it = &semaphores_at[number];
    if (is_new) {
        *it = (struct semaphore){.id = record->id,
                                 .slice = DEFAULT_SLICE,
                                 .first_line = line,
                                 .longest_by = NONE,
                                 .holder = NONE,
                                 .hold = NONE,
                                 .waits = NONE,
                                 .holds = NONE,
                                 .cycle = NONE};
        clean(it->type, sizeof it->type, record->type.at, record->type.length);
    }
    if (!it->has_name) {
        it->has_name = record->name.length > 0;
        clean(it->name, sizeof it->name, record->name.at, record->name.length);
    }
    if (!it->has_path && record->path.length > 0) {
        it->has_path = true;
        clean(it->path, sizeof it->path, record->path.at, record->path.length);
    }
    it->other_ids |= it->id != record->id;
    if (it->most_w < record->writers)
        it->most_w = record->writers;
    if (it->most_r < record->readers)
        it->most_r = record->readers;
    return number;
}

static uint32_t find_kind(const struct part *type)
{
    static const char other[] = "other";
    uint32_t i = 0;
    char word[sizeof seen.kinds[0].type];

    clean(word, sizeof word, type->at, type->length);
    for (; i + 1 < KINDS && seen.kinds[i].records > 0; i++)
        if (strcmp(seen.kinds[i].type, word) == 0)
            return i;
    if (i + 1 == KINDS)
        memcpy(seen.kinds[i].type, other, sizeof other);
    else
        memcpy(seen.kinds[i].type, word, sizeof word);
    return i;
}

/*
 * A crowd waits for the same: all but the waiter is the same text again, and
 * what it said is still known.
 */
struct rest {
    char text[LONGEST_REST];
    uint32_t length, semaphore, holder, ms, kind;
    enum held held;
};
static struct rest rests[RESTS];

/* Where this text would be. */
static struct rest *rest_of(const char *at, size_t length)
{
    uint64_t hash = length, part;

    for (size_t i = 0; i + 8 <= length; i += 8) {
        memcpy(&part, at + i, sizeof part);
        hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return &rests[hash % RESTS];
}

static bool is_known(const struct rest *rest, const char *at, size_t length)
{
    return length > 0 && rest->length == length &&
           memcmp(rest->text, at, length) == 0;
}

static void note_prefix(const struct record *record)
{
    if (record->stamp.length > 0) {
        clean(seen.last_stamp, sizeof seen.last_stamp, record->stamp.at,
              record->stamp.length);
        if (seen.first_stamp[0] == '\0')
            memcpy(seen.first_stamp, seen.last_stamp, sizeof seen.last_stamp);
    }
    for (int i = 0; i < SPELLINGS; i++)
        seen.evidence[i] |= record->evidence[i];
    seen.spelled[record->waiter.spelling]++;
    seen.records++;
}

static void pass_on(const struct record *record, const struct rest *rest,
                    uint64_t line)
{
    struct event event = {.ms = rest->ms,
                          .sequence = record->sequence,
                          .line = line,
                          .held = rest->held,
                          .semaphore = rest->semaphore,
                          .holder = rest->holder,
                          .has_sequence = record->has_sequence};

    event.waiter = find_thread_of(&record->waiter);
    if (event.has_sequence) {
        take_numbered(&event);
        return;
    }
    if (window.pending > 0)
        take_all_pending();
    queue_event(&event);
}

/* A record whose rest is known. */
static void take_known(const struct record *record, const struct rest *rest,
                       uint64_t line)
{
    note_prefix(record);
    seen.whole++;
    seen.kinds[rest->kind].records++;
    pass_on(record, rest, line);
}

/*
 * False when it says too little to be used. What its rest says is noted, too,
 * in one that has no text yet.
 */
static bool take_record(const struct record *record, uint64_t line,
                        struct rest *rest)
{
    rest->length = 0;
    seen.too_big += record->too_big;
    if (record->stage < WAITER)
        return false;
    note_prefix(record);
    seen.whole += record->stage == WHOLE;
    seen.cut += record->stage != WHOLE;
    if (record->stage >= TYPE) {
        rest->kind = find_kind(&record->type);
        seen.kinds[rest->kind].records++;
    }
    if (record->stage < ADDRESS)
        return true;

    rest->ms = record->ms < MOST_MS ? (uint32_t)record->ms : MOST_MS;
    rest->held = record->held;
    rest->holder = NONE;
    rest->semaphore = find_semaphore(record, line);
    if (rest->semaphore == NONE)
        return true;
    if (record->held == HELD ||
        (record->held == READERS && !is_nobody(&record->holder)))
        rest->holder = find_thread_of(&record->holder);
    pass_on(record, rest, line);
    return true;
}

/* Remember it for the next record, if it is short enough. */
static void remember(struct rest *rest, const char *at, size_t length)
{
    if (length > LONGEST_REST || rest->semaphore == NONE ||
        rest->holder == UNFIT)
        return;
    memcpy(rest->text, at, length);
    rest->length = (uint32_t)length;
}

#endif
