/* store/shared_schema.c - the tables, made and migrated by whichever node comes first. */
#include "shared.h"

/* Step i brings version i to i + 1. A node that is older than the tables does not start; one
 * that is newer brings them along, and the older ones go on with what they have prepared. */
static const char *const steps[SHARED_SCHEMA] = {
    "CREATE TABLE head (one int8 PRIMARY KEY CHECK (one = 1), seq int8 NOT NULL);"
    "INSERT INTO head (one, seq) VALUES (1, 0);"
    "CREATE TABLE changes (seq int8 PRIMARY KEY, at int8 NOT NULL, writer bytea NOT NULL,"
    " body bytea NOT NULL);"
    "CREATE TABLE tokens (id bytea PRIMARY KEY, line bytea NOT NULL, parent_line bytea,"
    " issued_at int8 NOT NULL, expires_at int8 NOT NULL, subject text NOT NULL,"
    " body bytea NOT NULL);"
    "CREATE INDEX tokens_line ON tokens (line);"
    "CREATE INDEX tokens_parent ON tokens (parent_line) WHERE parent_line IS NOT NULL;"
    "CREATE INDEX tokens_issued ON tokens (issued_at, id);"
    "CREATE INDEX tokens_subject ON tokens (subject, issued_at, id);"
    "CREATE TABLE token_roles (role text, issued_at int8, token bytea,"
    " PRIMARY KEY (role, issued_at, token));"
    "CREATE INDEX token_roles_token ON token_roles (token);"
    "CREATE TABLE lines (line bytea PRIMARY KEY, revoked_at int8 NOT NULL,"
    " last_used int8 NOT NULL, uses int8 NOT NULL);"
    "CREATE TABLE hops (token bytea, hop bytea, expires_at int8 NOT NULL, body bytea NOT NULL,"
    " PRIMARY KEY (token, hop));"
    "CREATE TABLE objects (kind int8, name bytea, body bytea NOT NULL, PRIMARY KEY (kind, name));"
    "CREATE TABLE nodes (id bytea PRIMARY KEY, name text NOT NULL, seq int8 NOT NULL,"
    " beats int8 NOT NULL, fenced int8 NOT NULL, at timestamptz NOT NULL);",
};

static enum status
take_int(void *context, const struct pg_row *row)
{
    *(int64_t *)context = pg_row_int(row, 0);
    return STATUS_OK;
}

/* Two nodes that start at once may both try: the one that comes second finds it done. */
static enum status
make_meta(struct pg *pg, struct fault *fault)
{
    enum status status = STATUS_OK;

    for (int attempt = 0; attempt < 3; attempt++) {
        status = pg_run(pg,
                        "CREATE SCHEMA IF NOT EXISTS writ;"
                        "CREATE TABLE IF NOT EXISTS writ.meta (name text PRIMARY KEY,"
                        " value int8 NOT NULL);"
                        "INSERT INTO writ.meta (name, value) VALUES ('schema', 0)"
                        " ON CONFLICT DO NOTHING",
                        fault);
        if (status == STATUS_OK || pg_is_lost(pg))
            return status;
    }
    return status;
}

static enum status
bring(struct pg *pg, struct fault *fault)
{
    static const struct pg_statement locked = {
        "", "SELECT value FROM meta WHERE name = 'schema' FOR UPDATE", ""
    };
    static const struct pg_statement write = { "",
                                               "UPDATE meta SET value = $1 WHERE name = 'schema'",
                                               "i" };
    int64_t version = -1;
    enum status status = pg_query_once(pg, &locked, NULL, take_int, &version, fault);

    if (status == STATUS_OK && version > SHARED_SCHEMA)
        status = fault_set(fault, STATUS_NEWER,
                           "the store's tables have version %lld, this Writ knows up to %d: run "
                           "the newer Writ",
                           (long long)version, SHARED_SCHEMA);
    for (int64_t at = version; status == STATUS_OK && at < SHARED_SCHEMA; at++)
        status = pg_run(pg, steps[at], fault);
    if (status == STATUS_OK && version < SHARED_SCHEMA)
        status = pg_query_once(pg, &write, (struct pg_value[]){ pg_int(SHARED_SCHEMA) }, take_int,
                               &version, fault);
    return status;
}

enum status
shared_schema_bring(struct pg *pg, struct fault *fault)
{
    enum status status = make_meta(pg, fault);

    if (status == STATUS_OK)
        status = pg_run(pg, "BEGIN", fault);
    if (status != STATUS_OK)
        return status;
    status = bring(pg, fault);
    if (status == STATUS_OK)
        return pg_run(pg, "COMMIT", fault);
    if (pg_run(pg, "ROLLBACK", NULL) != STATUS_OK)
        fault_prefix(fault, "bringing the store's tables up to date");
    return status;
}
