/*
 * Lines of a semaphore log, and of a list of processes. For semdebug_report.
 *
 * A file is read once, in pieces. Lines become records, also where a record is
 * wrapped, cut or torn; what else a line may be is here too.
 */
#ifndef SEMDEBUG_LINES_H
#define SEMDEBUG_LINES_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "semdebug_tables.h"

#define LONGEST_LINE 4096 /* what is longer is cut */
#ifndef MOST_PROCESSES
#define MOST_PROCESSES 16384
#define BUFFER (256 * 1024)
#endif

/* Written in decimal, or as the log writes it. */
struct process {
    uint64_t number;
    int base; /* 10, or 0: that of its spelling */
    enum spelling spelling;
    bool crashed;
    char program[32];
};
static struct process processes[MOST_PROCESSES];
static uint32_t process_count;
static uint64_t processes_refused;
static bool have_processes;

static bool show_unknown, tsv;
static int asked_base, base_of[SPELLINGS];
static uint64_t top = 20;

/* "Sem.Timeouts = 430D:58 0A13:42": a sum since the start of the server. */
static bool take_statistic(const char *at, const char *end)
{
    at = memmem(at, (size_t)(end - at), "Sem.Timeouts", 12);
    if (!at)
        return false;
    at = skip_blanks(at + 12, end);
    if (!skip_text(&at, end, "="))
        return false;
    seen.statistics++;
    for (;;) {
        uint64_t count;
        struct key id = {0, 0};
        unsigned none = 0;
        bool is_new, too_big = false;

        at = skip_blanks(at, end);
        if (!read_hex(&at, end, &id.a, 16, &none, &too_big) ||
            !skip_text(&at, end, ":") ||
            !read_decimal(&at, end, &count, &too_big))
            return true;
        seen.too_big += too_big;
        uint32_t number = too_big ? NONE : find(&timeouts, id, &is_new);
        if (number == NONE)
            continue;
        if (is_new)
            timeouts_at[number] = (struct timeouts){.first = count};
        timeouts_at[number].last = count;
        timeouts_at[number].lines++;
    }
}

/* "Session semaphore held for 12 seconds", which is only on the console. */
static bool take_session(const char *at, const char *end)
{
    static const char text[] = "Session semaphore held for ";
    bool too_big = false;
    uint64_t seconds;

    at = memmem(at, (size_t)(end - at), text, sizeof text - 1);
    if (!at)
        return false;
    at += sizeof text - 1;
    skip_text(&at, end, "[");
    if (!read_decimal(&at, end, &seconds, &too_big))
        return false;
    seen.sessions++;
    if (seconds > seen.longest_session)
        seen.longest_session = seconds;
    return true;
}

/* A record that goes on in the next line. */
static struct {
    char text[2 * LONGEST_LINE + SLACK];
    size_t length;
    enum stage stage;
    uint64_t line;
    int lines;
} pending;

static void show_line(const char *name, uint64_t number, const char *at,
                      const char *end)
{
    static char shown[LONGEST_LINE + 8];

    seen.unknown++;
    if (!show_unknown)
        return;
    clean(shown, sizeof shown, at, (size_t)(end - at));
    if (tsv)
        printf("unknown\t%s\t%" PRIu64 "\t%s\n", name, number, shown);
    else
        printf("unknown: %s:%" PRIu64 ": %s\n", name, number, shown);
}

/* What is pending will not go on. */
static void give_up_pending(const char *name)
{
    static struct rest unused;
    struct record record;
    const char *at = pending.text, *end = at + pending.length;

    if (pending.length == 0)
        return;
    pending.length = 0;
    if (!next_record(&at, end, &record) ||
        !take_record(&record, pending.line, &unused))
        show_line(name, pending.line, pending.text, end);
}

static void keep_pending(const char *at, const char *end, enum stage stage,
                         uint64_t line)
{
    pending.length = (size_t)(end - at); /* of one line, or of two joined */
    memmove(pending.text, at, pending.length);
    pending.stage = stage;
    pending.line = line;
    pending.lines = 1;
}

/* Join this line to the pending one, if that helps or it has brackets. */
static bool join_pending(const char *at, const char *end)
{
    static struct rest unused;
    struct record record;
    size_t before = pending.length;

    if (end - at > 2 && (*at == '-' || *at == '*') && at[1] == ' ')
        at += 2;
    at = skip_blanks(at, end);
    size_t length = (size_t)(end - at);
    if (length == 0 || pending.lines == 4 ||
        before + 1 + length > 2 * LONGEST_LINE)
        return false;
    pending.text[before] = ' ';
    memcpy(pending.text + before + 1, at, length);
    const char *start = pending.text, *stop = start + before + 1 + length;
    if (!next_record(&start, stop, &record) ||
        (record.stage <= pending.stage && *at != '('))
        return false;
    pending.length += 1 + length;
    pending.stage = record.stage;
    pending.lines++;
    if (record.stage == WHOLE) {
        pending.length = 0;
        seen.wrapped++;
        take_record(&record, pending.line, &unused);
    }
    return true;
}

