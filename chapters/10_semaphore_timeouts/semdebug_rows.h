/*
 * Rows of the report: words for people, or for scripts values between tabs,
 * with a line of headings for each kind of row. For semdebug_report.
 */
#ifndef SEMDEBUG_ROWS_H
#define SEMDEBUG_ROWS_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "semdebug_lines.h"

static struct {
    const char *kind;
    char keys[512], values[2048];
} row;
static const char *kinds_told[16]; /* whose headings are printed */

static void add_text(char *to, size_t size, const char *text)
{
    size_t used = strlen(to);

    snprintf(to + used, size - used, "%s", text);
}

static void begin_row(const char *kind)
{
    row.kind = kind;
    row.keys[0] = row.values[0] = '\0';
}

/* An empty one is not told to people, nor one whose key begins with '-'. */
static void __attribute__((format(printf, 2, 3)))
cell(const char *key, const char *format, ...)
{
    char value[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    if (tsv) {
        add_text(row.keys, sizeof row.keys, "\t");
        add_text(row.keys, sizeof row.keys, key + strspn(key, "-"));
        add_text(row.values, sizeof row.values, "\t");
        add_text(row.values, sizeof row.values, value);
        return;
    }
    if (value[0] == '\0' || *key == '-')
        return;
    bool quoted = strchr(value, ' ') != NULL;
    add_text(row.values, sizeof row.values, " ");
    add_text(row.values, sizeof row.values, key);
    add_text(row.values, sizeof row.values, quoted ? "=\"" : "=");
    add_text(row.values, sizeof row.values, value);
    add_text(row.values, sizeof row.values, quoted ? "\"" : "");
}

static void number_cell(const char *key, uint64_t number)
{
    cell(key, "%" PRIu64, number);
}

static void cell_if(bool told, const char *key, uint64_t number)
{
    if (told)
        number_cell(key, number);
    else
        cell(key, "%s", "");
}

static void end_row(const char *indent)
{
    size_t i = 0;

    if (!tsv) {
        printf("%s%s:%s\n", indent, row.kind, row.values);
        return;
    }
    while (kinds_told[i] && kinds_told[i] != row.kind)
        i++;
    if (!kinds_told[i]) {
        kinds_told[i] = row.kind;
        printf("#%s%s\n", row.kind, row.keys);
    }
    printf("%s%s\n", row.kind, row.values);
}

/* The digits as the log has them. */
static const char *name_of(uint32_t who)
{
    static char name[40];

    if (who >= RUN_READERS)
        return who == RUN_NOBODY    ? "nobody"
               : who == RUN_READERS ? "readers"
                                    : "did_not_fit";
    int width = threads.keys[who].b >> 60 == LONG ? 5 : 4;
    snprintf(name, sizeof name, "%0*" PRIX64 ":%0*" PRIX64, width,
             threads.keys[who].a, width,
             threads.keys[who].b & (UINT64_MAX >> 4));
    return name;
}

static void thread_cells(const char *key, uint32_t who)
{
    if (who >= RUN_READERS) {
        cell(key, "%s", who == NONE ? "" : name_of(who));
        for (int i = 0; i < 3; i++)
            cell(i == 0 ? "pid" : i == 1 ? "pid_hex" : "program", "%s", "");
        return;
    }
    const struct process *process = process_of(who);
    uint64_t number = number_of(threads.keys[who].a,
                                (enum spelling)(threads.keys[who].b >> 60));
    cell(key, "%s", name_of(who));
    cell("pid", "%" PRIu64, number);
    cell("pid_hex", "0x%" PRIX64, number);
    cell("program", "%s%s",
         process          ? process->program
         : have_processes ? "not in the list"
                          : "",
         process && process->crashed ? " (crashed)" : "");
}

/* --- the document's names --- */

static const char *name_of_id(uint64_t id)
{
    static const struct {
        uint64_t id;
        const char *name;
    } names[] = {
        {0x0244, "NSF per-database semaphore"},
        {0x410F, "OS File system semaphore"},
        {0x0266, "NSF per-database full-text semaphore"},
        {0x4245, "NSF database opening semaphore"},
        {0x030B, "NIF collection semaphore"},
        {0x430D, "NAMELookup semaphore"},
        {0x0A13, "Log commit semaphore"},
        {0x0116, "console semaphore"},
        {0x0A12, "Buffered log package semaphore"},
        {0x030B, "Collection semaphore"},
        {0x4117, "Handle table free chain consistency semaphore"},
        {0x0A0B, "Session table semaphore"},
        {0x4113, "Handle table movement semaphore"},
        {0x33D5, "AdminP's semaphore for ACL modification"},
        {0x4253, "internal control semaphore"},
        {0x5708, "BSAFE semaphore (RSA encryption)"},
        {0x0255, "NSF B-Tree semaphore"},
        {0x0294, "Directory Manager Queue semaphore"},
        {0x1120, "Transfer queue lock semaphore"},
        {0x0931, "Task sync semaphore"},
        {0x0256, "NSF buffer pool container"},
        {0x03A8, "DBCONT page zero semaphore"},
    };
    static char all[128];

    all[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].id == id) {
            add_text(all, sizeof all, all[0] == '\0' ? "" : " / ");
            add_text(all, sizeof all, names[i].name);
        }
    return all;
}

#endif
