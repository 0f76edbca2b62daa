/* crypto/key_inside.h - a public key as the files of this room see it. */
#ifndef WRIT_CRYPTO_KEY_INSIDE_H
#define WRIT_CRYPTO_KEY_INSIDE_H

#include <openssl/evp.h>

#include "crypto/key.h"

enum key_kind { KEY_EC = 1, KEY_ED25519, KEY_RSA };

enum { EC_COORDINATE = 32, EC_POINT_SIZE = 2 * EC_COORDINATE, ED25519_SIZE = 32, EXPONENT_MAX = 8 };

/* The numbers of a key: material is x||y, the Ed25519 key, or the modulus. */
struct key_numbers {
    enum key_kind kind;
    uint8_t material[RSA_BITS_MAX / 8];
    size_t size;
    uint8_t exponent[EXPONENT_MAX]; /* of RSA, big-endian, without leading zeroes */
    size_t exponent_size;
};

struct public_key {
    EVP_PKEY *key;
    struct key_numbers numbers;
    enum sign_alg only; /* the one that its JWK names; ALG_NONE: all that fit */
    uint8_t thumbprint[THUMBPRINT_SIZE];
};

/* From numbers, checked: on the curve, of a size and exponent that we take. */
enum status key_from_numbers(const struct key_numbers *numbers, struct public_key **out,
                             struct fault *fault) WRIT_MUST_USE;
/* Takes the reference over; INVALID for a kind that is not ours. */
enum status key_from_evp(EVP_PKEY *evp, struct public_key **out, struct fault *fault) WRIT_MUST_USE;
/* The name of the first member that belongs to a private or symmetric key, or NULL. */
const char *jwk_secret(const json_t *jwk);
json_t *key_numbers_jwk(const struct key_numbers *numbers);

/* r||s as DER and back (RFC 7518 §3.4); the size, 0 when it is none. */
enum { ES256_SIZE = 64, ES256_DER_MAX = 72 };
size_t es256_to_der(const uint8_t raw[ES256_SIZE], uint8_t der[ES256_DER_MAX]);
bool es256_from_der(const uint8_t *der, size_t size, uint8_t raw[ES256_SIZE]);
/* Sets what PS256 needs (RFC 7518 §3.5) on a context of a signature. */
bool ps256_prepare(EVP_PKEY_CTX *context);
/* What OpenSSL verifies; false when the signature can be none of the key and algorithm. */
bool signature_form(const struct public_key *key, enum sign_alg alg, struct slice signature,
                    uint8_t der[ES256_DER_MAX], struct slice *out);

#endif
