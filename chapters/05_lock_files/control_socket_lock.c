/*
 * control_socket_lock - who still has the lock when its owner is dead.
 *
 * Kea, a DHCP server, locks a file before it opens its control socket, so
 * that there is one server at a time. Killed and started again it may say
 * "cannot lock socket lockfile", and people blame the file that was left
 * behind, or a zombie. Neither can be it: the file is not the lock, and the
 * dead hold nothing. But a script that the server had started may have
 * inherited the descriptor, and with it the lock.
 *
 * We are the new server, and try to start while the old one runs, while it
 * is a zombie, and when it is reaped; then twice while a script of the old
 * one lives. O_CLOEXEC makes the difference.
 *
 *     $ cc control_socket_lock.c -o control_socket_lock
 *     $ ./control_socket_lock
 *     story: begins dir=/tmp/control_socket_lock.x8Ux0R
 *     old: started o_cloexec=no
 *     new: cannot lock socket lockfile, kea4-ctrl-socket.lock, : Resource ...
 *     old: killed state=zombie lock_file=there
 *     new: started o_cloexec=no
 *     old: killed state=reaped lock_file=there
 *     new: started o_cloexec=no
 *     ...
 *
 * See also: flock(2), open(2), execve(2), waitid(2).
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC, setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define LIMIT_S 5 /* no child lives longer */
#define LOCK_FILE "kea4-ctrl-socket.lock"

static char dir[] = "/tmp/control_socket_lock.XXXXXX";
static char lock_path[sizeof dir + sizeof LOCK_FILE];
static int line[2]; /* a socketpair: our end, and the old server's */

/* As Kea does, whose message this is. Closing what it returns is the end. */
static int start(const char *name, int o_cloexec)
{
    int fd = open(lock_path, O_RDONLY | O_CREAT | o_cloexec, 0600);
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        printf("%s: started o_cloexec=%s\n", name, o_cloexec ? "yes" : "no");
    else if (errno == EAGAIN)
        printf("%s: cannot lock socket lockfile, %s, : %s\n", name, LOCK_FILE,
               strerror(errno));
    else
        err(EXIT_FAILURE, "flock");
    return fd;
}

/* It outlives its server, and ends when we hang up, or end ourselves. */
static _Noreturn void become_script(void)
{
    char sh[] = "sh", c[] = "-c", text[] = "echo running; read line; exit 0";
    char *const words[] = {sh, c, text, NULL}, *const environment[] = {NULL};

    alarm(LIMIT_S);
    if (dup2(line[1], STDIN_FILENO) == -1 || dup2(line[1], STDOUT_FILENO) == -1)
        err(EXIT_FAILURE, "dup2");
    execve("/bin/sh", words, environment);
    err(EXIT_FAILURE, "execve");
}

/* Die by SIGKILL: at once if a script is left behind, or when we hang up. */
static _Noreturn void serve(int o_cloexec, bool has_script)
{
    char none;

    close(line[0]);
    alarm(LIMIT_S);
    if (prctl(PR_SET_NAME, "old") == -1)
        err(EXIT_FAILURE, "prctl");
    start("old", o_cloexec);
    if (has_script) {
        pid_t script = fork();
        if (script == -1)
            err(EXIT_FAILURE, "fork");
        if (script == 0)
            become_script();
    } else if (send(line[1], "", 1, MSG_NOSIGNAL) == -1) {
        err(EXIT_FAILURE, "send");
    } else if (recv(line[1], &none, 1, 0) == -1) {
        err(EXIT_FAILURE, "recv");
    }
    raise(SIGKILL);
    err(EXIT_FAILURE, "raise");
}

/* Start the old server. Return when it runs, or the script that it leaves. */
static pid_t start_old(int o_cloexec, bool has_script)
{
    char word[16];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t old = fork();
    if (old == -1)
        err(EXIT_FAILURE, "fork");
    if (old == 0)
        serve(o_cloexec, has_script);
    close(line[1]);
    errno = EPIPE; /* if it reads 0, the end: it has failed, and said why */
    if (recv(line[0], word, sizeof word, 0) < 1)
        err(EXIT_FAILURE, "recv");
    return old;
}

static void see_end(idtype_t of, pid_t pid, int options, const char *event)
{
    siginfo_t end;
    struct stat file;

    if (waitid(of, (id_t)pid, &end, WEXITED | options) == -1)
        err(EXIT_FAILURE, "waitid");
    if (end.si_status != (of == P_PID ? SIGKILL : EXIT_SUCCESS))
        errx(EXIT_FAILURE, "waitid: a child has failed");
    printf("%s lock_file=%s\n", event,
           stat(lock_path, &file) == 0 ? "there" : "gone");
}

static void leave_script(int o_cloexec)
{
    pid_t old = start_old(o_cloexec, true);
    see_end(P_PID, old, 0, "old: killed state=reaped script=running");
    close(start("new", o_cloexec));
    close(line[0]);
    see_end(P_ALL, 0, 0, "script: ended");
    close(start("new", o_cloexec));
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: control_socket_lock\n", stderr);
        return EXIT_USAGE;
    }
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    snprintf(lock_path, sizeof lock_path, "%s/" LOCK_FILE, dir);
    setlinebuf(stdout); /* else fork() copies what is not yet printed */
    printf("story: begins dir=%s\n", dir);
    /* Whom the server leaves behind becomes our child, to be waited for. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        err(EXIT_FAILURE, "prctl");
    pid_t old = start_old(0, false);
    close(start("new", 0));
    close(line[0]);
    see_end(P_PID, old, WNOWAIT, "old: killed state=zombie");
    close(start("new", 0));
    see_end(P_PID, old, 0, "old: killed state=reaped");
    close(start("new", 0));
    leave_script(0);
    leave_script(O_CLOEXEC);
    return EXIT_SUCCESS;
}
