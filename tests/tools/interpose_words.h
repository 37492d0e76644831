/*
 * A call's arguments in words, as interpose_calls.h describes them: by hand,
 * for neither printf() nor malloc() may be called in a signal handler.
 *
 * Part of interpose.c, which includes it.
 */

/* The constants of a letter, a capital for flags, else one of several. */
#define NAMES(...) {__VA_ARGS__}, #__VA_ARGS__
static const struct group {
    char letter;
    bool nowait; /* a call with one of these does not wait */
    int values[10];
    const char *names; /* with ", " between */
} groups[] = {
    {'G', false, NAMES(IPC_CREAT, IPC_EXCL)},
    {'S', true, NAMES(IPC_NOWAIT)},
    {'S', false, NAMES(SEM_UNDO)},
    {'j', false,
     NAMES(IPC_RMID, IPC_SET, IPC_STAT, GETVAL, SETVAL, GETALL, SETALL, GETPID,
           GETNCNT, GETZCNT)},
    {'M', true, NAMES(MSG_DONTWAIT)},
    {'M', false, NAMES(MSG_NOSIGNAL, MSG_PEEK, MSG_WAITALL)},
    {'L', true, NAMES(LOCK_NB, LOCK_UN)},
    {'L', false, NAMES(LOCK_SH, LOCK_EX)},
    {'k', true, NAMES(F_TLOCK, F_ULOCK, F_TEST)},
    {'k', false, NAMES(F_LOCK)},
    {'x', true,
     NAMES(F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
           F_GETLK, F_SETLK, F_OFD_GETLK, F_OFD_SETLK)},
    {'x', false, NAMES(F_SETLKW, F_OFD_SETLKW)},
    {'c', false, NAMES(CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME)},
    {'o', false,
     NAMES(SO_SNDBUF, SO_RCVBUF, SO_ERROR, SO_SNDTIMEO, SO_RCVTIMEO)},
    {'W', true, NAMES(WNOHANG)},
    {'W', false, NAMES(WUNTRACED, WEXITED, WNOWAIT)},
    {'O', true, NAMES(O_NONBLOCK)},
    {'O', false,
     NAMES(O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_CLOEXEC)},
    {'y', false, NAMES(PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_TIMERSLACK)},
    {'z', false,
     NAMES(SYS_futex, SYS_pidfd_open, SYS_gettid, SYS_pidfd_send_signal)}};

/* IPC_CREAT|0600: what has no name is a number, and octal among flags. */
static void put_constants(struct passage *p, char letter, int value)
{
    bool flags = isupper((unsigned char)letter), found = false;

    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        const struct group *group = &groups[g];
        const int *constant = group->values;
        size_t length;
        for (const char *name = group->letter == letter ? group->names : "";
             *name; name += length + strspn(name + length, ", "), constant++) {
            length = strcspn(name, ",");
            if ((flags ? value & *constant : value) != *constant)
                continue;
            put(&p->args, found ? "|" : "");
            for (size_t i = 0; i < length; i++)
                put_char(&p->args, name[i]);
            p->nowait |= group->nowait;
            found = true;
            value -= flags ? *constant : 0;
            if (!flags)
                return;
        }
    }
    if (!found || value != 0) {
        const char *format = found ? "|0%o" : flags && value ? "0%o" : "%d";
        put(&p->args, format, (long)value);
    }
}

/* Can the program's pointer be read? The kernel can tell without a crash. */
static bool readable(long pointer, size_t size)
{
    char copy[64];
    struct iovec there = {(void *)pointer, size}, here = {copy, size};
    long copied =
        KERNEL(SYS_process_vm_readv, my_pid, (long)&here, 1, (long)&there, 1);

    return copied == -1 ? errno != EFAULT : copied == (long)size;
}

/* 1500000 is 1.5ms: the largest unit that fits, and every digit. */
static void put_duration(struct text *out, int64_t ns)
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    int64_t unit = NS_PER_SEC, left = ns < 0 ? -ns : ns;
    int i = 0;

    for (; left != 0 && left < unit; i++)
        unit /= 1000;
    put(out, left % unit > 0 ? "%d." : "%d", ns / unit);
    for (left %= unit; left > 0; left %= unit) {
        unit /= 10;
        put_char(out, (char)('0' + left / unit));
    }
    put(out, units[i]);
}

/* A timespec, or a timeval with a unit of 1000 ns: two longs either way. */
static bool is_time(const long *time, int64_t unit)
{
    return time[0] >= 0 && time[0] < 4 * NS_PER_SEC && time[1] >= 0 &&
           time[1] < NS_PER_SEC / unit;
}

static void put_time(struct text *out, long pointer, int64_t unit)
{
    const long *time = (const long *)pointer;

    if (!time || !readable(pointer, 2 * sizeof *time)) {
        put(out, time ? "?" : "none");
    } else if (is_time(time, unit)) {
        put_duration(out, time[0] * NS_PER_SEC + time[1] * unit);
    } else { /* not a duration: as it stands */
        put(out, "{%d,%d}", time[0], time[1]);
    }
}

/*
 * A point in time: what is left until then is written. If its clock is stepped
 * the call is to wait for what the true clock will show.
 */
