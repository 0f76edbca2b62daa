/* db/statement.c - statements, transactions, and the values that go in and out. */
#include <stdlib.h>

#include "handle.h"

enum status
db_run(struct db *db, const char *sql)
{
    return db_translate(db->handle, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

enum status
db_begin(struct db *db)
{
    return db_run(db, "BEGIN IMMEDIATE");
}

enum status
db_commit(struct db *db)
{
    enum status status = db_run(db, "COMMIT");

    /* A commit that failed can leave the transaction open. The first failure is
     * the one to report; a rollback that fails too is met by the next begin. */
    if (status != STATUS_OK && !sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

enum status
db_rollback(struct db *db)
{
    return sqlite3_get_autocommit(db->handle) ? STATUS_OK : db_run(db, "ROLLBACK");
}

enum status
db_prepare(struct db *db, const char *sql, struct db_statement **out)
{
    struct db_statement *statement = calloc(1, sizeof(*statement));
    enum status status;

    if (statement == NULL)
        return STATUS_MEMORY;
    status =
        db_translate(db->handle, sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                    &statement->handle, NULL));
    if (status != STATUS_OK) {
        free(statement);
        return status;
    }
    statement->db = db;
    statement->next = db->statements;
    if (statement->next != NULL)
        statement->next->previous = statement;
    db->statements = statement;
    *out = statement;
    return STATUS_OK;
}

void
db_finish(struct db_statement *statement)
{
    if (statement == NULL)
        return;
    if (statement->next != NULL)
        statement->next->previous = statement->previous;
    if (statement->previous != NULL)
        statement->previous->next = statement->next;
    else
        statement->db->statements = statement->next;
    sqlite3_finalize(statement->handle);
    free(statement);
}

static void
bound(struct db_statement *statement, int code)
{
    if (statement->bound == SQLITE_OK)
        statement->bound = code;
}

void
db_bind_int(struct db_statement *statement, int index, int64_t value)
{
    bound(statement, sqlite3_bind_int64(statement->handle, index, value));
}

/* SQLite takes a NULL pointer for NULL, whatever the size. */
static const char *
never_null(struct slice value)
{
    return value.at == NULL ? "" : value.at;
}

void
db_bind_text(struct db_statement *statement, int index, struct slice value)
{
    bound(statement, sqlite3_bind_text64(statement->handle, index, never_null(value), value.size,
                                         SQLITE_STATIC, SQLITE_UTF8));
}

void
db_bind_blob(struct db_statement *statement, int index, struct slice value)
{
    bound(statement, sqlite3_bind_blob64(statement->handle, index, never_null(value), value.size,
                                         SQLITE_STATIC));
}

void
db_bind_null(struct db_statement *statement, int index)
{
    bound(statement, sqlite3_bind_null(statement->handle, index));
}

enum status
db_step(struct db_statement *statement, bool *row)
{
    int code = statement->bound == SQLITE_OK ? sqlite3_step(statement->handle) : statement->bound;
    enum status status = db_translate(statement->db->handle, code);

    if (status == STATUS_OK)
        *row = code == SQLITE_ROW;
    return status;
}

void
db_rewind(struct db_statement *statement)
{
    sqlite3_reset(statement->handle);
    sqlite3_clear_bindings(statement->handle);
    statement->bound = SQLITE_OK;
}

enum status
db_do(struct db_statement *statement)
{
    enum status status;
    bool row = true;

    do
        status = db_step(statement, &row);
    while (status == STATUS_OK && row);
    db_rewind(statement);
    return status;
}

int64_t
db_column_int(struct db_statement *statement, int column)
{
    return sqlite3_column_int64(statement->handle, column);
}

struct slice
db_column_bytes(struct db_statement *statement, int column)
{
    /* The pointer first: asking for the size first could convert (and move) it. */
    const void *at = sqlite3_column_blob(statement->handle, column);
    size_t size = (size_t)sqlite3_column_bytes(statement->handle, column);

    if (at == NULL && sqlite3_column_type(statement->handle, column) != SQLITE_NULL)
        at = "";
    return slice_of(at, size);
}

bool
db_column_is_null(struct db_statement *statement, int column)
{
    return sqlite3_column_type(statement->handle, column) == SQLITE_NULL;
}

uint64_t
db_changed(struct db *db)
{
    return (uint64_t)sqlite3_changes64(db->handle);
}
