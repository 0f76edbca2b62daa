/* fuzz/jws.c - any text as a JWS, and as a JWK or a set of them: what is taken is strict,
 * and a key that is taken comes out of its packed form the same. */
#include <stdlib.h>
#include <string.h>

#include "crypto/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_key(const json_t *jwk)
{
    struct public_key *key, *again;
    struct buffer packed = { 0 };

    if (public_key_from_jwk(jwk, &key, NULL) != STATUS_OK)
        return;
    if (public_key_pack(key, &packed) == STATUS_OK) {
        if (public_key_unpack(buffer_slice(&packed), &again) != STATUS_OK ||
            memcmp(public_key_thumbprint(key), public_key_thumbprint(again), 32) != 0)
            abort();
        public_key_free(again);
    }
    if (public_key_verify(key, public_key_alg(key), slice_of("x", 1), slice_of("y", 1)) ==
        STATUS_OK)
        abort();
    buffer_free(&packed);
    public_key_free(key);
}

static void
check_json(struct slice text)
{
    struct jwks *set;
    json_t *value;

    if (json_read(text, &value, NULL) != STATUS_OK)
        return;
    check_key(value);
    if (jwks_read(value, &set, NULL) == STATUS_OK) {
        if (jwks_count(set) > JWKS_KEYS_MAX)
            abort();
        jwks_free(set);
    }
    json_decref(value);
}

static void
check_jws(struct slice text)
{
    struct arena arena;
    struct jws jws;
    enum sign_alg alg;
    json_t *header;

    arena_init(&arena, 1 << 16);
    if (jws_split(text, &arena, &jws) == STATUS_OK) {
        if (jws.signature.size > SIGNATURE_MAX || jws.signed_text.size >= text.size)
            abort();
        if (jws_header(jws.header, &header, &alg, NULL) == STATUS_OK) {
            if (alg == ALG_NONE || json_object_get(header, "crit") != NULL)
                abort();
            json_decref(header);
        }
    }
    arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_jws(slice_of(data, size));
    check_json(slice_of(data, size));
    return 0;
}
