/* crypto/seal.h - secrets at rest: AES-256-GCM under a sealing key that comes
 * from a key file or from a passphrase through scrypt (RFC 7914). */
#ifndef WRIT_CRYPTO_SEAL_H
#define WRIT_CRYPTO_SEAL_H

#include "base/buffer.h"
#include "base/fault.h"
#include "base/secret.h"

enum { SEAL_OVERHEAD = 1 + 12 + 16, SCRYPT_SALT_SIZE = 16 };

/* scrypt N=2^17 r=8 p=1. */
enum status seal_key_from_passphrase(struct slice passphrase, const uint8_t salt[SCRYPT_SALT_SIZE],
                                     struct secret *out) WRIT_MUST_USE;
/* Reads 32 bytes as hex from a file of mode 0600 that the process owns (else a
 * clear refusal), or makes the file when it is absent and `create` says so. */
enum seal_create { SEAL_MUST_EXIST, SEAL_CREATE };
enum status seal_key_from_file(const char *path, enum seal_create create, struct secret *out,
                               struct fault *fault) WRIT_MUST_USE;
/* Appends version, nonce, ciphertext, tag. context is authenticated, not stored. */
enum status seal(const struct secret *key, struct slice context, struct slice plain,
                 struct buffer *out) WRIT_MUST_USE;
/* DENIED when the key, the context or a byte is wrong. */
enum status unseal(const struct secret *key, struct slice context, struct slice sealed,
                   struct buffer *out) WRIT_MUST_USE;

#endif
