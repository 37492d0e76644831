/*
 * look_twice - a circle that was seen once is a rumour, and no deadlock.
 *
 * Who looks for a deadlock copies a table row by row, and meanwhile the others
 * go on. A circle in that copy may be made of rows that were never true at the
 * same time. The lock manager of neo4j called such circles deadlocks, and ended
 * transactions for them (https://github.com/neo4j/neo4j/pull/9465).
 *
 *     $ look_twice 1=A.1,2=B.2,A-2,B-1
 *     detector: deadlock circle=A,B looks=2
 *     $ look_twice 1=A.1,2=B.2,A-2,B-1 1=A.3,2=B.2,A-2,B-1
 *     detector: rumour circle=A,B looks=2
 *     $ look_twice 1=A.1,2=B.2,A-2
 *     detector: nothing looks=1
 *
 * Each argument is what one look at the table sees, and the last one stays. In
 * it 1=A.7 is a row: thread A holds semaphore 1, and that was acquisition number
 * 7, a stamp that never comes again. A-2 says that thread A waits for 2.
 *
 * A wait has no stamp here. It needs none, for a look copies first who waits and
 * then the rows, and no wait ends before its semaphore is given: who waits in the
 * second look waits for one that has been held since the first, and goes on when
 * it is let go. If one may give up, as in wait_graph.h, a wait needs a stamp, too.
 *
 * See also: semop(2).
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/exit_codes.h"

#define SEMAPHORES 10 /* 1 to 9 */
#define THREADS 26    /* 0 is A */
#define NONE (-1)

struct row {
    int holder; /* a thread, or NONE */
    int stamp;  /* the number of the acquisition */
};

struct table {
    struct row row[SEMAPHORES];
    int waits_for[THREADS]; /* a semaphore, or NONE */
};

enum verdict { NOTHING, RUMOUR, DEADLOCK };

static char **snapshots; /* up to a NULL */
static int looks;

/* Read one entry of a snapshot into the table: how long it is, or 0. */
static int parse_entry(const char *text, struct table *table)
{
    char thread[2], semaphore[2];
    int stamp, length = 0;

    if (sscanf(text, "%1[1-9]=%1[A-Z].%d%n", semaphore, thread, &stamp,
               &length) == 3)
        table->row[semaphore[0] - '0'] = (struct row){thread[0] - 'A', stamp};
    else if (sscanf(text, "%1[A-Z]-%1[1-9]%n", thread, semaphore, &length) == 2)
        table->waits_for[thread[0] - 'A'] = semaphore[0] - '0';
    return length;
}

/* Copy the table as it is now: each look sees what there is by then. */
static void look(struct table *copy)
{
    const char *text = *snapshots;

    for (int i = 0; i < SEMAPHORES; i++)
        copy->row[i] = (struct row){.holder = NONE};
    for (int i = 0; i < THREADS; i++)
        copy->waits_for[i] = NONE;
    for (int length; *text != '\0'; text += length + (text[length] == ',')) {
        length = parse_entry(text, copy);
        if (length == 0 || (text[length] != ',' && text[length] != '\0'))
            errx(EXIT_USAGE, "bad entry '%s': write 1=A.7 or A-2", text);
    }
    looks++;
    if (snapshots[1])
        snapshots++;
}

/*
 * How many threads are on a circle, or 0 if there is none. Each of them waits
 * for a semaphore that is held by the next in circle[], and the last one for
 * one of the first.
 */
static int find_circle(const struct table *table, int circle[THREADS])
{
    for (int from = 0; from < THREADS; from++) {
        int at = from;
        for (int n = 0; n < THREADS && table->waits_for[at] != NONE;) {
            circle[n++] = at;
            at = table->row[table->waits_for[at]].holder;
            if (at == from)
                return n;
            if (at == NONE)
                break;
        }
    }
    return 0;
}

/*
 * Is there a deadlock? Unless the answer is NOTHING, *count threads in circle[]
 * wait for each other, or seemed to.
 */
static enum verdict find_deadlock(int circle[THREADS], int *count)
{
    struct table first, second;

    look(&first);
    *count = find_circle(&first, circle);
    if (*count == 0)
        return NOTHING;

    look(&second);
    for (int i = 0; i < *count; i++) {
        int semaphore = first.waits_for[circle[i]];
        const struct row *before = &first.row[semaphore];
        const struct row *now = &second.row[semaphore];
        if (second.waits_for[circle[i]] != semaphore ||
            now->holder != before->holder || now->stamp != before->stamp)
            return RUMOUR;
    }
    return DEADLOCK;
}

int main(int argc, char *argv[])
{
    static const char *const words[] = {"nothing", "rumour", "deadlock"};
    int circle[THREADS], count = 0;
    if (argc < 2) {
        fputs("usage: look_twice SNAPSHOT...\n"
              "  SNAPSHOT  what a look at the table sees, such as\n"
              "            1=A.7,2=B.8,A-2: A holds 1, B holds 2, A waits for "
              "2\n",
              stderr);
        return EXIT_USAGE;
    }
    snapshots = &argv[1];

    enum verdict verdict = find_deadlock(circle, &count);
    printf("detector: %s", words[verdict]);
    for (int i = 0; verdict != NOTHING && i < count; i++)
        printf("%s%c", i == 0 ? " circle=" : ",", 'A' + circle[i]);
    printf(" looks=%d\n", looks);
    return EXIT_SUCCESS;
}
