/*
 * notify_manager - watch a service as systemd does: the manager's side.
 *
 * A tool, to see what a service sends, and what becomes of it when it does
 * not. It starts a line of shell as the service, tells it a socket in
 * NOTIFY_SOCKET and a limit in WATCHDOG_USEC, and prints each note that it
 * reads. From READY=1 on the service may be silent for the limit (and before
 * it for 30 s): each WATCHDOG=1 begins it anew, WATCHDOG_USEC= sets another,
 * and WATCHDOG=trigger says that it is over now. Who is late gets SIGABRT,
 * which can be caught for some last words, and after a grace SIGKILL, and so
 * does its process group.
 *
 * Anybody can send to an abstract address, so the kernel has to say who it
 * was: notes of other users are ignored, but not those of other processes,
 * for systemd-notify is one. Keys that we do not know are no mistake.
 *
 *     $ cc notify_manager.c -o notify_manager
 *     $ ./notify_manager                  (a service that gets stuck)
 *     manager: started limit_ms=150
 *     manager: read READY=1
 *     manager: read STATUS=working
 *     manager: read WATCHDOG=1
 *     manager: late reason=silent silent_ms=150
 *     manager: ended how=killed:6
 *     $ ./notify_manager 10s 'systemd-notify --ready'
 *     manager: started limit_ms=10000
 *     manager: read READY=1
 *     manager: read BARRIER=1 descriptor=1
 *     manager: ended how=exited:0
 *
 * Exits with 3 when the service was late, with 1 when it has failed, with 77
 * where the kernel has no pidfd (before Linux 5.3).
 * See also: notify_watchdog, sd_notify(3), systemd-notify(1), unix(7).
 */
#define _GNU_SOURCE /* struct ucred, syscall() */

#include <ctype.h>
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/asleep.h"
#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"
#include "notify.h"

#define GRACE NS_PER_SEC        /* from SIGABRT to SIGKILL */
#define AMPLE (30 * NS_PER_SEC) /* to get ready, and to stop */

static struct service {
    pid_t pid; /* and number of its process group */
    int pidfd;
    int64_t limit, heard, deadline; /* heard: of the last heartbeat */
    const char *late;               /* why, or NULL */
} service;

/* ------------------------------------------------------------ The socket */

/* A path is in a scratch directory, which goes away when we are gone. */
static int open_socket(bool path)
{
    static char directory[] = "/tmp/notify_manager.XXXXXX";
    char name[64];
    int on = 1;

    if (path) {
        if (!mkdtemp(directory))
            err(EXIT_FAILURE, "mkdtemp");
        guard_directory(directory);
        snprintf(name, sizeof name, "%s/notes", directory);
    }
    int notes = open_notes(path ? name : NULL);
    if (setsockopt(notes, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == -1)
        err(EXIT_FAILURE, "setsockopt"); /* the kernel adds who sent it */
    return notes;
}

/* ----------------------------------------------------------- The service */

/* Without a command: it says that it is ready, works, and gets stuck. */
static _Noreturn void get_stuck(void)
{
    const char text[] = "READY=1\nSTATUS=working\nWATCHDOG=1";
    struct sockaddr_un at;
    socklen_t length = notify_address(getenv("NOTIFY_SOCKET"), &at);
    int notes = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notes == -1)
        err(EXIT_FAILURE, "socket");
    if (sendto(notes, text, sizeof text - 1, MSG_DONTWAIT,
               (struct sockaddr *)&at, length) == -1)
        err(EXIT_FAILURE, "sendto");
    pause();
    err(EXIT_FAILURE, "pause");
}

static _Noreturn void be_service(char *command)
{
    char shell[] = "sh", option[] = "-c";
    char *words[] = {shell, option, command, NULL};
    struct rlimit no_core = {0, 0};
    char number[24];

    snprintf(number, sizeof number, "%" PRId64, service.limit / NS_PER_US);
    if (setenv("WATCHDOG_USEC", number, 1) == -1)
        err(EXIT_FAILURE, "setenv");
    snprintf(number, sizeof number, "%d", (int)getpid());
    if (setenv("WATCHDOG_PID", number, 1) == -1)
        err(EXIT_FAILURE, "setenv");
    if (setrlimit(RLIMIT_CORE, &no_core) == -1)
        err(EXIT_FAILURE, "setrlimit");
    if (!command)
        get_stuck();
    execv("/bin/sh", words);
    err(EXIT_FAILURE, "execv /bin/sh");
}

static int open_pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd == -1)
        err(errno == ENOSYS ? EXIT_SKIP : EXIT_FAILURE, "syscall pidfd_open");
    return fd;
}

static void start(char *command)
{
    service.pid = fork_helper("service");
    if (service.pid == 0) {
        if (setpgid(0, 0) == -1)
            err(EXIT_FAILURE, "setpgid");
        be_service(command);
    }
    /* Whoever of us comes first. It may have called execv() already. */
    if (setpgid(service.pid, service.pid) == -1 && errno != EACCES)
        err(EXIT_FAILURE, "setpgid");
    service.pidfd = open_pidfd(service.pid);
    if (!command && !is_asleep(service.pid)) /* the stage: it is stuck */
        errx(EXIT_FAILURE, "waitpid: the service has failed");
    service.deadline = now_ns() + AMPLE;
}

