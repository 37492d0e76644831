/*
 * semdebug_report - who holds everyone up, read from a semaphore log.
 *
 * A server writes a record for each slice of time in which a thread has waited
 * for a semaphore in vain: who waits, for which, and who has it. Hundreds of
 * such lines are one trouble. What an expert does by hand is done here: lines
 * become semaphores, each by its address, for one number may name many; what
 * a waiter waited in all, not the slice; who held it, one after the other; and
 * whom the holder waits for in turn, down to the root, or round in a circle.
 *
 * A log is read once, in memory that does not grow with it: the tables have
 * the sizes below, and what did not fit is counted. A deadlock is looked for
 * while the log is read. That a wait goes on is known only from its next
 * report, so time is counted in slices: while one thread reports three slices,
 * another one that says nothing has ceased to wait.
 *
 *     $ cc semdebug_report.c -o semdebug_report
 *     $ ./semdebug_report SEMDEBUG.TXT --processes ps.txt
 *     $ ./semdebug_report --tsv - <SEMDEBUG.TXT | grep ^verdict
 *
 * Without arguments it reads the standard input if that is a pipe or a file,
 * and else explains a log of its own. A verdict is one of
 *
 *     deadlock of n         they wait for each other; no waiting will end it
 *     holder gone           its process is not in the list of processes
 *     stuck holder          the same one in all reports, or for three slices
 *     held by readers       no writer; only the first of the readers is known
 *     convoy of n holders   it goes from hand to hand: busy, nobody is stuck
 *     unknown               too little was said
 *
 * Exits with 2 when ids may be hex or decimal and --ids does not say it.
 * See also: semop(2), ps(1).
 */
#define _GNU_SOURCE /* memmem(), memrchr(), getopt_long() */

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/exit_codes.h"
#include "semdebug_rows.h"

#define MOST_FILES 7

/* --- verdicts --- */

enum verdict { UNKNOWN, DEADLOCK, GONE, STUCK, BY_READERS, CONVOY };

static bool is_gone(uint32_t thread)
{
    return have_processes && !process_of(thread);
}

/* Of this semaphore alone, not of what its holder may wait for. */
static enum verdict judge(const struct semaphore *it)
{
    bool lasts = it->run.reports > 1 &&
                 it->last - it->run_begin >= 2 * (uint64_t)it->slice;

    if (it->cycle != NONE)
        return DEADLOCK;
    if (it->run.who < RUN_READERS) {
        const struct thread *thread = &threads_at[it->run.who];
        bool alone =
            it->run.reports == it->named && it->by_readers == 0 && !it->lost;
        bool often = it->named > 1 || (thread->named > 1 && !thread->moved);
        if (lasts || (alone && often))
            return is_gone(it->run.who) ? GONE : STUCK;
        if (alone && is_gone(it->run.who))
            return GONE;
    }
    if (it->run.who == RUN_READERS && (lasts || it->named == 0))
        return BY_READERS;
    if (it->holders > 1 || (it->holders == 1 && it->nobody > 0))
        return CONVOY;
    return UNKNOWN;
}

/* Where the chain of holders that wait in turn ends. */
static uint32_t root_of(uint32_t number, uint64_t *depth)
{
    const struct wait *wait;

    for (*depth = 1; semaphores_at[number].cycle == NONE &&
                     *depth < MOST_STEPS && (wait = next_wait(number));
         ++*depth)
        number = wait->semaphore;
    return number;
}

static uint64_t count_missing_waiters(const struct semaphore *it)
{
    uint64_t missing = 0;

    for (uint32_t i = it->waits; i != NONE; i = waits_at[i].next)
        missing += is_gone(waits_at[i].thread);
    return missing;
}

