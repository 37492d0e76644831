/*
 * What the lens sees: CALL(what it returns, its name, its arguments).
 *
 *     INT, LONG  -1 means failure, and errno says why
 *     ERROR      the error number itself, as the pthread calls do
 *     POINTER    NULL means failure, and errno says why
 *     NEVER      cannot fail
 *
 * In the last text %d0 stands for the first argument as a decimal number, %t3
 * for the fourth as a timespec. @ comes before the one that limits the wait: @t3
 * writes "limit=100ms", or "limit=nowait" if a flag before it forbids to wait.
 * Only a call with a limit can wait, and gets a line when it begins.
 *
 *     d, l, s     an int, a long, a string
 *     q, e        the sembufs of a semop(), the first pollfd of a poll()
 *     h, m, u     a duration in seconds, milliseconds (-1: none), microseconds
 *     t, v, I, i  timespec, timeval, itimerspec, itimerval
 *     p           a timespec that is a point in time, on the clock that %c has
 *                 shown, or else on CLOCK_REALTIME
 *     n           nothing limits the wait
 *     r, w        what the descriptor itself says: O_NONBLOCK, SO_RCVTIMEO
 *     f           the timeout of a futex
 *     g           a signal
 *
 * Any other letter is that of some constants, listed in interpose_words.h.
 */

/* System V semaphores */
CALL(INT, semget, "key=%d0 nsems=%d1 flags=%G2")
CALL(INT, semctl, "set=%d0 num=%d1 cmd=%j2")
CALL(INT, semop, "set=%d0 ops=%q1 @n0")
CALL(INT, semtimedop, "set=%d0 ops=%q1 @t3")

/* Data */
CALL(LONG, send, "fd=%d0 len=%l2 flags=%M3 @w0")
CALL(LONG, sendto, "fd=%d0 len=%l2 flags=%M3 @w0")
CALL(LONG, sendmsg, "fd=%d0 flags=%M2 @w0")
CALL(LONG, write, "fd=%d0 len=%l2 @w0")
CALL(LONG, writev, "fd=%d0 parts=%d2 @w0")
CALL(LONG, recv, "fd=%d0 len=%l2 flags=%M3 @r0")
CALL(LONG, recvfrom, "fd=%d0 len=%l2 flags=%M3 @r0")
CALL(LONG, recvmsg, "fd=%d0 flags=%M2 @r0")
CALL(LONG, read, "fd=%d0 len=%l2 @r0")
CALL(LONG, readv, "fd=%d0 parts=%d2 @r0")

/* Readiness */
CALL(INT, poll, "fd=%e0 of=%d1 @m2")
CALL(INT, ppoll, "fd=%e0 of=%d1 @t2")
CALL(INT, select, "nfds=%d0 @v4")
CALL(INT, pselect, "nfds=%d0 @t4")
CALL(INT, epoll_create1, "flags=%d0")
CALL(INT, epoll_ctl, "epfd=%d0 op=%d1 fd=%d2")
CALL(INT, epoll_wait, "epfd=%d0 @m3")
CALL(INT, epoll_pwait, "epfd=%d0 @m3")

/* Locks on files */
CALL(INT, flock, "fd=%d0 op=%L1 @n0")
CALL(INT, lockf, "fd=%d0 cmd=%k1 @n0")
CALL(INT, fcntl, "fd=%d0 cmd=%x1 @n0")

/* Sleeping and clocks */
CALL(INT, nanosleep, "@t0")
CALL(ERROR, clock_nanosleep, "clock=%c0 @p2")
CALL(INT, usleep, "@u0")
CALL(NEVER, sleep, "@h0")
CALL(INT, clock_gettime, "clock=%c0")
CALL(INT, gettimeofday, "")
CALL(LONG, time, "")
CALL(NEVER, timespec_get, "")
CALL(NEVER, alarm, "after=%h0")
CALL(INT, setitimer, "which=%d0 after=%i1")
CALL(INT, timerfd_create, "clock=%c0 flags=%d1")
CALL(INT, timerfd_settime, "fd=%d0 flags=%d1 after=%I2")

/* Signals */
CALL(INT, kill, "pid=%d0 sig=%g1")
CALL(INT, killpg, "group=%d0 sig=%g1")
CALL(INT, raise, "sig=%g0")
CALL(INT, sigaction, "sig=%g0")
CALL(LONG, signal, "sig=%g0")
CALL(INT, pause, "@n0")
CALL(INT, sigsuspend, "@n0")
CALL(INT, sigtimedwait, "@t2")
CALL(INT, sigwaitinfo, "@n0")
CALL(ERROR, sigwait, "@n0")
CALL(INT, signalfd, "fd=%d0 flags=%d2")

