/* gateway/postgres/refuse.c - a refused message leaves the session as PostgreSQL itself would
 * leave it after an error. */
#include "session.h"

/* Never a statement; it fails where the refused one would have run. */
static const char in_place[] = "(refused by the gateway)";

static const char *
sqlstate_of(enum gate_refusal kind)
{
    switch (kind) {
    case GATE_FORBIDDEN:
    case GATE_DENIED:
    case GATE_UNAPPROVED:
    case GATE_UNPROVEN:
        return "42501";
    case GATE_RATE:
    case GATE_BUSY:
        return "53300";
    case GATE_MALFORMED:
        return "0A000";
    default:
        return "28000";
    }
}

struct pg_refused
refused_by_gate(const struct refusal *refusal, struct arena *arena)
{
    struct pg_refused refused = {
        .sqlstate = sqlstate_of(refusal->kind),
        .message = arena_format(arena, "permission denied: %.*s", SLICE_PRINT(refusal->reason)),
    };

    if (refusal->kind == GATE_FORBIDDEN && refusal->right.size > 0)
        refused.hint = arena_format(arena, "you need %.*s", SLICE_PRINT(refusal->right));
    return refused;
}

static void
put_error(struct buffer *out, const struct pg_refused *refused)
{
    pg_put_error(out, &(struct pg_error){ .severity = PG_ERROR,
                                          .sqlstate = refused->sqlstate,
                                          .message = refused->message,
                                          .hint = refused->hint });
}

/* Nothing is under way at the server, and no transaction that the error would abort: the
 * server need not hear of it. */
static bool
server_is_aside(const struct pg_session *session)
{
    return session->owed.count == 0 && !session->batch && session->transaction != 'T';
}

static bool
owe_refused(struct pg_session *session, enum owed_kind kind, const struct pg_refused *refused)
{
    struct pg_owed *owed = pg_owed_add(&session->owed, kind);

    if (owed == NULL)
        return false;
    put_error(&owed->refused, refused);
    return buffer_status(&owed->refused) == STATUS_OK;
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

bool
refuse_query(struct pg_session *session, const struct pg_refused *refused)
{
    struct pg_door *door = session->door;

    if (server_is_aside(session)) {
        put_error(&door->to_client, refused);
        pg_put_ready(&door->to_client, session->transaction);
        return true;
    }
    if (!owe_refused(session, OWED_QUERY, refused))
        return out_of_memory(session);
    pg_put_query(&door->to_server, slice_text(in_place));
    return true;
}

bool
refuse_message(struct pg_session *session, const struct pg_refused *refused)
{
    struct pg_door *door = session->door;

    if (server_is_aside(session)) {
        put_error(&door->to_client, refused);
        session->skipping = true;
        return true;
    }
    if (!owe_refused(session, OWED_PARSE, refused))
        return out_of_memory(session);
    pg_put_parse(&door->to_server, SLICE_LITERAL("writ:refused"), slice_text(in_place));
    session->batch = true;
    return true;
}
