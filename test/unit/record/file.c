/* Recordings at rest: what opens, and that no chunk can be altered, moved or left out unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record/file.h"

static const struct secret master = { { 1, 2, 3 } };
enum { CHUNKS = 4, HEAD = 8 + 16 + 61 };

/* A recording of ABOUT "about", EVENTS "one" and "two", END "end"; at: where each chunk begins,
 * and the file's end. */
static void
make(struct buffer *out, size_t at[CHUNKS + 1])
{
    static const enum record_kind kinds[] = { RECORD_ABOUT, RECORD_EVENTS, RECORD_EVENTS,
                                              RECORD_END };
    static const char *const texts[] = { "about", "one", "two", "end" };
    struct record_writer writer;

    assert_int_equal(record_begin(&writer, &master, out), STATUS_OK);
    for (unsigned i = 0; i < CHUNKS; i++) {
        at[i] = out->size;
        assert_int_equal(record_put(&writer, kinds[i], slice_text(texts[i]), out), STATUS_OK);
    }
    at[CHUNKS] = out->size;
    assert_int_equal(record_put(&writer, RECORD_EVENTS, slice_text("late"), out), STATUS_INVALID);
    record_writer_wipe(&writer);
}

/* Reads on until something else than a chunk comes; what was read, joined. */
static enum record_read
read_all(const struct secret *under, struct slice in, struct buffer *plain)
{
    struct record_reader reader = { .master = under };
    enum record_read read;
    enum record_kind kind;
    size_t used;

    while ((read = record_next(&reader, in, &used, &kind, plain)) == RECORD_CHUNK)
        in = slice_from(in, used);
    assert_int_equal(used, 0);
    record_reader_wipe(&reader);
    return read;
}

static void
reads_what_was_written(void **state)
{
    struct buffer file = { 0 }, plain = { 0 };
    size_t at[CHUNKS + 1];

    make(&file, at);
    assert_int_equal(at[0], HEAD);
    assert_int_equal(read_all(&master, buffer_slice(&file), &plain), RECORD_DONE);
    assert_true(slice_is(buffer_slice(&plain), "aboutonetwoend"));
    buffer_free(&file);
    buffer_free(&plain);
}

/* A crash may come anywhere: what stands before it reads, and nobody is told that it is whole. */
static void
reads_a_prefix(void **state)
{
    struct buffer file = { 0 }, plain = { 0 };
    size_t at[CHUNKS + 1];

    make(&file, at);
    for (size_t size = 0; size < file.size; size++) {
        buffer_clear(&plain);
        assert_int_equal(read_all(&master, slice_of(file.bytes, size), &plain), RECORD_MORE);
        assert_true(slice_is(buffer_slice(&plain), size < at[1]   ? ""
                                                   : size < at[2] ? "about"
                                                   : size < at[3] ? "aboutone"
                                                                  : "aboutonetwo"));
    }
    buffer_free(&file);
    buffer_free(&plain);
}

static void
sees_every_byte(void **state)
{
    struct buffer file = { 0 }, plain = { 0 };
    size_t at[CHUNKS + 1];

    make(&file, at);
    for (size_t i = 0; i < file.size; i++) {
        buffer_clear(&plain);
        file.bytes[i] ^= 1;
        /* A size that claims more than there is waits for it: never DONE. */
        assert_int_not_equal(read_all(&master, buffer_slice(&file), &plain), RECORD_DONE);
        file.bytes[i] ^= 1;
    }
    put_u8(&file, 0);
    buffer_clear(&plain);
    assert_int_equal(read_all(&master, buffer_slice(&file), &plain), RECORD_WRONG);
    buffer_free(&file);
    buffer_free(&plain);
}

static void
put_part(struct buffer *out, const struct buffer *file, size_t from, size_t to)
{
    put_bytes(out, file->bytes + from, to - from);
}

/* The file with its chunks in this order; UINT8_MAX ends the list. */
static enum record_read
read_in_order(const uint8_t *order, bool of_another)
{
    struct buffer file = { 0 }, other = { 0 }, made = { 0 }, plain = { 0 };
    size_t at[CHUNKS + 1];
    enum record_read read;

    make(&file, at);
    make(&other, at);
    put_part(&made, &file, 0, HEAD);
    for (; *order != UINT8_MAX; order++)
        put_part(&made, of_another && *order == 1 ? &other : &file, at[*order], at[*order + 1]);
    read = read_all(&master, buffer_slice(&made), &plain);
    buffer_free(&file);
    buffer_free(&other);
    buffer_free(&made);
    buffer_free(&plain);
    return read;
}

static void
sees_chunks_that_moved(void **state)
{
    static const uint8_t as_it_was[] = { 0, 1, 2, 3, UINT8_MAX };
    static const uint8_t exchanged[] = { 0, 2, 1, 3, UINT8_MAX };
    static const uint8_t left_out[] = { 0, 1, 3, UINT8_MAX };
    static const uint8_t repeated[] = { 0, 1, 1, 2, 3, UINT8_MAX };
    static const uint8_t headless[] = { 1, 2, 3, UINT8_MAX };

    assert_int_equal(read_in_order(as_it_was, false), RECORD_DONE);
    assert_int_equal(read_in_order(exchanged, false), RECORD_WRONG);
    assert_int_equal(read_in_order(left_out, false), RECORD_WRONG);
    assert_int_equal(read_in_order(repeated, false), RECORD_WRONG);
    assert_int_equal(read_in_order(headless, false), RECORD_WRONG);
    assert_int_equal(read_in_order(as_it_was, true), RECORD_WRONG);
}

static void
opens_under_its_master_alone(void **state)
{
    static const struct secret sealing = { { 9 } };
    struct buffer file = { 0 }, plain = { 0 };
    size_t at[CHUNKS + 1];
    struct secret other;

    assert_int_equal(record_master(&sealing, &other), STATUS_OK);
    assert_false(secret_equal(&sealing, &other, sizeof other));
    make(&file, at);
    assert_int_equal(read_all(&other, buffer_slice(&file), &plain), RECORD_WRONG);
    assert_int_equal(plain.size, 0);
    buffer_free(&file);
}

static void
keeps_the_order(void **state)
{
    struct record_writer writer;
    struct buffer out = { 0 };

    assert_int_equal(record_begin(&writer, &master, &out), STATUS_OK);
    assert_int_equal(record_put(&writer, RECORD_EVENTS, slice_text("x"), &out), STATUS_INVALID);
    assert_int_equal(record_put(&writer, RECORD_ABOUT, slice_text("x"), &out), STATUS_OK);
    assert_int_equal(record_put(&writer, RECORD_ABOUT, slice_text("x"), &out), STATUS_INVALID);
    assert_int_equal(record_put(&writer, RECORD_EVENTS, slice_of("", RECORD_CHUNK_MOST + 1), &out),
                     STATUS_TOO_LARGE);
    record_writer_wipe(&writer);
    buffer_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(reads_a_prefix),
        cmocka_unit_test(sees_every_byte),
        cmocka_unit_test(sees_chunks_that_moved),
        cmocka_unit_test(opens_under_its_master_alone),
        cmocka_unit_test(keeps_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
