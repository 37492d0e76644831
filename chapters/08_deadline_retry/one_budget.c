/*
 * one_budget - three waits share one deadline, and a late job lets go.
 *
 * A job needs a lock file, then a semaphore, and then sends a request. Each
 * step may have to wait. With a limit of its own for each step the job could
 * take three times as long as anybody was told. So there is one deadline, and
 * it is handed down: each wait gets what the steps before have left. A step
 * may be less patient, and then the earlier of two deadlines counts; never
 * the later.
 *
 * The request says how much is left, for the server's clock is not ours. And
 * wherever the time runs out, what was acquired is let go again.
 *
 * A rival has the lock and the semaphore, and the way to the server is full.
 * Every 20 ms it makes one step possible; but each time it hangs at another.
 *
 *     $ cc one_budget.c -o one_budget
 *     $ ./one_budget
 *     story: begins dir=/tmp/one_budget.x8Ux0R set=7
 *     server: received left_ms=189
 *     job: done limit_ms=250 waited_ms=61 lock=free count=1
 *     job: gave_up at=lock limit_ms=250 waited_ms=250 lock=free count=1
 *     job: gave_up at=semaphore limit_ms=250 waited_ms=250 lock=free count=1
 *     job: gave_up at=send limit_ms=250 waited_ms=250 lock=free count=1
 *     job: gave_up at=semaphore limit_ms=250 waited_ms=53 lock=free count=1
 *
 * Exits with 0 when the job was done, with 3 when it gave up.
 * See also: flock(2), semop(2), send(2), poll(2).
 */
#define _GNU_SOURCE /* semtimedop() */

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
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"

#define OWN_LIMIT (30 * NS_PER_MS) /* for the semaphore, where it has one */
#define STEP (20 * NS_PER_MS)
#define NAP (5 * NS_PER_MS)

static char dir[] = "/tmp/one_budget.XXXXXX";
static char lock_path[sizeof dir + sizeof "/lock"];
static int set;
static int64_t message[512]; /* a request is its first number alone */

enum step { LOCK, SEMAPHORE, SEND, PATIENCE, NOTHING };
static const char *const steps[] = {"lock", "semaphore", "send", "patience",
                                    "nothing"};

static int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* Each returns true, or false if the deadline has come. Other errors end us. */
static bool lock_by(int fd, int64_t deadline)
{
    while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        if (errno != EWOULDBLOCK)
            err(EXIT_FAILURE, "flock");
        int64_t left = deadline - now_ns();
        if (left <= 0)
            return false;
        struct timespec nap = to_timespec(earlier(left, NAP));
        if (nanosleep(&nap, NULL) == -1 && errno != EINTR)
            err(EXIT_FAILURE, "nanosleep");
    }
    return true;
}

static bool take_by(int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now_ns();
        bool last = left <= 0;
        struct sembuf take = {.sem_op = -1, .sem_flg = last ? IPC_NOWAIT : 0};
        struct timespec timeout = to_timespec(last ? 0 : left);

        if (semtimedop(set, &take, 1, &timeout) == 0)
            return true;
        if (errno != EAGAIN && errno != EINTR)
            err(EXIT_FAILURE, "semtimedop");
        if (last || errno == EAGAIN)
            return false;
    }
}

/* Send, as one message, how much time is left. */
static bool send_by(int fd, int64_t deadline)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    for (;;) {
        int64_t left = deadline - now_ns();
        message[0] = left > 0 ? left : 0;
        if (send(fd, message, sizeof message[0], MSG_DONTWAIT | MSG_NOSIGNAL) !=
            -1)
            return true;
        if (errno != EAGAIN && errno != EINTR)
            err(EXIT_FAILURE, "send");
        if (left <= 0)
            return false;
        if (poll(&room, 1, (int)((left - 1) / NS_PER_MS + 1)) == -1 &&
            errno != EINTR)
            err(EXIT_FAILURE, "poll");
    }
}

