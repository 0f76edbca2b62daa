/* app/stdio.c - which servers of standard input and output run: what the upstreams of the moment
 * name is started, what they name no more is ended, what falls is put up again, later each time. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "net/timer.h"
#include "net/watch.h"

enum {
    AGAIN_MS = 1000,
    AGAIN_MOST_MS = 60000,
    STEADY_MS = 60000, /* what ran so long had not failed to start */
    IDLE_S = 600,
    ENV_FILE_MAX = 32768,
};

/* One upstream with `stdio`. */
struct entry {
    struct entry *next;
    struct stdio *stdio;
    char name[LAUNCH_NAME_MAX + 1];
    uint64_t version; /* of the definition that it runs with, or was tried with */
    bool wanted;      /* the picture names it */
    bool running;     /* the launcher has it */
    bool ending;      /* and was asked to end it */
    int64_t again_ms, started_at;
    struct timer again;
};

struct stdio {
    struct server *server;
    struct watch *watch;
    struct entry *entries;
    uint64_t generation; /* of the upstreams that were looked at */
};

/* --- what the launcher is told ---------------------------------------------------------- */

static char *
socket_path(const struct entry *entry)
{
    char *path;

    return asprintf(&path, "%s/%s.sock", entry->stdio->server->stdio_dir, entry->name) < 0 ? NULL
                                                                                           : path;
}

/* A new socket each time: nobody waits at one behind which nothing runs. */
static int
make_socket(const struct entry *entry)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char *path = socket_path(entry);
    int descriptor = -1;

    if (path != NULL && strlen(path) < sizeof address.sun_path) {
        strcpy(address.sun_path, path);
        (void)unlink(path);
        descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    /* Before bind: the file is never wider than it shall be, not for a moment. */
    if (descriptor >= 0 &&
        (fchmod(descriptor, 0600) != 0 ||
         bind(descriptor, (const struct sockaddr *)&address, sizeof address) != 0 ||
         listen(descriptor, SOMAXCONN) != 0)) {
        close(descriptor);
        descriptor = -1;
    }
    free(path);
    return descriptor;
}

static void
remove_socket(const struct entry *entry)
{
    char *path = socket_path(entry);

    if (path != NULL)
        (void)unlink(path);
    free(path);
}

static bool
send_packet(const struct stdio *stdio, struct slice packet, int descriptor)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = { 0 };
    struct iovec part = { (void *)(uintptr_t)packet.at, packet.size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    struct cmsghdr *rights;

    if (descriptor >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    }
    return sendmsg(stdio->server->launcher.socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           (ssize_t)packet.size;
}

/* "NAME=VALUE" a line; blank lines and those that begin with # are none. */
static bool
take_env_file(struct slice text, struct launch *launch)
{
    struct slice line;

    while (slice_next(&text, '\n', &line)) {
        line = slice_trim(line);
        if (line.size == 0 || line.at[0] == '#')
            continue;
        if (launch->env_count == LAUNCH_WORDS_MAX || slice_find(line, '=') == line.size ||
            line.at[0] == '=')
            return false;
        launch->env[launch->env_count++] = line;
    }
    return true;
}

/* "NAME=VALUE" of the definition's own, in the arena. */
static bool
take_env(const json_t *env, struct arena *arena, struct launch *launch)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)env, name, value)
    {
        struct slice line = arena_format(arena, "%s=%s", name, json_string_value(value));

        if (line.at == NULL || launch->env_count == LAUNCH_WORDS_MAX)
            return false;
        launch->env[launch->env_count++] = line;
    }
    return true;
}

/* What a definition says, read; the texts are its own. */
static bool
take_definition(const json_t *stdio, struct launch *launch, struct slice *env_file)
{
    struct slice idle = { 0 };
    int64_t idle_ms = IDLE_S * MS_SECOND;
    const json_t *word;
    size_t i;

    json_array_foreach(json_object_get(stdio, "command"), i, word)
    {
        if (i < LAUNCH_WORDS_MAX)
            launch->words[launch->word_count++] = slice_text(json_string_value(word));
    }
    if (json_take_string(stdio, "user", &launch->user, NULL) != STATUS_OK ||
        json_take_string(stdio, "idle", &idle, NULL) != STATUS_OK ||
        json_take_string(stdio, "env_file", env_file, NULL) != STATUS_OK ||
        (idle.size > 0 && duration_parse(idle, &idle_ms) != STATUS_OK))
        return false;
    launch->idle_s = (uint32_t)(idle_ms / MS_SECOND);
    return true;
}

