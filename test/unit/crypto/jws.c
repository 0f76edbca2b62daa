/* crypto/jws - texts in compact form taken apart and made, and those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "crypto/jws.h"

static enum status
split(const char *text)
{
    struct arena arena;
    struct jws jws;
    enum status status;

    arena_init(&arena, 65536);
    status = jws_split(slice_text(text), &arena, &jws);
    arena_free(&arena);
    return status;
}

static void
parts(void **state)
{
    assert_int_equal(split("e30.e30.AAAA"), STATUS_OK);
    assert_int_equal(split("e30..AAAA"), STATUS_OK); /* no payload is a payload */
    assert_int_equal(split(""), STATUS_INVALID);
    assert_int_equal(split("."), STATUS_INVALID);
    assert_int_equal(split(".."), STATUS_INVALID);
    assert_int_equal(split("e30"), STATUS_INVALID);
    assert_int_equal(split("e30.e30"), STATUS_INVALID);
    assert_int_equal(split("e30.e30."), STATUS_INVALID); /* "unsecured" (RFC 7515 A.5) */
    assert_int_equal(split(".e30.AAAA"), STATUS_INVALID);
    assert_int_equal(split("e30.e30.AAAA.AAAA"), STATUS_INVALID);
    assert_int_equal(split("e30.e30.AAAA.AAAA.AAAA"), STATUS_INVALID); /* JWE's five */
}

static void
encodings(void **state)
{
    assert_int_equal(split("e30.e30.AA"), STATUS_OK);
    assert_int_equal(split("e30.e30=.AA"), STATUS_INVALID);
    assert_int_equal(split("e30.e30.AA=="), STATUS_INVALID);
    assert_int_equal(split("e30.e30.AB"), STATUS_INVALID); /* a bit beside the last byte */
    assert_int_equal(split("e30.e31.AA"), STATUS_INVALID);
    assert_int_equal(split("e30.e30.A"), STATUS_INVALID);
    assert_int_equal(split("e30.e30.A+A/"), STATUS_INVALID); /* base64's own alphabet */
    assert_int_equal(split("e30.e30.AA\n"), STATUS_INVALID);
    assert_int_equal(split("e30.e 30.AA"), STATUS_INVALID);
}

/* The longest that is taken, and one byte more, of the whole and of the signature. */
static void
sizes(void **state)
{
    static char text[JWS_MAX + 2];

    memset(text, 'A', sizeof text - 1);
    text[4] = '.';
    text[JWS_MAX - 5] = '.';
    text[JWS_MAX] = '\0';
    assert_int_equal(split(text), STATUS_OK);
    text[JWS_MAX] = 'A';
    assert_int_equal(split(text), STATUS_TOO_LARGE);

    memset(text, 'A', sizeof text);
    text[4] = text[9] = '.';
    text[10 + (SIGNATURE_MAX * 8 + 5) / 6] = '\0';
    assert_int_equal(split(text), STATUS_OK);
    memset(text, 'A', sizeof text);
    text[4] = text[9] = '.';
    text[10 + ((SIGNATURE_MAX + 1) * 8 + 5) / 6] = '\0';
    assert_int_equal(split(text), STATUS_INVALID);
}

static enum sign_alg
header_of(struct slice json, struct fault *fault)
{
    struct buffer text = { 0 };
    enum sign_alg alg = ALG_NONE;
    json_t *header = NULL;

    put_base64url(&text, json.at, json.size);
    if (jws_header(buffer_slice(&text), &header, &alg, fault) == STATUS_OK) {
        assert_true(json_is_object(header));
        json_decref(header);
    } else {
        assert_null(header);
        alg = ALG_NONE;
    }
    buffer_free(&text);
    return alg;
}