/* It is late: ask it for last words, and when that has been done, force it. */
static void end_service(const char *why)
{
    int signal = service.late ? SIGKILL : SIGABRT;

    if (!service.late)
        printf("manager: late reason=%s silent_ms=%" PRId64 "\n", why,
               (now_ns() - service.heard) / NS_PER_MS);
    service.late = why;
    service.deadline = now_ns() + GRACE;
    if (killpg(service.pid, signal) == -1)
        err(EXIT_FAILURE, "killpg");
}

/* ------------------------------------------------------------- The notes */

/* What a line means for the limit, if it means anything. */
static void obey(const char *line)
{
    uint64_t usec;

    if (service.late)
        return; /* nothing can save it now */
    if (strcmp(line, "READY=1") == 0 || strcmp(line, "WATCHDOG=1") == 0) {
        service.heard = now_ns();
        service.deadline = service.heard + service.limit;
    } else if (strcmp(line, "STOPPING=1") == 0) {
        service.deadline = now_ns() + AMPLE; /* no heartbeats any more */
    } else if (strcmp(line, "WATCHDOG=trigger") == 0) {
        end_service("trigger");
    } else if (strncmp(line, "WATCHDOG_USEC=", 14) == 0 &&
               read_number(line + 14, &usec) &&
               usec <= (uint64_t)(DURATION_MAX / NS_PER_US)) {
        service.limit = (int64_t)usec * NS_PER_US;
        service.heard = now_ns();
        service.deadline = service.heard + service.limit;
    }
}

/* They come from others: what is no text is not shown as it is. */
static void show(char *line, bool descriptor)
{
    for (char *c = line; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
    printf("manager: read %s%s\n", line, descriptor ? " descriptor=1" : "");
}

static void take_note(int notes)
{
    struct note note;
    const char *wrong = read_note(notes, &note) ? NULL : "not_a_note";

    if (!wrong && note.sender.uid != getuid() && note.sender.uid != 0)
        wrong = "other_user";
    if (wrong)
        printf("manager: ignored reason=%s\n", wrong);
    for (char *line = wrong ? NULL : strtok(note.text, "\n"); line;
         line = strtok(NULL, "\n")) {
        show(line, note.fd != -1);
        obey(line);
    }
    if (note.fd != -1)
        close(note.fd); /* if it is a barrier: all before it is read */
}

/* ---------------------------------------------------------- The watching */

static int wait_ms(void)
{
    int64_t left = service.deadline - now_ns();

    return left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

/* Returns when the service has ended, and all its notes are read. */
static void watch(int notes)
{
    struct pollfd on[] = {{notes, POLLIN, 0}, {service.pidfd, POLLIN, 0}};
    int in_a_row = 0;

    for (;;) {
        if (poll(on, 2, wait_ms()) == -1)
            err(EXIT_FAILURE, "poll");
        in_a_row = on[0].revents != 0 ? in_a_row + 1 : 0;
        if (in_a_row > 0) /* first: it may have sent them and ended */
            take_note(notes);
        else if (on[1].revents != 0)
            return;
        /* We may be behind with reading, but not for ever. */
        if ((in_a_row == 0 || in_a_row > 1000) && on[1].revents == 0 &&
            now_ns() >= service.deadline)
            end_service("silent");
    }
}

/* How has it ended? Returns our own exit code. */
static int reap(void)
{
    int status;

    /* Whom it has left behind. Until it is reaped the number is its own. */
    if (killpg(service.pid, SIGKILL) == -1)
        err(EXIT_FAILURE, "killpg");
    if (waitpid(service.pid, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    bool killed = WIFSIGNALED(status);
    printf("manager: ended how=%s:%d\n", killed ? "killed" : "exited",
           killed ? WTERMSIG(status) : WEXITSTATUS(status));
    if (service.late)
        return EXIT_TIMED_OUT;
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    bool path = argc > 3 && strcmp(argv[3], "path") == 0;
    if (argc > 4 || (argc > 3 && !path && strcmp(argv[3], "abstract") != 0)) {
        fputs("usage: notify_manager [LIMIT [COMMAND [ADDRESS]]]\n"
              "  LIMIT    how long it may be silent, default 150ms\n"
              "  COMMAND  the service, a line for the shell; without it\n"
              "           there is one that gets stuck\n"
              "  ADDRESS  of the socket: path or abstract, the default\n",
              stderr);
        return EXIT_USAGE;
    }
    service.limit = argc > 1 ? parse_duration(argv[1]) : 150 * NS_PER_MS;
    close(open_pidfd(getpid())); /* without it nothing is to be started */
    int notes = open_socket(path);

    setlinebuf(stdout); /* empty at fork() */
    printf("manager: started limit_ms=%" PRId64 "\n",
           service.limit / NS_PER_MS);
    service.heard = now_ns();
    start(argc > 2 ? argv[2] : NULL);
    watch(notes);
    return reap();
}
