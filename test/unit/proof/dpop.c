/* proof/dpop - a proof that holds, and beside it each thing that makes it none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "crypto/jws.h"
#include "proof/dpop.h"

#define NOW     INT64_C(1800000000000)
#define URL     "https://gw.example/orders/v1/orders/42"
#define TOKEN   "writ_token"

static struct private_key *key;
static struct nonce_source *nonces;
static struct dpop_verifier *verifier;
static struct arena arena;

static int
set_up(void **state)
{
    arena_init(&arena, 1 << 20);
    return private_key_generate(ALG_ES256, &key) != STATUS_OK ||
           nonce_source_new(SLICE_LITERAL("n1"), &nonces) != STATUS_OK ||
           dpop_verifier_new(&verifier) != STATUS_OK;
}

static int
tear_down(void **state)
{
    private_key_free(key);
    nonce_source_free(nonces);
    dpop_verifier_free(verifier);
    arena_free(&arena);
    return 0;
}

static struct dpop_expected
expected(void)
{
    return (struct dpop_expected){ .method = SLICE_LITERAL("GET"),
                                   .target = SLICE_LITERAL(URL),
                                   .token = SLICE_LITERAL(TOKEN),
                                   .now = NOW,
                                   .nonces = nonces,
                                   .place = NONCE_GATEWAY };
}

static json_t *
good_payload(void)
{
    uint8_t digest[HASH_SIZE];
    struct slice token = SLICE_LITERAL(TOKEN);
    struct buffer ath = { 0 };
    json_t *payload;

    assert_int_equal(hash_sha256(&token, 1, digest), STATUS_OK);
    put_base64url(&ath, digest, sizeof digest);
    payload = json_pack("{s:s, s:s, s:s, s:I, s:o}", "jti", "1", "htm", "GET", "htu", URL, "iat",
                        (json_int_t)(NOW / 1000), "ath", json_slice(buffer_slice(&ath)));
    buffer_free(&ath);
    return payload;
}

static json_t *
good_header(void)
{
    return json_pack("{s:s, s:o}", "typ", "dpop+jwt", "jwk",
                     public_key_jwk(private_key_public(key)));
}

/* JSON with ' for "; null takes a member out. */
static void
change(json_t *object, const char *changes)
{
    char *text = strdup(changes), *at;
    const char *name;
    json_t *with, *value;

    while ((at = strchr(text, '\'')) != NULL)
        *at = '"';
    assert_int_equal(json_read(slice_text(text), &with, NULL), STATUS_OK);
    free(text);
    json_object_foreach(with, name, value)
    {
        if (json_is_null(value))
            json_object_del(object, name);
        else
            json_object_set(object, name, value);
    }
    json_decref(with);
}

static enum dpop_verdict
check(struct slice text, const struct dpop_expected *with, struct dpop_proof *out)
{
    arena_reset(&arena);
    return dpop_check(verifier, text, with, &arena, out);
}

static enum dpop_verdict
verdict_with(const char *header_changes, const char *payload_changes,
             const struct dpop_expected *with)
{
    json_t *header = good_header(), *payload = good_payload();
    struct buffer text = { 0 };
    struct dpop_proof proof;
    enum dpop_verdict verdict;

    change(header, header_changes);
    change(payload, payload_changes);
    assert_int_equal(jws_sign(key, ALG_ES256, header, payload, &text), STATUS_OK);
    verdict = check(buffer_slice(&text), with, &proof);
    buffer_free(&text);
    json_decref(header);
    json_decref(payload);
    return verdict;
}

static enum dpop_verdict
claims(const char *changes)
{
    struct dpop_expected with = expected();

    return verdict_with("{}", changes, &with);
}

static enum dpop_verdict
header(const char *changes)
{
    struct dpop_expected with = expected();

    return verdict_with(changes, "{}", &with);
}

