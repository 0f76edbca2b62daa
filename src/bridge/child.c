/* bridge/child.c - starts the server's process, and sees that none of its kind stays. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/children.h"

enum { EXIT_NO_COMMAND = 127 };

/* --- starting --------------------------------------------------------------------- */

/* In the child, between fork and exec: nothing but calls of the system. */
static void
become(char *const *command, const int ends[3], pid_t bridge)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL); /* the one that the bridge ignores */
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != bridge)
        _exit(EXIT_NO_COMMAND);
    for (int i = 0; i < 3; i++) {
        if (dup2(ends[i], i) < 0)
            _exit(EXIT_NO_COMMAND);
    }
    if (close_range(3, ~0U, 0) != 0)
        _exit(EXIT_NO_COMMAND);
    execvp(command[0], command);
    dprintf(STDERR_FILENO, "%s can't be started: %s\n", command[0], strerror(errno));
    _exit(EXIT_NO_COMMAND);
}

static void
close_pair(const int pair[2])
{
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
    }
}

/* Sockets, as Node gives them to what it starts: so the lane's streams fit. The second of each
 * pair is the child's; it lies above 2, so that dup2 overwrites none. */
static bool
make_pairs(int pairs[3][2])
{
    for (int i = 0; i < 3; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]) != 0)
            return false;
        if (pairs[i][1] < 3)
            return false;
    }
    return true;
}

static enum status
take_stream(struct lane *lane, int *descriptor, struct stream **out)
{
    enum status status = fcntl(*descriptor, F_SETFL, O_NONBLOCK) == 0
                             ? stream_take(lane, *descriptor, out)
                             : STATUS_IO;

    if (status == STATUS_OK)
        *descriptor = -1;
    return status;
}

static void
close_stream(struct stream *stream)
{
    if (stream != NULL)
        stream_close(stream, NULL, NULL);
}

static enum status
take_streams(struct lane *lane, int pairs[3][2], struct child *child)
{
    enum status status = take_stream(lane, &pairs[0][0], &child->in);

    if (status == STATUS_OK)
        status = take_stream(lane, &pairs[1][0], &child->out);
    if (status == STATUS_OK)
        status = take_stream(lane, &pairs[2][0], &child->err);
    return status;
}

enum status
child_start(struct lane *lane, char *const *command, struct child *out)
{
    int pairs[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
    struct child child = { 0 };
    enum status status = make_pairs(pairs) ? take_streams(lane, pairs, &child) : STATUS_LIMIT;
    pid_t bridge = getpid();

    if (status == STATUS_OK) {
        child.pid = fork();
        if (child.pid == 0)
            become(command, (int[3]){ pairs[0][1], pairs[1][1], pairs[2][1] }, bridge);
        if (child.pid < 0)
            status = STATUS_LIMIT;
        else
            (void)setpgid(child.pid, child.pid); /* whoever of the two is first */
    }
    for (int i = 0; i < 3; i++)
        close_pair(pairs[i]);
    if (status == STATUS_OK) {
        *out = child;
        return STATUS_OK;
    }
    close_stream(child.in);
    close_stream(child.out);
    close_stream(child.err);
    return status;
}

/* --- ending ------------------------------------------------------------------------- */

void
child_signal(pid_t pid, int number)
{
    (void)kill(-pid, number);
}

/* The number of a group is free for others once its leader is waited for and its last member
 * gone, so the group is killed first. Strays lead no group of ours: that kill finds nothing. */
void
children_reap(void (*ended)(pid_t pid, void *context), void *context)
{
    siginfo_t about;

    for (;;) {
        about.si_pid = 0;
        if (waitid(P_ALL, 0, &about, WEXITED | WNOHANG | WNOWAIT) != 0 || about.si_pid == 0)
            return;
        child_signal(about.si_pid, SIGKILL);
        (void)waitpid(about.si_pid, NULL, 0);
        ended(about.si_pid, context);
    }
}

static void
kill_child(pid_t pid, void *context)
{
    child_signal(pid, SIGKILL);
    (void)kill(pid, SIGKILL);
}

void
children_end(void)
{
    while (children_each(kill_child, NULL)) {
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
            return;
    }
}
