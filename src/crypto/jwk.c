/* crypto/jwk.c - JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2), read and written. */
#include "key_inside.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/encoding.h"
#include "ossl.h"

/* A member that has to be there, as bytes. */
static enum status
take_bytes_member(const json_t *jwk, const char *name, uint8_t *out, size_t capacity, size_t *size,
                  struct fault *fault)
{
    const json_t *member = json_object_get(jwk, name);

    if (!json_is_string(member) ||
        !base64url_decode(slice_of(json_string_value(member), json_string_length(member)), out,
                          capacity, size) ||
        *size == 0)
        return fault_set(fault, STATUS_INVALID,
                         "the JWK's \"%s\" is no base64url of the right size", name);
    return STATUS_OK;
}

static enum status
take_exactly(const json_t *jwk, const char *name, uint8_t out[32], struct fault *fault)
{
    size_t size = 0;
    enum status status = take_bytes_member(jwk, name, out, 32, &size, fault);

    if (status == STATUS_OK && size != 32)
        status = fault_set(fault, STATUS_INVALID, "the JWK's \"%s\" must have 32 bytes", name);
    return status;
}

static enum status
take_rsa(const json_t *jwk, struct key_numbers *out, struct fault *fault)
{
    enum status status =
        take_bytes_member(jwk, "n", out->material, sizeof out->material, &out->size, fault);

    out->kind = KEY_RSA;
    if (status == STATUS_OK)
        status = take_bytes_member(jwk, "e", out->exponent, sizeof out->exponent,
                                   &out->exponent_size, fault);
    if (status == STATUS_OK && (out->material[0] == 0 || out->exponent[0] == 0))
        status = fault_set(fault, STATUS_INVALID, "a number of the JWK begins with a zero byte");
    return status;
}

static bool
is_text(const json_t *jwk, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(jwk, name));

    return value != NULL && strcmp(value, text) == 0;
}

static enum status
take_numbers(const json_t *jwk, struct key_numbers *out, struct fault *fault)
{
    enum status status;

    if (is_text(jwk, "kty", "RSA"))
        return take_rsa(jwk, out, fault);
    if (is_text(jwk, "kty", "EC") && is_text(jwk, "crv", "P-256")) {
        out->kind = KEY_EC;
        out->size = EC_POINT_SIZE;
        status = take_exactly(jwk, "x", out->material, fault);
        return status != STATUS_OK ? status
                                   : take_exactly(jwk, "y", out->material + EC_COORDINATE, fault);
    }
    if (is_text(jwk, "kty", "OKP") && is_text(jwk, "crv", "Ed25519")) {
        out->kind = KEY_ED25519;
        out->size = ED25519_SIZE;
        return take_exactly(jwk, "x", out->material, fault);
    }
    return fault_set(fault, STATUS_INVALID, "the JWK is none of EC P-256, OKP Ed25519 and RSA");
}

const char *
jwk_secret(const json_t *jwk)
{
    static const char *const secrets[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (json_object_get(jwk, secrets[i]) != NULL)
            return secrets[i];
    }
    return NULL;
}

/* A key that shows its private half is everybody's; a symmetric one signs nothing here. */
static enum status
refuse_private(const json_t *jwk, struct fault *fault)
{
    const char *secret = jwk_secret(jwk);

    return secret == NULL ? STATUS_OK
                          : fault_set(fault, STATUS_INVALID,
                                      "the JWK holds a private or symmetric key (\"%s\")", secret);
}

static bool
ops_verify(const json_t *ops)
{
    const json_t *op;
    size_t i;

    json_array_foreach(ops, i, op)
    {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            return true;
    }
    return false;
}

/* RFC 7517 §4.2 to §4.4: what the key is meant for. */
static enum status
judge_use(const json_t *jwk, enum sign_alg *only, struct fault *fault)
{
    const json_t *alg = json_object_get(jwk, "alg"), *ops = json_object_get(jwk, "key_ops");

    if (json_object_get(jwk, "use") != NULL && !is_text(jwk, "use", "sig"))
        return fault_set(fault, STATUS_INVALID, "the JWK is not for signatures");
    if (ops != NULL && !ops_verify(ops))
        return fault_set(fault, STATUS_INVALID, "the JWK's key_ops do not allow to verify");
    if (alg == NULL)
        return STATUS_OK;
    *only = alg_parse(slice_text(json_string_value(alg)));
    return *only != ALG_NONE ? STATUS_OK
                             : fault_set(fault, STATUS_INVALID,
                                         "the JWK is for an algorithm that is not taken here");
}

