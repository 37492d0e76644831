/*
 * close_on_exec - a lock that dies with its server, whatever the server starts.
 *
 * A server locks a file, keeps the descriptor out of the way of the small
 * numbers, and starts a script. The script outlives it, and must not have the
 * lock. libcec opened a device without O_CLOEXEC, and every program that its
 * caller started had it too: https://github.com/Pulse-Eight/libcec/issues/477
 * Fill the gap marked TODO, then run: make check-close_on_exec
 *
 *     $ close_on_exec
 *     server: locked fd=100 descriptors=1
 *     script: running
 *     next: refused server=alive
 *     next: started server=dead
 *
 * Exits with 0, or with 1 when a call failed.
 * See also: open(2), fcntl(2), execve(2), flock(2).
 */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC, with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define FIRST 100 /* what we keep open has a number from here on */
#define LIMIT_S 5 /* no child lives longer */

static char dir[] = "/tmp/close_on_exec.XXXXXX";
static char path[sizeof dir + sizeof "/lock"];
static int line[2]; /* our end, and what will be the script's stdin, stdout */

/*
 * Lock the file. Returns the descriptor, or -1 and errno says why.
 *
 * TODO: the script inherits the descriptor, and with it the lock.
 *
 *   1. When the server is dead the next one starts, though a script that it
 *      has started lives on.
 *   2. So it is from the first moment: there is no instant in which a program
 *      that is started, say by another thread, could inherit a descriptor.
 *   3. As now, the descriptor that you return is FIRST or above, and the
 *      server has no other one of the file.
 *   4. As now, the server has the lock while it lives; who is refused gets -1
 *      and errno.
 */
static int lock_file(void)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd == -1)
        return -1;

    int kept = flock(fd, LOCK_EX | LOCK_NB);
    if (kept == 0)
        kept = fcntl(fd, F_DUPFD, FIRST);
    int why = errno;
    close(fd);
    errno = why;
    return kept;
}

/* Of how many of our descriptors is this the file? */
static int count_descriptors(void)
{
    struct stat file, other;
    int count = 0;

    if (stat(path, &file) == -1)
        err(EXIT_FAILURE, "stat");
    for (int fd = 0; fd < 2 * FIRST; fd++)
        count += fstat(fd, &other) == 0 && other.st_ino == file.st_ino &&
                 other.st_dev == file.st_dev;
    return count;
}

static void start_script(void)
{
    char sh[] = "sh", c[] = "-c", text[] = "echo running; read line; exit 0";
    char *const words[] = {sh, c, text, NULL}, *const environment[] = {NULL};

    pid_t child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    if (child > 0)
        return;
    alarm(LIMIT_S);
    if (dup2(line[1], STDIN_FILENO) == -1 || dup2(line[1], STDOUT_FILENO) == -1)
        err(EXIT_FAILURE, "dup2");
    execve("/bin/sh", words, environment);
    err(EXIT_FAILURE, "execve");
}

static _Noreturn void serve(pid_t parent)
{
    alarm(LIMIT_S);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "server") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    close(line[0]);

    int fd = lock_file();
    if (fd == -1)
        err(EXIT_FAILURE, "lock_file");
    printf("server: locked fd=%d descriptors=%d\n", fd, count_descriptors());
    start_script();
    close(line[1]);
    pause();
    err(EXIT_FAILURE, "pause");
}

/* The next server: would it get the lock now? */
static void try_next(const char *server)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    if (rc == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "flock");
    printf("next: %s server=%s\n", rc == 0 ? "started" : "refused", server);
    close(fd);
}

static void await(pid_t child)
{
    if (waitpid(child, NULL, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
}

int main(int argc, char *argv[])
{
    pid_t us = getpid();
    char word[16];

    (void)argv;
    if (argc > 1) {
        fputs("usage: close_on_exec\n", stderr);
        return EXIT_USAGE;
    }
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    snprintf(path, sizeof path, "%s/lock", dir);
    setlinebuf(stdout); /* else fork() copies what is not yet printed */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        err(EXIT_FAILURE, "prctl");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) == -1)
        err(EXIT_FAILURE, "socketpair");

    pid_t server = fork();
    if (server == -1)
        err(EXIT_FAILURE, "fork");
    if (server == 0)
        serve(us);
    close(line[1]);
    if (recv(line[0], word, sizeof word, 0) < 1)
        errx(EXIT_FAILURE, "recv: the script does not run");
    printf("script: running\n");

    try_next("alive");
    if (kill(server, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    await(server);
    try_next("dead");
    close(line[0]); /* which ends the script */
    await(-1);
    return EXIT_SUCCESS;
}
