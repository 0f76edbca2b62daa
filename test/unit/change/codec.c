/* change/codec - every kind goes through bytes and back; damaged bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "change/change.h"

static struct change
sample(enum change_kind kind)
{
    static struct cidr networks[2] = {
        { .ip = { .family = IP_V4, .bytes = { 10 } }, .bits = 8 },
        { .ip = { .family = IP_V6, .bytes = { 0xfd } }, .bits = 8 },
    };

    return (struct change){
        .kind = kind,
        .at = 1700000000000,
        .token = { .id = { { 1 } },
                   .line = { { 2 } },
                   .parent_line = { { 3 } },
                   .predecessor = { { 4 } },
                   .kid = 9,
                   .issued_at = 1,
                   .not_before = 2,
                   .expires_at = TIME_NEVER,
                   .line_started_at = 4,
                   .idle_ms = 5,
                   .max_uses = USES_UNLIMITED,
                   .binding = { .kind = BINDING_JKT, .thumbprint = { 7, 8 } },
                   .subject = SLICE_LITERAL("nightly"),
                   .roles = SLICE_LITERAL("a b"),
                   .scope = SLICE_LITERAL("orders:GET:/v1/**"),
                   .networks = networks,
                   .network_count = 2,
                   .name = SLICE_LITERAL("the name"),
                   .issued_by = SLICE_LITERAL("local:0"),
                   .audience = SLICE_LITERAL("orders writ"),
                   .purpose = PURPOSE_REFRESH },
        .id = { { 5 } },
        .hop = { { 6 } },
        .expires_at = 77,
        .uses = 3,
        .name = SLICE_LITERAL("support"),
        .body = SLICE_LITERAL("{\"allow\":[]}"),
        .owner = SLICE_LITERAL("policy.yaml"),
    };
}

static struct buffer
encoded(const struct change *change)
{
    struct buffer out = { 0 };

    assert_int_equal(change_encode(change, &out), STATUS_OK);
    return out;
}

static void
round_trip(void **state)
{
    for (int kind = 0; kind < CHANGE_KINDS; kind++) {
        struct change change = sample((enum change_kind)kind), read;
        struct cidr networks[TOKEN_NETWORKS_MAX];
        struct buffer bytes = encoded(&change);

        assert_int_equal(change_decode(buffer_slice(&bytes), networks, &read), STATUS_OK);
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.at, change.at);
        struct buffer again = encoded(&read);
        assert_true(slice_equal(buffer_slice(&bytes), buffer_slice(&again)));
        buffer_free(&bytes);
        buffer_free(&again);
    }
}

static void
token_members(void **state)
{
    struct change change = sample(CHANGE_TOKEN_ROTATED), read;
    struct cidr networks[TOKEN_NETWORKS_MAX];
    struct buffer bytes = encoded(&change);

    assert_int_equal(change_decode(buffer_slice(&bytes), networks, &read), STATUS_OK);
    assert_true(token_id_equal(&read.token.predecessor, &change.token.predecessor));
    assert_int_equal(read.expires_at, 77);
    assert_int_equal(read.token.expires_at, TIME_NEVER);
    assert_int_equal(read.token.max_uses, USES_UNLIMITED);
    assert_int_equal(read.token.binding.kind, BINDING_JKT);
    assert_int_equal(read.token.binding.thumbprint[1], 8);
    assert_int_equal(read.token.network_count, 2);
    assert_ptr_equal(read.token.networks, networks);
    assert_int_equal(networks[1].ip.family, IP_V6);
    assert_true(slice_is(read.token.roles, "a b"));
    assert_true(slice_is(read.token.name, "the name"));
    assert_true(slice_is(read.token.issued_by, "local:0"));
    assert_true(slice_is(read.token.audience, "orders writ"));
    assert_int_equal(read.token.purpose, PURPOSE_REFRESH);
    buffer_free(&bytes);
}

/* Before version 2 a token had neither audience nor purpose. */
static void
written_before(void **state)
{
    struct change change = sample(CHANGE_TOKEN_ISSUED), read;
    struct cidr networks[TOKEN_NETWORKS_MAX];
    struct buffer bytes;

    change.token.audience = (struct slice){ 0 };
    bytes = encoded(&change);
    bytes.bytes[0] = 1;
    assert_int_equal(change_decode(buffer_slice(&bytes), networks, &read), STATUS_CORRUPT);
    bytes.size -= 3;
    assert_int_equal(change_decode(buffer_slice(&bytes), networks, &read), STATUS_OK);
    assert_int_equal(read.token.purpose, PURPOSE_ACCESS);
    assert_int_equal(read.token.audience.size, 0);
    assert_true(slice_is(read.token.issued_by, "local:0"));
    bytes.bytes[0] = 2;
    assert_int_equal(change_decode(buffer_slice(&bytes), networks, &read), STATUS_CORRUPT);
    buffer_free(&bytes);
}

