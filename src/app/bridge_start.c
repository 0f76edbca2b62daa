/* app/bridge_start.c - from the launcher's fork to the bridge's exec: everything that the server
 * of another user must not have is given up here, in this order. */
#include "launcher.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTENER = 3, PROGRAM = 4, FILES = 1024, PROCESSES = 2048, FIXED_WORDS = 7, FIXED_ENV = 5 };

/* --- what it is started with: made before the fork ------------------------------------- */

struct start {
    char *words[FIXED_WORDS + LAUNCH_WORDS_MAX + 1];
    size_t word_count;
    char *env[FIXED_ENV + LAUNCH_WORDS_MAX + 1];
    size_t env_count;
    bool failed;
    pid_t launcher;
};

static void
add(struct start *start, char **list, size_t *count, char *text)
{
    start->failed = start->failed || text == NULL;
    list[(*count)++] = text;
}

static void
add_word(struct start *start, struct slice text)
{
    add(start, start->words, &start->word_count, slice_strdup(text));
}

static bool
has_env(const struct start *start, const char *text)
{
    size_t size = strcspn(text, "=") + 1;

    for (size_t i = 0; i < start->env_count; i++) {
        if (start->env[i] != NULL && strncmp(start->env[i], text, size) == 0)
            return true;
    }
    return false;
}

/* The first of a name counts: programs do not agree on which of two does. */
static void WRIT_PRINTF(2, 3) add_env(struct start *start, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (text != NULL && has_env(start, text)) {
        explicit_bzero(text, strlen(text));
        free(text);
        return;
    }
    add(start, start->env, &start->env_count, text);
}

/* What the definition says stands before what every server gets. */
static void
make_start(const struct launch *launch, const struct launch_user *user, struct start *start)
{
    char idle[16];

    snprintf(idle, sizeof idle, "%us", launch->idle_s);
    add_word(start, SLICE_LITERAL("writ"));
    add_word(start, SLICE_LITERAL("mcp-bridge"));
    add_word(start, SLICE_LITERAL("--name"));
    add_word(start, launch->name);
    add_word(start, SLICE_LITERAL("--idle"));
    add_word(start, slice_text(idle));
    add_word(start, SLICE_LITERAL("--"));
    for (size_t i = 0; i < launch->word_count; i++)
        add_word(start, launch->words[i]);
    for (size_t i = 0; i < launch->env_count; i++)
        add_env(start, "%.*s", SLICE_PRINT(launch->env[i]));
    add_env(start, "PATH=/usr/local/bin:/usr/bin:/bin");
    add_env(start, "HOME=%s", user->home);
    add_env(start, "USER=%s", user->name);
    add_env(start, "LOGNAME=%s", user->name);
    add_env(start, "LANG=C.UTF-8");
}

static void
free_start(struct start *start)
{
    for (size_t i = 0; i < start->word_count; i++)
        free(start->words[i]);
    for (size_t i = 0; i < start->env_count; i++) {
        if (start->env[i] != NULL)
            explicit_bzero(start->env[i], strlen(start->env[i]));
        free(start->env[i]);
    }
}

/* --- after the fork ------------------------------------------------------------------------ */

/* What an unprivileged server starts runs as itself; nothing else could be. */
static bool
become(const struct launch_user *user)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;

    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
         setresuid(user->uid, user->uid, user->uid) != 0))
        return false;
    return getresuid(&real, &effective, &saved) == 0 &&
           getresgid(&real_group, &effective_group, &saved_group) == 0 && real == user->uid &&
           effective == user->uid && saved == user->uid && real_group == user->gid &&
           effective_group == user->gid && saved_group == user->gid && user->uid != 0 &&
           setuid(0) != 0 && seteuid(0) != 0;
}

static bool
limit(int what, rlim_t most)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)what, &now) != 0)
        return false;
    if (now.rlim_max < most)
        most = now.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &(struct rlimit){ most, most }) == 0;
}

/* Only standard input (empty), the log, the socket and the program stay open. */
static bool
keep_descriptors(int listener, int program)
{
    int empty = open("/dev/null", O_RDWR);
    int high_listener = fcntl(listener, F_DUPFD, 16), high_program = fcntl(program, F_DUPFD, 16);

    return empty >= 0 && high_listener >= 0 && high_program >= 0 && dup2(empty, 0) == 0 &&
           dup2(2, 1) == 1 && dup2(high_listener, LISTENER) == LISTENER &&
           dup3(high_program, PROGRAM, O_CLOEXEC) == PROGRAM &&
           close_range(PROGRAM + 1, ~0U, 0) == 0;
}

static void
begin(const struct start *start, const struct launch_user *user, int listener, int program)
{
    sigset_t none;

    sigemptyset(&none);
    if (setsid() < 0 || !keep_descriptors(listener, program) || !limit(RLIMIT_CORE, 0) ||
        !limit(RLIMIT_NOFILE, FILES) || !limit(RLIMIT_NPROC, PROCESSES) || !become(user) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        /* After the change of user, which forgets it. */
        prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != start->launcher ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(126);
    umask(0077);
    if (chdir(user->home) != 0 && chdir("/") != 0)
        _exit(126);
    fexecve(PROGRAM, start->words, start->env);
    _exit(126);
}

pid_t
bridge_start(const struct launch *launch, const struct launch_user *user, int listener, int program)
{
    struct start start = { .launcher = getpid() };
    pid_t pid = -1;

    make_start(launch, user, &start);
    if (!start.failed)
        pid = fork();
    if (pid == 0)
        begin(&start, user, listener, program);
    free_start(&start);
    return pid;
}
