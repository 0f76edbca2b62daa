/* token/known.h - inside the room: texts that one thread has verified lately. */
#ifndef WRIT_TOKEN_KNOWN_H
#define WRIT_TOKEN_KNOWN_H

#include "token/text.h"

/* That a text holds under a ring never changes; whether its token lives is asked
 * elsewhere, each time. Zero is empty. Wipe before the ring changes and at the end. */
enum { KNOWN_TEXTS = 4096 };
struct known_text {
    char text[TOKEN_TEXT_SIZE];
    char id_text[TOKEN_ID_TEXT + 1];
    struct token_id id;
    uint8_t kid;
};
/* Of a JWT its digest stands for the text. */
enum { KNOWN_JWTS = 1024 };
struct known_jwt {
    uint8_t digest[32];
    char id_text[TOKEN_ID_TEXT + 1];
    struct token_id id;
};
struct known_texts {
    struct known_text places[KNOWN_TEXTS];
    struct known_jwt jwts[KNOWN_JWTS];
};

/* Fills the view as far as a text without caveats has something to say once it is
 * verified; false when the text is not among them. */
bool known_find(const struct known_texts *known, struct slice text, struct token_view *out);
/* Of a verified token without caveats; takes the place of another. */
void known_add(struct known_texts *known, struct slice text, const struct token_view *view);

#endif
