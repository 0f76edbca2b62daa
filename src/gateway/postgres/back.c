/* gateway/postgres/back.c - what the server answers: matched with what is owed, counted, and
 * passed to the client as it came. */
#include <stdlib.h>

#include "prepare.h"

enum {
    TAG_MAX = 256, /* of a CommandComplete */
    SETTING_MAX = 64 << 10,
};

/* The bytes of one callback on their way to the client: a run that passes unchanged is not
 * copied until something stands between. */
struct passing {
    struct pg_session *session;
    struct slice run;
};

static void
end_run(struct passing *passing)
{
    put_slice(&passing->session->door->to_client, passing->run);
    passing->run = (struct slice){ 0 };
}

static void
pass(struct passing *passing, const uint8_t *from, size_t size)
{
    const char *at = (const char *)from;

    if (passing->run.size > 0 && passing->run.at + passing->run.size == at) {
        passing->run.size += size;
        return;
    }
    end_run(passing);
    passing->run = slice_of(at, size);
}

static void
impossible(struct pg_session *session)
{
    pg_session_fail(session,
                    &(struct ending){ .sqlstate = "08P01",
                                      .message = SLICE_LITERAL("the upstream broke the protocol"),
                                      .status = 502 });
}

/* --- what is owed ------------------------------------------------------------------- */

enum { STATUS_DONE = 200, STATUS_SQL_ERROR = 400, STATUS_NOT_RUN = 424 };

static void
end_errand(struct pg_session *session, struct pg_owed *owed, unsigned status)
{
    const struct errand_outcome outcome = { .status = status,
                                            .bytes_in = owed->bytes_in,
                                            .bytes_out = owed->bytes_out };

    if (owed->done < owed->errand_count)
        errand_end(session->passage, &owed->errands[owed->done++], &outcome);
    owed->bytes_in = owed->bytes_out = owed->rows = 0;
}

static void
end_errands(struct pg_session *session, struct pg_owed *owed, unsigned status)
{
    while (owed->done < owed->errand_count) {
        end_errand(session, owed, status);
        status = status == STATUS_SQL_ERROR ? STATUS_NOT_RUN : status;
    }
}

/* The name stands again for what it stood before. */
static void
take_name_back(struct pg_session *session, struct pg_owed *owed)
{
    bool statement = owed->kind == OWED_PARSE || owed->local;
    struct named *named = statement                 ? &session->statements
                          : owed->kind == OWED_BIND ? &session->portals
                                                    : NULL;

    if (owed->kept != NULL)
        prepared_failed(pool_prepared(session), owed->kept, owed->ticket);
    if (named != NULL && owed->name != NULL)
        named_put(named, pg_owed_name(owed), owed->previous);
}

/* An extended message failed: the server drops what follows, up to Sync. The names come back
 * in the reverse order in which they were given. */
static void
drop_batch(struct pg_session *session)
{
    struct pg_owed_queue *queue = &session->owed;
    size_t count = 0;

    while (count < queue->count && pg_owed_at(queue, count)->kind != OWED_SYNC &&
           pg_owed_at(queue, count)->kind != OWED_QUERY)
        count++;
    for (size_t i = count; i > 0; i--)
        take_name_back(session, pg_owed_at(queue, i - 1));
    for (size_t i = 0; i < count; i++) {
        end_errands(session, pg_owed_first(queue), i == 0 ? STATUS_SQL_ERROR : STATUS_NOT_RUN);
        pg_owed_drop_first(queue);
    }
    /* What the client has yet to send of this batch is dropped by both. */
    if (queue->count == 0)
        session->skipping = session->server_too = true;
    /* A simple query behind a limit that could not be set is dropped by the server as well:
     * it wants a Sync, whose answer is the query's. */
    if (queue->count > 0 && pg_owed_first(queue)->kind == OWED_QUERY) {
        end_errands(session, pg_owed_first(queue), STATUS_NOT_RUN);
        pg_owed_first(queue)->kind = OWED_SYNC;
        pg_put_sync(&session->door->to_server);
    }
}