static void
cut_and_extended(void **state)
{
    for (int kind = 0; kind < CHANGE_KINDS; kind++) {
        struct change change = sample((enum change_kind)kind), read = { .at = 42 };
        struct cidr networks[TOKEN_NETWORKS_MAX];
        struct buffer bytes = encoded(&change);

        for (size_t size = 0; size < bytes.size; size++) {
            assert_int_equal(change_decode(slice_of(bytes.bytes, size), networks, &read),
                             STATUS_CORRUPT);
            assert_int_equal(read.at, 42);
        }
        put_u8(&bytes, 0);
        assert_int_equal(change_decode(buffer_slice(&bytes), networks, &read), STATUS_CORRUPT);
        buffer_free(&bytes);
    }
}

static enum status
decode_with(struct buffer *bytes, size_t at, uint8_t value)
{
    struct cidr networks[TOKEN_NETWORKS_MAX];
    struct change read;
    char old = bytes->bytes[at];

    bytes->bytes[at] = (char)value;
    enum status status = change_decode(buffer_slice(bytes), networks, &read);
    bytes->bytes[at] = old;
    return status;
}

static void
unknown(void **state)
{
    struct change change = sample(CHANGE_TOKEN_ISSUED);
    struct buffer bytes = encoded(&change);

    assert_int_equal(decode_with(&bytes, 0, 3), STATUS_NEWER);
    assert_int_equal(decode_with(&bytes, 0, 255), STATUS_NEWER);
    assert_int_equal(decode_with(&bytes, 0, 0), STATUS_CORRUPT);
    assert_int_equal(decode_with(&bytes, 1, CHANGE_KINDS), STATUS_CORRUPT);
    assert_int_equal(decode_with(&bytes, 2, 0x80), STATUS_CORRUPT); /* a time before 1970 */
    assert_int_equal(decode_with(&bytes, 10, 0), STATUS_CORRUPT);   /* no id */
    size_t binding = 10 + 64 + 1 + 40 + 4;
    assert_int_equal(decode_with(&bytes, binding, BINDING_X5T + 1), STATUS_CORRUPT);
    size_t networks = binding + 33 + (2 + 7) + (2 + 3) + (2 + 17);
    assert_int_equal(decode_with(&bytes, networks, 2), STATUS_OK);
    assert_int_equal(decode_with(&bytes, networks, TOKEN_NETWORKS_MAX + 1), STATUS_CORRUPT);
    assert_int_equal(decode_with(&bytes, networks + 1, IP_NONE), STATUS_CORRUPT);
    assert_int_equal(decode_with(&bytes, networks + 3, 1), STATUS_CORRUPT);  /* a host bit */
    assert_int_equal(decode_with(&bytes, networks + 6, 33), STATUS_CORRUPT); /* of 32 bits */
    buffer_free(&bytes);
}

static void
not_encodable(void **state)
{
    struct change change = sample(CHANGE_TOKEN_ISSUED);
    struct buffer out = { 0 };

    change.token.network_count = TOKEN_NETWORKS_MAX + 1;
    assert_int_equal(change_encode(&change, &out), STATUS_INVALID);
    change = sample(CHANGE_TOKEN_ISSUED);
    change.token.id = (struct token_id){ { 0 } };
    assert_int_equal(change_encode(&change, &out), STATUS_INVALID);
    change = sample(CHANGE_LINE_REVOKED);
    change.id = (struct token_id){ { 0 } };
    assert_int_equal(change_encode(&change, &out), STATUS_INVALID);
    change = sample(CHANGE_KINDS);
    assert_int_equal(change_encode(&change, &out), STATUS_INVALID);
    assert_int_equal(out.size, 0);
}

static void
names(void **state)
{
    assert_string_equal(change_kind_name(CHANGE_TOKEN_ISSUED), "token.issued");
    assert_string_equal(change_kind_name(CHANGE_ANSWER_FORGOTTEN), "answer.forgotten");
    assert_string_equal(change_kind_name(CHANGE_KINDS), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(token_members),
        cmocka_unit_test(cut_and_extended),
        cmocka_unit_test(written_before),
        cmocka_unit_test(unknown),
        cmocka_unit_test(not_encodable),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