/* NULL, or what is wrong with it. */
static const char *
put_start(const struct entry *entry, const json_t *stdio, struct buffer *packet)
{
    struct launch launch = { .kind = LAUNCH_START, .name = slice_text(entry->name) };
    struct slice path = { 0 };
    struct buffer file = { 0 };
    struct arena arena;
    const char *wrong = NULL;

    arena_init(&arena, 1 << 20);
    if (!take_definition(stdio, &launch, &path))
        wrong = "its definition can't be read";
    else if (path.size > 0 && file_read(path.at, ENV_FILE_MAX, &file) != STATUS_OK)
        wrong = "its env_file can't be read";
    else if (!take_env_file(buffer_slice(&file), &launch) ||
             !take_env(json_object_get(stdio, "env"), &arena, &launch))
        wrong = "its environment is not NAME=VALUE, or too long";
    if (wrong == NULL)
        launch_put(packet, &launch);
    if (wrong == NULL && buffer_status(packet) != STATUS_OK)
        wrong = "its command and environment are too long";
    buffer_wipe_free(&file);
    arena_free(&arena);
    return wrong;
}

/* --- starting, ending ------------------------------------------------------------------------ */

static void on_again(struct timer *timer);

static void
try_later(struct entry *entry, const char *why)
{
    const struct server *server = entry->stdio->server;

    if (lane_now_ms(server->main) - entry->started_at >= STEADY_MS)
        entry->again_ms = 0;
    entry->again_ms = entry->again_ms == 0 ? AGAIN_MS : 2 * entry->again_ms;
    if (entry->again_ms > AGAIN_MOST_MS)
        entry->again_ms = AGAIN_MOST_MS;
    log_write(LOG_ERROR, "app", "a server does not run, and is started again later", "upstream",
              entry->name, "why", why, NULL);
    entry->again.fire = on_again;
    timer_arm(server->main, &entry->again, entry->again_ms);
}

static void
start(struct entry *entry, const struct upstream_view *view)
{
    struct buffer packet = { 0 };
    const char *wrong = put_start(entry, json_object_get(view->definition, "stdio"), &packet);
    int descriptor = wrong == NULL ? make_socket(entry) : -1;

    timer_disarm(&entry->again);
    entry->version = view->version;
    entry->started_at = lane_now_ms(entry->stdio->server->main);
    if (wrong == NULL && descriptor < 0)
        wrong = "its socket can't be made: is the path of data too long?";
    if (wrong == NULL && !send_packet(entry->stdio, buffer_slice(&packet), descriptor))
        wrong = "the launcher does not answer";
    if (descriptor >= 0)
        close(descriptor);
    buffer_wipe_free(&packet);
    entry->running = wrong == NULL;
    entry->ending = false;
    if (wrong != NULL)
        try_later(entry, wrong);
    else
        log_write(LOG_INFO, "app", "a server is started", "upstream", entry->name, NULL);
}

static void
end(struct entry *entry)
{
    struct buffer packet = { 0 };

    if (entry->ending)
        return;
    launch_put(&packet, &(struct launch){ .kind = LAUNCH_STOP, .name = slice_text(entry->name) });
    entry->ending =
        buffer_status(&packet) == STATUS_OK && send_packet(entry->stdio, buffer_slice(&packet), -1);
    buffer_free(&packet);
}

static void
forget(struct entry *entry)
{
    struct entry **at = &entry->stdio->entries;

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    timer_disarm(&entry->again);
    remove_socket(entry);
    free(entry);
}

/* --- following the picture ---------------------------------------------------------------------
 */

static struct entry *
find(const struct stdio *stdio, struct slice name)
{
    struct entry *at = stdio->entries;

    while (at != NULL && !slice_is(name, at->name))
        at = at->next;
    return at;
}

