/*
 * asked_twice - a timeout does not mean that nothing was done.
 *
 * A client asks a server to deposit 10, and hears nothing. Was the request
 * lost, or the answer, or is it late? The client cannot know. It asks again,
 * and the server, which was only slow, deposits 10 twice. Worse: the late
 * answer to the first request is read as the answer to the second, and from
 * then on each answer belongs to the request before.
 *
 * A number in the request repairs both. Asked again, it is the same number:
 * the server knows it, and repeats its answer instead of the deposit. The
 * client drops an answer that has another number.
 *
 * A line is what was asked, whether it was done, the balance that the server
 * then had, and what the client was told.
 *
 *     $ cc asked_twice.c -o asked_twice
 *     $ ./asked_twice
 *     client: number=none asked=+10 done=yes balance=10 told=nothing dropped=0
 *     client: number=none asked=+10 done=yes balance=20 told=10 dropped=0
 *     client: number=none asked=-5 done=yes balance=15 told=20 dropped=0
 *     client: number=1 asked=+10 done=yes balance=10 told=nothing dropped=0
 *     client: number=1 asked=+10 done=no balance=10 told=10 dropped=0
 *     client: number=2 asked=-5 done=yes balance=5 told=5 dropped=1
 *
 * See also: poll(2), send(2), unix(7).
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC, setlinebuf(), with -std=c11 too */

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"
#include "../../common/helper.h"
#include "late_server.h"

#define LIMIT (50 * NS_PER_MS)
#define AMPLE (5 * NS_PER_SEC) /* when it asks again */

/*
 * Wait until the deadline for the answer with this number, 0: for any. Return
 * whether it came, and count those that have another number.
 */
static bool receive_by(int fd, int number, struct answer *answer, int *dropped,
                       int64_t deadline)
{
    struct pollfd some = {.fd = fd, .events = POLLIN};

    for (;;) {
        ssize_t length = recv(fd, answer, sizeof *answer, MSG_DONTWAIT);
        if (length == 0)
            errx(EXIT_FAILURE, "recv: the server has gone");
        if (length == -1 && errno != EAGAIN && errno != EINTR)
            err(EXIT_FAILURE, "recv");
        if (length > 0 && answer->number == number)
            return true;
        *dropped += length > 0;
        int64_t left = deadline - now_ns();
        if (left <= 0)
            return false;
        if (poll(&some, 1, (int)((left - 1) / NS_PER_MS + 1)) == -1 &&
            errno != EINTR)
            err(EXIT_FAILURE, "poll");
    }
}

/* Ask, and tell what was asked, what was done, and what was answered. */
static void ask(int fd, int journal, struct request request, int64_t limit)
{
    char number[16] = "none", told[16] = "nothing";
    struct answer answer;
    struct record record;
    int dropped = 0;

    int64_t deadline = now_ns() + limit;
    send_it(fd, &request, sizeof request);
    if (receive_by(fd, request.number, &answer, &dropped, deadline))
        snprintf(told, sizeof told, "%d", answer.balance);
    errno = EPIPE; /* if it reads 0, the end: the server has said why */
    if (recv(journal, &record, sizeof record, 0) < 1)
        err(EXIT_FAILURE, "recv");
    if (request.number > 0)
        snprintf(number, sizeof number, "%d", request.number);
    printf("client: number=%s asked=%+d done=%s balance=%d told=%s"
           " dropped=%d\n",
           number, request.amount, record.done ? "yes" : "no", record.balance,
           told, dropped);
}

/* A server of our own: ask for 10, ask again, and then for something else. */
static void play(bool has_numbers, int64_t limit)
{
    struct server server = start_server();
    struct request deposit = {has_numbers ? 1 : 0, 10};
    struct request withdraw = {has_numbers ? 2 : 0, -5};
    ask(server.way, server.journal, deposit, limit);
    ask(server.way, server.journal, deposit, AMPLE);
    ask(server.way, server.journal, withdraw, AMPLE);

    if (shutdown(server.way, SHUT_WR) == -1) /* that was all, and it ends */
        err(EXIT_FAILURE, "shutdown");
    see_end(server.pid, 0);
    close(server.way);
    close(server.journal);
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        fputs("usage: asked_twice [LIMIT]\n"
              "  LIMIT  patience for the first answer, default 50ms\n",
              stderr);
        return EXIT_USAGE;
    }
    int64_t limit = argc > 1 ? parse_duration(argv[1]) : LIMIT;

    setlinebuf(stdout); /* empty at fork() */
    play(false, limit);
    play(true, limit);
    return EXIT_SUCCESS;
}
