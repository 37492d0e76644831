/*
 * bounded_outbox - an outbox that refuses instead of growing.
 *
 * What a socket does not take waits in an outbox, a queue of bytes. Here it
 * has room for 16. Its memory is a ring: behind the last byte comes the first
 * again, so that what was sent makes room for what comes. When a record does
 * not fit, the source must be told, and can pause.
 *
 * Each argument is a step: "+6" is a record of 6 bytes, "-8" a socket that
 * takes 8 bytes and then says EAGAIN. The records are pieces of the alphabet,
 * and "!" is a byte of the memory to which nothing was written.
 *
 *     $ bounded_outbox +6 +6 +5 -8 +10 +2 +1 -16
 *     outbox: took text=abcdef size=16
 *     outbox: took text=ghijkl size=16
 *     outbox: refused text=mnopq size=16
 *     reader: read bytes=8 text=abcdefgh
 *     outbox: took text=rstuvwxyza size=16
 *     outbox: took text=bc size=16
 *     outbox: refused text=d size=16
 *     reader: read bytes=16 text=ijklrstuvwxyzabc
 *
 * One such ring knew that its end had come, and still wrote the rest behind
 * it: https://github.com/machinekit/machinekit-hal/issues/397. Another was
 * full and was taken for empty:
 * https://github.com/WebPlatformForEmbedded/Thunder/pull/181
 *
 * See also: send(2), memcpy(3), malloc(3).
 */
#define _GNU_SOURCE /* setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../common/exit_codes.h"

#define SIZE 16   /* bytes of the outbox */
#define BEHIND 99 /* bytes behind it that are not its own */
#define MOST 99   /* bytes that a record or the socket can have */

struct outbox {
    char *bytes; /* its memory, from malloc() */
    size_t size;
    size_t first; /* where in the memory the oldest byte is */
    size_t waiting;
};

/* Take a record, or refuse it: return false and change nothing. */
static bool put(struct outbox *box, const char *record, size_t length)
{
    if (length > box->size - box->waiting)
        return false;

    size_t at = (box->first + box->waiting) % box->size;
    size_t part = box->size - at; /* fits before the end of the memory */
    if (part > length)
        part = length;
    memcpy(box->bytes + at, record, part);
    memcpy(box->bytes, record + part, length - part);
    box->waiting += length;
    return true;
}

/* Let *bytes point to the oldest ones. Returns how many stand together. */
static size_t front(const struct outbox *box, const char **bytes)
{
    size_t part = box->size - box->first;

    *bytes = box->bytes + box->first;
    return part < box->waiting ? part : box->waiting;
}

/* So many of them have been sent: they are no longer here. */
static void drop(struct outbox *box, size_t count)
{
    box->first = (box->first + count) % box->size;
    box->waiting -= count;
}

/* The socket takes so many bytes, or less if no more wait. */
static void flush(struct outbox *box, int fd, size_t room)
{
    const char *bytes;

    for (size_t left = room, length; left > 0; left -= length) {
        length = front(box, &bytes);
        if (length == 0)
            return;
        if (length > left)
            length = left;
        ssize_t sent = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent == -1)
            err(EXIT_FAILURE, "send");
        length = (size_t)sent;
        drop(box, length);
    }
}

static void read_all(int fd)
{
    char text[MOST + 1] = "";
    ssize_t got = recv(fd, text, MOST, MSG_DONTWAIT);

    if (got == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, "recv");
    printf("reader: read bytes=%zd text=%s\n", got > 0 ? got : 0,
           got > 0 ? text : "none");
}

/* Has somebody written behind the outbox? */
static void look_behind(const struct outbox *box, const char *memory)
{
    int changed = 0;

    if (box->bytes != memory || box->size != SIZE)
        return; /* it has moved */
    for (int i = SIZE; i < SIZE + BEHIND; i++)
        changed += memory[i] != '!';
    if (changed > 0)
        errx(EXIT_FAILURE, "written behind the end of the memory: bytes=%d",
             changed);
}

/* The source's next record: it goes on in the alphabet. */
static void offer(struct outbox *box, char *letter, size_t length)
{
    char record[MOST + 1] = "";

    for (size_t i = 0; i < length; i++) {
        record[i] = *letter;
        *letter = *letter == 'z' ? 'a' : (char)(*letter + 1);
    }
    bool taken = put(box, record, length);
    printf("outbox: %s text=%s size=%zu\n", taken ? "took" : "refused", record,
           box->size);
}

/* Above 0: the source has a record of so many bytes. Below: the socket takes
 * so many. */
static int parse_step(const char *text)
{
    long long step;
    char more;

    if (sscanf(text, "%lld%c", &step, &more) != 1 || step == 0 || step > MOST ||
        step < -MOST)
        errx(EXIT_USAGE, "bad STEP '%s': write +1 to +%d or -1 to -%d", text,
             MOST, MOST);
    return (int)step;
}

int main(int argc, char *argv[])
{
    if (argc < 2) {
        fputs("usage: bounded_outbox STEP...\n"
              "  STEP  +6: a record of 6 bytes; -8: the socket takes 8\n",
              stderr);
        return EXIT_USAGE;
    }

    char *memory = malloc(SIZE + BEHIND);
    if (!memory)
        err(EXIT_FAILURE, "malloc");
    memset(memory, '!', SIZE + BEHIND);

    int pair[2]; /* what goes in at pair[0] comes out at pair[1] */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");

    setlinebuf(stdout); /* readable up to the step that went wrong */
    struct outbox box = {.bytes = memory, .size = SIZE};
    char letter = 'a';
    for (int i = 1; i < argc; i++) {
        int step = parse_step(argv[i]);
        if (step > 0) {
            offer(&box, &letter, (size_t)step);
            look_behind(&box, memory);
        } else {
            flush(&box, pair[0], (size_t)-step);
            read_all(pair[1]);
        }
    }
    free(box.bytes);
    return EXIT_SUCCESS;
}
