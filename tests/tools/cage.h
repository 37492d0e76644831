/*
 * The ledger: memory that cage.c shares with cage_calls.c, the library in each
 * process of the caged program. One writes down who lives, what it refused and
 * which semaphore sets were made; the other says so in the end.
 */
#ifndef TESTS_TOOLS_CAGE_H
#define TESTS_TOOLS_CAGE_H

#include <stdatomic.h>

#define MOST_PROCESSES 64
#define MOST_REFUSALS 8
#define MOST_SETS 256
#define LEDGER "KIT_CAGE" /* "990 1": its descriptor; the pid of our init */

struct ledger {
    /* Who lives: pids. 0 is a free place; in -7 the process 7 is forking. */
    atomic_int processes[MOST_PROCESSES];
    atomic_bool fork_refused;

    /* Signals refused: kill(target, signal). */
    atomic_int refusals;
    struct refusal {
        int target, signal;
    } refused[MOST_REFUSALS];

    /* Semaphore sets made, of which some may be gone. */
    atomic_int sets;
    int set[MOST_SETS];
};

#endif
