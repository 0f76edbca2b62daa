/* crypto/jws.c - compact JWS (RFC 7515 §7.1): taken apart, and made. */
#include "crypto/jws.h"

#include "base/encoding.h"

static enum status
decode_into(struct arena *arena, struct slice text, size_t most, struct slice *out)
{
    size_t room = text.size / 4 * 3 + 3, size;
    uint8_t *bytes = arena_take(arena, room);

    if (bytes == NULL)
        return STATUS_MEMORY;
    if (!base64url_decode(text, bytes, room, &size) || size > most)
        return STATUS_INVALID;
    *out = slice_of(bytes, size);
    return STATUS_OK;
}

enum status
jws_split(struct slice text, struct arena *arena, struct jws *out)
{
    struct slice rest, payload, signature;
    enum status status;
    size_t dot;

    if (text.size > JWS_MAX)
        return STATUS_TOO_LARGE;
    dot = slice_find(text, '.');
    out->header = slice_first(text, dot);
    rest = slice_from(text, dot + 1);
    payload = slice_first(rest, slice_find(rest, '.'));
    signature = slice_from(rest, payload.size + 1);
    if (out->header.size == 0 || payload.size == rest.size || signature.size == 0 ||
        slice_find(signature, '.') != signature.size)
        return STATUS_INVALID;
    out->signed_text = slice_first(text, dot + 1 + payload.size);
    status = decode_into(arena, payload, JWS_MAX, &out->payload);
    if (status == STATUS_OK)
        status = decode_into(arena, signature, SIGNATURE_MAX, &out->signature);
    return status;
}

static enum status
judge_header(const json_t *header, enum sign_alg *alg, struct fault *fault)
{
    const json_t *name = json_object_get(header, "alg");

    if (!json_is_object(header))
        return fault_set(fault, STATUS_INVALID, "the JWS header is no JSON object");
    if (json_object_get(header, "crit") != NULL || json_object_get(header, "b64") != NULL)
        return fault_set(fault, STATUS_INVALID,
                         "the JWS header demands an extension (crit) that is not understood");
    if (!json_is_string(name))
        return fault_set(fault, STATUS_INVALID, "the JWS header names no alg");
    *alg = alg_parse(slice_of(json_string_value(name), json_string_length(name)));
    if (*alg == ALG_NONE)
        return fault_set(fault, STATUS_INVALID,
                         "the JWS alg is none of ES256, EdDSA, RS256, PS256");
    return STATUS_OK;
}

enum status
jws_header(struct slice header, json_t **out, enum sign_alg *alg, struct fault *fault)
{
    uint8_t bytes[JWS_MAX];
    size_t size;
    json_t *read;
    enum status status;

    if (!base64url_decode(header, bytes, sizeof bytes, &size))
        return fault_set(fault, STATUS_INVALID, "the JWS header is no base64url");
    status = json_read(slice_of(bytes, size), &read, fault);
    if (status != STATUS_OK)
        return status;
    status = judge_header(read, alg, fault);
    if (status == STATUS_OK)
        *out = read;
    else
        json_decref(read);
    return status;
}

static void
put_json_base64url(struct buffer *out, const json_t *value)
{
    struct buffer text = BUFFER_LIMITED(JWS_MAX);

    put_json(&text, value);
    if (buffer_status(&text) == STATUS_OK)
        put_base64url(out, text.bytes, text.size);
    else
        out->status = buffer_status(&text);
    buffer_free(&text);
}

enum status
jws_sign(const struct private_key *key, enum sign_alg alg, json_t *header, const json_t *payload,
         struct buffer *out)
{
    struct buffer signature = BUFFER_LIMITED(SIGNATURE_MAX);
    size_t start = out->size;
    enum status status;

    if (json_object_set_new(header, "alg", json_string(alg_name(alg))) != 0)
        return STATUS_MEMORY;
    put_json_base64url(out, header);
    put_u8(out, '.');
    put_json_base64url(out, payload);
    status = buffer_status(out);
    if (status == STATUS_OK)
        status = private_key_sign(key, alg, slice_from(buffer_slice(out), start), &signature);
    if (status == STATUS_OK) {
        put_u8(out, '.');
        put_base64url(out, signature.bytes, signature.size);
        status = buffer_status(out);
    }
    buffer_free(&signature);
    return status;
}
