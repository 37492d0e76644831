/*
 * timeline.c - draw what the lens saw: who waited, how long, to what end.
 *
 * Reads a trace (KIT_TRACE, see interpose.c) and draws a lane for each process
 * or thread, and in it a row for each different call. A wait is a bar with the
 * limit that it was given and its result; dots lead from it to the moment when
 * the limit would have been over; a bar that ends in > never came back. Sleeps
 * have dashes. A mark is a call that did not wait: * went well, x failed.
 *
 *     $ timeline trace
 *     deadline_probe, 100ms
 *
 *                     0         20ms      40ms      60ms      80ms      100ms
 *                     |         |         |         |         |         |
 *     deadline_probe  [===============] semtimedop 100ms EINTR..........|
 *                                     [===============] semtimedop 70ms EINTR
 *
 * --svg FILE draws the same as a picture. The guardian of guard.h is left out.
 * A trace that is empty, cut short or something else is an error.
 */
#define _GNU_SOURCE /* getline(), with -std=c11 too */

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline_trace.h"

#define WIDTH 78    /* of the text, in columns */
#define MAX_ROWS 40 /* of a lane */
#define MAX_LIST 40 /* lines below the drawing */
#define CELL 8      /* pixels of the picture for a column */
#define ROW 20      /* and for a row */
#define MARGIN 14
#define EXIT_USAGE 2

/* What is drawn: a wait or a mark, as in the trace, or one of these. */
enum { WORDS = REFUSED + 1, RESULT, TICK, LIMIT };

static const struct {
    char signs[4]; /* the first, those between, the last */
    const char *class;
} looks[] = {
    [WAIT] = {"[=]", "wait"},   [FAILED] = {"[=]", "failed"},
    [OPEN] = {"[=>", "failed"}, [SLEEP] = {"[-]", "sleep"},
    [DONE] = {"*", "wait"},     [REFUSED] = {"x", "failed"},
    [WORDS] = {"", "words"},    [RESULT] = {"", "result"},
    [TICK] = {"|", "tick"},     [LIMIT] = {"..|", "limit"},
};

/* The layout is a list of these. Text and picture print it as it is. */
struct piece {
    int what, row;
    double from, to; /* columns */
    char words[80];
};

static struct piece *pieces;
static size_t piece_count;
static int row_count = 2; /* for the scale */
static int left = 6;      /* columns that the names take */

static void put(int what, int row, double from, double to, const char *words)
{
    pieces = grown(pieces, piece_count, sizeof *pieces);
    struct piece *piece = &pieces[piece_count++];
    *piece = (struct piece){what, row, from, to, ""};
    snprintf(piece->words, sizeof piece->words, "%s", words);
}

/* ------------------------------------------------------------- The layout */

static double column(double ns)
{
    return left + (ns - start) / (finish - start) * (WIDTH - left - 1);
}

/* A bar, or if it took less than half a column, a mark. */
static void choose_shape(struct call *call, double span)
{
    double died = call->lane->died;

    if (call->kind == OPEN) {
        call->end = died > 0 ? died : start + span * 13 / 12; /* an arrow */
        snprintf(call->result, sizeof call->result, "never came back");
    } else if (call->end - call->begin < span / (WIDTH - 20) / 2) {
        call->end = call->begin;
        call->kind = call->kind == FAILED ? REFUSED : DONE;
    } else if (strstr(call->name, "sleep")) {
        call->kind = SLEEP;
    }
    if (call->kind == DONE)
        call->result[0] = '\0';
}

static bool is_worth_drawing(const struct call *call)
{
    static const char marked[] =
        " semop semtimedop send sendto sendmsg recv recvfrom recvmsg flock "
        "lockf kill killpg pthread_kill sem_post sem_wait sem_timedwait "
        "sem_clockwait setitimer alarm timerfd_settime ";

    return !call->hidden && !is_guardian(call->lane) &&
           (call->kind != DONE || is_in(marked, call->name));
}

static void select_calls(void)
{
    double span = finish - start;

    for (struct call *call = calls; call < calls + call_count; call++) {
        choose_shape(call, span);
        call->drawn = is_worth_drawing(call);
        call->lane->drawn |= call->drawn;
        finish = call->drawn && call->end > finish ? call->end : finish;
    }
}

/* By its name, and if others have that too, by its path. */
static void name_lane(struct lane *lane)
{
    size_t path = strcspn(lane->id, ":");
    bool alone = true;

    for (struct lane *other = lanes; other < lanes + lane_count; other++)
        alone &= other == lane || !other->drawn ||
                 strcmp(other->name, lane->name) != 0;
    if (strcmp(lane->id + path, ":0") != 0)
        path = strlen(lane->id); /* a second thread */
    snprintf(lane->label, sizeof lane->label, "%s%s%.*s", lane->name,
             alone ? "" : " ", alone ? 0 : (int)path, lane->id);
    if (lane->drawn && (int)strlen(lane->label) + 2 > left)
        left = (int)strlen(lane->label) + 2;
}

