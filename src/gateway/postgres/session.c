/* gateway/postgres/session.c - a session's life: its two streams, held back by each other,
 * and its one end. */
#include "session.h"

#include <stdlib.h>

#include "../pipeline.h"
#include "base/clock.h"

enum {
    QUEUE_MARK = 256 << 10, /* more than this waits for one side: the other is not read */
    LINGER_MS = 2000,
    DELIVER_MS = 60000, /* for what still waits for a slow client */
    LOGIN_MS = 60000,   /* from the connection to the first prompt */
};

static void
flow_free(struct flow *flow)
{
    buffer_wipe_free(&flow->in); /* a token may have stood in it */
    *flow = (struct flow){ 0 };
}

static void
free_session(struct session *session)
{
    struct pg_door *door = session->door;

    *(session->prev != NULL ? &session->prev->next : &door->sessions) = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    door->count--;
    free(session);
}

/* What belongs to the open session; the streams may take a while longer to close. */
static void
let_go(struct session *session)
{
    struct pg_door *door = session->door;

    timer_disarm(&session->patience);
    if (session->reach != NULL)
        reach_cancel(session->reach);
    session->reach = NULL;
    pg_login_free(session->login);
    session->login = NULL;
    if (session->slot < door->slot_count && door->slots[session->slot] == session)
        door->slots[session->slot] = NULL;
    flow_free(&session->from_client);
    flow_free(&session->from_server);
    owed_free(&session->owed);
    named_clear(&session->statements);
    named_clear(&session->portals);
    named_clear(&session->cursors);
    pg_names_free(&session->names);
    buffer_free(&session->hello);
    buffer_free(&session->wanted);
    free(session->upstream_name);
    session->upstream_name = NULL;
    free(session->agent);
    session->agent = NULL;
}

static void
on_closed(struct stream *stream, void *context)
{
    struct session *session = context;

    if (--session->closing == 0)
        free_session(session);
}

enum closing { CLOSING_DELIVER, CLOSING_AT_ONCE };

static void
close_stream(struct session *session, struct stream *stream, enum closing how)
{
    if (how == CLOSING_DELIVER)
        stream_finish(stream, stream_queued(stream) > 0 ? DELIVER_MS : LINGER_MS, on_closed,
                      session);
    else
        stream_close(stream, on_closed, session);
}

/* The one end. The passage is left before anything else, so that no callback meets it. */
static void
end(struct session *session, unsigned status, enum closing how)
{
    struct passage *passage = session->passage;

    if (session->state == SESSION_ENDED)
        return;
    bool judged = session->state == SESSION_JUDGED;
    session->state = SESSION_ENDED;
    /* What runs at the server for nobody is stopped there. */
    if (session->owed.count > 0 && session->server != NULL && passage != NULL)
        cancel_at(passage->asked.upstream, session->door->gate->lane, &session->server_key);
    back_abandon(session, status);
    session->passage = NULL;
    if (passage != NULL && !(judged && pipeline_abandon(passage)))
        pipeline_leave(passage, status, session->from_client.bytes, session->from_server.bytes);
    session->closing = 1 + (session->server != NULL);
    if (session->server != NULL)
        close_stream(session, session->server, how);
    close_stream(session, session->client, how);
    let_go(session);
}

void
session_close(struct session *session, unsigned status)
{
    end(session, status, CLOSING_DELIVER);
}

void
session_drop(struct session *session, unsigned status)
{
    end(session, status, CLOSING_AT_ONCE);
}

/* In the middle of a message to the client there is no place for another one. */
static bool
may_speak(const struct session *session)
{
    return session->from_server.left == 0 || session->from_server.what == REMAINDER_DROP;
}

void
session_fail(struct session *session, const struct ending *ending)
{
    struct buffer *out = &session->door->to_client;

    if (session->state == SESSION_ENDED)
        return;
    if (may_speak(session)) {
        pg_put_error(out, &(struct pg_error){ .severity = PG_FATAL,
                                              .sqlstate = ending->sqlstate,
                                              .message = ending->message,
                                              .hint = ending->hint });
        if (!session_flush(session))
            return;
        end(session, ending->status, CLOSING_DELIVER);
    } else {
        buffer_clear(out);
        end(session, ending->status, CLOSING_AT_ONCE);
    }
}

/* --- reading, and holding back ------------------------------------------------ */

static void
on_client(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct session *session = context;

    if (session->state == SESSION_ENDED)
        return;
    if (status != STATUS_OK) {
        session_drop(session, PASSAGE_CLIENT_GONE);
        return;
    }
    session->traffic += bytes.size;
    if (session->state == SESSION_OPEN) {
        session->from_client.bytes += bytes.size;
        front_read(session, bytes);
    } else {
        start_read(session, bytes);
    }
}

