/* gateway/postgres/front.c - what the client sends in an open session, message by message: a
 * long one passes as it comes, and what can't be taken yet waits. */
#include <stdlib.h>

#include "front_inside.h"

enum {
    TEXT_MAX = 256 << 10, /* of a Query or Parse that is read; longer ones are refused */
    BIND_HEAD_MAX = 2 * (NAME_MAX_SIZE + 1),
    SMALL_MAX = 1024, /* messages that only name something */
};

/* --- a server ------------------------------------------------------------------------ */

enum serving { SERVED, WAITS, UNSERVED };

/* Where connections are shared the first message of a transaction needs one. */
static enum serving
find_server(struct pg_session *session, uint8_t type)
{
    if (session->link.server != NULL || strchr("QPBDEC", type) == NULL)
        return SERVED;
    if (session->seat.why != NULL)
        return UNSERVED;
    if (pool_take(session))
        return SERVED;
    session->seat.wants = session->state == SESSION_OPEN;
    return WAITS;
}

static void
refuse_unserved(struct pg_session *session, uint8_t type)
{
    struct pg_refused refused;

    decide_unserved(session, &refused);
    if (type == 'Q')
        (void)refuse_query(session, &refused);
    else
        (void)refuse_message(session, &refused);
}

/* --- messages ---------------------------------------------------------------------------- */

enum handling {
    WHOLE,  /* read whole, then handled */
    BIND,   /* its head is read, the rest passes */
    STREAM, /* passes as it comes */
};

struct rule {
    enum handling handling;
    uint32_t most; /* of the body */
    bool extended; /* dropped after an error, until Sync */
    void (*handle)(struct pg_session *session, const struct message *message);
};

/* What is not here ends the session. */
static const struct rule rules[256] = {
    ['Q'] = { WHOLE, TEXT_MAX, false, ask_query },
    ['P'] = { WHOLE, TEXT_MAX, true, ask_parse },
    ['B'] = { BIND, PG_MESSAGE_MAX, true, NULL },
    ['D'] = { WHOLE, SMALL_MAX, true, ask_describe },
    ['E'] = { WHOLE, SMALL_MAX, true, ask_execute },
    ['C'] = { WHOLE, SMALL_MAX, true, ask_close },
    ['S'] = { WHOLE, 0, false, ask_sync },
    ['H'] = { WHOLE, 0, true, ask_flush },
    ['d'] = { STREAM, PG_MESSAGE_MAX, true, NULL },
    ['c'] = { WHOLE, 0, true, ask_copy_end },
    ['f'] = { WHOLE, 64 << 10, true, ask_copy_end },
    ['F'] = { WHOLE, 64 << 10, false, ask_function_call },
    ['X'] = { WHOLE, 0, false, ask_terminate },
};

/* A text that is too long to be read is refused, and the session goes on. */
static void
refuse_long(struct pg_session *session, uint8_t type)
{
    const struct sql_fault fault = { .sqlstate = "54000",
                                     .message = SLICE_LITERAL("the statement is too long to be "
                                                              "decided: send values as parameters, "
                                                              "or COPY") };
    struct pg_refused refused;

    decide_unreadable(session, &fault, &refused);
    if (type == 'Q')
        (void)refuse_query(session, &refused);
    else
        (void)refuse_message(session, &refused);
}

/* Passes or drops what is here of a body, and leaves word of the rest. */
static void
take_body(struct pg_session *session, struct cursor *in, uint32_t size, enum remainder what)
{
    struct flow *flow = &session->from_client;
    size_t here = cursor_left(in) < size ? cursor_left(in) : size;

    if (what == REMAINDER_PASS)
        put_bytes(&session->door->to_server, in->at, here);
    in->at += here;
    flow->left = size - (uint32_t)here;
    flow->what = what;
}

static bool
take_rest(struct pg_session *session, struct cursor *in)
{
    if (session->from_client.left > 0)
        take_body(session, in, session->from_client.left, session->from_client.what);
    return session->from_client.left == 0;
}

/* False: its head has not come yet. */
static bool
take_bind(struct pg_session *session, struct cursor *in, struct cursor at,
          const struct pg_header *header)
{
    struct slice head =
        slice_of(at.at, cursor_left(&at) < header->body ? cursor_left(&at) : header->body);
    struct slice portal, name;

    switch (pg_bind_head_read(slice_first(head, BIND_HEAD_MAX), &portal, &name)) {
    case WIRE_MORE:
        if (head.size < header->body && head.size < BIND_HEAD_MAX)
            return false;
        ask_malformed(session, "a bind message is malformed");
        return true;
    case WIRE_MALFORMED:
        ask_malformed(session, "a bind message is malformed");
        return true;
    case WIRE_OK:
        break;
    }
    enum serving serving = session->skipping ? SERVED : find_server(session, header->type);
    if (serving == WAITS)
        return false;
    if (serving == UNSERVED)
        refuse_unserved(session, header->type);
    uint32_t names = (uint32_t)(portal.size + 1 + name.size + 1);
    bool passes = !session->skipping && ask_bind(session, portal, name, header->body - names);
    if (session->state != SESSION_OPEN)
        return true;
    in->at = at.at + (passes ? names : 0);
    take_body(session, in, header->body - (passes ? names : 0),
              passes ? REMAINDER_PASS : REMAINDER_DROP);
    return true;
}

