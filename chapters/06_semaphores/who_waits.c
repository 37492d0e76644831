/*
 * who_waits - what the kernel tells about a semaphore, and what it cannot.
 *
 * For each count of a set it keeps how many wait to take (GETNCNT), how many
 * wait for 0 (GETZCNT), and which process has operated last (GETPID). The
 * last is easily read as the owner. But who sets the count, who posts, and
 * who has only seen it at 0 is written down in the same place, and stays
 * there when it is dead; who waits or is refused is not. So the kernel knows
 * how many wait, and not for whom.
 *
 * A set has two counts, a door (num=0) and two jobs (num=1). The keeper takes
 * the door, and has it until the set is removed. The others make one call
 * each. A process that has ended has no name: "none".
 *
 *     $ cc who_waits.c -o who_waits
 *     $ ./who_waits
 *     maker: set num=0 count=1 waiting=0 for_zero=0 pid=4711 name=maker set=7
 *     keeper: took num=0 count=0 waiting=0 for_zero=0 pid=4713 name=keeper ...
 *     ...
 *
 * The same from outside: ipcs -s -i SET in another terminal, while you hold it
 * still. (Ctrl-Z would interrupt those who wait: see chapter 7.)
 *
 * See also: semctl(2), ipcs(1), sysvipc(7).
 */
#define _GNU_SOURCE /* usleep(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/guard.h"
#include "../../common/helper.h"
#include "hold.h"

union semun { /* every program has to define it itself, see semctl(2) */
    unsigned short *array;
};

enum { DOOR, JOBS }; /* sem_num */

static int set, hold_ms;

static int ask(int num, int command)
{
    int answer = semctl(set, num, command);
    if (answer == -1)
        err(EXIT_FAILURE, "semctl");
    return answer;
}

/* Say what the kernel tells; hold still until Enter, for somebody who looks. */
static void tell(const char *who, const char *event, int num)
{
    char path[40], name[16];
    int pid = ask(num, GETPID);

    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *comm = fopen(path, "r");
    if (!comm || fscanf(comm, "%15s", name) != 1)
        strcpy(name, "none");
    if (comm)
        fclose(comm);
    printf("%s: %s num=%d count=%d waiting=%d for_zero=%d pid=%d name=%s "
           "set=%d\n",
           who, event, num, ask(num, GETVAL), ask(num, GETNCNT),
           ask(num, GETZCNT), pid, name, set);
    hold(hold_ms);
}

/* In a process of its own: -1 takes, 0 waits for 0. Exits with the answer. */
static pid_t start(const char *who, unsigned short num, short op, short flags)
{
    struct sembuf door = {.sem_num = DOOR, .sem_op = -1};
    struct sembuf what = {.sem_num = num, .sem_op = op, .sem_flg = flags};
    pid_t child = fork_helper(who);
    if (child > 0)
        return child;
    alarm(10 + 10 * (unsigned)hold_ms / 1000); /* in s: its signal ends us */
    if (num == JOBS && semop(set, &door, 1) == -1) /* that is the keeper */
        err(EXIT_FAILURE, "semop");
    if (semop(set, &what, 1) == 0)
        _exit(EXIT_SUCCESS);
    if (errno != EAGAIN && errno != EIDRM)
        err(EXIT_FAILURE, "semop");
    _exit(errno);
}

/* Return when it has brought about that the kernel gives this answer. */
static void await(pid_t child, int num, int command, int answer)
{
    while (ask(num, command) != answer) {
        pid_t ended = waitpid(child, NULL, WNOHANG);
        if (ended == -1)
            err(EXIT_FAILURE, "waitpid");
        if (ended > 0)
            errx(EXIT_FAILURE, "waitpid: one has ended that should wait");
        if (usleep(1000) == -1)
            err(EXIT_FAILURE, "usleep");
    }
}

/* What stands in the list of all sets: nothing about the counts. */
static void tell_list(void)
{
    int id, perms, nsems, uid;
    char text[256];

    FILE *list = fopen("/proc/sysvipc/sem", "r");
    if (!list)
        err(EXIT_SKIP, "/proc/sysvipc/sem");
    while (fgets(text, sizeof text, list))
        if (sscanf(text, "%*d %d %d %d %d", &id, &perms, &nsems, &uid) == 4 &&
            id == set)
            printf("list: nsems=%d perms=%d uid=%d set=%d\n", nsems, perms, uid,
                   set);
    fclose(list);
}

static void play(void)
{
    unsigned short first[] = {[DOOR] = 1, [JOBS] = 2};
    if (semctl(set, 0, SETALL, (union semun){.array = first}) == -1)
        err(EXIT_FAILURE, "semctl");
    tell("maker", "set", DOOR);
    pid_t keeper = start("keeper", JOBS, 0, 0);
    await(keeper, DOOR, GETVAL, 0);
    tell("keeper", "took", DOOR);
    see_end(start("hasty", DOOR, -1, IPC_NOWAIT), EAGAIN);
    tell("hasty", "refused", DOOR);
    pid_t taker = start("taker", DOOR, -1, 0);
    await(taker, DOOR, GETNCNT, 1);
    tell("taker", "waits", DOOR);
    see_end(start("passer_by", DOOR, 0, 0), 0);
    tell("passer_by", "saw_0", DOOR);
    await(keeper, JOBS, GETZCNT, 1);
    tell("keeper", "waits", JOBS);
    tell_list();
    if (semctl(set, 0, IPC_RMID) == -1)
        err(EXIT_FAILURE, "semctl");
    see_end(keeper, EIDRM);
    see_end(taker, EIDRM);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: who_waits [HOLD]\n"
              "  HOLD  how long to hold still after a line, default 0s\n",
              stderr);
        return EXIT_USAGE;
    }
    hold_ms = argc > 1 ? (int)(parse_duration(argv[1]) / NS_PER_MS) : 0;

    set = semget(IPC_PRIVATE, 2, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);

    setlinebuf(stdout); /* readable while we hold still, and empty at fork() */
    if (prctl(PR_SET_NAME, "maker") == -1)
        err(EXIT_FAILURE, "prctl");
    play();
    return EXIT_SUCCESS;
}
