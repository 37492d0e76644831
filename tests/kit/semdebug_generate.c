/*
 * semdebug_generate - writes a semaphore log of a given size, for tests.
 *
 * The same seed writes the same log: in three spellings, or in one of them;
 * some hundred threads and semaphores, or a new one in each record; convoys,
 * holders that stay, wrapped and cut records, lines of other kinds.
 *
 *     $ semdebug_generate 300 7 >SEMDEBUG.TXT
 */
#include <err.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEMAPHORES 60
#define THREADS 200

static uint64_t state;

/* A number below this one. */
static unsigned below(unsigned limit)
{
    state =
        state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((state >> 33) % limit);
}

static unsigned sequence = 0xA1B2;

static int write_windows(unsigned thread, unsigned semaphore, unsigned holder)
{
    const char *wrap = below(32) == 0 ? "\n" : "";

    if (semaphore % 3 > 0)
        return printf("THREAD [%04X:%04X] WAITING FOR SEM 0x042D LSIWRAP "
                      "shared semaphore (@%08X) %s(OWNER=%04X:%04X) FOR "
                      "30000 ms\n",
                      128 + thread / 4, 64 + thread,
                      0x01342C68 + semaphore * 64, wrap, 128 + holder / 4,
                      64 + holder);
    return printf("THREAD [%04X:%04X] WAITING FOR FRWSEM 0x030B Collection "
                  "semaphore (@%08X) %s(R=0,W=1,WRITER=%04X:%04X,1STREADER="
                  "0000:0000) FOR 30000 ms\n",
                  128 + thread / 4, 64 + thread, 0x0BE65A20 + semaphore * 64,
                  wrap, 128 + holder / 4, 64 + holder);
}

static int write_unix(unsigned thread, unsigned semaphore, unsigned holder)
{
    return printf("THREAD [%05u:%05u] WAITING FOR RWSEM 0x412C (@%08X) (R=0,"
                  "W=1,WRITER=%05u:%05u,1STREADER=00000:00000) FOR 30000 ms\n",
                  1600 + thread, 1 + thread % 9, 0xEE100210 + semaphore * 64,
                  1600 + holder, 1 + holder % 9);
}

static int write_new(unsigned thread, unsigned semaphore, unsigned holder)
{
    sequence += below(64) == 0 ? 2 : 1;
    return printf("sq=\"%08X\" THREAD [%04X:%04X-%04X] WAITING FOR WRITE LOCK "
                  "ON RWSEM 0x0244 database semaphore (@%08X) (d:\\notes\\data"
                  "\\mail\\user%u.nsf) (R=0,W=1,WRITER=%04X:%04X,1STREADER="
                  "0000:0000) FOR 30000 ms\n",
                  sequence, 128 + thread / 4, 2 + thread % 100, 0xC00 + thread,
                  0x0D2F11A0 + semaphore * 64, semaphore, 128 + holder / 4,
                  0xC00 + holder);
}

static int write_other(void)
{
    switch (below(4)) {
    case 0:
        return printf("Sem.Timeouts = 430D:%u 0A13:%u 030B:28\n", below(99),
                      below(99));
    case 1:
        return printf("THREAD [%04X:002F] WAITING FOR SEM 0x042D LSIWRAP sh\n",
                      below(65536));
    case 2:
        return printf("\n");
    default:
        return printf("11/26/2025 10:30:34  Database Server started\n");
    }
}

/*
 * A thread waits at one semaphore for some slices, then at another. Each has
 * a holder for a while: a convoy, or stuck; now and then it waits in turn.
 */
static int write_record(int spelling, unsigned many)
{
    static unsigned holders[SEMAPHORES], places[THREADS];
    unsigned thread = below(many), semaphore, *holder;

    if (below(100) == 0)
        return write_other();
    if (below(8) == 0)
        places[thread % THREADS] =
            (thread + below(1 + below(SEMAPHORES / 4))) % SEMAPHORES;
    semaphore = places[thread % THREADS];
    holder = &holders[semaphore];
    if (*holder == 0 || below(semaphore < SEMAPHORES / 10 ? 100000 : 16) == 0)
        *holder =
            below(4) == 0 ? below(many) : many + (semaphore + below(8)) % 50;
    if (many > THREADS)
        semaphore = thread; /* and so a new one, mostly */
    switch (spelling < 3 ? spelling : (int)(thread % 3)) {
    case 0:
        return write_windows(thread, semaphore, *holder);
    case 1:
        return write_unix(thread, semaphore, *holder);
    default:
        return write_new(thread, semaphore, *holder);
    }
}

int main(int argc, char *argv[])
{
    static const char *const spellings[] = {"windows", "unix", "new", "mixed"};
    int spelling = 3;

    for (int i = 0; argc > 3 && i < 4; i++)
        if (strcmp(argv[3], spellings[i]) == 0)
            spelling = i;
    if (argc < 3 || argc > 5) {
        fputs("usage: semdebug_generate MEGABYTES SEED "
              "[windows|unix|new|mixed [THREADS]]\n",
              stderr);
        return 2;
    }
    int64_t left = strtoll(argv[1], NULL, 10) * 1000000;
    state = strtoull(argv[2], NULL, 10);
    unsigned many = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : THREADS;
    while (left > 0) {
        int length = write_record(spelling, many > 0 ? many : 1);
        if (length < 0)
            err(EXIT_FAILURE, "printf");
        left -= length;
    }
    if (fflush(stdout) == EOF)
        err(EXIT_FAILURE, "fflush");
    return EXIT_SUCCESS;
}
