/*
 * What the lens sees. interpose.c includes this once for each macro below.
 *
 * CALL(what it returns, its name, how its arguments are written)
 *
 *     INT, LONG  -1 means failure, and errno says why
 *     ERROR      the error number itself, as the pthread calls do
 *     POINTER    NULL means failure, and errno says why
 *     NEVER      cannot fail
 *
 * In the text, %d0 is the first argument as a decimal number, %t3 the fourth
 * as a timespec: put_value() has all the letters. @ comes before the one that
 * limits a wait: @t3 writes "limit=100ms", @n0 "limit=none", and a call whose
 * flags forbid to wait has "limit=nowait". Only a call with a limit can wait,
 * and gets a line when it begins.
 *
 * ALIAS(symbol, name)      the same call under another symbol
 * NAME(letter, constant)   what the letter writes: if it is small, the one
 *                          constant that fits, if a capital, a set of flags
 * NOWAIT(letter, constant) likewise; with it, a call does not wait
 */

#ifndef CALL
#define CALL(returns, name, args)
#endif
#ifndef ALIAS
#define ALIAS(symbol, name)
#endif
#ifndef NAME
#define NAME(letter, constant)
#define NOWAIT(letter, constant)
#endif

/* System V semaphores */
CALL(INT, semget, "key=%d0 nsems=%d1 flags=%G2")
CALL(INT, semctl, "set=%d0 num=%d1 cmd=%j2")
CALL(INT, semop, "set=%d0 ops=%q1 @n0")
CALL(INT, semtimedop, "set=%d0 ops=%q1 @t3")

/* Data: @r0 and @w0 ask the descriptor, O_NONBLOCK and SO_RCVTIMEO */
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

/* Sleeping and clocks; @a0 is an absolute time, see deadline_of() */
CALL(INT, nanosleep, "@t0")
CALL(ERROR, clock_nanosleep, "clock=%c0 @N2")
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
ALIAS(fcntl64, fcntl)
ALIAS(lockf64, lockf)
ALIAS(open64, open)
ALIAS(openat64, openat)
ALIAS(ftruncate64, ftruncate)
ALIAS(mmap64, mmap)

/* POSIX semaphores and threads */
CALL(INT, sem_wait, "@n0")
CALL(INT, sem_trywait, "")
CALL(INT, sem_timedwait, "clock=CLOCK_REALTIME @a1")
CALL(INT, sem_clockwait, "clock=%c1 @b2")
CALL(INT, sem_post, "")
CALL(INT, sem_init, "value=%d2")
CALL(INT, sem_destroy, "")
CALL(ERROR, pthread_mutex_lock, "@n0")
CALL(ERROR, pthread_mutex_trylock, "")
CALL(ERROR, pthread_mutex_timedlock, "clock=CLOCK_REALTIME @a1")
CALL(ERROR, pthread_mutex_clocklock, "clock=%c1 @b2")
CALL(ERROR, pthread_mutex_unlock, "")
CALL(ERROR, pthread_cond_wait, "@n0")
CALL(ERROR, pthread_cond_timedwait, "@C2")
CALL(ERROR, pthread_cond_clockwait, "clock=%c2 @b3")
CALL(ERROR, pthread_cond_signal, "")
CALL(ERROR, pthread_cond_broadcast, "")
CALL(ERROR, pthread_barrier_wait, "@n0")
CALL(ERROR, pthread_create, "")
CALL(ERROR, pthread_join, "@n0")
CALL(ERROR, pthread_kill, "sig=%g1")
CALL(ERROR, pthread_setname_np, "name=%s1")

/* Constants */
NAME('G', IPC_CREAT)
NAME('G', IPC_EXCL)
NAME('j', IPC_RMID)
NAME('j', IPC_SET)
NAME('j', IPC_STAT)
NAME('j', GETVAL)
NAME('j', SETVAL)
NAME('j', GETALL)
NAME('j', SETALL)
NAME('j', GETPID)
NAME('j', GETNCNT)
NAME('j', GETZCNT)
NOWAIT('S', IPC_NOWAIT)
NAME('S', SEM_UNDO)
NOWAIT('M', MSG_DONTWAIT)
NAME('M', MSG_NOSIGNAL)
NAME('M', MSG_PEEK)
NAME('M', MSG_WAITALL)
NAME('L', LOCK_SH)
NAME('L', LOCK_EX)
NOWAIT('L', LOCK_NB)
NOWAIT('L', LOCK_UN)
NAME('k', F_LOCK)
NOWAIT('k', F_TLOCK)
NOWAIT('k', F_ULOCK)
NOWAIT('k', F_TEST)
NOWAIT('x', F_DUPFD)
NOWAIT('x', F_DUPFD_CLOEXEC)
NOWAIT('x', F_GETFD)
NOWAIT('x', F_SETFD)
NOWAIT('x', F_GETFL)
NOWAIT('x', F_SETFL)
NOWAIT('x', F_GETLK)
NOWAIT('x', F_SETLK)
NAME('x', F_SETLKW)
NOWAIT('x', F_OFD_GETLK)
NOWAIT('x', F_OFD_SETLK)
NAME('x', F_OFD_SETLKW)
NAME('c', CLOCK_REALTIME)
NAME('c', CLOCK_MONOTONIC)
NAME('c', CLOCK_BOOTTIME)
NAME('c', CLOCK_PROCESS_CPUTIME_ID)
NAME('c', CLOCK_THREAD_CPUTIME_ID)
NAME('o', SO_SNDBUF)
NAME('o', SO_RCVBUF)
NAME('o', SO_ERROR)
NAME('o', SO_SNDTIMEO)
NAME('o', SO_RCVTIMEO)
NAME('o', SO_LINGER)
NOWAIT('W', WNOHANG)
NAME('W', WUNTRACED)
NAME('W', WEXITED)
NAME('W', WNOWAIT)
NOWAIT('O', O_NONBLOCK)
NAME('O', O_WRONLY)
NAME('O', O_RDWR)
NAME('O', O_CREAT)
NAME('O', O_EXCL)
NAME('O', O_TRUNC)
NAME('O', O_APPEND)
NAME('O', O_CLOEXEC)
NAME('y', PR_SET_NAME)
NAME('y', PR_SET_PDEATHSIG)
NAME('y', PR_SET_TIMERSLACK)
NAME('y', PR_SET_CHILD_SUBREAPER)
NAME('z', SYS_futex)
NAME('z', SYS_pidfd_open)
NAME('z', SYS_gettid)
NAME('z', SYS_pidfd_send_signal)
NAME('z', SYS_tgkill)
NAME('g', SIGHUP)
NAME('g', SIGINT)
NAME('g', SIGQUIT)
NAME('g', SIGABRT)
NAME('g', SIGKILL)
NAME('g', SIGUSR1)
NAME('g', SIGUSR2)
NAME('g', SIGSEGV)
NAME('g', SIGPIPE)
NAME('g', SIGALRM)
NAME('g', SIGTERM)
NAME('g', SIGCHLD)
NAME('g', SIGCONT)
NAME('g', SIGSTOP)
NAME('g', SIGTSTP)

#undef CALL
#undef ALIAS
#undef NAME
#undef NOWAIT