static void put_point(struct passage *p, int i)
{
    const long *time = (const long *)p->a[i];

    if ((p->call == CALL_clock_nanosleep && !(p->a[1] & TIMER_ABSTIME)) ||
        !readable(p->a[i], 2 * sizeof *time) || !is_time(time, 1)) {
        put_time(&p->args, p->a[i], 1);
        return;
    }
    /* No argument tells, but glibc notes pthread_condattr_setclock(). */
    if (p->call == CALL_pthread_cond_timedwait &&
        ((const pthread_cond_t *)p->a[0])->__data.__wrefs & 2)
        p->clock = CLOCK_MONOTONIC;
    int64_t ns = time[0] * NS_PER_SEC + time[1] - step_of(p->clock, 0);
    put_duration(&p->args, ns - clock_ns(p->clock));
    p->point = to_timespec(ns < 0 ? 0 : ns);
    p->a[i] = (long)&p->point;
}

/* 0/-1/IPC_NOWAIT,1/+1: semaphore, operation, flags. */
static void put_sembufs(struct passage *p, const struct sembuf *op, long count)
{
    long shown = count < 8 ? count : 8;
    bool readable_ops =
        count > 0 && readable((long)op, (size_t)shown * sizeof *op);
    bool posts_only = readable_ops && count == shown;

    put(&p->args, readable_ops ? "" : "none");
    for (long i = 0; readable_ops && i < shown; i++) {
        put(&p->args, "%s%d/%s%d%s", i > 0 ? "," : "", (long)op[i].sem_num,
            op[i].sem_op > 0 ? "+" : "", (long)op[i].sem_op,
            op[i].sem_flg ? "/" : "");
        if (op[i].sem_flg)
            put_constants(p, 'S', op[i].sem_flg);
        posts_only &= op[i].sem_op > 0;
    }
    put(&p->args, count > 8 ? ",..." : "");
    p->nowait |= posts_only;
}

/* May reading from this descriptor wait, or writing to it, and how long? */
static void put_fd_limit(struct passage *p, long fd, long option)
{
    struct timeval limit = {0};
    socklen_t size = sizeof limit;
    long flags = KERNEL(SYS_fcntl, fd, F_GETFL);

    KERNEL(SYS_getsockopt, fd, SOL_SOCKET, option, (long)&limit, (long)&size);
    bool limited = limit.tv_sec != 0 || limit.tv_usec != 0;
    p->waits = flags == -1 || !(flags & O_NONBLOCK);
    p->waits ? put_time(&p->args, limited ? (long)&limit : 0, NS_PER_US)
             : put(&p->args, "nowait");
}

/* Write argument i as this letter says. */
static void put_value(struct passage *p, char how, int i)
{
    struct text *out = &p->args;
    long value = p->a[i];
    int64_t unit = how == 'h'           ? NS_PER_SEC
                   : how == 'm'         ? NS_PER_MS
                   : strchr("uvi", how) ? NS_PER_US
                                        : 1;

    switch (how) {
    case 'd':
    case 'l':
        put(out, "%d", how == 'd' ? (int)value : value);
        break;
    case 's':
        put(out, "%w", readable(value, 1) ? (const char *)value : "?");
        break;
    case 'q': /* their number comes next */
        put_sembufs(p, (const struct sembuf *)value, p->a[i + 1]);
        break;
    case 'e':
        readable(value, sizeof(int)) ? put(out, "%d", (long)*(const int *)value)
                                     : put(out, "none");
        break;
    case 'h':
    case 'm':
    case 'u':
        (int)value < 0 ? put(out, "none") : put_duration(out, value * unit);
        break;
    case 'n':
        put(out, "none");
        break;
    case 'I':
    case 'i': /* it_value is the second half */
        value += value ? 2 * (long)sizeof value : 0;
        /* fall through */
    case 't':
    case 'v':
        put_time(out, value, unit);
        break;
    case 'p':
        put_point(p, i);
        break;
    case 'r':
    case 'w':
        put_fd_limit(p, value, how == 'r' ? SO_RCVTIMEO : SO_SNDTIMEO);
        break;
    case 'f':
        p->waits = p->a[0] == SYS_futex && (p->a[2] & 127) == FUTEX_WAIT;
        p->waits ? put_time(out, value, 1) : put(out, "nowait");
        break;
    case 'g':
        if (sigabbrev_np((int)value))
            put(out, "SIG%s", sigabbrev_np((int)value));
        else
            put(out, "%d", (long)(int)value);
        break;
    default:
        p->clock = how == 'c' ? (clockid_t)value : p->clock;
        put_constants(p, how, (int)value);
        if (how == 'x' && (int)value == F_SETFL) {
            put(out, " flags=");
            put_constants(p, 'O', (int)p->a[2]);
        }
    }
}

static void put_arguments(struct passage *p)
{
    for (const char *c = calls[p->call].args; *c; c++) {
        if (*c != '%' && *c != '@') {
            put_char(&p->args, *c);
            continue;
        }
        put(&p->args, *c == '@' ? "limit=" : "");
        p->waits = *c == '@' && !p->nowait;
        if (*c == '@' && p->nowait)
            put(&p->args, "nowait");
        else
            put_value(p, c[1], c[2] - '0');
        c += 2;
    }
}
