/*
 * watermarks - stop the source at a high mark, start it again at a low one.
 *
 * What the socket does not take waits in an outbox of our own. It needs a
 * bound, so the source has to pause when it is full, and to go on later.
 * With one mark for both the outbox is full again right after the source
 * goes on, and it is stopped and started all the time. With a gap between
 * two marks it is left alone while the outbox empties, and while it fills.
 *
 * A tick is a turn: the source makes two messages unless it is paused, we
 * send what the socket takes, and the reader, who is slow, reads one. The
 * drawing has a column for each tick, as high as the outbox is full.
 *
 *     $ cc watermarks.c -o watermarks
 *     $ ./watermarks 2
 *     source: paused times=6 high=8 low=2
 *      high 8 |     #         #         #         #         #         #    |
 *           7 |    ###       ###       ###       ###       ###       ###   |
 *           6 |   #####     #####     #####     #####     #####     #####  |
 *           5 |  #######   #######   #######   #######   #######   ####### |
 *           4 | ######### ######### ######### ######### ######### #########|
 *           3 | ###########################################################|
 *       low 2 |############################################################|
 *           1 |############################################################|
 *     outbox: most=8 least=2 sent=59
 *
 * See also: send(2), unix(7).
 */
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "full_socket.h"

#define HIGH 8
#define LOW 2
#define TICKS 60
#define RATE 2 /* messages that the source makes in a tick */

/* Our side of the socket. How many messages wait is all that counts here. */
struct outbox {
    int low;
    int waiting;
    bool paused;     /* the source is */
    int pauses;      /* how often it had to stop */
    int least, most; /* that waited when it went on, and at all */
    int sent;
    int history[TICKS]; /* how many waited, tick by tick */
};

/* The source's turn: nothing at the high mark, nor before the low one. */
static void make_messages(struct outbox *box)
{
    if (box->paused && box->waiting <= box->low) {
        box->paused = false;
        if (box->least > box->waiting)
            box->least = box->waiting;
    }
    for (int i = 0; i < RATE && !box->paused; i++) {
        box->waiting++;
        if (box->most < box->waiting)
            box->most = box->waiting;
        if (box->waiting == HIGH) {
            box->paused = true;
            box->pauses++;
        }
    }
}

static void draw(const struct outbox *box)
{
    for (int level = HIGH; level > 0; level--) {
        const char *mark = level == box->low ? "low" : "";
        printf("%5s %d |", level == HIGH ? "high" : mark, level);
        for (int tick = 0; tick < TICKS; tick++)
            putchar(box->history[tick] < level ? ' ' : '#');
        printf("|\n");
    }
}

static void run(int low)
{
    struct outbox box = {.low = low, .least = HIGH};

    int pair[2];
    open_full_pair(pair);

    for (int tick = 0; tick < TICKS; tick++) {
        make_messages(&box);
        box.history[tick] = box.waiting;
        for (; box.waiting > 0 && send_one(pair[0]); box.waiting--)
            box.sent++;
        read_one(pair[1]);
    }
    printf("source: paused times=%d high=%d low=%d\n", box.pauses, HIGH, low);
    draw(&box);
    printf("outbox: most=%d least=%d sent=%d\n", box.most, box.least, box.sent);
    close(pair[0]);
    close(pair[1]);
}

static _Noreturn void usage(void)
{
    fputs("usage: watermarks [LOW]\n"
          "  LOW  the low mark, 0 to 7, instead of 7 and then 2\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();
    if (argc == 1) {
        run(HIGH - 1); /* on again as soon as it is below the high mark */
        run(LOW);
        return EXIT_SUCCESS;
    }

    const char *low = argv[1];
    if (!isdigit((unsigned char)low[0]) || low[0] - '0' >= HIGH || low[1])
        errx(EXIT_USAGE, "bad LOW '%s': write 0 to %d", low, HIGH - 1);
    run(low[0] - '0');
    return EXIT_SUCCESS;
}
