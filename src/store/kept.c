/* store/kept.c - the small things that are kept by name, read back. */
#include "backend.h"
#include "base/encoding.h"

static enum status
answer_take(void *context, const struct change *change)
{
    struct change *out = context;

    /* Slices would dangle: only the plain members are taken. */
    out->id = change->id;
    out->at = change->at;
    return STATUS_OK;
}

enum status
store_policy_applied(struct store *store, struct slice digest, bool *out)
{
    struct change found;
    enum status status =
        store_object_get(store, CHANGE_POLICY_APPLIED, digest, answer_take, &found);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *out = status == STATUS_OK;
    return STATUS_OK;
}

enum status
store_answer(struct store *store, struct slice digest, struct token_id *id, int64_t *at)
{
    struct change found;
    enum status status = store_object_get(store, CHANGE_ANSWER_KEPT, digest, answer_take, &found);

    if (status == STATUS_OK) {
        *id = found.id;
        *at = found.at;
    }
    return status;
}

struct head {
    uint64_t seq;
    uint8_t hash[32];
};

static enum status
head_take(void *context, const struct change *change)
{
    struct cursor in = cursor_over(change->body);
    struct head *out = context;
    struct slice hash;

    if (!take_be64(&in, &out->seq) || !take_bytes(&in, sizeof(out->hash), &hash) ||
        cursor_left(&in) != 0)
        return STATUS_CORRUPT;
    memcpy(out->hash, hash.at, sizeof(out->hash));
    return STATUS_OK;
}

enum status
store_audit_head(struct store *store, struct slice node, uint64_t *seq, uint8_t hash[32])
{
    struct head head;
    enum status status = store_object_get(store, CHANGE_AUDIT_HEAD, node, head_take, &head);

    if (status == STATUS_OK) {
        *seq = head.seq;
        memcpy(hash, head.hash, sizeof(head.hash));
    }
    return status;
}