static void
put_over(struct pg_session *session, const struct pg_owed *owed)
{
    struct slice message = arena_format(
        &session->door->scratch, "the answer has more than the %llu rows that the right allows",
        (unsigned long long)owed->max_rows);

    pg_put_error(&session->door->to_client,
                 &(struct pg_error){ .severity = PG_ERROR,
                                     .sqlstate = "54000",
                                     .message = message,
                                     .hint = SLICE_LITERAL("add a LIMIT") });
}

/* --- messages ------------------------------------------------------------------------- */

enum fate { FATE_PASS, FATE_DROP };

/* Handlers of messages whose body passes unread. */
static enum fate
on_row(struct pg_session *session, uint32_t size)
{
    struct pg_owed *owed = pg_owed_first(&session->owed);

    if (owed == NULL)
        return FATE_PASS;
    owed->rows++;
    owed->bytes_out += size;
    if (owed->max_rows > 0 && owed->rows > owed->max_rows)
        owed->over = true;
    return owed->own || owed->over ? FATE_DROP : FATE_PASS;
}

static enum fate
on_done(struct pg_session *session, enum owed_kind kind)
{
    struct pg_owed *owed = pg_owed_first(&session->owed);

    if (owed == NULL || owed->kind != kind) {
        impossible(session);
        return FATE_DROP;
    }
    enum fate fate = owed->own ? FATE_DROP : FATE_PASS;
    if (kind == OWED_CLOSE && owed->name != NULL)
        named_put(&session->statements, pg_owed_name(owed), (struct meaning){ 0 });
    if (owed->kept != NULL)
        prepared_done(pool_prepared(session), owed->kept, owed->ticket);
    pg_owed_drop_first(&session->owed);
    return fate;
}

/* RowDescription answers a Describe, or begins the rows of a simple query. */
static enum fate
on_description(struct pg_session *session)
{
    struct pg_owed *owed = pg_owed_first(&session->owed);

    if (owed != NULL && owed->kind == OWED_DESCRIBE)
        return on_done(session, OWED_DESCRIBE);
    return owed != NULL && owed->own ? FATE_DROP : FATE_PASS;
}

static enum fate
on_error(struct passing *passing)
{
    struct pg_session *session = passing->session;
    struct pg_owed *owed = pg_owed_first(&session->owed);
    enum fate fate = FATE_PASS;

    session->waits_copy = session->copying_in = false;
    session->failed = true;
    pool_trace(session, SQL_TRACE_SESSION); /* the batch may have been left half done */
    if (owed == NULL)
        return FATE_PASS;
    if (owed->refused.size > 0) {
        end_run(passing);
        put_slice(&session->door->to_client, buffer_slice(&owed->refused));
        fate = FATE_DROP;
    }
    switch (owed->kind) {
    case OWED_QUERY:
        owed->failed = true;
        end_errands(session, owed, STATUS_SQL_ERROR);
        return owed->own ? FATE_DROP : fate;
    case OWED_SYNC:
        return fate; /* COMMIT of an implicit transaction failed */
    default:
        drop_batch(session);
        return fate;
    }
}

static enum fate
on_copy(struct pg_session *session, uint8_t type)
{
    session->waits_copy = false;
    session->copying_in = type == 'G';
    return FATE_PASS;
}

static enum fate
on_complete(struct passing *passing)
{
    struct pg_session *session = passing->session;
    struct pg_owed *owed = pg_owed_first(&session->owed);
    enum fate fate = FATE_PASS;

    if (owed == NULL || (owed->kind != OWED_QUERY && owed->kind != OWED_EXECUTE)) {
        impossible(session);
        return FATE_DROP;
    }
    session->waits_copy = false;
    if (owed->over) {
        end_run(passing);
        put_over(session, owed);
        owed->over = false;
        fate = FATE_DROP;
    }
    if (owed->own)
        fate = FATE_DROP;
    effects_done(session, owed, owed->kind == OWED_QUERY ? owed->statement++ : 0);
    end_errand(session, owed, fate == FATE_DROP && !owed->own ? STATUS_SQL_ERROR : STATUS_DONE);
    if (owed->kind == OWED_EXECUTE) {
        end_errands(session, owed, STATUS_DONE);
        pg_owed_drop_first(&session->owed);
    }
    return fate;
}

