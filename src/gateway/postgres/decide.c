/* gateway/postgres/decide.c - statements as errands of the session. */
#include <stdlib.h>

#include "session.h"

static struct pg_refused
busy(void)
{
    return (struct pg_refused){ .sqlstate = "53200",
                                .message = SLICE_LITERAL("the gateway is out of memory") };
}

/* Their rows were not touched: a later statement of the same text was refused. */
static void
take_back(struct pg_session *session, struct decided *decided)
{
    const struct errand_outcome outcome = { .status = 424 };

    for (unsigned i = 0; i < decided->count; i++)
        errand_end(session->passage, &decided->errands[i], &outcome);
    free(decided->errands);
    *decided = (struct decided){ 0 };
}

/* What a name stands for: made earlier in the same text, or before. */
struct named_text {
    const struct errand_ask *asks;
    size_t count;
    struct analysis *analysis; /* to be released; may be NULL */
};

static bool
makes(const struct sql_statement *maker, const struct sql_statement *user)
{
    enum sql_kind kind = user->kind == SQL_EXECUTE ? SQL_PREPARE : SQL_DECLARE;

    return maker->kind == kind && slice_equal(maker->name, user->name);
}

/* A prepared statement is planned for the search_path of now, a cursor was when it began.
 * False: with this path it can't be read. */
static bool
named_by(struct pg_session *session, const struct analysis *analysis, size_t index,
         struct named_text *out, struct sql_fault *fault)
{
    const struct sql_statement *statement = &analysis->script.statements[index];
    const struct named *named =
        statement->kind == SQL_EXECUTE ? &session->statements : &session->cursors;

    for (size_t i = index; i > 0; i--) {
        if (makes(&analysis->script.statements[i - 1], statement)) {
            *out = (struct named_text){ .asks = &analysis->asks[i - 1], .count = 1 };
            return true;
        }
    }
    *out = (struct named_text){ 0 };
    struct analysis *found = named_find(named, statement->name);
    if (found == NULL)
        return true;
    found = statement->kind == SQL_EXECUTE
                ? analysis_current(analyses_of(session), found, &session->names, fault)
                : analysis_hold(found);
    if (found == NULL)
        return false;
    *out = (struct named_text){ found->asks, found->script.count, found };
    return true;
}

static bool
refers(const struct sql_statement *statement)
{
    return statement->kind == SQL_EXECUTE || statement->kind == SQL_FETCH;
}

static bool
begin(struct pg_session *session, const struct errand_ask *ask, struct decided *out,
      struct pg_refused *refused)
{
    struct arena *arena = &session->door->scratch;
    struct errand *errands = realloc(out->errands, (out->count + 1) * sizeof(*errands));
    struct refusal refusal;

    *refused = busy();
    if (errands == NULL)
        return false;
    out->errands = errands;
    if (!errand_begin(session->passage, ask, arena, &errands[out->count], &refusal)) {
        *refused = refused_by_gate(&refusal, arena);
        return false;
    }
    struct sql_limits *limits = &errands[out->count++].limits;
    sql_limits_narrow(&out->limits, limits);
    return true;
}

/* An EXECUTE asks for what its statement was read to touch; the audit shows both texts. */
static bool
begin_named(struct pg_session *session, const struct analysis *analysis, size_t index,
            struct decided *out, struct pg_refused *refused)
{
    const struct sql_statement *statement = &analysis->script.statements[index];
    struct arena *arena = &session->door->scratch;
    bool prepared = statement->kind == SQL_EXECUTE, good = true;
    struct named_text named;
    struct sql_fault fault;

