/* token/caveat.h - inside the room: caveats as bytes (kind u8, be16 length, value). */
#ifndef WRIT_TOKEN_CAVEAT_H
#define WRIT_TOKEN_CAVEAT_H

#include "token/text.h"

enum {
    TOKEN_VERSION = 1,
    TOKEN_HEAD_SIZE = 2 + TOKEN_ID_SIZE, /* version, kid, id: what the first MAC covers */
    CAVEAT_HEAD_SIZE = 3,
    CAVEAT_LABEL_MAX = 64,
    CAVEAT_JKT_SIZE = 32,
};

/* Is the value well formed for its kind? An unknown kind never is. */
bool caveat_valid(uint8_t kind, struct slice value, struct fault *fault);
/* Reads all caveats of an attenuated token. They come in hops: a CAVEAT_HOP with an
 * id that no other hop has, then at least one caveat, at most one of each kind, in
 * the order of the kinds. A plain key is the first or none. */
enum status caveats_read(struct slice bytes, struct token_view *out) WRIT_MUST_USE;
/* The caveat as it stands in the token, its head included. */
struct slice caveat_bytes(const struct caveat *caveat);

/* The chain of the view's bytes under its key; *known as in keyring_state_mac. */
enum status token_mac(const struct token_view *view, struct keyring_state *ring, uint8_t mac[32],
                      bool *known) WRIT_MUST_USE;

/* Does the text end in its own checksum? It has at least that. */
bool token_checksum_right(struct slice text);
/* Prefix, base62 of the bytes, checksum; its length. out has room. */
size_t token_put_text(const char *prefix, const uint8_t *binary, size_t size, char *out);
/* Writes the text of an attenuated token's bytes; its length, 0 when it would be
 * longer than a token may be. */
size_t token_put_attenuated(const uint8_t *binary, size_t size, char out[TOKEN_TEXT_MAX]);

/* The value of CAVEAT_KEY_SIGNED, taken apart; false when its form is wrong. */
struct rebind {
    struct slice jkt, key, signature;
};
bool rebind_read(struct slice value, struct rebind *out);
/* Appends the value: `before` is all that the token holds before this caveat. */
enum status rebind_write(struct slice before, const uint8_t jkt[CAVEAT_JKT_SIZE],
                         const struct private_key *signer, struct buffer *out) WRIT_MUST_USE;

#endif
