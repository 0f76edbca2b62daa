/* db/pg.c - the connection: made, prepared, lost, and its errors. The home of libpq. */
#include "pg_handle.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 5000, ANSWER_MS = 10000 };

/* --- errors ---------------------------------------------------------------------- */

static const struct {
    const char *state; /* a SQLSTATE, or its class */
    enum status status;
} states[] = {
    { "23505", STATUS_CONFLICT }, /* unique_violation */
    { "53100", STATUS_FULL },     /* disk_full */
    { "53200", STATUS_MEMORY },   /* out_of_memory */
    { "57014", STATUS_TIMEOUT },  /* query_canceled: the server's own limit */
    { "55P03", STATUS_TIMEOUT },  /* lock_not_available */
    { "40", STATUS_TIMEOUT },     /* transaction rollback: serialisation, deadlock */
    { "28", STATUS_DENIED },      /* invalid authorization */
    { "42501", STATUS_DENIED },   /* insufficient_privilege */
    { "XX001", STATUS_CORRUPT },  /* data_corrupted */
    { "XX002", STATUS_CORRUPT },  /* index_corrupted */
    { "08", STATUS_IO },          { "57", STATUS_IO }, /* the server shuts down */
    { "25006", STATUS_IO }, /* read only: a standby after a change of roles */
};

static enum status
status_of_state(const char *state)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
            return states[i].status;
    }
    return STATUS_INTERNAL;
}

/* libpq ends its messages with a line feed and may write several lines. */
static struct slice
first_line(const char *message)
{
    return slice_first(slice_text(message), strcspn(message, "\n"));
}

enum status
pg_fail_lost(struct pg *pg, struct fault *fault)
{
    struct slice why = first_line(PQerrorMessage(pg->connection));

    pg->lost = true;
    snprintf(pg->state, sizeof pg->state, "08006");
    return fault_set(fault, STATUS_IO, "the store's database: %.*s",
                     SLICE_PRINT(why.size > 0 ? why : SLICE_LITERAL("the connection is lost")));
}

enum status
pg_fail(struct pg *pg, const PGresult *result, struct fault *fault)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (state == NULL || PQstatus(pg->connection) != CONNECTION_OK)
        return pg_fail_lost(pg, fault);
    snprintf(pg->state, sizeof pg->state, "%s", state);
    /* A server that is no primary any more must not be asked again. */
    if (strncmp(state, "25006", 5) == 0 || strncmp(state, "57P", 3) == 0)
        pg->lost = true;
    return fault_set(fault, status_of_state(state), "the store's database: %.*s (%s)",
                     SLICE_PRINT(first_line(PQresultErrorMessage(result))), state);
}

const char *
pg_state(const struct pg *pg)
{
    return pg->state;
}

bool
pg_is_lost(const struct pg *pg)
{
    return pg->lost;
}

/* --- connecting -------------------------------------------------------------------- */

/* libpq's notices ("relation exists, skipping") are for nobody. */
static void
drop_notice(void *context, const PGresult *result)
{
}

static enum status
connect_now(struct pg *pg, struct fault *fault)
{
    char seconds[16];
    const char *const names[] = { "dbname",           "connect_timeout", "target_session_attrs",
                                  "application_name", "keepalives_idle", "tcp_user_timeout",
                                  "client_encoding",  "options",         NULL };
    const char *const values[] = {
        pg->url,      seconds,
        "read-write", "writ",
        "5",          "10000",
        "UTF8",       "-c search_path=writ -c statement_timeout=10s -c lock_timeout=5s",
        NULL,
    };

    snprintf(seconds, sizeof seconds, "%u", (pg->connect_ms + 999) / 1000);
    PQfinish(pg->connection);
    pg->connection = PQconnectdbParams(names, values, 1);
    if (pg->connection == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    PQsetNoticeReceiver(pg->connection, drop_notice, NULL);
    if (PQstatus(pg->connection) != CONNECTION_OK)
        return pg_fail_lost(pg, fault);
    if (PQsetnonblocking(pg->connection, 1) != 0)
        return pg_fail_lost(pg, fault);
    pg->lost = false;
    return STATUS_OK;
}

static Oid
type_of(char kind)
{
    switch (kind) {
    case 'i':
        return PG_OID_INT8;
    case 't':
        return PG_OID_TEXT;
    default:
        return PG_OID_BYTEA;
    }
}

void
pg_types(const struct pg_statement *statement, Oid types[PG_VALUES_MAX])
{
    for (size_t i = 0; statement->parameters[i] != '\0'; i++)
        types[i] = type_of(statement->parameters[i]);
}

enum status
pg_prepare(struct pg *pg, struct fault *fault)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < pg->statement_count; i++) {
        const struct pg_statement *statement = &pg->statements[i];
        Oid types[PG_VALUES_MAX];

        pg_types(statement, types);
        if (PQsendPrepare(pg->connection, statement->name, statement->sql,
                          (int)strlen(statement->parameters), types) != 1)
            return pg_fail_lost(pg, fault);
        status = pg_finish(pg, fault);
        if (status != STATUS_OK)
            fault_prefix(fault, "%s", statement->name);
    }
    pg->prepared = status == STATUS_OK;
    return status;
}

enum status
pg_open(const struct pg_options *options, struct pg **out, struct fault *fault)
{
    struct pg *pg = calloc(1, sizeof *pg);

    if (pg == NULL || (pg->url = slice_strdup(slice_text(options->url))) == NULL) {
        free(pg);
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    pg->statements = options->statements;
    pg->statement_count = options->statement_count;
    pg->connect_ms = options->connect_ms != 0 ? options->connect_ms : CONNECT_MS;
    pg->answer_ms = options->answer_ms != 0 ? options->answer_ms : ANSWER_MS;
    enum status status = connect_now(pg, fault);
    if (status != STATUS_OK) {
        pg_close(pg);
        return status;
    }
    *out = pg;
    return STATUS_OK;
}

enum status
pg_reconnect(struct pg *pg, struct fault *fault)
{
    enum status status = connect_now(pg, fault);

    return status == STATUS_OK && pg->prepared ? pg_prepare(pg, fault) : status;
}

void
pg_close(struct pg *pg)
{
    if (pg == NULL)
        return;
    PQfinish(pg->connection);
    free(pg->url);
    free(pg);
}

int
pg_descriptor(const struct pg *pg)
{
    return pg->lost ? -1 : PQsocket(pg->connection);
}

static bool
is_readable(const struct pg *pg)
{
    struct pollfd descriptor = { .fd = PQsocket(pg->connection), .events = POLLIN };

    return poll(&descriptor, 1, 0) > 0;
}

bool
pg_notified(struct pg *pg)
{
    PGnotify *notify;
    bool any = false;

    /* A server that goes says so first: the end of the connection stands behind that. */
    while (!pg->lost && is_readable(pg)) {
        if (PQconsumeInput(pg->connection) != 1)
            (void)pg_fail_lost(pg, NULL);
    }
    if (pg->lost)
        return false;
    while ((notify = PQnotifies(pg->connection)) != NULL) {
        any = true;
        PQfreemem(notify);
    }
    return any;
}
