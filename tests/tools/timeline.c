/*
 * timeline.c - draw what the lens saw: who waited, how long, to what end.
 *
 * Reads a trace (KIT_TRACE, see interpose.c) and draws a lane for each process
 * or thread that waited. A wait is a bar with the limit that it was given and
 * its result at the end; dots lead to the moment when the limit would have
 * been over; a bar that ends in > never came back. Sleeps have dashes. A mark
 * is a call that did not wait: * went well, x failed.
 *
 *     $ timeline trace
 *     deadline_probe, 100ms
 *
 *                     0         20ms      40ms      60ms      80ms      100ms
 *                     |         |         |         |         |         |
 *     deadline_probe  [semtimedop 100ms] EINTR..........................|
 *                                      [semtimedop 70ms] EINTR..........|
 *
 * The guardian of guard.h is left out. Exits with 1 and one line on stderr
 * when the trace is empty, cut short or something else.
 */
#define _GNU_SOURCE /* getline(), with -std=c11 too */

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 78    /* of the text, in columns */
#define MAX_ROWS 12 /* of a lane; a fuller one is drawn without words */
#define MAX_LIST 40 /* lines of the list below */
#define EXIT_USAGE 2

#include "timeline_trace.h"

static int left = 6; /* columns that the names take */

/* ------------------------------------------------------------- The layout */

static int column(double ns)
{
    return (int)((ns - start) / (finish - start) * (WIDTH - left - 1));
}

/* Are these calls that did not wait, one like the other? */
static bool alike(const struct item *a, const struct item *b)
{
    return a && a->mark && b->mark && a->failed == b->failed &&
           strcmp(a->call, b->call) == 0 && strcmp(a->given, b->given) == 0 &&
           strcmp(a->failed ? a->result : "", b->failed ? b->result : "") == 0;
}

/* Keep what is worth drawing; one item will do for calls that are alike. */
static void select_items(void)
{
    double brief = (finish - start) / (WIDTH - 20) / 2; /* half a column */
    double last = finish;

    for (struct item *item = items; item < items + item_count; item++) {
        struct lane *lane = item->lane;
        if (item->open) {
            double later = last + (last - start + 1) / 12;
            item->end = lane->died > 0 ? lane->died : later;
            finish = lane->guardian ? finish : later; /* room for the arrow */
            snprintf(item->result, sizeof item->result, "never came back");
        } else if (item->end - item->begin < brief) {
            item->mark = true;
        }
        if (lane->guardian || item->hidden ||
            (item->mark && !item->failed && !is_in(MARKS, item->call)))
            continue;
        item->count = alike(lane->last, item) ? 0 : 1;
        if (item->count)
            lane->last = item;
        else
            lane->last->count++;
    }
}

static void name_lane(struct lane *lane)
{
    bool alone = true;
    const char *thread = strchr(lane->id, ':');

    for (struct lane *other = lanes; other < lanes + lane_count; other++)
        alone &= other == lane || !other->last ||
                 strcmp(other->name, lane->name) != 0;
    int length = strcmp(thread, ":0") == 0 ? (int)(thread - lane->id) : 99;
    snprintf(lane->label, sizeof lane->label, "%s%s%.*s", lane->name,
             alone ? "" : " ", alone ? 0 : length, lane->id);
    if (lane->last && (int)strlen(lane->label) + 2 > left)
        left = (int)strlen(lane->label) + 2;
}

/* Words go into the bar, or behind it, or before it: where there is room. */
static void place(struct item *item)
{
    snprintf(item->label, sizeof item->label, "%s%s%s", item->call,
             item->given[0] ? " " : "", item->given);
    if (item->count > 1)
        snprintf(strchr(item->label, '\0'), 16, " x%d", item->count);
    if (item->mark && !item->failed)
        item->result[0] = '\0';

    int label = (int)strlen(item->label), result = (int)strlen(item->result);
    int both = label + (result ? result + 1 : 0), room = WIDTH - left;
    item->from = item->first = column(item->begin);
    item->to = item->last = item->mark ? item->from : column(item->end);
    item->limit_at = -1;
    if (item->lane->crowded)
        return;

    int inside = item->to - item->from - 1;
    item->label_at = item->from + 1;
    if (inside >= label && item->to + 2 + result <= room) {
        item->result_at = item->to + 2;
        item->last = item->to + 1 + result;
    } else if (inside > both) {
        item->result_at = item->to - result;
    } else if (item->to + 2 + both <= room) {
        item->label_at = item->to + 2;
        item->result_at = item->label_at + label + 1;
        item->last = item->to + 1 + both;
    } else {
        item->first = item->from - 1 - both > 0 ? item->from - 1 - both : 0;
        item->label_at = item->first;
        item->result_at = item->first + label + 1;
    }
    double over = item->begin + item->limit;
    if (item->limit > 0 && !item->mark && over < finish &&
        column(over) > item->last + 1) {
        item->dots_at = item->last + 1;
        item->last = item->limit_at = column(over);
    }
}

