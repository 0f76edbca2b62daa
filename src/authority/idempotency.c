/* authority/idempotency.c - Idempotency-Key on issue and rotate: only digests and
 * the token's id are kept; the text is derived again. */
#include "internal.h"

#include "base/clock.h"
#include "base/encoding.h"
#include "crypto/hash.h"

enum { KEY_MAX = 255 };

/* Two digests: of the key as this caller uses it on this path, and of that with
 * the body, so that the same key with another body is seen. */
static enum status
digest(const struct api_request *request, bool with_body, struct slice *out)
{
    const struct slice parts[] = {
        request->caller.subject, SLICE_LITERAL("\n"),      request->caller.token,
        SLICE_LITERAL("\n"),     request->idempotency_key, SLICE_LITERAL("\n"),
        request->path,           SLICE_LITERAL("\n"),      request->text
    };
    struct buffer text = { 0 };
    uint8_t hash[HASH_SIZE];
    enum status status = hash_sha256(parts, with_body ? 9 : 7, hash);

    if (status != STATUS_OK)
        return status;
    put_hex(&text, hash, sizeof hash);
    *out = arena_copy(request->arena, buffer_slice(&text));
    buffer_free(&text);
    return out->at == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
answer_find(struct authority *authority, const struct api_request *request, struct token_id *id,
            struct fault *fault)
{
    struct slice whole, key_alone;
    struct token_id other;
    int64_t at;
    enum status status;

    if (request->idempotency_key.size == 0)
        return STATUS_NOT_FOUND;
    if (request->idempotency_key.size > KEY_MAX)
        return fault_set(fault, STATUS_INVALID, "Idempotency-Key: at most %d bytes", KEY_MAX);
    status = digest(request, true, &whole);
    if (status == STATUS_OK)
        status = digest(request, false, &key_alone);
    if (status != STATUS_OK)
        return status;
    status = store_answer(authority->store, whole, id, &at);
    if (status == STATUS_OK && request->now - at < ANSWER_LIFE)
        return STATUS_OK;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    status = store_answer(authority->store, key_alone, &other, &at);
    if (status == STATUS_OK && request->now - at < ANSWER_LIFE)
        return fault_set(fault, STATUS_CONFLICT,
                         "this Idempotency-Key came with another body before: use a new key");
    return status == STATUS_OK ? STATUS_NOT_FOUND : status;
}

size_t
answer_changes(const struct api_request *request, const struct token_id *id, struct change out[2])
{
    for (int with_body = 0; with_body < 2; with_body++) {
        out[with_body] =
            (struct change){ .kind = CHANGE_ANSWER_KEPT, .at = request->now, .id = *id };
        if (request->idempotency_key.size == 0 ||
            digest(request, with_body != 0, &out[with_body].name) != STATUS_OK)
            return 0;
    }
    return 2;
}