/* A portal that stops at its row limit, or a text without a statement. */
static enum fate
on_suspended(struct pg_session *session)
{
    struct pg_owed *owed = pg_owed_first(&session->owed);

    if (owed == NULL || (owed->kind != OWED_QUERY && owed->kind != OWED_EXECUTE)) {
        impossible(session);
        return FATE_DROP;
    }
    if (owed->kind == OWED_EXECUTE) {
        end_errands(session, owed, STATUS_DONE);
        pg_owed_drop_first(&session->owed);
    }
    return FATE_PASS;
}

static enum fate
on_ready(struct pg_session *session, struct slice body)
{
    struct pg_owed *owed = pg_owed_first(&session->owed);

    if (body.size != 1 || strchr("ITE", body.at[0]) == NULL || owed == NULL ||
        (owed->kind != OWED_QUERY && owed->kind != OWED_SYNC)) {
        impossible(session);
        return FATE_DROP;
    }
    enum fate fate = owed->own ? FATE_DROP : FATE_PASS;
    session->copying_in = session->waits_copy = false;
    end_errands(session, owed, owed->failed ? STATUS_NOT_RUN : STATUS_DONE);
    pg_owed_drop_first(&session->owed);
    session->transaction = body.at[0];
    effects_ready(session);
    return fate;
}

/* How the server reads statements must stay as the gateway reads them. */
static enum fate
on_setting(struct pg_session *session, struct slice body)
{
    struct slice name, value;

    if (!pg_setting_read(body, &name, &value)) {
        impossible(session);
        return FATE_DROP;
    }
    bool sound = true;
    pool_trace(session, SQL_TRACE_SESSION);
    if (slice_is(name, "standard_conforming_strings"))
        sound = slice_is(value, "on");
    else if (slice_is(name, "client_encoding"))
        sound = slice_is(value, "UTF8") || slice_is(value, "SQL_ASCII");
    if (sound)
        return FATE_PASS;
    pg_session_fail(
        session,
        &(struct ending){ .sqlstate = "55000",
                          .message = SLICE_LITERAL(
                              "the session reads text otherwise than the gateway: "
                              "standard_conforming_strings must be on, client_encoding UTF8"),
                          .status = 403 });
    return FATE_DROP;
}

static enum fate
on_notice(const struct pg_session *session)
{
    const struct pg_owed *owed =
        session->owed.count == 0 ? NULL : &session->owed.ring[session->owed.head];

    return owed != NULL && owed->own ? FATE_DROP : FATE_PASS;
}

/* What happens with a message whose type says all that is wanted of it. */
static enum fate
judge(struct passing *passing, const struct pg_header *header)
{
    struct pg_session *session = passing->session;

    switch (header->type) {
    case 'D':
    case 'd':
        return on_row(session, header->body);
    case 'T':
    case 'n':
        return on_description(session);
    case '1':
        return on_done(session, OWED_PARSE);
    case '2':
        return on_done(session, OWED_BIND);
    case '3':
        return on_done(session, OWED_CLOSE);
    case 'E':
        return on_error(passing);
    case 'G':
    case 'H':
        return on_copy(session, header->type);
    case 's':
    case 'I':
        return on_suspended(session);
    case 'N':
        return on_notice(session);
    case 't': /* ParameterDescription: its Describe ends with what follows */
    case 'c': /* CopyDone */
    case 'A': /* NotificationResponse */
        return FATE_PASS;
    default: /* CopyBoth and what no session can ask for */
        impossible(session);
        return FATE_DROP;
    }
}

static bool
is_read_whole(uint8_t type)
{
    return type == 'C' || type == 'Z' || type == 'S';
}

