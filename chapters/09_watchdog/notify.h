/*
 * Notes in systemd's protocol: where they go, and how they are read.
 *
 * See also: sd_notify(3), unix(7).
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * "/run/notify" is a path. "@notify" is abstract: it is in no directory, its
 * first byte is 0, and its length tells where it ends. Returns the length of
 * the address, or 0 with errno EINVAL.
 */
static inline socklen_t notify_address(const char *name, struct sockaddr_un *at)
{
    size_t length = strlen(name);

    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((name[0] != '/' && name[0] != '@') || length < 2 ||
        length >= sizeof at->sun_path) {
        errno = EINVAL;
        return 0;
    }
    memcpy(at->sun_path, name, length);
    if (name[0] == '@')
        at->sun_path[0] = '\0';
    else
        length++; /* a path ends with a 0 */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/*
 * A socket to read notes from, at this path, or with NULL at an abstract
 * address that nobody else has: the kernel chooses one. NOTIFY_SOCKET names it.
 */
static inline int open_notes(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t length = sizeof at.sun_family; /* no name: choose one */
    char name[sizeof at.sun_path + 1] = "";

    int notes = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notes == -1)
        err(EXIT_FAILURE, "socket");
    if (path)
        length = notify_address(path, &at);
    if (bind(notes, (struct sockaddr *)&at, length) == -1)
        err(EXIT_FAILURE, "bind");
    length = sizeof at;
    if (getsockname(notes, (struct sockaddr *)&at, &length) == -1)
        err(EXIT_FAILURE, "getsockname");
    memcpy(name, at.sun_path, length - offsetof(struct sockaddr_un, sun_path));
    if (!path)
        name[0] = '@'; /* where the 0 is */
    if (setenv("NOTIFY_SOCKET", name, 1) == -1)
        err(EXIT_FAILURE, "setenv");
    return notes;
}

/* A number from 1 on: digits only, and none that begins with 0. */
static inline bool read_number(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return isdigit((unsigned char)text[0]) && text[0] != '0' && !*end &&
           errno == 0;
}

struct note {
    char text[4096];     /* lines of KEY=value, the last one without its end */
    struct ucred sender; /* the kernel's word, if SO_PASSCRED is on */
    int fd;              /* the one that came with it, or -1 */
};

/* Read one note. False: it was none, too long, or with more than one fd. */
static inline bool read_note(int notes, struct note *note)
{
    _Alignas(struct cmsghdr) char room[256];
    struct iovec data = {note->text, sizeof note->text - 1};
    struct msghdr it = {.msg_iov = &data,
                        .msg_iovlen = 1,
                        .msg_control = room,
                        .msg_controllen = sizeof room};
    ssize_t length = recvmsg(notes, &it, MSG_CMSG_CLOEXEC);
    int fds = 0;

    if (length == -1)
        err(EXIT_FAILURE, "recvmsg");
    note->text[length] = '\0';
    note->fd = -1;
    note->sender = (struct ucred){.uid = (uid_t)-1}; /* nobody yet */
    struct cmsghdr *h = CMSG_FIRSTHDR(&it);
    for (char *end = room + it.msg_controllen; h && (char *)h < end;
         h = (void *)((char *)h + CMSG_SPACE(h->cmsg_len - CMSG_LEN(0)))) {
        if (h->cmsg_type == SCM_CREDENTIALS)
            memcpy(&note->sender, CMSG_DATA(h), sizeof note->sender);
        for (size_t at = CMSG_LEN(0);
             h->cmsg_type == SCM_RIGHTS && at < h->cmsg_len;
             at += sizeof(int)) {
            if (fds++ > 0)
                close(note->fd); /* whatever comes is ours to close */
            memcpy(&note->fd, (char *)h + at, sizeof(int));
        }
    }
    if (fds > 1) {
        close(note->fd);
        note->fd = -1;
    }
    return fds <= 1 && (it.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
           strlen(note->text) == (size_t)length;
}

#endif
