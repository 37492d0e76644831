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
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "rival.h"

#define OWN_LIMIT (30 * NS_PER_MS) /* for the semaphore, where it has one */
#define NAP (5 * NS_PER_MS)

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

/* All three are taken, and the rival has them, when the time begins. */
static int play(enum step hangs, int64_t limit)
{
    int64_t own_limit = hangs == PATIENCE ? OWN_LIMIT : DURATION_MAX;
    struct rival rival = take_all();
    int64_t start = now_ns();
    start_rival(&rival, hangs == PATIENCE ? SEMAPHORE : hangs);

    enum step late = work_by(rival.way, start + limit, own_limit);
    int64_t waited = now_ns() - start;
    end_rival(&rival, late != NOTHING);
    printf("job: %s%s limit_ms=%" PRId64 " waited_ms=%" PRId64
           " lock=%s count=%d\n",
           late == NOTHING ? "done" : "gave_up at=",
           late == NOTHING ? "" : steps[late], limit / NS_PER_MS,
           waited / NS_PER_MS, is_locked() ? "taken" : "free", get_count());
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
