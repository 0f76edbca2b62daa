/* bridge/session.c - one client's session and the process that serves it: they begin together,
 * and end together. */
#include "inside.h"

#include <signal.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "base/log.h"
#include "crypto/random.h"

enum {
    IDLE_MS = 600000,
    LEFT_MS = 30000, /* its client's stream broke off: it may come back soon, or never */
    KILL_MS = 2000,
};

struct session *
session_find(const struct bridge *bridge, struct slice id)
{
    struct session *at = bridge->sessions;

    while (at != NULL && (at->ending || !slice_is(id, at->id)))
        at = at->next;
    return at;
}

/* --- the end ------------------------------------------------------------------------- */

/* Nothing of it is left: no process, no stream, nobody who waits. */
static void
free_if_over(struct session *session)
{
    struct bridge *bridge = session->bridge;
    struct session **at = &bridge->sessions;

    if (!session->ending || session->child.pid != 0 || session->open_streams > 0)
        return;
    timer_disarm(&session->idle);
    timer_disarm(&session->kill);
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    bridge->session_count--;
    lines_free(&session->said);
    buffer_free(&session->unheard);
    buffer_free(&session->err);
    free(session);
}

static void
on_stream_closed(struct stream *stream, void *context)
{
    struct session *session = context;

    session->open_streams--;
    free_if_over(session);
}

static void
close_stream(struct session *session, struct stream **stream)
{
    if (*stream != NULL)
        stream_close(*stream, on_stream_closed, session);
    *stream = NULL;
}

static void
on_kill(struct timer *timer)
{
    struct session *session = LANE_OWNER(timer, struct session, kill);

    if (session->child.pid != 0)
        child_signal(session->child.pid, SIGKILL);
    else
        close_stream(session, &session->child.err);
}

static void
tell_all(struct session *session, const char *why)
{
    while (session->pending != NULL)
        answer_failure(session->pending, why);
    if (session->stream != NULL) {
        struct http_call *call = session->stream->call;
        hearer_forget(session->stream);
        http_answer_end(call, (struct slice){ 0 });
    }
}

void
session_end(struct session *session, const char *why)
{
    if (session->ending)
        return;
    session->ending = true;
    timer_disarm(&session->idle);
    log_write(LOG_INFO, "bridge", "a session ends", "server", session->bridge->options.name, "why",
              why, NULL);
    tell_all(session, why);
    close_stream(session, &session->child.in);
    close_stream(session, &session->child.out);
    if (session->child.pid != 0)
        child_signal(session->child.pid, SIGTERM);
    session->kill.fire = on_kill;
    timer_arm(session->bridge->lane, &session->kill, KILL_MS);
}

/* What it said of its end in its log may still come; who fled from its group can hold that
 * open, so not for long. */
void
sessions_child_ended(pid_t pid, void *context)
{
    struct bridge *bridge = context;
    struct session *at = bridge->sessions;

    while (at != NULL && at->child.pid != pid)
        at = at->next;
    if (at == NULL)
        return;
    at->child.pid = 0;
    session_end(at, "the server's process has ended");
    timer_arm(bridge->lane, &at->kill, KILL_MS);
    free_if_over(at);
}

/* --- idleness ------------------------------------------------------------------------- */

static void
on_idle(struct timer *timer)
{
    session_end(LANE_OWNER(timer, struct session, idle), "nobody spoke in it");
}

void
session_watch(struct session *session)
{
    int64_t idle_ms = session->bridge->options.idle_ms;

    if (session->ending)
        return;
    if (session->pending != NULL || session->stream != NULL) {
        timer_disarm(&session->idle);
        return;
    }
    if (session->left && idle_ms > LEFT_MS)
        idle_ms = LEFT_MS;
    session->idle.fire = on_idle;
    timer_arm(session->bridge->lane, &session->idle, idle_ms);
}

/* --- what the process says and hears --------------------------------------------------------- */

static void
on_said(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct session *session = context;
    enum lines_found found = LINES_ONE;
    struct slice line;

    if (status != STATUS_OK) {
        session_end(session, "the server has closed its output");
        return;
    }
    while (!session->ending && found == LINES_ONE) {
        found = lines_next(&session->said, &bytes, &line);
        if (found == LINES_ONE)
            said_line(session, line);
    }
    if (found == LINES_TOO_LONG)
        session_end(session, "the server said a line that is too long");
    else if (!session->ending)
        session_read_on(session);
}

/* The server is held back while who listens is slow, or nobody does. */
void
session_read_on(struct session *session)
{
    if (session->ending)
        return;
    if (session->full == NULL && session->unheard.size < UNHEARD_MAX)
        stream_read_start(session->child.out, on_said, session);
    else
        stream_read_stop(session->child.out);
}

static void
on_log(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct session *session = context;

    if (status == STATUS_OK)
        said_log(session, bytes);
    else
        close_stream(session, &session->child.err);
}

/* A message ends with its line, so its own line ends, which stand between tokens alone, become
 * blanks. */
bool
session_tell(struct session *session, struct slice message)
{
    struct buffer line = { 0 };
    bool told;

    if (session->ending || stream_queued(session->child.in) + message.size > UNTAKEN_MAX)
        return false;
    put_slice(&line, message);
    put_u8(&line, '\n');
    for (size_t i = 0; i + 1 < line.size; i++) {
        if (line.bytes[i] == '\n' || line.bytes[i] == '\r')
            line.bytes[i] = ' ';
    }
    struct slice whole = buffer_slice(&line);
    told = buffer_status(&line) == STATUS_OK &&
           stream_write(session->child.in, &whole, 1, NULL, NULL) != STREAM_BROKEN;
    buffer_free(&line);
    return told;
}

/* --- the beginning --------------------------------------------------------------------------- */

static bool
name_session(struct session *session)
{
    uint8_t id[SESSION_ID_TEXT / 2];
    struct buffer text = BUFFER_LIMITED(SESSION_ID_TEXT);
    bool named;

    if (random_bytes(id, sizeof id) != STATUS_OK)
        return false;
    put_hex(&text, id, sizeof id);
    named = buffer_status(&text) == STATUS_OK && text.size == SESSION_ID_TEXT;
    if (named)
        memcpy(session->id, text.bytes, SESSION_ID_TEXT);
    buffer_free(&text);
    return named;
}

struct session *
session_new(struct bridge *bridge)
{
    struct session *session;

    if (bridge->session_count >= SESSIONS_MAX)
        return NULL;
    session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->bridge = bridge;
    session->said.most = MESSAGE_MAX;
    if (!name_session(session) ||
        child_start(bridge->lane, bridge->options.command, &session->child) != STATUS_OK) {
        free(session);
        return NULL;
    }
    session->open_streams = 3;
    session->next = bridge->sessions;
    bridge->sessions = session;
    bridge->session_count++;
    stream_read_start(session->child.err, on_log, session);
    session_read_on(session);
    session_watch(session);
    return session;
}

int64_t
session_idle_ms(int64_t asked)
{
    return asked > 0 ? asked : IDLE_MS;
}
