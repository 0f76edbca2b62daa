/* crypto/scram_inside.h - what both sides of SCRAM share. Private to the room. */
#ifndef WRIT_CRYPTO_SCRAM_INSIDE_H
#define WRIT_CRYPTO_SCRAM_INSIDE_H

#include "crypto/hash.h"
#include "crypto/scram.h"

enum { SCRAM_NONCE_SIZE = 18, SCRAM_KEY_SIZE = HASH_SIZE };

/* Both of RFC 5802 §3, in use of a password: Hi() is PBKDF2. */
struct scram_salt {
    struct slice salt;
    uint32_t rounds;
};
enum status scram_derive(struct slice password, const struct scram_salt *salt,
                         uint8_t client_key[SCRAM_KEY_SIZE],
                         uint8_t server_key[SCRAM_KEY_SIZE]) WRIT_MUST_USE;

/* A fresh nonce, as text, appended. */
enum status scram_put_nonce(struct buffer *out) WRIT_MUST_USE;
/* One attribute, "x=value"; the next begins behind the comma. */
bool scram_take(struct slice *rest, char name, struct slice *value);

#endif
