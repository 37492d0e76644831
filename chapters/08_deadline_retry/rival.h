/*
 * The rival of one_budget has the lock and the semaphore, and the way to the
 * server is full. Every 20 ms it makes one step possible, until it hangs.
 *
 * See also: one_budget.c.
 */
#ifndef RIVAL_H
#define RIVAL_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/helper.h"

#define STEP (20 * NS_PER_MS)

static char dir[] = "/tmp/one_budget.XXXXXX";
static char lock_path[sizeof dir + sizeof "/lock"];
static int set;
static int64_t message[512]; /* a request is its first number alone */

enum step { LOCK, SEMAPHORE, SEND, PATIENCE, NOTHING };
static const char *const steps[] = {"lock", "semaphore", "send", "patience",
                                    "nothing"};

static inline void change_count(short by)
{
    struct sembuf op = {.sem_num = 0, .sem_op = by, .sem_flg = IPC_NOWAIT};

    if (semop(set, &op, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

static inline int open_lock(void)
{
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    return fd;
}

/* May SIGTERM end us from now on? */
static inline void mask_sigterm(int how)
{
    sigset_t sigterm;

    sigemptyset(&sigterm);
    sigaddset(&sigterm, SIGTERM);
    if (sigprocmask(how, &sigterm, NULL) == -1)
        err(EXIT_FAILURE, "sigprocmask");
}

/*
 * It has all three, lets go of one after the other, and reads. SIGTERM ends it
 * where it hangs, not before: so we know what it has let go of.
 */
static inline _Noreturn void be_rival(int fd, int lock, enum step hangs)
{
    struct timespec pause_for = to_timespec(STEP);
    ssize_t length;

    for (enum step step = LOCK; step <= SEND; step++) {
        if (step == hangs) {
            mask_sigterm(SIG_UNBLOCK);
            pause();
            err(EXIT_FAILURE, "pause");
        }
        if (nanosleep(&pause_for, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
        if (step == LOCK)
            close(lock);
        if (step == SEMAPHORE)
            change_count(1);
    }
    mask_sigterm(SIG_UNBLOCK);
    while ((length = recv(fd, message, sizeof message, 0)) == sizeof message)
        continue; /* older requests, longer than ours */
    if (length == -1)
        err(EXIT_FAILURE, "recv");
    printf("server: received left_ms=%" PRId64 "\n", message[0] / NS_PER_MS);
    _exit(EXIT_SUCCESS);
}

struct rival {
    pid_t pid;
    int lock;           /* its descriptor of the lock file */
    int way, other_end; /* our end of the way to the server, and its end */
    enum step hangs;
};

/* Of the semaphore one was taken before. */
static inline struct rival take_all(void)
{
    struct rival rival = {.lock = open_lock()};
    int pair[2];

    if (flock(rival.lock, LOCK_EX | LOCK_NB) == -1)
        err(EXIT_FAILURE, "flock");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    while (send(pair[0], message, sizeof message, MSG_DONTWAIT) != -1)
        continue; /* older requests fill the way to it */
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");
    rival.way = pair[0];
    rival.other_end = pair[1];
    return rival;
}

static inline void start_rival(struct rival *rival, enum step hangs)
{
    rival->hangs = hangs;
    mask_sigterm(SIG_BLOCK);
    rival->pid = fork_helper("rival");
    if (rival->pid > 0)
        mask_sigterm(SIG_UNBLOCK);
    close(rival->pid == 0 ? rival->way : rival->other_end);
    if (rival->pid == 0)
        be_rival(rival->other_end, rival->lock, hangs);
    close(rival->lock);
}

/* Afterwards all is free, unless the job has kept something. */
static inline void end_rival(struct rival *rival, bool by_force)
{
    int status;

    if (by_force && kill(rival->pid, SIGTERM) == -1)
        err(EXIT_FAILURE, "kill");
    if (waitpid(rival->pid, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        errx(EXIT_FAILURE, "waitpid: the rival has failed");
    close(rival->way);
    if (rival->hangs <= SEMAPHORE)
        change_count(1); /* which the rival has not */
}

static inline bool is_locked(void)
{
    int lock = open_lock();
    bool is_free = flock(lock, LOCK_EX | LOCK_NB) == 0;

    if (!is_free && errno != EWOULDBLOCK)
        err(EXIT_FAILURE, "flock");
    close(lock);
    return !is_free;
}

static inline int get_count(void)
{
    int count = semctl(set, 0, GETVAL);

    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    return count;
}

#endif
