/* app/launcher.c - the process that may become others: it reads nothing but the server's
 * packets, knows the users that the configuration allows, and outlives neither side. */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/children.h"
#include "base/log.h"

enum { END_MS = 5000, WAIT_MS = 8000, TURN_MS = 250, USERS_MAX = 64 };

struct running {
    char name[LAUNCH_NAME_MAX + 1];
    pid_t pid;       /* 0: this place is free */
    int64_t kill_at; /* it was asked to end; 0: it was not */
};

struct process {
    int socket, signals, program;
    struct launch_user users[USERS_MAX];
    size_t user_count;
    struct running running[LAUNCH_BRIDGES_MAX];
};

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- what runs --------------------------------------------------------------------------- */

static void
tell_ended(const struct process *self, struct slice name, const char *why)
{
    struct buffer packet = { 0 };

    launch_put(&packet,
               &(struct launch){ .kind = LAUNCH_ENDED, .name = name, .why = slice_text(why) });
    if (buffer_status(&packet) == STATUS_OK)
        (void)send(self->socket, packet.bytes, packet.size, MSG_NOSIGNAL);
    buffer_free(&packet);
}

static struct running *
find_name(struct process *self, struct slice name)
{
    for (size_t i = 0; i < LAUNCH_BRIDGES_MAX; i++) {
        if (self->running[i].pid != 0 && slice_is(name, self->running[i].name))
            return &self->running[i];
    }
    return NULL;
}

static struct running *
find_pid(struct process *self, pid_t pid)
{
    for (size_t i = 0; i < LAUNCH_BRIDGES_MAX; i++) {
        if (self->running[i].pid == pid)
            return &self->running[i];
    }
    return NULL;
}

/* What a bridge that was killed has left behind has become ours. */
static void
kill_stray(pid_t pid, void *context)
{
    if (find_pid(context, pid) == NULL)
        (void)kill(pid, SIGKILL);
}

static void
reap(struct process *self)
{
    char why[64];
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct running *ended = find_pid(self, pid);

        if (ended == NULL)
            continue;
        if (WIFEXITED(status))
            snprintf(why, sizeof why, "it ended with status %d", WEXITSTATUS(status));
        else
            snprintf(why, sizeof why, "it was ended by signal %d", WTERMSIG(status));
        ended->pid = 0;
        tell_ended(self, slice_text(ended->name), why);
    }
    (void)children_each(kill_stray, self);
}

static void
end_one(struct running *running)
{
    if (running->pid == 0 || running->kill_at != 0)
        return;
    running->kill_at = now_ms() + END_MS;
    (void)kill(running->pid, SIGTERM);
}

static void
kill_late(struct process *self)
{
    int64_t now = now_ms();

    for (size_t i = 0; i < LAUNCH_BRIDGES_MAX; i++) {
        const struct running *running = &self->running[i];

        if (running->pid != 0 && running->kill_at != 0 && now >= running->kill_at)
            (void)kill(running->pid, SIGKILL);
    }
}

/* --- what is asked --------------------------------------------------------------------------- */

static const struct launch_user *
find_user(const struct process *self, struct slice name)
{
    for (size_t i = 0; i < self->user_count; i++) {
        if (slice_is(name, self->users[i].name))
            return &self->users[i];
    }
    return NULL;
}

static void
start_one(struct process *self, const struct launch *launch, int listener)
{
    const struct launch_user *user = find_user(self, launch->user);
    struct running *place = find_pid(self, 0);
    pid_t pid;

    if (user == NULL) {
        tell_ended(self, launch->name, "its user does not stand in stdio.users");
    } else if (listener < 0 || place == NULL || find_name(self, launch->name) != NULL) {
        tell_ended(self, launch->name, "there are too many");
    } else if ((pid = bridge_start(launch, user, listener, self->program)) < 0) {
        tell_ended(self, launch->name, "no process can be started");
    } else {
        *place = (struct running){ .pid = pid };
        memcpy(place->name, launch->name.at, launch->name.size);
    }
}

static void
obey(struct process *self, struct slice packet, int listener)
{
    struct launch launch;
    struct running *running;

    if (!launch_take(packet, &launch))
        return;
    if (launch.kind == LAUNCH_START) {
        start_one(self, &launch, listener);
    } else if (launch.kind == LAUNCH_STOP) {
        running = find_name(self, launch.name);
        if (running != NULL)
            end_one(running);
    }
}

static int
descriptor_of(struct msghdr *message)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    int descriptor = -1;

    if (control != NULL && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS &&
        control->cmsg_len == CMSG_LEN(sizeof descriptor))
        memcpy(&descriptor, CMSG_DATA(control), sizeof descriptor);
    return descriptor;
}

