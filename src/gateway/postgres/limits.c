/* gateway/postgres/limits.c - the limits that rights demand, put in force at the server for
 * the transaction in which the statement runs. */
#include <stdio.h>

#include "session.h"

/* A statement of the gateway's own, by the extended protocol under names of its own: it runs
 * in the transaction of what follows it, an implicit one too, and takes nothing away that the
 * client has prepared. */
static bool
put_own(struct pg_session *session, const char *text)
{
    static const enum owed_kind kinds[] = { OWED_PARSE, OWED_BIND, OWED_EXECUTE, OWED_CLOSE,
                                            OWED_CLOSE };
    const struct slice name = SLICE_LITERAL("writ:limit");
    struct buffer *out = &session->door->to_server;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct pg_owed *owed = pg_owed_add(&session->owed, kinds[i]);
        if (owed == NULL)
            return false;
        owed->own = true;
    }
    pg_put_parse(out, name, slice_text(text));
    pg_put_bind(out, name, name);
    pg_put_execute(out, name);
    pg_put_close(out, 'P', name);
    pg_put_close(out, 'S', name);
    return true;
}

bool
limits_put(struct pg_session *session, const struct sql_limits *limits)
{
    char text[64];

    if (limits->read_only && !put_own(session, "SET TRANSACTION READ ONLY"))
        return false;
    if (limits->statement_timeout_ms == 0)
        return true;
    snprintf(text, sizeof(text), "SET LOCAL statement_timeout = %lld",
             (long long)limits->statement_timeout_ms);
    return put_own(session, text);
}
