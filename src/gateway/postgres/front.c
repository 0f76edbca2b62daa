/* gateway/postgres/front.c - what the client sends in an open session: each statement is
 * decided, and what is let through goes to the server as it came. */
#include <stdlib.h>

#include "session.h"

enum {
    TEXT_MAX = 256 << 10, /* of a Query or Parse that is read; longer ones are refused */
    NAME_MAX_SIZE = 256,  /* of a statement or a portal */
    BIND_HEAD_MAX = 2 * (NAME_MAX_SIZE + 1),
    SMALL_MAX = 1024, /* messages that only name something */
};

/* One message of the client. */
struct message {
    uint8_t type;
    struct slice whole; /* with its header */
    struct slice body;
};

static void
malformed(struct pg_session *session, const char *message)
{
    pg_session_fail(
        session,
        &(struct ending){ .sqlstate = "08P01", .message = slice_text(message), .status = 400 });
}

static bool
out_of_memory(struct pg_session *session)
{
    pg_session_fail(session,
                    &(struct ending){ .sqlstate = "53200",
                                      .message = SLICE_LITERAL("the gateway is out of memory"),
                                      .status = 503 });
    return false;
}

static void
pass(struct pg_session *session, const struct message *message)
{
    if (session->link.server != NULL)
        put_slice(&session->door->to_server, message->whole);
}

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

/* --- texts ---------------------------------------------------------------------------- */

/* Reads the text with the names as they are, and again when it changes them itself. */
static struct analysis *
read_text(struct pg_session *session, struct slice text, struct pg_refused *refused)
{
    struct sql_fault fault;
    struct analysis *analysis =
        analysis_read(session->door->analyses, text, &session->names, &fault);

    if (analysis != NULL && effects_expect(session, analysis)) {
        analysis_release(analysis);
        analysis = analysis_read(session->door->analyses, text, &session->names, &fault);
    }
    if (analysis == NULL)
        decide_unreadable(session, &fault, refused);
    if (analysis != NULL && decide_lasting(session, analysis, refused)) {
        analysis_release(analysis);
        return NULL;
    }
    return analysis;
}

static bool
has_copy_in(const struct analysis *analysis)
{
    for (size_t i = 0; i < analysis->script.count; i++) {
        if (analysis->script.statements[i].kind == SQL_COPY_IN)
            return true;
    }
    return false;
}

/* What runs, and is answered by owed. Takes over the errands and the analysis. */
static bool
owe_run(struct pg_session *session, enum owed_kind kind, struct analysis *analysis,
        const struct decided *decided)
{
    struct pg_owed *owed;

    if ((decided->limits.read_only || decided->limits.statement_timeout_ms > 0) &&
        !limits_put(session, &decided->limits))
        return false;
    owed = pg_owed_add(&session->owed, kind);
    if (owed == NULL)
        return false;
    owed->analysis = analysis;
    owed->errands = decided->errands;
    owed->errand_count = decided->count;
    owed->max_rows = decided->limits.max_rows;
    for (size_t i = 0; i < analysis->script.count; i++)
        pool_trace(session, analysis->script.statements[i].trace);
    /* What comes behind a COPY depends on whether it begins. */
    if (has_copy_in(analysis)) {
        session->waits_copy = true;
        duplex_hold_client(&session->link);
    }
    return true;
}

/* --- simple query -------------------------------------------------------------------- */

