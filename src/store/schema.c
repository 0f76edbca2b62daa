/* store/schema.c - the tables, and the steps from one version of them to the next. */
#include "state.h"

enum { APPLICATION_ID = 0x57726974 }; /* "Writ", as file(1) shows it */

/* Step n makes version n + 1. A step that was ever released is never changed.
 *
 * tokens.no is the order of issue: who reads in that order meets a parent before
 * its children and a predecessor before its successor. tokens.line is NULL for a
 * line's first member. A line has a row once it was used or revoked. */
const char *const schema_steps[] = {
    "CREATE TABLE changes (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE TABLE tokens (no INTEGER PRIMARY KEY, id BLOB NOT NULL, line BLOB, parent_line BLOB,"
    " issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, subject TEXT NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX tokens_id ON tokens (id);"
    "CREATE INDEX tokens_line ON tokens (line) WHERE line IS NOT NULL;"
    "CREATE INDEX tokens_parent ON tokens (parent_line, issued_at) WHERE parent_line IS NOT NULL;"
    "CREATE INDEX tokens_issued ON tokens (issued_at);"
    "CREATE INDEX tokens_subject ON tokens (subject, issued_at);"
    "CREATE TABLE token_roles (role TEXT NOT NULL, issued_at INTEGER NOT NULL,"
    " no INTEGER NOT NULL, PRIMARY KEY (role, issued_at, no)) WITHOUT ROWID;"
    "CREATE TABLE lines (line BLOB PRIMARY KEY, revoked_at INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL, uses INTEGER NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE hops (token BLOB NOT NULL, hop BLOB NOT NULL, expires_at INTEGER NOT NULL,"
    " body BLOB NOT NULL, PRIMARY KEY (token, hop)) WITHOUT ROWID;"
    "CREATE INDEX hops_end ON hops (expires_at);"
    "CREATE TABLE objects (kind INTEGER NOT NULL, name BLOB NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (kind, name)) WITHOUT ROWID;",
};
_Static_assert(sizeof(schema_steps) / sizeof(schema_steps[0]) == STORE_SCHEMA,
               "one step for each version");

static enum status
number_of(struct db *db, const char *sql, int64_t *out)
{
    struct db_statement *statement = NULL;
    enum status status = db_prepare(db, sql, &statement);
    bool row = false;

    if (status == STATUS_OK)
        status = db_step(statement, &row);
    if (status == STATUS_OK && row)
        *out = db_column_int(statement, 0);
    db_finish(statement);
    return status == STATUS_OK && !row ? STATUS_NOT_FOUND : status;
}

/* Who made this file: nobody yet (version 0), or a Writ of some version. */
static enum status
version_read(struct db *db, int64_t *version, struct fault *fault)
{
    int64_t owner, tables;
    enum status status = number_of(db, "PRAGMA application_id", &owner);

    if (status == STATUS_OK)
        status = number_of(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (status != STATUS_OK)
        return db_fault(db, fault, status, "reading the store");
    if (owner == 0 && tables == 0) {
        *version = 0;
        return STATUS_OK;
    }
    if (owner != APPLICATION_ID)
        return fault_set(fault, STATUS_INVALID,
                         "the file is a database of another program, not a store of Writ");
    status = number_of(db, "SELECT value FROM meta WHERE name = 'schema'", version);
    if (status == STATUS_NOT_FOUND || status == STATUS_INTERNAL)
        return fault_set(fault, STATUS_CORRUPT, "the store has lost the version of its tables");
    return status == STATUS_OK ? STATUS_OK : db_fault(db, fault, status, "reading the store");
}

static enum status
version_write(struct db *db, int64_t version)
{
    struct db_statement *statement = NULL;
    enum status status = db_prepare(
        db, "INSERT OR REPLACE INTO meta (name, value) VALUES ('schema', ?1)", &statement);

    if (status == STATUS_OK) {
        db_bind_int(statement, 1, version);
        status = db_do(statement);
    }
    db_finish(statement);
    return status;
}

static enum status
steps_take(struct db *db, const char *const *steps, int64_t from, int64_t to)
{
    enum status status = STATUS_OK;

    if (from == 0) {
        /* 1467115892 is APPLICATION_ID; a pragma takes no parameter. */
        status = db_run(db, "PRAGMA application_id = 1467115892;"
                            "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID");
    }
    for (int64_t at = from; status == STATUS_OK && at < to; at++)
        status = db_run(db, steps[at]);
    return status == STATUS_OK ? version_write(db, to) : status;
}

enum status
schema_bring(struct db *db, const char *const *steps, int64_t version, struct fault *fault)
{
    int64_t found = 0;
    enum status status = db_begin(db);

    if (status != STATUS_OK)
        return db_fault(db, fault, status, "locking the store");
    status = version_read(db, &found, fault);
    if (status == STATUS_OK && found > version)
        status = fault_set(fault, STATUS_NEWER,
                           "the store has version %lld of its tables, this Writ knows up to %lld; "
                           "run the newer Writ, or restore a backup from before the upgrade",
                           (long long)found, (long long)version);
    if (status == STATUS_OK && found < version) {
        status = steps_take(db, steps, found, version);
        if (status == STATUS_OK)
            status = db_commit(db);
        if (status != STATUS_OK)
            db_fault(db, fault, status, "bringing the store's tables up to date");
    }
    /* After a failure nothing of the steps stays; the first error is the one told. */
    if (db_rollback(db) != STATUS_OK && status == STATUS_OK)
        status = db_fault(db, fault, STATUS_IO, "unlocking the store");
    return status;
}
