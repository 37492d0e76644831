/*
 * read_a_record - what a record of a semaphore log says, and what it does not.
 *
 * Each time that a wait has lasted for one more slice, a server writes into
 * its log who waits, for which semaphore, and who holds it. The log is only
 * text: the same digits are hex on one system and decimal on another. Fill the
 * gap marked TODO, then run: make check-read_a_record
 *
 *     $ read_a_record
 *     record: waiter=164:49 semaphore=0x0244 holder=340:18 slice_ms=30000 waited_ms=30000
 *     record: waiter=1684:1 semaphore=0x412C holder=5067:1 slice_ms=30000 waited_ms=30000
 *     record: waiter=164:49 semaphore=0x0244 holder=nobody slice_ms=30000 waited_ms=60000
 *     $ read_a_record some.log
 *     record: waiter=0053?:0017? semaphore=0x0244 holder=0140?:0025? slice_ms=500 waited_ms=500
 *     reader: skipped lines=1
 *
 * Without FILE it reads the sample below. A thread is printed as process and
 * thread, in decimal; with a "?" behind it stands what no one can read.
 *
 * See also: proc(5), strtol(3).
 */
#define _GNU_SOURCE /* getline(), strcasecmp() */

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/exit_codes.h"

#define RECORDS_MAX 1000

/* As they stand in the log, such as "00A4" and "0031". */
struct thread {
    char pid[12], id[12];
};

enum { WAITER, OWNER, READER, THREADS };

struct record {
    struct thread thread[THREADS]; /* OWNER: of OWNER= or WRITER=, READER: of
                                      1STREADER=, or "" and "" without it */
    int readers;                   /* R=, or 0 */
    char semaphore[5], address[17];
    int64_t slice_ms; /* FOR */
};

static const char *const sample[] = {
    "THREAD [00A4:0031] WAITING FOR SEM 0x0244 open database (@0BE65A20) "
    "(OWNER=0154:0012) FOR 30000 ms",
    "THREAD [01684:00001] WAITING FOR RWSEM 0x412C (@EE100210) "
    "(R=0,W=1,WRITER=05067:00001,1STREADER=05067:00001) FOR 30000 ms",
    "THREAD [00A4:0031] WAITING FOR SEM 0x0244 open database (@0BE65A20) "
    "(OWNER=0000:0000) FOR 30000 ms",
};

/* 0000:0000 stands for nobody, or "" and "". */
static bool is_nobody(const struct thread *it)
{
    return strspn(it->pid, "0") == strlen(it->pid);
}

/*
 * TODO: these three take the text at its word.
 *
 *   1. Ids are hex on one system and decimal on another, and no id tells by
 *      itself: 0154 may be either. All ids of four digits in the log are read
 *      alike, and so are all that are longer. They are hex if one of them has
 *      a letter. Without any, longer ones are decimal, whatever zeros stand in
 *      front; with four digits no one can tell.
 *   2. FOR is the length of the last slice. Who has been reported three times
 *      has waited for the sum of the three.
 *   3. Only the same wait counts: of the same process and thread, for the same
 *      address. There is a semaphore 0x0244 for each database. A thread waits
 *      for one at a time: its report for another address ends the wait, and
 *      after that the sum starts anew. Hex digits may be of either case:
 *      strcasecmp().
 *   4. The holder is the owner or the writer. Is that nobody, and are there
 *      readers, then it is the first reader, unless that is nobody, too; else
 *      there is none. Without readers the first one is a name left over.
 */

/* What id stands for, a pid or a thread's id of this log; -1: no one can tell. */
static int64_t read_id(const char *id, const struct record log[], int count)
{
    (void)log;
    (void)count;
    return strtoll(id, NULL, 10);
}

/* For how long the waiter of log[n] had waited when that was written. */
static int64_t waited_ms(const struct record log[], int n)
{
    return log[n].slice_ms;
}

