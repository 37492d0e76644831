/*
 * One line of a semaphore log, taken apart. For semdebug_report.
 *
 *     [- ] [xx="..."] [stamp] THREAD [pid:thread] WAITING FOR
 *         [READ|WRITE LOCK ON] TYPE 0xID [name] (@ADDRESS) [(path)]
 *         (OWNER=pid:thread | R=n,W=n,WRITER=pid:thread,1STREADER=pid:thread)
 *         FOR n ms
 *
 * thread is virtual-native in the newer spelling, of which the native half
 * counts: a holder is printed with that alone. Nothing is copied: what is
 * found points into the line, which may hold any bytes. SLACK more must be
 * there to be read behind its end.
 */
#ifndef SEMDEBUG_PARSE_H
#define SEMDEBUG_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SLACK 8
#define MOST_DIGITS 15 /* of a process or a thread: 60 bits */

/* Ids of 4 digits are Windows', longer ones Unix'; each has its own base. */
enum spelling { SHORT, LONG, SPELLINGS };
/* What the digits of ids tell, of their base and their spelling. */
enum { LETTERS = 1, PADDED = 2, BASE_MATTERS = 4, IS_LONG = 8 };

/*
 * The digits of a number, four bits each: 01684 is 0x1684. So they are kept
 * as they were written, but for zeros in front, until the base is known.
 */
struct who {
    uint64_t process, thread;
    enum spelling spelling;
};

struct part {
    const char *at;
    size_t length;
};

/* How far a record could be read; one that is not WHOLE was cut or wrapped. */
enum stage { NOTHING, WAITER, TYPE, ADDRESS, STATE, WHOLE };
enum held { NOT_SAID, NOBODY, HELD, READERS };

/* What stands behind ms is there only as far as stage and held say. */
struct record {
    enum stage stage;
    enum held held;
    bool has_sequence, too_big;
    unsigned evidence[SPELLINGS];
    uint64_t readers, writers, ms;
    struct part type, name, path, stamp;
    uint64_t id, address, sequence;
    struct who waiter, holder;
};

static const unsigned char nibbles[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16, ['a'] = 11, ['b'] = 12,
    ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
}; /* each is one more than its value */

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static const char *trim_blanks(const char *start, const char *end)
{
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return end;
}

