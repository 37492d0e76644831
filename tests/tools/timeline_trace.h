/*
 * A trace of the lens, read into lanes and items. Part of timeline.c, which
 * includes it. The format is told in interpose.c.
 */

/* Their number is the answer; they sleep; at once, they are worth a mark. */
#define COUNTS                                                                 \
    " send sendto sendmsg write writev recv recvfrom recvmsg read readv poll " \
    "ppoll select pselect epoll_wait epoll_pwait "
#define SLEEPS " nanosleep clock_nanosleep usleep sleep "
#define MARKS                                                                  \
    " semop semtimedop send sendto sendmsg recv recvfrom recvmsg flock lockf " \
    "kill killpg pthread_kill sem_post sem_wait sem_timedwait sem_clockwait "  \
    "setitimer alarm timerfd_settime "

struct lane {
    char id[128]; /* 0.1:2, as in the trace */
    char name[32], label[48];
    long pid;
    double died; /* ns, 0: not seen */
    bool guardian, crowded;
    int rows;          /* 0: nothing to draw */
    struct item *last; /* that is drawn in it */
};

struct item { /* a wait, or some calls alike that did not wait */
    struct lane *lane;
    unsigned number;
    double begin, end, limit; /* ns; no limit: -1 */
    bool mark, open, failed, injected, hidden;
    int count; /* 0: not drawn */
    char call[32], given[32], result[32], label[80];
    /* Columns, -1: none. First and last are those of all that it needs. */
    int row, from, to, label_at, result_at, dots_at, limit_at, first, last;
};

static struct lane lanes[512];
static struct item *items;
static size_t lane_count, item_count;
static double start, finish; /* ns */
static const char *full;     /* a lane whose trace stopped too early */

static bool is_in(const char *list, const char *word)
{
    char padded[64];

    snprintf(padded, sizeof padded, " %s ", word);
    return strstr(list, padded) != NULL;
}

/* 69987654 is "70ms": three digits are enough here. */
static const char *duration(double ns)
{
    static char texts[4][32];
    static int turn;
    char *text = texts[turn++ % 4];
    double size = ns < 0 ? -ns : ns;

    if (size >= 999.5e6)
        snprintf(text, 32, size < 999.5e9 ? "%.3gs" : "%.0fs", ns / 1e9);
    else if (size >= 999.5e3)
        snprintf(text, 32, "%.3gms", ns / 1e6);
    else if (size >= 999.5)
        snprintf(text, 32, "%.3gus", ns / 1e3);
    else
        snprintf(text, 32, ns == 0 ? "0" : "%.3gns", ns);
    return text;
}

/* ------------------------------------------------------ Reading the trace */

/* Find KEY=value among the arguments. */
static bool find(const char *args, const char *key, char value[32])
{
    char wanted[32];

    snprintf(wanted, sizeof wanted, " %s=", key);
    const char *found = strstr(args, wanted);
    value[0] = '\0';
    return found && sscanf(found + strlen(wanted), "%31s", value) == 1;
}

static double to_ns(const char *text)
{
    char unit[4];
    double value;

    if (sscanf(text, "%lf%3s", &value, unit) != 2)
        return -1;
    return value * (strcmp(unit, "s") == 0    ? 1e9
                    : strcmp(unit, "ms") == 0 ? 1e6
                    : strcmp(unit, "us") == 0 ? 1e3
                                              : 1);
}

static struct lane *lane_of(const char *id)
{
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++)
        if (strcmp(lane->id, id) == 0)
            return lane;
    if (lane_count == sizeof lanes / sizeof lanes[0])
        errx(EXIT_FAILURE, "more than %zu lanes are too many", lane_count);
    snprintf(lanes[lane_count].id, sizeof lanes[0].id, "%s", id);
    return &lanes[lane_count++];
}

static struct item *new_item(struct lane *lane, const char *call, double now)
{
    if ((item_count & (item_count - 1)) == 0) { /* full: double it */
        size_t room = item_count ? 2 * item_count : 1;
        items = realloc(items, room * sizeof *items);
        if (!items)
            err(EXIT_FAILURE, "realloc");
    }
    struct item *item = &items[item_count++];
    *item = (struct item){.lane = lane, .begin = now, .limit = -1};
    snprintf(item->call, sizeof item->call, "%s", call);
    return item;
}

/* "... = -1 EAGAIN injected": how it ended. */
static void read_result(struct item *item, const char *args, double now)
{
    char value[32] = "", error[32] = "";
    const char *result = strstr(args, " = ");

    sscanf(result ? result : "", " = %31s %31s", value, error);
    item->end = now;
    item->open = false;
    item->failed = error[0] == 'E';
    item->injected = strstr(args, " injected") != NULL;
    snprintf(item->result, sizeof item->result, "%s",
             item->failed                ? error
             : is_in(COUNTS, item->call) ? value
                                         : "ok");
}

