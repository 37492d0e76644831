/*
 * unbounded_outbox - the queue that hides EAGAIN: its length over time.
 *
 * An outbox without a bound takes every message, so who puts one in never
 * learns that the socket is full. For a burst that is fine: what does not go
 * at once goes while the source rests. But if the source makes more than the
 * reader reads, the outbox grows, each message is older when it leaves, and
 * still every put is a success. A larger queue does not make a faster reader.
 *
 * A tick is a turn. The source makes a burst of messages in each tenth tick,
 * the reader reads one in each tick, and we send what the socket takes. The
 * drawing has a column for each tick, as high as the outbox is full.
 *
 *     $ cc unbounded_outbox.c -o unbounded_outbox
 *     $ ./unbounded_outbox 15
 *     source: put burst=15 messages=90
 *      40 |                                                  #         |
 *      36 |                                                  #####     |
 *      32 |                                        ####      ######### |
 *      28 |                              ###       ########  ##########|
 *      24 |                    ##        #######   ####################|
 *      20 |          #         ######    ##############################|
 *      16 |          #####     ########################################|
 *      12 |####      ######### ########################################|
 *       8 |########  ##################################################|
 *       4 |############################################################|
 *     outbox: before_bursts=0,5,10,15,20,25 most=40 left=30
 *     outbox: sent=60 longest_wait=29 hidden_eagain=60
 *
 * See also: send(2), unix(7).
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "full_socket.h"

#define TICKS 60
#define EVERY 10 /* ticks from burst to burst */
#define BURSTS (TICKS / EVERY)
#define BURST_MAX 20
#define STEP 4 /* messages for a line of the drawing */

/* Of a message we know only the tick in which it was made. */
struct outbox {
    int messages[BURSTS * BURST_MAX]; /* all of them: the run is bounded */
    int in, out;                      /* how many came in, and left */
    int hidden;                       /* how often send() said EAGAIN */
    int before[BURSTS];               /* how many still waited at a burst */
    int history[TICKS], most;         /* how many waited, tick by tick */
    int longest;                      /* ticks that one of them has waited */
};

/* Wrong, on purpose: it cannot say no, whatever send() has said. */
static void put(struct outbox *box, int message)
{
    box->messages[box->in++] = message;
    if (box->most < box->in - box->out)
        box->most = box->in - box->out;
}

static void flush(struct outbox *box, int fd, int tick)
{
    for (; box->out < box->in; box->out++) {
        if (!send_one(fd)) {
            box->hidden++;
            return;
        }
        if (box->longest < tick - box->messages[box->out])
            box->longest = tick - box->messages[box->out];
    }
}

static void take_turns(struct outbox *box, int pair[2], int burst)
{
    for (int tick = 0; tick < TICKS; tick++) {
        if (tick % EVERY == 0) {
            box->before[tick / EVERY] = box->in - box->out;
            for (int i = 0; i < burst; i++)
                put(box, tick);
        }
        box->history[tick] = box->in - box->out;
        read_one(pair[1]);
        flush(box, pair[0], tick);
    }
}

static void draw(const struct outbox *box)
{
    for (int level = box->most / STEP * STEP; level > 0; level -= STEP) {
        printf("%3d |", level);
        for (int tick = 0; tick < TICKS; tick++)
            putchar(box->history[tick] < level ? ' ' : '#');
        printf("|\n");
    }
    printf("outbox: before_bursts=");
    for (int i = 0; i < BURSTS; i++)
        printf("%s%d", i > 0 ? "," : "", box->before[i]);
    printf(" most=%d left=%d\n", box->most, box->in - box->out);
}

static void run(int burst)
{
    struct outbox box = {.in = 0};

    int pair[2];
    open_full_pair(pair);

    take_turns(&box, pair, burst);
    printf("source: put burst=%d messages=%d\n", burst, box.in);
    draw(&box);
    printf("outbox: sent=%d longest_wait=%d hidden_eagain=%d\n", box.out,
           box.longest, box.hidden);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fprintf(stderr,
                "usage: unbounded_outbox [BURST]\n"
                "  BURST  made in each tenth tick, 1 to %d, instead of two\n",
                BURST_MAX);
        return EXIT_USAGE;
    }
    long long burst = 0;
    char more;
    if (argc > 1 && (sscanf(argv[1], "%lld%c", &burst, &more) != 1 ||
                     burst < 1 || burst > BURST_MAX))
        errx(EXIT_USAGE, "bad BURST '%s': write 1 to %d", argv[1], BURST_MAX);

    if (argc > 1) {
        run((int)burst);
        return EXIT_SUCCESS;
    }
    run(9);  /* nine in ten ticks, and the reader reads ten */
    run(15); /* fifteen, and no queue is long enough */
    return EXIT_SUCCESS;
}
