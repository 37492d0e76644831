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
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/duration.h"
#include "../../common/exit_codes.h"

#define LIMIT (50 * NS_PER_MS)
#define AMPLE (5 * NS_PER_SEC) /* when it asks again */

struct request {
    int number; /* 0: it has none */
    int amount;
};

struct answer {
    int number; /* that of the request */
    int balance;
};

/* What the server did. The client could not know; it is for our table. */
struct record {
    int done; /* no bool: what is sent has no gaps */
    int balance;
};

static void send_it(int fd, const void *what, size_t length)
{
    if (send(fd, what, length, MSG_NOSIGNAL) == -1)
        err(EXIT_FAILURE, "send");
}

/* Do what is asked, once for each number. The first answer is late. */
static _Noreturn void serve(int fd, int journal)
{
    struct answer answer = {0}, late;
    struct request request;
    ssize_t length;

    for (int asked = 1; (length = recv(fd, &request, sizeof request, 0)) > 0;
         asked++) {
        bool is_new = request.number == 0 || request.number != answer.number;
        if (is_new)
            answer.balance += request.amount;
        answer.number = request.number;
        struct record record = {is_new, answer.balance};
        send_it(journal, &record, sizeof record);

        if (asked == 1)
            late = answer;
        if (asked == 2)
            send_it(fd, &late, sizeof late);
        if (asked > 1)
            send_it(fd, &answer, sizeof answer);
    }
    if (length == -1)
        err(EXIT_FAILURE, "recv");
    _exit(EXIT_SUCCESS);
}

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
    int way[2], journal[2], status;
    int kind = SOCK_SEQPACKET | SOCK_CLOEXEC; /* whole messages */
    if (socketpair(AF_UNIX, kind, 0, way) == -1 ||
        socketpair(AF_UNIX, kind, 0, journal) == -1)
        err(EXIT_FAILURE, "socketpair");
    pid_t client = getpid(), server = fork();
    if (server == -1)
        err(EXIT_FAILURE, "fork");
    close(way[server == 0 ? 0 : 1]); /* each keeps one end */
    close(journal[server == 0 ? 0 : 1]);
    if (server == 0) {
        /* Never outlive the client. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
            prctl(PR_SET_NAME, "server") == -1)
            err(EXIT_FAILURE, "prctl");
        if (getppid() != client)
            _exit(EXIT_FAILURE);
        serve(way[1], journal[1]);
    }

    struct request deposit = {has_numbers ? 1 : 0, 10};
    struct request withdraw = {has_numbers ? 2 : 0, -5};
    ask(way[0], journal[0], deposit, limit);
    ask(way[0], journal[0], deposit, AMPLE);
    ask(way[0], journal[0], withdraw, AMPLE);

    if (shutdown(way[0], SHUT_WR) == -1) /* that was all, and it ends */
        err(EXIT_FAILURE, "shutdown");
    if (waitpid(server, &status, 0) == -1)
        err(EXIT_FAILURE, "waitpid");
    if (status != 0)
        errx(EXIT_FAILURE, "waitpid: the server has failed");
    close(way[0]);
    close(journal[0]);
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