static void take_line(const char *name, uint64_t number, const char *at,
                      const char *end)
{
    struct record record;
    const char *line = at, *from = at;
    bool found = false;

    if (end > at && end[-1] == '\r')
        end--;
    if (skip_blanks(at, end) == end)
        return;
    while (next_waiter(&at, end, &record)) {
        if (!found && pending.length > 0)
            give_up_pending(name);
        found = true;
        const char *start = at;
        struct rest *rest = rest_of(start, (size_t)(end - start));
        if (record.stage == WAITER &&
            is_known(rest, start, (size_t)(end - start))) {
            take_known(&record, rest, number);
            return;
        }
        if (record.stage == WAITER)
            at = read_rest(start, end, &record);
        if (record.stage == WHOLE || find_thread(at, end))
            take_record(&record, number, rest);
        else
            keep_pending(from, end, record.stage, number);
        if (record.stage == WHOLE && at == end)
            remember(rest, start, (size_t)(end - start));
        from = at;
    }
    if (found || (pending.length > 0 && join_pending(line, end)))
        return;
    give_up_pending(name);
    if (!take_statistic(line, end) && !take_session(line, end))
        show_line(name, number, line, end);
}

/* --- files --- */

/* A file, or a text in memory. */
struct source {
    const char *name;
    int fd;
    const char *text;
    size_t left;
};
typedef void line_taker(const char *name, uint64_t number, const char *at,
                        const char *end);

static size_t read_some(struct source *from, char *to, size_t room)
{
    ssize_t length;

    if (from->text) {
        size_t part = from->left < room ? from->left : room;
        memcpy(to, from->text, part);
        from->text += part;
        from->left -= part;
        return part;
    }
    while ((length = read(from->fd, to, room)) == -1)
        if (errno != EINTR)
            err(EXIT_FAILURE, "read %s", from->name);
    return (size_t)length;
}

/* Give each line to take. Of one that is too long only the start is given. */
static void read_lines(struct source *from, line_taker *take)
{
    static char buffer[BUFFER + SLACK];
    size_t kept = 0, got;
    uint64_t number = 0;
    bool skipping = false;

    do {
        got = read_some(from, buffer + kept, BUFFER - kept);
        const char *at = buffer, *end = buffer + kept + got, *stop;
        while (at < end) {
            stop = memchr(at, '\n', (size_t)(end - at));
            if (!stop && got > 0 && end - at <= LONGEST_LINE)
                break; /* the rest of the line is yet to come */
            if (!skipping) {
                number++;
                const char *last = stop ? stop : end;
                if (last - at > LONGEST_LINE) {
                    seen.too_long++;
                    last = at + LONGEST_LINE;
                }
                take(from->name, number, at, last);
            }
            skipping = !stop;
            at = stop ? stop + 1 : end;
        }
        kept = (size_t)(end - at);
        memmove(buffer, at, kept);
    } while (got > 0);
    seen.lines += number;
}

static void read_file(const char *name, line_taker *take)
{
    struct source from = {.name = name, .fd = STDIN_FILENO};

    if (strcmp(name, "-") == 0)
        from.name = "stdin";
    else if ((from.fd = open(name, O_RDONLY | O_CLOEXEC)) == -1)
        err(EXIT_FAILURE, "open %s", name);
    read_lines(&from, take);
    if (from.fd != STDIN_FILENO)
        close(from.fd);
}

/* The log ends here: so does what would have gone on. */
static void end_log(const char *name)
{
    give_up_pending(name);
    take_the_rest();
}

/* --- which program has which number --- */

static void add_process(struct process process, const char *at, const char *end)
{
    at = skip_blanks(at, end);
    if (at < end && *at != '[')
        for (const char *p = at; p < end && *p != ' ' && *p != ','; p++)
            if (*p == '/' || *p == '\\')
                at = p + 1;
    const char *stop = at;
    while (stop < end && *stop != ' ' && *stop != ',')
        stop++;
    if (process_count == MOST_PROCESSES) {
        processes_refused++;
        return;
    }
    clean(process.program, sizeof process.program, at, (size_t)(stop - at));
    processes[process_count++] = process;
}

