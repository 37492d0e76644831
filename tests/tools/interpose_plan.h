/*
 * Plans: calls that shall fail, clocks that shall be stepped.
 *
 *     KIT_FAULT  [PATH/]CALL:ERRNO[+DELAY][@N|@N-M|@N-]  fails
 *                [PATH/]CALL:short=BYTES[@...]           moves BYTES at most
 *     KIT_CLOCK  realtime:+DURATION[@N]                  or boottime:, or -
 *
 * Several rules are joined by ';'. @N-M strikes from the N-th such call to the
 * M-th, counted in each process. PATH is one process, such as 0.1; without it
 * all are meant but the guardian, which cleans up after them.
 *
 * A clock is stepped from its N-th reading on, and a forked child goes on from
 * its parent's count. An absolute wait on it ends when it shows that time; a
 * step during the wait is not modelled, nor is a timerfd.
 *
 * Part of interpose.c, which includes it.
 */

static struct fault {
    char path[100]; /* of one process, "": of all */
    enum call call;
    int error;
    int64_t delay;
    long most; /* without an error: so many bytes, no more */
    unsigned from, to;
    atomic_uint seen; /* by this process */
} faults[32];
static size_t fault_count;

static struct step {
    const char *name;
    clockid_t clock;
    int64_t ns;
    unsigned from;        /* in force from this reading on */
    atomic_uint readings; /* by this process and, before it, its parent */
} steps[] = {{.name = "realtime:", .clock = CLOCK_REALTIME},
             {.name = "boottime:", .clock = CLOCK_BOOTTIME}};

/* -------------------------------------------------------- Reading them */

static const char *variable, *text, *at; /* its name, value, where we are */

static void need(bool there, const char *why)
{
    if (there)
        return;
    fprintf(stderr, "%s: %s\n    %s\n    %*s^\n", variable, why, text,
            (int)(at - text), "");
    _exit(EXIT_USAGE);
}

static bool take(const char *expected)
{
    size_t length = strlen(expected);
    bool there = strncmp(at, expected, length) == 0;

    at += there ? length : 0;
    return there;
}

/* The whole word: "send" is not the beginning of "sendto". */
static bool take_word(const char *word)
{
    size_t length = strlen(word);
    bool more = isalnum((unsigned char)at[strnlen(at, length)]) ||
                at[strnlen(at, length)] == '_';

    return !more && take(word);
}

static unsigned take_number(void)
{
    char *end;
    unsigned long value = strtoul(at, &end, 10);

    need(isdigit((unsigned char)*at) && value >= 1 && value <= 1000000000,
         "a number from 1 to 1000000000 is needed here");
    at = end;
    return (unsigned)value;
}

static int64_t take_duration(void)
{
    int64_t count = take_number();
    int64_t unit = take("us")                      ? NS_PER_US
                   : take("ms")                    ? NS_PER_MS
                   : take("s")                     ? NS_PER_SEC
                   : count <= 1000000 && take("h") ? 3600 * NS_PER_SEC
                                                   : 0;
    need(unit != 0, "a unit is needed here: h, s, ms or us");
    return count * unit;
}

static void take_fault(void)
{
    need(fault_count < sizeof faults / sizeof faults[0],
         "this is one rule too many");
    struct fault *f = &faults[fault_count++];
    *f = (struct fault){.from = 1, .to = UINT_MAX};

    size_t length = strspn(at, "0123456789.p");
    if (at[length] == '/' && length > 0 && length < sizeof f->path) {
        memcpy(f->path, at, length);
        at += length + 1;
    }
    while (f->call < CALLS &&
           !(calls[f->call].returns != NEVER && take_word(calls[f->call].name)))
        f->call++;
    need(f->call < CALLS, "no call of this name is known that could fail");
    need(take(":"), "':' and an errno, or short=BYTES, are needed here");
    if (strstr(calls[f->call].args, "len=%l2") && take("short=")) {
        f->most = take_number();
    } else {
        for (int e = 1; e < 200 && !f->error; e++)
            if (strerrorname_np(e) && take_word(strerrorname_np(e)))
                f->error = e;
        need(f->error, "no errno of this name is known");
        f->delay = take("+") ? take_duration() : 0;
    }
    if (take("@")) {
        f->from = f->to = take_number();
        if (take("-"))
            f->to = isdigit((unsigned char)*at) ? take_number() : UINT_MAX;
    }
    need(f->from <= f->to, "this range ends before it begins");
}

static void take_step(void)
{
    struct step *step = take(steps[0].name) ? &steps[0] : &steps[1];

    need(step == &steps[0] || take(step->name),
         "'realtime:' or 'boottime:' is needed here");
    bool back = take("-");
    need(back || take("+"), "'+' or '-' is needed here");
    step->ns = take_duration() * (back ? -1 : 1);
    step->from = take("@") ? take_number() : 0;
}

static void read_plan(const char *name, void (*take_rule)(void))
{
    variable = name;
    text = at = getenv(name);
    while (at && *at) {
        take_rule();
        need(!*at || (take(";") && *at),
             "the end, or ';' and one more, is needed here");
    }
}

/* ------------------------------------------------------ Following them */

/* The rule that strikes now. A rule for all spares the guardian's clean-up. */
static const struct fault *fault_for(enum call call)
{
    const struct fault *hit = NULL;
    char name[16] = "";

    for (struct fault *f = faults; f < faults + fault_count; f++) {
        if (f->call != call ||
            (*f->path ? strcmp(f->path, path.bytes) != 0
                      : strcmp(my_name(name), "guardian") == 0))
            continue;
        unsigned seen = atomic_fetch_add(&f->seen, 1) + 1;
        if (!hit && seen >= f->from && seen <= f->to)
            hit = f;
    }
    return hit;
}

static void fail(struct passage *p, const struct fault *fault)
{
    struct timespec until =
        to_timespec(clock_ns(CLOCK_MONOTONIC) + fault->delay);

    while (fault->delay > 0 && KERNEL(SYS_clock_nanosleep, CLOCK_MONOTONIC,
                                      TIMER_ABSTIME, (long)&until) == -1)
        continue;
    p->error = fault->error;
    p->injected = true;
    p->result = calls[p->call].returns == ERROR     ? p->error
                : calls[p->call].returns == POINTER ? 0
                                                    : -1;
}

/* How far is this clock off, after so many more readings of it? */
static int64_t step_of(clockid_t clock, unsigned more)
{
    for (struct step *step = steps; step < steps + 2; step++)
        if (clock == step->clock)
            return atomic_fetch_add(&step->readings, more) + more >= step->from
                       ? step->ns
                       : 0;
    return 0;
}

/* A clock has been read: tell the stepped time. */
static void step_reading(struct passage *p)
{
    bool any_clock = p->call == CALL_clock_gettime;
    clockid_t clock = any_clock ? (clockid_t)p->a[0] : CLOCK_REALTIME;
    long *time = (long *)p->a[any_clock ? 1 : 0];
    int64_t ns = step_of(clock, 1);

    if (ns == 0 || p->error)
        return;
    ns += clock_ns(clock);
    if (p->call == CALL_time)
        p->result = ns / NS_PER_SEC;
    if (time)
        time[0] = ns / NS_PER_SEC;
    if (time && p->call != CALL_time)
        time[1] = ns % NS_PER_SEC / (any_clock ? 1 : NS_PER_US);
}

static void become_child(unsigned number)
{
    my_pid = KERNEL(SYS_getpid);
    extend_path(".%d", number);
    thread = 1;
    threads = 1;
    children = lines = 0;
    for (size_t i = 0; i < fault_count; i++)
        faults[i].seen = 0;
}
