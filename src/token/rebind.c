/* token/rebind.c - a bound token is bound to another key by the one that it had. */
#include "base/secret.h"
#include "caveat.h"
#include "crypto/hash.h"
#include "crypto/private_key.h"

enum { MESSAGE_SIZE = 13 + HASH_SIZE + CAVEAT_JKT_SIZE };

bool
rebind_read(struct slice value, struct rebind *out)
{
    struct cursor in = cursor_over(value);

    return take_bytes(&in, CAVEAT_JKT_SIZE, &out->jkt) && take_slice16(&in, &out->key) &&
           out->key.size > 0 && out->key.size <= PUBLIC_KEY_PACKED_MAX && cursor_left(&in) > 0 &&
           cursor_left(&in) <= SIGNATURE_MAX && take_bytes(&in, cursor_left(&in), &out->signature);
}

static enum status
message_make(struct slice before, const void *jkt, uint8_t out[MESSAGE_SIZE])
{
    memcpy(out, "writ rebind 1", 13);
    memcpy(out + 13 + HASH_SIZE, jkt, CAVEAT_JKT_SIZE);
    return hash_sha256(&before, 1, out + 13);
}

bool
token_rebind_holds(const struct token_view *view, size_t i, const uint8_t in_force[32])
{
    const struct caveat *caveat = &view->caveats[i];
    const char *start = (const char *)view->binary;
    struct public_key *key;
    struct rebind rebind;
    uint8_t message[MESSAGE_SIZE];
    bool holds;

    if (caveat->kind != CAVEAT_KEY_SIGNED || !rebind_read(caveat->value, &rebind) ||
        message_make(slice_of(start, (size_t)(caveat_bytes(caveat).at - start)), rebind.jkt.at,
                     message) != STATUS_OK ||
        public_key_unpack(rebind.key, &key) != STATUS_OK)
        return false;
    holds = secret_equal(public_key_thumbprint(key), in_force, CAVEAT_JKT_SIZE) &&
            public_key_verify(key, public_key_alg(key), slice_of(message, sizeof message),
                              rebind.signature) == STATUS_OK;
    public_key_free(key);
    return holds;
}

enum status
rebind_write(struct slice before, const uint8_t jkt[CAVEAT_JKT_SIZE],
             const struct private_key *signer, struct buffer *out)
{
    const struct public_key *public = private_key_public(signer);
    struct buffer packed = { 0 };
    uint8_t message[MESSAGE_SIZE];
    enum status status = message_make(before, jkt, message);

    if (status == STATUS_OK)
        status = public_key_pack(public, &packed);
    put_bytes(out, jkt, CAVEAT_JKT_SIZE);
    put_slice16(out, buffer_slice(&packed));
    buffer_free(&packed);
    if (status == STATUS_OK)
        status = private_key_sign(signer, public_key_alg(public), slice_of(message, sizeof message),
                                  out);
    return status == STATUS_OK ? buffer_status(out) : status;
}