static void explain(enum verdict verdict, const struct semaphore *it, char *why,
                    size_t size)
{
    const struct process *process =
        it->run.who < RUN_READERS ? process_of(it->run.who) : NULL;
    uint64_t missing = 0;

    switch (verdict) {
    case DEADLOCK:
        snprintf(why, size, "%s",
                 count_looks(&cycles_at[it->cycle]) > 1
                     ? "they were reported again, unchanged: no waiting will "
                       "end it, only the end of one of them"
                     : "seen once: look for a second report of the same, for "
                       "it may have been over by then");
        break;
    case GONE:
        missing = count_missing_waiters(it);
        snprintf(why, size,
                 "its process is not in the list: nobody is left to let go");
        if (missing > 0)
            snprintf(why, size,
                     "its process is not in the list, nor are %" PRIu64
                     " of %" PRIu32 " waiters: is the list whole, and of the "
                     "same time?",
                     missing, it->waiters);
        break;
    case STUCK:
        snprintf(why, size,
                 process && process->crashed
                     ? "it has crashed, and its crash handler waits: end it"
                 : it->last == it->run_begin /* no wait spans two of them */
                     ? "no report names another holder, though it may have "
                       "let go in between: see what it does"
                     : it->run.reports == it->named
                           ? "no report names another holder: see what it does"
                           : "no other holder since: see what it does");
        break;
    case BY_READERS:
        snprintf(why, size,
                 "up to %" PRIu64 " readers, of which only the "
                 "first is known",
                 it->most_r);
        break;
    case CONVOY:
        snprintf(why, size,
                 "it goes from hand to hand: busy, and nobody is "
                 "stuck");
        break;
    default:
        snprintf(why, size, "%s",
                 it->lost                          ? "a holder did not fit"
                 : it->named + it->by_readers == 1 ? "one report: look again"
                 : it->nobody > 0 ? "nobody had it when it was told"
                                  : "no report says who has it");
    }
}

static void tell_verdict(uint32_t number)
{
    static const char *const words[] = {"unknown",         "deadlock of",
                                        "holder gone",     "stuck holder",
                                        "held by readers", "convoy of"};
    const struct semaphore *it = &semaphores_at[number], *root = it;
    enum verdict verdict = judge(it);
    char text[64], why[200];
    uint64_t n = 0, depth;

    if (verdict == STUCK || verdict == UNKNOWN) {
        root = &semaphores_at[root_of(number, &depth)];
        verdict = judge(root);
    }
    explain(verdict, root, why, sizeof why);
    if (verdict == DEADLOCK)
        n = cycles_at[root->cycle].length;
    if (verdict == CONVOY)
        n = root->holders;
    snprintf(text, sizeof text, "%s", words[verdict]);
    if (n > 0)
        snprintf(text, sizeof text, "%s %" PRIu64 "%s", words[verdict], n,
                 verdict == DEADLOCK ? ""
                 : n == 1            ? " holder"
                                     : " holders");
    if (!tsv) {
        printf("  verdict: %s%s: %s\n", text,
               root != it ? ", at the end of the chain" : "", why);
        return;
    }
    begin_row("verdict");
    cell("address", "%08" PRIX64, semaphores.keys[number].a);
    cell("verdict", "%s", text);
    cell("at_the_end_of_the_chain", "%s", root != it ? "yes" : "no");
    cell("why", "%s", why);
    end_row("");
}

static void tell_chain(uint32_t number)
{
    char via[400] = "", step[80];
    uint32_t at = number, root;
    const struct wait *wait;
    uint64_t depth;

    root = root_of(number, &depth);
    if (semaphores_at[number].holder >= UNFIT || depth < 2)
        return;
    for (uint64_t i = 1; i < depth && i < 9; i++) {
        snprintf(step, sizeof step, "%s<-", name_of(semaphores_at[at].holder));
        add_text(via, sizeof via, step);
        wait = next_wait(at);
        if (!wait)
            break;
        at = wait->semaphore;
        snprintf(step, sizeof step, "@%08" PRIX64 "<-", semaphores.keys[at].a);
        add_text(via, sizeof via, step);
    }
    if (depth > 9)
        add_text(via, sizeof via, "...<-");
    if (semaphores_at[root].holder < UNFIT)
        add_text(via, sizeof via, name_of(semaphores_at[root].holder));
    begin_row("chain");
    cell("-address", "%08" PRIX64, semaphores.keys[number].a);
    number_cell("depth", depth);
    cell("via", "%s", via);
    cell("ends", "%s",
         semaphores_at[root].cycle != NONE    ? "circle"
         : semaphores_at[root].holder < UNFIT ? "root"
                                              : "nobody");
    thread_cells("root", semaphores_at[root].holder);
    end_row("  ");
}

