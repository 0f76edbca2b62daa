/* token/attenuate - narrowing offline, and every way to undo it refused. */
#include "fixture.h"

static const char ATTENUATED[] =
    "writa_05T316IEkuD0W5D8KHSTxV1CpgX9c7NnWE34FvyZpiIj9ZEC2HVcB8B5x2H6fdmxYo3bcthwlgit125farK7F7"
    "p348SilfjHhq34oD6n1I6ZzT4JWAgO22dJ1EY1sXTvpUkEKafYIldD9EE0PJE8i9CB3T6KU0";

static enum status
judge(struct slice text)
{
    struct keyring_state *ring = fixture_ring(7);
    struct token_view view;
    enum status status = token_parse(text, &view);

    if (status == STATUS_OK)
        status = token_verify(&view, ring);
    keyring_state_free(ring);
    return status;
}

static enum status
judge_bytes(const uint8_t *bytes, size_t size)
{
    char text[4096];

    return judge(slice_of(text, fixture_text(bytes, size, text)));
}

static void
plain(char out[TOKEN_TEXT_SIZE + 1])
{
    struct keyring_state *ring = fixture_ring(7);
    struct token_id id = fixture_id();

    assert_int_equal(token_write(&id, 7, ring, out), STATUS_OK);
    keyring_state_free(ring);
}

static struct buffer
narrowed(struct slice text, const struct attenuation *what)
{
    struct buffer out = { 0 };
    struct hop_id hop;
    struct fault fault;

    assert_int_equal(token_attenuate(text, what, &out, &hop, &fault), STATUS_OK);
    return out;
}

static void
known_answer(void **state)
{
    struct token_view view;
    static const enum caveat_kind kinds[] = { CAVEAT_HOP, CAVEAT_RIGHTS, CAVEAT_EXPIRES,
                                              CAVEAT_NETWORK, CAVEAT_LABEL };

    assert_int_equal(judge(slice_text(ATTENUATED)), STATUS_OK);
    assert_int_equal(token_parse(slice_text(ATTENUATED), &view), STATUS_OK);
    assert_true(view.attenuated);
    assert_int_equal(view.caveat_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(view.caveats[i].kind, kinds[i]);
    assert_true(slice_is(view.caveats[1].value, "orders:GET:/v1/**"));
    assert_true(slice_is(view.caveats[3].value, "10.0.0.0/8"));
    assert_true(slice_is(view.caveats[4].value, "ci"));
}

static void
all_members(void **state)
{
    uint8_t jkt[32] = { 1, 2, 3 };
    struct attenuation what = { .rights = SLICE_LITERAL("orders:GET:/v1/** cache:get:a"),
                                .expires_at = 1800000000000,
                                .networks = SLICE_LITERAL("10.0.0.0/8 ::1"),
                                .jkt = jkt,
                                .label = SLICE_LITERAL("caf\xc3\xa9 ci") };
    struct token_view view;
    struct buffer out = { 0 };
    struct hop_id hop;
    char text[TOKEN_TEXT_SIZE + 1];

    plain(text);
    assert_int_equal(token_attenuate(slice_text(text), &what, &out, &hop, NULL), STATUS_OK);
    assert_true(token_text_valid(buffer_slice(&out)));
    assert_int_equal(judge(buffer_slice(&out)), STATUS_OK);
    assert_int_equal(token_parse(buffer_slice(&out), &view), STATUS_OK);
    assert_int_equal(view.caveat_count, 6);
    assert_memory_equal(view.caveats[0].value.at, hop.bytes, HOP_ID_SIZE);
    assert_memory_equal(view.caveats[4].value.at, jkt, 32);
    buffer_wipe_free(&out);
}

static void
chains(void **state)
{
    struct attenuation what = { .label = SLICE_LITERAL("x") };
    struct buffer last = { 0 };
    struct token_view view;
    struct hop_id hop;
    struct fault fault;
    char text[TOKEN_TEXT_SIZE + 1];

    plain(text);
    put_text(&last, text);
    for (int i = 0; i < TOKEN_CAVEATS_MAX; i++) {
        struct buffer next = narrowed(buffer_slice(&last), &what);
        buffer_wipe_free(&last);
        last = next;
        assert_int_equal(judge(buffer_slice(&last)), STATUS_OK);
    }
    assert_int_equal(token_parse(buffer_slice(&last), &view), STATUS_OK);
    assert_int_equal(view.caveat_count, 2 * TOKEN_CAVEATS_MAX);
    size_t before = last.size;
    assert_int_equal(token_attenuate(buffer_slice(&last), &what, &last, &hop, &fault),
                     STATUS_LIMIT);
    assert_int_equal(last.size, before);
    buffer_wipe_free(&last);
}

static void
refused_wishes(void **state)
{
    static const uint8_t jkt[32] = { 1 };
    static const struct attenuation bad[] = {
        { .jkt = NULL },
        { .expires_at = TIME_NEVER },
        { .expires_at = -5 },
        { .rights = { "orders:GET", 10 } },
        { .rights = { "orders:GET:/a  orders:GET:/b", 28 } },
        { .rights = { " orders:GET:/a", 14 } },
        { .rights = { "orders:GET:/a ", 14 } },
        { .networks = { "10.0.0.1/8", 10 } },
        { .networks = { "10.0.0.0/8,", 11 } },
        { .label = { "a\nb", 3 } },
        { .label = { "\xc0\x80", 2 } },
        { .label = { "\xed\xa0\x80", 3 } },
        { .label = { "\xc2\x9b", 2 } },
        { .label = { "0123456789012345678901234567890123456789012345678901234567890123x", 65 } },
    };
    struct buffer out = { 0 };
    struct hop_id hop;
    struct fault fault;
    char text[TOKEN_TEXT_SIZE + 1];

    plain(text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&fault, 0, sizeof fault);
        assert_int_equal(token_attenuate(slice_text(text), &bad[i], &out, &hop, &fault),
                         STATUS_INVALID);
        assert_true(fault.text[0] != '\0');
        assert_int_equal(out.size, 0);
    }
    struct attenuation key = { .jkt = jkt };
    struct buffer bound = narrowed(slice_text(text), &key);
    assert_int_equal(token_attenuate(buffer_slice(&bound), &key, &out, &hop, &fault),
                     STATUS_DENIED);
    assert_int_equal(out.size, 0);
    text[20] ^= 1;
    assert_int_equal(token_attenuate(slice_text(text), &key, &out, &hop, &fault), STATUS_INVALID);
    buffer_wipe_free(&bound);
}

