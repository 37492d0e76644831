/*
 * interpose.c - the lens: what does a program wait for, and what if it fails?
 *
 * A library that LD_PRELOAD puts between a program and the C library. The
 * calls listed in interpose_calls.h pass through here, and three variables
 * say what happens to them:
 *
 *     KIT_TRACE=FILE   a line for each call: when it begins, if it may wait,
 *                      and when it ends. A begin without an end is a wait
 *                      that never came back.
 *     KIT_FAULT=RULES  'semtimedop:EINTR+30ms@1-3;0.1/send:EPIPE': calls fail
 *     KIT_CLOCK=STEPS  'realtime:+1h@2': the clock is stepped, from its second
 *                      reading on. interpose_plan.h has more about both.
 *
 *     $ KIT_TRACE=trace LD_LIBRARY_PATH=build/tools LD_PRELOAD=interpose.so \
 *           ./svsem_timed; timeline trace
 *
 * In the trace, of which the last line is broken in two here,
 *
 *     kit-trace 1 4000000 0 pid=4711 svsem_timed
 *     5100000 0.2:0 waiter 7 begin semtimedop set=3 ops=0/-1 limit=50ms
 *     55170000 0.2:0 waiter 7 end semtimedop set=3 ops=0/-1 limit=50ms
 *         = -1 EAGAIN
 *
 * stand nanoseconds on CLOCK_MONOTONIC; process:thread; name; a number that
 * joins begin and end; the call; its result and errno. The first process is
 * 0, its children are 0.1 and 0.2, theirs 0.1.1. Each program that is started
 * writes a line like the first.
 *
 * The program must not notice us. Its calls can come from a signal handler or
 * between fork() and exec(): no malloc, no stdio and no locks here once it
 * runs, and errno is what the call left.
 */
#define _GNU_SOURCE /* RTLD_NEXT, strerrorname_np() */

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if !defined(__LP64__) || !defined(__GLIBC__)
#error "The lens needs a 64-bit machine and glibc."
#endif

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define EXIT_USAGE 2
#define MAX_LINES 200000 /* of a process; a busy loop would fill the disk */

/* ------------------------------------------------------------ The calls */

enum call {
#define CALL(returns, name, args) CALL_##name,
#include "interpose_calls.h"
    CALLS
};

static const struct {
    enum kind { INT, LONG, ERROR, POINTER, NEVER } returns;
    const char *name, *args;
} calls[] = {
#define CALL(returns, name, args) {returns, #name, args},
#include "interpose_calls.h"
};

struct text {
    size_t used;
    char bytes[512];
};

struct passage { /* of one call on its way through */
    enum call call;
    long *a; /* its arguments */
    struct text args;
    clockid_t clock;       /* of a point in time */
    struct timespec point; /* what the call is given instead of it */
    bool nowait;           /* a flag forbids to wait */
    bool waits;
    unsigned number; /* joins begin and end */
    unsigned child;  /* number of the process to be born */
    long result;
    int error;     /* what it failed with, 0: it did not */
    bool injected; /* KIT_FAULT had a hand in it */
};

/* Every argument is an integer or a pointer: seven longs hold any call. */
typedef long any_call(long, long, long, long, long, long, long);
static any_call *real[CALLS]; /* the C library's */

static long make(enum call call, const long a[7])
{
    return real[call](a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
}

/* The system call itself, for our own needs: it is in no trace. */
#define KERNEL(...) make(CALL_syscall, (long[7]){__VA_ARGS__})

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    real[CALL_clock_gettime](clock, (long)&now, 0, 0, 0, 0, 0);
    return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

static struct timespec to_timespec(int64_t ns)
{
    return (struct timespec){ns / NS_PER_SEC, ns % NS_PER_SEC};
}

static void put_char(struct text *out, char c)
{
    if (out->used < sizeof out->bytes - 1)
        out->bytes[out->used++] = c;
}

static void put_number(struct text *out, long value, int base)
{
    if (value <= -base || value >= base)
        put_number(out, value / base, base);
    else if (value < 0)
        put_char(out, '-');
    put_char(out, (char)('0' + labs(value % base)));
}

/*
 * A printf() of our own. %s is a string, %w a string that shall be one word of
 * the line, %d a long, %o one in octal.
 */
static void put(struct text *out, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            put_char(out, *f);
        } else if (*++f == 'd' || *f == 'o') {
            put_number(out, va_arg(values, long), *f == 'd' ? 10 : 8);
        } else {
            const char *s = va_arg(values, const char *);
            for (int i = 0; s[i] && (*f == 's' || i < 80); i++)
                put_char(out, *f == 's' || isgraph((unsigned char)s[i]) ? s[i]
                                                                        : '_');
        }
    }
    va_end(values);
}