static void tell_cycle(uint32_t number)
{
    const struct cycle *cycle = &cycles_at[number];
    uint64_t looks = cycle->looks;

    if (cycle->stands && count_looks(cycle) > looks)
        looks = count_looks(cycle);
    begin_row("deadlock");
    number_cell("number", number + 1);
    number_cell("of", cycle->length);
    number_cell("reports_of_each", looks);
    number_cell("times", cycle->times);
    cell("at_the_end", "%s", cycle->stands ? "yes" : "no");
    end_row("");
    for (uint64_t i = 0; i < cycle->length && i < MEMBERS; i++) {
        uint64_t next = (i + 1) % cycle->length;
        begin_row("member");
        number_cell("-deadlock", number + 1);
        thread_cells("thread", cycle->threads[i]);
        cell("holds", "@%08" PRIX64, semaphores.keys[cycle->semaphores[i]].a);
        if (next < MEMBERS)
            cell("waits_for", "@%08" PRIX64,
                 semaphores.keys[cycle->semaphores[next]].a);
        else
            cell("waits_for", "%s", "one not told");
        end_row("  ");
    }
}

/* --- the report --- */

static uint32_t sorted[MOST_WAITS]; /* the largest table */

static int by_reports(const void *one, const void *other)
{
    uint32_t x = *(const uint32_t *)one, y = *(const uint32_t *)other;
    uint64_t a = semaphores_at[x].reports, b = semaphores_at[y].reports;

    return a != b ? (a < b) - (a > b) : (x > y) - (x < y);
}

static int by_wait(const void *one, const void *other)
{
    uint32_t x = *(const uint32_t *)one, y = *(const uint32_t *)other;
    uint64_t a = waits_at[x].longest, b = waits_at[y].longest;

    return a != b ? (a < b) - (a > b) : (x > y) - (x < y);
}

static int by_holds(const void *one, const void *other)
{
    uint32_t x = *(const uint32_t *)one, y = *(const uint32_t *)other;
    uint64_t a = holds_at[x].reports, b = holds_at[y].reports;

    return a != b ? (a < b) - (a > b) : (x > y) - (x < y);
}

static int by_last(const void *one, const void *other)
{
    uint32_t x = *(const uint32_t *)one, y = *(const uint32_t *)other;
    uint64_t a = timeouts_at[x].last, b = timeouts_at[y].last;

    return a != b ? (a < b) - (a > b) : (x > y) - (x < y);
}

static void tell_rest(const char *what, uint64_t count)
{
    if (count <= top)
        return;
    begin_row("not_shown");
    cell("what", "%s", what);
    number_cell("count", count - top);
    end_row(strcmp(what, "semaphores") == 0 ? "" : "  ");
}

