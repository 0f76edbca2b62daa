/* crypto/hash.c - SHA-256 (FIPS 180-4). */
#include "crypto/hash.h"

#include "ossl.h"

enum status
hash_sha256(const struct slice *parts, size_t count, uint8_t out[HASH_SIZE])
{
    struct ossl_thread *thread = ossl_thread();
    uint8_t digest[HASH_SIZE];

    /* A NULL type keeps the digest that the context was made for. */
    if (thread == NULL || EVP_DigestInit_ex2(thread->digest, NULL, NULL) != 1)
        return ossl_failed();
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0 && EVP_DigestUpdate(thread->digest, parts[i].at, parts[i].size) != 1)
            return ossl_failed();
    }
    if (EVP_DigestFinal_ex(thread->digest, digest, NULL) != 1)
        return ossl_failed();
    memcpy(out, digest, sizeof digest);
    return STATUS_OK;
}
