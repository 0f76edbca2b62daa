/* crypto/jose - the examples that the RFCs compute, and keys, sets and texts that only look
 * like them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "base/json.h"
#include "crypto/jws.h"

/* RFC 7515 A.3. */
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ES256_TEXT                                                                                 \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"    \
    "LmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"  \
    "pmWQxfKTUJqPP3-Kg6NU1Q"
/* RFC 8037 A.2 to A.4. */
#define OKP_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define EDDSA_TEXT                                                                                 \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcv"  \
    "Mg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
/* RFC 7638 §3.1. */
#define RSA_N                                                                                      \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP" \
    "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY" \
    "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f" \
    "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"

/* 32 bytes of 0 and of 255. */
#define ZEROES "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ONES   "__________________________________________8"

#define EC  "'kty': 'EC', 'crv': 'P-256', 'x': '" EC_X "', 'y': '" EC_Y "'"
#define OKP "'kty': 'OKP', 'crv': 'Ed25519', 'x': '" OKP_X "'"
#define RSA "'kty': 'RSA', 'n': '" RSA_N "', 'e': 'AQAB'"

/* JSON with ' for ". */
static json_t *
json_of(const char *quoted)
{
    char *text = strdup(quoted), *at;
    json_t *value = NULL;

    while ((at = strchr(text, '\'')) != NULL)
        *at = '"';
    assert_int_equal(json_read(slice_text(text), &value, NULL), STATUS_OK);
    free(text);
    return value;
}

static enum status
read_key(const char *quoted, struct public_key **out)
{
    json_t *jwk = json_of(quoted);
    enum status status = public_key_from_jwk(jwk, out, NULL);

    json_decref(jwk);
    return status;
}

static void
takes(const char *quoted)
{
    struct public_key *key = NULL;

    if (read_key(quoted, &key) != STATUS_OK)
        fail_msg("refused: %s", quoted);
    public_key_free(key);
}

static void
refuses(const char *quoted)
{
    struct public_key *key = NULL;

    if (read_key(quoted, &key) != STATUS_INVALID)
        fail_msg("taken: %s", quoted);
}