/* Step over this text, if it stands here. */
static bool skip_text(const char **at, const char *end, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(end - *at) < length || memcmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

/* This byte, eight times. */
#define BYTES(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Up to eight hex digits at once, each a byte of text; return how many stand
 * at its start. A loop over digits is where a processor guesses wrong most.
 */
static inline unsigned read_eight(uint64_t text, uint64_t *value, bool *letters)
{
    uint64_t low = text & BYTES(0x7f), lower = low | BYTES(0x20);
    uint64_t digit = (low + BYTES(0x80 - '0')) & ~(low + BYTES(0x7f - '9'));
    uint64_t letter = (lower + BYTES(0x80 - 'a')) &
                      ~(lower + BYTES(0x7f - 'f')) & BYTES(0x80);
    uint64_t other = ~(digit | letter) | text;
    other &= BYTES(0x80);
    unsigned width = other ? (unsigned)__builtin_ctzll(other) / 8 : 8;

    if (width == 0)
        return 0;
    unsigned unused = 8 * (8 - width); /* bits */
    uint64_t sum = ((low & BYTES(0x0f)) + (letter >> 7) * 9) << unused;
    *letters = letter << unused != 0;
    sum = (sum & UINT64_C(0x00ff00ff00ff00ff)) << 4 |
          (sum >> 8 & UINT64_C(0x00ff00ff00ff00ff));
    sum = (sum & UINT64_C(0x0000ffff0000ffff)) << 8 |
          (sum >> 16 & UINT64_C(0x0000ffff0000ffff));
    *value = (sum & UINT32_MAX) << 16 | sum >> 32;
    return width;
}

/* Any number of them. Return false if there are too many to be kept. */
static bool read_more(const char **at, const char *end, uint64_t *value,
                      unsigned most, bool *letters)
{
    const char *first = *at;

    while (*at < end && nibbles[(unsigned char)**at] != 0) {
        unsigned nibble = nibbles[(unsigned char)*(*at)++] - 1U;
        *value = *value << 4 | nibble;
        *letters |= nibble > 9;
        if (*value == 0)
            first = *at;
    }
    return *at - first <= (ptrdiff_t)most;
}

/* Read hex digits, most at most without those in front that are zero. */
static inline bool read_hex(const char **at, const char *end, uint64_t *value,
                            unsigned most, unsigned *evidence, bool *too_big)
{
    const char *start = *at;
    bool letters = false;
    unsigned width = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t text;
    memcpy(&text, start, sizeof text);
    width = read_eight(text, value, &letters);
    *at += width;
#endif
    if (width == 0 || *at > end ||
        (width == 8 && *at < end && nibbles[(unsigned char)**at] != 0)) {
        letters = false;
        *at = start;
        *value = 0;
        *too_big |= !read_more(at, end, value, most, &letters);
        width = *at - start > 99 ? 99 : (unsigned)(*at - start);
    }
    *evidence |= (letters ? LETTERS : 0) | (*value > 9 ? BASE_MATTERS : 0) |
                 (width > 4 ? IS_LONG : 0) |
                 (width > 4 && *start == '0' ? PADDED : 0);
    return width > 0;
}

static bool read_decimal(const char **at, const char *end, uint64_t *value,
                         bool *too_big)
{
    const char *start = *at;
    uint64_t sum = 0;

    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        unsigned digit = (unsigned)(**at - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            *too_big = true;
            sum = (UINT64_MAX - digit) / 10;
        }
        sum = sum * 10 + digit;
    }
    *value = sum;
    return *at > start;
}

/* pid:thread or pid:virtual-native; a dump may have blanks after the colon. */
static bool read_who(const char **at, const char *end, struct who *who,
                     struct record *record)
{
    unsigned evidence = 0, last = 0;
    bool *too_big = &record->too_big;

    if (!read_hex(at, end, &who->process, MOST_DIGITS, &evidence, too_big) ||
        !skip_text(at, end, ":"))
        return false;
    *at = skip_blanks(*at, end);
    if (!read_hex(at, end, &who->thread, MOST_DIGITS, &last, too_big))
        return false;
    if (skip_text(at, end, "-")) {
        evidence |= last & ~(unsigned)IS_LONG; /* a holder is told without */
        last = 0;
        if (!read_hex(at, end, &who->thread, MOST_DIGITS, &last, too_big))
            return false;
    }
    evidence |= last;
    who->spelling = evidence & IS_LONG ? LONG : SHORT;
    record->evidence[who->spelling] |= evidence;
    return !record->too_big;
}

static bool is_nobody(const struct who *who)
{
    return who->process == 0 && who->thread == 0;
}

/*
 * What stands in the brackets. A writer is the holder; else readers are, and
 * the first of them is known. 1STREADER without readers is a leftover, and W
 * a count from which nothing follows.
 */
static bool read_state(const char *at, const char *end, struct record *record)
{
    struct who first;

    if (skip_text(&at, end, "OWNER=")) {
        if (!read_who(&at, end, &record->holder, record) || at != end)
            return false;
        record->held = is_nobody(&record->holder) ? NOBODY : HELD;
        return true;
    }
    if (!skip_text(&at, end, "R=") ||
        !read_decimal(&at, end, &record->readers, &record->too_big) ||
        !skip_text(&at, end, ",W=") ||
        !read_decimal(&at, end, &record->writers, &record->too_big) ||
        !skip_text(&at, end, ",WRITER=") ||
        !read_who(&at, end, &record->holder, record) ||
        !skip_text(&at, end, ",1STREADER=") ||
        !read_who(&at, end, &first, record) || at != end)
        return false;
    if (!is_nobody(&record->holder)) {
        record->held = HELD;
    } else if (record->readers > 0) {
        record->held = READERS;
        record->holder = first;
    } else {
        record->held = NOBODY;
    }
    return true;
}

