/* proof/dpop_make.c - a fresh proof (RFC 9449 §4.2), for those who call. */
#include "base/encoding.h"
#include "crypto/hash.h"
#include "crypto/jws.h"
#include "crypto/random.h"
#include "proof/dpop.h"

enum { JTI_SIZE = 16 };

static json_t *
base64url_json(const void *bytes, size_t size)
{
    struct buffer text = BUFFER_LIMITED(128);
    json_t *value;

    put_base64url(&text, bytes, size);
    value = json_slice(buffer_slice(&text));
    buffer_free(&text);
    return value;
}

static enum status
payload_make(const struct dpop_claims *claims, json_t **out)
{
    struct slice url = slice_first(claims->url, slice_find(claims->url, '#'));
    uint8_t jti[JTI_SIZE], ath[HASH_SIZE];
    enum status status = random_bytes(jti, sizeof jti);
    json_t *payload;

    if (status == STATUS_OK && claims->token.size > 0)
        status = hash_sha256(&claims->token, 1, ath);
    if (status != STATUS_OK)
        return status;
    url = slice_first(url, slice_find(url, '?'));
    payload = json_pack("{s:o, s:o, s:o, s:I}", "jti", base64url_json(jti, sizeof jti), "htm",
                        json_slice(claims->method), "htu", json_slice(url), "iat",
                        (json_int_t)(claims->now / 1000));
    if (payload != NULL && claims->token.size > 0)
        json_object_set_new(payload, "ath", base64url_json(ath, sizeof ath));
    if (payload != NULL && claims->nonce.size > 0)
        json_object_set_new(payload, "nonce", json_slice(claims->nonce));
    *out = payload;
    return payload == NULL ? STATUS_INVALID : STATUS_OK;
}

enum status
dpop_make(const struct private_key *key, const struct dpop_claims *claims, struct buffer *out)
{
    const struct public_key *public = private_key_public(key);
    json_t *header = json_pack("{s:s, s:o}", "typ", "dpop+jwt", "jwk", public_key_jwk(public));
    json_t *payload = NULL;
    enum status status = header == NULL ? STATUS_MEMORY : payload_make(claims, &payload);

    if (status == STATUS_OK)
        status = jws_sign(key, public_key_alg(public), header, payload, out);
    json_decref(header);
    json_decref(payload);
    return status;
}