enum status
public_key_from_jwk(const json_t *jwk, struct public_key **out, struct fault *fault)
{
    struct key_numbers numbers = { 0 };
    struct public_key *key;
    enum sign_alg only = ALG_NONE;
    enum status status;

    if (!json_is_object(jwk))
        return fault_set(fault, STATUS_INVALID, "a JWK is a JSON object");
    status = refuse_private(jwk, fault);
    if (status == STATUS_OK)
        status = judge_use(jwk, &only, fault);
    if (status == STATUS_OK)
        status = take_numbers(jwk, &numbers, fault);
    if (status == STATUS_OK)
        status = key_from_numbers(&numbers, &key, fault);
    if (status != STATUS_OK)
        return status;
    if (only != ALG_NONE && !public_key_takes(key, only)) {
        public_key_free(key);
        return fault_set(fault, STATUS_INVALID, "the JWK's alg does not fit its key");
    }
    key->only = only;
    *out = key;
    return STATUS_OK;
}

static json_t *
base64url_json(const uint8_t *bytes, size_t size)
{
    struct buffer text = BUFFER_LIMITED(2048);
    json_t *value;

    put_base64url(&text, bytes, size);
    value = buffer_status(&text) == STATUS_OK ? json_slice(buffer_slice(&text)) : NULL;
    buffer_free(&text);
    return value;
}

json_t *
key_numbers_jwk(const struct key_numbers *numbers)
{
    const uint8_t *bytes = numbers->material;

    switch (numbers->kind) {
    case KEY_EC:
        return json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv", "P-256", "x",
                         base64url_json(bytes, EC_COORDINATE), "y",
                         base64url_json(bytes + EC_COORDINATE, EC_COORDINATE));
    case KEY_ED25519:
        return json_pack("{s:s, s:s, s:o}", "kty", "OKP", "crv", "Ed25519", "x",
                         base64url_json(bytes, ED25519_SIZE));
    case KEY_RSA:
        break;
    }
    return json_pack("{s:s, s:o, s:o}", "kty", "RSA", "n", base64url_json(bytes, numbers->size),
                     "e", base64url_json(numbers->exponent, numbers->exponent_size));
}

enum status
public_key_from_spki(struct slice der, struct public_key **out, struct fault *fault)
{
    const unsigned char *at = (const unsigned char *)der.at;
    EVP_PKEY *evp = der.size > 8192 ? NULL : d2i_PUBKEY(NULL, &at, (long)der.size);

    if (evp == NULL || at != (const unsigned char *)der.at + der.size) {
        EVP_PKEY_free(evp);
        (void)ossl_failed();
        return fault_set(fault, STATUS_INVALID, "this is no public key in DER");
    }
    return key_from_evp(evp, out, fault);
}

/* Any of the two, whichever the text holds. */
static EVP_PKEY *
read_pem(struct slice text)
{
    BIO *in = BIO_new_mem_buf(text.at, (int)text.size);
    EVP_PKEY *evp = in == NULL ? NULL : PEM_read_bio_PUBKEY(in, NULL, ossl_no_passphrase, NULL);
    X509 *certificate = NULL;

    if (evp == NULL && in != NULL && BIO_reset(in) == 1) {
        certificate = PEM_read_bio_X509(in, NULL, ossl_no_passphrase, NULL);
        evp = certificate == NULL ? NULL : X509_get_pubkey(certificate);
    }
    X509_free(certificate);
    BIO_free(in);
    return evp;
}

enum status
public_key_from_pem(struct slice text, struct public_key **out, struct fault *fault)
{
    EVP_PKEY *evp = text.size == 0 || text.size > 65536 ? NULL : read_pem(text);

    (void)ossl_failed(); /* the first try leaves its error behind */
    if (evp == NULL)
        return fault_set(fault, STATUS_INVALID,
                         "this is no PEM with a public key or a certificate");
    return key_from_evp(evp, out, fault);
}
