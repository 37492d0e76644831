/*
 * follow_the_holder - from one who waits to the one who holds everyone up.
 *
 * A record of a semaphore log names a waiter and a holder. The holder may be a
 * waiter in another record, and the one who matters stands at the end of that
 * way. Who matched the first id of the first record to a list of processes has
 * found a victim, and accused it.
 *
 *     $ follow_the_holder 0053:002F 0053:002F=009A:0099 009A:0099=00B0:0011
 *     follower: root thread=00B0:0011
 *     $ follow_the_holder 0053:002F 0053:002F=009A:0099 009A:0099=0000:0000
 *     follower: nobody thread=009A:0099
 *     $ follow_the_holder 0053:002F 0053:002F=009A:0099 009A:0099=0053:002F
 *     follower: circle thread=0053:002F
 *
 * 0053:002F=009A:0099 is a record: thread 002F of process 0053 waits for what
 * thread 0099 of process 009A holds.
 *
 * See also: strtoul(3).
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/exit_codes.h"

#define RECORDS_MAX 100
#define ID_MAX 24

/* As it stands in the log, in hex: "009A" and "0099", or "0007-0099". */
struct thread {
    char pid[ID_MAX], id[ID_MAX];
};

struct record {
    struct thread waiter, holder;
};

enum ending { ROOT, NOBODY, CIRCLE };

/* A thread has two numbers for the program, one for the system: the last. */
static unsigned long native_id(const struct thread *it)
{
    const char *dash = strchr(it->id, '-');

    return strtoul(dash ? dash + 1 : it->id, NULL, 16);
}

static unsigned long pid_of(const struct thread *it)
{
    return strtoul(it->pid, NULL, 16);
}

/* What this thread waits for: its last record, or NULL. */
static const struct record *wait_of(const struct thread *it,
                                    const struct record log[], int count)
{
    const struct record *found = NULL;

    for (int i = 0; i < count; i++)
        if (pid_of(&log[i].waiter) == pid_of(it) &&
            native_id(&log[i].waiter) == native_id(it))
            found = &log[i];
    return found;
}

/* Where the way ends that begins with the thread at, and *last: who is there. */
static enum ending follow(struct thread at, const struct record log[],
                          int count, struct thread *last)
{
    /* More steps than records: it has been somewhere twice. */
    for (int steps = 0; steps <= count; steps++) {
        const struct record *wait = wait_of(&at, log, count);
        *last = at;
        if (!wait)
            return ROOT;
        if (pid_of(&wait->holder) == 0)
            return NOBODY;
        at = wait->holder;
    }
    return CIRCLE;
}

/* Read "009A:0099" or "009A:0007-0099", up to end. */
static struct thread parse_thread(const char *text, const char *end)
{
    struct thread it;
    char copy[2 * ID_MAX], more;

    if ((size_t)(end - text) >= sizeof copy)
        errx(EXIT_USAGE, "too long: %s", text);
    memcpy(copy, text, (size_t)(end - text));
    copy[end - text] = '\0';
    if (sscanf(copy, "%23[0-9A-Fa-f]:%23[0-9A-Fa-f-]%c", it.pid, it.id,
               &more) != 2)
        errx(EXIT_USAGE, "bad thread '%s': write 009A:0099", copy);
    return it;
}

static struct record parse_record(const char *text)
{
    const char *middle = strchr(text, '=');

    if (!middle)
        errx(EXIT_USAGE, "bad record '%s': write WAITER=HOLDER", text);
    return (struct record){
        .waiter = parse_thread(text, middle),
        .holder = parse_thread(middle + 1, text + strlen(text)),
    };
}

int main(int argc, char *argv[])
{
    static const char *const endings[] = {"root", "nobody", "circle"};
    static struct record log[RECORDS_MAX];
    int count = argc - 2;
    if (count < 0 || count > RECORDS_MAX) {
        fputs("usage: follow_the_holder THREAD [WAITER=HOLDER]...\n"
              "  THREAD  where to begin, such as 0053:002F\n"
              "  WAITER=HOLDER  a record; the last one is the youngest\n",
              stderr);
        return EXIT_USAGE;
    }
    for (int i = 0; i < count; i++)
        log[i] = parse_record(argv[i + 2]);

    struct thread from = parse_thread(argv[1], argv[1] + strlen(argv[1]));
    struct thread last = {.pid = "?", .id = "?"};
    enum ending ending = follow(from, log, count, &last);
    printf("follower: %s thread=%s:%s\n", endings[ending], last.pid, last.id);
    return EXIT_SUCCESS;
}
