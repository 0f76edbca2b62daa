/* fuzz/certificate.c - any bytes as a certificate, as a key, as a Client-Cert field, and as
 * the name that a certificate should bear. */
#include <stdlib.h>

#include "base/json.h"
#include "proof/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* CN=plain; made for the tests. */
static const char plain[] = "-----BEGIN CERTIFICATE-----\n"
                            "MIHOMIGBoAMCAQICAQEwBQYDK2VwMBAxDjAMBgNVBAMMBXBsYWluMCAXDTI2MDEw\n"
                            "MTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAQMQ4wDAYDVQQDDAVwbGFpbjAqMAUG\n"
                            "AytlcAMhALShtP2H2CzpGeqt/v8kSIU0Gq70xg8XB7sgP3Cy49baMAUGAytlcANB\n"
                            "AKQcBR1Z5nHLr5suBls6YDuVHuoTfiF6IPlrhCwreJqTLi10PQLvNnowhPs/SrSz\n"
                            "R4B5hs+TGYA0Og1uaM/WAgI=\n"
                            "-----END CERTIFICATE-----\n";

static void
check_field(struct slice bytes)
{
    struct arena arena;
    struct slice der;

    arena_init(&arena, 1 << 17);
    if (certificate_from_field(bytes, &arena, &der) == STATUS_OK && der.size == 0)
        abort();
    arena_free(&arena);
}

/* A subject goes into JSON, so it must be UTF-8 whatever the certificate holds. */
static void
check_certificate(const struct certificate *certificate, struct slice name)
{
    struct buffer subject = { 0 };
    json_t *shown;

    certificate_put_subject(certificate, &subject);
    shown = json_slice(subject.size == 0 ? SLICE_LITERAL("") : buffer_slice(&subject));
    if (shown == NULL)
        abort();
    json_decref(shown);
    for (int kind = NAME_SUBJECT_DN; kind <= NAME_SAN_EMAIL; kind++)
        (void)certificate_is_named(certificate, (enum certificate_name)kind, name);
    (void)certificate_is_named(certificate, NAME_SUBJECT_DN, buffer_slice(&subject));
    (void)certificate_valid_at(certificate, INT64_C(1800000000000));
    buffer_free(&subject);
}

static void
check_name(struct slice name)
{
    struct certificate *certificate;

    if (certificate_from_pem(SLICE_LITERAL(plain), &certificate, NULL) != STATUS_OK)
        abort();
    for (int kind = NAME_SAN_DNS; kind <= NAME_SAN_EMAIL; kind++) {
        if (certificate_is_named(certificate, (enum certificate_name)kind, name))
            abort(); /* it has no such names */
    }
    (void)certificate_is_named(certificate, NAME_SUBJECT_DN, name);
    certificate_free(certificate);
}

static void
check_key(struct slice bytes)
{
    struct public_key *key;

    if (public_key_from_spki(bytes, &key, NULL) == STATUS_OK) {
        if (!public_key_takes(key, public_key_alg(key)))
            abort();
        public_key_free(key);
    }
    if (public_key_from_pem(bytes, &key, NULL) == STATUS_OK)
        public_key_free(key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size);
    struct certificate *certificate;

    check_field(bytes);
    check_name(bytes);
    check_key(bytes);
    if (certificate_from_der(bytes, &certificate) == STATUS_OK) {
        check_certificate(certificate, slice_first(bytes, 64));
        certificate_free(certificate);
    }
    if (certificate_from_pem(bytes, &certificate, NULL) == STATUS_OK) {
        check_certificate(certificate, slice_first(bytes, 64));
        certificate_free(certificate);
    }
    return 0;
}
