/* world/caveats - what a holder's own narrowing does at the gate. */
#include "fixture.h"

struct narrowed {
    struct buffer text;
    struct hop_id hop;
};

static struct narrowed
narrow(struct slice text, struct attenuation what)
{
    struct narrowed out = { 0 };

    assert_int_equal(token_attenuate(text, &what, &out.text, &out.hop, NULL), STATUS_OK);
    return out;
}

static struct narrowed
narrow_token(struct fixture *f, unsigned number, struct attenuation what)
{
    char text[TOKEN_TEXT_SIZE + 1];

    text_of(f, number, text);
    return narrow(slice_text(text), what);
}

static void
all_kinds(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    uint8_t jkt[32] = { 5 };

    apply(&f, issued(1));
    struct narrowed one = narrow_token(&f, 1, (struct attenuation){
        .rights = SLICE_LITERAL("orders:GET:/v1/orders/1"),
        .expires_at = NOW + MS_MINUTE,
        .networks = SLICE_LITERAL("10.0.0.0/8"),
        .jkt = jkt,
        .label = SLICE_LITERAL("first") });
    struct narrowed two = narrow(buffer_slice(&one.text), (struct attenuation){
        .rights = SLICE_LITERAL("orders:*:/v1/**"),
        .expires_at = NOW + 2 * MS_MINUTE,
        .label = SLICE_LITERAL("second") });
    assert_int_equal(present(&f, buffer_slice(&two.text), NOW, &credential), CREDENTIAL_OK);
    const struct lineage_link *link = credential.lineage.links;
    assert_int_equal(credential.lineage.count, 1);
    assert_int_equal(link->narrowing_count, 2);
    assert_true(slice_is(link->narrowings[0], "orders:GET:/v1/orders/1"));
    assert_true(slice_is(link->narrowings[1], "orders:*:/v1/**"));
    assert_int_equal(link->caveat_network_count, 1);
    assert_true(slice_is(link->caveat_networks[0], "10.0.0.0/8"));
    assert_int_equal(credential.expires_at, NOW + MS_MINUTE);
    assert_true(slice_is(credential.label, "second"));
    assert_int_equal(credential.binding.kind, BINDING_JKT);
    assert_int_equal(credential.binding.thumbprint[0], 5);
    char hop[HOP_ID_TEXT + 1];
    assert_int_equal(credential.id_text.size, TOKEN_ID_TEXT + 1 + HOP_ID_TEXT);
    assert_true(slice_is(slice_from(credential.id_text, TOKEN_ID_TEXT + 1),
                         hop_id_format(&two.hop, hop)));
    assert_int_equal(present(&f, buffer_slice(&two.text), NOW + MS_MINUTE, &credential),
                     CREDENTIAL_EXPIRED);
    assert_true(slice_is(credential.subject, "nightly"));
    assert_int_equal(credential.lineage.count, 0);
    buffer_wipe_free(&one.text);
    buffer_wipe_free(&two.text);
    fixture_free(&f);
}

/* The presented token's caveats narrow the presented link alone, and hold with parents. */
static void
child_narrowed(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;

    apply(&f, issued(1));
    apply(&f, child_of(1, 2));
    struct narrowed one = narrow_token(&f, 2, (struct attenuation){
        .rights = SLICE_LITERAL("orders:GET:/v1/orders/1") });
    assert_int_equal(present(&f, buffer_slice(&one.text), NOW, &credential), CREDENTIAL_OK);
    assert_int_equal(credential.lineage.count, 2);
    assert_int_equal(credential.lineage.links[0].narrowing_count, 1);
    assert_int_equal(credential.lineage.links[1].narrowing_count, 0);
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW));
    assert_int_equal(present(&f, buffer_slice(&one.text), NOW, &credential), CREDENTIAL_REVOKED);
    buffer_wipe_free(&one.text);
    fixture_free(&f);
}

