/* unit/audit/record.c - frames: what is written is read back, what is not is refused. */
#include "rig.h"

#include "record.h"

static struct audit_event
full_event(void)
{
    return (struct audit_event){ .at = 1700000000123,
                                 .session = 99,
                                 .token = SLICE_LITERAL("t1/hop"),
                                 .label = SLICE_LITERAL("label"),
                                 .subject = SLICE_LITERAL("amara"),
                                 .subject_type = SLICE_LITERAL("user"),
                                 .role = SLICE_LITERAL("support"),
                                 .resource = SLICE_LITERAL("orders"),
                                 .action = SLICE_LITERAL("GET"),
                                 .object = SLICE_LITERAL("/v1/orders/42"),
                                 .right = SLICE_LITERAL("orders:GET:/v1/**"),
                                 .reason = SLICE_LITERAL(""),
                                 .agent = SLICE_LITERAL("curl"),
                                 .statement = SLICE_LITERAL("select 1"),
                                 .peer = { .family = IP_V6, .bytes = { 1, [15] = 2 } },
                                 .peer_port = 5,
                                 .decision = AUDIT_ALLOW,
                                 .proof = AUDIT_PROOF_DPOP };
}

static void
test_line_round_trip(void **state)
{
    const struct audit_event event = full_event();
    const struct audit_outcome outcome = { 200, 1, 2, 3 };
    uint8_t frame[LINE_MAX];
    size_t size = record_size(&event);
    struct record record;

    record_write(&event, &outcome, frame, size);
    record_place(frame, 17, 3, 4096);
    assert_true(record_read(slice_of(frame, size), &record));
    assert_int_equal(record.seq, 17);
    assert_int_equal(record.journal, 3);
    assert_int_equal(record.position, 4096);
    assert_int_equal(record.count, 1);
    assert_int_equal(record.event.at, event.at);
    assert_int_equal(record.event.session, 99);
    assert_true(slice_equal(record.event.token, event.token));
    assert_true(slice_equal(record.event.statement, event.statement));
    assert_true(slice_equal(record.event.right, event.right));
    assert_true(ip_equal(&record.event.peer, &event.peer));
    assert_int_equal(record.event.proof, AUDIT_PROOF_DPOP);
    assert_int_equal(record.outcome.duration_us, 3);
}

/* Whom it acts for stands behind all else; a line without it is as it always was. */
static void
test_chain_round_trip(void **state)
{
    struct audit_event event = full_event();
    uint8_t frame[LINE_MAX];
    struct record record;
    size_t without = record_size(&event);

    event.chain = SLICE_LITERAL("amara/1 nightly/2");
    size_t size = record_size(&event);
    assert_int_equal(size, without + event.chain.size);
    record_write(&event, NULL, frame, size);
    assert_true(record_read(slice_of(frame, size), &record));
    assert_true(slice_equal(record.event.chain, event.chain));
    assert_false(record_read(slice_of(frame, size - 1), &record));
}

/* One byte more, one less, or a changed fixed byte that has one right value. */
static void
test_line_is_strict(void **state)
{
    const struct audit_event event = full_event();
    uint8_t frame[LINE_MAX];
    size_t size = record_size(&event);
    struct record record;

    record_write(&event, NULL, frame, size);
    assert_false(record_read(slice_of(frame, size - 1), &record));
    assert_true(record_read(slice_of(frame, size), &record));
    frame[5] = 2; /* decision */
    assert_false(record_read(slice_of(frame, size), &record));
    frame[5] = 1;
    frame[70] = 1; /* reserved */
    assert_false(record_read(slice_of(frame, size), &record));
    frame[70] = 0;
    frame[68] = 1; /* a chain that is not there */
    assert_false(record_read(slice_of(frame, size), &record));
    frame[68] = 0;
    frame[7] = IP_V4; /* bytes behind the address */
    assert_false(record_read(slice_of(frame, size), &record));
    frame[7] = IP_V6;
    record_open(frame);
    assert_true(record_read(slice_of(frame, size), &record));
    frame[64] = 200; /* an open line has no status */
    assert_false(record_read(slice_of(frame, size), &record));
}

static void
test_long_text_is_cut(void **state)
{
    char text[2000];
    struct audit_event event = full_event();
    uint8_t frame[LINE_MAX];
    struct record record;

    memset(text, 'x', sizeof text);
    /* A character of two bytes lies across the cut. */
    text[1020] = '\xc3';
    text[1021] = '\xa4';
    event.statement = slice_of(text, sizeof text);
    record_write(&event, NULL, frame, record_size(&event));
    assert_true(record_read(slice_of(frame, record_size(&event)), &record));
    assert_int_equal(record.event.statement.size, AUDIT_TEXT_MAX);
    assert_true(slice_ends(record.event.statement, SLICE_LITERAL("x." CUT_MARKER)));
    event.statement = slice_of(text, AUDIT_TEXT_MAX);
    record_write(&event, NULL, frame, record_size(&event));
    assert_true(record_read(slice_of(frame, record_size(&event)), &record));
    assert_true(slice_equal(record.event.statement, event.statement));
}

static void
test_split(void **state)
{
    const struct ending ending = { .seq = 4, .count = 1, .outcome = { .status = 1 } };
    struct ending read;
    uint8_t frame[ENDING_SIZE];
    struct slice whole;
    enum frame_kind kind;

    ending_write(&ending, frame);
    assert_int_equal(frame_split(slice_of(frame, 4), &whole, &kind), FRAME_MORE);
    assert_int_equal(frame_split(slice_of(frame, ENDING_SIZE - 1), &whole, &kind), FRAME_MORE);
    assert_int_equal(frame_split(slice_of(frame, ENDING_SIZE), &whole, &kind), FRAME_WHOLE);
    assert_int_equal(kind, FRAME_END);
    assert_true(ending_read(whole, &read));
    assert_int_equal(read.seq, 4);
    /* A size over the limit is refused before it is waited for. */
    frame[3] = 1;
    assert_int_equal(frame_split(slice_of(frame, 5), &whole, &kind), FRAME_MALFORMED);
    frame[3] = 0;
    frame[4] = 9;
    assert_int_equal(frame_split(slice_of(frame, 5), &whole, &kind), FRAME_MALFORMED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_round_trip), cmocka_unit_test(test_chain_round_trip),
        cmocka_unit_test(test_line_is_strict),  cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
