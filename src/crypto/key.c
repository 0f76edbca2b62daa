/* crypto/key.c - public keys made from their numbers, and signatures checked. */
#include "key_inside.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "ossl.h"

static const char *const alg_names[] = {
    [ALG_NONE] = "none",   [ALG_ES256] = "ES256", [ALG_EDDSA] = "EdDSA",
    [ALG_RS256] = "RS256", [ALG_PS256] = "PS256",
};

const char *
alg_name(enum sign_alg alg)
{
    return alg_names[alg];
}

enum sign_alg
alg_parse(struct slice name)
{
    /* RFC 9864 gives EdDSA on this curve a name of its own. */
    if (slice_is(name, "Ed25519"))
        return ALG_EDDSA;
    for (enum sign_alg alg = ALG_ES256; alg <= ALG_PS256; alg++) {
        if (slice_is(name, alg_names[alg]))
            return alg;
    }
    return ALG_NONE;
}

/* --- made ------------------------------------------------------------------ */

static EVP_PKEY *
evp_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

/* A point that is not on the curve is refused by OpenSSL's decoding. */
static EVP_PKEY *
evp_from_point(const uint8_t point[EC_POINT_SIZE])
{
    uint8_t encoded[1 + EC_POINT_SIZE] = { 4 };
    char group[] = "prime256v1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof encoded),
        OSSL_PARAM_construct_end(),
    };

    memcpy(encoded + 1, point, EC_POINT_SIZE);
    return evp_from_params("EC", params);
}