static void
take_long(struct pg_session *session, struct cursor *in, struct cursor at,
          const struct pg_header *header)
{
    if (!session->skipping || !rules[header->type].extended)
        refuse_long(session, header->type);
    in->at = at.at;
    take_body(session, in, header->body, REMAINDER_DROP);
}

/* Only what belongs to a COPY, while one comes in. */
static bool
fits_copy(const struct pg_session *session, uint8_t type)
{
    return !session->copying_in || strchr("dcfHSX", type) != NULL;
}

/* A server that waits for Sync hears nothing but that and the end. */
static bool
is_call(uint8_t type)
{
    return type == 'Q' || type == 'F';
}

/* True: a message was taken. */
static bool
take_message(struct pg_session *session, struct cursor *in)
{
    struct cursor at = *in;
    struct pg_header header;
    struct message message;

    switch (pg_header_read(&at, &header)) {
    case WIRE_MORE:
        return false;
    case WIRE_MALFORMED:
        ask_malformed(session, "a message's length is impossible");
        return true;
    case WIRE_OK:
        break;
    }
    const struct rule *rule = &rules[header.type];
    bool known = rule->handle != NULL || rule->handling != WHOLE;
    bool text = header.type == 'Q' || header.type == 'P';
    if (!known || !fits_copy(session, header.type) || (header.body > rule->most && !text)) {
        ask_malformed(session, "a message of this kind or size is not expected here");
        return true;
    }
    if (header.body > rule->most) {
        take_long(session, in, at, &header);
        return true;
    }
    if (rule->handling == BIND)
        return take_bind(session, in, at, &header);
    bool drop =
        session->skipping && (rule->extended || (session->server_too && is_call(header.type)));
    if (rule->handling == STREAM) {
        drop |= session->link.server == NULL; /* outside of a COPY it says nothing */
        if (!drop)
            put_bytes(&session->door->to_server, in->at, (size_t)(at.at - in->at));
        in->at = at.at;
        take_body(session, in, header.body, drop ? REMAINDER_DROP : REMAINDER_PASS);
        return true;
    }
    message.type = header.type;
    if (!take_bytes(&at, header.body, &message.body))
        return false;
    message.whole = slice_of(in->at, (size_t)(at.at - in->at));
    enum serving serving = drop ? SERVED : find_server(session, header.type);
    if (serving == WAITS)
        return false;
    in->at = at.at;
    if (serving == UNSERVED)
        refuse_unserved(session, header.type);
    else if (!drop)
        rule->handle(session, &message);
    arena_reset(&session->door->scratch);
    return true;
}

static bool
may_go_on(struct pg_session *session)
{
    return session->state == SESSION_OPEN && !session->waits_copy &&
           session->owed.count < OWED_MOST && !session->seat.wants && !pool_is_pressed(session) &&
           (session->link.server != NULL || stream_queued(session->link.client) <= DUPLEX_MARK) &&
           !lull_holds(&session->door->lull);
}

/* What can't be taken now stays in the session's own buffer. */
static void
take_all(struct pg_session *session, struct cursor *in)
{
    if (!take_rest(session, in))
        return;
    while (may_go_on(session) && in->at < in->end && take_message(session, in)) {
        if (session->state != SESSION_OPEN || !take_rest(session, in))
            return;
    }
}

static void
hold_if_full(struct pg_session *session)
{
    if (session->state == SESSION_OPEN && !may_go_on(session))
        duplex_hold_client(&session->link);
}

void
pg_front_read(struct pg_session *session, struct slice bytes)
{
    struct buffer *kept = &session->from_client.in;
    bool was_empty = kept->size == 0;

    if (!was_empty) {
        put_slice(kept, bytes);
        bytes = buffer_slice(kept);
    }
    struct cursor in = cursor_over(bytes);
    take_all(session, &in);
    if (session->state != SESSION_OPEN)
        return;
    size_t used = bytes.size - cursor_left(&in);
    if (!was_empty)
        buffer_consume(kept, used);
    else
        put_slice(kept, slice_from(bytes, used));
    if (buffer_status(kept) != STATUS_OK) {
        (void)ask_out_of_memory(session);
        return;
    }
    if (kept->size == 0 && kept->capacity > 0)
        buffer_free(kept);
    hold_if_full(session);
    if (!pg_session_flush(session))
        return;
    if (session->seat.wants)
        pool_ask(session);
    else
        pool_rest(session);
}

void
pg_front_resume(struct pg_session *session)
{
    if (session->state != SESSION_OPEN || !session->link.client_held || !may_go_on(session) ||
        (session->link.server != NULL && stream_queued(session->link.server) > DUPLEX_LOW))
        return;
    duplex_read_client(&session->link);
    if (session->from_client.in.size > 0)
        pg_front_read(session, (struct slice){ 0 });
}