/* Each item takes the first row in which it does not touch another. */
static void place_all(struct lane *lane)
{
    int ends[MAX_ROWS + 1];

    for (int row = 0; row <= MAX_ROWS; row++)
        ends[row] = -3;
    lane->rows = 0;
    for (struct item *item = items; item < items + item_count; item++) {
        if (item->lane != lane || item->count == 0)
            continue;
        place(item);
        item->row = 0;
        while (!lane->crowded && item->row < MAX_ROWS &&
               item->first < ends[item->row] + 3)
            item->row++;
        ends[item->row] = item->last;
        lane->rows = item->row >= lane->rows ? item->row + 1 : lane->rows;
    }
    if (lane->rows > MAX_ROWS) {
        lane->crowded = true;
        place_all(lane);
    }
}

/* The distance of ticks: 1, 2 or 5 times a power of ten, 9 columns or more. */
static double tick(void)
{
    double step = 1;

    for (int i = 0; step / (finish - start) * (WIDTH - left - 1) < 9; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    return step;
}

/* ------------------------------------------------------------------- Text */

static void write_words(char *line, int at, const char *words)
{
    for (; *words && at < WIDTH - left; at++)
        line[at] = *words++;
}

static void draw(char *line, const struct item *item)
{
    int length = item->to - item->from;

    memset(line + item->from, is_in(SLEEPS, item->call) ? '-' : '=',
           (size_t)length + 1);
    line[item->from] = length > 0 ? '[' : '|';
    line[item->to] = item->open ? '>' : length > 0 ? ']' : '|';
    if (item->mark)
        line[item->from] = item->failed ? 'x' : '*';
    if (item->lane->crowded)
        return;
    if (item->limit_at != -1) {
        for (int i = item->dots_at; i < item->limit_at; i++)
            line[i] = '.';
        line[item->limit_at] = '|';
    }
    write_words(line, item->label_at, item->label);
    write_words(line, item->result_at, item->result);
}

static void print_line(const char *name, const char *line)
{
    int length = WIDTH - left;

    while (length > 0 && line[length - 1] == ' ')
        length--;
    printf("%-*s%.*s\n", length > 0 ? left : 0, name, length, line);
}

static void print_axis(void)
{
    char times[WIDTH], marks[WIDTH];

    memset(times, ' ', WIDTH);
    memset(marks, ' ', WIDTH);
    for (double t = 0; t <= finish - start; t += tick()) {
        int at = column(start + t);
        int most = WIDTH - left - (int)strlen(duration(t));
        marks[at] = '|';
        write_words(times, at < most ? at : most, duration(t));
    }
    print_line("", times);
    print_line("", marks);
}

static void print_list(void)
{
    int count = 0;

    printf("%8s  %-*s%-24s %8s  %s\n", "at", left, "who", "call", "took",
           "result");
    for (struct item *item = items; item < items + item_count; item++)
        if (item->count > 0 && item->result[0] && count++ < MAX_LIST)
            printf("%8s  %-*s%-24s %8s  %s%s\n", duration(item->begin - start),
                   left, item->lane->label, item->label,
                   item->mark ? "-" : duration(item->end - item->begin),
                   item->result, item->injected ? ", injected" : "");
    if (count == 0)
        puts("       -  no call waited, and none that could wait failed");
    if (count > MAX_LIST)
        printf("... and %d more in the trace\n", count - MAX_LIST);
    if (full)
        printf("The trace is full: what %s did later is not in it.\n", full);
}

static void print_text(void)
{
    char line[WIDTH];

    printf("%s, %s\n\n", lanes[0].name, duration(finish - start));
    print_axis();
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++) {
        for (int row = 0; row < lane->rows; row++) {
            memset(line, ' ', sizeof line);
            for (struct item *item = items; item < items + item_count; item++)
                if (item->lane == lane && item->count && item->row == row)
                    draw(line, item);
            print_line(row == 0 ? lane->label : "", line);
        }
        if (lane->rows > 0)
            puts("");
    }
    print_list();
}

#include "timeline_svg.h"

int main(int argc, char *argv[])
{
    bool drawn = argc > 1 && strcmp(argv[1], "--svg") == 0;

    if (argc != (drawn ? 4 : 2)) {
        fputs("usage: timeline [--svg FILE] TRACE\n", stderr);
        exit(EXIT_USAGE);
    }
    read_trace(argv[argc - 1]);
    select_items();
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++)
        name_lane(lane);
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++)
        place_all(lane);
    if (drawn)
        write_svg(argv[2]);
    print_text();
    if (fflush(stdout) == EOF)
        err(EXIT_FAILURE, "stdout");
    return EXIT_SUCCESS;
}