/* ------------------------------------------------- Processes and threads */

static struct text path;         /* which process are we? 0.1.2 */
static struct text path_and_pid; /* KIT_SELF=0.1.2:4711, for what we exec */
static long my_pid;
static atomic_uint children; /* forked by this process so far */
static atomic_uint threads;  /* of it that have called us so far */
static atomic_uint numbers;  /* of its calls */
static atomic_uint lines;    /* of its trace */

/* 0: not numbered yet. No malloc on first use, maybe in a signal handler. */
static _Thread_local __attribute__((tls_model("initial-exec"))) unsigned thread;

static void extend_path(const char *step, long number)
{
    if (path.used < 100) /* else too deep for a line */
        put(&path, step, number);
    path_and_pid = (struct text){0};
    put(&path_and_pid, "KIT_SELF=%s:%d", path.bytes, my_pid);
}

/* Are we the first process, or one that fork() made, or of unknown birth? */
static bool find_self(void)
{
    const char *inherited = getenv("KIT_SELF");

    my_pid = KERNEL(SYS_getpid);
    for (const char *c = inherited; c && *c && *c != ':'; c++)
        put_char(&path, *c);
    if (!inherited)
        extend_path("0", 0);
    else if (!strchr(inherited, ':') ||
             atol(strchr(inherited, ':') + 1) == my_pid)
        extend_path("", 0);
    else
        extend_path(".p%d", my_pid); /* vfork(), posix_spawn() */
    putenv(path_and_pid.bytes);
    return !inherited;
}

/* ------------------------------------------------------------- The trace */

static atomic_int trace_fd = -1; /* -1: no trace */
static char trace_file[PATH_MAX];

/* One line is one write: those of several processes never mix. */
static void write_line(const struct text *line)
{
    /* A failed write raises one of these. The program must not see it. */
    static const uint64_t ours =
        UINT64_C(1) << (SIGPIPE - 1) | UINT64_C(1) << (SIGXFSZ - 1);
    static const struct timespec at_once;
    uint64_t before = 0, pending = 0;
    long wrote;

    KERNEL(SYS_rt_sigprocmask, SIG_BLOCK, (long)&ours, (long)&before, 8);
    if (before & ours) /* it may have one of its own waiting */
        KERNEL(SYS_rt_sigpending, (long)&pending, 8);
    do {
        wrote =
            KERNEL(SYS_write, trace_fd, (long)line->bytes, (long)line->used);
    } while (wrote == -1 && errno == EINTR);
    if (wrote != (long)line->used) {
        trace_fd = -1; /* no more: lines after a gap would mislead */
        uint64_t raised = ours & ~pending;
        KERNEL(SYS_rt_sigtimedwait, (long)&raised, 0, (long)&at_once, 8);
    }
    KERNEL(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, 8);
}

/* The thread's name, as in ps, where it is cut: the program's own is whole. */
static const char *my_name(char name[16])
{
    KERNEL(SYS_prctl, PR_GET_NAME, (long)name);
    if (strlen(name) == 15 &&
        strncmp(name, program_invocation_short_name, 15) == 0)
        return program_invocation_short_name;
    return name;
}

static void record(struct passage *p, bool end)
{
    unsigned before = atomic_fetch_add(&lines, 1);
    struct text line = {0};
    char name[16] = "";

    if (before >= MAX_LINES)
        return;
    if (!thread)
        thread = atomic_fetch_add(&threads, 1) + 1;
    p->args.bytes[240] = '\0';
    put(&line, "%d %s:%d %w %d %s %s%s%s", clock_ns(CLOCK_MONOTONIC),
        path.bytes, thread - 1L, my_name(name), (long)p->number,
        end ? "end" : "begin", calls[p->call].name, p->args.used > 0 ? " " : "",
        p->args.bytes);
    if (end) {
        const char *error = p->error ? strerrorname_np(p->error) : NULL;
        put(&line, " = %d%s%s%s", p->result, error ? " " : "",
            error ? error : "", p->injected ? " injected" : "");
    }
    put(&line, before == MAX_LINES - 1 ? " full\n" : "\n");
    write_line(&line);
}