static enum fate
handle_whole(struct passing *passing, uint8_t type, struct slice body)
{
    switch (type) {
    case 'C':
        return on_complete(passing);
    case 'Z':
        return on_ready(passing->session, body);
    default:
        return on_setting(passing->session, body);
    }
}

static void
take_body(struct passing *passing, struct cursor *in, uint32_t size, enum fate fate)
{
    struct flow *flow = &passing->session->from_server;
    size_t here = cursor_left(in) < size ? cursor_left(in) : size;

    if (fate == FATE_PASS)
        pass(passing, in->at, here);
    in->at += here;
    flow->left = size - (uint32_t)here;
    flow->what = fate == FATE_PASS ? REMAINDER_PASS : REMAINDER_DROP;
}

/* What the gateway answers itself comes in its place among the answers. */
static void
answer_own(struct passing *passing)
{
    struct pg_session *session = passing->session;
    const struct pg_owed *owed = pg_owed_first(&session->owed);

    if (owed == NULL || !owed->local || session->from_server.left > 0)
        return;
    end_run(passing);
    prepare_answer(session);
}

/* True: a message, or its beginning, was taken. */
static bool
take_message(struct passing *passing, struct cursor *in)
{
    struct pg_session *session = passing->session;
    struct cursor at = *in;
    struct pg_header header;
    struct slice body = { 0 };
    enum fate fate;

    switch (pg_header_read(&at, &header)) {
    case WIRE_MORE:
        return false;
    case WIRE_MALFORMED:
        impossible(session);
        return true;
    case WIRE_OK:
        break;
    }
    bool whole = is_read_whole(header.type);
    if (whole && header.body > (header.type == 'S' ? SETTING_MAX : TAG_MAX)) {
        impossible(session);
        return true;
    }
    if (whole && !take_bytes(&at, header.body, &body))
        return false;
    fate = whole ? handle_whole(passing, header.type, body) : judge(passing, &header);
    if (session->state != SESSION_OPEN)
        return true;
    if (fate == FATE_PASS)
        pass(passing, in->at, (size_t)(at.at - in->at));
    in->at = at.at;
    if (!whole)
        take_body(passing, in, header.body, fate);
    answer_own(passing);
    return true;
}

static void
take_all(struct passing *passing, struct cursor *in)
{
    struct pg_session *session = passing->session;
    struct flow *flow = &session->from_server;

    if (flow->left > 0)
        take_body(passing, in, flow->left, flow->what == REMAINDER_PASS ? FATE_PASS : FATE_DROP);
    answer_own(passing);
    while (flow->left == 0 && in->at < in->end && session->state == SESSION_OPEN &&
           take_message(passing, in))
        continue;
}

void
pg_back_read(struct pg_session *session, struct slice bytes)
{
    struct buffer *kept = &session->from_server.in;
    struct passing passing = { .session = session };
    bool was_empty = kept->size == 0;

    if (!was_empty) {
        put_slice(kept, bytes);
        bytes = buffer_slice(kept);
    }
    struct cursor in = cursor_over(bytes);
    take_all(&passing, &in);
    if (session->state != SESSION_OPEN)
        return;
    end_run(&passing);
    size_t used = bytes.size - cursor_left(&in);
    if (!was_empty)
        buffer_consume(kept, used);
    else
        put_slice(kept, slice_from(bytes, used));
    if (kept->size == 0 && kept->capacity > 0)
        buffer_free(kept);
    arena_reset(&session->door->scratch);
    if (!pg_session_flush(session))
        return;
    pool_rest(session);
    pg_front_resume(session);
}

void
pg_back_abandon(struct pg_session *session, unsigned status)
{
    while (session->owed.count > 0) {
        if (session->passage != NULL)
            end_errands(session, pg_owed_first(&session->owed), status);
        pg_owed_drop_first(&session->owed);
    }
    analysis_release(session->path_next);
    analysis_release(session->seat.set_next);
    session->path_next = session->seat.set_next = NULL;
}
