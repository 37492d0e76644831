/*
 * semdebug_fuzz - feeds semdebug_report what may break it.
 *
 * With files it reads each as a log and as a list of processes, in one
 * process, with tables so small that they are full at once:
 *
 *     $ semdebug_fuzz tests/kit/semdebug_corpus/FILE...
 *
 * To look for more, let libFuzzer call it, at the top of the kit:
 *
 *     $ clang -g -O1 -DLIBFUZZER -fsanitize=fuzzer,address,undefined \
 *         -fno-sanitize-recover=all tests/kit/semdebug_fuzz.c -o build/fuzz
 *     $ cp -r tests/kit/semdebug_corpus build/corpus
 *     $ build/fuzz -max_total_time=600 build/corpus
 */
#define MOST_SEMAPHORES 8
#define MOST_THREADS 16
#define MOST_WAITS 32
#define MOST_HOLDS 16
#define MOST_CYCLES 4
#define MOST_TIMEOUTS 4
#define MOST_PROCESSES 4
#define RESTS 4
#define BUFFER 8192
#define main semdebug_main
int semdebug_main(int argc, char *argv[]);
#include "../../chapters/10_semaphore_timeouts/semdebug_report.c"
#undef main

static void forget(struct table *table)
{
    memset(table->slots, 0, 2 * table->most * sizeof table->slots[0]);
    table->count = table->mask = 0;
    table->refused = 0;
}

/* As new: what main() finds when it starts. */
static void forget_all(void)
{
    struct table *const all[] = {&semaphores, &threads, &waits,
                                 &holds,      &cycles,  &timeouts};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        forget(all[i]);
    memset(cycles_at, 0, sizeof cycles_at);
    memset(&window, 0, sizeof window);
    memset(&queue, 0, sizeof queue);
    memset(rests, 0, sizeof rests);
    memset(&seen, 0, sizeof seen);
    memset(&pending, 0, sizeof pending);
    memset(kinds_told, 0, sizeof kinds_told);
    process_count = epoch = 0;
    processes_refused = elapsed = 0;
    seed = UINT64_C(0x9e3779b97f4a7c15);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* The first byte says with which options. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    struct source log = {"log", -1, (const char *)data + 1, size - 1};
    struct source list = {"list", -1, (const char *)data + 1, size - 1};

    forget_all();
    asked_base = data[0] & 1 ? 16 : data[0] & 2 ? 10 : 0;
    tsv = data[0] & 4;
    show_unknown = data[0] & 8;
    have_processes = data[0] & 16;
    top = data[0] & 32 ? 1 : UINT64_MAX;
    if (have_processes)
        read_lines(&list, take_process_line);
    read_lines(&log, take_line);
    end_log("log");
    report();
    return 0;
}

#ifdef LIBFUZZER
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return freopen("/dev/null", "w", stdout) ? 0 : 1;
}
#else
int main(int argc, char *argv[])
{
    static unsigned char data[1 << 20];

    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (!file)
            err(EXIT_FAILURE, "fopen %s", argv[i]);
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    return EXIT_SUCCESS;
}
#endif
