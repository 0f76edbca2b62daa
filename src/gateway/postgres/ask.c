/* gateway/postgres/ask.c - what each message of the client asks for: statements are decided,
 * and what is let through goes to the server as it came. */
#include "front_inside.h"
#include "prepare.h"

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

/* What is sent next does not fail with what was sent. */
static void
end_batch(struct pg_session *session)
{
    session->batch = false;
    if (pool_prepared(session) != NULL)
        prepared_next_batch(pool_prepared(session));
}

/* --- texts ---------------------------------------------------------------------------- */

/* Reads the text with the names as they are, and again when it changes them itself. */
static struct analysis *
read_text(struct pg_session *session, struct slice text, struct pg_refused *refused)
{
    struct sql_fault fault;
    struct analysis *analysis = analysis_read(analyses_of(session), text, &session->names, &fault);

    if (analysis != NULL && effects_expect(session, analysis)) {
        analysis_release(analysis);
        analysis = analysis_read(analyses_of(session), text, &session->names, &fault);
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

static void
note_traces(struct pg_session *session, const struct analysis *analysis)
{
    for (size_t i = 0; i < analysis->script.count; i++) {
        enum sql_kind kind = analysis->script.statements[i].kind;

        pool_trace(session, analysis->script.statements[i].trace);
        if (analysis->script.statements[i].lasting != NULL) /* a SET that is kept */
            pool_trace(session, SQL_TRACE_SESSION);
        if ((kind == SQL_DISCARD_ALL || kind == SQL_DEALLOCATE_ALL) &&
            pool_prepared(session) != NULL)
            prepared_doubt_all(pool_prepared(session));
    }
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
    note_traces(session, analysis);
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
    end_batch(session);
    if (pool_prepared(session) != NULL)
        prepared_drop_unnamed(pool_prepared(session));
}

/* --- extended query -------------------------------------------------------------------- */

/* Gives the name a new meaning, and remembers the old one for when it does not come to pass. */
static bool
owe_name(struct pg_owed *owed, struct named *named, struct slice name, struct meaning meaning)
{
    return owed != NULL && pg_owed_name_set(owed, name) &&
           named_set(named, name, meaning, &owed->previous) == STATUS_OK;
}

static bool
owe_parse(struct pg_session *session, struct slice name, struct slice body,
          struct analysis *analysis, const struct message *message)
{
    struct meaning meaning = { .analysis = analysis };
    struct pg_owed *owed = NULL;
    bool good = prepare_keep(session, name, body, &meaning.kept);

    if (good && meaning.kept != NULL)
        good = prepare_parse(session, name, meaning.kept, &owed);
    else if (good)
        owed = pg_owed_add(&session->owed, OWED_PARSE);
    good = good && owe_name(owed, &session->statements, name, meaning);
    if (meaning.kept == NULL)
        pass(session, message);
    session->batch |= good && !owed->local;
    kept_release(meaning.kept);
    if (good)
        prepare_answer(session);
    return good;
}

/* As the server would say, which knows it by another name. */
static struct pg_refused
there_is_one(struct pg_session *session, struct slice name)
{
    return (struct pg_refused){
        .sqlstate = "42P05",
        .message =
            arena_format(&session->door->scratch, "prepared statement \"%.*s\" already exists",
                         SLICE_PRINT(slice_first(name, 64))),
    };
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
    if (name.size > 0 && named_kept(&session->statements, name) != NULL) {
        refused = there_is_one(session, name);
        (void)refuse_message(session, &refused);
        return;
    }
    struct analysis *analysis = read_text(session, text, &refused);
    if (analysis == NULL || !decide_may(session, analysis, &refused)) {
        analysis_release(analysis);
        (void)refuse_message(session, &refused);
        return;
    }
    bool owed =
        owe_parse(session, name, slice_from(message->body, name.size + 1), analysis, message);
    analysis_release(analysis);
    if (!owed)
        (void)ask_out_of_memory(session);
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
        analysis_current(analyses_of(session), analysis, &session->names, &fault);

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
ask_bind(struct pg_session *session, struct slice portal, struct slice name, uint32_t more)
{
    char text[KEPT_NAME_SIZE];
    struct analysis *analysis = named_find(&session->statements, name);

    if (analysis == NULL) {
        struct pg_refused refused = unknown(session, "26000", "prepared statement", name);
        (void)refuse_message(session, &refused);
        return false;
    }
    analysis = current(session, analysis);
    if (analysis == NULL)
        return false;
    bool owed = prepare_use(session, &name, text) &&
                owe_name(pg_owed_add(&session->owed, OWED_BIND), &session->portals, portal,
                         (struct meaning){ .analysis = analysis });
    analysis_release(analysis);
    if (!owed)
        return ask_out_of_memory(session);
    pg_put_bind_head(&session->door->to_server, portal, name, more);
    session->batch = true;
    return true;
}

/* A shared server has statements of others: only what this client prepared is described. */
static bool
may_describe(struct pg_session *session, struct slice name)
{
    struct analysis *analysis = named_find(&session->statements, name);

    if (session->seat.pool == NULL)
        return true;
    if (analysis == NULL) {
        struct pg_refused refused = unknown(session, "26000", "prepared statement", name);
        (void)refuse_message(session, &refused);
        return false;
    }
    analysis = current(session, analysis);
    analysis_release(analysis);
    return analysis != NULL;
}

void
ask_describe(struct pg_session *session, const struct message *message)
{
    char text[KEPT_NAME_SIZE];
    uint8_t what;
    struct slice name;

    if (!pg_describe_read(message->body, &what, &name)) {
        ask_malformed(session, "a describe message is malformed");
        return;
    }
    if (what == 'S' && !may_describe(session, name))
        return;
    if ((what == 'S' && !prepare_use(session, &name, text)) ||
        pg_owed_add(&session->owed, OWED_DESCRIBE) == NULL) {
        (void)ask_out_of_memory(session);
        return;
    }
    pg_put_describe(&session->door->to_server, (char)what, name);
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
    if (decide_lasting(session, analysis, &refused) ||
        !decide_run(session, analysis, &decided, &refused)) {
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
    if (what == 'P')
        named_put(&session->portals, name, (struct meaning){ 0 });
    if (what == 'S' && session->seat.pool != NULL) {
        prepare_close(session, owed);
        return;
    }
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
    end_batch(session);
    if (aside) {
        pg_put_ready(&session->door->to_client, session->transaction);
        return;
    }
    if (pg_owed_add(&session->owed, OWED_SYNC) == NULL) {
        (void)ask_out_of_memory(session);
        return;
    }
    pass(session, message);
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
