/* gateway/postgres/effects.c - what statements change of what names stand for. What the
 * gateway is not sure of makes a name stand for more, never for less. */
#include "session.h"

static bool
expect(struct pg_session *session, const struct sql_statement *statement)
{
    uint64_t before = session->names.version;
    bool good = true;

    switch (statement->kind) {
    case SQL_SET_PATH:
        good = pg_names_add_schemas(&session->names, statement->path, statement->path_count) ==
               STATUS_OK;
        break;
    case SQL_RESET_PATH:
    case SQL_DISCARD_ALL:
        good = pg_names_add_initial(&session->names) == STATUS_OK;
        break;
    default:
        break;
    }
    for (size_t i = 0; i < statement->temporary_count && good; i++)
        good = pg_names_add_temporary(&session->names, statement->temporary[i]) == STATUS_OK;
    /* A session that outgrows what is kept of it can't be followed any more. */
    if (!good)
        pg_session_fail(session, &(struct ending){ .sqlstate = "53400",
                                                   .message = SLICE_LITERAL(
                                                       "the session has used too many schemas "
                                                       "or temporary tables"),
                                                   .status = 403 });
    return session->names.version != before;
}

bool
effects_expect(struct pg_session *session, const struct analysis *analysis)
{
    bool changed = false;

    for (size_t i = 0; i < analysis->script.count && session->state == SESSION_OPEN; i++)
        changed |= expect(session, &analysis->script.statements[i]);
    return changed;
}

/* Out of room the name stays unknown, and what uses it is refused. */
static void
set(struct named *named, struct slice name, struct analysis *analysis)
{
    named_put(named, name, (struct meaning){ .analysis = analysis });
}

/* With no transaction around it and nothing else before the server is ready, it holds then: an
 * error or a ROLLBACK in between would take it back. */
static void
note_path(struct pg_session *session, const struct pg_owed *owed,
          const struct sql_statement *statement)
{
    analysis_release(session->path_next);
    session->path_next = NULL;
    if (owed->analysis->script.count == 1 && !statement->local && session->transaction == 'I')
        session->path_next = analysis_hold(owed->analysis);
}

void
effects_done(struct pg_session *session, const struct pg_owed *owed, unsigned index)
{
    const struct sql_statement *statement;

    if (owed->analysis == NULL || index >= owed->analysis->script.count)
        return;
    session->completed++;
    wanted_note(session, owed);
    statement = &owed->analysis->script.statements[index];
    switch (statement->kind) {
    case SQL_PREPARE:
        set(&session->statements, statement->name, owed->analysis);
        break;
    case SQL_DEALLOCATE:
        set(&session->statements, statement->name, NULL);
        break;
    case SQL_DEALLOCATE_ALL:
        named_clear(&session->statements);
        break;
    case SQL_DECLARE:
        set(&session->cursors, statement->name, owed->analysis);
        break;
    case SQL_SET_PATH:
        note_path(session, owed, statement);
        break;
    case SQL_RESET_PATH:
        note_path(session, owed, statement);
        session->pin = true;
        break;
    case SQL_DISCARD_ALL:
        note_path(session, owed, statement);
        session->pin = true;
        named_clear(&session->statements);
        named_clear(&session->cursors);
        break;
    default:
        break;
    }
}

/* After a reset the server resolves names by its own default again, in which a schema may
 * appear that was not there when the session began. */
static void
put_pin(struct pg_session *session)
{
    struct buffer text = { 0 };
    struct pg_owed *owed = pg_owed_add(&session->owed, OWED_QUERY);

    session->pin = false;
    put_text(&text, "SET search_path = ");
    pg_names_put_path(&session->names, &text);
    if (owed == NULL || buffer_status(&text) != STATUS_OK) {
        pg_session_fail(session,
                        &(struct ending){ .sqlstate = "53200",
                                          .message = SLICE_LITERAL("the gateway is out of memory"),
                                          .status = 503 });
    } else {
        owed->own = true;
        pg_put_query(&session->door->to_server, buffer_slice(&text));
    }
    buffer_free(&text);
}

static void
take_path(struct pg_session *session, const struct sql_statement *statement)
{
    enum status status =
        statement->kind == SQL_SET_PATH
            ? pg_names_set_schemas(&session->names, statement->path, statement->path_count)
            : pg_names_set_initial(&session->names);

    (void)status; /* without it a name stands for more, which is refused sooner */
}

void
effects_ready(struct pg_session *session)
{
    struct analysis *path = session->path_next;

    session->path_next = NULL;
    bool alone = session->completed == 1 && !session->failed;
    session->completed = 0;
    session->failed = false;
    wanted_ready(session, alone);
    if (session->transaction == 'I' && session->owed.count == 0) {
        if (path != NULL && alone)
            take_path(session, &path->script.statements[0]);
        named_clear(&session->portals);
    }
    analysis_release(path);
    /* A shared server goes back now, and comes with its path pinned. */
    if (session->seat.pool != NULL && session->transaction == 'I' && session->owed.count == 0 &&
        !session->batch)
        session->pin = false;
    if (session->pin && session->transaction != 'E')
        put_pin(session);
}
