/*
 * stop_restarting - restart a worker that ends, but not for ever.
 *
 * A worker that ends once in a while is restarted. One that ends at once,
 * each time, never does any work, and fills the log. So there is a limit for
 * the restarts in a window of time. Is it to be reached, or to be exceeded? In
 * monit users had expected the other one
 * (https://bitbucket.org/tildeslash/monit/issues/1073/). Here LIMIT restarts
 * are allowed in any WINDOW, and the next one is not.
 *
 * When the worker ends is told on the command line, as times since the start,
 * and nobody waits: the supervisor only thinks that it is that late.
 *
 *     $ stop_restarting 2 10s 1s 2s 3s
 *     supervisor: restarted at_ms=1000
 *     supervisor: restarted at_ms=2000
 *     supervisor: stopped at_ms=3000
 *     $ stop_restarting 2 10s 1s 2s 11s
 *     supervisor: restarted at_ms=1000
 *     supervisor: restarted at_ms=2000
 *     supervisor: restarted at_ms=11000
 *
 * Exits with 0 when the worker could always be restarted, else with 3.
 * See also: systemd.unit(5), StartLimitBurst.
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define LIMIT_MAX 100

struct supervisor {
    int limit;      /* restarts that are allowed in any window, 0 to 100 */
    int64_t window; /* a restart that is as old as this is outside of it */

    /* For you: when restarts were, how many of them are kept, and the end. */
    int64_t at[LIMIT_MAX];
    int count;
    bool stopped;
};

/* The worker has ended, at the time now. May it be restarted? Remember it. */
static bool may_restart(struct supervisor *me, int64_t now)
{
    int kept = 0;

    for (int i = 0; i < me->count; i++)
        if (now - me->at[i] < me->window)
            me->at[kept++] = me->at[i];
    me->count = kept;

    if (me->stopped || me->count >= me->limit) {
        me->stopped = true;
        return false;
    }
    me->at[me->count++] = now;
    return true;
}

int main(int argc, char *argv[])
{
    struct supervisor me = {.limit = -1};
    char more;
    if (argc < 4 || sscanf(argv[1], "%d%c", &me.limit, &more) != 1 ||
        me.limit < 0 || me.limit > LIMIT_MAX) {
        fputs("usage: stop_restarting LIMIT WINDOW END...\n"
              "  LIMIT   restarts that are allowed in any window, 0 to 100\n"
              "  WINDOW  its length, such as 10s\n"
              "  END     when the worker ends, such as 3s, not falling\n",
              stderr);
        return EXIT_USAGE;
    }
    me.window = parse_duration(argv[2]);

    const int64_t start = now_ns();
    int answer = EXIT_SUCCESS;
    for (int i = 3; i < argc; i++) {
        int64_t at = parse_duration(argv[i]);
        bool restarted = may_restart(&me, start + at);
        printf("supervisor: %s at_ms=%" PRId64 "\n",
               restarted ? "restarted" : "stopped", at / NS_PER_MS);
        answer = restarted ? answer : EXIT_TIMED_OUT;
    }
    return answer;
}