static void
headers(void **state)
{
    static const struct {
        const char *json, *said;
    } refused[] = {
        { "{}", "names no alg" },
        { "{\"alg\":null}", "names no alg" },
        { "{\"alg\":[\"ES256\"]}", "names no alg" },
        { "{\"alg\":\"none\"}", "none of ES256" },
        { "{\"alg\":\"None\"}", "none of ES256" },
        { "{\"alg\":\"\"}", "none of ES256" },
        { "{\"alg\":\"HS256\"}", "none of ES256" },
        { "{\"alg\":\"es256\"}", "none of ES256" },
        { "{\"alg\":\"ES256 \"}", "none of ES256" },
        { "{\"alg\":\"ES384\"}", "none of ES256" },
        { "{\"alg\":\"Ed448\"}", "none of ES256" },
        { "{\"alg\":\"ES256\\u0000\"}", "NUL" },
        { "{\"alg\":\"ES256\",\"alg\":\"none\"}", "twice" },
        { "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}", "twice" },
        { "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "crit" },
        { "{\"alg\":\"ES256\",\"crit\":[]}", "crit" },
        { "{\"alg\":\"ES256\",\"crit\":null}", "crit" },
        { "{\"alg\":\"ES256\",\"b64\":false}", "crit" },
        { "{\"alg\":\"ES256\",\"b64\":true}", "crit" },
        { "{\"alg\":\"ES256\"}{}", "behind" },
        { "{\"alg\":\"ES256\"", "too early" },
        { "[\"ES256\"]", "no JSON object" },
        { "\"ES256\"", "" },
        { "", "" },
    };
    struct fault fault;

    assert_int_equal(header_of(SLICE_LITERAL("{\"alg\":\"ES256\"}"), NULL), ALG_ES256);
    assert_int_equal(header_of(SLICE_LITERAL("{\"alg\":\"PS256\",\"typ\":\"x\"}"), NULL),
                     ALG_PS256);
    assert_int_equal(header_of(SLICE_LITERAL("{\"alg\":\"Ed25519\"}"), NULL), ALG_EDDSA);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        fault = (struct fault){ 0 };
        if (header_of(slice_text(refused[i].json), &fault) != ALG_NONE)
            fail_msg("taken: %s", refused[i].json);
        if (strstr(fault.text, refused[i].said) == NULL)
            fail_msg("%s is refused for another reason: %s", refused[i].json, fault.text);
    }
    assert_int_equal(header_of(SLICE_LITERAL("{\"alg\":\"ES256\0\"}"), NULL), ALG_NONE);
    assert_int_equal(header_of(SLICE_LITERAL("{\"alg\":\"ES256\",\"x\":\"\xc3\"}"), NULL),
                     ALG_NONE);
}

static void
headers_deep(void **state)
{
    struct buffer json = { 0 };

    put_text(&json, "{\"alg\":\"ES256\",\"x\":");
    for (int i = 0; i < 4000; i++)
        put_u8(&json, '[');
    assert_int_equal(header_of(buffer_slice(&json), NULL), ALG_NONE);
    buffer_free(&json);
}

/* What is signed comes out again whole; the key is asked, not the header. */
static void
round_trip(void **state)
{
    static const enum sign_alg algs[] = { ALG_ES256, ALG_EDDSA, ALG_RS256, ALG_PS256 };

    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        json_t *header = json_pack("{s:s, s:s}", "typ", "JWT", "alg", "none");
        json_t *payload = json_pack("{s:s}", "sub", "a"), *read = NULL;
        struct private_key *pair = NULL;
        struct buffer text = { 0 };
        struct arena arena;
        struct jws jws;
        enum sign_alg alg;

        arena_init(&arena, 65536);
        assert_int_equal(private_key_generate(algs[i], &pair), STATUS_OK);
        put_text(&text, "DPoP "); /* what stood before is not signed */
        assert_int_equal(jws_sign(pair, algs[i], header, payload, &text), STATUS_OK);
        assert_int_equal(jws_split(slice_from(buffer_slice(&text), 5), &arena, &jws), STATUS_OK);
        assert_true(slice_is(jws.payload, "{\"sub\":\"a\"}"));
        assert_int_equal(jws_header(jws.header, &read, &alg, NULL), STATUS_OK);
        assert_int_equal(alg, algs[i]);
        assert_string_equal(json_string_value(json_object_get(read, "typ")), "JWT");
        assert_int_equal(
            public_key_verify(private_key_public(pair), alg, jws.signed_text, jws.signature),
            STATUS_OK);
        assert_int_equal(public_key_verify(private_key_public(pair), alg,
                                           slice_first(jws.signed_text, jws.signed_text.size - 1),
                                           jws.signature),
                         STATUS_DENIED);
        json_decref(header);
        json_decref(payload);
        json_decref(read);
        buffer_free(&text);
        private_key_free(pair);
        arena_free(&arena);
    }
}

static void
signs_its_own_alg(void **state)
{
    json_t *header = json_object(), *payload = json_object();
    struct private_key *pair = NULL;
    struct buffer text = { 0 };

    assert_int_equal(private_key_generate(ALG_ES256, &pair), STATUS_OK);
    assert_int_equal(jws_sign(pair, ALG_EDDSA, header, payload, &text), STATUS_INVALID);
    assert_int_equal(jws_sign(pair, ALG_NONE, header, payload, &text), STATUS_INVALID);
    json_decref(header);
    json_decref(payload);
    buffer_free(&text);
    private_key_free(pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(encodings),
        cmocka_unit_test(sizes),
        cmocka_unit_test(headers),
        cmocka_unit_test(headers_deep),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(signs_its_own_alg),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