/* The next "THREAD [", or NULL. */
static const char *find_thread(const char *at, const char *end)
{
    while ((at = memmem(at, (size_t)(end - at), "THREAD", 6))) {
        const char *next = skip_blanks(at + 6, end);
        if (next < end && *next == '[')
            return at;
        at += 6;
    }
    return NULL;
}

/* A name or a path is free text, but never the start of another record. */
static bool is_torn(const char *at, const char *end)
{
    return memchr(at, '[', (size_t)(end - at)) && find_thread(at, end);
}

/*
 * Read "[(path)] (state)" that ends at end. A path may hold all that a state
 * holds, brackets too, so the state is matched from the right.
 */
static bool read_brackets(const char *at, const char *end,
                          struct record *record)
{
    end = trim_blanks(at, end);
    if (end == at || end[-1] != ')')
        return false;
    const char *open = memrchr(at, '(', (size_t)(end - at));
    unsigned evidence[SPELLINGS] = {record->evidence[SHORT],
                                    record->evidence[LONG]};
    if (!open || !read_state(open + 1, end - 1, record)) {
        memcpy(record->evidence, evidence, sizeof evidence);
        return false;
    }
    at = skip_blanks(at, open);
    open = trim_blanks(at, open);
    if (open > at) {
        if (*at != '(' || open[-1] != ')' || open - at < 2 || is_torn(at, open))
            return false;
        record->path = (struct part){at + 1, (size_t)(open - at - 2)};
    }
    record->stage = STATE;
    return true;
}

/* Read "[(path)] (state) FOR n ms" that ends at end. */
static bool read_tail(const char *at, const char *end, struct record *record)
{
    end = trim_blanks(at, end);
    if (end - at < 2 || memcmp(end - 2, "ms", 2) != 0)
        return false;
    end = trim_blanks(at, end - 2);
    const char *number = end;
    while (number > at && number[-1] >= '0' && number[-1] <= '9')
        number--;
    const char *before = trim_blanks(at, number);
    if (number == end || before - at < 3 || memcmp(before - 3, "FOR", 3) != 0)
        return false;
    if (!read_brackets(at, before - 3, record))
        return false;
    read_decimal(&number, end, &record->ms, &record->too_big);
    record->stage = WHOLE;
    return true;
}

/* The same where more follows, or less: another record, an end that is cut. */
static const char *read_torn_tail(const char *at, const char *end,
                                  struct record *record)
{
    const char *next = find_thread(at, end);
    if (!next)
        next = end;
    for (const char *p = at; (p = memmem(p, (size_t)(next - p), "ms", 2));) {
        p += 2;
        if (read_tail(at, p, record))
            return p;
    }
    for (const char *p = next;
         (p = memrchr(at, ')', (size_t)(p - at))) && p > at;)
        if (read_brackets(at, p + 1, record))
            break;
    return next;
}

/* Read "THREAD [waiter]". Return where it ends, and set the stage. */
static const char *read_waiter(const char *at, const char *end,
                               struct record *record)
{
    at = skip_blanks(at + 6, end) + 1; /* behind the bracket */
    if (read_who(&at, end, &record->waiter, record) && skip_text(&at, end, "]"))
        record->stage = WAITER;
    return at;
}

/*
 * Read what follows the waiter. Return where the record ends; how far it could
 * be read is its stage.
 */
static const char *read_rest(const char *at, const char *end,
                             struct record *record)
{
    unsigned none = 0;