static void
hop_revoked(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;

    apply(&f, issued(1));
    struct narrowed one =
        narrow_token(&f, 1, (struct attenuation){ .label = SLICE_LITERAL("a") });
    struct narrowed beside =
        narrow_token(&f, 1, (struct attenuation){ .label = SLICE_LITERAL("b") });
    struct narrowed two =
        narrow(buffer_slice(&one.text), (struct attenuation){ .label = SLICE_LITERAL("c") });
    struct change change = about(CHANGE_HOP_REVOKED, 1, NOW);
    change.hop = one.hop;
    change.expires_at = NOW + MS_HOUR;
    apply(&f, change);
    assert_int_equal(present(&f, buffer_slice(&one.text), NOW, &credential), CREDENTIAL_REVOKED);
    assert_int_equal(credential.id_text.size, TOKEN_ID_TEXT + 1 + HOP_ID_TEXT);
    assert_int_equal(present(&f, buffer_slice(&two.text), NOW, &credential), CREDENTIAL_REVOKED);
    assert_int_equal(present(&f, buffer_slice(&beside.text), NOW, &credential), CREDENTIAL_OK);
    assert_int_equal(verdict(&f, 1), CREDENTIAL_OK);
    /* Many more, so that the set is grown, sorted, and sheds what is over. */
    for (unsigned i = 0; i < 100; i++) {
        struct change more = about(CHANGE_HOP_REVOKED, 50 + i % 7, NOW + i);
        more.hop.bytes[0] = (uint8_t)(i * 37);
        more.expires_at = NOW + 50;
        apply(&f, more);
    }
    assert_int_equal(present(&f, buffer_slice(&two.text), NOW, &credential), CREDENTIAL_REVOKED);
    assert_int_equal(present(&f, buffer_slice(&beside.text), NOW, &credential), CREDENTIAL_OK);
    buffer_wipe_free(&one.text);
    buffer_wipe_free(&two.text);
    buffer_wipe_free(&beside.text);
    fixture_free(&f);
}

/* A thief of a bound token's text appends a key of his own. */
static void
bound_again(void **state)
{
    struct fixture f = fixture_new();
    struct change change = issued(1);
    struct credential credential;
    uint8_t own[32] = { 0xee };

    change.token.binding = (struct binding){ BINDING_JKT, { 1 } };
    apply(&f, change);
    struct narrowed one = narrow_token(&f, 1, (struct attenuation){ .jkt = own });
    assert_int_equal(present(&f, buffer_slice(&one.text), NOW, &credential), CREDENTIAL_UNKNOWN);
    assert_int_equal(credential.binding.kind, BINDING_NONE);
    assert_int_equal(credential.lineage.count, 0);
    assert_true(slice_is(credential.subject, "nightly"));
    struct narrowed fine =
        narrow_token(&f, 1, (struct attenuation){ .label = SLICE_LITERAL("x") });
    assert_int_equal(present(&f, buffer_slice(&fine.text), NOW, &credential), CREDENTIAL_OK);
    assert_int_equal(credential.binding.thumbprint[0], 1);
    buffer_wipe_free(&one.text);
    buffer_wipe_free(&fine.text);
    fixture_free(&f);
}

/* Attenuations share their token's uses. */
static void
shared_uses(void **state)
{
    struct fixture f = fixture_new();
    struct change change = issued(1);
    struct credential credential;

    change.token.max_uses = 2;
    apply(&f, change);
    struct narrowed one =
        narrow_token(&f, 1, (struct attenuation){ .label = SLICE_LITERAL("x") });
    assert_int_equal(present(&f, buffer_slice(&one.text), NOW, &credential), CREDENTIAL_OK);
    assert_true(credential.counted);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_EXHAUSTED);
    assert_int_equal(verdict(&f, 1), CREDENTIAL_EXHAUSTED);
    buffer_wipe_free(&one.text);
    fixture_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds),   cmocka_unit_test(child_narrowed),
        cmocka_unit_test(hop_revoked), cmocka_unit_test(bound_again),
        cmocka_unit_test(shared_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
