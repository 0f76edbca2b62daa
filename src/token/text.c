/* token/text.c - a token's text: taken apart, verified, made. */
#include "token/text.h"

#include "base/encoding.h"
#include "caveat.h"
#include "crypto/mac.h"
#include "jwt.h"
#include "ring.h"

enum { CRC_TEXT = 6, ATTENUATED_BODY_MAX = TOKEN_TEXT_MAX - 6 };

#define MAC_LABEL SLICE_LITERAL("writ token 1")

/* The text after the prefix; false when the prefix or the length is not ours. */
static bool
split_prefix(struct slice text, struct slice *body, bool *attenuated)
{
    if (slice_starts(text, SLICE_LITERAL("writ_"))) {
        *body = slice_from(text, 5);
        *attenuated = false;
        return body->size == TOKEN_TEXT_BODY;
    }
    if (slice_starts(text, SLICE_LITERAL("writa_"))) {
        *body = slice_from(text, 6);
        *attenuated = true;
        return body->size >= TOKEN_TEXT_BODY && body->size <= ATTENUATED_BODY_MAX;
    }
    return false;
}

bool
token_checksum_right(struct slice text)
{
    uint32_t crc = crc32_of(slice_first(text, text.size - CRC_TEXT));
    uint8_t bytes[4] = { (uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                         (uint8_t)crc };
    char expected[CRC_TEXT];

    base62_encode(bytes, sizeof bytes, expected);
    return memcmp(expected, text.at + text.size - CRC_TEXT, CRC_TEXT) == 0;
}

static bool
alphabet_right(struct slice body)
{
    for (size_t i = 0; i < body.size; i++) {
        char c = body.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

bool
token_text_valid(struct slice text)
{
    struct slice body;
    bool attenuated;

    return split_prefix(text, &body, &attenuated) && alphabet_right(body) &&
           token_checksum_right(text);
}

/* version kid id caveats… mac, with nothing left over. */
static enum status
read_binary(struct token_view *view)
{
    struct cursor in = cursor_over(slice_of(view->binary, view->binary_size));
    struct slice id, caveats, mac;
    uint8_t version;

    if (!take_u8(&in, &version) || version != TOKEN_VERSION || !take_u8(&in, &view->kid) ||
        !take_bytes(&in, TOKEN_ID_SIZE, &id) || cursor_left(&in) < MAC_SIZE ||
        !take_bytes(&in, cursor_left(&in) - MAC_SIZE, &caveats) || !take_bytes(&in, MAC_SIZE, &mac))
        return STATUS_INVALID;
    memcpy(view->id.bytes, id.at, TOKEN_ID_SIZE);
    token_id_format(&view->id, view->id_text);
    memcpy(view->mac, mac.at, MAC_SIZE);
    if (token_id_is_none(&view->id))
        return STATUS_INVALID;
    if (view->attenuated)
        return caveats_read(caveats, view);
    return caveats.size == 0 ? STATUS_OK : STATUS_INVALID;
}

enum status
token_parse(struct slice text, struct token_view *out)
{
    struct slice body;
    enum status status;

    out->binary_size = 0;
    out->caveat_count = 0;
    if (!split_prefix(text, &body, &out->attenuated) || !token_checksum_right(text) ||
        !base62_decode(slice_first(body, body.size - CRC_TEXT), out->binary, sizeof out->binary,
                       &out->binary_size))
        return STATUS_INVALID;
    status = read_binary(out);
    if (status != STATUS_OK)
        token_view_wipe(out);
    return status;
}

void
token_view_wipe(struct token_view *view)
{
    secret_wipe(view->binary, view->binary_size);
    secret_wipe(view->mac, sizeof view->mac);
    view->binary_size = 0;
    view->caveat_count = 0;
}

enum status
token_mac(const struct token_view *view, struct keyring_state *ring, uint8_t mac[MAC_SIZE],
          bool *known)
{
    struct slice parts[2] = { MAC_LABEL, slice_of(view->binary, TOKEN_HEAD_SIZE) };
    enum status status = mac_compute(keyring_state_mac(ring, view->kid, known), parts, 2, mac);

    for (size_t i = 0; status == STATUS_OK && i < view->caveat_count; i++) {
        struct slice caveat = caveat_bytes(&view->caveats[i]);
        status = mac_once(mac, MAC_SIZE, &caveat, 1, mac);
    }
    return status;
}

enum status
token_verify(const struct token_view *view, struct keyring_state *ring)
{
    uint8_t mac[MAC_SIZE];
    bool known;
    enum status status = token_mac(view, ring, mac, &known);

    if (status == STATUS_OK && !(secret_equal(mac, view->mac, sizeof mac) & known))
        status = STATUS_DENIED;
    secret_wipe(mac, sizeof mac);
    return status;
}

/* The id in a text of which nothing else was read yet. */
static bool
claimed_id(struct slice text, struct token_id *out)
{
    enum { CHARS = 33 }; /* the groups of base62 in which it lies */
    uint8_t head[CHARS / 11 * 8];
    struct slice body;
    bool attenuated;
    size_t size;

    if (!split_prefix(text, &body, &attenuated) ||
        !base62_decode(slice_first(body, CHARS), head, sizeof head, &size))
        return false;
    memcpy(out->bytes, head + TOKEN_HEAD_SIZE - TOKEN_ID_SIZE, TOKEN_ID_SIZE);
    return true;
}

/* token_parse, and the expectant is told. */
static enum status
parse_expected(struct slice text, const struct token_expectant *expectant, struct token_view *out)
{
    struct token_id claimed;
    enum status status;

    if (!claimed_id(text, &claimed))
        return STATUS_INVALID;
    expectant->claimed(expectant->keeper, &claimed);
    status = token_parse(text, out);
    if (status == STATUS_OK)
        expectant->read(expectant->keeper, &out->id);
    return status;
}

enum status
token_recognize(struct slice text, struct keyring_state *ring,
                const struct token_expectant *expectant, struct token_view *out)
{
    struct known_texts *known = keyring_state_known(ring);
    enum status status;

    if (known_find(known, text, out))
        return STATUS_OK;
    if (jwt_looks_like(text))
        return jwt_recognize(text, ring, out);
    status = expectant == NULL ? token_parse(text, out) : parse_expected(text, expectant, out);
    if (status == STATUS_OK)
        status = token_verify(out, ring);
    if (status == STATUS_OK)
        known_add(known, text, out);
    return status;
}

size_t
token_put_text(const char *prefix, const uint8_t *binary, size_t size, char *out)
{
    size_t at = strlen(prefix);
    uint8_t bytes[4];
    uint32_t crc;

    memcpy(out, prefix, at);
    base62_encode(binary, size, out + at);
    at += base62_encoded_size(size);
    crc = crc32_of(slice_of(out, at));
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(crc >> (24 - 8 * i));
    base62_encode(bytes, sizeof bytes, out + at);
    return at + CRC_TEXT;
}

enum status
token_write(const struct token_id *id, uint8_t kid, struct keyring_state *ring,
            char out[TOKEN_TEXT_SIZE + 1])
{
    uint8_t binary[TOKEN_HEAD_SIZE + MAC_SIZE] = { TOKEN_VERSION, kid };
    struct slice parts[2] = { MAC_LABEL, slice_of(binary, TOKEN_HEAD_SIZE) };
    struct mac_state *state;
    bool known;
    enum status status;

    state = keyring_state_mac(ring, kid, &known);
    if (!known)
        return STATUS_NOT_FOUND;
    memcpy(binary + 2, id->bytes, TOKEN_ID_SIZE);
    status = mac_compute(state, parts, 2, binary + TOKEN_HEAD_SIZE);
    if (status == STATUS_OK)
        out[token_put_text("writ_", binary, sizeof binary, out)] = '\0';
    secret_wipe(binary, sizeof binary);
    return status;
}

size_t
token_put_attenuated(const uint8_t *binary, size_t size, char out[TOKEN_TEXT_MAX])
{
    if (6 + base62_encoded_size(size) + CRC_TEXT > TOKEN_TEXT_MAX)
        return 0;
    return token_put_text("writa_", binary, size, out);
}
