/*
 * robust_mutex - a lock that says that its holder has died.
 *
 * A transfer takes the accounts, has taken 10 from savings, and is killed
 * before it adds them to checking. SEM_UNDO lets the next one in, at once, and
 * says nothing: it finds a sum that is wrong, or does not look.
 *
 * A mutex can be shared by processes, too, and it knows who has it. A plain one
 * stays locked when its holder is killed, for ever. A robust one is given to
 * the next, with EOWNERDEAD: you have it, and what it guards may be half done.
 * In the third story who is told so repairs that, and says that it is repaired.
 * In the last one he does not: with the unlock the mutex is given up, and all
 * who come later get ENOTRECOVERABLE.
 *
 *     $ cc robust_mutex.c -o robust_mutex
 *     $ ./robust_mutex
 *     bank: begins lock=semaphore sum=100 set=7
 *     holder: killed sum=90
 *     second: got result=0 sum=90
 *     third: got result=0 sum=90
 *     bank: begins lock=plain sum=100 set=7
 *     holder: killed sum=90
 *     second: refused result=EBUSY
 *     third: refused result=EBUSY
 *     bank: begins lock=repaired sum=100 set=7
 *     holder: killed sum=90
 *     second: got result=EOWNERDEAD sum=90
 *     second: repaired sum=100
 *     third: got result=0 sum=100
 *     bank: begins lock=left sum=100 set=7
 *     holder: killed sum=90
 *     second: got result=EOWNERDEAD sum=90
 *     third: refused result=ENOTRECOVERABLE
 *
 * See also: pthread_mutexattr_setrobust(3), pthread_mutex_consistent(3),
 * semop(2).
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"

#define SUM 100

enum lock { SEMAPHORE, PLAIN, REPAIRED, LEFT };
static const char *const kinds[] = {"semaphore", "plain", "repaired", "left"};

static int set;
struct bank {
    pthread_mutex_t mutex;
    int savings, checking;
};
static struct bank *bank; /* in shared memory */

/* The functions of a mutex return their error, and leave errno alone. */
static void check(int error, const char *call)
{
    errno = error;
    if (error != 0)
        err(EXIT_FAILURE, "%s", call);
}

/* A new one, in memory of its own, for each story. */
static void make_bank(enum lock lock)
{
    pthread_mutexattr_t how;

    bank = mmap(NULL, sizeof *bank, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bank == MAP_FAILED)
        err(EXIT_FAILURE, "mmap");
    bank->savings = SUM;
    check(pthread_mutexattr_init(&how), "pthread_mutexattr_init");
    check(pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED),
          "pthread_mutexattr_setpshared");
    check(pthread_mutexattr_setrobust(&how, lock == PLAIN
                                                ? PTHREAD_MUTEX_STALLED
                                                : PTHREAD_MUTEX_ROBUST),
          "pthread_mutexattr_setrobust");
    check(pthread_mutex_init(&bank->mutex, &how), "pthread_mutex_init");
}

static void operate(short op, short flags)
{
    struct sembuf one = {.sem_op = op, .sem_flg = flags};

    if (semop(set, &one, 1) == -1) /* also when it is not to be had */
        err(EXIT_FAILURE, "semop");
}

/* Without a wait. Returns 0, EBUSY, EOWNERDEAD or ENOTRECOVERABLE. */
static int take(enum lock lock)
{
    if (lock == SEMAPHORE) {
        operate(-1, IPC_NOWAIT | SEM_UNDO);
        return 0;
    }
    int result = pthread_mutex_trylock(&bank->mutex);
    if (result != EBUSY && result != EOWNERDEAD && result != ENOTRECOVERABLE)
        check(result, "pthread_mutex_trylock");
    return result;
}

static _Noreturn void come_next(const char *who, enum lock lock)
{
    int result = take(lock);
    const char *name = result == 0            ? "0"
                       : result == EBUSY      ? "EBUSY"
                       : result == EOWNERDEAD ? "EOWNERDEAD"
                                              : "ENOTRECOVERABLE";

    if (result != 0 && result != EOWNERDEAD) {
        printf("%s: refused result=%s\n", who, name);
        _exit(EXIT_SUCCESS);
    }
    printf("%s: got result=%s sum=%d\n", who, name,
           bank->savings + bank->checking);
    if (result == EOWNERDEAD && lock == REPAIRED) {
        bank->checking = SUM - bank->savings; /* what the holder had in mind */
        check(pthread_mutex_consistent(&bank->mutex),
              "pthread_mutex_consistent");
        printf("%s: repaired sum=%d\n", who, bank->savings + bank->checking);
    }
    if (lock == SEMAPHORE)
        operate(1, SEM_UNDO);
    else
        check(pthread_mutex_unlock(&bank->mutex), "pthread_mutex_unlock");
    _exit(EXIT_SUCCESS);
}

static void play(enum lock lock)
{
    static const char *const names[] = {"second", "third"};
    int status;

    make_bank(lock);
    printf("bank: begins lock=%s sum=%d set=%d\n", kinds[lock], SUM, set);
    pid_t holder = fork_helper("holder");
    if (holder == 0) {
        take(lock);
        bank->savings -= 10;
        raise(SIGKILL);
        _exit(EXIT_FAILURE);
    }
    if (waitpid(holder, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        errx(EXIT_FAILURE, "waitpid: the holder has failed");
    printf("holder: killed sum=%d\n", bank->savings + bank->checking);
    for (int i = 0; i < 2; i++) {
        pid_t next = fork_helper(names[i]);
        if (next == 0)
            come_next(names[i], lock);
        see_end(next, 0);
    }
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: robust_mutex\n", stderr);
        return EXIT_USAGE;
    }

    set = semget(IPC_PRIVATE, 1, 0600); /* Linux starts it at 0 */
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    operate(1, 0);
    setlinebuf(stdout); /* empty at fork() */
    for (enum lock lock = SEMAPHORE; lock <= LEFT; lock++)
        play(lock);
    return EXIT_SUCCESS;
}
