/* crypto/jws.h - JSON Web Signatures in compact form (RFC 7515), strict: base64url
 * without padding, blanks or loose bits, no duplicate members, no "crit" (nothing of
 * it is understood), no "b64". */
#ifndef WRIT_CRYPTO_JWS_H
#define WRIT_CRYPTO_JWS_H

#include "base/arena.h"
#include "crypto/private_key.h"

enum { JWS_MAX = 16384 };

/* Taken apart; nothing is verified. payload and signature lie in the arena. */
struct jws {
    struct slice header;      /* base64url, as it came: the same key makes the same text */
    struct slice signed_text; /* header.payload, as it came */
    struct slice payload;     /* decoded */
    struct slice signature;   /* decoded, at most SIGNATURE_MAX */
};
enum status jws_split(struct slice text, struct arena *arena, struct jws *out) WRIT_MUST_USE;

/* The header as an object (the caller's to decref) and its algorithm; INVALID when it
 * is none of ours (the fault names it), for crit and b64. */
enum status jws_header(struct slice header, json_t **out, enum sign_alg *alg,
                       struct fault *fault) WRIT_MUST_USE;

/* A JSON Web Key Set (RFC 7517 §5): a key of kind and alg by kid, or, without one in
 * the header, the only key that takes alg. Keys that are not for signatures or not of
 * ours are passed over; a set with a private or symmetric key is INVALID as a whole. */
enum { JWKS_KEYS_MAX = 32 };
struct jwks;
enum status jwks_read(const json_t *set, struct jwks **out, struct fault *fault) WRIT_MUST_USE;
void jwks_free(struct jwks *set);
size_t jwks_count(const struct jwks *set);
const struct public_key *jwks_find(const struct jwks *set, struct slice kid, enum sign_alg alg);
const struct public_key *jwks_at(const struct jwks *set, size_t i);

/* Appends header.payload.signature; header gets "alg" (and what else it holds stays). */
enum status jws_sign(const struct private_key *key, enum sign_alg alg, json_t *header,
                     const json_t *payload, struct buffer *out) WRIT_MUST_USE;

#endif