static void change_count(short by)
{
    struct sembuf op = {.sem_num = 0, .sem_op = by, .sem_flg = IPC_NOWAIT};

    if (semop(set, &op, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

static int open_lock(void)
{
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1)
        err(EXIT_FAILURE, "open");
    return fd;
}

/* The job. Return NOTHING, or the step at which the time was over. */
static enum step work_by(int fd, int64_t deadline, int64_t own_limit)
{
    enum step late = LOCK;
    int lock = open_lock();

    if (lock_by(lock, deadline)) {
        late = SEMAPHORE;
        if (take_by(earlier(deadline, now_ns() + own_limit))) {
            late = send_by(fd, deadline) ? NOTHING : SEND;
            change_count(1);
        }
    }
    close(lock); /* which unlocks it, if it was ours */
    return late;
}

/* It has all three, lets go of one after the other, and reads. */
static _Noreturn void be_rival(int fd, int lock, enum step hangs, pid_t job)
{
    struct timespec pause_for = to_timespec(STEP);
    ssize_t length;

    /* Never outlive the job. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, "rival") == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != job)
        _exit(EXIT_FAILURE);
    for (enum step step = LOCK; step <= SEND; step++) {
        if (step == hangs && pause() == -1)
            err(EXIT_FAILURE, "pause");
        if (nanosleep(&pause_for, NULL) == -1)
            err(EXIT_FAILURE, "nanosleep");
        if (step == LOCK)
            close(lock);
        if (step == SEMAPHORE)
            change_count(1);
    }
    while ((length = recv(fd, message, sizeof message, 0)) == sizeof message)
        continue; /* older requests, longer than ours */
    if (length == -1)
        err(EXIT_FAILURE, "recv");
    printf("server: received left_ms=%" PRId64 "\n", message[0] / NS_PER_MS);
    _exit(EXIT_SUCCESS);
}

/* All is free at the end, unless the job has kept something. */
static void tell(enum step late, int64_t limit, int64_t waited)
{
    int count = semctl(set, 0, GETVAL), lock = open_lock();

    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    bool is_free = flock(lock, LOCK_EX | LOCK_NB) == 0;
    if (!is_free && errno != EWOULDBLOCK)
        err(EXIT_FAILURE, "flock");
    close(lock);
    printf("job: %s%s limit_ms=%" PRId64 " waited_ms=%" PRId64
           " lock=%s count=%d\n",
           late == NOTHING ? "done" : "gave_up at=",
           late == NOTHING ? "" : steps[late], limit / NS_PER_MS,
           waited / NS_PER_MS, is_free ? "free" : "taken", count);
}

/* All three are taken, and the rival has them, when the time begins. */
static int play(enum step hangs, int64_t limit)
{
    int64_t own_limit = hangs == PATIENCE ? OWN_LIMIT : DURATION_MAX;
    int pair[2], status, lock = open_lock();

    hangs = hangs == PATIENCE ? SEMAPHORE : hangs;
    if (flock(lock, LOCK_EX | LOCK_NB) == -1)
        err(EXIT_FAILURE, "flock");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    while (send(pair[0], message, sizeof message, MSG_DONTWAIT) != -1)
        continue; /* older requests fill the way to it */
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");

    int64_t start = now_ns();
    pid_t job = getpid(), rival = fork();
    if (rival == -1)
        err(EXIT_FAILURE, "fork");
    close(pair[rival == 0 ? 0 : 1]); /* each keeps one end */
    if (rival == 0)
        be_rival(pair[1], lock, hangs, job);
    close(lock);
    enum step late = work_by(pair[0], start + limit, own_limit);
    int64_t waited = now_ns() - start;

    if (late != NOTHING && kill(rival, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    if (waitpid(rival, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        errx(EXIT_FAILURE, "waitpid: the rival has failed");
    close(pair[0]);
    if (hangs <= SEMAPHORE)
        change_count(1); /* which the rival has not */
    tell(late, limit, waited);
    change_count(-1);
    return late == NOTHING ? EXIT_SUCCESS : EXIT_TIMED_OUT;
}

int main(int argc, char *argv[])
{
    enum step hangs = LOCK;
    while (argc == 3 && hangs <= NOTHING && strcmp(argv[2], steps[hangs]) != 0)
        hangs++;
    if (argc > 3 || hangs > NOTHING) {
        fputs("usage: one_budget [LIMIT [nothing|lock|semaphore|send|patience]]"
              "\n  LIMIT      for the whole job, default 250ms\n"
              "  Without a word for what hangs, all of them.\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : 250 * NS_PER_MS;

    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    if (!mkdtemp(dir))
        err(EXIT_FAILURE, "mkdtemp");
    guard_directory(dir);
    snprintf(lock_path, sizeof lock_path, "%s/lock", dir);
    setlinebuf(stdout); /* empty at fork() */
    printf("story: begins dir=%s set=%d\n", dir, set);
    if (argc > 2)
        return play(hangs, limit);
    play(NOTHING, limit);
    for (hangs = LOCK; hangs <= PATIENCE; hangs++)
        play(hangs, limit);
    return EXIT_SUCCESS;
}
