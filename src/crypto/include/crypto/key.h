/* crypto/key.h - public keys of others, and signatures made with them as JOSE names
 * them (RFC 7518 §3, RFC 8037): ES256, EdDSA on Ed25519, RS256 and PS256.
 *
 * A public_key is immutable and may be shared by threads; working contexts are each
 * thread's own and made once. */
#ifndef WRIT_CRYPTO_KEY_H
#define WRIT_CRYPTO_KEY_H

#include "base/fault.h"
#include "base/json.h"

/* What is not in this list is not verified: no "none", no HMAC. */
enum sign_alg { ALG_NONE, ALG_ES256, ALG_EDDSA, ALG_RS256, ALG_PS256 };
enum sign_alg
alg_parse(struct slice name); /* "ES256" …, "Ed25519" as EdDSA; ALG_NONE for any other */
const char *alg_name(enum sign_alg alg);

enum {
    THUMBPRINT_SIZE = 32,
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 4096,
    SIGNATURE_MAX = RSA_BITS_MAX / 8,
};

struct public_key;

/* A JWK (RFC 7517): EC on P-256 with a point on the curve, OKP Ed25519, or RSA of
 * 2048 to 4096 bits with an odd exponent of at least 65537. INVALID for what is not
 * well formed, another kind, a weak key, or a private or symmetric one; use, key_ops
 * and alg, where given, must allow verifying. */
enum status public_key_from_jwk(const json_t *jwk, struct public_key **out,
                                struct fault *fault) WRIT_MUST_USE;
/* A SubjectPublicKeyInfo in DER; PEM text with "BEGIN PUBLIC KEY" or a certificate. */
enum status public_key_from_spki(struct slice der, struct public_key **out,
                                 struct fault *fault) WRIT_MUST_USE;
enum status public_key_from_pem(struct slice text, struct public_key **out,
                                struct fault *fault) WRIT_MUST_USE;
void public_key_free(struct public_key *key); /* accepts NULL */

/* RFC 7638, SHA-256. */
const uint8_t *public_key_thumbprint(const struct public_key *key);
/* The algorithm that fits; an RSA key takes RS256 (the answer here) and PS256, unless
 * its JWK names one. */
enum sign_alg public_key_alg(const struct public_key *key);
bool public_key_takes(const struct public_key *key, enum sign_alg alg);
json_t *public_key_jwk(const struct public_key *key); /* the required members alone */

/* OK, or DENIED for a signature that does not hold: wrong, of another size than the
 * algorithm's (ES256 is r||s, 64 bytes), or of an algorithm that the key does not take. */
enum status public_key_verify(const struct public_key *key, enum sign_alg alg, struct slice message,
                              struct slice signature) WRIT_MUST_USE;

/* The same, prepared once for a key that is met often: nothing is fetched or made at a
 * check. One thread's; the key must outlive it. */
struct signature_checker;
enum status signature_checker_new(const struct public_key *key, enum sign_alg alg,
                                  struct signature_checker **out) WRIT_MUST_USE;
void signature_checker_free(struct signature_checker *checker); /* accepts NULL */
enum status signature_check(struct signature_checker *checker, struct slice message,
                            struct slice signature) WRIT_MUST_USE;

/* Compact bytes for a key inside a caveat: a byte for the kind, then the point (64),
 * the Ed25519 key (32) or the RSA modulus (its exponent is 65537, else INVALID). */
enum { PUBLIC_KEY_PACKED_MAX = 1 + RSA_BITS_MAX / 8 };
enum status public_key_pack(const struct public_key *key, struct buffer *out) WRIT_MUST_USE;
enum status public_key_unpack(struct slice bytes, struct public_key **out) WRIT_MUST_USE;

#endif
