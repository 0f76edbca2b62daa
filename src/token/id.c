/* token/id.c - ids of tokens and hops, as text and back. */
#include "token/id.h"

#include "base/encoding.h"

bool
token_id_is_none(const struct token_id *id)
{
    static const struct token_id none;

    return memcmp(id, &none, sizeof none) == 0;
}

bool
token_id_equal(const struct token_id *a, const struct token_id *b)
{
    return memcmp(a->bytes, b->bytes, TOKEN_ID_SIZE) == 0;
}

const char *
token_id_format(const struct token_id *id, char out[TOKEN_ID_TEXT + 1])
{
    base62_encode(id->bytes, TOKEN_ID_SIZE, out);
    out[TOKEN_ID_TEXT] = '\0';
    return out;
}

const char *
hop_id_format(const struct hop_id *hop, char out[HOP_ID_TEXT + 1])
{
    base62_encode(hop->bytes, HOP_ID_SIZE, out);
    out[HOP_ID_TEXT] = '\0';
    return out;
}

enum status
token_id_parse(struct slice text, struct token_id *id, struct hop_id *hop, bool *has_hop)
{
    struct token_id read_id;
    struct hop_id read_hop = { 0 };
    size_t size;
    bool with_hop = text.size != TOKEN_ID_TEXT;

    if (with_hop) {
        if (text.size != TOKEN_ID_TEXT + 1 + HOP_ID_TEXT || text.at[TOKEN_ID_TEXT] != '/' ||
            !base62_decode(slice_from(text, TOKEN_ID_TEXT + 1), read_hop.bytes, HOP_ID_SIZE,
                           &size) ||
            size != HOP_ID_SIZE)
            return STATUS_INVALID;
    }
    if (!base62_decode(slice_first(text, TOKEN_ID_TEXT), read_id.bytes, TOKEN_ID_SIZE, &size) ||
        size != TOKEN_ID_SIZE || token_id_is_none(&read_id))
        return STATUS_INVALID;
    *id = read_id;
    *hop = read_hop;
    *has_hop = with_hop;
    return STATUS_OK;
}
