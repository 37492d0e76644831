/*
 * undo_in_pairs - which operations shall be undone when a process ends?
 *
 * A set has two counts. The tickets say how many workers may work: a worker
 * takes one, works, and gives it back. The items are what producers have put
 * there, for consumers to get. Workers, producers and consumers end, and some
 * are killed; the counts must then be right. Shopify's semian had two such
 * operations that did not agree, and lost tickets for good
 * (https://github.com/Shopify/semian/pull/141).
 *
 *     $ undo_in_pairs
 *     worker: killed tickets=1 right=1 set=7
 *     worker: ended tickets=1 right=1 set=8
 *     producer: ended items=3 right=3 set=9
 *     consumer: ended items=2 right=2 set=10
 *
 * All the while another worker is at work, with the second of two tickets.
 *
 * See also: semop(2).
 */
#define _GNU_SOURCE /* with -std=c11 too, all of the headers */

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "../../common/guard.h"

enum { TICKETS, ITEMS };

union semun { /* every program has to define it itself, see semctl(2) */
    int val;
    unsigned short *array;
};

static void change(int set, unsigned short num, short op, short flags)
{
    struct sembuf what = {.sem_num = num, .sem_op = op, .sem_flg = flags};

    if (semop(set, &what, 1) == -1)
        err(EXIT_FAILURE, "semop");
}

static void take_ticket(int set)
{
    change(set, TICKETS, -1, SEM_UNDO);
}

static void give_ticket_back(int set)
{
    change(set, TICKETS, 1, SEM_UNDO);
}

static void put_item(int set)
{
    change(set, ITEMS, 1, 0);
}

static void get_item(int set)
{
    change(set, ITEMS, -1, 0);
}

static void be_worker(int set)
{
    take_ticket(set);
    give_ticket_back(set);
}

static void be_producer(int set)
{
    for (int i = 0; i < 3; i++)
        put_item(set);
}

struct process {
    pid_t pid;
    int stop; /* closed, it lets the process end */
};

/* Start one, and return when it has played its role. */
static struct process start(const char *name, void (*role)(int), int set)
{
    int done[2], stop[2];
    char none;
    if (pipe(done) == -1 || pipe(stop) == -1)
        err(EXIT_FAILURE, "pipe");
    pid_t parent = getpid(), child = fork();
    if (child == -1)
        err(EXIT_FAILURE, "fork");
    close(child == 0 ? done[0] : done[1]);
    close(child == 0 ? stop[1] : stop[0]);
    if (child > 0) {
        if (read(done[0], &none, 1) != 1)
            errx(EXIT_FAILURE, "read: the %s has failed", name);
        close(done[0]);
        return (struct process){child, stop[1]};
    }

    /* Never outlive the parent. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
        prctl(PR_SET_NAME, name) == -1)
        err(EXIT_FAILURE, "prctl");
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    role(set);
    if (write(done[1], "", 1) == -1 || read(stop[0], &none, 1) == -1)
        err(EXIT_FAILURE, "write, read");
    _exit(EXIT_SUCCESS);
}

static void end(struct process it, bool killed)
{
    if (killed && kill(it.pid, SIGKILL) == -1)
        err(EXIT_FAILURE, "kill");
    close(it.stop);
    if (waitpid(it.pid, NULL, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
}

/* With two tickets, one of them out, and so many items. */
static void play(const char *name, void (*role)(int), bool killed, int items,
                 int right)
{
    int set = semget(IPC_PRIVATE, 2, 0600);
    if (set == -1)
        err(EXIT_FAILURE, "semget");
    guard_semaphore_set(set);
    unsigned short counts[] = {[TICKETS] = 2, [ITEMS] = (unsigned short)items};
    if (semctl(set, 0, SETALL, (union semun){.array = counts}) == -1)
        err(EXIT_FAILURE, "semctl");

    struct process other = start("other", take_ticket, set);
    end(start(name, role, set), killed);
    bool work = role == take_ticket || role == be_worker;
    int count = semctl(set, work ? TICKETS : ITEMS, GETVAL);
    if (count == -1)
        err(EXIT_FAILURE, "semctl");
    printf("%s: %s %s=%d right=%d set=%d\n", name, killed ? "killed" : "ended",
           work ? "tickets" : "items", count, right, set);
    end(other, false);
}

int main(void)
{
    setlinebuf(stdout); /* empty at fork() */
    play("worker", take_ticket, true, 0, 1);
    play("worker", be_worker, false, 0, 1);
    play("producer", be_producer, false, 0, 3);
    play("consumer", get_item, false, 3, 2);
    return EXIT_SUCCESS;
}