/*
 * A child was born, or it was collected: its open bars end there. Was it a
 * guardian's? Then its parent's wait for it is no part of the story either.
 */
static bool follow_family(const char *call, const char *args, double now)
{
    char child[32], id[40];
    bool guardian = false;
    const char *result = strstr(args, " = ");
    long pid = result ? atol(result + 3) : 0;

    if (find(args, "child", child)) {
        snprintf(id, sizeof id, "%s:0", child);
        lane_of(id)->pid = pid;
    }
    for (struct lane *lane = lanes; lane < lanes + lane_count; lane++) {
        if (strncmp(call, "wait", 4) != 0 || pid <= 0 || lane->pid != pid)
            continue;
        lane->died = now;
        guardian |= lane->guardian;
    }
    return guardian;
}

static void read_event(struct lane *lane, unsigned number, bool end,
                       const char *call, const char *args, double now)
{
    char given[32];
    bool may_wait = find(args, "limit", given) && strcmp(given, "nowait") != 0;
    struct item *item = NULL;

    if (!end) {
        item = new_item(lane, call, now);
        item->number = number;
        item->open = strncmp(call, "exec", 4) != 0; /* its end is no event */
        item->limit = to_ns(given);
        snprintf(item->given, sizeof item->given, "%s",
                 strlen(given) > 6 && item->limit >= 0 ? duration(item->limit)
                                                       : given);
        return;
    }
    bool hidden = follow_family(call, args, now);
    for (size_t i = may_wait ? item_count : 0; i-- > 0 && !item;)
        if (items[i].open && items[i].lane == lane && items[i].number == number)
            item = &items[i];
    if (!item && (given[0] || is_in(MARKS, call))) {
        item = new_item(lane, call, now);
        item->mark = true;
        if (find(args, "ops", given) || find(args, "sig", given) ||
            find(args, "after", given))
            snprintf(item->given, sizeof item->given, "%s", given);
    }
    if (item)
        read_result(item, args, now);
    if (item)
        item->hidden = hidden;
}

static void read_line(const char *file, int line_number, const char *line)
{
    char id[128], name[32], event[8], call[32];
    unsigned number;
    long pid;
    double now;
    int used = 0;

    if (sscanf(line, "kit-trace 1 %lf %120s pid=%ld %31s", &now, id, &pid,
               name) == 4) {
        struct lane *lane = lane_of(strcat(id, ":0"));
        if (lane == &lanes[0] && lane->pid && lane->pid != pid)
            errx(EXIT_FAILURE,
                 "%s: line %d begins a second run: give each its own file",
                 file, line_number);
        lane->pid = pid;
        snprintf(lane->name, sizeof lane->name, "%s", name);
        start = line_number == 1 ? now : start;
    } else if (line_number == 1) {
        errx(EXIT_FAILURE, "%s: not a trace of the lens", file);
    } else if (sscanf(line, "%lf %127s %31s %u %7s %31s%n", &now, id, name,
                      &number, event, call, &used) == 6) {
        struct lane *lane = lane_of(id);
        snprintf(lane->name, sizeof lane->name, "%s", name);
        lane->guardian |= strcmp(name, "guardian") == 0;
        read_event(lane, number, event[0] == 'e', call, line + used, now);
        full = strstr(line + used, " full\n") ? lane->name : full;
    } else {
        errx(EXIT_FAILURE, "%s: line %d is not of the lens", file, line_number);
    }
    finish = now > finish ? now : finish;
}

static void read_trace(const char *file)
{
    FILE *trace = fopen(file, "r");
    char *line = NULL;
    size_t size = 0;
    int number = 0;

    if (!trace)
        err(EXIT_FAILURE, "%s", file);
    for (ssize_t n; (n = getline(&line, &size, trace)) > 0;) {
        if (line[n - 1] == '\n')
            read_line(file, ++number, line);
        else if (strncmp(line, "kit-trace 1 ", 12) == 0 || number > 0)
            errx(EXIT_FAILURE, "%s: cut short in line %d", file, number + 1);
        else
            errx(EXIT_FAILURE, "%s: not a trace of the lens", file);
    }
    if (ferror(trace))
        err(EXIT_FAILURE, "%s", file);
    if (number == 0)
        errx(EXIT_FAILURE, "%s: empty, nothing was traced", file);
    finish += finish == start ? 1 : 0;
    fclose(trace);
    free(line);
}