static void tell_holders(uint32_t number)
{
    const struct semaphore *it = &semaphores_at[number];
    char text[400] = "", one[80];
    uint32_t count = 0;

    for (uint64_t i = 0; i < it->run_count && i <= RUNS; i++) {
        struct run run = i < RUNS ? it->runs[i] : it->run;
        if (i == RUNS && it->run_count > RUNS + 1)
            add_text(text, sizeof text, " ...");
        snprintf(one, sizeof one, "%s%s*%" PRIu64, i > 0 ? " " : "",
                 name_of(run.who), run.reports);
        add_text(text, sizeof text, one);
    }
    begin_row("over_time");
    cell("-address", "%08" PRIX64, semaphores.keys[number].a);
    cell("had_it", "%s", text);
    number_cell("changes", it->run_count > 0 ? it->run_count - 1 : 0);
    cell("longest_by", "%s",
         it->longest_by == NONE ? "" : name_of(it->longest_by));
    number_cell("at_least_ms", it->longest);
    end_row("  ");

    for (uint32_t i = it->holds; i != NONE; i = holds_at[i].next)
        sorted[count++] = i;
    qsort(sorted, count, sizeof sorted[0], by_holds);
    for (uint32_t i = 0; i < count && i < top; i++) {
        const struct hold *hold = &holds_at[sorted[i]];
        begin_row("holder");
        cell("-address", "%08" PRIX64, semaphores.keys[number].a);
        thread_cells("thread", hold->thread);
        number_cell("reports", hold->reports);
        cell("as", "%s", hold->reader ? "first reader" : "owner");
        end_row("  ");
    }
    tell_rest("holders", count);
}

static void tell_waiters(uint32_t number)
{
    uint32_t count = 0;

    for (uint32_t i = semaphores_at[number].waits; i != NONE;
         i = waits_at[i].next)
        sorted[count++] = i;
    qsort(sorted, count, sizeof sorted[0], by_wait);
    for (uint32_t i = 0; i < count && i < top; i++) {
        const struct wait *wait = &waits_at[sorted[i]];
        begin_row("waiter");
        cell("-address", "%08" PRIX64, semaphores.keys[number].a);
        thread_cells("thread", wait->thread);
        number_cell("reports", wait->reports);
        number_cell("longest_ms", wait->longest);
        number_cell("total_ms", wait->total);
        end_row("  ");
    }
    tell_rest("waiters", count);
}

static void tell_semaphore(uint32_t number)
{
    const struct semaphore *it = &semaphores_at[number];

    begin_row("semaphore");
    cell("address", "%08" PRIX64, semaphores.keys[number].a);
    cell("id", "0x%04" PRIX64 "%s", it->id, it->other_ids ? ",others" : "");
    cell("type", "%s", it->type);
    cell("name", "%s", it->name);
    cell("known_as", "%s", name_of_id(it->id));
    cell("path", "%s", it->path);
    number_cell("reports", it->reports);
    number_cell("waiters", it->waiters);
    number_cell("holders", it->holders);
    cell_if(it->most_r > 0, "most_readers", it->most_r);
    cell_if(it->most_w > 0, "most_w", it->most_w);
    cell_if(it->not_said > 0, "not_said", it->not_said);
    number_cell("slice_ms", it->slice);
    number_cell("first_line", it->first_line);
    number_cell("last_line", it->last_line);
    end_row("");
    tell_waiters(number);
    tell_holders(number);
    tell_chain(number);
    tell_verdict(number);
}

static void tell_semaphores(void)
{
    static uint32_t order[MOST_SEMAPHORES];

    for (uint32_t i = 0; i < semaphores.count; i++)
        order[i] = i;
    qsort(order, semaphores.count, sizeof order[0], by_reports);
    for (uint32_t i = 0; i < semaphores.count && i < top; i++)
        tell_semaphore(order[i]);
    tell_rest("semaphores", semaphores.count);
}

static void tell_statistic(void)
{
    uint32_t count = timeouts.count;

    for (uint32_t i = 0; i < count; i++)
        sorted[i] = i;
    qsort(sorted, count, sizeof sorted[0], by_last);
    for (uint32_t i = 0; i < count; i++) {
        const struct timeouts *it = &timeouts_at[sorted[i]];
        begin_row("timeouts");
        cell("id", "0x%04" PRIX64, timeouts.keys[sorted[i]].a);
        number_cell("count", it->last);
        cell_if(it->lines > 1 && it->last >= it->first, "grew_by",
                it->last - it->first);
        cell("known_as", "%s", name_of_id(timeouts.keys[sorted[i]].a));
        end_row("");
    }
    if (seen.sessions > 0) {
        begin_row("session_held");
        number_cell("lines", seen.sessions);
        number_cell("longest_s", seen.longest_session);
        end_row("");
    }
}

