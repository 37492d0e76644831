/*
 * fill_buffer - how many bytes fit into a send buffer, in chunks of any size.
 *
 * SO_SNDBUF is the size of a socket's send buffer, in bytes. But it is not
 * the number of bytes that fit. The kernel wraps what each send brings, and
 * charges the send buffer for the wrapping too. For a send of one byte that
 * is hundreds.
 *
 * For each size of a chunk we fill an empty buffer and ask the kernel, by an
 * ioctl, what it has charged. Then we draw both: # for our bytes, a dot for
 * the wrapping, | for the size of the buffer.
 *
 *     $ cc fill_buffer.c -o fill_buffer
 *     $ ./fill_buffer
 *     buffer: sndbuf_bytes=212992
 *     chunk   sends   bytes   charged
 *     1       278     278     213504
 *     4       278     1112    213504
 *     ...
 *
 *           1 ........................................|
 *           4 ........................................|
 *     ...
 *        4096 #################################.......|
 *       16384 ########################################|.
 *
 * See also: send(2), socket(7), unix(7), ioctl(2).
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/exit_codes.h"

#define CHUNK_MAX (1 << 20)
#define BAR 40 /* columns for a full buffer */

static const size_t chunks[] = {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536};
enum { CHUNKS = sizeof chunks / sizeof chunks[0] };

struct filling {
    size_t chunk;
    int sends;
    long long bytes; /* what went in */
    int charged;     /* what the kernel counts for it */
    int capacity;    /* how much it counts before it says EAGAIN */
};

/* Send chunks until not a single byte more goes in. No one reads. */
static struct filling fill(size_t chunk)
{
    static char bytes[CHUNK_MAX];
    struct filling full = {.chunk = chunk};
    socklen_t size = sizeof full.capacity;
    ssize_t sent;

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &full.capacity, &size) == -1)
        err(EXIT_FAILURE, "getsockopt");

    while ((sent = send(pair[0], bytes, chunk, MSG_DONTWAIT)) > 0) {
        full.sends++;
        full.bytes += sent;
    }
    if (errno != EAGAIN)
        err(EXIT_FAILURE, "send");

    /* SIOCOUTQ by its older name, which needs no kernel header. */
    if (ioctl(pair[0], TIOCOUTQ, &full.charged) == -1)
        err(EXIT_FAILURE, "ioctl");
    close(pair[0]);
    close(pair[1]);
    return full;
}

static void draw(struct filling full)
{
    long long own = full.bytes * BAR / full.capacity;
    long long charged = full.charged * (long long)BAR / full.capacity;

    printf("%8zu ", full.chunk);
    for (int column = 0; column < charged || column <= BAR; column++) {
        if (column == BAR)
            putchar('|');
        if (column < charged)
            putchar(column < own ? '#' : '.');
    }
    putchar('\n');
}

static void show(const size_t chunk[], int count)
{
    static struct filling full[CHUNKS];

    for (int i = 0; i < count; i++)
        full[i] = fill(chunk[i]);

    printf("buffer: sndbuf_bytes=%d\n", full[0].capacity);
    printf("chunk\tsends\tbytes\tcharged\n");
    for (int i = 0; i < count; i++)
        printf("%zu\t%d\t%lld\t%d\n", full[i].chunk, full[i].sends,
               full[i].bytes, full[i].charged);
    putchar('\n');
    for (int i = 0; i < count; i++)
        draw(full[i]);
}

static _Noreturn void usage(void)
{
    fputs("usage: fill_buffer [CHUNK]\n"
          "  CHUNK  bytes in a send, up to 1048576, instead of the table\n",
          stderr);
    exit(EXIT_USAGE);
}

int main(int argc, char *argv[])
{
    if (argc > 2)
        usage();

    if (argc == 1) {
        show(chunks, CHUNKS);
        return EXIT_SUCCESS;
    }

    size_t chunk;
    char more;
    if (sscanf(argv[1], "%zu%c", &chunk, &more) != 1 || chunk < 1 ||
        chunk > CHUNK_MAX)
        errx(EXIT_USAGE, "bad CHUNK '%s': write 1 to %d", argv[1], CHUNK_MAX);
    show(&chunk, 1);
    return EXIT_SUCCESS;
}
