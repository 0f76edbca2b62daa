/* token/text - texts are made, read and verified; every forged one is refused. */
#include "fixture.h"

static const char VECTOR[] =
    "writ_05T316IEkuD0W5D8KHSTxV1CqmAKxoyM0It05nJQ0Ur075fxGzUDM3n4E2sYuTSFHA0qh0GrrRi";

static enum status
judge(const char *text, size_t size, struct keyring_state *ring)
{
    struct token_view view;
    enum status status = token_parse(slice_of(text, size), &view);

    if (status == STATUS_OK) {
        status = token_verify(&view, ring);
        token_view_wipe(&view);
    }
    return status;
}

static void
known_answer(void **state)
{
    struct keyring_state *ring = fixture_ring(7);
    struct token_id id = fixture_id();
    struct token_view view;
    char text[TOKEN_TEXT_SIZE + 1];

    assert_int_equal(token_write(&id, 7, ring, text), STATUS_OK);
    assert_string_equal(text, VECTOR);
    assert_true(token_text_valid(slice_text(text)));
    assert_int_equal(token_parse(slice_text(text), &view), STATUS_OK);
    assert_int_equal(view.kid, 7);
    assert_false(view.attenuated);
    assert_true(token_id_equal(&view.id, &id));
    assert_int_equal(token_verify(&view, ring), STATUS_OK);
    token_view_wipe(&view);
    assert_int_equal(view.binary_size, 0);
    keyring_state_free(ring);
}

static void
unknown_kid(void **state)
{
    struct keyring_state *ring = fixture_ring(8), *empty;
    struct token_id id = fixture_id();
    char text[TOKEN_TEXT_SIZE + 1];

    assert_int_equal(judge(VECTOR, sizeof VECTOR - 1, ring), STATUS_DENIED);
    assert_int_equal(token_write(&id, 7, ring, text), STATUS_NOT_FOUND);
    assert_int_equal(keyring_state_new(&empty), STATUS_OK);
    assert_int_equal(judge(VECTOR, sizeof VECTOR - 1, empty), STATUS_DENIED);
    keyring_state_free(empty);
    keyring_state_free(ring);
}

/* Every change of one character, with the old and with a fresh checksum. */
static void
each_character_changed(void **state)
{
    struct keyring_state *ring = fixture_ring(7);
    char text[TOKEN_TEXT_SIZE + 1];

    for (size_t i = 0; i < TOKEN_TEXT_SIZE; i++) {
        for (char c = '!'; c <= '~'; c++) {
            memcpy(text, VECTOR, sizeof text);
            if (text[i] == c)
                continue;
            text[i] = c;
            assert_int_not_equal(judge(text, TOKEN_TEXT_SIZE, ring), STATUS_OK);
            assert_false(token_text_valid(slice_text(text)));
            if (i < TOKEN_TEXT_SIZE - 6) {
                fixture_checksum(text, TOKEN_TEXT_SIZE);
                assert_int_not_equal(judge(text, TOKEN_TEXT_SIZE, ring), STATUS_OK);
            }
        }
    }
    keyring_state_free(ring);
}

/* Each bit of the bytes behind the text, checksum made right again. */
static void
each_bit_flipped(void **state)
{
    struct keyring_state *ring = fixture_ring(7);
    uint8_t bytes[50];
    char text[TOKEN_TEXT_SIZE + 1] = "writ_";
    size_t size;

    assert_true(base62_decode(slice_of(VECTOR + 5, 69), bytes, sizeof bytes, &size));
    assert_int_equal(size, 50);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        base62_encode(bytes, size, text + 5);
        fixture_checksum(text, TOKEN_TEXT_SIZE);
        /* The version is judged before the code is. */
        assert_int_equal(judge(text, TOKEN_TEXT_SIZE, ring),
                         bit < 8 ? STATUS_INVALID : STATUS_DENIED);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    keyring_state_free(ring);
}

static void
truncated_and_extended(void **state)
{
    char text[2 * TOKEN_TEXT_SIZE] = "";
    struct token_view view;

    memcpy(text, VECTOR, TOKEN_TEXT_SIZE);
    for (size_t size = 0; size < sizeof text; size++) {
        if (size == TOKEN_TEXT_SIZE)
            continue;
        assert_int_equal(token_parse(slice_of(text, size), &view), STATUS_INVALID);
        assert_false(token_text_valid(slice_of(text, size)));
        if (size < 11)
            continue;
        memcpy(text, VECTOR, TOKEN_TEXT_SIZE);
        fixture_checksum(text, size);
        assert_int_equal(token_parse(slice_of(text, size), &view), STATUS_INVALID);
        memset(text, 0, sizeof text);
        memcpy(text, VECTOR, TOKEN_TEXT_SIZE);
    }
}