static void
on_query(struct pg_session *session, const struct message *message)
{
    struct pg_refused refused;
    struct decided decided;
    struct slice text;

    if (!pg_query_read(message->body, &text)) {
        malformed(session, "a query message is malformed");
        return;
    }
    struct analysis *analysis = read_text(session, text, &refused);
    if (analysis == NULL) {
        (void)refuse_query(session, &refused);
        return;
    }
    if (!decide_run(session, analysis, &decided, &refused)) {
        analysis_release(analysis);
        (void)refuse_query(session, &refused);
        return;
    }
    if (!owe_run(session, OWED_QUERY, analysis, &decided)) {
        (void)out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = false;
}

/* --- extended query -------------------------------------------------------------------- */

/* Gives the name a new meaning, and remembers the old one for when it does not come to pass. */
static bool
owe_name(struct pg_session *session, enum owed_kind kind, struct named *named, struct slice name,
         struct analysis *analysis)
{
    struct pg_owed *owed = pg_owed_add(&session->owed, kind);

    if (owed == NULL || !pg_owed_name_set(owed, name))
        return false;
    return named_set(named, name, analysis, &owed->previous) == STATUS_OK;
}

static void
refuse_named(struct pg_session *session)
{
    const struct sql_fault fault = {
        .sqlstate = "0A000",
        .message = SLICE_LITERAL("a prepared statement with a name would outlive its transaction: "
                                 "sessions share the upstream's connections"),
    };
    struct pg_refused refused;

    decide_unreadable(session, &fault, &refused);
    (void)refuse_message(session, &refused);
}

static void
on_parse(struct pg_session *session, const struct message *message)
{
    struct pg_refused refused;
    struct slice name, text;

    if (!pg_parse_read(message->body, &name, &text) || name.size > NAME_MAX_SIZE) {
        malformed(session, "a parse message is malformed");
        return;
    }
    if (name.size > 0 && session->seat.pool != NULL) {
        refuse_named(session);
        return;
    }
    struct analysis *analysis = read_text(session, text, &refused);
    if (analysis == NULL || !decide_may(session, analysis, &refused)) {
        analysis_release(analysis);
        (void)refuse_message(session, &refused);
        return;
    }
    bool owed = owe_name(session, OWED_PARSE, &session->statements, name, analysis);
    analysis_release(analysis);
    if (!owed) {
        (void)out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = true;
}

static struct pg_refused
unknown(struct pg_session *session, const char *sqlstate, const char *what, struct slice name)
{
    return (struct pg_refused){
        .sqlstate = sqlstate,
        .message = arena_format(&session->door->scratch, "%s \"%.*s\" does not exist", what,
                                SLICE_PRINT(slice_first(name, 64))),
    };
}

/* The server plans a statement for the search_path of now. NULL: that is refused. */
static struct analysis *
current(struct pg_session *session, struct analysis *analysis)
{
    struct pg_refused refused;
    struct sql_fault fault;
    struct analysis *now =
        analysis_current(session->door->analyses, analysis, &session->names, &fault);

    if (now == analysis)
        return now;
    if (now == NULL)
        decide_unreadable(session, &fault, &refused);
    else if (decide_may(session, now, &refused))
        return now;
    analysis_release(now);
    (void)refuse_message(session, &refused);
    return NULL;
}

/* Only its names are read: the values pass as they come, however long they are. */
static bool
on_bind(struct pg_session *session, struct slice portal, struct slice name)
{
    struct analysis *analysis = named_find(&session->statements, name);

    if (analysis == NULL) {
        struct pg_refused refused = unknown(session, "26000", "prepared statement", name);
        (void)refuse_message(session, &refused);
        return false;
    }
    analysis = current(session, analysis);
    if (analysis == NULL)
        return false;
    bool owed = owe_name(session, OWED_BIND, &session->portals, portal, analysis);
    analysis_release(analysis);
    if (!owed)
        return out_of_memory(session);
    session->batch = true;
    return true;
}

static void
on_describe(struct pg_session *session, const struct message *message)
{
    uint8_t what;
    struct slice name;

    if (!pg_describe_read(message->body, &what, &name)) {
        malformed(session, "a describe message is malformed");
        return;
    }
    if (pg_owed_add(&session->owed, OWED_DESCRIBE) == NULL) {
        (void)out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = true;
}

static void
on_execute(struct pg_session *session, const struct message *message)
{
    struct pg_refused refused;
    struct decided decided;
    struct slice portal;
    uint32_t rows;

    if (!pg_execute_read(message->body, &portal, &rows)) {
        malformed(session, "an execute message is malformed");
        return;
    }
    struct analysis *analysis = named_find(&session->portals, portal);
    if (analysis == NULL) {
        refused = unknown(session, "34000", "portal", portal);
        (void)refuse_message(session, &refused);
        return;
    }
    /* What has been read long ago may change the path a second time. */
    (void)effects_expect(session, analysis);
    if (session->state != SESSION_OPEN)
        return;
    if (!decide_run(session, analysis, &decided, &refused)) {
        (void)refuse_message(session, &refused);
        return;
    }
    if (!owe_run(session, OWED_EXECUTE, analysis_hold(analysis), &decided)) {
        (void)out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = true;
}

static void
on_close(struct pg_session *session, const struct message *message)
{
    struct analysis *previous = NULL;
    uint8_t what;
    struct slice name;

    if (!pg_describe_read(message->body, &what, &name)) {
        malformed(session, "a close message is malformed");
        return;
    }
    /* A statement's name goes when the server says so: until then it may be used. */
    struct pg_owed *owed = pg_owed_add(&session->owed, OWED_CLOSE);
    if (owed == NULL || (what == 'S' && !pg_owed_name_set(owed, name))) {
        (void)out_of_memory(session);
        return;
    }
    if (what == 'P' && named_set(&session->portals, name, NULL, &previous) == STATUS_OK)
        analysis_release(previous);
    pass(session, message);
    session->batch = true;
}

static void
on_sync(struct pg_session *session, const struct message *message)
{
    /* In the middle of a COPY the server does not answer it. */
    if (session->copying_in) {
        pass(session, message);
        return;
    }
    bool aside = session->link.server == NULL || (session->skipping && !session->server_too);
    session->skipping = session->server_too = false;
    if (aside) {
        pg_put_ready(&session->door->to_client, session->transaction);
        return;
    }
    if (pg_owed_add(&session->owed, OWED_SYNC) == NULL) {
        (void)out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = false;
}

static void
on_flush(struct pg_session *session, const struct message *message)
{
    pass(session, message);
}

static void
on_copy_end(struct pg_session *session, const struct message *message)
{
    session->copying_in = false;
    pass(session, message);
}

static void
on_function_call(struct pg_session *session, const struct message *message)
{
    const struct errand_ask ask = { .verb = SLICE_LITERAL("call"),
                                    .statement = SLICE_LITERAL("(function call protocol)") };
    struct refusal refusal = { .kind = GATE_MALFORMED,
                               .reason = SLICE_LITERAL(
                                   "the function call protocol does not pass: use SELECT") };

    errand_refuse(session->passage, &ask, &session->door->scratch, &refusal);
    struct pg_refused refused = refused_by_gate(&refusal, &session->door->scratch);
    (void)refuse_query(session, &refused);
}

static void
on_terminate(struct pg_session *session, const struct message *message)
{
    /* A server that is shared is given back or, within a transaction, closed. */
    if (session->seat.pool == NULL)
        pass(session, message);
    if (pg_session_flush(session))
        pg_session_close(session, 200);
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
    ['Q'] = { WHOLE, TEXT_MAX, false, on_query },
    ['P'] = { WHOLE, TEXT_MAX, true, on_parse },
    ['B'] = { BIND, PG_MESSAGE_MAX, true, NULL },
    ['D'] = { WHOLE, SMALL_MAX, true, on_describe },
    ['E'] = { WHOLE, SMALL_MAX, true, on_execute },
    ['C'] = { WHOLE, SMALL_MAX, true, on_close },
    ['S'] = { WHOLE, 0, false, on_sync },
    ['H'] = { WHOLE, 0, true, on_flush },
    ['d'] = { STREAM, PG_MESSAGE_MAX, true, NULL },
    ['c'] = { WHOLE, 0, true, on_copy_end },
    ['f'] = { WHOLE, 64 << 10, true, on_copy_end },
    ['F'] = { WHOLE, 64 << 10, false, on_function_call },
    ['X'] = { WHOLE, 0, false, on_terminate },
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
    const uint8_t *begin = in->at;
    struct slice head =
        slice_of(at.at, cursor_left(&at) < header->body ? cursor_left(&at) : header->body);
    struct slice portal, name;

    switch (pg_bind_head_read(slice_first(head, BIND_HEAD_MAX), &portal, &name)) {
    case WIRE_MORE:
        if (head.size < header->body && head.size < BIND_HEAD_MAX)
            return false;
        malformed(session, "a bind message is malformed");
        return true;
    case WIRE_MALFORMED:
        malformed(session, "a bind message is malformed");
        return true;
    case WIRE_OK:
        break;
    }
    enum serving serving = session->skipping ? SERVED : find_server(session, header->type);
    if (serving == WAITS)
        return false;
    if (serving == UNSERVED)
        refuse_unserved(session, header->type);
    bool passes = !session->skipping && on_bind(session, portal, name);
    if (session->state != SESSION_OPEN)
        return true;
    if (passes)
        put_bytes(&session->door->to_server, begin, (size_t)(at.at - begin));
    in->at = at.at;
    take_body(session, in, header->body, passes ? REMAINDER_PASS : REMAINDER_DROP);
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
        malformed(session, "a message's length is impossible");
        return true;
    case WIRE_OK:
        break;
    }
    const struct rule *rule = &rules[header.type];
    bool known = rule->handle != NULL || rule->handling != WHOLE;
    bool text = header.type == 'Q' || header.type == 'P';
    if (!known || !fits_copy(session, header.type) || (header.body > rule->most && !text)) {
        malformed(session, "a message of this kind or size is not expected here");
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
        (void)out_of_memory(session);
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
