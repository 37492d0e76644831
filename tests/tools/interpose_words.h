/*
 * Numbers, durations, flags and whole argument lists, in words: by hand, for
 * neither printf() nor malloc() may be called in a signal handler.
 *
 * Part of interpose.c, which includes it.
 */

static const struct {
    char group;
    bool nowait; /* a call with this flag does not wait */
    int value;
    const char *name;
} names[] = {
#define NAME(letter, constant) {letter, false, constant, #constant},
#define NOWAIT(letter, constant) {letter, true, constant, #constant},
#include "interpose_calls.h"
};

/* Could it be one? (void *)1 is for the kernel to refuse, not for us. */
static bool is_pointer(long value)
{
    return value >= 4096;
}

static void put_char(struct text *out, char c)
{
    if (out->used < out->room)
        out->bytes[out->used++] = c;
}

static void put(struct text *out, const char *text)
{
    while (*text)
        put_char(out, *text++);
}

static void put_number(struct text *out, long value, int base)
{
    put(out, value < 0 ? "-" : "");
    if (value <= -base || value >= base)
        put_number(out, value < 0 ? -(value / base) : value / base, base);
    put_char(out, (char)('0' + (value < 0 ? -(value % base) : value % base)));
}

static void put_long(struct text *out, long value)
{
    put_number(out, value, 10);
}

/* 1500000 is 1.5ms: the largest unit that fits, and every digit. */
static void put_duration(struct text *out, int64_t ns)
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    int64_t unit = NS_PER_SEC, left = ns < 0 ? -ns : ns;
    int i = 0;

    for (; left != 0 && left < unit; i++)
        unit /= 1000;
    put_long(out, ns / unit);
    put(out, left % unit > 0 ? "." : "");
    for (left %= unit; left > 0; left %= unit) {
        unit /= 10;
        put_char(out, (char)('0' + left / unit));
    }
    put(out, units[i]);
}

/* A timespec, or a timeval with a unit of 1000 ns: two longs either way. */
static void put_time(struct text *out, long pointer, int64_t unit)
{
    const long *time = (const long *)pointer;

    if (!is_pointer(pointer)) {
        put(out, pointer ? "?" : "none");
    } else if (time[0] >= 0 && time[0] < NS_PER_SEC && time[1] >= 0 &&
               time[1] < NS_PER_SEC / unit) {
        put_duration(out, time[0] * NS_PER_SEC + time[1] * unit);
    } else { /* not a duration: as it stands */
        put_char(out, '{');
        put_long(out, time[0]);
        put_char(out, ',');
        put_long(out, time[1]);
        put_char(out, '}');
    }
}

static void put_string(struct text *out, const char *string)
{
    for (int i = 0; string[i] && i < 80; i++)
        put_char(out, isgraph((unsigned char)string[i]) ? string[i] : '_');
}

/* A constant by its name, or if the group is a capital, a set of flags. */
static void put_names(struct text *out, char group, int value)
{
    bool first = true;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].group != group ||
            (islower(group) ? value != names[i].value
                            : (value & names[i].value) != names[i].value))
            continue;
        put(out, first ? "" : "|");
        put(out, names[i].name);
        out->nowait |= names[i].nowait;
        if (islower(group))
            return;
        first = false;
        value &= ~names[i].value;
    }
    if (first || value != 0) {
        put(out, first ? "" : "|");
        put(out, islower(group) || value == 0 ? "" : "0"); /* 0600 is octal */
        put_number(out, value, islower(group) ? 10 : 8);
    }
}

/* ---------------------------------------------------- A call's arguments */

/* 0/-1/IPC_NOWAIT,1/+1: semaphore, operation, flags. */
static void put_sembufs(struct text *out, const struct sembuf *op, long count)
{
    bool posts_only = count > 0;

    put(out, count > 0 ? "" : "none");
    for (long i = 0; i < count && i < 8; i++) {
        put(out, i > 0 ? "," : "");
        put_long(out, op[i].sem_num);
        put(out, op[i].sem_op > 0 ? "/+" : "/");
        put_long(out, op[i].sem_op);
        put(out, op[i].sem_flg ? "/" : "");
        if (op[i].sem_flg)
            put_names(out, 'S', op[i].sem_flg);
        posts_only &= op[i].sem_op > 0;
    }
    put(out, count > 8 ? ",..." : "");
    out->nowait |= posts_only && count <= 8;
}

/* How long may a read (SO_RCVTIMEO) or a write wait here? */
static void put_fd_limit(struct passage *p, int fd, int option)
{
    struct timeval limit = {0};
    socklen_t size = sizeof limit;
    long flags = kernel(SYS_fcntl, fd, F_GETFL, 0, 0);

    real[CALL_getsockopt](fd, SOL_SOCKET, option, (long)&limit, (long)&size, 0,
                          0);
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

    switch (how) {
    case 'd': /* int */
        put_long(out, (int)value);
        break;
    case 'l': /* long, size_t */
        put_long(out, value);
        break;
    case 's': /* string */
        put_string(out, is_pointer(value) ? (const char *)value : "?");
        break;
    case 'q': /* queue of sembufs; their number comes next */
        put_sembufs(out, (const struct sembuf *)value,
                    is_pointer(value) ? p->a[i + 1] : 0);
        break;
    case 'e': /* first of several pollfds */
        is_pointer(value) ? put_long(out, *(const int *)value)
                          : put(out, "none");
        break;
    case 'x': /* command of fcntl(), which may have flags */
        put_names(out, how, (int)value);
        if ((int)value == F_SETFL) {
            put(out, " flags=");
            put_names(out, 'O', (int)p->a[2]);
        }
        break;
    case 'i': /* itimerval or itimerspec: it_value is the second half */
    case 'I':
        value += value ? 2 * (long)sizeof(long) : 0;
        put_time(out, value, how == 'i' ? NS_PER_US : 1);
        break;
    case 'n': /* no limit */
        put(out, "none");
        break;
    case 'r': /* reading from a descriptor, or writing to it */
    case 'w':
        put_fd_limit(p, (int)value, how == 'r' ? SO_RCVTIMEO : SO_SNDTIMEO);
        break;
    case 'f': /* the one wait that has no function: syscall(SYS_futex, ...) */
        p->waits = p->a[0] == SYS_futex && (p->a[2] & 127) == FUTEX_WAIT;
        p->waits ? put_time(out, value, 1) : put(out, "nowait");
        break;
    case 'm': /* milliseconds, below 0 for ever */
        (int)value < 0 ? put(out, "none")
                       : put_duration(out, (int)value * NS_PER_MS);
        break;
    case 'h': /* seconds */
        put_duration(out, (unsigned)value * NS_PER_SEC);
        break;
    case 'u': /* microseconds */
        put_duration(out, (unsigned)value * NS_PER_US);
        break;
    case 'v': /* timeval, timespec */
    case 't':
    case 'a': /* and points in time that make no sense */
    case 'b':
    case 'C':
    case 'N':
        put_time(out, value, how == 'v' ? NS_PER_US : 1);
        break;
    default:
        put_names(out, how, (int)value);
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
        p->waits = *c == '@' && !p->args.nowait;
        if (*c == '@' && p->args.nowait)
            put(&p->args, "nowait");
        else if (*c == '@' && p->absolute)
            put_duration(&p->args, p->left);
        else
            put_value(p, c[1], c[2] - '0');
        c += 2;
    }
}