/* With a number that the program will not meet. -1: nobody reads the pipe. */
static int open_trace(void)
{
    long flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;
    long fd = KERNEL(SYS_open, (long)trace_file, flags, 0666), far = -1;

    if (fd == -1)
        return -1;
    KERNEL(SYS_fcntl, fd, F_SETFL, O_APPEND); /* if a pipe is full, wait */
    for (long least = 1000; far == -1 && least > 3; least /= 2)
        far = KERNEL(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
    if (far != -1)
        KERNEL(SYS_close, fd);
    return (int)(far != -1 ? far : fd);
}

static void begin_trace(bool first)
{
    const char *file = getenv("KIT_TRACE");
    struct text line = {0};
    char name[16] = "";

    if (!file || !*file)
        return;
    /* The program may exec another one in another directory. */
    snprintf(trace_file, sizeof trace_file, "%s", file);
    trace_fd = open_trace();
    if (trace_fd == -1 && first) {
        fprintf(stderr, "KIT_TRACE: %s: %s\n", file, strerror(errno));
        _exit(EXIT_USAGE);
    }
    if (realpath(file, trace_file))
        setenv("KIT_TRACE", trace_file, 1);
    put(&line, "kit-trace 1 %d %s pid=%d %w\n", clock_ns(CLOCK_MONOTONIC),
        path.bytes, my_pid, my_name(name));
    if (trace_fd != -1)
        write_line(&line);
}

#include "interpose_plan.h"  /* what KIT_FAULT and KIT_CLOCK do */
#include "interpose_words.h" /* how arguments are written */

/* ------------------------------------------------------- A call passes */

static void before(struct passage *p, const struct fault *fault)
{
    if (fault && fault->most < p->a[2]) {
        p->a[2] = fault->most;
        p->injected = true;
    }
    if (p->call == CALL_fork)
        p->child = atomic_fetch_add(&children, 1) + 1;
    /* It is not open, as far as the program can know. */
    if (p->call == CALL_close && (int)p->a[0] == trace_fd)
        p->a[0] = -1;
}

static void after(struct passage *p)
{
    switch (p->call) {
    case CALL_fork:
        if (p->result == 0)
            become_child(p->child);
        else if (p->result > 0)
            put(&p->args, "child=%s.%d", path.bytes, (long)p->child);
        break;
    case CALL_dup2:
    case CALL_dup3:
    case CALL_close_range:
    case CALL_closefrom: /* is it ours that was closed? */
        if (trace_fd != -1 && (p->result == trace_fd ||
                               KERNEL(SYS_fcntl, trace_fd, F_GETFD) == -1))
            trace_fd = open_trace();
        break;
    case CALL_clock_gettime:
    case CALL_gettimeofday:
    case CALL_time:
    case CALL_timespec_get:
        step_reading(p);
        break;
    default:
        break;
    }
}

/* Did it fail? An int fills only half of the register. */
static int error_of(struct passage *p)
{
    enum kind kind = calls[p->call].returns;

    if (kind != LONG && kind != POINTER)
        p->result = (int)p->result;
    if (kind == ERROR)
        return (int)p->result;
    return kind != NEVER && p->result == (kind == POINTER ? 0 : -1) ? errno : 0;
}

__attribute__((constructor)) static void start(void)
{
    if (real[0])
        return;
    for (int call = 0; call < CALLS; call++)
        real[call] = (any_call *)(intptr_t)dlsym(RTLD_NEXT, calls[call].name);
    read_plan("KIT_FAULT", take_fault);
    read_plan("KIT_CLOCK", take_step);
    begin_trace(find_self());
}

/* Every call comes through here. */
static long pass(enum call call, long a[])
{
    int error = errno;
    if (!real[call]) /* a library that begins before us */
        start();
    struct passage p = {.call = call, .a = a};
    const struct fault *fault = fault_for(call);
    p.number = atomic_fetch_add(&numbers, 1) + 1;
    put_arguments(&p);
    if (trace_fd != -1 && p.waits)
        record(&p, false);

    if (fault && fault->error) {
        fail(&p, fault);
        error = calls[call].returns == ERROR ? error : p.error;
    } else {
        before(&p, fault);
        errno = error;
        p.result = make(call, a);
        error = errno;
        p.error = error_of(&p);
        after(&p);
    }
    if (trace_fd != -1)
        record(&p, true);
    errno = error;
    return p.result;
}

/*
 * The stubs: "semtimedop" is the name of kit_semtimedop() for the program.
 * The C types differ from call to call, but arguments and results travel in
 * the same registers.
 */
#define STUB(symbol, call)                                                     \
    long kit_##symbol(long, long, long, long, long, long,                      \
                      long) __asm__(#symbol);                                  \
    long kit_##symbol(long a, long b, long c, long d, long e, long f, long g)  \
    {                                                                          \
        return pass(CALL_##call, (long[]){a, b, c, d, e, f, g});               \
    }
#define CALL(returns, name, args) STUB(name, name)
#include "interpose_calls.h"
STUB(fcntl64, fcntl)
STUB(lockf64, lockf)
STUB(open64, open)
STUB(openat64, openat)
STUB(ftruncate64, ftruncate)
STUB(mmap64, mmap)