static void tell_refused(const char *what, uint64_t records, uint32_t room)
{
    if (records == 0)
        return;
    begin_row("did_not_fit");
    cell("what", "%s", what);
    number_cell("times", records);
    number_cell("room_for", room);
    end_row("");
}

static void tell_log(void)
{
    begin_row("log");
    number_cell("lines", seen.lines);
    number_cell("records", seen.records);
    number_cell("whole", seen.whole);
    number_cell("wrapped", seen.wrapped);
    number_cell("cut", seen.cut);
    number_cell("unknown_lines", seen.unknown);
    number_cell("too_long", seen.too_long);
    number_cell("too_big_numbers", seen.too_big);
    number_cell("at_least_ms", elapsed);
    cell("first", "%s", seen.first_stamp);
    cell("last", "%s", seen.last_stamp);
    end_row("");
    for (int i = 0; i < KINDS && seen.kinds[i].records > 0; i++) {
        begin_row("kind");
        cell("type", "%s", seen.kinds[i].type);
        number_cell("records", seen.kinds[i].records);
        end_row("");
    }
    for (int i = 0; i < SPELLINGS; i++) {
        if (seen.spelled[i] == 0)
            continue;
        begin_row("ids");
        cell("digits", "%s", i == SHORT ? "4" : "5 or more");
        cell("base", "%s", base_of[i] == 16 ? "hex" : "decimal");
        cell("because", "%s",
             seen.evidence[i] & LETTERS  ? "letters"
             : asked_base != 0           ? "--ids"
             : seen.evidence[i] & PADDED ? "zeros in front"
                                         : "it is the same");
        number_cell("records", seen.spelled[i]);
        end_row("");
    }
    if (window.taken) {
        begin_row("sequence");
        number_cell("gaps", seen.gaps);
        number_cell("missing", seen.missing);
        number_cell("too_late", seen.late);
        number_cell("repeated", seen.repeated);
        number_cell("restarts", seen.restarts);
        end_row("");
    }
    tell_refused("semaphores", semaphores.refused, MOST_SEMAPHORES);
    tell_refused("threads", threads.refused, MOST_THREADS);
    tell_refused("waits", waits.refused, MOST_WAITS);
    tell_refused("holds", holds.refused, MOST_HOLDS);
    tell_refused("deadlocks", cycles.refused, MOST_CYCLES);
    tell_refused("searches for a deadlock", seen.searches_cut, MOST_STEPS);
    tell_refused("ids of the statistic", timeouts.refused, MOST_TIMEOUTS);
    tell_refused("processes", processes_refused, MOST_PROCESSES);
}

/* The base of each spelling, by the rule; false if --ids must say it. */
static bool decide_bases(void)
{
    for (int i = 0; i < SPELLINGS; i++) {
        unsigned evidence = seen.evidence[i];
        if (evidence & LETTERS)
            base_of[i] = 16;
        else if (asked_base != 0)
            base_of[i] = asked_base;
        else if ((i == LONG && evidence & PADDED) || !(evidence & BASE_MATTERS))
            base_of[i] = 10;
        else
            return false;
    }
    return true;
}

/* What no search has found, for it would have been too long: all at once. */
static void find_other_cycles(void)
{
    static uint32_t walk_of[MOST_SEMAPHORES];

    if (seen.searches_cut == 0)
        return;
    memset(walk_of, 0, sizeof walk_of);
    for (uint32_t i = 0; i < semaphores.count; i++) {
        uint32_t at = i;
        uint64_t length = 0;
        const struct wait *wait;

        while (walk_of[at] == 0 && semaphores_at[at].cycle == NONE) {
            walk_of[at] = i + 1;
            if (!(wait = next_wait(at)) || !goes_on(wait, elapsed))
                break;
            at = wait->semaphore;
        }
        if (walk_of[at] != i + 1 || semaphores_at[at].cycle != NONE ||
            !(wait = next_wait(at)) || !goes_on(wait, elapsed))
            continue;
        uint32_t start = at;
        do {
            at = wait_of(semaphores_at[at].holder)->semaphore;
            length++;
        } while (at != start);
        note_cycle(start, length);
    }
}

