/*
 * notify_watchdog - a service that shows systemd that it goes on.
 *
 * systemd tells a service where to send notes, in NOTIFY_SOCKET, and how long
 * it may be silent, in WATCHDOG_USEC. A note is one datagram, some lines of
 * KEY=value. WATCHDOG=1 is the heartbeat: the service sends it after a piece
 * of work when half of the limit is over, so that one may be late.
 *
 * To be watched must not be dangerous. A manager that does not read, or is
 * gone, may cost a note, but never a wait: hence MSG_DONTWAIT, for else a
 * dozen notes fill its queue, and the next one hangs with the manager.
 *
 * A sent note is not yet a read one. BARRIER=1 carries one end of a pipe, and
 * whoever reads it closes that: by then all notes before it are read. For that
 * alone the service waits, and not for ever.
 *
 *     $ cc notify_watchdog.c -o notify_watchdog
 *     $ ./notify_watchdog                 (without NOTIFY_SOCKET: a play)
 *     service: started watchdog=on limit_us=40000
 *     manager: read READY=1
 *     manager: read STATUS=working
 *     manager: read WATCHDOG=1
 *     manager: read WATCHDOG=1
 *     manager: read WATCHDOG=1
 *     manager: read STOPPING=1
 *     manager: read BARRIER=1 descriptor=1
 *     service: ended pings=3 barrier=read last_ping_ms=61
 *     stage: stopped manager
 *     service: not_sent errno=EAGAIN after=11
 *     stage: killed manager
 *     service: not_sent errno=ECONNREFUSED after=0
 *
 * See also: sd_notify(3), sd_watchdog_enabled(3), unix(7), cmsg(3), sendmsg(2).
 */
#define _GNU_SOURCE /* pipe2() */

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/duration.h"
#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"
#include "notify.h"
#include "notify_play.h"

#define AMPLE (5 * NS_PER_SEC) /* a limit that is not reached costs nothing */

static int notes; /* a socket for them, and where they go */
static struct sockaddr_un manager;
static socklen_t manager_length;

/* Send it now or not at all, with a descriptor if it is 0 or more. */
static bool notify(const char *text, int fd)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec data = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr note = {.msg_name = &manager,
                          .msg_namelen = manager_length,
                          .msg_iov = &data,
                          .msg_iovlen = 1};
    if (fd >= 0) {
        note.msg_control = room;
        note.msg_controllen = sizeof room;
        struct cmsghdr *head = CMSG_FIRSTHDR(&note);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    if (sendmsg(notes, &note, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
        return true;
    /* Full; nobody has it open; no such path, or not for us. */
    if (errno != EAGAIN && errno != ECONNREFUSED && errno != ENOENT &&
        errno != ENOTDIR && errno != EACCES)
        err(EXIT_FAILURE, "sendmsg");
    return false;
}

/* Has the manager read all that we have sent, by a limit? */
static const char *barrier(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1)
        err(EXIT_FAILURE, "pipe2");
    struct pollfd closed = {.fd = ends[0]}; /* POLLHUP comes unasked */
    bool sent = notify("BARRIER=1", ends[1]);
    close(ends[1]); /* the note has its own */
    int ready = sent ? poll(&closed, 1, (int)(AMPLE / NS_PER_MS)) : 0;
    if (ready == -1)
        err(EXIT_FAILURE, "poll");
    close(ends[0]);
    return !sent ? "not_sent" : ready ? "read" : "late";
}

/* Are we to send heartbeats? off: nobody asks, or not us; bad: nonsense. */
static const char *watchdog_limit(uint64_t *usec)
{
    const char *limit = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t own = (uint64_t)getpid(), asked = own;
    bool sense = limit && read_number(limit, usec) && *usec != UINT64_MAX &&
                 (!pid || (read_number(pid, &asked) && asked <= INT32_MAX));
    if (!sense || asked != own)
        *usec = 0;
    return *usec > 0 ? "on" : limit && !sense ? "bad" : "off";
}

static void serve(uint64_t pieces, int64_t piece)
{
    uint64_t usec = 0, most = DURATION_MAX / NS_PER_US;
    const char *watchdog = watchdog_limit(&usec);
    printf("service: started watchdog=%s limit_us=%" PRIu64 "\n", watchdog,
           usec);
    /* To send them more often than one must does no harm. */
    int64_t half = (int64_t)(usec < most ? usec : most) * NS_PER_US / 2;
    int64_t start = now_ns(), last = start, now;
    struct timespec work = to_timespec(piece);
    int pings = 0;
    notify("READY=1\nSTATUS=working", -1);
    for (; pieces > 0; pieces--) {
        if (nanosleep(&work, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
        now = now_ns();
        if (usec == 0 || now - last < half)
            continue;
        notify("WATCHDOG=1", -1); /* from the work, not from a timer */
        pings++;
        last = now;
    }
    notify("STOPPING=1", -1);
    printf("service: ended pings=%d barrier=%s last_ping_ms=%" PRId64 "\n",
           pings, barrier(), (last - start) / NS_PER_MS);
}

/* A manager that does not read, and one that is gone. */
static void nag(const char *what, pid_t player, int signal)
{
    int sent = 0;
    hit_manager(player, signal);
    printf("stage: %s manager\n", what);
    while (sent < 100000 && notify("WATCHDOG=1", -1))
        sent++;
    printf("service: not_sent errno=%s after=%d\n",
           errno == ECONNREFUSED ? "ECONNREFUSED" : errno_name(errno), sent);
}

int main(int argc, char *argv[])
{
    uint64_t pieces = 3;
    if (argc > 3 || (argc > 2 && !read_number(argv[2], &pieces))) {
        fputs("usage: notify_watchdog [PIECE [PIECES]]\n"
              "  PIECE   how long a piece of work takes, default 20ms\n"
              "  PIECES  how many there are, 1 or more, default 3\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t piece = argc > 1 ? parse_duration(argv[1]) : 20 * NS_PER_MS;
    bool play = !getenv("NOTIFY_SOCKET");
    setlinebuf(stdout); /* empty at fork() */
    pid_t player = play ? start_manager("40000") : -1;
    manager_length = notify_address(getenv("NOTIFY_SOCKET"), &manager);
    if (manager_length == 0)
        err(EXIT_FAILURE, "NOTIFY_SOCKET");
    notes = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notes == -1)
        err(EXIT_FAILURE, "socket");
    serve(pieces, piece);
    if (play) {
        nag("stopped", player, SIGSTOP);
        nag("killed", player, SIGKILL);
    }
    return EXIT_SUCCESS;
}
