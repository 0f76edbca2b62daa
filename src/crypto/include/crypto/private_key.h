/* crypto/private_key.h - a key pair that signs: made here, read from a file, or held
 * by a token or TPM that a URI names. The private half is never shown. */
#ifndef WRIT_CRYPTO_PRIVATE_KEY_H
#define WRIT_CRYPTO_PRIVATE_KEY_H

#include "base/buffer.h"
#include "crypto/key.h"

struct private_key;

enum status private_key_generate(enum sign_alg alg, struct private_key **out) WRIT_MUST_USE;
/* where: a PEM file (PKCS #8, unencrypted) of mode 0600 or stricter, owned by the
 * caller, or a URI ("pkcs11:…", "handle:0x81…") that an installed OpenSSL provider
 * serves. The fault says what to do. */
enum status private_key_read(const char *where, struct private_key **out,
                             struct fault *fault) WRIT_MUST_USE;
/* A new PEM file, mode 0600; CONFLICT when there is one. */
enum status private_key_write(const struct private_key *key, const char *path,
                              struct fault *fault) WRIT_MUST_USE;
/* PKCS #8 DER, for sealing at rest: wipe what comes out. */
enum status private_key_encode(const struct private_key *key, struct buffer *out) WRIT_MUST_USE;
enum status private_key_decode(struct slice der, struct private_key **out) WRIT_MUST_USE;
void private_key_free(struct private_key *key); /* wipes; accepts NULL */

const struct public_key *private_key_public(const struct private_key *key); /* borrowed */
/* Appends the signature in JOSE's form. INVALID when the key does not take alg. */
enum status private_key_sign(const struct private_key *key, enum sign_alg alg, struct slice message,
                             struct buffer *out) WRIT_MUST_USE;
/* Appends, as PEM, a certificate of this key that it has signed itself, good for a week. */
enum status private_key_certify(const struct private_key *key, const char *name,
                                struct buffer *out) WRIT_MUST_USE;

#endif
