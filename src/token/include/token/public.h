/* token/public.h - the part of a token that may be told: who it is and how it was narrowed,
 * without the code that makes it a credential.
 *
 *   writp_ base62(version kid id caveats…) base62(crc32)         37 characters without caveats
 *
 * It is a user's name where a log-in proves the token without sending it (SCRAM): the
 * authority's ring makes the token's own text from it again. */
#ifndef WRIT_TOKEN_PUBLIC_H
#define WRIT_TOKEN_PUBLIC_H

#include "token/text.h"

enum { TOKEN_PUBLIC_SIZE = 37, TOKEN_SALT_SIZE = 16 };

/* Of a token's text, attenuated or not; a JWT has none. Not a secret. INVALID. */
enum status token_public_write(struct slice token, struct buffer *out) WRIT_MUST_USE;
/* The view has no MAC. INVALID. Its text is the only one of what it says. */
enum status token_public_parse(struct slice text, struct token_view *out) WRIT_MUST_USE;

/* What a log-in is verified by: the token's own text, and a salt that is the same for the
 * same public text. Wipe when done. */
struct token_secret {
    char text[TOKEN_TEXT_MAX];
    size_t size;
    uint8_t salt[TOKEN_SALT_SIZE];
};
/* Also for an id that nobody was given, and for a kid that the ring has not (whose text is of a
 * key that nobody has): whoever asks can't tell. INVALID: not a public text, or its token
 * would be longer than a token may be. */
enum status token_secret_of(struct slice public_text, struct keyring_state *ring,
                            struct token_secret *out) WRIT_MUST_USE;
void token_secret_wipe(struct token_secret *secret);

#endif
