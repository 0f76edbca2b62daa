/* proof/target - one form for each URL, and none for what is no URL of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "crypto/hash.h"
#include "proof/certificate.h"
#include "proof/nonce.h"
#include "proof/target.h"

static const struct {
    const char *url, *normal;
} forms[] = {
    { "http://a", "http://a/" },
    { "HTTP://A.Example:80/B", "http://a.example/B" },
    { "https://a:443", "https://a/" },
    { "https://a:0443/", "https://a/" },
    { "https://a:80/", "https://a:80/" },
    { "http://a:/x", "http://a/x" },
    { "http://[::1]:7880/x", "http://[::1]:7880/x" },
    { "http://[FE80::1]/", "http://[fe80::1]/" },
    { "http://a/x?y#z", "http://a/x" },
    { "http://a#z?y", "http://a/" },
    { "http://a/./b/../c", "http://a/c" },
    { "http://a/..", "http://a/" },
    { "http://a/../../b", "http://a/b" },
    { "http://a/b/.", "http://a/b/" },
    { "http://a/b/..", "http://a/" },
    { "http://a/b//c", "http://a/b//c" },
    { "http://a/%7e%2fx%2D", "http://a/~%2Fx-" },
    { "http://a/%2e%2E/b", "http://a/b" },
    { "http://a/b...", "http://a/b..." },
};

static const char *const refused[] = {
    "", "/a", "a", "ftp://a/", "http:/a", "http:///a", "http://u@a/", "http://a b/", "http://a/b c",
    "http://a/%", "http://a/%4", "http://a/%4g", "http://a:x/", "http://a:0/", "http://a:70000/",
    "http://[::1/", "http://a/\"", "http://a/\\", "http://\xc3\xa4/", "http://a/\x01", "http://:80/",
};

static void
normal(void **state)
{
    struct arena arena;
    struct slice out, again;

    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        arena_reset(&arena);
        assert_int_equal(target_normal(slice_text(forms[i].url), &arena, &out), STATUS_OK);
        if (!slice_is(out, forms[i].normal))
            fail_msg("%s: %.*s", forms[i].url, SLICE_PRINT(out));
        assert_int_equal(target_normal(out, &arena, &again), STATUS_OK);
        assert_true(slice_equal(out, again));
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        arena_reset(&arena);
        if (target_normal(slice_text(refused[i]), &arena, &out) == STATUS_OK)
            fail_msg("%s is taken as %.*s", refused[i], SLICE_PRINT(out));
    }
    arena_free(&arena);
}

static void
nonces(void **state)
{
    struct nonce_source *one, *other;
    char text[NONCE_TEXT_MAX];
    struct slice nonce;

    assert_int_equal(nonce_source_new(SLICE_LITERAL("n1"), &one), STATUS_OK);
    assert_int_equal(nonce_source_new(SLICE_LITERAL("n1"), &other), STATUS_OK);
    nonce = slice_text(nonce_make(one, NONCE_GATEWAY, 1000000, text));
    assert_true(nonce.size > 30);
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, nonce, 1000000), NONCE_FRESH);
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, nonce, 1000000 + NONCE_FRESH_MS), NONCE_FRESH);
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, nonce, 1000001 + NONCE_FRESH_MS), NONCE_OLD);
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, nonce, 1000001 + NONCE_LIFE_MS), NONCE_WRONG);
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, nonce, 999999 - NONCE_LIFE_MS), NONCE_WRONG);
    assert_int_equal(nonce_check(one, NONCE_AUTHORITY, nonce, 1000000), NONCE_WRONG);
    /* A node of the same name after its restart, and any other. */
    assert_int_equal(nonce_check(other, NONCE_GATEWAY, nonce, 1000000), NONCE_WRONG);
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, (struct slice){ 0 }, 1000000), NONCE_NONE);
    text[5] ^= 1;
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, nonce, 1000000), NONCE_WRONG);
    assert_int_equal(nonce_check(one, NONCE_GATEWAY, SLICE_LITERAL("AAAA"), 0), NONCE_WRONG);
    nonce_source_free(one);
    nonce_source_free(other);
}

/* --- certificates ------------------------------------------------------------------- */

