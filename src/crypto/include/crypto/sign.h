/* crypto/sign.h - Ed25519 (RFC 8032): the signer and the checker.
 *
 * A signer holds a private key and never shows it. It is thread-safe. */
#ifndef WRIT_CRYPTO_SIGN_H
#define WRIT_CRYPTO_SIGN_H

#include "base/secret.h"
#include "base/slice.h"
#include "base/status.h"

enum { ED25519_PUBLIC_SIZE = 32, ED25519_SIGNATURE_SIZE = 64 };

struct signer;

enum status signer_new(const struct secret *seed, struct signer **out) WRIT_MUST_USE;
void signer_free(struct signer *signer);
void signer_public(const struct signer *signer, uint8_t out[ED25519_PUBLIC_SIZE]);
enum status signer_sign(const struct signer *signer, struct slice message,
                        uint8_t out[ED25519_SIGNATURE_SIZE]) WRIT_MUST_USE;
/* OK, or DENIED for a signature that does not hold. */
enum status ed25519_verify(const uint8_t key[ED25519_PUBLIC_SIZE], struct slice message,
                           const uint8_t signature[ED25519_SIGNATURE_SIZE]) WRIT_MUST_USE;

#endif
