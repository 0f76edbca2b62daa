/* world/binding - which key a token's holder has to prove: bound at issue, by a caveat,
 * and anew by leave of the key before; purposes, audiences, and JWTs of a record. */
#include "fixture.h"

#include "base/encoding.h"
#include "crypto/jws.h"
#include "token/text.h"

static struct private_key *
key_new(void)
{
    struct private_key *key;

    assert_int_equal(private_key_generate(ALG_ES256, &key), STATUS_OK);
    return key;
}

static const uint8_t *
jkt_of(const struct private_key *key)
{
    return public_key_thumbprint(private_key_public(key));
}

static struct change
bound_to(unsigned number, const struct private_key *key)
{
    struct change change = issued(number);

    change.token.binding.kind = BINDING_JKT;
    memcpy(change.token.binding.thumbprint, jkt_of(key), 32);
    return change;
}

/* Narrows the text to the key `to`, signed by `by` when that is not NULL. */
static enum status
rebind(struct slice text, const struct private_key *to, const struct private_key *by,
       struct buffer *out)
{
    struct attenuation what = { .jkt = jkt_of(to), .signer = by };
    struct hop_id hop;

    return token_attenuate(text, &what, out, &hop, NULL);
}

static void
expect_key(struct fixture *f, struct slice text, const struct private_key *key)
{
    struct credential credential;

    assert_int_equal(present(f, text, NOW, &credential), CREDENTIAL_OK);
    assert_int_equal(credential.binding.kind, BINDING_JKT);
    assert_memory_equal(credential.binding.thumbprint, jkt_of(key), 32);
}

static void
expect_refused(struct fixture *f, struct slice text)
{
    struct credential credential;

    assert_int_equal(present(f, text, NOW, &credential), CREDENTIAL_UNKNOWN);
}

static void
handed_on(void **state)
{
    struct fixture f = fixture_new();
    struct private_key *a = key_new(), *b = key_new(), *c = key_new();
    struct buffer first = { 0 }, second = { 0 };
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, bound_to(1, a));
    text_of(&f, 1, text);
    expect_key(&f, slice_text(text), a);
    assert_int_equal(rebind(slice_text(text), b, a, &first), STATUS_OK);
    expect_key(&f, buffer_slice(&first), b);
    assert_int_equal(rebind(buffer_slice(&first), c, b, &second), STATUS_OK);
    expect_key(&f, buffer_slice(&second), c);
    /* The old key has nothing more to say, here nor at the gate. */
    buffer_clear(&second);
    assert_int_equal(rebind(buffer_slice(&first), c, a, &second), STATUS_DENIED);
    private_key_free(a);
    private_key_free(b);
    private_key_free(c);
    buffer_free(&first);
    buffer_free(&second);
    fixture_free(&f);
}

/* Whoever has the text alone. */
static void
stolen(void **state)
{
    struct fixture f = fixture_new();
    struct private_key *holder = key_new(), *thief = key_new();
    struct buffer out = { 0 };
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, bound_to(1, holder));
    text_of(&f, 1, text);
    assert_int_equal(rebind(slice_text(text), thief, NULL, &out), STATUS_OK);
    expect_refused(&f, buffer_slice(&out));
    buffer_clear(&out);
    assert_int_equal(rebind(slice_text(text), thief, thief, &out), STATUS_OK);
    expect_refused(&f, buffer_slice(&out));
    private_key_free(holder);
    private_key_free(thief);
    buffer_free(&out);
    fixture_free(&f);
}

/* A token that was free is bound once by anybody, then by its key alone. */
static void
free_at_first(void **state)
{
    struct fixture f = fixture_new();
    struct private_key *a = key_new(), *b = key_new();
    struct buffer first = { 0 }, second = { 0 };
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, issued(1));
    text_of(&f, 1, text);
    assert_int_equal(rebind(slice_text(text), a, NULL, &first), STATUS_OK);
    expect_key(&f, buffer_slice(&first), a);
    assert_int_equal(rebind(buffer_slice(&first), b, NULL, &second), STATUS_DENIED);
    assert_int_equal(rebind(buffer_slice(&first), b, a, &second), STATUS_OK);
    expect_key(&f, buffer_slice(&second), b);
    /* There is no key that could have signed the first one. */
    buffer_clear(&first);
    assert_int_equal(rebind(slice_text(text), b, a, &first), STATUS_OK);
    expect_refused(&f, buffer_slice(&first));
    private_key_free(a);
    private_key_free(b);
    buffer_free(&first);
    buffer_free(&second);
    fixture_free(&f);
}

