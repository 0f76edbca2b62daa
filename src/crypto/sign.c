/* crypto/sign.c - Ed25519 signatures (RFC 8032). */
#include "crypto/sign.h"

#include <stdlib.h>

#include "ossl.h"

struct signer {
    EVP_PKEY *key;
    uint8_t public[ED25519_PUBLIC_SIZE];
};

enum status
signer_new(const struct secret *seed, struct signer **out)
{
    struct signer *signer = calloc(1, sizeof *signer);
    size_t size = sizeof signer->public;

    if (signer == NULL)
        return STATUS_MEMORY;
    signer->key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed->bytes, sizeof seed->bytes);
    if (signer->key == NULL ||
        EVP_PKEY_get_raw_public_key(signer->key, signer->public, &size) != 1) {
        signer_free(signer);
        return ossl_failed();
    }
    *out = signer;
    return STATUS_OK;
}

void
signer_free(struct signer *signer)
{
    if (signer == NULL)
        return;
    EVP_PKEY_free(signer->key); /* wipes the private half */
    free(signer);
}

void
signer_public(const struct signer *signer, uint8_t out[ED25519_PUBLIC_SIZE])
{
    memcpy(out, signer->public, sizeof signer->public);
}

static const unsigned char *
bytes_of(struct slice s)
{
    return (const unsigned char *)(s.size == 0 ? "" : s.at);
}

enum status
signer_sign(const struct signer *signer, struct slice message, uint8_t out[ED25519_SIGNATURE_SIZE])
{
    /* A context for each call: the key may be shared, a context may not. */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    size_t size = sizeof signature;
    bool fine;

    fine = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, signer->key) == 1 &&
           EVP_DigestSign(context, signature, &size, bytes_of(message), message.size) == 1 &&
           size == sizeof signature;
    EVP_MD_CTX_free(context);
    if (!fine)
        return ossl_failed();
    memcpy(out, signature, sizeof signature);
    return STATUS_OK;
}

enum status
ed25519_verify(const uint8_t key[ED25519_PUBLIC_SIZE], struct slice message,
               const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
    EVP_PKEY *public =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_PUBLIC_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    enum status status = STATUS_CRYPTO;

    if (public != NULL && context != NULL &&
        EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1)
        status = EVP_DigestVerify(context, signature, ED25519_SIGNATURE_SIZE, bytes_of(message),
                                  message.size) == 1
                     ? STATUS_OK
                     : STATUS_DENIED;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    if (status != STATUS_OK)
        (void)ossl_failed(); /* a key or signature that is none leaves errors behind */
    return status;
}