static const char pem[] =
    "MIIBdTCCARugAwIBAgIUHLgxwOdKnIJQ4cf79ChhaAuXGe4wCgYIKoZIzj0EAwIwDzENMAsGA1UE"
    "AwwEdGVzdDAgFw0yNjExMjYyMzUwNDVaGA8yMTI2MTEwMjIzNTA0NVowDzENMAsGA1UEAwwEdGVz"
    "dDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJP+ihsEOG3ZfLTqNKQBNm/SWGrXpycXNVpVBlBZ"
    "YTN+1rIPWbxcpbqUHAwX5niEHBrJW8eGbWhS3z48K9xFJOmjUzBRMB0GA1UdDgQWBBSdPymbpZYZ"
    "qVHJscz27LIxPk8/STAfBgNVHSMEGDAWgBSdPymbpZYZqVHJscz27LIxPk8/STAPBgNVHRMBAf8E"
    "BTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIBHgqlwSZk1hPBslAZ6V0s5ouQvccAJFjXKVQt58iAbj"
    "AiEAu6N7J6sebaHSr3kTk+Sxao9ZU2CCtHeFSjrvNxM7VGI=";

static struct slice
der_of(const char *text, uint8_t *out)
{
    size_t size = 0;
    uint32_t group = 0;
    unsigned count = 0;

    for (; *text != '\0' && *text != '='; text++) {
        const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        group = group << 6 | (uint32_t)(strchr(alphabet, *text) - alphabet);
        if (++count % 4 == 0) {
            out[size++] = (uint8_t)(group >> 16);
            out[size++] = (uint8_t)(group >> 8);
            out[size++] = (uint8_t)group;
            group = 0;
        }
    }
    if (count % 4 == 3) {
        out[size++] = (uint8_t)(group >> 10);
        out[size++] = (uint8_t)(group >> 2);
    } else if (count % 4 == 2) {
        out[size++] = (uint8_t)(group >> 4);
    }
    return slice_of(out, size);
}

static void
forwarded(void **state)
{
    uint8_t bytes[2048];
    struct slice der = der_of(pem, bytes), out;
    struct arena arena;
    char field[2048];

    arena_init(&arena, 1 << 16);
    snprintf(field, sizeof field, ":%s:", pem);
    assert_int_equal(certificate_from_field(slice_text(field), &arena, &out), STATUS_OK);
    assert_true(slice_equal(out, der));
    static const char *const wrong[] = { "", ":", "::", ":AAAA:", "AAAA", ":AA==", ":A===:",
                                         ":AA=A:", ":AB==:", ": AAAA:" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_not_equal(certificate_from_field(slice_text(wrong[i]), &arena, &out), STATUS_OK);
    field[20] ^= 1;
    assert_int_not_equal(certificate_from_field(slice_text(field), &arena, &out), STATUS_MEMORY);
    arena_free(&arena);
}

static void
proves(void **state)
{
    uint8_t bytes[2048], x5t[32], other[32] = { 1 };
    struct slice der = der_of(pem, bytes);
    struct certificate_prover *prover;
    struct certificate *certificate;
    struct binding binding = { .kind = BINDING_X5T };

    assert_int_equal(certificate_prover_new(&prover), STATUS_OK);
    assert_int_equal(hash_sha256(&der, 1, x5t), STATUS_OK);
    assert_int_equal(certificate_from_der(der, &certificate), STATUS_OK);
    memcpy(binding.thumbprint, x5t, 32);
    assert_true(certificate_proves(prover, &binding, x5t, der));
    assert_false(certificate_proves(prover, &binding, other, der));
    binding.kind = BINDING_JKT;
    assert_false(certificate_proves(prover, &binding, x5t, der)); /* a thumbprint of another kind */
    memcpy(binding.thumbprint, public_key_thumbprint(certificate_key(certificate)), 32);
    for (int again = 0; again < 2; again++)
        assert_true(certificate_proves(prover, &binding, x5t, der));
    /* An x5t that is not the DER's own proves nothing. */
    assert_false(certificate_proves(prover, &binding, other, der));
    binding.kind = BINDING_NONE;
    assert_false(certificate_proves(prover, &binding, x5t, der));
    assert_true(certificate_is_named(certificate, NAME_SUBJECT_DN, SLICE_LITERAL("CN=test")));
    assert_false(certificate_is_named(certificate, NAME_SUBJECT_DN, SLICE_LITERAL("CN=tes")));
    assert_false(certificate_is_named(certificate, NAME_SUBJECT_DN, SLICE_LITERAL("")));
    assert_false(certificate_is_named(certificate, NAME_SAN_DNS, SLICE_LITERAL("test")));
    certificate_free(certificate);
    certificate_prover_free(prover);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal),
        cmocka_unit_test(nonces),
        cmocka_unit_test(forwarded),
        cmocka_unit_test(proves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
