/* token/jwt.c - JWT access tokens verified (RFC 9068 §4). */
#include "jwt.h"

#include "base/json.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/jws.h"

bool
jwt_looks_like(struct slice text)
{
    size_t first;

    if (text.size > TOKEN_JWT_MAX || !slice_starts(text, SLICE_LITERAL("ey")))
        return false;
    first = slice_find(text, '.');
    return first < text.size &&
           slice_find(slice_from(text, first + 1), '.') + first + 1 < text.size;
}

static struct slice
text_of(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);

    return json_is_string(member) ? slice_of(json_string_value(member), json_string_length(member))
                                  : (struct slice){ 0 };
}

/* The id that a verified payload names; the rest of it is the record's to say. */
static bool
take_id(const json_t *payload, struct slice issuer, struct token_view *out)
{
    struct hop_id hop;
    bool has_hop;

    if (issuer.size == 0 || !slice_equal(text_of(payload, "iss"), issuer) ||
        !json_is_integer(json_object_get(payload, "exp")) ||
        token_id_parse(text_of(payload, "jti"), &out->id, &hop, &has_hop) != STATUS_OK || has_hop)
        return false;
    token_id_format(&out->id, out->id_text);
    return true;
}

/* The key is chosen by what the header names, and only among the authority's own. */
static enum status
verify_header(const struct jws *jws, const struct keyring_state *ring)
{
    const struct public_key *key;
    enum sign_alg alg;
    json_t *header;
    enum status status = jws_header(jws->header, &header, &alg, NULL);

    if (status != STATUS_OK)
        return status;
    key = keyring_state_signer(ring, text_of(header, "kid"));
    if (!slice_is(text_of(header, "typ"), "at+jwt"))
        status = STATUS_INVALID;
    else
        status = key == NULL ? STATUS_DENIED
                             : public_key_verify(key, alg, jws->signed_text, jws->signature);
    json_decref(header);
    return status;
}

static enum status
verify(struct slice text, const struct keyring_state *ring, struct token_view *out)
{
    struct arena arena;
    struct jws jws;
    json_t *payload = NULL;
    enum status status;

    arena_init(&arena, 4 * TOKEN_JWT_MAX);
    status = jws_split(text, &arena, &jws);
    if (status == STATUS_OK)
        status = verify_header(&jws, ring);
    if (status == STATUS_OK)
        status = json_read(jws.payload, &payload, NULL);
    if (status == STATUS_OK && !take_id(payload, keyring_state_issuer(ring), out))
        status = STATUS_DENIED;
    json_decref(payload);
    arena_free(&arena);
    return status;
}

enum status
jwt_recognize(struct slice text, struct keyring_state *ring, struct token_view *out)
{
    struct known_texts *known = keyring_state_known(ring);
    uint8_t digest[HASH_SIZE];
    struct known_jwt *place;
    enum status status = hash_sha256(&text, 1, digest);

    if (status != STATUS_OK)
        return status;
    out->attenuated = false;
    out->caveat_count = 0;
    out->binary_size = 0;
    out->kid = 0;
    memset(out->mac, 0, sizeof out->mac);
    place = &known->jwts[(digest[0] << 8 | digest[1]) % KNOWN_JWTS];
    if (place->id_text[0] != '\0' && secret_equal(place->digest, digest, sizeof digest)) {
        out->id = place->id;
        memcpy(out->id_text, place->id_text, sizeof out->id_text);
        return STATUS_OK;
    }
    status = verify(text, ring, out);
    if (status != STATUS_OK)
        return status;
    memcpy(place->digest, digest, sizeof digest);
    memcpy(place->id_text, out->id_text, sizeof place->id_text);
    place->id = out->id;
    return STATUS_OK;
}
