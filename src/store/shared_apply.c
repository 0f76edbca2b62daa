/* store/shared_apply.c - one change as statements; none needs an answer before the next, so
 * that a whole batch is one round trip. What a change may refer to was checked by the node
 * that makes it, against all that came before: HEAD_MOVE holds it to that. */
#include "base/clock.h"
#include "shared.h"

static enum status
seal(struct shared *store, const struct change *change, int64_t end, struct fault *fault)
{
    buffer_clear(&store->row);
    enum status status = row_seal(&store->row, change, end);

    return status == STATUS_OK ? STATUS_OK
                               : fault_set(fault, status, "a change can't be written down: %s: %s",
                                           change_kind_name(change->kind), status_text(status));
}

static enum status
token_add(struct shared *store, const struct change *change, struct fault *fault)
{
    const struct token_record *token = &change->token;
    struct slice rest = token->roles, role;
    enum status status = seal(store, change, token->expires_at, fault);

    if (status != STATUS_OK)
        return status;
    struct pg_value values[] = {
        pg_bytes(id_slice(&token->id)),
        pg_bytes(id_slice(&token->line)),
        pg_bytes(id_slice(&token->parent_line)),
        pg_int(token->issued_at),
        pg_int(token->expires_at),
        pg_text(token->subject),
        pg_bytes(buffer_slice(&store->row)),
    };
    values[2].null = token_id_is_none(&token->parent_line);
    pg_add(store->pg, SHARED_TOKEN_ADD, values);
    while (slice_next(&rest, ' ', &role))
        pg_add(store->pg, SHARED_TOKEN_ROLE_ADD,
               (struct pg_value[]){ pg_text(role), pg_int(token->issued_at),
                                    pg_bytes(id_slice(&token->id)) });
    return STATUS_OK;
}

static enum status
token_end(struct shared *store, const struct token_id *id, int64_t end)
{
    pg_add(store->pg, SHARED_TOKEN_END, (struct pg_value[]){ pg_bytes(id_slice(id)), pg_int(end) });
    return STATUS_OK;
}

static enum status
line_use(struct shared *store, const struct change *change)
{
    pg_add(store->pg, SHARED_LINE_USE,
           (struct pg_value[]){ pg_bytes(id_slice(&change->id)), pg_int(TIME_NEVER),
                                pg_int(change->at), pg_int(change->uses) });
    return STATUS_OK;
}

static enum status
hop_revoke(struct shared *store, const struct change *change, struct fault *fault)
{
    enum status status = seal(store, change, TIME_NEVER, fault);

    if (status == STATUS_OK)
        pg_add(store->pg, SHARED_HOP_SET,
               (struct pg_value[]){ pg_bytes(id_slice(&change->id)),
                                    pg_bytes(slice_of(change->hop.bytes, sizeof change->hop.bytes)),
                                    pg_int(change->expires_at),
                                    pg_bytes(buffer_slice(&store->row)) });
    return status;
}

/* A line's life stays until its last member goes. */
static enum status
token_forget(struct shared *store, const struct token_id *id)
{
    static const enum shared_statement drops[] = { SHARED_TOKEN_LINE_DROP, SHARED_TOKEN_ROLES_DROP,
                                                   SHARED_HOPS_DROP, SHARED_TOKEN_DROP };

    for (size_t i = 0; i < sizeof drops / sizeof drops[0]; i++)
        pg_add(store->pg, drops[i], (struct pg_value[]){ pg_bytes(id_slice(id)) });
    return STATUS_OK;
}

static enum status
object_put(struct shared *store, const struct change *change, struct fault *fault)
{
    if (change->name.size == 0)
        return fault_set(fault, STATUS_INVALID, "%s without a name",
                         change_kind_name(change->kind));
    enum status status = seal(store, change, TIME_NEVER, fault);
    if (status == STATUS_OK)
        pg_add(store->pg, SHARED_OBJECT_SET,
               (struct pg_value[]){ pg_int(change->kind), pg_bytes(change->name),
                                    pg_bytes(buffer_slice(&store->row)) });
    return status;
}

static enum status
object_drop(struct shared *store, enum change_kind put_kind, struct slice name)
{
    pg_add(store->pg, SHARED_OBJECT_DROP, (struct pg_value[]){ pg_int(put_kind), pg_bytes(name) });
    return STATUS_OK;
}

/* No default, so that the compiler names a kind that is new and has no case. */
enum status
shared_apply(struct shared *store, const struct change *change, struct fault *fault)
{
    switch (change->kind) {
    case CHANGE_TOKEN_ISSUED:
        return token_add(store, change, fault);
    case CHANGE_TOKEN_ROTATED:
        (void)token_end(store, &change->token.predecessor, change->expires_at);
        return token_add(store, change, fault);
    case CHANGE_MEMBER_ENDED:
        return token_end(store, &change->id, change->expires_at);
    case CHANGE_LINE_REVOKED:
        pg_add(store->pg, SHARED_LINE_REVOKE,
               (struct pg_value[]){ pg_bytes(id_slice(&change->id)), pg_int(change->at) });
        return STATUS_OK;
    case CHANGE_HOP_REVOKED:
        return hop_revoke(store, change, fault);
    case CHANGE_LINE_USED:
        return line_use(store, change);
    case CHANGE_TOKEN_FORGOTTEN:
        return token_forget(store, &change->id);
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
        return object_drop(store, CHANGE_ROLE_PUT, change->name);
    case CHANGE_SUBJECT_DROPPED:
        return object_drop(store, CHANGE_SUBJECT_PUT, change->name);
    case CHANGE_UPSTREAM_DROPPED:
        return object_drop(store, CHANGE_UPSTREAM_PUT, change->name);
    case CHANGE_KEY_DROPPED:
        return object_drop(store, CHANGE_KEY_PUT, change->name);
    case CHANGE_ANSWER_FORGOTTEN:
        return object_drop(store, CHANGE_ANSWER_KEPT, change->name);
    case CHANGE_TOOL_WITHDRAWN:
        return object_drop(store, CHANGE_TOOL_APPROVED, change->name);
    case CHANGE_KINDS:
        break;
    }
    return fault_set(fault, STATUS_INVALID, "a change of an unknown kind: %d", (int)change->kind);
}
