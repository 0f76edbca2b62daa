/* PostgreSQL's messages: each read as it should be, cut short, and with something left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "postgres/wire.h"

/* A literal with zero bytes in it; the one that C adds is not part of it. */
#define BYTES(text) SLICE_LITERAL(text)

static void
assert_slice(struct slice got, struct slice expected)
{
    if (!slice_equal(got, expected))
        fail_msg("got '%.*s', not '%.*s'", SLICE_PRINT(got), SLICE_PRINT(expected));
}

static void
assert_written(struct buffer *out, struct slice expected)
{
    assert_int_equal(buffer_status(out), STATUS_OK);
    assert_int_equal(out->size, expected.size);
    assert_memory_equal(out->bytes, expected.at, expected.size);
    buffer_clear(out);
}

static void
headers(void **state)
{
    const struct {
        struct slice bytes;
        enum wire wire;
        uint32_t body;
    } rows[] = {
        { BYTES("Q\0\0\0\4"), WIRE_OK, 0 },
        { BYTES("Q\0\0\0\5"), WIRE_OK, 1 },
        { BYTES("Q\x40\0\0\3"), WIRE_OK, PG_MESSAGE_MAX },
        { BYTES("Q\x40\0\0\4"), WIRE_MALFORMED, 0 },
        { BYTES("Q\xff\xff\xff\xff"), WIRE_MALFORMED, 0 },
        { BYTES("Q\x80\0\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("Q\0\0\0\3"), WIRE_MALFORMED, 0 },
        { BYTES("Q\0\0\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("Q\0\0\0"), WIRE_MORE, 0 },
        { BYTES("Q"), WIRE_MORE, 0 },
        { BYTES(""), WIRE_MORE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cursor in = cursor_over(rows[i].bytes);
        struct pg_header header = { .type = 'x', .body = 77 };

        assert_int_equal(pg_header_read(&in, &header), rows[i].wire);
        assert_int_equal(cursor_left(&in), rows[i].wire == WIRE_OK ? 0 : rows[i].bytes.size);
        assert_int_equal(header.body, rows[i].wire == WIRE_OK ? rows[i].body : 77);
    }
}

static enum wire
start(struct slice bytes, struct pg_startup *out)
{
    struct cursor in = cursor_over(bytes);
    enum wire wire = pg_startup_read(&in, out);

    assert_true(wire == WIRE_OK || cursor_left(&in) == bytes.size);
    return wire;
}

static void
first_packets(void **state)
{
    const struct {
        struct slice bytes;
        enum wire wire;
        enum pg_start_kind kind;
    } rows[] = {
        { BYTES("\0\0\0\x8\x4\xd2\x16\x2f"), WIRE_OK, PG_START_TLS },
        { BYTES("\0\0\0\x8\x4\xd2\x16\x30"), WIRE_OK, PG_START_GSS },
        { BYTES("\0\0\0\x9\x4\xd2\x16\x2f\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\x10\x4\xd2\x16\x2e\0\0\0\1\0\0\0\2"), WIRE_OK, PG_START_CANCEL },
        { BYTES("\0\0\0\x14\x4\xd2\x16\x2e\0\0\0\1\0\0\0\2\0\0\0\3"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\xc\x4\xd2\x16\x2e\0\0\0\1"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\x9\0\3\0\0\0"), WIRE_OK, PG_START_SESSION },
        /* Another major version. */
        { BYTES("\0\0\0\x9\0\2\0\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\x9\0\4\0\0\0"), WIRE_MALFORMED, 0 },
        /* Without the end of the list, with something behind it, with half a pair. */
        { BYTES("\0\0\0\x8\0\3\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\xe\0\3\0\0a\0b\0\0c"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\xe\0\3\0\0a\0b\0\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\xb\0\3\0\0a\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\xc\0\3\0\0a\0b\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\xb\0\3\0\0a\0b"), WIRE_MALFORMED, 0 },
        /* A name twice. */
        { BYTES("\0\0\0\x11\0\3\0\0a\0b\0a\0b\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\x11\0\3\0\0a\0b\0c\0b\0\0"), WIRE_OK, PG_START_SESSION },
        /* Impossible lengths are refused before anything is waited for. */
        { BYTES("\0\0\0\0"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0\7"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\x27\x11"), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\x27\x10"), WIRE_MORE, 0 },
        { BYTES("GET "), WIRE_MALFORMED, 0 },
        { BYTES("\0\0\0"), WIRE_MORE, 0 },
        { BYTES("\0\0\0\x9\0\3\0\0"), WIRE_MORE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pg_startup startup = { .minor = 77 };
        enum wire wire = start(rows[i].bytes, &startup);

        if (wire != rows[i].wire)
            fail_msg("row %zu: %d", i, wire);
        if (wire == WIRE_OK)
            assert_int_equal(startup.kind, rows[i].kind);
        else
            assert_int_equal(startup.minor, 77);
    }
}

static void
parameters(void **state)
{
    struct pg_startup startup;
    struct slice rest, name, value;

    (void)state;
    assert_int_equal(start(BYTES("\0\0\0\x23\0\3\0\2user\0amara\0database\0\0_pq_.x\0"
                                 "1\0\0"),
                           &startup),
                     WIRE_MALFORMED); /* the length says less */
    assert_int_equal(start(BYTES("\0\0\0\x27\0\3\0\2user\0amara\0database\0\0_pq_.x\0"
                                 "1\0\0"),
                           &startup),
                     WIRE_OK);
    assert_int_equal(startup.minor, 2);
    assert_true(startup.unknown_options);
    rest = startup.parameters;
    assert_true(pg_parameter_next(&rest, &name, &value));
    assert_slice(name, SLICE_LITERAL("user"));
    assert_slice(value, SLICE_LITERAL("amara"));
    assert_true(pg_parameter_next(&rest, &name, &value));
    assert_slice(name, SLICE_LITERAL("database"));
    assert_int_equal(value.size, 0);
    assert_true(pg_parameter_next(&rest, &name, &value));
    assert_false(pg_parameter_next(&rest, &name, &value));
}

/* Each name is compared with all before it: so there can't be many. */
static void
parameters_are_few(void **state)
{
    struct pg_startup startup;

    (void)state;
    for (unsigned count = PG_PARAMETERS_MAX; count <= PG_PARAMETERS_MAX + 1; count++) {
        struct buffer packet = { 0 };

        put_be32(&packet, 8 + 5 * count + 1);
        put_be32(&packet, 3 << 16);
        for (unsigned i = 0; i < count; i++) {
            put_format(&packet, "%03u", i);
            put_be16(&packet, 0);
        }
        put_u8(&packet, 0);
        assert_int_equal(start(buffer_slice(&packet), &startup),
                         count <= PG_PARAMETERS_MAX ? WIRE_OK : WIRE_MALFORMED);
        buffer_free(&packet);
    }
}

static void
client_bodies(void **state)
{
    struct slice a, b;
    uint32_t rows;
    uint8_t what;

    (void)state;
    assert_true(pg_query_read(BYTES("SELECT 1\0"), &a));
    assert_slice(a, SLICE_LITERAL("SELECT 1"));
    assert_false(pg_query_read(BYTES("SELECT 1"), &a));
    assert_false(pg_query_read(BYTES("SELECT 1\0DROP\0"), &a));
    assert_false(pg_query_read(BYTES(""), &a));
    assert_true(pg_password_read(BYTES("\0"), &a));
    assert_false(pg_password_read(BYTES("x\0\0"), &a));

    assert_true(pg_parse_read(BYTES("s\0SELECT $1\0\0\1\0\0\0\x17"), &a, &b));
    assert_slice(a, SLICE_LITERAL("s"));
    assert_slice(b, SLICE_LITERAL("SELECT $1"));
    assert_true(pg_parse_read(BYTES("\0\0\0\0"), &a, &b));
    assert_false(pg_parse_read(BYTES("s\0SELECT 1\0\0\1\0\0\0"), &a, &b));
    assert_false(pg_parse_read(BYTES("s\0SELECT 1\0\0\0\0"), &a, &b));
    assert_false(pg_parse_read(BYTES("s\0SELECT 1\0\0"), &a, &b));
    assert_false(pg_parse_read(BYTES("s\0SELECT 1"), &a, &b));

    assert_true(pg_describe_read(BYTES("Sname\0"), &what, &a));
    assert_true(pg_describe_read(BYTES("P\0"), &what, &a));
    assert_false(pg_describe_read(BYTES("Xname\0"), &what, &a));
    assert_false(pg_describe_read(BYTES("Sname\0x"), &what, &a));
    assert_false(pg_describe_read(BYTES("Sname"), &what, &a));

    assert_true(pg_execute_read(BYTES("p\0\0\0\0\7"), &a, &rows));
    assert_int_equal(rows, 7);
    assert_false(pg_execute_read(BYTES("p\0\0\0\0"), &a, &rows));
    assert_false(pg_execute_read(BYTES("p\0\0\0\0\7\0"), &a, &rows));

    assert_int_equal(pg_bind_head_read(BYTES("p\0s\0anything"), &a, &b), WIRE_OK);
    assert_slice(a, SLICE_LITERAL("p"));
    assert_slice(b, SLICE_LITERAL("s"));
    assert_int_equal(pg_bind_head_read(BYTES("p\0s"), &a, &b), WIRE_MORE);
}

static void
server_bodies(void **state)
{
    const struct slice error = BYTES("SERROR\0C42501\0Mno\0\0");
    struct slice a, b;
    uint32_t kind, secret;

    (void)state;
    assert_true(pg_auth_read(BYTES("\0\0\0\0"), &kind, &a));
    assert_int_equal(kind, PG_AUTH_OK);
    assert_false(pg_auth_read(BYTES("\0\0\0\0x"), &kind, &a));
    assert_false(pg_auth_read(BYTES("\0\0\0\3x"), &kind, &a));
    assert_false(pg_auth_read(BYTES("\0\0\0"), &kind, &a));
    assert_true(pg_auth_read(BYTES("\0\0\0\5salt"), &kind, &a));
    assert_slice(a, SLICE_LITERAL("salt"));

    assert_true(pg_key_read(BYTES("\0\0\0\1\0\0\0\2"), &kind, &secret));
    assert_int_equal(secret, 2);
    assert_false(pg_key_read(BYTES("\0\0\0\1\0\0\0\2\0"), &kind, &secret));
    assert_false(pg_key_read(BYTES("\0\0\0\1\0\0\0"), &kind, &secret));

    assert_true(pg_setting_read(BYTES("TimeZone\0UTC\0"), &a, &b));
    assert_slice(b, SLICE_LITERAL("UTC"));
    assert_false(pg_setting_read(BYTES("TimeZone\0UTC"), &a, &b));
    assert_false(pg_setting_read(BYTES("TimeZone\0UTC\0x"), &a, &b));

    assert_slice(pg_error_field(error, 'C'), SLICE_LITERAL("42501"));
    assert_slice(pg_error_field(error, 'M'), SLICE_LITERAL("no"));
    assert_int_equal(pg_error_field(error, 'H').size, 0);
    assert_int_equal(pg_error_field(BYTES("Cno end"), 'C').size, 0);
    assert_int_equal(pg_error_field(BYTES(""), 'C').size, 0);

    assert_true(pg_first_column_read(BYTES("\0\1\0\0\0\2ab"), &a));
    assert_slice(a, SLICE_LITERAL("ab"));
    assert_false(pg_first_column_read(BYTES("\0\1\xff\xff\xff\xff"), &a));
    assert_false(pg_first_column_read(BYTES("\0\0"), &a));
    assert_false(pg_first_column_read(BYTES("\0\1\0\0\0\3ab"), &a));
}

static void
to_clients(void **state)
{
    const struct pg_error error = { .severity = PG_FATAL,
                                    .sqlstate = "28000",
                                    .message = BYTES("no\0 more"),
                                    .hint = SLICE_LITERAL("ask") };
    struct pg_startup startup = { .minor = 2,
                                  .unknown_options = true,
                                  .parameters = BYTES("user\0a\0_pq_.x\0y\0") };
    struct buffer out = { 0 };

    (void)state;
    pg_put_error(&out, &error);
    /* A zero byte in a text can't begin a field of its own. */
    assert_written(&out, BYTES("E\0\0\0\x23SFATAL\0VFATAL\0C28000\0Mno\0Hask\0\0"));
    pg_put_ready(&out, 'T');
    assert_written(&out, BYTES("Z\0\0\0\5T"));
    pg_put_auth(&out, PG_AUTH_CLEARTEXT);
    assert_written(&out, BYTES("R\0\0\0\x8\0\0\0\3"));
    pg_put_auth_data(&out, PG_AUTH_SASL, BYTES("SCRAM-SHA-256\0\0"));
    assert_written(&out, BYTES("R\0\0\0\x17\0\0\0\xaSCRAM-SHA-256\0\0"));
    pg_put_setting(&out, SLICE_LITERAL("a"), SLICE_LITERAL("b"));
    assert_written(&out, BYTES("S\0\0\0\x8"
                               "a\0b\0"));
    pg_put_key(&out, 1, 2);
    assert_written(&out, BYTES("K\0\0\0\xc\0\0\0\1\0\0\0\2"));
    pg_put_negotiation(&out, &startup);
    assert_written(&out, BYTES("v\0\0\0\x13\0\3\0\0\0\0\0\1_pq_.x\0"));
    startup = (struct pg_startup){ .minor = 0 };
    pg_put_negotiation(&out, &startup);
    assert_int_equal(out.size, 0);
    buffer_free(&out);
}

static void
to_servers(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    pg_put_startup(&out, SLICE_LITERAL("u"), SLICE_LITERAL("d"), BYTES("a\0b\0"));
    assert_written(&out, BYTES("\0\0\0\x1f\0\3\0\0user\0u\0database\0d\0a\0b\0\0"));
    pg_put_password(&out, SLICE_LITERAL("pw"));
    assert_written(&out, BYTES("p\0\0\0\7pw\0"));
    pg_put_sasl(&out, SLICE_LITERAL("c=biws"));
    assert_written(&out, BYTES("p\0\0\0\xa"
                               "c=biws"));
    pg_put_query(&out, SLICE_LITERAL("SELECT 1"));
    assert_written(&out, BYTES("Q\0\0\0\xdSELECT 1\0"));
    pg_put_parse(&out, SLICE_LITERAL("s"), SLICE_LITERAL("BEGIN"));
    assert_written(&out, BYTES("P\0\0\0\xes\0BEGIN\0\0\0"));
    pg_put_bind(&out, SLICE_LITERAL("p"), SLICE_LITERAL("s"));
    assert_written(&out, BYTES("B\0\0\0\xep\0s\0\0\0\0\0\0\0"));
    pg_put_execute(&out, SLICE_LITERAL("p"));
    assert_written(&out, BYTES("E\0\0\0\xap\0\0\0\0\0"));
    pg_put_close(&out, 'S', SLICE_LITERAL("s"));
    assert_written(&out, BYTES("C\0\0\0\7Ss\0"));
    pg_put_sync(&out);
    assert_written(&out, BYTES("S\0\0\0\4"));
    pg_put_cancel_request(&out, 1, 2);
    assert_written(&out, BYTES("\0\0\0\x10\x4\xd2\x16\x2e\0\0\0\1\0\0\0\2"));
    /* In an error the length is left alone: nothing of it is sent. */
    buffer_free(&out);
    out = BUFFER_LIMITED(8);
    pg_put_query(&out, SLICE_LITERAL("SELECT 1"));
    assert_int_equal(buffer_status(&out), STATUS_TOO_LARGE);
    buffer_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),       cmocka_unit_test(first_packets),
        cmocka_unit_test(parameters),    cmocka_unit_test(parameters_are_few),
        cmocka_unit_test(client_bodies), cmocka_unit_test(server_bodies),
        cmocka_unit_test(to_clients),    cmocka_unit_test(to_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