    if (!named_by(session, analysis, index, &named, &fault)) {
        *refused = (struct pg_refused){ .sqlstate = fault.sqlstate, .message = fault.message };
        return false;
    }
    if (named.count == 0) {
        *refused = (struct pg_refused){
            .sqlstate = prepared ? "26000" : "34000",
            .message = arena_format(arena, "%s \"%.*s\" does not exist",
                                    prepared ? "prepared statement" : "cursor",
                                    SLICE_PRINT(slice_first(statement->name, 64))),
        };
        return false;
    }
    for (size_t i = 0; i < named.count && good; i++) {
        struct errand_ask ask = named.asks[i];
        ask.statement = arena_format(arena, "%.*s /* %.*s */", SLICE_PRINT(statement->normal),
                                     SLICE_PRINT(ask.statement));
        good = begin(session, &ask, out, refused);
    }
    analysis_release(named.analysis);
    return good;
}

bool
decide_run(struct pg_session *session, const struct analysis *analysis, struct decided *out,
           struct pg_refused *refused)
{
    *out = (struct decided){ 0 };
    for (size_t i = 0; i < analysis->script.count; i++) {
        const struct sql_statement *statement = &analysis->script.statements[i];
        bool good = !refers(statement) || begin_named(session, analysis, i, out, refused);

        if (good && (!refers(statement) || statement->touch_count > 0))
            good = begin(session, &analysis->asks[i], out, refused);
        if (!good) {
            take_back(session, out);
            return false;
        }
    }
    return true;
}

bool
decide_may(struct pg_session *session, const struct analysis *analysis, struct pg_refused *refused)
{
    struct arena *arena = &session->door->scratch;
    struct sql_limits limits;
    struct refusal refusal;

    for (size_t i = 0; i < analysis->script.count; i++) {
        if (!errand_may(session->passage, &analysis->asks[i], arena, &limits, &refusal)) {
            *refused = refused_by_gate(&refusal, arena);
            return false;
        }
    }
    return true;
}

bool
decide_lasting(struct pg_session *session, const struct analysis *analysis,
               struct pg_refused *refused)
{
    struct arena *arena = &session->door->scratch;

    if (session->seat.pool == NULL || wanted_keeps(session, analysis))
        return false;
    for (size_t i = 0; i < analysis->script.count; i++) {
        const struct sql_lasting *lasting = analysis->script.statements[i].lasting;
        if (lasting == NULL)
            continue;
        struct slice message =
            arena_format(arena,
                         "%s would outlive its transaction: sessions share the upstream's "
                         "connections (pool.mode is transaction)",
                         lasting->what);
        struct refusal refusal = { .kind = GATE_MALFORMED, .reason = message };
        errand_refuse(session->passage, &analysis->asks[i], arena, &refusal);
        *refused = (struct pg_refused){ .sqlstate = "0A000", .message = message };
        if (lasting->instead != NULL)
            refused->hint = arena_format(arena, "use %s", lasting->instead);
        if (refusal.kind != GATE_MALFORMED)
            *refused = refused_by_gate(&refusal, arena);
        return true;
    }
    return false;
}

void
decide_unserved(struct pg_session *session, struct pg_refused *refused)
{
    const struct errand_ask ask = { .verb = SLICE_LITERAL("query"),
                                    .statement = SLICE_LITERAL("(not read)") };
    struct refusal refusal = { .kind = GATE_BUSY, .reason = slice_text(session->seat.why) };

    if (strcmp(session->seat.sqlstate, "08006") == 0)
        refusal.kind = GATE_UPSTREAM;

    *refused = (struct pg_refused){ .sqlstate = session->seat.sqlstate, .message = refusal.reason };
    errand_refuse(session->passage, &ask, &session->door->scratch, &refusal);
    session->seat.why = session->seat.sqlstate = NULL;
}

void
decide_unreadable(struct pg_session *session, const struct sql_fault *fault,
                  struct pg_refused *refused)
{
    const struct errand_ask ask = { .verb = SLICE_LITERAL("query"),
                                    .statement = SLICE_LITERAL("(not read)") };
    struct refusal refusal = { .kind = GATE_MALFORMED, .reason = fault->message };

    errand_refuse(session->passage, &ask, &session->door->scratch, &refusal);
    *refused = (struct pg_refused){ .sqlstate = fault->sqlstate, .message = fault->message };
    if (refusal.kind != GATE_MALFORMED)
        *refused = refused_by_gate(&refusal, &session->door->scratch);
}
