/*
 * epoll_edges - being told that there is room, and being told once.
 *
 * epoll is poll() that remembers what it is asked about. By level it reports a
 * socket for as long as there is room. By edge, with EPOLLET, it reports it
 * once at the start, and then once after each read that leaves room. Both are
 * the same for whoever sends until EAGAIN after each event. Who does not, finds
 * the price of each:
 *
 *     one_send  one small send an event, and a reader who reads when all is
 *               there: by edge the second event never comes
 *     idle      nothing to send: by level the event comes again, and again
 *
 * The remedies are in epoll_ctl(): ask for nothing while there is nothing to
 * send, and ask anew. No clock is read, only events are counted.
 *
 *     $ cc epoll_edges.c -o epoll_edges
 *     $ ./epoll_edges
 *     level: until_eagain rounds=8 events=8
 *     edge: until_eagain rounds=8 events=8
 *     level: one_send parts=8 sent=8 events=8
 *     level: asked_anew events=1
 *     edge: one_send parts=8 sent=1 events=1
 *     edge: asked_anew events=1
 *     level: idle events=1000 most=1000
 *     level: asked_for_nothing events=0
 *     edge: idle events=1 most=1000
 *     edge: asked_for_nothing events=0
 *
 * See also: epoll(7), epoll_ctl(2), epoll_wait(2).
 */
#define _GNU_SOURCE /* clock_gettime(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define LIMIT (20 * NS_PER_MS) /* after it we say: no event */
#define ROUNDS 8
#define PARTS 8
#define MOST 1000

/* A socket, the reader's end, and how epoll reports that there is room. */
struct watched {
    const char *how;
    uint32_t events;
    int limit_ms; /* for each wait */
    int epoll, fd, reader;
};

/* op is EPOLL_CTL_ADD, or EPOLL_CTL_MOD to ask anew or for something else. */
static void ask(const struct watched *it, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = it->fd};
    if (epoll_ctl(it->epoll, op, it->fd, &event) == -1)
        err(EXIT_FAILURE, "epoll_ctl");
}

/* Wait for an event, until the limit is over. */
static bool has_event(const struct watched *it)
{
    struct epoll_event event;
    int ready = epoll_wait(it->epoll, &event, 1, it->limit_ms);
    if (ready == -1)
        err(EXIT_FAILURE, "epoll_wait");
    return ready == 1;
}

/* Send a part, or read one. Returns false for EAGAIN. */
static bool move(int fd, bool out, size_t size)
{
    static char part[4096];
    ssize_t n = out ? send(fd, part, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                    : recv(fd, part, size, MSG_DONTWAIT);
    if (n == -1 && errno != EAGAIN)
        err(EXIT_FAILURE, out ? "send" : "recv");
    return n > 0;
}

/* The whole queue in each round: fill it, and let the reader drain it. */
static void send_until_eagain(const struct watched *it)
{
    int events = 0;

    for (int round = 0; round < ROUNDS && has_event(it); round++) {
        events++;
        while (move(it->fd, true, 4096))
            continue;
        while (move(it->reader, false, 4096))
            continue;
    }
    printf("%s: until_eagain rounds=%d events=%d\n", it->how, ROUNDS, events);
}

/* Wrong by edge, on purpose: there is room left, so nothing changes. */
static void send_one_an_event(const struct watched *it)
{
    int events = 0, sent = 0;

    while (sent < PARTS && has_event(it)) {
        events++;
        sent += move(it->fd, true, 1);
    }
    printf("%s: one_send parts=%d sent=%d events=%d\n", it->how, PARTS, sent,
           events);
    ask(it, EPOLL_CTL_MOD, it->events);
    printf("%s: asked_anew events=%d\n", it->how, has_event(it));
}

/* Wrong by level, on purpose: nothing to send, and yet it asks for room. */
static void stay_idle(const struct watched *it)
{
    int events = 0;

    while (events < MOST && has_event(it))
        events++;
    printf("%s: idle events=%d most=%d\n", it->how, events, MOST);
    ask(it, EPOLL_CTL_MOD, 0);
    printf("%s: asked_for_nothing events=%d\n", it->how, has_event(it));
}

static void play(struct watched it, void (*act)(const struct watched *))
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        err(EXIT_FAILURE, "socketpair");
    it.fd = pair[0];
    it.reader = pair[1];
    it.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (it.epoll == -1)
        err(EXIT_FAILURE, "epoll_create1");
    ask(&it, EPOLL_CTL_ADD, it.events);
    act(&it);
    close(it.epoll);
    close(it.fd);
    close(it.reader);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fprintf(stderr, "usage: epoll_edges [LIMIT]\n"
                        "  LIMIT  for each wait, default 20ms\n");
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;
    int ms = (int)((limit + NS_PER_MS - 1) / NS_PER_MS); /* epoll_wait()'s */
    struct watched level = {"level", EPOLLOUT, ms, -1, -1, -1};
    struct watched edge = {"edge", EPOLLOUT | EPOLLET, ms, -1, -1, -1};

    play(level, send_until_eagain);
    play(edge, send_until_eagain);
    play(level, send_one_an_event);
    play(edge, send_one_an_event);
    play(level, stay_idle);
    play(edge, stay_idle);
    return EXIT_SUCCESS;
}