/* False: the server is gone. */
static bool
hear(struct process *self)
{
    static char bytes[LAUNCH_PACKET_MAX];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    ssize_t size = recvmsg(self->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    int descriptor;

    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    if (size == 0)
        return false;
    descriptor = descriptor_of(&message);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        obey(self, slice_of(bytes, (size_t)size), descriptor);
    explicit_bzero(bytes, (size_t)size);
    if (descriptor >= 0)
        close(descriptor);
    return true;
}

/* --- its life -----------------------------------------------------------------------------------
 */

/* Somebody must be killed if it does not end by itself. */
static bool
is_ending(const struct process *self)
{
    for (size_t i = 0; i < LAUNCH_BRIDGES_MAX; i++) {
        if (self->running[i].pid != 0 && self->running[i].kill_at != 0)
            return true;
    }
    return false;
}

static bool
turn(struct process *self, bool serving)
{
    struct pollfd ready[2] = { { .fd = self->signals, .events = POLLIN },
                               { .fd = serving ? self->socket : -1, .events = POLLIN } };
    struct signalfd_siginfo told;

    (void)poll(ready, 2, is_ending(self) ? TURN_MS : -1);
    if (read(self->signals, &told, sizeof told) == (ssize_t)sizeof told)
        reap(self);
    kill_late(self);
    return ready[1].revents == 0 || hear(self);
}

static void
end_all(struct process *self)
{
    for (size_t i = 0; i < LAUNCH_BRIDGES_MAX; i++)
        end_one(&self->running[i]);
    while (is_ending(self))
        (void)turn(self, false);
    while (children_each(kill_stray, self) && waitpid(-1, NULL, 0) > 0)
        continue;
}

/* The signals of a terminal or of an init system are the server's: when that has ended, so has
 * this one's work. */
static void
run(struct process *self)
{
    sigset_t all, children;

    sigfillset(&all);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &all, NULL) != 0 || setsid() < 0 ||
        prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        prctl(PR_SET_NAME, "writ-launcher") != 0)
        _exit(1);
    self->signals = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
    self->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self->signals < 0 || self->program < 0)
        _exit(1);
    while (turn(self, true))
        continue;
    end_all(self);
    _exit(0);
}

/* --- in the server -------------------------------------------------------------------------------
 */

/* As root only others than root and than the server itself, whose files they would read. */
static enum status
take_user(struct process *self, const struct config *config, const char *name, struct fault *fault)
{
    const struct passwd *entry = getpwnam(name);
    struct launch_user *user = &self->users[self->user_count];

    if (entry == NULL)
        return fault_set(fault, STATUS_NOT_FOUND, "stdio.users: there is no user %s", name);
    if (entry->pw_uid == 0 || entry->pw_gid == 0)
        return fault_set(fault, STATUS_DENIED, "stdio.users: %s is root, or of its group", name);
    if (geteuid() != 0 && entry->pw_uid != geteuid())
        return fault_set(fault, STATUS_DENIED,
                         "stdio.users: only when it is started as root can Writ run a server as %s",
                         name);
    if (strlen(entry->pw_name) >= sizeof user->name || strlen(entry->pw_dir) >= sizeof user->home)
        return fault_set(fault, STATUS_INVALID, "stdio.users: the name or home of %s is too long",
                         name);
    *user = (struct launch_user){ .uid = entry->pw_uid,
                                  .gid = geteuid() == 0 ? entry->pw_gid : getegid() };
    strcpy(user->name, entry->pw_name);
    strcpy(user->home, entry->pw_dir);
    if (geteuid() == 0 && config->user != NULL) {
        entry = getpwnam(config->user);
        if (entry != NULL && entry->pw_uid == user->uid)
            return fault_set(fault, STATUS_DENIED,
                             "stdio.users: %s is who Writ runs as: its keys would lie open", name);
    }
    self->user_count++;
    return STATUS_OK;
}

static enum status
take_users(struct process *self, const struct config *config, struct fault *fault)
{
    enum status status = STATUS_OK;

    if (config->stdio_users.count > USERS_MAX)
        return fault_set(fault, STATUS_LIMIT, "stdio.users: at most %d", USERS_MAX);
    for (size_t i = 0; status == STATUS_OK && i < config->stdio_users.count; i++)
        status = take_user(self, config, config->stdio_users.items[i], fault);
    return status;
}

enum status
launcher_start(const struct config *config, struct launcher *out, struct fault *fault)
{
    static struct process self;
    int pair[2];
    pid_t pid;
    enum status status = take_users(&self, config, fault);

    *out = (struct launcher){ .socket = -1 };
    if (status != STATUS_OK || config->stdio_users.count == 0)
        return status;
    if (geteuid() != 0)
        log_write(LOG_WARN, "app",
                  "servers run as the user that Writ runs as: they can read its keys", NULL);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return fault_set(fault, STATUS_LIMIT, "stdio: no socket for the launcher");
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        self.socket = pair[1];
        run(&self);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return fault_set(fault, STATUS_LIMIT, "stdio: no process for the launcher");
    }
    *out = (struct launcher){ .pid = pid, .socket = pair[0] };
    return STATUS_OK;
}

void
launcher_stop(struct launcher *launcher)
{
    int64_t end = now_ms() + WAIT_MS;

    if (launcher->pid == 0)
        return;
    close(launcher->socket);
    while (waitpid(launcher->pid, NULL, WNOHANG) == 0 && now_ms() < end)
        (void)poll(NULL, 0, 10);
    *launcher = (struct launcher){ .socket = -1 };
}
