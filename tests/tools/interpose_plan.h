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
    const char *path; /* not ended by '\0' */
    size_t path_length;
    enum call call;
    int error;
    int64_t delay;
    long most; /* without an error: so many bytes, no more */
    unsigned from, to;
    atomic_uint seen; /* by this process */
} faults[32];
static size_t fault_count;

static struct step {
    clockid_t clock;
    int64_t ns;
    unsigned from;        /* in force from this reading on */
    atomic_uint readings; /* by this process and, before it, its parent */
} steps[] = {{CLOCK_REALTIME, 0, 0, 0}, {CLOCK_BOOTTIME, 0, 0, 0}};

/* -------------------------------------------------------- Reading them */

static const char *variable, *text, *at; /* its name, value, where we are */

static _Noreturn void malformed(const char *why)
{
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

static bool take_word(const char *word)
{
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz_"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    return length == strlen(word) && take(word);
}

static unsigned take_number(void)
{
    char *end;
    unsigned long value = strtoul(at, &end, 10);

    if (!isdigit((unsigned char)*at) || value < 1 || value > 1000000000)
        malformed("a number from 1 to 1000000000 is needed here");
    at = end;
    return (unsigned)value;
}

static int64_t take_duration(void)
{
    int64_t count = take_number();

    if (take("us"))
        return count * NS_PER_US;
    if (take("ms"))
        return count * NS_PER_MS;
    if (take("s"))
        return count * NS_PER_SEC;
    if (count <= 1000000 && take("h"))
        return count * 3600 * NS_PER_SEC;
    malformed("a unit is needed here: h, s, ms or us");
}

static enum call take_call(void)
{
    for (int call = 0; call < CALLS; call++)
        if (calls[call].returns != NEVER && take_word(calls[call].name))
            return (enum call)call;
    malformed("no call of this name is known that could fail");
}

static int take_errno(void)
{
    for (int error = 1; error < 200; error++)
        if (strerrorname_np(error) && take_word(strerrorname_np(error)))
            return error;
    malformed("no errno of this name is known");
}

static void take_fault(void)
{
    struct fault *f = &faults[fault_count];

    if (fault_count++ == sizeof faults / sizeof faults[0])
        malformed("this is one rule too many");
    f->path_length = strspn(at, "0123456789.p");
    if (f->path_length > 0 && at[f->path_length] == '/') {
        f->path = at;
        at += f->path_length + 1;
    }
    f->call = take_call();
    if (!take(":"))
        malformed("':' and an errno, or short=BYTES, are needed here");
    if (strstr(calls[f->call].args, "len=%l2") && take("short=")) {
        f->most = take_number();
    } else {
        f->error = take_errno();
        f->delay = take("+") ? take_duration() : 0;
    }
    f->from = 1;
    f->to = UINT_MAX;
    if (take("@")) {
        f->from = f->to = take_number();
        if (take("-"))
            f->to = isdigit((unsigned char)*at) ? take_number() : UINT_MAX;
    }
    if (f->to < f->from)
        malformed("this range ends before it begins");
}

static void take_step(void)
{
    struct step *step = take("realtime:")   ? &steps[0]
                        : take("boottime:") ? &steps[1]
                                            : NULL;
    if (!step)
        malformed("'realtime:' or 'boottime:' is needed here");
    bool back = take("-");
    if (!back && !take("+"))
        malformed("'+' or '-' is needed here");
    step->ns = take_duration() * (back ? -1 : 1);
    step->from = take("@") ? take_number() : 0;
}

static void read_plan(const char *name, void (*take_rule)(void))
{
    variable = name;
    text = at = getenv(name);
    while (at && *at) {
        take_rule();
        if (*at && (!take(";") || *at == '\0'))
            malformed("the end, or ';' and one more, is needed here");
    }
}

/* ------------------------------------------------------ Following them */

/* The rule that strikes now. A rule for all spares the guardian's clean-up. */
static const struct fault *fault_for(enum call call)
{
    const struct fault *hit = NULL;
    char name[16] = "";

    for (struct fault *f = faults; f < faults + fault_count; f++) {
        if (f->call != call)
            continue;
        kernel(SYS_prctl, PR_GET_NAME, (long)name, 0, 0);
        if (f->path ? self.used - strlen(SELF) != f->path_length ||
                          memcmp(self.bytes + strlen(SELF), f->path,
                                 f->path_length) != 0
                    : strcmp(name, "guardian") == 0)
            continue;
        unsigned seen = atomic_fetch_add(&f->seen, 1) + 1;
        if (!hit && seen >= f->from && seen <= f->to)
            hit = f;
    }
    return hit;
}

static void fail(struct passage *p, const struct fault *fault)
{
    int64_t ns = clock_ns(CLOCK_MONOTONIC) + fault->delay;
    struct timespec until = {ns / NS_PER_SEC, ns % NS_PER_SEC};

    while (fault->delay > 0 &&
           real[CALL_clock_nanosleep](CLOCK_MONOTONIC, TIMER_ABSTIME,
                                      (long)&until, 0, 0, 0, 0) == EINTR)
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

/*
 * Is the limit a point in time? Then see what is left, and if its clock was
 * stepped, wait for what the true clock will show.
 */
static void step_deadline(struct passage *p)
{
    const char *limit = strchr(calls[p->call].args, '@');
    int i = limit ? limit[2] - '0' : 0;
    clockid_t clock = CLOCK_REALTIME;

    switch (limit ? limit[1] : '\0') {
    case 'a':
        break;
    case 'b': /* the argument before it says which clock */
        clock = (clockid_t)p->a[i - 1];
        break;
    case 'C': /* no call tells, but glibc notes pthread_condattr_setclock() */
        if (((const pthread_cond_t *)p->a[0])->__data.__wrefs & 2)
            clock = CLOCK_MONOTONIC;
        break;
    case 'N': /* clock_nanosleep() has a flag */
        if (!(p->a[1] & TIMER_ABSTIME))
            return;
        clock = (clockid_t)p->a[0];
        break;
    default:
        return;
    }
    const struct timespec *time = (const struct timespec *)p->a[i];
    if (!is_pointer(p->a[i]) || time->tv_sec < 0 || time->tv_nsec < 0 ||
        time->tv_sec >= 4 * NS_PER_SEC || time->tv_nsec >= NS_PER_SEC)
        return;
    int64_t ns = time->tv_sec * NS_PER_SEC + time->tv_nsec - step_of(clock, 0);
    p->absolute = true;
    p->left = ns - clock_ns(clock);
    ns = ns < 0 ? 0 : ns;
    p->deadline = (struct timespec){ns / NS_PER_SEC, ns % NS_PER_SEC};
    p->a[i] = (long)&p->deadline;
}
