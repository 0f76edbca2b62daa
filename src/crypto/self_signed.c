/* crypto/self_signed.c - a certificate that says nothing but which key it is of: what proves
 * the key where TLS asks for one (RFC 8705 §2.2 has them too). */
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/private_key.h"
#include "ossl.h"
#include "private_key_inside.h"

enum { BEFORE_S = -300, AFTER_S = 7 * 86400 };

static bool
fill(X509 *certificate, EVP_PKEY *key, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(certificate);

    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), BEFORE_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), AFTER_S) != NULL &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1 &&
           X509_set_pubkey(certificate, key) == 1;
}

static bool
sign(X509 *certificate, EVP_PKEY *key)
{
    /* Ed25519 has its digest within it. */
    const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : ossl_sha256();

    return X509_sign(certificate, key, digest) > 0;
}

static enum status
put_pem(X509 *certificate, struct buffer *out)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text;
    long size = 0;

    if (memory != NULL && PEM_write_bio_X509(memory, certificate) == 1)
        size = BIO_get_mem_data(memory, &text);
    if (size > 0)
        put_bytes(out, text, (size_t)size);
    BIO_free(memory);
    return size > 0 ? buffer_status(out) : ossl_failed();
}

enum status
private_key_certify(const struct private_key *key, const char *name, struct buffer *out)
{
    EVP_PKEY *evp = private_key_evp(key);
    X509 *certificate = X509_new();
    enum status status;

    if (certificate == NULL || !fill(certificate, evp, name) || !sign(certificate, evp))
        status = ossl_failed();
    else
        status = put_pem(certificate, out);
    X509_free(certificate);
    return status;
}