/* Return false if it cannot be told which base the ids have. */
static bool report(void)
{
    if (!decide_bases())
        return false;
    sort_processes();
    find_other_cycles();
    for (uint32_t i = 0; i < holds.count; i++)
        if (semaphores_at[holds_at[i].semaphore].holders > 1)
            threads_at[holds_at[i].thread].moved = true;
    tell_log();
    for (uint32_t i = 0; i < cycles.count && i < top; i++)
        tell_cycle(i);
    tell_rest("deadlocks", cycles.count);
    tell_semaphores();
    tell_statistic();
    if (seen.records + seen.statistics + seen.sessions == 0 && !tsv)
        printf("log: no record in it: nobody waited long, or it is another "
               "kind of log\n");
    return true;
}

static const char sample[] =
    "A sample: one log, three ways to write it.\n"
    "- THREAD [02AB:0123] WAITING FOR FRWSEM 0x030B Collection semaphore "
    "(@0BE65A20)\n"
    "- (R=0,W=1,WRITER=0080:015E,1STREADER=0000:0000) FOR 30000 ms\n"
    "- THREAD [01FE:0220] WAITING FOR FRWSEM 0x0244 open database semaphore "
    "(@00ECBDD2)\n"
    "- (R=0,W=1,WRITER=0080:015E,1STREADER=0000:0000) FOR 30000 ms\n"
    "THREAD [0053:002F] WAITING FOR SEM 0x042D LSIWRAP shared semaphore "
    "(@01342C68) (OWNER=009A:0099) FOR 120 ms\n"
    "THREAD [009E:009D] WAITING FOR SEM 0x042D LSIWRAP shared semaphore "
    "(@01342C68) (OWNER=0000:0000) FOR 120 ms\n"
    "THREAD [0045:0058] WAITING FOR SEM 0x042D LSIWRAP shared semaphore "
    "(@01342C68) (OWNER=009E:009D) FOR 120 ms\n"
    "THREAD [01676:00001] WAITING FOR RWSEM 0x412C (@EE100210) (R=2,W=0,"
    "WRITER=00000:00000,1STREADER=05067:00001) FOR 30000 ms\n"
    "sq=\"0000A1B2\" THREAD [0B8C:0002-0C60] WAITING FOR WRITE LOCK ON RWSEM "
    "0x0256 (@0D2F11A0) (d:\\mail\\a.nsf) "
    "(R=0,W=1,WRITER=0B8C:0D10,1STREADER=0000:0000) FOR 30000 ms\n"
    "sq=\"0000A1B3\" THREAD [0B8C:0007-0D10] WAITING FOR READ LOCK ON RWSEM "
    "0x0256 (@0D2F3344) (d:\\mail\\b.nsf) "
    "(R=0,W=1,WRITER=0B8C:0C60,1STREADER=0000:0000) FOR 30000 ms\n"
    "sq=\"0000A1B4\" THREAD [0B8C:0002-0C60] WAITING FOR WRITE LOCK ON RWSEM "
    "0x0256 (@0D2F11A0) (d:\\mail\\a.nsf) "
    "(R=0,W=1,WRITER=0B8C:0D10,1STREADER=0000:0000) FOR 30000 ms\n"
    "sq=\"0000A1B5\" THREAD [0B8C:0007-0D10] WAITING FOR READ LOCK ON RWSEM "
    "0x0256 (@0D2F3344) (d:\\mail\\b.nsf) "
    "(R=0,W=1,WRITER=0B8C:0C60,1STREADER=0000:0000) FOR 30000 ms\n"
    "Sem.Timeouts = 430D:58 0A13:42 030B:28\n";

