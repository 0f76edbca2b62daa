/* gateway/postgres/session.c - a session's life: its two streams, held back by each other,
 * and its one end. */
#include "session.h"

#include <stdlib.h>

#include "../pipeline.h"
#include "base/clock.h"

enum { LOGIN_MS = 60000 }; /* from the connection to the first prompt */

static void
flow_free(struct flow *flow)
{
    buffer_wipe_free(&flow->in); /* a token may have stood in it */
    *flow = (struct flow){ 0 };
}

static void
free_session(struct pg_session *session)
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
let_go(struct pg_session *session)
{
    struct pg_door *door = session->door;

    timer_disarm(&session->patience);
    if (session->reach != NULL)
        reach_cancel(session->reach);
    session->reach = NULL;
    pg_login_free(session->login);
    session->login = NULL;
    sasl_free(session->sasl);
    session->sasl = NULL;
    pool_leave(session);
    if (session->slot < door->slot_count && door->slots[session->slot] == session)
        door->slots[session->slot] = NULL;
    flow_free(&session->from_client);
    flow_free(&session->from_server);
    pg_owed_free(&session->owed);
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

static struct pg_session *
session_of(struct duplex *duplex)
{
    return LANE_OWNER(duplex, struct pg_session, link);
}

static void
on_closed(struct duplex *duplex)
{
    free_session(session_of(duplex));
}

/* The one end. The passage is left before anything else, so that no callback meets it. */
static void
end(struct pg_session *session, unsigned status, enum duplex_ending how)
{
    struct passage *passage = session->passage;

    if (session->state == SESSION_ENDED)
        return;
    bool judged = session->state == SESSION_JUDGED;
    session->state = SESSION_ENDED;
    /* What runs at the server for nobody is stopped there. */
    if (session->owed.count > 0 && session->link.server != NULL && passage != NULL)
        cancel_at(passage->asked.upstream, session->door->gate->lane, &session->server_key);
    pg_back_abandon(session, status);
    session->passage = NULL;
    if (passage != NULL && !(judged && pipeline_abandon(passage)))
        pipeline_leave(passage, status, session->from_client.bytes, session->from_server.bytes);
    duplex_end(&session->link, how);
    let_go(session);
}

void
pg_session_close(struct pg_session *session, unsigned status)
{
    end(session, status, DUPLEX_DELIVER);
}

void
pg_session_drop(struct pg_session *session, unsigned status)
{
    end(session, status, DUPLEX_AT_ONCE);
}

/* In the middle of a message to the client there is no place for another one. */
static bool
may_speak(const struct pg_session *session)
{
    return session->from_server.left == 0 || session->from_server.what == REMAINDER_DROP;
}

void
pg_session_fail(struct pg_session *session, const struct ending *ending)
{
    struct buffer *out = &session->door->to_client;

    if (session->state == SESSION_ENDED)
        return;
    if (may_speak(session)) {
        pg_put_error(out, &(struct pg_error){ .severity = PG_FATAL,
                                              .sqlstate = ending->sqlstate,
                                              .message = ending->message,
                                              .hint = ending->hint });
        if (!pg_session_flush(session))
            return;
        end(session, ending->status, DUPLEX_DELIVER);
    } else {
        buffer_clear(out);
        end(session, ending->status, DUPLEX_AT_ONCE);
    }
}

/* --- what comes ------------------------------------------------------------------- */

/* True: nothing of it passes, and the session is over. */
static bool
lapses(struct pg_session *session)
{
    struct refusal why;

    if (session->state != SESSION_OPEN || gate_acts(session->passage->gate))
        return false;
    why = gate_lapsed();
    session->passage->door->cut(session->passage, &why);
    return true;
}

static void
on_client(struct duplex *duplex, struct slice bytes)
{
    struct pg_session *session = session_of(duplex);

    if (lapses(session))
        return;
    session->traffic += bytes.size;
    if (session->state == SESSION_OPEN) {
        session->from_client.bytes += bytes.size;
        pg_front_read(session, bytes);
    } else {
        pg_start_read(session, bytes);
    }
}

static void
on_client_gone(struct duplex *duplex)
{
    pg_session_drop(session_of(duplex), PASSAGE_CLIENT_GONE);
}

static void
on_server(struct duplex *duplex, struct slice bytes)
{
    struct pg_session *session = session_of(duplex);

    if (lapses(session))
        return;
    session->traffic += bytes.size;
    if (session->state == SESSION_OPEN) {
        session->from_server.bytes += bytes.size;
        pg_back_read(session, bytes);
    } else {
        open_read(session, bytes);
    }
}

static void
on_server_gone(struct duplex *duplex, enum status status)
{
    struct pg_session *session = session_of(duplex);

    if (session->seat.let_in && session->state != SESSION_OPEN)
        pool_failed(session, "08006", "the upstream closed the connection");
    else if (session->state == SESSION_OPEN && status == STATUS_CLOSED && may_speak(session))
        pg_session_close(session, session->owed.count > 0 ? 502 : 200);
    else
        pg_session_fail(session, &(struct ending){
                                     .sqlstate = "08006",
                                     .message = SLICE_LITERAL("the upstream closed the connection"),
                                     .status = 502 });
}

static void
on_server_drained(struct duplex *duplex)
{
    struct pg_session *session = session_of(duplex);

    pg_front_resume(session);
    pool_rest(session);
}

static void
on_client_drained(struct duplex *duplex)
{
    pg_front_resume(session_of(duplex));
}

static const struct duplex_calls calls = {
    .client_read = on_client,
    .server_read = on_server,
    .client_gone = on_client_gone,
    .server_gone = on_server_gone,
    .server_drained = on_server_drained,
    .client_drained = on_client_drained,
    .closed = on_closed,
};

bool
pg_session_flush(struct pg_session *session)
{
    return duplex_send(&session->link, &session->door->to_client, &session->door->to_server);
}

/* --- the beginning -------------------------------------------------------------- */

static void
on_patience_over(struct timer *timer)
{
    struct pg_session *session = LANE_OWNER(timer, struct pg_session, patience);

    if (session->seat.let_in) {
        pool_failed(session, "08006", "the log-in at the upstream took too long");
        return;
    }
    pg_session_fail(session, &(struct ending){ .sqlstate = "08006",
                                               .message = SLICE_LITERAL("the log-in took too long"),
                                               .status = 504 });
}

void
pg_session_new(struct pg_door *door, struct stream *client)
{
    struct pg_session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        stream_close(client, NULL, NULL);
        return;
    }
    session->door = door;
    session->link.client = client;
    session->link.calls = &calls;
    session->transaction = 'I';
    session->slot = UINT32_MAX;
    session->next = door->sessions;
    if (session->next != NULL)
        session->next->prev = session;
    door->sessions = session;
    door->count++;
    session->patience.fire = on_patience_over;
    timer_arm(door->gate->lane, &session->patience, LOGIN_MS);
    duplex_read_client(&session->link);
}