/* The largest group is 2^64 - 1; a larger one would be a second text of some token. */
static void
not_canonical(void **state)
{
    char text[TOKEN_TEXT_SIZE + 1];
    struct token_view view;

    memcpy(text, VECTOR, sizeof text);
    memset(text + 5, 'z', 11);
    fixture_checksum(text, TOKEN_TEXT_SIZE);
    assert_true(token_text_valid(slice_text(text)));
    assert_int_equal(token_parse(slice_text(text), &view), STATUS_INVALID);
}

static void
no_id(void **state)
{
    struct keyring_state *ring = fixture_ring(7);
    struct token_id none = { { 0 } };
    struct token_view view;
    char text[TOKEN_TEXT_SIZE + 1];

    assert_int_equal(token_write(&none, 7, ring, text), STATUS_OK);
    assert_int_equal(token_parse(slice_text(text), &view), STATUS_INVALID);
    keyring_state_free(ring);
}

/* A plain token's bytes behind the other prefix, and the reverse. */
static void
prefix_exchanged(void **state)
{
    char text[TOKEN_TEXT_SIZE + 2];
    struct token_view view;

    memcpy(text, "writa_", 6);
    memcpy(text + 6, VECTOR + 5, sizeof VECTOR - 5);
    fixture_checksum(text, TOKEN_TEXT_SIZE + 1);
    assert_true(token_text_valid(slice_text(text)));
    assert_int_equal(token_parse(slice_text(text), &view), STATUS_INVALID);
    memcpy(text, VECTOR, sizeof VECTOR);
    memcpy(text, "WRIT_", 5);
    fixture_checksum(text, TOKEN_TEXT_SIZE);
    assert_int_equal(token_parse(slice_of(text, TOKEN_TEXT_SIZE), &view), STATUS_INVALID);
}

/* Known again by its whole text, and under this ring alone. */
static void
recognized(void **state)
{
    struct keyring_state *ring = fixture_ring(7);
    struct token_id id = fixture_id();
    struct ring_key other = { .kid = 7 };
    struct keyring *later;
    struct token_view view;
    char text[TOKEN_TEXT_SIZE + 1], changed[TOKEN_TEXT_SIZE + 1], none[TOKEN_TEXT_SIZE] = { 0 };

    assert_int_equal(token_recognize(slice_of(none, sizeof none), ring, NULL, &view),
                     STATUS_INVALID);
    assert_int_equal(token_write(&id, 7, ring, text), STATUS_OK);
    for (unsigned i = 0; i < 3; i++) {
        memset(&view, 0xa5, sizeof view);
        assert_int_equal(token_recognize(slice_text(text), ring, NULL, &view), STATUS_OK);
        assert_true(token_id_equal(&view.id, &id));
        assert_int_equal(view.kid, 7);
        assert_int_equal(view.caveat_count, 0);
        assert_false(view.attenuated);
        assert_string_equal(view.id_text, token_id_format(&id, changed));
        token_view_wipe(&view);
    }
    for (size_t i = 0; i < TOKEN_TEXT_SIZE; i++) {
        memcpy(changed, text, sizeof changed);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        assert_int_equal(token_recognize(slice_text(changed), ring, NULL, &view), STATUS_INVALID);
        fixture_checksum(changed, TOKEN_TEXT_SIZE);
        if (strcmp(changed, text) != 0)
            assert_int_not_equal(token_recognize(slice_text(changed), ring, NULL, &view),
                                 STATUS_OK);
    }
    assert_int_equal(token_recognize(slice_text(text), ring, NULL, &view), STATUS_OK);
    assert_int_equal(keyring_new(&other, 1, &later), STATUS_OK);
    assert_int_equal(keyring_state_follow(ring, later), STATUS_OK);
    assert_int_equal(token_recognize(slice_text(text), ring, NULL, &view), STATUS_DENIED);
    keyring_free(later);
    keyring_state_free(ring);
}

static struct token_id told[4];
static size_t told_count;

static void
told_of(const void *keeper, const struct token_id *id)
{
    assert_string_equal(keeper, "keeper");
    assert_true(told_count < 4);
    told[told_count++] = *id;
}