    at = skip_blanks(at, end);
    if (!skip_text(&at, end, "WAITING"))
        return at;
    at = skip_blanks(at, end);
    if (!skip_text(&at, end, "FOR"))
        return at;
    at = skip_blanks(at, end);
    if (skip_text(&at, end, "READ LOCK ON ") ||
        skip_text(&at, end, "WRITE LOCK ON "))
        at = skip_blanks(at, end);

    const char *word = at;
    while (at < end && ((*at >= 'A' && *at <= 'Z') || *at == '_' ||
                        (*at >= 'a' && *at <= 'z')))
        at++;
    record->type = (struct part){word, (size_t)(at - word)};
    const char *id = skip_blanks(at, end);
    if (at == word ||
        (!skip_text(&id, end, "0x") && !skip_text(&id, end, "0X")))
        return at;
    at = id;
    if (!read_hex(&at, end, &record->id, 16, &none, &record->too_big))
        return at;
    record->stage = TYPE;

    const char *name = skip_blanks(at, end), *open = name;
    while ((open = memchr(open, '(', (size_t)(end - open))) &&
           (open + 1 == end || open[1] != '@'))
        open++;
    if (is_torn(name, open ? open : end))
        return find_thread(name, end);
    if (!open)
        return end;
    const char *name_end = trim_blanks(name, open);
    at = open + 2;
    if (!read_hex(&at, end, &record->address, 16, &none, &record->too_big) ||
        !skip_text(&at, end, ")") || record->too_big)
        return at;
    record->name = (struct part){name, (size_t)(name_end - name)};
    record->stage = ADDRESS;
    if (read_tail(at, end, record))
        return end;
    record->held = NOT_SAID;
    record->path.length = 0;
    return read_torn_tail(at, end, record);
}

/*
 * What stands before THREAD: bullets, xx="...", a stamp. Only sq, a number,
 * and the stamp are looked at.
 */
static void read_prefix(const char *at, const char *end, struct record *record)
{
    unsigned none = 0;
    bool too_big = false;

    for (; at < end; at++) {
        if (*at == 's' && skip_text(&at, end, "sq=\"")) {
            record->has_sequence =
                read_hex(&at, end, &record->sequence, 16, &none, &too_big) &&
                at < end && *at == '"' && !too_big;
        } else if (*at >= '0' && *at <= '9' && end - at >= 8 &&
                   memchr(at, '/', 3)) {
            record->stamp =
                (struct part){at, (size_t)(trim_blanks(at, end) - at)};
            return;
        }
        if (at == end)
            return;
    }
}

/* Step over what mostly stands before THREAD: a bullet, xx="...". */
static const char *skip_prefix(const char *at, const char *end)
{
    if (end - at > 2 && *at == '-' && at[1] == ' ')
        at += 2;
    while (end - at > 4 && at[2] == '=' && at[3] == '"') {
        const char *quote = memchr(at + 4, '"', (size_t)(end - at - 4));
        if (!quote)
            break;
        at = skip_blanks(quote + 1, end);
    }
    return at;
}

/*
 * The next record of the line, from at on, as far as its waiter. Return where
 * it starts; NULL without one.
 */
static const char *next_waiter(const char **at, const char *end,
                               struct record *record)
{
    const char *start = skip_prefix(*at, end);

    /* Not all of it: that would take as long as reading a number or two. */
    memset(record, 0, offsetof(struct record, type));
    record->path.length = record->stamp.length = 0;
    if (end - start < 8 || memcmp(start, "THREAD [", 8) != 0)
        start = find_thread(*at, end);
    if (!start)
        return NULL;
    if (start > *at)
        read_prefix(*at, start, record);
    *at = read_waiter(start, end, record);
    return start;
}

static const char *next_record(const char **at, const char *end,
                               struct record *record)
{
    const char *start = next_waiter(at, end, record);

    if (start && record->stage == WAITER)
        *at = read_rest(*at, end, record);
    return start;
}

#endif
