/* gateway/postgres/wanted.c - the settings that a session has from its log-in, and those that it
 * SETs afterwards where connections are shared: each server is told them at its own log-in. */
#include <stdlib.h>

#include "pool_inside.h"
#include "session.h"

enum { VALUE_MAX = 1024 }; /* of one that is kept */

/* What a client may set at its log-in without a right: as with SET. */
static const char *const settable[] = {
    "application_name",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "lock_timeout",
    "search_path",
    "statement_timeout",
    "timezone",
    "bytea_output",
    "geqo",
    NULL,
};

bool
wanted_may(struct slice name)
{
    for (size_t i = 0; settable[i] != NULL; i++) {
        if (slice_equal_nocase(name, slice_text(settable[i])))
            return true;
    }
    return false;
}

/* --- kinds ---------------------------------------------------------------------------- */

struct pg_kind *
pool_kind(struct pg_pool *pool, struct slice wanted)
{
    struct pg_kind *kind = pool->kinds;

    while (kind != NULL && !slice_equal(buffer_slice(&kind->wanted), wanted))
        kind = kind->next;
    if (kind == NULL) {
        kind = calloc(1, sizeof(*kind));
        if (kind == NULL)
            return NULL;
        put_slice(&kind->wanted, wanted);
        if (buffer_status(&kind->wanted) != STATUS_OK) {
            free(kind);
            return NULL;
        }
        kind->next = pool->kinds;
        pool->kinds = kind;
    }
    kind->users++;
    return kind;
}

void
pool_kind_release(struct pg_pool *pool, struct pg_kind *kind)
{
    struct pg_kind **link = &pool->kinds;

    if (kind == NULL || --kind->users > 0)
        return;
    while (*link != kind)
        link = &(*link)->next;
    *link = kind->next;
    buffer_free(&kind->wanted);
    buffer_free(&kind->hello);
    free(kind);
}

/* --- SET ---------------------------------------------------------------------------------- */

bool
wanted_keeps(const struct pg_session *session, const struct analysis *analysis)
{
    const struct sql_statement *statement = &analysis->script.statements[0];

    return session->transaction == 'I' && analysis->script.count == 1 &&
           statement->value.at != NULL && statement->value.size <= VALUE_MAX &&
           wanted_may(statement->setting);
}

/* The pairs of this name, or all others. */
static void
put_pairs(struct buffer *out, const struct pg_kind *kind, struct slice name, bool of_name)
{
    struct slice rest = buffer_slice(&kind->wanted), at, value;

    while (pg_parameter_next(&rest, &at, &value)) {
        if (slice_equal_nocase(at, name) != of_name)
            continue;
        put_slice(out, at);
        put_u8(out, 0);
        put_slice(out, value);
        put_u8(out, 0);
    }
}

static void
put_wanted(struct buffer *out, const struct pool_seat *seat, const struct sql_statement *statement)
{
    if (statement->setting.size == 0) { /* RESET ALL, DISCARD ALL */
        put_slice(out, buffer_slice(&seat->first->wanted));
        return;
    }
    put_pairs(out, seat->kind, statement->setting, false);
    if (statement->value.at == NULL) { /* RESET */
        put_pairs(out, seat->first, statement->setting, true);
        return;
    }
    put_slice(out, statement->setting);
    put_u8(out, 0);
    put_slice(out, statement->value);
    put_u8(out, 0);
}

void
wanted_note(struct pg_session *session, const struct pg_owed *owed)
{
    struct pool_seat *seat = &session->seat;
    const struct sql_statement *statement = &owed->analysis->script.statements[0];
    bool all = statement->kind == SQL_DISCARD_ALL ||
               (statement->kind == SQL_RESET_PATH && statement->setting.size == 0);

    if (seat->pool == NULL || owed->analysis->script.count != 1 || session->transaction != 'I' ||
        statement->local || (!all && statement->setting.size == 0))
        return;
    analysis_release(seat->set_next);
    seat->set_next = analysis_hold(owed->analysis);
}

void
wanted_ready(struct pg_session *session, bool alone)
{
    struct pool_seat *seat = &session->seat;
    struct analysis *analysis = seat->set_next;
    struct buffer wanted = { 0 };

    seat->set_next = NULL;
    if (analysis == NULL || !alone || session->transaction != 'I') {
        analysis_release(analysis);
        return;
    }
    put_wanted(&wanted, seat, &analysis->script.statements[0]);
    struct pg_kind *kind =
        buffer_status(&wanted) == STATUS_OK ? pool_kind(seat->pool, buffer_slice(&wanted)) : NULL;
    if (kind != NULL) {
        pool_kind_release(seat->pool, seat->kind);
        seat->kind = kind;
    }
    buffer_free(&wanted);
    analysis_release(analysis);
}