static void tell_sample(void)
{
    struct source from = {"sample", -1, sample, sizeof sample - 1};

    for (const char *at = sample; !tsv && *at;) {
        size_t length = strcspn(at, "\n") + 1;
        printf("sample: %.*s", (int)length, at);
        at += length;
    }
    read_lines(&from, take_line);
    end_log(from.name);
}

/* A pipe or a file: somebody wants it read. */
static bool is_given(int fd)
{
    struct stat it;

    return fstat(fd, &it) == 0 && (S_ISFIFO(it.st_mode) || S_ISREG(it.st_mode));
}

static void usage(FILE *to)
{
    fprintf(
        to,
        "usage: semdebug_report [OPTION]... [LOG]...\n"
        "  LOG                    a file, - for the standard input; %d at "
        "most.\n"
        "                         Without one, a pipe or a file on the "
        "standard\n"
        "                         input; else it explains a log of its own.\n"
        "  -i, --ids=hex|dec      what ids are where it does not show\n"
        "  -p, --processes=FILE   names programs: ps, a dump, tasklist\n"
        "  -u, --unknown          show the lines that are no records\n"
        "  -n, --top=N            tell of N at most, default 20, 0 for all\n"
        "  -t, --tsv              for scripts: tab separated, all of them\n"
        "  -h, --help             this\n",
        MOST_FILES);
}

/* False when the options make no sense. */
static bool read_options(int argc, char *argv[], const char **list)
{
    static const struct option options[] = {
        {"ids", required_argument, NULL, 'i'},
        {"processes", required_argument, NULL, 'p'},
        {"unknown", no_argument, NULL, 'u'},
        {"top", required_argument, NULL, 'n'},
        {"tsv", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool all = false, too_big = false;

    for (int option;
         (option = getopt_long(argc, argv, "i:p:un:th", options, NULL)) != -1;)
        switch (option) {
        case 'i':
            asked_base = strcmp(optarg, "hex") == 0   ? 16
                         : strcmp(optarg, "dec") == 0 ? 10
                                                      : 0;
            if (asked_base == 0)
                return false;
            break;
        case 'p':
            *list = optarg;
            break;
        case 'u':
            show_unknown = true;
            break;
        case 'n': {
            const char *at = optarg, *end = at + strlen(at);
            if (!read_decimal(&at, end, &top, &too_big) || at != end || too_big)
                return false;
            all = true;
            break;
        }
        case 't':
            tsv = true;
            break;
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            return false;
        }
    if ((tsv && !all) || top == 0)
        top = UINT64_MAX;
    return argc - optind <= MOST_FILES;
}

int main(int argc, char *argv[])
{
    const char *list = NULL;

    if (!read_options(argc, argv, &list)) {
        usage(stderr);
        return EXIT_USAGE;
    }
    seed = (uint64_t)(uintptr_t)&list * UINT64_C(0x9e3779b97f4a7c15) |
           UINT64_C(0x100000001);
    if (list) {
        read_file(list, take_process_line);
        seen.lines = seen.too_long = 0;
        have_processes = true;
        if (process_count == 0)
            errx(EXIT_FAILURE, "read %s: there is no process in it", list);
    }
    if (optind == argc && is_given(STDIN_FILENO)) {
        read_file("-", take_line);
        end_log("-");
    } else if (optind == argc) {
        tell_sample();
    }
    for (; optind < argc; optind++) {
        read_file(argv[optind], take_line);
        end_log(argv[optind]);
    }
    if (!report()) {
        warnx("the ids may be hex or decimal: say --ids=hex (Windows) or "
              "--ids=dec (Unix)");
        return EXIT_USAGE;
    }
    if (fflush(stdout) == EOF || ferror(stdout))
        err(EXIT_FAILURE, "write");
    return EXIT_SUCCESS;
}
