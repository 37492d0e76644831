/*
 * How late the waits of never_early were, as a histogram.
 *
 * See also: never_early.c.
 */
#ifndef LATENESS_H
#define LATENESS_H

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/duration.h"

#define WAITS 200

/* The rows of the histogram. */
static const int64_t from_us[] = {0, 50, 100, 200, 500, 1000, 5000};
#define ROWS (sizeof from_us / sizeof from_us[0])

/* How late each wait was, in ns. Less than 0 would be early. */
struct waits {
    int count;
    int64_t late[WAITS];
};

static inline int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

    return (a > b) - (a < b);
}

static inline void tell(const char *way, int load, struct waits *waits)
{
    int early = 0;

    if (waits->count == 0)
        errx(EXIT_FAILURE, "%s: interrupted each time", way);
    qsort(waits->late, (size_t)waits->count, sizeof waits->late[0], compare);
    while (early < waits->count && waits->late[early] < 0)
        early++;
    printf("%s: load=%d waits=%d early=%d median_us=%" PRId64
           " latest_us=%" PRId64 "\n",
           way, load, waits->count, early,
           waits->late[waits->count / 2] / NS_PER_US,
           waits->late[waits->count - 1] / NS_PER_US);
}

/* How many of the sorted waits were late by so much, and less than the next. */
static inline int count_from(const struct waits *waits, size_t row)
{
    int count = 0;

    for (int i = 0; i < waits->count; i++)
        count +=
            waits->late[i] >= from_us[row] * NS_PER_US &&
            (row == ROWS - 1 || waits->late[i] < from_us[row + 1] * NS_PER_US);
    return count;
}

#endif