/* A signature is for one token and one place in it. */
static void
moved(void **state)
{
    struct fixture f = fixture_new();
    struct private_key *a = key_new(), *b = key_new();
    struct buffer signed_one = { 0 }, other = { 0 };
    char one[TOKEN_TEXT_SIZE + 1], two[TOKEN_TEXT_SIZE + 1];
    struct token_view from, to;

    apply(&f, bound_to(1, a));
    apply(&f, bound_to(2, a));
    text_of(&f, 1, one);
    text_of(&f, 2, two);
    assert_int_equal(rebind(slice_text(one), b, a, &signed_one), STATUS_OK);
    assert_int_equal(rebind(slice_text(two), b, a, &other), STATUS_OK);
    assert_int_equal(token_parse(buffer_slice(&signed_one), &from), STATUS_OK);
    assert_int_equal(token_parse(buffer_slice(&other), &to), STATUS_OK);
    assert_true(token_rebind_holds(&to, 1, jkt_of(a)));
    assert_false(token_rebind_holds(&to, 1, jkt_of(b)));
    assert_false(token_rebind_holds(&to, 0, jkt_of(a)));
    assert_int_equal(from.caveats[1].value.size, to.caveats[1].value.size);
    memcpy((char *)(uintptr_t)to.caveats[1].value.at, from.caveats[1].value.at,
           from.caveats[1].value.size);
    assert_false(token_rebind_holds(&to, 1, jkt_of(a)));
    token_view_wipe(&from);
    token_view_wipe(&to);
    private_key_free(a);
    private_key_free(b);
    buffer_free(&signed_one);
    buffer_free(&other);
    fixture_free(&f);
}

/* A certificate has no key that is known here. */
static void
certificate_bound(void **state)
{
    struct fixture f = fixture_new();
    struct private_key *a = key_new();
    struct change change = bound_to(1, a);
    struct buffer out = { 0 };
    char text[TOKEN_TEXT_SIZE + 1];

    change.token.binding.kind = BINDING_X5T;
    apply(&f, change);
    text_of(&f, 1, text);
    assert_int_equal(rebind(slice_text(text), a, a, &out), STATUS_OK);
    expect_refused(&f, buffer_slice(&out));
    private_key_free(a);
    buffer_free(&out);
    fixture_free(&f);
}

/* --- purpose and audience ---------------------------------------------------------- */

static void
purposes(void **state)
{
    struct fixture f = fixture_new();
    struct change change = issued(1);
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];
    struct presented_text shown = { .purpose = PURPOSE_REFRESH, .now = NOW };

    change.token.purpose = PURPOSE_REFRESH;
    apply(&f, change);
    apply(&f, issued(2));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_PURPOSE);
    text_of(&f, 1, text);
    shown.text = slice_text(text);
    assert_int_equal(world_authenticate_as(f.reader, &shown, &f.arena, &credential), CREDENTIAL_OK);
    shown.purpose = PURPOSE_CLIENT_SECRET;
    assert_int_equal(world_authenticate_as(f.reader, &shown, &f.arena, &credential),
                     CREDENTIAL_PURPOSE);
    text_of(&f, 2, text);
    assert_int_equal(world_authenticate_as(f.reader, &shown, &f.arena, &credential),
                     CREDENTIAL_PURPOSE);
    fixture_free(&f);
}

static void
audiences(void **state)
{
    struct fixture f = fixture_new();
    struct change change = issued(1);
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];

    change.token.audience = SLICE_LITERAL("orders writ");
    change.token.name = SLICE_LITERAL("a name before it");
    apply(&f, change);
    text_of(&f, 1, text);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_OK);
    assert_true(credential_reaches(&credential, SLICE_LITERAL("orders")));
    assert_true(credential_reaches(&credential, SLICE_LITERAL("writ")));
    assert_false(credential_reaches(&credential, SLICE_LITERAL("order")));
    assert_false(credential_reaches(&credential, SLICE_LITERAL("orders writ")));
    assert_false(credential_reaches(&credential, SLICE_LITERAL("")));
    assert_true(slice_is(credential.issued_by, "local:0"));
    credential.audience = (struct slice){ 0 };
    assert_true(credential_reaches(&credential, SLICE_LITERAL("anything")));
    fixture_free(&f);
}

/* --- as a JWT ------------------------------------------------------------------------- */

static struct keyring *
ring_with(const struct private_key *key)
{
    struct keyring *ring = ring_of(KID);

    assert_int_equal(keyring_set_issuer(ring, SLICE_LITERAL("https://writ.example")), STATUS_OK);
    assert_int_equal(
        keyring_add_signer(ring, SLICE_LITERAL("k1"), private_key_public(key)), STATUS_OK);
    return ring;
}

