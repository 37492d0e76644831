/*
 * send_all_rounds - hold send_all(), the function that readers copy, against
 * whatever a peer, a signal or a number may do to it.
 *
 *     send_all_rounds LENGTH TAKE THEN LIMIT [EVERY]
 *
 * The reader takes so many bytes, then stops or closes: THEN. With a TAKE
 * above LENGTH it reads to the end. LIMIT may be "never". With EVERY both it
 * and we are slow: it rests so long after each read, and we have a signal
 * every millisecond.
 *
 *     $ send_all_rounds 1048576 300000 stop 20ms
 *     sent=519264 error=EAGAIN received=519264 waited_us=20071 signals=0
 *
 * What a reader that stopped has not read is counted after send_all(), and
 * all is compared, up to 64 MiB of it: else the message is zeros.
 */
#define main send_all_main /* the very function, not a copy */
int send_all_main(int argc, char *argv[]);
#include "../../chapters/03_wait_for_writable/send_all.c"
#undef main

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/time.h>

#define MOST_COMPARED ((size_t)64 << 20)
#define LAST_RESORT 60 /* seconds */

static struct {
    size_t received;
    bool differs;
} * seen; /* by the reader, in memory that we share */

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
    (void)sig;
    signals++;
}

static size_t parse_bytes(const char *text)
{
    char *end;
    unsigned long long bytes = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || bytes > SIZE_MAX / 2)
        errx(EXIT_USAGE, "bad number '%s'", text);
    return (size_t)bytes;
}

/* Memory that is not there before it is written. */
static void *new_memory(size_t size, int shared)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_ANONYMOUS | MAP_NORESERVE | shared, -1, 0);
    if (memory == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    return memory;
}

/* No two parts of it are alike, wherever they begin. */
static char *new_message(size_t length)
{
    char *bytes = new_memory(length + 1, MAP_PRIVATE);
    uint32_t next = 2463534242;

    for (size_t i = 0; i < length && length <= MOST_COMPARED; i++) {
        next ^= next << 13;
        next ^= next >> 17;
        next ^= next << 5;
        bytes[i] = (char)next;
    }
    return bytes;
}

/* Read up to so many bytes, or to the end. */
static void take(int fd, const char *bytes, size_t length, size_t most,
                 int64_t rest)
{
    static char chunk[50021];
    struct timespec pause = to_timespec(rest);

    while (seen->received < most) {
        size_t want = most - seen->received;
        ssize_t n = read(fd, chunk, want < sizeof chunk ? want : sizeof chunk);
        if (n == -1)
            err(EXIT_FAILURE, "read");
        if (n == 0)
            return;
        if ((size_t)n > length - seen->received ||
            (length <= MOST_COMPARED &&
             memcmp(chunk, bytes + seen->received, (size_t)n) != 0))
            seen->differs = true;
        seen->received += (size_t)n;
        if (rest > 0)
            nanosleep(&pause, NULL);
    }
}

static _Noreturn void read_part(int fd, const char *bytes, size_t length,
                                size_t most, bool stops, int64_t rest)
{
    struct pollfd end = {.fd = fd};

    prctl(PR_SET_NAME, "part_reader");
    alarm(LAST_RESORT);
    take(fd, bytes, length, most, rest);
    if (stops) {
        poll(&end, 1, LAST_RESORT * 1000); /* for the sender's hang-up */
        take(fd, bytes, length, SIZE_MAX, 0);
    }
    _exit(EXIT_SUCCESS);
}

static void signal_every_ms(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, 1000}, {0, 1000}};

    if (sigaction(SIGALRM, &action, NULL) == -1)
        err(EXIT_FAILURE, "sigaction");
    if (setitimer(ITIMER_REAL, &timer, NULL) == -1)
        err(EXIT_FAILURE, "setitimer");
}

int main(int argc, char *argv[])
{
    if (argc < 5 || argc > 6)
        errx(EXIT_USAGE, "usage: send_all_rounds LENGTH TAKE stop|close "
                         "LIMIT|never [EVERY]");
    size_t length = parse_bytes(argv[1]), most = parse_bytes(argv[2]);
    bool stops = strcmp(argv[3], "stop") == 0;
    bool never = strcmp(argv[4], "never") == 0;
    int64_t limit = never ? 0 : parse_duration(argv[4]);
    int64_t rest = argc > 5 ? parse_duration(argv[5]) : 0;
    char *bytes = new_message(length);
    seen = new_memory(sizeof *seen, MAP_SHARED);

    int pair[2], status;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t reader = fork();
    if (reader == -1)
        err(EXIT_FAILURE, "fork");
    close(pair[reader == 0 ? 0 : 1]);
    if (reader == 0)
        read_part(pair[1], bytes, length, most, stops, rest);
    if (most == 0 && !stops && waitpid(reader, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid"); /* so that it has gone when we begin */

    if (rest > 0)
        signal_every_ms();
    int64_t start = now_ns();
    struct outcome end =
        send_all(pair[0], bytes, length, never ? INT64_MAX : start + limit);
    int64_t waited = now_ns() - start;
    signal(SIGALRM, SIG_IGN);

    close(pair[0]);
    if ((most > 0 || stops) && waitpid(reader, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != 0)
        errx(EXIT_FAILURE, "waitpid: the reader failed");
    if (seen->differs)
        errx(EXIT_FAILURE, "what was received is not the message");
    printf("sent=%zu error=%s received=%zu waited_us=%" PRId64 " signals=%d\n",
           end.sent, end.error ? strerrorname_np(end.error) : "none",
           seen->received, waited / NS_PER_US, (int)signals);
    return EXIT_SUCCESS;
}
