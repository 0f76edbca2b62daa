/* store/apply.c - one change onto the state tables. */
#include "state.h"

static enum status
failed(struct embedded *store, enum status status, struct fault *fault)
{
    return status == STATUS_OK ? STATUS_OK
                               : db_fault(store->db, fault, status, "writing the store");
}

static enum status
absent(struct fault *fault, const char *what, const struct token_id *id)
{
    char text[TOKEN_ID_TEXT + 1];

    return fault_set(fault, STATUS_NOT_FOUND, "the store has no %s %s", what,
                     token_id_format(id, text));
}

static enum status
damaged(struct fault *fault, enum status status, const struct token_id *id)
{
    char text[TOKEN_ID_TEXT + 1];

    return fault_set(fault, status, "the stored token %s: %s", token_id_format(id, text),
                     status_text(status));
}

/* Seals a change into store->row, which is free between two statements. */
static enum status
seal(struct embedded *store, const struct change *change, int64_t end, struct fault *fault)
{
    enum status status;

    buffer_clear(&store->row);
    status = row_seal(&store->row, change, end);
    return status == STATUS_OK ? STATUS_OK
                               : fault_set(fault, status, "a change can't be written down: %s: %s",
                                           change_kind_name(change->kind), status_text(status));
}

static enum status
roles_add(struct embedded *store, const struct token_record *token)
{
    struct db_statement *add = store->sql[SQL_TOKEN_ROLE_ADD];
    struct slice rest = token->roles, role;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && slice_next(&rest, ' ', &role)) {
        db_bind_text(add, 1, role);
        db_bind_int(add, 2, token->issued_at);
        status = db_do(add);
    }
    return status;
}

static enum status
token_add(struct embedded *store, const struct change *change, struct fault *fault)
{
    const struct token_record *token = &change->token;
    struct db_statement *add = store->sql[SQL_TOKEN_ADD];
    enum status status = seal(store, change, token->expires_at, fault);
    char text[TOKEN_ID_TEXT + 1];

    if (status != STATUS_OK)
        return status;
    db_bind_blob(add, 1, id_slice(&token->id));
    if (!token_id_equal(&token->id, &token->line))
        db_bind_blob(add, 2, id_slice(&token->line));
    if (!token_id_is_none(&token->parent_line))
        db_bind_blob(add, 3, id_slice(&token->parent_line));
    db_bind_int(add, 4, token->issued_at);
    db_bind_int(add, 5, token->expires_at);
    db_bind_text(add, 6, token->subject);
    db_bind_blob(add, 7, buffer_slice(&store->row));
    status = db_do(add);
    if (status == STATUS_CONFLICT)
        return fault_set(fault, status, "the store has a token %s already",
                         token_id_format(&token->id, text));
    if (status == STATUS_OK)
        status = roles_add(store, token);
    return failed(store, status, fault);
}

/* A predecessor's end only ever moves forward to the present: a rotation can't
 * prolong what it replaces. */
/* Never later than it is. */
static enum status
token_end(struct embedded *store, const struct token_id *id, int64_t end, struct fault *fault)
{
    struct db_statement *get = store->sql[SQL_TOKEN_GET], *set = store->sql[SQL_TOKEN_END];
    struct store_token token;
    struct row row;
    bool found = false;
    enum status status;

    db_bind_blob(get, 1, id_slice(id));
    status = db_step(get, &found);
    if (status != STATUS_OK)
        failed(store, status, fault);
    else if (!found)
        status = absent(fault, "token", id);
    else if ((status = token_row_read(get, &row, &token)) != STATUS_OK)
        damaged(fault, status, id);
    else if (end < token.life.expires_at) {
        buffer_clear(&store->row);
        status = row_reseal(&store->row, db_column_bytes(get, 2), end);
        if (status == STATUS_OK) {
            db_bind_blob(set, 1, id_slice(id));
            db_bind_int(set, 2, end);
            db_bind_blob(set, 3, buffer_slice(&store->row));
            status = db_do(set);
        }
        failed(store, status, fault);
    }
    db_rewind(get);
    return status;
}

static enum status
token_rotate(struct embedded *store, const struct change *change, struct fault *fault)
{
    enum status status = token_end(store, &change->token.predecessor, change->expires_at, fault);

    return status == STATUS_OK ? token_add(store, change, fault) : status;
}