static void
too_long(void **state)
{
    struct attenuation what = { 0 };
    struct buffer rights = { 0 }, out = { 0 };
    struct hop_id hop;
    struct fault fault;
    char text[TOKEN_TEXT_SIZE + 1];
    enum status status = STATUS_OK;

    plain(text);
    for (int i = 0; i < 120 && status == STATUS_OK; i++) {
        put_text(&rights, i == 0 ? "orders:GET:/a/1" : " orders:GET:/a/1");
        what.rights = buffer_slice(&rights);
        buffer_clear(&out);
        status = token_attenuate(slice_text(text), &what, &out, &hop, &fault);
        if (status == STATUS_OK) {
            assert_true(out.size <= TOKEN_TEXT_MAX);
            assert_int_equal(judge(buffer_slice(&out)), STATUS_OK);
        }
    }
    assert_int_equal(status, STATUS_TOO_LARGE);
    buffer_free(&rights);
    buffer_wipe_free(&out);
}

/* The bytes behind a text. */
static size_t
bytes_of(struct slice text, uint8_t bytes[TOKEN_BINARY_MAX])
{
    size_t size;

    assert_true(base62_decode(slice_of(text.at + 6, text.size - 12), bytes, TOKEN_BINARY_MAX,
                              &size));
    return size;
}

/* Two hops with two caveats each; each caveat taken off, the last hop taken off, two
 * exchanged: all keep the last MAC, as a thief would have it. */
static void
caveat_taken_off(void **state)
{
    struct attenuation first = { .rights = SLICE_LITERAL("orders:GET:/a"),
                                 .label = SLICE_LITERAL("one") };
    struct attenuation second = { .networks = SLICE_LITERAL("10.0.0.0/8"),
                                  .label = SLICE_LITERAL("two") };
    uint8_t bytes[TOKEN_BINARY_MAX], changed[TOKEN_BINARY_MAX];
    struct token_view view;
    char text[TOKEN_TEXT_SIZE + 1];

    plain(text);
    struct buffer one = narrowed(slice_text(text), &first);
    struct buffer two = narrowed(buffer_slice(&one), &second);
    size_t size = bytes_of(buffer_slice(&two), bytes);
    assert_int_equal(judge_bytes(bytes, size), STATUS_OK);
    assert_int_equal(token_parse(buffer_slice(&two), &view), STATUS_OK);
    for (size_t i = 0; i < view.caveat_count; i++) {
        size_t begin = (size_t)((const uint8_t *)view.caveats[i].value.at - view.binary) - 3;
        size_t length = view.caveats[i].value.size + 3;
        memcpy(changed, bytes, begin);
        memcpy(changed + begin, bytes + begin + length, size - begin - length);
        assert_int_not_equal(judge_bytes(changed, size - length), STATUS_OK);
    }
    /* The second hop off, with the first hop's text unknown. */
    size_t hop = (size_t)((const uint8_t *)view.caveats[3].value.at - view.binary) - 3;
    memcpy(changed, bytes, hop);
    memcpy(changed + hop, bytes + size - 32, 32);
    assert_int_equal(judge_bytes(changed, hop + 32), STATUS_DENIED);
    /* The two hops exchanged. */
    memcpy(changed, bytes, 18);
    memcpy(changed + 18, bytes + hop, size - 32 - hop);
    memcpy(changed + 18 + size - 32 - hop, bytes + 18, hop - 18);
    memcpy(changed + size - 32, bytes + size - 32, 32);
    assert_int_equal(judge_bytes(changed, size), STATUS_DENIED);
    buffer_wipe_free(&one);
    buffer_wipe_free(&two);
}

