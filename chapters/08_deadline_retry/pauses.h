/*
 * How long backoff and backoff_for_real pause before a retry.
 */
#ifndef PAUSES_H
#define PAUSES_H

#include <stdint.h>

#define PAUSE_US 10000
#define DOUBLINGS 6

static uint64_t random_state = 1; /* the seed, not 0; xorshift64* */

/* From 0 to limit. The same seed gives the same numbers everywhere. */
static inline int64_t draw(int64_t limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (int64_t)(random_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) %
           (limit + 1);
}

/* How long to pause after so many refusals, from 1 on. */
static inline int64_t fixed(int refusals)
{
    (void)refusals;
    return PAUSE_US;
}

static inline int64_t exponential(int refusals)
{
    int doublings = refusals - 1 < DOUBLINGS ? refusals - 1 : DOUBLINGS;

    return (int64_t)PAUSE_US << doublings;
}

static inline int64_t jitter(int refusals)
{
    return draw(exponential(refusals));
}

static const struct way {
    const char *name;
    int64_t (*pause)(int refusals);
} ways[] = {{"fixed", fixed}, {"exponential", exponential}, {"jitter", jitter}};
#define WAYS (sizeof ways / sizeof ways[0])

#endif
