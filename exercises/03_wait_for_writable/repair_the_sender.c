/*
 * repair_the_sender - a function that sends all of a message, with its faults.
 *
 * Code like this stands in many programs, and each of its lines looks right.
 * We try it on six readers. "slow" and "far" read all; "stops" and "closes" do
 * what they are called in the middle; "empty" and "gone" are sent a message of
 * no bytes, and gone has closed before. To far we send by descriptor 1500.
 * Repair what is marked TODO, then run: make check-repair_the_sender
 *
 *     $ repair_the_sender 50ms stops
 *     sender: sending bytes=1048576 limit_ms=50 fd=3
 *     sender: ended sent=475072 error=EAGAIN waited_ms=50
 *     reader: received bytes=475072 in_order=yes
 *
 * Eternal Terminal's sender gave up with -1 when it had sent a part. Its caller
 * sent that part again, and the peer could not make sense of what it got
 * (https://github.com/MisterTea/EternalTerminal/pull/815).
 *
 * Exits with 0 when all has gone, 3 at the deadline, 1 when a call failed.
 * See also: send(2), poll(2), select(2), errno(3).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"

#define ENOUGH 262144 /* bytes, for a reader that stops or closes */
#define LARGE_FD 1500
#define PAUSE_MS 4     /* of the reader, after each read */
#define STOPS_MS 60000 /* of one that stops: alarm() is sooner */

static uint32_t message[1 << 18]; /* 0, 1, 2, ...: no two parts are alike */

/*
 * Send so many bytes within the limit, in ns from now. Returns 0, or -1 and
 * errno: EAGAIN when the time is over. *sent is how many bytes have gone.
 *
 * TODO: seven faults. Repair them, one after the other.
 *
 *   1. The limit is for all of it, not for each wait: a wait is given what is
 *      left, rounded up to a millisecond, and the call ends no sooner.
 *   2. *sent is right however it ends, also when it returns -1.
 *   3. A signal that interrupts a call, EINTR, ends nothing. Go on, for what
 *      is left.
 *   4. After -1 errno says what ended it: EAGAIN if that was the time, else
 *      what the call that failed has left. A wait whose time is over returns
 *      0 and sets no errno.
 *   5. A reader that has closed is EPIPE, and no signal. What SIGPIPE does is
 *      the caller's: leave it alone.
 *   6. The descriptor may be any number, also 1500. An fd_set has room for 0
 *      to 1023, and FD_SET() of a larger one writes behind it.
 *   7. A 0 from send() does not mean that the reader has closed. A message of
 *      no bytes gets a send() too: 0 of 0 bytes, or EPIPE.
 */
static int send_within(int fd, const char *bytes, size_t length, int64_t limit,
                       size_t *sent)
{
    size_t done = 0;

    do {
        ssize_t n = send(fd, bytes + done, length - done, MSG_DONTWAIT);
        if (n == 0) /* the reader has closed */
            return -1;
        if (n == -1 && errno != EAGAIN)
            return -1;
        done += n == -1 ? 0 : (size_t)n;
        if (done == length)
            break;

        fd_set room;
        FD_ZERO(&room);
        FD_SET(fd, &room);
        struct timeval patience = {
            .tv_sec = (time_t)(limit / NS_PER_SEC),
            .tv_usec = (suseconds_t)(limit % NS_PER_SEC / NS_PER_US),
        };
        if (select(fd + 1, NULL, &room, NULL, &patience) <= 0)
            return -1;
    } while (done < length);
    *sent = done;
    return 0;
}

/* Read and compare, slowly; after ENOUGH do as how says. */
static void read_message(int fd, const char *how)
{
    static char chunk[65536];
    struct pollfd end = {.fd = fd}; /* POLLHUP comes unasked */
    size_t got = 0;
    ssize_t n;

    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0) {
        if ((size_t)n > sizeof message - got ||
            memcmp(chunk, (char *)message + got, (size_t)n) != 0)
            errx(EXIT_FAILURE, "recv: not the message, from byte %zu", got);
        got += (size_t)n;
        if (got >= ENOUGH && strcmp(how, "closes") == 0)
            break;
        bool stops = got >= ENOUGH && strcmp(how, "stops") == 0;
        int pause_ms = stops ? STOPS_MS : PAUSE_MS;
        if (poll(&end, 1, pause_ms) == -1) /* for the hang-up */
            err(EXIT_FAILURE, "poll");
    }
    if (n == -1)
        err(EXIT_FAILURE, "recv");
    printf("reader: received bytes=%zu in_order=yes\n", got);
}

