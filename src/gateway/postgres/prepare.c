/* gateway/postgres/prepare.c - what a client has prepared is prepared anew at each server that
 * comes to it without, under a name that means the same text for all. */
#include "prepare.h"

enum { PREPARED_MOST = 1000 }; /* of one server; then it forgets all, between two sessions */

bool
prepare_keep(struct pg_session *session, struct slice name, struct slice body,
             struct pg_kept **kept)
{
    *kept = NULL;
    if (session->seat.pool == NULL)
        return true;
    *kept = name.size > 0 ? kept_named(pool_kepts(session), body) : kept_unnamed(body);
    return *kept != NULL;
}

static bool
put_own_close(struct pg_session *session, struct slice name)
{
    struct pg_owed *owed = pg_owed_add(&session->owed, OWED_CLOSE);

    if (owed == NULL)
        return false;
    owed->own = true;
    pg_put_close(&session->door->to_server, 'S', name);
    return true;
}

/* The Parse itself, for what is owed last. */
static bool
put_parse(struct pg_session *session, struct pg_kept *kept, struct slice name)
{
    struct pg_owed *owed = pg_owed_last(&session->owed);

    owed->ticket = prepared_sent(pool_prepared(session), kept);
    owed->kept = kept_hold(kept);
    pg_put_parse_of(&session->door->to_server, name, kept_body(kept));
    if (pool_prepared(session)->count > PREPARED_MOST)
        pool_trace(session, SQL_TRACE_SESSION);
    return owed->ticket != 0;
}

bool
prepare_parse(struct pg_session *session, struct slice name, struct pg_kept *kept,
              struct pg_owed **owed)
{
    char text[KEPT_NAME_SIZE];
    struct slice at_server = kept_name(kept, text);
    enum prepared_state state = prepared_state(pool_prepared(session), kept);

    /* In a failed transaction the server is to say so itself. */
    if (state != PREPARED_NOT && session->transaction == 'E')
        state = PREPARED_DOUBT;
    if (name.size > 0 && state == PREPARED_DOUBT && !put_own_close(session, at_server))
        return false;
    *owed = pg_owed_add(&session->owed, OWED_PARSE);
    if (*owed == NULL)
        return false;
    (*owed)->local = name.size > 0 && (state == PREPARED_YES || state == PREPARED_SENT);
    return (*owed)->local || put_parse(session, kept, at_server);
}

bool
prepare_use(struct pg_session *session, struct slice *name, char text[KEPT_NAME_SIZE])
{
    struct pg_kept *kept = named_kept(&session->statements, *name);

    if (kept == NULL)
        return true;
    *name = kept_name(kept, text);
    switch (prepared_state(pool_prepared(session), kept)) {
    case PREPARED_YES:
    case PREPARED_SENT:
        return true;
    case PREPARED_DOUBT:
        if (name->size > 0 && !put_own_close(session, *name))
            return false;
        break;
    case PREPARED_NOT:
        break;
    }
    struct pg_owed *owed = pg_owed_add(&session->owed, OWED_PARSE);
    if (owed == NULL)
        return false;
    owed->own = true;
    session->batch = true;
    return put_parse(session, kept, *name);
}

void
prepare_close(struct pg_session *session, struct pg_owed *owed)
{
    owed->local = named_set(&session->statements, pg_owed_name(owed), (struct meaning){ 0 },
                            &owed->previous) == STATUS_OK;
    prepare_answer(session);
}

void
prepare_answer(struct pg_session *session)
{
    struct pg_owed *owed;

    while ((owed = pg_owed_first(&session->owed)) != NULL && owed->local) {
        pg_put_done(&session->door->to_client, owed->kind == OWED_CLOSE ? '3' : '1');
        pg_owed_drop_first(&session->owed);
    }
}