static void
each_bit_flipped(void **state)
{
    uint8_t bytes[TOKEN_BINARY_MAX];
    size_t size = bytes_of(slice_text(ATTENUATED), bytes);

    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(judge_bytes(bytes, size), STATUS_OK);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_int_not_equal(judge_bytes(bytes, cut), STATUS_OK);
    bytes[size] = 0;
    assert_int_not_equal(judge_bytes(bytes, size + 1), STATUS_OK);
}

/* Form alone, the MAC zero: OK from the parser means that a form is accepted. */
static enum status
form(const char *caveats, size_t size)
{
    uint8_t bytes[TOKEN_BINARY_MAX] = { 1, 7, 1 };
    char text[4096];
    struct token_view view;

    memcpy(bytes + 18, caveats, size);
    return token_parse(slice_of(text, fixture_text(bytes, 18 + size + 32, text)), &view);
}
#define FORM(literal) form(literal, sizeof(literal) - 1)
#define HOP_A "\1\0\10AAAAAAAA"
#define HOP_B "\1\0\10BBBBBBBB"
#define NET "\4\0\12" "10.0.0.0/8"
#define LABEL "\6\0\1x"
#define KEY "\5\0\40" "0123456789abcdef0123456789abcdef"

static void
forms(void **state)
{
    assert_int_equal(FORM(HOP_A LABEL), STATUS_OK);
    assert_int_equal(FORM(HOP_A NET LABEL HOP_B LABEL), STATUS_OK);
    assert_int_equal(FORM(HOP_A KEY), STATUS_OK);
    assert_int_equal(FORM(""), STATUS_INVALID);
    assert_int_equal(FORM(LABEL), STATUS_INVALID);             /* before a hop */
    assert_int_equal(FORM(HOP_A), STATUS_INVALID);             /* an empty hop */
    assert_int_equal(FORM(HOP_A HOP_B LABEL), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A LABEL HOP_B), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A LABEL HOP_A LABEL), STATUS_INVALID); /* one id twice */
    assert_int_equal(FORM(HOP_A LABEL NET), STATUS_INVALID);   /* out of order */
    assert_int_equal(FORM(HOP_A LABEL LABEL), STATUS_INVALID); /* a kind twice in a hop */
    assert_int_equal(FORM(HOP_A KEY HOP_B KEY), STATUS_INVALID); /* bound again */
    assert_int_equal(FORM(HOP_A "\7\0\1x"), STATUS_INVALID);   /* unknown kinds */
    assert_int_equal(FORM(HOP_A "\0\0\1x"), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A "\377\0\0"), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A LABEL "\6"), STATUS_INVALID);  /* left over */
    assert_int_equal(FORM(HOP_A "\6\0\2x"), STATUS_INVALID);   /* longer than what is there */
    assert_int_equal(FORM(HOP_A "\6\377\377x"), STATUS_INVALID);
    assert_int_equal(FORM("\1\0\7AAAAAAA" LABEL), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A "\2\0\0"), STATUS_INVALID);    /* an empty list is no list */
    assert_int_equal(FORM(HOP_A "\4\0\0"), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A "\3\0\7" "1234567"), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A "\3\0\10\0\0\0\0\0\0\0\0"), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A "\3\0\10\177\377\377\377\377\377\377\377"), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A "\3\0\10\377\377\377\377\377\377\377\377"), STATUS_INVALID);
    assert_int_equal(FORM(HOP_A "\3\0\10\0\0\0\0\0\0\0\1"), STATUS_OK);
    assert_int_equal(FORM(HOP_A "\5\0\41" "0123456789abcdef0123456789abcdef0"), STATUS_INVALID);
}

static void
too_many(void **state)
{
    char caveats[TOKEN_BINARY_MAX];
    size_t size = 0;

    for (int i = 0; i <= TOKEN_CAVEATS_MAX; i++) {
        memcpy(caveats + size, HOP_A LABEL, 15);
        caveats[size + 3] = (char)i;
        size += 15;
        assert_int_equal(form(caveats, size), i < TOKEN_CAVEATS_MAX ? STATUS_OK : STATUS_INVALID);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),     cmocka_unit_test(all_members),
        cmocka_unit_test(chains),           cmocka_unit_test(refused_wishes),
        cmocka_unit_test(too_long),         cmocka_unit_test(caveat_taken_off),
        cmocka_unit_test(each_bit_flipped), cmocka_unit_test(forms),
        cmocka_unit_test(too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