static pid_t start_reader(int pair[2], const char *how, int64_t limit)
{
    pid_t sender = getpid();
    pid_t reader = fork();
    if (reader == -1)
        err(EXIT_FAILURE, "fork");
    close(pair[reader == 0 ? 0 : 1]); /* each keeps one end */
    if (reader > 0)
        return reader;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "reader") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != sender)
        _exit(EXIT_FAILURE);
    alarm((unsigned)(limit / NS_PER_SEC) + 10); /* bounds our waits */
    if (strcmp(how, "gone") == 0)
        close(pair[1]);
    else
        read_message(pair[1], how);
    _exit(EXIT_SUCCESS);
}

/* The same socket under a number above all that an fd_set has room for. */
static int move_up(int fd)
{
    struct rlimit most;

    if (getrlimit(RLIMIT_NOFILE, &most) == -1)
        err(EXIT_FAILURE, "getrlimit");
    if (most.rlim_max <= LARGE_FD)
        errx(EXIT_SKIP, "here descriptors end at %ju",
             (uintmax_t)most.rlim_max);
    if (most.rlim_cur <= LARGE_FD)
        most.rlim_cur = LARGE_FD + 1;
    if (setrlimit(RLIMIT_NOFILE, &most) == -1)
        err(EXIT_FAILURE, "setrlimit");
    int moved = fcntl(fd, F_DUPFD, LARGE_FD);
    if (moved == -1)
        err(EXIT_FAILURE, "fcntl");
    close(fd);
    return moved;
}

static int send_and_tell(int fd, size_t length, int64_t limit)
{
    size_t sent = 0;

    printf("sender: sending bytes=%zu limit_ms=%" PRId64 " fd=%d\n", length,
           limit / NS_PER_MS, fd);
    int64_t start = now_ns();
    errno = EMSGSIZE; /* left by an earlier call: no call sets it to 0 */
    int rc = send_within(fd, (const char *)message, length, limit, &sent);
    int error = rc == 0 ? 0 : errno;
    printf("sender: ended sent=%zu error=%s waited_ms=%" PRId64 "\n", sent,
           error ? errno_name(error) : "none", (now_ns() - start) / NS_PER_MS);
    return error == 0        ? EXIT_SUCCESS
           : error == EAGAIN ? EXIT_TIMED_OUT
                             : EXIT_FAILURE;
}

static _Noreturn void usage(void)
{
    fputs("usage: repair_the_sender LIMIT slow|stops|closes|far|empty|gone\n"
          "  LIMIT  for all of the message, such as 50ms\n",
          stderr);
    exit(EXIT_USAGE);
}

static void check_usage(int argc, char *argv[])
{
    static const char *const readers[] = {"slow", "stops", "closes",
                                          "far",  "empty", "gone"};

    for (size_t i = 0; argc == 3 && i < sizeof readers / sizeof readers[0]; i++)
        if (strcmp(argv[2], readers[i]) == 0)
            return;
    usage();
}

int main(int argc, char *argv[])
{
    check_usage(argc, argv);
    int64_t limit = parse_duration(argv[1]);
    const char *how = argv[2];
    bool gone = strcmp(how, "gone") == 0;
    bool is_empty = gone || strcmp(how, "empty") == 0;
    int pair[2], status;
    for (uint32_t i = 0; i < sizeof message / sizeof message[0]; i++)
        message[i] = i;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (strcmp(how, "far") == 0)
        pair[0] = move_up(pair[0]);
    setlinebuf(stdout); /* empty at fork() */
    setlinebuf(stderr); /* two processes, but no line by both */
    pid_t reader = start_reader(pair, how, limit);
    if (gone && waitpid(reader, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    int result = send_and_tell(pair[0], is_empty ? 0 : sizeof message, limit);
    close(pair[0]);
    if (!gone && waitpid(reader, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != 0)
        errx(EXIT_FAILURE, "waitpid: the reader failed");
    return result;
}