/* Three forms of a dump, see the sample. False when it is none. */
static bool take_dump_line(const char *at, const char *end)
{
    struct process process = {.base = 10};
    struct record record = {.stage = NOTHING};
    const char *p = memmem(at, (size_t)(end - at), "pid=", 4);
    const char *name = memmem(at, (size_t)(end - at), ":: ", 3);
    bool too_big = false;
    struct who who;

    if (p && name && name < p) { /* thread 1/4 :: program, pid=1684, lwp=1 */
        p += 4;
        if (!read_decimal(&p, end, &process.number, &too_big) || too_big)
            return false;
        add_process(process, name + 3, end);
        return true;
    }
    if (memmem(at, (size_t)(end - at), "fatal_error (", 13)) {
        if (process_count > 0)
            processes[process_count - 1].crashed = true;
        return true;
    }
    if (!(p = memchr(at, '[', (size_t)(end - at))))
        return false;
    p++;
    name = p = skip_blanks(p, end);
    if (read_decimal(&p, end, &process.number, &too_big) &&
        skip_text(&p, end, "]")) { /* [1] 1684: /path/program */
        p = skip_blanks(p, end);
        if (!read_decimal(&p, end, &process.number, &too_big) || too_big ||
            !skip_text(&p, end, ":"))
            return false;
        process.crashed = memmem(p, (size_t)(end - p), "fatal thread", 12);
        add_process(process, p, end);
        return true;
    }
    p = memchr(name, ':', (size_t)(end - name));
    if (!p) /* [ program: pid: thread] */
        return false;
    const char *number = skip_blanks(p + 1, end);
    if (!read_who(&number, end, &who, &record) || number == end ||
        *number != ']')
        return false;
    for (int i = 0; i < SPELLINGS; i++)
        seen.evidence[i] |= record.evidence[i];
    process = (struct process){.number = who.process, .spelling = who.spelling};
    add_process(process, name, p);
    return true;
}

/*
 * A list has a line of headings. The number is in the column of PID, the
 * program is all from the last column on; "Image Name" comes first instead.
 */
static void take_process_line(const char *file, uint64_t number, const char *at,
                              const char *end)
{
    static unsigned pid_column, columns;
    static bool name_first;
    struct process process = {.base = 10};
    unsigned column = 0, heading = 0;
    bool too_big = false, has_number = false;
    const char *last = NULL, *first;

    (void)file;
    if (number == 1)
        pid_column = columns = name_first = 0;
    if (end > at && end[-1] == '\r')
        end--;
    if (end - at > 2 && *at == '-' && at[1] == ' ')
        at += 2;
    first = at = skip_blanks(at, end);
    if (take_dump_line(at, end))
        return;
    while (at < end) {
        const char *word = at;
        while (at < end && *at != ' ' && *at != '\t')
            at++;
        column++;
        if (at - word == 3 && strncasecmp(word, "pid", 3) == 0)
            heading = column;
        const char *digits = word;
        uint64_t value;
        if (!has_number &&
            (column == pid_column || (name_first && column > 1)) &&
            read_decimal(&digits, end, &value, &too_big) && digits == at &&
            !too_big) {
            process.number = value;
            has_number = true;
        }
        if (column <= columns)
            last = word;
        at = skip_blanks(at, end);
    }
    if (heading > 0) {
        name_first = skip_text(&first, end, "Image Name");
        pid_column = name_first ? 0 : heading;
        columns = column;
    } else if (has_number && name_first) {
        add_process(process, first, end);
    } else if (has_number && column >= columns) {
        add_process(process, last, end);
    }
}

static int by_number(const void *one, const void *other)
{
    const struct process *a = one, *b = other;

    return (a->number > b->number) - (a->number < b->number);
}

/* The number that these digits are in the base of their spelling. */
static uint64_t number_of(uint64_t digits, enum spelling spelling)
{
    uint64_t number = 0;

    if (base_of[spelling] == 16)
        return digits;
    for (int shift = 4 * (MOST_DIGITS - 1); shift >= 0; shift -= 4)
        number = number * 10 + (digits >> shift & 15);
    return number;
}

static void sort_processes(void)
{
    for (uint32_t i = 0; i < process_count; i++)
        if (processes[i].base == 0)
            processes[i].number =
                number_of(processes[i].number, processes[i].spelling);
    qsort(processes, process_count, sizeof processes[0], by_number);
    for (uint32_t i = process_count; i-- > 1;)
        if (processes[i - 1].number == processes[i].number)
            processes[i - 1].crashed |= processes[i].crashed;
}

/* The first of that number, or NULL. */
static const struct process *process_of(uint32_t thread)
{
    uint32_t low = 0, high = process_count;
    uint64_t number = number_of(threads.keys[thread].a,
                                (enum spelling)(threads.keys[thread].b >> 60));

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (processes[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < process_count && processes[low].number == number
               ? &processes[low]
               : NULL;
}

#endif