/* Who holds the semaphore, or NULL for nobody. */
static const struct thread *holder_of(const struct record *it)
{
    return is_nobody(&it->thread[READER]) ? &it->thread[OWNER]
                                          : &it->thread[READER];
}

#define ID "%11[0-9A-Fa-f]"

/* Take a line apart. False: it is no record. */
static bool parse(const char *line, struct record *it)
{
    struct thread *waiter = &it->thread[WAITER], *owner = &it->thread[OWNER],
                  *reader = &it->thread[READER];
    const char *thread = strstr(line, "THREAD [");
    const char *address = thread ? strstr(thread, "(@") : NULL;
    const char *state = address ? strstr(address, ") (") : NULL;
    const char *slice = state ? strstr(state, ") FOR ") : NULL;

    *it = (struct record){.readers = 0};
    return slice &&
           sscanf(thread,
                  "THREAD [" ID ":" ID "] WAITING FOR %*s 0x%4[0-9A-Fa-f]",
                  waiter->pid, waiter->id, it->semaphore) == 3 &&
           sscanf(address, "(@%16[0-9A-Fa-f])", it->address) == 1 &&
           (sscanf(state, ") (OWNER=" ID ":" ID ")", owner->pid, owner->id) ==
                2 ||
            sscanf(state,
                   ") (R=%d,W=%*d,WRITER=" ID ":" ID ",1STREADER=" ID ":" ID
                   ")",
                   &it->readers, owner->pid, owner->id, reader->pid,
                   reader->id) == 5) &&
           sscanf(slice, ") FOR %" SCNd64 " ms", &it->slice_ms) == 1;
}

static void print_id(const char *id, const struct record log[], int count)
{
    int64_t number = read_id(id, log, count);

    if (number == -1)
        printf("%s?", id);
    else
        printf("%" PRId64, number);
}

static void print_thread(const char *key, const struct thread *it,
                         const struct record log[], int count)
{
    printf(" %s=", key);
    print_id(it->pid, log, count);
    putchar(':');
    print_id(it->id, log, count);
}

static void print_record(const struct record log[], int n, int count)
{
    const struct thread *holder = holder_of(&log[n]);

    printf("record:");
    print_thread("waiter", &log[n].thread[WAITER], log, count);
    printf(" semaphore=0x%s", log[n].semaphore);
    if (holder)
        print_thread("holder", holder, log, count);
    else
        printf(" holder=nobody");
    printf(" slice_ms=%" PRId64 " waited_ms=%" PRId64 "\n", log[n].slice_ms,
           waited_ms(log, n));
}

/* Read the file into log: how many records. Count the lines that are none. */
static int read_file(const char *path, struct record log[], int *skipped)
{
    FILE *file = fopen(path, "re");
    if (!file)
        err(EXIT_FAILURE, "fopen %s", path);

    char *line = NULL;
    size_t size = 0;
    int count = 0;
    while (count < RECORDS_MAX && getline(&line, &size, file) != -1)
        if (parse(line, &log[count]))
            count++;
        else
            ++*skipped;
    if (ferror(file))
        err(EXIT_FAILURE, "getline %s", path);
    free(line);
    fclose(file);
    return count;
}

int main(int argc, char *argv[])
{
    static struct record log[RECORDS_MAX];
    int count = 0, skipped = 0;
    if (argc > 2) {
        fputs("usage: read_a_record [FILE]\n"
              "  FILE  a log, such as SEMDEBUG.TXT; without it a sample\n",
              stderr);
        return EXIT_USAGE;
    }
    if (argc == 2)
        count = read_file(argv[1], log, &skipped);
    for (size_t i = 0; argc == 1 && i < sizeof sample / sizeof sample[0]; i++)
        count += parse(sample[i], &log[count]);

    for (int n = 0; n < count; n++)
        print_record(log, n, count);
    if (skipped > 0)
        printf("reader: skipped lines=%d\n", skipped);
    return EXIT_SUCCESS;
}