static void
want(struct stdio *stdio, const struct upstream_view *view)
{
    struct entry *entry = find(stdio, view->name);

    if (entry == NULL) {
        entry = calloc(1, sizeof *entry);
        if (entry == NULL || view->name.size > LAUNCH_NAME_MAX) {
            free(entry);
            return;
        }
        entry->stdio = stdio;
        memcpy(entry->name, view->name.at, view->name.size);
        entry->next = stdio->entries;
        stdio->entries = entry;
    }
    entry->wanted = true;
    if (entry->running && entry->version != view->version)
        end(entry); /* and it is started anew when it has ended */
    else if (!entry->running && (entry->version != view->version || !timer_armed(&entry->again)))
        start(entry, view);
}

static void
look(struct stdio *stdio, bool anew)
{
    struct world_reader *reader;
    const struct upstream_view *views;
    uint64_t generation;
    size_t count;

    if (world_reader_new(stdio->server->world, &reader) != STATUS_OK)
        return;
    views = world_upstreams(reader, &count, &generation);
    if (anew || generation != stdio->generation) {
        stdio->generation = generation;
        for (struct entry *at = stdio->entries; at != NULL; at = at->next)
            at->wanted = false;
        for (size_t i = 0; i < count; i++) {
            if (slice_is(views[i].type, "mcp") &&
                json_object_get(views[i].definition, "stdio") != NULL)
                want(stdio, &views[i]);
        }
        for (struct entry *at = stdio->entries, *next; at != NULL; at = next) {
            next = at->next;
            if (!at->wanted && at->running)
                end(at);
            else if (!at->wanted)
                forget(at);
        }
    }
    world_reader_free(reader);
}

static void
on_again(struct timer *timer)
{
    look(LANE_OWNER(timer, struct entry, again)->stdio, true);
}

void
stdio_follow(struct server *server)
{
    if (server->stdio != NULL)
        look(server->stdio, false);
}

/* --- what the launcher tells
 * ---------------------------------------------------------------------- */

static void
hear_end(struct stdio *stdio, const struct launch *told)
{
    struct entry *entry = find(stdio, told->name);
    char why[128];

    if (entry == NULL || !entry->running)
        return;
    entry->running = false;
    snprintf(why, sizeof why, "%.*s", SLICE_PRINT(told->why));
    if (entry->wanted && !entry->ending)
        try_later(entry, why);
    entry->ending = false;
    look(stdio, true); /* with a definition that has changed it begins at once */
}

static void
on_launcher(struct watch *watch, int events, void *context)
{
    static char bytes[LAUNCH_PACKET_MAX];
    struct stdio *stdio = context;
    struct launch told;
    ssize_t size = recv(stdio->server->launcher.socket, bytes, sizeof bytes, MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        log_write(LOG_ERROR, "app", "the launcher has ended: servers do not run until a restart",
                  NULL);
        stdio_close(stdio->server);
    } else if (launch_take(slice_of(bytes, (size_t)size), &told) && told.kind == LAUNCH_ENDED) {
        hear_end(stdio, &told);
    }
}

enum status
stdio_open(struct server *server, struct fault *fault)
{
    struct stdio *stdio;
    enum status status;

    if (server->launcher.pid == 0)
        return STATUS_OK;
    if (mkdir(server->stdio_dir, 0700) != 0 && errno != EEXIST)
        return fault_set(fault, STATUS_IO, "cannot make %s", server->stdio_dir);
    stdio = calloc(1, sizeof *stdio);
    if (stdio == NULL)
        return STATUS_MEMORY;
    stdio->server = server;
    status = watch_new(server->main, server->launcher.socket, on_launcher, stdio, &stdio->watch);
    if (status == STATUS_OK)
        status = watch_set(stdio->watch, WATCH_READ);
    if (status != STATUS_OK) {
        watch_free(stdio->watch);
        free(stdio);
        return status;
    }
    server->stdio = stdio;
    look(stdio, true);
    return STATUS_OK;
}

void
stdio_close(struct server *server)
{
    struct stdio *stdio = server->stdio;

    if (stdio == NULL)
        return;
    server->stdio = NULL;
    watch_free(stdio->watch);
    while (stdio->entries != NULL) {
        struct entry *entry = stdio->entries;

        stdio->entries = entry->next;
        timer_disarm(&entry->again);
        free(entry);
    }
    free(stdio);
}
