/* crypto/hash.c - SHA-256 (FIPS 180-4). */
#include "crypto/hash.h"

#include "base/encoding.h"
#include "base/secret.h"
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

enum status
hash_md5_hex(const struct slice *parts, size_t count, struct buffer *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1;

    for (size_t i = 0; i < count && good; i++)
        good = parts[i].size == 0 || EVP_DigestUpdate(context, parts[i].at, parts[i].size) == 1;
    good = good && EVP_DigestFinal_ex(context, digest, &size) == 1;
    EVP_MD_CTX_free(context);
    if (!good)
        return ossl_failed();
    put_hex(out, digest, size);
    secret_wipe(digest, sizeof(digest));
    return buffer_status(out);
}
