/*
 * The same drawing as a picture: the layout is the text's, a column has
 * CELL pixels, but bars begin and end to the pixel. Part of timeline.c.
 */

#define CELL 8.5
#define ROW 22.0
#define TOP 46.0 /* of the first row */
#define MARGIN 14.0

static const char style[] =
    ".paper{fill:#fff;stroke:#d0d7de}text{fill:#1f2328}.time{fill:#57606a}\n"
    ".grid{stroke:#8c959f;stroke-opacity:.35}.over{stroke:#57606a}\n"
    ".result{font-weight:bold}\n"
    ".wait{fill:#cfe3f8;stroke:#3572b0}.failed{fill:#fbe0bd;stroke:#a85f0e}\n"
    ".sleep{fill:none;stroke:#8c959f;stroke-dasharray:5 3}\n"
    ".limit{fill:none;stroke:#57606a;stroke-dasharray:1.5 3}\n"
    "@media(prefers-color-scheme:dark){\n"
    ".paper{fill:#0d1117;stroke:#30363d}text{fill:#e6edf3}.time{fill:#9ea7b3}\n"
    ".wait{fill:#173a5e;stroke:#79b8f3}.failed{fill:#50320d;stroke:#e3a857}\n"
    ".limit,.over{stroke:#9ea7b3}}\n";

static FILE *svg;

static void put_escaped(const char *text)
{
    for (; *text; text++)
        if (*text == '<' || *text == '>' || *text == '&')
            fprintf(svg, "&#%d;", *text);
        else
            fputc(*text, svg);
}

/* Words end at x where they stand before a bar, else they begin there. */
static void put_words(const char *class, double x, double y, bool end,
                      const char *words, const char *result)
{
    fprintf(svg, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"%s>", class, x, y,
            end ? " text-anchor=\"end\"" : "");
    put_escaped(words);
    if (result[0])
        fprintf(svg, "%s<tspan class=\"result\">%s</tspan>",
                words[0] ? " " : "", result);
    fputs("</text>\n", svg);
}

static double column_x(double column)
{
    return MARGIN + (left + column) * CELL;
}

static double time_x(double ns)
{
    return column_x((ns - start) / (finish - start) * (WIDTH - left - 1));
}

static void put_bar(const struct item *item, double y)
{
    double x = time_x(item->begin), end = time_x(item->end);
    const char *class = is_in(SLEEPS, item->call)    ? "sleep"
                        : item->failed || item->open ? "failed"
                                                     : "wait";
    double limit = time_x(item->begin + item->limit);
    end = end < x + 2 ? x + 2 : end;
    if (item->open) /* an arrow: it goes on */
        fprintf(svg,
                "<path class=\"%s\" d=\"M%.1f %.1fH%.1fl7 8l-7 8H%.1fz\"/>\n",
                class, x, y, end, x);
    else
        fprintf(svg,
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                "height=\"16\"/>\n",
                class, x, y, end - x);
    if (item->limit_at != -1)
        fprintf(svg,
                "<path class=\"limit\" d=\"M%.1f %.1fH%.1f\"/>\n"
                "<path class=\"over\" d=\"M%.1f %.1fv16\"/>\n",
                column_x(item->dots_at) + 6, y + 8, limit, limit, y);
}

static void put_item(const struct item *item, double y)
{
    double x = time_x(item->begin);

    if (!item->mark)
        put_bar(item, y);
    else if (item->failed)
        fprintf(svg,
                "<path class=\"failed\" stroke-width=\"2\" "
                "d=\"M%.1f %.1fl8 8m0-8l-8 8\"/>\n",
                x - 4, y + 4);
    else
        fprintf(svg,
                "<circle class=\"wait\" cx=\"%.1f\" cy=\"%.1f\" "
                "r=\"3.5\"/>\n",
                x, y + 8);
    if (item->lane->crowded)
        return;

    bool before = item->label_at < item->from;
    bool joined =
        item->result_at == item->label_at + (int)strlen(item->label) + 1;
    double at = before ? x - 9 : column_x(item->label_at) + 4;
    put_words("", at, y + 12.5, before, item->label,
              joined ? item->result : "");
    if (!joined && item->result[0])
        put_words("", column_x(item->result_at), y + 12.5, false, "",
                  item->result);
}

static void put_description(void)
{
    for (struct item *item = items; item < items + item_count; item++) {
        if (item->count == 0 || !item->result[0])
            continue;
        put_escaped(item->lane->label);
        fprintf(svg, ": %s at %s", item->label, duration(item->begin - start));
        if (!item->mark)
            fprintf(svg, ", took %s", duration(item->end - item->begin));
        fprintf(svg, ": %s.\n", item->result);
    }
}

static void write_svg(const char *file)
{
    double width = WIDTH * CELL + 2 * MARGIN, height = TOP, y = TOP;

    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++)
        height += lane->rows > 0 ? lane->rows * ROW + ROW / 2 : 0;
    svg = fopen(file, "w");
    if (!svg)
        err(EXIT_FAILURE, "%s", file);
    fprintf(svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
            "aria-labelledby=\"title desc\"\n width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\"\n font-size=\"13\" font-family=\""
            "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\">\n"
            "<title id=\"title\">",
            width, height, width, height);
    put_escaped(lanes[0].name);
    fprintf(svg, ": who waited, how long, to what end</title>\n"
                 "<desc id=\"desc\">");
    put_description();
    fprintf(svg, "</desc>\n<style>\n%s</style>\n", style);
    fprintf(svg,
            "<rect class=\"paper\" x=\".5\" y=\".5\" width=\"%.0f\" "
            "height=\"%.0f\" rx=\"6\"/>\n",
            width - 1, height - 1);
    for (double t = 0; t <= finish - start; t += tick()) {
        fprintf(svg, "<path class=\"grid\" d=\"M%.1f 30V%.1f\"/>\n",
                time_x(start + t), height - 8);
        bool last = column(start + t) > WIDTH - left - 6;
        put_words("time", time_x(start + t) + (last ? 4 : -3), 22, last,
                  duration(t), "");
    }
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++) {
        if (lane->rows == 0)
            continue;
        put_words("", MARGIN, y + 12.5, false, lane->label, "");
        for (struct item *item = items; item < items + item_count; item++)
            if (item->lane == lane && item->count > 0)
                put_item(item, y + item->row * ROW);
        y += lane->rows * ROW + ROW / 2;
    }
    fputs("</svg>\n", svg);
    if (fclose(svg) == EOF)
        err(EXIT_FAILURE, "%s", file);
}
