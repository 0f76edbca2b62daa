/* crypto/certificate - names that a certificate bears, and those it only seems to bear. The
 * certificates below were made for these tests; no private half of theirs is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "crypto/certificate.h"

/* C=DE, O="Müller, Söhne + Co", OU=ops + UID=7, CN=worker one; P-256, until 2126. */
#define NAMED                                                                                      \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIICIzCCAcmgAwIBAgIBATAKBggqhkjOPQQDAjBgMQswCQYDVQQGEwJERTEdMBsG\n"                           \
    "A1UECgwUTcO8bGxlciwgU8O2aG5lICsgQ28xHTAKBgNVBAsMA29wczAPBgoJkiaJ\n"                           \
    "k/IsZAEBDAE3MRMwEQYDVQQDDAp3b3JrZXIgb25lMCAXDTI2MDEwMTAwMDAwMFoY\n"                           \
    "DzIxMjYwMTAxMDAwMDAwWjBgMQswCQYDVQQGEwJERTEdMBsGA1UECgwUTcO8bGxl\n"                           \
    "ciwgU8O2aG5lICsgQ28xHTAKBgNVBAsMA29wczAPBgoJkiaJk/IsZAEBDAE3MRMw\n"                           \
    "EQYDVQQDDAp3b3JrZXIgb25lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHhvJ\n"                           \
    "t7xk4Jwl6m2CKFhZth1L1w5DAOUr86nP4yNp9Z61A7zodSLI2LAmbh9jlLVwDZNQ\n"                           \
    "/r66gomS3dIgnAlqIKNyMHAwbgYDVR0RBGcwZYIOd29ya2VyLmV4YW1wbGWCDiou\n"                           \
    "d2lsZC5leGFtcGxlhhdzcGlmZmU6Ly9leGFtcGxlL1dvcmtlcocEwAACB4cQIAEN\n"                           \
    "uAAAAAAAAAAAAAAAB4ESd29ya2VyQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gA\n"                           \
    "MEUCICWnzCKHYG8nsJzr9Tor0JISNzjWl+xUO9cdR7aB/Xu3AiEAnSwUCDVFuoFy\n"                           \
    "saVhVNHIUbE2j+9P+7x2LElHLthDZZI=\n"                                                           \
    "-----END CERTIFICATE-----\n"

/* Names with a NUL inside: "good\0evil", and three bytes as an address; P-384. */
#define HOSTILE                                                                                    \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBwjCCAUigAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlnb29kAGV2\n"                           \
    "aWwwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM\n"                           \
    "CWdvb2QAZXZpbDB2MBAGByqGSM49AgEGBSuBBAAiA2IABM/9k50eSbNm9oXbbAny\n"                           \
    "WmEnZ7xN5HdSpYZ+cVk4nx4CwbRHEkB9J5M/saSENWCzNoXHURYMd2mkCmMPMHUh\n"                           \
    "Uss2S5NRNh9HaOvE61i9VnijlKqgU+8l8R5FDmVWwlsG6aNsMGowaAYDVR0RBGEw\n"                           \
    "X4IaZ29vZC5leGFtcGxlAC5ldmlsLmV4YW1wbGWCAIYaaHR0cHM6Ly9nb29kLmV4\n"                           \
    "YW1wbGUALmV2aWyHA8AAAqQeMBwxGjAYBgNVBAMMEWRpcmVjdG9yeS5leGFtcGxl\n"                           \
    "MAoGCCqGSM49BAMCA2gAMGUCMFtOF5YyaIj3FhFo4tznSSfHyZwWakmOnNIUcvSz\n"                           \
    "ii4UjO6SIN+rVKIW3eJf7nBFqQIxAMZ7lq64uTQ9GgRM0qiB/XsiSRYKco3xqMl4\n"                           \
    "gnHA8AbkwxImkMlD4N0RZpyEz83bEg==\n"                                                           \
    "-----END CERTIFICATE-----\n"

