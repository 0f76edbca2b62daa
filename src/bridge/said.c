/* bridge/said.c - the server's lines: an answer goes to who waits for it, everything else to who
 * listens; what is no message goes to nobody. */
#include "inside.h"

#include "base/log.h"

enum { LOG_LINE_MAX = 2048, LOG_LINES = 100, LOG_WINDOW_MS = 10000 };

/* --- messages ----------------------------------------------------------------------- */

static struct hearer *
waits_for(const struct session *session, struct slice id)
{
    struct hearer *at = session->pending;

    while (at != NULL && !slice_equal(at->id, id))
        at = at->next;
    return at;
}

/* A call whose answer is a stream already; else the one that has waited longest, whose answer
 * becomes one: on the stream of the session what comes before an answer, such as progress, could
 * arrive after it. Where no call waits, that stream. */
static struct hearer *
listens(const struct session *session)
{
    struct hearer *at = session->pending;

    while (at != NULL && !at->streaming)
        at = at->next;
    if (at == NULL)
        at = session->pending;
    return at != NULL ? at : session->stream;
}

static void
keep_unheard(struct session *session, struct slice line)
{
    put_slice(&session->unheard, line);
    put_u8(&session->unheard, '\n');
    if (buffer_status(&session->unheard) != STATUS_OK)
        session_end(session, "the bridge is out of memory");
}

void
said_unheard(struct session *session)
{
    struct slice rest = buffer_slice(&session->unheard), line;

    while (listens(session) != NULL && slice_next(&rest, '\n', &line))
        answer_event(listens(session), line);
    buffer_clear(&session->unheard);
}

/* One that nobody waits for answers a call whose client has left. */
static void
said_answer(struct session *session, const struct bridge_message *message, struct slice line)
{
    struct hearer *hearer = waits_for(session, message->id);
    bool initialize = hearer != NULL && hearer->initialize;

    if (hearer == NULL)
        return;
    answer_message(hearer, line);
    if (initialize && message->failed)
        session_end(session, "the server refused to initialize");
    else
        session_watch(session);
}

static void
said_nonsense(struct session *session, struct slice line, const char *why)
{
    char text[256];

    snprintf(text, sizeof text, "%.*s", SLICE_PRINT(slice_first(line, 200)));
    log_write(LOG_WARN, "bridge", "a line of the server is no message", "server",
              session->bridge->options.name, "why", why, "line", text, NULL);
    if (++session->nonsense >= NONSENSE_MAX)
        session_end(session, "the server says what is no message");
}

void
said_line(struct session *session, struct slice line)
{
    struct bridge_message message;
    struct hearer *hearer;
    const char *why;

    if (slice_trim(line).size == 0)
        return;
    /* Between tokens it is a blank, in a text it can't stand, and in an event it ends the line. */
    for (size_t i = slice_find(line, '\r'); i < line.size; i++) {
        if (line.at[i] == '\r') {
            said_nonsense(session, line, "a carriage return stands in it");
            return;
        }
    }
    if (!bridge_message_read(line, &message, &why)) {
        said_nonsense(session, line, why);
        return;
    }
    if (message.kind == BRIDGE_RESPONSE) {
        said_answer(session, &message, line);
        return;
    }
    hearer = listens(session);
    if (hearer != NULL)
        answer_event(hearer, line);
    else
        keep_unheard(session, line);
}

/* --- its log ------------------------------------------------------------------------- */

/* A server that talks without end must not fill the log. */
static bool
may_log(struct session *session)
{
    int64_t now = lane_now_ms(session->bridge->lane);

    if (now - session->err_since >= LOG_WINDOW_MS) {
        session->err_since = now;
        session->err_lines = 0;
    }
    return session->err_lines++ <= LOG_LINES;
}

static void
log_line(struct session *session)
{
    struct slice line = buffer_slice(&session->err);
    char text[LOG_LINE_MAX + 1];

    if (slice_trim(line).size > 0 && may_log(session)) {
        snprintf(text, sizeof text, "%.*s", SLICE_PRINT(line));
        log_write(LOG_INFO, "bridge",
                  session->err_lines > LOG_LINES ? "the server says more than is logged"
                                                 : "the server says",
                  "server", session->bridge->options.name, "line", text, NULL);
    }
    buffer_clear(&session->err);
}

void
said_log(struct session *session, struct slice bytes)
{
    while (bytes.size > 0) {
        size_t size = slice_find(bytes, '\n');
        bool whole = size < bytes.size;
        struct slice part = slice_first(bytes, size);
        size_t room = LOG_LINE_MAX - session->err.size;

        put_slice(&session->err, slice_first(part, room)); /* the rest of a long line is dropped */
        if (whole)
            log_line(session);
        bytes = slice_from(bytes, size + whole);
    }
}
