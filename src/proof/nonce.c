/* proof/nonce.c - a nonce is base64url(time || node || MAC): nothing is remembered. */
#include "proof/nonce.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"

enum { TIME_SIZE = 8, NODE_SIZE = 4, TAG_SIZE = 16, NONCE_SIZE = TIME_SIZE + NODE_SIZE + TAG_SIZE };

struct nonce_source {
    struct secret key;
    uint8_t node[NODE_SIZE];
};

enum status
nonce_source_new(struct slice node, struct nonce_source **out)
{
    struct nonce_source *source = calloc(1, sizeof *source);
    uint8_t digest[HASH_SIZE];
    enum status status = source == NULL ? STATUS_MEMORY : hash_sha256(&node, 1, digest);

    if (status == STATUS_OK)
        status = random_bytes(source->key.bytes, sizeof source->key.bytes);
    if (status != STATUS_OK) {
        nonce_source_free(source);
        return status;
    }
    memcpy(source->node, digest, sizeof source->node);
    *out = source;
    return STATUS_OK;
}

void
nonce_source_free(struct nonce_source *source)
{
    if (source == NULL)
        return;
    secret_wipe(&source->key, sizeof source->key);
    free(source);
}

/* The time and the node stand in bytes already; adds the tag. */
static bool
put_tag(const struct nonce_source *source, enum nonce_place place, uint8_t bytes[NONCE_SIZE])
{
    const struct slice parts[] = {
        place == NONCE_AUTHORITY ? SLICE_LITERAL("writ nonce authority")
                                 : SLICE_LITERAL("writ nonce gateway"),
        slice_of(bytes, TIME_SIZE + NODE_SIZE),
    };
    uint8_t mac[MAC_SIZE];

    if (mac_once(source->key.bytes, sizeof source->key.bytes, parts, 2, mac) != STATUS_OK)
        return false;
    memcpy(bytes + TIME_SIZE + NODE_SIZE, mac, TAG_SIZE);
    return true;
}

const char *
nonce_make(const struct nonce_source *source, enum nonce_place place, int64_t now,
           char out[NONCE_TEXT_MAX])
{
    struct buffer text = BUFFER_LIMITED(NONCE_TEXT_MAX);
    uint8_t bytes[NONCE_SIZE];

    for (int i = 0; i < TIME_SIZE; i++)
        bytes[i] = (uint8_t)((uint64_t)now >> (56 - 8 * i));
    memcpy(bytes + TIME_SIZE, source->node, NODE_SIZE);
    out[0] = '\0';
    if (put_tag(source, place, bytes)) {
        put_base64url(&text, bytes, sizeof bytes);
        if (text.size < NONCE_TEXT_MAX) {
            memcpy(out, text.bytes, text.size);
            out[text.size] = '\0';
        }
    }
    buffer_free(&text);
    return out;
}

enum nonce_age
nonce_check(const struct nonce_source *source, enum nonce_place place, struct slice text,
            int64_t now)
{
    uint8_t shown[NONCE_SIZE], ours[NONCE_SIZE];
    struct cursor in = { .at = shown, .end = shown + sizeof shown };
    uint64_t at;
    size_t size;

    if (text.size == 0)
        return NONCE_NONE;
    if (!base64url_decode(text, shown, sizeof shown, &size) || size != sizeof shown ||
        !take_be64(&in, &at))
        return NONCE_WRONG;
    memcpy(ours, shown, TIME_SIZE + NODE_SIZE);
    if (!put_tag(source, place, ours) || !secret_equal(ours, shown, sizeof ours))
        return NONCE_WRONG;
    int64_t age = now - (int64_t)at;
    /* A clock that was set back makes a nonce of ours seem to come from later. */
    if (age > NONCE_LIFE_MS || age < -NONCE_LIFE_MS)
        return NONCE_WRONG;
    return age <= NONCE_FRESH_MS ? NONCE_FRESH : NONCE_OLD;
}
