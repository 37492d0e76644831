/*
 * Between fork() and exec(): limits, a user, a session, an environment for the
 * program. Part of cage.c, which includes it.
 */

#define MOST_MEMORY (512 << 20) /* of a process */
#define HIGH_FD 990             /* out of the way of the program's own */

static void limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit now;

    getrlimit(resource, &now);
    now.rlim_max = now.rlim_max < most ? now.rlim_max : most;
    now.rlim_cur = now.rlim_cur < most ? now.rlim_cur : most;
    if (setrlimit(resource, &now) == -1)
        err(EXIT_FAILURE, "setrlimit");
}

/* A copy that the program inherits. */
static int high(int fd)
{
    int copy = fcntl(fd, F_DUPFD, HIGH_FD);

    return copy == -1 ? fcntl(fd, F_DUPFD, 3) : copy;
}

/*
 * A path by which the user gets to this file, although it may lie in a folder
 * that is closed to others, such as /root: a descriptor of its own folder.
 */
static char *passable(char *path)
{
    char *slash = strrchr(path, '/'), *way = path;

    if (user == 0 || !slash || slash == path || seteuid(user) == -1)
        return path;
    bool passes = faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
    if (seteuid(0) == -1)
        err(EXIT_FAILURE, "seteuid");
    *slash = '\0';
    int folder = passes ? -1 : high(open(path, O_PATH | O_CLOEXEC));
    *slash = '/';
    if (folder != -1 &&
        asprintf(&way, "/proc/self/fd/%d%s", folder, slash) == -1)
        err(EXIT_FAILURE, "asprintf");
    return way;
}

/*
 * Create the trace, and let the user write it. Not one that is there: it may
 * be a link to some file of root's, laid out by an earlier program.
 */
static void create_trace(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd != -1 && fchmod(fd, 0666) == -1)
        err(EXIT_FAILURE, "%s", path);
    close(fd);
}

static void append(const char *name, const char *value)
{
    const char *had = getenv(name);
    char *both;

    if (asprintf(&both, "%s%s%s", had ? had : "", had ? ":" : "", value) == -1)
        err(EXIT_FAILURE, "asprintf");
    setenv(name, both, 1);
}

/* NAME=VALUE? Then where its "=" is. */
static char *equals_sign(char *word)
{
    return isalpha((unsigned char)*word) || *word == '_' ? strchr(word, '=')
                                                         : NULL;
}

static void set_environment(pid_t init)
{
    char here[PATH_MAX] = "", number[40];

    for (char *is; (is = equals_sign(arguments[0])); arguments++) {
        *is = '\0';
        if (user != 0 && strcmp(arguments[0], "KIT_TRACE") == 0)
            create_trace(is + 1);
        setenv(arguments[0], passable(is + 1), 1);
    }
    snprintf(number, sizeof number, "%d %d", ledger_fd, init);
    setenv(LEDGER, number, 1);
    if (readlink("/proc/self/exe", here, sizeof here - 1) == -1)
        err(EXIT_FAILURE, "/proc/self/exe");
    /* A path with blanks would be two libraries. */
    append("LD_LIBRARY_PATH", dirname(passable(here)));
    append("LD_PRELOAD", "cage_calls.so");
}

/*
 * Give up root's groups. Root of a user namespace that has no such user stays
 * who it is: seen from outside that is an ordinary user.
 */
static void leave_groups(void)
{
    if (user == 0)
        return;
    if (may_write && chmod(".", 01777) == -1)
        err(EXIT_FAILURE, "chmod: .");
    if (setgroups(0, NULL) == -1 || setresgid(user, user, user) == -1)
        user = 0;
    else
        limit(RLIMIT_NPROC, 4 * MOST_PROCESSES); /* the user has no others */
}

/* The wall behind cage_calls.c, for programs that go around it. */
static void refuse_kill_all(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof steps / sizeof steps[0], steps};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static _Noreturn void become_program(pid_t init)
{
    setsid(); /* so that no group of the family is anyone else's, too */
    limit(RLIMIT_FSIZE, MOST_FILE);
    limit(RLIMIT_DATA, MOST_MEMORY);
    leave_groups();
    set_environment(init);
    const char *file = passable(arguments[0]);
    if (user != 0 && setresuid(user, user, user) == -1)
        err(EXIT_FAILURE, "setresuid");

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != init)
        _exit(EXIT_FAILURE);
    refuse_kill_all();
    if (verbose)
        fprintf(stderr, "cage: namespaces: %s; user %d\n",
                no_namespaces ? strerror(no_namespaces) : "pid, ipc, mount",
                (int)geteuid());
    sigaction(SIGCHLD, &sigchld_before, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    execvp(file, arguments);
    int code = errno == ENOENT ? 127 : 126;
    warn("%s", arguments[0]);
    _exit(code);
}
