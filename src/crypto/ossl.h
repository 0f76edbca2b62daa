/* crypto/ossl.h - what the files of this room share about OpenSSL: fetched
 * algorithms, per-thread contexts, and its errors as ours. Private to the room. */
#ifndef WRIT_CRYPTO_OSSL_H
#define WRIT_CRYPTO_OSSL_H

#include <openssl/evp.h>

#include "base/status.h"

/* One thread's reusable context; fetching and making one costs more than a hash. */
struct ossl_thread {
    EVP_MD_CTX *digest; /* prepared for SHA-256 */
    EVP_MD_CTX *verify; /* for one signature at a time */
};

/* Fetched once and kept for the life of the process; NULL when OpenSSL has none. */
EVP_MD *ossl_sha256(void);
EVP_MAC *ossl_hmac(void);
EVP_CIPHER *ossl_aes_256_gcm(void);

/* NULL when it can't be made. Freed when the thread ends. */
struct ossl_thread *ossl_thread(void);

/* For whatever reads PEM: without it OpenSSL asks at the terminal, or takes a line of the
 * standard input, as soon as a text says that it is encrypted. */
int ossl_no_passphrase(char *buffer, int size, int writing, void *context);

/* Empties OpenSSL's error queue, so that no later call trips over it, and
 * returns STATUS_CRYPTO, or STATUS_MEMORY when that was the reason. */
enum status ossl_failed(void);

#endif