/* The distance of ticks: 1, 2 or 5 times a power of ten, 9 columns or more. */
static void put_scale(void)
{
    double step = 1;

    for (int i = 0; column(start + step) < left + 9; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    for (double t = 0; t <= finish - start; t += step) {
        double at = column(start + t);
        double most = WIDTH - (double)strlen(duration(t).text);
        at = at < most ? at : most;
        put(WORDS, 0, at, at, duration(t).text);
    }
    for (double t = start; t <= finish; t += step)
        put(TICK, 1, column(t), column(t), "");
}

/* May they share a row, and is there room for their words beside them? */
static bool are_alike(const struct call *first, const struct call *call)
{
    double words = (double)(strlen(call->label) + strlen(call->result)) + 12;

    return first->kind == call->kind &&
           strcmp(first->label, call->label) == 0 &&
           strcmp(first->result, call->result) == 0 &&
           (column(call->end) + words <= WIDTH ||
            column(first->begin) - words >= left);
}

static void join_calls(void)
{
    for (struct call *call = calls; call < calls + call_count; call++) {
        struct call *first = call->lane->last;
        if (!call->drawn)
            continue;
        while (first && !are_alike(first, call))
            first = first->before;
        if (!first) {
            first = call;
            call->before = call->lane->last;
            call->lane->last = call;
            call->lane->rows++;
        }
        call->first = first;
        first->count++;
        first->took += call->end - call->begin;
        first->until = call->end;
    }
    for (struct call *call = calls; call < calls + call_count; call++)
        if (call->count > 1)
            snprintf(strchr(call->label, '\0'), 16, " x%d", call->count);
}

/* The words stand in the bar and behind it, or if there is no room, before it. */
static void put_words(const struct call *call)
{
    double label = (double)strlen(call->label);
    double result = (double)strlen(call->result);
    double words = label + (result > 0) + result;
    double from = column(call->begin), to = column(call->until);
    double room = call->count == 1 ? to - from : 0;
    double label_at = room > label + 1 ? from + 1 : to + 2;
    double result_at = label_at < to ? to + 2 : label_at + label + 1;
    double dots = result_at + result, over = column(call->begin + call->limit);

    if (dots > WIDTH) {
        double before = from - 1 - words > left ? from - 1 - words : left;
        label_at = room > words ? from + 1 : before;
        result_at = room > words ? to - result : before + label + 1;
        dots = to + 1;
    }
    put(WORDS, call->row, label_at, label_at, call->label);
    if (result > 0)
        put(RESULT, call->row, result_at, result_at, call->result);
    if (call->limit > 0 && room > 0 && over > dots && over < WIDTH)
        put(LIMIT, call->row, dots, over, "");
}

/* If a lane would have too many rows, it gets one, without words. */
static void put_lane(const struct lane *lane)
{
    bool crowded = lane->rows > MAX_ROWS;

    put(WORDS, row_count, 0, 0, lane->label);
    for (struct call *call = calls; call < calls + call_count; call++) {
        if (call->lane != lane || !call->drawn)
            continue;
        if (call->first == call)
            call->row = row_count;
        put((int)call->kind, call->first->row, column(call->begin),
            column(call->end), "");
        if (call->first == call && !crowded) {
            put_words(call);
            row_count++;
        }
    }
    row_count += crowded ? 2 : 1;
}

static void lay_out(void)
{
    select_calls();
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++)
        name_lane(lane);
    join_calls();
    put_scale();
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++)
        if (lane->drawn)
            put_lane(lane);
}

/* ------------------------------------------------------------------- Text */

static void print_row(int row)
{
    char line[WIDTH + sizeof pieces->words];
    int length = WIDTH;

    memset(line, ' ', sizeof line);
    for (size_t i = 0; i < piece_count; i++) {
        if (pieces[i].row != row)
            continue;
        const char *signs = looks[pieces[i].what].signs;
        int from = (int)pieces[i].from, to = (int)pieces[i].to;
        for (int at = from + 1; at <= to; at++)
            line[at] = at < to ? signs[1] : signs[2];
        if (signs[0])
            line[from] = signs[0];
        memcpy(line + from, pieces[i].words, strlen(pieces[i].words));
    }
    while (length > 0 && line[length - 1] == ' ')
        length--;
    printf("%.*s\n", length, line);
}