/* CN=plain without other names; Ed25519. */
#define PLAIN                                                                                      \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIHOMIGBoAMCAQICAQEwBQYDK2VwMBAxDjAMBgNVBAMMBXBsYWluMCAXDTI2MDEw\n"                           \
    "MTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAQMQ4wDAYDVQQDDAVwbGFpbjAqMAUG\n"                           \
    "AytlcAMhALShtP2H2CzpGeqt/v8kSIU0Gq70xg8XB7sgP3Cy49baMAUGAytlcANB\n"                           \
    "AKQcBR1Z5nHLr5suBls6YDuVHuoTfiF6IPlrhCwreJqTLi10PQLvNnowhPs/SrSz\n"                           \
    "R4B5hs+TGYA0Og1uaM/WAgI=\n"                                                                   \
    "-----END CERTIFICATE-----\n"

/* CN=böse in UTF-16 (BMPString). */
#define BMP                                                                                        \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIHUMIGHoAMCAQICAQEwBQYDK2VwMBMxETAPBgNVBAMeCABiAPYAcwBlMCAXDTI2\n"                           \
    "MDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjATMREwDwYDVQQDHggAYgD2AHMA\n"                           \
    "ZTAqMAUGAytlcAMhALShtP2H2CzpGeqt/v8kSIU0Gq70xg8XB7sgP3Cy49baMAUG\n"                           \
    "AytlcANBALXJJcOSeaq96iOTKNTq88iGHvaHWZCHZkzab0+zAjg/bFnEsHlcloEu\n"                           \
    "P7YeEN0/Sb5aIrZirZ6dJZSq79KOsgI=\n"                                                           \
    "-----END CERTIFICATE-----\n"

/* No subject at all. */
#define EMPTY_NAME                                                                                 \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIHKMH6gAwIBAgIBATAFBgMrZXAwADAgFw0yNjAxMDEwMDAwMDBaGA8yMTI2MDEw\n"                           \
    "MTAwMDAwMFowADAqMAUGAytlcAMhALShtP2H2CzpGeqt/v8kSIU0Gq70xg8XB7sg\n"                           \
    "P3Cy49baoxswGTAXBgNVHREEEDAOggxvbmx5LmV4YW1wbGUwBQYDK2VwA0EAq29P\n"                           \
    "Vvyr6W7+qMYhan9I+374Huny5I8aZNbq6xfJw3WydrBcpz6CzCHt5jIYqQ3iXCqa\n"                           \
    "Lmrpwfrt05uyEUmHBw==\n"                                                                       \
    "-----END CERTIFICATE-----\n"

enum { DER_ROOM = 1024 };

static struct certificate *
certificate_of(const char *pem)
{
    struct certificate *certificate = NULL;

    assert_int_equal(certificate_from_pem(slice_text(pem), &certificate, NULL), STATUS_OK);
    return certificate;
}

/* The DER within a PEM text. */
static size_t
der_of(const char *pem, uint8_t out[DER_ROOM])
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    char text[2 * DER_ROOM];
    size_t size = 0;

    for (const char *at = pem + sizeof begin - 1; *at != '-'; at++) {
        if (*at != '\n' && *at != '=')
            text[size++] = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    }
    assert_true(base64url_decode(slice_of(text, size), out, DER_ROOM, &size));
    return size;
}

static bool
named(const char *pem, enum certificate_name kind, struct slice value)
{
    struct certificate *certificate = certificate_of(pem);
    bool is = certificate_is_named(certificate, kind, value);

    certificate_free(certificate);
    return is;
}