static enum status
line_known(struct embedded *store, const struct token_id *line, bool *known)
{
    struct db_statement *find = store->sql[SQL_LINE_KNOWN];
    enum status status;

    db_bind_blob(find, 1, id_slice(line));
    status = db_step(find, known);
    db_rewind(find);
    return status;
}

static enum status
line_get(struct embedded *store, const struct token_id *line, struct line_row *out,
         struct fault *fault)
{
    struct db_statement *get = store->sql[SQL_LINE_GET];
    bool found = false;
    enum status status;

    db_bind_blob(get, 1, id_slice(line));
    status = db_step(get, &found);
    if (status != STATUS_OK)
        failed(store, status, fault);
    else if (!found)
        *out = (struct line_row){ .line = *line, .revoked_at = TIME_NEVER };
    else if ((status = line_read(get, 0, out)) != STATUS_OK)
        damaged(fault, status, line);
    db_rewind(get);
    return status;
}

static enum status
line_revoke(struct embedded *store, const struct change *change, struct fault *fault)
{
    struct line_row row;
    bool known = false;
    enum status status = failed(store, line_known(store, &change->id, &known), fault);

    if (status != STATUS_OK)
        return status;
    if (!known)
        return absent(fault, "line", &change->id);
    status = line_get(store, &change->id, &row, fault);
    if (status != STATUS_OK || row.revoked_at <= change->at)
        return status;
    row.revoked_at = change->at;
    return failed(store, line_write(store, &row), fault);
}

/* Counts come from lanes and may be about a line that was forgotten since. */
static enum status
line_use(struct embedded *store, const struct change *change, struct fault *fault)
{
    struct line_row row;
    bool known = false;
    enum status status = failed(store, line_known(store, &change->id, &known), fault);

    if (status != STATUS_OK || !known)
        return status;
    status = line_get(store, &change->id, &row, fault);
    if (status != STATUS_OK || (row.uses >= change->uses && row.last_used >= change->at))
        return status;
    if (row.uses < change->uses)
        row.uses = change->uses;
    if (row.last_used < change->at)
        row.last_used = change->at;
    return failed(store, line_write(store, &row), fault);
}

static enum status
hop_revoke(struct embedded *store, const struct change *change, struct fault *fault)
{
    struct db_statement *set = store->sql[SQL_HOP_SET];
    struct db_statement *get = store->sql[SQL_TOKEN_GET];
    bool known = false;
    enum status status;

    db_bind_blob(get, 1, id_slice(&change->id));
    status = failed(store, db_step(get, &known), fault);
    db_rewind(get);
    if (status == STATUS_OK && !known)
        status = absent(fault, "token", &change->id);
    if (status == STATUS_OK)
        status = seal(store, change, TIME_NEVER, fault);
    if (status != STATUS_OK)
        return status;
    db_bind_blob(set, 1, id_slice(&change->id));
    db_bind_blob(set, 2, slice_of(change->hop.bytes, sizeof(change->hop.bytes)));
    db_bind_int(set, 3, change->expires_at);
    db_bind_blob(set, 4, buffer_slice(&store->row));
    return failed(store, db_do(set), fault);
}

static enum status
roles_drop(struct embedded *store, const struct token_record *token, int64_t no)
{
    struct db_statement *drop = store->sql[SQL_TOKEN_ROLES_DROP];
    struct slice rest = token->roles, role;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && slice_next(&rest, ' ', &role)) {
        db_bind_text(drop, 1, role);
        db_bind_int(drop, 2, token->issued_at);
        db_bind_int(drop, 3, no);
        status = db_do(drop);
    }
    return status;
}

static enum status
run_on(struct embedded *store, enum store_statement name, struct slice blob)
{
    db_bind_blob(store->sql[name], 1, blob);
    return db_do(store->sql[name]);
}

