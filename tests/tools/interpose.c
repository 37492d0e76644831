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
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
#define TRACE_FD 1000    /* out of the way of the program's own numbers */
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

/* Every argument is an integer or a pointer: seven longs hold any call. */
typedef long any_call(long, long, long, long, long, long, long);
static any_call *real[CALLS]; /* the C library's */

/* The system call itself, for our own needs: it is in no trace. */
static long kernel(long number, long a, long b, long c, long d)
{
    return real[CALL_syscall](number, a, b, c, d, 0, 0);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    real[CALL_clock_gettime](clock, (long)&now, 0, 0, 0, 0, 0);
    return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

struct text {
    size_t used, room;
    bool nowait; /* what was written says that the call may not wait */
    char bytes[512];
};

struct passage { /* of one call on its way through */
    enum call call;
    long *a; /* its arguments */
    struct text args;
    bool waits;
    bool absolute;            /* is the limit a point in time? */
    int64_t left;             /* what is left until then, when we looked */
    struct timespec deadline; /* and that point, on a clock not stepped */
    unsigned number;          /* joins begin and end */
    unsigned child;           /* number of the process or thread to be born */
    struct birth *birth;      /* what the thread must know */
    long result;
    int error;     /* what it failed with, 0: it did not */
    bool injected; /* KIT_FAULT had a hand in it */
};

#include "interpose_words.h" /* how arguments are written */

/* ------------------------------------------------------------- The trace */

static atomic_int trace_fd = -1; /* -1: no trace */
static atomic_uint lines;        /* written by this process */
static char trace_file[2 * PATH_MAX];

/* KIT_SELF=0.1.2:4711 tells a program that we exec who it is. */
static struct text self = {.room = 100};
#define SELF "KIT_SELF="

/* No malloc on first use, which could be in a signal handler. */
static _Thread_local __attribute__((tls_model("initial-exec"))) unsigned thread;

/* One line is one write: those of several processes never mix. */
static void write_line(const struct text *line)
{
    /* A failed write raises one of these. The program must not see it. */
    static const uint64_t ours =
        UINT64_C(1) << (SIGPIPE - 1) | UINT64_C(1) << (SIGXFSZ - 1);
    static const struct timespec at_once;
    uint64_t before = 0, pending = 0;
    long wrote;

    kernel(SYS_rt_sigprocmask, SIG_BLOCK, (long)&ours, (long)&before, 8);
    if (before & ours) /* it may have one of its own waiting */
        kernel(SYS_rt_sigpending, (long)&pending, 8, 0, 0);
    do {
        wrote =
            kernel(SYS_write, trace_fd, (long)line->bytes, (long)line->used, 0);
    } while (wrote == -1 && errno == EINTR);
    if (wrote != (long)line->used) {
        trace_fd = -1; /* no more: lines after a gap would mislead */
        uint64_t raised = ours & ~pending;
        kernel(SYS_rt_sigtimedwait, (long)&raised, 0, (long)&at_once, 8);
    }
    kernel(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, 8);
}

static void put_path(struct text *out)
{
    for (size_t i = strlen(SELF); i < self.used; i++)
        put_char(out, self.bytes[i]);
}

/* The thread's name, as in ps. */
static void put_my_name(struct text *out)
{
    char name[16] = "?";

    kernel(SYS_prctl, PR_GET_NAME, (long)name, 0, 0);
    put_string(out, name);
}

static void put_now(struct text *out)
{
    put_long(out, clock_ns(CLOCK_MONOTONIC));
    put_char(out, ' ');
    put_path(out);
}

static void record(const struct passage *p, const char *event, bool end)
{
    struct text line = {.room = sizeof line.bytes - 1};

    put_now(&line);
    put_char(&line, ':');
    put_long(&line, thread);
    put_char(&line, ' ');
    put_my_name(&line);
    put_char(&line, ' ');
    put_long(&line, p->number);
    put(&line, event);
    put(&line, calls[p->call].name);
    put(&line, p->args.used > 0 ? " " : "");
    for (size_t i = 0; i < p->args.used; i++)
        put_char(&line, p->args.bytes[i]);
    if (end) {
        put(&line, " = ");
        put_long(&line, p->result);
        const char *error = p->error ? strerrorname_np(p->error) : NULL;
        put(&line, error ? " " : "");
        put(&line, error ? error : "");
        put(&line, p->injected ? " injected" : "");
    }
    unsigned before = atomic_fetch_add(&lines, 1);
    put(&line, before == MAX_LINES - 1 ? " full" : "");
    line.bytes[line.used++] = '\n';
    if (before < MAX_LINES)
        write_line(&line);
}

/* A copy with a number that the program will not meet; the old one if none. */
static int move_away(int fd, long from)
{
    long moved = kernel(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from, 0);

    if (moved == -1)
        return fd;
    kernel(SYS_close, fd, 0, 0, 0);
    return (int)moved;
}

/* -1: it cannot be opened, or is a pipe that nobody reads. */
static int open_trace(void)
{
    struct rlimit most = {.rlim_cur = 256};
    long flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;
    long fd = kernel(SYS_openat, AT_FDCWD, (long)trace_file, flags, 0666);

    if (fd == -1)
        return -1;
    kernel(SYS_fcntl, fd, F_SETFL, O_APPEND, 0); /* if a pipe is full, wait */
    kernel(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&most);
    bool low = most.rlim_cur <= TRACE_FD;
    return move_away((int)fd, low ? (long)most.rlim_cur - 9 : TRACE_FD);
}

static void begin_trace(bool first)
{
    const char *file = getenv("KIT_TRACE");
    char here[PATH_MAX] = "";
    struct text line = {.room = sizeof line.bytes};

    if (!file || !*file)
        return;
    /* The program may exec another one in another directory. */
    if (file[0] != '/' && getcwd(here, sizeof here))
        strcat(here, "/");
    snprintf(trace_file, sizeof trace_file, "%s%s", here, file);
    setenv("KIT_TRACE", trace_file, 1);

    trace_fd = open_trace();
    if (trace_fd == -1 && first) {
        fprintf(stderr, "KIT_TRACE: %s: %s\n", file, strerror(errno));
        _exit(EXIT_USAGE);
    }
    put(&line, "kit-trace 1 ");
    put_now(&line);
    put(&line, " pid=");
    put_long(&line, kernel(SYS_getpid, 0, 0, 0, 0));
    put_char(&line, ' ');
    put_my_name(&line);
    put_char(&line, '\n');
    if (trace_fd != -1)
        write_line(&line);
}

#include "interpose_plan.h" /* what KIT_FAULT and KIT_CLOCK do */

/* ------------------------------------------------ Processes and threads */

static atomic_uint children; /* forked by this process so far */
static atomic_uint threads;  /* created by it */
static atomic_uint numbers;  /* of its calls */

/* The path has grown: keep what an exec()ed program will read. */
static void write_self(void)
{
    struct text whole = self; /* the pid is no part of the path */

    whole.room = sizeof whole.bytes - 1;
    put_char(&whole, ':');
    put_long(&whole, kernel(SYS_getpid, 0, 0, 0, 0));
    memcpy(self.bytes, whole.bytes, whole.used);
    self.bytes[whole.used] = '\0';
}

/* Are we the first process, or one that fork() made, or of unknown birth? */
static void find_self(void)
{
    const char *inherited = getenv("KIT_SELF");
    const char *colon = inherited ? strchr(inherited, ':') : NULL;
    long pid = kernel(SYS_getpid, 0, 0, 0, 0);

    put(&self, SELF);
    for (const char *c = colon ? inherited : "0:"; *c != ':'; c++)
        put_char(&self, *c);
    if (colon && atol(colon + 1) != pid) { /* vfork(), posix_spawn() */
        put(&self, ".p");
        put_long(&self, pid);
    }
    write_self();
    putenv(self.bytes);
}

static void become_child(unsigned number)
{
    put_char(&self, '.');
    put_long(&self, number);
    write_self();
    thread = 0;
    children = threads = lines = 0;
    for (size_t i = 0; i < fault_count; i++)
        faults[i].seen = 0;
}

struct birth {
    void *(*routine)(void *);
    void *arg;
    unsigned number;
};

static void *live(void *arg)
{
    struct birth birth = *(struct birth *)arg;

    free(arg);
    thread = birth.number;
    return birth.routine(birth.arg);
}

/* ------------------------------------------------------- A call passes */

static void before(struct passage *p, const struct fault *fault)
{
    long *a = p->a;

    if (fault && fault->most < a[2]) {
        a[2] = fault->most;
        p->injected = true;
    }
    switch (p->call) {
    case CALL_fork:
        p->child = atomic_fetch_add(&children, 1) + 1;
        break;
    case CALL_pthread_create: /* may use malloc, for it does so itself */
        p->birth = malloc(sizeof *p->birth);
        if (!p->birth)
            break;
        p->child = atomic_fetch_add(&threads, 1) + 1;
        *p->birth =
            (struct birth){(void *(*)(void *))a[2], (void *)a[3], p->child};
        a[2] = (long)live;
        a[3] = (long)p->birth;
        break;
    case CALL_close: /* it is not open, as far as the program can know */
        a[0] = (int)a[0] == trace_fd ? -1 : a[0];
        break;
    case CALL_dup2:
    case CALL_dup3:
        if ((int)a[1] == trace_fd && trace_fd != -1) {
            int moved = move_away(trace_fd, trace_fd + 1);
            trace_fd = moved == trace_fd ? -1 : moved; /* no room: no trace */
        }
        break;
    default:
        break;
    }
}

static void after(struct passage *p)
{
    switch (p->call) {
    case CALL_fork:
        if (p->result == 0) {
            become_child(p->child);
        } else if (p->result > 0) {
            put(&p->args, "child=");
            put_path(&p->args);
            put_char(&p->args, '.');
            put_long(&p->args, p->child);
        }
        break;
    case CALL_pthread_create:
        if (p->result == 0) {
            put(&p->args, "thread=");
            put_long(&p->args, p->child);
        } else {
            free(p->birth);
        }
        break;
    case CALL_close_range:
    case CALL_closefrom:
        if (trace_fd != -1 && kernel(SYS_fcntl, trace_fd, F_GETFD, 0, 0) == -1)
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
static int error_of(enum call call, long *result, int error)
{
    enum kind kind = calls[call].returns;

    if (kind != LONG && kind != POINTER)
        *result = (int)*result;
    if (kind == ERROR)
        return *result > 0 ? (int)*result : 0;
    return kind != NEVER && *result == (kind == POINTER ? 0 : -1) ? error : 0;
}

__attribute__((constructor)) static void start(void)
{
    if (real[0])
        return;
    for (int call = 0; call < CALLS; call++)
        real[call] = (any_call *)(intptr_t)dlsym(RTLD_NEXT, calls[call].name);
    read_plan("KIT_FAULT", take_fault);
    read_plan("KIT_CLOCK", take_step);
    bool first = !getenv("KIT_SELF");
    find_self();
    begin_trace(first);
}

/* Every call comes through here. */
static long pass(enum call call, long a[])
{
    int error = errno;
    if (!real[call]) /* a library that begins before us */
        start();
    struct passage p = {.call = call, .a = a, .args.room = 240};
    const struct fault *fault = fault_for(call);
    step_deadline(&p);
    p.number = atomic_fetch_add(&numbers, 1) + 1;
    if (trace_fd != -1)
        put_arguments(&p);
    if (trace_fd != -1 && p.waits)
        record(&p, " begin ", false);

    if (fault && fault->error) {
        fail(&p, fault);
        error = calls[call].returns == ERROR ? error : p.error;
    } else {
        before(&p, fault);
        errno = error;
        p.result = real[call](a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        error = errno;
        p.error = error_of(call, &p.result, error);
        after(&p);
    }
    if (trace_fd != -1)
        record(&p, " end ", true);
    errno = error;
    return p.result;
}

/*
 * The stubs: "semtimedop" is the name of kit_semtimedop() for the program.
 * The C types differ from call to call, but arguments and results travel in
 * the same registers.
 */
#define ALIAS(symbol, call)                                                    \
    long kit_##symbol(long, long, long, long, long, long,                      \
                      long) __asm__(#symbol);                                  \
    long kit_##symbol(long a, long b, long c, long d, long e, long f, long g)  \
    {                                                                          \
        return pass(CALL_##call, (long[]){a, b, c, d, e, f, g});               \
    }
#define CALL(returns, name, args) ALIAS(name, name)
#include "interpose_calls.h"

/* execl() and execlp() take any number of strings; they pass as an array. */
static int pass_list(enum call call, const char *file, va_list strings)
{
    char *array[128];
    size_t count = 0;

    while (count < 127 && (array[count] = va_arg(strings, char *)))
        count++;
    array[count] = NULL;
    return (int)pass(call, (long[7]){(long)file, (long)array});
}

#define LIST(symbol, call)                                                     \
    int kit_##symbol(const char *file, ...) __asm__(#symbol);                  \
    int kit_##symbol(const char *file, ...)                                    \
    {                                                                          \
        va_list strings;                                                       \
        va_start(strings, file);                                               \
        int result = pass_list(CALL_##call, file, strings);                    \
        va_end(strings);                                                       \
        return result;                                                         \
    }
LIST(execl, execv)
LIST(execlp, execvp)