/* A JWT of token 1; what differs from a good one stands in header and payload. */
static struct slice
jwt(struct fixture *f, const struct private_key *key, const char *header, const char *payload)
{
    char id[TOKEN_ID_TEXT + 1];
    struct token_id token = id_of(1);
    json_t *head = json_pack("{s:s, s:s}", "typ", "at+jwt", "kid", "k1");
    json_t *body = json_pack("{s:s, s:s, s:i}", "iss", "https://writ.example", "jti",
                             token_id_format(&token, id), "exp", 2000000000);
    struct buffer out = { 0 };
    json_t *change;

    assert_int_equal(json_read(slice_text(header), &change, NULL), STATUS_OK);
    json_object_update(head, change);
    json_decref(change);
    assert_int_equal(json_read(slice_text(payload), &change, NULL), STATUS_OK);
    json_object_update(body, change);
    json_decref(change);
    assert_int_equal(jws_sign(key, public_key_alg(private_key_public(key)), head, body, &out),
                     STATUS_OK);
    arena_reset(&f->arena);
    json_decref(head);
    json_decref(body);
    return buffer_slice(&out); /* the caller frees its bytes */
}

static void
expect_jwt(struct fixture *f, struct slice text, enum credential_verdict verdict)
{
    struct credential credential;

    for (int again = 0; again < 2; again++)
        assert_int_equal(present(f, text, NOW, &credential), verdict);
    free((void *)(uintptr_t)text.at);
}

static void
as_jwt(void **state)
{
    struct fixture f = fixture_new();
    struct private_key *ours = key_new(), *theirs = key_new();

    apply(&f, issued(1));
    world_set_keyring(f.world, ring_with(ours));
    expect_jwt(&f, jwt(&f, ours, "{}", "{}"), CREDENTIAL_OK);
    expect_jwt(&f, jwt(&f, theirs, "{}", "{}"), CREDENTIAL_UNKNOWN);
    expect_jwt(&f, jwt(&f, ours, "{\"typ\":\"JWT\"}", "{}"), CREDENTIAL_MALFORMED);
    expect_jwt(&f, jwt(&f, ours, "{\"kid\":\"k2\"}", "{}"), CREDENTIAL_UNKNOWN);
    expect_jwt(&f, jwt(&f, ours, "{\"crit\":[\"x\"]}", "{}"), CREDENTIAL_MALFORMED);
    expect_jwt(&f, jwt(&f, ours, "{}", "{\"iss\":\"https://writ.example/\"}"), CREDENTIAL_UNKNOWN);
    expect_jwt(&f, jwt(&f, ours, "{}", "{\"jti\":\"x\"}"), CREDENTIAL_UNKNOWN);
    expect_jwt(&f, jwt(&f, ours, "{}", "{\"exp\":\"soon\"}"), CREDENTIAL_UNKNOWN);
    /* The record's end counts, not the claim's; and so does its revocation, at once. */
    struct slice text = jwt(&f, ours, "{}", "{}");
    struct credential credential;
    assert_int_equal(present(&f, text, NOW + MS_HOUR, &credential), CREDENTIAL_EXPIRED);
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW));
    expect_jwt(&f, text, CREDENTIAL_REVOKED);
    /* A key that was dropped signs nothing any more, though its text was known. */
    text = jwt(&f, ours, "{}", "{}");
    world_set_keyring(f.world, ring_with(theirs));
    expect_jwt(&f, text, CREDENTIAL_UNKNOWN);
    private_key_free(ours);
    private_key_free(theirs);
    fixture_free(&f);
}

static void
no_jwt(void **state)
{
    struct fixture f = fixture_new();
    struct private_key *ours = key_new();
    struct credential credential;
    static const char *const texts[] = {
        "ey..", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJub25lIn0.e30.AA",
        "eyJhbGciOiJIUzI1NiJ9.e30.AA", "eyJ.e30.AA", "ey.a.b.c",
    };

    world_set_keyring(f.world, ring_with(ours));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(present(&f, slice_text(texts[i]), NOW, &credential),
                         CREDENTIAL_MALFORMED);
    private_key_free(ours);
    fixture_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handed_on),         cmocka_unit_test(stolen),
        cmocka_unit_test(free_at_first),     cmocka_unit_test(moved),
        cmocka_unit_test(certificate_bound), cmocka_unit_test(purposes),
        cmocka_unit_test(audiences),         cmocka_unit_test(as_jwt),
        cmocka_unit_test(no_jwt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
