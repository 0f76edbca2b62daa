/* store/load.c - the present state as the changes that make it; roles, subjects,
 * upstreams and the small things that are kept by name. */
#include "base/encoding.h"
#include "state.h"

/* One pass over one table. */
struct pass {
    struct embedded *store;
    store_visitor each;
    void *context;
    struct fault *fault;
};

static enum status
tell(const struct pass *pass, const struct change *change)
{
    enum status status = pass->each(pass->context, change);

    /* The visitor may have said why, better than this. */
    if (status == STATUS_OK || (pass->fault != NULL && pass->fault->code == status))
        return status;
    return fault_set(pass->fault, status, "a stored change was refused: %s %.*s: %s",
                     change_kind_name(change->kind), SLICE_PRINT(slice_first(change->name, 128)),
                     status_text(status));
}

static enum status
damaged(const struct pass *pass, enum status status, const char *table, int64_t row)
{
    if (status == STATUS_NEWER)
        return fault_set(pass->fault, status,
                         "the store was written by a newer Writ (%s, row "
                         "%lld)",
                         table, (long long)row);
    return fault_set(pass->fault, status, "the store is damaged: %s, row %lld; restore a backup",
                     table, (long long)row);
}

/* Rows of sealed changes in `column`, of which a token's present end counts for
 * more than the one it was issued with: what cut its life may be forgotten. */
static enum status
changes_pass(const struct pass *pass, struct db_statement *read, int column, const char *table)
{
    enum status status;
    int64_t number = 0;
    bool found = false;
    struct row row;

    while ((status = db_step(read, &found)) == STATUS_OK && found) {
        number++;
        status = row_open(db_column_bytes(read, column), &row);
        if (status != STATUS_OK) {
            status = damaged(pass, status, table, number);
            break;
        }
        if (row.end < row.change.token.expires_at)
            row.change.token.expires_at = row.end;
        status = tell(pass, &row.change);
        if (status != STATUS_OK)
            break;
    }
    if (status != STATUS_OK && pass->fault != NULL && pass->fault->code != status)
        db_fault(pass->store->db, pass->fault, status, "reading the store");
    db_rewind(read);
    return status;
}

static enum status
objects_pass(const struct pass *pass, enum change_kind kind)
{
    struct db_statement *read = pass->store->sql[SQL_OBJECTS_PAGE];

    db_bind_int(read, 1, kind);
    db_bind_blob(read, 2, SLICE_LITERAL(""));
    db_bind_int(read, 3, -1);
    return changes_pass(pass, read, 0, change_kind_name(kind));
}

static enum status
line_tell(const struct pass *pass, const struct line_row *line)
{
    struct change change = { .id = line->line };
    enum status status = STATUS_OK;

    if (line->uses > 0 || line->last_used > 0) {
        change.kind = CHANGE_LINE_USED;
        change.uses = line->uses;
        change.at = line->last_used;
        status = tell(pass, &change);
    }
    if (status == STATUS_OK && line->revoked_at != TIME_NEVER) {
        change = (struct change){ .kind = CHANGE_LINE_REVOKED,
                                  .id = line->line,
                                  .at = line->revoked_at };
        status = tell(pass, &change);
    }
    return status;
}

static enum status
lines_pass(const struct pass *pass)
{
    struct db_statement *read = pass->store->sql[SQL_LINES_LOAD];
    struct line_row line;
    enum status status;
    int64_t number = 0;
    bool found = false;

    while ((status = db_step(read, &found)) == STATUS_OK && found) {
        number++;
        status = line_read(read, 0, &line);
        status =
            status == STATUS_OK ? line_tell(pass, &line) : damaged(pass, status, "lines", number);
        if (status != STATUS_OK)
            break;
    }
    if (status != STATUS_OK && pass->fault != NULL && pass->fault->code != status)
        db_fault(pass->store->db, pass->fault, status, "reading the store");
    db_rewind(read);
    return status;
}

enum status
embedded_load(struct store *handle, store_visitor each, void *context, struct fault *fault)
{
    struct embedded *store = embedded_of(handle);
    static const enum change_kind before[] = { CHANGE_KEY_PUT, CHANGE_UPSTREAM_PUT, CHANGE_ROLE_PUT,
                                               CHANGE_SUBJECT_PUT };
    static const enum change_kind after[] = { CHANGE_POLICY_APPLIED, CHANGE_AUDIT_HEAD,
                                              CHANGE_ANSWER_KEPT, CHANGE_TOOL_APPROVED };
    struct fault own = { .code = STATUS_OK };
    struct pass pass = { store, each, context, fault == NULL ? &own : fault };
    enum status status = STATUS_OK;

    pass.fault->code = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof(before) / sizeof(before[0]); i++)
        status = objects_pass(&pass, before[i]);
    if (status == STATUS_OK)
        status = changes_pass(&pass, store->sql[SQL_TOKENS_LOAD], 1, "tokens");
    if (status == STATUS_OK)
        status = lines_pass(&pass);
    if (status == STATUS_OK)
        status = changes_pass(&pass, store->sql[SQL_HOPS_LOAD], 0, "hops");
    for (size_t i = 0; status == STATUS_OK && i < sizeof(after) / sizeof(after[0]); i++)
        status = objects_pass(&pass, after[i]);
    return status;
}

enum status
embedded_objects(struct store *handle, enum change_kind put_kind, struct slice after, size_t limit,
                 store_visitor each, void *context)
{
    struct embedded *store = embedded_of(handle);
    struct db_statement *read = store->sql[SQL_OBJECTS_PAGE];
    struct fault ignored = { .code = STATUS_OK };
    struct pass pass = { store, each, context, &ignored };

    if (limit > INT32_MAX)
        return STATUS_INVALID;
    db_bind_int(read, 1, put_kind);
    db_bind_blob(read, 2, after);
    db_bind_int(read, 3, (int64_t)limit);
    return changes_pass(&pass, read, 0, change_kind_name(put_kind));
}

enum status
embedded_object_get(struct store *handle, enum change_kind put_kind, struct slice name,
                    store_visitor each, void *context)
{
    struct embedded *store = embedded_of(handle);
    struct db_statement *get = store->sql[SQL_OBJECT_GET];
    enum status status;
    bool found = false;
    struct row row;

    db_bind_int(get, 1, put_kind);
    db_bind_blob(get, 2, name);
    status = db_step(get, &found);
    if (status == STATUS_OK)
        status = found ? row_open(db_column_bytes(get, 0), &row) : STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = each(context, &row.change);
    db_rewind(get);
    return status;
}
