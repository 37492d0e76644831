/*
 * message_too_big - EAGAIN means later, EMSGSIZE means never.
 *
 * A stream carries bytes, and forgets in which sends they came. SOCK_DGRAM
 * and SOCK_SEQPACKET carry messages: what one send takes, one recv gets,
 * whole or not at all. So they cannot cut a big message short, as a stream
 * does. They refuse it, and not with EAGAIN: a message as large as the send
 * buffer is too big even for an empty one.
 *
 * Each kind of socket gets 3 and then 5 bytes, which we read with one recv,
 * and then a message of one byte and a big one, empty and full.
 *
 *     $ cc message_too_big.c -o message_too_big
 *     $ ./message_too_big
 *     stream: received bytes=8 sent=3+5 sndbuf=40000
 *     stream: empty one=1 big=39872 of=40000
 *     stream: full one=EAGAIN big=EAGAIN of=40000
 *     dgram: received bytes=3 sent=3+5 sndbuf=40000
 *     dgram: empty one=1 big=EMSGSIZE of=40000
 *     dgram: full one=EAGAIN big=EMSGSIZE of=40000
 *     seqpacket: received bytes=3 sent=3+5 sndbuf=40000
 *     ...
 *
 * See also: socket(2), send(2), unix(7).
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/errno_name.h"
#include "../../common/exit_codes.h"

#define ASKED 20000 /* for the send buffer, which reads back as 40000 */

static char message[2 * ASKED];

/* Send without waiting. Only the two refusals of this lesson come back. */
static ssize_t offer(int fd, size_t size)
{
    ssize_t sent = send(fd, message, size, MSG_DONTWAIT);

    if (sent == -1 && errno != EAGAIN && errno != EMSGSIZE)
        err(EXIT_FAILURE, "send");
    return sent;
}

static void offer_one_and_big(const char *kind, const char *queue, int fd)
{
    const struct {
        const char *name;
        size_t size;
    } messages[] = {{"one", 1}, {"big", sizeof message}};

    printf("%s: %s", kind, queue);
    for (int i = 0; i < 2; i++) {
        ssize_t sent = offer(fd, messages[i].size);
        if (sent == -1)
            printf(" %s=%s", messages[i].name, errno_name(errno));
        else
            printf(" %s=%zd", messages[i].name, sent);
    }
    printf(" of=%zu\n", sizeof message);
}

/* Take what has come, at most as much as the buffer holds. */
static ssize_t receive(int fd)
{
    ssize_t got = recv(fd, message, sizeof message, MSG_DONTWAIT);

    if (got == -1)
        err(EXIT_FAILURE, "recv");
    return got;
}

static void show(const char *kind, int type)
{
    int pair[2]; /* what goes in at pair[0] comes out at pair[1] */
    int size = ASKED;
    socklen_t length = sizeof size;
    if (socketpair(AF_UNIX, type, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, length) == -1)
        err(EXIT_FAILURE, "setsockopt");
    if (getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, &length) == -1)
        err(EXIT_FAILURE, "getsockopt");

    offer(pair[0], 3);
    offer(pair[0], 5);
    ssize_t first = receive(pair[1]);
    if (first == 3)
        receive(pair[1]);
    printf("%s: received bytes=%zd sent=3+5 sndbuf=%d\n", kind, first, size);

    offer_one_and_big(kind, "empty", pair[0]);
    while (offer(pair[0], 1) == 1)
        continue;
    offer_one_and_big(kind, "full", pair[0]);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1) {
        fputs("usage: message_too_big\n", stderr);
        return EXIT_USAGE;
    }

    show("stream", SOCK_STREAM);
    show("dgram", SOCK_DGRAM);
    show("seqpacket", SOCK_SEQPACKET);
    return EXIT_SUCCESS;
}
