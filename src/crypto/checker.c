/* crypto/checker.c - signatures of one key, checked with contexts that are kept. */
#include <openssl/rsa.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "key_inside.h"
#include "ossl.h"

struct signature_checker {
    const struct public_key *key;
    enum sign_alg alg;
    EVP_PKEY_CTX *over_digest; /* of all but EdDSA, which hashes itself */
    EVP_MD_CTX *over_message;  /* of EdDSA */
};

static bool
prepare_digest(struct signature_checker *checker)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, checker->key->key, NULL);

    checker->over_digest = context;
    return context != NULL && EVP_PKEY_verify_init(context) == 1 &&
           (checker->alg != ALG_RS256 ||
            EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1) &&
           (checker->alg != ALG_PS256 || ps256_prepare(context)) &&
           EVP_PKEY_CTX_set_signature_md(context, ossl_sha256()) == 1;
}

static bool
prepare_message(struct signature_checker *checker)
{
    checker->over_message = EVP_MD_CTX_new();
    return checker->over_message != NULL &&
           EVP_DigestVerifyInit_ex(checker->over_message, NULL, NULL, NULL, NULL, checker->key->key,
                                   NULL) == 1;
}

enum status
signature_checker_new(const struct public_key *key, enum sign_alg alg,
                      struct signature_checker **out)
{
    struct signature_checker *checker;

    if (!public_key_takes(key, alg))
        return STATUS_INVALID;
    checker = calloc(1, sizeof *checker);
    if (checker == NULL)
        return STATUS_MEMORY;
    checker->key = key;
    checker->alg = alg;
    if (!(alg == ALG_EDDSA ? prepare_message(checker) : prepare_digest(checker))) {
        signature_checker_free(checker);
        return ossl_failed();
    }
    *out = checker;
    return STATUS_OK;
}

void
signature_checker_free(struct signature_checker *checker)
{
    if (checker == NULL)
        return;
    EVP_PKEY_CTX_free(checker->over_digest);
    EVP_MD_CTX_free(checker->over_message);
    free(checker);
}

enum status
signature_check(struct signature_checker *checker, struct slice message, struct slice signature)
{
    uint8_t der[ES256_DER_MAX], digest[HASH_SIZE];
    struct slice form;
    enum status status = STATUS_OK;
    bool holds;

    if (!signature_form(checker->key, checker->alg, signature, der, &form))
        return STATUS_DENIED;
    if (checker->alg != ALG_EDDSA)
        status = hash_sha256(&message, 1, digest);
    if (status != STATUS_OK)
        return status;
    if (checker->alg == ALG_EDDSA)
        holds = EVP_DigestVerify(checker->over_message, (const unsigned char *)form.at, form.size,
                                 (const unsigned char *)(message.size == 0 ? "" : message.at),
                                 message.size) == 1;
    else
        holds = EVP_PKEY_verify(checker->over_digest, (const unsigned char *)form.at, form.size,
                                digest, sizeof digest) == 1;
    if (holds)
        return STATUS_OK;
    (void)ossl_failed(); /* a wrong signature leaves errors behind */
    return STATUS_DENIED;
}