static void
made_and_checked(void **state)
{
    static const enum sign_alg algs[] = { ALG_ES256, ALG_EDDSA, ALG_RS256 };

    for (size_t i = 0; i < 3; i++) {
        struct private_key *pair;
        struct buffer text = { 0 };
        struct dpop_proof proof, again;
        struct dpop_expected with = expected();

        assert_int_equal(private_key_generate(algs[i], &pair), STATUS_OK);
        assert_int_equal(dpop_make(pair,
                                   &(struct dpop_claims){ .method = SLICE_LITERAL("GET"),
                                                          .url = SLICE_LITERAL(URL "?x=1#y"),
                                                          .token = SLICE_LITERAL(TOKEN),
                                                          .now = NOW },
                                   &text),
                         STATUS_OK);
        assert_int_equal(check(buffer_slice(&text), &with, &proof), DPOP_OK);
        assert_memory_equal(proof.jkt, public_key_thumbprint(private_key_public(pair)), 32);
        assert_int_equal(proof.alg, algs[i]);
        assert_true(proof.replay_until > NOW + DPOP_PAST_MS - 1000);
        /* The same proof has the same id, so that it is known again. */
        assert_int_equal(check(buffer_slice(&text), &with, &again), DPOP_OK);
        assert_memory_equal(proof.replay_id, again.replay_id, sizeof proof.replay_id);
        text.bytes[text.size - 3] = text.bytes[text.size - 3] == 'A' ? 'B' : 'A';
        assert_int_equal(check(buffer_slice(&text), &with, &again), DPOP_SIGNATURE);
        private_key_free(pair);
        buffer_free(&text);
    }
}

static void
headers(void **state)
{
    assert_int_equal(header("{}"), DPOP_OK);
    assert_int_equal(header("{'kid': 'x', 'x5c': ['y'], 'jku': 'https://evil.example'}"), DPOP_OK);
    assert_int_equal(header("{'typ': 'JWT'}"), DPOP_TYPE);
    assert_int_equal(header("{'typ': null}"), DPOP_TYPE);
    assert_int_equal(header("{'typ': 7}"), DPOP_TYPE);
    assert_int_equal(header("{'jwk': null}"), DPOP_KEY);
    assert_int_equal(header("{'jwk': {'kty': 'oct', 'k': 'AAAA'}}"), DPOP_KEY);
    assert_int_equal(header("{'jwk': 'x'}"), DPOP_KEY);
    assert_int_equal(header("{'crit': ['exp']}"), DPOP_MALFORMED);
    assert_int_equal(header("{'b64': true}"), DPOP_MALFORMED);
    /* The key of another's signature. */
    struct private_key *other;
    json_t *jwk, *changes;
    struct buffer text = { 0 };
    assert_int_equal(private_key_generate(ALG_ES256, &other), STATUS_OK);
    jwk = public_key_jwk(private_key_public(other));
    changes = json_pack("{s:o}", "jwk", jwk);
    put_json(&text, changes);
    put_u8(&text, '\0');
    assert_int_equal(header(text.bytes), DPOP_SIGNATURE);
    json_decref(changes);
    buffer_free(&text);
    private_key_free(other);
}

