/* token/public - the part that may be told, and the token that the ring makes of it again. */
#include "fixture.h"

#include "token/public.h"

static void
whole_token(struct keyring_state *ring, bool narrowed, struct buffer *out)
{
    const struct attenuation what = { .rights = SLICE_LITERAL("orders:GET:/v1/orders/**"),
                                      .label = SLICE_LITERAL("job 7") };
    struct token_id id = fixture_id();
    struct hop_id hop;
    char text[TOKEN_TEXT_SIZE + 1];

    assert_int_equal(token_write(&id, 7, ring, text), STATUS_OK);
    if (narrowed)
        assert_int_equal(token_attenuate(slice_text(text), &what, out, &hop, NULL), STATUS_OK);
    else
        put_text(out, text);
}

static void
there_and_back(void **state)
{
    struct keyring_state *ring = fixture_ring(7);

    (void)state;
    for (int narrowed = 0; narrowed < 2; narrowed++) {
        struct buffer token = { 0 }, told = { 0 };
        struct token_secret secret;
        struct token_view view;

        whole_token(ring, narrowed, &token);
        assert_int_equal(token_public_write(buffer_slice(&token), &told), STATUS_OK);
        assert_true(slice_starts(buffer_slice(&told), SLICE_LITERAL("writp_")));
        if (!narrowed)
            assert_int_equal(told.size, TOKEN_PUBLIC_SIZE);
        assert_false(token_text_valid(buffer_slice(&told)));
        assert_int_equal(token_public_parse(buffer_slice(&told), &view), STATUS_OK);
        assert_int_equal(view.caveat_count, narrowed ? 3 : 0);
        assert_int_equal(token_secret_of(buffer_slice(&told), ring, &secret), STATUS_OK);
        assert_true(slice_equal(slice_of(secret.text, secret.size), buffer_slice(&token)));
        token_secret_wipe(&secret);
        buffer_wipe_free(&token);
        buffer_free(&told);
    }
    keyring_state_free(ring);
}

/* The text of fixture_id under kid 7. */
static void
known_public(struct keyring_state *ring, struct buffer *out)
{
    struct buffer token = { 0 };

    whole_token(ring, false, &token);
    assert_int_equal(token_public_write(buffer_slice(&token), out), STATUS_OK);
    buffer_wipe_free(&token);
}

/* Whether there is such a key, or such a token, is not to be seen. */
static void
unknown_ones(void **state)
{
    struct keyring_state *ring = fixture_ring(7), *other = fixture_ring(8);
    struct buffer told = { 0 };
    struct token_secret known, again, strange;
    struct token_view view;

    (void)state;
    known_public(ring, &told);
    assert_int_equal(token_secret_of(buffer_slice(&told), ring, &known), STATUS_OK);
    assert_int_equal(token_secret_of(buffer_slice(&told), ring, &again), STATUS_OK);
    assert_memory_equal(known.salt, again.salt, TOKEN_SALT_SIZE);
    /* Kid 7 is not in this ring, whose key has the same bytes: a text that nobody holds,
     * and a salt like any other. */
    assert_int_equal(token_secret_of(buffer_slice(&told), other, &strange), STATUS_OK);
    assert_int_equal(strange.size, known.size);
    assert_memory_not_equal(strange.text, known.text, known.size);
    assert_memory_equal(strange.salt, known.salt, TOKEN_SALT_SIZE);
    assert_int_equal(token_parse(slice_of(strange.text, strange.size), &view), STATUS_OK);
    assert_int_equal(token_verify(&view, ring), STATUS_DENIED);
    token_view_wipe(&view);
    token_secret_wipe(&known);
    token_secret_wipe(&again);
    token_secret_wipe(&strange);
    buffer_free(&told);
    keyring_state_free(ring);
    keyring_state_free(other);
}

static void
salts_differ(void **state)
{
    struct keyring_state *ring = fixture_ring(7);
    struct buffer plain = { 0 }, token = { 0 }, narrowed = { 0 };
    struct token_secret a, b;

    (void)state;
    known_public(ring, &plain);
    whole_token(ring, true, &token);
    assert_int_equal(token_public_write(buffer_slice(&token), &narrowed), STATUS_OK);
    assert_int_equal(token_secret_of(buffer_slice(&plain), ring, &a), STATUS_OK);
    assert_int_equal(token_secret_of(buffer_slice(&narrowed), ring, &b), STATUS_OK);
    assert_memory_not_equal(a.salt, b.salt, TOKEN_SALT_SIZE);
    token_secret_wipe(&a);
    token_secret_wipe(&b);
    buffer_free(&plain);
    buffer_wipe_free(&token);
    buffer_free(&narrowed);
    keyring_state_free(ring);
}

static void
each_character_changed(void **state)
{
    struct keyring_state *ring = fixture_ring(7);
    struct buffer told = { 0 };
    struct token_view view;

    (void)state;
    known_public(ring, &told);
    for (size_t i = 0; i < told.size; i++) {
        char before = told.bytes[i];

        told.bytes[i] = before == '0' ? '1' : '0';
        assert_int_equal(token_public_parse(buffer_slice(&told), &view), STATUS_INVALID);
        told.bytes[i] = before;
        assert_int_equal(token_public_parse(slice_first(buffer_slice(&told), i), &view),
                         STATUS_INVALID);
    }
    buffer_free(&told);
    keyring_state_free(ring);
}

static enum status
parse_bytes(const uint8_t *bytes, size_t size)
{
    struct token_view view;
    char text[256] = "writp_";

    base62_encode(bytes, size, text + 6);
    fixture_checksum(text, 6 + base62_encoded_size(size) + 6);
    return token_public_parse(slice_of(text, 6 + base62_encoded_size(size) + 6), &view);
}

static void
bytes_refused(void **state)
{
    uint8_t bytes[32] = { 1, 7, [17] = 1 };
    struct token_view view;

    (void)state;
    assert_int_equal(parse_bytes(bytes, 18), STATUS_OK);
    assert_int_equal(parse_bytes(bytes, 17), STATUS_INVALID);
    assert_int_equal(parse_bytes(bytes, 19), STATUS_INVALID); /* a caveat that is none */
    bytes[0] = 2;                                             /* another version */
    assert_int_equal(parse_bytes(bytes, 18), STATUS_INVALID);
    bytes[0] = 1;
    bytes[17] = 0; /* no id */
    assert_int_equal(parse_bytes(bytes, 18), STATUS_INVALID);
    assert_int_equal(token_public_parse((struct slice){ 0 }, &view), STATUS_INVALID);
    assert_int_equal(token_public_parse(SLICE_LITERAL("postgres"), &view), STATUS_INVALID);
}

static void
no_public_part(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    assert_int_equal(token_public_write(SLICE_LITERAL("eyJhbGciOiJFUzI1NiJ9.e30.x"), &out),
                     STATUS_INVALID);
    assert_int_equal(token_public_write((struct slice){ 0 }, &out), STATUS_INVALID);
    assert_int_equal(out.size, 0);
    buffer_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(unknown_ones),
        cmocka_unit_test(salts_differ),   cmocka_unit_test(each_character_changed),
        cmocka_unit_test(bytes_refused),  cmocka_unit_test(no_public_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