static void print_list(FILE *out)
{
    int count = 0;

    fprintf(out, "%8s  %-*s%-24s %8s  %s\n", "at", left, "who", "call", "took",
            "result");
    for (struct call *call = calls; call < calls + call_count; call++)
        if (call->first == call && call->result[0] && count++ < MAX_LIST) {
            const char *injected = call->injected ? ", injected" : "";
            int room = WIDTH - 21 - left -
                       (int)(strlen(call->result) + strlen(injected));
            fprintf(out, "%8s  %-*s%-24.*s %8s  %s%s\n",
                    duration(call->begin - start).text, left, call->lane->label,
                    room > 24 ? room : 24, call->label,
                    call->took > 0 ? duration(call->took).text : "-",
                    call->result, injected);
        }
    if (count == 0)
        fputs("       -  no call waited, and none failed\n", out);
    if (count > MAX_LIST)
        fprintf(out, "... and %d more in the trace\n", count - MAX_LIST);
    if (full)
        fputs("The trace is full: what came later is not in it.\n", out);
}

/* ---------------------------------------------------------------- Picture */

static const char head[] =
    "<style>\n"
    "text{fill:#1f2328}.result{font-weight:bold}.paper{fill:#fff}\n"
    "path{fill:none;stroke:#8c959f}.tick{stroke-opacity:.35}\n"
    ".wait{fill:#cfe3f8;stroke:#3572b0}.failed{fill:#fbe0bd;stroke:#a85f0e}\n"
    ".sleep{stroke-dasharray:5 3}.limit{stroke-dasharray:2 3}\n"
    "@media(prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}.paper{fill:#0d1117}\n"
    ".wait{fill:#173a5e;stroke:#79b8f3}.failed{fill:#50320d;stroke:#e3a857}}\n"
    "</style>\n"
    "<rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n";

static void draw(FILE *svg, const struct piece *piece)
{
    double x = MARGIN + piece->from * CELL, y = MARGIN + piece->row * ROW;
    double wide = (piece->to - piece->from) * CELL;
    const char *class = looks[piece->what].class;

    if (piece->what == WORDS || piece->what == RESULT) {
        fprintf(svg, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                class, x - 2, y + 12, piece->words);
        return;
    }
    fprintf(svg, "<path class=\"%s\" d=\"M%.1f %.1f", class, x, y);
    if (piece->what == TICK)
        fprintf(svg, "V%d", MARGIN + (row_count - 1) * ROW);
    else if (piece->what == LIMIT)
        fprintf(svg, "m0 8h%.1fm0-8v16", wide);
    else if (piece->what == DONE)
        fprintf(svg, "m0 4l4 4-4 4-4-4z");
    else if (piece->what == REFUSED)
        fprintf(svg, "m-4 4l8 8m0-8l-8 8");
    else if (piece->what == OPEN)
        fprintf(svg, "h%.1fl7 8-7 8h-%.1fz", wide, wide);
    else
        fprintf(svg, "h%.1fv16h-%.1fz", wide, wide);
    fputs("\"/>\n", svg);
}

static void write_svg(const char *file)
{
    FILE *svg = fopen(file, "w");

    if (!svg)
        err(EXIT_FAILURE, "%s", file);
    fprintf(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
        "aria-labelledby=\"title desc\"\n"
        " width=\"%d\" height=\"%d\" font-size=\"13\" font-family=\""
        "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\">\n"
        "<title id=\"title\">%s: who waited, how long, to what end</title>\n"
        "<desc id=\"desc\">\n",
        WIDTH * CELL + 2 * MARGIN, row_count * ROW + MARGIN, lanes[0].name);
    print_list(svg);
    fprintf(svg, "</desc>\n%s", head);
    for (size_t i = 0; i < piece_count; i++)
        draw(svg, &pieces[i]);
    fputs("</svg>\n", svg);
    if (fclose(svg) == EOF)
        err(EXIT_FAILURE, "%s", file);
}

int main(int argc, char *argv[])
{
    bool drawn = argc > 1 && strcmp(argv[1], "--svg") == 0;

    if (argc != (drawn ? 4 : 2)) {
        fputs("usage: timeline [--svg FILE] TRACE\n", stderr);
        return EXIT_USAGE;
    }
    read_trace(argv[argc - 1]);
    lay_out();
    if (drawn)
        write_svg(argv[2]);
    printf("%s, %s\n\n", lanes[0].name, duration(finish - start).text);
    for (int row = 0; row < row_count; row++)
        print_row(row);
    print_list(stdout);
    if (fflush(stdout) == EOF)
        err(EXIT_FAILURE, "stdout");
    return EXIT_SUCCESS;
}
