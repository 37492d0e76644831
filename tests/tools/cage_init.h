/*
 * The init of the caged family: it collects whom no one waits for, ends what
 * is left behind, and tells what happened. Part of cage.c, which includes it.
 */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd != -1 && write(fd, text, strlen(text)) != -1;
}

/* Arrange the namespaces that we are the first in. */
static bool settle(uid_t uid, gid_t gid)
{
    char users[40], groups[40];

    snprintf(users, sizeof users, "%u %u 1", uid, uid);
    snprintf(groups, sizeof groups, "%u %u 1", gid, gid);
    if (uid != 0 && !(write_file("/proc/self/setgroups", "deny") &&
                      write_file("/proc/self/uid_map", users) &&
                      write_file("/proc/self/gid_map", groups)))
        return false;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 NULL) == 0;
}

static void name_left_behind(const struct member *it)
{
    static pid_t named[MOST_NAMES];
    static int count;

    for (int i = 0; i < count; i++)
        if (named[i] == it->pid)
            return;
    if (count == MOST_NAMES)
        return;
    named[count++] = it->pid;
    fprintf(words,
            "cage: left behind: '%s' outlived the program by %g s, killed\n",
            it->name, (double)grace / NS_PER_SEC);
}

/* Kill them all, but give the kit's guardians time to clean up. */
static void end_family(const sigset_t *signals)
{
    const struct timespec moment = to_timespec(10 * NS_PER_MS);
    int64_t guardians_too = now_ns() + grace;

    for (find_family(); family_size > 0; find_family()) {
        for (int i = 0; i < family_size; i++) {
            if (strcmp(family[i].name, "guardian") == 0 &&
                now_ns() < guardians_too)
                continue;
            name_left_behind(&family[i]);
            kill(family[i].pid, SIGKILL);
        }
        sigtimedwait(signals, NULL, &moment);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
}

/* Wait until all have ended, and return how the program did. */
static int mind_family(pid_t program)
{
    int64_t deadline = INT64_MAX;
    int result = 0, status;
    sigset_t signals;
    pid_t pid;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM); /* cage has been killed */
    for (;;) {
        int64_t left = deadline - now_ns();
        struct timespec timeout = to_timespec(left > 0 ? left : 0);
        int sig = sigtimedwait(&signals, NULL, &timeout);
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ)
                fprintf(words,
                        "cage: file: more than %d bytes, cut and killed\n",
                        MOST_FILE);
            if (pid != program)
                continue;
            result = status;
            deadline = now_ns() + grace;
        }
        if (pid == -1) /* no child, so no descendant */
            return result;
        if (sig == SIGTERM || now_ns() >= deadline) {
            end_family(&signals);
            return result;
        }
    }
}

static void tell_refusals(void)
{
    if (ledger->fork_refused)
        fprintf(words,
                "cage: refused: fork: %d processes are alive, or dead "
                "and not waited for\n",
                MOST_PROCESSES);
    for (int i = 0; i < ledger->refusals && i < MOST_REFUSALS; i++) {
        struct refusal it = ledger->refused[i];
        const char *name = sigabbrev_np(it.signal);
        fprintf(words, "cage: refused: kill(%d, %s%s): that is %s\n", it.target,
                name ? "SIG" : "", name ? name : "?",
                it.target == -1  ? "for every process"
                : it.target == 0 ? "for the program's whole group"
                                 : "no process of the program's family");
    }
}

static bool is_ours(int set)
{
    for (int i = 0; i < ledger->sets && i < MOST_SETS; i++)
        if (ledger->set[i] == set)
            return true;
    return !no_namespaces; /* where no one else has any */
}

static void remove_sets(void)
{
    FILE *sets = fopen("/proc/sysvipc/sem", "re");
    char line[300];
    int set;

    while (sets && fgets(line, sizeof line, sets))
        if (sscanf(line, "%*d %d", &set) == 1 && is_ours(set) &&
            semctl(set, 0, IPC_RMID) == 0)
            fprintf(words, "cage: left behind: semaphore set %d\n", set);
}

/* Tell cage that we are there, or why not; and then how the program ended. */
static _Noreturn void be_init(uid_t uid, gid_t gid, int to_cage)
{
    char *text;
    size_t length;
    pid_t us = getpid();

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, no_namespaces ? SIGTERM : SIGKILL);
    int problem = no_namespaces || settle(uid, gid) ? 0 : errno;
    if (write(to_cage, &problem, sizeof problem) == -1 || problem != 0)
        _exit(EXIT_FAILURE);

    pid_t program = fork();
    if (program == 0)
        become_program(us);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    words = open_memstream(&text, &length);
    if (program == -1 || !words)
        err(EXIT_FAILURE, "fork, open_memstream");

    int status = mind_family(program);
    tell_refusals();
    remove_sets();
    fclose(words);
    if (length > 0) {
        dprintf(STDERR_FILENO, "%s", text);
        status = EXIT_STEPPED_IN << 8;
    }
    _exit(write(to_cage, &status, sizeof status) == -1);
}
