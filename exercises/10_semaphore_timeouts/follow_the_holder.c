/*
 * follow_the_holder - from one who waits to the one who holds everyone up.
 *
 * A record of a semaphore log names a waiter and a holder. The holder may be a
 * waiter in another record, and the one who matters stands at the end of that
 * way. Who matched the first id of the first record to a list of processes has
 * found a victim, and accused it. Fill the gap marked TODO, then run:
 * make check-follow_the_holder
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

/*
 * Where the way ends that begins with the thread at, and *last: who is there.
 *
 * TODO: this takes the first id that it sees.
 *
 *   1. A thread that waits leads to the holder of what it waits for. Is that
 *      one a waiter in some record, too, then go on with it. The first that is
 *      not is the root: ROOT, and *last is that thread.
 *   2. A thread is a process and a thread's id. Of the two ids in 0007-0099
 *      the second counts: 009A:0007-0099 as a waiter is 009A:0099 as a holder.
 *      Hex digits may be of either case.
 *   3. A thread waits for one semaphore at a time. If it is the waiter of
 *      several records the last of them counts.
 *   4. 0000:0000 is nobody: the holder had just let go, or is not known. NOBODY,
 *      and *last is the thread that waits for it.
 *   5. A way may come back to where it has been, not only to its beginning:
 *      CIRCLE, and *last is any thread on the circle.
 */
static enum ending follow(struct thread at, const struct record log[],
                          int count, struct thread *last)
{
    if (count > 0)
        at = log[0].waiter;
    *last = at;
    return ROOT;
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
