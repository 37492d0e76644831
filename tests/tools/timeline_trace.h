/*
 * A trace of the lens, read into lanes and their calls; interpose.c tells what
 * stands in one. Part of timeline.c, which includes it.
 */

/* A process, or a thread. Times are in ns, here and everywhere. */
struct lane {
    char id[128]; /* 0.1:2, as in the trace */
    char name[32], label[48];
    long pid;    /* 0: not known */
    double died; /* when its parent collected it; 0: not seen */
    bool drawn;
    int rows;
    struct call *last; /* the first call in the last row */
};

struct call {
    struct lane *lane;
    unsigned number;          /* joins its begin and its end */
    double begin, end, limit; /* no limit: -1 */
    enum kind { WAIT, FAILED, OPEN, SLEEP, DONE, REFUSED } kind;
    bool injected; /* it did not fail by itself */
    bool hidden;   /* a wait for the guardian */
    bool drawn;
    char name[32], label[80], result[32];

    struct call *first; /* of those that share its row; and if it is that: */
    int row, count;
    double took, until;  /* all of them, and the end of the last */
    struct call *before; /* the first call in the row before */
};

static struct lane lanes[512];
static struct call *calls;
static size_t lane_count, call_count;
static double start, finish;
static bool full; /* the lens has stopped writing too early */

static bool is_in(const char *list, const char *word)
{
    char padded[64];

    snprintf(padded, sizeof padded, " %s ", word);
    return strstr(list, padded) != NULL;
}

/* Find a " key=" among the arguments, and the word behind it. */
static bool find(const char *args, const char *key, char value[32])
{
    const char *found = strstr(args, key);

    return found && sscanf(found + strlen(key), "%31s", value) == 1;
}

/* "50ms" in ns. What is no duration, such as "none", is -1. */
static double to_ns(const char *text)
{
    char *unit;
    double value = strtod(text, &unit);

    return unit == text   ? -1
           : *unit == 's' ? value * 1e9
           : *unit == 'm' ? value * 1e6
           : *unit == 'u' ? value * 1e3
                          : value;
}

/* 69987654 is "70ms": three digits are enough here. */
static struct duration {
    char text[16];
} duration(double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    struct duration said = {"0"};
    int unit = 0;

    for (; unit < 3 && ns >= 999.5; ns /= 1000)
        unit++;
    if (unit == 3 && ns > 1e8) /* more than three years */
        snprintf(said.text, sizeof said.text, "%.0fy", ns / (365.25 * 86400));
    else if (ns > 0)
        snprintf(said.text, sizeof said.text, ns < 999.5 ? "%.3g%s" : "%.0f%s",
                 ns, units[unit]);
    return said;
}

/* An array with room for one more: it doubles when it is full. */
static void *grown(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    array = realloc(array, (count ? 2 * count : 1) * size);
    if (!array)
        err(EXIT_FAILURE, "realloc");
    return array;
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

static bool is_guardian(const struct lane *lane)
{
    return strcmp(lane->name, "guardian") == 0;
}

/* A call begins, or ends without having begun, for it could not wait. */
static struct call *new_call(const char *name, const char *args)
{
    char told[32] = "";

    calls = grown(calls, call_count, sizeof *calls);
    struct call *call = &calls[call_count++];
    *call = (struct call){.limit = -1, .kind = OPEN};
    if (!find(args, " ops=", told) && !find(args, " sig=", told))
        find(args, " after=", told);
    if (!strstr(args, " = ") && find(args, " limit=", told))
        call->limit = to_ns(told);
    if (told[0] == '-')
        strcpy(told, "past"); /* a point in time that has passed */
    snprintf(call->name, sizeof call->name, "%s", name);
    snprintf(call->label, sizeof call->label, "%s%s%s", name,
             told[0] ? " " : "",
             call->limit < 0 ? told : duration(call->limit).text);
    return call;
}

/* RESULT is "0", "-1 EAGAIN", "-1 EINTR injected" or "10 injected". */
static void end_call(struct call *call, const char *result)
{
    static const char counting[] =
        " send sendto sendmsg write writev recv recvfrom recvmsg read readv "
        "poll ppoll select pselect epoll_wait epoll_pwait ";
    const char *error = strstr(result, " E");
    const char *told = error                         ? error + 1
                       : is_in(counting, call->name) ? result
                                                     : "ok";

    call->kind = error ? FAILED : WAIT;
    call->injected = strstr(result, " injected") != NULL;
    sscanf(told, "%31s", call->result);
    if (strncmp(call->name, "wait", 4) != 0)
        return;
    for (struct lane *child = lanes; child < lanes + lane_count; child++)
        if (child->pid != 0 && child->pid == atol(result)) {
            child->died = call->end;
            call->hidden |= is_guardian(child);
        }
}

/* NAME and ARGS: "semtimedop", " set=3 ops=0/-1 limit=50ms = -1 EAGAIN" */
static void read_call(struct lane *lane, unsigned number, double now,
                      const char *name, const char *args)
{
    const char *result = strstr(args, " = ");
    struct call *call = NULL;
    char value[40];
    bool waits = find(args, " limit=", value) && strcmp(value, "nowait") != 0;

    if (!result && strncmp(name, "exec", 4) == 0)
        return; /* a good one has no end */
    for (size_t i = result && waits ? call_count : 0; i-- > 0 && !call;)
        if (calls[i].kind == OPEN && calls[i].lane == lane &&
            calls[i].number == number)
            call = &calls[i];
    if (!call) {
        call = new_call(name, args);
        call->lane = lane;
        call->number = number;
        call->begin = now;
    }
    call->end = now;
    if (result)
        end_call(call, result + 3);
    if (find(args, " child=", value))
        lane_of(strcat(value, ":0"))->pid = atol(result + 3);
}

static void read_line(const char *file, int number, const char *line)
{
    char id[128], name[32], call[32];
    unsigned call_number;
    long pid;
    double now;
    int used = 0;
    bool begins = sscanf(line, "kit-trace 1 %lf %120s pid=%ld %31s", &now, id,
                         &pid, name) == 4;

    if (!begins && sscanf(line, "%lf %127s %31s %u %*s %31s%n", &now, id, name,
                          &call_number, call, &used) != 5)
        errx(EXIT_FAILURE, "%s: line %d is not of the lens", file, number);
    struct lane *lane = lane_of(begins ? strcat(id, ":0") : id);
    if (begins && lane == lanes && lane->pid && lane->pid != pid)
        errx(EXIT_FAILURE,
             "%s: line %d begins a second run: give each its own file", file,
             number);
    snprintf(lane->name, sizeof lane->name, "%s", name);
    if (begins)
        lane->pid = pid;
    else
        read_call(lane, call_number, now, call, line + used);
    start = number == 1 ? now : start;
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
        if (++number == 1 && strncmp(line, "kit-trace 1 ", 12) != 0)
            errx(EXIT_FAILURE, "%s: not a trace of the lens", file);
        if (line[n - 1] != '\n')
            errx(EXIT_FAILURE, "%s: cut short in line %d", file, number);
        line[n - 1] = '\0';
        for (char *c = line; (c = strpbrk(c, "<>&"));)
            *c = '_'; /* they would spoil a picture */
        full |= n > 6 && strcmp(line + n - 6, " full") == 0;
        read_line(file, number, line);
    }
    if (ferror(trace))
        err(EXIT_FAILURE, "%s", file);
    if (number == 0)
        errx(EXIT_FAILURE, "%s: empty, nothing was traced", file);
    finish += finish == start ? 1 : 0;
    fclose(trace);
    free(line);
}