static void
on_server(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct session *session = context;

    if (session->state == SESSION_ENDED)
        return;
    if (status != STATUS_OK) {
        if (session->state == SESSION_OPEN && status == STATUS_CLOSED && may_speak(session))
            session_close(session, session->owed.count > 0 ? 502 : 200);
        else
            session_fail(session, &(struct ending){ .sqlstate = "08006",
                                                    .message = SLICE_LITERAL(
                                                        "the upstream closed the connection"),
                                                    .status = 502 });
        return;
    }
    session->traffic += bytes.size;
    if (session->state == SESSION_OPEN) {
        session->from_server.bytes += bytes.size;
        back_read(session, bytes);
    } else {
        open_read(session, bytes);
    }
}

void
session_read_client(struct session *session)
{
    session->from_client.held = false;
    stream_read_start(session->client, on_client, session);
}

void
session_hold_client(struct session *session)
{
    if (!session->from_client.held)
        stream_read_stop(session->client);
    session->from_client.held = true;
}

void
session_read_server(struct session *session)
{
    session->from_server.held = false;
    stream_read_start(session->server, on_server, session);
}

void
session_hold_server(struct session *session)
{
    if (!session->from_server.held)
        stream_read_stop(session->server);
    session->from_server.held = true;
}

static void
on_client_written(struct stream *stream, enum status status, void *context)
{
    struct session *session = context;

    if (session->state == SESSION_ENDED)
        return;
    if (status != STATUS_OK)
        session_drop(session, PASSAGE_CLIENT_GONE);
    else if (session->from_server.held && session->server != NULL &&
             stream_queued(stream) <= QUEUE_MARK / 2)
        session_read_server(session);
}

static void
on_server_written(struct stream *stream, enum status status, void *context)
{
    struct session *session = context;

    if (session->state == SESSION_ENDED)
        return;
    if (status == STATUS_OK && stream_queued(stream) <= QUEUE_MARK / 2)
        front_resume(session);
}

static bool
send_client(struct session *session)
{
    struct slice bytes = buffer_slice(&session->door->to_client);
    bool sent = true;

    if (bytes.size == 0)
        return true;
    if (buffer_status(&session->door->to_client) != STATUS_OK)
        sent = false;
    else if (stream_write(session->client, &bytes, 1, on_client_written, session) == STREAM_BROKEN)
        sent = false;
    else if (session->server != NULL && stream_queued(session->client) > QUEUE_MARK)
        session_hold_server(session);
    buffer_clear(&session->door->to_client);
    return sent;
}

static bool
send_server(struct session *session)
{
    struct slice bytes = buffer_slice(&session->door->to_server);
    bool sent = true;

    if (bytes.size == 0)
        return true;
    if (buffer_status(&session->door->to_server) != STATUS_OK || session->server == NULL)
        sent = false;
    else if (stream_write(session->server, &bytes, 1, on_server_written, session) == STREAM_BROKEN)
        sent = false;
    else if (stream_queued(session->server) > QUEUE_MARK)
        session_hold_client(session);
    buffer_clear(&session->door->to_server);
    return sent;
}

bool
session_flush(struct session *session)
{
    /* Both, so that neither is left for another session. */
    bool server = send_server(session), client = send_client(session);

    if (session->state == SESSION_ENDED)
        return false;
    if (!client) {
        session_drop(session, PASSAGE_CLIENT_GONE);
        return false;
    }
    /* A server that broke is heard of when it is read: its last words may be there. */
    (void)server;
    return true;
}

/* --- the beginning -------------------------------------------------------------- */

static void
on_patience_over(struct timer *timer)
{
    struct session *session = LANE_OWNER(timer, struct session, patience);

    session_fail(session, &(struct ending){ .sqlstate = "08006",
                                            .message = SLICE_LITERAL("the log-in took too long"),
                                            .status = 504 });
}

void
session_new(struct pg_door *door, struct stream *client)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        stream_close(client, NULL, NULL);
        return;
    }
    session->door = door;
    session->client = client;
    session->transaction = 'I';
    session->slot = UINT32_MAX;
    session->next = door->sessions;
    if (session->next != NULL)
        session->next->prev = session;
    door->sessions = session;
    door->count++;
    session->patience.fire = on_patience_over;
    timer_arm(door->gate->lane, &session->patience, LOGIN_MS);
    session_read_client(session);
}