static void
thumbprints(void **state)
{
    static const struct {
        const char *jwk, *thumbprint;
    } cases[] = {
        { "{'alg': 'RS256', 'kid': '2011-04-29', " RSA "}",
          "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
        { "{" OKP "}", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct public_key *key = NULL;
        struct buffer text = { 0 };

        assert_int_equal(read_key(cases[i].jwk, &key), STATUS_OK);
        put_base64url(&text, public_key_thumbprint(key), THUMBPRINT_SIZE);
        put_u8(&text, '\0');
        assert_string_equal(text.bytes, cases[i].thumbprint);
        buffer_free(&text);
        public_key_free(key);
    }
}

static enum status
verify(const char *jwk, const char *text, struct arena *arena)
{
    struct public_key *key = NULL;
    json_t *header = NULL;
    enum sign_alg alg;
    struct jws jws;
    enum status status = jws_split(slice_text(text), arena, &jws);

    if (status != STATUS_OK)
        return status;
    assert_int_equal(jws_header(jws.header, &header, &alg, NULL), STATUS_OK);
    json_decref(header);
    assert_int_equal(read_key(jwk, &key), STATUS_OK);
    status = public_key_verify(key, alg, jws.signed_text, jws.signature);
    public_key_free(key);
    return status;
}

static void
signatures(void **state)
{
    struct arena arena;

    arena_init(&arena, 65536);
    assert_int_equal(verify("{" EC "}", ES256_TEXT, &arena), STATUS_OK);
    assert_int_equal(verify("{" OKP "}", EDDSA_TEXT, &arena), STATUS_OK);
    /* Another key's text, and another kind's. */
    assert_int_equal(verify("{" OKP "}", ES256_TEXT, &arena), STATUS_DENIED);
    assert_int_equal(verify("{" EC "}", EDDSA_TEXT, &arena), STATUS_DENIED);
    /* A part more, a part less, padding, a bit beside the last byte. */
    assert_int_equal(verify("{" OKP "}", EDDSA_TEXT ".", &arena), STATUS_INVALID);
    assert_int_equal(verify("{" OKP "}", "eyJhbGciOiJFZERTQSJ9.RXhh", &arena), STATUS_INVALID);
    assert_int_equal(verify("{" OKP "}", EDDSA_TEXT "==", &arena), STATUS_INVALID);
    assert_int_equal(verify("{" OKP "}", "eyJhbGciOiJFZERTQSJ9.RXhh.AB", &arena), STATUS_INVALID);
    arena_free(&arena);
}

static void
keys(void **state)
{
    takes("{" EC "}");
    takes("{" EC ", 'alg': 'ES256', 'use': 'sig', 'key_ops': ['verify'], 'kid': 'a'}");
    takes("{" OKP ", 'alg': 'EdDSA'}");
    takes("{" OKP ", 'alg': 'Ed25519'}");
    takes("{" RSA ", 'alg': 'PS256'}");
    /* For something else. */
    refuses("{" EC ", 'use': 'enc'}");
    refuses("{" EC ", 'key_ops': ['sign']}");
    refuses("{" EC ", 'alg': 'RS256'}");
    refuses("{" EC ", 'alg': 'none'}");
    refuses("{" RSA ", 'alg': 'RS512'}");
    /* A private half, or a symmetric key. */
    refuses("{" EC ", 'd': 'AAAA'}");
    refuses("{" RSA ", 'p': 'AAAA'}");
    refuses("{'kty': 'oct', 'k': 'AAAA'}");
    /* No point of the curve, coordinates of another size, another curve. */
    refuses("{'kty': 'EC', 'crv': 'P-256', 'x': '" EC_X "', 'y': '" EC_X "'}");
    refuses("{'kty': 'EC', 'crv': 'P-256', 'x': '" EC_X "AA', 'y': '" EC_Y "'}");
    refuses("{'kty': 'EC', 'crv': 'P-256', 'x': '" EC_X "'}");
    refuses("{'kty': 'EC', 'crv': 'P-384', 'x': '" EC_X "', 'y': '" EC_Y "'}");
    refuses("{'kty': 'OKP', 'crv': 'X25519', 'x': '" OKP_X "'}");
    /* Exponents and moduli that a signature is forged for. */
    refuses("{'kty': 'RSA', 'n': '" RSA_N "', 'e': 'AQ'}");
    refuses("{'kty': 'RSA', 'n': '" RSA_N "', 'e': 'Aw'}");
    refuses("{'kty': 'RSA', 'n': '" RSA_N "', 'e': 'AQAA'}");
    refuses("{'kty': 'RSA', 'n': 'AAAA', 'e': 'AQAB'}");
    refuses("{'kty': 'RSA', 'n': 'w_______________________', 'e': 'AQAB'}");
    /* Members of another type than text. */
    refuses("{" EC ", 'alg': 5}");
    refuses("{" EC ", 'use': ['sig']}");
    refuses("{" EC ", 'key_ops': 'verify'}");
    refuses("{" EC ", 'd': null}");
    refuses("{'kty': ['EC'], 'crv': 'P-256', 'x': '" EC_X "', 'y': '" EC_Y "'}");
    refuses("{'kty': 'EC', 'crv': 'P-256', 'x': 1, 'y': 2}");
    /* Numbers in a second form, which would be a second thumbprint of one key. */
    refuses("{'kty': 'RSA', 'n': '" RSA_N "', 'e': 'AAEAAQ'}");
    refuses("{'kty': 'RSA', 'n': 'AA" RSA_N "', 'e': 'AQAB'}");
    refuses("{'kty': 'RSA', 'n': '" RSA_N "==', 'e': 'AQAB'}");
    refuses("{'kty': 'RSA', 'n': '" RSA_N "', 'e': 'AQABAQABAQAB'}");
    refuses("{'kty': 'EC', 'crv': 'P-256', 'x': '" ZEROES "', 'y': '" ZEROES "'}");
    refuses("{'kty': 'EC', 'crv': 'P-256', 'x': '" ONES "', 'y': '" ONES "'}");
    refuses("{}");
    refuses("[]");
}

static void
sets(void **state)
{
    json_t *set =
        json_of("{'keys': [{" EC ", 'kid': 'a'}, {" OKP ", 'kid': 'b'}, {'kty': 'new'}]}");
    struct jwks *keys = NULL;

    assert_int_equal(jwks_read(set, &keys, NULL), STATUS_OK);
    json_decref(set);
    assert_int_equal(jwks_count(keys), 2); /* a kind that is not known is no fault */
    assert_non_null(jwks_find(keys, SLICE_LITERAL("a"), ALG_ES256));
    assert_null(jwks_find(keys, SLICE_LITERAL("a"), ALG_EDDSA));
    assert_null(jwks_find(keys, SLICE_LITERAL("../../a"), ALG_ES256));
    assert_non_null(jwks_find(keys, SLICE_LITERAL(""), ALG_EDDSA)); /* the only one that fits */
    assert_null(jwks_find(keys, SLICE_LITERAL(""), ALG_RS256));
    assert_null(jwks_find(keys, SLICE_LITERAL("a\0"), ALG_ES256));
    jwks_free(keys);
    set = json_of("{'keys': [{" OKP ", 'kid': 'a'}, {" OKP "}]}");
    assert_int_equal(jwks_read(set, &keys, NULL), STATUS_OK);
    json_decref(set);
    assert_null(jwks_find(keys, SLICE_LITERAL(""), ALG_EDDSA)); /* which of the two? */
    jwks_free(keys);
}

static void
no_sets(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{'keys': {}}",
        "{'keys': ['x']}",
        "{'keys': [{" EC ", 'kid': 'a'}, {" OKP ", 'kid': 'a'}]}",
        "{'keys': [{" EC "}, {'kty': 'oct', 'k': 'AAAA'}]}",
        "{'keys': [{" OKP ", 'd': 'AAAA'}]}",
        "{'keys': [{" OKP "}, {" RSA ", 'p': 'AAAA'}]}",
        "{'keys': [{'kty': 'oct'}]}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *set = json_of(texts[i]);
        struct jwks *keys = NULL;

        if (jwks_read(set, &keys, NULL) != STATUS_INVALID)
            fail_msg("taken: %s", texts[i]);
        json_decref(set);
    }
}

/* The most that is taken, and one more. */
static void
sets_of_many(void **state)
{
    json_t *set = json_of("{'keys': []}"), *key = json_of("{" OKP "}");
    struct jwks *keys = NULL;

    for (int i = 0; i < JWKS_KEYS_MAX; i++)
        json_array_append(json_object_get(set, "keys"), key);
    assert_int_equal(jwks_read(set, &keys, NULL), STATUS_OK);
    assert_int_equal(jwks_count(keys), JWKS_KEYS_MAX);
    jwks_free(keys);
    json_array_append(json_object_get(set, "keys"), key);
    assert_int_equal(jwks_read(set, &keys, NULL), STATUS_INVALID);
    json_decref(key);
    json_decref(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thumbprints), cmocka_unit_test(signatures), cmocka_unit_test(keys),
        cmocka_unit_test(sets),        cmocka_unit_test(no_sets),    cmocka_unit_test(sets_of_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
