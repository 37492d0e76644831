/*
 * pace_sender - find the reader's rate, though nobody tells it.
 *
 * A sender that goes as fast as it can is stopped by EAGAIN in each tick. A
 * camera would rather make pictures at a steady rate, but at which one? It
 * can find out: while all goes, a little more in the next tick, and at EAGAIN
 * half of it. Additive increase, multiplicative decrease: the rate goes up
 * and down around the reader's, and follows it when it changes. TCP finds its
 * share of a network in this way.
 *
 * A tick is a turn: we send as many messages as the rate allows, and the
 * reader reads so many, from the middle on another number. The drawing has a
 * column for each tick, as high as the rate.
 *
 *     $ cc pace_sender.c -o pace_sender
 *     $ ./pace_sender
 *          16 |                                       ##        ##        #|
 *          14 |                                     ####      ####      ###|
 *          12 |            #                      ######    ######    #####|
 *          10 |          ###         #          ########  ########  #######|
 *           8 |        #####       ###   #    #############################|
 *           6 |      #########   ##### ###  ###############################|
 *           4 |    ########### ############################################|
 *           2 |  ##########################################################|
 *      EAGAIN |x           x x       x   x             x         x         |
 *     sender: ticks=1-30 reads=6 average=5.7 refused=5
 *     sender: ticks=31-60 reads=12 average=11.9 refused=2
 *     reader: read messages=540 of=540
 *
 * See also: send(2), unix(7), tcp(7).
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "full_socket.h"

#define TICKS 60
#define FIRST 6 /* messages that the reader reads in a tick */
#define THEN 12 /* from the middle on */
#define READS_MAX 16
#define STEP 2 /* messages for a line of the drawing */

struct pacer {
    int rate; /* messages that may go in a tick */
    int history[TICKS], sent[TICKS];
    bool refused[TICKS];
};

/* Our turn. What is refused is not lost: it goes in a later tick. */
static void send_at_rate(struct pacer *pacer, int fd, int tick)
{
    pacer->history[tick] = pacer->rate;
    while (pacer->sent[tick] < pacer->rate && !pacer->refused[tick]) {
        if (send_one(fd))
            pacer->sent[tick]++;
        else
            pacer->refused[tick] = true;
    }
    if (!pacer->refused[tick])
        pacer->rate++;
    else if (pacer->rate > 1)
        pacer->rate /= 2;
}

/* The reader's turn: there may be less to read than it would like. */
static int read_some(int fd, int most)
{
    char message;

    for (int i = 0; i < most; i++)
        if (recv(fd, &message, 1, MSG_DONTWAIT) == -1) {
            if (errno != EAGAIN)
                err(EXIT_FAILURE, "recv");
            return i;
        }
    return most;
}

static void draw(const struct pacer *pacer)
{
    int most = 0;
    for (int tick = 0; tick < TICKS; tick++)
        if (most < pacer->history[tick])
            most = pacer->history[tick];

    for (int level = most / STEP * STEP; level > 0; level -= STEP) {
        printf("%7d |", level);
        for (int tick = 0; tick < TICKS; tick++)
            putchar(pacer->history[tick] < level ? ' ' : '#');
        printf("|\n");
    }
    printf(" EAGAIN |");
    for (int tick = 0; tick < TICKS; tick++)
        putchar(pacer->refused[tick] ? 'x' : ' ');
    printf("|\n");
}

static void report(const struct pacer *pacer, int from, int reads)
{
    int sent = 0, refused = 0;

    for (int tick = from; tick < from + TICKS / 2; tick++) {
        sent += pacer->sent[tick];
        refused += pacer->refused[tick];
    }
    printf("sender: ticks=%d-%d reads=%d average=%.1f refused=%d\n", from + 1,
           from + TICKS / 2, reads, sent / (TICKS / 2.0), refused);
}

static int parse_number(const char *text)
{
    long long number;
    char more;

    if (sscanf(text, "%lld%c", &number, &more) != 1 || number < 1 ||
        number > READS_MAX)
        errx(EXIT_USAGE, "bad number '%s': write 1 to %d", text, READS_MAX);
    return (int)number;
}

int main(int argc, char *argv[])
{
    if (argc > 3) {
        fputs("usage: pace_sender [READS [THEN]]\n"
              "  READS  messages that the reader reads in a tick, default 6\n"
              "  THEN   and from the middle on, default 12\n",
              stderr);
        return EXIT_USAGE;
    }
    int first = argc > 1 ? parse_number(argv[1]) : FIRST;
    int then = argc > 2 ? parse_number(argv[2]) : THEN;

    int pair[2];
    open_full_pair(pair);

    struct pacer pacer = {.rate = 1};
    int read = 0;
    for (int tick = 0; tick < TICKS; tick++) {
        send_at_rate(&pacer, pair[0], tick);
        read += read_some(pair[1], tick < TICKS / 2 ? first : then);
    }
    draw(&pacer);
    report(&pacer, 0, first);
    report(&pacer, TICKS / 2, then);
    printf("reader: read messages=%d of=%d\n", read,
           (first + then) * TICKS / 2);
    return EXIT_SUCCESS;
}
