/* gateway/redis/session.c - a session's life, and its one end. */
#include "session.h"

#include <stdlib.h>

#include "../pipeline.h"

enum { LOGIN_MS = 60000 }; /* from the connection to the log-in's end */

static struct redis_session *
session_of(struct duplex *duplex)
{
    return LANE_OWNER(duplex, struct redis_session, link);
}

static void
on_closed(struct duplex *duplex)
{
    struct redis_session *session = session_of(duplex);
    struct redis_lane *door = session->door;

    *(session->prev != NULL ? &session->prev->next : &door->sessions) = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    door->count--;
    free(session);
}

static void
let_go(struct redis_session *session)
{
    timer_disarm(&session->patience);
    if (session->dial != NULL)
        dial_cancel(session->dial);
    session->dial = NULL;
    resp_reader_free(&session->reader);
    buffer_wipe_free(&session->in); /* a token may have stood in it */
    buffer_free(&session->hello);
    redis_owed_free(&session->owed);
    redis_standing_free(session);
    free(session->agent);
    free(session->upstream_name);
    session->agent = session->upstream_name = NULL;
}

static void
end(struct redis_session *session, unsigned status, enum duplex_ending how)
{
    struct passage *passage = session->passage;

    if (session->state == SESSION_ENDED)
        return;
    bool judged = session->state == SESSION_JUDGED;
    session->state = SESSION_ENDED;
    redis_back_abandon(session, status);
    session->passage = NULL;
    if (passage != NULL && !(judged && pipeline_abandon(passage)))
        pipeline_leave(passage, status, session->bytes_in, session->bytes_out);
    duplex_end(&session->link, how);
    let_go(session);
}

void
redis_session_close(struct redis_session *session, unsigned status)
{
    end(session, status, DUPLEX_DELIVER);
}

void
redis_session_drop(struct redis_session *session, unsigned status)
{
    end(session, status, DUPLEX_AT_ONCE);
}

void
redis_session_fail(struct redis_session *session, const char *code, struct slice message,
                   unsigned status)
{
    struct buffer *out = &session->door->to_client;

    if (session->state == SESSION_ENDED)
        return;
    /* In the middle of a reply there is no place for another. */
    if (!resp_skim_at_rest(&session->skimmer)) {
        buffer_clear(out);
        end(session, status, DUPLEX_AT_ONCE);
        return;
    }
    resp_put_error(out, code, message);
    if (redis_session_flush(session))
        end(session, status, DUPLEX_DELIVER);
}

bool
redis_session_flush(struct redis_session *session)
{
    return duplex_send(&session->link, &session->door->to_client, &session->door->to_server);
}

/* --- what comes --------------------------------------------------------------------- */

/* True: nothing of it passes, and the session is over. */
static bool
lapses(struct redis_session *session)
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
    struct redis_session *session = session_of(duplex);

    if (lapses(session))
        return;
    session->traffic += bytes.size;
    session->bytes_in += bytes.size;
    redis_front_read(session, bytes);
}

static void
on_client_gone(struct duplex *duplex)
{
    redis_session_drop(session_of(duplex), PASSAGE_CLIENT_GONE);
}

static void
on_server(struct duplex *duplex, struct slice bytes)
{
    struct redis_session *session = session_of(duplex);

    if (lapses(session))
        return;
    session->traffic += bytes.size;
    if (session->state == SESSION_OPEN) {
        session->bytes_out += bytes.size;
        redis_back_read(session, bytes);
    } else {
        redis_start_reply(session, bytes);
    }
}

static void
on_server_gone(struct duplex *duplex, enum status status)
{
    struct redis_session *session = session_of(duplex);

    /* After QUIT it leaves in order. */
    if (session->state == SESSION_OPEN && status == STATUS_CLOSED && session->owed.count == 0 &&
        resp_skim_at_rest(&session->skimmer))
        redis_session_close(session, 200);
    else
        redis_session_fail(session, "ERR", SLICE_LITERAL("upstream closed the connection"), 502);
}

static void
on_server_drained(struct duplex *duplex)
{
    redis_front_resume(session_of(duplex));
}

static const struct duplex_calls calls = {
    .client_read = on_client,
    .server_read = on_server,
    .client_gone = on_client_gone,
    .server_gone = on_server_gone,
    .server_drained = on_server_drained,
    .closed = on_closed,
};

static void
on_patience_over(struct timer *timer)
{
    redis_session_fail(LANE_OWNER(timer, struct redis_session, patience), "ERR",
                       SLICE_LITERAL("the log-in took too long"), 504);
}

void
redis_session_new(struct redis_lane *door, struct stream *client)
{
    struct redis_session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        stream_close(client, NULL, NULL);
        return;
    }
    session->door = door;
    session->link.client = client;
    session->link.calls = &calls;
    session->next = door->sessions;
    if (session->next != NULL)
        session->next->prev = session;
    door->sessions = session;
    door->count++;
    session->patience.fire = on_patience_over;
    timer_arm(door->gate->lane, &session->patience, LOGIN_MS);
    duplex_read_client(&session->link);
}
