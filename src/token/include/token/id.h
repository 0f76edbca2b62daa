/* token/id.h - a token's public name: 128 random bits. */
#ifndef WRIT_TOKEN_ID_H
#define WRIT_TOKEN_ID_H

#include "base/slice.h"
#include "base/status.h"

enum { TOKEN_ID_SIZE = 16, TOKEN_ID_TEXT = 22, HOP_ID_SIZE = 8, HOP_ID_TEXT = 11 };

struct token_id {
    uint8_t bytes[TOKEN_ID_SIZE];
};

struct hop_id {
    uint8_t bytes[HOP_ID_SIZE];
};

/* All zero: no token. */
bool token_id_is_none(const struct token_id *id);
bool token_id_equal(const struct token_id *a, const struct token_id *b);
/* 22 base62 characters and a NUL. */
const char *token_id_format(const struct token_id *id, char out[TOKEN_ID_TEXT + 1]);
/* 11 base62 characters and a NUL. */
const char *hop_id_format(const struct hop_id *hop, char out[HOP_ID_TEXT + 1]);
/* "ID" or "ID/HOP"; *has_hop tells which. */
enum status token_id_parse(struct slice text, struct token_id *id, struct hop_id *hop,
                           bool *has_hop) WRIT_MUST_USE;

#endif