/* Processes */
CALL(INT, fork, "")
CALL(INT, wait, "@n0")
CALL(INT, waitpid, "pid=%d0 options=%W2 @n0")
CALL(INT, wait4, "pid=%d0 options=%W2 @n0")
CALL(INT, waitid, "type=%d0 id=%d1 options=%W3 @n0")
CALL(INT, execve, "file=%s0 @n0")
CALL(INT, execv, "file=%s0 @n0")
CALL(INT, execvp, "file=%s0 @n0")
CALL(INT, setsid, "")
CALL(INT, setpgid, "pid=%d0 group=%d1")
CALL(INT, prctl, "option=%y0")
CALL(LONG, syscall, "number=%z0 @f4")

/* Sockets */
CALL(INT, socket, "domain=%d0 type=%d1")
CALL(INT, socketpair, "domain=%d0 type=%d1")
CALL(INT, bind, "fd=%d0")
CALL(INT, listen, "fd=%d0 backlog=%d1")
CALL(INT, accept, "fd=%d0 @r0")
CALL(INT, accept4, "fd=%d0 flags=%d3 @r0")
CALL(INT, connect, "fd=%d0 @w0")
CALL(INT, setsockopt, "fd=%d0 option=%o2")
CALL(INT, getsockopt, "fd=%d0 option=%o2")
CALL(INT, shutdown, "fd=%d0 how=%d1")
CALL(INT, ioctl, "fd=%d0 request=%d1")

/* Descriptors and files */
CALL(INT, open, "file=%s0 flags=%O1 @n0")
CALL(INT, openat, "dir=%d0 file=%s1 flags=%O2 @n0")
CALL(INT, close, "fd=%d0")
CALL(INT, close_range, "first=%d0 last=%d1")
CALL(NEVER, closefrom, "first=%d0")
CALL(INT, dup, "fd=%d0")
CALL(INT, dup2, "fd=%d0 to=%d1")
CALL(INT, dup3, "fd=%d0 to=%d1 flags=%O2")
CALL(INT, pipe, "")
CALL(INT, pipe2, "flags=%O1")
CALL(INT, eventfd, "count=%d0 flags=%d1")
CALL(INT, eventfd_read, "fd=%d0 @r0")
CALL(INT, eventfd_write, "fd=%d0 @w0")
CALL(INT, memfd_create, "name=%s0 flags=%d1")
CALL(INT, ftruncate, "fd=%d0 len=%l1")
CALL(LONG, mmap, "len=%l1 prot=%d2 flags=%d3 fd=%d4")
CALL(INT, munmap, "len=%l1")
CALL(POINTER, mkdtemp, "name=%s0")
CALL(INT, mkdir, "name=%s0")
CALL(INT, rmdir, "name=%s0")
CALL(INT, unlink, "name=%s0")
CALL(INT, unlinkat, "dir=%d0 name=%s1")
CALL(INT, rename, "name=%s0 to=%s1")

/* POSIX semaphores and threads */
CALL(INT, sem_wait, "@n0")
CALL(INT, sem_trywait, "")
CALL(INT, sem_timedwait, "clock=CLOCK_REALTIME @p1")
CALL(INT, sem_clockwait, "clock=%c1 @p2")
CALL(INT, sem_post, "")
CALL(INT, sem_init, "value=%d2")
CALL(INT, sem_destroy, "")
CALL(ERROR, pthread_mutex_lock, "@n0")
CALL(ERROR, pthread_mutex_trylock, "")
CALL(ERROR, pthread_mutex_timedlock, "clock=CLOCK_REALTIME @p1")
CALL(ERROR, pthread_mutex_clocklock, "clock=%c1 @p2")
CALL(ERROR, pthread_mutex_unlock, "")
CALL(ERROR, pthread_cond_wait, "@n0")
CALL(ERROR, pthread_cond_timedwait, "@p2")
CALL(ERROR, pthread_cond_clockwait, "clock=%c2 @p3")
CALL(ERROR, pthread_cond_signal, "")
CALL(ERROR, pthread_cond_broadcast, "")
CALL(ERROR, pthread_barrier_wait, "@n0")
CALL(ERROR, pthread_create, "")
CALL(ERROR, pthread_join, "@n0")
CALL(ERROR, pthread_kill, "sig=%g1")
CALL(ERROR, pthread_setname_np, "name=%s1")

#undef CALL