static void
subjects(void **state)
{
    static const char *const same[] = {
        "CN=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE",
        "CN=worker one,OU=ops+UID=7,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE", /* a set */
        "CN=worker one, UID=7+OU=ops, O=M\\C3\\BCller\\2c S\\c3\\b6hne \\2B Co, C=DE",
        "CN=Worker  ONE,UID=7+OU=ops,O=m\xc3\xbcller\\, s\xc3\xb6hne \\+ co,C=de", /* RFC 4517 */
        "CN = worker one, UID = 7 + OU = ops, O = M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co, C = DE",
        "commonName=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE",
        "2.5.4.3=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE",
    };
    static const char *const other[] = {
        "",
        "CN",
        "CN=",
        "=worker one",
        "CN=worker one",
        "CN=worker one,UID=7,OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE",
        "C=DE,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,UID=7+OU=ops,CN=worker one", /* turned round */
        "CN=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co",
        "CN=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE,",
        "CN=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE+",
        "CN=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE\\",
        "CN=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE,C=DE",
        "CN=worker \\zone,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE",
        "CN=*,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE",
        "nosuch=worker one",
    };

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (!named(NAMED, NAME_SUBJECT_DN, slice_text(same[i])))
            fail_msg("another name: %s", same[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        if (named(NAMED, NAME_SUBJECT_DN, slice_text(other[i])))
            fail_msg("the same name: %s", other[i]);
    }
    assert_true(named(BMP, NAME_SUBJECT_DN, SLICE_LITERAL("CN=b\xc3\xb6se")));
    assert_false(named(BMP, NAME_SUBJECT_DN, SLICE_LITERAL("CN=b\xf6se")));
    assert_true(named(PLAIN, NAME_SUBJECT_DN, SLICE_LITERAL("CN=plain")));
    assert_false(named(EMPTY_NAME, NAME_SUBJECT_DN, SLICE_LITERAL("")));
    assert_false(named(EMPTY_NAME, NAME_SUBJECT_DN, SLICE_LITERAL(" ")));
}

/* "#" begins hex of BER, a quotation mark an older form: neither is the text as it stands. */
static void
subjects_of_other_forms(void **state)
{
    assert_false(named(PLAIN, NAME_SUBJECT_DN, SLICE_LITERAL("CN=#0c05706c61696e")));
    assert_false(named(PLAIN, NAME_SUBJECT_DN, SLICE_LITERAL("CN=\"plain\"")));
    assert_false(named(PLAIN, NAME_SUBJECT_DN, SLICE_LITERAL("CN=plain;")));
    assert_false(named(PLAIN, NAME_SUBJECT_DN, SLICE_LITERAL("/CN=plain")));
}

/* Longer and more than a name has room for. */
static void
subjects_too_long(void **state)
{
    struct buffer text = { 0 };

    for (int i = 0; i < 40; i++)
        put_text(&text, "OU=a,");
    put_text(&text, "CN=plain");
    assert_false(named(PLAIN, NAME_SUBJECT_DN, buffer_slice(&text)));
    buffer_clear(&text);
    put_text(&text, "CN=");
    for (int i = 0; i < 5000; i++)
        put_u8(&text, 'a');
    assert_false(named(PLAIN, NAME_SUBJECT_DN, buffer_slice(&text)));
    buffer_clear(&text);
    for (int i = 0; i < 5000; i++)
        put_u8(&text, 'a');
    assert_false(named(PLAIN, NAME_SUBJECT_DN, buffer_slice(&text)));
    buffer_free(&text);
}

static void
alternatives(void **state)
{
    static const struct {
        enum certificate_name kind;
        const char *value;
        bool is;
    } cases[] = {
        { NAME_SAN_DNS, "worker.example", true },
        { NAME_SAN_DNS, "WORKER.Example", true },
        { NAME_SAN_DNS, "a.wild.example", false },
        { NAME_SAN_DNS, "worker.example.", false },
        { NAME_SAN_DNS, "worker", false },
        { NAME_SAN_DNS, "", false },
        { NAME_SAN_DNS, "worker@example.com", false }, /* another kind's */
        { NAME_SAN_DNS, "worker one", false },         /* the CN is no alternative name */
        { NAME_SAN_URI, "spiffe://example/Worker", true },
        { NAME_SAN_URI, "spiffe://example/worker", false },
        { NAME_SAN_URI, "spiffe://example/Worker/", false },
        { NAME_SAN_IP, "192.0.2.7", true },
        { NAME_SAN_IP, "2001:db8::7", true },
        { NAME_SAN_IP, "2001:DB8:0:0:0:0:0:7", true },
        { NAME_SAN_IP, "192.0.2.8", false },
        { NAME_SAN_IP, "::ffff:192.0.2.7", false },
        { NAME_SAN_IP, "192.0.2.7/32", false },
        { NAME_SAN_IP, "192.0.2.07", false },
        { NAME_SAN_IP, "\xc0\x01\x02\x07", false },
        { NAME_SAN_EMAIL, "worker@example.com", true },
        { NAME_SAN_EMAIL, "Worker@example.com", false },
        { NAME_SAN_EMAIL, "worker.example", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (named(NAMED, cases[i].kind, slice_text(cases[i].value)) != cases[i].is)
            fail_msg("%s: %s", cases[i].is ? "not named" : "named", cases[i].value);
    }
    assert_true(named(EMPTY_NAME, NAME_SAN_DNS, SLICE_LITERAL("only.example")));
    assert_false(named(PLAIN, NAME_SAN_DNS, SLICE_LITERAL("plain")));
}

/* A CA that checks only what stands before the NUL must not open the door to what follows,
 * and who names the whole means no certificate at all. */
static void
nul_inside(void **state)
{
    assert_false(named(HOSTILE, NAME_SUBJECT_DN, SLICE_LITERAL("CN=good")));
    assert_false(named(HOSTILE, NAME_SUBJECT_DN, SLICE_LITERAL("CN=good\0evil")));
    assert_false(named(HOSTILE, NAME_SUBJECT_DN, SLICE_LITERAL("CN=good\\\0evil")));
    assert_false(named(HOSTILE, NAME_SUBJECT_DN, SLICE_LITERAL("CN=good\\00evil")));
    assert_false(named(HOSTILE, NAME_SAN_DNS, SLICE_LITERAL("good.example")));
    assert_false(named(HOSTILE, NAME_SAN_DNS, SLICE_LITERAL("good.example\0.evil.example")));
    assert_false(named(HOSTILE, NAME_SAN_DNS, SLICE_LITERAL(".evil.example")));
    assert_false(named(HOSTILE, NAME_SAN_DNS, SLICE_LITERAL("directory.example")));
    assert_false(named(HOSTILE, NAME_SAN_URI, SLICE_LITERAL("https://good.example")));
    assert_false(named(HOSTILE, NAME_SAN_IP, SLICE_LITERAL("192.0.2.0")));
    assert_false(named(HOSTILE, NAME_SAN_IP, SLICE_LITERAL("192.0.2")));
}

static void
subject_text(void **state)
{
    static const struct {
        const char *pem, *text;
    } cases[] = {
        { NAMED, "CN=worker one,UID=7+OU=ops,O=M\xc3\xbcller\\, S\xc3\xb6hne \\+ Co,C=DE" },
        { BMP, "CN=b\xc3\xb6se" },
        { HOSTILE, "CN=good\\00evil" },
        { EMPTY_NAME, "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct certificate *certificate = certificate_of(cases[i].pem);
        struct buffer text = { 0 };

        certificate_put_subject(certificate, &text);
        assert_true(slice_is(buffer_slice(&text), cases[i].text));
        /* What is shown is what can be asked for. */
        assert_int_equal(certificate_is_named(certificate, NAME_SUBJECT_DN, buffer_slice(&text)),
                         strcmp(cases[i].text, "") != 0 && strstr(cases[i].text, "\\00") == NULL);
        buffer_free(&text);
        certificate_free(certificate);
    }
}

static void
keys(void **state)
{
    struct certificate *certificate = certificate_of(NAMED);
    struct public_key *key = NULL;

    assert_int_equal(public_key_alg(certificate_key(certificate)), ALG_ES256);
    assert_int_equal(public_key_from_pem(slice_text(NAMED), &key, NULL), STATUS_OK);
    assert_memory_equal(public_key_thumbprint(key),
                        public_key_thumbprint(certificate_key(certificate)), THUMBPRINT_SIZE);
    public_key_free(key);
    certificate_free(certificate);
    certificate = certificate_of(PLAIN);
    assert_int_equal(public_key_alg(certificate_key(certificate)), ALG_EDDSA);
    certificate_free(certificate);
    certificate = certificate_of(HOSTILE);
    assert_null(certificate_key(certificate)); /* P-384 proves nothing here */
    certificate_free(certificate);
    assert_int_equal(public_key_from_pem(slice_text(HOSTILE), &key, NULL), STATUS_INVALID);
}

static void
validity(void **state)
{
    static const int64_t since = INT64_C(1767225600000), until = INT64_C(4922899200000);
    struct certificate *certificate = certificate_of(PLAIN);

    assert_false(certificate_valid_at(certificate, 0));
    assert_false(certificate_valid_at(certificate, since - 1));
    assert_true(certificate_valid_at(certificate, since));
    assert_true(certificate_valid_at(certificate, until - 1000));
    assert_false(certificate_valid_at(certificate, until + 1000));
    assert_false(certificate_valid_at(certificate, INT64_MAX));
    certificate_free(certificate);
}

static void
thumbprint(void **state)
{
    uint8_t der[DER_ROOM], wanted[THUMBPRINT_SIZE];
    size_t size = der_of(PLAIN, der);
    struct certificate *certificate = certificate_of(PLAIN), *again = NULL;

    /* openssl x509 -fingerprint -sha256 */
    assert_true(hex_decode(
        SLICE_LITERAL("a59ffe0acc71f8d91240fec6772e79a983783639c52c896380716eb927f0da72"), wanted,
        sizeof wanted));
    assert_memory_equal(certificate_thumbprint(certificate), wanted, THUMBPRINT_SIZE);
    assert_int_equal(certificate_from_der(slice_of(der, size), &again), STATUS_OK);
    assert_memory_equal(certificate_thumbprint(again), wanted, THUMBPRINT_SIZE);
    certificate_free(again);
    certificate_free(certificate);
}

/* Cut anywhere, longer by a byte, or PEM where DER is due. */
static void
no_certificates(void **state)
{
    uint8_t der[DER_ROOM];
    size_t size = der_of(NAMED, der);
    struct certificate *certificate = NULL;

    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(certificate_from_der(slice_of(der, cut), &certificate), STATUS_INVALID);
    der[size] = 0;
    assert_int_equal(certificate_from_der(slice_of(der, size + 1), &certificate), STATUS_INVALID);
    assert_int_equal(certificate_from_der(slice_text(NAMED), &certificate), STATUS_INVALID);
    assert_int_equal(certificate_from_der((struct slice){ 0 }, &certificate), STATUS_INVALID);
    assert_int_equal(certificate_from_pem((struct slice){ 0 }, &certificate, NULL), STATUS_INVALID);
    assert_int_equal(certificate_from_pem(SLICE_LITERAL("x"), &certificate, NULL), STATUS_INVALID);
    assert_null(certificate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects),
        cmocka_unit_test(subjects_of_other_forms),
        cmocka_unit_test(subjects_too_long),
        cmocka_unit_test(alternatives),
        cmocka_unit_test(nul_inside),
        cmocka_unit_test(subject_text),
        cmocka_unit_test(keys),
        cmocka_unit_test(validity),
        cmocka_unit_test(thumbprint),
        cmocka_unit_test(no_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