static void
payloads(void **state)
{
    static const struct {
        const char *changes;
        enum dpop_verdict verdict;
    } cases[] = {
        { "{}", DPOP_OK },
        { "{'more': 1}", DPOP_OK },
        { "{'jti': null}", DPOP_MALFORMED },
        { "{'jti': ''}", DPOP_MALFORMED },
        { "{'jti': 1}", DPOP_MALFORMED },
        { "{'htm': null}", DPOP_MALFORMED },
        { "{'htm': 'get'}", DPOP_METHOD },
        { "{'htm': 'POST'}", DPOP_METHOD },
        { "{'htu': null}", DPOP_MALFORMED },
        { "{'htu': 'https://gw.example/orders/v1/orders/43'}", DPOP_TARGET },
        { "{'htu': 'http://gw.example/orders/v1/orders/42'}", DPOP_TARGET },
        { "{'htu': 'https://gw.example:444/orders/v1/orders/42'}", DPOP_TARGET },
        { "{'htu': 'HTTPS://GW.example:443/orders/./v1/orders/%34%32?q#f'}", DPOP_OK },
        { "{'htu': 'https://gw.example/orders/v1/orders/42/'}", DPOP_TARGET },
        { "{'htu': 'https://u@gw.example/orders/v1/orders/42'}", DPOP_TARGET },
        { "{'ath': null}", DPOP_TOKEN },
        { "{'ath': 'AAAA'}", DPOP_TOKEN },
        { "{'ath': 1}", DPOP_MALFORMED },
        { "{'iat': null}", DPOP_MALFORMED },
        { "{'iat': '1800000000'}", DPOP_MALFORMED },
        { "{'iat': 1800000000.5}", DPOP_MALFORMED },
        { "{'iat': -1}", DPOP_MALFORMED },
        { "{'iat': 9223372036854775807}", DPOP_MALFORMED },
        { "{'iat': 1799999880}", DPOP_OK },
        { "{'iat': 1799999879}", DPOP_TOO_OLD },
        { "{'iat': 1800000001}", DPOP_OK },
        { "{'iat': 1800000002}", DPOP_NONCE },
        { "{'iat': 1800000031}", DPOP_TOO_NEW },
        { "{'nonce': 'x'}", DPOP_NONCE },
        { "{'nonce': 1}", DPOP_MALFORMED },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (claims(cases[i].changes) != cases[i].verdict)
            fail_msg("%s: %s", cases[i].changes, dpop_verdict_text(claims(cases[i].changes)));
    }
}

static void
with_nonce(enum nonce_place place, int64_t at, char out[128])
{
    char nonce[NONCE_TEXT_MAX];

    snprintf(out, 128, "{'nonce': '%s'}", nonce_make(nonces, place, at, nonce));
}

static void
nonces_and_starts(void **state)
{
    struct dpop_expected with = expected();
    char text[128];

    with.nonce_required = true;
    assert_int_equal(verdict_with("{}", "{}", &with), DPOP_NONCE);
    with_nonce(NONCE_GATEWAY, NOW - NONCE_LIFE_MS, text);
    assert_int_equal(verdict_with("{}", text, &with), DPOP_OK);
    with_nonce(NONCE_GATEWAY, NOW - NONCE_LIFE_MS - 1, text);
    assert_int_equal(verdict_with("{}", text, &with), DPOP_NONCE);
    with_nonce(NONCE_AUTHORITY, NOW, text);
    assert_int_equal(verdict_with("{}", text, &with), DPOP_NONCE);
    /* From before this process: only a nonce of this process makes it good. */
    with = expected();
    with.started_at = NOW + 1;
    assert_int_equal(verdict_with("{}", "{}", &with), DPOP_NONCE);
    with_nonce(NONCE_GATEWAY, NOW, text);
    assert_int_equal(verdict_with("{}", text, &with), DPOP_OK);
    /* It does not make an old one young. */
    struct buffer both = { 0 };
    put_format(&both, "%.*s, 'iat': 1799990000}", (int)strlen(text) - 1, text);
    put_u8(&both, '\0');
    assert_int_equal(verdict_with("{}", both.bytes, &with), DPOP_TOO_OLD);
    buffer_free(&both);
}

static void
bytes(void **state)
{
    static const char *const texts[] = { "", ".", "..", "a.b", "a.b.c", "e30.e30.AA", "e30.e30.AA.",
                                         "eyJhbGciOiJub25lIn0.e30.", " e30.e30.AA" };
    struct dpop_expected with = expected();
    struct dpop_proof proof;
    char *big = malloc(DPOP_TEXT_MAX + 1);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_not_equal(check(slice_text(texts[i]), &with, &proof), DPOP_OK);
    memset(big, 'a', DPOP_TEXT_MAX + 1);
    assert_int_equal(check(slice_of(big, DPOP_TEXT_MAX + 1), &with, &proof), DPOP_MALFORMED);
    free(big);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_and_checked), cmocka_unit_test(headers),
        cmocka_unit_test(payloads),         cmocka_unit_test(nonces_and_starts),
        cmocka_unit_test(bytes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
