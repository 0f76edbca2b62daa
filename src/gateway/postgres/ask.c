/* gateway/postgres/ask.c - what each message of the client asks for: statements are decided,
 * and what is let through goes to the server as it came. */
#include "front_inside.h"

void
ask_malformed(struct pg_session *session, const char *message)
{
    pg_session_fail(
        session,
        &(struct ending){ .sqlstate = "08P01", .message = slice_text(message), .status = 400 });
}

bool
ask_out_of_memory(struct pg_session *session)
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

void
ask_query(struct pg_session *session, const struct message *message)
{
    struct pg_refused refused;
    struct decided decided;
    struct slice text;

    if (!pg_query_read(message->body, &text)) {
        ask_malformed(session, "a query message is malformed");
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
        (void)ask_out_of_memory(session);
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

void
ask_parse(struct pg_session *session, const struct message *message)
{
    struct pg_refused refused;
    struct slice name, text;

    if (!pg_parse_read(message->body, &name, &text) || name.size > NAME_MAX_SIZE) {
        ask_malformed(session, "a parse message is malformed");
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
        (void)ask_out_of_memory(session);
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

bool
ask_bind(struct pg_session *session, struct slice portal, struct slice name)
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
        return ask_out_of_memory(session);
    session->batch = true;
    return true;
}

void
ask_describe(struct pg_session *session, const struct message *message)
{
    uint8_t what;
    struct slice name;

    if (!pg_describe_read(message->body, &what, &name)) {
        ask_malformed(session, "a describe message is malformed");
        return;
    }
    if (pg_owed_add(&session->owed, OWED_DESCRIBE) == NULL) {
        (void)ask_out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = true;
}

void
ask_execute(struct pg_session *session, const struct message *message)
{
    struct pg_refused refused;
    struct decided decided;
    struct slice portal;
    uint32_t rows;

    if (!pg_execute_read(message->body, &portal, &rows)) {
        ask_malformed(session, "an execute message is malformed");
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
        (void)ask_out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = true;
}

void
ask_close(struct pg_session *session, const struct message *message)
{
    struct analysis *previous = NULL;
    uint8_t what;
    struct slice name;

    if (!pg_describe_read(message->body, &what, &name)) {
        ask_malformed(session, "a close message is malformed");
        return;
    }
    /* A statement's name goes when the server says so: until then it may be used. */
    struct pg_owed *owed = pg_owed_add(&session->owed, OWED_CLOSE);
    if (owed == NULL || (what == 'S' && !pg_owed_name_set(owed, name))) {
        (void)ask_out_of_memory(session);
        return;
    }
    if (what == 'P' && named_set(&session->portals, name, NULL, &previous) == STATUS_OK)
        analysis_release(previous);
    pass(session, message);
    session->batch = true;
}

void
ask_sync(struct pg_session *session, const struct message *message)
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
        (void)ask_out_of_memory(session);
        return;
    }
    pass(session, message);
    session->batch = false;
}

void
ask_flush(struct pg_session *session, const struct message *message)
{
    pass(session, message);
}

void
ask_copy_end(struct pg_session *session, const struct message *message)
{
    session->copying_in = false;
    pass(session, message);
}

void
ask_function_call(struct pg_session *session, const struct message *message)
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

void
ask_terminate(struct pg_session *session, const struct message *message)
{
    /* A server that is shared is given back or, within a transaction, closed. */
    if (session->seat.pool == NULL)
        pass(session, message);
    if (pg_session_flush(session))
        pg_session_close(session, 200);
}