/* Who waits for memory is told what to fetch, twice, and not of what is known already. */
static void
expected(void **state)
{
    const struct token_expectant expectant = { told_of, told_of, "keeper" };
    struct keyring_state *ring = fixture_ring(7);
    struct token_id id = fixture_id();
    struct token_view view;
    char text[TOKEN_TEXT_SIZE + 1];

    assert_int_equal(token_write(&id, 7, ring, text), STATUS_OK);
    text[TOKEN_TEXT_SIZE - 1] ^= 1;
    assert_int_equal(token_recognize(slice_text(text), ring, &expectant, &view), STATUS_INVALID);
    assert_int_equal(told_count, 1); /* of a claim, which was none */
    text[TOKEN_TEXT_SIZE - 1] ^= 1;
    assert_int_equal(token_recognize(slice_text(text), ring, &expectant, &view), STATUS_OK);
    assert_int_equal(told_count, 3);
    assert_int_equal(token_recognize(slice_text(text), ring, &expectant, &view), STATUS_OK);
    assert_int_equal(told_count, 3);
    for (size_t i = 0; i < told_count; i++)
        assert_true(token_id_equal(&told[i], &id));
    text[7] = '-';
    assert_int_equal(token_recognize(slice_text(text), ring, &expectant, &view), STATUS_INVALID);
    assert_int_equal(told_count, 3);
    keyring_state_free(ring);
}

static void
ids(void **state)
{
    struct token_id id = fixture_id(), read;
    struct hop_id hop;
    char text[TOKEN_ID_TEXT + 1];
    bool has_hop;

    assert_string_equal(token_id_format(&id, text), "001IYT0XLWR0glqewhlWlr");
    assert_int_equal(token_id_parse(slice_text(text), &read, &hop, &has_hop), STATUS_OK);
    assert_true(token_id_equal(&id, &read));
    assert_false(has_hop);
    assert_int_equal(token_id_parse(SLICE_LITERAL("001IYT0XLWR0glqewhlWlr/Dn2Ie2x6yUp"), &read,
                                    &hop, &has_hop), STATUS_OK);
    assert_true(has_hop);
    assert_int_equal(hop.bytes[7], 0xa7);
    static const char *const bad[] = {
        "", "0", "0000000000000000000000", "001IYT0XLWR0glqewhlWl", "001IYT0XLWR0glqewhlWlr/",
        "001IYT0XLWR0glqewhlWlr/Dn2Ie2x6yU", "001IYT0XLWR0glqewhlWlr-Dn2Ie2x6yUp",
        "001IYT0XLWR0glqewhlWl_", "zzzzzzzzzzzzzzzzzzzzzz",
        "001IYT0XLWR0glqewhlWlr/Dn2Ie2x6yUp ",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(token_id_parse(slice_text(bad[i]), &read, &hop, &has_hop),
                         STATUS_INVALID);
}

static void
rings(void **state)
{
    struct ring_key keys[KEYRING_MAX + 1] = { { .kid = 1 }, { .kid = 2 },
                                              { .kid = 3, .retired = true } };
    struct keyring *ring;
    uint8_t kid;

    assert_int_equal(keyring_new(keys, 3, &ring), STATUS_OK);
    assert_true(keyring_newest(ring, &kid));
    assert_int_equal(kid, 2);
    keyring_free(ring);
    assert_int_equal(keyring_new(keys + 2, 1, &ring), STATUS_OK);
    assert_false(keyring_newest(ring, &kid));
    keyring_free(ring);
    assert_int_equal(keyring_new(NULL, 0, &ring), STATUS_OK);
    assert_false(keyring_newest(ring, &kid));
    keyring_free(ring);
    keys[2].kid = 1;
    assert_int_equal(keyring_new(keys, 3, &ring), STATUS_CONFLICT);
    assert_int_equal(keyring_new(keys, KEYRING_MAX + 1, &ring), STATUS_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),           cmocka_unit_test(unknown_kid),
        cmocka_unit_test(each_character_changed), cmocka_unit_test(each_bit_flipped),
        cmocka_unit_test(truncated_and_extended), cmocka_unit_test(not_canonical),
        cmocka_unit_test(no_id),                  cmocka_unit_test(prefix_exchanged),
        cmocka_unit_test(recognized),             cmocka_unit_test(expected),
        cmocka_unit_test(ids),                    cmocka_unit_test(rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