static EVP_PKEY *
evp_from_modulus(const struct key_numbers *numbers)
{
    BIGNUM *n = BN_bin2bn(numbers->material, (int)numbers->size, NULL);
    BIGNUM *e = BN_bin2bn(numbers->exponent, (int)numbers->exponent_size, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (n != NULL && e != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params != NULL)
        key = evp_from_params("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

/* An odd modulus of 2048 to 4096 bits, an odd exponent from 65537 on (FIPS 186-5 §5.4). */
static enum status
rsa_judge(const struct key_numbers *numbers, struct fault *fault)
{
    size_t bits = numbers->size * 8;
    uint64_t exponent = 0;

    if (numbers->size > 0)
        bits -= (size_t)__builtin_clz((unsigned)numbers->material[0] | 1) - 24;
    for (size_t i = 0; i < numbers->exponent_size; i++)
        exponent = exponent << 8 | numbers->exponent[i];
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return fault_set(fault, STATUS_INVALID, "an RSA key must have %d to %d bits, not %zu",
                         RSA_BITS_MIN, RSA_BITS_MAX, bits);
    if ((numbers->material[numbers->size - 1] & 1) == 0)
        return fault_set(fault, STATUS_INVALID, "the RSA modulus is even");
    if (exponent < 65537 || (exponent & 1) == 0)
        return fault_set(fault, STATUS_INVALID, "the RSA exponent must be odd and at least 65537");
    return STATUS_OK;
}

/* The y of the points whose order divides 8, little-endian, without the sign of x: for such a
 * key a signature holds that was made without its private half. */
static const uint8_t small_orders[][ED25519_SIZE] = {
    { 0 },
    { 1 },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
      0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
      0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
      0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
      0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

/* A y of the field's own (RFC 8032 §5.1.3), so that no key has a second thumbprint, and of a
 * point of the large order. */
static enum status
ed25519_judge(const struct key_numbers *numbers, struct fault *fault)
{
    uint8_t y[ED25519_SIZE];
    size_t high = 1;

    memcpy(y, numbers->material, sizeof y);
    y[ED25519_SIZE - 1] &= 0x7f;
    while (high < ED25519_SIZE - 1 && y[high] == 0xff)
        high++;
    if (high == ED25519_SIZE - 1 && y[high] == 0x7f && y[0] >= 0xed)
        return fault_set(fault, STATUS_INVALID, "the Ed25519 key is not in its only form");
    for (size_t i = 0; i < sizeof small_orders / sizeof small_orders[0]; i++) {
        if (memcmp(y, small_orders[i], sizeof y) == 0)
            return fault_set(fault, STATUS_INVALID,
                             "the Ed25519 key is a weak one: anybody can sign for it");
    }
    return STATUS_OK;
}

static enum status
numbers_judge(const struct key_numbers *numbers, struct fault *fault)
{
    switch (numbers->kind) {
    case KEY_RSA:
        return rsa_judge(numbers, fault);
    case KEY_ED25519:
        return ed25519_judge(numbers, fault);
    case KEY_EC:
        break; /* OpenSSL looks at the point */
    }
    return STATUS_OK;
}

static EVP_PKEY *
evp_of(const struct key_numbers *numbers)
{
    switch (numbers->kind) {
    case KEY_EC:
        return evp_from_point(numbers->material);
    case KEY_ED25519:
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, numbers->material, ED25519_SIZE);
    case KEY_RSA:
        return evp_from_modulus(numbers);
    }
    return NULL;
}

/* RFC 7638 §3: the required members in the order of their names, without blanks. */
static enum status
thumbprint_make(const struct key_numbers *numbers, uint8_t out[THUMBPRINT_SIZE])
{
    struct buffer text = BUFFER_LIMITED(4096);
    struct slice whole;
    enum status status;

    if (numbers->kind == KEY_RSA) {
        put_text(&text, "{\"e\":\"");
        put_base64url(&text, numbers->exponent, numbers->exponent_size);
        put_text(&text, "\",\"kty\":\"RSA\",\"n\":\"");
        put_base64url(&text, numbers->material, numbers->size);
    } else if (numbers->kind == KEY_EC) {
        put_text(&text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
        put_base64url(&text, numbers->material, EC_COORDINATE);
        put_text(&text, "\",\"y\":\"");
        put_base64url(&text, numbers->material + EC_COORDINATE, EC_COORDINATE);
    } else {
        put_text(&text, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
        put_base64url(&text, numbers->material, ED25519_SIZE);
    }
    put_text(&text, "\"}");
    whole = buffer_slice(&text);
    status = buffer_status(&text);
    if (status == STATUS_OK)
        status = hash_sha256(&whole, 1, out);
    buffer_free(&text);
    return status;
}

static enum status
key_new(EVP_PKEY *evp, const struct key_numbers *numbers, struct public_key **out)
{
    struct public_key *key = calloc(1, sizeof *key);
    enum status status = key == NULL ? STATUS_MEMORY : STATUS_OK;

    if (status == STATUS_OK) {
        key->numbers = *numbers;
        status = thumbprint_make(numbers, key->thumbprint);
    }
    if (status != STATUS_OK) {
        EVP_PKEY_free(evp);
        free(key);
        return status;
    }
    key->key = evp;
    *out = key;
    return STATUS_OK;
}

enum status
key_from_numbers(const struct key_numbers *numbers, struct public_key **out, struct fault *fault)
{
    enum status status = numbers_judge(numbers, fault);
    EVP_PKEY *evp;

    if (status != STATUS_OK)
        return status;
    evp = evp_of(numbers);
    if (evp == NULL)
        return ossl_failed() == STATUS_MEMORY
                   ? STATUS_MEMORY
                   : fault_set(fault, STATUS_INVALID, "the key's numbers make no key");
    return key_new(evp, numbers, out);
}

/* --- the numbers of a key that OpenSSL read --------------------------------- */

static bool
point_of(EVP_PKEY *evp, struct key_numbers *numbers)
{
    BIGNUM *x = NULL, *y = NULL;
    char group[32];
    bool fine = EVP_PKEY_get_utf8_string_param(evp, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                               NULL) == 1 &&
                strcmp(group, "prime256v1") == 0 &&
                EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
                EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
                BN_bn2binpad(x, numbers->material, EC_COORDINATE) == EC_COORDINATE &&
                BN_bn2binpad(y, numbers->material + EC_COORDINATE, EC_COORDINATE) == EC_COORDINATE;

    BN_free(x);
    BN_free(y);
    numbers->kind = KEY_EC;
    numbers->size = EC_POINT_SIZE;
    return fine;
}

static bool
modulus_of(EVP_PKEY *evp, struct key_numbers *numbers)
{
    BIGNUM *n = NULL, *e = NULL;
    bool fine = EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
                (size_t)BN_num_bytes(n) <= sizeof numbers->material &&
                BN_num_bytes(e) <= EXPONENT_MAX;

    if (fine) {
        numbers->size = (size_t)BN_bn2bin(n, numbers->material);
        numbers->exponent_size = (size_t)BN_bn2bin(e, numbers->exponent);
    }
    BN_free(n);
    BN_free(e);
    numbers->kind = KEY_RSA;
    return fine;
}

enum status
key_from_evp(EVP_PKEY *evp, struct public_key **out, struct fault *fault)
{
    struct key_numbers numbers = { 0 };
    enum status status;
    bool ours = false;

    switch (EVP_PKEY_get_base_id(evp)) {
    case EVP_PKEY_EC:
        ours = point_of(evp, &numbers);
        break;
    case EVP_PKEY_ED25519:
        numbers.kind = KEY_ED25519;
        numbers.size = ED25519_SIZE;
        ours = EVP_PKEY_get_raw_public_key(evp, numbers.material, &numbers.size) == 1 &&
               numbers.size == ED25519_SIZE;
        break;
    case EVP_PKEY_RSA:
        ours = modulus_of(evp, &numbers);
        break;
    default:
        break;
    }
    EVP_PKEY_free(evp);
    if (!ours) {
        (void)ossl_failed();
        return fault_set(fault, STATUS_INVALID,
                         "the key is none of P-256, Ed25519 and RSA of %d to %d bits", RSA_BITS_MIN,
                         RSA_BITS_MAX);
    }
    /* Anew, so that every key went through the same checks and holds no private half. */
    status = key_from_numbers(&numbers, out, fault);
    return status;
}

void
public_key_free(struct public_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->key);
    free(key);
}

const uint8_t *
public_key_thumbprint(const struct public_key *key)
{
    return key->thumbprint;
}

bool
public_key_takes(const struct public_key *key, enum sign_alg alg)
{
    if (key->only != ALG_NONE && key->only != alg)
        return false;
    switch (alg) {
    case ALG_ES256:
        return key->numbers.kind == KEY_EC;
    case ALG_EDDSA:
        return key->numbers.kind == KEY_ED25519;
    case ALG_RS256:
    case ALG_PS256:
        return key->numbers.kind == KEY_RSA;
    case ALG_NONE:
        break;
    }
    return false;
}

enum sign_alg
public_key_alg(const struct public_key *key)
{
    if (key->only != ALG_NONE)
        return key->only;
    switch (key->numbers.kind) {
    case KEY_EC:
        return ALG_ES256;
    case KEY_ED25519:
        return ALG_EDDSA;
    case KEY_RSA:
        break;
    }
    return ALG_RS256;
}

json_t *
public_key_jwk(const struct public_key *key)
{
    return key_numbers_jwk(&key->numbers);
}

/* --- packed ------------------------------------------------------------------ */

static const uint8_t exponent_usual[] = { 1, 0, 1 };

enum status
public_key_pack(const struct public_key *key, struct buffer *out)
{
    const struct key_numbers *numbers = &key->numbers;

    if (numbers->kind == KEY_RSA &&
        (numbers->exponent_size != sizeof exponent_usual ||
         memcmp(numbers->exponent, exponent_usual, sizeof exponent_usual) != 0))
        return STATUS_INVALID;
    put_u8(out, (uint8_t)numbers->kind);
    put_bytes(out, numbers->material, numbers->size);
    return buffer_status(out);
}

enum status
public_key_unpack(struct slice bytes, struct public_key **out)
{
    struct key_numbers numbers = { 0 };
    struct cursor in = cursor_over(bytes);
    uint8_t kind;

    if (!take_u8(&in, &kind) || cursor_left(&in) > sizeof numbers.material)
        return STATUS_INVALID;
    numbers.kind = (enum key_kind)kind;
    numbers.size = cursor_left(&in);
    memcpy(numbers.material, in.at, numbers.size);
    if (kind == KEY_RSA) {
        memcpy(numbers.exponent, exponent_usual, sizeof exponent_usual);
        numbers.exponent_size = sizeof exponent_usual;
        if (numbers.size == 0 || numbers.material[0] == 0)
            return STATUS_INVALID;
    } else if (numbers.size != (kind == KEY_EC        ? (size_t)EC_POINT_SIZE
                                : kind == KEY_ED25519 ? (size_t)ED25519_SIZE
                                                      : SIZE_MAX)) {
        return STATUS_INVALID;
    }
    return key_from_numbers(&numbers, out, NULL);
}

/* --- verifying ----------------------------------------------------------------- */

/* One number as DER: without leading zeroes, with one before a high bit. */
static size_t
put_integer(const uint8_t number[EC_COORDINATE], uint8_t *out)
{
    size_t skip = 0, size, pad;

    while (skip < EC_COORDINATE && number[skip] == 0)
        skip++;
    if (skip == EC_COORDINATE)
        return 0;
    pad = number[skip] >> 7;
    size = EC_COORDINATE - skip;
    out[0] = 2;
    out[1] = (uint8_t)(size + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, number + skip, size);
    return 2 + pad + size;
}

size_t
es256_to_der(const uint8_t raw[ES256_SIZE], uint8_t der[ES256_DER_MAX])
{
    size_t r = put_integer(raw, der + 2), s;

    if (r == 0)
        return 0;
    s = put_integer(raw + EC_COORDINATE, der + 2 + r);
    if (s == 0)
        return 0;
    der[0] = 0x30;
    der[1] = (uint8_t)(r + s);
    return 2 + r + s;
}

bool
ps256_prepare(EVP_PKEY_CTX *context)
{
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool
signature_form(const struct public_key *key, enum sign_alg alg, struct slice signature,
               uint8_t der[ES256_DER_MAX], struct slice *out)
{
    *out = signature;
    if (alg == ALG_ES256) {
        if (signature.size != ES256_SIZE)
            return false;
        *out = slice_of(der, es256_to_der((const uint8_t *)signature.at, der));
        return out->size > 0;
    }
    return signature.size == (alg == ALG_EDDSA ? 64 : key->numbers.size);
}

enum status
public_key_verify(const struct public_key *key, enum sign_alg alg, struct slice message,
                  struct slice signature)
{
    struct ossl_thread *thread = ossl_thread();
    uint8_t der[ES256_DER_MAX];
    struct slice form;
    EVP_PKEY_CTX *parameters = NULL;
    const char *digest = alg == ALG_EDDSA ? NULL : "SHA256";
    bool ready, holds;

    if (!public_key_takes(key, alg) || !signature_form(key, alg, signature, der, &form))
        return STATUS_DENIED;
    if (thread == NULL)
        return STATUS_MEMORY;
    ready = EVP_DigestVerifyInit_ex(thread->verify, &parameters, digest, NULL, NULL, key->key,
                                    NULL) == 1 &&
            (alg != ALG_PS256 || ps256_prepare(parameters));
    holds = ready && EVP_DigestVerify(thread->verify, (const unsigned char *)form.at, form.size,
                                      (const unsigned char *)(message.size == 0 ? "" : message.at),
                                      message.size) == 1;
    EVP_MD_CTX_reset(thread->verify);
    if (holds)
        return STATUS_OK;
    enum status failure = ossl_failed(); /* a wrong signature leaves errors behind, too */
    return ready ? STATUS_DENIED : failure;
}