/* A line's life stays until its last member goes. */
static enum status
token_forget(struct embedded *store, const struct change *change, struct fault *fault)
{
    struct db_statement *get = store->sql[SQL_TOKEN_GET];
    struct store_token token;
    struct token_id line;
    struct row row;
    bool found = false, known = true;
    enum status status;

    db_bind_blob(get, 1, id_slice(&change->id));
    status = failed(store, db_step(get, &found), fault);
    if (status == STATUS_OK && found && (status = token_row_read(get, &row, &token)) != STATUS_OK)
        damaged(fault, status, &change->id);
    if (status == STATUS_OK && found) {
        line = token.record.line;
        status = failed(store, roles_drop(store, &token.record, db_column_int(get, 0)), fault);
    }
    db_rewind(get);
    if (status != STATUS_OK || !found)
        return status;
    status = run_on(store, SQL_TOKEN_DROP, id_slice(&change->id));
    if (status == STATUS_OK)
        status = run_on(store, SQL_HOPS_DROP, id_slice(&change->id));
    if (status == STATUS_OK)
        status = line_known(store, &line, &known);
    if (status == STATUS_OK && !known)
        status = run_on(store, SQL_LINE_DROP, id_slice(&line));
    return failed(store, status, fault);
}

static enum status
object_put(struct embedded *store, const struct change *change, struct fault *fault)
{
    struct db_statement *set = store->sql[SQL_OBJECT_SET];
    enum status status;

    if (change->name.size == 0)
        return fault_set(fault, STATUS_INVALID, "%s without a name",
                         change_kind_name(change->kind));
    status = seal(store, change, TIME_NEVER, fault);
    if (status != STATUS_OK)
        return status;
    db_bind_int(set, 1, change->kind);
    db_bind_blob(set, 2, change->name);
    db_bind_blob(set, 3, buffer_slice(&store->row));
    return failed(store, db_do(set), fault);
}

static enum status
object_drop(struct embedded *store, enum change_kind put_kind, const struct change *change,
            struct fault *fault)
{
    struct db_statement *drop = store->sql[SQL_OBJECT_DROP];

    db_bind_int(drop, 1, put_kind);
    db_bind_blob(drop, 2, change->name);
    return failed(store, db_do(drop), fault);
}

/* No default, so that the compiler names a kind that is new and has no case. */
enum status
state_apply(struct embedded *store, const struct change *change, struct fault *fault)
{
    switch (change->kind) {
    case CHANGE_TOKEN_ISSUED:
        return token_add(store, change, fault);
    case CHANGE_TOKEN_ROTATED:
        return token_rotate(store, change, fault);
    case CHANGE_MEMBER_ENDED:
        return token_end(store, &change->id, change->expires_at, fault);
    case CHANGE_LINE_REVOKED:
        return line_revoke(store, change, fault);
    case CHANGE_HOP_REVOKED:
        return hop_revoke(store, change, fault);
    case CHANGE_LINE_USED:
        return line_use(store, change, fault);
    case CHANGE_TOKEN_FORGOTTEN:
        return token_forget(store, change, fault);
    case CHANGE_ROLE_PUT:
    case CHANGE_SUBJECT_PUT:
    case CHANGE_UPSTREAM_PUT:
    case CHANGE_KEY_PUT:
    case CHANGE_POLICY_APPLIED:
    case CHANGE_AUDIT_HEAD:
    case CHANGE_ANSWER_KEPT:
    case CHANGE_TOOL_APPROVED:
        return object_put(store, change, fault);
    case CHANGE_ROLE_DROPPED:
        return object_drop(store, CHANGE_ROLE_PUT, change, fault);
    case CHANGE_SUBJECT_DROPPED:
        return object_drop(store, CHANGE_SUBJECT_PUT, change, fault);
    case CHANGE_UPSTREAM_DROPPED:
        return object_drop(store, CHANGE_UPSTREAM_PUT, change, fault);
    case CHANGE_KEY_DROPPED:
        return object_drop(store, CHANGE_KEY_PUT, change, fault);
    case CHANGE_ANSWER_FORGOTTEN:
        return object_drop(store, CHANGE_ANSWER_KEPT, change, fault);
    case CHANGE_TOOL_WITHDRAWN:
        return object_drop(store, CHANGE_TOOL_APPROVED, change, fault);
    case CHANGE_KINDS:
        break;
    }
    return fault_set(fault, STATUS_INVALID, "a change of an unknown kind: %d", (int)change->kind);
}
